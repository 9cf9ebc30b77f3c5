//! Sessions by whose name the servers show what they are for.

use crate::config::ConnectionSettings;
use crate::postgres::{self, PgError, Session};

/// What `application_name` says of us on the servers.
pub(super) const APPLICATION_NAME: &str = "pgstream verify";

/// Opens a session.
pub(super) async fn connect(settings: &ConnectionSettings) -> Result<Session, PgError> {
    postgres::connect(settings, APPLICATION_NAME).await
}
