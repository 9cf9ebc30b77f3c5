//! Makes sure that what a server has committed outlives its crash.

use crate::model::Lsn;

use super::connect::Session;
use super::error::PgError;

/// A commit waits for the disk, and for synchronous standbys, only if its transaction has written
/// something: an id alone is not enough. So it writes a message, which nobody reads.
const FLUSH: &str = "\
SELECT pg_catalog.pg_current_wal_insert_lsn();
BEGIN;
SELECT pg_catalog.set_config('synchronous_commit', 'on', true)
WHERE pg_catalog.current_setting('synchronous_commit') <> 'remote_apply';
SELECT pg_catalog.pg_logical_emit_message(true, 'pgstream.flush', '');
COMMIT;
SELECT pg_catalog.pg_current_wal_flush_lsn()";

impl Session {
    /// Waits until all that the server has committed is on its disk and on those of its synchronous
    /// standbys, and sees that it is. Not to be called within a transaction.
    ///
    /// # Errors
    /// [`PgError::NotFlushed`] when the server did not wait; else by SQLSTATE.
    pub async fn flush_wal(&self) -> Result<(), PgError> {
        let warnings = self.warning_count();
        let rows = self.text_rows(FLUSH).await?;
        let position = |row: Option<&super::TextRow>| -> Option<Lsn> {
            row?.first()?.as_deref()?.parse().ok()
        };
        let (written, flushed) = (position(rows.first()), position(rows.last()));
        // The only warning that a commit of ours gives is that somebody has cancelled the wait for
        // standbys.
        let waited = self.warning_count() == warnings;
        match written.zip(flushed) {
            Some((written, flushed)) if waited && flushed >= written => Ok(()),
            _ => Err(PgError::NotFlushed {
                object: self.object().to_owned(),
            }),
        }
    }
}
