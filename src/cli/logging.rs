//! Logs to stderr through tracing. Our targets are short (`slot`, `decode`, `apply`, `schema`,
//! `snapshot`, `sql`, `config`) and follow `--log-level`; crates that we use speak only to warn.

use std::env;
use std::io::{self, IsTerminal as _};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt, reload};

use crate::attach::log::LogHub;
use crate::config::{LogFormat, LogLevel, Logging};

use super::progress;

/// The targets that events of ours carry; `pgstream` is for those that name none.
pub(super) const TARGETS: [&str; 8] = [
    "slot", "decode", "apply", "schema", "snapshot", "sql", "config", "pgstream",
];

/// Starts logging, for the whole process; a second call changes nothing. Returns what those can read
/// who look at this process.
pub(super) fn start(logging: Logging, colour: bool) -> LogHub {
    let lines = fmt::layer()
        .with_writer(|| Lines)
        .log_internal_errors(false)
        .with_ansi(colour);
    let lines = match logging.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => fmt::layer()
            .with_writer(|| Lines)
            .log_internal_errors(false)
            .json()
            .flatten_event(true)
            .boxed(),
    };
    install(Some(lines.with_filter(filter(logging.level)).boxed()))
}

/// Starts logging for those alone who look at this process.
fn install(lines: Option<Box<dyn Layer<Registry> + Send + Sync>>) -> LogHub {
    let hub = LogHub::new(&TARGETS);
    let (filtered, handle) = reload::Layer::new(Targets::new());
    let registry = tracing_subscriber::registry().with(lines);
    let started = registry.with(hub.layer().with_filter(filtered)).try_init();
    // Only a test that calls several commands in one process gets here twice.
    drop(started);
    // It can only fail when the subscriber is gone, and the log with it.
    hub.on_levels(move |levels| drop(handle.reload(filter_by_target(levels))));
    hub
}

/// Writes lines to stderr, above the bars of a copy. A reader that went away is no failure: the work
/// goes on.
struct Lines;

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        progress::above_bars(|| drop(io::stderr().lock().write_all(line)));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts logging into the console, whose screen stderr would break. There the levels are chosen
/// while it runs.
#[cfg(feature = "tui")]
pub(super) fn start_on_screen(chosen: LogLevel) -> crate::console::LogFeed {
    install(None).follow(level(chosen).into())
}

/// Crates that we use speak only to warn, and less where nobody wants that much.
fn filter_by_target(levels: &[(&str, LevelFilter)]) -> Targets {
    let most = levels.iter().map(|(_, level)| *level).max();
    let others = most.unwrap_or(LevelFilter::OFF).min(LevelFilter::WARN);
    Targets::new()
        .with_default(others)
        .with_targets(levels.iter().copied())
}

/// Returns whether stderr takes colours: a terminal, no `--no-color`, no `NO_COLOR`
/// (<https://no-color.org>).
pub(super) fn colour(no_color_flag: bool) -> bool {
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !no_color_flag && !no_color && io::stderr().is_terminal()
}

fn filter(chosen: LogLevel) -> Targets {
    filter_by_target(&TARGETS.map(|target| (target, level(chosen).into())))
}

pub(super) const fn level(level: LogLevel) -> tracing::Level {
    match level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    }
}
