//! Finds out whether the source has wal2json, and whether it is one that prints `NaN`.
//!
//! No catalog tells; only a slot of that plugin does. So one is made that goes with our session, and asked for
//! nothing with an option that releases before 2.6 refuse. Making a slot waits for the transactions that run
//! at the moment: after [`ANSWER_MAX`] the question is given up and nothing is found.

use crate::postgres::{INVALID_PARAMETER_VALUE, Session, UNDEFINED_FILE};

use super::facts::Wal2json;

/// As long as a person may wait for one answer of many.
const ANSWER_MAX: &str = "SET statement_timeout = '2s'";

const MAKE_SLOT: &str = "\
SELECT slot_name FROM pg_catalog.pg_create_logical_replication_slot(
  pg_catalog.concat('pgstream_check_', pg_catalog.pg_backend_pid()), 'wal2json', true)";

/// Reads one record of the WAL at most.
const ASK: &str = "\
SELECT FROM pg_catalog.pg_logical_slot_peek_changes(
  pg_catalog.concat('pgstream_check_', pg_catalog.pg_backend_pid())::pg_catalog.name, '0/1', NULL,
  'format-version', '2', 'numeric-data-types-as-string', 'true')";

/// Asks; none when there is no telling. The session is of no further use: its end removes the slot.
pub(crate) async fn ask(session: Session) -> Option<Wal2json> {
    session.run(ANSWER_MAX).await.ok()?;
    if let Err(error) = session.rows(MAKE_SLOT, &[]).await {
        return (error.code() == Some(UNDEFINED_FILE)).then_some(Wal2json::Missing);
    }
    match session.rows(ASK, &[]).await {
        Ok(_) => Some(Wal2json::Current),
        Err(error) if error.code() == Some(INVALID_PARAMETER_VALUE) => {
            Some(Wal2json::PrintsNanAsNull)
        }
        Err(_) => None,
    }
}
