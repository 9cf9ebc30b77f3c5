//! Asks the source where its sequences are.
//!
//! The function of the server that says so keeps a lock on the sequence until its transaction ends, and the
//! table of locks has room for some thousands: hence batches, each a transaction of its own. A sequence that
//! somebody holds locked is passed over: who waits for him would keep others waiting.

use std::collections::BTreeMap;

use super::look::{Look, Owner, Position, SequenceState};
use crate::config::{ConnectionSettings, TableFilter};
use crate::model::QualifiedName;
use crate::postgres::{self, PgError, Session};

/// Far below the number of locks that every server has room for.
const BATCH: i64 = 500;

/// Sequences that were never drawn from are asked one by one, which costs a plan each: so many in one look,
/// by turns.
const UNUSED_MAX: usize = 100;

/// A lock that somebody took a moment ago: rather the next look.
const SETTINGS: &str = "SET lock_timeout = '10ms'";

const WAL_END: &str = "\
SELECT (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
             ELSE pg_catalog.pg_current_wal_insert_lsn() END)::pg_catalog.text";

/// Members of extensions are the extension's. $1: behind this OID. A standby cannot read unlogged ones.
const VALUES: &str = "\
SELECT s.oid, s.readable, CASE WHEN s.readable THEN pg_catalog.pg_sequence_last_value(s.oid) END
FROM (
  SELECT c.oid, pg_catalog.has_sequence_privilege(c.oid, 'SELECT') AS readable
  FROM pg_catalog.pg_class AS c
  WHERE c.relkind = 'S' AND c.oid > $1 AND c.oid >= 16384
    AND (c.relpersistence = 'p' OR c.relpersistence = 'u' AND NOT pg_catalog.pg_is_in_recovery())
    AND c.relnamespace IS DISTINCT FROM pg_catalog.to_regnamespace('pgstream')
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS m
      WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND m.objid = c.oid AND m.deptype = 'e')
    AND c.oid NOT IN (
      SELECT l.relation
      FROM pg_catalog.pg_locks AS l
      JOIN pg_catalog.pg_database AS d ON d.oid = l.database
      WHERE d.datname = pg_catalog.current_database() AND l.locktype = 'relation' AND l.relation IS NOT NULL
        AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))
  ORDER BY c.oid LIMIT $2) AS s";

/// With the column that owns each, and the partitioned tables above its table.
const NAMES: &str = "\
SELECT c.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text,
       tn.nspname::pg_catalog.text, t.relname::pg_catalog.text, a.attname::pg_catalog.text,
       above.schemas, above.names
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend AS d
  ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
     AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0
     AND d.deptype IN ('a', 'i')
LEFT JOIN pg_catalog.pg_class AS t ON t.oid = d.refobjid
LEFT JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
CROSS JOIN LATERAL (
  SELECT COALESCE(pg_catalog.array_agg(an.nspname::pg_catalog.text ORDER BY ac.oid), '{}') AS schemas,
         COALESCE(pg_catalog.array_agg(ac.relname::pg_catalog.text ORDER BY ac.oid), '{}') AS names
  FROM pg_catalog.pg_partition_ancestors(t.oid) AS x (relid)
  JOIN pg_catalog.pg_class AS ac ON ac.oid = x.relid
  JOIN pg_catalog.pg_namespace AS an ON an.oid = ac.relnamespace) AS above
WHERE c.oid = ANY ($1)";

/// What a look sees before it knows names.
#[derive(Debug, Default)]
struct Seen {
    count: u64,
    closed: Vec<u32>,
    called: Vec<(u32, Position)>,
    unused: Vec<u32>,
}

/// Opens the session.
pub(super) async fn connect(settings: &ConnectionSettings) -> Result<Session, PgError> {
    let session = postgres::connect(settings, "pgstream sequences").await?;
    session.run(SETTINGS).await?;
    Ok(session)
}

/// Looks at all sequences and returns those that `is_news` wants. Of those that were never drawn from only
/// some behind the OID `unused_from`, or all; and where the next turn begins.
pub(super) async fn look(
    session: &Session,
    filter: &TableFilter,
    unused_from: Option<u32>,
    is_news: &(dyn Fn(u32, Position) -> bool + Sync),
) -> Result<(Look, u32), PgError> {
    let lsn = session.row(WAL_END, &[]).await?;
    let lsn = lsn.and_then(|row| row.get::<_, Option<String>>(0));
    let seen = values(session).await?;
    let (turn, next) = turn(&seen.unused, unused_from);
    let mut positions: BTreeMap<u32, Position> = seen.called.into_iter().collect();
    for oids in turn.chunks(UNUSED_MAX) {
        positions.extend(unused_positions(session, filter, oids).await?);
    }
    positions.retain(|oid, position| is_news(*oid, *position));
    let nowhere = seen.closed.iter().map(|oid| (*oid, Position::default()));
    let closed = named(session, filter, &nowhere.collect()).await?;
    let look = Look {
        lsn: lsn.and_then(|lsn| lsn.parse().ok()).unwrap_or_default(),
        count: seen.count,
        closed: closed.into_iter().map(|one| one.name).collect(),
        moved: named(session, filter, &positions).await?,
    };
    Ok((look, next))
}

async fn values(session: &Session) -> Result<Seen, PgError> {
    let mut seen = Seen::default();
    let mut behind = 0_u32;
    loop {
        let rows = session.rows(VALUES, &[&behind, &BATCH]).await?;
        for row in &rows {
            let (oid, readable): (u32, bool) = (row.get(0), row.get(1));
            behind = oid;
            seen.count += 1;
            match row.get::<_, Option<i64>>(2) {
                Some(last_value) => seen.called.push((oid, Position::called(last_value))),
                None if readable => seen.unused.push(oid),
                None => seen.closed.push(oid),
            }
        }
        if rows.len() < usize::try_from(BATCH).unwrap_or_default() {
            return Ok(seen);
        }
    }
}

/// Returns those whose turn it is, and where the next one begins.
fn turn(unused: &[u32], from: Option<u32>) -> (Vec<u32>, u32) {
    let Some(from) = from else {
        return (unused.to_vec(), 0);
    };
    let behind = unused.iter().copied().filter(|oid| *oid > from);
    let turn: Vec<u32> = behind.take(UNUSED_MAX).collect();
    let next = match turn.len() == UNUSED_MAX {
        true => turn.last().copied().unwrap_or_default(),
        false => 0,
    };
    (turn, next)
}

/// Only a look at the sequence itself says where one is that was never drawn from.
async fn unused_positions(
    session: &Session,
    filter: &TableFilter,
    oids: &[u32],
) -> Result<Vec<(u32, Position)>, PgError> {
    let nowhere = oids.iter().map(|oid| (*oid, Position::default()));
    let names = named(session, filter, &nowhere.collect()).await?;
    let question = |one: &SequenceState| {
        let (oid, name) = (one.oid, one.name.quoted());
        format!("SELECT {oid}::pg_catalog.oid, last_value, is_called FROM {name}")
    };
    let questions: Vec<String> = names.iter().map(question).collect();
    if questions.is_empty() {
        return Ok(Vec::new());
    }
    let rows = session.rows(&questions.join(" UNION ALL "), &[]).await?;
    let position = |row: &tokio_postgres::Row| {
        let position = Position {
            last_value: row.get(1),
            is_called: row.get(2),
        };
        (row.get(0), position)
    };
    Ok(rows.iter().map(position).collect())
}

async fn named(
    session: &Session,
    filter: &TableFilter,
    positions: &BTreeMap<u32, Position>,
) -> Result<Vec<SequenceState>, PgError> {
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let oids: Vec<u32> = positions.keys().copied().collect();
    let rows = session.rows(NAMES, &[&oids]).await?;
    let state = |row: &tokio_postgres::Row| {
        let oid = row.get(0);
        let owner = owner(row);
        Some(SequenceState {
            oid,
            name: QualifiedName::new(row.get::<_, &str>(1), row.get::<_, &str>(2)),
            travels: owner.as_ref().is_none_or(|owner| {
                let above = above(row);
                let lineage: Vec<&QualifiedName> =
                    std::iter::once(&owner.table).chain(&above).collect();
                filter.selects_lineage(&lineage)
            }),
            owner,
            position: *positions.get(&oid)?,
        })
    };
    Ok(rows.iter().filter_map(state).collect())
}

fn owner(row: &tokio_postgres::Row) -> Option<Owner> {
    let (schema, table): (Option<&str>, Option<&str>) = (row.get(3), row.get(4));
    let column: Option<String> = row.get(5);
    Some(Owner {
        table: QualifiedName::new(schema?, table?),
        column: column?,
    })
}

fn above(row: &tokio_postgres::Row) -> Vec<QualifiedName> {
    let (schemas, names): (Vec<String>, Vec<String>) = (row.get(6), row.get(7));
    let tables = schemas.into_iter().zip(names);
    tables
        .map(|(schema, table)| QualifiedName::new(schema, table))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_were_never_drawn_from_have_their_turns() {
        let unused: Vec<u32> = (1..=250).collect();
        let (first, next) = turn(&unused, Some(0));
        assert_eq!((first.len(), next), (100, 100));
        let (second, next) = turn(&unused, Some(next));
        assert_eq!((second[0], next), (101, 200));
        let (third, next) = turn(&unused, Some(next));
        assert_eq!((third.len(), next), (50, 0));
        assert_eq!(turn(&unused, None).0.len(), 250);
    }
}
