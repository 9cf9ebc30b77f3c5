//! What a console is opened with, whatever it shows first.

use crate::attach;
use crate::attach::{Access, Attachment};
use std::path::Path;

use crate::attach::log::LogHub;
use crate::config::{Configuration, Palette, Pipeline, key};
use crate::console::{ConsoleOptions, EngineLink, Launch, WizardValues};
use crate::engine::EngineOptions;

use super::args::GlobalArguments;

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

/// The name of the configuration file without its ending.
pub(super) fn name(config: Option<&Path>) -> String {
    let stem = config.and_then(Path::file_stem);
    let name = stem.map(|stem| stem.to_string_lossy().into_owned());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| "pgstream".to_owned())
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

/// What a console that looks so may do with an engine that runs already.
pub(super) const fn access(options: &ConsoleOptions) -> Access {
    match options.read_only {
        true => Access::ReadOnly,
        false => Access::Full,
    }
}

/// Returns a way to attach to the engine of a pipeline, and to start one here when that is asked for.
pub(super) fn attaching(pipeline: Pipeline, access: Access, hub: LogHub) -> Launch {
    let mut here = launch(pipeline.clone(), attended(), hub.clone());
    let mut is_first = true;
    Box::new(move || match std::mem::take(&mut is_first) {
        true => EngineLink::attached(Attachment::open(pipeline.clone(), access, hub.clone())),
        false => here(),
    })
}

/// Returns a way to the engine of a pipeline: the one that runs already, or one of our own.
pub(super) fn attaching_or_starting(pipeline: Pipeline, access: Access, hub: LogHub) -> Launch {
    match attach::find(&pipeline) {
        Some(_) => attaching(pipeline, access, hub),
        None => launch(pipeline, attended(), hub),
    }
}
