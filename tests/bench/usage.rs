//! What a process of ours takes.

use tokio::process::Child;

/// Linux counts processor time in these (`USER_HZ`), on every architecture that PostgreSQL's
/// packages exist for.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the process has taken so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Highest resident memory, MiB.
    pub(crate) peak_mib: f64,
    /// Processor time of user and system, seconds.
    pub(crate) cpu_seconds: f64,
}

impl Usage {
    /// Asks the system, which tells only on Linux and while the process is there.
    pub(crate) fn of(process: &Child) -> Option<Self> {
        let pid = process.id()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let peak_kib: f64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        let ticks = |at| fields.split_whitespace().nth(at)?.parse::<f64>().ok();
        let cpu_seconds = (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND;
        Some(Self {
            peak_mib: peak_kib / 1024.0,
            cpu_seconds,
        })
    }
}
