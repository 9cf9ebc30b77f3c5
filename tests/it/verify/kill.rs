//! Comparisons that are killed.

use pgstream::config::Plugin;
use pgstream::fault;
use pgstream::verify::Verdict;

use crate::chaos::call;
use crate::support::flow::{Flow, stop};
use crate::support::{execute, query_text, wait_until};

use super::compare;

/// Wherever one dies, the stream goes on, nothing is left on a server, and the next one has its verdict.
#[tokio::test]
async fn a_comparison_can_be_killed_at_each_step() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let engine = flow.start();
    flow.run("CREATE TABLE public.t (id int PRIMARY KEY, v int)")
        .await;
    flow.equal().await;
    for (number, place) in [
        fault::VERIFY_WHILE_STANDING,
        fault::VERIFY_BEFORE_RELEASE,
        fault::VERIFY_AFTER_RANGE,
        fault::VERIFY_BEFORE_VERDICT,
    ]
    .into_iter()
    .enumerate()
    {
        let killed = call(&flow, ["verify"]).env("FAILPOINTS", &format!("{place}=return"));
        let killed = killed.run().await;
        assert_eq!(killed.code, None, "{place}: {}", killed.stderr);

        flow.run(&format!("INSERT INTO public.t VALUES ({number}, 1)"))
            .await;
        flow.equal().await;
        for session in [&flow.source, &flow.target] {
            wait_until("no session of it is left", async || {
                let sql = "SELECT count(*) FROM pg_stat_activity \
                           WHERE application_name = 'pgstream verify'";
                match query_text(session, sql).await.join("").as_str() {
                    "0" => Ok(()),
                    other => Err(other.to_owned()),
                }
            })
            .await;
        }
        assert_eq!(compare(&flow).await.verdict(), Verdict::Equal, "{place}");
    }
    execute(&flow.target, "UPDATE public.t SET v = 2 WHERE id = 1").await;
    assert_eq!(compare(&flow).await.verdict(), Verdict::Different);
    stop(engine).await;
}

/// As it is with `kill -9` in the middle of a large table.
#[tokio::test]
async fn a_comparison_that_was_killed_goes_on_at_the_key_where_it_was() {
    let flow = super::resume::ranged().await;
    let engine = flow.start();
    flow.equal().await;
    let place = fault::VERIFY_AFTER_RANGE;
    let killed = super::resume::verify(&flow, ["verify"])
        .env("FAILPOINTS", &format!("{place}=3*off->return"))
        .run()
        .await;
    assert_eq!(killed.code, None, "{}", killed.stderr);
    let below = "SELECT below FROM pgstream.proved_table";
    let below: i64 = query_text(&flow.target, below)
        .await
        .join("")
        .parse()
        .expect("a key within the table");
    assert!((1..20_000).contains(&below), "{below}");
    let breaks = format!(
        "UPDATE public.t SET v = 'x' WHERE id IN ({}, 20000)",
        below - 1
    );
    execute(&flow.target, &breaks).await;

    let resumed = super::resume::verify(&flow, ["verify", "--resume"])
        .run()
        .await;

    assert_eq!(resumed.code, Some(65), "{}", resumed.stderr);
    let row = "0 missing, 0 extra, 1 with other values; 20,000 rows on the source";
    assert!(resumed.stdout.contains(row), "{}", resumed.stdout);
    assert!(resumed.stdout.contains("key 20000"), "{}", resumed.stdout);
    let left = "SELECT count(*) FROM pgstream.proved_table";
    assert_eq!(query_text(&flow.target, left).await, ["0"]);
    let anew = super::resume::verify(&flow, ["verify"]).run().await;
    assert!(
        anew.stdout.contains("2 with other values"),
        "{}",
        anew.stdout
    );
    stop(engine).await;
}
