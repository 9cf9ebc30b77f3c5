//! Signals to the real process, and how it ends.

use std::fs;

use nix::sys::signal::Signal;
use pgstream::config::Plugin;

use crate::chaos::load::SCHEMA;
use crate::chaos::{flow, run};
use crate::support::flow::{Flow, SLOT};
use crate::support::{connect, execute, query_text, wait_until};

/// How many sessions of ours wait for a lock on the target.
const WAITS: &str = "SELECT count(*) FROM pg_stat_activity \
     WHERE application_name LIKE 'pgstream apply%' AND wait_event_type = 'Lock'";

#[tokio::test]
async fn a_signal_finishes_the_transaction_in_hand_and_ends_with_0() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let flow = Flow::rows("pgoutput", SCHEMA).await;
        let running = run(&flow).spawn();
        let holder = connect(&flow.target_cluster.url("postgres")).await;
        execute(&holder, "BEGIN; LOCK TABLE item").await;
        flow.run("INSERT INTO item VALUES (1, 1, 'in hand')").await;
        flow.shows(WAITS, &["1"]).await;

        running.signal(signal);
        running.logged("finishing the transaction in hand").await;
        execute(&holder, "COMMIT").await;

        let outcome = running.outcome().await;
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        flow.equal().await;
    }
}

#[tokio::test]
async fn what_was_stopped_in_order_is_confirmed_to_the_source() {
    let flow = Flow::rows("pgoutput", SCHEMA).await;
    let running = run(&flow).spawn();
    flow.run("INSERT INTO item VALUES (1, 1, 'last')").await;
    let end = query_text(&flow.source, "SELECT pg_current_wal_insert_lsn()")
        .await
        .join("");
    flow.equal().await;

    assert_eq!(running.terminate().await.code, Some(0));

    let sql = format!("SELECT confirmed_flush_lsn >= '{end}', active FROM pg_replication_slots");
    assert_eq!(query_text(&flow.source, &sql).await, ["t|f"]);
}

#[tokio::test]
async fn a_signal_ends_it_even_if_the_source_goes_away_meanwhile() {
    let mut flow = Flow::rows("pgoutput", SCHEMA).await;
    let running = run(&flow).spawn();
    let holder = connect(&flow.target_cluster.url("postgres")).await;
    execute(&holder, "BEGIN; LOCK TABLE item").await;
    flow.run("INSERT INTO item VALUES (1, 1, 'in hand')").await;
    flow.shows(WAITS, &["1"]).await;

    running.signal(Signal::SIGTERM);
    running.logged("finishing the transaction in hand").await;
    flow.source_cluster.stop_immediate().unwrap();
    execute(&holder, "COMMIT").await;

    let outcome = running.outcome().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    flow.shows("SELECT body FROM item", &["in hand"]).await;
}

#[tokio::test]
async fn a_second_signal_ends_at_once_and_harms_nothing() {
    let flow = Flow::rows("pgoutput", SCHEMA).await;
    let running = run(&flow).spawn();
    let holder = connect(&flow.target_cluster.url("postgres")).await;
    execute(&holder, "BEGIN; LOCK TABLE item").await;
    flow.run("INSERT INTO item VALUES (1, 1, 'in hand')").await;
    flow.shows(WAITS, &["1"]).await;

    running.signal(Signal::SIGTERM);
    running.logged("finishing the transaction in hand").await;
    let outcome = running.terminate().await;
    execute(&holder, "COMMIT").await;

    assert_eq!(outcome.code, Some(75), "{}", outcome.stderr);
    let again = run(&flow).spawn();
    flow.equal().await;
    assert_eq!(again.terminate().await.code, Some(0));
}

#[tokio::test]
async fn a_process_that_was_stopped_longer_than_wal_sender_timeout_goes_on() {
    let flow = Flow::rows("pgoutput", SCHEMA).await;
    execute(
        &flow.source,
        "ALTER SYSTEM SET wal_sender_timeout = '500ms'",
    )
    .await;
    execute(&flow.source, "SELECT pg_reload_conf()").await;
    let running = run(&flow).spawn();
    flow.run("INSERT INTO item VALUES (1, 1, 'before')").await;
    flow.equal().await;

    running.freeze().await;
    flow.run("INSERT INTO item SELECT i, 1, md5(i::text) FROM generate_series(2, 9000) AS i")
        .await;
    wait_until("the source gives the walsender up", async || {
        let sql = "SELECT active FROM pg_replication_slots";
        match query_text(&flow.source, sql).await.join("").as_str() {
            "f" => Ok(()),
            active => Err(active.to_owned()),
        }
    })
    .await;
    running.signal(Signal::SIGCONT);

    flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
}

#[tokio::test]
async fn an_idle_process_takes_almost_no_time_of_the_processor() {
    let flow = Flow::rows("pgoutput", SCHEMA).await;
    let running = run(&flow).spawn();
    flow.run("INSERT INTO item VALUES (1, 1, 'once')").await;
    flow.equal().await;

    let before = processor_ticks(running.pid());
    execute(&flow.source, "SELECT pg_sleep(3)").await;
    let used = processor_ticks(running.pid()) - before;

    // A tick is 10 ms: a loop that never waits would use 300.
    assert!(used < 60, "{used} ticks within 3 seconds");
    assert_eq!(running.terminate().await.code, Some(0));
}

/// User and system time of a process (proc(5), `stat`, fields 14 and 15).
fn processor_ticks(pid: nix::unistd::Pid) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, fields) = stat.rsplit_once(") ").expect("the name in brackets");
    let fields: Vec<&str> = fields.split(' ').collect();
    [11, 12]
        .iter()
        .map(|at| fields[*at].parse::<u64>().expect("ticks"))
        .sum()
}

#[tokio::test]
async fn a_second_process_on_the_slot_ends_with_a_clear_message() {
    let flow = flow(Plugin::Pgoutput).await;
    execute(&flow.source, "ALTER SYSTEM SET wal_sender_timeout = '1s'").await;
    execute(&flow.source, "SELECT pg_reload_conf()").await;
    let first = run(&flow).spawn();
    first.logged("streaming started").await;

    let second = run(&flow).run().await;

    assert_eq!(second.code, Some(78), "{}", second.stderr);
    let pid = query_text(&flow.source, "SELECT active_pid FROM pg_replication_slots")
        .await
        .join("");
    for part in [SLOT, &pid, "hint: stop the other pgstream"] {
        assert!(second.stderr.contains(part), "{part}: {}", second.stderr);
    }
    flow.run("INSERT INTO item VALUES (1, 1, 'the first goes on')")
        .await;
    flow.equal().await;
    assert_eq!(first.terminate().await.code, Some(0));
}
