//! What `run` says, and how it ends, where it cannot start or cannot go on: which object, why, and
//! what fixes it; 75 for what may pass by itself, 78 for what somebody must change.

use nix::sys::signal::Signal;
use pgstream::cluster::ClusterOptions;
use pgstream::config::{Plugin, publication_name};

use crate::chaos::run;
use crate::cli_check::between;
use crate::support::clusters::target_dir;
use crate::support::flow::{Flow, SLOT};
use crate::support::process::Outcome;
use crate::support::{Call, cluster_with, connect, execute, query_text, wait_until};

const SCHEMA: &str = "CREATE TABLE t (id int PRIMARY KEY)";
const SOURCE: &str = "PGSTREAM_POSTGRES_LISTENER_URL";
const TARGET: &str = "PGSTREAM_POSTGRES_WRITER_TARGET_URL";
const SLOT_NAME: &str = "PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME";
const COPY: &str = "PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED";
const RETRY: &str = "PGSTREAM_RETRY_TIMEOUT";

/// The process ended with this code, and said all of this.
fn check(outcome: &Outcome, code: i32, message: &[&str]) {
    assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
    for part in message {
        assert!(
            outcome.stderr.contains(part),
            "not reported: {part}\n{}",
            outcome.stderr
        );
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again_and_given_up_in_time() {
    let mut flow = Flow::rows("pgoutput", SCHEMA).await;

    flow.target_cluster.stop_immediate().unwrap();
    let target = format!(
        "cannot connect to localhost:{}/postgres",
        flow.target_cluster.port()
    );
    let outcome = run(&flow).env(RETRY, "1s").run().await;
    check(
        &outcome,
        75,
        &[
            "trying again",
            "on the target",
            &target,
            "hint: is PostgreSQL running",
        ],
    );

    flow.source_cluster.stop_immediate().unwrap();
    let source = format!(
        "cannot connect to localhost:{}/postgres",
        flow.source_cluster.port()
    );
    let outcome = run(&flow).env(RETRY, "1s").run().await;
    check(
        &outcome,
        75,
        &[
            "trying again",
            "on the source",
            &source,
            "hint: is PostgreSQL running",
        ],
    );
}

#[tokio::test]
async fn servers_that_come_up_later_are_waited_for() {
    let mut flow = Flow::rows("pgoutput", SCHEMA).await;
    flow.run("INSERT INTO t VALUES (1)").await;
    flow.target_cluster.stop_fast().unwrap();
    flow.source_cluster.stop_fast().unwrap();
    let running = run(&flow).spawn();
    running.logged("trying again").await;

    flow.source_cluster.restart().unwrap();
    running.logged("on the target").await;
    flow.target_cluster.restart().unwrap();

    flow.reconnect().await;
    flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
}

#[tokio::test]
async fn a_slot_that_cannot_be_used_is_named_with_its_hint() {
    let flow = initialised().await;
    let start = async |slot: &str| run(&flow).env(SLOT_NAME, slot).run().await;

    let hint = "--replication-slot nowhere";
    check(
        &start("nowhere").await,
        78,
        &["replication slot not found", "nowhere", hint],
    );

    flow.run("SELECT pg_create_physical_replication_slot('bytes')")
        .await;
    check(
        &start("bytes").await,
        78,
        &["bytes", "it is a physical slot"],
    );

    flow.run("CREATE DATABASE other").await;
    let other = connect(&flow.source_cluster.url("other")).await;
    execute(
        &other,
        "SELECT pg_create_logical_replication_slot('elsewhere', 'pgoutput')",
    )
    .await;
    check(
        &start("elsewhere").await,
        78,
        &["it decodes database other", "the source is postgres"],
    );

    flow.run("SELECT pg_create_logical_replication_slot('alone', 'pgoutput')")
        .await;
    let publication = publication_name("alone");
    check(
        &start("alone").await,
        78,
        &[&publication, "does not exist", "--replication-slot alone"],
    );
}

#[tokio::test]
async fn a_server_that_refuses_us_is_no_reason_to_try_again() {
    let flow = Flow::rows("pgoutput", SCHEMA).await;
    let nowhere = flow.source_cluster.url("nowhere");
    let outcome = run(&flow).env(SOURCE, &nowhere).run().await;
    check(
        &outcome,
        78,
        &[
            "database \"nowhere\" does not exist",
            "hint: create the database",
        ],
    );

    let wrong = flow
        .target_cluster
        .url("postgres")
        .replace(":postgres@", ":sesame@");
    let outcome = run(&flow).env(TARGET, &wrong).run().await;
    check(
        &outcome,
        78,
        &["password authentication failed", "hint: check the password"],
    );
    assert!(!outcome.stderr.contains("sesame"), "{}", outcome.stderr);
}

async fn initialised() -> Flow {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run(SCHEMA).await;
    flow
}

/// Brings one row over, so that the target has a checkpoint.
async fn with_checkpoint() -> Flow {
    let flow = initialised().await;
    let running = run(&flow).spawn();
    flow.run("INSERT INTO t VALUES (1)").await;
    flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
    flow
}

fn create_slot() -> String {
    format!("SELECT pg_create_logical_replication_slot('{SLOT}', 'pgoutput')")
}

#[tokio::test]
async fn a_slot_that_was_made_anew_has_lost_changes() {
    let flow = with_checkpoint().await;
    flow.run(&format!("SELECT pg_drop_replication_slot('{SLOT}')"))
        .await;
    flow.run("INSERT INTO t VALUES (2)").await;
    flow.run(&create_slot()).await;

    let outcome = run(&flow).run().await;

    check(
        &outcome,
        78,
        &[
            "it was created anew",
            "hint: pgstream verify --repair brings what differs",
        ],
    );
    assert_eq!(query_text(&flow.target, "SELECT id FROM t").await, ["1"]);
}

fn command(flow: &Flow, command: &str) -> Call {
    between(command, &flow.source_cluster, &flow.target_cluster).env(SLOT_NAME, SLOT)
}

/// `init` makes it again, for what comes: the slot never gets past what was changed before, of which the
/// record of the drop itself is one.
#[tokio::test]
async fn a_publication_that_was_dropped_while_its_slot_lived_is_reported_with_the_way_out() {
    let flow = with_checkpoint().await;
    let publication = publication_name(SLOT);
    flow.run(&format!("DROP PUBLICATION {publication}")).await;
    let anew = "pgstream tear-down --pgurl";

    let checked = command(&flow, "check").run().await;
    let reported = format!("✗ source  publication {publication}: not found, and its slot lives");
    assert!(checked.stdout.contains(&reported), "{}", checked.stdout);
    let renewed = "pgstream verify --repair";
    assert!(checked.stdout.contains(renewed), "{}", checked.stdout);
    check(
        &command(&flow, "init").run().await,
        0,
        &["WARN", "has lived without its publication", anew],
    );
    let checked = command(&flow, "check").run().await;
    let reported = format!("! source  publication {publication}: was made or altered after");
    assert!(checked.stdout.contains(&reported), "{}", checked.stdout);
    assert!(checked.stdout.contains(anew), "{}", checked.stdout);
    check(
        &run(&flow).run().await,
        78,
        &["it was dropped while its slot lived", anew],
    );

    for words in ["tear-down", "init"] {
        check(&command(&flow, words).run().await, 0, &[]);
    }
    execute(&flow.target, "TRUNCATE t").await;
    let running = run(&flow).env(COPY, "true").spawn();
    flow.run("INSERT INTO t VALUES (3)").await;
    flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
}

#[tokio::test]
async fn another_server_in_the_place_of_the_source_is_noticed() {
    let flow = with_checkpoint().await;
    let mut options = ClusterOptions::new("impostor");
    let templates = tempfile::TempDir::new_in(target_dir()).unwrap();
    options.template_store = Some(templates.path().to_path_buf());
    let impostor = cluster_with(options);
    let source = connect(&impostor.url("postgres")).await;
    execute(&source, SCHEMA).await;
    let url = impostor.url("postgres");
    let line = format!("init --pgurl \"{url}\" --replication-slot {SLOT}");
    assert_eq!(Call::line(&line).run().await.code, Some(0));

    let outcome = run(&flow)
        .env(SOURCE, &impostor.url("postgres"))
        .run()
        .await;

    check(
        &outcome,
        78,
        &["does not fit to it", "it was written for database postgres"],
    );
}

#[tokio::test]
async fn a_slot_that_the_source_has_given_up_is_no_reason_to_try_again() {
    let flow = with_checkpoint().await;
    execute(
        &flow.source,
        "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'",
    )
    .await;
    execute(&flow.source, "SELECT pg_reload_conf()").await;
    wait_until("the slot is lost", async || {
        let write = "CREATE TABLE IF NOT EXISTS junk (a int); DROP TABLE junk";
        for statement in [write, "SELECT pg_switch_wal()", "CHECKPOINT"] {
            execute(&flow.source, statement).await;
        }
        let sql = "SELECT wal_status FROM pg_replication_slots";
        match query_text(&flow.source, sql).await.join("").as_str() {
            "lost" => Ok(()),
            status => Err(status.to_owned()),
        }
    })
    .await;

    let outcome = run(&flow).run().await;

    check(
        &outcome,
        78,
        &[
            SLOT,
            "has removed WAL",
            "pgstream verify --repair # makes another slot",
        ],
    );
}

/// The process is frozen while another one takes its place; then it goes on where it stood.
#[tokio::test]
async fn a_writer_whose_checkpoint_was_moved_by_another_doubles_nothing() {
    const KEYLESS: &str = "CREATE TABLE t (id int); ALTER TABLE t REPLICA IDENTITY FULL";
    let flow = Flow::rows("pgoutput", KEYLESS).await;
    let running = run(&flow).spawn();
    flow.run("INSERT INTO t VALUES (1)").await;
    flow.equal().await;

    running.freeze().await;
    flow.run("INSERT INTO t VALUES (2)").await;
    let end = query_text(&flow.source, "SELECT pg_current_wal_insert_lsn()")
        .await
        .join("");
    let others = format!(
        "BEGIN; INSERT INTO t VALUES (2); UPDATE pgstream.checkpoint SET end_lsn = '{end}'; COMMIT"
    );
    execute(&flow.target, &others).await;
    running.signal(Signal::SIGCONT);

    running.logged("is no longer").await;
    flow.run("INSERT INTO t VALUES (3)").await;
    flow.shows("SELECT id FROM t ORDER BY id", &["1", "2", "3"])
        .await;
    assert_eq!(running.terminate().await.code, Some(0));
}
