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
            let values = values.filter(|value| (sequence.min..=sequence.max).contains(value));
            let furthest =
                values.reduce(
                    |furthest, value| match is_beyond(sequence, furthest, value) {
                        true => value,
                        false => furthest,
                    },
                );
            if let Some(value) = furthest {
                self.advance(sequence, value);
            }
        }
    }

    fn advance(&mut self, sequence: &OwnedSequence, value: i64) {
        let beyond = |known: i64| is_beyond(sequence, known, value);
        let known = self
            .pending
            .get(&sequence.name)
            .map(|(_, value)| *value)
            .or_else(|| self.known.get(&sequence.name).copied());
        if known.is_none_or(beyond) {
            self.pending
                .insert(sequence.name.clone(), (sequence.clone(), value));
        }
    }

    /// Returns the statements that move the target's sequences, as one string; empty when none
    /// has to move. `setval` is not transactional: a sequence may run ahead, which harms nobody.
    pub(super) fn statements(&self) -> String {
        self.pending
            .values()
            .map(|(sequence, value)| format!("{};", setval(sequence, &value.to_string())))
            .collect()
    }

    /// Returns where the [sequences](sequences_of) of a table have to move, and none for those that stay; nothing
    /// when others have to move.
    pub(super) fn of_table(&self, plan: &TablePlan) -> Option<Vec<Option<i64>>> {
        let value =
            |sequence: &OwnedSequence| self.pending.get(&sequence.name).map(|(_, value)| *value);
        let values: Vec<_> = sequences_of(plan).map(value).collect();
        (values.iter().flatten().count() == self.pending.len()).then_some(values)
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

/// Whether a sequence gets to `value` after `known`. One that begins anew behind its last value goes round:
/// the nearer way is the one that it took.
fn is_beyond(sequence: &OwnedSequence, known: i64, value: i64) -> bool {
    let forward = i128::from(value) - i128::from(known);
    let forward = if sequence.increment < 0 {
        -forward
    } else {
        forward
    };
    match sequence.cycle {
        false => forward > 0,
        true => forward != 0 && forward.rem_euclid(round(sequence)) * 2 < round(sequence),
    }
}

/// The number of values between which a sequence goes round.
fn round(sequence: &OwnedSequence) -> i128 {
    (i128::from(sequence.max) - i128::from(sequence.min)).max(0) + 1
}

/// Returns the sequences from which the columns that are written draw.
pub(super) fn sequences_of(plan: &TablePlan) -> impl Iterator<Item = &OwnedSequence> {
    let columns = plan.written.iter();
    columns.filter_map(|&column| plan.column(column).sequence.as_ref())
}

/// Returns the question that moves a sequence to a value, nowhere when that is NULL.
pub(super) fn setval(sequence: &OwnedSequence, value: &str) -> String {
    let name = sequence.name.quoted();
    let (ahead, sign) = if sequence.increment < 0 {
        ('>', "-")
    } else {
        ('<', "")
    };
    let behind = match (sequence.cycle, round(sequence)) {
        (false, _) => format!("last_value {ahead} {value}"),
        (true, round) => format!(
            "last_value <> {value} AND 2 * pg_catalog.mod(\
             {sign}({value}::pg_catalog.numeric - last_value) + {round}, {round}) < {round}"
        ),
    };
    format!(
        "SELECT pg_catalog.setval({}, {value}) FROM {name} \
         WHERE {behind} OR (last_value = {value} AND NOT is_called)",
        quote_literal(&name)
    )
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Text(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
        Value::Null | Value::Unchanged => None,
    }
}
