//! Turns an error of the engine into what an operator reads. Pure.

use crate::model::{Classify as _, ErrorClass};
use crate::status::{FailedTransaction, Failure, Refusal, failure};

use super::EngineError;

/// Returns the failure for people: no password, no row's value, no stack trace.
#[must_use]
pub(crate) fn failure_of(error: &EngineError, transaction: Option<FailedTransaction>) -> Failure {
    Failure {
        refusal: refusal(error),
        ..failure::failure_of(error, transaction)
    }
}

/// A target that is away refuses nothing.
fn refusal(error: &EngineError) -> Option<Box<Refusal>> {
    let refused = error.apply().filter(|_| error.refuses_work())?;
    let table = refused.table().map(ToString::to_string);
    let permanent = !matches!(error.class(), ErrorClass::Transient | ErrorClass::Bug);
    let what = match error {
        EngineError::SchemaRefused { .. } => error.to_string(),
        _ => refused.to_string(),
    };
    permanent.then(|| Box::new(Refusal { what, table }))
}
