//! Counts what was applied. Pure; the applier publishes it now and then, never per row.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::model::QualifiedName;
use crate::status::{BATCH_BOUNDS_MS, BatchTimes, Status, TableCounters, Totals};

/// Percentiles speak of this many batches: enough for a 95th, few enough to sort at each look.
const BATCHES_MAX: usize = 256;

/// Sums since the engine started.
#[derive(Debug, Default)]
pub(super) struct Counters {
    totals: Totals,
    tables: BTreeMap<Arc<str>, TableCounters>,
    batches: VecDeque<(Duration, u64)>,
    dirty: bool,
}

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKind {
    Insert,
    Update,
    Delete,
}

/// The changes of one table that wait to be counted: counted per row, added per batch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TableDelta {
    pub(super) counters: TableCounters,
}

impl TableDelta {
    pub(super) fn count(&mut self, kind: RowKind, byte_count: usize) {
        let counter = match kind {
            RowKind::Insert => &mut self.counters.inserts,
            RowKind::Update => &mut self.counters.updates,
            RowKind::Delete => &mut self.counters.deletes,
        };
        *counter += 1;
        self.counters.bytes += byte_count as u64;
    }

    const fn rows(&self) -> u64 {
        self.counters.inserts + self.counters.updates + self.counters.deletes
    }
}

impl Counters {
    /// Adds what a batch brought to one table.
    pub(super) fn add_table(&mut self, name: &QualifiedName, delta: &TableDelta, at_ms: i64) {
        let added = &delta.counters;
        self.totals.rows += delta.rows();
        self.totals.bytes += added.bytes;
        let table = self.tables.entry(name.to_string().into()).or_default();
        table.inserts += added.inserts;
        table.updates += added.updates;
        table.deletes += added.deletes;
        table.truncates += added.truncates;
        table.bytes += added.bytes;
        table.last_change_ms = at_ms;
    }

    /// Adds changes of a table that triggers and rules of the target kept from happening. Returns whether these
    /// are the first.
    pub(super) fn add_suppressed(&mut self, name: &QualifiedName, count: u64) -> bool {
        let table = self.tables.entry(name.to_string().into()).or_default();
        let first = table.suppressed == 0;
        table.suppressed += count;
        self.dirty = true;
        first
    }

    /// Adds a committed batch.
    pub(super) fn add_batch(&mut self, transaction_count: u64, row_count: u64, took: Duration) {
        self.totals.batches += 1;
        self.totals.transactions += transaction_count;
        self.batches.push_back((took, row_count));
        if self.batches.len() > BATCHES_MAX {
            self.batches.pop_front();
        }
        self.dirty = true;
    }

    /// Adds an applied schema change.
    pub(super) const fn add_schema_change(&mut self) {
        self.totals.schema_changes += 1;
        self.dirty = true;
    }

    /// Adds a transaction that was skipped on record.
    pub(super) const fn add_skipped(&mut self) {
        self.totals.skipped += 1;
        self.dirty = true;
    }

    /// Adds a reconnection.
    pub(super) const fn add_reconnect(&mut self) {
        self.totals.reconnects += 1;
        self.dirty = true;
    }

    /// Returns whether something was counted since the last [`write`](Self::write).
    pub(super) const fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Writes the sums into the status.
    pub(super) fn write(&mut self, status: &mut Status) {
        self.dirty = false;
        status.totals = self.totals;
        status.batches = self.batch_times();
        let tables = self
            .tables
            .iter()
            .map(|(name, table)| (name.to_string(), *table));
        status.tables = Arc::new(tables.collect());
    }

    fn batch_times(&self) -> BatchTimes {
        let mut times: Vec<_> = self.batches.iter().map(|(took, _)| *took).collect();
        let mut rows: Vec<_> = self.batches.iter().map(|(_, rows)| *rows).collect();
        times.sort_unstable();
        rows.sort_unstable();
        let ms = |at: usize| at_percent(&times, at).map_or(0.0, |time| time.as_secs_f64() * 1e3);
        let mut counts = [0; BATCH_BOUNDS_MS.len() + 1];
        for time in &times {
            let below = |bound: &u32| *time < Duration::from_millis(u64::from(*bound));
            let bucket = BATCH_BOUNDS_MS.iter().position(below);
            counts[bucket.unwrap_or(BATCH_BOUNDS_MS.len())] += 1;
        }
        BatchTimes {
            counts,
            p50_ms: ms(50),
            p95_ms: ms(95),
            max_ms: ms(100),
            rows_p50: at_percent(&rows, 50).unwrap_or_default(),
            rows_p95: at_percent(&rows, 95).unwrap_or_default(),
        }
    }
}

fn at_percent<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let last = sorted.len().checked_sub(1)?;
    Some(sorted[last * percent / 100])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_percentiles_follow_what_was_counted() {
        let mut counters = Counters::default();
        let mut delta = TableDelta::default();
        delta.count(RowKind::Insert, 10);
        delta.count(RowKind::Delete, 5);
        for ms in 1..=100 {
            counters.add_batch(2, 3, Duration::from_millis(ms));
        }
        counters.add_table(&QualifiedName::new("public", "t"), &delta, 9);
        let mut status = Status::default();

        counters.write(&mut status);

        assert_eq!((status.totals.rows, status.totals.bytes), (2, 15));
        assert_eq!(
            (status.totals.transactions, status.totals.batches),
            (200, 100)
        );
        assert_eq!(status.tables["public.t"].deletes, 1);
        assert!((status.batches.p50_ms - 50.0).abs() < 1e-9);
        assert!((status.batches.max_ms - 100.0).abs() < 1e-9);
        assert_eq!(status.batches.counts, [0, 1, 3, 5, 10, 30, 50, 1, 0]);
    }
}
