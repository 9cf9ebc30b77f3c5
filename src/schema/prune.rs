//! Removes what nobody needs any more from the schema log.

use std::time::Duration;

use crate::postgres::{PgError, Session};

/// Entries of one transaction: each is small, and no lock is held for longer than they take.
const PRUNED_MAX: i32 = 1_000;

/// Removes the entries that are acknowledged, confirmed by every pipeline, and older than `keep`.
/// Returns how many those were. The rule is in the database, where an operator can call it, too.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn prune(session: &Session, keep: Duration) -> Result<u64, PgError> {
    let sql = "SELECT pgstream.prune_schema_log(pg_catalog.make_interval(secs => $1), $2)";
    let mut pruned = 0;
    loop {
        let row = session
            .row(sql, &[&keep.as_secs_f64(), &PRUNED_MAX])
            .await?;
        let count: i64 = row.map_or(0, |row| row.get(0));
        pruned += count.unsigned_abs();
        if count < i64::from(PRUNED_MAX) {
            return Ok(pruned);
        }
    }
}
