//! Brings whole source transactions to the target: routes their changes, gathers them, and commits
//! batches together with the checkpoint.
//!
//! ```text
//!  begin ─> apply(changes)… ─> end(commit) ─> is_due? ─> commit ─> complete ─> durable
//! ```
//!
//! A commit goes on in the background (see [`background`]) while the next batch is gathered; whatever needs
//! the target waits for it first.

mod background;
mod behind_rows;
mod copied_names;
mod copy_requests;
mod counts;
mod crossing;
mod latest;
mod letter;
mod limits;
mod needs;
mod older_types;
mod reload;
mod reload_state;
mod schema_entry;
mod settle;
mod table_sync;
mod truncate;
mod unannounced;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::trace;

use crate::apply::{
    ApplyError, Batch, Checkpoint, CheckpointStore, Commit, HeldRows, Op, RowChange, TablePlan,
    Writer,
};
use crate::config::ConnectionSettings;
use crate::fault;
use crate::model::{
    Change, Lsn, QualifiedName, Relation, RelationId, ReplicaIdentity, TransactionBegin,
    TransactionCommit,
};
use crate::runtime::clock;
use crate::schema::Table;
use crate::snapshot::{CopyLink, TableSync, TablesRequest};
use crate::status::{LatestChange, SchemaChange, SchemaEdit, StatusPublisher};

use super::EngineError;
use super::counters::{Counters, TableDelta};
use super::route::{Route, Router};

use background::BackgroundWriter;
use behind_rows::BehindRows;
use reload_state::Reload;

pub(super) use letter::StreamPublication;
pub(super) use limits::Limits;
pub(super) use older_types::OlderTypes;

/// Rows wait in memory up to this many, then they go to the open target transaction. Larger sets
/// are hardly faster, and while one is gathered the target has nothing to do.
const GATHERED_ROWS_MAX: usize = 5_000;

/// Or up to this many bytes of values.
const GATHERED_BYTES_MAX: usize = 8 << 20;

/// What the applier works with.
pub(super) struct Applier {
    endpoint: String,
    background: BackgroundWriter,
    store: CheckpointStore,
    router: Router,
    limits: Limits,
    batch: Batch,
    held: HeldRows,
    reload: Option<Reload>,
    /// Tables whose rows are to follow in this transaction: the schema log has said so.
    awaited: BTreeMap<RelationId, QualifiedName>,
    /// What the stream is decoded with; none where no publication is needed.
    publication: Option<StreamPublication>,
    /// A command on publications has begun in this transaction, and what they are now is to follow.
    publications_untold: bool,
    /// The streams through which what runs on the target came to the source, as the target was told.
    origins_reported: Vec<String>,
    /// A message that is not ours was reported; once a session is enough.
    message_reported: bool,
    source: ConnectionSettings,
    /// Tables that were made here without an entry of the log, by their OIDs on the source.
    unannounced: HashMap<u32, Table>,
    /// What comes when the rows of rewritten tables are there.
    behind_rows: Vec<BehindRows>,
    checkpoint: Lsn,
    /// Where the change at hand lies in the WAL.
    at: Lsn,
    /// Changes of types, behind which rows may come that were read before.
    older_types: OlderTypes,
    /// How far the session is: behind the checkpoint while copied tables catch up.
    position: Lsn,
    table_sync: TableSync,
    copies: CopyLink,
    /// Where the last schema change lies that was looked at.
    schema_changed_at: Lsn,
    edit: Option<SchemaEdit>,
    open: OpenBatch,
    /// The batch whose commit is under way.
    closing: Option<Closing>,
    /// The target is asked to make durable what it has.
    settling: bool,
    publisher: StatusPublisher,
    counters: Counters,
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
    /// Copied tables that have another name when it is committed, or none.
    renamed: Vec<(RelationId, Option<QualifiedName>)>,
    deltas: HashMap<RelationId, (Arc<Relation>, TableDelta)>,
    /// The latest changes of each table, oldest first.
    latest: HashMap<RelationId, VecDeque<LatestChange>>,
    /// When its first transaction was committed on the source.
    oldest_us: Option<i64>,
}

/// A batch on its way to the target, and where everything is when it has got there.
#[derive(Debug)]
struct Closing {
    batch: OpenBatch,
    position: Lsn,
    checkpoint: Lsn,
    /// The checkpoint then speaks for all tables that were catching up.
    settled: bool,
}

/// What an applier is made of.
pub(super) struct Parts {
    pub(super) source: ConnectionSettings,
    pub(super) endpoint: String,
    pub(super) writer: Writer,
    pub(super) store: CheckpointStore,
    pub(super) router: Router,
    pub(super) limits: Limits,
    pub(super) checkpoint: Lsn,
    pub(super) older_types: OlderTypes,
    pub(super) table_sync: TableSync,
    pub(super) copies: CopyLink,
    pub(super) edit: Option<SchemaEdit>,
    pub(super) publication: Option<StreamPublication>,
    pub(super) publisher: StatusPublisher,
    pub(super) counters: Counters,
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
            table_sync,
            copies,
            edit,
            publication,
            ..
        } = parts;
        // What the session before was refused is to be seen anew.
        parts.publisher.refused_row(None);
        Self {
            endpoint,
            background: BackgroundWriter::new(writer),
            store,
            router,
            limits,
            batch: Batch::default(),
            held: HeldRows::default(),
            reload: None,
            awaited: BTreeMap::new(),
            publication,
            publications_untold: false,
            origins_reported: Vec::new(),
            message_reported: false,
            source: parts.source,
            unannounced: HashMap::new(),
            behind_rows: Vec::new(),
            checkpoint,
            at: checkpoint,
            older_types: parts.older_types,
            position: table_sync.start(),
            table_sync,
            copies,
            // The session before may have gone beyond a consistent point that is still to come.
            schema_changed_at: checkpoint,
            edit,
            open: OpenBatch::default(),
            closing: None,
            settling: false,
            publisher: parts.publisher,
            counters: parts.counters,
            acknowledge: parts.acknowledge,
        }
    }

    /// Returns how far the session is: everything before is on the target for every table.
    pub(super) const fn position(&self) -> Lsn {
        self.position
    }

    /// Returns what may be confirmed: durable on the target, and needed by no copy.
    pub(super) fn confirmable(&self) -> Lsn {
        self.table_sync.confirmable(self.background.durable())
    }

    /// Returns whether the commit of a batch is under way, or commits are being made durable.
    pub(super) const fn is_committing(&self) -> bool {
        self.closing.is_some() || self.settling
    }

    /// Returns when the oldest transaction that is not committed here was committed on the source.
    pub(super) fn oldest_us(&self) -> Option<i64> {
        let closing = self.closing.as_ref();
        closing
            .and_then(|closing| closing.batch.oldest_us)
            .or(self.open.oldest_us)
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
        changes: Vec<(Lsn, Change)>,
    ) -> Result<(), EngineError> {
        self.open.started.get_or_insert_with(clock::now);
        self.open.oldest_us.get_or_insert(begin.commit_time_us);
        self.note_latest(begin, &changes);
        for (at, change) in changes {
            self.change(begin, at, change).await?;
        }
        Ok(())
    }

    /// Ends a transaction whose changes have all been applied.
    pub(super) async fn end(&mut self, commit: TransactionCommit) -> Result<(), EngineError> {
        self.run_behind_rows().await?;
        self.require_awaited_rows()?;
        self.require_publications_reported()?;
        self.release_excused()?;
        self.make_unannounced().await?;
        if let Some(table) = self.held.first_name() {
            let table = table.clone();
            return Err(self.failed(ApplyError::MissingTable { table }));
        }
        self.open.started.get_or_insert_with(clock::now);
        self.open.last = Some(commit);
        self.open.transaction_count += 1;
        Ok(())
    }

    /// Begins to commit the whole transactions at hand; [`complete`](Self::complete) ends it.
    /// Afterwards readers of the target see them; what is durable, [`durable`](Self::durable)
    /// tells. A schema change is acknowledged at once, so it is durable at once.
    pub(super) async fn commit(&mut self) -> Result<(), EngineError> {
        let Some(last) = self.open.last else {
            return Ok(());
        };
        let to = Checkpoint {
            end_lsn: last.end_lsn,
            commit_time_us: Some(last.commit_time_us),
        };
        let how = if self.open.schema_changes.is_empty() {
            Commit::Visible
        } else {
            Commit::Durable
        };
        let ops = self.batch.take();
        self.begin_move(ops, to, how).await
    }

    /// Begins to commit everything up to `to`: the checkpoint moves there, and the tables that catch
    /// up.
    async fn begin_move(
        &mut self,
        ops: Vec<Op>,
        to: Checkpoint,
        how: Commit,
    ) -> Result<(), EngineError> {
        self.complete().await?;
        let settled = self.follow_copies(to.end_lsn).await?;
        let (position, checkpoint) = (to.end_lsn, self.checkpoint.max(to.end_lsn));
        let to = Checkpoint {
            end_lsn: checkpoint,
            commit_time_us: to.commit_time_us.filter(|_| checkpoint == position),
        };
        let how = if settled { Commit::Durable } else { how };
        let step = (self.checkpoint, to);
        self.background.commit(self.store.clone(), ops, step, how);
        self.closing = Some(Closing {
            batch: std::mem::take(&mut self.open),
            position,
            checkpoint,
            settled,
        });
        Ok(())
    }

    /// Waits until the target has done what it was given. Cancel safe.
    pub(super) async fn complete(&mut self) -> Result<(), EngineError> {
        let done = self.background.join().await.map_err(EngineError::Task)?;
        if let Err(error) = done {
            self.show_refused();
            return Err(self.failed(error));
        }
        self.settling = false;
        let Some(closing) = self.closing.take() else {
            return Ok(());
        };
        self.count_suppressed();
        (self.checkpoint, self.position) = (closing.checkpoint, closing.position);
        if closing.settled {
            self.settle_copies();
        }
        self.show_renamed(&closing.batch.renamed);
        if let Some(last) = closing.batch.last {
            self.count(closing.batch, &last);
        }
        Ok(())
    }

    /// Commits what is open, with no whole transaction in it, up to `to`.
    async fn move_to(&mut self, to: Checkpoint) -> Result<(), EngineError> {
        self.begin_move(Vec::new(), to, Commit::Durable).await?;
        self.complete().await
    }

    /// Moves the checkpoint over WAL that held nothing for us.
    pub(super) async fn advance_idle(&mut self, to: Lsn) -> Result<(), EngineError> {
        self.complete().await?;
        let to = Checkpoint {
            end_lsn: to,
            commit_time_us: None,
        };
        self.move_to(to).await
    }

    /// Moves the checkpoint over a transaction that is not to be applied, and writes that down.
    pub(super) async fn skip(
        &mut self,
        begin: &TransactionBegin,
        commit: TransactionCommit,
        reason: &str,
    ) -> Result<(), EngineError> {
        self.complete().await?;
        let recorded = async {
            let writer = self.background.writer();
            writer.begin().await?;
            self.store
                .record_skipped(writer.session(), begin.commit_lsn, begin.xid, reason)
                .await
        };
        recorded.await.map_err(|error| self.failed(error))?;
        self.end(commit).await?;
        self.commit().await?;
        self.complete().await?;
        self.counters.add_skipped();
        Ok(())
    }

    async fn begin(&mut self) -> Result<(), EngineError> {
        self.complete().await?;
        let begun = self.background.writer().begin().await;
        begun.map_err(|error| self.failed(error))
    }

    /// Runs a statement in the open transaction of the target, which is idle.
    async fn run(&mut self, object: &str, sql: &str) -> Result<(), EngineError> {
        let done = self.background.writer().run(object, sql).await;
        done.map_err(|error| self.failed(error))
    }

    /// Publishes what was counted, if anything was.
    pub(super) fn publish(&mut self) {
        if self.counters.is_dirty() {
            self.publisher.update(|status| self.counters.write(status));
        }
    }

    /// Returns the counts, for the next session.
    pub(super) fn into_counters(self) -> Counters {
        self.counters
    }

    async fn change(
        &mut self,
        begin: &TransactionBegin,
        at: Lsn,
        change: Change,
    ) -> Result<(), EngineError> {
        let (relation, change) = match change {
            Change::Insert { relation, new } => (relation, RowChange::Insert(new)),
            Change::Update { relation, old, new } => (relation, RowChange::Update { old, new }),
            Change::Delete { relation, old } => (relation, RowChange::Delete(old)),
            Change::Truncate {
                relations,
                restart_identity,
                cascade: _,
            } => {
                let relations = self.in_reach(relations, begin.commit_lsn);
                return self
                    .truncate(&relations, (restart_identity, begin.commit_lsn))
                    .await;
            }
            Change::ForeignMessage { prefix } => {
                self.pass_over_message(begin.commit_lsn, &prefix);
                return Ok(());
            }
        };
        self.at = at;
        let change = self.read_as_of_now(&relation, begin.commit_lsn, change)?;
        self.row(begin, relation, change).await
    }

    async fn row(
        &mut self,
        begin: &TransactionBegin,
        relation: Arc<Relation>,
        change: RowChange,
    ) -> Result<(), EngineError> {
        if self.passes_over(&relation, begin.commit_lsn) {
            return self.pass_over(&relation, &change, begin.commit_lsn);
        }
        let Some(change) = self.share(&relation, change, begin.commit_lsn).await? else {
            return Ok(());
        };
        match self.route(&relation).await? {
            Route::Table(plan) if lacks_identity(&relation, &change) => {
                let table = plan.target.name.clone();
                Err(self.failed(ApplyError::NoIdentity { table }))
            }
            Route::Table(plan) => self.gather(&plan, change).await,
            Route::SchemaLog => match change {
                RowChange::Insert(tuple) => self.schema_entry(begin, &relation, &tuple).await,
                RowChange::Update { .. } | RowChange::Delete(_) => Ok(()),
            },
            Route::Outbox => match change {
                RowChange::Insert(tuple) => self.letter(begin.commit_lsn, &relation, &tuple).await,
                RowChange::Update { .. } | RowChange::Delete(_) => Ok(()),
            },
            Route::Ignored => Ok(()),
            Route::Missing
                if !matches!(change, RowChange::Insert(_))
                    && self.table_sync.excuses(&self.router.name_now(&relation)) =>
            {
                Ok(())
            }
            Route::Missing => self.hold(&relation, &change),
        }
    }

    async fn route(&mut self, relation: &Arc<Relation>) -> Result<Route, EngineError> {
        if let Some(route) = self.router.known(relation) {
            return Ok(route.clone());
        }
        self.complete().await?;
        let found = self.router.find(self.background.writer(), relation).await;
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
        // Not right behind the row that fills it: the commit of a transaction that ends there takes the
        // rows along, and the next batch is gathered meanwhile.
        let full = self.batch.row_count() >= GATHERED_ROWS_MAX
            || self.batch.byte_count() >= GATHERED_BYTES_MAX;
        if full {
            let ops = self.batch.take_settled();
            self.execute(ops).await?;
            fault::point(fault::APPLY_MID_TRANSACTION);
        }
        let kind = self.delta(plan, &change);
        trace!(target: "decode", table = %plan.relation.name, ?kind, "change");
        self.open.row_count += 1;
        let byte_count = self.batch.byte_count();
        self.batch.push(plan, change);
        self.open.byte_count += self.batch.byte_count() - byte_count;
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

    /// Begins to run what was gathered in the open target transaction.
    async fn flush(&mut self) -> Result<(), EngineError> {
        let ops = self.batch.take();
        self.execute(ops).await
    }

    async fn execute(&mut self, ops: Vec<Op>) -> Result<(), EngineError> {
        self.complete().await?;
        if !ops.is_empty() {
            self.background.execute(ops);
        }
        Ok(())
    }

    fn failed(&self, source: ApplyError) -> EngineError {
        EngineError::Apply {
            endpoint: self.endpoint.clone(),
            source,
        }
    }
}

/// Whether the source sent none of the columns that identify its row: before version 18 it sends no generated
/// ones.
fn lacks_identity(relation: &Relation, change: &RowChange) -> bool {
    let by_key = matches!(
        relation.identity,
        ReplicaIdentity::Default | ReplicaIdentity::Index
    );
    let changed = !matches!(change, RowChange::Insert(_));
    by_key && changed && relation.columns.iter().all(|column| !column.key)
}
