//! A failure in words for an operator, and how an error becomes one.

use serde::{Deserialize, Serialize};

use crate::model::hint::SKIP_FLAG;
use crate::model::{Classify, ErrorClass, Lsn};
use crate::postgres::PgError;
use crate::runtime::clock;

const REPORT: &str = "this is a bug of pgstream: please report it with the lines above and the log";

/// Returns the failure for people: no password, no row's value, no stack trace.
#[must_use]
pub fn failure_of(
    error: &(impl Classify + 'static),
    transaction: Option<FailedTransaction>,
) -> Failure {
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
        refusal: None,
        causes: causes(error),
        sqlstate: server_error(error).and_then(|server| server.code().map(str::to_owned)),
        statement: error.statement().map(str::to_owned),
        hint,
        transaction,
        at_ms: clock::unix_ms(),
    }
}

/// The hint names the transaction that can be skipped.
fn name_transaction(hint: &str, transaction: FailedTransaction) -> String {
    hint.replace(
        SKIP_FLAG,
        &format!("{SKIP_FLAG} {}", transaction.commit_lsn),
    )
}

/// Returns an error with its causes, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut words = vec![error.to_string()];
    words.extend(causes(error));
    words.join(": ")
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

fn server_error<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e PgError> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<PgError>() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

/// A failure, in words for an operator; never a password, never a row's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What can be done about it.
    pub class: ErrorClass,
    /// What failed, on which object.
    pub message: String,
    /// What the target refuses, when it is that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Box<Refusal>>,
    /// The causes, outermost first.
    pub causes: Vec<String>,
    /// SQLSTATE, when a server said it.
    pub sqlstate: Option<String>,
    /// The statement that was refused, without values.
    pub statement: Option<String>,
    /// The command or statement that fixes it.
    pub hint: Option<String>,
    /// The transaction the engine stands at: what `skip` takes.
    pub transaction: Option<FailedTransaction>,
    /// When it happened, milliseconds since 1970 UTC.
    pub at_ms: i64,
}

impl Failure {
    /// Returns what failed in one line: what the target refuses, where it is that.
    #[must_use]
    pub fn headline(&self) -> &str {
        let refused = self.refusal.as_ref().map(|refusal| refusal.what.as_str());
        refused.unwrap_or(&self.message)
    }

    /// Returns the causes in one text, for a log; none when there are none.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        (!self.causes.is_empty()).then(|| self.causes.join(": "))
    }
}

/// The source transaction that the target refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedTransaction {
    /// Transaction id on the source.
    pub xid: u32,
    /// Position of its commit record on the source: its name for `skip`.
    pub commit_lsn: Lsn,
}

/// What the target refuses, in words for an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What, such as `the target refuses a change of public.orders`.
    pub what: String,
    /// The table, where it is about one.
    pub table: Option<String>,
}
