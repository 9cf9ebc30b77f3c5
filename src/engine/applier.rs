//! Brings whole source transactions to the target: routes their changes, gathers them, and commits
//! batches together with the checkpoint.
//!
//! ```text
//!  begin ─> apply(changes)… ─> end(commit) ─> is_due? ─> commit ─> durable
//! ```

mod cover;
mod limits;
mod reload;
mod schema_entry;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, trace};

use crate::apply::{
    ApplyError, Batch, Checkpoint, CheckpointStore, Commit, HeldRows, Op, RowChange, TablePlan,
    Writer,
};
use crate::fault;
use crate::model::{
    Change, Lsn, OldTuple, Relation, RelationId, TransactionBegin, TransactionCommit, Tuple,
};
use crate::schema::RowsMessage;
use crate::snapshot::OpenStep;

use super::board::Board;
use super::copy::tables::{self, Refusal};
use super::copy::{Answer, CopyLink, TablesErrand};
use super::coverage::Coverage;
use super::meter::{Meter, RowKind, Tally};
use super::route::{Route, Router};
use super::status::SchemaChange;
use super::{EngineError, clock};

pub(super) use limits::Limits;
use reload::Reload;

/// Rows wait in memory up to this many, then they go to the open target transaction. Larger sets
/// are hardly faster, and while one is gathered the target has nothing to do.
const GATHERED_ROWS_MAX: usize = 5_000;

/// Or up to this many bytes of values.
const GATHERED_BYTES_MAX: usize = 8 << 20;

/// What the applier works with.
pub(super) struct Applier {
    endpoint: String,
    writer: Writer,
    store: CheckpointStore,
    router: Router,
    limits: Limits,
    batch: Batch,
    held: HeldRows,
    reload: Option<Reload>,
    checkpoint: Lsn,
    /// How far the round is: behind the checkpoint while copied tables catch up.
    position: Lsn,
    coverage: Coverage,
    copies: CopyLink,
    /// Where the last schema change lies that was looked at.
    schema_changed_at: Lsn,
    open: OpenBatch,
    tallies: HashMap<RelationId, (Arc<Relation>, Tally)>,
    board: Board,
    meter: Meter,
    acknowledge: mpsc::Sender<String>,
}

/// The source transactions of the batch at hand.
#[derive(Debug, Default)]
struct OpenBatch {
    /// The last one that is whole.
    last: Option<TransactionCommit>,
    transaction_count: u64,
    row_count: usize,
    byte_count: usize,
    started: Option<Instant>,
    /// The batch must end with the transaction at hand.
    commit_after: bool,
    schema_changes: Vec<SchemaChange>,
}

/// What an applier is made of.
pub(super) struct Parts {
    pub(super) endpoint: String,
    pub(super) writer: Writer,
    pub(super) store: CheckpointStore,
    pub(super) router: Router,
    pub(super) limits: Limits,
    pub(super) checkpoint: Lsn,
    pub(super) coverage: Coverage,
    pub(super) copies: CopyLink,
    pub(super) board: Board,
    pub(super) meter: Meter,
    pub(super) acknowledge: mpsc::Sender<String>,
}

impl Applier {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts {
            endpoint,
            writer,
            store,
            router,
            limits,
            checkpoint,
            coverage,
            copies,
            ..
        } = parts;
        Self {
            endpoint,
            writer,
            store,
            router,
            limits,
            batch: Batch::default(),
            held: HeldRows::default(),
            reload: None,
            checkpoint,
            position: coverage.start(),
            coverage,
            copies,
            schema_changed_at: Lsn::ZERO,
            open: OpenBatch::default(),
            tallies: HashMap::new(),
            board: parts.board,
            meter: parts.meter,
            acknowledge: parts.acknowledge,
        }
    }

    /// Returns how far the round is: everything before is on the target for every table.
    pub(super) const fn position(&self) -> Lsn {
        self.position
    }

    /// Returns what may be confirmed: durable on the target, and needed by no copy.
    pub(super) fn confirmable(&self) -> Lsn {
        self.coverage.confirmable(self.writer.durable())
    }

    /// Returns whether whole transactions wait for their commit.
    pub(super) const fn is_pending(&self) -> bool {
        self.open.last.is_some()
    }

    /// Returns the row changes of the batch at hand.
    pub(super) const fn row_count(&self) -> usize {
        self.open.row_count
    }

    /// Returns when the batch at hand has waited long enough.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let started = self.open.started.filter(|_| self.is_pending())?;
        Some(started + self.limits.timeout)
    }

    /// Returns whether another transaction of `change_count` changes still fits into the batch.
    pub(super) const fn fits(&self, change_count: usize) -> bool {
        self.open.row_count + change_count <= self.limits.rows
    }

    /// Returns whether the batch must go out before anything else is added.
    pub(super) const fn is_full(&self) -> bool {
        self.is_pending()
            && (self.open.commit_after
                || self.open.row_count >= self.limits.rows
                || self.open.byte_count >= self.limits.bytes)
    }

    /// Applies changes of one transaction, in order.
    pub(super) async fn apply(
        &mut self,
        begin: &TransactionBegin,
        changes: Vec<Change>,
    ) -> Result<(), EngineError> {
        self.open.started.get_or_insert_with(clock::now);
        for change in changes {
            self.change(begin, change).await?;
        }
        Ok(())
    }

    /// Ends a transaction whose changes have all been applied.
    pub(super) fn end(&mut self, commit: TransactionCommit) -> Result<(), EngineError> {
        if let Some(table) = self.held.first_name() {
            let table = table.clone();
            return Err(self.failed(ApplyError::MissingTable { table }));
        }
        self.open.started.get_or_insert_with(clock::now);
        self.open.last = Some(commit);
        self.open.transaction_count += 1;
        Ok(())
    }

    /// Commits the whole transactions at hand. Afterwards readers of the target see them; what is
    /// durable, [`durable`](Self::durable) tells. A schema change is acknowledged at once, so it is
    /// durable at once.
    pub(super) async fn commit(&mut self) -> Result<(), EngineError> {
        let Some(last) = self.open.last else {
            return Ok(());
        };
        let ops = self.batch.take();
        let to = Checkpoint {
            end_lsn: last.end_lsn,
            commit_time_us: Some(last.commit_time_us),
        };
        let how = if self.open.schema_changes.is_empty() {
            Commit::Visible
        } else {
            Commit::Durable
        };
        self.move_to(&ops, to, how).await?;
        self.count(&last);
        Ok(())
    }

    /// Commits everything up to `to`: the checkpoint moves there, and the tables that catch up.
    async fn move_to(
        &mut self,
        ops: &[Op],
        to: Checkpoint,
        how: Commit,
    ) -> Result<(), EngineError> {
        let settled = self.follow_copies(to.end_lsn).await?;
        let (position, checkpoint) = (to.end_lsn, self.checkpoint.max(to.end_lsn));
        let to = Checkpoint {
            end_lsn: checkpoint,
            commit_time_us: to.commit_time_us.filter(|_| checkpoint == position),
        };
        let how = if settled { Commit::Durable } else { how };
        let step = (self.checkpoint, to);
        let committed = self.writer.commit(&self.store, ops, step, how).await;
        committed.map_err(|error| self.failed(error))?;
        (self.checkpoint, self.position) = (checkpoint, position);
        if settled {
            self.settle_copies();
        }
        Ok(())
    }

    /// Moves the checkpoint over WAL that held nothing for us.
    pub(super) async fn advance_idle(&mut self, to: Lsn) -> Result<(), EngineError> {
        let to = Checkpoint {
            end_lsn: to,
            commit_time_us: None,
        };
        self.move_to(&[], to, Commit::Durable).await
    }

    /// Asks what has become durable since it was committed, and returns whether anything has.
    pub(super) async fn look_for_durable(&mut self) -> Result<bool, EngineError> {
        let before = self.writer.durable();
        let looked = self.writer.look_for_durable().await;
        looked.map_err(|error| self.failed(error))?;
        Ok(self.writer.durable() > before)
    }

    /// Waits until all that was committed is durable.
    pub(super) async fn settle(&mut self) -> Result<(), EngineError> {
        let settled = self.writer.settle(self.checkpoint).await;
        settled.map_err(|error| self.failed(error))
    }

    /// Moves the checkpoint over a transaction that is not to be applied, and writes that down.
    pub(super) async fn skip(
        &mut self,
        begin: &TransactionBegin,
        commit: TransactionCommit,
        reason: &str,
    ) -> Result<(), EngineError> {
        let recorded = async {
            self.writer.begin().await?;
            let session = self.writer.session();
            self.store
                .record_skipped(session, begin.commit_lsn, begin.xid, reason)
                .await
        };
        recorded.await.map_err(|error| self.failed(error))?;
        self.end(commit)?;
        self.commit().await?;
        self.meter.add_skipped();
        Ok(())
    }

    /// Makes the tables of a copy, if the target is still as of their moment.
    pub(super) async fn make_tables(
        &mut self,
        errand: &TablesErrand,
    ) -> Result<Answer, EngineError> {
        let disturbed = errand.at.is_some_and(|at| self.schema_changed_at >= at);
        if disturbed {
            return Ok(Answer::Disturbed);
        }
        fault::point(fault::SNAPSHOT_BEFORE_TABLES);
        self.begin().await?;
        let made = tables::make(self.writer.session(), self.copies.store(), errand).await;
        let answer = self.end_errand(made).await?;
        if answer == Answer::Done {
            fault::point(fault::SNAPSHOT_AFTER_TABLES);
            self.leave_to_copies(errand);
        }
        Ok(answer)
    }

    /// Runs statements for copies that are complete.
    pub(super) async fn run_steps(&mut self, steps: &[OpenStep]) -> Result<Answer, EngineError> {
        self.begin().await?;
        let run = tables::run(self.writer.session(), steps).await;
        self.end_errand(run).await
    }

    async fn begin(&mut self) -> Result<(), EngineError> {
        let begun = self.writer.begin().await;
        begun.map_err(|error| self.failed(error))
    }

    async fn end_errand(&mut self, done: Result<(), Refusal>) -> Result<Answer, EngineError> {
        if let Err(refusal) = done {
            let given_up = self.writer.rollback().await;
            given_up.map_err(|error| self.failed(error))?;
            return refusal.answer(&self.endpoint);
        }
        let here = Checkpoint {
            end_lsn: self.position,
            commit_time_us: None,
        };
        self.move_to(&[], here, Commit::Durable).await?;
        self.writer.forget();
        self.router.forget();
        Ok(Answer::Done)
    }

    /// Publishes what was counted, if anything was.
    pub(super) fn publish(&mut self) {
        if self.meter.is_dirty() {
            self.board.update(|status| self.meter.write(status));
        }
    }

    /// Returns the counts, for the next round.
    pub(super) fn into_meter(self) -> Meter {
        self.meter
    }

    async fn change(
        &mut self,
        begin: &TransactionBegin,
        change: Change,
    ) -> Result<(), EngineError> {
        match change {
            Change::Insert { relation, new } => {
                self.row(begin, relation, RowChange::Insert(new)).await
            }
            Change::Update { relation, old, new } => {
                self.row(begin, relation, RowChange::Update { old, new })
                    .await
            }
            Change::Delete { relation, old } => {
                self.row(begin, relation, RowChange::Delete(old)).await
            }
            Change::Truncate {
                relations,
                restart_identity,
                cascade: _,
            } => {
                let relations = self.covered(relations, begin.commit_lsn);
                self.truncate(&relations, restart_identity).await
            }
            Change::Message { prefix, content } if &*prefix == RowsMessage::PREFIX => {
                self.reload(begin.commit_lsn, &content).await
            }
            Change::Message { .. } => Ok(()),
        }
    }

    async fn row(
        &mut self,
        begin: &TransactionBegin,
        relation: Arc<Relation>,
        change: RowChange,
    ) -> Result<(), EngineError> {
        if self.passes_over(&relation, begin.commit_lsn) {
            return Ok(());
        }
        match self.route(&relation).await? {
            Route::Table(plan) => self.gather(&plan, change).await,
            Route::SchemaLog => match change {
                RowChange::Insert(tuple) => self.schema_entry(begin, &relation, &tuple).await,
                RowChange::Update { .. } | RowChange::Delete(_) => Ok(()),
            },
            Route::Ignored => Ok(()),
            Route::Missing if self.coverage.excuses(&self.router.name_now(&relation)) => Ok(()),
            Route::Missing => self.hold(&relation, &change),
        }
    }

    async fn route(&mut self, relation: &Arc<Relation>) -> Result<Route, EngineError> {
        if let Some(route) = self.router.known(relation) {
            return Ok(route.clone());
        }
        let found = self.router.find(&self.writer, relation).await;
        let route = found.map_err(|error| self.failed(error))?;
        if self.router.turned_watchful() {
            self.flush().await?;
        }
        Ok(route)
    }

    async fn gather(
        &mut self,
        plan: &Arc<TablePlan>,
        change: RowChange,
    ) -> Result<(), EngineError> {
        let kind = self.tally(plan, &change);
        trace!(target: "decode", table = %plan.relation.name, ?kind, "change");
        self.open.row_count += 1;
        let byte_count = self.batch.byte_count();
        self.batch.push(plan, change);
        self.open.byte_count += self.batch.byte_count() - byte_count;
        let full = self.batch.row_count() >= GATHERED_ROWS_MAX
            || self.batch.byte_count() >= GATHERED_BYTES_MAX;
        if full {
            self.flush().await?;
            fault::point(fault::APPLY_MID_TRANSACTION);
        }
        Ok(())
    }

    /// Rows of a table that the target does not have wait for its description in the schema log.
    fn hold(&mut self, relation: &Arc<Relation>, change: &RowChange) -> Result<(), EngineError> {
        let RowChange::Insert(row) = change else {
            return Err(self.failed(ApplyError::MissingTable {
                table: relation.name.clone(),
            }));
        };
        self.held
            .hold(relation, row)
            .map_err(|error| self.failed(error))
    }

    async fn truncate(
        &mut self,
        relations: &[Arc<Relation>],
        restart_identity: bool,
    ) -> Result<(), EngineError> {
        let mut plans = Vec::new();
        for relation in relations {
            match self.route(relation).await? {
                Route::Table(plan) => plans.push(plan),
                Route::SchemaLog | Route::Ignored => {}
                Route::Missing if self.coverage.excuses(&relation.name) => {}
                Route::Missing => {
                    let table = self.router.name_now(relation);
                    return Err(self.failed(ApplyError::MissingTable { table }));
                }
            }
        }
        if plans.is_empty() {
            return Ok(());
        }
        self.flush().await?;
        let tables: Vec<_> = plans.iter().map(|plan| &*plan.target).collect();
        let done = self.writer.truncate(&tables, restart_identity).await;
        done.map_err(|error| self.failed(error))?;
        for plan in &plans {
            self.tally_of(&plan.relation).counters.truncates += 1;
        }
        self.open.row_count += 1;
        Ok(())
    }

    /// Sends what was gathered to the open target transaction.
    async fn flush(&mut self) -> Result<(), EngineError> {
        let ops = self.batch.take();
        let done = self.writer.execute(&ops).await;
        done.map_err(|error| self.failed(error))
    }

    fn tally(&mut self, plan: &TablePlan, change: &RowChange) -> RowKind {
        let (kind, tuple) = match change {
            RowChange::Insert(new) => (RowKind::Insert, new),
            RowChange::Update { new, .. } => (RowKind::Update, new),
            RowChange::Delete(OldTuple::Key(old) | OldTuple::Full(old)) => (RowKind::Delete, old),
        };
        let byte_count = value_bytes(tuple);
        self.tally_of(&plan.relation).count(kind, byte_count);
        kind
    }

    fn tally_of(&mut self, relation: &Arc<Relation>) -> &mut Tally {
        let new = || (Arc::clone(relation), Tally::default());
        &mut self.tallies.entry(relation.id).or_insert_with(new).1
    }

    fn count(&mut self, last: &TransactionCommit) {
        let open = std::mem::take(&mut self.open);
        let took = open
            .started
            .map(|started| started.elapsed())
            .unwrap_or_default();
        let at_ms = clock::unix_ms();
        for (_, (relation, tally)) in self.tallies.drain() {
            self.meter.add_table(&relation.name, &tally, at_ms);
        }
        self.meter
            .add_batch(open.transaction_count, open.row_count as u64, took);
        debug!(
            target: "apply",
            transactions = open.transaction_count,
            rows = open.row_count,
            ms = took.as_secs_f64() * 1e3,
            lsn = %last.end_lsn,
            "batch committed"
        );
        self.schema_changes_durable(open.schema_changes);
        self.board.update(|status| {
            status.checkpoint.end_lsn = status.checkpoint.end_lsn.max(last.end_lsn);
            status.checkpoint.commit_time_ms = Some(clock::unix_ms_of(last.commit_time_us));
        });
    }

    fn failed(&self, source: ApplyError) -> EngineError {
        EngineError::Apply {
            endpoint: self.endpoint.clone(),
            source,
        }
    }
}

fn value_bytes(tuple: &Tuple) -> usize {
    let length = |value: &crate::model::Value| match value {
        crate::model::Value::Text(bytes) => bytes.len(),
        crate::model::Value::Null | crate::model::Value::Unchanged => 0,
    };
    tuple.values.iter().map(length).sum()
}
