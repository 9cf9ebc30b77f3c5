//! How far the copy of a table is.
//!
//! ```text
//!  waiting ─> copying ─> indexing ─> catching up ─> ready
//!     ^          └──────────┴─> failed      (what was disturbed or cut off waits again)
//!     └─────────────────────────────┘
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How far the copy of a table is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyState {
    /// Its turn has not come.
    #[default]
    Waiting,
    /// Rows are moving.
    Copying,
    /// The rows are there; indexes and constraints are being built.
    Indexing,
    /// It is complete as of its position; the stream is on its way there, or on from there.
    CatchingUp,
    /// It is as the stream has it.
    Ready,
    /// It could not be copied; the others go on. Nothing of the stream reaches it until it is
    /// copied again.
    Failed,
}

const WORDS: [(CopyState, &str); 6] = [
    (CopyState::Waiting, "waiting"),
    (CopyState::Copying, "copying"),
    (CopyState::Indexing, "indexing"),
    (CopyState::CatchingUp, "catching_up"),
    (CopyState::Ready, "ready"),
    (CopyState::Failed, "failed"),
];

impl CopyState {
    /// Returns whether nobody works on the table any more; a failed one waits for its operator.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Ready | Self::Failed)
    }

    /// Returns the state for people: `catching up`.
    #[must_use]
    pub fn words(self) -> String {
        self.to_string().replace('_', " ")
    }
}

/// As `pgstream.snapshot_table.state` has it.
impl fmt::Display for CopyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = WORDS.iter().find(|(state, _)| state == self);
        f.write_str(found.map_or("", |(_, word)| word))
    }
}

impl FromStr for CopyState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = WORDS.iter().find(|(_, word)| *word == text);
        found
            .map(|(state, _)| *state)
            .ok_or_else(|| text.to_owned())
    }
}
