//! Keeps the sequences of serial and identity columns on the target at or beyond the values that
//! rows have used.
//!
//! Logical decoding carries no sequences (manual, section 31.6 «Restrictions»), but every value
//! that matters arrives in a row. Pure: rows in, statements out; a sequence never moves backwards.

use std::collections::HashMap;

use crate::model::{QualifiedName, Tuple, Value, quote_literal};

use super::{Op, OpKind, OwnedSequence, TablePlan};

#[cfg(test)]
mod tests;

/// The furthest values seen, by sequence.
#[derive(Debug, Default)]
pub(super) struct SequenceTracker {
    known: HashMap<QualifiedName, i64>,
    pending: HashMap<QualifiedName, (OwnedSequence, i64)>,
}

impl SequenceTracker {
    /// Notes the values that a step brings for the sequences of its table.
    pub(super) fn observe(&mut self, op: &Op) {
        let plan = &op.table;
        match &op.kind {
            OpKind::Insert(rows) | OpKind::Passed(rows) => self.rows(plan, &plan.written, rows),
            OpKind::Move { columns, new, .. } => {
                self.rows(plan, columns, std::slice::from_ref(new));
            }
            // The key stays as it is.
            OpKind::Update { columns, rows } => self.rows(plan, &plan.checked(columns), rows),
            OpKind::Delete(_) => {}
        }
    }

    fn rows(&mut self, plan: &TablePlan, columns: &[usize], rows: &[Tuple]) {
        for &column in columns {
            let Some(sequence) = &plan.column(column).sequence else {
                continue;
            };
            let values = rows.iter().filter_map(|row| number(&row.values[column]));
            let furthest = if sequence.increment < 0 {
                values.min()
            } else {
                values.max()
            };
            if let Some(value) = furthest {
                self.advance(sequence, value);
            }
        }
    }

    fn advance(&mut self, sequence: &OwnedSequence, value: i64) {
        let beyond = |known: i64| {
            if sequence.increment < 0 {
                value < known
            } else {
                value > known
            }
        };
        let known = self
            .pending
            .get(&sequence.name)
            .map(|(_, value)| *value)
            .or_else(|| self.known.get(&sequence.name).copied());
        if (sequence.min..=sequence.max).contains(&value) && known.is_none_or(beyond) {
            self.pending
                .insert(sequence.name.clone(), (sequence.clone(), value));
        }
    }

    /// Returns the statements that move the target's sequences, as one string; empty when none
    /// has to move. `setval` is not transactional: a sequence may run ahead, which harms nobody.
    pub(super) fn statements(&self) -> String {
        self.pending
            .values()
            .map(|(sequence, value)| setval(sequence, *value))
            .collect()
    }

    /// Notes that the statements ran.
    pub(super) fn committed(&mut self) {
        for (name, (_, value)) in self.pending.drain() {
            self.known.insert(name, value);
        }
    }

    /// Forgets everything: a schema change or TRUNCATE may have set sequences back. What is still
    /// pending must have been sent before.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.pending.clear();
    }
}

fn setval(sequence: &OwnedSequence, value: i64) -> String {
    let name = sequence.name.quoted();
    let behind = if sequence.increment < 0 { '>' } else { '<' };
    format!(
        "SELECT pg_catalog.setval({}, {value}) FROM {name} \
         WHERE last_value {behind} {value} OR (last_value = {value} AND NOT is_called);",
        quote_literal(&name)
    )
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Text(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
        Value::Null | Value::Unchanged => None,
    }
}
