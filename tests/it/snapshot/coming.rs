//! Tables that come and go while the copy and the stream share the work: each belongs to one of the two,
//! and neither waits for what is not there any more.

use pgstream::config::{Plugin, TableFilter};
use pgstream::engine::{Engine, EngineOptions, Handle};
use pgstream::status::{Command, CommandAnswer, CopyCommand};

use crate::support::flow::{Flow, SLOT, failure, stop};
use crate::support::oracle::assert_equal_tables;
use crate::support::{execute, query_text, wait_until};

use super::{call, enable, existing, made, ready};

const NEEDS_A_COLLATION: &str = "\
CREATE COLLATION own (locale = 'C');
CREATE TABLE ok (id int PRIMARY KEY);";

const TORN: &str = "\
BEGIN; CREATE TABLE bad (id int PRIMARY KEY, v text COLLATE own);
INSERT INTO bad VALUES (1); INSERT INTO ok VALUES (1); COMMIT";

/// The stream brings a table that it makes itself, whatever is to be copied: its transaction stands or falls as a whole.
async fn stops_whole(plugin: Plugin) {
    let mut flow = existing(plugin, NEEDS_A_COLLATION).await;
    enable(&mut flow, 1);
    let mut engine = flow.start();
    ready(&engine).await;
    execute(&flow.target, "DROP COLLATION own").await;
    flow.run(TORN).await;

    let refused = failure(&mut engine).await;
    assert_eq!(refused.sqlstate.as_deref(), Some("42704"), "{refused:?}");
    let again = call(&flow).run().await;
    assert_eq!(again.code, Some(65), "{}", again.stderr);
    let rows = "SELECT count(*) FROM ok";
    assert_eq!(query_text(&flow.target, rows).await, ["0"]);
    let acked = "SELECT bool_or(acked) FROM pgstream.schema_log WHERE schema::text ~ 'bad'";
    assert_eq!(query_text(&flow.source, acked).await, ["f"]);

    execute(&flow.target, "CREATE COLLATION own (locale = 'C')").await;
    let engine = flow.start();
    flow.equal().await;
    flow.acknowledged().await;
    stop(engine).await;
}

#[tokio::test]
async fn a_refused_table_stops_its_whole_transaction_where_tables_are_copied_too() {
    stops_whole(Plugin::Pgoutput).await;
}

#[tokio::test]
async fn a_refused_table_stops_its_whole_transaction_with_wal2json_too() {
    stops_whole(Plugin::Wal2json).await;
}

/// Who passes the transaction over has the table copied, now that the target takes it.
#[tokio::test]
async fn a_table_whose_transaction_was_skipped_is_copied() {
    let mut flow = existing(Plugin::Pgoutput, NEEDS_A_COLLATION).await;
    enable(&mut flow, 1);
    let mut engine = flow.start();
    ready(&engine).await;
    execute(&flow.target, "DROP COLLATION own").await;
    flow.run(TORN).await;
    let refused = failure(&mut engine).await;
    let lsn = refused.transaction.expect("a transaction").commit_lsn;
    execute(&flow.target, "CREATE COLLATION own (locale = 'C')").await;

    let options = EngineOptions {
        skip: Some(lsn),
        ..EngineOptions::default()
    };
    let engine = Engine::start(flow.pipeline.clone(), options);

    flow.shows("SELECT id, v FROM bad", &["1|∅"]).await;
    flow.shows("SELECT count(*) FROM ok", &["0"]).await;
    stop(engine).await;
}

const TWO: &str = "\
CREATE TABLE large (id int PRIMARY KEY, t text);
CREATE TABLE small (id int PRIMARY KEY);
INSERT INTO large SELECT i, repeat('x', 100) FROM generate_series(1, 1000) AS i;
INSERT INTO small VALUES (1);";

async fn command(engine: &Handle, command: CopyCommand) {
    let answer = engine.command(Command::Copy(command)).await;
    assert_eq!(answer, CommandAnswer::Accepted);
}

/// Waits until the source has been told of all that it has written up to now.
async fn confirmed(flow: &Flow) {
    let here = query_text(&flow.source, "SELECT pg_current_wal_lsn()").await;
    let sql = format!(
        "SELECT confirmed_flush_lsn >= '{}' FROM pg_replication_slots WHERE slot_name = '{SLOT}'",
        here.join("")
    );
    wait_until("the slot is confirmed", async || {
        match query_text(&flow.source, &sql).await == ["t"] {
            true => Ok(()),
            false => Err(here.join("")),
        }
    })
    .await;
}

async fn goes_while_another_is_copied(plugin: Plugin, change: &str) {
    let mut flow = existing(plugin, TWO).await;
    enable(&mut flow, 1);
    let engine = flow.start();
    command(&engine, CopyCommand::Pause).await;
    made(&flow, &["public.large", "public.small"]).await;
    flow.run(change).await;
    command(&engine, CopyCommand::Resume).await;
    flow.run("INSERT INTO large VALUES (0, 'later')").await;

    flow.equal().await;
    ready(&engine).await;
    confirmed(&flow).await;
    stop(engine).await;
}

#[tokio::test]
async fn the_slot_is_confirmed_although_a_table_goes_while_another_is_copied() {
    goes_while_another_is_copied(Plugin::Pgoutput, "DROP TABLE small").await;
    goes_while_another_is_copied(Plugin::Wal2json, "DROP TABLE small").await;
}

#[tokio::test]
async fn the_slot_is_confirmed_although_a_table_is_replaced_while_another_is_copied() {
    let replaced = "BEGIN; DROP TABLE small; CREATE TABLE small (a text PRIMARY KEY); \
                    INSERT INTO small VALUES ('new'); COMMIT";
    goes_while_another_is_copied(Plugin::Pgoutput, replaced).await;
}

/// What has the name of a table that went while another one was read is copied in its place.
#[tokio::test]
async fn a_table_that_is_replaced_while_nobody_streams_is_copied_as_it_is_now() {
    let flow = Flow::bare().await;
    flow.run(TWO).await;
    execute(&flow.target, IS_SLOW).await;
    let snapshot = super::on_both(["snapshot"], &flow.source_cluster, &flow.target_cluster)
        .env("PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_WORKERS", "1");
    let running = snapshot.spawn();
    let moving = "SELECT count(*) FROM pg_stat_progress_copy";
    flow.shows(moving, &["1"]).await;
    flow.run(
        "BEGIN; DROP TABLE small; CREATE TABLE small (a text PRIMARY KEY); \
              INSERT INTO small VALUES ('new'); COMMIT",
    )
    .await;
    execute(&flow.target, "ALTER TABLE large DISABLE TRIGGER wait").await;

    let outcome = running.outcome().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(
        query_text(&flow.target, "SELECT a FROM small").await,
        ["new"]
    );
}

/// It takes its rows one by one, until the trigger is disabled.
const IS_SLOW: &str = "\
CREATE TABLE large (id int PRIMARY KEY, t text);
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END$$;
CREATE TRIGGER wait BEFORE INSERT ON large FOR EACH ROW EXECUTE FUNCTION wait();";

const FREE: &str = "\
CREATE SCHEMA app; CREATE SCHEMA seq; CREATE SCHEMA empty_one;
CREATE SEQUENCE app.inv START 1000; CREATE TYPE app.unused AS ENUM ('a');
CREATE DOMAIN app.positive AS int CHECK (VALUE > 0); CREATE TYPE app.pair AS (a int, b text);
CREATE TABLE app.t (id int PRIMARY KEY); INSERT INTO app.t VALUES (1);
CREATE SEQUENCE seq.sa; SELECT setval('seq.sa', 669); CREATE TYPE seq.ty AS ENUM ('x');
CREATE TABLE other (id int PRIMARY KEY);
CREATE TABLE foo (id bigserial PRIMARY KEY, v text);
CREATE TABLE cp (LIKE foo INCLUDING ALL); INSERT INTO cp (v) VALUES ('a'), ('b');";

const OBJECTS: &str = "\
SELECT 'sequence ' || oid::regclass FROM pg_class WHERE relkind = 'S' AND relnamespace >= 16384
  AND relnamespace::regnamespace::text NOT IN ('pgstream') AND relnamespace::regnamespace::text !~ '^pg_'
UNION ALL SELECT 'type ' || t.oid::regtype FROM pg_type AS t LEFT JOIN pg_class AS c ON c.oid = t.typrelid
  WHERE t.typnamespace::regnamespace::text IN ('app', 'seq') AND t.typtype IN ('e', 'd', 'c') AND COALESCE(c.relkind = 'c', true)
UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname IN ('app', 'seq', 'empty_one')
ORDER BY 1";

/// A filter names tables: what belongs to none of those it leaves out comes along.
#[tokio::test]
async fn a_filter_leaves_out_tables_and_nothing_else() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let mut flow = existing(plugin, FREE).await;
        flow.pipeline.filter = TableFilter::parse("", "foo other").unwrap();
        enable(&mut flow, 1);
        let engine = flow.start();
        ready(&engine).await;
        let objects = query_text(&flow.source, OBJECTS).await;
        flow.shows(
            OBJECTS,
            &objects.iter().map(String::as_str).collect::<Vec<_>>(),
        )
        .await;
        flow.shows("SELECT last_value FROM seq.sa", &["669"]).await;
        flow.shows("SELECT count(*) FROM cp", &["2"]).await;

        flow.run(
            "CREATE SEQUENCE seq.s2; ALTER SEQUENCE app.inv INCREMENT 2; \
             ALTER TABLE app.t ALTER id SET DEFAULT nextval('app.inv'); \
             ALTER TABLE app.t ADD x app.unused; ALTER TYPE app.unused RENAME VALUE 'a' TO 'c'; \
             INSERT INTO app.t VALUES (2, 'c'); INSERT INTO cp (v) VALUES ('c')",
        )
        .await;
        assert_equal_tables(&flow.source, &flow.target, &["app.t"]).await;
        flow.shows("SELECT count(*) FROM cp", &["3"]).await;
        flow.shows("SELECT to_regclass('foo'), to_regclass('other')", &["∅|∅"])
            .await;
        stop(engine).await;
    }
}

/// The list of a copy that nobody goes on from takes what is in the schemas that it takes whole.
#[tokio::test]
async fn a_whole_schema_brings_what_belongs_to_no_table_there() {
    let flow = Flow::bare().await;
    flow.run(FREE).await;
    let snapshot = super::on_both(["snapshot"], &flow.source_cluster, &flow.target_cluster)
        .env("PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES", "app.*");
    let outcome = snapshot.run().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let expected = [
        "schema app",
        "sequence app.inv",
        "type app.pair",
        "type app.positive",
        "type app.unused",
    ];
    assert_eq!(query_text(&flow.target, OBJECTS).await, expected);
}

/// A database without tables has what belongs to none.
#[tokio::test]
async fn what_belongs_to_no_table_comes_without_tables_too() {
    let mut flow = existing(
        Plugin::Pgoutput,
        "CREATE SCHEMA seq; CREATE SEQUENCE seq.sa",
    )
    .await;
    enable(&mut flow, 1);
    let engine = flow.start();
    flow.shows("SELECT to_regclass('seq.sa')", &["seq.sa"])
        .await;
    flow.run("CREATE TABLE seq.t (id int PRIMARY KEY DEFAULT nextval('seq.sa')); INSERT INTO seq.t DEFAULT VALUES")
        .await;
    flow.equal().await;
    stop(engine).await;
}
