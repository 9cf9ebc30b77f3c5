//! What `verify` found: data for the command line, for machines and for the console.

use serde::Serialize;

use crate::model::{Lsn, QualifiedName};
use crate::status::Verdict;

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
    /// What they hold, when it was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ColumnValues>,
}

/// What a column holds, as text; none: NULL. A side that lacks the row says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnValues {
    pub column: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Option<String>>,
}

impl ColumnValues {
    /// Returns the column with both values, each as `escape` shows it.
    pub(crate) fn shown(&self, escape: impl Fn(&str) -> String) -> String {
        let side = |name: &str, value: &Option<Option<String>>| {
            value.as_ref().map(|value| match value {
                Some(text) => format!("{name} '{}'", escape(text)),
                None => format!("{name} NULL"),
            })
        };
        let sides = [side("source", &self.source), side("target", &self.target)];
        let sides: Vec<String> = sides.into_iter().flatten().collect();
        format!("{}: {}", self.column, sides.join(", "))
    }
}

/// An object whose description is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectReport {
    /// What it is called: `index public.account_pkey`.
    pub object: String,
    pub verdict: Verdict,
    /// What differs.
    pub reason: String,
}

/// A sequence whose target is behind, or cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SequenceReport {
    pub sequence: QualifiedName,
    pub verdict: Verdict,
    pub reason: String,
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
    /// What was brought from the source before this verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repaired: Option<Repaired>,
    /// Both sides were compared at this position of the source.
    pub lsn: Lsn,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl TableReport {
    /// Returns a report of no rows.
    pub(super) const fn without_rows(table: QualifiedName, verdict: Verdict) -> Self {
        Self {
            table,
            verdict,
            reason: None,
            source_rows: 0,
            target_rows: 0,
            missing: 0,
            extra: 0,
            differing: 0,
            counted: false,
            rows: Vec::new(),
            repaired: None,
            lsn: Lsn::ZERO,
            seconds: 0.0,
        }
    }
}

/// What was found of all tables.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The slot whose pipeline was compared.
    pub slot_name: String,
    /// Every table that replicates was wanted, and what replicates besides.
    pub whole: bool,
    /// By name.
    pub tables: Vec<TableReport>,
    /// Objects whose descriptions were compared; none: schema changes do not replicate here.
    pub object_count: Option<usize>,
    /// Those of them that are not equal, by name.
    pub objects: Vec<ObjectReport>,
    /// Sequences that were compared.
    pub sequence_count: usize,
    /// Those of them that are behind on the target, or could not be read, by name.
    pub sequences: Vec<SequenceReport>,
    /// What is to be known besides: what only the target has.
    pub notes: Vec<String>,
    /// Of so many in a hundred rows; none: all rows were compared.
    pub sample: Option<f64>,
    /// The target was taken over: the stream goes on from the position.
    pub adopted: bool,
    /// The last position at which tables were compared.
    pub lsn: Lsn,
    /// How long the stream stood still for each pair of snapshots, in milliseconds.
    pub pauses_ms: Vec<f64>,
    /// How long everything took, in seconds.
    pub seconds: f64,
}

impl Report {
    /// Returns whether everything that replicates was compared, row by row.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.whole && self.sample.is_none()
    }

    /// Returns how many tables, objects and sequences are not equal.
    #[must_use]
    pub fn open_count(&self) -> usize {
        let tables = self.tables.iter();
        let tables = tables.filter(|table| table.verdict != Verdict::Equal);
        tables.count() + self.objects.len() + self.sequences.len()
    }

    /// Returns the verdict on everything: different when something is, not compared when something was not.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let any = |verdict| {
            self.tables.iter().any(|table| table.verdict == verdict)
                || self.objects.iter().any(|object| object.verdict == verdict)
                || (self.sequences.iter()).any(|sequence| sequence.verdict == verdict)
        };
        match (any(Verdict::Different), any(Verdict::NotCompared)) {
            (true, _) => Verdict::Different,
            (false, true) => Verdict::NotCompared,
            (false, false) => Verdict::Equal,
        }
    }
}

/// What was brought from the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Repaired {
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
    /// In so many transactions of the target.
    pub range_count: u64,
}

impl Repaired {
    /// Returns whether something was changed.
    #[must_use]
    pub const fn is_something(&self) -> bool {
        self.inserted + self.updated + self.deleted > 0
    }

    /// Adds what another range has brought.
    pub(super) const fn add(&mut self, other: Self) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
        self.range_count += other.range_count;
    }
}

/// How far a comparison is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Progress {
    pub tables_done: usize,
    pub table_count: usize,
    /// Rows read, on both sides together.
    pub rows: u64,
    /// Rows to read, as the statistics estimate them.
    pub rows_expected: u64,
    /// Bytes read, on both sides together.
    pub bytes: u64,
}

/// What is reported while it happens.
#[derive(Debug)]
pub enum Event<'e> {
    Table(&'e TableReport),
    Object(&'e ObjectReport),
    Sequence(&'e SequenceReport),
    Note(&'e str),
    Repaired(&'e QualifiedName, Repaired),
    Progress(Progress),
}
