//! What is compared: tables that replicate, as the two snapshots show them.

use std::collections::{BTreeMap, HashMap};

use crate::config::TableFilter;
use crate::model::{QualifiedName, RelationId, quote_ident};
use crate::postgres::{PgError, Session};
use crate::snapshot::source::select;
use crate::snapshot::source::select::bounds;
use crate::snapshot::{KeyRange, RangeKey, SourceTable, known_tables, plan_ranges};

/// All columns but those that PostgreSQL computes when they are read, those of the key, and where the rows of the
/// tables $2 lie.
const COLUMNS: &str = "\
SELECT c.oid,
       COALESCE((SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY a.attnum)
                 FROM pg_catalog.pg_attribute AS a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                   AND a.attgenerated <> 'v'), '{}'),
       COALESCE((SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY k.place)
                 FROM pg_catalog.pg_index AS i
                 CROSS JOIN LATERAL pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k (number, place)
                 JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
                 WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts), '{}'),
       GREATEST(c.reltuples, 0)::pg_catalog.int8,
       CASE WHEN c.oid = ANY ($2) THEN (
        SELECT st.histogram_bounds::pg_catalog.text
        FROM pg_catalog.pg_index AS i
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_stats AS st
          ON st.schemaname = n.nspname AND st.tablename = c.relname AND st.attname = a.attname
         AND NOT st.inherited AND pg_catalog.abs(st.correlation) > 0.9
        WHERE i.indrelid = c.oid AND i.indisprimary AND a.atttypid IN (20, 21, 23)) END
FROM pg_catalog.pg_class AS c
WHERE c.oid = ANY ($1)";

const ON_TARGET: &str = "\
SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.oid, c.relkind = 'p',
       COALESCE((SELECT pg_catalog.array_agg(a.attname::pg_catalog.text)
                 FROM pg_catalog.pg_attribute AS a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                   AND a.attgenerated <> 'v'), '{}'),
       COALESCE((SELECT pg_catalog.array_agg(a.attname::pg_catalog.text)
                 FROM pg_catalog.pg_attribute AS a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                   AND a.attnotnull AND a.atttypid IN (20, 21, 23)), '{}')
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
     AS w (schema_name, table_name)
JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema_name
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.table_name
WHERE c.relkind IN ('r', 'p')";

const NOT_READY: &str = "\
SELECT t.schema_name, t.table_name, t.state
FROM pgstream.snapshot_table AS t
WHERE t.slot_name = $1 AND t.state <> 'ready'";

/// What makes rows read under an older snapshot wrong when it changes: the files and the columns, of each of
/// these tables and its partitions. Nothing here takes a lock on a table.
pub(super) const FINGERPRINTS: &str = "\
WITH RECURSIVE part (root, oid) AS (
  SELECT o.oid, o.oid FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS o (oid)
  UNION ALL
  SELECT p.root, i.inhrelid
  FROM part AS p
  JOIN pg_catalog.pg_inherits AS i ON i.inhparent = p.oid
  JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid AND c.relispartition)
SELECT p.root::pg_catalog.text,
       pg_catalog.string_agg(pg_catalog.concat(c.oid, ' ', c.relfilenode, ' ', (
         SELECT pg_catalog.string_agg(
                  pg_catalog.concat(a.attnum, ' ', a.attname, ' ', a.atttypid, ' ', a.atttypmod), ','
                  ORDER BY a.attnum)
         FROM pg_catalog.pg_attribute AS a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)), ';' ORDER BY c.oid)
FROM part AS p
JOIN pg_catalog.pg_class AS c ON c.oid = p.oid
GROUP BY p.root";

/// A table and its namesake.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) name: QualifiedName,
    pub(super) source: u32,
    pub(super) target: u32,
    /// Read with its partitions.
    source_is_root: bool,
    target_is_root: bool,
    pub(super) columns: Vec<String>,
    /// Places of the key's columns among them.
    pub(super) key: Vec<usize>,
    pub(super) row_estimate: u64,
    pub(super) byte_count: u64,
    /// Changes with its file and its columns.
    pub(super) fingerprint: String,
    /// Where the first column of the key is a whole number on both sides and the rows lie in its order, ranges
    /// of it; none: it is read as a whole.
    pub(super) ranges: Vec<KeyRange>,
}

/// The stream stands still while a range is brought: it has no more rows, and no more bytes.
const RANGE_ROWS: u64 = 1_000;
const RANGE_BYTES: u64 = 16 << 20;

/// A table that differs, and in which rows.
#[derive(Debug)]
pub(super) struct Differing {
    pub(super) table: Candidate,
    pub(super) keys: Vec<Vec<String>>,
}

impl Differing {
    /// Returns so many rows as take a moment to bring.
    pub(super) fn range_rows(&self) -> usize {
        let row_bytes = self.table.byte_count / self.table.row_estimate.max(1);
        let rows = (RANGE_BYTES / row_bytes.max(1)).clamp(1, RANGE_ROWS);
        usize::try_from(rows).unwrap_or(1)
    }
}

/// The tables of a run.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// The largest first.
    pub(super) candidates: Vec<Candidate>,
    /// Tables that cannot be compared, with the reason.
    pub(super) passed_over: Vec<(QualifiedName, String)>,
    /// OIDs on the source of those that are not being copied.
    pub(super) ready: Vec<u32>,
    /// Tables whose first copy is not complete.
    pub(super) copying: Vec<QualifiedName>,
    /// Tables that surely differ: the target lacks them, or columns of them.
    pub(super) lacking: Vec<(QualifiedName, String)>,
}

impl Tables {
    pub(super) fn is_empty(&self) -> bool {
        self.candidates.is_empty()
            && self.passed_over.is_empty()
            && self.copying.is_empty()
            && self.lacking.is_empty()
    }
}

impl Candidate {
    /// Returns the statements that read some of the rows of the source and of the target.
    pub(super) fn copies(&self, range: KeyRange, sample: Option<Sample>) -> (String, String) {
        let copy = |table: &str| self.copy(table, range, sample);
        (copy(&self.on_source()), copy(&self.on_target()))
    }

    /// Returns the ranges that hold the keys from one on.
    pub(super) fn ranges_from(&self, low: Option<i64>) -> Vec<KeyRange> {
        let is_left = |range: &&KeyRange| {
            range
                .high
                .is_none_or(|high| low.is_none_or(|low| high > low))
        };
        let ranges = self.ranges.iter().filter(is_left);
        ranges
            .map(|range| KeyRange {
                low: range.low.max(low),
                ..*range
            })
            .collect()
    }

    /// Returns the statement that reads the rows of the source that meet a condition.
    pub(super) fn copy_source_where(&self, filter: &str) -> String {
        format!(
            "COPY (SELECT {} FROM {}{filter}) TO STDOUT",
            self.column_list(),
            self.on_source()
        )
    }

    /// Returns the statement that reads rows of the target that meet a condition, each behind where it lies.
    pub(super) fn copy_placed_where(&self, filter: &str) -> String {
        format!(
            "COPY (SELECT tableoid::pg_catalog.oid, ctid, {} FROM {}{filter}) TO STDOUT",
            self.column_list(),
            self.on_target()
        )
    }

    /// Returns the names of the key's columns.
    pub(super) fn key_names(&self) -> Vec<&str> {
        let names = self.key.iter().filter_map(|at| self.columns.get(*at));
        names.map(String::as_str).collect()
    }

    /// Returns the target's table as statements name it.
    pub(super) fn on_target(&self) -> String {
        format!("{}{}", only(self.target_is_root), self.name.quoted())
    }

    fn column_list(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(|name| quote_ident(name)).collect();
        columns.join(", ")
    }

    /// Returns the source's table as statements name it.
    pub(super) fn on_source(&self) -> String {
        format!("{}{}", only(self.source_is_root), self.name.quoted())
    }

    fn copy(&self, table: &str, range: KeyRange, sample: Option<Sample>) -> String {
        let columns: Vec<String> = self.columns.iter().map(|name| quote_ident(name)).collect();
        let known_by: Vec<String> = match self.key.is_empty() {
            true => columns.clone(),
            false => (self.key.iter().filter_map(|at| columns.get(*at)))
                .cloned()
                .collect(),
        };
        let bound = |operator: &str, bound: Option<i64>| {
            let column = known_by.first()?;
            bound.map(|bound| {
                format!("{column} OPERATOR(pg_catalog.{operator}) '{bound}'::pg_catalog.int8")
            })
        };
        let conditions = [
            bound(">=", range.low),
            bound("<", range.high),
            sample.map(|sample| sample.condition(&known_by)),
        ];
        let conditions: Vec<String> = conditions.into_iter().flatten().collect();
        let filter = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        format!(
            "COPY (SELECT {} FROM {table}{filter}) TO STDOUT",
            columns.join(", "),
        )
    }
}

/// Returns the statement that keeps others from changing tables while they are read.
pub(super) fn lock_sql(tables: &[String]) -> String {
    format!("LOCK TABLE {} IN ACCESS SHARE MODE", tables.join(", "))
}

/// All rows.
pub(super) const WHOLE: KeyRange = KeyRange {
    low: None,
    high: None,
};

/// Some of the rows, the same ones on both sides: by the key, where there is one. Two rows of a table
/// without a key that are not equal may be taken on one side only, and are reported rightly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) percent: f64,
    pub(super) seed: u64,
}

impl Sample {
    /// MD5 of a text is the same on every server.
    fn condition(self, known_by: &[String]) -> String {
        let below = (self.percent / 100.0 * f64::from(u32::MAX)).round();
        format!(
            "('x' || pg_catalog.substr(pg_catalog.md5('{}' || ROW({})::pg_catalog.text), 1, 8))\
             ::bit(32)::pg_catalog.int8 <= {below}",
            self.seed,
            known_by.join(", ")
        )
    }
}

const fn only(root: bool) -> &'static str {
    if root { "" } else { "ONLY " }
}

struct OnTarget {
    oid: u32,
    root: bool,
    columns: Vec<String>,
    /// Those that hold a whole number in every row.
    numbers: Vec<String>,
}

/// Lists the tables, each session in its snapshot of the pair.
pub(super) async fn list(
    (source, target): (&Session, &Session),
    slot_name: &str,
    (wanted, filter): (&TableFilter, &TableFilter),
    range_bytes: u64,
) -> Result<Tables, PgError> {
    let all = known_tables(source).await?;
    let selected = select(&all, wanted, filter).tables;
    let (described, on_target, not_ready) = tokio::try_join!(
        describe(source, &selected, range_bytes),
        on_target(target, &selected),
        not_ready(target, slot_name),
    )?;
    let roots: HashMap<RelationId, &SourceTable> = selected
        .iter()
        .map(|table| (table.relation, *table))
        .collect();
    let ready = selected
        .iter()
        .filter(|table| !not_ready.contains_key(&table.name));
    let mut tables = Tables {
        ready: ready.map(|table| table.relation.0).collect(),
        ..Tables::default()
    };
    let mut units: BTreeMap<QualifiedName, &SourceTable> = BTreeMap::new();
    for table in selected.iter().filter(|table| !table.partitioned) {
        let unit = unit(table, &roots, &on_target);
        units.insert(unit.name.clone(), unit);
    }
    for (name, table) in units {
        match not_ready.get(&name).map(String::as_str) {
            Some("failed") => {
                let reason = "its first copy failed: pgstream status tells why".to_owned();
                tables.passed_over.push((name, reason));
                continue;
            }
            Some(_) => {
                tables.copying.push(name);
                continue;
            }
            None => {}
        }
        let Some(found) = on_target.get(&name) else {
            let reason = "the target has no such table".to_owned();
            tables.lacking.push((name, reason));
            continue;
        };
        match candidate(table, described.get(&table.relation.0), found, range_bytes) {
            Ok(candidate) => tables.candidates.push(candidate),
            Err(reason) => tables.lacking.push((name, reason)),
        }
    }
    tables
        .candidates
        .sort_by_key(|table| std::cmp::Reverse(table.byte_count));
    Ok(tables)
}

/// Why a table is not compared.
pub(super) const COPYING: &str = "its first copy is not complete";

/// A partition that the target lacks is compared with its partitioned table, when that is there.
fn unit<'t>(
    table: &'t SourceTable,
    roots: &HashMap<RelationId, &'t SourceTable>,
    on_target: &HashMap<QualifiedName, OnTarget>,
) -> &'t SourceTable {
    let parent = |table: &&'t SourceTable| roots.get(&table.partition_of?).copied();
    let mut line = std::iter::successors(Some(table), parent);
    line.find(|table| on_target.contains_key(&table.name))
        .unwrap_or(table)
}

struct Described {
    columns: Vec<String>,
    key: Vec<String>,
    row_estimate: i64,
    bounds: Vec<i64>,
}

fn described_row(row: &tokio_postgres::Row) -> (u32, Described) {
    let described = Described {
        columns: row.get(1),
        key: row.get(2),
        row_estimate: row.get(3),
        bounds: bounds(row.get(4)),
    };
    (row.get(0), described)
}

/// Where the rows lie is asked of tables that may be read in ranges: it takes longer than all else.
async fn describe(
    source: &Session,
    selected: &[&SourceTable],
    range_bytes: u64,
) -> Result<HashMap<u32, Described>, PgError> {
    let oids: Vec<u32> = selected.iter().map(|table| table.relation.0).collect();
    let large = selected
        .iter()
        .filter(|table| table.byte_count > range_bytes);
    let large: Vec<u32> = large.map(|table| table.relation.0).collect();
    let described = source.rows(COLUMNS, &[&oids, &large]).await?;
    Ok(described.iter().map(described_row).collect())
}

/// Returns the state of the tables whose first copy is not complete.
async fn not_ready(
    target: &Session,
    slot_name: &str,
) -> Result<HashMap<QualifiedName, String>, PgError> {
    let rows = target.rows(NOT_READY, &[&slot_name]).await?;
    let state = |row: &tokio_postgres::Row| {
        let name = QualifiedName::new(row.get::<_, &str>(0), row.get::<_, &str>(1));
        (name, row.get(2))
    };
    Ok(rows.iter().map(state).collect())
}

async fn on_target(
    target: &Session,
    selected: &[&SourceTable],
) -> Result<HashMap<QualifiedName, OnTarget>, PgError> {
    let names = selected.iter().map(|table| &table.name);
    let (schemas, tables): (Vec<&str>, Vec<&str>) =
        names.map(|name| (&*name.schema, &*name.name)).unzip();
    let rows = target.rows(ON_TARGET, &[&schemas, &tables]).await?;
    let found = rows.iter().map(|row| {
        let found = OnTarget {
            oid: row.get(2),
            root: row.get(3),
            columns: row.get(4),
            numbers: row.get(5),
        };
        (
            QualifiedName::new(row.get::<_, &str>(0), row.get::<_, &str>(1)),
            found,
        )
    });
    Ok(found.collect())
}

fn candidate(
    table: &SourceTable,
    described: Option<&Described>,
    found: &OnTarget,
    range_bytes: u64,
) -> Result<Candidate, String> {
    let Some(described) = described else {
        return Err("it was dropped on the source".to_owned());
    };
    // The key first: what a row is known by is then its beginning.
    let rest = described.columns.iter();
    let rest = rest.filter(|column| !described.key.contains(column));
    let columns: Vec<String> = described.key.iter().chain(rest).cloned().collect();
    let columns = &columns;
    let missing = columns.iter().filter(|name| !found.columns.contains(*name));
    let missing: Vec<&str> = missing.map(String::as_str).collect();
    if !missing.is_empty() {
        return Err(format!(
            "the target lacks the columns {}",
            missing.join(", ")
        ));
    }
    let place = |name: &String| columns.iter().position(|column| column == name);
    Ok(Candidate {
        name: table.name.clone(),
        source: table.relation.0,
        target: found.oid,
        source_is_root: table.partitioned,
        target_is_root: found.root,
        columns: columns.clone(),
        key: described.key.iter().filter_map(place).collect(),
        row_estimate: u64::try_from(described.row_estimate)
            .unwrap_or_default()
            .max(table.byte_count / 200),
        byte_count: table.byte_count,
        fingerprint: table.fingerprint.clone(),
        ranges: ranges(table, described, found, range_bytes),
    })
}

fn ranges(
    table: &SourceTable,
    described: &Described,
    found: &OnTarget,
    range_bytes: u64,
) -> Vec<KeyRange> {
    let column = described.key.first();
    let column = column.filter(|column| found.numbers.contains(column) && !table.partitioned);
    let ranges = column.map(|column| {
        let key = RangeKey {
            column: column.clone(),
            bounds: described.bounds.clone(),
        };
        plan_ranges(&key, table.byte_count, range_bytes)
    });
    let ranges = ranges.filter(|ranges| !ranges.is_empty());
    ranges.unwrap_or_else(|| vec![WHOLE])
}
