//! What `run` asks of and writes to `pgstream.schema_log` on the source.

use crate::postgres::{PgError, Session};

/// At most this many changes are looked up at a start: what a crash leaves behind is a handful.
const UNACKED: &str = "\
SELECT id::pg_catalog.text
FROM pgstream.schema_log
WHERE NOT acked
ORDER BY version DESC
LIMIT 10000";

const MARK_ACKED: &str = "\
UPDATE pgstream.schema_log
SET acked = true
WHERE NOT acked AND id::pg_catalog.text = ANY ($1)";

/// Returns the ids of changes that are not acknowledged.
///
/// # Errors
/// By SQLSTATE; `42P01` when the schema log is not installed.
pub async fn unacked(session: &Session) -> Result<Vec<String>, PgError> {
    let rows = session.rows(UNACKED, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Marks changes as durable on the target.
///
/// # Errors
/// By SQLSTATE; `42501` without UPDATE on the schema log.
pub async fn mark_acked(session: &Session, ids: &[String]) -> Result<(), PgError> {
    session.change(MARK_ACKED, &[&ids]).await.map(drop)
}
