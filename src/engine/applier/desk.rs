//! The writer: at its desk, or away with a piece of work.
//!
//! While the target runs the statements of one batch, the next one is decoded and gathered. The work
//! runs in a task of its own that takes the writer with it and brings it back, so nobody can use
//! the session in between, and there is never more than one piece under way.

use crate::apply::{ApplyError, Checkpoint, CheckpointStore, Commit, Op, Writer};
use crate::engine::supervise::{self, Task, TaskEnd};
use crate::model::Lsn;

/// Where the writer is.
pub(super) struct Desk {
    place: Place,
    /// As the writer last knew.
    durable: Lsn,
}

enum Place {
    Here(Box<Writer>),
    Away(Task<(Box<Writer>, Result<(), ApplyError>)>),
    /// Its task ended without bringing it back: the round is over.
    Lost,
}

impl Desk {
    pub(super) fn new(writer: Writer) -> Self {
        Self {
            durable: writer.durable(),
            place: Place::Here(Box::new(writer)),
        }
    }

    /// Returns whether a piece of work is under way.
    pub(super) const fn is_away(&self) -> bool {
        matches!(self.place, Place::Away(_))
    }

    /// Returns the writer.
    ///
    /// # Panics
    /// When it is away: [`back`](Self::back) comes first.
    pub(super) fn writer(&mut self) -> &mut Writer {
        match &mut self.place {
            Place::Here(writer) => writer,
            Place::Away(_) | Place::Lost => unreachable!("the writer was waited for"),
        }
    }

    /// As [`writer`](Self::writer), to look only.
    ///
    /// # Panics
    /// When it is away.
    pub(super) fn here(&self) -> &Writer {
        match &self.place {
            Place::Here(writer) => writer,
            Place::Away(_) | Place::Lost => unreachable!("the writer was waited for"),
        }
    }

    /// Returns the last checkpoint that is known to be on the target's disk.
    pub(super) const fn durable(&self) -> Lsn {
        match &self.place {
            Place::Here(writer) => writer.durable(),
            Place::Away(_) | Place::Lost => self.durable,
        }
    }

    /// Waits until the work under way is done. Cancel safe: the work goes on.
    pub(super) async fn back(&mut self) -> Result<Result<(), ApplyError>, TaskEnd> {
        let Place::Away(task) = &mut self.place else {
            return Ok(Ok(()));
        };
        let ended = task.join().await;
        let (place, outcome) = match ended {
            Ok((writer, outcome)) => (Place::Here(writer), Ok(outcome)),
            Err(ended) => (Place::Lost, Err(ended)),
        };
        self.place = place;
        outcome
    }

    /// Begins to run steps in the open transaction.
    ///
    /// # Panics
    /// When the writer is away.
    pub(super) fn execute(&mut self, ops: Vec<Op>) {
        self.send(|mut writer| async move {
            let done = writer.execute(&ops).await;
            (writer, done)
        });
    }

    /// Begins to run steps and to commit them with the checkpoint.
    ///
    /// # Panics
    /// When the writer is away.
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
    /// When the writer is away.
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
        self.place = match std::mem::replace(&mut self.place, Place::Lost) {
            Place::Here(writer) => Place::Away(supervise::spawn("apply", work(writer))),
            Place::Away(_) | Place::Lost => unreachable!("the writer was waited for"),
        };
    }
}
