//! The publication of a `pgoutput` slot.

use serde::Deserialize;

use crate::model::quote_ident;

use super::connect::Session;
use super::error::PgError;

/// A publication as `pg_publication` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent options of the server"
)]
pub struct Publication {
    /// `FOR ALL TABLES`, without an exception.
    pub all_tables: bool,
    /// It publishes every kind of change.
    pub all_changes: bool,
    /// It publishes the changes of a partition as those of the partitioned table; a TRUNCATE of the
    /// partition is then not published at all.
    pub via_root: bool,
    /// It publishes stored generated columns, where servers know that (18 and later). The target leaves
    /// them out; but PostgreSQL 18 refuses UPDATE and DELETE on a table whose whole rows are its identity
    /// and which has such a column, when it is not published.
    pub generated: bool,
}

/// What a publication of ours lacks, and the statement that fixes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfitPublication {
    /// What is wrong with it, to stand behind its name.
    pub problem: &'static str,
    /// The statement; none where it must be made again.
    pub fix: Option<String>,
}

impl Publication {
    /// Returns why a publication of this name would leave changes out, if it would.
    #[must_use]
    pub fn unfit(self, name: &str) -> Option<UnfitPublication> {
        let set = |option: &str| {
            Some(format!(
                "ALTER PUBLICATION {} SET ({option});",
                quote_ident(name)
            ))
        };
        let (problem, fix) = match self {
            Self {
                all_tables: false, ..
            } => ("is not for all tables", None),
            Self {
                all_changes: false, ..
            } => (
                "leaves out some of insert, update, delete, truncate",
                set("publish = 'insert, update, delete, truncate'"),
            ),
            Self { via_root: true, .. } => (
                "publishes partitions under their root's name and leaves out TRUNCATE of a partition",
                set("publish_via_partition_root = false"),
            ),
            Self {
                generated: false, ..
            } => (
                "leaves out stored generated columns: UPDATE and DELETE fail on tables that have one and no key",
                set(GENERATED),
            ),
            Self { .. } => return None,
        };
        Some(UnfitPublication { problem, fix })
    }
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
SELECT p.puballtables AND NOT EXISTS (SELECT FROM pg_catalog.pg_publication_rel AS r WHERE r.prpubid = p.oid),
       p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate, p.pubviaroot,
       COALESCE(pg_catalog.to_jsonb(p) OPERATOR(pg_catalog.->>) 'pubgencols', 's') = 's'
FROM pg_catalog.pg_publication AS p
WHERE p.pubname = $1";
    let row = session.row(sql, &[&name]).await?;
    Ok(row.map(|row| Publication {
        all_tables: row.get(0),
        all_changes: row.get(1),
        via_root: row.get(2),
        generated: row.get(3),
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
