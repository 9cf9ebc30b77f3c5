//! Recognises a pooler that gives a session another process of the server for each transaction: settings,
//! prepared statements and locks of a session do not last there.

use super::connect::Session;
use super::error::PgError;

const PROCESS: &str = "SELECT pg_catalog.pg_backend_pid()";

impl Session {
    /// Requires that the session has one process of the server to itself. While another session keeps a
    /// transaction open, it must not have our process, and ours must still be there.
    ///
    /// # Errors
    /// [`PgError::Pooled`]; else as [`connect`](super::connect()).
    pub async fn require_own_process(&self) -> Result<(), PgError> {
        let other = self.another("pgstream pooler").await?;
        let ours = process(self).await?;
        // A pooler in statement mode refuses to begin.
        let begun = other.run("BEGIN").await;
        let shared = match begun {
            Err(error) if error.server().is_none() => return Err(error),
            Err(_) => true,
            Ok(()) => process(&other).await? == ours || process(self).await? != ours,
        };
        match shared {
            false => Ok(()),
            true => Err(PgError::Pooled {
                object: self.object().to_owned(),
            }),
        }
    }
}

async fn process(session: &Session) -> Result<Option<String>, PgError> {
    let rows = session.text_rows(PROCESS).await?;
    Ok(rows.into_iter().flatten().flatten().next())
}
