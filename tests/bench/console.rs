//! What the console costs the engine, how soon a key shows on the screen meanwhile, and how soon
//! the first picture stands.
//!
//! The same backlog waits in one slot for each way to run; each way drains its own, without a
//! screen and with one in a pseudo-terminal of 120x40, at the levels `info` and `trace`. At `trace`
//! every row is a line of the log.

use std::fmt;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use pgstream::runtime::clock;
use portable_pty::CommandBuilder;

use crate::ours::{self, Ours};
use crate::pty::Terminal;
use crate::report::percentile;
use crate::servers::Servers;
use crate::{drain, workload};

/// Between two keys: somebody who presses them as fast as one can look.
const KEY_EVERY: Duration = Duration::from_millis(150);
/// Starts of the console of which the time is taken.
const OPENINGS: usize = 20;

/// A way to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    level: &'static str,
    console: bool,
}

const WAYS: [Way; 4] = [
    Way::new("info", false),
    Way::new("info", true),
    Way::new("trace", false),
    Way::new("trace", true),
];

impl Way {
    const fn new(level: &'static str, console: bool) -> Self {
        Self { level, console }
    }

    fn slot(self) -> String {
        format!("bench_{self}")
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.console { "console" } else { "headless" };
        write!(f, "{kind}_{}", self.level)
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    /// Seconds of each way, by round.
    took: [Vec<f64>; WAYS.len()],
    /// From a key to the screen, in milliseconds, while the log was at that way's level.
    keys: [Vec<f64>; WAYS.len()],
    /// From the start of the process to the first picture, in milliseconds.
    openings: Vec<f64>,
}

/// Measures everything.
pub(crate) async fn measure(
    servers: &Servers,
    row_count: u64,
    rounds: usize,
) -> anyhow::Result<Cost> {
    let mut cost = Cost::default();
    let inserts = &workload::all()[0];
    for round in 0..rounds {
        drain::prepare(servers, inserts, row_count).await?;
        for way in WAYS {
            let slot = way.slot();
            let make = format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')");
            let publish = format!("CREATE PUBLICATION {slot}_publication FOR ALL TABLES");
            servers.source.batch_execute(&publish).await?;
            servers.source.batch_execute(&make).await?;
        }
        drain::load(servers, inserts, row_count).await?;
        for turn in 0..WAYS.len() {
            let index = (round + turn) % WAYS.len();
            let (took, keys) = run(servers, WAYS[index])
                .await
                .with_context(|| WAYS[index].to_string())?;
            eprintln!("  {:<16} {took:>8.3?}", WAYS[index].to_string());
            cost.took[index].push(took.as_secs_f64());
            cost.keys[index].extend(keys);
            empty_target(servers).await?;
        }
        drain::clear(servers).await?;
        for way in WAYS {
            let drop = format!("DROP PUBLICATION {}_publication", way.slot());
            servers.source.batch_execute(&drop).await?;
        }
    }
    cost.openings = tokio::task::spawn_blocking(openings).await??;
    Ok(cost)
}

async fn run(servers: &Servers, way: Way) -> anyhow::Result<(Duration, Vec<f64>)> {
    servers.settle().await?;
    let started = clock::now();
    let slot = way.slot();
    if !way.console {
        let mut ours = Ours::start_on(servers, &slot, way.level)?;
        let took = tokio::select! {
            took = drain::until_finished(&servers.ours, started) => took?,
            ended = ours.ended() => anyhow::bail!("our process ended early: {ended:?}"),
        };
        ours.stop().await?;
        return Ok((took, Vec::new()));
    }
    let mut command = CommandBuilder::new(&servers.pgstream);
    command.args(["--log-level", way.level, "run"]);
    for (name, value) in ours::environment(servers, &slot) {
        command.env(name, value);
    }
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    let finished = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&finished);
    let typing = tokio::task::spawn_blocking(move || type_until(command, &over));
    let took = drain::until_finished(&servers.ours, started).await;
    finished.store(true, Ordering::Relaxed);
    let keys = typing.await??;
    Ok((took?, keys))
}

/// Presses keys that move the focus and takes the time until the screen shows it.
fn type_until(command: CommandBuilder, over: &AtomicBool) -> anyhow::Result<Vec<f64>> {
    let mut terminal = Terminal::start(command, (120, 40));
    terminal.wait_for("┏ 1 Slots");
    let mut keys = Vec::new();
    for (key, seen) in [
        ("2", "┏ 2 Schema log"),
        ("4", "┏ 4 Logs"),
        ("1", "┏ 1 Slots"),
    ]
    .into_iter()
    .cycle()
    {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let next = clock::now() + KEY_EVERY;
        while terminal.read_until(next) {}
        let pressed = clock::now();
        terminal.keys(key);
        terminal.wait_for(seen);
        keys.push(pressed.elapsed().as_secs_f64() * 1e3);
    }
    terminal.keys("\x03\x03");
    ensure!(terminal.end() == 0, "the console ended with a failure");
    Ok(keys)
}

async fn empty_target(servers: &Servers) -> anyhow::Result<()> {
    servers
        .ours
        .batch_execute("DROP SCHEMA IF EXISTS pgstream CASCADE")
        .await?;
    for (table, _) in workload::TABLES {
        let truncate = format!("TRUNCATE {table}");
        servers.ours.batch_execute(&truncate).await?;
    }
    Ok(())
}

/// Opens the console over servers that accept a connection and never say a word.
fn openings() -> anyhow::Result<Vec<f64>> {
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let port = silent.local_addr()?.port();
    let url = |name: &str| format!("postgres://nobody@127.0.0.1:{port}/{name}?sslmode=disable");
    let mut times = Vec::new();
    for _ in 0..OPENINGS {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pgstream"));
        command.arg("run");
        command.env("PGSTREAM_POSTGRES_LISTENER_URL", url("one"));
        command.env("PGSTREAM_POSTGRES_WRITER_TARGET_URL", url("two"));
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        let started = clock::now();
        let mut terminal = Terminal::start(command, (120, 40));
        terminal.wait_for("┏ 1 Slots");
        times.push(started.elapsed().as_secs_f64() * 1e3);
        terminal.keys("\x03\x03\x03");
        terminal.end();
    }
    Ok(times)
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nconsole         seconds (median)   of headless    key to screen, ms: p50    p95    max"
        )?;
        for (index, way) in WAYS.iter().enumerate() {
            let headless = &self.took[index - usize::from(way.console)];
            let ratios = self.took[index].iter().zip(headless);
            let ratio = percentile(ratios.map(|(one, other)| one / other).collect(), 50);
            let took = percentile(self.took[index].clone(), 50);
            write!(
                f,
                "{:<16} {took:>16.3} {:>12.1}%",
                way.to_string(),
                ratio * 100.0
            )?;
            let key = |percent| percentile(self.keys[index].clone(), percent);
            match way.console {
                true => writeln!(f, "{:>27.1} {:>6.1} {:>6.1}", key(50), key(95), key(100))?,
                false => writeln!(f)?,
            }
        }
        let opening = |percent| percentile(self.openings.clone(), percent);
        writeln!(
            f,
            "first picture, ms: p50 {:.1}, max {:.1}",
            opening(50),
            opening(100)
        )
    }
}
