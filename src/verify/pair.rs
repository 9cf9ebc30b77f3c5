//! A snapshot of the source and one of the target that hold exactly the same transactions.
//!
//! The engine that streams stands still, the source's snapshot is taken, the engine applies what that
//! shows and nothing else, the target's snapshot is taken, the engine goes on (`snapshot::paired`). The
//! target proves its position itself: the checkpoint, read in the very snapshot, must be the one that the
//! engine named.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::fault;
use crate::model::{Lsn, quote_literal};
use crate::postgres::{PgError, Session};
use crate::runtime::clock;
use crate::snapshot::{MeetingPlace, Stage};

use super::VerifyError;
use super::session::beside;

/// An engine that moves no checkpoint for so long does not answer. One that does has a backlog to come
/// through, or a large transaction.
const ANSWER_MAX: Duration = Duration::from_secs(30);

const STANDS_AT: &str =
    "SELECT c.end_lsn::pg_catalog.text FROM pgstream.checkpoint AS c WHERE c.slot_name = $1";

/// One statement, so that the position is read when the snapshot is there.
const TAKE_SOURCE: &str = "\
SELECT pg_catalog.pg_export_snapshot(), pg_catalog.pg_current_snapshot()::pg_catalog.text,
       pg_catalog.pg_current_wal_insert_lsn()::pg_catalog.text";

/// A commit that is not on disk is not sent; this one brings all before it there, and waits for no standby.
const FLUSH_SOURCE: &str = "\
SELECT pg_catalog.set_config('synchronous_commit', 'local', true),
       pg_catalog.pg_logical_emit_message(true, '', '')";

const TAKE_TARGET: &str = "\
SELECT pg_catalog.pg_export_snapshot(), c.end_lsn::pg_catalog.text
FROM pgstream.checkpoint AS c
WHERE c.slot_name = $1";

/// A user's statement waits for us no longer than this.
pub(super) const WATCH_EVERY: Duration = Duration::from_millis(100);

/// Which of our sessions others wait for, and whether it is for the end of a snapshot.
pub(super) const WAITED_FOR: &str = "\
SELECT b.pid, pg_catalog.bool_or(a.wait_event = 'virtualxid')
FROM pg_catalog.pg_stat_activity AS a
CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) AS b (pid)
WHERE a.wait_event_type = 'Lock' AND b.pid = ANY ($1) AND a.pid <> ALL ($1)
GROUP BY b.pid";

/// Why a pair of snapshots is given up.
pub(super) const NEEDED: &str = "a statement of another session needed the end of the snapshot";

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
    /// Begins a transaction that reads under this snapshot. A table whose policies would hide rows from our
    /// role refuses to be read.
    pub(super) begin: String,
}

impl Held {
    fn of(session: Session, snapshot: &str) -> Self {
        Self {
            session,
            begin: format!(
                "{BEGIN}; SET TRANSACTION SNAPSHOT {}; SET LOCAL row_security = off",
                quote_literal(snapshot)
            ),
        }
    }

    /// Takes the snapshot that a session gets now.
    pub(super) async fn take(session: Session) -> Result<Self, PgError> {
        session.run(BEGIN).await?;
        let row = session
            .row("SELECT pg_catalog.pg_export_snapshot()", &[])
            .await?;
        let snapshot = row.map_or_else(String::new, |row| row.get(0));
        Ok(Self::of(session, &snapshot))
    }
}

/// The sessions that it takes to let the stream stand.
#[derive(Debug)]
pub(super) struct Sessions {
    /// Holds the source's snapshot.
    pub(super) source: Session,
    /// Sees what is committed now on the source.
    pub(super) now: Session,
    talker: Session,
}

impl Sessions {
    pub(super) async fn open(source: &Session, target: &Session) -> Result<Self, VerifyError> {
        let sessions = tokio::try_join!(beside(source), beside(source), beside(target));
        let (source, now, talker) = sessions.map_err(VerifyError::of("open sessions"))?;
        Ok(Self {
            source,
            now,
            talker,
        })
    }
}

/// The sessions of a pair.
#[derive(Debug)]
pub(super) struct PairSessions {
    sessions: Sessions,
    target: Session,
}

impl PairSessions {
    pub(super) async fn open(source: &Session, target: &Session) -> Result<Self, VerifyError> {
        let on_target = async {
            let session = beside(target).await;
            session.map_err(VerifyError::of("open sessions"))
        };
        let (sessions, target) = tokio::try_join!(Sessions::open(source, target), on_target)?;
        Ok(Self { sessions, target })
    }
}

/// The stream stands where a snapshot of the source is.
pub(super) struct Standing<'s> {
    talk: Talk<'s>,
    /// The source's snapshot, for other sessions.
    snapshot: String,
    pub(super) lsn: Lsn,
    since: Instant,
}

impl<'s> Standing<'s> {
    /// Lets the stream stand. The inner error says why it does not right now.
    pub(super) async fn take(
        sessions: &'s Sessions,
        slot_name: &'s str,
    ) -> Result<Result<Self, String>, VerifyError> {
        let mut talk = Talk::open(&sessions.talker, slot_name).await?;
        if let Err(reason) = talk.ask().await? {
            return Ok(Err(reason));
        }
        let since = clock::now();
        let (snapshot, stage) = take_source(&sessions.source, &sessions.now).await?;
        // A stream that is behind takes its time to come to the snapshot, which others may wait for.
        let answer = tokio::select! {
            biased;
            answer = talk.report(&stage) => answer?,
            needed = is_waited_for(&sessions.now, &sessions.source) => {
                return Ok(Err(needed?));
            }
        };
        Ok(match answer {
            Ok(Stage::Reached(lsn)) => Ok(Self {
                talk,
                snapshot,
                lsn,
                since,
            }),
            Ok(_) => Err("the engine answered out of turn".to_owned()),
            Err(reason) => Err(reason),
        })
    }

    /// Lets the stream go on. Returns how long it stood, when what follows is in no snapshot of the
    /// source's.
    pub(super) async fn release(
        mut self,
    ) -> Result<Result<(String, Duration), String>, VerifyError> {
        let confirmed = self.talk.report(&Stage::Released).await?;
        Ok(confirmed.map(|_| (self.snapshot, self.since.elapsed())))
    }
}

/// Takes a pair. The inner error says why there is none right now.
pub(super) async fn take(
    sessions: PairSessions,
    slot_name: &str,
) -> Result<Result<Pair, String>, VerifyError> {
    let PairSessions {
        sessions,
        target: on_target,
    } = sessions;
    let standing = match Standing::take(&sessions, slot_name).await? {
        Ok(standing) => standing,
        Err(reason) => return Ok(Err(reason)),
    };
    fault::point(fault::VERIFY_WHILE_STANDING);
    let named = standing.lsn;
    let taken = take_target(&on_target, slot_name).await;
    let (target_snapshot, lsn) = taken.map_err(VerifyError::of("take a snapshot of the target"))?;
    fault::point(fault::VERIFY_BEFORE_RELEASE);
    let (snapshot, pause) = match standing.release().await? {
        Ok(released) => released,
        Err(reason) => return Ok(Err(reason)),
    };
    if lsn != named {
        return Ok(Err(format!(
            "the target stands at {lsn}, not at {named}: the stream went on before its snapshot was taken"
        )));
    }
    Ok(Ok(Pair {
        source: Held::of(sessions.source, &snapshot),
        target: Held::of(on_target, &target_snapshot),
        lsn,
        pause,
    }))
}

/// Waits until somebody waits for what a session of ours holds.
async fn is_waited_for(now: &Session, held: &Session) -> Result<String, VerifyError> {
    let pids = [held.process_id()];
    loop {
        sleep(WATCH_EVERY).await;
        let found = now.rows(WAITED_FOR, &[&pids.as_slice()]).await;
        if !found
            .map_err(VerifyError::of("look whom we keep waiting"))?
            .is_empty()
        {
            return Ok(NEEDED.to_owned());
        }
    }
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
    session: &'s Session,
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
            session,
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

    async fn stands_at(&self) -> Result<Option<String>, VerifyError> {
        let row = self.session.row(STANDS_AT, &[&self.slot_name]).await;
        let row = row.map_err(VerifyError::of("speak with the engine"))?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Waits for what comes after `message`.
    async fn answer(&mut self, message: &Stage) -> Result<Result<Stage, String>, VerifyError> {
        let mut stood_at = None;
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
                let stands_at = self.stands_at().await?;
                if stood_at != stands_at {
                    stood_at = stands_at;
                    continue;
                }
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
