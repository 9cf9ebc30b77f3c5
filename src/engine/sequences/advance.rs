//! Moves the target's sequences forward to where a look at the source saw them.
//!
//! The stream sets sequences back in its own session (`TRUNCATE … RESTART IDENTITY`, `ALTER SEQUENCE …
//! RESTART`), and a look from before that must not undo it. So the stream writes down in the same
//! transaction where on the source that was, and whoever moves sequences holds that row meanwhile: he comes
//! either before the stream, or sees it.

use super::look::{Look, SequenceState};
use crate::config::ConnectionSettings;
use crate::model::{Lsn, quote_literal};
use crate::postgres::{self, PgError, Session, UNDEFINED_TABLE};

/// As the questions to the source, so that locks stay few.
const BATCH: usize = 500;

/// The stream goes first: what it holds may wait for what we hold.
const SETTINGS: &str =
    "SET lock_timeout = '100ms'; SET idle_in_transaction_session_timeout = '10s'";

/// Takes the row. Parameters: slot, sequences of the source, whether this ends the look.
const TAKE: &str = "\
INSERT INTO pgstream.sequence_look AS l (slot_name, looked_at, sequence_count)
SELECT c.slot_name, CASE WHEN $3 THEN pg_catalog.clock_timestamp() END, $2
FROM pgstream.checkpoint AS c
WHERE c.slot_name = $1
ON CONFLICT (slot_name) DO UPDATE
SET looked_at = COALESCE(excluded.looked_at, l.looked_at), sequence_count = excluded.sequence_count
RETURNING l.changed_at::pg_catalog.text, l.unfollowed";

const RECORD: &str = "\
UPDATE pgstream.sequence_look SET moved_count = moved_count + $2, unfollowed = $3 WHERE slot_name = $1";

/// Where the target has those called $1 (schemas) and $2, as places from 1: what the same column owns
/// there ($3, $4, $5), or what has the name. Then whether a table owns it there, why it cannot be moved, and
/// whether it may be behind $6 and $7.
const FIND: &str = "\
SELECT w.place, pg_catalog.format('%I.%I', n.nspname, q.relname),
       EXISTS (
         SELECT FROM pg_catalog.pg_depend AS d
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = q.oid
           AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0
           AND d.deptype IN ('a', 'i')),
       may.reason,
       may.reason IS NULL AND (
         NOT w.is_called OR s.seqcycle OR last.value IS NULL
         OR pg_catalog.sign(s.seqincrement::pg_catalog.numeric)
            * (w.value::pg_catalog.numeric - last.value::pg_catalog.numeric) > 0)
FROM ROWS FROM (
    pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]),
    pg_catalog.unnest($3::pg_catalog.text[]), pg_catalog.unnest($4::pg_catalog.text[]),
    pg_catalog.unnest($5::pg_catalog.text[]),
    pg_catalog.unnest($6::pg_catalog.int8[]), pg_catalog.unnest($7::pg_catalog.bool[]))
  WITH ORDINALITY
  AS w (schema_name, name, owner_schema, owner_table, owner_column, value, is_called, place)
CROSS JOIN LATERAL (
  SELECT COALESCE((
    SELECT o.oid
    FROM pg_catalog.pg_namespace AS tn
    JOIN pg_catalog.pg_class AS t ON t.relnamespace = tn.oid AND t.relname = w.owner_table
    JOIN pg_catalog.pg_attribute AS a
      ON a.attrelid = t.oid AND a.attname = w.owner_column AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_depend AS d
      ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
     AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
     AND d.refobjid = t.oid AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i')
    JOIN pg_catalog.pg_class AS o ON o.oid = d.objid AND o.relkind = 'S'
    WHERE tn.nspname = w.owner_schema
    ORDER BY o.relname = w.name DESC
    LIMIT 1), (
    SELECT o.oid
    FROM pg_catalog.pg_class AS o
    JOIN pg_catalog.pg_namespace AS sn ON sn.oid = o.relnamespace
    WHERE sn.nspname = w.schema_name AND o.relname = w.name AND o.relkind = 'S')) AS oid) AS found
JOIN pg_catalog.pg_class AS q ON q.oid = found.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = q.relnamespace
JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = q.oid
CROSS JOIN LATERAL (
  SELECT CASE
    WHEN NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
      OR NOT pg_catalog.has_sequence_privilege(q.oid, 'SELECT')
      OR NOT pg_catalog.has_sequence_privilege(q.oid, 'UPDATE')
    THEN 'our role may not move it on the target'
    WHEN w.value NOT BETWEEN s.seqmin AND s.seqmax
    THEN 'its value is beyond the bounds that it has on the target' END AS reason) AS may
CROSS JOIN LATERAL (
  SELECT CASE WHEN may.reason IS NULL THEN pg_catalog.pg_sequence_last_value(q.oid) END AS value) AS last";

/// Where on the source sequences were set back. Parameters: slot, commit.
const NOTE: &str = "\
INSERT INTO pgstream.sequence_look AS l (slot_name, changed_at)
VALUES ($1, $2::pg_catalog.text::pg_catalog.pg_lsn)
ON CONFLICT (slot_name) DO UPDATE SET changed_at = GREATEST(l.changed_at, excluded.changed_at)";

/// What became of a look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Advanced {
    /// The sequences (OIDs on the source) that the target's are not behind.
    pub(super) there: Vec<u32>,
    /// How many had to be moved.
    pub(super) moved_count: u64,
    /// Those that do not follow, each with the reason.
    pub(super) unfollowed: Vec<String>,
    /// Where the stream last changed sequences.
    pub(super) changed_at: Lsn,
}

/// Why nothing was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Idle {
    /// The stream has changed sequences behind the look, as of this position.
    Stale(Lsn),
    /// Nothing was streamed into this target.
    NoCheckpoint,
}

/// What the target has for a sequence of the source.
struct Found<'l> {
    state: &'l SequenceState,
    name: String,
    owned: bool,
    reason: Option<String>,
    behind: bool,
}

/// Opens the session.
pub(super) async fn connect(settings: &ConnectionSettings) -> Result<Session, PgError> {
    let session = postgres::connect(settings, "pgstream sequences").await?;
    session.run(SETTINGS).await?;
    Ok(session)
}

/// Moves what is behind.
pub(super) async fn advance(
    target: &Session,
    slot_name: &str,
    look: &Look,
) -> Result<Result<Advanced, Idle>, PgError> {
    let mut advanced = Advanced::default();
    let closed = look.closed.iter();
    let closed = closed.map(|name| format!("{name}: our role may not read it on the source"));
    advanced.unfollowed.extend(closed);
    let mut batches: Vec<&[SequenceState]> = look.moved.chunks(BATCH).collect();
    if batches.is_empty() {
        batches.push(&[]);
    }
    let last = batches.len() - 1;
    for (place, batch) in batches.into_iter().enumerate() {
        target.run("BEGIN").await?;
        let part = (batch, place == last);
        let moved = move_batch(target, slot_name, look, part, &mut advanced).await;
        let end = match &moved {
            Ok(Ok(())) => "COMMIT",
            Ok(Err(_)) | Err(_) => "ROLLBACK",
        };
        let ended = target.run(end).await;
        if let Err(idle) = moved? {
            return Ok(Err(idle));
        }
        ended?;
    }
    Ok(Ok(advanced))
}

async fn move_batch(
    target: &Session,
    slot_name: &str,
    look: &Look,
    (batch, is_last): (&[SequenceState], bool),
    advanced: &mut Advanced,
) -> Result<Result<(), Idle>, PgError> {
    let count = i64::try_from(look.count).unwrap_or(i64::MAX);
    let row = match target.row(TAKE, &[&slot_name, &count, &is_last]).await {
        Ok(Some(row)) => row,
        Ok(None) => return Ok(Err(Idle::NoCheckpoint)),
        Err(error) if error.code() == Some(UNDEFINED_TABLE) => {
            return Ok(Err(Idle::NoCheckpoint));
        }
        Err(error) => return Err(error),
    };
    let changed_at: Option<Lsn> = (row.get::<_, Option<&str>>(0)).and_then(|lsn| lsn.parse().ok());
    advanced.changed_at = changed_at.unwrap_or_default();
    if changed_at.is_some_and(|changed_at| changed_at >= look.lsn) {
        return Ok(Err(Idle::Stale(advanced.changed_at)));
    }
    let moved_count = move_found(target, batch, advanced).await?;
    advanced.moved_count += moved_count;
    if !is_last {
        return Ok(Ok(()));
    }
    let recorded: Vec<String> = row.get(1);
    advanced.unfollowed.sort();
    if advanced.moved_count > 0 || recorded != advanced.unfollowed {
        let moved = i64::try_from(advanced.moved_count).unwrap_or(i64::MAX);
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&slot_name, &moved, &advanced.unfollowed];
        target.change(RECORD, &parameters).await?;
    }
    Ok(Ok(()))
}

/// A sequence whose owner is left out is only touched where no table owns it on the target: one that a table
/// owns is the target's own.
async fn move_found(
    target: &Session,
    batch: &[SequenceState],
    advanced: &mut Advanced,
) -> Result<u64, PgError> {
    let found = find(target, batch).await?;
    let mut statements = String::new();
    for one in &found {
        let state = one.state;
        match &one.reason {
            _ if !state.travels && one.owned => advanced.there.push(state.oid),
            Some(reason) => advanced
                .unfollowed
                .push(format!("{}: {reason}", state.name)),
            None => {
                advanced.there.push(state.oid);
                if one.behind {
                    statements.push_str(&move_forward(&one.name, state));
                }
            }
        }
    }
    let missing = batch.iter().filter(|state| {
        let mut found = found.iter();
        state.travels && !found.any(|one| one.state.oid == state.oid)
    });
    let missing = missing.map(|state| format!("{}: it is not on the target", state.name));
    advanced.unfollowed.extend(missing);
    if statements.is_empty() {
        return Ok(0);
    }
    let moved = target.text_rows(&statements).await?;
    Ok(u64::try_from(moved.len()).unwrap_or(u64::MAX))
}

async fn find<'b>(target: &Session, batch: &'b [SequenceState]) -> Result<Vec<Found<'b>>, PgError> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let schemas: Vec<&str> = batch.iter().map(|one| &*one.name.schema).collect();
    let names: Vec<&str> = batch.iter().map(|one| &*one.name.name).collect();
    let owners = || batch.iter().map(|one| one.owner.as_ref());
    let owner_schemas: Vec<Option<&str>> = owners().map(|o| Some(&*o?.table.schema)).collect();
    let owner_tables: Vec<Option<&str>> = owners().map(|o| Some(&*o?.table.name)).collect();
    let owner_columns: Vec<Option<&str>> = owners().map(|o| Some(&*o?.column)).collect();
    let values: Vec<i64> = batch.iter().map(|one| one.position.last_value).collect();
    let called: Vec<bool> = batch.iter().map(|one| one.position.is_called).collect();
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 7] = [
        &schemas,
        &names,
        &owner_schemas,
        &owner_tables,
        &owner_columns,
        &values,
        &called,
    ];
    let rows = target.rows(FIND, &parameters).await?;
    let found = |row: &tokio_postgres::Row| {
        let place = usize::try_from(row.get::<_, i64>(0) - 1).ok()?;
        Some(Found {
            state: batch.get(place)?,
            name: row.get(1),
            owned: row.get(2),
            reason: row.get(3),
            behind: row.get(4),
        })
    };
    Ok(rows.iter().filter_map(found).collect())
}

/// Returns the statement, with one row where it moved. What counts is the next value: one that is not called
/// yet gives its last value once more. One that begins anew behind its last value has no way back: it goes to
/// where the source's is.
fn move_forward(name: &str, state: &SequenceState) -> String {
    let (value, is_called) = (state.position.last_value, state.position.is_called);
    let literal = quote_literal(name);
    format!(
        "SELECT pg_catalog.setval({literal}, {value}, {is_called}) FROM {name} AS q \
         JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = {literal}::pg_catalog.regclass \
         CROSS JOIN LATERAL (SELECT pg_catalog.sign(s.seqincrement::pg_catalog.numeric) \
         * ({value}::pg_catalog.numeric + CASE WHEN {is_called} THEN s.seqincrement ELSE 0 END \
         - q.last_value::pg_catalog.numeric \
         - CASE WHEN q.is_called THEN s.seqincrement ELSE 0 END) AS way) AS w \
         WHERE w.way > 0 OR s.seqcycle AND w.way <> 0;"
    )
}

/// Notes, in the open transaction, that the transaction of the source committed at `commit_lsn` may set
/// sequences back.
///
/// # Errors
/// By SQLSTATE.
pub(in crate::engine) async fn note(
    session: &Session,
    slot_name: &str,
    commit_lsn: Lsn,
) -> Result<(), PgError> {
    let lsn = commit_lsn.to_string();
    session.change(NOTE, &[&slot_name, &lsn]).await.map(drop)
}
