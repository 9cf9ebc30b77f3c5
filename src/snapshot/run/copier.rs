//! The copier: finds what waits, copies it, has it taken over, completes it ([`super::finish`]), and looks again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::apply;
use crate::config::key;
use crate::model::{Classify as _, ErrorClass, Lsn, QualifiedName, RelationId};
use crate::postgres::Session;
use crate::runtime::{Retry, clock};
use crate::snapshot::error::SnapshotError;
use crate::snapshot::handover::{Answer, CopyRequest};
use crate::snapshot::plan::{FreeObjects, PlanSettings, SnapshotPlan, SourceSnapshot, selection};
use crate::snapshot::{StoredPart, StoredTable};
use crate::status::{CopyState, failure_of};

use super::context::{CopyContext, Stop};
use super::pool::{PoolEnd, WorkerPool};
use super::primary::while_primary_speaks;

/// A snapshot that schema changes overtake is taken again so often.
pub(super) const SNAPSHOTS_MAX: usize = 20;

/// How long until a table that the schema overtook is tried again.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// A task beside the stream.
pub(crate) struct Copier {
    pub(crate) context: CopyContext,
    copy_requests: mpsc::Sender<CopyRequest>,
    settled: watch::Receiver<()>,
    wake: Arc<Notify>,
    retry: Retry,
    /// What was said once is not said again for each plan.
    reported: HashSet<String>,
    /// Types, schemas and sequences that the target refuses. Tables that need none of them are copied.
    refused: HashSet<String>,
    /// No group was made yet: what belongs to no table comes with the first, though no table is to be copied.
    nothing_made: bool,
}

impl Copier {
    pub(crate) fn new(
        context: CopyContext,
        copy_requests: mpsc::Sender<CopyRequest>,
        settled: watch::Receiver<()>,
        wake: Arc<Notify>,
    ) -> Self {
        Self {
            retry: Retry::new(context.pipeline.retry_timeout),
            context,
            copy_requests,
            settled,
            wake,
            reported: HashSet::new(),
            refused: HashSet::new(),
            nothing_made: true,
        }
    }

    /// Lets [`Copier::run`] begin at once.
    pub(crate) fn wake_once(&self) {
        self.wake.notify_one();
    }

    /// Runs until the engine ends it.
    pub(crate) async fn run(mut self) {
        loop {
            self.wake.notified().await;
            loop {
                let Err(stop) = self.turn().await else {
                    drop(self.copy_requests.send(CopyRequest::Idle).await);
                    break;
                };
                match stop {
                    Stop::Over => return,
                    Stop::Failed(error) if error.class() == ErrorClass::Transient => {
                        if !self.back_off(&error).await {
                            self.give_up(error).await;
                            break;
                        }
                    }
                    Stop::Failed(error) => {
                        self.give_up(error).await;
                        break;
                    }
                }
            }
        }
    }

    async fn back_off(&mut self, error: &SnapshotError) -> bool {
        let Some((attempt, wait)) = self.retry.next(clock::now().into_std()) else {
            return false;
        };
        let failure = failure_of(error, None);
        warn!(target: "snapshot", attempt, causes = failure.why(), "{}; trying again", failure.message);
        sleep(wait).await;
        true
    }

    /// The stream's session ends with the failure, which the engine's life judges.
    async fn give_up(&mut self, error: SnapshotError) {
        // A stream that is gone is being ended.
        drop(self.copy_requests.send(CopyRequest::Fail(error)).await);
    }

    /// Copies until nothing waits any more.
    pub(crate) async fn turn(&mut self) -> Result<(), Stop> {
        let target = self.target_session().await?;
        self.let_cut_off_wait(&target).await?;
        loop {
            let stored = self.context.load(&target).await?;
            let in_state = |state| stored.iter().filter(move |table| table.state == state);
            if in_state(CopyState::Indexing).next().is_some() {
                self.complete(&target, &stored).await?;
                continue;
            }
            if in_state(CopyState::CatchingUp).next().is_some() {
                self.hand_over(&target).await?;
                continue;
            }
            let first = stored.is_empty() && std::mem::take(&mut self.nothing_made);
            if first || in_state(CopyState::Waiting).next().is_some() {
                self.copy_waiting(&target, &stored).await?;
                continue;
            }
            if self.keys_to_whole_tables(&target).await? {
                continue;
            }
            if !self.foreign_keys(&target, &stored).await? {
                let noted = self.context.store.lack_nothing(&target).await;
                noted.map_err(|source| self.context.target_failed("note what is there", source))?;
                self.context.load(&target).await?;
                let flushed = target.flush_wal().await;
                flushed.map_err(|source| {
                    self.context.target_failed("bring the copy to disk", source)
                })?;
                self.retry.reset();
                return Ok(());
            }
        }
    }

    /// Opens the session of a turn. No other of ours lives yet: those that do were left behind.
    async fn target_session(&self) -> Result<Session, SnapshotError> {
        let session = self.context.another_session().await?;
        let ended = session
            .replace_namesakes(&self.context.application_name())
            .await;
        ended.map_err(|source| {
            self.context
                .target_failed("end what was left of copies", source)
        })?;
        Ok(session)
    }

    /// What was being copied when another process ended begins anew.
    async fn let_cut_off_wait(&mut self, target: &Session) -> Result<(), Stop> {
        let stored = self.context.load(target).await?;
        let cut_off = stored
            .iter()
            .filter(|table| table.state == CopyState::Copying);
        let cut_off: Vec<RelationId> = cut_off.map(|table| table.relation).collect();
        let waits = self.context.store.wait_to_resume(target, &cut_off).await;
        waits.map_err(|source| self.context.target_failed("let tables wait", source))?;
        Ok(())
    }

    /// Copies what waits, as of one snapshot.
    async fn copy_waiting(&mut self, target: &Session, stored: &[StoredTable]) -> Result<(), Stop> {
        let Some(plan) = self.made_plan(target, stored).await? else {
            return Ok(());
        };
        let stored = self.context.load(target).await?;
        let attempts = stored
            .iter()
            .map(|table| (table.relation, table.attempt))
            .collect();
        let mut pool = WorkerPool::open(&self.context, plan, attempts).await?;
        match pool.work(&mut self.context, target).await? {
            PoolEnd::Done => {}
            PoolEnd::PointLost(error) => return Err(Stop::Failed(error)),
        }
        Ok(())
    }

    /// Takes a moment and has the tables made as of it; none when tables turned out to be gone, or
    /// could not be made and failed.
    async fn made_plan(
        &mut self,
        target: &Session,
        stored: &[StoredTable],
    ) -> Result<Option<SnapshotPlan>, Stop> {
        let mut waiting = waiting_of(stored);
        let first = stored
            .iter()
            .all(|table| !has_rows(table) && !table.entered);
        let slot_name = self.context.store.slot_name().to_owned();
        let (pipeline, refused) = (self.context.pipeline.clone(), self.refused.clone());
        for attempt in 0..SNAPSHOTS_MAX {
            if attempt > 0 {
                // The stream was too fast: it stands still until it knows the consistent point.
                self.reach(None).await?;
            }
            let mut settings = PlanSettings {
                snapshot: &pipeline.snapshot,
                slot_name: self.context.streams.then_some(slot_name.as_str()),
                stored: &[],
                parts: &[],
                waiting: &waiting,
                filter: &pipeline.filter,
                left_out: &pipeline.left_out,
                free: FreeObjects::of(first, self.context.streams, &pipeline.snapshot.tables),
                silent_triggers: pipeline.disable_triggers,
                run_as_owner: pipeline.run_as_owner,
                stands_still: first || !self.context.streams,
                refused: &refused,
            };
            let source_snapshot = self.open_snapshot(&settings).await?;
            if self.reach(source_snapshot.point.lsn()).await? == Answer::Disturbed {
                sleep(PAUSE).await;
                continue;
            }
            let stored = self.context.load(target).await?;
            let still = waiting_of(&stored);
            if still != waiting {
                // The stream made a table itself, or let another one wait.
                waiting = still;
                match waiting.is_empty() {
                    true => return Ok(None),
                    false => continue,
                }
            }
            let parts = self.parts(target).await?;
            (settings.stored, settings.parts) = (&stored, &parts);
            let plan = SnapshotPlan::planned(&settings, target, source_snapshot).await;
            let plan = plan.map_err(|error| self.context.plan_failed(error))?;
            self.require_same_source(&plan, target).await?;
            if self.is_obstructed(target, &plan, first).await? {
                return Ok(None);
            }
            match self.make_tables(&plan, first).await? {
                Answer::Done => {
                    self.nothing_made = false;
                    self.forget_gone(target, &plan.gone, &stored).await?;
                    return Ok(Some(plan));
                }
                Answer::Disturbed => sleep(PAUSE).await,
                refused @ Answer::Refused { .. } => {
                    self.refused(target, (&plan, &waiting), refused).await?;
                    return Ok(None);
                }
            }
        }
        Err(Stop::Failed(SnapshotError::Restless))
    }

    async fn open_snapshot(&self, settings: &PlanSettings<'_>) -> Result<SourceSnapshot, Stop> {
        let opened = Box::pin(SourceSnapshot::open(settings));
        let opened = while_primary_speaks(&self.context.pipeline, opened).await;
        Ok(opened.map_err(|error| self.context.plan_failed(error))?)
    }

    async fn parts(&self, target: &Session) -> Result<Vec<StoredPart>, Stop> {
        let parts = self.context.store.parts(target).await;
        let failed = |source| {
            self.context
                .target_failed("read which parts are there", source)
        };
        Ok(parts.map_err(failed)?)
    }

    /// Something on the target is in the way: before a first copy nothing is touched then; later the tables
    /// that it concerns fail, and the others go on.
    async fn is_obstructed(
        &mut self,
        target: &Session,
        plan: &SnapshotPlan,
        first: bool,
    ) -> Result<bool, SnapshotError> {
        if first {
            plan.refuse_conflicts(&self.context.pipeline.target.endpoint())?;
        }
        let conflicting = plan.conflicting();
        for (table, conflict) in &conflicting {
            let error = SnapshotError::Conflict {
                endpoint: self.context.pipeline.target.endpoint(),
                conflicts: vec![(*conflict).clone()],
            };
            let failure = failure_of(&error, None);
            self.context.failed(target, *table, failure).await?;
        }
        Ok(!conflicting.is_empty())
    }

    /// Tables that the source has no longer. What has the name of one of them now comes with the stream;
    /// where nobody streams, it is copied.
    async fn forget_gone(
        &self,
        target: &Session,
        gone: &[RelationId],
        stored: &[StoredTable],
    ) -> Result<(), SnapshotError> {
        let names = stored.iter().filter(|table| gone.contains(&table.relation));
        let names: HashSet<&QualifiedName> = names.map(|table| &table.name).collect();
        for table in &names {
            info!(target: "snapshot", %table, "is not on the source any more");
        }
        let forgotten = self.context.store.forget(target, gone).await;
        forgotten.map_err(|source| self.context.target_failed("forget tables", source))?;
        if self.context.streams || names.is_empty() {
            return Ok(());
        }
        let mut selected = selection::now_selected(&self.context.pipeline).await?;
        selected.retain(|table| names.contains(&table.name));
        let new: Vec<_> = selected.iter().collect();
        let written = selection::write_down(&self.context.store, target, &new).await;
        written.map_err(|source| selection::write_failed(&self.context.pipeline, source))
    }

    /// Fails the tables that cannot be made without what the target refuses.
    async fn refused(
        &mut self,
        target: &Session,
        (plan, waiting): (&SnapshotPlan, &HashSet<RelationId>),
        answer: Answer,
    ) -> Result<(), Stop> {
        let Answer::Refused {
            relation,
            object,
            failure,
        } = answer
        else {
            return Ok(());
        };
        let concerned = match relation {
            Some(table) => Some(vec![RelationId(table)]),
            None => plan.that_need(&object),
        };
        let Some(tables) = concerned else {
            return Ok(self.context.all_failed(target, waiting, *failure).await?);
        };
        for table in tables {
            self.context
                .failed(target, table, (*failure).clone())
                .await?;
        }
        self.refused.insert(object);
        Ok(())
    }

    /// Positions in the WAL of two servers have nothing to do with each other.
    async fn require_same_source(
        &self,
        plan: &SnapshotPlan,
        target: &Session,
    ) -> Result<(), SnapshotError> {
        let Some(system) = plan.point.system() else {
            return Ok(());
        };
        let owner = apply::checkpoint_owner(target, self.context.store.slot_name()).await;
        let owner = owner.map_err(|source| {
            self.context
                .target_failed("read whose checkpoint it is", source)
        })?;
        match owner {
            Some(owner) if owner != *system => Err(SnapshotError::NotTheSource {
                what: "tables cannot be copied",
                key: key::SNAPSHOT_STORE_URL,
                store: self.context.pipeline.snapshot.source.endpoint(),
                source_endpoint: self.context.pipeline.source.endpoint(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Lets the stream stand still at a consistent point, or where it is.
    pub(super) async fn reach(&mut self, at: Option<Lsn>) -> Result<Answer, Stop> {
        let (answer, answered) = oneshot::channel();
        self.ask(CopyRequest::Reach { at, answer }, answered).await
    }

    async fn make_tables(&mut self, plan: &SnapshotPlan, first: bool) -> Result<Answer, Stop> {
        let (copy_request, answered) = plan.copy_request(first);
        let lsn = plan.point.lsn().map(|lsn| lsn.to_string());
        info!(target: "snapshot", tables = plan.tables.len(), lsn, "copying tables");
        for (object, message) in plan.notes() {
            let note = format!("{object}: {message}");
            if !self.reported.contains(&note) {
                warn!(target: "snapshot", "{note}");
                self.reported.insert(note);
            }
        }
        self.context.progress.begin(plan.point.lsn());
        self.ask(CopyRequest::Tables(Box::new(copy_request)), answered)
            .await
    }

    /// Hands a request to the stream and waits for what becomes of it. A stream that ends meanwhile
    /// has done nothing of it; the turn begins anew.
    pub(crate) async fn ask(
        &mut self,
        copy_request: CopyRequest,
        answered: oneshot::Receiver<Answer>,
    ) -> Result<Answer, Stop> {
        if self.copy_requests.send(copy_request).await.is_err() {
            return Err(Stop::Over);
        }
        match answered.await {
            Ok(answer) => Ok(answer),
            Err(_) => Err(Stop::Failed(SnapshotError::StreamInterrupted)),
        }
    }

    /// Has the stream take the complete tables over, and waits until it has.
    async fn hand_over(&mut self, target: &Session) -> Result<(), Stop> {
        self.settled.mark_unchanged();
        if self
            .copy_requests
            .send(CopyRequest::TakeOver)
            .await
            .is_err()
        {
            return Err(Stop::Over);
        }
        loop {
            let stored = self.context.load(target).await?;
            if !stored
                .iter()
                .any(|table| table.state == CopyState::CatchingUp)
            {
                return Ok(());
            }
            if self.settled.changed().await.is_err() {
                return Err(Stop::Over);
            }
        }
    }
}

fn waiting_of(stored: &[StoredTable]) -> HashSet<RelationId> {
    let waiting = stored
        .iter()
        .filter(|table| table.state == CopyState::Waiting);
    waiting.map(|table| table.relation).collect()
}

fn has_rows(table: &StoredTable) -> bool {
    matches!(
        table.state,
        CopyState::Ready | CopyState::CatchingUp | CopyState::Indexing
    )
}
