//! The end of a batch: its last steps, the checkpoint and COMMIT in one round trip, and what of all that
//! has reached the disk.
//!
//! A statement that finds fewer rows than it should is no error to the server, so each has a guard, by which
//! it is one: a COMMIT behind it then commits nothing. A batch of one statement needs no more than that: it
//! moves the checkpoint as well, and is a transaction by itself. Where anything fails, all is done again in
//! two round trips, which shows what it was.

use futures_util::future::join;
use tokio_postgres::Statement;

use crate::apply::checkpoint::ADVANCE;
use crate::apply::durability::WalLook;
use crate::apply::records::refused_record;
use crate::apply::writer::WAL_LOOK;
use crate::apply::{ApplyError, Checkpoint, CheckpointStore, Op, Stream};
use crate::fault;
use crate::model::Lsn;
use crate::postgres::PgError;

use super::bind::Bound;
use super::reading::send_rows;
use super::{Writer, refused};

/// What the target refused, in its error.
const COMMIT: &str = "the commit of a batch";

/// Readers see it; the disk comes later.
const COMMIT_VISIBLE: &str = "SET LOCAL synchronous_commit = off; COMMIT";

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
        let begins = !self.open;
        let suppressed = self.suppressed.clone();
        let mut last = self.execute_but_last(ops).await?;
        let visible = commit == Commit::Visible && !self.durability.waits_for_standbys();
        if begins && visible && last.iter().all(Bound::can_be_guarded) {
            let sent = match &mut *last {
                [only] if !self.open && self.can_be_alone(&*only) => {
                    let sequences = self.sequences.of_table(&only.table).unwrap_or_default();
                    only.be_alone(checkpoint(store.stream(), from, to), sequences);
                    self.commit_alone(&last, to.end_lsn).await?
                }
                all => {
                    all.iter_mut().for_each(Bound::guard);
                    self.commit_at_once(store, all, (from, to)).await?
                }
            };
            let Some(failure) = sent else {
                return self.committed(commit).await;
            };
            if self.rollback().await.is_err() {
                return Err(failure);
            }
            self.suppressed = suppressed;
            self.refused = None;
            last = self.execute_but_last(ops).await?;
        }
        self.commit_last(store, &last, (from, to), commit).await?;
        self.committed(commit).await
    }

    async fn committed(&mut self, commit: Commit) -> Result<(), ApplyError> {
        fault::point(fault::APPLY_AFTER_COMMIT);
        if commit == Commit::Durable || self.durability.is_stuck() {
            self.settle().await?;
        }
        Ok(())
    }

    /// Sends the last steps with all that follows. Returns the failure that kept all of it from being
    /// committed; it tells no more than that.
    async fn commit_at_once(
        &mut self,
        store: &CheckpointStore,
        last: &[Bound],
        (from, to): (Lsn, Checkpoint),
    ) -> Result<Option<ApplyError>, ApplyError> {
        self.prepare_all(last).await?;
        fault::point(fault::APPLY_BEFORE_COMMIT);
        let reading = self.reading.take();
        let (begun, copied, answers, moved, advanced, closed) = tokio::join!(
            self.begun(),
            send_rows(reading),
            self.send_all(last),
            self.move_sequences(),
            self.advance(&self.advance_guarded, store.stream(), from, to),
            join(self.session.run(COMMIT_VISIBLE), self.look_at_wal()),
        );
        begun?;
        self.open = true;
        self.judge_copy(copied)?;
        if let Err(failure) = self.judge_all(last, answers).and(moved).and(advanced) {
            return Ok(Some(failure));
        }
        let (committed, look) = closed;
        committed.map_err(refused_commit)?;
        self.note_commit(to.end_lsn, look?, false);
        Ok(None)
    }

    /// Returns whether a statement can do all that the batch has to do.
    fn can_be_alone(&self, only: &Bound) -> bool {
        only.can_be_alone() && self.sequences.of_table(&only.table).is_some()
    }

    /// As [`commit_at_once`](Self::commit_at_once) for a statement that is all of it.
    async fn commit_alone(
        &mut self,
        only: &[Bound],
        checkpoint: Lsn,
    ) -> Result<Option<ApplyError>, ApplyError> {
        self.prepare_all(only).await?;
        fault::point(fault::APPLY_BEFORE_COMMIT);
        let (answers, look) = join(self.send_all(only), self.look_at_wal()).await;
        if let Err(failure) = self.judge_all(only, answers) {
            return Ok(Some(failure));
        }
        self.note_commit(checkpoint, look?, false);
        Ok(None)
    }

    async fn commit_last(
        &mut self,
        store: &CheckpointStore,
        last: &[Bound],
        (from, to): (Lsn, Checkpoint),
        commit: Commit,
    ) -> Result<(), ApplyError> {
        self.prepare_all(last).await?;
        let reading = self.reading.take();
        let (begun, copied, answers, moved, advanced) = tokio::join!(
            self.begun(),
            send_rows(reading),
            self.send_all(last),
            self.move_sequences(),
            self.advance(&self.advance, store.stream(), from, to),
        );
        begun?;
        self.open = true;
        self.judge_copy(copied)?;
        self.judge_all(last, answers)?;
        moved.and(advanced)?;
        fault::point(fault::APPLY_BEFORE_COMMIT);
        self.close(to.end_lsn, commit).await
    }

    async fn move_sequences(&self) -> Result<(), ApplyError> {
        let statements = self.sequences.statements();
        if statements.is_empty() {
            return Ok(());
        }
        let moved = self.session.run(&statements).await;
        moved.map_err(refused("the position of sequences"))
    }

    async fn advance(
        &self,
        statement: &Statement,
        stream: &Stream,
        from: Lsn,
        to: Checkpoint,
    ) -> Result<(), ApplyError> {
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
                statement,
                &[slot_name, &end_lsn, &time_us, &expected, timeline],
            )
            .await
            .map_err(|error| self.session.error(&ADVANCE, error));
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
            Commit::Visible if !standbys => COMMIT_VISIBLE,
            Commit::Visible | Commit::Durable => "COMMIT",
        };
        let warnings = self.session.warning_count();
        let (committed, look) = join(self.session.run(sql), self.look_at_wal()).await;
        committed.map_err(refused_commit)?;
        // A wait for standbys that somebody cancels ends with a warning.
        let replicated = standbys && self.session.warning_count() == warnings;
        self.note_commit(checkpoint, look?, replicated);
        Ok(())
    }

    /// Notes a commit, and what the target says of its WAL behind it.
    fn note_commit(&mut self, checkpoint: Lsn, look: WalLook, replicated: bool) {
        self.open = false;
        self.sequences.committed();
        self.durability
            .committed(look.written, checkpoint, replicated);
        self.durability.see(look);
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

/// The parameters of [`advance_sql`](crate::apply::checkpoint::advance_sql).
fn checkpoint(stream: &Stream, from: Lsn, to: Checkpoint) -> [Option<String>; 5] {
    [
        Some(stream.slot_name.clone()),
        Some(to.end_lsn.to_string()),
        to.commit_time_us.map(|time| time.to_string()),
        Some(from.to_string()),
        Some(stream.timeline.to_string()),
    ]
}

/// An `f64` holds microseconds exactly for 285 years around 2000.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact below 2^53 microseconds, the year 2285"
)]
fn microseconds(time_us: i64) -> f64 {
    time_us as f64
}
