//! What `check` found.

use serde::Serialize;

/// Where a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Where changes come from.
    Source,
    /// Where they go.
    Target,
}

/// One precondition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub side: Side,
    /// The setting, role, slot or table.
    pub object: String,
    /// What is in the way.
    pub problem: String,
    /// The statement or command that fixes it.
    pub hint: String,
    /// Whether replication cannot start, or would stop, because of it.
    pub blocking: bool,
}

/// Everything that `check` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The source, without a password.
    pub source: String,
    /// The target, without a password.
    pub target: String,
    /// The slot; none when its default could not be known.
    pub slot_name: Option<String>,
    /// Findings, those that block first, then by side.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Returns whether replication can start.
    #[must_use]
    pub fn passes(&self) -> bool {
        !self.findings.iter().any(|finding| finding.blocking)
    }
}
