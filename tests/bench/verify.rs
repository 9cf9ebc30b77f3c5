//! How long `pgstream verify` takes beside `COPY … TO` of the same tables on both sides at once, which is the
//! least that reading them takes, and beside `pgcopydb compare data`; and how long the stream stands still
//! for it, and users of the source wait, under load.

use std::fmt;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use pgstream::runtime::{clock, spawn};
use tokio::process::Command;

use crate::options::Options;
use crate::report::{median, percentile};
use crate::servers::{Servers, connect};
use crate::snapshot::copier::Copier;
use crate::snapshot::load::{LOADS, Load};
use crate::snapshot::{create_database, drop_database, fill};

const SLOT: &str = "bench_verify";

/// Between two commits of the load.
const PACE: Duration = Duration::from_millis(2);

/// Who reads both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Copy,
    Pgcopydb,
    Ours,
}

const READERS: [Reader; 3] = [Reader::Copy, Reader::Pgcopydb, Reader::Ours];

/// All rounds.
#[derive(Debug, Default)]
pub(crate) struct Table {
    runs: Vec<(&'static str, usize, Reader, f64)>,
    pauses_ms: Vec<f64>,
    /// Commits of the load, without and with comparisons.
    commits_ms: [Vec<f64>; 2],
}

/// Compares every load with every reader.
pub(crate) async fn measure(servers: &Servers, options: &Options) -> anyhow::Result<Table> {
    let mut table = Table::default();
    for load in LOADS {
        let pair = Pair::open(servers, load, options.rows).await?;
        if Reader::Pgcopydb.is_installed() {
            for round in 0..options.rounds {
                table.read(&pair, round, Reader::Pgcopydb).await?;
            }
        } else {
            eprintln!("  {:<12} pgcopydb is not installed", load.name);
        }
        pair.init().await?;
        for round in 0..options.rounds {
            let mut readers = [Reader::Copy, Reader::Ours];
            readers.rotate_left(round % 2);
            for reader in readers {
                table.read(&pair, round, reader).await?;
            }
        }
        if load.name == "many" {
            pair.under_load(options.samples, &mut table).await?;
        }
        pair.close().await?;
    }
    Ok(table)
}

impl Reader {
    fn is_installed(self) -> bool {
        self != Self::Pgcopydb || Copier::Pgcopydb.is_installed()
    }
}

/// Two equal databases, with a pipeline between them behind [`Pair::init`]: `pgcopydb` compares our own tables,
/// too, of which each side has others.
struct Pair<'a> {
    servers: &'a Servers,
    load: Load,
    tables: Vec<String>,
}

impl<'a> Pair<'a> {
    async fn open(servers: &'a Servers, load: Load, row_count: u64) -> anyhow::Result<Self> {
        fill(servers, load, row_count).await?;
        create_database(&servers.target_url_of("postgres"), load.name).await?;
        let target = connect(&servers.target_url_of(load.name)).await?;
        target.batch_execute(&(load.fill)(row_count)).await?;
        target.batch_execute("VACUUM (ANALYZE, FREEZE)").await?;
        let sql = "SELECT c.relname FROM pg_class AS c WHERE c.relkind = 'r' \
                   AND c.relnamespace = 'public'::regnamespace ORDER BY pg_table_size(c.oid) DESC";
        let tables = target.query(sql, &[]).await?;
        Ok(Self {
            servers,
            load,
            tables: tables.iter().map(|row| row.get(0)).collect(),
        })
    }

    async fn init(&self) -> anyhow::Result<()> {
        let url = self.servers.source_url_of(self.load.name);
        let mut init = self.servers.pgstream();
        init.args(["init", "--pgurl", &url, "--replication-slot", SLOT]);
        done(&mut init).await
    }

    async fn close(self) -> anyhow::Result<()> {
        let url = self.servers.source_url_of(self.load.name);
        let mut down = self.servers.pgstream();
        down.args(["tear-down", "--pgurl", &url, "--replication-slot", SLOT]);
        done(&mut down).await?;
        let source = connect(&self.servers.source_url_of("postgres")).await?;
        drop_database(&source, self.load.name).await?;
        let target = connect(&self.servers.target_url_of("postgres")).await?;
        drop_database(&target, self.load.name).await
    }

    /// Returns how many seconds it took.
    async fn read(&self, reader: Reader) -> anyhow::Result<f64> {
        let started = clock::now();
        match reader {
            Reader::Copy => self.copy().await?,
            Reader::Pgcopydb => self.pgcopydb().await?,
            Reader::Ours => done(&mut self.pgstream(&["verify"])).await?,
        }
        Ok(started.elapsed().as_secs_f64())
    }

    fn pgstream(&self, arguments: &[&str]) -> Command {
        let name = self.load.name;
        let mut command = self.servers.pgstream();
        command
            .args(["--log-level", "error"])
            .args(arguments)
            .env(
                "PGSTREAM_POSTGRES_LISTENER_URL",
                self.servers.source_url_of(name),
            )
            .env("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", SLOT)
            .env(
                "PGSTREAM_POSTGRES_WRITER_TARGET_URL",
                self.servers.target_url_of(name),
            );
        command
    }

    /// One session a side, table by table.
    async fn copy(&self) -> anyhow::Result<()> {
        let script: Vec<String> = self
            .tables
            .iter()
            .map(|table| format!("COPY {table} TO STDOUT;"))
            .collect();
        let script = script.join(" ");
        let name = self.load.name;
        let read = async |url: String| {
            let mut psql = Command::new(self.servers.program("psql"));
            psql.args(["-X", "-q", "-d", &url, "-c", &script])
                .stdout(Stdio::null());
            done(&mut psql).await
        };
        let (source, target) = tokio::join!(
            read(self.servers.source_url_of(name)),
            read(self.servers.target_url_of(name))
        );
        source.and(target)
    }

    async fn pgcopydb(&self) -> anyhow::Result<()> {
        let name = self.load.name;
        let directory = tempfile::TempDir::new()?;
        let mut compare = Command::new("pgcopydb");
        compare
            .args(["compare", "data", "--dir"])
            .arg(directory.path())
            .args(["--source", &self.servers.source_url_of(name)])
            .args(["--target", &self.servers.target_url_of(name)])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        done(&mut compare).await
    }

    /// Compares a table again and again while a pipeline streams what somebody commits.
    async fn under_load(&self, samples: usize, table: &mut Table) -> anyhow::Result<()> {
        let mut running = self.pgstream(&["--headless", "run"]).spawn()?;
        for (with, commits_ms) in table.commits_ms.iter_mut().enumerate() {
            let stopped = Arc::new(AtomicBool::new(false));
            let url = self.servers.source_url_of(self.load.name);
            let mut writer = spawn("load", write(url, Arc::clone(&stopped)));
            if with == 1 {
                for _ in 0..samples {
                    let mut found = self.pgstream(&["verify", "--table", "item_7", "--json"]);
                    let found = found.stdout(Stdio::piped()).output().await?;
                    let report: serde_json::Value = serde_json::from_slice(&found.stdout)?;
                    let pauses = report["pauses_ms"].as_array().context("pauses")?;
                    table
                        .pauses_ms
                        .extend(pauses.iter().filter_map(serde_json::Value::as_f64));
                }
            } else {
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
            stopped.store(true, Ordering::Relaxed);
            let written = writer
                .join()
                .await
                .map_err(|end| anyhow::anyhow!("{end:?}"))?;
            *commits_ms = written?;
        }
        running.kill().await?;
        Ok(())
    }
}

/// Commits until it is told to stop; returns how long each commit took.
async fn write(url: String, stopped: Arc<AtomicBool>) -> anyhow::Result<Vec<f64>> {
    let client = connect(&url).await?;
    let mut took_ms = Vec::new();
    let mut pace = tokio::time::interval(PACE);
    while !stopped.load(Ordering::Relaxed) {
        pace.tick().await;
        let began = clock::now();
        let id = took_ms.len() % 1_000 + 1;
        let sql = format!("UPDATE item_7 SET amount = amount + 1 WHERE id = {id}");
        client.batch_execute(&sql).await?;
        took_ms.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(took_ms)
}

async fn done(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().await?;
    ensure!(
        status.success(),
        "{:?}: {status}",
        command.as_std().get_program()
    );
    Ok(())
}

impl Table {
    async fn read(&mut self, pair: &Pair<'_>, round: usize, reader: Reader) -> anyhow::Result<()> {
        let name = pair.load.name;
        pair.servers.settle().await?;
        let took = pair.read(reader).await;
        let took = took.with_context(|| format!("{name}, {reader:?}"))?;
        eprintln!("  {name:<12} {reader:?} {took:.3} s");
        self.runs.push((name, round, reader, took));
        Ok(())
    }

    fn times(&self, load: &str, reader: Reader) -> Vec<f64> {
        let runs = self.runs.iter();
        let wanted = runs.filter(|(name, _, by, _)| *name == load && *by == reader);
        wanted.map(|(.., took)| *took).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nverify           median s   ours takes")?;
        for Load { name, .. } in LOADS {
            let ours = self.times(name, Reader::Ours);
            for reader in READERS.into_iter().filter(|reader| reader.is_installed()) {
                let times = self.times(name, reader);
                let ratios = ours.iter().zip(&times).map(|(ours, other)| ours / other);
                let reader = format!("{reader:?}");
                let (middle, ratio) = (median(times.iter().copied()), median(ratios));
                writeln!(f, "{name:<6} {reader:<9} {middle:>9.2} {ratio:>11.2}x")?;
            }
        }
        let at = |values: &[f64], percent| percentile(values.to_vec(), percent);
        let [without, with] = &self.commits_ms;
        writeln!(
            f,
            "the stream stands still: median {:.1} ms, p99 {:.1} ms of {}\n\
             a commit on the source: p99 {:.2} ms without comparisons, {:.2} ms with them",
            at(&self.pauses_ms, 50),
            at(&self.pauses_ms, 99),
            self.pauses_ms.len(),
            at(without, 99),
            at(with, 99)
        )
    }
}
