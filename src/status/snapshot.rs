//! What the engine shows of the initial snapshot: each table, and the whole.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{Lsn, QualifiedName, RelationId};

use super::failure::Failure;

pub use super::copy_state::CopyState;

/// The copy of existing tables, as far as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The tables, in the order in which they are copied: the largest first.
    pub tables: Arc<Vec<TableCopy>>,
    /// How many copies may run at the same time.
    pub worker_count: usize,
    /// How many run now.
    pub busy_count: usize,
    /// Whether the operator has paused copying: what runs is finished, nothing new begins.
    pub paused: bool,
    /// Where in the source's WAL the tables that are being copied are read.
    pub consistent_point: Option<Lsn>,
    /// Bytes copied.
    pub byte_count: u64,
    /// Bytes to copy, estimated from the tables' sizes; grows to what was really copied.
    pub bytes_expected: u64,
    /// Bytes a second, over the last seconds.
    pub bytes_per_s: f64,
    /// Seconds until everything is copied, at the present rate.
    pub left_s: Option<i64>,
    /// When copying began, milliseconds since 1970 UTC.
    pub started_at_ms: Option<i64>,
    /// When the last table was ready, milliseconds since 1970 UTC.
    pub finished_at_ms: Option<i64>,
}

/// The copy of one table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableCopy {
    /// Its OID on the source: its name for commands.
    pub relation: RelationId,
    /// Its name, for people.
    pub name: String,
    /// How far it is.
    pub state: CopyState,
    /// Which try this is, from 1; 0 before the first.
    pub attempt: u32,
    /// Rows copied.
    pub row_count: u64,
    /// Bytes copied.
    pub byte_count: u64,
    /// Bytes to copy, estimated from the table's size; what was copied once the rows are there.
    pub bytes_expected: u64,
    /// Bytes a second, over the last seconds.
    pub bytes_per_s: f64,
    /// Seconds until its rows are there, at the present rate.
    pub left_s: Option<i64>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// It is unlogged: the stream brings none of its changes.
    #[serde(default)]
    pub unlogged: bool,
    /// It was asked for again, and whoever copies has not heard of it yet.
    #[serde(skip)]
    pub(crate) asked_again: bool,
}

/// What an operator can ask about copying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyCommand {
    /// Copy this table again, whatever its state: its rows on the target are replaced. The stream
    /// goes on for the others.
    Table {
        /// The table, by its OID on the source.
        relation: RelationId,
    },
    /// Begin no more copies until [`CopyCommand::Resume`]; those that run are finished.
    Pause,
    /// Go on copying.
    Resume,
    /// From now on run so many copies at the same time.
    Workers {
        /// At least one.
        count: usize,
    },
}

impl TableCopy {
    /// Returns whether this table waits for another try than the one whose end is reported.
    fn is_asked_again(&self, reported: &Self) -> bool {
        let ended = matches!(
            reported.state,
            CopyState::CatchingUp | CopyState::Ready | CopyState::Failed
        );
        let same_try = (self.attempt, &self.failure) == (reported.attempt, &reported.failure);
        self.asked_again && ended && same_try
    }

    /// Returns how much of the rows is there, from 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a part of one, for people")]
    pub fn done(&self) -> f64 {
        match self.state {
            CopyState::Waiting => 0.0,
            CopyState::Copying | CopyState::Failed => {
                let expected = self.bytes_expected.max(self.byte_count).max(1);
                self.byte_count as f64 / expected as f64
            }
            CopyState::Indexing | CopyState::CatchingUp | CopyState::Ready => 1.0,
        }
    }
}

impl Snapshot {
    /// Lets a table wait that is to be copied again: it is no longer reported as ready.
    pub(crate) fn ask_again(&mut self, relation: RelationId) {
        let tables = Arc::make_mut(&mut self.tables);
        if let Some(table) = tables.iter_mut().find(|one| one.relation == relation) {
            (table.state, table.asked_again) = (CopyState::Waiting, true);
        }
    }

    /// Follows a table's new name; none: it is gone.
    pub(crate) fn follow(&mut self, relation: RelationId, name: Option<&QualifiedName>) {
        let tables = Arc::make_mut(&mut self.tables);
        match name {
            None => tables.retain(|one| one.relation != relation || one.state != CopyState::Ready),
            Some(name) => {
                let mut tables = tables.iter_mut();
                if let Some(table) = tables.find(|one| one.relation == relation) {
                    table.name = name.to_string();
                }
            }
        }
    }

    /// Keeps what was asked for meanwhile: whoever made this value may not have heard of it yet.
    pub(crate) fn keep_asked(&mut self, shown: &Self) {
        let asked = |table: &TableCopy| {
            let before = shown
                .tables
                .iter()
                .find(|one| one.relation == table.relation);
            before.is_some_and(|before| before.is_asked_again(table))
        };
        if self.tables.iter().any(asked) {
            let tables = Arc::make_mut(&mut self.tables).iter_mut();
            for table in tables.filter(|table| asked(table)) {
                (table.state, table.asked_again) = (CopyState::Waiting, true);
            }
        }
    }

    /// Returns how much of the bytes is there, from 0 to 1; 1 only when every table is complete.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a part of one, for people")]
    pub fn done(&self) -> f64 {
        let complete = self.count(CopyState::Ready) + self.count(CopyState::CatchingUp);
        if complete == self.tables.len() {
            return 1.0;
        }
        let expected = self.bytes_expected.max(self.byte_count).max(1);
        (self.byte_count as f64 / expected as f64).min(0.99)
    }

    /// Returns how many tables are in this state.
    #[must_use]
    pub fn count(&self, state: CopyState) -> usize {
        self.tables
            .iter()
            .filter(|table| table.state == state)
            .count()
    }

    /// Returns whether no table has to be copied any more; failed ones wait for their operator.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.tables.iter().all(|table| table.state.is_settled())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(state: CopyState, attempt: u32) -> Snapshot {
        let table = TableCopy {
            relation: RelationId(7),
            state,
            attempt,
            ..TableCopy::default()
        };
        Snapshot {
            tables: Arc::new(vec![table]),
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_table_to_be_copied_again_waits_until_its_next_try() {
        let mut shown = snapshot(CopyState::Ready, 1);
        shown.ask_again(RelationId(7));
        assert_eq!(shown.tables[0].state, CopyState::Waiting);

        let cases = [
            (CopyState::Ready, 1, CopyState::Waiting),
            (CopyState::Failed, 1, CopyState::Waiting),
            (CopyState::Waiting, 1, CopyState::Waiting),
            (CopyState::Copying, 2, CopyState::Copying),
            (CopyState::Ready, 2, CopyState::Ready),
            (CopyState::Failed, 2, CopyState::Failed),
        ];
        for (state, attempt, expected) in cases {
            let mut next = snapshot(state, attempt);
            next.keep_asked(&shown);
            assert_eq!(next.tables[0].state, expected, "{state:?} {attempt}");
        }
    }

    #[test]
    fn a_table_that_nobody_asked_for_again_may_be_complete_when_it_is_next_looked_at() {
        let shown = snapshot(CopyState::Waiting, 1);
        for state in [CopyState::CatchingUp, CopyState::Ready, CopyState::Failed] {
            let mut next = snapshot(state, 1);
            next.keep_asked(&shown);
            assert_eq!(next.tables[0].state, state);
        }
    }
}
