//! The writer of the target: idle, or busy with a piece of work in the background.
//!
//! While the target runs the statements of one batch, the next one is decoded and gathered. The work
//! runs in a task of its own that owns the writer meanwhile and gives it back, so nobody can use
//! the session in between, and there is never more than one piece under way.

use crate::apply::{ApplyError, Checkpoint, CheckpointStore, Commit, Op, Writer};
use crate::model::Lsn;
use crate::runtime::{Task, TaskEnd, supervise};

/// The writer and what it is doing.
pub(super) struct BackgroundWriter {
    state: State,
    /// As the writer last knew.
    durable: Lsn,
}

enum State {
    Idle(Box<Writer>),
    Busy(Task<(Box<Writer>, Result<(), ApplyError>)>),
    /// Its task ended without giving it back: the session is over.
    Lost,
}

impl BackgroundWriter {
    pub(super) fn new(writer: Writer) -> Self {
        Self {
            durable: writer.durable(),
            state: State::Idle(Box::new(writer)),
        }
    }

    /// Returns whether a piece of work is under way.
    pub(super) const fn is_busy(&self) -> bool {
        matches!(self.state, State::Busy(_))
    }

    /// Returns the writer.
    ///
    /// # Panics
    /// When it is busy: [`join`](Self::join) comes first.
    pub(super) fn writer(&mut self) -> &mut Writer {
        match &mut self.state {
            State::Idle(writer) => writer,
            State::Busy(_) | State::Lost => unreachable!("the writer was waited for"),
        }
    }

    /// As [`writer`](Self::writer), to look only.
    ///
    /// # Panics
    /// When it is busy.
    pub(super) fn idle(&self) -> &Writer {
        match &self.state {
            State::Idle(writer) => writer,
            State::Busy(_) | State::Lost => unreachable!("the writer was waited for"),
        }
    }

    /// Returns the last checkpoint that is known to be on the target's disk.
    pub(super) const fn durable(&self) -> Lsn {
        match &self.state {
            State::Idle(writer) => writer.durable(),
            State::Busy(_) | State::Lost => self.durable,
        }
    }

    /// Waits until the work under way is done. Cancel safe: the work goes on.
    pub(super) async fn join(&mut self) -> Result<Result<(), ApplyError>, TaskEnd> {
        let State::Busy(task) = &mut self.state else {
            return Ok(Ok(()));
        };
        let ended = task.join().await;
        let (state, outcome) = match ended {
            Ok((writer, outcome)) => (State::Idle(writer), Ok(outcome)),
            Err(ended) => (State::Lost, Err(ended)),
        };
        self.state = state;
        outcome
    }

    /// Begins to run steps in the open transaction.
    ///
    /// # Panics
    /// When the writer is busy.
    pub(super) fn execute(&mut self, ops: Vec<Op>) {
        self.send(|mut writer| async move {
            let done = writer.execute(&ops).await;
            (writer, done)
        });
    }

    /// Begins to run steps and to commit them with the checkpoint.
    ///
    /// # Panics
    /// When the writer is busy.
    pub(super) fn commit(
        &mut self,
        store: CheckpointStore,
        ops: Vec<Op>,
        step: (Lsn, Checkpoint),
        how: Commit,
    ) {
        self.send(|mut writer| async move {
            let done = writer.commit(&store, &ops, step, how).await;
            (writer, done)
        });
    }

    /// Begins to make durable what was committed.
    ///
    /// # Panics
    /// When the writer is busy.
    pub(super) fn settle(&mut self) {
        self.send(|mut writer| async move {
            let done = writer.settle().await;
            (writer, done)
        });
    }

    fn send<F>(&mut self, work: impl FnOnce(Box<Writer>) -> F)
    where
        F: Future<Output = (Box<Writer>, Result<(), ApplyError>)> + Send + 'static,
    {
        self.durable = self.durable();
        self.state = match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle(writer) => State::Busy(supervise::spawn("apply", work(writer))),
            State::Busy(_) | State::Lost => unreachable!("the writer was waited for"),
        };
    }
}
