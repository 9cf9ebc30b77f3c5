//! The real program as a user runs it, with nothing but the addresses and the slot set.

use std::process::ExitStatus;

use anyhow::ensure;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;

use crate::drain::OUR_SLOT;
use crate::servers::Servers;
use crate::usage::Usage;

/// A running `pgstream run`; killed when dropped.
pub(crate) struct Ours {
    process: Child,
}

impl Ours {
    /// Starts it on the bench's slot.
    pub(crate) fn start(servers: &Servers) -> anyhow::Result<Self> {
        let process = servers
            .pgstream()
            .args(["--log-level", "error", "run"])
            .env("PGSTREAM_POSTGRES_LISTENER_URL", servers.source_url())
            .env("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", OUR_SLOT)
            .env("PGSTREAM_POSTGRES_WRITER_TARGET_URL", servers.ours_url())
            .spawn()?;
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
