//! Nobody waits for us: a user's statement that a copy's lock keeps waiting goes first.

use crate::postgres::{PgError, Session};

/// Sessions that wait for a lock are few, and usually none; only for them the lock manager is asked
/// who is in their way (manual, section 9.27 `pg_blocking_pids`: «frequent calls … some impact»).
const IN_THE_WAY: &str = "\
SELECT DISTINCT b.pid
FROM pg_catalog.pg_stat_activity AS a
CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) AS b (pid)
WHERE a.wait_event_type = 'Lock' AND b.pid = ANY ($1) AND a.pid <> ALL ($1)";

/// Returns those of our sessions that others wait for.
pub(super) async fn in_the_way(now: &Session, ours: &[i32]) -> Result<Vec<i32>, PgError> {
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let rows = now.rows(IN_THE_WAY, &[&ours]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
