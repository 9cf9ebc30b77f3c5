//! How the engine behaves towards its operator.

use crate::model::Lsn;
use crate::status::SchemaEdit;

/// How the engine behaves towards its operator.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineOptions {
    /// Stand at a failure and wait for a command, instead of ending with it.
    pub hold_on_failure: bool,
    /// The commit position of a transaction to skip on record.
    pub skip: Option<Lsn>,
    /// What runs for a refused schema change in place of its plan.
    pub edit: Option<SchemaEdit>,
}
