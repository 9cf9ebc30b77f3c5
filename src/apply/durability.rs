//! Which of the committed transactions the target cannot lose any more.
//!
//! A batch is committed without waiting for the disk (`synchronous_commit = off`: manual, section
//! 30.4 «Asynchronous Commit»): readers see it at once, and the next batch need not wait. Should
//! the target crash before its WAL writer comes round, the batch is gone together with its
//! checkpoint, and is read again, because the source is told only of what is flushed. Pure:
//! positions of both servers in, what may be confirmed out.

use std::collections::VecDeque;

use crate::model::Lsn;

/// Commits on their way to the target's disk.
#[derive(Debug, Default)]
pub(super) struct Durability {
    /// The end of the target's WAL after the commit, and the checkpoint that it brought.
    unflushed: VecDeque<(Lsn, Lsn)>,
    durable: Lsn,
}

impl Durability {
    /// Starts at a checkpoint that is durable.
    pub(super) const fn at(durable: Lsn) -> Self {
        Self {
            unflushed: VecDeque::new(),
            durable,
        }
    }

    /// Notes a commit after which the target's WAL ends at `written`.
    pub(super) fn committed(&mut self, written: Lsn, checkpoint: Lsn) {
        self.unflushed.push_back((written, checkpoint));
    }

    /// Notes how far the target's WAL is on disk.
    pub(super) fn flushed(&mut self, flushed: Lsn) {
        while let Some(&(written, checkpoint)) = self.unflushed.front()
            && written <= flushed
        {
            self.durable = checkpoint;
            self.unflushed.pop_front();
        }
    }

    /// Notes a commit that waited for the disk: it flushed all before it too.
    pub(super) fn settled(&mut self, checkpoint: Lsn) {
        self.unflushed.clear();
        self.durable = checkpoint;
    }

    /// Returns the last checkpoint that is durable.
    pub(super) const fn durable(&self) -> Lsn {
        self.durable
    }

    /// Returns whether every commit is durable.
    pub(super) fn is_settled(&self) -> bool {
        self.unflushed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_flushed_is_durable() {
        let mut durability = Durability::at(Lsn(5));
        durability.committed(Lsn(100), Lsn(10));
        durability.committed(Lsn(200), Lsn(20));
        durability.committed(Lsn(300), Lsn(30));

        durability.flushed(Lsn(99));
        assert_eq!(durability.durable(), Lsn(5));
        durability.flushed(Lsn(250));
        assert_eq!(durability.durable(), Lsn(20));
        assert!(!durability.is_settled());
        durability.settled(Lsn(40));
        assert_eq!(durability.durable(), Lsn(40));
        assert!(durability.is_settled());
    }
}
