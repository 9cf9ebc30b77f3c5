//! The writing session: runs steps in one open target transaction and commits them together with
//! the checkpoint.
//!
//! Every step of a call is sent before the first answer is awaited, the checkpoint and COMMIT with the last of
//! them, so a transaction costs one round trip however many steps it has (`commit` says where two). A COPY adds
//! one (`copy`).

mod answers;
mod bind;
mod commit;
mod copy;
mod judge;
mod owner;
mod reading;
mod session;
mod truncate;

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio_postgres::Statement;
use tracing::trace;

use crate::config::ConnectionSettings;
use crate::model::{Classify as _, ErrorClass, QualifiedName};
use crate::postgres::{OBJECT_IN_USE, PgError, Session, owner_of_table};

use super::checkpoint::{ADVANCE, ADVANCE_GUARDED};
use super::described::DESCRIBE_TABLE;
use super::durability::Durability;
use super::records::refused_record;
use super::sequence::SequenceTracker;
use super::shape::{self, Shape};
use super::{ApplyError, CheckpointStore, Op, RunAs, TablePlan, TargetTable, WriteRules};

use bind::as_role;
use bind::{Bound, TextParameter, Work};
use judge::{gone, judge};
use reading::{Reading, send_rows};

pub use commit::Commit;
use judge::refused_change;

/// Deferrable constraints wait for the commit, as the source may have made them wait; without any
/// this costs nothing.
const BEGIN: &str = "BEGIN; SET CONSTRAINTS ALL DEFERRED";

/// Prepared statements live on the target and cost memory there; a table can ask for one for each
/// set of columns that its updates leave out. Beyond this many all are made anew.
const STATEMENTS_MAX: usize = 1_000;

/// What the target refused, in its error.
const OWNER: &str = "a function that runs statements as the owner of a table";
/// Foreign keys act on what we write by triggers of the origin's.
const SILENCE: &str = "SET LOCAL session_replication_role = replica";
const END_OF_SILENCE: &str = "SET LOCAL session_replication_role TO DEFAULT";

/// The session's process, and whether there are synchronous standbys: a commit that does not wait
/// would be confirmed before they have it.
const ITSELF: &str = "\
SELECT pg_catalog.pg_backend_pid(),
       pg_catalog.current_setting('synchronous_standby_names') <> '',
       COALESCE(pg_catalog.current_setting('pgstream.silences', true), '') = 'on'";

/// The session that writes to the target.
pub struct Writer {
    session: Session,
    rules: WriteRules,
    statements: HashMap<(usize, Shape), Prepared>,
    /// The calls of what runs a text as another role.
    owners: HashMap<u32, Statement>,
    advance: Statement,
    advance_guarded: Statement,
    wal_look: Statement,
    describe: Statement,
    process_id: i32,
    sequences: SequenceTracker,
    durability: Durability,
    /// The role may keep foreign keys from acting.
    silences: bool,
    /// Changes that triggers and rules of the target kept from happening, since the last commit.
    suppressed: HashMap<QualifiedName, Suppressed>,
    /// The step that the target has refused, where rows go one by one.
    refused: Option<Box<Op>>,
    /// A COPY whose rows are to be sent before anything else.
    reading: Option<Reading>,
    open: bool,
}

/// Changes of a table that the target kept from happening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// How many.
    pub count: u64,
    /// The triggers and rules that may have done so.
    pub by: String,
}

/// A statement, and the plan it was made for: while it is held here its address is not reused.
struct Prepared {
    statement: Statement,
    _plan: Arc<TablePlan>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl Writer {
    /// Opens a session with the settings of the writer, on which no slot has a claim yet.
    ///
    /// # Errors
    /// [`ApplyError::Open`] when the target cannot be reached or refuses the session's settings.
    pub async fn connect(
        settings: &ConnectionSettings,
        disable_triggers: bool,
    ) -> Result<Session, ApplyError> {
        session::open(settings, disable_triggers).await
    }

    /// Claims the target for the slot, whose predecessors end, and makes our records there.
    ///
    /// # Errors
    /// [`ApplyError::Open`] and [`ApplyError::Statement`]: the target's refusal.
    pub async fn open(
        session: Session,
        rules: WriteRules,
        stream: super::Stream,
    ) -> Result<(Self, CheckpointStore), ApplyError> {
        session::claim(&session, &stream).await?;
        let (store, wal_look, describe, itself) = tokio::join!(
            CheckpointStore::open(&session, stream),
            session.prepare(WAL_LOOK),
            session.prepare(DESCRIBE_TABLE),
            session.row(ITSELF, &[]),
        );
        let store = store?;
        let prepared = |sql, prepared: Result<Statement, _>| {
            prepared.map_err(|error| session.error(sql, error))
        };
        let wal_look = prepared(WAL_LOOK, wal_look);
        let wal_look = wal_look.map_err(refused_record("a look at its WAL"))?;
        let describe = prepared(DESCRIBE_TABLE, describe);
        let describe = describe.map_err(refused_record("a look at its catalog"))?;
        let itself = itself.map_err(refused_record("a look at its own session"))?;
        let advance = prepared(&ADVANCE, session.prepare(&ADVANCE).await);
        let advance = advance.map_err(refused_record("the checkpoint"))?;
        let guarded = session.prepare(&ADVANCE_GUARDED).await;
        let guarded = prepared(&ADVANCE_GUARDED, guarded);
        let advance_guarded = guarded.map_err(refused_record("the checkpoint"))?;
        let mut durability = Durability::default();
        durability.has_standbys(itself.as_ref().is_none_or(|row| row.get(1)));
        let writer = Self {
            rules,
            statements: HashMap::new(),
            owners: HashMap::new(),
            advance,
            advance_guarded,
            wal_look,
            describe,
            sequences: SequenceTracker::default(),
            durability,
            silences: itself.as_ref().is_some_and(|row| row.get(2)),
            suppressed: HashMap::new(),
            refused: None,
            reading: None,
            process_id: itself.as_ref().map_or(0, |row| row.get(0)),
            open: false,
            session,
        };
        Ok((writer, store))
    }

    /// Returns the session itself, for our records.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Returns the process on the target that serves the session.
    #[must_use]
    pub const fn process_id(&self) -> i32 {
        self.process_id
    }

    /// Returns what the configuration says about writing.
    #[must_use]
    pub const fn rules(&self) -> WriteRules {
        self.rules
    }

    /// Returns whether the role may keep foreign keys from acting on what we write.
    #[must_use]
    pub const fn silences(&self) -> bool {
        self.silences
    }

    /// Takes the number of changes that triggers and rules of the target kept from happening, by table.
    pub fn take_suppressed(&mut self) -> HashMap<QualifiedName, Suppressed> {
        std::mem::take(&mut self.suppressed)
    }

    /// Takes the step of one row that the target has refused, where rows go one by one.
    pub const fn take_refused(&mut self) -> Option<Box<Op>> {
        self.refused.take()
    }

    /// Returns the target's table of this name as it is now, if there is one.
    ///
    /// # Errors
    /// The target's refusal.
    pub async fn target_table(
        &self,
        name: &QualifiedName,
    ) -> Result<Option<TargetTable>, ApplyError> {
        let row = self
            .session
            .query_opt(&self.describe, &[&&*name.schema, &&*name.name])
            .await
            .map_err(|error| self.session.error(DESCRIBE_TABLE, error));
        let row = row.map_err(refused_record("a look at its catalog"))?;
        let Some(row) = row else { return Ok(None) };
        // In SQL_ASCII a name may be no text that we know.
        let text = row.try_get(0);
        let text = text.map_err(|error| self.session.error(DESCRIBE_TABLE, error));
        let parsed = serde_json::from_str(text.map_err(refused_record("a look at its catalog"))?);
        let mut table: TargetTable = parsed.map_err(|error| ApplyError::Catalog {
            table: name.clone(),
            source: error,
        })?;
        if self.rules.run_as == RunAs::Owner {
            let owner = self.session.owner(&owner_of_table(name)).await;
            table.run_as = owner.map_err(refused_record(OWNER))?.map(|owner| owner.oid);
        }
        Ok(Some(table))
    }

    /// Runs the steps in the open transaction, beginning one if there is none.
    ///
    /// # Errors
    /// [`ApplyError::Refused`], [`ApplyError::RowNotFound`]; the transaction must then be given up.
    pub async fn execute(&mut self, ops: &[Op]) -> Result<(), ApplyError> {
        let mut last = self.execute_but_last(ops).await?;
        self.run_group(&mut last).await
    }

    /// Runs the steps and returns those that nothing comes after, to be sent with what does.
    async fn execute_but_last(&mut self, ops: &[Op]) -> Result<Vec<Bound>, ApplyError> {
        if self.statements.len() >= STATEMENTS_MAX {
            self.statements.clear();
        }
        let mut group = Vec::new();
        for op in ops {
            self.sequences.observe(op);
            for work in bind::work(op) {
                match work {
                    Work::Statement(bound) if bound.alone => {
                        self.run_group(&mut group).await?;
                        self.run_alone(bound).await?;
                    }
                    Work::Statement(bound) => group.push(bound),
                    Work::Copy(copy) => self.start_copy(&mut group, copy).await?,
                }
            }
        }
        Ok(group)
    }

    /// Deletes all rows of a table, in the open transaction.
    ///
    /// # Errors
    /// The target's refusal.
    pub async fn delete_all(&mut self, table: &TargetTable) -> Result<(), ApplyError> {
        let object = format!("the replacement of all rows of {}", table.name);
        let sql = format!("DELETE FROM {}", shape::rows_of(table));
        self.run(&object, &as_role(table.run_as, &sql)).await
    }

    /// Runs one statement in the open transaction, beginning one if there is none. Sequences move
    /// first: it may drop them or set them back.
    ///
    /// # Errors
    /// [`ApplyError::Statement`].
    pub async fn run(&mut self, object: &str, sql: &str) -> Result<(), ApplyError> {
        self.begin().await?;
        let owned = self.as_its_owner(sql).await.map_err(refused(object))?;
        let sql = owned.as_deref().unwrap_or(sql);
        trace!(target: "sql", sql, "run on the target");
        let setval = self.sequences.statements();
        let (moved, saved, done, released) = tokio::join!(
            self.session.run(&setval),
            self.session.run("SAVEPOINT statement"),
            self.session.run(sql),
            self.session.run("RELEASE statement"),
        );
        moved.map_err(refused("the position of sequences"))?;
        self.sequences.committed();
        let done = match saved.and(done) {
            Err(error) if error.code() == Some(OBJECT_IN_USE) => self.run_checked(sql).await,
            done => done.and(released),
        };
        done.map_err(refused(object))
    }

    /// Runs one statement as [`Writer::run`] does. When the target refuses it, what it did is taken back, the
    /// transaction goes on, and the refusal is returned.
    ///
    /// # Errors
    /// [`ApplyError::Statement`] when the connection is lost.
    pub async fn attempt(
        &mut self,
        object: &str,
        sql: &str,
    ) -> Result<Option<ApplyError>, ApplyError> {
        match self.run(object, sql).await {
            Err(refusal) if refusal.class() != ErrorClass::Transient => {
                let back = "ROLLBACK TO statement; RELEASE statement";
                self.session.run(back).await.map_err(refused(object))?;
                Ok(Some(refusal))
            }
            done => done.map(|()| None),
        }
    }

    /// Runs a statement of our records in the open transaction, beginning one if there is none.
    ///
    /// # Errors
    /// [`ApplyError::Records`].
    pub async fn run_own(&mut self, object: &str, sql: &str) -> Result<(), ApplyError> {
        self.begin().await?;
        let done = self.session.run(sql).await;
        done.map_err(refused_record(object))
    }

    /// Runs a statement again that was refused because checks of its table are deferred. Ours wait
    /// for the commit although the source's may not have; they are made now. Not before there is
    /// need: the checks of other tables may rightly have to wait.
    async fn run_checked(&self, sql: &str) -> Result<(), PgError> {
        self.session
            .run("ROLLBACK TO statement; SET CONSTRAINTS ALL IMMEDIATE")
            .await?;
        self.session.run(sql).await?;
        self.session.run("SET CONSTRAINTS ALL DEFERRED").await
    }

    /// Runs one statement outside of any transaction.
    ///
    /// # Errors
    /// [`ApplyError::Statement`].
    ///
    /// # Panics
    /// When a transaction is open.
    pub async fn run_outside(&self, object: &str, sql: &str) -> Result<(), ApplyError> {
        assert!(
            !self.open,
            "a statement outside of transactions while one is open"
        );
        trace!(target: "sql", sql, "run on the target, outside of a transaction");
        self.session.run(sql).await.map_err(refused(object))
    }

    /// Tells our triggers on the target through which streams the next changes came to the source.
    ///
    /// # Errors
    /// [`ApplyError::Statement`].
    pub async fn came_through(
        &self,
        stream: &super::Stream,
        origins: &[String],
    ) -> Result<(), ApplyError> {
        let sql = session::came_through_sql(stream, origins);
        let reported = self.session.run(&sql).await;
        reported.map_err(refused_record("where changes came from"))
    }

    /// Begins a transaction unless one is open.
    ///
    /// # Errors
    /// [`ApplyError::Statement`].
    pub async fn begin(&mut self) -> Result<(), ApplyError> {
        self.begun().await?;
        self.open = true;
        Ok(())
    }

    /// Forgets prepared statements and what is known of sequences: a schema change ran.
    pub fn forget(&mut self) {
        self.statements.clear();
        self.sequences.forget();
    }

    /// Gives the open transaction up.
    ///
    /// # Errors
    /// The loss of the session.
    pub async fn rollback(&mut self) -> Result<(), ApplyError> {
        self.reading = None;
        if self.open {
            self.session
                .run("ROLLBACK")
                .await
                .map_err(refused_record("a rollback"))?;
            self.open = false;
        }
        Ok(())
    }

    /// Sends the rows of a COPY that has begun and all statements of the group, then looks at all answers in
    /// order.
    async fn run_group(&mut self, group: &mut Vec<Bound>) -> Result<(), ApplyError> {
        if group.is_empty() && self.reading.is_none() {
            return Ok(());
        }
        let group = std::mem::take(group);
        self.prepare_all(&group).await?;
        let reading = self.reading.take();
        let (begun, copied, answers) =
            tokio::join!(self.begun(), send_rows(reading), self.send_all(&group));
        begun?;
        self.open = true;
        self.judge_copy(copied)?;
        self.judge_all(&group, answers)
    }

    /// Begins a transaction on the target unless one is open there.
    async fn begun(&self) -> Result<(), ApplyError> {
        if self.open {
            return Ok(());
        }
        let begun = self.session.run(BEGIN).await;
        begun.map_err(refused_record("a transaction"))
    }

    async fn prepare_all(&mut self, group: &[Bound]) -> Result<(), ApplyError> {
        for bound in group {
            self.prepare(&bound.table, &bound.shape).await?;
        }
        Ok(())
    }

    async fn send_all(&self, group: &[Bound]) -> Vec<Result<u64, PgError>> {
        join_all(group.iter().map(|bound| self.send(bound))).await
    }

    /// Runs a statement whose answer decides what comes next: another way to the same row, or, where a
    /// trigger may have kept it, the question whether the row is there.
    async fn run_alone(&mut self, mut bound: Bound) -> Result<(), ApplyError> {
        let step = bound.step.take();
        let done = self.run_judged(bound).await;
        if done.is_err() {
            self.refused = step;
        }
        done
    }

    async fn run_judged(&mut self, mut bound: Bound) -> Result<(), ApplyError> {
        self.begin().await?;
        let mut answer = self.send_prepared(&bound).await?;
        if let (Ok(0), Some(instead)) = (&answer, bound.instead.take()) {
            bound = *instead;
            answer = self.send_prepared(&bound).await?;
        }
        let question = bind::search(&bound).filter(|_| bound.table.target.suppresses);
        let kept = match (judge(&bound, answer), question) {
            (Err(ApplyError::RowNotFound { found, .. }), Some(question)) => {
                let there = self.send_prepared(&question).await?;
                judge(
                    &question,
                    there.map(|there| (there + gone(&bound, found)).min(bound.row_count)),
                )?;
                bound.row_count - found
            }
            (judged, _) => judged?,
        };
        self.note_suppressed(&bound.table, kept);
        Ok(())
    }

    async fn send_prepared(&mut self, bound: &Bound) -> Result<Result<u64, PgError>, ApplyError> {
        self.prepare(&bound.table, &bound.shape).await?;
        Ok(self.send(bound).await)
    }

    async fn send(&self, bound: &Bound) -> Result<u64, PgError> {
        if !bound.silent {
            return self.send_as_it_is(bound).await;
        }
        let (silent, answer, over) = tokio::join!(
            self.session.run(SILENCE),
            self.send_as_it_is(bound),
            self.session.run(END_OF_SILENCE),
        );
        silent?;
        let found = answer?;
        over?;
        Ok(found)
    }

    async fn send_as_it_is(&self, bound: &Bound) -> Result<u64, PgError> {
        if let Some(owner) = bound.table.target.run_as {
            return self.send_as(owner, bound).await;
        }
        let key = statement_key(&bound.table, &bound.shape);
        let prepared = &self
            .statements
            .get(&key)
            .expect("prepared before it is sent")
            .statement;
        let answer = self
            .session
            .execute_raw(prepared, bound.parameters.iter().map(as_sql))
            .await;
        answer.map_err(|error| {
            let sql = shape::sql(&bound.table, &bound.shape);
            self.session.error(&sql, error).about_values()
        })
    }

    async fn prepare(&mut self, table: &Arc<TablePlan>, shape: &Shape) -> Result<(), ApplyError> {
        if let Some(owner) = table.target.run_as {
            return self.prepare_owner(owner, table).await;
        }
        let key = statement_key(table, shape);
        if self.statements.contains_key(&key) {
            return Ok(());
        }
        self.end_copy().await?;
        let sql = shape::sql(table, shape);
        trace!(target: "sql", sql, "prepare on the target");
        let statement = self.session.prepare(&sql).await;
        let statement = statement.map_err(|error| self.session.error(&sql, error));
        let statement = statement.map_err(refused_change(table, sql))?;
        self.statements.insert(
            key,
            Prepared {
                statement,
                _plan: Arc::clone(table),
            },
        );
        Ok(())
    }
}

fn statement_key(table: &Arc<TablePlan>, shape: &Shape) -> (usize, Shape) {
    (Arc::as_ptr(table).addr(), shape.clone())
}

fn as_sql(parameter: &TextParameter) -> &(dyn tokio_postgres::types::ToSql + Sync) {
    parameter
}

/// Names what a statement was for in the target's refusal of it.
fn refused(object: &str) -> impl FnOnce(PgError) -> ApplyError {
    move |source| ApplyError::Statement {
        object: object.to_owned(),
        statement: source.statement().unwrap_or_default().to_owned(),
        source,
    }
}

/// How far the target's WAL is written, how far it is on disk, and whether that is enough: a reload may
/// bring synchronous standbys at any time, and nothing tells us.
pub(crate) const WAL_LOOK: &str = "\
SELECT pg_catalog.pg_current_wal_insert_lsn()::pg_catalog.text,
       pg_catalog.pg_current_wal_flush_lsn()::pg_catalog.text,
       pg_catalog.current_setting('synchronous_standby_names') <> ''";
