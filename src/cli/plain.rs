//! The plain mode: what the console does, as lines of text that are only ever added, with questions
//! answered by number. For `--plain`, for terminals that can do no more (`TERM=dumb`), and for those
//! who read the screen by ear.
//!
//! Nothing here decides: the questions are the wizard's own fields and jobs, the commands are the
//! engine's own.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::{Configuration, Inputs, Plugin};
use crate::console::wizard::Kind;
use crate::engine::EngineOptions;

use super::args::{GlobalArguments, RunArguments, TutorialArguments};
use super::runtime::block_on;
use super::{Failure, console, logging, start, tutorial};

use talk::Talk;

mod control;
mod copies;
mod talk;
mod wizard;

/// Returns whether somebody can answer questions, and a screen cannot be drawn or is not wanted.
pub(super) fn is_wanted(global: &GlobalArguments) -> bool {
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    terminal && !global.headless && (global.plain || !crate::console::is_capable())
}

/// Asks what to do, when no command says so and no pipeline is configured.
pub(super) fn begin(global: &GlobalArguments) -> Result<ExitCode, Failure> {
    let inputs = Inputs::of_process(global.flags(), global.config.clone());
    let configuration = Configuration::load(inputs)?;
    if console::names_pipeline(&configuration) {
        let options = super::screen::attended();
        return block_on(async { stream(Talk::open()?, &configuration, options, global).await })?;
    }
    configuration.validate()?;
    for line in start::notice(&configuration, global.config.as_deref()) {
        super::output::print_note(&line);
    }
    match block_on(choose(&configuration, global))?? {
        Choice::Ended(code) => Ok(code),
        Choice::Tutorial => tutorial::run(&TutorialArguments {
            plugin: Plugin::Pgoutput,
            keep: false,
        }),
    }
}

/// Streams with the log on stderr; lines typed meanwhile control the engine.
pub(super) fn run(
    configuration: &Configuration,
    arguments: &RunArguments,
    global: &GlobalArguments,
) -> Result<ExitCode, Failure> {
    if arguments.init {
        block_on(super::init::init(&configuration.maintenance()?))??;
    }
    let options = arguments.engine_options(true)?;
    block_on(async { stream(Talk::open()?, configuration, options, global).await })?
}

/// Asks what `init` or `tear-down` need and was not given.
pub(super) fn set_up(
    kind: Kind,
    configuration: &Configuration,
    global: &GlobalArguments,
) -> Result<ExitCode, Failure> {
    configuration.validate()?;
    block_on(async { go_through(Talk::open()?, kind, configuration, global).await })?
}

async fn go_through(
    mut talk: Talk,
    kind: Kind,
    configuration: &Configuration,
    global: &GlobalArguments,
) -> Result<ExitCode, Failure> {
    let wizard_values = super::screen::wizard_values(configuration);
    match wizard::go_through(&mut talk, kind, &wizard_values).await {
        wizard::Ended::Start(pipeline) => {
            let colour = logging::colour(global.no_color);
            let hub = logging::start(configuration.logging(), colour);
            control::control(talk, *pipeline, super::screen::attended(), hub).await
        }
        wizard::Ended::Done => Ok(ExitCode::SUCCESS),
        wizard::Ended::Left => Ok(left()),
    }
}

async fn stream(
    talk: Talk,
    configuration: &Configuration,
    options: EngineOptions,
    global: &GlobalArguments,
) -> Result<ExitCode, Failure> {
    let pipeline = configuration.pipeline()?;
    let hub = logging::start(configuration.logging(), logging::colour(global.no_color));
    for warning in configuration.warnings(false) {
        tracing::warn!(target: "config", "{warning}");
    }
    control::control(talk, pipeline, options, hub).await
}

/// What the first question has led to.
enum Choice {
    /// The tutorial, which has a runtime of its own.
    Tutorial,
    Ended(ExitCode),
}

async fn choose(
    configuration: &Configuration,
    global: &GlobalArguments,
) -> Result<Choice, Failure> {
    let mut talk = Talk::open()?;
    let choices = [
        "Play the tutorial",
        "Open a configuration file",
        "Set up a new pipeline",
        "Take a pipeline down",
        "Quit",
    ];
    let chosen = talk
        .choose("What would you like to do?", &choices, None)
        .await;
    let kind = match chosen {
        Some(0) => return Ok(Choice::Tutorial),
        Some(1) => return open_file(talk, global).await.map(Choice::Ended),
        Some(2) => Kind::Init,
        Some(3) => Kind::TearDown,
        _ => return Ok(Choice::Ended(ExitCode::SUCCESS)),
    };
    let ended = go_through(talk, kind, configuration, global).await;
    ended.map(Choice::Ended)
}

async fn open_file(mut talk: Talk, global: &GlobalArguments) -> Result<ExitCode, Failure> {
    let Some(path) = choose_file(&mut talk).await else {
        return Ok(left());
    };
    let inputs = Inputs::of_process(global.flags(), Some(path));
    let configuration = Configuration::load(inputs)?;
    stream(talk, &configuration, super::screen::attended(), global).await
}

async fn choose_file(talk: &mut Talk) -> Option<PathBuf> {
    let files = start::files();
    let mut names: Vec<String> = files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    names.push("another one".to_owned());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let chosen = talk
        .choose("Which configuration file?", &names, None)
        .await?;
    match files.get(chosen) {
        Some(path) => Some(path.clone()),
        None => {
            let name = talk.ask("File: ").await?;
            (!name.is_empty()).then(|| name.into())
        }
    }
}

fn left() -> ExitCode {
    super::output::print_note(&"left; nothing else was done");
    ExitCode::SUCCESS
}
