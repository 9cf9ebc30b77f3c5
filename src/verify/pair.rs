//! A snapshot of the source and one of the target that hold exactly the same transactions.
//!
//! The engine that streams stands still, the source's snapshot is taken, the engine applies what that
//! shows and nothing else, the target's snapshot is taken, the engine goes on (`snapshot::paired`). The
//! target proves its position itself: the checkpoint, read in the very snapshot, must be the one that the
//! engine named.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use tokio::time::timeout;

use crate::config::ConnectionSettings;
use crate::model::{Lsn, quote_literal};
use crate::postgres::{self, PgError, Session};
use crate::runtime::clock;
use crate::snapshot::{MeetingPlace, Stage};

use super::VerifyError;

/// A large transaction must come to its end before the engine can stand still.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// One statement, so that the position is read when the snapshot is there.
const TAKE_SOURCE: &str = "\
SELECT pg_catalog.pg_export_snapshot(), pg_catalog.pg_current_snapshot()::pg_catalog.text,
       pg_catalog.pg_current_wal_insert_lsn()::pg_catalog.text";

/// A commit that is not on disk is not sent; this one brings all before it there.
const FLUSH_SOURCE: &str = "SELECT pg_catalog.pg_logical_emit_message(true, '', '')";

const TAKE_TARGET: &str = "\
SELECT pg_catalog.pg_export_snapshot(), c.end_lsn::pg_catalog.text
FROM pgstream.checkpoint AS c
WHERE c.slot_name = $1";

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The two snapshots. Sessions can join them while this value lives.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) source: Held,
    pub(super) target: Held,
    /// Where both are.
    pub(super) lsn: Lsn,
    /// How long the stream stood still.
    pub(super) pause: Duration,
}

/// A snapshot and the session that keeps it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) session: Session,
    snapshot: String,
}

impl Held {
    /// Returns the statements that begin a transaction that reads under this snapshot. A table whose
    /// policies would hide rows from our role refuses to be read.
    pub(super) fn begin(&self) -> String {
        format!(
            "{BEGIN}; SET TRANSACTION SNAPSHOT {}; SET LOCAL row_security = off",
            quote_literal(&self.snapshot)
        )
    }
}

/// Takes a pair. The inner error says why there is none right now.
pub(super) async fn take(
    source: &ConnectionSettings,
    target: &ConnectionSettings,
    slot_name: &str,
) -> Result<Result<Pair, String>, VerifyError> {
    let connect = |settings| postgres::connect(settings, "pgstream verify");
    let sessions = tokio::try_join!(
        connect(source),
        connect(source),
        connect(target),
        connect(target)
    );
    let (source, flusher, target, talker) = sessions.map_err(VerifyError::of("open sessions"))?;
    let mut talk = Talk::open(&talker, slot_name).await?;
    if let Err(reason) = talk.ask().await? {
        return Ok(Err(reason));
    }
    let stands_since = clock::now();
    let (snapshot, stage) = take_source(&source, &flusher).await?;
    let named = match talk.report(&stage).await? {
        Ok(Stage::Reached(lsn)) => lsn,
        Ok(_) => return Ok(Err("the engine lost its thread".to_owned())),
        Err(reason) => return Ok(Err(reason)),
    };
    let taken = take_target(&target, slot_name).await;
    let (target_snapshot, lsn) = taken.map_err(VerifyError::of("take a snapshot of the target"))?;
    let confirmed = talk.report(&Stage::Released).await?;
    let pause = stands_since.elapsed();
    if let Err(reason) = confirmed {
        return Ok(Err(reason));
    }
    if lsn != named {
        return Ok(Err(format!(
            "the target stands at {lsn}, not at {named}: the stream went on before its snapshot was taken"
        )));
    }
    Ok(Ok(Pair {
        source: Held {
            session: source,
            snapshot,
        },
        target: Held {
            session: target,
            snapshot: target_snapshot,
        },
        lsn,
        pause,
    }))
}

async fn take_source(source: &Session, flusher: &Session) -> Result<(String, Stage), VerifyError> {
    let taken = async {
        source.run(BEGIN).await?;
        source.row(TAKE_SOURCE, &[]).await
    };
    let row = taken
        .await
        .map_err(VerifyError::of("take a snapshot of the source"))?;
    let text = |at: usize| {
        let row = row.as_ref();
        row.map(|row| row.get::<_, String>(at)).unwrap_or_default()
    };
    let flushed = flusher.rows(FLUSH_SOURCE, &[]).await;
    flushed.map_err(VerifyError::of("bring the source's commits to disk"))?;
    let stage = Stage::Taken {
        snapshot: text(1),
        wal_end: text(2).parse().unwrap_or_default(),
    };
    Ok((text(0), stage))
}

async fn take_target(target: &Session, slot_name: &str) -> Result<(String, Lsn), PgError> {
    target.run(BEGIN).await?;
    let row = target.row(TAKE_TARGET, &[&slot_name]).await?;
    Ok(row.map_or_else(Default::default, |row| {
        let lsn: &str = row.get(1);
        (row.get(0), lsn.parse().unwrap_or_default())
    }))
}

/// The exchange with the engine.
struct Talk<'s> {
    place: MeetingPlace<'s>,
    notifications: tokio::sync::watch::Receiver<u64>,
    request: String,
    slot_name: &'s str,
}

impl<'s> Talk<'s> {
    async fn open(session: &'s Session, slot_name: &'s str) -> Result<Self, VerifyError> {
        let notifications = session.notifications();
        let place = MeetingPlace::open(session, slot_name).await;
        Ok(Self {
            place: place.map_err(VerifyError::of("listen to the engine"))?,
            notifications,
            request: format!("{:016x}", random()),
            slot_name,
        })
    }

    async fn ask(&mut self) -> Result<Result<Stage, String>, VerifyError> {
        let asked = self.place.ask(&self.request).await;
        asked.map_err(VerifyError::of("ask the engine to stand still"))?;
        self.answer(&Stage::Requested).await
    }

    async fn report(&mut self, stage: &Stage) -> Result<Result<Stage, String>, VerifyError> {
        let message = self.place.advance(&self.request, stage).await;
        message.map_err(VerifyError::of("speak with the engine"))?;
        self.answer(stage).await
    }

    /// Waits for what comes after `message`.
    async fn answer(&mut self, message: &Stage) -> Result<Result<Stage, String>, VerifyError> {
        loop {
            let found = self.place.look().await;
            match found.map_err(VerifyError::of("speak with the engine"))? {
                Some(meeting) if meeting.request != self.request => {
                    return Ok(Err("another verify takes its snapshots".to_owned()));
                }
                Some(meeting) => match meeting.stage {
                    Stage::Refused(reason) => return Ok(Err(reason)),
                    stage if stage != *message => return Ok(Ok(stage)),
                    _ => {}
                },
                None => {}
            }
            let woken = MeetingPlace::woken(&mut self.notifications);
            if !timeout(ANSWER_MAX, woken).await.unwrap_or(false) {
                return Err(VerifyError::NoAnswer {
                    slot_name: self.slot_name.to_owned(),
                });
            }
        }
    }
}

/// Returns a number that nobody can foresee.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
