//! Which tables are copied: those of the source that the patterns cover.

use std::collections::{BTreeSet, HashMap};

use crate::config::{TableFilter, TablePattern};
use crate::model::{QualifiedName, RelationId};
use crate::postgres::{PgError, Session};

const TABLES: &str = concat!(
    include_str!("../../../assets/sql/source/snapshot/tables.sql"),
    include_str!("../../../assets/sql/source/snapshot/which_tables.sql")
);

const COLUMNS: &str = "relation, schema_name, table_name, partitioned, partition_of, fingerprint, \
                       columns, binary_format, key, bounds, types, unlogged";

/// So many near names help; more hide the right one.
const NEAR_MAX: usize = 3;

/// A table of the source, as one snapshot shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceTable {
    /// Its OID.
    pub relation: RelationId,
    pub name: QualifiedName,
    /// Partitioned: its rows are its partitions'.
    pub partitioned: bool,
    /// Unlogged: its rows come with a copy, and never with the stream.
    pub unlogged: bool,
    /// The partitioned table that it is a partition of.
    pub partition_of: Option<RelationId>,
    /// Size on disk, TOAST included.
    pub byte_count: u64,
    /// Blocks of the table itself.
    pub block_count: u64,
    /// Changes with its file and its columns; a column more makes it longer.
    pub fingerprint: String,
    /// The columns that have values of their own: not the generated ones.
    pub columns: Vec<String>,
    /// Whether all of them mean the same in binary on every server.
    pub binary_format: bool,
    /// The one key by ranges of which the table can be read.
    pub key: Option<RangeKey>,
    /// The types of users (OIDs on the source) that its columns are made of.
    pub types: Vec<u32>,
}

/// A whole number as the only key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeKey {
    pub column: String,
    /// Values between which there are about as many rows each, as the statistics have them; none where
    /// the rows do not lie in the key's order.
    pub bounds: Vec<i64>,
}

impl SourceTable {
    /// A table without columns to name is read with all that it has.
    fn is_still(&self, fingerprint: &str) -> bool {
        match self.columns.is_empty() {
            true => fingerprint == self.fingerprint,
            false => fingerprint.starts_with(&self.fingerprint),
        }
    }
}

/// What the patterns select, and which of them select nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection<'t> {
    /// The tables that are to be copied.
    pub tables: Vec<&'t SourceTable>,
    /// Slips of the hand, or tables that are gone.
    pub idle: Vec<Idle>,
}

/// A pattern that selects nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idle {
    pub pattern: String,
    pub cause: IdleCause,
    /// Names like it that would select something; where none is, schemas that have tables.
    pub near: Vec<String>,
}

/// Why a pattern selects nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleCause {
    /// It names what is to be copied, and covers no table.
    NothingToCopy,
    /// It names what is to be left out, and covers no table.
    NothingToExclude,
    /// The snapshot's own exclusions leave out every table that it covers.
    Excluded,
    /// So does the filter of what replicates.
    Filtered,
}

/// The same tables, as far as they need be known to be chosen and recognised, with their sizes as VACUUM and
/// ANALYZE have found them. Whoever asks waits for nobody.
const KNOWN: &str = concat!(
    include_str!("../../../assets/sql/source/snapshot/known_tables.sql"),
    include_str!("../../../assets/sql/source/snapshot/which_tables.sql")
);

/// Returns all tables of the source that could be copied, by name.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn source_tables(session: &Session) -> Result<Vec<SourceTable>, PgError> {
    // A table that somebody drops now has no size.
    let sql = format!(
        "SELECT t.*, COALESCE(pg_catalog.pg_table_size(t.relation), 0), \
         COALESCE(pg_catalog.pg_relation_size(t.relation), 0) \
         / pg_catalog.current_setting('block_size')::pg_catalog.int8 \
         FROM ({TABLES}) AS t ({COLUMNS})"
    );
    tables(session, &sql).await
}

/// Returns the same without what only a copy needs: columns and key are not told, sizes are estimates. Nobody
/// is waited for.
///
/// # Errors
/// As [`source_tables`].
pub async fn known_tables(session: &Session) -> Result<Vec<SourceTable>, PgError> {
    tables(session, KNOWN).await
}

async fn tables(session: &Session, sql: &str) -> Result<Vec<SourceTable>, PgError> {
    let rows = session.rows(sql, &[]).await?;
    let size = |bytes: i64| u64::try_from(bytes).unwrap_or_default();
    let table = |row: &tokio_postgres::Row| SourceTable {
        relation: RelationId(row.get(0)),
        name: QualifiedName::new(row.get::<_, &str>(1), row.get::<_, &str>(2)),
        partitioned: row.get(3),
        partition_of: row.get::<_, Option<u32>>(4).map(RelationId),
        fingerprint: row.get(5),
        columns: row.get(6),
        binary_format: row.get(7),
        key: row.get::<_, Option<String>>(8).map(|column| RangeKey {
            column,
            bounds: bounds(row.get(9)),
        }),
        types: row.get(10),
        unlogged: row.get(11),
        byte_count: size(row.get(12)),
        block_count: size(row.get(13)),
    };
    Ok(rows.iter().map(table).collect())
}

/// Returns whether the table still has the file, the columns and the name that were planned, which
/// nobody changes while somebody holds its lock. A column more does no harm: those that were planned are
/// read by their names.
///
/// # Errors
/// Transient when the connection is lost.
pub async fn is_as_planned(now: &Session, table: &SourceTable) -> Result<bool, PgError> {
    let sql = format!(
        "SELECT t.fingerprint FROM ({TABLES}) AS t ({COLUMNS}) \
         WHERE t.relation = $1 AND t.schema_name = $2 AND t.table_name = $3"
    );
    let RelationId(relation) = table.relation;
    let (schema, name) = (&*table.name.schema, &*table.name.name);
    let row = now.row(&sql, &[&relation, &schema, &name]).await?;
    Ok(row.is_some_and(|row| table.is_still(row.get(0))))
}

/// Values of these types are read and written by names that the catalogs give them now, whatever the
/// snapshot: labels of enums, attributes of composites.
const TYPES: &str = "\
SELECT e.enumtypid,
       pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat(e.oid, ' ', e.enumlabel), ',' ORDER BY e.oid))
FROM pg_catalog.pg_enum AS e
GROUP BY e.enumtypid
UNION ALL
SELECT c.reltype,
       pg_catalog.md5(pg_catalog.string_agg(
         pg_catalog.concat(a.attnum, ' ', a.atttypid, ' ', a.attisdropped), ',' ORDER BY a.attnum))
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relkind = 'c'
GROUP BY c.reltype";

/// What changes with each type of the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TypeFingerprints(HashMap<u32, String>);

impl TypeFingerprints {
    /// Asks for them.
    ///
    /// # Errors
    /// Transient when the connection is lost.
    pub async fn read(session: &Session) -> Result<Self, PgError> {
        let rows = session.rows(TYPES, &[]).await?;
        let prints = rows.iter().map(|row| (row.get(0), row.get(1)));
        Ok(Self(prints.collect()))
    }

    /// Returns whether the types that a table is made of are the same here and there. What becomes of
    /// others meanwhile says nothing about it.
    #[must_use]
    pub fn agree_about(&self, table: &SourceTable, other: &Self) -> bool {
        let mut types = table.types.iter();
        types.all(|of| self.0.get(of) == other.0.get(of))
    }
}

/// Reads an array of whole numbers as PostgreSQL prints it.
pub(crate) fn bounds(text: Option<&str>) -> Vec<i64> {
    let inside = text.unwrap_or_default().trim_matches(['{', '}']);
    inside
        .split(',')
        .filter_map(|bound| bound.parse().ok())
        .collect()
}

/// Returns the tables that are to be copied: those that `wanted` covers and `filter` lets replicate.
/// The partitions of a table come with it, unless they are left out by name.
#[must_use]
pub fn select<'t>(
    tables: &'t [SourceTable],
    wanted: &TableFilter,
    filter: &TableFilter,
) -> Selection<'t> {
    let by_relation = tables.iter().map(|table| (table.relation, table)).collect();
    let families: Vec<Family<'t>> = tables
        .iter()
        .map(|table| Family {
            table,
            names: lineage(table, &by_relation),
        })
        .collect();
    let included = wanted.included().iter().filter_map(|pattern| {
        let cause = idle_cause(pattern, &families, wanted, filter)?;
        Some(explain(pattern, cause, tables))
    });
    let excluded = wanted.excluded().iter();
    let excluded = excluded.filter(|pattern| covers_nothing(pattern, tables));
    let excluded = excluded.map(|pattern| explain(pattern, IdleCause::NothingToExclude, tables));
    Selection {
        idle: included.chain(excluded).collect(),
        tables: families
            .iter()
            .filter(|family| family.passes(wanted) && family.passes(filter))
            .map(|family| family.table)
            .collect(),
    }
}

/// A table with its name, and those of the tables that it is a partition of: who names those means it,
/// too.
struct Family<'t> {
    table: &'t SourceTable,
    names: Vec<&'t QualifiedName>,
}

impl Family<'_> {
    fn passes(&self, filter: &TableFilter) -> bool {
        filter.selects_lineage(&self.names)
    }

    fn is_covered(&self, pattern: &TablePattern) -> bool {
        self.names.iter().any(|name| pattern.covers(name))
    }
}

/// Returns why a pattern of tables to copy selects none. All tables may be none.
fn idle_cause(
    pattern: &TablePattern,
    families: &[Family<'_>],
    wanted: &TableFilter,
    filter: &TableFilter,
) -> Option<IdleCause> {
    if pattern.is_everything() {
        return None;
    }
    let mut in_reach = families
        .iter()
        .filter(|family| family.is_covered(pattern))
        .peekable();
    if in_reach.peek().is_none() {
        return Some(IdleCause::NothingToCopy);
    }
    let mut left: Vec<_> = in_reach.filter(|family| family.passes(wanted)).collect();
    if left.is_empty() {
        return Some(IdleCause::Excluded);
    }
    left.retain(|family| family.passes(filter));
    left.is_empty().then_some(IdleCause::Filtered)
}

fn covers_nothing(pattern: &TablePattern, tables: &[SourceTable]) -> bool {
    !tables.iter().any(|table| pattern.covers(&table.name))
}

fn lineage<'t>(
    table: &'t SourceTable,
    by_relation: &HashMap<RelationId, &'t SourceTable>,
) -> Vec<&'t QualifiedName> {
    let parent = |table: &&'t SourceTable| by_relation.get(&table.partition_of?).copied();
    let lineage = std::iter::successors(Some(table), parent);
    lineage.map(|table| &table.name).collect()
}

fn explain(pattern: &TablePattern, cause: IdleCause, tables: &[SourceTable]) -> Idle {
    let near = match cause {
        IdleCause::NothingToCopy | IdleCause::NothingToExclude => near(pattern, tables),
        IdleCause::Excluded | IdleCause::Filtered => Vec::new(),
    };
    Idle {
        pattern: pattern.to_string(),
        cause,
        near,
    }
}

/// Tables with names like the pattern, and the pattern itself in other schemas.
fn near(pattern: &TablePattern, tables: &[SourceTable]) -> Vec<String> {
    let schemas: BTreeSet<&str> = tables.iter().map(|table| &*table.name.schema).collect();
    let text = pattern.to_string();
    let elsewhere = schemas.iter().map(|schema| pattern.in_schema(schema));
    let elsewhere = elsewhere.filter(|other| !covers_nothing(other, tables));
    let elsewhere = elsewhere.map(|other| other.to_string());
    let names = tables.iter().map(|table| table.name.to_string());
    let mut near: Vec<(usize, String)> = elsewhere
        .chain(names)
        .map(|name| (strsim::damerau_levenshtein(&text, &name), name))
        .filter(|(distance, name)| *distance <= name.len().max(text.len()).div_ceil(2))
        .collect();
    near.sort();
    near.dedup();
    let near: Vec<String> = near.into_iter().map(|(_, name)| name).collect();
    let schemas = schemas.into_iter().map(TablePattern::all_of);
    match near.is_empty() {
        true => schemas.take(NEAR_MAX).map(|all| all.to_string()).collect(),
        false => near.into_iter().take(NEAR_MAX).collect(),
    }
}

#[cfg(test)]
impl SourceTable {
    /// A table without rows or columns, for tests.
    pub(crate) fn named(schema: &str, name: &str) -> Self {
        Self {
            relation: RelationId(0),
            name: QualifiedName::new(schema, name),
            partitioned: false,
            unlogged: false,
            partition_of: None,
            byte_count: 0,
            block_count: 0,
            fingerprint: String::new(),
            columns: Vec::new(),
            binary_format: false,
            key: None,
            types: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> TableFilter {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        TableFilter::new(parse(include), parse(exclude))
    }

    fn tables() -> Vec<SourceTable> {
        let mut root = SourceTable::named("shop", "orders");
        (root.relation, root.partitioned) = (RelationId(1), true);
        let mut part = SourceTable::named("archive", "orders_2024");
        part.partition_of = Some(RelationId(1));
        vec![part, SourceTable::named("public", "test"), root]
    }

    #[test]
    fn tables_are_those_of_the_patterns_and_the_partitions_of_those() {
        let tables = tables();
        let check = |include: &[&str], exclude: &[&str], expected: &[&str]| {
            let all = TableFilter::default();
            let selected = select(&tables, &filter(include, exclude), &all);
            assert_eq!(selected.idle, [], "{include:?} {exclude:?}");
            let names: Vec<_> = selected
                .tables
                .iter()
                .map(|table| table.name.to_string())
                .collect();
            assert_eq!(names, expected, "{include:?} {exclude:?}");
        };

        check(
            &[],
            &[],
            &["archive.orders_2024", "public.test", "shop.orders"],
        );
        check(&["*.*"], &["test"], &["archive.orders_2024", "shop.orders"]);
        check(
            &["shop.*", "test"],
            &[],
            &["archive.orders_2024", "public.test", "shop.orders"],
        );
        check(&["shop.*"], &["archive.*"], &["shop.orders"]);
        let only_public = filter(&["public.*"], &[]);
        let selected = select(&tables, &filter(&[], &[]), &only_public);
        assert_eq!(selected.tables.len(), 1);
    }

    #[test]
    fn a_column_more_is_still_the_table_and_another_file_or_column_is_not() {
        let mut table = SourceTable::named("public", "t");
        table.fingerprint = "16400/1 id 23 -1,2 t 25 -1,".to_owned();
        let longer = "16400/1 id 23 -1,2 t 25 -1,3 n 23 -1,";
        assert!(!table.is_still(longer) && table.is_still("16400/1 id 23 -1,2 t 25 -1,"));

        table.columns = vec!["id".to_owned(), "t".to_owned()];

        assert!(table.is_still(longer));
        for other in [
            "16400/1 id 23 -1,",
            "16400/1 id 23 -1,2 u 25 -1,",
            "16401/1 id 23 -1,2 t 25 -1,",
        ] {
            assert!(!table.is_still(other), "{other}");
        }
    }

    #[test]
    fn a_pattern_that_selects_nothing_is_reported_with_its_cause_and_near_names() {
        use IdleCause::{Excluded, Filtered, NothingToCopy, NothingToExclude};
        let tables = tables();
        let check =
            |include: &[&str], exclude: &[&str], expected: &[(&str, IdleCause, &[&str])]| {
                let only_public = filter(&["public.*"], &[]);
                let found = select(&tables, &filter(include, exclude), &only_public);
                let expected = expected.iter().map(|(pattern, cause, near)| Idle {
                    pattern: (*pattern).to_owned(),
                    cause: *cause,
                    near: near.iter().map(|name| (*name).to_owned()).collect(),
                });
                assert_eq!(found.idle, expected.collect::<Vec<_>>());
            };

        check(
            &["tset", "public.*"],
            &[],
            &[("public.tset", NothingToCopy, &["public.test"])],
        );
        let near = ["shop.ord*", "shop.orders", "archive.ord*"];
        check(&["shp.ord*"], &[], &[("shp.ord*", NothingToCopy, &near)]);
        let near = ["public.*", "public.test"];
        check(
            &["*.*"],
            &["publ.*"],
            &[("publ.*", NothingToExclude, &near)],
        );
        let schemas = ["archive.*", "public.*", "shop.*"];
        let far = "warehouse_of_old.things";
        check(&[far], &[], &[(far, NothingToCopy, &schemas)]);
        check(&["test"], &["test"], &[("public.test", Excluded, &[])]);
        check(&["shop.*"], &[], &[("shop.*", Filtered, &[])]);
        assert_eq!(
            select(&[], &filter(&["*.*"], &[]), &filter(&[], &[])).idle,
            []
        );
    }

    #[test]
    fn only_the_types_of_a_table_say_something_about_it() {
        let prints = |of: &[(u32, &str)]| {
            TypeFingerprints(
                of.iter()
                    .map(|(oid, print)| (*oid, (*print).to_owned()))
                    .collect(),
            )
        };
        let mut table = SourceTable::named("public", "t");
        table.types = vec![1, 2];
        let then = prints(&[(1, "a"), (3, "c")]);

        assert!(then.agree_about(&table, &prints(&[(1, "a"), (3, "other"), (4, "new")])));
        assert!(!then.agree_about(&table, &prints(&[(1, "other"), (3, "c")])));
        assert!(!then.agree_about(&table, &prints(&[(1, "a"), (2, "new")])));
    }
}
