//! A target that had rows before its pipeline began, as a restored dump leaves it.

use std::collections::HashSet;

use crate::config::TableFilter;
use crate::model::QualifiedName;
use crate::model::hint::verify_command;
use crate::postgres::{PgError, Session};

const TABLES: &str = "\
SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'pgstream')";

/// By the statistics: a table is neither read nor locked for it.
const HAS_ROWS: &str =
    " AND GREATEST(c.reltuples, pg_catalog.pg_stat_get_live_tuples(c.oid)) > 0 ORDER BY 1, 2";

/// What it means, after the table's name.
pub(crate) const FILLED: &str = "has rows, and the target has no checkpoint of this pipeline: run brings what \
                                 is changed from its slot on, and nothing from before";

/// Returns a table that replicates and that has rows on the target.
pub(crate) async fn filled_table(
    source: &Session,
    target: &Session,
    filter: &TableFilter,
) -> Result<Option<QualifiedName>, PgError> {
    let filled = names(target, &format!("{TABLES}{HAS_ROWS}")).await?;
    if filled.is_empty() {
        return Ok(None);
    }
    let there: HashSet<QualifiedName> = names(source, TABLES).await?.into_iter().collect();
    let mut filled = filled.into_iter();
    Ok(filled.find(|table| filter.selects(table) && there.contains(table)))
}

/// Returns what to do about it. `source` as for [`verify_command`].
pub(crate) fn hint(source: &str) -> String {
    format!(
        "{} # if they came with a dump: brings what differs, and run goes on from there",
        verify_command(source)
    )
}

async fn names(session: &Session, sql: &str) -> Result<Vec<QualifiedName>, PgError> {
    let rows = session.rows(sql, &[]).await?;
    let name = |row: &tokio_postgres::Row| {
        QualifiedName::new(row.get::<_, &str>(0), row.get::<_, &str>(1))
    };
    Ok(rows.iter().map(name).collect())
}
