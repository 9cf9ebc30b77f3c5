//! The publication of a `pgoutput` slot.

use super::connect::Session;
use super::error::PgError;
use crate::model::quote_ident;

/// A publication as `pg_publication` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    /// `FOR ALL TABLES`.
    pub all_tables: bool,
    /// It publishes every kind of change.
    pub all_changes: bool,
}

/// Returns the publication of that name, if there is one.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn find_publication(
    session: &Session,
    name: &str,
) -> Result<Option<Publication>, PgError> {
    let sql = "\
SELECT p.puballtables, p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate
FROM pg_catalog.pg_publication AS p
WHERE p.pubname = $1";
    let row = session.row(sql, &[&name]).await?;
    Ok(row.map(|row| Publication {
        all_tables: row.get(0),
        all_changes: row.get(1),
    }))
}

/// Returns the statement that makes a publication of all tables. Needs a superuser.
#[must_use]
pub fn create_publication_sql(name: &str) -> String {
    format!("CREATE PUBLICATION {} FOR ALL TABLES", quote_ident(name))
}

/// Returns the statement that drops a publication.
#[must_use]
pub fn drop_publication_sql(name: &str) -> String {
    format!("DROP PUBLICATION IF EXISTS {}", quote_ident(name))
}
