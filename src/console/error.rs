//! Why the console could not open, or ended by itself.

use std::io;
use std::path::PathBuf;

use crate::model::{Classify, ErrorClass};

use super::keys::KeymapError;
use super::theme::ThemeError;

/// The console could not open, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The terminal refuses, or has gone.
    #[error("cannot use the terminal")]
    Terminal(#[source] io::Error),
    /// The configured keys make no sense.
    #[error("cannot use the keys of PGSTREAM_CONSOLE_KEYS")]
    Keys(#[source] KeymapError),
    /// The file of colours makes no sense.
    #[error("cannot use the colours of {}", file.display())]
    Colours {
        /// What `PGSTREAM_CONSOLE_COLOURS` names.
        file: PathBuf,
        /// What is wrong in it.
        #[source]
        source: ThemeError,
    },
    /// The file of colours cannot be read.
    #[error("cannot read the colours of {}", file.display())]
    ReadColours {
        /// What `PGSTREAM_CONSOLE_COLOURS` names.
        file: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A fault of ours; the terminal was given back, the engine's checkpoint is safe.
    #[error("the console crashed")]
    Crashed,
}

impl Classify for ConsoleError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Terminal(_) => ErrorClass::Operator,
            Self::Keys(_) | Self::Colours { .. } | Self::ReadColours { .. } => ErrorClass::Usage,
            Self::Crashed => ErrorClass::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Terminal(_) => Some("run it with --headless".to_owned()),
            Self::Keys(_) => Some("docs/keys.md lists the actions and their keys".to_owned()),
            Self::Colours { .. } | Self::ReadColours { .. } => {
                Some("docs/operations.md says what such a file looks like".to_owned())
            }
            Self::Crashed => None,
        }
    }
}
