//! The servers of a source: usually one. Where changes are decoded on a standby, everything but the slot
//! is made on its primary, from where the standby gets it.
//!
//! A slot on a standby begins only when the primary says which transactions run there, which an idle one
//! does seldom; and it must not begin before the standby has what it is to decode with.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::model::Lsn;
use crate::postgres::{PgError, Session};

use super::{InstallError, Side};

/// How often the standby is asked how far it is, and the primary to say what runs there.
const POLL_EVERY: Duration = Duration::from_millis(100);
const SAY_EVERY: Duration = Duration::from_secs(1);

/// What runs there, for standbys whose slots wait for it.
const SAY: &str = "SELECT pg_catalog.pg_log_standby_snapshot()";
const WRITTEN: &str = "SELECT pg_catalog.pg_current_wal_insert_lsn()";
const REPLAYED: &str = "SELECT pg_catalog.pg_last_wal_replay_lsn()";

/// The first version that decodes on standbys.
pub(super) const DECODES_ON_STANDBY: i32 = 16;

/// Where a source's schema is written, and where its slot is.
#[derive(Debug, Clone, Copy)]
pub struct SourceServers<'a> {
    /// Takes writes.
    pub primary: &'a Session,
    /// Has the slot, where that is not the primary.
    pub standby: Option<&'a Session>,
}

impl<'a> From<&'a Session> for SourceServers<'a> {
    fn from(primary: &'a Session) -> Self {
        Self {
            primary,
            standby: None,
        }
    }
}

impl<'a> SourceServers<'a> {
    /// Returns the session that has the slot.
    pub(super) fn slot(&self) -> &'a Session {
        self.standby.unwrap_or(self.primary)
    }

    /// Returns which of our sides has it.
    pub(super) const fn slot_side(&self) -> Side {
        match self.standby {
            Some(_) => Side::Standby,
            None => Side::Source,
        }
    }

    /// Returns the session that a step is for.
    pub(super) fn of(&self, side: Side) -> &'a Session {
        match side {
            Side::Standby => self.slot(),
            Side::Source | Side::Target => self.primary,
        }
    }

    /// Requires that the standby is one of the primary.
    pub(super) async fn require_one_system(&self) -> Result<(), InstallError> {
        let Some(standby) = self.standby else {
            return Ok(());
        };
        let ask = |source| InstallError::Ask {
            what: "look whose standby it is",
            source,
        };
        let (ours, theirs) = (
            self.primary.system().await.map_err(ask)?,
            standby.system().await.map_err(ask)?,
        );
        match ours == theirs {
            true => Ok(()),
            false => Err(InstallError::Blocked {
                problem: format!(
                    "{} is not a standby of {}: another system, or another database of it",
                    standby.object(),
                    self.primary.object()
                ),
                hint: "let PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL name the same database on the \
                       standby's primary"
                    .to_owned(),
            }),
        }
    }

    /// Runs the statement that makes the slot on the standby, when the standby has all that was made for it.
    pub(super) async fn make_slot_on_standby(
        &self,
        sql: &str,
        stop: &watch::Sender<bool>,
    ) -> Result<(), PgError> {
        let standby = self.slot();
        self.primary.flush_wal().await?;
        let written = position(self.primary, WRITTEN).await?;
        while !*stop.borrow() && position(standby, REPLAYED).await? < written {
            sleep(POLL_EVERY).await;
        }
        let says = async {
            loop {
                if let Err(error) = self.primary.run(SAY).await {
                    return error;
                }
                sleep(SAY_EVERY).await;
            }
        };
        tokio::select! {
            biased;
            made = standby.run(sql) => made,
            error = says => Err(error),
        }
    }
}

async fn position(session: &Session, sql: &str) -> Result<Lsn, PgError> {
    let rows = session.text_rows(sql).await?;
    let text = rows.into_iter().flatten().flatten().next();
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or_default())
}
