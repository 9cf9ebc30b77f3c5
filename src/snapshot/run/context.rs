//! What all who copy share: the pipeline, its records on the target, what the operator wants, and the
//! progress of the whole, which everybody sees.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::watch;

use crate::apply::came_through_slot_sql;
use crate::config::Pipeline;
use crate::model::{RelationId, quote_literal};
use crate::postgres::{self, PgError, Session};
use crate::runtime::clock;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::plan::PlanError;
use crate::snapshot::{Store, StoredTable, WorkerSettings};
use crate::status::{Failure, StatusPublisher};

use super::progress::CopyProgress;

/// What the operator wants of the copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) worker_count: usize,
    pub(crate) paused: bool,
}

/// What there is at hand.
pub(crate) struct CopyContext {
    pub(crate) pipeline: Pipeline,
    pub(crate) store: Store,
    publisher: StatusPublisher,
    pub(crate) control: watch::Receiver<Control>,
    pub(crate) progress: CopyProgress,
    /// Whether somebody streams afterwards.
    pub(crate) streams: bool,
}

/// A turn ends early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something failed.
    Failed(SnapshotError),
    /// The engine is going down.
    Over,
}

impl From<SnapshotError> for Stop {
    fn from(error: SnapshotError) -> Self {
        Self::Failed(error)
    }
}

impl CopyContext {
    pub(crate) fn new(
        pipeline: Pipeline,
        store: Store,
        publisher: StatusPublisher,
        control: watch::Receiver<Control>,
        streams: bool,
    ) -> Self {
        Self {
            pipeline,
            store,
            publisher,
            control,
            progress: CopyProgress::default(),
            streams,
        }
    }

    /// Opens a session on the target that may run beside others.
    pub(crate) async fn another_session(&self) -> Result<Session, SnapshotError> {
        let open = async {
            let session = postgres::connect(&self.pipeline.target, "pgstream copy").await?;
            let name = quote_literal(&self.application_name());
            let came_through = came_through_slot_sql(self.store.slot_name());
            let prepare = format!("SET application_name = {name}; {came_through}; {COMMITS}");
            session.run(&prepare).await?;
            Ok(session)
        };
        open.await
            .map_err(|source| self.target_failed("open a session to copy with", source))
    }

    pub(crate) fn worker_settings(&self) -> WorkerSettings {
        let pipeline = &self.pipeline;
        WorkerSettings {
            source: pipeline.snapshot.source.clone(),
            target: pipeline.target.clone(),
            disable_triggers: pipeline.disable_triggers,
            run_as_owner: pipeline.run_as_owner,
            application_name: self.application_name(),
            came_through: came_through_slot_sql(self.store.slot_name()),
        }
    }

    /// By which sessions of this pipeline's copies are known. PostgreSQL cuts names at 63 bytes.
    pub(crate) fn application_name(&self) -> String {
        let mut name = format!("pgstream copy {}", self.store.slot_name());
        name.truncate(63);
        name
    }

    pub(crate) async fn load(
        &mut self,
        target: &Session,
    ) -> Result<Vec<StoredTable>, SnapshotError> {
        let stored = self.stored(target).await?;
        self.progress.load(&stored, clock::unix_ms());
        self.show();
        Ok(stored)
    }

    /// As [`load`](Self::load), without a word to anybody.
    pub(crate) async fn stored(&self, target: &Session) -> Result<Vec<StoredTable>, SnapshotError> {
        let stored = self.store.load(target).await;
        stored.map_err(|source| self.target_failed("read how far the copies are", source))
    }

    pub(crate) fn show(&mut self) {
        self.show_busy(0);
    }

    pub(crate) fn show_busy(&mut self, busy_count: usize) {
        let control = *self.control.borrow();
        let mut shown = self.progress.show(
            clock::unix_ms(),
            (control.worker_count, busy_count),
            control.paused,
        );
        self.publisher.update(|status| {
            if let Some(before) = &status.snapshot {
                shown.keep_asked(before);
            }
            status.snapshot = Some(Arc::new(shown));
        });
    }

    pub(crate) async fn failed(
        &mut self,
        target: &Session,
        table: RelationId,
        failure: Failure,
    ) -> Result<(), SnapshotError> {
        tracing::error!(target: "snapshot", table = self.progress.name(table), causes = failure.why(),
            hint = failure.hint.as_deref(), "{}; the other tables go on", failure.message);
        self.note_failure(target, table, failure).await
    }

    /// What all of them need is refused.
    pub(crate) async fn all_failed(
        &mut self,
        target: &Session,
        tables: &HashSet<RelationId>,
        failure: Failure,
    ) -> Result<(), SnapshotError> {
        tracing::error!(target: "snapshot", tables = tables.len(), causes = failure.why(),
            hint = failure.hint.as_deref(), "{}; no table can be copied without it", failure.message);
        for table in tables {
            self.note_failure(target, *table, failure.clone()).await?;
        }
        Ok(())
    }

    async fn note_failure(
        &mut self,
        target: &Session,
        table: RelationId,
        failure: Failure,
    ) -> Result<(), SnapshotError> {
        let text = serde_json::to_string(&failure).unwrap_or_default();
        let noted = self.store.failed(target, table, &text).await;
        noted.map_err(|source| self.target_failed("note a failure", source))?;
        self.progress.fail(table, failure);
        self.show();
        Ok(())
    }

    pub(crate) fn plan_failed(&self, error: PlanError) -> SnapshotError {
        SnapshotError::Plan {
            source_endpoint: self.pipeline.snapshot.source.endpoint(),
            target_endpoint: self.pipeline.target.endpoint(),
            source: error,
        }
    }

    pub(crate) fn target_failed(&self, operation: &'static str, source: PgError) -> SnapshotError {
        SnapshotError::Target {
            operation,
            endpoint: self.pipeline.target.endpoint(),
            source,
        }
    }
}

/// No record waits for the disk by itself: what is lost in a crash is lost with all that came later, and
/// is done again. The stream that takes tables over waits for the disk, and so does the end of a turn.
const COMMITS: &str = "SET synchronous_commit = off";
