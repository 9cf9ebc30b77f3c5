//! Why the console could not open, or ended by itself.

use std::io;

use super::keys::KeymapError;
use crate::model::{Classify, ErrorClass};

/// The console could not open, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The terminal refuses, or has gone.
    #[error("cannot use the terminal")]
    Terminal(#[source] io::Error),
    /// The configured keys make no sense.
    #[error("cannot use the keys of PGSTREAM_CONSOLE_KEYS")]
    Keys(#[source] KeymapError),
    /// A fault of ours; the terminal was given back, the engine's checkpoint is safe.
    #[error("the console crashed")]
    Crashed,
}

impl Classify for ConsoleError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Terminal(_) => ErrorClass::Operator,
            Self::Keys(_) => ErrorClass::Usage,
            Self::Crashed => ErrorClass::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Terminal(_) => Some("run it with --headless".to_owned()),
            Self::Keys(_) => Some("docs/keys.md lists the actions and their keys".to_owned()),
            Self::Crashed => None,
        }
    }
}
