//! How far the target is durable: one row a slot, written in the target transaction that it
//! speaks of. That is what makes delivery exactly-once without any privilege.
//!
//! The row moves by compare-and-set: a second process that applies the same slot finds the row
//! elsewhere than it left it, and stops. What is confirmed to the source never exceeds this row,
//! so a slot that stands beyond it was made anew or moved by somebody.

use std::sync::LazyLock;
use std::time::Duration;

use crate::model::{Lsn, quote_literal};
use crate::postgres::{PgError, Session};

use super::ApplyError;
use super::records::{install_records, refused_record};
use super::stream::Stream;

/// A position up to which everything is on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// First byte after the last applied transaction.
    pub end_lsn: Lsn,
    /// When that was committed on the source, microseconds since 2000-01-01 UTC.
    pub commit_time_us: Option<i64>,
}

/// A schema change as it is remembered on the target.
#[derive(Debug, Clone, PartialEq)]
pub struct AppliedSchemaChange {
    /// `id` in the schema log.
    pub id: String,
    /// `version` in the schema log.
    pub version: i64,
    /// Command tag.
    pub tag: String,
    /// The statements that ran.
    pub statements: Vec<String>,
    /// Parts that were not applied, with the reason.
    pub not_applied: Vec<String>,
    /// How long they ran, in milliseconds.
    pub duration_ms: f64,
    /// Its commit record on the source.
    pub commit_lsn: Lsn,
    /// How rows are to be read that were written before it and committed behind it, as JSON; none: as they are.
    pub older_rows: Option<String>,
}

/// The records of one stream on the target.
#[derive(Debug, Clone)]
pub struct CheckpointStore {
    stream: Stream,
}

/// Moves the row only from where we left it. Parameters, from this number on: slot, new end, time, expected
/// end, timeline.
pub(super) fn advance_sql(first: usize) -> String {
    let [slot, end, time, expected, timeline] = [0, 1, 2, 3, 4].map(|at| first + at);
    format!(
        "UPDATE pgstream.checkpoint \
         SET end_lsn = ${end}::pg_catalog.text::pg_catalog.pg_lsn, \
         commit_time = COALESCE(timestamptz '2000-01-01 00:00:00+00' + ${time} * interval '1 microsecond', commit_time), \
         timeline = ${timeline}, updated_at = pg_catalog.clock_timestamp() \
         WHERE slot_name = ${slot} AND end_lsn = ${expected}::pg_catalog.text::pg_catalog.pg_lsn"
    )
}

/// The statement by itself.
pub(super) static ADVANCE: LazyLock<String> = LazyLock::new(|| advance_sql(1));

/// The same, which fails where nothing was moved.
pub(super) static ADVANCE_GUARDED: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH moved AS ({} RETURNING 1) \
         SELECT 1 OPERATOR(pg_catalog./) pg_catalog.count(*)::pg_catalog.int4 FROM moved",
        *ADVANCE
    )
});

const LOAD: &str = "\
SELECT system_identifier, database_name, end_lsn::pg_catalog.text
FROM pgstream.checkpoint
WHERE slot_name = $1";

const HAS_APPLIED: &str =
    "SELECT commit_time IS NOT NULL FROM pgstream.checkpoint WHERE slot_name = $1";

/// Whether one of these streams begins in the session's own database. Parameter: [`Stream::origin`]s.
const BEGINS_HERE: &str = "\
SELECT EXISTS (
  SELECT FROM pg_catalog.pg_control_system() AS s, pg_catalog.pg_replication_slots AS r
  WHERE r.database = pg_catalog.current_database()
    AND s.system_identifier::pg_catalog.text || '/' || r.slot_name = ANY ($1))";

/// Which source a slot's checkpoint is of. Parameter: slot.
const OWNER: &str = "\
SELECT system_identifier, database_name FROM pgstream.checkpoint WHERE slot_name = $1";

const CREATE: &str = "\
INSERT INTO pgstream.checkpoint (slot_name, system_identifier, database_name, timeline, end_lsn)
VALUES ($1, $2, $3, $4, $5::pg_catalog.text::pg_catalog.pg_lsn)";

const RECORD: &str = "\
INSERT INTO pgstream.schema_change
  (slot_name, id, version, tag, statements, not_applied, duration_ms, commit_lsn, older_rows)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::pg_catalog.text::pg_catalog.pg_lsn,
        $9::pg_catalog.text::pg_catalog.jsonb)
ON CONFLICT (slot_name, id) DO NOTHING";

const PRUNE: &str = "\
DELETE FROM pgstream.schema_change
WHERE slot_name = $1 AND applied_at < pg_catalog.now() - pg_catalog.make_interval(secs => $2)
  AND id <> ALL ($3) AND older_rows IS NULL";

const FORGET_OLDER_ROWS: &str = "\
UPDATE pgstream.schema_change SET older_rows = NULL
WHERE slot_name = $1 AND older_rows IS NOT NULL AND commit_lsn < $2::pg_catalog.text::pg_catalog.pg_lsn";

const OLDER_ROWS: &str = "\
SELECT commit_lsn::pg_catalog.text, older_rows::pg_catalog.text
FROM pgstream.schema_change
WHERE slot_name = $1 AND older_rows IS NOT NULL
ORDER BY commit_lsn, version";

const RECORD_SKIPPED: &str = "\
INSERT INTO pgstream.skipped_transaction (slot_name, commit_lsn, xid, reason)
VALUES ($1, $2::pg_catalog.text::pg_catalog.pg_lsn, $3, $4)
ON CONFLICT (slot_name, commit_lsn) DO NOTHING";

impl CheckpointStore {
    /// Makes the records' tables where they are missing.
    ///
    /// # Errors
    /// The target's refusal, usually a missing CREATE privilege on the database.
    pub async fn open(session: &Session, stream: Stream) -> Result<Self, ApplyError> {
        install_records(session).await?;
        Ok(Self { stream })
    }

    /// Returns whether the target has applied a transaction of this stream; none without a checkpoint.
    ///
    /// # Errors
    /// The target's refusal.
    pub async fn has_applied(&self, session: &Session) -> Result<Option<bool>, ApplyError> {
        let found = session.row(HAS_APPLIED, &[&self.stream.slot_name]).await;
        let found = found.map_err(refused_record("the checkpoint"))?;
        Ok(found.map(|row| row.get(0)))
    }

    /// Returns the stream whose records these are.
    #[must_use]
    pub const fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Returns where the target durably stands; makes the row, at `slot_lsn`, when there is none.
    ///
    /// # Errors
    /// [`ApplyError::ForeignCheckpoint`] (class Operator) when the row belongs to another source,
    /// or when the slot (`slot_lsn`, its confirmed position) or the source's WAL (`wal_end`) do
    /// not fit to it: going on would lose or repeat transactions.
    pub async fn load(
        &self,
        session: &Session,
        slot_lsn: Lsn,
        wal_end: Lsn,
    ) -> Result<Lsn, ApplyError> {
        let stream = &self.stream;
        let found = session.row(LOAD, &[&stream.slot_name]).await;
        // A process before us may have written the row a moment ago, without waiting for the disk.
        let flushed = session.flush_wal().await;
        flushed.map_err(refused_record("the checkpoint"))?;
        let Some(row) = found.map_err(refused_record("the checkpoint"))? else {
            self.create(session, slot_lsn).await?;
            return Ok(slot_lsn);
        };
        let end_lsn: Lsn = row.get::<_, &str>(2).parse().unwrap_or_default();
        let owner = (row.get(0), row.get(1));
        match misfit(stream, owner, end_lsn, (slot_lsn, wal_end)) {
            None => Ok(end_lsn),
            Some(reason) => Err(ApplyError::ForeignCheckpoint {
                slot_name: stream.slot_name.clone(),
                reason,
            }),
        }
    }

    async fn create(&self, session: &Session, end_lsn: Lsn) -> Result<(), ApplyError> {
        let Stream {
            slot_name,
            system_identifier,
            database_name,
            timeline,
        } = &self.stream;
        let end_lsn = end_lsn.to_string();
        session
            .change(
                CREATE,
                &[
                    slot_name,
                    system_identifier,
                    database_name,
                    timeline,
                    &end_lsn,
                ],
            )
            .await
            .map_err(refused_record("the checkpoint"))?;
        Ok(())
    }

    /// Writes down a schema change, in the open transaction.
    ///
    /// # Errors
    /// The target's refusal.
    pub async fn record(
        &self,
        session: &Session,
        change: &AppliedSchemaChange,
    ) -> Result<(), ApplyError> {
        let AppliedSchemaChange {
            id,
            version,
            tag,
            statements,
            not_applied,
            duration_ms,
            commit_lsn,
            older_rows,
        } = change;
        let commit_lsn = commit_lsn.to_string();
        session
            .change(
                RECORD,
                &[
                    &self.stream.slot_name,
                    id,
                    version,
                    tag,
                    statements,
                    not_applied,
                    duration_ms,
                    &commit_lsn,
                    older_rows,
                ],
            )
            .await
            .map_err(refused_record("the record of a schema change"))?;
        Ok(())
    }

    /// Returns how rows are to be read that were written before a schema change and committed behind it: its
    /// commit record, and JSON. Forgets what is about transactions that began before `oldest`: none comes.
    ///
    /// # Errors
    /// The target's refusal.
    pub async fn older_rows(
        &self,
        session: &Session,
        oldest: Lsn,
    ) -> Result<Vec<(Lsn, String)>, ApplyError> {
        let (slot_name, oldest) = (&self.stream.slot_name, oldest.to_string());
        let asked = async {
            session
                .change(FORGET_OLDER_ROWS, &[slot_name, &oldest])
                .await?;
            session.rows(OLDER_ROWS, &[slot_name]).await
        };
        let rows = asked
            .await
            .map_err(refused_record("the record of schema changes"))?;
        let known = |row: &tokio_postgres::Row| {
            let lsn = row.get::<_, &str>(0).parse().unwrap_or_default();
            (lsn, row.get(1))
        };
        Ok(rows.iter().map(known).collect())
    }

    /// Writes down a skipped transaction, in the open transaction.
    ///
    /// # Errors
    /// The target's refusal.
    pub async fn record_skipped(
        &self,
        session: &Session,
        commit_lsn: Lsn,
        xid: u32,
        reason: &str,
    ) -> Result<(), ApplyError> {
        let (lsn, xid) = (commit_lsn.to_string(), i64::from(xid));
        session
            .change(
                RECORD_SKIPPED,
                &[&self.stream.slot_name, &lsn, &xid, &reason],
            )
            .await
            .map_err(refused_record("the record of a skipped transaction"))?;
        Ok(())
    }

    /// Returns the ids of the schema changes that the target has applied, out of `ids`.
    ///
    /// # Errors
    /// The target's refusal.
    pub async fn applied(
        &self,
        session: &Session,
        ids: &[String],
    ) -> Result<Vec<String>, ApplyError> {
        let sql = "SELECT id FROM pgstream.schema_change WHERE slot_name = $1 AND id = ANY ($2)";
        let rows = session
            .rows(sql, &[&self.stream.slot_name, &ids])
            .await
            .map_err(refused_record("the record of schema changes"))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

/// Removes the record of schema changes that are older than `keep`, but for those that the source does
/// not know of (`unacked`). Returns how many those were.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn prune_schema_changes(
    session: &Session,
    slot_name: &str,
    keep: Duration,
    unacked: &[String],
) -> Result<u64, PgError> {
    session
        .change(PRUNE, &[&slot_name, &keep.as_secs_f64(), &unacked])
        .await
}

/// Returns the system identifier and the database that the checkpoint of a slot is of.
///
/// # Errors
/// By SQLSTATE.
pub async fn checkpoint_owner(
    session: &Session,
    slot_name: &str,
) -> Result<Option<(String, String)>, PgError> {
    let row = session.row(OWNER, &[&slot_name]).await?;
    Ok(row.map(|row| (row.get(0), row.get(1))))
}

/// Returns whether one of the streams begins in the database of the session: what came through it is there
/// already.
///
/// # Errors
/// The target's refusal.
pub async fn begins_here(session: &Session, origins: &[String]) -> Result<bool, ApplyError> {
    let row = session.row(BEGINS_HERE, &[&origins]).await;
    let row = row.map_err(refused_record("a look for the streams that begin there"))?;
    Ok(row.is_some_and(|row| row.get(0)))
}

/// Returns the statement that tells our triggers on the target that the changes of a session come through
/// the stream of a slot, once that has a checkpoint there.
#[must_use]
pub fn came_through_slot_sql(slot_name: &str) -> String {
    format!(
        "SELECT pg_catalog.set_config('pgstream.applying', c.system_identifier || '/' || c.slot_name, false) \
         FROM pgstream.checkpoint AS c WHERE c.slot_name = {}",
        quote_literal(slot_name)
    )
}

/// Why a checkpoint does not fit to a slot that does not exist.
pub const SLOT_GONE: &str = "its slot is gone, and with it what came since";

/// Returns why a checkpoint (of what system and database, and where) does not fit to the stream of a slot
/// that has what comes after `slot_lsn` of WAL that ends at `wal_end`; none: it fits. Pure.
#[must_use]
pub fn misfit(
    stream: &Stream,
    (system_identifier, database_name): (&str, &str),
    end_lsn: Lsn,
    (slot_lsn, wal_end): (Lsn, Lsn),
) -> Option<String> {
    if system_identifier != stream.system_identifier || database_name != stream.database_name {
        return Some(format!(
            "it was written for database {database_name} of system {system_identifier}, and the \
             source is database {} of system {}",
            stream.database_name, stream.system_identifier
        ));
    }
    if slot_lsn > end_lsn {
        return Some(format!(
            "the target stands at {end_lsn} and the slot only has what comes after {slot_lsn}: it \
             was created anew or advanced by somebody, and what lies between is lost to it"
        ));
    }
    (end_lsn > wal_end).then(|| {
        format!(
            "the target stands at {end_lsn} and the source's WAL ends at {wal_end}: the source \
             was restored from an older backup"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_must_fit_its_source_and_its_slot() {
        let stream = Stream {
            slot_name: "s".to_owned(),
            system_identifier: "1".to_owned(),
            database_name: "d".to_owned(),
            timeline: 1,
        };
        let check = |owner, end, slot, wal, expected: Option<&str>| {
            let reason = misfit(&stream, owner, Lsn(end), (Lsn(slot), Lsn(wal)));
            assert_eq!(reason.is_some(), expected.is_some(), "{reason:?}");
            assert!(
                reason
                    .unwrap_or_default()
                    .contains(expected.unwrap_or_default())
            );
        };

        check(("1", "d"), 10, 10, 20, None);
        check(("1", "d"), 10, 5, 10, None);
        check(("2", "d"), 10, 5, 20, Some("system 2"));
        check(("1", "e"), 10, 5, 20, Some("database e"));
        check(("1", "d"), 10, 11, 20, Some("created anew"));
        check(("1", "d"), 10, 5, 9, Some("older backup"));
    }
}
