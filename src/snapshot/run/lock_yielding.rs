//! Nobody waits for us: a user's statement that a copy's lock keeps waiting goes first.

use crate::postgres::{PgError, Session};
use crate::snapshot::error::SnapshotError;

/// Sessions that wait for a lock are few, and usually none; only for them the lock manager is asked
/// who is in their way (manual, section 9.27 `pg_blocking_pids`: «frequent calls … some impact»). Ours
/// is ended, not cancelled: while it waits for the target it runs no statement that could be.
const MAKE_WAY: &str = "\
SELECT w.pid
FROM (
  SELECT DISTINCT b.pid
  FROM pg_catalog.pg_stat_activity AS a
  CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) AS b (pid)
  WHERE a.wait_event_type = 'Lock' AND b.pid = ANY ($1) AND a.pid <> ALL ($1)) AS w
WHERE pg_catalog.pg_terminate_backend(w.pid)";

/// `CREATE INDEX CONCURRENTLY` and its like wait for the end of every snapshot that is older than theirs.
const WAITS: &str = "\
SELECT EXISTS (
  SELECT FROM pg_catalog.pg_stat_activity AS a
  WHERE a.wait_event_type = 'Lock' AND a.wait_event = 'virtualxid'
    AND $1 = ANY (pg_catalog.pg_blocking_pids(a.pid)))";

/// Returns whether somebody waits for the end of the snapshot that this process holds.
pub(crate) async fn is_waited_for(now: &Session, holder_pid: i32) -> Result<bool, PgError> {
    let row = now.row(WAITS, &[&holder_pid]).await?;
    Ok(row.is_some_and(|row| row.get(0)))
}

/// Ends those of our sessions that others wait for, and returns them.
pub(crate) async fn make_way(now: &Session, ours: &[i32]) -> Result<Vec<i32>, PgError> {
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let rows = now.rows(MAKE_WAY, &[&ours]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Returns what stops the copy where nobody can be let go first.
pub(crate) fn failed(endpoint: String, source: PgError) -> SnapshotError {
    SnapshotError::Source {
        operation: "let statements that wait for a copy go first",
        endpoint,
        source,
    }
}
