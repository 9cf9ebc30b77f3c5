//! What the source remembers of a pipeline: to which database it is applied.
//!
//! The checkpoint is on the target, where somebody may delete it. Without it the slot's transactions
//! would be applied once more; only the source then knows that some of them were applied before.

use crate::model::quote_ident;
use crate::postgres::{PgError, Session};

/// A row of `pgstream.pipeline`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PipelineRecord {
    /// The database that it was last applied to; none: to none so far.
    pub target: Option<String>,
    /// Our role may read it, and write it down.
    pub writable: bool,
    /// Which installation of the pipeline this is; none: an earlier build gave it no name.
    pub identity: Option<String>,
}

/// An installation of an earlier build has no place for it.
const IS_THERE: &str = "\
SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT'),
       pg_catalog.has_table_privilege(c.oid, 'UPDATE')
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'target' AND NOT a.attisdropped
WHERE n.nspname = 'pgstream' AND c.relname = 'pipeline'";

/// Returns what the source remembers of the pipeline of a slot; none: nothing.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn pipeline_record(
    source: &Session,
    slot_name: &str,
) -> Result<Option<PipelineRecord>, PgError> {
    let Some(there) = source.row(IS_THERE, &[]).await? else {
        return Ok(None);
    };
    if !there.get::<_, bool>(0) {
        return Ok(Some(PipelineRecord::default()));
    }
    let sql = "SELECT p.target, pg_catalog.to_jsonb(p) ->> 'identity' \
               FROM pgstream.pipeline AS p WHERE p.slot_name = $1";
    let row = source.row(sql, &[&slot_name]).await?;
    Ok(row.map(|row| PipelineRecord {
        target: row.get(0),
        writable: there.get(1),
        identity: row.get(1),
    }))
}

/// Writes down to which database the pipeline of a slot is applied.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn note_target(source: &Session, slot_name: &str, target: &str) -> Result<(), PgError> {
    let sql = "UPDATE pgstream.pipeline SET target = $2 WHERE slot_name = $1";
    source.change(sql, &[&slot_name, &target]).await.map(drop)
}

/// Returns the statements that let a role do that, for an operator.
#[must_use]
pub fn grant_pipeline(role: &str) -> String {
    let role = quote_ident(role);
    format!(
        "GRANT USAGE ON SCHEMA pgstream TO {role}; GRANT SELECT, UPDATE ON pgstream.pipeline TO {role};"
    )
}
