//! Which pipeline is which: several that begin at once, two that bring the same, one whose checkpoint
//! is gone; and looks at a pipeline that works.

use pgstream::config::{Plugin, TableFilter};
use pgstream::diagnose::{check, inspect};
use pgstream::engine::{Engine, EngineOptions};
use pgstream::status::Phase;

use crate::chaos::load::{Load, SCHEMA};
use crate::chaos::run;
use crate::cli_check::between;
use crate::support::flow::{Flow, SLOT, stop, wait_for};
use crate::support::{Call, execute, query_text};

const SLOT_NAME: &str = "PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME";
const COPY: &str = "PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED";
const KEYLESS: &str =
    "CREATE TABLE one (id int); CREATE TABLE two (id int); CREATE TABLE three (id int)";

async fn initialised(schema: &str) -> Flow {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run(schema).await;
    flow
}

fn command(flow: &Flow, command: &str, slot: &str) -> Call {
    between(command, &flow.source_cluster, &flow.target_cluster).env(SLOT_NAME, slot)
}

#[tokio::test]
async fn a_pipeline_that_works_never_looks_as_if_its_checkpoint_did_not_fit() {
    let flow = initialised(SCHEMA).await;
    let engine = flow.start();
    let load = Load::rows(&flow.source_cluster.url("postgres"), 7);

    for look in 0..12 {
        let (seen, failure) = inspect(&flow.pipeline).await;
        let misfit = seen.checkpoint.and_then(|checkpoint| checkpoint.misfit);
        assert_eq!(
            (misfit, failure.map(|f| f.to_string())),
            (None, None),
            "look {look}"
        );
        let report = check(&flow.pipeline).await;
        assert!(report.passes(), "look {look}: {:?}", report.findings);
    }

    load.stop().await;
    flow.equal().await;
    stop(engine).await;
}

#[tokio::test]
async fn a_checkpoint_that_was_deleted_is_no_new_beginning() {
    let flow = initialised("CREATE TABLE one (id int)").await;
    let running = run(&flow).spawn();
    flow.run("INSERT INTO one VALUES (1)").await;
    flow.shows("SELECT id FROM one", &["1"]).await;
    drop(running.kill().await);
    execute(&flow.target, "DELETE FROM pgstream.checkpoint").await;

    let refused = run(&flow).run().await;

    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    for part in [
        "checkpoint of slot",
        "is gone",
        "hint: pgstream tear-down",
        "&& pgstream init",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    let checked = command(&flow, "check", SLOT).run().await;
    assert_eq!(checked.code, Some(78), "{}", checked.stdout);
    assert!(
        checked.stdout.contains("is gone, and the source remembers"),
        "{}",
        checked.stdout
    );
    assert_eq!(query_text(&flow.target, "SELECT id FROM one").await, ["1"]);

    for words in ["tear-down", "init"] {
        let done = command(&flow, words, SLOT).run().await;
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    }
    execute(&flow.target, "TRUNCATE one").await;
    let running = run(&flow).env(COPY, "true").spawn();
    flow.run("INSERT INTO one VALUES (2)").await;
    flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
}

#[tokio::test]
async fn two_pipelines_that_bring_one_table_are_told_apart_or_refused() {
    let flow = initialised(KEYLESS).await;
    let first = run(&flow).spawn();
    flow.run("INSERT INTO one VALUES (1)").await;
    flow.equal().await;
    let made = command(&flow, "init", "second_slot").run().await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);

    let checked = command(&flow, "check", "second_slot").run().await;
    let reported = format!("pipeline of slot {SLOT}: brings public.one from this source, too");
    assert!(checked.stdout.contains(&reported), "{}", checked.stdout);
    let refused = command(&flow, "run --headless", "second_slot").run().await;
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    for part in [
        SLOT,
        "both select table public.one",
        "PGSTREAM_FILTER_EXCLUDE_TABLES",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }

    assert_eq!(first.terminate().await.code, Some(0));
    let first = run(&flow)
        .env("PGSTREAM_FILTER_EXCLUDE_TABLES", "two")
        .spawn();
    first.logged("streaming started").await;
    let second = command(&flow, "run --headless", "second_slot")
        .env("PGSTREAM_FILTER_INCLUDE_TABLES", "two")
        .spawn();
    second.logged("streaming started").await;
    flow.run("INSERT INTO one VALUES (2); INSERT INTO two VALUES (2)")
        .await;
    flow.equal().await;
    assert_eq!(first.terminate().await.code, Some(0));
    assert_eq!(second.terminate().await.code, Some(0));
}

#[tokio::test]
async fn three_pipelines_begin_at_once_on_a_target_that_has_nothing_of_ours() {
    let mut flow = initialised(KEYLESS).await;
    execute(&flow.target, KEYLESS).await;
    flow.pipeline.schema_log = None;
    let pipelines = ["one", "two", "three"].map(|table| {
        let mut pipeline = flow.pipeline.clone();
        pipeline.slot = Some(format!("slot_of_{table}").parse().unwrap());
        pipeline.filter = TableFilter::parse(table, "").unwrap();
        pipeline
    });
    for table in ["one", "two", "three"] {
        let made = command(&flow, "init", &format!("slot_of_{table}"))
            .run()
            .await;
        assert_eq!(made.code, Some(0), "{}", made.stderr);
    }

    for round in 0..4 {
        let engines = pipelines
            .each_ref()
            .map(|pipeline| Engine::start(pipeline.clone(), EngineOptions::default()));
        flow.run(
            "INSERT INTO one VALUES (1); INSERT INTO two VALUES (2); INSERT INTO three VALUES (3)",
        )
        .await;
        for engine in engines {
            wait_for(&engine, "a stream", |status| {
                assert!(
                    status.phase != Phase::Stopped,
                    "round {round}: {:?}",
                    status.last_error
                );
                matches!(status.phase, Phase::Streaming { .. })
            })
            .await;
            flow.equal().await;
            stop(engine).await;
        }
        execute(&flow.target, "DROP SCHEMA pgstream CASCADE").await;
        execute(&flow.source, "UPDATE pgstream.pipeline SET target = NULL").await;
    }
}

#[tokio::test]
async fn nothing_is_to_be_skipped_where_the_target_refuses_what_is_ours() {
    let flow = Flow::rows("pgoutput", "CREATE TABLE one (id int PRIMARY KEY)").await;
    let running = run(&flow).spawn();
    running.logged("streaming started").await;
    execute(
        &flow.target,
        "ALTER TABLE pgstream.checkpoint ADD CHECK (end_lsn < '0/1') NOT VALID",
    )
    .await;

    flow.run("INSERT INTO one VALUES (1)").await;
    let ended = running.outcome().await;

    assert_eq!(ended.code, Some(78), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("the target refuses the checkpoint"),
        "{}",
        ended.stderr
    );
    assert!(
        !ended.stderr.contains("--skip-transaction"),
        "{}",
        ended.stderr
    );
}
