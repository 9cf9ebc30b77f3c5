//! The tables that a source has, for people who choose which of them replicate.

use crate::model::QualifiedName;
use crate::postgres::{PgError, Session};

const TABLES: &str = include_str!("../../assets/sql/source/tables.sql");

/// A table of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceTable {
    pub name: QualifiedName,
    /// It has no rows of its own: its partitions have them.
    pub partitioned: bool,
    /// The table whose partition it is, quoted where SQL needs it.
    pub partition_of: Option<String>,
    /// It has no primary key and no other identity by index: a row is found by all its values.
    pub keyless: bool,
    /// Rows by the planner's estimate; none before it was analysed.
    pub row_count: Option<u64>,
    /// Size on disk by the same estimate, in bytes.
    pub bytes: u64,
}

/// Returns the tables that can replicate, by name.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn source_tables(source: &Session) -> Result<Vec<SourceTable>, PgError> {
    let rows = source.rows(TABLES, &[]).await?;
    let tables = rows.iter().map(|row| SourceTable {
        name: QualifiedName::new(row.get::<_, String>(0), row.get::<_, String>(1)),
        partitioned: row.get(2),
        partition_of: row.get(3),
        keyless: row.get(4),
        row_count: u64::try_from(row.get::<_, i64>(5)).ok(),
        bytes: u64::try_from(row.get::<_, i64>(6)).unwrap_or(0),
    });
    Ok(tables.collect())
}
