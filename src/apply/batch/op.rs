//! The change of a row, and the step for the target that changes become.

use std::sync::Arc;

use crate::apply::TablePlan;
use crate::model::{OldTuple, Tuple, Value};

/// A change of one row, its table known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowChange {
    /// A new row.
    Insert(Tuple),
    /// A changed row.
    Update {
        /// The old identity, if it was sent.
        old: Option<OldTuple>,
        /// The new row.
        new: Tuple,
    },
    /// A removed row.
    Delete(OldTuple),
}

impl RowChange {
    pub(super) fn byte_count(&self) -> usize {
        match self {
            Self::Insert(tuple) | Self::Update { new: tuple, .. } => tuple.byte_count(),
            Self::Delete(OldTuple::Key(tuple) | OldTuple::Full(tuple)) => tuple.byte_count(),
        }
    }
}

/// One step for the target: a table and what happens to a set of its rows.
#[derive(Debug, Clone)]
pub struct Op {
    pub table: Arc<TablePlan>,
    /// What happens.
    pub kind: OpKind,
}

/// What an [`Op`] does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpKind {
    /// Insert these rows.
    Insert(Vec<Tuple>),
    /// Set `columns` of the rows with these keys; no key occurs twice.
    Update {
        /// The columns of the relation that have values in every row.
        columns: Vec<usize>,
        /// The new rows.
        rows: Vec<Tuple>,
    },
    /// Change one row, found by its old key or, without a key, by its whole old image.
    Move {
        /// The old row: the key's values, or all.
        old: Tuple,
        /// The columns of the relation that have values in `new`.
        columns: Vec<usize>,
        /// The new row.
        new: Tuple,
    },
    /// Delete the rows with these keys, or, without a key, one row for each of these images.
    Delete(Vec<Tuple>),
    /// Nothing: these rows came and went. They used values of the table's sequences.
    Passed(Vec<Tuple>),
}

impl OpKind {
    /// Returns the number of rows that the target must report for it.
    #[must_use]
    pub fn row_count(&self) -> usize {
        match self {
            Self::Insert(rows) | Self::Delete(rows) | Self::Update { rows, .. } => rows.len(),
            Self::Move { .. } => 1,
            Self::Passed(_) => 0,
        }
    }
}

/// Takes the values that were not sent from the old row, when it was sent whole. Such a row has no
/// value that is unknown, so it can be inserted.
pub(super) fn fill_unchanged(change: RowChange) -> RowChange {
    match change {
        RowChange::Update {
            old: Some(OldTuple::Full(old)),
            mut new,
        } => {
            for (new, old) in new.values.iter_mut().zip(&old.values) {
                if *new == Value::Unchanged {
                    *new = old.clone();
                }
            }
            RowChange::Update {
                old: Some(OldTuple::Full(old)),
                new,
            }
        }
        change => change,
    }
}

/// The columns that are written and have a value.
pub(super) fn present_columns(table: &TablePlan, new: &Tuple) -> Vec<usize> {
    let sent = |column: &usize| new.values[*column] != Value::Unchanged;
    table.written.iter().copied().filter(sent).collect()
}

/// Whether the UPDATE leaves the key as it is.
pub(super) fn keeps_key(table: &TablePlan, old: Option<&OldTuple>, new: &Tuple) -> bool {
    let Some(OldTuple::Key(old) | OldTuple::Full(old)) = old else {
        return true;
    };
    let same = |&column: &usize| {
        new.values[column] == Value::Unchanged || old.values[column] == new.values[column]
    };
    table.key.iter().all(same)
}

/// The UPDATE as a step of its own.
pub(super) fn move_of(table: &TablePlan, old: Option<OldTuple>, new: Tuple) -> OpKind {
    let columns = present_columns(table, &new);
    let old = match old {
        Some(OldTuple::Key(old) | OldTuple::Full(old)) => old,
        None => new.clone(),
    };
    OpKind::Move { old, columns, new }
}
