//! Completing tables whose rows are there: indexes and keys by the worker pool, what joins tables, sequences,
//! and foreign keys when both of their tables are as the stream has them.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use futures_util::future::try_join_all;
use tokio::sync::oneshot;

use crate::model::{Classify as _, ErrorClass, RelationId};
use crate::postgres::{self, PgError, Session, sqlstate};
use crate::snapshot::error::SnapshotError;
use crate::snapshot::handover::{Answer, CopyRequest};
use crate::snapshot::plan::sequence_refused;
use crate::snapshot::{OpenStep, Store, StoredTable};
use crate::status::{CopyState, Failure, failure_of};

use super::context::{CopyContext, Stop};
use super::copier::Copier;
use super::pool::{PoolEnd, WorkerPool};

impl Copier {
    /// Completes tables whose rows another process brought.
    pub(crate) async fn complete(
        &mut self,
        target: &Session,
        stored: &[StoredTable],
    ) -> Result<(), Stop> {
        let rows_are_there = stored
            .iter()
            .filter(|table| table.state == CopyState::Indexing);
        let tables: Vec<RelationId> = rows_are_there.map(|table| table.relation).collect();
        let mut pool = WorkerPool::for_steps(&mut self.context, target, &tables).await?;
        match pool.work(&mut self.context, target).await? {
            PoolEnd::Done => {}
            PoolEnd::PointLost(error) => return Err(Stop::Failed(error)),
        }
        self.context.finish_tables(target).await
    }
}

impl CopyContext {
    /// Runs what joins tables, moves sequences, and says that the tables are complete. Tables that
    /// still wait, or failed, do not keep the others.
    pub(crate) async fn finish_tables(&mut self, target: &Session) -> Result<(), Stop> {
        let stored = self.stored(target).await?;
        let in_states = |states: &[CopyState]| -> HashSet<RelationId> {
            let tables = stored.iter().filter(|table| states.contains(&table.state));
            tables.map(|table| table.relation).collect()
        };
        let ready = in_states(&[CopyState::Indexing]);
        let pending = in_states(&[CopyState::Waiting, CopyState::Copying, CopyState::Failed]);
        let mut steps = self.open_steps(target).await?;
        // A table that is complete may be asked for more by another one: its sequence is a default there.
        let there = |relation: &RelationId| !pending.contains(relation);
        steps.retain(|step| step.relation.as_ref().is_none_or(there));
        for step in steps.iter().filter(|step| step.stage == "last") {
            self.run_step(target, step).await?;
        }
        for step in steps.iter().filter(|step| step.stage == "trigger") {
            self.run_step(target, step).await?;
        }
        steps.retain(|step| step.stage == "sequence");
        self.move_sequences(target, &steps).await?;
        let tables: Vec<RelationId> = ready.into_iter().collect();
        crate::fault::point(crate::fault::SNAPSHOT_BEFORE_HANDOVER);
        let noted = self.store.indexed(target, &tables).await;
        noted.map_err(|source| self.target_failed("note that tables are complete", source))?;
        Ok(())
    }

    pub(super) async fn open_steps(
        &self,
        target: &Session,
    ) -> Result<Vec<OpenStep>, SnapshotError> {
        let steps = self.store.open_steps(target).await;
        steps.map_err(|source| self.target_failed("read what is left to do", source))
    }

    /// Runs a statement in a transaction with its record. A refusal is reported with its table, which has
    /// its rows and is streamed all the same; the statement stays on the list for the next start.
    async fn run_step(&mut self, target: &Session, step: &OpenStep) -> Result<(), Stop> {
        if let Some((table, failure)) = try_step(target, step).await? {
            self.refused(target, table, failure).await?;
        }
        Ok(())
    }

    /// The table has its rows and is streamed; what it lacks is remembered with it.
    async fn refused(
        &mut self,
        target: &Session,
        table: RelationId,
        failure: Failure,
    ) -> Result<(), SnapshotError> {
        tracing::error!(target: "snapshot", table = self.progress.name(table), causes = failure.why(),
            hint = failure.hint.as_deref(),
            "{}; the rows are there, and the next start tries it again", failure.message);
        let text = serde_json::to_string(&failure).unwrap_or_default();
        let noted = self.store.lacks(target, table, &text).await;
        noted.map_err(|source| self.target_failed("note what a table lacks", source))?;
        self.progress.note(table, failure);
        self.show();
        Ok(())
    }

    /// Moves the target's sequences to where the source's are, never back.
    async fn move_sequences(&mut self, target: &Session, steps: &[OpenStep]) -> Result<(), Stop> {
        if steps.is_empty() {
            return Ok(());
        }
        let endpoint = self.pipeline.snapshot.source.endpoint();
        let failed = |source| SnapshotError::Source {
            operation: "ask for sequences",
            endpoint: endpoint.clone(),
            source,
        };
        let source = postgres::connect(&self.pipeline.snapshot.source, "pgstream snapshot").await;
        let source = source.map_err(failed)?;
        for step in steps {
            let sql = match source.row(&step.sql, &[]).await {
                Ok(row) => row.map_or_else(String::new, |row| row.get(0)),
                // Dropped or renamed since: the stream will tell.
                Err(error) if error.code() == Some(sqlstate::UNDEFINED_TABLE) => String::new(),
                Err(error) if error.code() == Some(sqlstate::INSUFFICIENT_PRIVILEGE) => {
                    let refused = sequence_refused(&source, &step.object).await;
                    return Err(self.plan_failed(refused.map_err(failed)?).into());
                }
                Err(error) => return Err(failed(error).into()),
            };
            let moved = OpenStep {
                sql,
                ..step.clone()
            };
            self.run_step(target, &moved).await?;
        }
        Ok(())
    }
}

impl Copier {
    /// Adds and validates foreign keys whose tables are both as the stream has them. Returns whether
    /// there was one.
    pub(crate) async fn foreign_keys(
        &mut self,
        target: &Session,
        stored: &[StoredTable],
    ) -> Result<bool, Stop> {
        let pending: HashSet<RelationId> = stored
            .iter()
            .filter(|table| table.state != CopyState::Ready)
            .map(|table| table.relation)
            .collect();
        let ready = |table: Option<RelationId>| table.is_none_or(|table| !pending.contains(&table));
        let steps = self.context.open_steps(target).await?.into_iter();
        let steps: Vec<OpenStep> = steps
            .filter(|step| ready(step.relation) && ready(step.referenced))
            .collect();
        let adding = steps.iter().filter(|step| step.stage == "foreign_key");
        let adding: Vec<OpenStep> = adding.cloned().collect();
        if !adding.is_empty() {
            let (answer, answered) = oneshot::channel();
            match self
                .ask(
                    CopyRequest::Statements {
                        steps: adding,
                        answer,
                    },
                    answered,
                )
                .await?
            {
                Answer::Done | Answer::Disturbed => {}
                Answer::Refused {
                    relation, failure, ..
                } => {
                    let table = relation.map(RelationId).unwrap_or_default();
                    self.context.refused(target, table, *failure).await?;
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        let steps = steps.into_iter();
        self.validate(target, steps.filter(|step| step.stage == "validate"))
            .await?;
        Ok(false)
    }

    /// Validates foreign keys side by side. Of one table one at a time: the statement keeps a lock that
    /// it conflicts with itself.
    async fn validate(
        &mut self,
        target: &Session,
        steps: impl Iterator<Item = OpenStep>,
    ) -> Result<(), Stop> {
        let mut by_table: BTreeMap<Option<RelationId>, Vec<OpenStep>> = BTreeMap::new();
        for step in steps {
            by_table.entry(step.relation).or_default().push(step);
        }
        let worker_count = self
            .context
            .control
            .borrow()
            .worker_count
            .min(by_table.len());
        let queue = Mutex::new(by_table.into_values());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let worker = async || {
            let session = self.context.another_session().await?;
            let mut refused = Vec::new();
            while let Some(steps) = next() {
                for step in steps {
                    let failure = try_step(&session, &step).await?;
                    refused.extend(failure.map(|failure| (step, failure)));
                }
            }
            Ok::<_, Stop>(refused)
        };
        let refused = try_join_all((0..worker_count).map(|_| worker())).await?;
        for (step, (table, failure)) in refused.into_iter().flatten() {
            match failure.sqlstate.as_deref() {
                Some(sqlstate::FOREIGN_KEY_VIOLATION) => {
                    self.leave_unvalidated(target, &step).await?;
                }
                _ => self.context.refused(target, table, failure).await?,
            }
        }
        Ok(())
    }

    /// The rows are those of the source: it wrote them where its own key was not checked, so that nothing is
    /// missing here, and nothing is to be tried again.
    async fn leave_unvalidated(&self, target: &Session, step: &OpenStep) -> Result<(), Stop> {
        tracing::warn!(target: "snapshot", object = step.object,
            "rows without a parent are on the source, too, where they were written with \
             session_replication_role = replica: the foreign key is checked for new rows, and stays NOT VALID");
        let strike = Store::steps_done(std::slice::from_ref(step));
        let struck = target.change(&strike, &[]).await;
        struck.map_err(|source| self.context.target_failed("note what is done", source))?;
        Ok(())
    }
}

/// Runs a statement in a transaction with its record. Returns why the target refuses it.
async fn try_step(
    target: &Session,
    step: &OpenStep,
) -> Result<Option<(RelationId, Failure)>, SnapshotError> {
    let Err(source) = strike_and_run(target, step).await else {
        return Ok(None);
    };
    // Ends the failed transaction; a lost session has none.
    drop(target.run("ROLLBACK").await);
    let error = SnapshotError::Table {
        source: crate::snapshot::TableError::Step {
            object: step.object.clone(),
            statement: step.sql.clone(),
            source,
        },
    };
    match error.class() {
        ErrorClass::Transient => Err(error),
        _ => Ok(Some((
            step.relation.unwrap_or_default(),
            failure_of(&error, None),
        ))),
    }
}

/// Who takes a step off the list runs it: it may have been done by a session that was cut off before
/// it could say so.
async fn strike_and_run(target: &Session, step: &OpenStep) -> Result<(), PgError> {
    target.run("BEGIN").await?;
    let strike = Store::steps_done(std::slice::from_ref(step));
    if target.change(&strike, &[]).await? == 1 {
        target.run(&step.sql).await?;
    }
    target.run("COMMIT").await
}
