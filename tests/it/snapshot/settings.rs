//! What users set and see: the tutorial's words, slips of the hand, and tables that cannot be copied.

use std::fs;
use std::sync::Arc;

use pgstream::config::Plugin;
use pgstream::status::{Command, CommandAnswer, CopyCommand, CopyState, Status, TableCopy};
use tempfile::TempDir;

use crate::support::flow::{Flow, SLOT, stop, wait_for};
use crate::support::oracle::assert_equal_tables;
use crate::support::{Call, execute, query_text, wait_until};

use super::{call, enable, existing, ready};

/// The snapshot's part of the tutorial's file, word for word but for the ports.
const TUTORIAL: &str = r#"PGSTREAM_POSTGRES_LISTENER_URL="postgres://postgres:postgres@localhost:5432?sslmode=disable"
PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME=flow_slot
PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED=true
# URL of the PostgreSQL database we want to snapshot
PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_STORE_URL="postgres://postgres:postgres@localhost:5432?sslmode=disable"
# List of tables we want to snapshot. If the tables are not schema qualified, the public schema will be assumed.
# Wildcards are supported.
#
# The following example will snapshot all tables in the `test_schema` and the table `test` from the public schema.
PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES="test_schema.* test"
PGSTREAM_POSTGRES_WRITER_TARGET_URL="postgres://postgres:postgres@localhost:7654?sslmode=disable"
PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL="postgres://postgres:postgres@localhost:5432?sslmode=disable"
"#;

const TABLES: &str = "\
CREATE SCHEMA test_schema;
CREATE TABLE test_schema.one (id serial PRIMARY KEY, name text);
CREATE TABLE test_schema.two (id int PRIMARY KEY, one int REFERENCES test_schema.one);
CREATE TABLE test (id serial PRIMARY KEY, name text);
CREATE TABLE other (id int PRIMARY KEY);
CREATE TABLE needs_other (id int PRIMARY KEY, other int REFERENCES other);
INSERT INTO test_schema.one (name) SELECT 'n' || i FROM generate_series(1, 100) AS i;
INSERT INTO test_schema.two SELECT i, i FROM generate_series(1, 100) AS i;
INSERT INTO test (name) VALUES ('alice'), ('bob'), ('charlie');
INSERT INTO other VALUES (1); INSERT INTO needs_other VALUES (1, 1);";

/// Without what a session makes for itself.
const USER_TABLES: &str = "SELECT relid::regclass::text FROM pg_stat_user_tables \
                           WHERE schemaname <> 'pgstream' AND schemaname !~ '^pg_temp' ORDER BY 1";

fn file(flow: &Flow, text: &str) -> (TempDir, Call) {
    let text = text
        .replace(":5432", &format!(":{}", flow.source_cluster.port()))
        .replace(":7654", &format!(":{}", flow.target_cluster.port()));
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("pg2pg_tutorial.env");
    fs::write(&path, text).unwrap();
    let call = Call::new(["run", "--headless", "-c", path.to_str().unwrap()]);
    (directory, call)
}

#[tokio::test]
async fn the_tutorials_settings_copy_what_the_tutorial_says() {
    let flow = existing(Plugin::Pgoutput, TABLES).await;
    let (_directory, call) = file(&flow, TUTORIAL);
    let running = call.spawn();
    flow.shows("SELECT count(*) FROM test_schema.two", &["100"])
        .await;
    flow.run(
        "INSERT INTO test (name) VALUES ('dora'); INSERT INTO test_schema.two VALUES (101, 1)",
    )
    .await;
    let copied = ["public.test", "test_schema.one", "test_schema.two"];
    assert_equal_tables(&flow.source, &flow.target, &copied).await;
    let found = query_text(&flow.target, USER_TABLES).await;
    assert_eq!(found, ["test", "test_schema.one", "test_schema.two"]);
    assert_eq!(running.terminate().await.code, Some(0));
}

#[tokio::test]
async fn exclusions_leave_tables_out() {
    let mut flow = existing(Plugin::Wal2json, TABLES).await;
    enable(&mut flow, 2);
    let running = call(&flow)
        .env(
            "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_EXCLUDED_TABLES",
            "other needs_*",
        )
        .spawn();
    flow.shows("SELECT count(*) FROM test_schema.two", &["100"])
        .await;
    let copied = ["public.test", "test_schema.one", "test_schema.two"];
    assert_equal_tables(&flow.source, &flow.target, &copied).await;
    let found = query_text(&flow.target, USER_TABLES).await;
    assert_eq!(found, ["test", "test_schema.one", "test_schema.two"]);
    assert_eq!(running.terminate().await.code, Some(0));
}

#[tokio::test]
async fn a_pattern_that_fits_nothing_is_reported_with_near_names_and_nothing_is_touched() {
    let flow = existing(Plugin::Pgoutput, TABLES).await;
    let slip = TUTORIAL.replace("test_schema.* test", "test_schema.* tset");
    let (_directory, call) = file(&flow, &slip);
    let outcome = call.run().await;
    assert_eq!(outcome.code, Some(64), "{}", outcome.stderr);
    for word in ["public.tset", "public.test"] {
        assert!(outcome.stderr.contains(word), "{}", outcome.stderr);
    }
    assert_eq!(query_text(&flow.target, USER_TABLES).await, [""; 0]);
}

/// What the snapshot's two lists make of a slip of the hand: told before anything is touched.
async fn refused(flow: &Flow, tables: &str, excluded: &str, words: &[&str]) {
    let copy = super::on_both(["snapshot"], &flow.source_cluster, &flow.target_cluster)
        .env("PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES", tables)
        .env(
            "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_EXCLUDED_TABLES",
            excluded,
        );
    let outcome = copy.run().await;
    assert_eq!(outcome.code, Some(64), "{}", outcome.stderr);
    for word in words {
        assert!(outcome.stderr.contains(word), "{word}: {}", outcome.stderr);
    }
    assert_eq!(query_text(&flow.target, USER_TABLES).await, [""; 0]);
}

#[tokio::test]
async fn lists_that_select_nothing_are_reported_with_their_variable_and_near_names() {
    let flow = Flow::bare().await;
    flow.run(TABLES).await;
    let excluded = "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_EXCLUDED_TABLES";
    refused(
        &flow,
        "test",
        "test",
        &[excluded, "no table would be copied"],
    )
    .await;
    refused(&flow, "public.te*", "test", &["public.te*", excluded]).await;
    refused(
        &flow,
        "*.*",
        "tset",
        &["public.tset", excluded, "public.test"],
    )
    .await;
    refused(&flow, "test_shema.*", "", &["did you mean test_schema.*"]).await;
    refused(
        &flow,
        "archive_of_2020.*",
        "",
        &["public.* or test_schema.*"],
    )
    .await;
}

#[tokio::test]
async fn a_table_that_is_gone_does_not_keep_the_others_from_streaming() {
    let mut flow = existing(Plugin::Pgoutput, TABLES).await;
    enable(&mut flow, 2);
    let call = call(&flow).env(
        "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES",
        "test test_schema.*",
    );
    let running = call.spawn();
    flow.shows("SELECT count(*) FROM test", &["3"]).await;
    flow.run("DROP TABLE test").await;
    flow.shows("SELECT to_regclass('public.test') IS NULL", &["t"])
        .await;
    assert_eq!(running.terminate().await.code, Some(0));

    let running = call.spawn();
    running.logged("no table of the source").await;
    flow.run("INSERT INTO test_schema.one (name) VALUES ('later')")
        .await;
    let one = ["test_schema.one", "test_schema.two"];
    assert_equal_tables(&flow.source, &flow.target, &one).await;
    assert_eq!(running.terminate().await.code, Some(0));
}

/// The target has something under the name of a table: told with exit code 78, before anything is
/// touched.
async fn conflicts(on_target: &str, reason: &str) {
    let flow = existing(Plugin::Pgoutput, TABLES).await;
    execute(&flow.target, on_target).await;
    let before = query_text(&flow.target, USER_TABLES).await;
    let (_directory, call) = file(&flow, TUTORIAL);
    let outcome = call.run().await;
    assert_eq!(outcome.code, Some(78), "{}", outcome.stderr);
    for word in ["table public.test", reason, "hint:"] {
        assert!(outcome.stderr.contains(word), "{}", outcome.stderr);
    }
    assert_eq!(query_text(&flow.target, USER_TABLES).await, before);
}

#[tokio::test]
async fn other_columns_on_the_target_are_a_conflict() {
    let other = "CREATE TABLE test (id bigserial PRIMARY KEY, extra text)";
    conflicts(other, "column id is integer").await;
}

#[tokio::test]
async fn rows_on_the_target_are_a_conflict() {
    let filled = "CREATE TABLE test (id serial PRIMARY KEY, name text); \
                  INSERT INTO test (name) VALUES ('mine')";
    conflicts(filled, "has rows on the target already").await;
}

/// A start that was refused because of one table is left by leaving that table out.
async fn leaves_the_refusal(name: &str, value: &str, copied: &[&str]) {
    let mut flow = existing(Plugin::Pgoutput, TABLES).await;
    let filled = "CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (9)";
    execute(&flow.target, filled).await;
    enable(&mut flow, 2);
    for _ in 0..2 {
        let refused = call(&flow).run().await;
        assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    }
    let running = call(&flow).env(name, value).spawn();
    flow.run("INSERT INTO other VALUES (2)").await;
    flow.shows("SELECT id FROM other ORDER BY 1", &["2", "9"])
        .await;
    if !copied.is_empty() {
        assert_equal_tables(&flow.source, &flow.target, copied).await;
    }
    assert_eq!(running.terminate().await.code, Some(0));
}

#[tokio::test]
async fn a_refused_start_is_left_by_an_exclusion() {
    let copied = ["public.test", "test_schema.one", "test_schema.two"];
    let name = "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_EXCLUDED_TABLES";
    leaves_the_refusal(name, "other needs_other", &copied).await;
}

#[tokio::test]
async fn a_refused_start_is_left_without_a_copy() {
    let name = "PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED";
    leaves_the_refusal(name, "false", &[]).await;
}

fn copy_of<'s>(status: &'s Status, name: &str) -> Option<&'s TableCopy> {
    let snapshot = status.snapshot.as_ref()?;
    snapshot.tables.iter().find(|table| table.name == name)
}

/// An equal table stands on the target, and refuses one row.
const REFUSES: &str = "\
CREATE TABLE test (id serial PRIMARY KEY, name text);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN IF NEW.name = 'bob' THEN RAISE check_violation USING MESSAGE = 'no bob'; END IF; RETURN NEW; END$$;
CREATE TRIGGER refuse BEFORE INSERT ON test FOR EACH ROW EXECUTE FUNCTION refuse();";

#[tokio::test]
async fn a_table_that_cannot_be_copied_fails_alone_and_is_tried_again() {
    let mut flow = existing(Plugin::Pgoutput, TABLES).await;
    execute(&flow.target, REFUSES).await;
    enable(&mut flow, 2);
    let engine = flow.start();
    wait_for(&engine, "one table fails, the others are ready", |status| {
        let snapshot = status.snapshot.as_ref();
        snapshot.is_some_and(|snapshot| {
            snapshot.count(CopyState::Failed) == 1
                && snapshot.count(CopyState::Ready) + 1 == snapshot.tables.len()
        })
    })
    .await;
    let status = Arc::clone(&engine.status().borrow());
    let failed = copy_of(&status, "public.test").expect("it is known");
    let failure = failed.failure.clone().expect("it says why");
    assert_eq!(failure.sqlstate.as_deref(), Some("23514"), "{failure:?}");
    flow.run(
        "INSERT INTO test_schema.one (name) VALUES ('late'); UPDATE test SET name = name || '!'",
    )
    .await;
    assert_equal_tables(&flow.source, &flow.target, &["test_schema.one"]).await;
    assert_eq!(
        query_text(&flow.target, "SELECT count(*) FROM test").await,
        ["0"]
    );

    execute(
        &flow.target,
        "DROP TRIGGER refuse ON test; DROP FUNCTION refuse()",
    )
    .await;
    let relation = failed.relation;
    let again = Command::Copy(CopyCommand::Table { relation });
    assert_eq!(engine.command(again).await, CommandAnswer::Accepted);
    ready(&engine).await;
    flow.equal().await;
    let status = Arc::clone(&engine.status().borrow());
    let other = copy_of(&status, "public.other").expect("it is known");
    assert_eq!(other.attempt, 1, "only the failed one is copied again");
    stop(engine).await;
}

#[tokio::test]
async fn the_next_start_tries_a_failed_table_again() {
    let mut flow = existing(Plugin::Pgoutput, TABLES).await;
    execute(&flow.target, REFUSES).await;
    enable(&mut flow, 2);
    let running = call(&flow).spawn();
    running.logged("the other tables go on").await;
    flow.shows("SELECT count(*) FROM test_schema.two", &["100"])
        .await;
    drop(running.kill().await);

    execute(
        &flow.target,
        "DROP TRIGGER refuse ON test; DROP FUNCTION refuse()",
    )
    .await;
    let running = call(&flow).spawn();
    flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
}

/// What the records say of a table is no reason to leave it away.
#[tokio::test]
async fn a_table_that_was_dropped_on_the_target_is_copied_again_and_one_that_has_only_another_name_is_not()
 {
    let mut flow = existing(Plugin::Pgoutput, TABLES).await;
    enable(&mut flow, 2);
    let engine = flow.start();
    ready(&engine).await;
    stop(engine).await;
    execute(
        &flow.target,
        "DROP TABLE test_schema.two; UPDATE test SET name = 'kept'",
    )
    .await;
    flow.run("INSERT INTO test_schema.two SELECT * FROM test_schema.two LIMIT 0; ALTER TABLE test RENAME TO renamed")
        .await;

    let engine = flow.start();
    flow.shows("SELECT count(*) FROM test_schema.two", &["100"])
        .await;
    ready(&engine).await;

    flow.shows("SELECT DISTINCT name FROM renamed", &["kept"])
        .await;
    stop(engine).await;
}

/// The fix of a target that does not fit to its slot.
#[tokio::test]
async fn without_its_checkpoint_everything_is_copied_again() {
    let mut flow = existing(Plugin::Pgoutput, TABLES).await;
    enable(&mut flow, 2);
    let engine = flow.start();
    ready(&engine).await;
    stop(engine).await;
    execute(&flow.target, "DELETE FROM pgstream.checkpoint").await;

    let refused = call(&flow).run().await;
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("has rows on the target already"),
        "{}",
        refused.stderr
    );
    execute(
        &flow.target,
        "TRUNCATE test_schema.one, test_schema.two, test, other, needs_other",
    )
    .await;

    let engine = flow.start();
    ready(&engine).await;
    flow.equal().await;
    stop(engine).await;
}

fn status<const N: usize>(flow: &Flow, arguments: [&str; N]) -> Call {
    super::on_both(arguments, &flow.source_cluster, &flow.target_cluster)
        .env("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", SLOT)
}

/// It takes its rows one by one.
const IS_SLOW: &str = "\
CREATE SCHEMA test_schema;
CREATE TABLE test_schema.one (id serial PRIMARY KEY, name text);
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN PERFORM pg_sleep(0.2); RETURN NEW; END$$;
CREATE TRIGGER wait BEFORE INSERT ON test_schema.one FOR EACH ROW EXECUTE FUNCTION wait();";

#[tokio::test]
async fn status_says_why_a_table_failed_and_how_far_another_is() {
    let mut flow = existing(Plugin::Pgoutput, TABLES).await;
    execute(&flow.target, REFUSES).await;
    execute(&flow.target, IS_SLOW).await;
    enable(&mut flow, 2);
    let running = call(&flow).spawn();
    running.logged("the other tables go on").await;
    wait_until("rows of the slow table are counted", async || {
        let seen = status(&flow, ["status", "--json"]).run().await;
        let seen: serde_json::Value = serde_json::from_str(&seen.stdout).unwrap();
        let copies = seen["copies"].as_array().cloned().unwrap_or_default();
        let of = |name: &str| copies.iter().find(|copy| copy["name"] == name).cloned();
        let failed = of("public.test").expect("it is known");
        assert_eq!(failed["sqlstate"], "23514", "{failed}");
        let causes = failed["causes"].to_string();
        assert!(causes.contains("function public.refuse()"), "{failed}");
        let slow = of("test_schema.one").expect("it is known");
        let (rows, bytes) = (&slow["row_count"], &slow["byte_count"]);
        let moves =
            slow["state"] == "copying" && rows.as_u64() > Some(1) && bytes.as_u64() > Some(1);
        moves.then_some(()).ok_or_else(|| slow.to_string())
    })
    .await;
    let seen = status(&flow, ["status"]).run().await;
    for word in [
        "rows, ",
        " expected",
        "caused by: ",
        "function public.refuse()",
        "SQLSTATE 23514",
    ] {
        assert!(seen.stdout.contains(word), "{word}: {}", seen.stdout);
    }
    drop(running.kill().await);
}

/// It fails the table that needs it, with what to do about a copy, and no other.
#[tokio::test]
async fn a_type_that_the_target_refuses_is_reported_with_its_table() {
    let domain = "CREATE DOMAIN color AS text; CREATE TABLE paint (c color)";
    let mut flow = existing(Plugin::Pgoutput, &format!("{TABLES} {domain}")).await;
    let refuses = "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS \
                   $$BEGIN RAISE insufficient_privilege USING MESSAGE = 'no domains'; END$$; \
                   CREATE EVENT TRIGGER no ON ddl_command_start WHEN TAG IN ('CREATE DOMAIN') \
                   EXECUTE FUNCTION no()";
    execute(&flow.target, refuses).await;
    enable(&mut flow, 2);
    let running = call(&flow).spawn();
    running.logged("the other tables go on").await;
    flow.shows("SELECT count(*) FROM test_schema.two", &["100"])
        .await;
    let seen = status(&flow, ["status"]).run().await;
    assert!(seen.stdout.contains("✗ failed"), "{}", seen.stdout);
    assert!(seen.stdout.contains("no domains"), "{}", seen.stdout);
    assert!(
        !seen.stdout.contains("--skip-transaction"),
        "{}",
        seen.stdout
    );
    let reported = running.stderr();
    assert!(!reported.contains("--skip-transaction"), "{reported}");
    drop(running.kill().await);
}

/// A collation that an index needs is refused by the target: the rows are there and stream, the index is
/// told.
#[tokio::test]
async fn a_refused_collation_of_an_index_fails_its_table_alone() {
    let needs = "CREATE COLLATION own (locale = 'C'); \
                 CREATE INDEX other_own ON other ((id::text) COLLATE own)";
    let mut flow = existing(Plugin::Pgoutput, &format!("{TABLES} {needs}")).await;
    execute(&flow.target, super::REFUSES_COLLATIONS).await;
    enable(&mut flow, 2);
    let engine = flow.start();
    wait_for(&engine, "one table says why", |status| {
        let failed = copy_of(status, "public.other");
        failed.is_some_and(|table| {
            let failure = table.failure.as_ref();
            failure.is_some_and(|failure| failure.sqlstate.as_deref() == Some("42704"))
        }) && copy_of(status, "test_schema.two").is_some_and(|t| t.state == CopyState::Ready)
    })
    .await;

    execute(&flow.target, "DROP FUNCTION refuse() CASCADE").await;
    let status = Arc::clone(&engine.status().borrow());
    let relation = copy_of(&status, "public.other")
        .expect("it is known")
        .relation;
    let again = Command::Copy(CopyCommand::Table { relation });
    assert_eq!(engine.command(again).await, CommandAnswer::Accepted);
    ready(&engine).await;
    flow.equal().await;
    stop(engine).await;
}
