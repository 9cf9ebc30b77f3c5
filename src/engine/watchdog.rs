//! Notices a target that answers no more although its connection stands.
//!
//! A statement on the target may take hours for good reasons: it waits for a lock, it builds an
//! index. So no clock can tell a slow answer from a lost one, and TCP sees only connections that are
//! cut, not a proxy that holds them open and passes nothing on. The target itself knows: while we
//! wait for its answer, our session there must be at work. If it waits for us at the same time, for
//! for as long as our timeout, the answer or the question was lost on the way. And where nobody
//! else gets through to the target either, there is nothing to wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::debug;

use crate::config::ConnectionSettings;
use crate::model::Lsn;
use crate::postgres::{self, PgError};

use super::EngineError;

/// The timeout when `tcp_user_timeout` of the target's address sets none.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// Looks within one timeout.
const LOOKS: u32 = 4;

/// A session that receives rows waits for us by turns; a slow network must not look like a dead one.
const LOOKS_WHILE_RECEIVING: u32 = 10 * LOOKS;

const SIGHT: &str = "\
SELECT a.state, a.wait_event IS NOT DISTINCT FROM 'ClientRead', a.state_change::pg_catalog.text
FROM pg_catalog.pg_stat_activity AS a
WHERE a.pid = $1";

/// Counts what the target has done: while that moves, nobody has to be asked. What the source sends is no
/// sign of it: frames are read while a commit is under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Pulse {
    beats: Arc<AtomicU64>,
    position: Lsn,
}

impl Pulse {
    /// Beats when nothing is asked of the target, or it has got further.
    pub(super) fn beat(&mut self, is_committing: bool, position: Lsn) {
        if !is_committing || position > self.position {
            self.position = position;
            self.beats.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn count(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }
}

/// Our writing session as the target sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sight {
    /// Nobody answers: a new connection is no better than the old one.
    Unreachable,
    /// The target has ended it.
    Gone,
    Session {
        receiving: bool,
        waits_for_us: bool,
        since: String,
    },
}

/// Watches until the session is found dead; returns that finding.
pub(super) async fn watch(target: &ConnectionSettings, pid: i32, pulse: Pulse) -> EngineError {
    let silence_timeout = target.tcp_user_timeout.unwrap_or(SILENCE_TIMEOUT);
    let mut looks = interval(silence_timeout / LOOKS);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut suspicion = Suspicion::default();
    loop {
        looks.tick().await;
        if suspicion.moves(pulse.count()) {
            continue;
        }
        match look(target, pid, silence_timeout).await {
            Ok(sight) => {
                if suspicion.grows(sight) {
                    let endpoint = target.endpoint();
                    return EngineError::Silent {
                        side: "target",
                        endpoint,
                        silence_timeout,
                    };
                }
            }
            Err(error) => debug!(target: "apply", %error, "cannot ask for the writing session"),
        }
    }
}

async fn look(
    target: &ConnectionSettings,
    pid: i32,
    silence_timeout: Duration,
) -> Result<Sight, PgError> {
    let asked = async {
        let session = postgres::connect(target, "pgstream watchdog").await?;
        session.row(SIGHT, &[&pid]).await
    };
    let row = match timeout(silence_timeout, asked).await {
        Ok(Ok(row)) => row,
        // It is not there for others either. A refusal, though, is an answer.
        Ok(Err(error)) if error.server().is_none() => return Ok(Sight::Unreachable),
        Ok(Err(error)) => return Err(error),
        // It fell silent while we asked.
        Err(_elapsed) => return Ok(Sight::Unreachable),
    };
    Ok(row.map_or(Sight::Gone, |row| Sight::Session {
        receiving: row.get::<_, Option<&str>>(0) == Some("active"),
        waits_for_us: row.get(1),
        since: row.get::<_, Option<String>>(2).unwrap_or_default(),
    }))
}

/// What the looks so far amount to.
#[derive(Debug, Default)]
struct Suspicion {
    beats: u64,
    last: Option<Sight>,
    looks: u32,
}

impl Suspicion {
    /// Returns whether the stream has moved since the last time; then all suspicion ends.
    fn moves(&mut self, beats: u64) -> bool {
        let moved = beats != self.beats;
        if moved {
            *self = Self {
                beats,
                last: None,
                looks: 0,
            };
        }
        moved
    }

    /// Returns whether the session has been seen waiting for us, unchanged, for long enough.
    fn grows(&mut self, sight: Sight) -> bool {
        let (waits, looks) = match &sight {
            Sight::Unreachable | Sight::Gone => (true, LOOKS),
            Sight::Session {
                receiving: true,
                waits_for_us,
                ..
            } => (*waits_for_us, LOOKS_WHILE_RECEIVING),
            Sight::Session {
                receiving: false,
                waits_for_us,
                ..
            } => (*waits_for_us, LOOKS),
        };
        let same = self.last.as_ref() == Some(&sight);
        self.looks = if waits && same {
            self.looks + 1
        } else {
            u32::from(waits)
        };
        self.last = Some(sight);
        self.looks >= looks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(receiving: bool, waits_for_us: bool, since: &str) -> Sight {
        Sight::Session {
            receiving,
            waits_for_us,
            since: since.to_owned(),
        }
    }

    #[test]
    fn only_a_session_that_stays_waiting_for_us_is_dead() {
        let check = |sights: &[Sight], expected: bool| {
            let mut suspicion = Suspicion::default();
            let found = sights
                .iter()
                .cycle()
                .take(8)
                .any(|sight| suspicion.grows(sight.clone()));
            assert_eq!(found, expected, "{sights:?}");
        };
        check(&[sight(false, true, "a")], true);
        check(&[Sight::Gone], true);
        check(&[Sight::Unreachable], true);
        check(&[Sight::Unreachable, sight(true, false, "a")], false);
        check(&[sight(true, false, "a")], false);
        check(&[sight(true, true, "a")], false);
        check(&[sight(false, true, "a"), sight(false, true, "b")], false);
        check(&[sight(false, true, "a"), sight(true, false, "b")], false);
    }

    #[test]
    fn what_the_source_sends_while_a_commit_is_under_way_is_no_sign_of_the_target() {
        let mut pulse = Pulse::default();
        pulse.beat(false, Lsn(1));
        assert_eq!(pulse.count(), 1);

        pulse.beat(true, Lsn(1));
        pulse.beat(true, Lsn(1));
        assert_eq!(pulse.count(), 1);

        pulse.beat(true, Lsn(2));
        pulse.beat(false, Lsn(2));
        assert_eq!(pulse.count(), 3);
    }

    #[test]
    fn a_stream_that_moves_is_not_suspected() {
        let mut suspicion = Suspicion::default();
        for beats in 1..20 {
            assert!(suspicion.moves(beats));
            assert!(!suspicion.moves(beats));
            assert!(!suspicion.grows(Sight::Gone));
        }
    }
}
