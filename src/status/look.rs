//! What is shown of a table's rows to somebody who looks at it: on demand only, in no status and in no
//! log.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::model::Lsn;

/// So many changes of a table are remembered: a screen of them.
pub(crate) const LATEST_MAX: usize = 20;

/// Of so many tables; of others, those that changed longest ago are forgotten. With
/// [`LATEST_MAX`] and keys of a few hundred bytes it stays below two megabytes.
const TABLES_MAX: usize = 256;

/// The rows of one table, as far as they are remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableLook {
    /// The latest changes that are on the target, newest first.
    pub changes: Vec<LatestChange>,
    /// The row that the target refuses, while the engine is held there and knows which it is.
    pub refused: Option<RefusedRow>,
}

/// A change of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatestChange {
    /// What happened.
    pub kind: ChangeKind,
    /// What identifies the row, as text for people; empty where nothing does.
    pub key: String,
    /// Its transaction on the source.
    pub xid: u32,
    /// Where that was committed.
    pub commit_lsn: Lsn,
    /// When, milliseconds since 1970 UTC.
    pub commit_time_ms: i64,
}

/// What happened to rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A new row.
    Insert,
    /// A changed one.
    Update,
    /// One that went.
    Delete,
    /// All rows went.
    Truncate,
}

/// The row that the target refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRow {
    /// The table on the target.
    pub table: String,
    /// What was to happen to it.
    pub kind: ChangeKind,
    /// What was sent of it: all of it, or only what identifies it.
    pub cells: Vec<Cell>,
}

/// A column of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Its name.
    pub column: String,
    /// Whether it identifies the row.
    pub key: bool,
    /// None: NULL.
    pub value: Option<String>,
}

/// What is remembered of all tables.
#[derive(Debug, Default)]
pub(super) struct Rows {
    tables: HashMap<String, VecDeque<LatestChange>>,
    pub(super) refused: Option<RefusedRow>,
}

impl Rows {
    /// Adds what a table's rows went through, oldest first.
    pub(super) fn add(&mut self, table: String, changes: impl IntoIterator<Item = LatestChange>) {
        if self.tables.len() >= TABLES_MAX && !self.tables.contains_key(&table) {
            let at = |known: &VecDeque<LatestChange>| known.back().map(|one| one.commit_lsn);
            let oldest = self.tables.iter().min_by_key(|(_, known)| at(known));
            let oldest = oldest.map(|(name, _)| name.clone());
            oldest.and_then(|name| self.tables.remove(&name));
        }
        let known = self.tables.entry(table).or_default();
        known.extend(changes);
        known.drain(..known.len().saturating_sub(LATEST_MAX));
    }

    /// Returns the latest changes of a table, newest first.
    pub(super) fn latest(&self, table: &str) -> Vec<LatestChange> {
        let known = self.tables.get(table).into_iter();
        known
            .flat_map(|known| known.iter().rev().cloned())
            .collect()
    }
}

impl RefusedRow {
    /// Returns what identifies the row, and no other value of it.
    #[must_use]
    pub fn identity(mut self) -> Self {
        self.cells.retain(|cell| cell.key);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(at: u64) -> LatestChange {
        LatestChange {
            kind: ChangeKind::Insert,
            key: at.to_string(),
            xid: 1,
            commit_lsn: Lsn(at),
            commit_time_ms: 0,
        }
    }

    #[test]
    fn the_newest_changes_of_the_tables_that_changed_last_are_remembered() {
        let mut rows = Rows::default();
        rows.add("a".to_owned(), (1..=30).map(change));
        let latest = rows.latest("a");
        assert_eq!((latest.len(), latest[0].commit_lsn), (LATEST_MAX, Lsn(30)));

        for at in 0..TABLES_MAX as u64 {
            rows.add(format!("t{at}"), [change(100 + at)]);
        }
        assert_eq!(rows.tables.len(), TABLES_MAX);
        assert!(rows.latest("a").is_empty());
        assert_eq!(rows.latest("t0").len(), 1);
    }
}
