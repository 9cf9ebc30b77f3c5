//! Our own tables on the target: made where they are missing, by whoever comes first.

use std::time::Duration;

use tokio::time::sleep;

use crate::config::TableFilter;
use crate::model::{Lsn, quote_literal};
use crate::postgres::{PgError, Session, require_ownership_sql, sqlstate};

use super::ApplyError;
use super::stream::Stream;

const INSTALL: &str = include_str!("../../assets/sql/target/install.sql");

/// Each table, with the column that came last.
const IS_COMPLETE: &str = "\
SELECT pg_catalog.count(*) = 16
FROM (VALUES ('checkpoint', 'installation'), ('skipped_transaction', 'skipped_at'),
             ('schema_change', 'applied_at'), ('snapshot_table', 'left_at'), ('snapshot_part', 'lsn'),
             ('snapshot_step', 'statement'), ('last_stop', 'failure'), ('paired_snapshot', 'updated_at'),
             ('verified_table', 'verified_at'), ('verification', 'verified_at'), ('repair', 'repaired_at'),
             ('proved_table', 'lsn'), ('silenced', 'enabled'), ('left_alone', 'object'),
             ('sequence_look', 'changed_at'), ('left_table', 'left_at')) AS v (name, attribute)
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

/// Returns the statement that keeps in mind that the target has no such object of the source, by its OID there:
/// what has its name here is somebody else's.
#[must_use]
pub fn leave_alone(slot_name: &str, oid: u32, object: &str) -> String {
    format!(
        "INSERT INTO pgstream.left_alone VALUES ({}, {oid}, {}) ON CONFLICT DO NOTHING",
        quote_literal(slot_name),
        quote_literal(object)
    )
}

/// Returns those of these objects of the source that the target does not have.
///
/// # Errors
/// By SQLSTATE.
pub async fn left_alone(
    session: &Session,
    slot_name: &str,
    oids: &[u32],
) -> Result<Vec<u32>, PgError> {
    let sql =
        "SELECT l.oid FROM pgstream.left_alone AS l WHERE l.slot_name = $1 AND l.oid = ANY ($2)";
    let rows = session.rows(sql, &[&slot_name, &oids]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
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

/// What is remembered of a stream; what belongs to it is found by its slot.
const OF_A_STREAM: [&str; 13] = [
    "snapshot_step",
    "snapshot_part",
    "snapshot_table",
    "schema_change",
    "skipped_transaction",
    "paired_snapshot",
    "verified_table",
    "proved_table",
    "verification",
    "repair",
    "sequence_look",
    "last_stop",
    "checkpoint",
];

/// Triggers that a copy keeps silent.
const SILENCED: &str = "\
SELECT s.statement FROM pgstream.snapshot_step AS s
WHERE s.slot_name = $1 AND s.stage = 'trigger' ORDER BY s.ordinal";

const MARK: &str = "\
SELECT c.installation, c.end_lsn::pg_catalog.text, c.system_identifier, c.database_name
FROM pgstream.checkpoint AS c WHERE c.slot_name = $1";

const NOTE_INSTALLATION: &str = "\
UPDATE pgstream.checkpoint SET installation = $2
WHERE slot_name = $1 AND installation IS DISTINCT FROM $2";

/// Which installation has left its checkpoint, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// None: an earlier build did not write that down.
    pub installation: Option<String>,
    pub end_lsn: Lsn,
    /// The source that it is of.
    pub system_identifier: String,
    pub database_name: String,
}

impl Mark {
    /// Returns whether another installation than this one has left it, on the same source.
    #[must_use]
    pub fn is_of_another(
        &self,
        identity: Option<&str>,
        (system_identifier, database_name): (&str, &str),
    ) -> bool {
        let known = self.installation.as_deref().zip(identity);
        self.system_identifier == system_identifier
            && self.database_name == database_name
            && known.is_some_and(|(left, now)| left != now)
    }
}

/// Returns the mark of a slot's pipeline. The records must be complete.
///
/// # Errors
/// The target's refusal.
pub async fn mark(session: &Session, slot_name: &str) -> Result<Option<Mark>, ApplyError> {
    let row = session.row(MARK, &[&slot_name]).await;
    let row = row.map_err(refused_record("the checkpoint"))?;
    Ok(row.map(|row| Mark {
        installation: row.get(0),
        end_lsn: row.get::<_, &str>(1).parse().unwrap_or_default(),
        system_identifier: row.get(2),
        database_name: row.get(3),
    }))
}

/// Writes down which installation moves the checkpoint.
///
/// # Errors
/// The target's refusal.
pub async fn note_installation(
    session: &Session,
    slot_name: &str,
    identity: &str,
) -> Result<(), ApplyError> {
    let noted = session
        .change(NOTE_INSTALLATION, &[&slot_name, &identity])
        .await;
    noted.map(drop).map_err(refused_record("the checkpoint"))
}

const ADOPT: &str = "\
INSERT INTO pgstream.checkpoint (slot_name, system_identifier, database_name, timeline, end_lsn, commit_time,
                                 included_tables, excluded_tables, installation)
VALUES ($1, $2, $3, $4, $5::pg_catalog.text::pg_catalog.pg_lsn, pg_catalog.clock_timestamp(), $6, $7, $8)
ON CONFLICT (slot_name) DO UPDATE
SET system_identifier = excluded.system_identifier, database_name = excluded.database_name,
    timeline = excluded.timeline, end_lsn = excluded.end_lsn, commit_time = excluded.commit_time,
    updated_at = pg_catalog.clock_timestamp(), included_tables = excluded.included_tables,
    excluded_tables = excluded.excluded_tables, installation = excluded.installation
WHERE checkpoint.end_lsn = $9::pg_catalog.text::pg_catalog.pg_lsn";

/// A checkpoint of a target that was brought to a position by other means than the stream.
#[derive(Debug)]
pub struct AdoptedCheckpoint<'a> {
    pub stream: &'a Stream,
    /// What stands there now; none: nothing.
    pub found: Option<Lsn>,
    /// Where the target is.
    pub end_lsn: Lsn,
    pub filter: &'a TableFilter,
    /// Which installation goes on from there.
    pub identity: Option<&'a str>,
}

impl AdoptedCheckpoint<'_> {
    /// Writes it down, and forgets why the pipeline stood.
    ///
    /// # Errors
    /// [`ApplyError::Fenced`] (class Transient) when somebody has moved the checkpoint meanwhile; the target's
    /// refusal.
    pub async fn write(&self, session: &Session) -> Result<(), ApplyError> {
        let Stream {
            slot_name,
            system_identifier,
            database_name,
            timeline,
        } = self.stream;
        let (include, exclude) = (self.filter.include_text(), self.filter.exclude_text());
        let (end_lsn, found) = (
            self.end_lsn.to_string(),
            self.found.map(|lsn| lsn.to_string()),
        );
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 9] = [
            slot_name,
            system_identifier,
            database_name,
            timeline,
            &end_lsn,
            &include,
            &exclude,
            &self.identity,
            &found,
        ];
        let refused = |error| refused_record("the checkpoint")(error);
        if session.change(ADOPT, &parameters).await.map_err(refused)? == 0 {
            return Err(ApplyError::Fenced {
                slot_name: slot_name.clone(),
                expected: self.found.unwrap_or_default(),
            });
        }
        let sql = "DELETE FROM pgstream.last_stop WHERE slot_name = $1";
        session.change(sql, &[slot_name]).await.map_err(refused)?;
        session.flush_wal().await.map_err(refused)
    }
}

/// Forgets everything of a stream: all of it, or nothing. The records must be complete.
///
/// # Errors
/// The target's refusal.
pub async fn forget_stream(session: &Session, slot_name: &str) -> Result<(), ApplyError> {
    let forget = async {
        session.run("BEGIN").await?;
        for silenced in session.rows(SILENCED, &[&slot_name]).await? {
            session.run(silenced.get(0)).await?;
        }
        for table in OF_A_STREAM {
            let sql = format!("DELETE FROM pgstream.{table} WHERE slot_name = $1");
            session.change(&sql, &[&slot_name]).await?;
        }
        session.run("COMMIT").await
    };
    let forgotten = forget.await;
    if forgotten.is_err() {
        // A session that is lost has no transaction.
        drop(session.run("ROLLBACK").await);
    }
    forgotten.map_err(refused_record("our records"))
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
