//! What a failure means for the engine: the one closed list that decides between going on,
//! waiting and stopping.

use serde::{Deserialize, Serialize};

/// The kinds of failure, by what can be done about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Passes by itself: back off and go on from the checkpoint.
    Transient,
    /// An operator must change something on a server: privilege, `wal_level`, a lost slot.
    Operator,
    /// The target refuses the data: stop at the transaction, skip nothing.
    Data,
    /// The command line or the configuration is wrong.
    Usage,
    /// A fault of ours, or a server that breaks its own protocol.
    Bug,
}

impl ErrorClass {
    /// Returns the process exit code of this class.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::Data => 65,
            Self::Bug => 70,
            Self::Transient => 75,
            Self::Operator => 78,
        }
    }
}

/// Errors that know their class and, where there is one, their hint.
pub trait Classify: std::error::Error {
    /// Returns what can be done about this error.
    fn class(&self) -> ErrorClass;

    /// Returns the command or statement that fixes it, where one is known.
    fn hint(&self) -> Option<String> {
        None
    }

    /// Returns the statement that a server refused, without values, if it is about one.
    fn statement(&self) -> Option<&str> {
        None
    }
}
