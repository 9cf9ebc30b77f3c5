//! The source transaction in hand, until it is known to be whole.
//!
//! A transaction that fits waits here for its commit, so that it can join the batch or stand alone
//! by its size, and so that one that arrives slowly keeps no finished one waiting. One that grows
//! beyond the bounds is passed on in parts, into one open target transaction.

use crate::model::{Change, OldTuple, TransactionBegin};

/// A transaction with more changes than this is applied while it arrives.
const STAGED_CHANGES_MAX: usize = 10_000;

/// Or with more bytes than this.
const STAGED_BYTES_MAX: usize = 8 << 20;

/// A transaction that is arriving.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) begin: TransactionBegin,
    changes: Vec<Change>,
    byte_count: usize,
    /// Parts of it are in the open target transaction.
    pub(super) passed_on: bool,
}

impl Staged {
    pub(super) const fn new(begin: TransactionBegin) -> Self {
        Self {
            begin,
            changes: Vec::new(),
            byte_count: 0,
            passed_on: false,
        }
    }

    pub(super) fn push(&mut self, change: Change) {
        self.byte_count += byte_count(&change);
        self.changes.push(change);
    }

    pub(super) const fn is_full(&self) -> bool {
        self.changes.len() >= STAGED_CHANGES_MAX || self.byte_count >= STAGED_BYTES_MAX
    }

    pub(super) const fn change_count(&self) -> usize {
        self.changes.len()
    }

    pub(super) fn take(&mut self) -> Vec<Change> {
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
        Change::Truncate { .. } => 0,
        Change::Message { content, .. } => content.len(),
    }
}

fn old_byte_count(old: &OldTuple) -> usize {
    match old {
        OldTuple::Key(tuple) | OldTuple::Full(tuple) => tuple.byte_count(),
    }
}
