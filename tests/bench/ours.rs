//! The real program as a user runs it, with nothing but the addresses and the slot set.

use std::process::{ExitStatus, Stdio};

use anyhow::ensure;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::drain::OUR_SLOT;
use crate::servers::Servers;
use crate::usage::Usage;

/// A running `pgstream run`; killed when dropped.
pub(crate) struct Ours {
    process: Child,
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
        let mut command = servers.pgstream();
        if level == "trace" {
            command.stderr(Stdio::null());
        }
        command
            .args(["--log-level", level, "--headless", "run"])
            .envs(environment(servers, slot));
        Self::spawn(command)
    }

    /// Starts a command that runs the engine.
    pub(crate) fn spawn(mut command: Command) -> anyhow::Result<Self> {
        let process = command.spawn()?;
        Ok(Self { process })
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// Returns what it has taken, where the system tells (Linux).
    pub(crate) fn usage(&self) -> Option<Usage> {
        Usage::of(&self.process)
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
