//! The end of a batch: its last steps and the checkpoint in one round trip, COMMIT in another, and
//! what of all that has reached the disk.

use futures_util::future::join;

use crate::apply::checkpoint::ADVANCE;
use crate::apply::durability::WalLook;
use crate::apply::records::refused_record;
use crate::apply::writer::WAL_LOOK;
use crate::apply::{ApplyError, Checkpoint, CheckpointStore, Op, Stream};
use crate::fault;
use crate::model::Lsn;
use crate::postgres::PgError;

use super::{Writer, refused};

/// What the target refused, in its error.
const COMMIT: &str = "the commit of a batch";

/// Triggers that wait for the commit look at rows.
fn refused_commit(error: PgError) -> ApplyError {
    refused(COMMIT)(error.about_values())
}

/// When a commit returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// As soon as readers see it; [`Writer::durable`] tells later when it is on disk.
    Visible,
    /// When it is on disk.
    Durable,
}

impl Writer {
    /// Runs the steps, moves the checkpoint from `from` to `to` and commits.
    ///
    /// # Errors
    /// As [`Writer::execute`]; [`ApplyError::Fenced`] when somebody else moved the checkpoint, or the
    /// target's refusal; whether the transaction was committed is then known only by reading the
    /// checkpoint again.
    pub async fn commit(
        &mut self,
        store: &CheckpointStore,
        ops: &[Op],
        (from, to): (Lsn, Checkpoint),
        commit: Commit,
    ) -> Result<(), ApplyError> {
        let last = self.execute_but_last(ops).await?;
        self.prepare_all(&last).await?;
        let (begun, answers, moved, advanced) = tokio::join!(
            self.begun(),
            self.send_all(&last),
            self.move_sequences(),
            self.advance(store.stream(), from, to),
        );
        begun?;
        self.open = true;
        self.judge_all(&last, answers)?;
        moved.and(advanced)?;
        fault::point(fault::APPLY_BEFORE_COMMIT);
        self.close(to.end_lsn, commit).await?;
        fault::point(fault::APPLY_AFTER_COMMIT);
        self.open = false;
        self.sequences.committed();
        if commit == Commit::Durable || self.durability.is_stuck() {
            self.settle().await?;
        }
        Ok(())
    }

    async fn move_sequences(&self) -> Result<(), ApplyError> {
        let statements = self.sequences.statements();
        if statements.is_empty() {
            return Ok(());
        }
        let moved = self.session.run(&statements).await;
        moved.map_err(refused("the position of sequences"))
    }

    async fn advance(&self, stream: &Stream, from: Lsn, to: Checkpoint) -> Result<(), ApplyError> {
        let (end_lsn, expected) = (to.end_lsn.to_string(), from.to_string());
        let time_us = to.commit_time_us.map(microseconds);
        let Stream {
            slot_name,
            timeline,
            ..
        } = stream;
        let advanced = self
            .session
            .execute(
                &self.advance,
                &[slot_name, &end_lsn, &time_us, &expected, timeline],
            )
            .await
            .map_err(|error| self.session.error(ADVANCE, error));
        match advanced.map_err(refused_record("the checkpoint"))? {
            1 => Ok(()),
            _ => Err(ApplyError::Fenced {
                slot_name: slot_name.clone(),
                expected: from,
            }),
        }
    }

    /// Commits, and looks at the target's WAL behind the commit.
    async fn close(&mut self, checkpoint: Lsn, commit: Commit) -> Result<(), ApplyError> {
        let standbys = self.durability.waits_for_standbys();
        let sql = match commit {
            Commit::Visible if !standbys => "SET LOCAL synchronous_commit = off; COMMIT",
            Commit::Visible | Commit::Durable => "COMMIT",
        };
        let warnings = self.session.warning_count();
        let (committed, look) = join(self.session.run(sql), self.look_at_wal()).await;
        committed.map_err(refused_commit)?;
        let look = look?;
        // A wait for standbys that somebody cancels ends with a warning.
        let replicated = standbys && self.session.warning_count() == warnings;
        self.durability
            .committed(look.written, checkpoint, replicated);
        self.durability.see(look);
        Ok(())
    }

    async fn look_at_wal(&self) -> Result<WalLook, ApplyError> {
        let found = self.session.query_one(&self.wal_look, &[]).await;
        let found = found.map_err(|error| self.session.error(WAL_LOOK, error));
        let row = found.map_err(refused_record("a look at its WAL"))?;
        let position = |at| row.get::<_, &str>(at).parse().unwrap_or(Lsn::ZERO);
        Ok(WalLook {
            written: position(0),
            flushed: position(1),
            standbys: row.get(2),
        })
    }

    /// Tells that the checkpoint with which everything begins is durable.
    pub fn starts_at(&mut self, checkpoint: Lsn) {
        self.durability.starts_at(checkpoint);
    }

    /// Returns the last checkpoint that a crash of the target cannot take back.
    #[must_use]
    pub const fn durable(&self) -> Lsn {
        self.durability.durable()
    }

    /// Asks how far the target's WAL is on disk, if a commit waits for that.
    ///
    /// # Errors
    /// The loss of the session.
    pub async fn look_for_durable(&mut self) -> Result<(), ApplyError> {
        if !self.durability.is_settled() {
            let look = self.look_at_wal().await?;
            self.durability.see(look);
        }
        Ok(())
    }

    /// Returns whether commits become durable only by [`settle`](Self::settle), not by themselves.
    #[must_use]
    pub fn must_settle(&self) -> bool {
        self.durability.is_stuck() && !self.open
    }

    /// Waits until everything that was committed is on disk. With a transaction open it does not: the
    /// next start finds out what became of it all.
    ///
    /// # Errors
    /// The target's refusal.
    pub async fn settle(&mut self) -> Result<(), ApplyError> {
        if !self.durability.is_settled() && !self.open {
            let flushed = self.session.flush_wal().await;
            flushed.map_err(refused_record("to flush what was committed"))?;
            self.durability.settled();
        }
        Ok(())
    }
}

/// An `f64` holds microseconds exactly for 285 years around 2000.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact below 2^53 microseconds, the year 2285"
)]
fn microseconds(time_us: i64) -> f64 {
    time_us as f64
}
