//! What is not on the target is said, and nothing is there twice: failed tables, unlogged ones, triggers of
//! both sides, and what does not replicate.

use pgstream::config::Plugin;
use serde_json::Value;

use crate::support::flow::{Flow, SLOT, stop, wait_for};
use crate::support::oracle::assert_equal_tables;
use crate::support::{Call, execute, query_text};

use super::{call, enable, existing, on_both, ready};

fn looks<const N: usize>(flow: &Flow, arguments: [&str; N]) -> Call {
    on_both(arguments, &flow.source_cluster, &flow.target_cluster)
        .env("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", SLOT)
        .env(
            "PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL",
            &flow.source_cluster.url("postgres"),
        )
}

async fn check(flow: &Flow) -> (Option<i32>, Vec<Value>) {
    let outcome = looks(flow, ["check", "--json"]).run().await;
    let report: Value = serde_json::from_str(&outcome.stdout).expect("a report");
    let findings = report["findings"].as_array().cloned().unwrap_or_default();
    (outcome.code, findings)
}

fn of<'f>(findings: &'f [Value], object: &str) -> Option<&'f Value> {
    findings.iter().find(|finding| finding["object"] == object)
}

const REFUSES_A_ROW: &str = "\
CREATE TABLE other (id int PRIMARY KEY);
CREATE TABLE test (id int PRIMARY KEY, v int);
INSERT INTO test VALUES (1, 1), (2, -1); INSERT INTO other VALUES (1);";

#[tokio::test]
async fn a_table_whose_copy_failed_is_a_finding_and_an_exit_code_with_its_cause_and_fix() {
    let mut flow = existing(Plugin::Pgoutput, REFUSES_A_ROW).await;
    let stands = "CREATE TABLE test (id int PRIMARY KEY, v int CHECK (v > 0))";
    execute(&flow.target, stands).await;
    enable(&mut flow, 1);
    let running = call(&flow).spawn();
    running.logged("the other tables go on").await;
    flow.shows("SELECT id FROM other", &["1"]).await;

    let errors = running.stderr();
    let errors: Vec<&str> = errors.lines().filter(|l| l.contains("ERROR")).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    for word in ["public.test", "23514", "copy the table again"] {
        assert!(errors[0].contains(word), "{word}: {errors:?}");
    }
    let seen = looks(&flow, ["status"]).run().await;
    assert_eq!(seen.code, Some(65), "{}{}", seen.stdout, seen.stderr);
    assert!(seen.stderr.contains("public.test"), "{}", seen.stderr);
    let (code, findings) = check(&flow).await;
    let finding = of(&findings, "public.test").expect("a finding");
    assert_eq!((code, &finding["blocking"]), (Some(78), &Value::Bool(true)));
    let problem = finding["problem"].as_str().unwrap_or_default();
    assert!(problem.contains("23514"), "{finding}");

    execute(
        &flow.target,
        "ALTER TABLE test DROP CONSTRAINT test_v_check",
    )
    .await;
    assert_eq!(running.terminate().await.code, Some(0));
    let running = call(&flow).spawn();
    flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
    assert_eq!(looks(&flow, ["status"]).run().await.code, Some(0));
    assert_eq!(of(&check(&flow).await.1, "public.test"), None);
}

/// The rows are there and stream; what the target has refused is remembered until it is there.
#[tokio::test]
async fn an_index_that_a_copied_table_lacks_is_a_finding() {
    let needs = "CREATE TABLE other (id int) PARTITION BY RANGE (id); \
                 CREATE TABLE part PARTITION OF other DEFAULT; INSERT INTO other VALUES (1); \
                 CREATE COLLATION own (locale = 'C'); \
                 CREATE INDEX other_own ON ONLY other ((id::text) COLLATE own)";
    let mut flow = existing(Plugin::Pgoutput, needs).await;
    execute(&flow.target, super::REFUSES_COLLATIONS).await;
    enable(&mut flow, 1);
    let engine = flow.start();
    wait_for(&engine, "the table says what it lacks", |status| {
        let mut tables = status
            .snapshot
            .iter()
            .flat_map(|copies| copies.tables.iter());
        tables.any(|table| table.failure.is_some())
    })
    .await;
    ready(&engine).await;
    stop(engine).await;
    assert_eq!(looks(&flow, ["status"]).run().await.code, Some(65));
    let (code, findings) = check(&flow).await;
    let finding = of(&findings, "public.other").expect("a finding");
    assert_eq!(code, Some(78), "{finding}");
}

const UNLOGGED: &str = "\
CREATE UNLOGGED TABLE fast (id int PRIMARY KEY);
CREATE TABLE slow (id int PRIMARY KEY);
INSERT INTO fast VALUES (1); INSERT INTO slow VALUES (1);";

/// A copy brings their rows; nobody hears of their changes, and nobody is told that they travel.
async fn unlogged_tables_are_reported(plugin: Plugin) {
    let mut flow = existing(plugin, UNLOGGED).await;
    enable(&mut flow, 1);
    let plan = on_both(
        ["snapshot", "--plan"],
        &flow.source_cluster,
        &flow.target_cluster,
    );
    let plan = plan.run().await;
    assert!(plan.stdout.contains("fast: is unlogged"), "{}", plan.stdout);
    let engine = flow.start();
    ready(&engine).await;
    flow.equal().await;
    let reported: Vec<(String, bool)> = {
        let status = engine.status();
        let status = status.borrow();
        let tables = status
            .snapshot
            .iter()
            .flat_map(|copies| copies.tables.iter());
        tables
            .map(|table| (table.name.clone(), table.unlogged))
            .collect()
    };
    assert!(
        reported.contains(&("public.fast".to_owned(), true)),
        "{reported:?}"
    );
    assert!(
        reported.contains(&("public.slow".to_owned(), false)),
        "{reported:?}"
    );
    let seen = looks(&flow, ["status"]).run().await;
    assert!(seen.stdout.contains("it is unlogged"), "{}", seen.stdout);
    let (_, findings) = check(&flow).await;
    assert!(of(&findings, "public.fast").is_some(), "{findings:?}");

    flow.run("INSERT INTO fast VALUES (2); INSERT INTO slow VALUES (2)")
        .await;
    assert_equal_tables(&flow.source, &flow.target, &["public.slow"]).await;
    flow.shows("SELECT count(*) FROM fast", &["1"]).await;
    flow.run("ALTER TABLE fast SET LOGGED; INSERT INTO fast VALUES (3)")
        .await;
    flow.equal().await;
    stop(engine).await;
}

#[tokio::test]
async fn rows_of_unlogged_tables_come_with_a_copy_only_and_that_is_reported() {
    unlogged_tables_are_reported(Plugin::Pgoutput).await;
    unlogged_tables_are_reported(Plugin::Wal2json).await;
}

const AUDITED: &str = "\
CREATE TABLE item (id int PRIMARY KEY);
CREATE TABLE audit (id serial PRIMARY KEY, item int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO public.audit (item) VALUES (NEW.id); RETURN NEW; END$$;
CREATE TRIGGER note AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION note();";

const OWN: &str = "\
CREATE TABLE log (item int);
CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO public.log VALUES (NEW.id); RETURN NEW; END$$;
CREATE TRIGGER own AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION own();";

/// The schema was restored on the target beforehand, as a dump has it.
#[tokio::test]
async fn a_trigger_of_both_sides_does_not_fire_for_the_copy_and_the_targets_own_does() {
    let mut flow = existing(Plugin::Pgoutput, AUDITED).await;
    flow.run("INSERT INTO item SELECT generate_series(1, 50)")
        .await;
    execute(&flow.target, &format!("{AUDITED} {OWN}")).await;
    enable(&mut flow, 2);
    let engine = flow.start();
    ready(&engine).await;

    assert_equal_tables(&flow.source, &flow.target, &["public.item", "public.audit"]).await;
    let fired = "SELECT (SELECT count(*) FROM audit), (SELECT count(*) FROM log)";
    assert_eq!(query_text(&flow.target, fired).await, ["50|50"]);
    let enabled = "SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1";
    assert_eq!(query_text(&flow.target, enabled).await, ["note|O", "own|O"]);
    let (_, findings) = check(&flow).await;
    let finding = of(&findings, "trigger note on public.item").expect("a finding");
    assert!(finding.to_string().contains("twice"), "{finding}");
    stop(engine).await;
}

/// A trigger that a copy keeps silent is let fire again by whoever gives the copy up.
#[cfg(feature = "failpoints")]
#[tokio::test]
async fn a_silent_trigger_fires_again_after_a_crash_and_after_a_tear_down() {
    let mut flow = existing(Plugin::Pgoutput, AUDITED).await;
    flow.run("INSERT INTO item SELECT generate_series(1, 50)")
        .await;
    execute(&flow.target, AUDITED).await;
    enable(&mut flow, 1);
    let point = pgstream::fault::SNAPSHOT_AFTER_TABLES;
    let crash = call(&flow).env("FAILPOINTS", &format!("{point}=return"));
    assert_eq!(crash.run().await.code, None);
    let enabled = "SELECT tgenabled FROM pg_trigger WHERE NOT tgisinternal";
    assert_eq!(query_text(&flow.target, enabled).await, ["D"]);

    let again = call(&flow).env("FAILPOINTS", &format!("{point}=return"));
    assert_eq!(again.run().await.code, None);
    let torn = looks(&flow, ["tear-down"]).run().await;
    assert_eq!(torn.code, Some(0), "{}", torn.stderr);
    assert_eq!(query_text(&flow.target, enabled).await, ["O"]);
}

const MORE: &str = "\
CREATE TABLE t (id int PRIMARY KEY);
CREATE TYPE base;
CREATE FUNCTION base_in(cstring) RETURNS base LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION base_out(base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE base (INPUT = base_in, OUTPUT = base_out, LIKE = text);
SELECT lo_create(0), lo_create(0);";

#[tokio::test]
async fn what_does_not_replicate_is_listed_before_it_is_missed() {
    let mut flow = existing(Plugin::Pgoutput, MORE).await;
    enable(&mut flow, 1);
    let words = ["type: 1 is on the source", "large objects: 2 are"];
    let plan = on_both(
        ["snapshot", "--plan"],
        &flow.source_cluster,
        &flow.target_cluster,
    );
    let plan = plan.run().await;
    for word in words {
        assert!(plan.stdout.contains(word), "{word}: {}", plan.stdout);
    }
    let (_, findings) = check(&flow).await;
    for object in ["type", "large objects"] {
        let finding = of(&findings, object).expect(object);
        assert_eq!(finding["blocking"], false, "{finding}");
    }
    let running = call(&flow).spawn();
    running.logged("large objects: 2 are").await;
    assert_eq!(running.terminate().await.code, Some(0));
}
