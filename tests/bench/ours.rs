//! Our engine in a process of its own, so that its memory and processor time are its alone.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pgstream::config::{
    Batch, ConnectionSettings, NullNumbers, OnConflict, Pipeline, Plugin, Snapshot, TableFilter,
};
use pgstream::engine::status::Command as EngineCommand;
use pgstream::engine::{Engine, EngineOptions, Outcome};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

use crate::drain::OUR_SLOT;
use crate::servers::Servers;

/// The bench starts itself with this to be the engine.
pub(crate) const ENGINE_ARGUMENT: &str = "--engine";

/// Linux counts processor time in these (`USER_HZ`), on every architecture that PostgreSQL's
/// packages exist for.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running engine; killed when dropped.
pub(crate) struct Ours {
    process: Child,
}

/// What the process has taken so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Highest resident memory, MiB.
    pub(crate) peak_mib: f64,
    /// Processor time of user and system, seconds.
    pub(crate) cpu_seconds: f64,
}

impl Ours {
    /// Starts it on the bench's slot.
    pub(crate) fn start(servers: &Servers) -> anyhow::Result<Self> {
        let process = Command::new(std::env::current_exe()?)
            .args([ENGINE_ARGUMENT, &servers.source_url(), &servers.ours_url()])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { process })
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// Returns what it has taken, where the system tells (Linux).
    pub(crate) fn usage(&self) -> Option<Usage> {
        let pid = self.process.id()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let peak_kib: f64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        let ticks = |at| fields.split_whitespace().nth(at)?.parse::<f64>().ok();
        let cpu_seconds = (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND;
        Some(Usage {
            peak_mib: peak_kib / 1024.0,
            cpu_seconds,
        })
    }

    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.process.id() {
            kill(Pid::from_raw(pid.try_into()?), Signal::SIGTERM)?;
        }
        let status = self.process.wait().await?;
        ensure!(status.success(), "our process: {status}");
        Ok(())
    }
}

/// Is the engine: arguments are the source's and the target's address.
pub(crate) async fn engine(arguments: &[String]) -> anyhow::Result<()> {
    let [source, target] = arguments else {
        bail!("two addresses are needed")
    };
    let mut handle = Engine::start(pipeline(source, target)?, EngineOptions::default());
    let remote = handle.remote();
    let mut terminate = signal(SignalKind::terminate())?;
    let outcome = tokio::select! {
        outcome = handle.join() => outcome,
        _ = terminate.recv() => {
            remote.command(EngineCommand::Stop).await;
            handle.join().await
        }
    };
    match outcome {
        Outcome::Stopped => Ok(()),
        Outcome::Failed(failure) => bail!("{failure:?}"),
    }
}

/// The built-in defaults.
fn pipeline(source: &str, target: &str) -> anyhow::Result<Pipeline> {
    let settings = |url: &str| ConnectionSettings::parse(url).context("an address");
    Ok(Pipeline {
        source: settings(source)?,
        target: settings(target)?,
        slot: Some(OUR_SLOT.parse()?),
        plugin: Plugin::default(),
        batch: Batch {
            size: 100,
            size_is_set: false,
            timeout: Duration::from_secs(5),
        },
        disable_triggers: false,
        on_conflict: OnConflict::Error,
        null_numbers: NullNumbers::default(),
        schema_log: None,
        filter: TableFilter::default(),
        snapshot: Snapshot {
            enabled: false,
            source: settings(source)?,
            tables: TableFilter::default(),
            worker_count: 1,
        },
        retry_timeout: Duration::from_secs(60),
    })
}
