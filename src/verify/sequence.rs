//! Whether the sequences of the target are where they will not give out again what the source's have given
//! out.
//!
//! Sequences know no snapshots: what one gives out is gone although its transaction may fail. So the
//! source is asked first, and the target, which only moves on, must come to what the source said.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use crate::model::QualifiedName;
use crate::postgres::{PgError, Session};
use crate::runtime::clock;
use crate::status::Verdict;

use super::report::SequenceReport;

/// The stream brings a sequence along with rows, which may be on their way.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);

const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Values are asked of so many in one statement.
const AT_ONCE: usize = 500;

/// Sequences that the tables $1 own or draw from, and with $2 those that no table owns.
const OF_SOURCE: &str = "\
SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE')
         AND pg_catalog.has_sequence_privilege(c.oid, 'SELECT'),
       s.seqincrement
FROM pg_catalog.pg_sequence AS s
JOIN pg_catalog.pg_class AS c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend AS o
  ON o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.objid = c.oid
 AND o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.deptype IN ('a', 'i')
WHERE NOT s.seqcycle AND c.relpersistence <> 't' AND n.nspname <> 'pgstream'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e
                  WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid
                    AND e.deptype = 'e')
  AND (o.refobjid = ANY ($1) OR o.refobjid IS NULL AND (
        $2 OR EXISTS (
          SELECT FROM pg_catalog.pg_attrdef AS f
          JOIN pg_catalog.pg_depend AS d
            ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid
           AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid
          WHERE f.adrelid = ANY ($1))))
ORDER BY 1, 2";

/// The same on the target, by name.
const OF_TARGET: &str = "\
SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE')
         AND pg_catalog.has_sequence_privilege(c.oid, 'SELECT'),
       s.seqincrement
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
     AS w (schema_name, name)
JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema_name
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name
JOIN pg_catalog.pg_sequence AS s ON s.seqrelid = c.oid";

/// The sequences of a side.
pub(super) type Sequences = BTreeMap<QualifiedName, Position>;

/// Where a sequence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// What it gives out next; none: our role may not read it.
    next: Option<i128>,
    increment: i64,
}

impl Position {
    /// Returns whether it would give out what the other has given out.
    fn is_behind(&self, other: &Self) -> bool {
        match (self.next, other.next) {
            (Some(here), Some(there)) if other.increment < 0 => here > there,
            (Some(here), Some(there)) => here < there,
            _ => false,
        }
    }
}

/// Reads the source's sequences that belong to these tables, or to none.
pub(super) async fn of_source(
    source: &Session,
    (tables, all): (&[u32], bool),
) -> Result<Sequences, PgError> {
    let listed = source.rows(OF_SOURCE, &[&tables, &all]).await?;
    positions(source, &listed).await
}

async fn of_target(target: &Session, wanted: &Sequences) -> Result<Sequences, PgError> {
    let names = wanted.keys().map(|name| (&*name.schema, &*name.name));
    let (schemas, names): (Vec<&str>, Vec<&str>) = names.unzip();
    let listed = target.rows(OF_TARGET, &[&schemas, &names]).await?;
    positions(target, &listed).await
}

async fn positions(
    session: &Session,
    listed: &[tokio_postgres::Row],
) -> Result<Sequences, PgError> {
    let mut found = Sequences::new();
    let mut readable = Vec::new();
    for row in listed {
        let name = QualifiedName::new(row.get::<_, &str>(0), row.get::<_, &str>(1));
        let increment: i64 = row.get(3);
        if row.get(2) {
            readable.push((name.clone(), increment));
        }
        let unread = Position {
            next: None,
            increment,
        };
        found.insert(name, unread);
    }
    for some in readable.chunks(AT_ONCE) {
        let asked: Vec<String> = some
            .iter()
            .enumerate()
            .map(|(at, (name, _))| {
                format!(
                    "SELECT {at}, s.last_value, s.is_called FROM {} AS s",
                    name.quoted()
                )
            })
            .collect();
        for row in session.rows(&asked.join(" UNION ALL "), &[]).await? {
            let at = usize::try_from(row.get::<_, i32>(0)).unwrap_or_default();
            let Some((name, increment)) = some.get(at) else {
                continue;
            };
            let (last, called): (i64, bool) = (row.get(1), row.get(2));
            let drawn = if called { *increment } else { 0 };
            let next = Position {
                next: Some(i128::from(last) + i128::from(drawn)),
                increment: *increment,
            };
            found.insert(name.clone(), next);
        }
    }
    Ok(found)
}

/// Returns those that stay behind on the target, or cannot be read. Those that the target lacks are missing
/// objects.
pub(super) async fn compare_sequences(
    source: &Sequences,
    target: &Session,
) -> Result<Vec<SequenceReport>, PgError> {
    let until = clock::now() + ARRIVES_WITHIN;
    loop {
        let found = of_target(target, source).await?;
        let behind = source.iter().any(|(name, wanted)| {
            let found = found.get(name);
            found.is_some_and(|found| found.is_behind(wanted))
        });
        if !behind || clock::now() >= until {
            return Ok(reports(source, &found));
        }
        sleep(LOOK_EVERY).await;
    }
}

fn reports(source: &Sequences, target: &Sequences) -> Vec<SequenceReport> {
    let both = source
        .iter()
        .filter_map(|(name, wanted)| Some((name, wanted, target.get(name)?)));
    both.filter_map(|(name, wanted, found)| {
        let (verdict, reason) = match (wanted.next, found.next) {
            (None, _) => (
                Verdict::NotCompared,
                "our role may not read it on the source".to_owned(),
            ),
            (_, None) => (
                Verdict::NotCompared,
                "our role may not read it on the target".to_owned(),
            ),
            (Some(there), Some(here)) if found.is_behind(wanted) => (
                Verdict::Different,
                format!("it gives out {there} next on the source and {here} on the target"),
            ),
            _ => return None,
        };
        Some(SequenceReport {
            sequence: name.clone(),
            verdict,
            reason,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(next: i128, increment: i64) -> Position {
        Position {
            next: Some(next),
            increment,
        }
    }

    #[test]
    fn a_target_may_be_ahead_and_never_behind() {
        for (target, source, increment, behind) in [
            (5, 5, 1, false),
            (6, 5, 1, false),
            (4, 5, 1, true),
            (-5, -4, -1, false),
            (-3, -4, -1, true),
        ] {
            let found = at(target, increment).is_behind(&at(source, increment));
            assert_eq!(found, behind, "{target} {source} {increment}");
        }
    }
}
