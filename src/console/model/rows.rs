//! What the engine remembers of the rows of one table, while somebody looks at it.

use crate::status::TableLook;

/// The table that is looked at.
#[derive(Debug, Default)]
pub(crate) struct RowsSeen {
    /// Its displayed name.
    pub(crate) table: String,
    /// When the engine was last asked.
    pub(crate) asked_at_ms: i64,
    /// Whether what a refused row holds is shown.
    pub(crate) values: bool,
    /// The latest answer.
    pub(crate) look: Option<TableLook>,
}
