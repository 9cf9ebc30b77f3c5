//! `verify`: both sides compared at one exact position, while they are in use.

mod adopt;
mod anew;
mod chaos;
mod cli;
mod divergence;
#[cfg(feature = "failpoints")]
mod kill;
mod meanwhile;
pub(crate) mod repair;
mod resume;
mod schema;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pgstream::config::{Plugin, TableFilter};
use pgstream::engine::Handle;
use pgstream::runtime::{Task, spawn};
use pgstream::status::Phase;
use pgstream::verify::{Options, Report, TableReport, Verdict, verify};

use crate::support::flow::{Flow, stop, wait_for};
use crate::support::{connect, execute, query_text, wait_until};

fn options() -> Options {
    Options {
        tables: TableFilter::default(),
        worker_count: 2,
        rows_max: 10,
        repair: false,
        show_values: false,
        sample: None,
        bytes_per_s: None,
        resume: false,
    }
}

async fn compare(flow: &Flow) -> Report {
    let report = Box::pin(verify(&flow.pipeline, &options(), |_| ())).await;
    report.unwrap_or_else(|error| panic!("{error}: {error:?}"))
}

fn table<'r>(report: &'r Report, name: &str) -> &'r TableReport {
    let mut tables = report.tables.iter();
    let found = tables.find(|table| table.table.to_string() == name);
    found.unwrap_or_else(|| panic!("{name} is in {report:?}"))
}

const LEDGER: &str = "\
CREATE TABLE public.account (id int PRIMARY KEY, balance int NOT NULL);
CREATE TABLE public.entry (account int, amount int);
ALTER TABLE public.entry REPLICA IDENTITY FULL;";

/// Moves money between accounts until told to stop: rows change, come and go in every transaction.
async fn write(url: String, worker: u32, stopped: Arc<AtomicBool>) -> u32 {
    let client = connect(&url).await;
    let mut count = 0;
    while !stopped.load(Ordering::Relaxed) {
        let (from, to) = (worker * 100 + count % 100, (count * 7) % 400);
        let sql = format!(
            "BEGIN; UPDATE public.account SET balance = balance - 1 WHERE id = {from}; \
             UPDATE public.account SET balance = balance + 1 WHERE id = {to}; \
             INSERT INTO public.entry VALUES ({from}, {count}); \
             DELETE FROM public.entry WHERE account = {from} AND amount < {count} - 50; COMMIT"
        );
        // Two that wait for each other's rows: one of them is ended by the server.
        if client.batch_execute(&sql).await.is_err() {
            execute(&client, "ROLLBACK").await;
        }
        count += 1;
    }
    count
}

/// Who writes until told to stop.
struct Writers {
    stopped: Arc<AtomicBool>,
    tasks: Vec<Task<u32>>,
}

impl Writers {
    /// Fills the ledger of a pipeline that streams, and lets so many write there.
    async fn start(flow: &Flow, engine: &Handle, count: u32) -> Self {
        flow.run(LEDGER).await;
        flow.run("INSERT INTO public.account SELECT id, 0 FROM generate_series(0, 399) AS id")
            .await;
        flow.equal().await;
        let stopped = Arc::new(AtomicBool::new(false));
        let tasks = (0..count).map(|worker| {
            let url = flow.source_cluster.url("postgres");
            spawn("writer", write(url, worker, Arc::clone(&stopped)))
        });
        let tasks = tasks.collect();
        wait_for(engine, "rows arrive", |status| {
            status.totals.transactions > 50
        })
        .await;
        Self { stopped, tasks }
    }

    /// Returns how many transactions they have written.
    async fn stop(self) -> u32 {
        self.stopped.store(true, Ordering::Relaxed);
        let mut written = 0;
        for mut task in self.tasks {
            written += task.join().await.expect("a writer");
        }
        written
    }
}

async fn nothing_differs_while_everybody_writes(plugin: Plugin) {
    let flow = Flow::schema(plugin).await;
    let engine = flow.start();
    let writers = Writers::start(&flow, &engine, 4).await;

    for round in 0..10 {
        let report = compare(&flow).await;

        assert_eq!(
            report.verdict(),
            Verdict::Equal,
            "round {round}: {report:?}"
        );
        assert_eq!(table(&report, "public.account").source_rows, 400);
    }

    let written = writers.stop().await;
    assert!(written > 100, "{written} transactions met the comparisons");
    flow.equal().await;
    stop(engine).await;
}

#[tokio::test]
async fn nothing_is_reported_while_everybody_writes_with_pgoutput() {
    nothing_differs_while_everybody_writes(Plugin::Pgoutput).await;
}

#[tokio::test]
async fn nothing_is_reported_while_everybody_writes_with_wal2json() {
    nothing_differs_while_everybody_writes(Plugin::Wal2json).await;
}

#[tokio::test]
async fn a_stopped_pipeline_is_brought_to_one_position_first() {
    let flow = Flow::rows("pgoutput", LEDGER).await;
    let engine = flow.start();
    flow.run("INSERT INTO public.account VALUES (1, 1)").await;
    flow.equal().await;
    stop(engine).await;
    flow.run("INSERT INTO public.account VALUES (2, 2)").await;

    let report = compare(&flow).await;

    assert_eq!(report.verdict(), Verdict::Equal, "{report:?}");
    assert_eq!(table(&report, "public.account").target_rows, 2);
    let active = "SELECT active FROM pg_replication_slots";
    assert_eq!(query_text(&flow.source, active).await, ["f"]);
}

#[tokio::test]
async fn a_schema_change_does_not_wait_for_a_comparison_and_spoils_no_verdict() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let engine = flow.start();
    flow.run("CREATE TABLE public.big (id int PRIMARY KEY, v int, w text)")
        .await;
    flow.run(
        "INSERT INTO public.big SELECT id, id, md5(id::text) FROM generate_series(1, 20000) AS id",
    )
    .await;
    flow.equal().await;
    let stopped = Arc::new(AtomicBool::new(false));
    let mut changes = {
        let (url, stopped) = (flow.source_cluster.url("postgres"), Arc::clone(&stopped));
        spawn("schema changes", async move {
            let client = connect(&url).await;
            while !stopped.load(Ordering::Relaxed) {
                for sql in [
                    "ALTER TABLE public.big ADD c int",
                    "UPDATE public.big SET c = id WHERE id % 100 = 0",
                    "ALTER TABLE public.big ALTER v TYPE bigint",
                    "ALTER TABLE public.big DROP c",
                    "ALTER TABLE public.big ALTER v TYPE int",
                ] {
                    execute(&client, sql).await;
                }
                // As fast as the stream takes them, and no faster.
                let here = query_text(&client, "SELECT pg_current_wal_lsn()")
                    .await
                    .join("");
                let reached = format!(
                    "SELECT confirmed_flush_lsn >= '{here}' FROM pg_replication_slots \
                     WHERE slot_name = 'flow_slot'"
                );
                wait_until("the stream has them", async || {
                    match query_text(&client, &reached).await.join("").as_str() {
                        "t" => Ok(()),
                        other => Err(other.to_owned()),
                    }
                })
                .await;
            }
        })
    };

    for _ in 0..3 {
        let report = compare(&flow).await;
        assert_ne!(report.verdict(), Verdict::Different, "{report:?}");
    }

    stopped.store(true, Ordering::Relaxed);
    changes.join().await.expect("the schema changes");
    flow.equal().await;
    assert_eq!(compare(&flow).await.verdict(), Verdict::Equal);
    stop(engine).await;
}

#[tokio::test]
async fn a_paused_engine_is_not_waited_for() {
    let flow = Flow::rows("pgoutput", LEDGER).await;
    let engine = flow.start();
    wait_for(&engine, "it streams", |status| {
        matches!(status.phase, Phase::Streaming { .. })
    })
    .await;
    engine.command(pgstream::status::Command::Pause).await;

    let refused = Box::pin(verify(&flow.pipeline, &options(), |_| ())).await;

    let error = refused.expect_err("a paused engine cannot come to a position");
    assert!(
        error.to_string().contains("the engine is paused"),
        "{error}"
    );
    stop(engine).await;
}
