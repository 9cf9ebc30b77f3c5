//! What is confirmed to the source outlives a crash of the target, wherever it was confirmed.
//!
//! The target's WAL writer sleeps for ten seconds: what no commit has waited for is in shared memory
//! alone, and a server that is stopped at once forgets it.

use pgstream::cluster::ClusterOptions;
use pgstream::config::Plugin;
use pgstream::status::Phase;

use crate::chaos;
use crate::support::clusters::TestCluster;
use crate::support::flow::{Flow, stop, wait_for};
use crate::support::process::Running;
use crate::support::{Call, assert_equal, cluster, cluster_with, execute, query_text, wait_until};

const TABLE: &str = "CREATE TABLE item (id int PRIMARY KEY)";

fn forgetful() -> (TestCluster, TestCluster) {
    let options = ClusterOptions::new("target")
        .setting("wal_writer_delay", "10s")
        .setting("bgwriter_delay", "10s")
        .setting("checkpoint_timeout", "1h")
        .setting("autovacuum", "off");
    (cluster("source"), cluster_with(options))
}

async fn rows() -> Flow {
    Flow::rows_between(forgetful(), "pgoutput", TABLE).await
}

/// Crashes the target and looks whether it still has what the source was reported.
async fn crash(flow: &mut Flow) {
    flow.target_cluster.stop_immediate().unwrap();
    flow.target_cluster.restart().unwrap();
    flow.reconnect().await;
    let confirmed = confirmed(flow).await;
    let fits = format!("SELECT '{confirmed}' <= end_lsn, end_lsn FROM pgstream.checkpoint");
    let found = query_text(&flow.target, &fits).await;
    assert!(
        found.iter().all(|row| row.starts_with("t|")) && !found.is_empty(),
        "the source was reported {confirmed}, and the target has {found:?}"
    );
}

async fn confirmed(flow: &Flow) -> String {
    let sql = "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE NOT temporary";
    query_text(&flow.source, sql).await.join("")
}

/// Inserts a row, and returns where it ends in the source's WAL once readers of the target see it.
async fn visible(flow: &Flow, id: i32) -> String {
    flow.run(&format!("INSERT INTO item VALUES ({id})")).await;
    let end = query_text(&flow.source, "SELECT pg_current_wal_insert_lsn()").await;
    let sql = format!("SELECT id FROM item WHERE id = {id}");
    flow.shows(&sql, &[&id.to_string()]).await;
    end.join("")
}

/// Waits until the source was told of everything before `end`.
async fn reported(flow: &Flow, end: &str) {
    wait_until(&format!("{end} is confirmed"), async || {
        let confirmed = confirmed(flow).await;
        let sql = format!("SELECT '{confirmed}'::pg_lsn >= '{end}'");
        match query_text(&flow.source, &sql).await.join("").as_str() {
            "t" => Ok(()),
            _ => Err(confirmed),
        }
    })
    .await;
}

async fn streaming(call: &Call) -> Running {
    let running = call.spawn();
    running.logged("streaming started").await;
    running
}

#[tokio::test]
async fn what_an_idle_stream_confirmed_outlives_a_crash_of_the_target() {
    let mut flow = rows().await;
    let running = streaming(&chaos::run(&flow)).await;

    let end = visible(&flow, 1).await;
    reported(&flow, &end).await;
    running.kill().await;

    crash(&mut flow).await;
    flow.equal().await;
}

#[tokio::test]
async fn what_a_signal_confirmed_outlives_a_crash_of_the_target() {
    let mut flow = rows().await;
    for id in 1..=5 {
        let running = streaming(&chaos::run(&flow)).await;
        visible(&flow, id).await;
        assert_eq!(running.terminate().await.code, Some(0));

        crash(&mut flow).await;
        flow.equal().await;
    }
}

#[tokio::test]
async fn what_a_command_to_stop_confirmed_outlives_a_crash_of_the_target() {
    let mut flow = rows().await;
    for id in 1..=5 {
        let handle = flow.start();
        visible(&flow, id).await;
        stop(handle).await;

        crash(&mut flow).await;
        flow.equal().await;
    }
}

#[tokio::test]
async fn what_a_start_found_and_confirmed_outlives_a_crash_of_the_target() {
    let mut flow = rows().await;
    let running = streaming(&chaos::run(&flow)).await;
    let end = visible(&flow, 1).await;
    running.kill().await;

    let running = streaming(&chaos::run(&flow)).await;
    reported(&flow, &end).await;
    running.kill().await;

    crash(&mut flow).await;
    flow.equal().await;
}

#[tokio::test]
async fn tables_that_the_stream_took_over_outlive_a_crash_of_the_target() {
    let mut flow = Flow::between(forgetful()).await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.run(&format!(
        "{TABLE}; INSERT INTO item SELECT generate_series(1, 100)"
    ))
    .await;
    flow.init(Plugin::Pgoutput).await;
    let call = chaos::run(&flow).env(
        "PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED",
        "true",
    );

    let running = streaming(&call).await;
    running.logged("the stream has taken over").await;
    let end = visible(&flow, 101).await;
    reported(&flow, &end).await;
    running.kill().await;

    crash(&mut flow).await;
    flow.shows(
        "SELECT DISTINCT state FROM pgstream.snapshot_table",
        &["ready"],
    )
    .await;
    flow.equal().await;
}

#[tokio::test]
async fn what_snapshot_called_a_success_outlives_a_crash_of_the_target() {
    let mut flow = Flow::between(forgetful()).await;
    flow.run(&format!(
        "{TABLE}; INSERT INTO item SELECT generate_series(1, 100)"
    ))
    .await;
    let copied = Call::new(["snapshot"])
        .env(
            "PGSTREAM_POSTGRES_LISTENER_URL",
            &flow.source_cluster.url("postgres"),
        )
        .env(
            "PGSTREAM_POSTGRES_WRITER_TARGET_URL",
            &flow.target_cluster.url("postgres"),
        )
        .run()
        .await;
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);

    flow.target_cluster.stop_immediate().unwrap();
    flow.target_cluster.restart().unwrap();
    flow.reconnect().await;
    assert_equal(&flow.source, &flow.target).await;
}

#[tokio::test]
async fn an_acknowledged_schema_change_outlives_a_crash_of_the_target() {
    let mut flow = Flow::between(forgetful()).await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.init(Plugin::Pgoutput).await;
    let running = streaming(&chaos::run(&flow)).await;

    flow.run(TABLE).await;
    flow.shows("SELECT to_regclass('item')", &["item"]).await;
    flow.acknowledged().await;
    running.kill().await;

    crash(&mut flow).await;
    flow.equal().await;
}

#[tokio::test]
async fn standbys_that_a_reload_made_synchronous_are_waited_for() {
    const WAITS: &str = "SELECT count(*) FROM pg_stat_activity \
         WHERE application_name LIKE 'pgstream apply%' AND wait_event = 'SyncRep'";
    let flow = Flow::rows("pgoutput", TABLE).await;
    let handle = flow.start();
    let end = visible(&flow, 1).await;
    reported(&flow, &end).await;

    execute(
        &flow.target,
        "ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
    )
    .await;
    execute(&flow.target, "SELECT pg_reload_conf()").await;
    flow.shows("SHOW synchronous_standby_names", &["nobody"])
        .await;
    flow.run("INSERT INTO item VALUES (2)").await;
    let end = query_text(&flow.source, "SELECT pg_current_wal_insert_lsn()").await;
    flow.shows(WAITS, &["1"]).await;

    let early = format!("SELECT '{}'::pg_lsn < '{}'", confirmed(&flow).await, end[0]);
    assert_eq!(query_text(&flow.source, &early).await, ["t"]);

    execute(&flow.target, "ALTER SYSTEM RESET synchronous_standby_names").await;
    execute(&flow.target, "SELECT pg_reload_conf()").await;
    reported(&flow, &end[0]).await;
    wait_for(&handle, "a stream", |status| {
        matches!(status.phase, Phase::Streaming { .. })
    })
    .await;
    stop(handle).await;
}
