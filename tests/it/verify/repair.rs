//! `verify --repair`.

use pgstream::config::Plugin;
use pgstream::verify::{Options, Report, Verdict, verify};

use crate::support::flow::{Flow, stop};
use crate::support::{Call, execute, query_text};

use super::divergence::diverged;
use super::{Writers, compare, options};

pub(crate) async fn repair(flow: &Flow) -> Report {
    let options = Options {
        repair: true,
        ..options()
    };
    let report = Box::pin(verify(&flow.pipeline, &options, |_| ())).await;
    report.unwrap_or_else(|error| panic!("{error}: {error:?}"))
}

#[tokio::test]
async fn every_kind_of_divergence_is_repaired_and_recorded() {
    let (flow, engine) = diverged().await;

    let report = repair(&flow).await;

    assert_eq!(report.verdict(), Verdict::Equal, "{report:?}");
    flow.equal().await;
    let repaired = |name: &str| {
        super::table(&report, name)
            .repaired
            .expect("it was repaired")
    };
    assert_eq!(repaired("public.missing").inserted, 3);
    assert_eq!(repaired("public.extra").deleted, 2);
    assert_eq!(repaired("public.value").updated, 1);
    assert_eq!(repaired("public.twins").deleted, 2);
    assert!(super::table(&report, "public.same").repaired.is_none());
    let kept = "SELECT table_name, inserted, updated, deleted FROM pgstream.repair \
                WHERE table_name IN ('missing', 'large') ORDER BY 1";
    let kept = query_text(&flow.target, kept).await;
    assert_eq!(kept, ["large|0|1|0", "missing|3|0|0"]);
    stop(engine).await;
}

async fn rows_are_repaired_while_everybody_writes(plugin: Plugin) {
    let flow = Flow::schema(plugin).await;
    let engine = flow.start();
    let writers = Writers::start(&flow, &engine, 3).await;

    for _ in 0..3 {
        let broken = "UPDATE public.account SET balance = balance + 1000 WHERE id IN (3, 150, 399); \
                      INSERT INTO public.account VALUES (1000, 1), (1001, 2); \
                      INSERT INTO public.entry VALUES (-1, -1), (-1, -1)";
        execute(&flow.target, broken).await;
        let report = repair(&flow).await;
        assert_eq!(report.verdict(), Verdict::Equal, "{report:?}");
    }

    writers.stop().await;
    flow.equal().await;
    stop(engine).await;
}

#[tokio::test]
async fn rows_are_repaired_while_everybody_writes_with_pgoutput() {
    rows_are_repaired_while_everybody_writes(Plugin::Pgoutput).await;
}

#[tokio::test]
async fn rows_are_repaired_while_everybody_writes_with_wal2json() {
    rows_are_repaired_while_everybody_writes(Plugin::Wal2json).await;
}

/// Parents come before children, and go behind them; a value that must be unique changes hands.
#[tokio::test]
async fn foreign_keys_and_unique_values_are_respected() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let engine = flow.start();
    flow.run(
        "CREATE TABLE public.a_child (id int PRIMARY KEY, parent int); \
         CREATE TABLE public.parent (id int PRIMARY KEY, code int UNIQUE); \
         ALTER TABLE public.a_child ADD FOREIGN KEY (parent) REFERENCES public.parent",
    )
    .await;
    flow.run(
        "INSERT INTO public.parent SELECT id, id FROM generate_series(1, 10) AS id; \
         INSERT INTO public.a_child SELECT id, id FROM generate_series(1, 10) AS id",
    )
    .await;
    flow.equal().await;
    execute(
        &flow.target,
        "DELETE FROM public.a_child WHERE id = 3; DELETE FROM public.parent WHERE id = 3; \
         INSERT INTO public.parent VALUES (11, 3); INSERT INTO public.a_child VALUES (11, 11)",
    )
    .await;

    let report = repair(&flow).await;

    assert_eq!(report.verdict(), Verdict::Equal, "{report:?}");
    flow.equal().await;
    stop(engine).await;
}

/// What a trigger of both sides did on the source comes with its own rows.
#[tokio::test]
async fn a_trigger_that_both_sides_have_does_not_fire_for_what_is_repaired() {
    let flow = Flow::rows("pgoutput", TRIGGER).await;
    let engine = flow.start();
    flow.run("INSERT INTO public.t VALUES (1), (2)").await;
    flow.shows("SELECT count(*) FROM public.t", &["2"]).await;
    execute(&flow.target, "ALTER TABLE public.t DISABLE TRIGGER USER").await;
    execute(&flow.target, "DELETE FROM public.t WHERE id = 1").await;
    execute(&flow.target, "DELETE FROM public.log").await;
    execute(
        &flow.target,
        "INSERT INTO public.log SELECT id FROM generate_series(1, 2) AS id",
    )
    .await;
    execute(&flow.target, "ALTER TABLE public.t ENABLE TRIGGER USER").await;

    let report = repair(&flow).await;

    assert_eq!(report.verdict(), Verdict::Equal, "{report:?}");
    let count = query_text(&flow.target, "SELECT count(*) FROM public.log").await;
    assert_eq!(count, ["2"]);
    let enabled = "SELECT tgenabled FROM pg_trigger WHERE tgname = 'logs'";
    assert_eq!(query_text(&flow.target, enabled).await, ["O"]);
    stop(engine).await;
}

const TRIGGER: &str = "\
CREATE TABLE public.t (id int PRIMARY KEY);
CREATE TABLE public.log (id int);
ALTER TABLE public.log REPLICA IDENTITY FULL;
CREATE FUNCTION public.log() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO public.log VALUES (NEW.id); RETURN NEW; END $$;
CREATE TRIGGER logs AFTER INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.log();";

#[tokio::test]
async fn a_sequence_that_is_behind_is_moved_on() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let engine = flow.start();
    flow.run("CREATE SEQUENCE public.free").await;
    flow.run("SELECT nextval('public.free') FROM generate_series(1, 7)")
        .await;
    flow.shows(
        "SELECT count(*) FROM pg_sequences WHERE schemaname = 'public'",
        &["1"],
    )
    .await;

    let report = repair(&flow).await;

    assert_eq!(report.verdict(), Verdict::Equal, "{report:?}");
    assert_eq!(
        query_text(&flow.target, "SELECT nextval('public.free')").await,
        ["8"]
    );
    stop(engine).await;
}

/// A range is there whole or not at all, wherever the process dies, and the stream goes on.
#[tokio::test]
async fn a_repair_that_is_killed_leaves_a_range_as_it_was_or_repaired() {
    for (place, repaired) in [
        ("verify.before_repair", false),
        ("verify.after_repair", true),
    ] {
        let flow = Flow::schema(Plugin::Pgoutput).await;
        let engine = flow.start();
        flow.run("CREATE TABLE public.t (id int PRIMARY KEY, v int)")
            .await;
        flow.run("INSERT INTO public.t SELECT id, id FROM generate_series(1, 100) AS id")
            .await;
        flow.equal().await;
        execute(&flow.target, "UPDATE public.t SET v = 0 WHERE id < 50").await;

        let (source, target) = (&flow.source_cluster, &flow.target_cluster);
        let call: Call = crate::cli_check::between("verify --repair", source, target)
            .env(
                "PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME",
                crate::support::flow::SLOT,
            )
            .env("FAILPOINTS", &format!("{place}=return"));
        let killed = call.run().await;

        assert_ne!(killed.code, Some(0), "{}", killed.stderr);
        let left = query_text(&flow.target, "SELECT count(*) FROM public.t WHERE v = 0").await;
        assert_eq!(left, [if repaired { "0" } else { "49" }], "{place}");
        flow.run("UPDATE public.t SET v = v + 1 WHERE id > 90")
            .await;
        let report = repair(&flow).await;
        assert_eq!(report.verdict(), Verdict::Equal, "{place}: {report:?}");
        assert_eq!(compare(&flow).await.verdict(), Verdict::Equal, "{place}");
        flow.equal().await;
        stop(engine).await;
    }
}
