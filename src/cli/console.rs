//! Whether a command gets a screen, and the console over a running engine.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::process::ExitCode;

use super::Failure;
use super::args::{GlobalArguments, RunArguments};
use super::runtime::block_on;
use super::{lessons, logging, start};
use crate::attach::log::{LogFeed, LogHub};
use crate::attach::{self, Attachment};
use crate::config::{Configuration, Inputs, LogLevel, Palette, Pipeline, Plugin, key};
use crate::console::{self, ConsoleOptions, EngineLink, Launch, Opening, Starts, WizardValues};
use crate::engine::options::EngineOptions;

/// Returns whether there is a terminal to draw on, and nobody has said no.
pub(super) fn is_wanted(global: &GlobalArguments) -> bool {
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    terminal && !global.headless && !global.plain && console::is_capable()
}

/// Streams with the console on the terminal. The log goes to the console instead of stderr.
pub(super) fn run(
    configuration: &Configuration,
    arguments: &RunArguments,
    global: &GlobalArguments,
) -> Result<ExitCode, Failure> {
    if arguments.init {
        block_on(super::init::init(&configuration.maintenance()?))??;
    }
    let asked = arguments.engine_options(true)?;
    let pipeline = configuration.pipeline()?;
    let options = options(configuration, global);
    let launch = launch(pipeline.clone(), asked, hub(&options));
    show(pipeline, options, launch)
}

/// Shows the engine that runs for a pipeline, or offers to start one.
pub(super) fn attach(
    configuration: &Configuration,
    global: &GlobalArguments,
) -> Result<ExitCode, Failure> {
    let pipeline = configuration.pipeline()?;
    let mut options = options(configuration, global);
    options.offer = attach::find(&pipeline).is_none();
    let launch = attaching(pipeline.clone(), hub(&options));
    show(pipeline, options, launch)
}

fn show(
    pipeline: Pipeline,
    mut options: ConsoleOptions,
    launch: Launch,
) -> Result<ExitCode, Failure> {
    options.observed = Some(pipeline);
    let farewell = block_on(console::run(options, launch))??;
    if let Some(line) = farewell {
        super::output::print_note(&line);
    }
    Ok(ExitCode::SUCCESS)
}

/// How an engine starts under the eyes of somebody who can decide.
pub(super) fn attended() -> EngineOptions {
    EngineOptions {
        hold_on_failure: true,
        ..EngineOptions::default()
    }
}

/// Returns a way to start the engine of a pipeline; what was asked for once counts for its first
/// start.
pub(super) fn launch(pipeline: Pipeline, asked: EngineOptions, hub: LogHub) -> Launch {
    let mut first = Some(asked);
    Box::new(move || {
        let options = first.take().unwrap_or_else(attended);
        EngineLink::start(pipeline.clone(), options, hub.clone())
    })
}

/// Returns a way to attach to the engine of a pipeline, and to start one here when that is asked for.
fn attaching(pipeline: Pipeline, hub: LogHub) -> Launch {
    let mut here = launch(pipeline.clone(), attended(), hub.clone());
    let mut is_first = true;
    Box::new(move || match std::mem::take(&mut is_first) {
        true => EngineLink::attached(Attachment::open(pipeline.clone(), hub.clone())),
        false => here(),
    })
}

/// Returns a way to the engine of a pipeline: the one that runs already, or one of our own.
pub(super) fn attaching_or_starting(pipeline: Pipeline, hub: LogHub) -> Launch {
    match attach::find(&pipeline) {
        Some(_) => attaching(pipeline, hub),
        None => launch(pipeline, attended(), hub),
    }
}

/// What the log of a console is read from.
fn hub(options: &ConsoleOptions) -> LogHub {
    let hub = options.logs.as_ref().map(LogFeed::hub);
    hub.unwrap_or_default()
}

/// Opens the console for `pgstream` alone: the dashboard of the pipeline that is configured, or
/// the start screen.
pub(super) fn start(global: &GlobalArguments) -> Result<ExitCode, Failure> {
    let inputs = Inputs::of_process(global.flags(), global.config.clone());
    let configuration = Configuration::load(inputs)?;
    if names_pipeline(&configuration) {
        let pipeline = configuration.pipeline()?;
        let options = options(&configuration, global);
        let launch = attaching_or_starting(pipeline.clone(), hub(&options));
        show(pipeline, options, launch)
    } else {
        open(&configuration, global, None)
    }
}

/// Opens the console without an engine, on a wizard or on the start screen: there is something to
/// be typed first.
pub(super) fn open(
    configuration: &Configuration,
    global: &GlobalArguments,
    opening: Option<Opening>,
) -> Result<ExitCode, Failure> {
    configuration.validate()?;
    let mut options = options(configuration, global);
    options.opening = opening;
    options.starts = Some(Starts {
        notice: start::notice(configuration, global.config.as_deref()),
        files: start::files(),
        open: start::opener(global.flags(), hub(&options)),
        stage: Box::new(|| Box::pin(lessons::staged(Plugin::Pgoutput))),
    });
    let farewell = block_on(console::run(options, Box::new(EngineLink::none)))??;
    if let Some(line) = farewell {
        super::output::print_note(&line);
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns whether nothing says where the source is, which a wizard then asks.
pub(super) fn lacks_source(configuration: &Configuration) -> bool {
    configuration.value_of(key::SOURCE_URL).is_none()
}

/// Returns whether source and target are known.
pub(super) fn names_pipeline(configuration: &Configuration) -> bool {
    !lacks_source(configuration) && configuration.value_of(key::TARGET_URL).is_some()
}

/// The options of a console, whose log is started here.
fn options(configuration: &Configuration, global: &GlobalArguments) -> ConsoleOptions {
    let logging = configuration.logging();
    let feed = logging::start_on_screen(logging.level);
    for warning in configuration.warnings(false) {
        tracing::warn!(target: "config", "{warning}");
    }
    let mut options = looks(name(global.config.as_deref()), configuration, global);
    options.level = level(logging.level);
    options.logs = Some(feed);
    options.settings = Some((configuration.resolved(), global.config.clone()));
    options.wizard_values = wizard_values(configuration);
    options
}

/// What the configuration says of a pipeline already, for wizards to begin with.
pub(super) fn wizard_values(configuration: &Configuration) -> WizardValues {
    let value = |key| configuration.value_of(key).unwrap_or_default().to_owned();
    WizardValues {
        source: value(key::SOURCE_URL),
        target: value(key::TARGET_URL),
        slot: value(key::SLOT_NAME),
        plugin: value(key::PLUGIN),
        include: value(key::INCLUDE_TABLES),
        exclude: value(key::EXCLUDE_TABLES),
        copy_tables: value(key::SNAPSHOT_TABLES),
        copy_workers: value(key::SNAPSHOT_WORKERS),
        ..WizardValues::default()
    }
}

/// How the environment, the configuration and the flags want the console to look.
pub(super) fn looks(
    name: String,
    configuration: &Configuration,
    global: &GlobalArguments,
) -> ConsoleOptions {
    let options = ConsoleOptions::of_environment(name);
    let mut options = options.with_screen(configuration.screen());
    if global.no_color {
        options.palette = Palette::Mono;
    }
    let screen = &global.screen;
    options.palette = screen.theme.unwrap_or(options.palette);
    options.ascii |= screen.ascii;
    options.motion &= !screen.no_motion;
    options.mouse &= !screen.no_mouse;
    options.read_only |= screen.read_only;
    options
}

/// The name of the configuration file without its ending.
pub(super) fn name(config: Option<&Path>) -> String {
    let stem = config.and_then(Path::file_stem);
    let name = stem.map(|stem| stem.to_string_lossy().into_owned());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| "pgstream".to_owned())
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
