//! A snapshot of the source that several sessions can read: an exported snapshot, and where it lies in
//! the WAL.
//!
//! A temporary logical slot gives both: what was committed before its consistent point is in the
//! snapshot, what was committed behind is not (manual, section 55.4
//! `CREATE_REPLICATION_SLOT … SNAPSHOT 'export'`). The slot ends with its session and is never read.
//! Where nobody streams afterwards the position does not matter, and `pg_export_snapshot()` does.

use crate::config::ConnectionSettings;
use crate::model::{Lsn, quote_literal};
use crate::postgres::{self, PgError, ReplicationConnection, Session, naming_whom_we_wait_for};

/// Built into every server, so that no plugin has to be installed for a slot that nobody reads.
const PLUGIN: &str = "pgoutput";

/// The snapshot. Sessions can join it while this value lives, until it is released.
#[derive(Debug)]
pub struct ConsistentPoint {
    lsn: Option<Lsn>,
    system: Option<(String, String)>,
    snapshot: String,
    holder_pid: i32,
    holder: Option<Holder>,
}

/// The session that keeps the snapshot.
#[derive(Debug)]
enum Holder {
    Slot(#[expect(dead_code, reason = "held for its end")] Box<ReplicationConnection>),
    Transaction(#[expect(dead_code, reason = "held for its end")] Box<Session>),
}

impl ConsistentPoint {
    /// Takes one with a position. Waits for the transactions that are running, and names them in the
    /// log when that takes long.
    ///
    /// # Errors
    /// Operator when the role lacks REPLICATION or no slot is free; Transient when the connection is
    /// lost.
    pub async fn with_position(settings: &ConnectionSettings, slot: &str) -> Result<Self, PgError> {
        let mut connection = ReplicationConnection::connect(settings).await?;
        let identity = connection.identify_system().await?;
        let holder_pid = connection.process_id();
        let (lsn, snapshot) = naming_whom_we_wait_for(
            "take a snapshot of the source",
            || postgres::connect(settings, "pgstream snapshot"),
            connection.create_temporary_slot(slot, PLUGIN),
        )
        .await?;
        Ok(Self {
            lsn: Some(lsn),
            system: Some((
                identity.system_identifier,
                identity.database.unwrap_or_default(),
            )),
            snapshot,
            holder_pid,
            holder: Some(Holder::Slot(Box::new(connection))),
        })
    }

    /// Takes one without a position; needs no privilege but to read.
    ///
    /// # Errors
    /// Transient when the connection is lost.
    pub async fn without_position(settings: &ConnectionSettings) -> Result<Self, PgError> {
        let session = postgres::connect(settings, "pgstream snapshot").await?;
        session
            .run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        let row = session
            .row(
                "SELECT pg_catalog.pg_export_snapshot(), pg_catalog.pg_backend_pid()",
                &[],
            )
            .await?;
        let (snapshot, holder_pid) =
            row.map_or_else(Default::default, |row| (row.get(0), row.get(1)));
        Ok(Self {
            lsn: None,
            system: None,
            snapshot,
            holder_pid,
            holder: Some(Holder::Transaction(Box::new(session))),
        })
    }

    /// Returns the process on the source that holds it.
    #[must_use]
    pub const fn holder_pid(&self) -> i32 {
        self.holder_pid
    }

    /// Lets the source go on: nobody can join any more.
    pub fn release(&mut self) {
        self.holder = None;
    }

    /// Returns where it lies in the WAL.
    #[must_use]
    pub const fn lsn(&self) -> Option<Lsn> {
        self.lsn
    }

    /// Returns the system identifier and the database that its position is of.
    #[must_use]
    pub const fn system(&self) -> Option<&(String, String)> {
        self.system.as_ref()
    }

    /// Returns the statements that begin a reading transaction at this snapshot. A table whose policies
    /// would hide rows from our role refuses to be read: half a table is not a copy.
    #[must_use]
    pub fn begin(&self) -> String {
        format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}; \
             SET LOCAL row_security = off",
            quote_literal(&self.snapshot)
        )
    }
}
