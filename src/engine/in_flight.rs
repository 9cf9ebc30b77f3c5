//! The source transaction in hand, until it is known to be whole.
//!
//! A transaction that fits waits here for its commit, so that it can join the batch or stand alone
//! by its size, and so that one that arrives slowly keeps no finished one waiting. One that grows
//! beyond the bounds is passed on in parts, into one open target transaction.

use crate::model::{Change, Lsn, OldTuple, TransactionBegin};

/// A transaction with more changes than this is applied while it arrives.
const IN_FLIGHT_CHANGES_MAX: usize = 10_000;

/// Or with more bytes than this.
const IN_FLIGHT_BYTES_MAX: usize = 8 << 20;

/// A transaction that is arriving.
#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) begin: TransactionBegin,
    /// Each with its place in the WAL.
    changes: Vec<(Lsn, Change)>,
    byte_count: usize,
    /// Parts of it are in the open target transaction.
    pub(super) passed_on: bool,
}

impl InFlight {
    pub(super) const fn new(begin: TransactionBegin) -> Self {
        Self {
            begin,
            changes: Vec::new(),
            byte_count: 0,
            passed_on: false,
        }
    }

    pub(super) fn push(&mut self, at: Lsn, change: Change) {
        self.byte_count += byte_count(&change);
        self.changes.push((at, change));
    }

    pub(super) const fn is_full(&self) -> bool {
        self.changes.len() >= IN_FLIGHT_CHANGES_MAX || self.byte_count >= IN_FLIGHT_BYTES_MAX
    }

    pub(super) const fn change_count(&self) -> usize {
        self.changes.len()
    }

    pub(super) fn take(&mut self) -> Vec<(Lsn, Change)> {
        self.byte_count = 0;
        std::mem::take(&mut self.changes)
    }
}

fn byte_count(change: &Change) -> usize {
    match change {
        Change::Insert { new, .. } => new.byte_count(),
        Change::Update { old, new, .. } => {
            new.byte_count() + old.as_ref().map_or(0, old_byte_count)
        }
        Change::Delete { old, .. } => old_byte_count(old),
        Change::Truncate { .. } | Change::ForeignMessage { .. } => 0,
    }
}

fn old_byte_count(old: &OldTuple) -> usize {
    match old {
        OldTuple::Key(tuple) | OldTuple::Full(tuple) => tuple.byte_count(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::model::{QualifiedName, Relation, RelationId, ReplicaIdentity, Tuple, Value};

    fn in_flight() -> InFlight {
        let begin = TransactionBegin {
            xid: 1,
            commit_lsn: Lsn(10),
            commit_time_us: 0,
        };
        InFlight::new(begin)
    }

    fn row(length: usize) -> Change {
        let relation = Relation {
            id: RelationId(1),
            name: QualifiedName::new("public", "t"),
            identity: ReplicaIdentity::Default,
            columns: Box::default(),
        };
        let value = Value::Text(Bytes::from(vec![0; length]));
        Change::Insert {
            relation: Arc::new(relation),
            new: Tuple {
                values: [value].into(),
            },
        }
    }

    #[test]
    fn a_transaction_is_full_by_its_changes_or_by_its_bytes() {
        let mut by_count = in_flight();
        for _ in 1..IN_FLIGHT_CHANGES_MAX {
            by_count.push(Lsn(1), row(0));
        }
        assert!(!by_count.is_full());
        by_count.push(Lsn(1), row(0));
        assert!(by_count.is_full());

        let mut by_bytes = in_flight();
        by_bytes.push(Lsn(1), row(IN_FLIGHT_BYTES_MAX - 1 - size_of::<Value>()));
        assert!(!by_bytes.is_full());
        by_bytes.push(Lsn(1), row(1));
        assert!(by_bytes.is_full());
    }

    #[test]
    fn what_was_taken_is_gone_and_the_order_is_kept() {
        let mut in_flight = in_flight();
        in_flight.push(Lsn(1), row(1));
        in_flight.push(Lsn(1), row(2));

        assert_eq!(in_flight.take(), [(Lsn(1), row(1)), (Lsn(1), row(2))]);

        assert_eq!((in_flight.change_count(), in_flight.is_full()), (0, false));
        assert!(in_flight.take().is_empty());
    }
}
