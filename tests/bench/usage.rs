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
        let cpu_seconds = Process::of(pid)?.cpu_seconds;
        Some(Self {
            peak_mib: peak_kib / 1024.0,
            cpu_seconds,
        })
    }
}

/// What the system keeps of a process.
struct Process {
    parent: u32,
    cpu_seconds: f64,
    /// Of its children that have ended.
    ended_cpu_seconds: f64,
}

impl Process {
    fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let seconds = |at: usize| Some(fields.get(at)?.parse::<f64>().ok()? / TICKS_PER_SECOND);
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            cpu_seconds: seconds(11)? + seconds(12)?,
            ended_cpu_seconds: seconds(13)? + seconds(14)?,
        })
    }
}

/// Returns the processor time that a server and all its sessions have taken so far, seconds.
pub(crate) fn server_cpu_seconds(postmaster: u32) -> Option<f64> {
    let own = Process::of(postmaster)?;
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let children = processes
        .filter_map(|entry| Process::of(entry.file_name().to_str()?.parse().ok()?))
        .filter(|process| process.parent == postmaster)
        .map(|process| process.cpu_seconds);
    Some(children.sum::<f64>() + own.cpu_seconds + own.ended_cpu_seconds)
}
