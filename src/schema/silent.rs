//! Changes of the source that no event tells of.

use crate::postgres::{PgError, Session};

/// Puts into the schema log which objects have another owner without a command having told. Returns how many
/// changes those are.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn record_owners(session: &Session) -> Result<u64, PgError> {
    let row = session.row("SELECT pgstream.record_owners()", &[]).await?;
    let count: i64 = row.map_or(0, |row| row.get(0));
    Ok(count.unsigned_abs())
}
