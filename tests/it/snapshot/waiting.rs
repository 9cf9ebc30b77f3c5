//! Transactions that somebody has left open: whoever waits for them says so, and leaves nothing that
//! waits when it ends.

use nix::sys::signal::Signal;
use pgstream::config::Plugin;
use tokio_postgres::Client;

use crate::support::flow::{Flow, SLOT};
use crate::support::{Call, connect, execute, query_text, wait_until};

use super::{call, enable, existing};

const OURS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^pgstream' \
                    AND pid <> pg_backend_pid()";

const SLOTS: &str = "SELECT slot_name FROM pg_replication_slots ORDER BY 1";

/// Opens a transaction that has written something, and returns it with its process.
async fn forgotten(flow: &Flow) -> (Client, String) {
    let client = connect(&flow.source_cluster.url("postgres")).await;
    let pid = query_text(&client, "SELECT pg_backend_pid()")
        .await
        .join("");
    execute(&client, "BEGIN").await;
    execute(&client, "INSERT INTO t VALUES (2, 'never to be shown')").await;
    (client, pid)
}

async fn nobody_of_us_is_left(flow: &Flow) {
    wait_until("none of our sessions is left on the source", || async {
        let found = query_text(&flow.source, OURS).await;
        match found == ["0"] {
            true => Ok(()),
            false => Err(format!("{found:?}")),
        }
    })
    .await;
}

async fn flow() -> Flow {
    let mut flow = existing(
        Plugin::Pgoutput,
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'one')",
    )
    .await;
    enable(&mut flow, 1);
    flow
}

#[tokio::test]
async fn a_copy_that_cannot_begin_says_for_whom_it_waits_and_leaves_nobody_waiting() {
    let flow = flow().await;
    let (client, pid) = forgotten(&flow).await;
    let running = call(&flow).spawn();
    running
        .logged(&format!("process {pid} of role postgres"))
        .await;
    running.logged("(idle in transaction, INSERT)").await;
    running
        .logged(&format!("pg_terminate_backend({pid})"))
        .await;
    assert!(!running.stderr().contains("never to be shown"));

    assert_eq!(running.kill().await.code, None);
    nobody_of_us_is_left(&flow).await;
    assert_eq!(query_text(&flow.source, SLOTS).await, [SLOT]);

    let running = call(&flow).spawn();
    execute(&client, "COMMIT").await;
    flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
}

fn init(flow: &Flow, slot: &str) -> Call {
    let url = flow.source_cluster.url("postgres");
    Call::line(&format!("init --pgurl \"{url}\" --replication-slot {slot}"))
}

#[tokio::test]
async fn an_interrupted_init_takes_back_what_it_did() {
    let flow = Flow::bare().await;
    flow.run("CREATE TABLE t (id int PRIMARY KEY, v text)")
        .await;
    let (client, pid) = forgotten(&flow).await;
    let running = init(&flow, SLOT).spawn();
    running.logged(&format!("process {pid}")).await;

    let outcome = running.terminate().await;
    assert_eq!(outcome.code, Some(75), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("everything was taken back"));
    let schema = "SELECT count(*) FROM pg_namespace WHERE nspname = 'pgstream'";
    assert_eq!(query_text(&flow.source, schema).await, ["0"]);
    nobody_of_us_is_left(&flow).await;
    execute(&client, "ROLLBACK").await;
    assert_eq!(init(&flow, SLOT).run().await.code, Some(0));
}

#[tokio::test]
async fn a_slot_that_cannot_begin_is_cancelled_with_its_init() {
    let flow = flow().await;
    let (_client, pid) = forgotten(&flow).await;
    let running = init(&flow, "second").spawn();
    running.logged("create replication slot second").await;
    running.logged(&format!("process {pid}")).await;

    running.signal(Signal::SIGINT);
    let outcome = running.outcome().await;
    assert_eq!(outcome.code, Some(75), "{}", outcome.stderr);
    nobody_of_us_is_left(&flow).await;
    assert_eq!(query_text(&flow.source, SLOTS).await, [SLOT]);
    let publications = query_text(&flow.source, "SELECT count(*) FROM pg_publication").await;
    assert_eq!(publications, ["1"]);
}
