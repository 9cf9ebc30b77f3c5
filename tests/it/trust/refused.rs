//! What cannot be carried out stops at its transaction, by name, and can be left out on record.

use pgstream::config::{Plugin, TableFilter};
use pgstream::engine::{Engine, EngineOptions};
use pgstream::model::{ErrorClass, Lsn};
use pgstream::status::{Command, Failure};

use crate::support::flow::{Flow, failure, stop};
use crate::support::{connect, execute, query_text, wait_until};

const PLUGINS: [Plugin; 2] = [Plugin::Pgoutput, Plugin::Wal2json];

/// A table whose rows are rewritten with values that only the source knows.
const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, i FROM generate_series(1, 3) AS i";
const REWRITE: &str = "ALTER TABLE t ALTER v TYPE varchar(60) USING v || gen_random_uuid()::text";

/// Starts again without the transaction that the failure names.
async fn skip(flow: &Flow, failure: &Failure) {
    let lsn = failure.transaction.expect("a transaction").commit_lsn;
    let options = EngineOptions {
        skip: Some(lsn),
        ..EngineOptions::default()
    };
    let handle = Engine::start(flow.pipeline.clone(), options);
    flow.run("CREATE TABLE behind (id int PRIMARY KEY); INSERT INTO behind VALUES (1)")
        .await;
    flow.shows("SELECT count(*) FROM behind", &["1"]).await;
    let skipped = "SELECT commit_lsn FROM pgstream.skipped_transaction";
    assert_eq!(query_text(&flow.target, skipped).await, [lsn.to_string()]);
    stop(handle).await;
}

fn names_its_transaction(failure: &Failure, class: ErrorClass, hint: &str) {
    let shown = format!("{failure:#?}");
    assert_eq!(failure.class, class, "{shown}");
    let lsn = failure
        .transaction
        .map_or(Lsn::ZERO, |found| found.commit_lsn);
    let skip = format!("--skip-transaction {lsn}");
    let message = failure.hint.clone().unwrap_or_default();
    assert!(message.contains(hint) && message.contains(&skip), "{shown}");
}

/// Earlier installations sent rows as logical messages, which anybody can write: they are not believed, and
/// the table is not left without rows.
#[tokio::test]
async fn rows_that_an_older_installation_sent_are_missed_and_not_believed() {
    for plugin in PLUGINS {
        let flow = Flow::schema(plugin).await;
        flow.run(TABLE).await;
        let mut handle = flow.start();
        flow.equal().await;
        flow.run("SET pgstream.busy = on; CREATE OR REPLACE FUNCTION pgstream.send(kind text, content text) \
                  RETURNS void LANGUAGE sql AS $$ SELECT pg_logical_emit_message(true, 'pgstream.rows', content) $$; \
                  RESET pgstream.busy").await;

        flow.run(REWRITE).await;

        let failure = failure(&mut handle).await;
        names_its_transaction(&failure, ErrorClass::Operator, "pgstream init");
        flow.shows("SELECT count(*) FROM t", &["3"]).await;
        flow.init(plugin).await;
        skip(&flow, &failure).await;
    }
}

#[tokio::test]
async fn a_table_too_large_to_send_is_copied_as_the_hint_says() {
    for plugin in PLUGINS {
        let mut flow = Flow::schema(plugin).await;
        flow.run(TABLE).await;
        let mut handle = flow.start();
        flow.equal().await;

        flow.run("SET pgstream.rewrite_bytes_max = '1kB'").await;
        flow.run(REWRITE).await;
        flow.run("INSERT INTO t VALUES (4, 'four')").await;
        let failure = failure(&mut handle).await;

        names_its_transaction(
            &failure,
            ErrorClass::Operator,
            "drop public.t on the target",
        );
        execute(&flow.target, "DROP TABLE public.t").await;
        flow.pipeline.snapshot.enabled = true;
        flow.pipeline.snapshot.tables = TableFilter::parse("public.t", "").unwrap();
        let handle = flow.start();
        flow.equal().await;
        flow.run("INSERT INTO t VALUES (5, 'five')").await;
        flow.equal().await;
        stop(handle).await;
    }
}

#[tokio::test]
async fn rows_of_a_rewrite_are_those_of_the_source_in_whatever_encoding_and_parts() {
    for plugin in PLUGINS {
        let flow = Flow::schema(plugin).await;
        let handle = flow.start();
        flow.run("CREATE TABLE t (id int PRIMARY KEY, v text, n text); \
                  INSERT INTO t SELECT i, repeat('ä\\\"''', 150) || i, NULL FROM generate_series(1, 1500) AS i").await;
        flow.equal().await;

        // Nothing of what is given up is sent; what is set wrongly does not count.
        flow.run(
            "SET pgstream.rewrite_bytes_max = 'junk'; BEGIN; SAVEPOINT a; \
                  ALTER TABLE t ADD r float8 DEFAULT random(); ROLLBACK TO a; \
                  ALTER TABLE t ADD r float8 DEFAULT random(); \
                  ALTER TABLE t ALTER v TYPE varchar USING v || r; COMMIT",
        )
        .await;

        flow.equal().await;
        let left = "SELECT count(*) FROM pgstream.outbox";
        assert_eq!(query_text(&flow.source, left).await, ["0"]);
        stop(handle).await;
    }
}

/// The server converts rows of tables to the encoding of the session, and messages never.
#[tokio::test]
async fn rewritten_rows_of_another_encoding_arrive_as_all_others() {
    let mut flow = Flow::bare().await;
    flow.run(
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    .await;
    let url = flow.source_cluster.url("latin");
    flow.source = connect(&url).await;
    flow.pipeline.source = pgstream::config::ConnectionSettings::parse(&url).unwrap();
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.init(Plugin::Pgoutput).await;
    let handle = flow.start();
    flow.run("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, chr(195) || chr(169)), (2, chr(228))").await;
    flow.shows("SELECT v FROM t ORDER BY id", &["Ã©", "ä"])
        .await;

    flow.run("ALTER TABLE t ALTER v TYPE varchar(50) USING v || ''")
        .await;

    flow.acknowledged().await;
    flow.shows("SELECT v FROM t ORDER BY id", &["Ã©", "ä"])
        .await;
    stop(handle).await;
}

/// What is written and taken out again does not fill the source's disk.
#[tokio::test]
async fn the_outbox_does_not_grow_with_what_went_through_it() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run("ALTER SYSTEM SET autovacuum_naptime = '1s'").await;
    flow.run("SELECT pg_reload_conf()").await;
    flow.run(
        "CREATE TABLE t (id int PRIMARY KEY, v text); \
              INSERT INTO t SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 10000) AS i",
    )
    .await;
    let size = "SELECT pg_total_relation_size('pgstream.outbox')";
    for _ in 0..3 {
        flow.run("ALTER TABLE t ALTER v TYPE varchar USING v || '!'")
            .await;
    }
    wait_until("vacuum takes away what went through", async || {
        let bytes: i64 = query_text(&flow.source, size)
            .await
            .concat()
            .parse()
            .unwrap();
        if bytes < 1 << 20 {
            Ok(())
        } else {
            Err(bytes.to_string())
        }
    })
    .await;
}

/// A value that an old plugin cannot tell apart is anybody's to write: the transaction can be left out.
#[tokio::test]
async fn what_cannot_be_decoded_names_its_transaction_and_can_be_left_out() {
    let flow = Flow::schema(Plugin::Wal2json).await;
    flow.run(
        "CREATE TABLE n (id int PRIMARY KEY, v float8); CREATE TABLE before (id int PRIMARY KEY)",
    )
    .await;
    let mut handle = flow.start();
    flow.acknowledged().await;

    flow.run("INSERT INTO before VALUES (1)").await;
    flow.run("BEGIN; INSERT INTO n VALUES (1, 'NaN'); INSERT INTO before VALUES (2); COMMIT")
        .await;
    if tells_nan_from_null(&flow).await {
        flow.equal().await;
        stop(handle).await;
        return;
    }
    let failure = failure(&mut handle).await;

    names_its_transaction(&failure, ErrorClass::Operator, "wal2json");
    flow.shows("SELECT id FROM before", &["1"]).await;
    skip(&flow, &failure).await;
}

/// wal2json does from version 2.6 on, by an option that older ones refuse; the temporary slot goes with
/// that refusal.
async fn tells_nan_from_null(flow: &Flow) -> bool {
    flow.run("SELECT pg_create_logical_replication_slot('probe', 'wal2json', true)")
        .await;
    let look = "SELECT pg_logical_slot_peek_changes('probe', NULL, NULL, \
                'numeric-data-types-as-string', 'true')";
    let knows = flow.source.batch_execute(look).await.is_ok();
    if knows {
        flow.run("SELECT pg_drop_replication_slot('probe')").await;
    }
    knows
}

/// What wal2json has no key for it leaves out with a warning; so it does with what a materialized view had,
/// which anybody may make, refresh and drop before we know of it.
#[tokio::test]
async fn what_the_plugin_leaves_out_names_its_transaction_and_can_be_left_out() {
    let flow = Flow::schema(Plugin::Wal2json).await;
    flow.run("CREATE TABLE before (id int PRIMARY KEY)").await;
    flow.run("CREATE MATERIALIZED VIEW v AS SELECT 1 AS id; DROP MATERIALIZED VIEW v")
        .await;
    flow.run("INSERT INTO before VALUES (1)").await;
    flow.run("CREATE TABLE n (id int); INSERT INTO n VALUES (1)")
        .await;
    flow.run("SET pgstream.busy = on; ALTER TABLE n REPLICA IDENTITY DEFAULT; RESET pgstream.busy")
        .await;
    flow.run("BEGIN; DELETE FROM n; INSERT INTO before VALUES (2); COMMIT")
        .await;

    let failure = failure(&mut flow.start()).await;

    names_its_transaction(&failure, ErrorClass::Operator, "primary key");
    flow.shows("SELECT id FROM before", &["1"]).await;
    skip(&flow, &failure).await;
}

/// The failure stays on the board of an engine that stands there, and the command leaves it out.
#[tokio::test]
async fn the_console_can_leave_out_what_an_operator_must_decide() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run(TABLE).await;
    let options = EngineOptions {
        hold_on_failure: true,
        ..EngineOptions::default()
    };
    let handle = Engine::start(flow.pipeline.clone(), options);
    flow.equal().await;
    flow.run("SET pgstream.rewrite_bytes_max = '1kB'").await;
    flow.run(REWRITE).await;
    crate::support::flow::wait_for(&handle, "it stands", |status| status.last_error.is_some())
        .await;

    let failure = handle.status().borrow().last_error.clone().unwrap();
    let commit_lsn = failure.transaction.expect("a transaction").commit_lsn;
    let answer = handle.command(Command::Skip { commit_lsn }).await;
    assert_eq!(answer, pgstream::status::CommandAnswer::Accepted);
    flow.run("INSERT INTO t VALUES (9, 'nine')").await;
    flow.shows("SELECT v FROM t WHERE id = 9", &["nine"]).await;
    stop(handle).await;
}
