//! Whether both sides are equal. Pure.

use serde::{Deserialize, Serialize};

/// Whether both sides are equal, or something of them is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Both sides hold the same.
    Equal,
    /// They do not.
    Different,
    /// It was not compared; the reason says why.
    NotCompared,
}
