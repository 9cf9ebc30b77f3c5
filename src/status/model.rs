//! What the engine shows of itself: one plain, serialisable value.
//!
//! The engine publishes a fresh [`Status`] through a `watch` channel: the latest value wins and a
//! slow reader can delay nothing. Everything that a screen or a monitoring script shows is in
//! here, so that no reader needs a connection of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Lsn;

use super::failure::{FailedTransaction, Failure};
use super::snapshot::Snapshot;

/// Everything the engine knows about itself at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// What the engine is doing.
    pub phase: Phase,
    /// When the engine started, seconds since 1970 UTC.
    pub started_at_s: i64,
    /// When this value was made, milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// The source, without a password: `localhost:5432/postgres`.
    pub source: String,
    /// The target, without a password.
    pub target: String,
    /// The slot that the engine reads.
    pub slot_name: String,
    /// The output plugin of the slot.
    pub plugin: String,
    /// All logical slots of the source, ours first.
    pub slots: Vec<Slot>,
    /// How far the target is behind the source.
    pub lag: Lag,
    /// What readers of the target see; what is confirmed to the source is on its disk.
    pub checkpoint: Checkpoint,
    /// The source has not been told for a while of what is on the target; none: it has.
    #[serde(default)]
    pub unconfirmed: Option<Unconfirmed>,
    /// Totals since the engine started.
    pub totals: Totals,
    /// Rates, one sample a second, oldest first, at most an hour.
    pub samples: Arc<Vec<Sample>>,
    /// Times and sizes of the latest batches.
    pub batches: BatchTimes,
    /// Row changes by table, by displayed name.
    pub tables: Arc<BTreeMap<String, TableCounters>>,
    /// The latest schema changes, newest first, at most [`SCHEMA_CHANGES_MAX`].
    pub schema_changes: Arc<Vec<SchemaChange>>,
    /// Why the engine stands still or waits, if it does.
    pub last_error: Option<Failure>,
    /// Whether schema changes replicate (a schema log store is configured).
    pub schema_log: bool,
    /// How the sequences follow the source's; none before the first look.
    #[serde(default)]
    pub sequences: Option<SequenceStatus>,
    /// When each side answered last.
    pub seen: Seen,
    /// The copy of existing tables; none: nothing was to be copied.
    pub snapshot: Option<Arc<Snapshot>>,
}

/// More schema changes than this are forgotten, oldest first: a screen shows a few dozen, and
/// `pgstream.schema_log` keeps all of them.
pub const SCHEMA_CHANGES_MAX: usize = 200;

impl Status {
    /// Returns the table whose change the target refuses, while the engine is held there.
    #[cfg(feature = "tui")]
    pub(crate) fn refused_table(&self) -> Option<&str> {
        let failure = self
            .last_error
            .as_ref()
            .filter(|_| self.phase == Phase::Held)?;
        failure.refusal.as_ref()?.table.as_deref()
    }

    /// Forgets a refused transaction that the stream has passed.
    pub(crate) fn forget_overcome(&mut self) {
        let passed = self.checkpoint.end_lsn;
        self.last_error
            .take_if(|error| error.transaction.is_some_and(|one| one.commit_lsn < passed));
    }
}

/// What the engine is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Phase {
    /// Connecting and checking both sides.
    #[default]
    Starting,
    /// Tables are being copied, and the stream waits for them: see `snapshot`.
    Copying,
    /// Reading and applying; `behind` while the backlog is not yet drained.
    Streaming {
        /// The source has more than the engine has seen.
        behind: bool,
    },
    /// Paused by the operator: nothing is applied, the source keeps WAL.
    Paused,
    /// A temporary failure; the engine tries again by itself.
    Retrying {
        /// Number of the coming attempt, from 1.
        attempt: u32,
        /// When it comes, milliseconds since 1970 UTC.
        next_at_ms: i64,
    },
    /// Stopped at something an operator must decide: see `last_error`.
    Held,
    /// Finishing the transaction in hand.
    Stopping,
    /// At rest.
    Stopped,
    /// A fault of ours ended the engine; it can be started again.
    Crashed,
}

/// A logical replication slot (manual, section 54.19 `pg_replication_slots`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Name of the slot.
    pub slot_name: String,
    /// Output plugin.
    pub plugin: String,
    /// Database it decodes.
    pub database: String,
    /// Whether a process reads it now.
    pub active: bool,
    /// That process.
    pub active_pid: Option<i32>,
    /// What that process calls itself, its role, and from where it came, as far as our role may know.
    #[serde(default)]
    pub reader: Option<String>,
    /// Oldest WAL the source must keep for it.
    pub restart_lsn: Option<Lsn>,
    /// Everything before this has been confirmed.
    pub confirmed_flush_lsn: Option<Lsn>,
    /// WAL kept for this slot, in bytes.
    pub retained_bytes: Option<i64>,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    pub wal_status: Option<String>,
    /// WAL that can still be written before the slot may be lost, in bytes; none: no limit is set.
    pub safe_wal_bytes: Option<i64>,
    /// Transactions spilled to disk by decoding.
    pub spill_count: i64,
    /// Bytes spilled to disk by decoding.
    pub spill_bytes: i64,
    /// Whether this is the slot the engine reads.
    pub ours: bool,
    /// Seconds until the slot is lost at the present rate of writing, when a limit is set.
    pub lost_in_s: Option<i64>,
}

impl Slot {
    /// Returns whether the source has removed WAL that its reader still needed.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.wal_status.as_deref() == Some("lost")
    }
}

/// When each side answered last, milliseconds since 1970 UTC; none before it has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The source.
    pub source_ms: Option<i64>,
    /// The target.
    pub target_ms: Option<i64>,
}

/// A side that has not answered for longer than this is called silent, in milliseconds.
pub const SILENT_AFTER_MS: i64 = 10_000;

/// How the target's sequences follow the source's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceStatus {
    /// When the source was last asked and the target moved, milliseconds since 1970 UTC.
    pub looked_at_ms: i64,
    /// Sequences of the source.
    pub count: u64,
    /// How often one was behind on the target and was moved forward.
    pub moved: u64,
    /// How many do not follow.
    pub unfollowed_count: u64,
    /// The first of them, each with the reason.
    pub unfollowed: Vec<String>,
}

/// How far the target is behind the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Lag {
    /// WAL between the source's end and what is durable on the target, in bytes; none before the
    /// source has answered, or while nobody knows where its slot stands.
    pub bytes: Option<u64>,
    /// Age of the oldest transaction that is not yet durable on the target, in seconds; zero when
    /// nothing is open, none before anything was streamed.
    pub seconds: Option<f64>,
    /// The source's end of WAL when it was last seen.
    pub source_wal_end: Lsn,
    /// WAL the source writes a second, averaged over the last minute, in bytes.
    pub wal_bytes_per_s: f64,
}

/// What readers of the target see; what is confirmed to the source is on its disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// End of the last transaction that the target has committed.
    pub end_lsn: Lsn,
    /// What was last confirmed to the source.
    pub confirmed_lsn: Lsn,
    /// Commit time on the source of that last transaction, milliseconds since 1970 UTC.
    pub commit_time_ms: Option<i64>,
}

/// The slot is not confirmed: the source keeps WAL of what is on the target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unconfirmed {
    /// Since when the slot has not moved, milliseconds since 1970 UTC.
    pub since_ms: i64,
    /// WAL that is kept although it is on the target, in bytes.
    pub bytes: u64,
    /// The tables whose copies need it; none: nothing does.
    pub tables: Vec<String>,
}

impl Unconfirmed {
    /// Returns what it means, for people.
    #[must_use]
    pub fn reason(&self) -> String {
        match self.tables.as_slice() {
            [] => "although nothing waits for it".to_owned(),
            [table] => format!("the copy of {table} needs it"),
            [table, others @ ..] => {
                format!("the copies of {table} and {} more need it", others.len())
            }
        }
    }
}

/// Sums since the engine started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Source transactions applied.
    pub transactions: u64,
    /// Row changes applied.
    pub rows: u64,
    /// Bytes of row values applied.
    pub bytes: u64,
    /// Target transactions committed.
    pub batches: u64,
    /// Schema changes applied.
    pub schema_changes: u64,
    /// Transactions skipped on record.
    pub skipped: u64,
    /// Reconnections after a temporary failure.
    pub reconnects: u64,
}

/// One second of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// End of that second, seconds since 1970 UTC.
    pub at_s: i64,
    /// Row changes a second.
    pub rows: f32,
    /// Source transactions a second.
    pub transactions: f32,
    /// Bytes of row values a second.
    pub bytes: f32,
    /// Lag at its end, in bytes.
    pub lag_bytes: u64,
    /// Lag at its end, in seconds.
    pub lag_s: f32,
}

/// Times and sizes of the latest batches (one batch is one target transaction).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchTimes {
    /// Median time of a batch, in milliseconds.
    pub p50_ms: f64,
    /// 95th percentile, in milliseconds.
    pub p95_ms: f64,
    /// Longest, in milliseconds.
    pub max_ms: f64,
    /// Median row changes a batch.
    pub rows_p50: u64,
    /// 95th percentile of row changes a batch.
    pub rows_p95: u64,
    /// Batches by time: how many took less than each of [`BATCH_BOUNDS_MS`], and not less than the
    /// one before it; the last counts the rest.
    pub counts: [u32; BATCH_BOUNDS_MS.len() + 1],
}

/// Bounds of the times that [`BatchTimes::counts`] tells apart, in milliseconds.
pub const BATCH_BOUNDS_MS: [u32; 8] = [1, 2, 5, 10, 20, 50, 100, 500];

/// Row changes of one table since the engine started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCounters {
    /// Rows inserted.
    pub inserts: u64,
    /// Rows updated.
    pub updates: u64,
    /// Rows deleted.
    pub deletes: u64,
    /// Times truncated.
    pub truncates: u64,
    /// Of all these, rows that a trigger or rule of the target kept as they were.
    #[serde(default)]
    pub suppressed: u64,
    /// Bytes of row values.
    pub bytes: u64,
    /// Last change, milliseconds since 1970 UTC.
    pub last_change_ms: i64,
}

/// One entry of the schema log and what became of it on the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SchemaChange {
    /// `id` of the row in `pgstream.schema_log`.
    pub id: String,
    /// `version` of the row.
    pub version: i64,
    /// When it was made on the source, as the row says.
    pub created_at: String,
    /// Command tag such as `ALTER TABLE`.
    pub tag: String,
    /// The objects it touched, for people.
    pub objects: Vec<String>,
    /// The text of the command as the user wrote it; never replayed.
    pub statement: String,
    /// What ran, or would run, on the target.
    pub sql: Vec<String>,
    /// Parts that were not applied, with the reason.
    pub not_applied: Vec<String>,
    /// What became of it.
    pub state: SchemaState,
    /// What differs between the objects before and after, as text for people; empty when the log
    /// holds none.
    pub before_after: String,
    /// How long it ran on the target, in milliseconds.
    pub duration_ms: Option<f64>,
    /// Why it failed.
    pub error: Option<String>,
    /// End of the transaction it belongs to.
    pub end_lsn: Option<Lsn>,
}

impl SchemaChange {
    /// Returns when it was made, milliseconds since 1970 UTC. The identifier holds the time itself;
    /// `created_at` has no zone and is that of whoever made the change.
    #[must_use]
    pub fn made_at_ms(&self) -> Option<i64> {
        self.identified_at_ms().or_else(|| {
            let written: jiff::civil::DateTime = self.created_at.parse().ok()?;
            let moment = written.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
            Some(moment.timestamp().as_millisecond())
        })
    }

    /// Eleven characters of base 32 hold microseconds (`pgstream.xid()`); whoever else writes into
    /// the log identifies otherwise, which is no time of this century.
    fn identified_at_ms(&self) -> Option<i64> {
        let digits = self.id.get(..11).filter(|_| self.id.len() == 20)?;
        let ms = i64::from_str_radix(digits, 32).ok()? / 1000;
        CENTURY_MS.contains(&ms).then_some(ms)
    }
}

/// From 2000 to 2100.
const CENTURY_MS: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000;

/// What became of a schema change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaState {
    /// On record at the source, and not on the target yet.
    Pending,
    /// It is being applied.
    Running,
    /// Durable on the target.
    Applied,
    /// The filter leaves it out, or nothing was to be done.
    Skipped,
    /// Carried in the log, but of a kind that is not applied.
    NotApplied,
    /// The target refused it; the engine stands there.
    Failed,
}

/// Something that happened, for a log or a toast. Bounded queue: a reader that does not keep up
/// loses the oldest, and is told how many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EngineEvent {
    /// The phase changed.
    Phase(Phase),
    /// A schema change ended.
    SchemaChange(Arc<SchemaChange>),
    /// Something failed.
    Failed(Failure),
    /// A transaction was skipped on record.
    Skipped(FailedTransaction),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(id: &str, created_at: &str) -> SchemaChange {
        SchemaChange {
            id: id.to_owned(),
            version: 1,
            created_at: created_at.to_owned(),
            tag: String::new(),
            objects: Vec::new(),
            statement: String::new(),
            sql: Vec::new(),
            not_applied: Vec::new(),
            state: SchemaState::Applied,
            before_after: String::new(),
            duration_ms: None,
            error: None,
            end_lsn: None,
        }
    }

    #[test]
    fn a_schema_change_is_dated_by_its_identifier_whatever_zone_its_author_was_in() {
        for (id, created_at, expected) in [
            (
                "1j1e1cegs2058d41402a",
                "2026-11-30 05:43:36.123",
                Some(1_795_985_016_123),
            ),
            // An identifier of the Go tool.
            (
                "d4cmnd8pl1hc73a0e2tg",
                "2026-11-29 20:43:36.5",
                Some(1_795_985_016_500),
            ),
            ("c1", "today", None),
        ] {
            assert_eq!(change(id, created_at).made_at_ms(), expected, "{id}");
        }
    }
}
