//! The workers of a plan, which take one job after the other until nothing is left.
//!
//! A worker works in a task of its own, so that many of them use many cores; who decides is here, in one
//! place, between the ends of jobs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info};

use crate::model::{Classify as _, ErrorClass, QualifiedName, RelationId};
use crate::postgres::{self, Session};
use crate::runtime::{Task, supervise};
use crate::snapshot::error::SnapshotError;
use crate::snapshot::plan::SnapshotPlan;
use crate::snapshot::{
    Fence, Moved, OpenStep, Part, SourceTable, TableError, TypeFingerprints, Worker,
    WorkerSettings, is_as_planned, plan_parts,
};
use crate::status::{CopyState, failure_of};

use super::context::{CopyContext, Stop};
use super::lock_yielding;
use super::progress::Counter;
use super::queue::{Job, Progress, Queue, names_collided};

/// Progress is shown, and users who wait for us are looked for, this often.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A part or a statement whose connection breaks is tried again so often; then all of the plan is.
const TRIES_MAX: u32 = 5;

/// Of tables whose names collide at each try another one gets through.
const COLLISIONS_MAX: u32 = 1_000;

/// What completes a smaller table than this is done by one worker, in one transaction.
const SMALL_BYTES: u64 = 16 << 20;

/// How the work ended.
#[derive(Debug)]
pub(crate) enum PoolEnd {
    /// Nothing is left; tables that failed or wait again are remembered as such.
    Done,
    /// The snapshot of the source can no longer be read.
    PointLost(SnapshotError),
}

pub(crate) struct WorkerPool {
    queue: Queue,
    plan: Option<SnapshotPlan>,
    tables: HashMap<RelationId, Arc<SourceTable>>,
    attempts: HashMap<RelationId, i32>,
    tries: HashMap<RelationId, u32>,
    settings: WorkerSettings,
    begin: Arc<str>,
    now: Arc<Session>,
    idle: Vec<Worker>,
    running: HashMap<u64, Running>,
    started_count: u64,
    ends: (mpsc::Sender<JobEnd>, mpsc::Receiver<JobEnd>),
}

/// A job that a worker works on.
struct Running {
    source_pid: i32,
    gave_way: bool,
    _task: Task<()>,
}

/// What a worker comes back with.
struct JobEnd {
    id: u64,
    relation: RelationId,
    job: Job,
    worker: Worker,
    /// What this job has counted, to be taken back if it failed.
    counted: Arc<Counter>,
    outcome: Result<Moved, TableError>,
}

impl WorkerPool {
    /// Makes ready to copy the rows of a plan.
    pub(crate) async fn open(
        context: &CopyContext,
        plan: SnapshotPlan,
        attempts: HashMap<RelationId, i32>,
    ) -> Result<Self, SnapshotError> {
        let mut pool = Self::idle(context).await?;
        pool.begin = plan.point.begin().into();
        pool.attempts = attempts;
        let workers = context.control.borrow().worker_count;
        let mut tables: Vec<&SourceTable> = plan.tables.iter().collect();
        tables.sort_by_key(|table| std::cmp::Reverse(table.byte_count));
        for table in tables {
            let parts = match (table.partitioned, plan.ranges.get(&table.relation)) {
                (true, _) => Vec::new(),
                (false, Some(ranges)) => {
                    let (rows, bytes) = ranges.there();
                    context.progress.counter(table.relation).add(rows, bytes);
                    ranges.left()
                }
                (false, None) => {
                    let part_bytes = context.pipeline.snapshot.part_size.0;
                    plan_parts(table.block_count, table.byte_count, part_bytes, workers)
                }
            };
            pool.queue.add_rows(table.relation, parts);
            if plan.making(table.relation).is_some() {
                pool.queue.make_first(table.relation);
            }
            pool.tables.insert(table.relation, Arc::new(table.clone()));
        }
        let worker_count = workers.min(plan.tables.len());
        let opened = try_join_all((0..worker_count).map(|_| Worker::open(&pool.settings))).await;
        pool.idle = opened.map_err(|source| SnapshotError::Table { source })?;
        pool.plan = Some(plan);
        Ok(pool)
    }

    /// Makes ready to run the statements that complete tables whose rows are there.
    pub(crate) async fn for_steps(
        context: &mut CopyContext,
        target: &Session,
        tables: &[RelationId],
    ) -> Result<Self, SnapshotError> {
        let mut pool = Self::idle(context).await?;
        for table in tables {
            pool.add_steps(context, target, *table).await?;
        }
        Ok(pool)
    }

    async fn idle(context: &CopyContext) -> Result<Self, SnapshotError> {
        let pipeline = &context.pipeline;
        let now = postgres::connect(&pipeline.snapshot.source, "pgstream snapshot").await;
        let now = now.map_err(|source| SnapshotError::Source {
            operation: "open a session to watch the copies with",
            endpoint: pipeline.snapshot.source.endpoint(),
            source,
        })?;
        Ok(Self {
            queue: Queue::default(),
            plan: None,
            tables: HashMap::new(),
            attempts: HashMap::new(),
            tries: HashMap::new(),
            settings: context.worker_settings(),
            begin: "".into(),
            now: Arc::new(now),
            idle: Vec::new(),
            running: HashMap::new(),
            started_count: 0,
            ends: mpsc::channel(64),
        })
    }

    /// Works until nothing is left, then completes the tables.
    pub(crate) async fn work(
        &mut self,
        context: &mut CopyContext,
        target: &Session,
    ) -> Result<PoolEnd, Stop> {
        self.skip_rowless(context, target).await?;
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let more = self.start_jobs(context).await?;
            if !more && self.running.is_empty() {
                break;
            }
            tokio::select! {
                biased;
                Some(end) = self.ends.1.recv() => {
                    if let Some(lost) = self.ended(end, context, target).await? {
                        return Ok(PoolEnd::PointLost(lost));
                    }
                }
                changed = context.control.changed() => {
                    if changed.is_err() {
                        return Err(Stop::Over);
                    }
                }
                _ = looks.tick() => {
                    self.look(context).await?;
                    self.release_snapshot_for_others(context, target).await?;
                }
            }
        }
        if self.plan.is_some() {
            context.finish_tables(target).await?;
        }
        Ok(PoolEnd::Done)
    }

    /// Starts as many jobs as may run, and returns whether some are left.
    async fn start_jobs(&mut self, context: &mut CopyContext) -> Result<bool, SnapshotError> {
        loop {
            let control = *context.control.borrow_and_update();
            if self.running.len() >= control.worker_count {
                return Ok(!self.queue.is_empty());
            }
            // No rows move while we pause. The tables for them may come to be.
            let next = match control.paused {
                true => self.queue.next_table(),
                false => self.queue.next(),
            };
            let Some((relation, job)) = next else {
                return Ok(control.paused && !self.queue.is_empty());
            };
            let worker = match self.idle.pop() {
                Some(worker) => Ok(worker),
                None => Worker::open(&self.settings).await,
            };
            let worker = worker.map_err(|source| SnapshotError::Table { source })?;
            context.progress.set(
                relation,
                match job {
                    Job::Make | Job::Part(_) => CopyState::Copying,
                    Job::Step(_) | Job::Finish => CopyState::Indexing,
                },
            );
            self.start(context, worker, relation, job);
        }
    }

    fn start(&mut self, context: &CopyContext, mut worker: Worker, relation: RelationId, job: Job) {
        let id = self.started_count;
        self.started_count += 1;
        let source_pid = worker.source_pid();
        let attempt = self.attempts.get(&relation).copied().unwrap_or_default();
        let fence = Fence {
            store: context.store.clone(),
            attempt,
            lsn: self.plan.as_ref().and_then(|plan| plan.point.lsn()),
        };
        let (total, counted) = (
            context.progress.counter(relation),
            Arc::new(Counter::default()),
        );
        let (table, begin) = (self.tables.get(&relation).cloned(), Arc::clone(&self.begin));
        let (now, ends) = (Arc::clone(&self.now), self.ends.0.clone());
        let making = self.plan.as_ref().and_then(|plan| plan.making(relation));
        let counting = Arc::clone(&counted);
        let work = async move {
            let progress = |rows, bytes| {
                counting.add(rows, bytes);
                total.add(rows, bytes);
            };
            let nothing = |()| Moved::default();
            let outcome = match (&job, &table) {
                (Job::Part(part), Some(table)) => {
                    worker
                        .copy((table, *part), &begin, &fence, &now, &progress)
                        .await
                }
                (Job::Make, Some(table)) => match making {
                    Some(making) => worker.make(table, &making, &fence).await.map(nothing),
                    None => Ok(Moved::default()),
                },
                (Job::Step(step), _) => worker.run_step(step).await.map(nothing),
                (Job::Finish, Some(table)) => worker.finish(&fence.store, table).await.map(nothing),
                (Job::Make | Job::Part(_) | Job::Finish, None) => Ok(Moved::default()),
            };
            let end = JobEnd {
                id,
                relation,
                job,
                worker,
                counted,
                outcome,
            };
            // Nobody listens any more when the worker pool is gone.
            drop(ends.send(end).await);
        };
        let running = Running {
            source_pid,
            gave_way: false,
            _task: supervise::spawn("copy", work),
        };
        self.running.insert(id, running);
    }

    /// Partitioned tables have no rows of their own.
    async fn skip_rowless(
        &mut self,
        context: &mut CopyContext,
        target: &Session,
    ) -> Result<(), Stop> {
        let rowless: Vec<RelationId> = self
            .tables
            .values()
            .filter(|table| table.partitioned)
            .map(|table| table.relation)
            .collect();
        for relation in rowless {
            self.note_rows(context, target, relation).await?;
        }
        Ok(())
    }

    /// Deals with the end of a job. Returns why the snapshot of the plan is lost, if it is.
    async fn ended(
        &mut self,
        end: JobEnd,
        context: &mut CopyContext,
        target: &Session,
    ) -> Result<Option<SnapshotError>, Stop> {
        let gave_way = self
            .running
            .remove(&end.id)
            .is_some_and(|running| running.gave_way);
        let JobEnd {
            relation,
            job,
            worker,
            counted,
            outcome,
            ..
        } = end;
        let Err(error) = outcome else {
            if !gave_way {
                self.idle.push(worker);
            }
            self.tries.remove(&relation);
            self.done(context, target, relation, &job).await?;
            return Ok(None);
        };
        context.progress.counter(relation).take_back(&counted);
        if !self.queue.has(relation) {
            return Ok(None);
        }
        if gave_way && !matches!(error, TableError::Commit { .. }) {
            info!(target: "snapshot", table = %self.name(relation), "made way for a statement of the source");
            self.queue.again(relation, job);
            return Ok(None);
        }
        self.failed(context, target, (relation, job), error).await
    }

    async fn failed(
        &mut self,
        context: &mut CopyContext,
        target: &Session,
        (relation, job): (RelationId, Job),
        error: TableError,
    ) -> Result<Option<SnapshotError>, Stop> {
        let collided = names_collided(&job, &error);
        let class = match collided {
            true => ErrorClass::Transient,
            false => error.class(),
        };
        let disturbed = match error {
            TableError::Changed { .. }
            | TableError::Superseded { .. }
            | TableError::Commit { .. } => true,
            _ => class != ErrorClass::Transient && self.has_changed(context, relation).await?,
        };
        if disturbed {
            info!(target: "snapshot", "{error}: it is copied again");
            self.queue.leave_out(relation);
            let waits = match error {
                // What is there of it counts, this part included if it is.
                TableError::Commit { .. } => {
                    context.store.wait_to_resume(target, &[relation]).await
                }
                _ => context.store.wait(target, &[relation]).await,
            };
            waits.map_err(|source| context.target_failed("let a table wait", source))?;
            context.progress.set(relation, CopyState::Waiting);
            return Ok(None);
        }
        let at_the_beginning = matches!(
            error,
            TableError::Around {
                what: "begin to read",
                ..
            }
        );
        let error = SnapshotError::Table { source: error };
        if class == ErrorClass::Transient {
            let tries = self.tries.entry(relation).or_default();
            *tries += 1;
            let tries_max = if collided { COLLISIONS_MAX } else { TRIES_MAX };
            if *tries > tries_max {
                return Ok(Some(error));
            }
            debug!(target: "snapshot", table = %self.name(relation), "trying again: {error}");
            self.queue.again(relation, job);
            return Ok(None);
        }
        if at_the_beginning && self.is_point_lost().await {
            return Ok(Some(SnapshotError::PointLost));
        }
        self.queue.leave_out(relation);
        context
            .failed(target, relation, failure_of(&error, None))
            .await?;
        Ok(None)
    }

    async fn done(
        &mut self,
        context: &mut CopyContext,
        target: &Session,
        relation: RelationId,
        job: &Job,
    ) -> Result<(), Stop> {
        match self.queue.done(relation, job) {
            Progress::More => {}
            // Noted with the rows themselves.
            Progress::RowsAreThere if *job == Job::Part(Part::Whole) => {
                crate::fault::point(crate::fault::SNAPSHOT_AFTER_ROWS);
                self.rows_are_there(context, target, relation).await?;
            }
            Progress::RowsAreThere => self.note_rows(context, target, relation).await?,
            Progress::Complete => self.complete(context, relation),
        }
        Ok(())
    }

    async fn note_rows(
        &mut self,
        context: &mut CopyContext,
        target: &Session,
        relation: RelationId,
    ) -> Result<(), Stop> {
        let counter = context.progress.counter(relation);
        let attempt = self.attempts.get(&relation).copied().unwrap_or_default();
        let moved = Moved {
            row_count: counter.rows(),
            byte_count: counter.bytes(),
        };
        let note = context.store.rows_done((relation, attempt), &moved);
        let noted = target.text_rows(&note).await;
        let noted =
            noted.map_err(|source| context.target_failed("note that rows are there", source))?;
        crate::fault::point(crate::fault::SNAPSHOT_AFTER_ROWS);
        if noted.is_empty() {
            self.queue.leave_out(relation);
            return Ok(());
        }
        self.rows_are_there(context, target, relation).await
    }

    async fn rows_are_there(
        &mut self,
        context: &mut CopyContext,
        target: &Session,
        relation: RelationId,
    ) -> Result<(), Stop> {
        context.progress.set(relation, CopyState::Indexing);
        let counter = context.progress.counter(relation);
        let table = self.tables.get(&relation);
        if table.is_none_or(|table| !table.partitioned) {
            info!(target: "snapshot", table = %self.name(relation), rows = counter.rows(), bytes = counter.bytes(), "rows copied");
        }
        match self.is_small(relation) {
            true => self.queue.add_finish(relation),
            false => self.add_steps(context, target, relation).await?,
        }
        Ok(())
    }

    async fn add_steps(
        &mut self,
        context: &mut CopyContext,
        target: &Session,
        relation: RelationId,
    ) -> Result<(), SnapshotError> {
        let steps = context.store.open_steps_of(target, relation).await;
        let steps =
            steps.map_err(|source| context.target_failed("read what is left to do", source))?;
        let ours = |step: &OpenStep| matches!(step.stage.as_str(), "index" | "after");
        let steps: Vec<OpenStep> = steps.into_iter().filter(ours).collect();
        match steps.is_empty() {
            true => self.complete(context, relation),
            false => self.queue.add_steps(relation, steps),
        }
        Ok(())
    }

    /// The table has all that it needs for itself; what joins it to others comes with those.
    fn complete(&mut self, context: &mut CopyContext, relation: RelationId) {
        self.queue.leave_out(relation);
        context.progress.set(relation, CopyState::CatchingUp);
    }

    /// Indexes of a large table are worth a worker each.
    fn is_small(&self, relation: RelationId) -> bool {
        let table = self.tables.get(&relation);
        table.is_some_and(|table| table.byte_count < SMALL_BYTES)
    }

    /// Shows how far all is, and lets users of the source go first.
    async fn look(&mut self, context: &mut CopyContext) -> Result<(), SnapshotError> {
        context.show_busy(self.running.len());
        let pids: Vec<i32> = self
            .running
            .values()
            .map(|running| running.source_pid)
            .collect();
        let ended = lock_yielding::make_way(&self.now, &pids).await;
        let endpoint = || context.pipeline.snapshot.source.endpoint();
        let ended = ended.map_err(|source| lock_yielding::failed(endpoint(), source))?;
        for running in self.running.values_mut() {
            running.gave_way |= ended.contains(&running.source_pid);
        }
        Ok(())
    }

    /// Lets go of the snapshot when no rows are read at it any more. When somebody waits for its end (an index
    /// that is built concurrently), no other table is begun at it: what is begun is finished, and what is
    /// not waits for another snapshot. Where nobody streams all tables must be as of one.
    async fn release_snapshot_for_others(
        &mut self,
        context: &mut CopyContext,
        target: &Session,
    ) -> Result<(), Stop> {
        let Some(plan) = &mut self.plan else {
            return Ok(());
        };
        if !self.queue.awaits_rows() {
            plan.point.release();
            return Ok(());
        }
        if !context.streams {
            return Ok(());
        }
        let waited_for = lock_yielding::is_waited_for(&self.now, plan.point.holder_pid()).await;
        let endpoint = || context.pipeline.snapshot.source.endpoint();
        if !waited_for.map_err(|source| lock_yielding::failed(endpoint(), source))? {
            return Ok(());
        }
        let untouched = self.queue.leave_out_untouched();
        if untouched.is_empty() {
            return Ok(());
        }
        info!(target: "snapshot", tables = untouched.len(),
            "a statement of the source waits for the end of our snapshot: tables that are not begun get another one");
        let waits = context.store.wait_to_resume(target, &untouched).await;
        waits.map_err(|source| context.target_failed("let tables wait", source))?;
        for relation in untouched {
            context.progress.set(relation, CopyState::Waiting);
        }
        Ok(())
    }

    /// Returns whether somebody changed a table, or a type of its columns, since the snapshot of the plan:
    /// that explains an error which would otherwise be the table's.
    async fn has_changed(
        &self,
        context: &CopyContext,
        relation: RelationId,
    ) -> Result<bool, SnapshotError> {
        let (Some(table), Some(plan)) = (self.tables.get(&relation), &self.plan) else {
            return Ok(false);
        };
        let looked = async {
            let same = is_as_planned(&self.now, table).await?;
            let types = TypeFingerprints::read(&self.now).await?;
            Ok(!same || !plan.types.agree_about(table, &types))
        };
        looked.await.map_err(|source| SnapshotError::Source {
            operation: "look whether a table is still the same",
            endpoint: context.pipeline.snapshot.source.endpoint(),
            source,
        })
    }

    async fn is_point_lost(&self) -> bool {
        let probe = async {
            self.now.run(&self.begin).await?;
            self.now.run("ROLLBACK").await
        };
        if probe.await.is_ok() {
            return false;
        }
        // Ends the transaction whose snapshot was refused.
        drop(self.now.run("ROLLBACK").await);
        true
    }

    fn name(&self, relation: RelationId) -> QualifiedName {
        self.tables.get(&relation).map_or_else(
            || QualifiedName::new("", relation.0.to_string()),
            |table| table.name.clone(),
        )
    }
}
