//! Gathers row changes into as few sets as the target's readers cannot tell from the original
//! order.
//!
//! Pure: changes in, [`Op`]s out. What holds for any input, and is tested as a property:
//! executing the ops in order leaves the target as executing the changes in order would, wherever
//! both succeed.
//!
//! * Tables that nobody watches ([`ApplyOrder::Net`], [`ApplyOrder::Multiset`]) have a queue each: the net
//!   effect by key, or by whole row, goes out as deletes, then updates, then inserts.
//! * Tables with triggers that fire or foreign keys that are checked share one queue that keeps the
//!   order of the stream; neighbours of one kind still share a statement.
//! * A table of which a set has failed before goes row by row ([`ApplyOrder::Rows`]).
//! * A row that an UPDATE moved to another partition comes as DELETE and INSERT, one right behind the other.
//!   Where foreign keys point to the root of the partitions these are joined to the UPDATE that they were: between
//!   the two the keys would point to nothing.
//! * An UPDATE that changes the key closes the queue's set and stands alone: its place matters.

mod op;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{OldTuple, RelationId};

use super::{ApplyOrder, TablePlan};

use op::fill_unchanged;
use queue::{MultisetQueue, NetQueue, OrderedQueue};

pub use op::{Op, OpKind, RowChange};

/// Changes on their way to the target.
#[derive(Debug, Default)]
pub struct Batch {
    ordered: OrderedQueue,
    queues: Vec<TableQueue>,
    queue_by_relation: HashMap<RelationId, usize>,
    row_count: usize,
    byte_count: usize,
}

#[derive(Debug)]
struct TableQueue {
    table: Arc<TablePlan>,
    kind: QueueKind,
}

#[derive(Debug)]
enum QueueKind {
    Net(NetQueue),
    Multiset(MultisetQueue),
}

impl Batch {
    /// Returns the row changes pushed since the last [`take`](Self::take).
    #[must_use]
    pub const fn row_count(&self) -> usize {
        self.row_count
    }

    /// Returns the bytes of values pushed since the last [`take`](Self::take).
    #[must_use]
    pub const fn byte_count(&self) -> usize {
        self.byte_count
    }

    /// Adds one change.
    pub fn push(&mut self, table: &Arc<TablePlan>, change: RowChange) {
        self.row_count += 1;
        self.byte_count += change.byte_count();
        let change = fill_unchanged(change);
        match table.order {
            ApplyOrder::Ordered | ApplyOrder::Rows => self.ordered.push(table, change),
            ApplyOrder::Net | ApplyOrder::Multiset => match self.queue(table) {
                QueueKind::Net(queue) => queue.push(table, change),
                QueueKind::Multiset(queue) => queue.push(table, change),
            },
        }
    }

    /// Empties the batch into the steps for the target, in the order they must run.
    #[must_use]
    pub fn take(&mut self) -> Vec<Op> {
        self.row_count = 0;
        self.byte_count = 0;
        self.queue_by_relation.clear();
        let mut ops = std::mem::take(&mut self.ordered).finish();
        for queue in self.queues.drain(..) {
            let kinds = match queue.kind {
                QueueKind::Net(net) => net.finish(&queue.table),
                QueueKind::Multiset(multiset) => multiset.finish(),
            };
            ops.extend(kinds.into_iter().map(|kind| Op {
                table: Arc::clone(&queue.table),
                kind,
            }));
        }
        ops
    }

    /// As [`take`](Self::take), but a row that may be on its way to another partition stays until
    /// it is seen where it goes.
    #[must_use]
    pub fn take_settled(&mut self) -> Vec<Op> {
        let leaving = self.ordered.take_leaving();
        let ops = self.take();
        if let Some((table, old)) = leaving {
            self.push(&table, RowChange::Delete(OldTuple::Key(old)));
        }
        ops
    }

    /// The queue of the table. A relation that was described anew gets a new queue, behind the old.
    fn queue(&mut self, table: &Arc<TablePlan>) -> &mut QueueKind {
        let known = self.queue_by_relation.get(&table.relation.id).copied();
        let index = match known {
            Some(index) if Arc::ptr_eq(&self.queues[index].table, table) => index,
            Some(_) | None => self.open_queue(table),
        };
        &mut self.queues[index].kind
    }

    fn open_queue(&mut self, table: &Arc<TablePlan>) -> usize {
        let kind = if table.key.is_empty() {
            QueueKind::Multiset(MultisetQueue::default())
        } else {
            QueueKind::Net(NetQueue::default())
        };
        self.queues.push(TableQueue {
            table: Arc::clone(table),
            kind,
        });
        self.queue_by_relation
            .insert(table.relation.id, self.queues.len() - 1);
        self.queues.len() - 1
    }
}
