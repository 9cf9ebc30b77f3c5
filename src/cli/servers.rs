//! The servers of a source that `init` and `tear-down` work on: where it is a standby, its primary, too.

use crate::config::Maintenance;
use crate::postgres::{PgError, Session, connect_watched};
use crate::schema::SourceServers;

/// Sessions on them.
pub(super) struct Servers {
    /// What the source's address names.
    pub(super) source: Session,
    /// Where everything but the slot is made, if that is another.
    primary: Option<Session>,
}

impl Servers {
    /// Takes the source, and joins its primary where it needs one and one is named.
    ///
    /// # Errors
    /// As [`connect_watched`].
    pub(super) async fn of(
        source: Session,
        maintenance: &Maintenance,
        application_name: &str,
    ) -> Result<Self, PgError> {
        let standby = source.is_standby().await?;
        let primary = match maintenance.schema_log.as_ref().filter(|_| standby) {
            Some(settings) => Some(connect_watched(settings, application_name).await?),
            None => None,
        };
        Ok(Self { source, primary })
    }

    /// Returns them as an installation takes them.
    pub(super) fn both(&self) -> SourceServers<'_> {
        match &self.primary {
            Some(primary) => SourceServers {
                primary,
                standby: Some(&self.source),
            },
            None => (&self.source).into(),
        }
    }
}
