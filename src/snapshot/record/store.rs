//! How far each table is, and which statements it still needs: rows on the target, written in the
//! transactions that they speak of.
//!
//! The rows of one part, one statement of a table's completion, one step of the stream: each
//! commits together with what is remembered of it. After a crash the next start knows exactly what
//! is there.

use serde_json::Value;
use tokio_postgres::types::ToSql;

use crate::model::{Lsn, QualifiedName, RelationId, do_block, quote_literal};
use crate::postgres::{PgError, Session};
use crate::snapshot::{KeyRange, Moved};
use crate::status::CopyState;

/// A table as it is remembered.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTable {
    /// Its OID on the source.
    pub relation: RelationId,
    /// Its name when it was last copied, or chosen to be.
    pub name: QualifiedName,
    /// How far it is.
    pub state: CopyState,
    /// How often it was begun.
    pub attempt: i32,
    /// The position of the source that its rows are as of.
    pub lsn: Option<Lsn>,
    /// What was made on the target for it, as JSON.
    pub objects: Option<String>,
    /// The OID on the target of the table that we made; its name may be another's by now.
    pub target: Option<u32>,
    /// Of the table's file and columns when it was last begun.
    pub fingerprint: Option<String>,
    /// It replicates since a new name, schema or partitioned table brought it past the filter: no list chose it.
    pub entered: bool,
    /// The column by ranges of which it is copied.
    pub range_key: Option<String>,
    /// Rows copied.
    pub row_count: u64,
    /// Bytes copied.
    pub byte_count: u64,
    /// Bytes to copy, estimated.
    pub bytes_expected: u64,
    /// Why it failed, as JSON; of one with all its rows, what it lacks.
    pub failure: Option<String>,
    /// It is unlogged: the stream brings none of its changes.
    pub unlogged: bool,
}

impl StoredTable {
    /// Returns whether we made the table on the target. It may be begun, and its sequences made, before.
    #[must_use]
    pub fn is_made(&self) -> bool {
        let objects = self.objects.as_deref().map(serde_json::from_str::<Value>);
        let objects = objects.and_then(Result::ok);
        objects.is_some_and(|objects| {
            let mut objects = objects.as_array().into_iter().flatten();
            objects.any(|object| object["kind"] == "table")
        })
    }
}

/// A range of a table's keys as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPart {
    pub relation: RelationId,
    /// The range's number.
    pub number: i32,
    pub range: KeyRange,
    /// The position of the source that its rows are as of; none: they are not there.
    pub lsn: Option<Lsn>,
    /// Rows copied.
    pub row_count: u64,
    /// Bytes copied.
    pub byte_count: u64,
}

/// The records of one slot.
#[derive(Debug, Clone)]
pub struct Store {
    slot_name: String,
}

const LOAD: &str = "\
SELECT relation, schema_name, table_name, state, attempt, lsn::pg_catalog.text,
       objects::pg_catalog.text, row_count, byte_count, bytes_expected, failure::pg_catalog.text,
       fingerprint, range_key, target, entered,
       COALESCE(objects OPERATOR(pg_catalog.@>) '[{\"kind\": \"table\", \"after\": {\"persistence\": \"u\"}}]', false)
FROM pgstream.snapshot_table
WHERE slot_name = $1
ORDER BY bytes_expected DESC, relation";

const CHOOSE: &str = "\
INSERT INTO pgstream.snapshot_table
  (slot_name, relation, schema_name, table_name, state, bytes_expected)
SELECT $1, t.relation, t.schema_name, t.table_name, 'waiting', t.bytes_expected
FROM ROWS FROM (
  pg_catalog.unnest($2::pg_catalog.oid[]), pg_catalog.unnest($3::pg_catalog.text[]),
  pg_catalog.unnest($4::pg_catalog.text[]), pg_catalog.unnest($5::pg_catalog.int8[])
) AS t (relation, schema_name, table_name, bytes_expected)
ON CONFLICT DO NOTHING";

const WAIT: &str = "\
UPDATE pgstream.snapshot_table
SET state = 'waiting', lsn = NULL, row_count = 0, byte_count = 0, failure = NULL, updated_at = pg_catalog.now()
WHERE slot_name = $1 AND relation = ANY ($2)";

const FORGET_PARTS: &str =
    "DELETE FROM pgstream.snapshot_part WHERE slot_name = $1 AND relation = ANY ($2)";

const PARTS: &str = "\
SELECT relation, part, low, high, lsn::pg_catalog.text, row_count, byte_count
FROM pgstream.snapshot_part WHERE slot_name = $1 ORDER BY relation, part";

const PLAN_PARTS: &str = "\
INSERT INTO pgstream.snapshot_part (slot_name, relation, part, low, high)
SELECT $1, $2, p.part, p.low, p.high
FROM ROWS FROM (pg_catalog.unnest($3::pg_catalog.int8[]), pg_catalog.unnest($4::pg_catalog.int8[]))
  WITH ORDINALITY AS p (low, high, part)";

const FREE: &str = include_str!("../../../assets/sql/target/free_copies.sql");

const FORGET: &str =
    "DELETE FROM pgstream.snapshot_table WHERE slot_name = $1 AND relation = ANY ($2)";

const CLAIMED: &str = "\
SELECT t.relation
FROM pgstream.snapshot_table AS t
WHERE t.slot_name = $1 AND EXISTS (
  SELECT FROM pgstream.snapshot_table AS o
  WHERE o.slot_name <> t.slot_name
    AND o.schema_name = t.schema_name AND o.table_name = t.table_name)";

const BEGIN_COPIES: &str = "\
UPDATE pgstream.snapshot_table AS t
SET state = 'copying', attempt = t.attempt + 1, lsn = $2::pg_catalog.text::pg_catalog.pg_lsn,
    schema_name = m.schema_name, table_name = m.table_name,
    objects = m.objects::pg_catalog.jsonb, bytes_expected = m.bytes_expected,
    target = pg_catalog.to_regclass(pg_catalog.format('%I.%I', m.schema_name, m.table_name)),
    fingerprint = m.fingerprint, range_key = m.range_key,
    row_count = 0, byte_count = 0, failure = NULL, updated_at = pg_catalog.now()
FROM ROWS FROM (
  pg_catalog.unnest($3::pg_catalog.oid[]), pg_catalog.unnest($4::pg_catalog.text[]),
  pg_catalog.unnest($5::pg_catalog.text[]), pg_catalog.unnest($6::pg_catalog.text[]),
  pg_catalog.unnest($7::pg_catalog.int8[]), pg_catalog.unnest($8::pg_catalog.text[]),
  pg_catalog.unnest($9::pg_catalog.text[])
) AS m (relation, schema_name, table_name, objects, bytes_expected, fingerprint, range_key)
WHERE t.slot_name = $1 AND t.relation = m.relation";

const INDEXED: &str = "\
UPDATE pgstream.snapshot_table SET state = 'catching_up', updated_at = pg_catalog.now()
WHERE slot_name = $1 AND relation = ANY ($2) AND state = 'indexing'";

const FAILED: &str = "\
UPDATE pgstream.snapshot_table
SET state = 'failed', lsn = NULL, failure = $3::pg_catalog.text::pg_catalog.jsonb, updated_at = pg_catalog.now()
WHERE slot_name = $1 AND relation = $2";

const LACKS: &str = "\
UPDATE pgstream.snapshot_table SET failure = $3::pg_catalog.text::pg_catalog.jsonb
WHERE slot_name = $1 AND relation = $2";

const LACK_NOTHING: &str = "\
UPDATE pgstream.snapshot_table AS t SET failure = NULL
WHERE t.slot_name = $1 AND t.state = 'ready' AND t.failure IS NOT NULL AND NOT EXISTS (
  SELECT FROM pgstream.snapshot_step AS s WHERE s.slot_name = t.slot_name AND s.relation = t.relation)";

impl Store {
    /// Returns the records of this slot. The tables are there: whoever opens the target makes them.
    #[must_use]
    pub const fn new(slot_name: String) -> Self {
        Self { slot_name }
    }

    /// Returns the slot's name.
    #[must_use]
    pub fn slot_name(&self) -> &str {
        &self.slot_name
    }

    /// Returns all tables, the largest first.
    ///
    /// # Errors
    /// By SQLSTATE, as all methods here.
    pub async fn load(&self, session: &Session) -> Result<Vec<StoredTable>, PgError> {
        let rows = session.rows(LOAD, &[&self.slot_name]).await?;
        let size = |bytes: i64| u64::try_from(bytes).unwrap_or_default();
        let table = |row: &tokio_postgres::Row| StoredTable {
            relation: RelationId(row.get(0)),
            name: QualifiedName::new(row.get::<_, &str>(1), row.get::<_, &str>(2)),
            state: row.get::<_, &str>(3).parse().unwrap_or_default(),
            attempt: row.get(4),
            lsn: row
                .get::<_, Option<&str>>(5)
                .and_then(|lsn| lsn.parse().ok()),
            objects: row.get(6),
            row_count: size(row.get(7)),
            byte_count: size(row.get(8)),
            bytes_expected: size(row.get(9)),
            failure: row.get(10),
            fingerprint: row.get(11),
            range_key: row.get(12),
            target: row.get(13),
            entered: row.get(14),
            unlogged: row.get(15),
        };
        Ok(rows.iter().map(table).collect())
    }

    /// Adds tables that are to be copied.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn choose(
        &self,
        session: &Session,
        tables: &[&crate::snapshot::SourceTable],
    ) -> Result<(), PgError> {
        let relations: Vec<u32> = tables.iter().map(|table| table.relation.0).collect();
        let schemas: Vec<&str> = tables.iter().map(|table| &*table.name.schema).collect();
        let names: Vec<&str> = tables.iter().map(|table| &*table.name.name).collect();
        let sizes: Vec<i64> = tables
            .iter()
            .map(|table| signed(table.byte_count))
            .collect();
        let parameters: &[&(dyn ToSql + Sync)] =
            &[&self.slot_name, &relations, &schemas, &names, &sizes];
        session.change(CHOOSE, parameters).await.map(drop)
    }

    /// Takes foreign keys away that join tables which are left out of the stream with others: what the
    /// stream brings to the others would be refused. They are on the list again, for when both are ready.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn free(&self, session: &Session) -> Result<(), PgError> {
        let slot = quote_literal(&self.slot_name);
        let block = FREE.replace("$slot", slot.trim_start());
        session.run(&do_block(&block)).await
    }

    /// Lets tables wait for another copy from their beginning and returns how many do.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn wait(&self, session: &Session, tables: &[RelationId]) -> Result<u64, PgError> {
        self.forget_ranges(session, tables).await?;
        self.wait_to_resume(session, tables).await
    }

    /// Lets tables wait to be copied on, from what is there of them.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn wait_to_resume(
        &self,
        session: &Session,
        tables: &[RelationId],
    ) -> Result<u64, PgError> {
        session
            .change(WAIT, &[&self.slot_name, &oids(tables)])
            .await
    }

    /// Returns those of our tables that another slot's pipeline has copied, too: what stands on the
    /// target under their names is its.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn claimed_elsewhere(&self, session: &Session) -> Result<Vec<RelationId>, PgError> {
        let rows = session.rows(CLAIMED, &[&self.slot_name]).await?;
        Ok(rows.iter().map(|row| RelationId(row.get(0))).collect())
    }

    /// Forgets tables, which the source no longer has or the settings no longer select.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn forget(&self, session: &Session, tables: &[RelationId]) -> Result<(), PgError> {
        let oids = oids(tables);
        let wakes = session
            .rows(WAKE_TRIGGERS, &[&self.slot_name, &oids])
            .await?;
        for wake in wakes {
            session.run(wake.get(0)).await?;
        }
        session
            .change(FORGET_STEPS, &[&self.slot_name, &oids])
            .await?;
        self.forget_ranges(session, tables).await?;
        session
            .change(FORGET, &[&self.slot_name, &oids])
            .await
            .map(drop)
    }

    /// Returns the ranges of all tables that are copied by ranges.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn parts(&self, session: &Session) -> Result<Vec<StoredPart>, PgError> {
        let rows = session.rows(PARTS, &[&self.slot_name]).await?;
        let size = |bytes: i64| u64::try_from(bytes).unwrap_or_default();
        let part = |row: &tokio_postgres::Row| StoredPart {
            relation: RelationId(row.get(0)),
            number: row.get(1),
            range: KeyRange {
                low: row.get(2),
                high: row.get(3),
            },
            lsn: row
                .get::<_, Option<&str>>(4)
                .and_then(|lsn| lsn.parse().ok()),
            row_count: size(row.get(5)),
            byte_count: size(row.get(6)),
        };
        Ok(rows.iter().map(part).collect())
    }

    /// Writes down the ranges of a table that has none.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn plan_ranges(
        &self,
        session: &Session,
        table: RelationId,
        ranges: &[KeyRange],
    ) -> Result<(), PgError> {
        let low: Vec<_> = ranges.iter().map(|range| range.low).collect();
        let high: Vec<_> = ranges.iter().map(|range| range.high).collect();
        session
            .change(PLAN_PARTS, &[&self.slot_name, &table.0, &low, &high])
            .await
            .map(drop)
    }

    /// Forgets the ranges of tables.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn forget_ranges(
        &self,
        session: &Session,
        tables: &[RelationId],
    ) -> Result<(), PgError> {
        session
            .change(FORGET_PARTS, &[&self.slot_name, &oids(tables)])
            .await
            .map(drop)
    }

    /// Notes that what the JSON beside each table describes was made, and that their rows of `lsn` are on
    /// their way. They begin anew.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn begin_copies(
        &self,
        session: &Session,
        made: &[(&crate::snapshot::SourceTable, &str)],
        lsn: Option<Lsn>,
    ) -> Result<(), PgError> {
        fn column<'a, T>(
            made: &'a [(&crate::snapshot::SourceTable, &str)],
            of: impl Fn(&'a crate::snapshot::SourceTable) -> T,
        ) -> Vec<T> {
            made.iter().map(|(table, _)| of(table)).collect()
        }
        let objects: Vec<&str> = made.iter().map(|(_, objects)| *objects).collect();
        let key = |table: &'_ crate::snapshot::SourceTable| {
            table.key.as_ref().map(|key| key.column.clone())
        };
        let parameters: [&(dyn ToSql + Sync); 9] = [
            &self.slot_name,
            &lsn.map(|lsn| lsn.to_string()),
            &column(made, |table| table.relation.0),
            &column(made, |table| &*table.name.schema),
            &column(made, |table| &*table.name.name),
            &objects,
            &column(made, |table| signed(table.byte_count)),
            &column(made, |table| &*table.fingerprint),
            &column(made, key),
        ];
        session.change(BEGIN_COPIES, &parameters).await.map(drop)
    }

    /// Notes that tables are complete as of their position.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn indexed(&self, session: &Session, tables: &[RelationId]) -> Result<(), PgError> {
        session
            .change(INDEXED, &[&self.slot_name, &oids(tables)])
            .await
            .map(drop)
    }

    /// Notes why a table could not be copied.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn failed(
        &self,
        session: &Session,
        table: RelationId,
        failure: &str,
    ) -> Result<(), PgError> {
        session
            .change(FAILED, &[&self.slot_name, &table.0, &failure])
            .await
            .map(drop)
    }

    /// Notes what a table with all its rows still lacks, and why.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn lacks(
        &self,
        session: &Session,
        table: RelationId,
        failure: &str,
    ) -> Result<(), PgError> {
        let parameters: [&(dyn ToSql + Sync); 3] = [&self.slot_name, &table.0, &failure];
        session.change(LACKS, &parameters).await.map(drop)
    }

    /// Forgets what tables lacked that have it by now.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn lack_nothing(&self, session: &Session) -> Result<(), PgError> {
        session
            .change(LACK_NOTHING, &[&self.slot_name])
            .await
            .map(drop)
    }

    /// Returns the statement that moves the tables which follow the stream to `to`, for the
    /// transaction that brings them there; with `settled` they are then as the stream has them.
    #[must_use]
    pub fn advance(&self, to: Lsn, settled: bool) -> String {
        let state = if settled { "'ready'" } else { "state" };
        let slot = quote_literal(&self.slot_name);
        let parts = "pgstream.snapshot_part AS p";
        let theirs = "p.slot_name = t.slot_name AND p.relation = t.relation";
        let follow = if settled {
            format!(
                "DELETE FROM {parts} USING pgstream.snapshot_table AS t \
                 WHERE {theirs} AND t.slot_name = {slot} AND t.state = 'catching_up'"
            )
        } else {
            format!(
                "UPDATE {parts} SET lsn = GREATEST(p.lsn, '{to}'::pg_catalog.pg_lsn) \
                 FROM pgstream.snapshot_table AS t \
                 WHERE {theirs} AND t.slot_name = {slot} AND t.state = 'catching_up'"
            )
        };
        format!(
            "{follow}; UPDATE pgstream.snapshot_table \
             SET lsn = GREATEST(lsn, '{to}'::pg_catalog.pg_lsn), state = {state}, \
             updated_at = pg_catalog.now() WHERE slot_name = {slot} AND state = 'catching_up'"
        )
    }

    /// Returns the statement that gives a table the name that it has from now on, for the transaction
    /// that renames it on the target.
    #[must_use]
    pub fn rename(&self, table: RelationId, name: &QualifiedName) -> String {
        format!(
            "UPDATE pgstream.snapshot_table SET schema_name = {}, table_name = {} \
             WHERE slot_name = {} AND relation = {}",
            quote_literal(&name.schema),
            quote_literal(&name.name),
            quote_literal(&self.slot_name),
            table.0
        )
    }

    /// Returns the statement that forgets a table that was copied and is gone. Those that are being copied are
    /// the copier's to forget.
    #[must_use]
    pub fn forget_ready(&self, table: RelationId) -> String {
        format!(
            "DELETE FROM pgstream.snapshot_table WHERE slot_name = {} AND relation = {} AND state = 'ready'",
            quote_literal(&self.slot_name),
            table.0
        )
    }

    /// Returns the question whether an attempt to copy a table still counts: one row, or none. To be
    /// asked at the end of a part, when its rows' lock makes whoever empties the table wait.
    #[must_use]
    pub fn fence(&self, table: RelationId, attempt: i32) -> String {
        format!(
            "SELECT attempt FROM pgstream.snapshot_table WHERE slot_name = {} AND relation = {} \
             AND attempt = {attempt} AND state = 'copying'",
            quote_literal(&self.slot_name),
            table.0
        )
    }

    /// Returns the statement that notes that a table was made as `objects` describes it, for the transaction
    /// that makes it: one row, which says whether it was made already, or none when the attempt no longer
    /// counts.
    #[must_use]
    pub fn made(&self, table: RelationId, attempt: i32, objects: &str) -> String {
        let objects = format!("{}::pg_catalog.jsonb", quote_literal(objects));
        format!(
            "WITH was AS (SELECT slot_name, relation, objects OPERATOR(pg_catalog.=) {objects} AS made \
             FROM pgstream.snapshot_table WHERE slot_name = {} AND relation = {} \
             AND attempt = {attempt} AND state = 'copying' FOR UPDATE) \
             UPDATE pgstream.snapshot_table AS t SET objects = {objects} FROM was \
             WHERE t.slot_name = was.slot_name AND t.relation = was.relation RETURNING was.made",
            quote_literal(&self.slot_name),
            table.0
        )
    }

    /// Returns the statement that notes which table of the target was made, behind what makes it.
    #[must_use]
    pub fn made_as(&self, table: RelationId, name: &QualifiedName) -> String {
        format!(
            "UPDATE pgstream.snapshot_table SET target = {}::pg_catalog.regclass \
             WHERE slot_name = {} AND relation = {}",
            quote_literal(&name.quoted()),
            quote_literal(&self.slot_name),
            table.0
        )
    }

    /// Returns the statement that notes that all rows of a table are there, for the transaction of the last
    /// of them or behind it: one row, or none when the attempt no longer counts.
    #[must_use]
    pub fn rows_done(&self, (table, attempt): (RelationId, i32), moved: &Moved) -> String {
        let Moved {
            row_count,
            byte_count,
        } = moved;
        format!(
            "UPDATE pgstream.snapshot_table SET state = 'indexing', row_count = {row_count}, \
             byte_count = {byte_count}, bytes_expected = {byte_count}, updated_at = pg_catalog.now() \
             WHERE slot_name = {} AND relation = {} AND attempt = {attempt} AND state = 'copying' \
             RETURNING attempt",
            quote_literal(&self.slot_name),
            table.0
        )
    }

    /// Returns the statement that notes the rows of a range, in their own transaction: one row, or none
    /// when the attempt no longer counts.
    #[must_use]
    pub fn range_done(
        &self,
        (table, attempt): (RelationId, i32),
        number: i32,
        lsn: Option<Lsn>,
        moved: &Moved,
    ) -> String {
        let lsn = lsn.unwrap_or_default();
        let Moved {
            row_count,
            byte_count,
        } = moved;
        format!(
            "WITH counts AS ({}) UPDATE pgstream.snapshot_part \
             SET lsn = '{lsn}', row_count = {row_count}, byte_count = {byte_count} FROM counts \
             WHERE slot_name = {} AND relation = {} AND part = {number} RETURNING part",
            self.fence(table, attempt),
            quote_literal(&self.slot_name),
            table.0
        )
    }
}

pub(crate) fn oids(tables: &[RelationId]) -> Vec<u32> {
    tables.iter().map(|table| table.0).collect()
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) const FORGET_STEPS: &str = "\
DELETE FROM pgstream.snapshot_step
WHERE slot_name = $1 AND (relation = ANY ($2) OR referenced = ANY ($2))";

/// Runs the statements that let triggers fire again, before they are forgotten.
pub(crate) const WAKE_TRIGGERS: &str = "\
SELECT statement FROM pgstream.snapshot_step
WHERE slot_name = $1 AND relation = ANY ($2) AND stage = 'trigger' ORDER BY ordinal";
