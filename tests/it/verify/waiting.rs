//! Others wait, and are waited for, while a pair of snapshots is taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pgstream::config::ConnectionSettings;
use pgstream::runtime::spawn;
use pgstream::status::Phase;
use pgstream::verify::Verdict;

use crate::support::flow::{Flow, stop, wait_for};
use crate::support::{Proxy, connect, execute, query_text, wait_until};

use super::{LEDGER, compare, table};

/// Inserts rows one by one until told to stop.
async fn insert(url: String, stopped: Arc<AtomicBool>) {
    let client = connect(&url).await;
    let mut id = 1;
    while !stopped.load(Ordering::Relaxed) {
        id += 1;
        let sql = format!("INSERT INTO public.account VALUES ({id}, 0)");
        execute(&client, &sql).await;
    }
}

async fn count(flow: &Flow) -> i64 {
    let found = query_text(&flow.source, "SELECT count(*) FROM public.account").await;
    found.join("").parse().expect("a number")
}

/// Its WAL is sent before any snapshot of the source shows it, so the target has it first. Who streams anew has
/// not seen it pass.
#[tokio::test]
async fn what_waits_for_a_standby_is_no_difference_after_a_restart() {
    let flow = Flow::rows("pgoutput", LEDGER).await;
    let engine = flow.start();
    flow.run("INSERT INTO public.account VALUES (1, 1)").await;
    flow.equal().await;
    let stopped = Arc::new(AtomicBool::new(false));
    let url = flow.source_cluster.url("postgres");
    let mut writer = spawn("writer", insert(url, Arc::clone(&stopped)));
    flow.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        .await;
    flow.run("SELECT pg_reload_conf()").await;
    wait_until("a commit waits", async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        match query_text(&flow.source, sql).await.join("").as_str() {
            "1" => Ok(()),
            other => Err(other.to_owned()),
        }
    })
    .await;
    stopped.store(true, Ordering::Relaxed);
    let ahead = (count(&flow).await + 1).to_string();
    flow.shows("SELECT count(*) FROM public.account", &[&ahead])
        .await;
    stop(engine).await;
    let engine = flow.start();
    wait_for(&engine, "it streams", |status| {
        matches!(status.phase, Phase::Streaming { .. })
    })
    .await;

    let (report, ()) = tokio::join!(compare(&flow), async {
        let refused = "SELECT reason LIKE 'transaction % of the source is in progress since before the stream began%' \
                       FROM pgstream.paired_snapshot";
        flow.shows(refused, &["t"]).await;
        flow.run("ALTER SYSTEM RESET synchronous_standby_names")
            .await;
        flow.run("SELECT pg_reload_conf()").await;
    });

    assert_eq!(report.verdict(), Verdict::Equal, "{report:#?}");
    assert_eq!(
        table(&report, "public.account").source_rows.to_string(),
        ahead
    );
    writer.join().await.expect("the writer");
    stop(engine).await;
}

/// It waits for the end of every older snapshot, and the stream may be far from that of the comparison.
#[tokio::test]
async fn an_index_that_is_built_concurrently_does_not_wait_for_a_stream_that_is_behind() {
    let mut flow = Flow::rows("pgoutput", LEDGER).await;
    let direct = flow.pipeline.source.clone();
    let port = flow.source_cluster.port();
    let proxy = Proxy::start(port);
    let through = proxy.through(&flow.source_cluster.url("postgres"), port);
    flow.pipeline.source = ConnectionSettings::parse(&through).expect("an address");
    let engine = flow.start();
    flow.run("INSERT INTO public.account VALUES (1, 1)").await;
    flow.equal().await;
    proxy.stall();
    flow.run("INSERT INTO public.account VALUES (2, 2)").await;
    flow.pipeline.source = direct;

    let (report, ()) = tokio::join!(compare(&flow), async {
        flow.shows("SELECT stage FROM pgstream.paired_snapshot", &["taken"])
            .await;
        flow.run("SET statement_timeout = '60s'").await;
        flow.run("CREATE INDEX CONCURRENTLY entry_account ON public.entry (account)")
            .await;
        proxy.resume();
    });

    assert_eq!(report.verdict(), Verdict::Equal, "{report:#?}");
    assert_eq!(table(&report, "public.account").source_rows, 2);
    stop(engine).await;
}
