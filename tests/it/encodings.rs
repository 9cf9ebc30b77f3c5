//! Databases in other encodings than UTF-8: bytes that are no text in any encoding, and what each plugin
//! makes of them.

use pgstream::config::Plugin;
use pgstream::diagnose::check;
use pgstream::engine::Engine;
use pgstream::model::ErrorClass;

use crate::support::flow::{Flow, failure, pipeline, stop};
use crate::support::{connect, execute};

const SCHEMA: &str = "\
CREATE TABLE t (id int PRIMARY KEY, v text, k varchar(20)); CREATE TABLE b (v text PRIMARY KEY);
CREATE TABLE f (v text, a text[]); ALTER TABLE f REPLICA IDENTITY FULL";

const CHANGES: &[&str] = &[
    "INSERT INTO t VALUES (1, chr(255), chr(254) || 'x'), (2, chr(195), NULL)",
    r"INSERT INTO t SELECT i, chr(128 + i % 127) || '\', NULL FROM generate_series(10, 200) AS i",
    "UPDATE t SET v = v || chr(200) WHERE id < 90; DELETE FROM t WHERE id = 50",
    "INSERT INTO f SELECT v, ARRAY[v, chr(255)] FROM t; INSERT INTO f SELECT v, NULL FROM t WHERE id < 99",
    "UPDATE f SET v = chr(129) WHERE v = chr(195) || chr(200); DELETE FROM f WHERE v = chr(255) || chr(200)",
    "INSERT INTO b VALUES (chr(255)), (chr(254)), (chr(253))",
    "UPDATE b SET v = chr(250) WHERE v = chr(255); DELETE FROM b WHERE v = chr(254)",
];

/// Databases of this encoding on both sides.
async fn in_encoding(encoding: &str) -> Flow {
    let mut flow = Flow::bare().await;
    let create = format!(
        "CREATE DATABASE odd ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    );
    execute(&flow.source, &create).await;
    execute(&flow.target, &create).await;
    let (source, target) = (
        flow.source_cluster.url("odd"),
        flow.target_cluster.url("odd"),
    );
    flow.source = connect(&source).await;
    flow.target = connect(&target).await;
    flow.pipeline = pipeline(&source, &target);
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow
}

#[tokio::test]
async fn bytes_of_sql_ascii_arrive_as_they_are() {
    let mut flow = in_encoding("SQL_ASCII").await;
    flow.init(Plugin::Pgoutput).await;
    let handle = flow.start();
    for sql in [SCHEMA].iter().chain(CHANGES) {
        flow.run(sql).await;
    }
    flow.acknowledged().await;
    flow.equal().await;
    let report = check(&flow.pipeline).await;
    assert!(report.passes(), "{report:#?}");
    stop(handle).await;

    execute(
        &flow.target,
        "DROP TABLE t, b, f; DROP SCHEMA pgstream CASCADE",
    )
    .await;
    flow.pipeline.snapshot.enabled = true;
    let copied = Engine::snapshot(flow.pipeline.clone());
    flow.equal().await;
    drop(copied);
}

#[tokio::test]
async fn wal2json_of_a_database_that_is_not_in_utf8_is_refused() {
    let flow = in_encoding("LATIN1").await;
    flow.init(Plugin::Wal2json).await;
    let report = check(&flow.pipeline).await;
    let found = report.findings.iter().find(|finding| finding.blocking);
    assert!(found.unwrap().problem.contains("LATIN1"), "{report:#?}");

    let mut handle = flow.start();
    flow.run("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, chr(228))")
        .await;

    let failure = failure(&mut handle).await;
    assert_eq!(failure.class, ErrorClass::Operator, "{failure:?}");
    assert!(failure.hint.unwrap().contains("--plugin pgoutput"));
}
