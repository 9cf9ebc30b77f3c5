//! How the engine is started, and how it ends.

use crate::model::Lsn;

use super::status::{Failure, SchemaEdit};

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

/// How the engine ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was asked to.
    Stopped,
    /// It could not go on.
    Failed(Failure),
}
