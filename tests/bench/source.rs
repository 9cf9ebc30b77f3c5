//! What we cost the source: the time that `init` adds to a schema change in a database of many objects,
//! how long describing those takes, and what a busy source pays while its changes are streamed.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use pgstream::runtime::clock;
use tokio_postgres::Client;

use crate::options::Options;
use crate::ours::Ours;
use crate::report::percentile;
use crate::servers::{Servers, connect};

const SLOT: &str = "source_cost";
const DATABASE: &str = "source_cost";
/// pgbench's clients, and its seconds a run.
const CLIENTS: &str = "2";
const SECONDS: &str = "8";

/// Each is measured on objects of its own; `{n}` is the number of one.
const COMMANDS: [(&str, &str); 8] = [
    (
        "CREATE TABLE",
        "CREATE TABLE made_{n} (id bigserial PRIMARY KEY, v text NOT NULL)",
    ),
    (
        "ADD COLUMN",
        "ALTER TABLE made_{n} ADD COLUMN w int DEFAULT 0",
    ),
    ("CREATE INDEX", "CREATE INDEX ON made_{n} (w)"),
    (
        "CREATE VIEW",
        "CREATE VIEW shown_{n} AS SELECT id, v FROM made_{n}",
    ),
    (
        "CREATE FUNCTION",
        "CREATE FUNCTION told_{n}() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ),
    ("GRANT", "GRANT SELECT ON made_{n} TO PUBLIC"),
    ("RENAME", "ALTER TABLE made_{n} RENAME TO renamed_{n}"),
    ("DROP", "DROP TABLE renamed_{n} CASCADE"),
];

/// What the source pays, without us and with us.
#[derive(Debug, Default)]
pub(crate) struct SourceCost {
    objects: u64,
    /// The milliseconds of each command.
    commands: [[Vec<f64>; 2]; COMMANDS.len()],
    init: Duration,
    describe: Duration,
    busy: [Vec<Busy>; 2],
}

/// A run of pgbench.
#[derive(Debug, Clone, Copy)]
struct Busy {
    transactions_per_second: f64,
    /// Processor time of the source's server a transaction, milliseconds.
    cpu_ms: f64,
}

/// Measures all of it; `pgbench` stands beside the server.
pub(crate) async fn measure(servers: &Servers, options: &Options) -> anyhow::Result<SourceCost> {
    let mut cost = SourceCost {
        objects: options.rows.min(10_000),
        ..SourceCost::default()
    };
    let source = fresh(servers).await?;
    fill(&source, cost.objects).await?;
    for with_us in [false, true] {
        if with_us {
            (cost.init, cost.describe) = install(servers, &source).await?;
        }
        for (command, (_, sql)) in COMMANDS.iter().enumerate() {
            for sample in 0..options.samples {
                let sql = sql.replace("{n}", &format!("{with_us}_{sample}"));
                let begun = clock::now();
                source.batch_execute(&sql).await?;
                let took = begun.elapsed().as_secs_f64() * 1e3;
                cost.commands[command][usize::from(with_us)].push(took);
            }
        }
    }
    drop(source);
    for round in 0..options.rounds {
        for turn in 0..2 {
            let with_us = (round + turn) % 2 == 1;
            let busy = pgbench(servers, with_us).await?;
            eprintln!("  pgbench, with us: {with_us}: {busy}");
            cost.busy[usize::from(with_us)].push(busy);
        }
    }
    clear(servers).await?;
    Ok(cost)
}

/// As many tables, functions and views, in parts: each holds its locks until it is committed.
async fn fill(source: &Client, objects: u64) -> anyhow::Result<()> {
    for first in (0..objects).step_by(500) {
        let last = (first + 500).min(objects) - 1;
        let sql = format!(
            "DO $$ BEGIN FOR n IN {first}..{last} LOOP
               EXECUTE format('CREATE TABLE kept_%s (id int PRIMARY KEY, v text)', n);
               EXECUTE format('CREATE VIEW seen_%s AS SELECT v FROM kept_%s', n, n);
               EXECUTE format('CREATE FUNCTION known_%s(int) RETURNS int LANGUAGE sql
                               RETURN (SELECT $1 + count(*) FROM kept_%s)', n, n);
             END LOOP; END $$"
        );
        source.batch_execute(&sql).await?;
    }
    Ok(source.batch_execute("VACUUM ANALYZE").await?)
}

/// Installs with the program; returns how long that took, and describing everything once more.
async fn install(servers: &Servers, source: &Client) -> anyhow::Result<(Duration, Duration)> {
    let begun = clock::now();
    let init = pgstream(servers, "init").status().await?;
    ensure!(init.success(), "init: {init}");
    let took = begun.elapsed();
    let begun = clock::now();
    source
        .batch_execute("SELECT pgstream.describe_all()")
        .await?;
    Ok((took, begun.elapsed()))
}

/// Lets pgbench work on a fresh database.
async fn pgbench(servers: &Servers, with_us: bool) -> anyhow::Result<Busy> {
    let source = fresh(servers).await?;
    let ours = if with_us {
        install(servers, &source).await?;
        let command = pgstream(servers, "run");
        Some(Ours::spawn(command)?)
    } else {
        None
    };
    run_pgbench(servers, &["--initialize", "--quiet"]).await?;
    let before = servers.source_cpu_seconds()?;
    let said = run_pgbench(servers, &["--client", CLIENTS, "--time", SECONDS]).await?;
    let cpu_seconds = servers.source_cpu_seconds()? - before;
    if let Some(ours) = ours {
        ours.stop().await?;
    }
    let number = |name: &str| -> anyhow::Result<f64> {
        let found = said.split(name).nth(1).context("pgbench says it")?;
        let digits = found.trim_start_matches([':', ' ', '=']);
        let end = digits.find([' ', '\n']).unwrap_or(digits.len());
        Ok(digits[..end].parse()?)
    };
    Ok(Busy {
        transactions_per_second: number("\ntps")?,
        cpu_ms: cpu_seconds * 1e3 / number("actually processed")?,
    })
}

async fn run_pgbench(servers: &Servers, arguments: &[&str]) -> anyhow::Result<String> {
    let output = tokio::process::Command::new(servers.program("pgbench"))
        .args(arguments)
        .arg(servers.source_url_of(DATABASE))
        .stderr(Stdio::null())
        .output()
        .await
        .context("pgbench")?;
    ensure!(output.status.success(), "pgbench: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

fn pgstream(servers: &Servers, command: &str) -> tokio::process::Command {
    let mut program = servers.pgstream();
    program
        .args(["--log-level", "error", "--headless", command])
        .env(
            "PGSTREAM_POSTGRES_LISTENER_URL",
            servers.source_url_of(DATABASE),
        )
        .env("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", SLOT)
        .env(
            "PGSTREAM_POSTGRES_WRITER_TARGET_URL",
            servers.target_url_of(DATABASE),
        )
        .env(
            "PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL",
            servers.source_url_of(DATABASE),
        );
    program
}

/// Makes both databases anew; returns a session with the source's.
async fn fresh(servers: &Servers) -> anyhow::Result<Client> {
    clear(servers).await?;
    for administrator in administrators(servers) {
        let session = connect(&administrator).await?;
        session
            .batch_execute(&format!("CREATE DATABASE {DATABASE}"))
            .await?;
    }
    connect(&servers.source_url_of(DATABASE)).await
}

async fn clear(servers: &Servers) -> anyhow::Result<()> {
    let drop_slots = format!(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots \
         WHERE slot_name = '{SLOT}'"
    );
    for administrator in administrators(servers) {
        let session = connect(&administrator).await?;
        session.batch_execute(&drop_slots).await?;
        session
            .batch_execute(&format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))
            .await?;
    }
    Ok(())
}

fn administrators(servers: &Servers) -> [String; 2] {
    [
        servers.source_url_of("postgres"),
        servers.target_url_of("postgres"),
    ]
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0} transactions/s, {:.3} ms of the source's CPU each",
            self.transactions_per_second, self.cpu_ms
        )
    }
}

impl fmt::Display for SourceCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\na source with {0} tables, {0} views and {0} functions: init {1:.1} s, \
             describing all again {2:.1} s",
            self.objects,
            self.init.as_secs_f64(),
            self.describe.as_secs_f64()
        )?;
        writeln!(
            f,
            "schema change, ms    without p50      p99   with us p50      p99   added p50"
        )?;
        for ((name, _), [without, with]) in COMMANDS.iter().zip(&self.commands) {
            let at = |taken: &Vec<f64>, percent| percentile(taken.clone(), percent);
            let added = at(with, 50) - at(without, 50);
            writeln!(
                f,
                "{name:<18} {:>13.2} {:>8.2} {:>13.2} {:>8.2} {added:>11.2}",
                at(without, 50),
                at(without, 99),
                at(with, 50),
                at(with, 99),
            )?;
        }
        for (name, runs) in ["without us", "with us"].iter().zip(&self.busy) {
            let median = |of: fn(&Busy) -> f64| percentile(runs.iter().map(of).collect(), 50);
            let busy = Busy {
                transactions_per_second: median(|run| run.transactions_per_second),
                cpu_ms: median(|run| run.cpu_ms),
            };
            writeln!(f, "pgbench, {CLIENTS} clients, {name}: {busy}")?;
        }
        Ok(())
    }
}
