//! Whether a command gets a screen, and the console over a running engine.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use crate::attach;
use crate::attach::log::{LogFeed, LogHub};
use crate::config::{Configuration, Inputs, Pipeline, Plugin, key};
use crate::console::{self, ConsoleOptions, EngineLink, Launch, Opening, Starts};

use super::args::{GlobalArguments, RunArguments};
use super::logging::level;
use super::runtime::block_on;
use super::screen::{access, attaching, attaching_or_starting};
use super::screen::{launch, looks, name, wizard_values};
use super::{Failure, lessons, logging, start};

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
    let launch = attaching(pipeline.clone(), access(&options), hub(&options));
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
        let launch = attaching_or_starting(pipeline.clone(), access(&options), hub(&options));
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
        open: start::opener(global.flags(), access(&options), hub(&options)),
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
