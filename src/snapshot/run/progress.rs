//! What of the copies is shown: rows, bytes, rates, time left. Pure; workers count into [`Counter`]s.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::{Lsn, QualifiedName, RelationId};
use crate::snapshot::StoredTable;
use crate::status::{CopyState, Failure, Snapshot, TableCopy};

/// Rates are over this many samples, a few seconds.
const SAMPLES_MAX: usize = 20;

/// What workers have moved of one table.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl Counter {
    pub(crate) fn add(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Forgets what a try brought that is done again.
    fn reset(&self) {
        self.rows.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
    }

    /// Takes back what a job has counted that failed.
    pub(crate) fn take_back(&self, counted: &Self) {
        self.rows.fetch_sub(counted.rows(), Ordering::Relaxed);
        self.bytes.fetch_sub(counted.bytes(), Ordering::Relaxed);
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// One table.
#[derive(Debug)]
struct Entry {
    name: QualifiedName,
    state: CopyState,
    /// Whether a worker has begun with its rows: the target remembers all tables of a plan as being copied.
    begun: bool,
    attempt: u32,
    counter: Arc<Counter>,
    bytes_expected: u64,
    failure: Option<Failure>,
    unlogged: bool,
    rate: Rate,
}

/// The latest samples of bytes.
#[derive(Debug, Default)]
struct Rate {
    samples: VecDeque<(i64, u64)>,
}

impl Rate {
    fn sample(&mut self, at_ms: i64, bytes: u64) {
        self.samples.push_back((at_ms, bytes));
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate, for people")]
    fn bytes_per_s(&self) -> f64 {
        match (self.samples.front(), self.samples.back()) {
            (Some((from_ms, from)), Some((to_ms, to))) if to_ms > from_ms => {
                to.saturating_sub(*from) as f64 * 1e3 / (to_ms - from_ms) as f64
            }
            _ => 0.0,
        }
    }
}

/// All tables of the pipeline that are or were copied.
#[derive(Debug, Default)]
pub(crate) struct CopyProgress {
    order: Vec<RelationId>,
    tables: HashMap<RelationId, Entry>,
    rate: Rate,
    consistent_point: Option<Lsn>,
    started_at_ms: Option<i64>,
    finished_at_ms: Option<i64>,
}

impl CopyProgress {
    /// Takes over what is remembered on the target.
    pub(crate) fn load(&mut self, stored: &[StoredTable], now_ms: i64) {
        self.order = stored.iter().map(|table| table.relation).collect();
        let known: Vec<RelationId> = self.order.clone();
        self.tables.retain(|relation, _| known.contains(relation));
        for table in stored {
            let entry = self.tables.entry(table.relation).or_insert_with(|| Entry {
                name: table.name.clone(),
                state: table.state,
                begun: false,
                attempt: 0,
                counter: Arc::default(),
                bytes_expected: 0,
                failure: None,
                unlogged: table.unlogged,
                rate: Rate::default(),
            });
            entry.take_over(table);
        }
        if self.tables.values().all(|entry| entry.state.is_settled()) {
            self.finished_at_ms.get_or_insert(now_ms);
        } else {
            // What is copied again later has a time of its own.
            if self.finished_at_ms.take().is_some() {
                self.started_at_ms = None;
            }
            self.started_at_ms.get_or_insert(now_ms);
        }
    }

    pub(crate) fn begin(&mut self, consistent_point: Option<Lsn>) {
        self.consistent_point = consistent_point;
    }

    pub(crate) fn counter(&self, relation: RelationId) -> Arc<Counter> {
        let entry = self.tables.get(&relation);
        entry
            .map(|entry| Arc::clone(&entry.counter))
            .unwrap_or_default()
    }

    /// Notes a table's state; what an earlier try brought is forgotten when it waits again.
    pub(crate) fn set(&mut self, relation: RelationId, state: CopyState) {
        let Some(entry) = self.tables.get_mut(&relation) else {
            return;
        };
        entry.state = state;
        entry.begun = state != CopyState::Waiting;
        match state {
            CopyState::Waiting => entry.counter.reset(),
            CopyState::Indexing => entry.bytes_expected = entry.counter.bytes(),
            CopyState::Copying | CopyState::CatchingUp | CopyState::Ready | CopyState::Failed => {}
        }
    }

    /// Returns a table's name.
    pub(crate) fn name(&self, relation: RelationId) -> String {
        let entry = self.tables.get(&relation);
        entry.map_or_else(|| relation.0.to_string(), |entry| entry.name.to_string())
    }

    /// Notes what a table still lacks.
    pub(crate) fn note(&mut self, relation: RelationId, failure: Failure) {
        if let Some(entry) = self.tables.get_mut(&relation) {
            entry.failure = Some(failure);
        }
    }

    pub(crate) fn fail(&mut self, relation: RelationId, failure: Failure) {
        if let Some(entry) = self.tables.get_mut(&relation) {
            (entry.state, entry.failure) = (CopyState::Failed, Some(failure));
        }
    }

    /// Returns the whole for people, and samples the rates.
    pub(crate) fn show(&mut self, now_ms: i64, workers: (usize, usize), paused: bool) -> Snapshot {
        let tables: Vec<TableCopy> = self
            .order
            .iter()
            .filter_map(|relation| Some(self.tables.get_mut(relation)?.show(*relation, now_ms)))
            .collect();
        let byte_count = tables.iter().map(|table| table.byte_count).sum();
        let bytes_expected: u64 = tables
            .iter()
            .map(|t| t.bytes_expected.max(t.byte_count))
            .sum();
        self.rate.sample(now_ms, byte_count);
        let bytes_per_s = self.rate.bytes_per_s();
        let (worker_count, busy_count) = workers;
        Snapshot {
            tables: Arc::new(tables),
            worker_count,
            busy_count,
            paused,
            consistent_point: self.consistent_point,
            byte_count,
            bytes_expected,
            bytes_per_s,
            left_s: left_s(bytes_expected.saturating_sub(byte_count), bytes_per_s),
            started_at_ms: self.started_at_ms,
            finished_at_ms: self.finished_at_ms,
        }
    }
}

impl Entry {
    fn take_over(&mut self, table: &StoredTable) {
        self.name.clone_from(&table.name);
        self.unlogged = table.unlogged;
        self.state = table.state;
        self.begun &= table.state != CopyState::Waiting;
        self.attempt = u32::try_from(table.attempt).unwrap_or_default();
        self.bytes_expected = self.bytes_expected.max(table.bytes_expected);
        let rows_are_there = matches!(
            table.state,
            CopyState::Indexing | CopyState::CatchingUp | CopyState::Ready
        );
        if table.state == CopyState::Waiting {
            self.counter.reset();
        }
        if rows_are_there {
            self.counter.reset();
            self.counter.add(table.row_count, table.byte_count);
            self.bytes_expected = table.byte_count;
        }
        match &table.failure {
            Some(text) => self.failure = serde_json::from_str(text).ok(),
            None => self.failure = None,
        }
    }

    fn show(&mut self, relation: RelationId, now_ms: i64) -> TableCopy {
        let byte_count = self.counter.bytes();
        self.rate.sample(now_ms, byte_count);
        let state = match self.state {
            CopyState::Copying if !self.begun => CopyState::Waiting,
            state => state,
        };
        let copying = state == CopyState::Copying;
        let bytes_per_s = if copying {
            self.rate.bytes_per_s()
        } else {
            0.0
        };
        let left = self.bytes_expected.saturating_sub(byte_count);
        TableCopy {
            relation,
            name: self.name.to_string(),
            state,
            attempt: self.attempt,
            row_count: self.counter.rows(),
            byte_count,
            bytes_expected: self.bytes_expected,
            bytes_per_s,
            left_s: left_s(left, bytes_per_s).filter(|_| copying),
            failure: self.failure.clone(),
            unlogged: self.unlogged,
            asked_again: false,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "seconds for people; as casts saturate"
)]
fn left_s(bytes: u64, bytes_per_s: f64) -> Option<i64> {
    (bytes_per_s > 0.0).then(|| (bytes as f64 / bytes_per_s).ceil() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(relation: u32, state: CopyState) -> StoredTable {
        StoredTable {
            relation: RelationId(relation),
            name: QualifiedName::new("public", format!("t{relation}")),
            state,
            attempt: 1,
            lsn: None,
            objects: None,
            target: None,
            fingerprint: None,
            range_key: None,
            row_count: 0,
            byte_count: 0,
            bytes_expected: 0,
            failure: None,
            entered: false,
            unlogged: false,
        }
    }

    fn states(progress: &mut CopyProgress) -> Vec<CopyState> {
        let shown = progress.show(0, (1, 1), false);
        shown.tables.iter().map(|table| table.state).collect()
    }

    #[test]
    fn a_table_waits_until_a_worker_has_begun_with_it() {
        let mut progress = CopyProgress::default();
        let plan = [
            stored(1, CopyState::Copying),
            stored(2, CopyState::Copying),
            stored(3, CopyState::Indexing),
        ];
        progress.load(&plan, 0);
        let waiting = CopyState::Waiting;
        assert_eq!(
            states(&mut progress),
            [waiting, waiting, CopyState::Indexing]
        );

        progress.set(RelationId(2), CopyState::Copying);
        progress.load(&plan, 0);
        let expected = [waiting, CopyState::Copying, CopyState::Indexing];
        assert_eq!(states(&mut progress), expected, "what has begun goes on");

        progress.load(&[stored(2, waiting)], 0);
        progress.load(&[stored(2, CopyState::Copying)], 0);
        assert_eq!(states(&mut progress), [waiting], "another try");
    }

    #[test]
    fn a_copy_that_is_asked_for_later_has_a_time_of_its_own() {
        let mut progress = CopyProgress::default();
        for (state, now_ms) in [
            (CopyState::Waiting, 1_000),
            (CopyState::Ready, 3_000),
            (CopyState::Waiting, 60_000),
            (CopyState::Ready, 61_000),
        ] {
            progress.load(&[stored(1, state)], now_ms);
        }
        let shown = progress.show(0, (1, 0), false);
        let times = (shown.started_at_ms, shown.finished_at_ms);
        assert_eq!(times, (Some(60_000), Some(61_000)));
    }
}
