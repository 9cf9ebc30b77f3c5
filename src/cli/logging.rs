//! Logs to stderr through tracing. Our targets are short (`slot`, `decode`, `apply`, `schema`,
//! `snapshot`, `sql`, `config`) and follow `--log-level`; crates that we use speak only to warn.

use std::env;
use std::io::{self, IsTerminal as _};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt, reload};

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
    let (filtered, handle) = reload::Layer::new(EnvFilter::new("off"));
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
pub(super) fn start_on_screen(level: LogLevel) -> crate::console::LogFeed {
    let level: tracing::Level = super::screen::level(level);
    install(None).follow(level.into())
}

/// A crate that we use is named by a path, and speaks only to warn unless its level was chosen.
fn filter_by_target(levels: &[(&str, LevelFilter)]) -> EnvFilter {
    let Some(most) = levels.iter().map(|(_, level)| *level).max() else {
        return EnvFilter::new("off");
    };
    let others = most.min(LevelFilter::WARN);
    let chosen = levels
        .iter()
        .map(|(target, level)| format!("{target}={level}"));
    let directives: Vec<String> = chosen.collect();
    EnvFilter::new(format!("{others},{}", directives.join(",")))
}

/// Returns whether stderr takes colours: a terminal, no `--no-color`, no `NO_COLOR`
/// (<https://no-color.org>).
pub(super) fn colour(no_color_flag: bool) -> bool {
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !no_color_flag && !no_color && io::stderr().is_terminal()
}

fn filter(level: LogLevel) -> EnvFilter {
    let others = match level {
        LogLevel::Error => LogLevel::Error,
        LogLevel::Trace | LogLevel::Debug | LogLevel::Info | LogLevel::Warn => LogLevel::Warn,
    };
    let ours = TARGETS.map(|target| format!("{target}={level}")).join(",");
    EnvFilter::new(format!("{others},{ours}"))
}
