//! What a schema change becomes: statements, what is left out, and which tables it touches.

use crate::model::QualifiedName;

use super::steps::Step;

/// What to do on the target for one row of the schema log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The statements, in order.
    pub steps: Vec<Step>,
    /// Those that come when the rows are there which follow this row of the log.
    pub behind_rows: Vec<Step>,
    /// The target transaction must end with this source transaction: a new enum label cannot be
    /// used in the transaction that adds it (manual, `ALTER TYPE`, «Notes»).
    pub commit_after: bool,
    /// The statements cannot run inside a transaction block; each may run again after a crash.
    pub outside: bool,
    /// What the source did and the target will not have.
    pub not_applied: Vec<NotApplied>,
    /// The tables whose facts and prepared statements must be forgotten.
    pub relations: Vec<RelationTouch>,
}

impl Plan {
    /// Returns whether there is nothing to run and nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.not_applied.is_empty()
    }
}

/// A change that stays on the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotApplied {
    pub object: String,
    pub reason: String,
}

/// A table that changed, with its names around the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationTouch {
    /// Its OID on the source.
    pub oid: u32,
    /// Its name before; absent for a new table.
    pub before: Option<QualifiedName>,
    /// Its name after; absent for a dropped table.
    pub after: Option<QualifiedName>,
}
