//! What a side says of one of its tables, for whoever writes there or looks for rows by their key.

use crate::model::QualifiedName;
use crate::postgres::{PgError, Session, document};

use super::TargetTable;

pub(super) const DESCRIBE_TABLE: &str = include_str!("../../assets/sql/target/describe_table.sql");

/// Returns a table as the catalogs of a side describe it; none: there is no such table.
///
/// # Errors
/// By SQLSTATE; Bug when the answer is no such description.
pub async fn described_table(
    session: &Session,
    name: &QualifiedName,
) -> Result<Option<TargetTable>, PgError> {
    let (schema, name) = (&*name.schema, &*name.name);
    match session.row(DESCRIBE_TABLE, &[&schema, &name]).await? {
        None => Ok(None),
        Some(_) => document(session, DESCRIBE_TABLE, &[&schema, &name])
            .await
            .map(Some),
    }
}
