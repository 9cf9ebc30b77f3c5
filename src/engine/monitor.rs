//! Looks at the source once a second: slots, the end of WAL, and from them lag and forecasts.
//!
//! A task and a session of its own: what it sees is for people, and a source that does not answer
//! it delays nobody.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{debug, info, warn};

use crate::config::ConnectionSettings;
use crate::model::Lsn;
use crate::postgres::{self, PgError, Session, document};
use crate::runtime::clock;
use crate::status::{Lag, Phase, Sample, Slot, Status, StatusPublisher, Totals, Unconfirmed};

const EVERY: Duration = Duration::from_secs(1);

/// A source that takes longer does not answer: the next look goes through a new session.
const ANSWER_MAX: Duration = Duration::from_secs(5);

pub(super) const SLOTS: &str = include_str!("../../assets/sql/source/slots.sql");

/// An hour of samples: the widest window that the console draws.
const SAMPLES_MAX: usize = 3_600;

/// The rate of WAL is averaged over this many looks.
const WAL_LOOKS_MAX: usize = 60;

/// What the source says of its slots.
#[derive(Debug, Deserialize)]
pub(super) struct Look {
    wal_end: Lsn,
    slots: Vec<Slot>,
}

/// A slot that stands still for so long behind what is on the target is worth a word: a busy stream
/// confirms many times a second.
const UNCONFIRMED_AFTER_MS: i64 = 10_000;

/// What the last looks saw.
#[derive(Debug, Default)]
struct Memory {
    /// Where the slot stands behind the target, and since when it has.
    standing: Option<(Lsn, i64)>,
    totals: Totals,
    wal: WalMemory,
    caught_up_ms: Option<i64>,
}

/// Looks until the task is ended.
pub(super) async fn run(settings: ConnectionSettings, publisher: StatusPublisher) {
    let mut memory = Memory::default();
    let mut session = None;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let slot_name = publisher.latest().slot_name.clone();
        let look = match timeout(ANSWER_MAX, look(&settings, &mut session, &slot_name)).await {
            Ok(Ok(look)) => Some(look),
            Err(_elapsed) => {
                session = None;
                None
            }
            Ok(Err(error)) => {
                debug!(target: "slot", %error, "cannot look at the source");
                session = None;
                None
            }
        };
        publisher.update(|status| memory.write(status, look));
    }
}

async fn look(
    settings: &ConnectionSettings,
    session: &mut Option<Session>,
    slot_name: &str,
) -> Result<Look, PgError> {
    let session = match session {
        Some(session) => session,
        None => session.insert(postgres::connect(settings, "pgstream monitor").await?),
    };
    document(session, SLOTS, &[&slot_name]).await
}

impl Memory {
    fn write(&mut self, status: &mut Status, look: Option<Look>) {
        let now_ms = clock::unix_ms();
        if let Some(look) = look {
            status.seen.source_ms = Some(now_ms);
            self.see(status, look);
            self.confirmation(status, now_ms);
        }
        let streaming = matches!(status.phase, Phase::Streaming { .. });
        if streaming && status.lag.seconds == Some(0.0) {
            self.caught_up_ms = Some(now_ms);
        } else if !streaming && let Some(caught_up_ms) = self.caught_up_ms {
            status.lag.seconds = Some(seconds(now_ms - caught_up_ms));
        }
        let sample = self.sample(status, now_ms);
        let samples = Arc::make_mut(&mut status.samples);
        samples.push(sample);
        if samples.len() > SAMPLES_MAX {
            samples.remove(0);
        }
    }

    fn see(&mut self, status: &mut Status, look: Look) {
        let checkpoint = status.checkpoint;
        let durable = checkpoint.end_lsn.max(checkpoint.confirmed_lsn);
        let (slots, lag) = self.wal.take_in(look, durable);
        let seconds = status.lag.seconds;
        status.slots = slots;
        status.lag = Lag { seconds, ..lag };
    }

    /// A stream that reads nothing (paused, or held at a failure) confirms nothing, either.
    fn confirmation(&mut self, status: &mut Status, now_ms: i64) {
        let ours = status.slots.iter().find(|slot| slot.ours && slot.active);
        let confirmed = ours.and_then(|slot| slot.confirmed_flush_lsn);
        let reached = status.checkpoint.end_lsn;
        let behind = confirmed.filter(|confirmed| *confirmed < reached);
        self.standing = behind.map(|confirmed| match self.standing {
            Some((before, since_ms)) if before == confirmed => (before, since_ms),
            Some(_) | None => (confirmed, now_ms),
        });
        let long = |(_, since_ms): &(Lsn, i64)| now_ms - since_ms >= UNCONFIRMED_AFTER_MS;
        let found = self
            .standing
            .filter(long)
            .map(|(confirmed, since_ms)| Unconfirmed {
                since_ms,
                bytes: reached.bytes_since(confirmed),
                tables: copies_under_way(status),
            });
        if let (Some(found), None) = (&found, &status.unconfirmed) {
            report(found);
        }
        status.unconfirmed = found;
    }

    fn sample(&mut self, status: &Status, now_ms: i64) -> Sample {
        let (before, now) = (self.totals, status.totals);
        self.totals = now;
        Sample {
            at_s: now_ms / 1_000,
            rows: difference(now.rows, before.rows),
            transactions: difference(now.transactions, before.transactions),
            bytes: difference(now.bytes, before.bytes),
            lag_bytes: status.lag.bytes.unwrap_or_default(),
            lag_s: small(status.lag.seconds.unwrap_or_default()),
        }
    }
}

fn copies_under_way(status: &Status) -> Vec<String> {
    let tables = status
        .snapshot
        .iter()
        .flat_map(|copies| copies.tables.iter());
    let open = tables.filter(|table| !table.state.is_settled());
    open.map(|table| table.name.clone()).collect()
}

fn report(found: &Unconfirmed) {
    let (bytes, reason) = (found.bytes, found.reason());
    if found.tables.is_empty() {
        warn!(target: "slot", bytes, hint = "restart pgstream, and report this with its log",
            "the slot is not confirmed and the source keeps its WAL, {reason}");
    } else {
        info!(target: "slot", bytes,
            "the slot is not confirmed and the source keeps its WAL: {reason}");
    }
}

/// Where WAL ended at the latest looks, one a second.
#[derive(Debug, Default)]
pub(super) struct WalMemory {
    ends: VecDeque<Lsn>,
}

impl WalMemory {
    /// Returns the slots with forecasts, and how far the target is behind where all before `durable`
    /// is safe there.
    pub(super) fn take_in(&mut self, look: Look, durable: Lsn) -> (Vec<Slot>, Lag) {
        self.ends.push_back(look.wal_end);
        if self.ends.len() > WAL_LOOKS_MAX {
            self.ends.pop_front();
        }
        let rate = wal_rate(&self.ends);
        let mut slots = look.slots;
        for slot in &mut slots {
            slot.lost_in_s = slot.safe_wal_bytes.and_then(|safe| forecast(safe, rate));
        }
        let lag = Lag {
            bytes: lag_bytes(&slots, durable, look.wal_end),
            seconds: None,
            source_wal_end: look.wal_end,
            wal_bytes_per_s: rate,
        };
        (slots, lag)
    }
}

/// Counts from whatever is known to be safe: a checkpoint that is not there yet would make all WAL
/// ever written a lag, and a slot may stand further than the last transaction, where WAL held
/// nothing for it.
fn lag_bytes(slots: &[Slot], durable: Lsn, wal_end: Lsn) -> Option<u64> {
    let ours = slots.iter().find(|slot| slot.ours);
    let confirmed = ours.and_then(|slot| slot.confirmed_flush_lsn);
    let durable = durable.max(confirmed.unwrap_or_default());
    (durable != Lsn::default()).then(|| wal_end.bytes_since(durable))
}

#[expect(clippy::cast_precision_loss, reason = "rates for people")]
fn wal_rate(wal_ends: &VecDeque<Lsn>) -> f64 {
    let (Some(first), Some(last)) = (wal_ends.front(), wal_ends.back()) else {
        return 0.0;
    };
    let seconds = wal_ends.len().saturating_sub(1).max(1);
    last.bytes_since(*first) as f64 / seconds as f64
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a forecast"
)]
fn forecast(safe_bytes: i64, rate: f64) -> Option<i64> {
    (rate > 0.0).then(|| (safe_bytes.max(0) as f64 / rate) as i64)
}

#[expect(clippy::cast_precision_loss, reason = "rates for people")]
fn difference(now: u64, before: u64) -> f32 {
    now.saturating_sub(before) as f32
}

#[expect(clippy::cast_precision_loss, reason = "seconds for people")]
fn seconds(ms: i64) -> f64 {
    ms.max(0) as f64 / 1e3
}

#[expect(clippy::cast_possible_truncation, reason = "seconds for a chart")]
const fn small(seconds: f64) -> f32 {
    seconds as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Snapshot, TableCopy};

    fn look(confirmed: Option<Lsn>) -> Look {
        let ours = Slot {
            ours: true,
            confirmed_flush_lsn: confirmed,
            ..Slot::default()
        };
        Look {
            wal_end: Lsn(5_000_000),
            slots: vec![ours],
        }
    }

    #[test]
    fn an_idle_source_is_not_called_all_its_wal_ahead() {
        let cases = [
            // (checkpoint, confirmed by us, what the source says of the slot, lag)
            (0, 0, None, None),
            (0, 0, Some(4_999_000), Some(1_000)),
            (0, 4_999_900, Some(4_999_000), Some(100)),
            (4_999_990, 4_999_900, Some(4_999_000), Some(10)),
            (9_000, 5_000_000, Some(5_000_000), Some(0)),
        ];
        for (end, ours, slot, expected) in cases {
            let mut status = Status::default();
            status.checkpoint.end_lsn = Lsn(end);
            status.checkpoint.confirmed_lsn = Lsn(ours);

            Memory::default().write(&mut status, Some(look(slot.map(Lsn))));

            assert_eq!(status.lag.bytes, expected, "{end} {ours} {slot:?}");
        }
    }

    #[test]
    fn a_slot_that_stands_still_behind_the_target_is_reported_and_why() {
        let mut memory = Memory::default();
        let mut status = Status::default();
        let mut at = |confirmed: u64, end: u64, now_ms: i64, status: &mut Status| {
            status.checkpoint.end_lsn = Lsn(end);
            status.slots = look(Some(Lsn(confirmed))).slots;
            status.slots[0].active = true;
            memory.confirmation(status, now_ms);
            status.unconfirmed.clone()
        };

        assert_eq!(at(50, 60, 0, &mut status), None, "a moment ago");
        assert_eq!(at(55, 65, 9_000, &mut status), None, "it moves");
        assert_eq!(at(55, 70, 18_000, &mut status), None);
        let found = at(55, 80, 19_000, &mut status).expect("it stands");
        assert_eq!((found.since_ms, found.bytes), (9_000, 25));
        assert_eq!(found.reason(), "although nothing waits for it");
        let copying = TableCopy {
            name: "public.t".to_owned(),
            ..TableCopy::default()
        };
        status.snapshot = Some(Arc::new(Snapshot {
            tables: Arc::new(vec![copying]),
            ..Snapshot::default()
        }));
        let found = at(55, 80, 20_000, &mut status).expect("it stands");
        assert_eq!(found.reason(), "the copy of public.t needs it");
        assert_eq!(at(80, 80, 30_000, &mut status), None, "confirmed");
    }

    #[test]
    fn no_lag_is_known_before_the_source_has_answered() {
        let mut status = Status::default();

        Memory::default().write(&mut status, None);

        assert_eq!((status.lag.bytes, status.lag.seconds), (None, None));
    }

    #[test]
    fn the_forecast_needs_a_rate_and_a_limit() {
        let ends = VecDeque::from([Lsn(1_000), Lsn(1_500), Lsn(2_000)]);

        assert!((wal_rate(&ends) - 500.0).abs() < 1e-9);
        assert_eq!(forecast(5_000, wal_rate(&ends)), Some(10));
        assert_eq!(forecast(5_000, 0.0), None);
        assert_eq!(forecast(-1, 10.0), Some(0));
    }
}
