//! What `verify` found: data for the command line, for machines and for the console.

use serde::Serialize;

use crate::model::{Lsn, QualifiedName};

/// The verdict on a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Both sides hold the same rows.
    Equal,
    /// They do not.
    Different,
    /// It was not compared; the reason says why.
    NotCompared,
}

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    /// It is on the source only.
    Missing,
    /// It is on the target only.
    Extra,
    /// Both sides have the key, with other values.
    Different,
}

/// A row that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowDifference {
    /// How.
    pub kind: RowKind,
    /// The values of the key's columns, as COPY writes them; none: the table has no key.
    pub key: Option<Vec<String>>,
    /// The columns that differ, where both sides have the row.
    pub columns: Vec<String>,
}

/// What was found of one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableReport {
    /// Its name on the source.
    pub table: QualifiedName,
    pub verdict: Verdict,
    /// Why it was not compared, or what of its definition differs.
    pub reason: Option<String>,
    /// Rows on the source.
    pub source_rows: u64,
    /// Rows on the target.
    pub target_rows: u64,
    /// Rows that the target lacks.
    pub missing: u64,
    /// Rows that only the target has.
    pub extra: u64,
    /// Rows of the same key with other values.
    pub differing: u64,
    /// All differing rows were counted; else there are more than these.
    pub counted: bool,
    /// The first of them.
    pub rows: Vec<RowDifference>,
    /// Both sides were compared at this position of the source.
    pub lsn: Lsn,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What was found of all tables.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The slot whose pipeline was compared.
    pub slot_name: String,
    /// By name.
    pub tables: Vec<TableReport>,
    /// The last position at which tables were compared.
    pub lsn: Lsn,
    /// How long the stream stood still for each pair of snapshots, in milliseconds.
    pub pauses_ms: Vec<f64>,
    /// How long everything took, in seconds.
    pub seconds: f64,
}

impl Report {
    /// Returns the verdict on all tables: different when one is, not compared when one was not.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let any = |verdict| self.tables.iter().any(|table| table.verdict == verdict);
        match (any(Verdict::Different), any(Verdict::NotCompared)) {
            (true, _) => Verdict::Different,
            (false, true) => Verdict::NotCompared,
            (false, false) => Verdict::Equal,
        }
    }
}
