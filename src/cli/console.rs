//! Whether a command gets a screen, and the console over a running engine.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;

use super::Failure;
use super::args::{GlobalArguments, RunArguments};
use super::logging;
use super::runtime::block_on;
use crate::config::{Configuration, Inputs, LogLevel, Origin, key};
use crate::console::{self, ConsoleOptions, EngineLink, Launch, Opening, Palette};
use crate::engine::{Engine, EngineOptions};
use crate::model::Lsn;

/// Returns whether there is a terminal to draw on, and nobody has said no.
pub(super) fn is_wanted(global: &GlobalArguments) -> bool {
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    terminal && !global.headless && console::is_capable()
}

/// Streams with the console on the terminal. The log goes to the console instead of stderr.
pub(super) fn run(
    configuration: &Configuration,
    arguments: &RunArguments,
    global: &GlobalArguments,
) -> Result<ExitCode, Failure> {
    stream(configuration, arguments.skip_transaction, global)
}

fn stream(
    configuration: &Configuration,
    mut skip: Option<Lsn>,
    global: &GlobalArguments,
) -> Result<ExitCode, Failure> {
    let pipeline = configuration.pipeline()?;
    let options = options(configuration, global);
    let launch: Launch = Box::new(move || {
        let options = EngineOptions {
            hold_on_failure: true,
            skip: skip.take(),
        };
        EngineLink::from(Engine::start(pipeline.clone(), options))
    });
    block_on(console::run(options, launch))??;
    Ok(ExitCode::SUCCESS)
}

/// Opens the console for `pgstream` alone: the dashboard of what is configured, or an empty one.
pub(super) fn start(global: &GlobalArguments) -> Result<ExitCode, Failure> {
    let inputs = Inputs::of_process(global.flags(), global.config.clone());
    let configuration = Configuration::load(inputs)?;
    if lacks_source(&configuration) {
        return open(&configuration, global, None);
    }
    stream(&configuration, None, global)
}

/// Opens the console without an engine, on a wizard or on the empty dashboard: there is something
/// to be typed first.
pub(super) fn open(
    configuration: &Configuration,
    global: &GlobalArguments,
    opening: Option<Opening>,
) -> Result<ExitCode, Failure> {
    let mut options = options(configuration, global);
    options.opening = opening;
    block_on(console::run(options, Box::new(EngineLink::none)))??;
    Ok(ExitCode::SUCCESS)
}

/// Returns whether nothing says where the source is, which a wizard then asks.
pub(super) fn lacks_source(configuration: &Configuration) -> bool {
    configuration.origin_of(key::SOURCE_URL) == Origin::Default
}

/// The options of a console, whose log is started here.
fn options(configuration: &Configuration, global: &GlobalArguments) -> ConsoleOptions {
    let logging = configuration.logging();
    let feed = logging::start_on_screen(logging.level);
    for warning in configuration.warnings(false) {
        tracing::warn!(target: "config", "{warning}");
    }
    let mut options = looks(name(global.config.as_deref()), global);
    options.level = level(logging.level);
    options.logs = Some(feed);
    options.settings = Some((configuration.resolved(), global.config.clone()));
    options
}

/// How the environment and the flags want the console to look.
pub(super) fn looks(name: String, global: &GlobalArguments) -> ConsoleOptions {
    let mut options = ConsoleOptions::of_environment(name);
    if global.no_color {
        options.palette = Palette::Mono;
    }
    let screen = &global.screen;
    options.palette = screen.theme.unwrap_or(options.palette);
    options.ascii |= screen.ascii;
    options.motion &= !screen.no_motion;
    options.mouse &= !screen.no_mouse;
    options
}

/// The name of the configuration file without its ending.
fn name(config: Option<&Path>) -> String {
    let stem = config.and_then(Path::file_stem);
    let name = stem.map(|stem| stem.to_string_lossy().into_owned());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| "pgstream".to_owned())
}

const fn level(level: LogLevel) -> tracing::Level {
    match level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    }
}
