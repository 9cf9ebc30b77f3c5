//! Which of the committed transactions the target cannot lose any more.
//!
//! A batch is committed without waiting for the disk (`synchronous_commit = off`: manual, section
//! 30.4 «Asynchronous Commit»): readers see it at once, and the next batch need not wait. Should
//! the target crash before its WAL writer comes round, the batch is gone together with its
//! checkpoint, and is read again, because the source is told only of what is flushed. Where the
//! target has synchronous standbys, its own disk is not enough: a commit counts only if it waited
//! for them, or if a later one did. Pure: positions of both servers in, what may be confirmed out.

use std::collections::VecDeque;

use crate::model::Lsn;

/// Commits on their way to the target's disk.
#[derive(Debug, Default)]
pub(super) struct Durability {
    pending: VecDeque<Pending>,
    durable: Lsn,
    /// The target has synchronous standbys, as of the last look.
    standbys: bool,
}

/// A commit that may still be lost.
#[derive(Debug, Clone, Copy)]
struct Pending {
    /// The end of the target's WAL behind it.
    written: Lsn,
    /// What it moved the checkpoint to.
    checkpoint: Lsn,
    /// It waited for the standbys.
    replicated: bool,
}

/// What the target says of its WAL.
#[derive(Debug, Clone, Copy)]
pub(super) struct WalLook {
    /// Its end.
    pub(super) written: Lsn,
    /// How far it is on disk.
    pub(super) flushed: Lsn,
    /// There are synchronous standbys.
    pub(super) standbys: bool,
}

impl Durability {
    /// Starts at a checkpoint that is durable.
    pub(super) fn starts_at(&mut self, durable: Lsn) {
        self.pending.clear();
        self.durable = durable;
    }

    /// Notes whether the target has synchronous standbys.
    pub(super) const fn has_standbys(&mut self, standbys: bool) {
        self.standbys = standbys;
    }

    /// Returns whether a commit must wait for standbys.
    pub(super) const fn waits_for_standbys(&self) -> bool {
        self.standbys
    }

    /// Notes a commit, behind which the target's WAL ends at `written`; `replicated`: it waited for
    /// the standbys.
    pub(super) fn committed(&mut self, written: Lsn, checkpoint: Lsn, replicated: bool) {
        self.pending.push_back(Pending {
            written,
            checkpoint,
            replicated,
        });
    }

    /// Notes what the target says of its WAL. A commit that is safe makes all before it safe.
    pub(super) fn see(&mut self, look: WalLook) {
        self.standbys = look.standbys;
        let safe = |commit: &Pending| {
            commit.written <= look.flushed && (commit.replicated || !look.standbys)
        };
        if let Some(last) = self.pending.iter().rposition(safe)
            && let Some(commit) = self.pending.drain(..=last).next_back()
        {
            self.durable = commit.checkpoint;
        }
    }

    /// Returns whether waiting does not help: the last commit has not been waited for by standbys that
    /// came later.
    pub(super) fn is_stuck(&self) -> bool {
        let last = self.pending.back();
        self.standbys && last.is_some_and(|commit| !commit.replicated)
    }

    /// Notes that every commit so far is safe.
    pub(super) fn settled(&mut self) {
        if let Some(last) = self.pending.drain(..).next_back() {
            self.durable = last.checkpoint;
        }
    }

    /// Returns the last checkpoint that is durable.
    pub(super) const fn durable(&self) -> Lsn {
        self.durable
    }

    /// Returns whether every commit is durable.
    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(flushed: u64, standbys: bool) -> WalLook {
        WalLook {
            written: Lsn(1_000),
            flushed: Lsn(flushed),
            standbys,
        }
    }

    fn three(replicated: [bool; 3]) -> Durability {
        let mut durability = Durability::default();
        durability.starts_at(Lsn(5));
        for (at, replicated) in [1, 2, 3].into_iter().zip(replicated) {
            durability.committed(Lsn(at * 100), Lsn(at * 10), replicated);
        }
        durability
    }

    #[test]
    fn only_what_is_flushed_is_durable() {
        let mut durability = three([false; 3]);

        durability.see(look(99, false));
        assert_eq!(durability.durable(), Lsn(5));
        durability.see(look(250, false));
        assert_eq!(durability.durable(), Lsn(20));
        assert!(!durability.is_settled() && !durability.is_stuck());
        durability.settled();
        assert_eq!(durability.durable(), Lsn(30));
        assert!(durability.is_settled());
    }

    #[test]
    fn with_standbys_only_what_waited_for_them_is_durable_and_what_came_before() {
        let mut durability = three([false, true, false]);

        durability.see(look(150, true));
        assert_eq!(durability.durable(), Lsn(5));
        durability.see(look(300, true));
        assert_eq!(durability.durable(), Lsn(20));
        assert!(durability.is_stuck());
        durability.see(look(300, false));
        assert_eq!(durability.durable(), Lsn(30));
        assert!(!durability.is_stuck());
    }
}
