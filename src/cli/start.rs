//! What the start screen of the console chooses among: the configuration files of the working
//! directory, and how one of them is opened.

use std::path::{Path, PathBuf};

use crate::attach::Access;
use crate::attach::log::LogHub;
use crate::config::{ConfigError, Configuration, FlagValue, Inputs};
use crate::console::{Found, Opened, Opener};
use crate::failure::Failure;

use super::logging::level;
use super::screen::attaching_or_starting;
use super::screen::{name, wizard_values};

/// More files than this are no list to choose from; any other can be typed.
const FILES_MAX: usize = 12;

/// Returns why there is no pipeline yet, when a configuration was given; nothing else would need
/// an explanation.
pub(super) fn notice(configuration: &Configuration, file: Option<&Path>) -> Vec<String> {
    match (file, configuration.pipeline()) {
        (Some(file), Err(error)) => not_a_pipeline(file, error),
        _ => Vec::new(),
    }
}

/// Returns the `.env` files of the working directory, by name.
pub(super) fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(".").into_iter().flatten().flatten();
    let names = entries.map(|entry| PathBuf::from(entry.file_name()));
    let mut files: Vec<PathBuf> = names.filter(|name| is_env_file(name)).collect();
    files.sort();
    files.truncate(FILES_MAX);
    files
}

/// `shop.env`, and plain `.env`, too.
fn is_env_file(name: &Path) -> bool {
    let text = name.to_string_lossy();
    text.ends_with(".env") && name.is_file()
}

/// Returns a way to open a configuration file, with the flags of the command line.
pub(super) fn opener(flags: Vec<FlagValue>, access: Access, hub: LogHub) -> Opener {
    Box::new(move |path| {
        let inputs = Inputs::of_process(flags.clone(), Some(path.to_owned()));
        let configuration =
            Configuration::load(inputs).map_err(|error| Failure::from(error).lines())?;
        let (observed, trouble) = match configuration.pipeline() {
            Ok(pipeline) => (Some(pipeline), Vec::new()),
            Err(error) => (None, not_a_pipeline(path, error)),
        };
        let launch = observed
            .clone()
            .map(|pipeline| attaching_or_starting(pipeline, access, hub.clone()));
        Ok(Opened {
            found: Found {
                pipeline: name(Some(path)),
                settings: (configuration.resolved(), path.to_owned()),
                wizard_values: wizard_values(&configuration),
                level: level(configuration.logging().level),
                trouble,
            },
            launch,
            observed,
        })
    })
}

fn not_a_pipeline(file: &Path, error: ConfigError) -> Vec<String> {
    let mut lines = vec![format!(
        "{} names no pipeline that could start",
        file.display()
    )];
    lines.extend(Failure::from(error).lines());
    lines
}
