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
    /// It publishes stored generated columns, where servers know that (18 and later). The target leaves
    /// them out; but PostgreSQL 18 refuses UPDATE and DELETE on a table whose whole rows are its identity
    /// and which has such a column, when it is not published.
    pub generated: bool,
}

/// The first major version with `publish_generated_columns`.
const GENERATED_SINCE: i32 = 18;

const GENERATED: &str = "publish_generated_columns = stored";

/// Returns the publication of that name, if there is one.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn find_publication(
    session: &Session,
    name: &str,
) -> Result<Option<Publication>, PgError> {
    let sql = "\
SELECT p.puballtables, p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate,
       COALESCE(pg_catalog.to_jsonb(p) OPERATOR(pg_catalog.->>) 'pubgencols', 's') = 's'
FROM pg_catalog.pg_publication AS p
WHERE p.pubname = $1";
    let row = session.row(sql, &[&name]).await?;
    Ok(row.map(|row| Publication {
        all_tables: row.get(0),
        all_changes: row.get(1),
        generated: row.get(2),
    }))
}

/// Returns the statement that makes a publication of all tables on a server of this major version. Needs
/// a superuser.
#[must_use]
pub fn create_publication_sql(name: &str, major_version: i32) -> String {
    let with = match major_version >= GENERATED_SINCE {
        true => format!(" WITH ({GENERATED})"),
        false => String::new(),
    };
    format!(
        "CREATE PUBLICATION {} FOR ALL TABLES{with}",
        quote_ident(name)
    )
}

/// Returns the statement that makes a publication of a server that knows them publish stored generated
/// columns.
#[must_use]
pub fn publish_generated_sql(name: &str) -> String {
    format!("ALTER PUBLICATION {} SET ({GENERATED})", quote_ident(name))
}

/// Returns the statement that drops a publication.
#[must_use]
pub fn drop_publication_sql(name: &str) -> String {
    format!("DROP PUBLICATION IF EXISTS {}", quote_ident(name))
}
