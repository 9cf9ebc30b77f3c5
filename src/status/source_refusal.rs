//! What a refusal of the source means for an operator, whoever asked: the stream or a copy.

use crate::model::hint::{SKIP_FLAG, on_side};
use crate::model::{Classify as _, ErrorClass};
use crate::postgres::{PgError, ServerError, sqlstate};

/// A row in the WAL stays as large as it was written: nothing can be skipped that cannot be read.
const UNSENDABLE: &str = "\
the source cannot send one of its own rows: PostgreSQL prints no value, and no row, above 1 GB (a bytea \
above 512 MB). Make it smaller there, or leave its table out of the filter; what the WAL holds of it stays, \
so begin anew: pgstream tear-down, then init and run with the snapshot";

/// Returns who can do something about it.
pub(crate) fn class(refusal: &PgError) -> ErrorClass {
    match is_unsendable(refusal) {
        true => ErrorClass::Operator,
        false => refusal.class(),
    }
}

/// Returns what fixes it.
pub(crate) fn hint(refusal: &PgError) -> Option<String> {
    match is_unsendable(refusal) {
        true => Some(UNSENDABLE.to_owned()),
        false => Some(on_side("source", &skippable(refusal)?)),
    }
}

fn is_unsendable(refusal: &PgError) -> bool {
    refusal.server().is_some_and(ServerError::exceeds_limit)
}

/// What the plugin left out belongs to a transaction.
fn skippable(refusal: &PgError) -> Option<String> {
    let hint = refusal.hint()?;
    Some(match refusal {
        PgError::StreamWarning(warning)
            if warning.code != sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE =>
        {
            format!("{hint}, and this transaction left out with {SKIP_FLAG}")
        }
        _ => hint,
    })
}
