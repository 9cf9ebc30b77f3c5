//! Servers that go away, connections that break or say nothing more: the engine comes back by
//! itself, and both sides end equal.

use pgstream::config::{ConnectionSettings, Plugin, TableFilter};
use pgstream::engine::Handle;
use pgstream::status::Phase;

use crate::chaos::dice::seed;
use crate::chaos::load::{Load, SCHEMA};
use crate::chaos::{self, assert_settled};
use crate::support::clusters::TestCluster;
use crate::support::flow::{Flow, stop, wait_for};
use crate::support::{Proxy, connect, execute, query_text, wait_until};

/// Runs the engine under load, lets `trouble` happen to it, and compares both sides.
async fn check(mut flow: Flow, trouble: impl AsyncFnOnce(&mut Flow, &Handle)) {
    let handle = flow.start();
    let url = flow.source_cluster.url("postgres");
    let load = match flow.pipeline.schema_log {
        Some(_) => Load::rows_and_schema(&url, seed()),
        None => Load::rows(&url, seed()),
    };
    streams(&handle, 20).await;

    trouble(&mut flow, &handle).await;

    let before = handle.status().borrow().totals.transactions;
    streams(&handle, before + 20).await;
    assert!(load.stop().await > 0);
    flow.reconnect().await;
    assert_settled(&flow).await;
    stop(handle).await;
}

/// Waits until this many transactions have reached the target.
async fn streams(handle: &Handle, transactions: u64) {
    wait_for(handle, "transactions arrive", |status| {
        matches!(status.phase, Phase::Streaming { .. })
            && status.totals.transactions >= transactions
    })
    .await;
}

async fn retries(handle: &Handle) {
    wait_for(handle, "the engine says that it tries again", |status| {
        matches!(status.phase, Phase::Retrying { .. }) && status.last_error.is_some()
    })
    .await;
}

async fn flow() -> Flow {
    chaos::flow(Plugin::Pgoutput).await
}

#[tokio::test]
async fn comes_back_to_a_source_that_was_stopped_at_once() {
    check(flow().await, async |flow, handle| {
        flow.source_cluster.stop_immediate().unwrap();
        retries(handle).await;
        flow.source_cluster.restart().unwrap();
    })
    .await;
}

#[tokio::test]
async fn comes_back_to_a_target_that_was_stopped_at_once() {
    check(flow().await, async |flow, handle| {
        flow.target_cluster.stop_immediate().unwrap();
        retries(handle).await;
        flow.target_cluster.restart().unwrap();
    })
    .await;
}

#[tokio::test]
async fn comes_back_to_both_after_a_killed_and_an_orderly_stopped_server() {
    check(flow().await, async |flow, handle| {
        flow.source_cluster.stop_fast().unwrap();
        flow.target_cluster.kill().unwrap();
        retries(handle).await;
        flow.source_cluster.restart().unwrap();
        flow.target_cluster.restart().unwrap();
    })
    .await;
}

/// Puts a proxy in front of each side; `parameters` go to the addresses.
async fn behind_proxies(parameters: &str) -> (Flow, Proxy, Proxy) {
    let mut flow = Flow::rows("pgoutput", SCHEMA).await;
    let through = |cluster: &TestCluster| {
        let proxy = Proxy::start(cluster.port());
        let url = proxy.through(&cluster.url("postgres"), cluster.port());
        let settings = ConnectionSettings::parse(&format!("{url}{parameters}"));
        (settings.expect("an address"), proxy)
    };
    let (source, source_proxy) = through(&flow.source_cluster);
    let (target, target_proxy) = through(&flow.target_cluster);
    (flow.pipeline.source, flow.pipeline.target) = (source, target);
    (flow, source_proxy, target_proxy)
}

#[tokio::test]
async fn comes_back_after_cut_connections_on_either_side_and_on_both() {
    let (flow, source, target) = behind_proxies("").await;
    check(flow, async |_, handle| {
        for cut in [vec![&source], vec![&target], vec![&source, &target]] {
            let before = handle.status().borrow().totals.transactions;
            streams(handle, before + 10).await;
            cut.iter().for_each(|proxy| proxy.cut());
            retries(handle).await;
            cut.iter().for_each(|proxy| proxy.resume());
        }
        let before = handle.status().borrow().totals.transactions;
        streams(handle, before + 1).await;
    })
    .await;
}

/// A proxy that keeps connections open and passes nothing on is noticed within the deadline.
#[tokio::test]
async fn comes_back_after_connections_that_stand_and_say_nothing() {
    let (flow, source, target) = behind_proxies("&tcp_user_timeout=2000&connect_timeout=2").await;
    check(flow, async |_, handle| {
        for stalled in [&source, &target] {
            let before = handle.status().borrow().totals.transactions;
            streams(handle, before + 10).await;
            stalled.stall();
            // What waits in the proxy shall not come through after all: those connections are dead.
            retries(handle).await;
            stalled.resume();
        }
    })
    .await;
}

/// The walsender that holds the slot.
const WALSENDER: &str = "SELECT active_pid FROM pg_replication_slots WHERE active";

/// Starts an engine whose source gives up on it after this time. Returns its walsender, too.
async fn streaming(flow: &Flow, wal_sender_timeout: &str) -> (Handle, Vec<String>) {
    let set = format!("ALTER SYSTEM SET wal_sender_timeout = '{wal_sender_timeout}'");
    execute(&flow.source, &set).await;
    execute(&flow.source, "SELECT pg_reload_conf()").await;
    let handle = flow.start();
    flow.run("INSERT INTO t VALUES (1)").await;
    flow.equal().await;
    (handle, query_text(&flow.source, WALSENDER).await)
}

#[tokio::test]
async fn a_statement_that_waits_longer_than_wal_sender_timeout_loses_no_walsender() {
    let flow = Flow::rows("pgoutput", "CREATE TABLE t (id int PRIMARY KEY)").await;
    let (handle, walsender) = streaming(&flow, "1s").await;

    let held = "BEGIN; LOCK TABLE t; SELECT pg_sleep(4); COMMIT";
    let (_, ()) = tokio::join!(
        execute(&flow.target, held),
        flow.run("INSERT INTO t VALUES (2)")
    );

    flow.equal().await;
    assert_eq!(query_text(&flow.source, WALSENDER).await, walsender);
    stop(handle).await;
}

/// Feedback is sent while a transaction is read of which nothing is applied.
#[tokio::test]
async fn rows_that_are_left_out_for_longer_than_wal_sender_timeout_lose_no_walsender() {
    let schema = "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE left_out (id int)";
    let mut flow = Flow::rows("pgoutput", schema).await;
    flow.pipeline.filter = TableFilter::parse("", "left_out").expect("a filter");
    let (handle, walsender) = streaming(&flow, "2s").await;

    flow.run("INSERT INTO left_out SELECT i FROM generate_series(1, 500000) AS i")
        .await;
    flow.run("INSERT INTO t VALUES (2)").await;

    flow.shows("SELECT count(*) FROM t", &["2"]).await;
    assert_eq!(query_text(&flow.source, WALSENDER).await, walsender);
    stop(handle).await;
}

#[tokio::test]
async fn wal_of_other_databases_is_confirmed_while_nothing_is_ours() {
    let flow = Flow::rows("pgoutput", "CREATE TABLE t (id int PRIMARY KEY)").await;
    flow.run("CREATE DATABASE other").await;
    let other = connect(&flow.source_cluster.url("other")).await;
    execute(&other, "CREATE TABLE busy (id int)").await;
    let handle = flow.start();
    wait_for(&handle, "streaming", |status| {
        matches!(status.phase, Phase::Streaming { .. })
    })
    .await;

    execute(
        &other,
        "INSERT INTO busy SELECT i FROM generate_series(1, 20000) AS i",
    )
    .await;
    let end = query_text(&flow.source, "SELECT pg_current_wal_lsn()")
        .await
        .join("");

    let passed = format!("SELECT confirmed_flush_lsn >= '{end}' FROM pg_replication_slots");
    wait_until(
        "the slot moves over WAL of another database",
        async || match query_text(&flow.source, &passed).await.join("").as_str() {
            "t" => Ok(()),
            other => Err(other.to_owned()),
        },
    )
    .await;
    stop(handle).await;
}

/// Nobody is told to leave out a transaction that the target has not refused.
#[tokio::test]
async fn a_connection_lost_during_a_schema_change_is_no_refusal() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let handle = flow.start();
    flow.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    flow.equal().await;
    let holder = connect(&flow.target_cluster.url("postgres")).await;
    execute(&holder, "BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE").await;
    flow.run("ALTER TABLE t ADD v int").await;
    wait_until("the change waits for the lock, and is cut off", || async {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE%'";
        match query_text(&flow.target, end).await.as_slice() {
            [] => Err("nobody waits".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    retries(&handle).await;
    let message = handle.status().borrow().last_error.clone().expect("why");
    assert!(message.message.starts_with("cannot write"), "{message:?}");
    let hint = message.hint.unwrap_or_default();
    assert!(!hint.contains("--skip-transaction"), "{hint}");
    execute(&holder, "COMMIT").await;
    flow.equal().await;
    stop(handle).await;
}
