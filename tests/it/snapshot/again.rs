//! Copies that begin again, on a target that has some of it already, or something else.

use pgstream::config::Plugin;
use pgstream::status::{Command, CommandAnswer, CopyCommand};

use crate::schema_mirror::assert_same_dump;
use crate::support::flow::{Flow, stop, wait_for};
use crate::support::{Call, execute, query_text};

use super::{enable, existing, ready};

/// What hangs on indexes comes behind all rows; the tables that have it are the largest.
#[cfg(feature = "failpoints")]
const HANGING: &str = "\
CREATE TABLE pt (id int, d int, PRIMARY KEY (id, d)) PARTITION BY RANGE (id);
CREATE INDEX pt_ix ON pt (d);
CREATE TABLE pt0 PARTITION OF pt FOR VALUES FROM (0) TO (3000);
CREATE TABLE pt1 PARTITION OF pt FOR VALUES FROM (3000) TO (9000);
CREATE TABLE cmt (id int PRIMARY KEY, t text, f float8);
CREATE INDEX cix ON cmt (lower(t));
COMMENT ON CONSTRAINT cmt_pkey ON cmt IS 'of a constraint'; COMMENT ON INDEX cmt_pkey IS 'of its index';
ALTER INDEX cix ALTER COLUMN 1 SET STATISTICS 77; ALTER TABLE cmt CLUSTER ON cix;
CREATE TABLE refers (id int, d int, CONSTRAINT fk FOREIGN KEY (id, d) REFERENCES pt);
COMMENT ON CONSTRAINT fk ON refers IS 'of a foreign key';
CREATE TABLE small (id int PRIMARY KEY);
INSERT INTO pt SELECT i, i FROM generate_series(1, 6000) AS i;
INSERT INTO cmt SELECT i, i FROM generate_series(1, 3000) AS i;
INSERT INTO refers VALUES (1, 1); INSERT INTO small VALUES (1);";

async fn flow_of(tables: &str) -> (Flow, Call) {
    let flow = Flow::bare().await;
    execute(&flow.source, tables).await;
    let call = super::on_both(["snapshot"], &flow.source_cluster, &flow.target_cluster)
        .env("PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_WORKERS", "1");
    (flow, call)
}

/// Ends it at this visit of this place, counted from 0.
#[cfg(feature = "failpoints")]
async fn die(call: &Call, point: &str, visit: u32) {
    let armed = call
        .clone()
        .env("FAILPOINTS", &format!("{point}={visit}*off->return"));
    let died = armed.run().await;
    assert_eq!(died.code, None, "{point}: {}", died.stderr);
}

#[cfg(feature = "failpoints")]
#[tokio::test]
async fn what_hangs_on_an_index_that_stands_already_is_still_done() {
    let (flow, call) = flow_of(HANGING).await;
    for visit in [2, 1] {
        die(&call, pgstream::fault::SNAPSHOT_AFTER_STEP, visit).await;
    }

    let outcome = call.run().await;

    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    flow.equal().await;
    assert_same_dump(&flow.source_cluster, &flow.target_cluster);
}

#[cfg(feature = "failpoints")]
#[tokio::test]
async fn what_somebody_else_put_in_the_place_of_our_table_is_not_ours() {
    let (flow, call) =
        flow_of("CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    die(&call, pgstream::fault::SNAPSHOT_AFTER_TABLE, 0).await;
    let theirs = "DROP TABLE t; CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (-5)";
    execute(&flow.target, theirs).await;

    let refused = call.run().await;

    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    let reason = "table public.t: it has rows on the target already";
    assert!(refused.stderr.contains(reason), "{}", refused.stderr);
    assert_eq!(query_text(&flow.target, "SELECT a FROM t").await, ["-5"]);
}

#[cfg(feature = "failpoints")]
#[tokio::test]
async fn an_array_type_makes_way_for_a_table_of_its_name() {
    let tables = "CREATE TABLE a (i int); CREATE TABLE _a (i int); \
                  INSERT INTO a SELECT generate_series(1, 5000); INSERT INTO _a VALUES (1)";
    let (flow, call) = flow_of(tables).await;
    die(&call, pgstream::fault::SNAPSHOT_AFTER_TABLE, 0).await;

    let outcome = call.run().await;

    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    flow.equal().await;
}

const REFUSES_TYPES: &str = "\
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS
  $$BEGIN RAISE insufficient_privilege USING MESSAGE = 'no types here'; END$$;
CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE TYPE') EXECUTE FUNCTION refuse();";

/// Other tables need none of it.
#[tokio::test]
async fn a_type_that_the_target_refuses_keeps_only_tables_that_need_it() {
    let tables = "CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE idle AS ENUM ('x'); \
                  CREATE TABLE uses (m mood); CREATE TABLE plain (id int PRIMARY KEY); \
                  INSERT INTO uses VALUES ('sad'); INSERT INTO plain VALUES (1)";
    let (flow, call) = flow_of(tables).await;
    execute(&flow.target, REFUSES_TYPES).await;

    let failed = call.run().await;

    assert_eq!(failed.code, Some(65), "{}", failed.stderr);
    for part in ["type public.mood", "public.uses", "type public.idle"] {
        assert!(failed.stderr.contains(part), "{part}: {}", failed.stderr);
    }
    let rows = "SELECT * FROM plain";
    assert_eq!(query_text(&flow.target, rows).await, ["1"]);
    let none = "SELECT to_regclass('uses')";
    assert_eq!(query_text(&flow.target, none).await, ["∅"]);
    execute(
        &flow.target,
        "DROP EVENT TRIGGER refuse; DROP FUNCTION refuse()",
    )
    .await;

    let outcome = call.run().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    flow.equal().await;
    assert_same_dump(&flow.source_cluster, &flow.target_cluster);
}

const REFERRED: &str = "\
CREATE TABLE pt (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE p0 PARTITION OF pt FOR VALUES FROM (0) TO (10);
CREATE TABLE p1 PARTITION OF pt FOR VALUES FROM (10) TO (20);
CREATE TABLE fk (id int REFERENCES pt); COMMENT ON CONSTRAINT fk_id_fkey ON fk IS 'which';
INSERT INTO pt SELECT generate_series(0, 19); INSERT INTO fk SELECT generate_series(0, 19);";

/// Its parent's foreign keys are its own, too.
#[tokio::test]
async fn a_partition_that_others_refer_to_is_copied_again() {
    let mut flow = existing(Plugin::Pgoutput, REFERRED).await;
    enable(&mut flow, 2);
    let engine = flow.start();
    ready(&engine).await;
    let relation = {
        let status = engine.status();
        let status = status.borrow();
        let tables = &status.snapshot.as_ref().expect("copies").tables;
        let found = tables.iter().find(|table| table.name == "public.p0");
        found.expect("a partition").relation
    };

    let answer = engine
        .command(Command::Copy(CopyCommand::Table { relation }))
        .await;

    assert_eq!(answer, CommandAnswer::Accepted);
    wait_for(&engine, "it is copied a second time", |status| {
        let tables = &status.snapshot.as_ref().expect("copies").tables;
        tables
            .iter()
            .any(|table| table.relation == relation && table.attempt == 2)
    })
    .await;
    flow.run("DELETE FROM fk WHERE id = 3; DELETE FROM pt WHERE id = 3")
        .await;
    ready(&engine).await;
    flow.equal().await;
    assert_same_dump(&flow.source_cluster, &flow.target_cluster);
    stop(engine).await;
}
