//! The last stop of a pipeline: kept on the target until it is overcome, so that whoever comes later
//! learns when it stood still, why, and what helps.
//!
//! A refused transaction is overcome when the checkpoint has passed it, anything else when the stream
//! has begun again.

use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;
use tracing::debug;

use crate::config::{Pipeline, SlotName};
use crate::format::rfc3339;
use crate::model::ErrorClass;
use crate::postgres::{PgError, Session, connect, document};
use crate::status::{FailedTransaction, Failure};

const LAST_STOP: &str = include_str!("../../assets/sql/target/last_stop.sql");

const NOTE: &str = "\
INSERT INTO pgstream.last_stop (slot_name, failure) VALUES ($1, $2::pg_catalog.text::pg_catalog.jsonb)
ON CONFLICT (slot_name) DO UPDATE SET stopped_at = excluded.stopped_at, failure = excluded.failure";

const FORGET: &str = "\
DELETE FROM pgstream.last_stop AS s
WHERE s.slot_name = $1 AND (
  (s.failure #>> '{transaction,commit_lsn}') IS NULL OR EXISTS (
    SELECT FROM pgstream.checkpoint AS c
    WHERE c.slot_name = s.slot_name
      AND c.end_lsn > (s.failure #>> '{transaction,commit_lsn}')::pg_catalog.pg_lsn))";

/// The end of `run` waits no longer than this for its own epitaph.
const NOTE_MAX: Duration = Duration::from_secs(5);

/// A stop that is not overcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastStop {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// What could be done about it.
    pub class: ErrorClass,
    /// What failed, on which object.
    pub message: String,
    /// The causes, outermost first.
    pub causes: Vec<String>,
    /// SQLSTATE, when a server said it.
    pub sqlstate: Option<String>,
    /// The statement that was refused, without values.
    pub statement: Option<String>,
    /// What helps.
    pub hint: Option<String>,
    /// The transaction that the target refused.
    pub transaction: Option<FailedTransaction>,
}

impl From<Failure> for LastStop {
    fn from(failure: Failure) -> Self {
        Self {
            at: rfc3339(failure.at_ms),
            class: failure.class,
            message: failure.message,
            causes: failure.causes,
            sqlstate: failure.sqlstate,
            statement: failure.statement,
            hint: failure.hint,
            transaction: failure.transaction,
        }
    }
}

impl LastStop {
    /// Returns what failed, why and where, in one line.
    #[must_use]
    pub fn story(&self) -> String {
        let causes = self
            .causes
            .iter()
            .filter(|cause| !self.message.contains(*cause));
        let message: Vec<&str> = std::iter::once(&self.message)
            .chain(causes)
            .map(String::as_str)
            .collect();
        let transaction = self
            .transaction
            .map(|FailedTransaction { xid, commit_lsn }| {
                format!("; transaction {xid} of the source, committed at {commit_lsn}")
            });
        format!("{}{}", message.join(": "), transaction.unwrap_or_default())
    }
}

/// Returns when a stop was, RFC 3339 in UTC.
pub(crate) fn at(stop: &Failure) -> String {
    rfc3339(stop.at_ms)
}

/// Returns the stop of a slot's pipeline that is not overcome.
///
/// # Errors
/// By SQLSTATE; the table must be there.
pub(crate) async fn last(session: &Session, slot_name: &str) -> Result<Option<Failure>, PgError> {
    document(session, LAST_STOP, &[&slot_name]).await
}

/// Forgets a stop that is overcome, now that the stream has begun. Returns the one that is not.
///
/// # Errors
/// By SQLSTATE.
pub(crate) async fn begin(session: &Session, slot_name: &str) -> Result<Option<Failure>, PgError> {
    session.change(FORGET, &[&slot_name]).await?;
    last(session, slot_name).await
}

/// Writes a stop down, if the target can be reached: in a session of its own, since that of the stream may
/// be what failed. A pipeline whose slot nobody knows yet has nothing to write it down for.
pub(crate) async fn note(pipeline: &Pipeline, seen: &str, failure: &Failure) {
    let slot_name = pipeline.slot.as_ref().map_or(seen, SlotName::as_str);
    if slot_name.is_empty() {
        return;
    }
    let text = serde_json::to_string(failure).unwrap_or_default();
    let noted = async {
        let session = connect(&pipeline.target, "pgstream").await?;
        session.change(NOTE, &[&slot_name, &text]).await
    };
    match timeout(NOTE_MAX, noted).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => debug!(target: "apply", %error, "the stop is not noted on the target"),
        Err(_elapsed) => {
            debug!(target: "apply", "the stop is not noted: the target does not answer");
        }
    }
}
