//! Sessions by whose name the servers show what they are for.

use crate::config::ConnectionSettings;
use crate::postgres::{self, PgError, Session};

/// What `application_name` says of us on the servers.
pub(super) const APPLICATION_NAME: &str = "pgstream verify";

/// Nothing of ours waits for somebody's lock without an end.
const LOCK_TIMEOUT: &str = "SET lock_timeout = '10s'";

/// Opens a session.
pub(super) async fn connect(settings: &ConnectionSettings) -> Result<Session, PgError> {
    let session = postgres::connect(settings, APPLICATION_NAME).await?;
    session.run(LOCK_TIMEOUT).await?;
    Ok(session)
}

/// Opens a session beside one that this comparison has.
pub(super) async fn beside(session: &Session) -> Result<Session, PgError> {
    let session = session.beside(APPLICATION_NAME).await?;
    session.run(LOCK_TIMEOUT).await?;
    Ok(session)
}
