//! What one look at the sequences of the source sees.

use crate::model::{Lsn, QualifiedName};

/// What one look at the source saw.
#[derive(Debug)]
pub(super) struct Look {
    /// Where the source's WAL ended before it: what the stream sets back behind that makes it stale.
    pub(super) lsn: Lsn,
    /// Those that may be ahead of the target's.
    pub(super) moved: Vec<SequenceState>,
    /// How many the source has.
    pub(super) count: u64,
    /// Those that our role may not read.
    pub(super) closed: Vec<QualifiedName>,
}

/// A sequence of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SequenceState {
    pub(super) oid: u32,
    pub(super) name: QualifiedName,
    pub(super) owner: Option<Owner>,
    /// The filter does not leave the table out that owns it.
    pub(super) travels: bool,
    pub(super) position: Position,
}

/// The column that owns a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) table: QualifiedName,
    pub(super) column: String,
}

/// Where a sequence is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) last_value: i64,
    pub(super) is_called: bool,
}

impl Position {
    pub(super) const fn called(last_value: i64) -> Self {
        Self {
            last_value,
            is_called: true,
        }
    }
}
