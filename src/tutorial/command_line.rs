//! The tutorial's own command lines, `pgstream init …`, understood as the program does.
//!
//! The tutorial stands below the command line's front end, so it maps the few flags of its text
//! to the variables behind them; all the rest is the ordinary configuration.

use std::path::Path;

use crate::config::connection::Environment;
use crate::config::{Configuration, FlagValue, Inputs, key};

use super::error::TutorialError;

/// The flags that the tutorial's text uses, with the variables they set.
const FLAGS: [(&str, &str); 4] = [
    ("--pgurl", key::SOURCE_URL),
    ("--replication-slot", key::SLOT_NAME),
    ("--plugin", key::PLUGIN),
    ("--log-level", key::LOG_LEVEL),
];

/// What a command line asks for.
#[derive(Debug)]
pub(super) struct CommandLine {
    /// `init`, `run`, `tear-down`.
    pub(super) command: String,
    /// Its configuration, from flags and file; not from this process's environment, which is
    /// not the reader's.
    pub(super) configuration: Configuration,
}

/// Understands a command line as typed in `directory`, with the plugin to play with.
///
/// # Errors
/// When it is none of ours, or its file cannot be read.
pub(super) fn understand(
    line: &str,
    directory: &Path,
    plugin: &str,
) -> Result<CommandLine, TutorialError> {
    let unknown = || TutorialError::UnknownCommand {
        command: line.to_owned(),
    };
    let words = split(line);
    let [program, command, rest @ ..] = words.as_slice() else {
        return Err(unknown());
    };
    if program != "pgstream" {
        return Err(unknown());
    }
    let mut inputs = Inputs {
        flags: vec![FlagValue {
            key: key::PLUGIN,
            flag: "--plugin",
            value: plugin.to_owned(),
        }],
        environment: Vec::new(),
        file: None,
        connection_defaults: Environment::of_process(),
    };
    for pair in rest.chunks(2) {
        let [flag, value] = pair else {
            return Err(unknown());
        };
        if flag == "-c" {
            inputs.file = Some(directory.join(value));
            continue;
        }
        let known = FLAGS.iter().find(|(name, _)| name == flag);
        let (flag, key) = known.copied().ok_or_else(unknown)?;
        inputs.flags.push(FlagValue {
            key,
            flag,
            value: value.clone(),
        });
    }
    let configuration =
        Configuration::load(inputs).map_err(|source| TutorialError::Configuration {
            command: line.to_owned(),
            source,
        })?;
    Ok(CommandLine {
        command: command.clone(),
        configuration,
    })
}

/// The words of a line, as a shell makes them: double quotes group.
fn split(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    let words = parts.flat_map(|(at, part)| match at % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::{Path, split, understand};
    use crate::config::Plugin;

    const URL: &str = "postgres://postgres:postgres@localhost:1?sslmode=disable";

    #[test]
    fn the_lines_of_the_tutorial_give_its_configuration() {
        let line = format!("pgstream init --pgurl \"{URL}\" --replication-slot tutorial_slot");

        let understood = understand(&line, Path::new("/"), "wal2json").unwrap();

        assert_eq!(understood.command, "init");
        let maintenance = understood.configuration.maintenance().unwrap();
        assert_eq!(maintenance.slot.unwrap().as_str(), "tutorial_slot");
        assert_eq!(maintenance.plugin, Some(Plugin::Wal2json));
    }

    #[test]
    fn other_lines_are_refused() {
        for line in [
            "psql",
            "psql init",
            "pgstream init --pgurl",
            "pgstream run --what 1",
        ] {
            let refused = understand(line, Path::new("/"), "pgoutput").unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!("the tutorial cannot run: {line}")
            );
        }
    }

    #[test]
    fn quotes_group_words() {
        assert_eq!(split(r#"a "b c" d"#), ["a", "b c", "d"]);
    }
}
