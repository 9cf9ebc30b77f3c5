//! What differs is found, and nothing else, while rows and schema change and a table is copied; what cannot be
//! compared now is named.

use pgstream::config::{Plugin, TableFilter};
use pgstream::verify::{ObjectReport, Report, Verdict};
use tokio_postgres::Client;

use crate::chaos::load::{self, Load};
use crate::support::flow::{Flow, stop};
use crate::support::{connect, execute};

use super::divergence::{DIVERGENCES, FOUND, KINDS, ROWS, found};
use super::{compare, table};

const COMPARISONS_MAX: usize = 20;

const SLOW: &str = "\
CREATE SCHEMA attic;
CREATE TABLE attic.slow (id int PRIMARY KEY);
INSERT INTO attic.slow SELECT generate_series(1, 10);";

/// On the target: rows of a table `public.slow` wait as long as somebody holds a lock.
const WAITS: &str = "\
CREATE SCHEMA own;
CREATE FUNCTION own.wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_catalog.pg_advisory_xact_lock_shared(7);
  RETURN NULL;
END $$;
CREATE FUNCTION own.made() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_event_trigger_ddl_commands() AS d
             WHERE d.object_identity = 'public.slow') THEN
    CREATE TRIGGER waits BEFORE INSERT ON public.slow FOR EACH STATEMENT EXECUTE FUNCTION own.wait();
    ALTER TABLE public.slow ENABLE ALWAYS TRIGGER waits;
  END IF;
END $$;
CREATE EVENT TRIGGER made ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION own.made();
ALTER EVENT TRIGGER made ENABLE ALWAYS;
SELECT pg_advisory_lock(7)";

/// Lets rows of `public.slow` wait on the target as long as the session lives.
async fn hold(flow: &Flow) -> Client {
    let holder = connect(&flow.target_cluster.url("postgres")).await;
    execute(&holder, WAITS).await;
    holder
}

async fn copy_waits(flow: &Flow) {
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)";
    flow.shows(waits, &["t"]).await;
}

async fn copied(flow: &Flow) {
    flow.shows(
        "SELECT count(*) FROM pgstream.snapshot_table WHERE state <> 'ready'",
        &["0"],
    )
    .await;
}

fn assert_left_out(report: &Report, name: &str) {
    let left_out = table(report, name);
    assert_eq!(left_out.verdict, Verdict::NotCompared, "{left_out:?}");
    let reason = left_out.reason.as_deref();
    assert_eq!(reason, Some("its first copy is not complete"));
}

/// Comparisons until one has shown every table that differs. Some may be in somebody's way under each of the pairs
/// of one comparison; none may ever say more.
async fn all_found(flow: &Flow) -> Report {
    for _ in 0..COMPARISONS_MAX {
        let report = compare(flow).await;
        let found = found(&report);
        assert!(
            found.iter().all(|line| FOUND.contains(&&**line)),
            "{report:#?}"
        );
        let changed = |object: &ObjectReport| object.verdict == Verdict::Different;
        assert!(!report.objects.iter().any(changed), "{report:#?}");
        if found == FOUND {
            return report;
        }
    }
    panic!("not all is found in {COMPARISONS_MAX} comparisons");
}

async fn is_found_meanwhile(plugin: Plugin) {
    let mut flow = Flow::bare().await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.pipeline.filter = TableFilter::parse("", "attic.*").expect("a filter");
    flow.init(plugin).await;
    let engine = flow.start();
    for sql in [load::SCHEMA, KINDS, ROWS, SLOW] {
        flow.run(sql).await;
    }
    flow.shows("SELECT count(*) FROM public.parted", &["20"])
        .await;
    let holder = hold(&flow).await;
    flow.run("ALTER TABLE attic.slow SET SCHEMA public").await;
    copy_waits(&flow).await;
    let urls = (
        flow.source_cluster.url("postgres"),
        flow.target_cluster.url("postgres"),
    );
    // The copy holds a snapshot of each side for as long as it is kept waiting.
    let load = Load::in_step((&urls.0, &urls.1), 16, "");
    execute(&flow.target, DIVERGENCES).await;

    assert_left_out(&all_found(&flow).await, "public.slow");

    drop(holder);
    copied(&flow).await;
    let report = all_found(&flow).await;
    assert_eq!(table(&report, "public.slow").source_rows, 10, "{report:#?}");
    let transactions = load.stop().await;
    assert!(transactions > 10, "{transactions} transactions met them");
    stop(engine).await;
}

#[tokio::test]
async fn every_kind_is_found_under_load_schema_changes_and_copies_with_pgoutput() {
    is_found_meanwhile(Plugin::Pgoutput).await;
}

#[tokio::test]
async fn every_kind_is_found_under_load_schema_changes_and_copies_with_wal2json() {
    is_found_meanwhile(Plugin::Wal2json).await;
}

/// The stream waits for the first copy, so there is no pair of snapshots: every table is named with that.
#[tokio::test]
async fn a_first_copy_that_waits_is_reported_and_not_waited_for() {
    let mut flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run(SLOW).await;
    flow.run("ALTER TABLE attic.slow SET SCHEMA public").await;
    flow.run("CREATE TABLE public.other (id int PRIMARY KEY)")
        .await;
    flow.pipeline.snapshot.enabled = true;
    let holder = hold(&flow).await;
    let engine = flow.start();
    copy_waits(&flow).await;

    let report = compare(&flow).await;

    assert_eq!(report.verdict(), Verdict::NotCompared, "{report:#?}");
    for name in ["public.slow", "public.other"] {
        assert_left_out(&report, name);
    }
    drop(holder);
    copied(&flow).await;
    let report = compare(&flow).await;
    assert_eq!(
        table(&report, "public.slow").verdict,
        Verdict::Equal,
        "{report:#?}"
    );
    stop(engine).await;
}

/// A look at the size of a table would wait for whoever holds it.
#[tokio::test]
async fn a_table_that_somebody_holds_is_named_and_keeps_nothing_else() {
    let tables = "CREATE TABLE here (id int PRIMARY KEY); CREATE TABLE there (id int PRIMARY KEY); \
                  CREATE TABLE free (id int PRIMARY KEY)";
    let flow = Flow::rows("pgoutput", tables).await;
    let engine = flow.start();
    flow.run("INSERT INTO free VALUES (1)").await;
    flow.equal().await;
    let holders = [
        connect(&flow.source_cluster.url("postgres")).await,
        connect(&flow.target_cluster.url("postgres")).await,
    ];
    execute(&holders[0], "BEGIN; LOCK TABLE here").await;
    execute(&holders[1], "BEGIN; LOCK TABLE there").await;

    let report = compare(&flow).await;

    let verdict = |name| table(&report, name).verdict;
    assert_eq!(verdict("public.here"), Verdict::NotCompared, "{report:#?}");
    assert_eq!(verdict("public.there"), Verdict::NotCompared, "{report:#?}");
    assert_eq!(verdict("public.free"), Verdict::Equal, "{report:#?}");
    for holder in &holders {
        execute(holder, "ROLLBACK").await;
    }
    assert_eq!(compare(&flow).await.verdict(), Verdict::Equal);
    stop(engine).await;
}
