//! Counts what was applied, by table.

use std::sync::Arc;

use tracing::{debug, warn};

use crate::apply::{RowChange, TablePlan};
use crate::engine::counters::{RowKind, TableDelta};
use crate::model::{OldTuple, Relation, TransactionCommit, Tuple, Value};
use crate::runtime::clock;

use super::{Applier, OpenBatch};

impl Applier {
    pub(super) fn delta(&mut self, plan: &TablePlan, change: &RowChange) -> RowKind {
        let (kind, tuple) = match change {
            RowChange::Insert(new) => (RowKind::Insert, new),
            RowChange::Update { new, .. } => (RowKind::Update, new),
            RowChange::Delete(OldTuple::Key(old) | OldTuple::Full(old)) => (RowKind::Delete, old),
        };
        let byte_count = value_bytes(tuple);
        self.delta_of(&plan.relation).count(kind, byte_count);
        kind
    }

    pub(super) fn delta_of(&mut self, relation: &Arc<Relation>) -> &mut TableDelta {
        let new = || (Arc::clone(relation), TableDelta::default());
        &mut self.open.deltas.entry(relation.id).or_insert_with(new).1
    }

    pub(super) fn count(&mut self, mut batch: OpenBatch, last: &TransactionCommit) {
        let took = batch
            .started
            .map(|started| started.elapsed())
            .unwrap_or_default();
        let at_ms = clock::unix_ms();
        for (relation, delta) in batch.deltas.values() {
            self.counters.add_table(&relation.name, delta, at_ms);
        }
        self.publisher
            .changed(batch.deltas.values().filter_map(|(relation, _)| {
                let latest = batch.latest.remove(&relation.id)?;
                Some((relation.name.to_string(), latest))
            }));
        self.counters
            .add_batch(batch.transaction_count, batch.row_count as u64, took);
        debug!(
            target: "apply",
            transactions = batch.transaction_count,
            rows = batch.row_count,
            ms = clock::shown_ms(took),
            lsn = %last.end_lsn,
            "batch committed"
        );
        self.schema_changes_durable(batch.schema_changes);
        self.publisher.update(|status| {
            status.checkpoint.end_lsn = status.checkpoint.end_lsn.max(last.end_lsn);
            status.checkpoint.commit_time_ms = Some(clock::unix_ms_of(last.commit_time_us));
            status.forget_overcome();
        });
    }

    /// What the target's own triggers and rules keep from happening is its will.
    pub(super) fn count_suppressed(&mut self) {
        for (table, suppressed) in self.background.writer().take_suppressed() {
            if self.counters.add_suppressed(&table, suppressed.count) {
                warn!(target: "apply", %table, by = suppressed.by,
                    "a trigger or rule of the target keeps changes of this table from happening: they are passed \
                     over and counted (suppressed)");
            }
        }
    }
}

fn value_bytes(tuple: &Tuple) -> usize {
    let length = |value: &Value| match value {
        Value::Text(bytes) => bytes.len(),
        Value::Null | Value::Unchanged => 0,
    };
    tuple.values.iter().map(length).sum()
}
