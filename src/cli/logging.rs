//! Logs to stderr through tracing. Our targets are short (`slot`, `decode`, `apply`, `schema`,
//! `snapshot`, `sql`, `config`) and follow `--log-level`; crates that we use speak only to warn.

use std::env;
use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::progress;
use crate::config::{LogFormat, LogLevel, Logging};

/// The targets that events of ours carry; `pgstream` is for those that name none.
pub(super) const TARGETS: [&str; 8] = [
    "slot", "decode", "apply", "schema", "snapshot", "sql", "config", "pgstream",
];

/// Starts logging, for the whole process; a second call changes nothing.
pub(super) fn start(logging: Logging, colour: bool) {
    let builder = fmt()
        .with_env_filter(filter(logging.level))
        .with_writer(|| Lines)
        .log_internal_errors(false)
        .with_ansi(colour);
    let started = match logging.format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
    // Only a test that calls several commands in one process gets here twice.
    drop(started);
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
    use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
    use tracing_subscriber::reload;

    let (layer, feed) = crate::console::LogLayer::new();
    let (filtered, handle) = reload::Layer::new(filter(level));
    let registry = tracing_subscriber::registry().with(layer.with_filter(filtered));
    // Only a test that calls several commands in one process gets here twice.
    drop(registry.try_init());
    // It can only fail when the subscriber is gone, and the log with it.
    let set_levels = move |levels: &[_]| drop(handle.reload(filter_by_target(levels)));
    feed.with_levels(&TARGETS, set_levels)
}

/// A crate that we use is named by a path, and speaks only to warn unless its level was chosen.
#[cfg(feature = "tui")]
fn filter_by_target(levels: &[(&str, tracing::level_filters::LevelFilter)]) -> EnvFilter {
    let chosen = levels
        .iter()
        .map(|(target, level)| format!("{target}={level}"));
    let directives: Vec<String> = chosen.collect();
    EnvFilter::new(format!("{},{}", LogLevel::Warn, directives.join(",")))
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
