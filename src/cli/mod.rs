//! The command line: one file per command, and the only place that prints.
//!
//! ```text
//! arguments ─> flags ─┐
//!                     ├─> Configuration ─> command ─> stdout: what the user asked for
//! environment, file ──┘                       │
//!                                             └────> stderr: logs, warnings, the error and its hint
//! ```
//!
//! A command returns what failed as a [`Failure`]; its class is the exit code. Nothing but the
//! asked-for result goes to stdout, so that `--json` can be piped.

mod args;
mod check;
#[cfg(feature = "tui")]
mod console;
mod edit;
mod failure;
mod hide;
mod init;
#[cfg(feature = "tui")]
mod lessons;
mod logging;
mod output;
mod panic;
#[cfg(feature = "tui")]
mod plain;
mod plan;
mod progress;
mod run;
mod runtime;
#[cfg(feature = "tui")]
mod screen;
mod sequences;
mod servers;
mod signals;
mod snapshot;
#[cfg(feature = "tui")]
mod start;
mod status;
mod tear_down;
mod tutorial;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};

use crate::config::{Configuration, Inputs, LogFormat, redact};
#[cfg(feature = "tui")]
use crate::console::{Opening, wizard::Kind};
use crate::model::ErrorClass;

use args::{Arguments, Command};
pub use failure::Failure;
pub use hide::arguments;
use output::{print, print_note};

/// Runs the command that `arguments` (the program's name first) ask for, to its end. Never panics:
/// a panic inside becomes exit code 70 with a request for a report.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    panic::guard(|| match Arguments::read(arguments) {
        Ok(arguments) => run_command(arguments),
        Err(error) => refuse(error),
    })
}

/// Help and version go to stdout; a wrong command line goes to stderr, without what may be a password
/// in the wrong place.
fn refuse(mut error: clap::Error) -> ExitCode {
    let meant = did_you_mean(&error);
    for kind in [
        ContextKind::InvalidArg,
        ContextKind::InvalidSubcommand,
        ContextKind::InvalidValue,
    ] {
        if let Some(ContextValue::String(typed)) = error.get(kind) {
            let shown = ContextValue::String(shown(typed));
            error.insert(kind, shown);
        }
    }
    let text = redact(error.render().to_string().trim_end());
    if error.use_stderr() {
        print_note(&text);
        if let Some(meant) = meant {
            print_note(&format!("hint: did you mean pgstream {meant}?"));
        }
        ExitCode::from(ErrorClass::Usage.exit_code())
    } else {
        reported(
            print(&text)
                .map(|()| ExitCode::SUCCESS)
                .map_err(Failure::from),
        )
    }
}

/// An address is shown without its password, and what is half of one not at all.
fn shown(typed: &str) -> String {
    let is_plain = typed.contains("://") || !typed.contains(['@', ':', '=']);
    match is_plain {
        true => typed.to_owned(),
        false => "…".to_owned(),
    }
}

/// Returns the command that a wrong word was probably meant to be; clap finds only near relatives.
fn did_you_mean(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    if error.get(ContextKind::SuggestedSubcommand).is_some() {
        return None;
    }
    let commands = Arguments::definition();
    let names = commands.get_subcommands().map(clap::Command::get_name);
    let near = names.map(|name| (strsim::damerau_levenshtein(typed, name), name));
    let near = near
        .min()
        .filter(|(distance, name)| *distance < name.len().min(3));
    near.map(|(_, name)| name.to_owned())
}

fn run_command(arguments: Arguments) -> ExitCode {
    #[cfg(feature = "tui")]
    if arguments.command.is_none() && console::is_wanted(&arguments.global) {
        return reported(console::start(&arguments.global));
    }
    #[cfg(feature = "tui")]
    if arguments.command.is_none() && plain::is_wanted(&arguments.global) {
        return reported(plain::begin(&arguments.global));
    }
    let Some(command) = arguments.command else {
        let printed = print(&Arguments::definition().render_long_help());
        return reported(printed.map(|()| ExitCode::SUCCESS).map_err(Failure::from));
    };
    let mut flags = arguments.global.flags();
    flags.extend(command.flags());
    let inputs = Inputs::of_process(flags, arguments.global.config.clone());
    let outcome = Configuration::load(inputs)
        .map_err(Failure::from)
        .and_then(|configuration| dispatch(&command, &arguments.global, &configuration));
    reported(outcome)
}

/// Tells what failed, and returns the exit code.
fn reported(outcome: Result<ExitCode, Failure>) -> ExitCode {
    outcome.unwrap_or_else(|failure| {
        print_note(&failure);
        ExitCode::from(failure.exit_code())
    })
}

/// Runs a command with somebody who looks and answers, where there is a terminal and the command has
/// something to show or to ask.
#[cfg(feature = "tui")]
fn by_dialogue(
    command: &Command,
    global: &args::GlobalArguments,
    configuration: &Configuration,
) -> Option<Result<ExitCode, Failure>> {
    if console::is_wanted(global) {
        return on_screen(command, global, configuration);
    }
    if plain::is_wanted(global) {
        return in_lines(command, global, configuration);
    }
    None
}

#[cfg(feature = "tui")]
fn on_screen(
    command: &Command,
    global: &args::GlobalArguments,
    configuration: &Configuration,
) -> Option<Result<ExitCode, Failure>> {
    match command {
        Command::Run(arguments) => Some(console::run(configuration, arguments, global)),
        Command::Console(_) => Some(console::attach(configuration, global)),
        Command::Tutorial(arguments) => Some(lessons::run(configuration, arguments, global)),
        Command::Init(arguments) if !arguments.plan && console::lacks_source(configuration) => {
            Some(console::open(configuration, global, Some(Opening::Init)))
        }
        Command::TearDown(arguments) if !arguments.plan && console::lacks_source(configuration) => {
            Some(console::open(
                configuration,
                global,
                Some(Opening::TearDown),
            ))
        }
        Command::Init(_)
        | Command::TearDown(_)
        | Command::Snapshot(_)
        | Command::Status(_)
        | Command::Check(_)
        | Command::Sequences(_)
        | Command::Verify(_) => None,
    }
}

#[cfg(feature = "tui")]
fn in_lines(
    command: &Command,
    global: &args::GlobalArguments,
    configuration: &Configuration,
) -> Option<Result<ExitCode, Failure>> {
    match command {
        Command::Run(arguments) => Some(plain::run(configuration, arguments, global)),
        Command::Init(arguments) if !arguments.plan && console::lacks_source(configuration) => {
            Some(plain::set_up(Kind::Init, configuration, global))
        }
        Command::TearDown(arguments) if !arguments.plan && console::lacks_source(configuration) => {
            Some(plain::set_up(Kind::TearDown, configuration, global))
        }
        Command::Init(_)
        | Command::TearDown(_)
        | Command::Snapshot(_)
        | Command::Status(_)
        | Command::Check(_)
        | Command::Sequences(_)
        | Command::Verify(_)
        | Command::Console(_)
        | Command::Tutorial(_) => None,
    }
}

/// A console without a screen has nothing to show on.
fn without_terminal() -> Failure {
    let needs = anyhow::Error::msg("pgstream console needs a terminal");
    let hint = "pgstream status shows the same once, also without one".to_owned();
    crate::failure::Failure::of(ErrorClass::Usage, needs)
        .with_hints(vec![hint])
        .into()
}

fn dispatch(
    command: &Command,
    global: &args::GlobalArguments,
    configuration: &Configuration,
) -> Result<ExitCode, Failure> {
    #[cfg(feature = "tui")]
    if let Some(outcome) = by_dialogue(command, global, configuration) {
        return outcome;
    }
    let hub = logging::start(configuration.logging(), logging::colour(global.no_color));
    for warning in configuration.warnings(matches!(command, Command::Snapshot(_))) {
        tracing::warn!(target: "config", "{warning}");
    }
    let outcome = match command {
        Command::Init(arguments) => init::run(configuration, arguments),
        Command::TearDown(arguments) => tear_down::run(configuration, arguments),
        Command::Run(arguments) => run::run(configuration, arguments, hub),
        Command::Snapshot(arguments) => snapshot::run(configuration, arguments.plan),
        Command::Status(arguments) => status::run(configuration, arguments.json),
        Command::Check(arguments) => check::run(configuration, arguments.json),
        Command::Verify(arguments) => verify::run(configuration, arguments),
        Command::Sequences(arguments) => sequences::run(configuration, arguments.json),
        Command::Console(_) => Err(without_terminal()),
        Command::Tutorial(arguments) => tutorial::run(arguments),
    };
    match configuration.logging().format {
        LogFormat::Text => outcome,
        LogFormat::Json => outcome.or_else(|failure| {
            failure.log();
            Ok(ExitCode::from(failure.exit_code()))
        }),
    }
}
