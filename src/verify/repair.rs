//! Makes rows of the target those of the source: a range of keys in one target transaction, handed over to
//! the stream at a position that both sides know.
//!
//! ```text
//!   the stream                 repair
//!   stands at S  <──────────── asks, takes the source's snapshot S            (as for a comparison)
//!                              BEGIN on the target; locks the checkpoint, which must be S
//!                              reads the range on both sides, writes what differs, notes it
//!   streams on   <──────────── releases
//!   confirms that nothing before S follows ──> COMMIT, else ROLLBACK and another S
//! ```
//!
//! The lock on the checkpoint is the fence: whatever the stream does meanwhile, it cannot commit anything
//! behind S before the range is there, and what it commits afterwards belongs behind S. So nothing has to
//! be remembered of ranges, and a crash at any place leaves a range as it was or repaired.

use std::collections::HashSet;
use std::pin::pin;

use futures_util::{SinkExt as _, StreamExt as _};

use bytes::Bytes;
use tracing::info;

use crate::apply::{TargetTable, came_through_slot_sql, described_table};
use crate::config::Pipeline;
use crate::fault;
use crate::model::{Classify as _, ErrorClass, Lsn, QualifiedName, quote_ident, quote_literal};
use crate::postgres::{PgError, Session, owner_of_table, run_as_owner};
use crate::schema::{Trigger, triggers};

use super::VerifyError;
use super::adopt::Adoption;
use super::changes::{Changes, Placed};
use super::compare::is_unchanged;
use super::digest::Hasher;
use super::pair::{Sessions, Standing, random};
use super::report::Repaired;
use super::session::connect;
use super::table::{Candidate, WHOLE, lock_sql};

/// A user who holds a lock for longer is not waited for: the stream stands still.
const SETTINGS: &str = "SET row_security = off; SET lock_timeout = '1s'";

const FENCE: &str = "\
SELECT c.end_lsn::pg_catalog.text FROM pgstream.checkpoint AS c WHERE c.slot_name = $1 FOR UPDATE";

const NOTE: &str = "\
INSERT INTO pgstream.repair (slot_name, schema_name, table_name, lsn, inserted, updated, deleted)
VALUES ($1, $2, $3, $4::pg_catalog.text::pg_catalog.pg_lsn, $5, $6, $7)";

const STAGE: &str = "pgstream_repair";

/// What is to be brought.
pub(super) struct Range<'r> {
    pub(super) table: &'r Candidate,
    /// Rows with these keys; none: all rows, for a table without a key.
    pub(super) keys: Option<&'r [Vec<String>]>,
    pub(super) part: Part,
}

/// Which of a range's changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    All,
    /// Rows that come or change: those of other tables may refer to them.
    Arrivals,
    /// Rows that go.
    Departures,
}

/// What came of a range.
pub(super) enum RangeEnd {
    Done(Repaired),
    /// Another position may do.
    Again(String),
    /// The target refuses the rows now; other tables' rows may have to come first.
    Refused(PgError),
}

/// Repairs ranges of a pipeline's tables.
pub(super) struct Repair<'r> {
    pub(super) pipeline: &'r Pipeline,
    pub(super) source: &'r Session,
    pub(super) slot_name: &'r str,
    /// Nobody streams.
    pub(super) adoption: Option<&'r Adoption>,
}

impl Repair<'_> {
    /// Brings a range at a position where the stream stands.
    pub(super) async fn range(&self, range: &Range<'_>) -> Result<RangeEnd, VerifyError> {
        if let Some(adoption) = self.adoption {
            return self.adopted_range(adoption, range).await;
        }
        let writer = self.writer().await?;
        let sessions = Sessions::open(self.source, &writer).await?;
        let standing = match Standing::take(&sessions, self.slot_name).await? {
            Ok(standing) => standing,
            Err(reason) => return Ok(RangeEnd::Again(reason)),
        };
        let at = At {
            lsn: standing.lsn,
            source: &sessions.source,
            now: &sessions.now,
        };
        let written = self.write(range, &at, &writer).await;
        let lsn = standing.lsn;
        fault::point(fault::VERIFY_BEFORE_REPAIR);
        let released = standing.release().await?;
        let written = match (written, released) {
            (Ok(Ok(_)), Err(reason)) => Ok(Err(reason)),
            (written, _) => written,
        };
        let end = end(&writer, written).await?;
        if let RangeEnd::Done(repaired) = &end {
            let table = &range.table.name;
            info!(target: "apply", %table, %lsn, inserted = repaired.inserted, updated = repaired.updated,
                deleted = repaired.deleted, "rows were brought from the source");
        }
        Ok(end)
    }

    /// Brings a range at the position of an adoption.
    async fn adopted_range(
        &self,
        adoption: &Adoption,
        range: &Range<'_>,
    ) -> Result<RangeEnd, VerifyError> {
        let writer = self.writer().await?;
        let open = VerifyError::of("open sessions");
        let (source, now) = tokio::try_join!(
            adoption.reader(self.pipeline),
            connect(&self.pipeline.source)
        )
        .map_err(open)?;
        let at = At {
            lsn: adoption.lsn,
            source: &source,
            now: &now,
        };
        let written = self.write(range, &at, &writer).await;
        fault::point(fault::VERIFY_BEFORE_REPAIR);
        end(&writer, written).await
    }

    /// Opens a session that writes as the stream does.
    async fn writer(&self) -> Result<Session, VerifyError> {
        let open = async {
            let writer = connect(&self.pipeline.target).await?;
            writer.run(SETTINGS).await?;
            writer
                .rows(&came_through_slot_sql(self.slot_name), &[])
                .await?;
            if self.pipeline.disable_triggers {
                writer.run("SET session_replication_role = replica").await?;
            }
            Ok(writer)
        };
        open.await
            .map_err(VerifyError::of("open a session for the repair"))
    }

    /// Writes a range into an open transaction.
    async fn write(
        &self,
        range: &Range<'_>,
        at: &At<'_>,
        writer: &Session,
    ) -> Result<Result<Repaired, String>, PgError> {
        writer.run("BEGIN; SET CONSTRAINTS ALL DEFERRED").await?;
        let found = writer.row(FENCE, &[&self.slot_name]).await?;
        let found = found.map(|row| row.get::<_, String>(0));
        let expected = self
            .adoption
            .map_or(Some(at.lsn), |adoption| adoption.found);
        if found.as_deref().and_then(|found| found.parse::<Lsn>().ok()) != expected {
            return Ok(Err("the stream went on".to_owned()));
        }
        let table = range.table;
        at.source.run(&lock_sql(&[table.on_source()])).await?;
        if !is_unchanged(at.source, at.now, table.source).await? {
            return Ok(Err("the table's definition was changed".to_owned()));
        }
        let Some(on_target) = described_table(writer, &table.name).await? else {
            return Ok(Err("the target has no such table".to_owned()));
        };
        let changes = self.changes(range, at, (writer, &on_target)).await?;
        let changes = match range.part {
            Part::All => changes,
            Part::Arrivals => changes.arrivals(),
            Part::Departures => changes.departures(),
        };
        let repaired = changes.counts();
        if !changes.is_empty() {
            let silent = self.pipeline.disable_triggers;
            let quiet = shared_triggers((at.now, writer), &table.name, silent).await?;
            let work = Work {
                writer,
                table,
                on_target: &on_target,
                run_as_owner: self.pipeline.run_as_owner,
            };
            work.apply(changes, &quiet).await?;
            let (schema, name) = (&*table.name.schema, &*table.name.name);
            let counts = [repaired.inserted, repaired.updated, repaired.deleted];
            let [inserted, updated, deleted] =
                counts.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
            let lsn = at.lsn.to_string();
            writer
                .change(
                    NOTE,
                    &[
                        &self.slot_name,
                        &schema,
                        &name,
                        &lsn,
                        &inserted,
                        &updated,
                        &deleted,
                    ],
                )
                .await?;
        }
        Ok(Ok(repaired))
    }

    /// Reads the range on both sides.
    async fn changes(
        &self,
        range: &Range<'_>,
        at: &At<'_>,
        (writer, on_target): (&Session, &TargetTable),
    ) -> Result<Changes, PgError> {
        let table = range.table;
        let (source_filter, target_filter) = match range.keys {
            Some(keys) => {
                let Some(on_source) = described_table(at.now, &table.name).await? else {
                    return Ok(Changes::default());
                };
                let names = table.key_names();
                (
                    key_filter(&on_source, &names, keys),
                    key_filter(on_target, &names, keys),
                )
            }
            None => Default::default(),
        };
        let (mut source, mut target) = (Vec::new(), Vec::new());
        let wanted = match range.keys {
            Some(_) => None,
            None => Some(Buckets::differing((at.source, writer), table).await?),
        };
        let is_wanted = |row: &[u8]| wanted.as_ref().is_none_or(|wanted| wanted.have(row));
        let (from_source, from_target) = (
            table.copy_source_where(&source_filter),
            table.copy_placed_where(&target_filter),
        );
        read(at.source, &from_source, |row| {
            if is_wanted(row) {
                source.push(row.to_vec());
            }
        })
        .await?;
        read(writer, &from_target, |row| {
            target.extend(Placed::read(row).filter(|placed| is_wanted(&placed.text)));
        })
        .await?;
        let changes = Changes::between(source, target, &table.key);
        let updates_refused = on_target
            .columns
            .iter()
            .any(|column| column.identity_always);
        Ok(match updates_refused {
            true => changes.without_updates(),
            false => changes,
        })
    }
}

/// Where the source is read.
struct At<'a> {
    lsn: Lsn,
    /// In its snapshot.
    source: &'a Session,
    /// Sees what is committed now.
    now: &'a Session,
}

/// The rows of a table without a key are compared once more, where the stream stands.
struct Buckets {
    hasher: Hasher,
    differing: HashSet<usize>,
}

impl Buckets {
    async fn differing(
        (source, target): (&Session, &Session),
        table: &Candidate,
    ) -> Result<Self, PgError> {
        let hasher = Hasher::new(random(), table.row_estimate, 0);
        let (mut on_source, mut on_target) = (hasher.digest(), hasher.digest());
        let (from_source, from_target) = table.copies(WHOLE, None);
        tokio::try_join!(
            read(source, &from_source, |row| on_source.add(row)),
            read(target, &from_target, |row| on_target.add(row)),
        )?;
        Ok(Self {
            hasher,
            differing: on_source.differing(&on_target).into_iter().collect(),
        })
    }

    fn have(&self, row: &[u8]) -> bool {
        self.differing.contains(&self.hasher.bucket(row))
    }
}

/// Reads a COPY to its end.
async fn read(session: &Session, copy: &str, mut add: impl FnMut(&[u8])) -> Result<(), PgError> {
    let failed = |error| session.error(copy, error);
    let rows = session.copy_out(copy).await.map_err(failed)?;
    let mut rows = pin!(rows);
    while let Some(row) = rows.next().await {
        add(&row.map_err(failed)?);
    }
    Ok(())
}

/// A condition that rows with these keys meet, in the words of one side.
fn key_filter(table: &TargetTable, names: &[&str], keys: &[Vec<String>]) -> String {
    let column = |name: &str| table.columns.iter().find(|column| &*column.name == name);
    let equal = |name: &str, value: &String| {
        let column = column(name);
        let equals = column.and_then(|column| column.equals.as_deref());
        format!(
            "t.{} {} {}::{}",
            quote_ident(name),
            equals.unwrap_or("OPERATOR(pg_catalog.=)"),
            quote_literal(value),
            column.map_or("pg_catalog.text", |column| column.bare_type())
        )
    };
    let rows = keys.iter().map(|key| {
        let parts: Vec<String> = names
            .iter()
            .zip(key)
            .map(|(name, value)| equal(name, value))
            .collect();
        format!("({})", parts.join(" AND "))
    });
    let rows: Vec<String> = rows.collect();
    format!(" AS t WHERE {}", rows.join(" OR "))
}

/// The target's triggers of a table that fire for what we write and that the source has, too: what they did
/// there comes with the rows.
async fn shared_triggers(
    (source, target): (&Session, &Session),
    table: &QualifiedName,
    silent: bool,
) -> Result<Vec<Trigger>, PgError> {
    let on_source = triggers(source).await?;
    let on_target = triggers(target).await?;
    let shared = on_target.into_iter().filter(|trigger| {
        trigger.table == *table && trigger.fires(silent) && trigger.is_among(&on_source)
    });
    Ok(shared.collect())
}

/// Writes changes to one table.
struct Work<'a> {
    writer: &'a Session,
    table: &'a Candidate,
    on_target: &'a TargetTable,
    run_as_owner: bool,
}

impl Work<'_> {
    async fn apply(&self, changes: Changes, quiet: &[Trigger]) -> Result<(), PgError> {
        for trigger in quiet {
            self.writer.run(&switch(trigger, "DISABLE")).await?;
        }
        self.stage(&changes).await?;
        let owner = match self.run_as_owner {
            true => self.writer.owner(&owner_of_table(&self.table.name)).await?,
            false => None,
        };
        if let Some(owner) = &owner {
            let role = quote_ident(&owner.name);
            let grant = format!("GRANT SELECT ON pg_temp.{STAGE} TO {role}");
            self.writer.run(&grant).await?;
        }
        for statement in self.statements(&changes) {
            let statement = match &owner {
                Some(owner) => run_as_owner(owner.oid, &statement),
                None => statement,
            };
            let done = self.writer.run(&statement).await;
            done.map_err(PgError::about_values)?;
        }
        for trigger in quiet {
            self.writer.run(&switch(trigger, trigger.enable())).await?;
        }
        Ok(())
    }

    async fn stage(&self, changes: &Changes) -> Result<(), PgError> {
        let columns = 0..self.table.columns.len();
        let columns: Vec<String> = columns
            .map(|at| format!(", c{at} pg_catalog.text"))
            .collect();
        let create = format!(
            "CREATE TEMPORARY TABLE {STAGE} (kind pg_catalog.text, part pg_catalog.oid, \
             place pg_catalog.tid{}) ON COMMIT DROP",
            columns.concat()
        );
        self.writer.run(&create).await?;
        let copy = format!("COPY pg_temp.{STAGE} FROM STDIN");
        let failed = |error| self.writer.error(&copy, error);
        let sink = self
            .writer
            .copy_in::<_, Bytes>(&copy)
            .await
            .map_err(failed)?;
        let mut sink = pin!(sink);
        let rows = Bytes::from(changes.staged(self.table.columns.len()));
        sink.send(rows).await.map_err(failed)?;
        sink.finish().await.map_err(failed)?;
        Ok(())
    }

    /// What goes, goes first: it may have what comes.
    fn statements(&self, changes: &Changes) -> Vec<String> {
        let target = self.table.on_target();
        let of = |name: &String| {
            let mut columns = self.on_target.columns.iter();
            columns.find(|column| *column.name == **name && !column.generated)
        };
        let written: Vec<(String, String)> = (self.table.columns.iter().enumerate())
            .filter_map(|(at, name)| Some((at, of(name)?)))
            .map(|(at, column)| {
                (
                    quote_ident(&column.name),
                    format!("s.c{at}::{}", column.type_name),
                )
            })
            .collect();
        let (names, values): (Vec<String>, Vec<String>) = written.into_iter().unzip();
        let (names, values) = (names.join(", "), values.join(", "));
        let places = |placed: &mut dyn Iterator<Item = &Placed>| {
            let places: Vec<String> = placed.map(|row| format!("\"{}\"", row.place)).collect();
            format!(
                "t.ctid = ANY ('{{{}}}'::pg_catalog.tid[])",
                places.join(",")
            )
        };
        let there = "t.tableoid = s.part AND t.ctid = s.place";
        let mut statements = Vec::new();
        if !changes.deleted.is_empty() {
            let places = places(&mut changes.deleted.iter());
            statements.push(format!(
                "DELETE FROM {target} AS t USING pg_temp.{STAGE} AS s \
                 WHERE s.kind = 'd' AND {places} AND {there}"
            ));
        }
        if !changes.updated.is_empty() {
            let places = places(&mut changes.updated.iter().map(|(placed, _)| placed));
            statements.push(format!(
                "UPDATE {target} AS t SET ({names}) = ROW({values}) FROM pg_temp.{STAGE} AS s \
                 WHERE s.kind = 'u' AND {places} AND {there}"
            ));
        }
        if !changes.inserted.is_empty() {
            statements.push(format!(
                "INSERT INTO {} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} \
                 FROM pg_temp.{STAGE} AS s WHERE s.kind = 'i'",
                self.table.name.quoted()
            ));
        }
        statements
    }
}

fn switch(trigger: &Trigger, how: &str) -> String {
    format!(
        "ALTER TABLE {} {how} TRIGGER {}",
        trigger.table.quoted(),
        quote_ident(&trigger.name)
    )
}

/// Commits what was written, or takes it back.
async fn end(
    writer: &Session,
    written: Result<Result<Repaired, String>, PgError>,
) -> Result<RangeEnd, VerifyError> {
    if !matches!(written, Ok(Ok(_))) {
        // A session that is lost has nothing to roll back.
        drop(writer.run("ROLLBACK").await);
    }
    match written {
        Ok(Ok(repaired)) => {
            let committed = writer.run("COMMIT").await;
            fault::point(fault::VERIFY_AFTER_REPAIR);
            committed.map_or_else(end_of, |()| Ok(RangeEnd::Done(repaired)))
        }
        Ok(Err(reason)) => Ok(RangeEnd::Again(reason)),
        Err(error) => end_of(error),
    }
}

/// Whether another position may do, or other rows must come first.
fn end_of(error: PgError) -> Result<RangeEnd, VerifyError> {
    match error.class() {
        ErrorClass::Transient => Ok(RangeEnd::Again(error.to_string())),
        ErrorClass::Data => Ok(RangeEnd::Refused(error)),
        ErrorClass::Operator | ErrorClass::Usage | ErrorClass::Bug => {
            Err(VerifyError::of("bring rows from the source")(error))
        }
    }
}
