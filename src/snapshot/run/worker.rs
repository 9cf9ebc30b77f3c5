//! A session on each side that rows go through, one part of a table after the other.
//!
//! ```text
//!  source   BEGIN … SNAPSHOT; LOCK ACCESS SHARE ──> still the same table? ──> COPY TO ─┐ COMMIT
//!  target   BEGIN ─────────────────────────────────────────────────────────> COPY FROM ┘ fence, COMMIT
//! ```
//!
//! A transaction's snapshot does not protect it from TRUNCATE and from rewrites: it would read an
//! empty table (manual, section 13.6 «Caveats»). So the lock comes first, and behind it a look from
//! outside, with a snapshot of now, whether the table is still the one that was planned. The lock
//! is that of any reader, and lasts one part.

use crate::config::ConnectionSettings;
use crate::fault;
use crate::model::{Lsn, RelationId, quote_ident, quote_literal};
use crate::postgres::{
    CopyError, CopySession, PgError, Session, copy_through, owner_of_evaluated, run_as_owner,
    sqlstate,
};
use crate::snapshot::source::Moved;
use crate::snapshot::staging::Staging;
use crate::snapshot::{
    OpenStep, Part, SourceTable, Store, StruckStep, TableError, copy_from, copy_to, is_as_planned,
};

/// What a worker is opened with.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Where rows come from.
    pub source: ConnectionSettings,
    /// Where they go.
    pub target: ConnectionSettings,
    /// Triggers and foreign keys of the target stay silent.
    pub disable_triggers: bool,
    /// Rows are written as the role that owns their table.
    pub run_as_owner: bool,
    /// By which leftovers of this slot are recognised.
    pub application_name: String,
    /// Tells our triggers on the target through which stream the changes come.
    pub came_through: String,
}

/// The two sessions.
#[derive(Debug)]
pub struct Worker {
    source: CopySession,
    target: CopySession,
    run_as_owner: bool,
}

/// Whether an attempt still counts, asked on the target before its rows are committed.
#[derive(Debug, Clone)]
pub struct Fence {
    pub store: Store,
    pub attempt: i32,
    /// The position of the source that the rows are as of.
    pub lsn: Option<Lsn>,
}

impl Fence {
    /// A statement with one row, or none when the attempt is superseded; it notes what is whole with it.
    fn question(&self, table: RelationId, part: Part, moved: &Moved) -> String {
        let attempt = (table, self.attempt);
        match part {
            Part::Keys { number, .. } => self.store.range_done(attempt, number, self.lsn, moved),
            Part::Whole => self.store.rows_done(attempt, moved),
            Part::Blocks { .. } => self.store.fence(table, self.attempt),
        }
    }
}

/// How a table is made that needs no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Making {
    pub statements: Vec<String>,
    /// The description of what is then there of it, as JSON.
    pub objects: String,
}

/// Rows that row security hides would be missing in silence: then it is an error.
const SOURCE_SETTINGS: &str = "SET row_security = off";

/// Nobody waits for the disk, which the record of the last part does for all.
const TARGET_SETTINGS: &str = "SET synchronous_commit = off; SET row_security = off";

impl Worker {
    /// Opens both sessions.
    ///
    /// # Errors
    /// [`TableError::Open`].
    pub async fn open(settings: &WorkerSettings) -> Result<Self, TableError> {
        let opened = async {
            let name = &settings.application_name;
            let mut source = CopySession::connect(&settings.source, name).await?;
            let mut target = CopySession::connect(&settings.target, name).await?;
            source.query(SOURCE_SETTINGS).await?;
            target.query(TARGET_SETTINGS).await?;
            target.query(&settings.came_through).await?;
            let name = format!("SET application_name = {}", quote_literal(name));
            source.query(&name).await?;
            target.query(&name).await?;
            if settings.disable_triggers {
                target
                    .query("SET session_replication_role = replica")
                    .await?;
            }
            Ok(Self {
                source,
                target,
                run_as_owner: settings.run_as_owner,
            })
        };
        opened.await.map_err(|source| TableError::Open { source })
    }

    /// Returns the process on the source that holds the locks.
    #[must_use]
    pub fn source_pid(&self) -> i32 {
        self.source.process_id()
    }

    /// Copies one part, in a transaction on each side. `begin` starts one at the snapshot of the source
    /// that the table was planned at, `now` is another session on the source.
    ///
    /// # Errors
    /// [`TableError`]; both sessions can go on when they live, which the next part finds out.
    pub async fn copy(
        &mut self,
        (table, part): (&SourceTable, Part),
        begin: &str,
        fence: &Fence,
        now: &Session,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Moved, TableError> {
        let copied = self
            .copy_in_transactions((table, part), begin, fence, now, progress)
            .await;
        if copied.is_err() {
            // A session that is lost has no transaction either.
            drop(self.source.query("ROLLBACK").await);
            drop(self.target.query("ROLLBACK").await);
        }
        copied
    }

    async fn copy_in_transactions(
        &mut self,
        (table, part): (&SourceTable, Part),
        begin: &str,
        fence: &Fence,
        now: &Session,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Moved, TableError> {
        self.begin_reading(table, part, begin, now).await?;
        let staging = match self.run_as_owner {
            true => Staging::of(&mut self.target, table).await,
            false => Ok(None),
        };
        let staging = staging.map_err(around("ask for the owner", table))?;
        let begin = staging
            .as_ref()
            .map_or("BEGIN", |staging| staging.begin.as_str());
        let begun = self.target.query(begin).await;
        begun.map_err(around("begin to write", table))?;
        let (send, take) = match &staging {
            Some(staging) => (copy_to(&staging.rows, part), staging.take.clone()),
            None => (copy_to(table, part), copy_from(table, &table.name)),
        };
        let copied = copy_through(&mut self.source, &send, &mut self.target, &take, progress).await;
        let copied = copied.map_err(|error| TableError::Rows {
            table: table.name.clone(),
            source: match error {
                CopyError::Source(error) => CopyError::Source(readable(error, table, now)),
                error => error,
            },
        })?;
        let ended = self.source.query("COMMIT").await;
        ended.map_err(around("end reading", table))?;
        if let Some(staging) = &staging {
            let written = self.target.query(&staging.write).await;
            written.map_err(|source| TableError::Rows {
                table: table.name.clone(),
                source: CopyError::Target(source.about_values()),
            })?;
        }
        let moved = Moved {
            row_count: copied.row_count,
            byte_count: copied.byte_count,
        };
        self.commit_if_it_counts(table, &fence.question(table.relation, part, &moved))
            .await?;
        Ok(moved)
    }

    /// Locks the table as any reader does, then looks whether it is still the one that was planned.
    async fn begin_reading(
        &mut self,
        table: &SourceTable,
        part: Part,
        begin: &str,
        now: &Session,
    ) -> Result<(), TableError> {
        // By its key a table is read in order, whatever the planner thinks of so many rows.
        let by_key = match part {
            Part::Keys { .. } => {
                "; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"
            }
            Part::Whole | Part::Blocks { .. } => "",
        };
        let name = table.name.quoted();
        let lock = format!("{begin}{by_key}; LOCK TABLE ONLY {name} IN ACCESS SHARE MODE");
        let locked = self.source.query(&lock).await;
        let locked = locked.map_err(|error| readable(error, table, now));
        locked.map_err(around("begin to read", table))?;
        let same = is_as_planned(now, table).await;
        match same.map_err(around("look whether it is still the same table", table))? {
            true => Ok(()),
            false => Err(TableError::Changed {
                table: table.name.clone(),
            }),
        }
    }

    async fn commit_if_it_counts(
        &mut self,
        table: &SourceTable,
        question: &str,
    ) -> Result<(), TableError> {
        let counts = self.target.query(question).await;
        if counts
            .map_err(around("ask whether this copy still counts", table))?
            .is_empty()
        {
            return Err(TableError::Superseded {
                table: table.name.clone(),
            });
        }
        fault::point(fault::SNAPSHOT_BEFORE_COMMIT);
        let committed = self.target.query("COMMIT").await;
        committed.map_err(|source| TableError::Commit {
            table: table.name.clone(),
            source,
        })?;
        fault::point(fault::SNAPSHOT_AFTER_COMMIT);
        Ok(())
    }

    /// Makes a table, together with the note that it is ours. One that was made before whoever did so
    /// could say it is left as it is.
    ///
    /// # Errors
    /// [`TableError::Step`], and [`TableError::Superseded`] when the attempt no longer counts.
    pub async fn make(
        &mut self,
        table: &SourceTable,
        making: &Making,
        fence: &Fence,
    ) -> Result<(), TableError> {
        let note = fence
            .store
            .made(table.relation, fence.attempt, &making.objects);
        let object = format!("table {}", table.name);
        let noted = self.target.query(&format!("BEGIN; {note}")).await;
        let noted = noted.map_err(refused(&object, &note))?;
        let Some(row) = noted.first() else {
            return Err(TableError::Superseded {
                table: table.name.clone(),
            });
        };
        let made = row.iter().flatten().any(|made| made == "t");
        for sql in making.statements.iter().filter(|_| !made) {
            let run = self.target.query(sql).await;
            run.map_err(refused(&object, sql))?;
        }
        let known = fence.store.made_as(table.relation, &table.name);
        let committed = self.target.query(&format!("{known}; COMMIT")).await;
        committed.map_err(refused(&object, "COMMIT"))?;
        fault::point(fault::SNAPSHOT_AFTER_TABLE);
        Ok(())
    }

    /// Runs one statement on the target together with what strikes it off the list.
    ///
    /// # Errors
    /// [`TableError::Step`].
    pub async fn run_step(&mut self, step: &OpenStep) -> Result<(), TableError> {
        let strike = Store::steps_done(std::slice::from_ref(step));
        self.complete(&strike, &step.object).await
    }

    /// Runs all statements that complete a table whose rows are there, or none of them, together with
    /// what strikes them off the list.
    ///
    /// # Errors
    /// [`TableError::Step`].
    pub async fn finish(&mut self, store: &Store, table: &SourceTable) -> Result<(), TableError> {
        let strike = store.finish_done(table.relation);
        self.complete(&strike, &format!("table {}", table.name))
            .await
    }

    /// Where a statement evaluates what others wrote, as the owner of its table.
    async fn run_as_its_owner(&mut self, sql: &str) -> Result<(), PgError> {
        let owner = match owner_of_evaluated(sql).filter(|_| self.run_as_owner) {
            Some(question) => self.target.owner(&question).await?,
            None => None,
        };
        let owned = owner.map(|owner| run_as_owner(owner.oid, sql));
        let run = self.target.query(owned.as_deref().unwrap_or(sql)).await;
        run.map(drop)
    }

    /// Who takes a step off the list runs it: it may have been done by a session that was cut off
    /// before it could say so.
    async fn complete(&mut self, strike: &str, object: &str) -> Result<(), TableError> {
        let struck = self.target.query(&format!("BEGIN; {strike}")).await;
        let struck = struck.map_err(refused(object, strike))?;
        for StruckStep { object, sql, .. } in StruckStep::all(struck) {
            let run = self.run_as_its_owner(&sql).await;
            run.map_err(refused(&object, &sql))?;
        }
        let committed = self.target.query("COMMIT").await;
        committed.map_err(refused(object, "COMMIT"))?;
        fault::point(fault::SNAPSHOT_AFTER_STEP);
        Ok(())
    }
}

fn refused(object: &str, statement: &str) -> impl FnOnce(PgError) -> TableError {
    let (object, statement) = (object.to_owned(), statement.to_owned());
    move |source| TableError::Step {
        object,
        statement,
        source,
    }
}

/// Adds to a refusal of the source what lets our role read the table.
fn readable(error: PgError, table: &SourceTable, now: &Session) -> PgError {
    if error.code() != Some(sqlstate::INSUFFICIENT_PRIVILEGE) {
        return error;
    }
    let (schema, role) = (
        quote_ident(&table.name.schema),
        quote_ident(now.settings().user()),
    );
    error.with_hint(format!(
        "on the source: GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT ON TABLE {} TO {role}; \
         where row security applies to it, ALTER ROLE {role} BYPASSRLS;",
        table.name.quoted()
    ))
}

/// Says what was tried around the rows of a table.
fn around(what: &'static str, table: &SourceTable) -> impl FnOnce(PgError) -> TableError {
    let table = table.name.clone();
    move |source| TableError::Around {
        what,
        table,
        source,
    }
}
