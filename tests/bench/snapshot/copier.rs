//! Who copies a database, each as its users run it.

use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use pgstream::config::ConnectionSettings;
use pgstream::postgres::{CopySession, copy_through};
use pgstream::runtime::clock;
use tokio::process::Command;
use tokio::time::interval;
use tokio_postgres::Client;

use crate::servers::{Servers, connect};
use crate::usage::Usage;

use super::load::Load;

/// How often a subscription is asked whether it has all.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// How often we look at what our process has taken: it is gone when it is done.
const SAMPLE_EVERY: Duration = Duration::from_millis(10);
/// A copy that takes longer never ends.
const DEADLINE: Duration = Duration::from_secs(3_600);
/// pgcopydb copies larger tables in parts.
const SPLIT_ABOVE: &str = "64MB";

/// Who copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copier {
    /// `psql -c "COPY … TO STDOUT" | psql -c "COPY … FROM STDIN"`.
    Pipe(Format),
    /// The same two statements over our own connections.
    Through(Format),
    /// `pg_dump | psql`.
    Dump,
    /// `pg_dump -Fd -j`, then `pg_restore -j`.
    ParallelDump,
    /// PostgreSQL's own subscription with `copy_data`.
    Subscription,
    /// `pgcopydb clone`, where it is installed.
    Pgcopydb,
    /// `pgstream snapshot`.
    Ours,
}

/// How COPY writes rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Binary,
}

/// What is the same for all copiers of a round.
pub(crate) struct Task<'a> {
    pub(crate) servers: &'a Servers,
    pub(crate) load: Load,
    /// Copies at a time, for whom that can be said.
    pub(crate) jobs: usize,
}

impl Copier {
    /// Those who copy the rows of one table, in the order of the report: ours and the pipe of each
    /// format side by side.
    pub(crate) const ROWS: [Self; 4] = [
        Self::Pipe(Format::Text),
        Self::Through(Format::Text),
        Self::Pipe(Format::Binary),
        Self::Through(Format::Binary),
    ];

    /// Those who copy a database.
    pub(crate) const DATABASE: [Self; 5] = [
        Self::Dump,
        Self::ParallelDump,
        Self::Subscription,
        Self::Pgcopydb,
        Self::Ours,
    ];

    /// Returns with whom of [`Copier::ROWS`] or [`Copier::DATABASE`] this one is compared.
    pub(crate) const fn ours(self) -> Self {
        match self {
            Self::Pipe(format) | Self::Through(format) => Self::Through(format),
            _ => Self::Ours,
        }
    }

    /// Returns what the target must have before, as the arguments of the `pg_dump` that tells it.
    pub(crate) const fn needs(self) -> Option<&'static [&'static str]> {
        match self {
            // The columns alone.
            Self::Pipe(_) | Self::Through(_) => Some(&["--section=pre-data"]),
            // Keys and indexes too: the rows that come after the copy are found by them.
            Self::Subscription => Some(&["--schema-only"]),
            Self::Dump | Self::ParallelDump | Self::Pgcopydb | Self::Ours => None,
        }
    }

    /// Returns whether it can run here.
    pub(crate) fn is_installed(self) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        self != Self::Pgcopydb
            || std::env::split_paths(&path).any(|directory| directory.join("pgcopydb").is_file())
    }

    /// Copies. Returns how long it took, and what our process has taken.
    pub(crate) async fn copy(self, task: &Task<'_>) -> anyhow::Result<(Duration, Option<Usage>)> {
        let started = clock::now();
        let mut usage = None;
        match self {
            Self::Pipe(format) => task.pipe(format).await?,
            Self::Through(format) => task.through(format).await?,
            Self::Dump => task.dump(&[]).await?,
            Self::ParallelDump => task.dump_in_parallel().await?,
            Self::Subscription => task.subscribe().await?,
            Self::Pgcopydb => task.pgcopydb().await?,
            Self::Ours => usage = task.ours().await?,
        }
        let took = started.elapsed();
        if self == Self::Subscription {
            let target = connect(&task.target_url()).await?;
            target.batch_execute("DROP SUBSCRIPTION bench").await?;
        }
        Ok((took, usage))
    }
}

impl fmt::Display for Copier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pipe(Format::Text) => "psql | psql, text",
            Self::Pipe(Format::Binary) => "psql | psql, binary",
            Self::Through(Format::Text) => "ours, text",
            Self::Through(Format::Binary) => "ours, binary",
            Self::Dump => "pg_dump | psql",
            Self::ParallelDump => "pg_dump -j, pg_restore -j",
            Self::Subscription => "subscription",
            Self::Pgcopydb => "pgcopydb clone",
            Self::Ours => "pgstream snapshot",
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Binary => "binary",
        })
    }
}

impl Task<'_> {
    fn source_url(&self) -> String {
        self.servers.source_url_of(self.load.name)
    }

    fn target_url(&self) -> String {
        self.servers.target_url_of(self.load.name)
    }

    fn statements(&self, format: Format) -> anyhow::Result<(String, String)> {
        let table = self.load.only_table.context("several tables")?;
        Ok((
            format!("COPY public.{table} TO STDOUT (FORMAT {format})"),
            format!("COPY public.{table} FROM STDIN (FORMAT {format})"),
        ))
    }

    async fn pipe(&self, format: Format) -> anyhow::Result<()> {
        let (copy_to, copy_from) = self.statements(format)?;
        let line = r#""$1" -qX "$2" -c "$3" | "$1" -qX "$4" -c "$5""#;
        let (source, target) = (self.source_url(), self.target_url());
        self.shell(line, &["psql"], &[&source, &copy_to, &target, &copy_from])
            .await
    }

    async fn through(&self, format: Format) -> anyhow::Result<()> {
        let (copy_to, copy_from) = self.statements(format)?;
        let session = async |url: &str| {
            let settings = ConnectionSettings::parse(url)?;
            anyhow::Ok(CopySession::connect(&settings, "bench").await?)
        };
        let mut source = session(&self.source_url()).await?;
        let mut target = session(&self.target_url()).await?;
        copy_through(&mut source, &copy_to, &mut target, &copy_from, &|_, _| {}).await?;
        Ok(())
    }

    /// Everything that `pg_dump` prints with these arguments, into the target.
    pub(crate) async fn dump(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let line = r#""$1" $5 "$3" | "$2" -qX -v ON_ERROR_STOP=1 -o /dev/null "$4""#;
        let (source, target) = (self.source_url(), self.target_url());
        let arguments = arguments.join(" ");
        self.shell(line, &["pg_dump", "psql"], &[&source, &target, &arguments])
            .await
    }

    async fn dump_in_parallel(&self) -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let place = directory.path().join("dump").display().to_string();
        let jobs = self.jobs.to_string();
        let line = r#""$1" -Fd -j "$6" -f "$5" "$3" && "$2" -j "$6" -d "$4" "$5""#;
        let (source, target) = (self.source_url(), self.target_url());
        let values = [&*source, &target, &place, &jobs];
        self.shell(line, &["pg_dump", "pg_restore"], &values).await
    }

    /// A pipe of PostgreSQL's programs: they come first among the parameters of `line`.
    async fn shell(&self, line: &str, programs: &[&str], values: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new("bash");
        command.args(["-c", &format!("set -o pipefail; {line}"), "bash"]);
        command.args(programs.iter().map(|name| self.servers.program(name)));
        command.args(values).stdin(Stdio::null()).kill_on_drop(true);
        let status = command.status().await?;
        ensure!(status.success(), "{line}: {status}");
        Ok(())
    }

    async fn subscribe(&self) -> anyhow::Result<()> {
        let source = connect(&self.source_url()).await?;
        let target = connect(&self.target_url()).await?;
        source
            .batch_execute("CREATE PUBLICATION bench FOR ALL TABLES")
            .await?;
        let subscribe = format!(
            "CREATE SUBSCRIPTION bench CONNECTION '{}' PUBLICATION bench",
            self.source_url()
        );
        target.batch_execute(&subscribe).await?;
        until_copied(&target).await?;
        Ok(source.batch_execute("DROP PUBLICATION bench").await?)
    }

    async fn pgcopydb(&self) -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let place = directory.path().join("work").display().to_string();
        let jobs = self.jobs.to_string();
        let (source, target) = (self.source_url(), self.target_url());
        let output = Command::new("pgcopydb")
            .args([
                "clone", "--source", &source, "--target", &target, "--dir", &place,
            ])
            .args([
                "--table-jobs",
                &jobs,
                "--index-jobs",
                &jobs,
                "--skip-large-objects",
            ])
            .args(["--split-tables-larger-than", SPLIT_ABOVE])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let message = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "pgcopydb: {}\n{message}",
            output.status
        );
        Ok(())
    }

    async fn ours(&self) -> anyhow::Result<Option<Usage>> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("bench.env");
        let text = format!(
            "PGSTREAM_POSTGRES_LISTENER_URL=\"{}\"\n\
             PGSTREAM_POSTGRES_WRITER_TARGET_URL=\"{}\"\n\
             PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_WORKERS={}\n",
            self.source_url(),
            self.target_url(),
            self.jobs
        );
        std::fs::write(&file, text)?;
        run_ours(self.servers, &file).await
    }
}

async fn run_ours(servers: &Servers, file: &Path) -> anyhow::Result<Option<Usage>> {
    let mut process = servers
        .pgstream()
        .args(["--log-level", "error", "snapshot", "--headless", "-c"])
        .arg(file)
        .spawn()?;
    let mut samples = interval(SAMPLE_EVERY);
    let mut usage = None;
    let status = loop {
        tokio::select! {
            status = process.wait() => break status?,
            _ = samples.tick() => usage = Usage::of(&process).or(usage),
        }
    };
    ensure!(status.success(), "pgstream snapshot: {status}");
    Ok(usage)
}

/// Waits until every table is copied and handed over.
async fn until_copied(target: &Client) -> anyhow::Result<()> {
    let sql = "SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r'";
    let mut looks = interval(LOOK_EVERY);
    let copied = async {
        while !target.query(sql, &[]).await?.is_empty() {
            looks.tick().await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(DEADLINE, copied).await?
}
