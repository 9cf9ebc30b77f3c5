//! Answers `verify`: stands still between two transactions, so that a snapshot of the source and one of
//! the target hold exactly the same (`snapshot::paired` has the exchange).
//!
//! A session of its own on the target waits for requests; it costs nothing while there are none. Whatever
//! goes wrong in here ends the request, never the stream.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};
use tracing::debug;

use crate::config::ConnectionSettings;
use crate::model::{Lsn, Visibility};
use crate::postgres::{self, PgError, Session};
use crate::snapshot::{MeetingPlace, Stage};

/// The stream stands still no longer than this, whoever asks.
pub(super) const STANDS_MAX: Duration = Duration::from_secs(2);

/// A committed transaction is in the WAL before a snapshot shows it, by microseconds or, with
/// synchronous standbys, by as long as they take. So many of the last are looked at.
const RECENT_MAX: usize = 65_536;

/// Between two attempts to reach the target.
const RECONNECT: Duration = Duration::from_secs(5);

/// What `verify` asks of the stream.
#[derive(Debug)]
pub(super) enum PairedRequest {
    /// To end the transaction in hand and to read nothing more.
    Pause(oneshot::Sender<Result<(), String>>),
    /// To apply what the snapshot shows, and nothing else.
    Reach {
        shown: Visibility,
        wal_end: Lsn,
        answer: oneshot::Sender<Result<Lsn, String>>,
    },
    /// To stream on, and to say whether the snapshot shows nothing of what follows.
    Release(oneshot::Sender<Result<(), String>>),
}

/// Where the stream is with a request.
#[derive(Debug, Default)]
pub(super) enum Paired {
    #[default]
    Idle,
    /// Until the large transaction in hand is through.
    Pausing(oneshot::Sender<Result<(), String>>),
    Paused {
        until: Instant,
    },
    Reaching {
        shown: Visibility,
        wal_end: Lsn,
        answer: oneshot::Sender<Result<Lsn, String>>,
    },
    Reached {
        shown: Visibility,
        wal_end: Lsn,
        until: Instant,
    },
    Confirming {
        shown: Visibility,
        wal_end: Lsn,
        answer: oneshot::Sender<Result<(), String>>,
    },
}

impl Paired {
    /// Returns whether nothing may move.
    pub(super) const fn stands(&self) -> bool {
        matches!(self, Self::Paused { .. } | Self::Reached { .. })
    }

    /// Returns whether it waits for what the source says next.
    pub(super) const fn waits(&self) -> bool {
        matches!(self, Self::Reaching { .. } | Self::Confirming { .. })
    }

    /// Returns whether the target is where it should be when the next transaction is this one.
    pub(super) fn is_reached_before(&self, xid: u32, commit_lsn: Lsn) -> bool {
        match self {
            Self::Reaching { shown, wal_end, .. } => commit_lsn >= *wal_end || !shown.shows(xid),
            _ => false,
        }
    }

    /// Returns whether it is there when everything before `passed` has been applied.
    pub(super) fn is_reached_at(&self, passed: Lsn) -> bool {
        matches!(self, Self::Reaching { wal_end, .. } if passed >= *wal_end)
    }

    /// Looks at a transaction that follows.
    pub(super) fn follows(&mut self, xid: u32, commit_lsn: Lsn) {
        if let Self::Confirming { shown, wal_end, .. } = self {
            if commit_lsn >= *wal_end {
                self.confirm(Ok(()));
            } else if shown.shows(xid) {
                self.confirm(Err(OUT_OF_ORDER.to_owned()));
            }
        }
    }

    /// Everything before `passed` has been read.
    pub(super) fn passed(&mut self, passed: Lsn) {
        if matches!(self, Self::Confirming { wal_end, .. } if passed >= *wal_end) {
            self.confirm(Ok(()));
        }
    }

    fn confirm(&mut self, verdict: Result<(), String>) {
        if let Self::Confirming { answer, .. } = std::mem::take(self) {
            // Whoever asked may have given up.
            drop(answer.send(verdict));
        }
    }

    /// Streams on when nobody has come for it.
    pub(super) fn give_up(&mut self, now: Instant) {
        if let Self::Paused { until } | Self::Reached { until, .. } = self
            && *until <= now
        {
            debug!(target: "apply", "nobody came for the paired snapshot: streaming on");
            *self = Self::Idle;
        }
    }
}

/// Why another pair must be taken.
pub(super) const OUT_OF_ORDER: &str =
    "transactions became visible on the source in another order than they were committed";

/// Transactions that are shown to nobody although they may be committed and applied: with synchronous standbys
/// that can last, and an engine before this one may have applied them. Where no commit waits for a standby, it is
/// over long before another engine has begun.
const IN_PROGRESS: &str = "\
SELECT l.transactionid::pg_catalog.text
FROM pg_catalog.pg_locks AS l
WHERE pg_catalog.current_setting('synchronous_standby_names') <> ''
  AND l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted";

/// What a snapshot of the source must show, since the target may have it.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// The transactions that were applied last.
    applied: VecDeque<u32>,
    /// Those that were in progress when the stream began.
    in_progress: Vec<u32>,
}

impl Recent {
    /// Asks the source what is in progress. What the checkpoint covers must be known by then.
    pub(super) async fn read(source: &Session) -> Result<Self, PgError> {
        let rows = source.rows(IN_PROGRESS, &[]).await?;
        let in_progress = rows.iter();
        let in_progress = in_progress.filter_map(|row| row.get::<_, &str>(0).parse().ok());
        Ok(Self {
            applied: VecDeque::new(),
            in_progress: in_progress.collect(),
        })
    }

    pub(super) fn add(&mut self, xid: u32) {
        if self.applied.len() == RECENT_MAX {
            self.applied.pop_front();
        }
        self.applied.push_back(xid);
    }

    /// Returns why a snapshot may lack what the target has.
    pub(super) fn why_not(&self, shown: &Visibility) -> Option<String> {
        let hidden = |xid: &&u32| !shown.shows(**xid);
        if let Some(xid) = self.in_progress.iter().find(hidden) {
            return Some(format!(
                "transaction {xid} of the source is in progress since before the stream began: with \
                 synchronous standbys it may be applied already"
            ));
        }
        let hidden = self.applied.iter().find(hidden);
        hidden.map(|_| OUT_OF_ORDER.to_owned())
    }
}

/// Answers requests until it is dropped with the session.
pub(super) async fn serve(
    target: ConnectionSettings,
    slot_name: String,
    stream: mpsc::Sender<PairedRequest>,
) {
    loop {
        if let Err(error) = serve_session(&target, &slot_name, &stream).await {
            debug!(target: "apply", %error, "cannot listen for verify");
        }
        sleep(RECONNECT).await;
    }
}

async fn serve_session(
    target: &ConnectionSettings,
    slot_name: &str,
    stream: &mpsc::Sender<PairedRequest>,
) -> Result<(), PgError> {
    let session = postgres::connect(target, "pgstream paired snapshot").await?;
    let mut notifications = session.notifications();
    let place = MeetingPlace::open(&session, slot_name).await?;
    loop {
        if let Some(meeting) = place.look().await?
            && let Some(answer) = answer(meeting.stage, stream).await
        {
            place.advance(&meeting.request, &answer).await?;
        }
        if !MeetingPlace::woken(&mut notifications).await {
            return Ok(());
        }
    }
}

/// Returns what comes next; none when it is not our turn.
async fn answer(stage: Stage, stream: &mpsc::Sender<PairedRequest>) -> Option<Stage> {
    let refused = |reason: String| Some(Stage::Refused(reason));
    match stage {
        Stage::Requested => match ask(stream, PairedRequest::Pause).await {
            Ok(()) => Some(Stage::Paused),
            Err(reason) => refused(reason),
        },
        Stage::Taken { snapshot, wal_end } => {
            let shown = match snapshot.parse() {
                Ok(shown) => shown,
                Err(error) => return refused(format!("{error}")),
            };
            let request = |answer| PairedRequest::Reach {
                shown,
                wal_end,
                answer,
            };
            match ask(stream, request).await {
                Ok(position) => Some(Stage::Reached(position)),
                Err(reason) => refused(reason),
            }
        }
        Stage::Released => match ask(stream, PairedRequest::Release).await {
            Ok(()) => Some(Stage::Confirmed),
            Err(reason) => refused(reason),
        },
        Stage::Paused | Stage::Reached(_) | Stage::Confirmed | Stage::Refused(_) => None,
    }
}

async fn ask<T>(
    stream: &mpsc::Sender<PairedRequest>,
    request: impl FnOnce(oneshot::Sender<Result<T, String>>) -> PairedRequest,
) -> Result<T, String> {
    let (answer, answered) = oneshot::channel();
    let gone = "the stream was interrupted".to_owned();
    if stream.send(request(answer)).await.is_err() {
        return Err(gone);
    }
    answered.await.unwrap_or(Err(gone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Visibility {
        text.parse().expect("a snapshot")
    }

    #[test]
    fn ends_before_the_first_transaction_that_is_not_shown() {
        let (answer, _answered) = oneshot::channel();
        let reaching = Paired::Reaching {
            shown: shown("10:12:10"),
            wal_end: Lsn(100),
            answer,
        };

        assert!(!reaching.is_reached_before(11, Lsn(50)));
        assert!(reaching.is_reached_before(10, Lsn(60)));
        assert!(reaching.is_reached_before(12, Lsn(60)));
        assert!(reaching.is_reached_before(11, Lsn(100)));
        assert!(!reaching.is_reached_at(Lsn(99)));
        assert!(reaching.is_reached_at(Lsn(100)));
    }

    #[test]
    fn a_shown_transaction_that_follows_makes_the_pair_void() {
        let verdict = |transactions: &[(u32, u64)]| {
            let (answer, mut answered) = oneshot::channel();
            let mut paired = Paired::Confirming {
                shown: shown("10:12:10"),
                wal_end: Lsn(100),
                answer,
            };
            for (xid, lsn) in transactions {
                paired.follows(*xid, Lsn(*lsn));
            }
            answered.try_recv().ok()
        };

        assert_eq!(verdict(&[(10, 60), (12, 70)]), None);
        assert_eq!(verdict(&[(10, 60), (11, 100)]), Some(Ok(())));
        assert_eq!(
            verdict(&[(10, 60), (11, 70)]),
            Some(Err(OUT_OF_ORDER.to_owned()))
        );
    }
}
