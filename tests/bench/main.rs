//! `make bench`: how fast a backlog reaches the target, how soon a single row does, how long a first
//! copy takes ([`snapshot`]) and a comparison of both sides ([`verify`]), and what all of it costs the
//! source ([`source`]).
//!
//! Three readers drain the same backlog from slots that were made before it: `pg_recvlogical` into
//! nothing (what the source can send), PostgreSQL's own subscription, and `pgstream run`, each in
//! processes of its own. They take turns in every round, so that a busy machine is unfair to all of
//! them alike, and what is compared is the ratio within a round.
//!
//! ```text
//!  per round:  equal tables ─> three slots ─> load ─> (reader, until its target has the last row) × 3
//!                                                      └─> equal counts and sums, or the bench fails
//! ```
//!
//! A time never fails the bench: a wrong row and too much memory do.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints what it measured"
)]

mod console;
mod drain;
mod large;
mod latency;
mod options;
mod ours;
#[path = "../it/console/pty.rs"]
#[expect(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "it belongs to the tests, which need more of it and fail by a panic"
)]
mod pty;
mod report;
mod servers;
mod snapshot;
mod source;
mod usage;
mod verify;
mod workload;

use std::process::ExitCode;

use anyhow::{Context as _, bail};

use options::Options;
use report::{Report, Run};
use servers::Servers;
use workload::Workload;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let outcome = Options::parse(arguments).and_then(|options| runtime.block_on(bench(&options)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

async fn bench(options: &Options) -> anyhow::Result<()> {
    let servers = Servers::start(options).await?;
    println!(
        "PostgreSQL {}, {}",
        servers.version().await?,
        options.transport
    );
    if options.large {
        return large::check(&servers).await;
    }
    let mut report = Report::default();
    for round in 0..options.rounds {
        for workload in workload::all()
            .iter()
            .filter(|workload| options.wants(workload.name))
        {
            let runs = drain_in_turn(&servers, workload, options.rows, round).await;
            let runs = runs.with_context(|| format!("{} in round {round}", workload.name))?;
            report.add(workload, runs);
        }
    }
    print!("{report}");
    if options.wants("latency") {
        print!(
            "{}",
            latency::measure(&servers, options.samples, options.rounds).await?
        );
    }
    if options.wants("console") {
        let rows = options.console_rows();
        print!(
            "{}",
            console::measure(&servers, rows, options.rounds).await?
        );
    }
    if options.wants("source") {
        print!("{}", source::measure(&servers, options).await?);
    }
    if options.wants("snapshot") {
        print!("{}", snapshot::measure(&servers, options).await?);
    }
    if options.wants("verify") {
        print!("{}", verify::measure(&servers, options).await?);
    }
    Ok(())
}

/// Lets each reader drain the same load; who is first changes with the round.
async fn drain_in_turn(
    servers: &Servers,
    workload: &Workload,
    row_count: u64,
    round: usize,
) -> anyhow::Result<Vec<Run>> {
    drain::prepare(servers, workload, row_count).await?;
    let load = drain::load(servers, workload, row_count).await?;
    let mut runs = Vec::new();
    for turn in 0..drain::READERS.len() {
        let reader = drain::READERS[(round + turn) % drain::READERS.len()];
        servers.settle().await?;
        let run = drain::drain(servers, reader, &load).await;
        let run = run.with_context(|| format!("{reader:?}"))?;
        eprintln!("  {:<12} {run}", workload.name);
        runs.push(run);
    }
    let differing = drain::differences(servers, workload).await?;
    drain::clear(servers).await?;
    if !differing.is_empty() {
        bail!(
            "the target is not equal to the source:\n{}",
            differing.join("\n")
        );
    }
    Ok(runs)
}
