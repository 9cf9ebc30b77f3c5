//! How `verify` and `run` agree on a pair of snapshots that hold exactly the same transactions: a
//! row on the target that both write in turn, and a notification that wakes the other.
//!
//! ```text
//!   verify                                   run
//!   requested ─────────────────────────────> ends its transaction, reads nothing more
//!             <───────────────────────────── paused
//!   takes the source's snapshot, taken ────> applies what that shows, and nothing else
//!             <───────────────────────────── reached, at this position
//!   takes the target's snapshot, released ─> streams on; looks at what follows
//!             <───────────────────────────── confirmed
//! ```
//!
//! Nothing in the row is trusted further than that `run` stands still for a moment.

use tokio::sync::watch;

use crate::model::Lsn;
use crate::postgres::{PgError, Session};

/// What wakes the other side.
const CHANNEL: &str = "pgstream_paired_snapshot";

const LISTEN: &str = "LISTEN pgstream_paired_snapshot";

/// A request that nobody works on any more is of a process that is gone.
const READ: &str = "\
SELECT p.request, p.stage, p.snapshot, p.wal_end::pg_catalog.text, p.position::pg_catalog.text, p.reason
FROM pgstream.paired_snapshot AS p
WHERE p.slot_name = $1
  AND p.updated_at > pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => 30)";

const REQUEST: &str = "\
INSERT INTO pgstream.paired_snapshot AS p (slot_name, request, stage)
VALUES ($1, $2, 'requested')
ON CONFLICT (slot_name) DO UPDATE
SET request = excluded.request, stage = excluded.stage, snapshot = NULL, wal_end = NULL,
    position = NULL, reason = NULL, updated_at = pg_catalog.clock_timestamp()";

const ADVANCE: &str = "\
UPDATE pgstream.paired_snapshot
SET stage = $3, snapshot = COALESCE($4, snapshot),
    wal_end = COALESCE($5::pg_catalog.text::pg_catalog.pg_lsn, wal_end),
    position = COALESCE($6::pg_catalog.text::pg_catalog.pg_lsn, position),
    reason = $7, updated_at = pg_catalog.clock_timestamp()
WHERE slot_name = $1 AND request = $2";

/// How far the two are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// `verify` asks.
    Requested,
    /// `run` reads nothing more.
    Paused,
    /// The source's snapshot, as `pg_current_snapshot()` prints it, and a position behind all that
    /// it shows.
    Taken { snapshot: String, wal_end: Lsn },
    /// The target holds exactly what the snapshot shows, and stands at this checkpoint.
    Reached(Lsn),
    /// `verify` has the target's snapshot.
    Released,
    /// Nothing that came later is in the source's snapshot.
    Confirmed,
    /// It cannot be had now.
    Refused(String),
}

/// The row, as one of the two sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// Of this attempt, so that nobody answers another.
    pub request: String,
    /// How far it is.
    pub stage: Stage,
}

/// A session on the target that reads and writes the row.
#[derive(Debug)]
pub struct MeetingPlace<'s> {
    session: &'s Session,
    slot_name: &'s str,
}

impl<'s> MeetingPlace<'s> {
    /// Listens to the other side.
    ///
    /// # Errors
    /// By SQLSTATE; Transient when the connection is lost.
    pub async fn open(session: &'s Session, slot_name: &'s str) -> Result<Self, PgError> {
        session.run(LISTEN).await?;
        Ok(Self { session, slot_name })
    }

    /// Returns the row, none when there is none that anybody works on.
    ///
    /// # Errors
    /// Transient when the connection is lost.
    pub async fn look(&self) -> Result<Option<Meeting>, PgError> {
        let row = self.session.row(READ, &[&self.slot_name]).await?;
        Ok(row.and_then(|row| {
            let lsn = |at| row.get::<_, Option<&str>>(at)?.parse().ok();
            let stage = match row.get(1) {
                "requested" => Stage::Requested,
                "paused" => Stage::Paused,
                "taken" => Stage::Taken {
                    snapshot: row.get::<_, Option<String>>(2)?,
                    wal_end: lsn(3)?,
                },
                "reached" => Stage::Reached(lsn(4)?),
                "released" => Stage::Released,
                "confirmed" => Stage::Confirmed,
                _ => Stage::Refused(row.get::<_, Option<String>>(5).unwrap_or_default()),
            };
            Some(Meeting {
                request: row.get(0),
                stage,
            })
        }))
    }

    /// Asks for a pair.
    ///
    /// # Errors
    /// By SQLSTATE; Transient when the connection is lost.
    pub async fn ask(&self, request: &str) -> Result<(), PgError> {
        self.session
            .change(REQUEST, &[&self.slot_name, &request])
            .await?;
        self.wake().await
    }

    /// Goes on to the next stage.
    ///
    /// # Errors
    /// By SQLSTATE; Transient when the connection is lost.
    pub async fn advance(&self, request: &str, stage: &Stage) -> Result<(), PgError> {
        let (word, snapshot, wal_end, position, reason) = match stage {
            Stage::Requested => ("requested", None, None, None, None),
            Stage::Paused => ("paused", None, None, None, None),
            Stage::Taken { snapshot, wal_end } => (
                "taken",
                Some(snapshot),
                Some(wal_end.to_string()),
                None,
                None,
            ),
            Stage::Reached(position) => ("reached", None, None, Some(position.to_string()), None),
            Stage::Released => ("released", None, None, None, None),
            Stage::Confirmed => ("confirmed", None, None, None, None),
            Stage::Refused(reason) => ("refused", None, None, None, Some(reason)),
        };
        self.session
            .change(
                ADVANCE,
                &[
                    &self.slot_name,
                    &request,
                    &word,
                    &snapshot,
                    &wal_end,
                    &position,
                    &reason,
                ],
            )
            .await?;
        self.wake().await
    }

    async fn wake(&self) -> Result<(), PgError> {
        self.session.run(&format!("NOTIFY {CHANNEL}")).await
    }

    /// Waits until the other side has written, which may have been before. Returns false when the
    /// connection is gone.
    pub async fn woken(notifications: &mut watch::Receiver<u64>) -> bool {
        notifications.changed().await.is_ok()
    }
}
