//! Copies tables and hands them over to the stream, while the stream goes on for the others.
//!
//! ```text
//!  stream (engine::stream)                        copier (a task beside it)
//!  waiting tables are left out                    plan: one snapshot of the source, at S
//!  reaches S: makes the tables  <── Tables ──     what they need, from the descriptions of S
//!  …goes on without them                          pool: rows, part by part; indexes; keys
//!  new session, from S          <── TakeOver ──   complete as of S
//!  behind the old checkpoint: one position        …
//!  adds foreign keys            <── Statements ── validates them
//! ```
//!
//! Exact, whatever happens in between: a change of a copied table reaches it exactly if it was
//! committed behind S, because the session that takes it over starts at S and asks each table for its
//! own position ([`super::handover::table_sync`]). Until then the source is not told of anything behind S, so it
//! keeps what that session has to read. `docs/delivery.md` has the argument in full.
//!
//! The first copy is no different, but that the stream stands at S until the tables are complete:
//! there is nothing else to stream. So the worker pool makes tables, too, those that need no other: most of
//! the time that this takes is waiting for the disk, which several can do at once.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch as tokio_watch};

use crate::config::Pipeline;
use crate::runtime::{Task, supervise};
use crate::status::StatusPublisher;

use super::Store;
use super::error::SnapshotError;
use super::handover::{CopyLink, CopyRequest};
use super::run::{Control, Copier, CopyContext};
/// Requests that may wait for the stream; the copier waits for each answer.
pub(crate) const COPY_REQUESTS_MAX: usize = 4;

/// The engine's side of the copies: what it asks of the copier, and what the copier asks of it.
pub(crate) struct Copies {
    copy_requests: mpsc::Receiver<CopyRequest>,
    copy_request_sender: mpsc::Sender<CopyRequest>,
    settled: Arc<tokio_watch::Sender<()>>,
    wake: Arc<Notify>,
    control: tokio_watch::Receiver<Control>,
    task: Option<Task<()>>,
}

impl Copies {
    pub(crate) fn new(control: tokio_watch::Receiver<Control>) -> Self {
        let (copy_request_sender, copy_requests) = mpsc::channel(COPY_REQUESTS_MAX);
        Self {
            copy_requests,
            copy_request_sender,
            settled: Arc::new(tokio_watch::Sender::new(())),
            wake: Arc::new(Notify::new()),
            control,
            task: None,
        }
    }

    /// Returns what a session of the stream writes the copies' records with.
    pub(crate) fn link(&self, slot_name: &str) -> CopyLink {
        CopyLink::new(Store::new(slot_name.to_owned()), Arc::clone(&self.settled))
    }

    /// Returns what the copier asks of the stream.
    pub(crate) const fn copy_requests(&mut self) -> &mut mpsc::Receiver<CopyRequest> {
        &mut self.copy_requests
    }

    /// Lets the copier look for work, and begins it where there is none yet.
    pub(crate) fn look_for_work(
        &mut self,
        pipeline: &Pipeline,
        slot_name: &str,
        publisher: &StatusPublisher,
    ) {
        if self.task.as_ref().is_none_or(Task::is_finished) {
            let store = Store::new(slot_name.to_owned());
            let control = self.control.clone();
            let context =
                CopyContext::new(pipeline.clone(), store, publisher.clone(), control, true);
            let (settled, wake) = (self.settled.subscribe(), Arc::clone(&self.wake));
            let copier = Copier::new(context, self.copy_request_sender.clone(), settled, wake);
            let copy_requests = self.copy_request_sender.clone();
            self.task = Some(supervise::spawn("copies", watched(copier, copy_requests)));
        }
        // It may wait for tables that the new session cannot take over.
        self.settled.send_replace(());
        self.wake.notify_one();
    }
}

/// A stream that waits for a copier must hear of its end.
async fn watched(copier: Copier, copy_requests: mpsc::Sender<CopyRequest>) {
    let ended = supervise::spawn("copier", copier.run()).join().await;
    if let Err(ended) = ended {
        // Nobody streams any more.
        drop(
            copy_requests
                .send(CopyRequest::Fail(SnapshotError::Task(ended)))
                .await,
        );
    }
}
