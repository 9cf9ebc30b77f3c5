//! Our own tables on the target: made where they are missing, by whoever comes first.

use std::time::Duration;

use tokio::time::sleep;

use crate::config::TableFilter;
use crate::postgres::{PgError, Session, require_ownership_sql, sqlstate};

use super::ApplyError;
use super::stream::Stream;

const INSTALL: &str = include_str!("../../assets/sql/target/install.sql");

/// Each table, with the column that came last.
const IS_COMPLETE: &str = "\
SELECT pg_catalog.count(*) = 10
FROM (VALUES ('checkpoint', 'included_tables'), ('skipped_transaction', 'skipped_at'),
             ('schema_change', 'applied_at'), ('snapshot_table', 'target'), ('snapshot_part', 'lsn'),
             ('snapshot_step', 'statement'), ('last_stop', 'failure'), ('paired_snapshot', 'updated_at'),
             ('verified_table', 'verified_at'), ('sequence_look', 'changed_at')) AS v (name, attribute)
JOIN pg_catalog.pg_attribute AS a
  ON a.attrelid = pg_catalog.to_regclass('pgstream.' || v.name) AND a.attname = v.attribute
 AND NOT a.attisdropped";

/// So often somebody may make them at the same time.
const INSTALL_TRIES_MAX: u32 = 20;

/// The other one has committed by then, mostly.
const INSTALL_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Makes the tables of our records where they are missing. `IF NOT EXISTS` does not see what another
/// session is making: then the look is repeated.
///
/// # Errors
/// The target's refusal, usually a missing CREATE privilege on the database.
pub async fn install_records(session: &Session) -> Result<(), ApplyError> {
    let install = INSTALL.replace("-- OWNERSHIP\n", &require_ownership_sql());
    let mut tries = 1;
    loop {
        let complete = session.row(IS_COMPLETE, &[]).await;
        let complete = complete.map_err(refused_record("our records"))?;
        if complete.is_some_and(|row| row.get(0)) {
            return Ok(());
        }
        match session.run(&install).await {
            Err(error) if tries < INSTALL_TRIES_MAX && was_first(&error) => {}
            made => return made.map_err(refused_record("our records")),
        }
        tries += 1;
        sleep(INSTALL_AGAIN_AFTER).await;
    }
}

/// Returns whether another session was making the same.
fn was_first(error: &PgError) -> bool {
    matches!(
        error.code(),
        Some(
            sqlstate::UNIQUE_VIOLATION
                | sqlstate::DUPLICATE_SCHEMA
                | sqlstate::DUPLICATE_TABLE
                | sqlstate::DUPLICATE_OBJECT
                | sqlstate::INTERNAL_ERROR
        )
    )
}

/// Names which of our records was concerned in the target's refusal.
pub(super) fn refused_record(object: &str) -> impl FnOnce(PgError) -> ApplyError {
    move |source| ApplyError::Records {
        object: object.to_owned(),
        source,
    }
}

/// What a pipeline has left on the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineRecord {
    /// Its slot on the source.
    pub slot_name: String,
    /// The tables that it brings; none: an earlier build did not write that down.
    pub filter: Option<TableFilter>,
}

const PIPELINES: &str = "\
SELECT slot_name, included_tables, excluded_tables
FROM pgstream.checkpoint
WHERE slot_name = $1 OR (system_identifier = $2 AND database_name = $3)
ORDER BY slot_name";

const NOTE_FILTER: &str = "\
UPDATE pgstream.checkpoint SET included_tables = $2, excluded_tables = $3 WHERE slot_name = $1";

/// Returns the pipelines of the stream's source that apply to this target, and that of its slot.
///
/// # Errors
/// The target's refusal.
pub async fn pipelines(
    session: &Session,
    stream: &Stream,
) -> Result<Vec<PipelineRecord>, ApplyError> {
    let parameters = [
        &stream.slot_name,
        &stream.system_identifier,
        &stream.database_name,
    ];
    let rows = session
        .rows(PIPELINES, &parameters.map(|text| text as _))
        .await;
    let rows = rows.map_err(refused_record("the checkpoints of pipelines"))?;
    let record = |row: &tokio_postgres::Row| {
        let lists: (Option<&str>, Option<&str>) = (row.get(1), row.get(2));
        let filter = lists.0.zip(lists.1);
        PipelineRecord {
            slot_name: row.get(0),
            filter: filter.and_then(|(include, exclude)| TableFilter::parse(include, exclude).ok()),
        }
    };
    Ok(rows.iter().map(record).collect())
}

/// Forgets a checkpoint from which nothing was applied.
///
/// # Errors
/// The target's refusal.
pub async fn forget_checkpoint(session: &Session, slot_name: &str) -> Result<(), ApplyError> {
    let sql = "DELETE FROM pgstream.checkpoint WHERE slot_name = $1";
    let forgotten = session.change(sql, &[&slot_name]).await;
    forgotten
        .map(drop)
        .map_err(refused_record("the checkpoint"))
}

/// Writes down which tables a pipeline brings.
///
/// # Errors
/// The target's refusal.
pub async fn note_filter(
    session: &Session,
    slot_name: &str,
    filter: &TableFilter,
) -> Result<(), ApplyError> {
    let (include, exclude) = (filter.include_text(), filter.exclude_text());
    let noted = session
        .change(NOTE_FILTER, &[&slot_name, &include, &exclude])
        .await;
    noted.map(drop).map_err(refused_record("the checkpoint"))
}
