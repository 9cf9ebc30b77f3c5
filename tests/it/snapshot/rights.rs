//! A role that is no superuser: what it lacks is reported with the statement that fixes it, before
//! anything is touched, and nothing is lost silently.

use pgstream::config::{ConnectionSettings, Plugin};
use pgstream::model::ErrorClass;
use pgstream::status::{Command, CommandAnswer, CopyCommand};

use crate::support::flow::{Flow, failure, stop};
use crate::support::{Call, execute, query_text};

use super::{call, enable, existing, made, ready};

const SHOP: &str = "\
CREATE TABLE item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
CREATE SEQUENCE ticket;
SELECT setval('ticket', 77);
INSERT INTO item (note) SELECT md5(i::text) FROM generate_series(1, 1000) AS i;
CREATE ROLE reader LOGIN REPLICATION PASSWORD 'postgres';
GRANT SELECT ON item TO reader;";

/// What `run` is granted for schema changes.
const FOR_RUN: &str = "\
GRANT USAGE ON SCHEMA pgstream TO reader;
GRANT SELECT, UPDATE ON pgstream.schema_log TO reader;
GRANT EXECUTE ON FUNCTION pgstream.prune_schema_log, pgstream.record_owners TO reader;";

const VALUES: &str = "SELECT last_value FROM ticket \
                      UNION ALL SELECT last_value FROM item_id_seq ORDER BY 1";

fn as_reader(url: &str) -> String {
    url.replacen("postgres:postgres@", "reader:postgres@", 1)
}

fn snapshot(flow: &Flow) -> Call {
    let source = as_reader(&flow.source_cluster.url("postgres"));
    let target = flow.target_cluster.url("postgres");
    Call::new(["snapshot"])
        .env("PGSTREAM_POSTGRES_LISTENER_URL", &source)
        .env("PGSTREAM_POSTGRES_WRITER_TARGET_URL", &target)
}

/// Runs what the hint of a refused call says.
async fn do_as_reported(flow: &Flow, call: &Call, part: &str) {
    let refused = call.clone().run().await;
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    let lines = refused.stderr.lines().map(str::trim);
    let lines = lines.map(|line| line.strip_prefix("hint: ").unwrap_or(line));
    let lines = lines.map(|line| line.strip_prefix("on the source: ").unwrap_or(line));
    let grants: Vec<&str> = lines.filter(|line| line.starts_with("GRANT")).collect();
    let reported = grants.join("; ");
    assert!(reported.contains(part), "{}", refused.stderr);
    execute(&flow.source, &reported).await;
}

#[tokio::test]
async fn run_says_which_rights_a_copy_takes() {
    let mut flow = existing(Plugin::Pgoutput, SHOP).await;
    flow.run(FOR_RUN).await;
    enable(&mut flow, 2);
    let source = as_reader(&flow.source_cluster.url("postgres"));
    let call = call(&flow)
        .env("PGSTREAM_POSTGRES_LISTENER_URL", &source)
        .env("PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL", &source);
    do_as_reported(&flow, &call, "GRANT SELECT ON pgstream.object TO").await;
    do_as_reported(&flow, &call, "GRANT SELECT ON SEQUENCE").await;

    let running = call.spawn();
    flow.run("INSERT INTO item (note) VALUES ('late')").await;
    flow.equal().await;
    assert_eq!(
        query_text(&flow.target, VALUES).await,
        query_text(&flow.source, VALUES).await
    );
    assert_eq!(running.terminate().await.code, Some(0));
}

#[tokio::test]
async fn a_snapshot_loses_no_value_of_a_sequence_and_needs_no_rights_on_ours() {
    let flow = existing(Plugin::Pgoutput, SHOP).await;
    do_as_reported(&flow, &snapshot(&flow), "GRANT SELECT ON SEQUENCE").await;
    let ours = query_text(&flow.target, "SELECT to_regnamespace('pgstream')").await;
    assert_eq!(ours, ["∅"]);

    let outcome = snapshot(&flow).run().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    flow.equal().await;
    assert_eq!(query_text(&flow.target, VALUES).await, ["77", "1000"]);
}

#[tokio::test]
async fn a_table_that_may_not_be_read_is_reported_with_its_grant() {
    let flow = existing(Plugin::Pgoutput, SHOP).await;
    flow.run("GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO reader; REVOKE SELECT ON item FROM reader")
        .await;

    let refused = snapshot(&flow).run().await;

    assert_eq!(refused.code, Some(65), "{}", refused.stderr);
    let grant = "GRANT SELECT ON TABLE \"public\".\"item\" TO \"reader\";";
    let reported = refused.stderr.replace('\\', "");
    assert!(reported.contains(grant), "{reported}");
    flow.run(grant).await;
    let outcome = snapshot(&flow).run().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    flow.equal().await;
}

#[tokio::test]
async fn policies_that_hide_rows_are_refused() {
    let flow = existing(Plugin::Pgoutput, SHOP).await;
    flow.run(
        "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO reader; \
         ALTER TABLE item ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY few ON item USING (id < 10)",
    )
    .await;
    let refused = snapshot(&flow).run().await;
    assert_eq!(refused.code, Some(65), "{}", refused.stderr);
    for word in [
        "row security applies to role reader",
        "ALTER ROLE \"reader\" BYPASSRLS",
        "row-level security policy",
    ] {
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
    }
    assert_eq!(
        query_text(&flow.target, "SELECT count(*) FROM item").await,
        ["0"]
    );

    flow.run("ALTER ROLE reader BYPASSRLS").await;
    let outcome = snapshot(&flow).run().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    flow.equal().await;
}

#[tokio::test]
async fn a_right_that_is_taken_away_while_tables_are_copied_is_reported_and_no_value_is_lost() {
    let mut flow = existing(Plugin::Pgoutput, SHOP).await;
    flow.run(FOR_RUN).await;
    flow.run(
        "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO reader; \
         GRANT SELECT ON pgstream.object TO reader; \
         GRANT EXECUTE ON FUNCTION pgstream.with_names, pgstream.schema_name, pgstream.relation_name TO reader",
    )
    .await;
    let reader = as_reader(&flow.source_cluster.url("postgres"));
    let reader = ConnectionSettings::parse(&reader).unwrap();
    flow.pipeline.source = reader.clone();
    flow.pipeline.snapshot.source = reader.clone();
    flow.pipeline.schema_log = Some(reader);
    enable(&mut flow, 2);
    let mut engine = flow.start();
    let pause = Command::Copy(CopyCommand::Pause);
    assert_eq!(engine.command(pause).await, CommandAnswer::Accepted);
    made(&flow, &["public.item"]).await;
    flow.run("REVOKE SELECT ON SEQUENCE ticket FROM reader")
        .await;
    let resume = Command::Copy(CopyCommand::Resume);
    assert_eq!(engine.command(resume).await, CommandAnswer::Accepted);

    let failure = failure(&mut engine).await;
    assert_eq!(failure.class, ErrorClass::Operator, "{failure:?}");
    let hint = failure.hint.unwrap_or_default();
    let hint = hint.strip_prefix("on the source: ").unwrap_or(&hint);
    assert!(
        hint.contains("GRANT SELECT ON SEQUENCE public.ticket TO"),
        "{hint}"
    );
    flow.run(hint).await;
    let engine = flow.start();
    ready(&engine).await;
    flow.equal().await;
    assert_eq!(query_text(&flow.target, VALUES).await, ["77", "1000"]);
    stop(engine).await;
}
