//! The real program as a user runs it, with nothing but the addresses and the slot set.

use std::process::{ExitStatus, Stdio};

use anyhow::ensure;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::drain::OUR_SLOT;
use crate::servers::Servers;

/// Linux counts processor time in these (`USER_HZ`), on every architecture that PostgreSQL's
/// packages exist for.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running `pgstream run`; killed when dropped.
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

/// Returns the variables that it is started with.
pub(crate) fn environment(servers: &Servers, slot: &str) -> [(&'static str, String); 3] {
    [
        ("PGSTREAM_POSTGRES_LISTENER_URL", servers.source_url()),
        ("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", slot.to_owned()),
        ("PGSTREAM_POSTGRES_WRITER_TARGET_URL", servers.ours_url()),
    ]
}

impl Ours {
    /// Starts it on the bench's slot.
    pub(crate) fn start(servers: &Servers) -> anyhow::Result<Self> {
        Self::start_on(servers, OUR_SLOT, "error")
    }

    /// Starts it on a slot, with the log at a level. At `trace` nobody reads the log: it would fill
    /// the terminal, and what the terminal costs is not what is measured.
    pub(crate) fn start_on(servers: &Servers, slot: &str, level: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(&servers.pgstream);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PGSTREAM_")) {
            command.env_remove(name);
        }
        if level == "trace" {
            command.stderr(Stdio::null());
        }
        let process = command
            .args(["--log-level", level, "--headless", "run"])
            .envs(environment(servers, slot))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
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
