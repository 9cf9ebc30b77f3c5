//! What is compared: tables that replicate, as the two snapshots show them.

use std::collections::{BTreeMap, HashMap};

use crate::config::TableFilter;
use crate::model::{QualifiedName, RelationId, quote_ident};
use crate::postgres::{PgError, Session};
use crate::snapshot::source::select;
use crate::snapshot::{SourceTable, source_tables};

/// All columns but those that PostgreSQL computes when they are read, and those of the key.
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
       GREATEST(c.reltuples, 0)::pg_catalog.int8
FROM pg_catalog.pg_class AS c
WHERE c.oid = ANY ($1)";

const ON_TARGET: &str = "\
SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.oid, c.relkind = 'p',
       COALESCE((SELECT pg_catalog.array_agg(a.attname::pg_catalog.text)
                 FROM pg_catalog.pg_attribute AS a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                   AND a.attgenerated <> 'v'), '{}')
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
     AS w (schema_name, table_name)
JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema_name
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.table_name
WHERE c.relkind IN ('r', 'p')";

const NOT_READY: &str = "\
SELECT t.schema_name, t.table_name, t.state
FROM pgstream.snapshot_table AS t
WHERE t.slot_name = $1 AND t.state <> 'ready'";

/// What makes rows read under an older snapshot wrong when it changes: the files and the columns.
pub(super) const FINGERPRINT: &str = "\
SELECT pg_catalog.string_agg(pg_catalog.concat(c.oid, ' ', c.relfilenode, ' ', (
         SELECT pg_catalog.string_agg(
                  pg_catalog.concat(a.attnum, ' ', a.attname, ' ', a.atttypid, ' ', a.atttypmod), ','
                  ORDER BY a.attnum)
         FROM pg_catalog.pg_attribute AS a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)), ';' ORDER BY c.oid)
FROM pg_catalog.pg_class AS c
WHERE c.oid = $1 OR c.oid IN (SELECT p.relid FROM pg_catalog.pg_partition_tree($1) AS p)";

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
}

/// The tables of a run.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// The largest first.
    pub(super) candidates: Vec<Candidate>,
    /// Tables that cannot be compared now, with the reason.
    pub(super) passed_over: Vec<(QualifiedName, String)>,
    /// Tables that surely differ: the target lacks them, or columns of them.
    pub(super) lacking: Vec<(QualifiedName, String)>,
}

impl Tables {
    pub(super) fn is_empty(&self) -> bool {
        self.candidates.is_empty() && self.passed_over.is_empty() && self.lacking.is_empty()
    }
}

impl Candidate {
    pub(super) fn copy_source(&self) -> String {
        self.copy(self.source_is_root)
    }

    pub(super) fn copy_target(&self) -> String {
        self.copy(self.target_is_root)
    }

    /// Returns the statement that keeps others from changing the table while it is read.
    pub(super) fn lock(&self, root: bool) -> String {
        format!(
            "LOCK TABLE {}{} IN ACCESS SHARE MODE",
            only(root),
            self.name.quoted()
        )
    }

    pub(super) const fn roots(&self) -> (bool, bool) {
        (self.source_is_root, self.target_is_root)
    }

    fn copy(&self, root: bool) -> String {
        let columns: Vec<String> = self.columns.iter().map(|name| quote_ident(name)).collect();
        format!(
            "COPY (SELECT {} FROM {}{}) TO STDOUT",
            columns.join(", "),
            only(root),
            self.name.quoted()
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
}

/// Lists the tables, each session in its snapshot of the pair.
pub(super) async fn list(
    (source, target): (&Session, &Session),
    slot_name: &str,
    wanted: &TableFilter,
    filter: &TableFilter,
) -> Result<Tables, PgError> {
    let all = source_tables(source).await?;
    let selected = select(&all, wanted, filter).tables;
    let oids: Vec<u32> = selected.iter().map(|table| table.relation.0).collect();
    let described = source.rows(COLUMNS, &[&oids]).await?;
    let described: HashMap<u32, Described> = described.iter().map(described_row).collect();
    let on_target = on_target(target, &selected).await?;
    let not_ready = target.rows(NOT_READY, &[&slot_name]).await?;
    let not_ready: HashMap<QualifiedName, String> = not_ready
        .iter()
        .map(|row| {
            (
                QualifiedName::new(row.get::<_, &str>(0), row.get::<_, &str>(1)),
                row.get(2),
            )
        })
        .collect();
    let roots: HashMap<RelationId, &SourceTable> = selected
        .iter()
        .map(|table| (table.relation, *table))
        .collect();
    let mut tables = Tables::default();
    let mut units: BTreeMap<QualifiedName, &SourceTable> = BTreeMap::new();
    for table in selected.iter().filter(|table| !table.partitioned) {
        let unit = unit(table, &roots, &on_target);
        units.insert(unit.name.clone(), unit);
    }
    for (name, table) in units {
        if let Some(state) = not_ready.get(&name) {
            tables.passed_over.push((name, not_compared(state)));
            continue;
        }
        let Some(found) = on_target.get(&name) else {
            let reason = "the target has no such table".to_owned();
            tables.lacking.push((name, reason));
            continue;
        };
        match candidate(table, described.get(&table.relation.0), found) {
            Ok(candidate) => tables.candidates.push(candidate),
            Err(reason) => tables.lacking.push((name, reason)),
        }
    }
    tables
        .candidates
        .sort_by_key(|table| std::cmp::Reverse(table.byte_count));
    Ok(tables)
}

fn not_compared(state: &str) -> String {
    match state {
        "failed" => "its first copy failed: pgstream status tells why".to_owned(),
        _ => "its first copy is not complete".to_owned(),
    }
}

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
}

fn described_row(row: &tokio_postgres::Row) -> (u32, Described) {
    let described = Described {
        columns: row.get(1),
        key: row.get(2),
        row_estimate: row.get(3),
    };
    (row.get(0), described)
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
) -> Result<Candidate, String> {
    let Some(described) = described else {
        return Err("it was dropped on the source".to_owned());
    };
    let columns = &described.columns;
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
    })
}
