//! `acked`: what the target has durably applied, said on the source for people and for the next
//! start.

use crate::model::quote_ident;
use crate::postgres::{PgError, Session};

/// More unacknowledged entries than these are looked at by a later start.
const UNACKED_MAX: i64 = 10_000;

/// Returns the statements that let a role acknowledge, for an operator.
#[must_use]
pub fn grant_log(role: &str) -> String {
    let role = quote_ident(role);
    format!(
        "GRANT USAGE ON SCHEMA pgstream TO {role}; \
         GRANT SELECT, UPDATE ON pgstream.schema_log TO {role};"
    )
}

/// Marks entries of the schema log as durable on the target and returns how many were marked.
/// Entries that are gone or marked already are left alone; so is one that this session cannot see
/// yet: the stream may bring a transaction a moment before other sessions see its commit.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn mark_acked(session: &Session, ids: &[String]) -> Result<u64, PgError> {
    let sql = "\
UPDATE pgstream.schema_log AS l SET acked = true
WHERE l.id::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1) AND NOT l.acked";
    session.change(sql, &[&ids]).await
}

/// Returns the ids of entries that are not marked, oldest first.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn unacked(session: &Session) -> Result<Vec<String>, PgError> {
    let sql = "\
SELECT l.id::pg_catalog.text FROM pgstream.schema_log AS l
WHERE NOT l.acked ORDER BY l.id LIMIT $1";
    let rows = session.rows(sql, &[&UNACKED_MAX]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
