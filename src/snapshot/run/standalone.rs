//! Copying with nobody streaming: `pgstream snapshot`.
//!
//! The same copier; what it asks of a stream is done here, at once. Nothing is made on the source, and
//! nothing of ours remains on the target when all tables are there. After a failure or a crash the
//! records stay, so that the next one leaves alone what is complete and copies the rest from its
//! beginning: without a stream nothing evens out the snapshots of a table's parts. A copy that was
//! refused before it began leaves none.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch};
use tracing::{debug, info};

use crate::apply;
use crate::config::Pipeline;
use crate::model::Lsn;
use crate::postgres::{self, Session};
use crate::runtime::supervise;
use crate::schema::{SNAPSHOT_NAME, install};
use crate::snapshot::Store;
use crate::snapshot::copies::COPY_REQUESTS_MAX;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::handover::{Answer, CopyRequest, tables};
use crate::snapshot::plan::{PreviousRun, selection};
use crate::status::{
    Command, CommandAnswer, CopyState, Outcome, Phase, Request, StatusPublisher, failure_of,
};

use super::context::{Control, CopyContext};
use super::copier::Copier;

/// What it takes.
pub(crate) struct Standalone {
    pub(crate) pipeline: Pipeline,
    pub(crate) publisher: StatusPublisher,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) control: watch::Receiver<Control>,
}

/// Copies all tables once.
pub(crate) async fn copy_standalone(standalone: Standalone) -> Outcome {
    let Standalone {
        pipeline,
        publisher,
        mut requests,
        control,
    } = standalone;
    publisher.phase(&Phase::Copying);
    let outcome = tokio::select! {
        biased;
        () = stop_asked(&mut requests) => Ok(Outcome::Stopped),
        copied = copy(&pipeline, &publisher, control) => copied,
    };
    publisher.phase(&Phase::Stopped);
    outcome.unwrap_or_else(|error| {
        let failure = failure_of(&error, None);
        // Whoever started us tells it; twice is once too often.
        tracing::debug!(target: "snapshot", causes = failure.why(), "{}", failure.message);
        publisher.failed(&failure);
        Outcome::Failed(failure)
    })
}

async fn stop_asked(requests: &mut mpsc::Receiver<Request>) {
    while let Some(Request { command, answer }) = requests.recv().await {
        let stop = command == Command::Stop;
        let reply = match stop {
            true => CommandAnswer::Accepted,
            false => CommandAnswer::Refused("nothing is streamed".to_owned()),
        };
        // Nobody has to wait for the answer.
        drop(answer.send(reply));
        if stop {
            return;
        }
    }
}

async fn copy(
    pipeline: &Pipeline,
    publisher: &StatusPublisher,
    control: watch::Receiver<Control>,
) -> Result<Outcome, SnapshotError> {
    let failed = |operation| {
        let endpoint = pipeline.target.endpoint();
        move |source| SnapshotError::Target {
            operation,
            endpoint,
            source,
        }
    };
    let target = postgres::connect(&pipeline.target, "pgstream snapshot").await;
    let target = target.map_err(failed("open a session"))?;
    let installed = apply::install_records(&target).await;
    installed.map_err(|source| SnapshotError::Apply {
        endpoint: pipeline.target.endpoint(),
        source,
    })?;
    let store = Store::new(SNAPSHOT_NAME.to_owned());
    if let Err(error) = copy_selected(pipeline, publisher, control, (&store, &target)).await {
        if let Err(left) = tidy(&store, &target).await {
            debug!(target: "snapshot", "records of the copy stay on the target: {left}");
        }
        return Err(error);
    }
    let forget = install::forget_on_target(SNAPSHOT_NAME, true);
    let cleaned = target.run(&forget).await;
    cleaned.map_err(failed("remove the records of the copy"))?;
    info!(target: "snapshot", "all tables are copied");
    Ok(Outcome::Stopped)
}

async fn copy_selected(
    pipeline: &Pipeline,
    publisher: &StatusPublisher,
    control: watch::Receiver<Control>,
    (store, target): (&Store, &Session),
) -> Result<(), SnapshotError> {
    begin(pipeline, store, target).await?;
    let (copy_request_sender, copy_requests) = mpsc::channel(COPY_REQUESTS_MAX);
    let settled = Arc::new(watch::Sender::new(()));
    let context = CopyContext::new(
        pipeline.clone(),
        store.clone(),
        publisher.clone(),
        control,
        false,
    );
    let wake = Arc::new(Notify::new());
    let copier = Copier::new(context, copy_request_sender, settled.subscribe(), wake);
    copier.wake_once();
    let mut task = supervise::spawn("copier", copier.run());
    tokio::select! {
        biased;
        served = serve(pipeline, store, target, copy_requests, &settled) => served,
        ended = task.join() => Err(ended.map_or_else(SnapshotError::Task, |()| SnapshotError::Order {
            what: "the copies ended by themselves",
        })),
    }
}

/// Writes down what the settings select. What an earlier copy left counts for those tables only.
async fn begin(pipeline: &Pipeline, store: &Store, target: &Session) -> Result<(), SnapshotError> {
    let selected = selection::selected(pipeline).await?;
    let write = async {
        let left = PreviousRun::find(store, target, &selected).await?;
        store.forget(target, &left.dropped).await?;
        store.wait(target, &left.unfinished()).await?;
        let new: Vec<_> = selected.iter().collect();
        selection::write_down(store, target, &new).await
    };
    write
        .await
        .map_err(|source| selection::write_failed(pipeline, source))
}

/// Forgets what was not begun, and everything where nothing was.
async fn tidy(store: &Store, target: &Session) -> Result<(), postgres::PgError> {
    // What failed may have left its transaction open.
    target.run("ROLLBACK").await?;
    let stored = store.load(target).await?;
    let idle = stored.iter().filter(|table| table.attempt == 0);
    let idle: Vec<_> = idle.map(|table| table.relation).collect();
    if idle.len() == stored.len() {
        let forget = install::forget_on_target(SNAPSHOT_NAME, true);
        return target.run(&forget).await;
    }
    store.forget(target, &idle).await
}

/// Does what the copier asks of a stream, until nothing is left to copy.
async fn serve(
    pipeline: &Pipeline,
    store: &Store,
    target: &Session,
    mut copy_requests: mpsc::Receiver<CopyRequest>,
    settled: &watch::Sender<()>,
) -> Result<(), SnapshotError> {
    let endpoint = pipeline.target.endpoint();
    let failed = |source| SnapshotError::Target {
        operation: "write the records of the copy",
        endpoint: pipeline.target.endpoint(),
        source,
    };
    while let Some(copy_request) = copy_requests.recv().await {
        match copy_request {
            CopyRequest::Reach { answer, .. } => drop(answer.send(Answer::Done)),
            CopyRequest::Tables(copy_request) => {
                target.run("BEGIN").await.map_err(failed)?;
                let made = tables::make(target, store, &copy_request).await.map(drop);
                let answer = ended(target, made, &endpoint).await?;
                // A copier that is gone has failed, which is reported elsewhere.
                drop(copy_request.answer.send(answer));
            }
            CopyRequest::Statements { steps, answer } => {
                target.run("BEGIN").await.map_err(failed)?;
                let run = tables::run(target, &steps).await;
                drop(answer.send(ended(target, run, &endpoint).await?));
            }
            CopyRequest::TakeOver => {
                target
                    .run(&store.advance(Lsn::ZERO, true))
                    .await
                    .map_err(failed)?;
                settled.send_replace(());
            }
            CopyRequest::Fail(error) => return Err(error),
            CopyRequest::Idle => return all_are_there(store, target).await.map_err(failed)?,
        }
    }
    Ok(())
}

async fn ended(
    target: &Session,
    done: Result<(), tables::Refusal>,
    endpoint: &str,
) -> Result<Answer, SnapshotError> {
    match done {
        Ok(()) => {
            let committed = target.run("COMMIT").await;
            committed.map_err(|source| SnapshotError::Target {
                operation: "commit",
                endpoint: endpoint.to_owned(),
                source,
            })?;
            Ok(Answer::Done)
        }
        Err(refusal) => {
            // A lost session has no transaction.
            drop(target.run("ROLLBACK").await);
            refusal.answer(endpoint)
        }
    }
}

/// A table that failed makes the whole fail, when all others are done, and so does a statement that
/// the target refused.
async fn all_are_there(
    store: &Store,
    target: &Session,
) -> Result<Result<(), SnapshotError>, postgres::PgError> {
    let stored = store.load(target).await?;
    let failed = stored
        .iter()
        .filter(|table| table.state == CopyState::Failed);
    let mut missing: Vec<String> = failed.map(|table| table.name.to_string()).collect();
    if missing.is_empty() {
        let steps = store.open_steps(target).await?;
        missing.extend(steps.into_iter().map(|step| step.object));
        missing.dedup();
    }
    Ok(match missing.is_empty() {
        true => Ok(()),
        false => Err(SnapshotError::Incomplete { missing }),
    })
}
