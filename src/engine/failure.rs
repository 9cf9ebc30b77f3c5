//! Turns an error into what an operator reads. Pure.

use crate::model::hint::SKIP_FLAG;
use crate::model::{Classify, ErrorClass};
use crate::postgres::PgError;

use super::EngineError;
use super::status::{FailedTransaction, Failure, Refusal};
use crate::runtime::clock;

const REPORT: &str = "this is a bug of pgstream: please report it with the lines above and the log";

/// Returns the failure for people: no password, no row's value, no stack trace.
#[must_use]
pub fn failure_of(error: &EngineError, transaction: Option<FailedTransaction>) -> Failure {
    let hint = match (error.class(), transaction) {
        (ErrorClass::Bug, None) => Some(REPORT.to_owned()),
        (ErrorClass::Bug, Some(transaction)) => Some(name_transaction(
            &format!("{REPORT}; to go on without this transaction: {SKIP_FLAG}"),
            transaction,
        )),
        (_, Some(transaction)) => error
            .hint()
            .map(|hint| name_transaction(&hint, transaction)),
        (_, None) => error.hint(),
    };
    Failure {
        class: error.class(),
        message: error.to_string(),
        refusal: refusal(error),
        causes: causes(error),
        sqlstate: server_error(error).and_then(|server| server.code().map(str::to_owned)),
        statement: error.statement().map(str::to_owned),
        hint,
        transaction,
        at_ms: clock::unix_ms(),
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

/// The hint names the transaction that can be skipped.
fn name_transaction(hint: &str, transaction: FailedTransaction) -> String {
    hint.replace(
        SKIP_FLAG,
        &format!("{SKIP_FLAG} {}", transaction.commit_lsn),
    )
}

fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes
}

fn server_error(error: &EngineError) -> Option<&PgError> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<PgError>() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}
