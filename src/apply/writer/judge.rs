//! What the target's answer to a statement means.

use tracing::trace;

use crate::apply::shape::{self, Shape};
use crate::apply::{ApplyError, TablePlan};
use crate::config::OnConflict;
use crate::postgres::PgError;

use super::bind::{Bound, Count};

/// Returns how many of the changes the target kept from happening, by its own will.
pub(super) fn judge(bound: &Bound, answer: Result<u64, PgError>) -> Result<u64, ApplyError> {
    let statement = || shape::sql(&bound.table, &bound.shape);
    show_refused(bound, &answer);
    let found = answer.map_err(refused_change(&bound.table, statement()))?;
    match bound.count {
        Count::All if found != bound.row_count => Err(ApplyError::RowNotFound {
            table: bound.table.target.name.clone(),
            statement: statement(),
            expected: bound.row_count,
            found,
            why: bound.table.absence(),
        }),
        Count::All | Count::Any => Ok(0),
        Count::Less => Ok(less(&bound.table, bound.row_count, found)),
    }
}

/// The rows that are no longer there because the statement has found them.
pub(super) const fn gone(bound: &Bound, found: u64) -> u64 {
    match bound.shape {
        Shape::DeleteMany | Shape::DeleteImages => found,
        _ => 0,
    }
}

/// Rows that were there already are no trigger's doing.
pub(super) fn less(table: &TablePlan, row_count: u64, found: u64) -> u64 {
    let by_will = table.target.suppresses || table.target.rules;
    match by_will && table.on_conflict != OnConflict::Nothing {
        true => row_count.saturating_sub(found),
        false => 0,
    }
}

/// Values are for trace output alone: there one finds the row that the target refuses.
fn show_refused(bound: &Bound, answer: &Result<u64, PgError>) {
    let (table, values) = (&bound.table.target.name, &bound.parameters);
    let expected = (bound.count == Count::All).then_some(bound.row_count);
    match (answer, expected) {
        (Err(error), _) => {
            let answer = error.server();
            let message = answer.map(|answer| answer.message.as_str());
            let detail = answer.and_then(|answer| answer.detail.as_deref());
            trace!(target: "apply", %table, ?values, reason = message, detail, "the target refuses a statement with these values");
        }
        (Ok(found), Some(expected)) if *found != expected => {
            trace!(target: "apply", %table, ?values, found, expected, "the target does not have all of these rows");
        }
        (Ok(_), _) => {}
    }
}

pub(super) fn refused_change(
    table: &TablePlan,
    statement: String,
) -> impl FnOnce(PgError) -> ApplyError {
    let table = table.target.name.clone();
    move |source| ApplyError::Refused {
        table,
        statement,
        source,
    }
}
