//! Compares tables: COPY of both sides at once, and the rows of unequal buckets once more. Small tables share a
//! statement, since what each costs by itself is more than its rows.

use std::collections::HashSet;

use tokio::time::Instant;

use crate::model::{Classify as _, ErrorClass};
use crate::postgres::{CopySession, PgError, Session, sqlstate};
use crate::runtime::clock;
use crate::snapshot::KeyRange;
use crate::status::Verdict;

use super::counters::Counters;
use super::digest::{Digest, Hasher};
use super::pair::Pair;
use super::proved::{Proved, Reached};
use super::report::TableReport;
use super::rows::{Differences, Found, ReadOn};
use super::table::{Candidate, FINGERPRINTS, Sample, WHOLE, lock_sql};

/// The rows of so many unequal buckets are gathered; where more differ, there are more differences than
/// anybody reads.
const BUCKETS_READ_MAX: usize = 400;

/// Whoever changes the table now will be through, or hold it for long.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '1s'";

/// How tables are compared.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) seed: u64,
    /// Differing rows that are named, a table.
    pub(super) rows_max: usize,
    pub(super) show_values: bool,
    pub(super) sample: Option<Sample>,
    pub(super) counters: Counters,
    pub(super) proved: Proved,
}

/// Old snapshots keep dead rows on both sides.
pub(super) const TOO_OLD: &str = "the snapshots had become too old";

/// The sessions of one worker.
pub(super) struct Sides<'r> {
    pub(super) source: &'r mut CopySession,
    pub(super) target: &'r mut CopySession,
    /// Sessions that see what is committed now.
    pub(super) source_now: &'r Session,
    pub(super) target_now: &'r Session,
    /// Behind this, no other range is begun.
    pub(super) until: Instant,
}

/// What came of a table.
pub(super) enum Outcome {
    /// With the keys of all rows that differ, for a table that has one.
    Compared(Box<TableReport>, Vec<Vec<String>>),
    /// It was changed, or others needed it: another pair of snapshots can show it.
    Again(String),
}

/// Compares tables under the snapshots of the pair: all at once, and one by one where that does not go.
pub(super) async fn compare(
    sides: &mut Sides<'_>,
    pair: &Pair,
    tables: Vec<Candidate>,
    settings: &Settings,
) -> Result<Vec<(Candidate, Outcome)>, PgError> {
    let all: Vec<&Candidate> = tables.iter().collect();
    let outcomes = match some(sides, pair, &all, settings).await? {
        Ok(outcomes) => outcomes,
        Err(reason) if tables.len() == 1 => vec![Outcome::Again(reason)],
        Err(_) => {
            let mut outcomes = Vec::new();
            for table in all {
                match some(sides, pair, &[table], settings).await? {
                    Ok(one) => outcomes.extend(one),
                    Err(reason) => outcomes.push(Outcome::Again(reason)),
                }
            }
            outcomes
        }
    };
    Ok(tables.into_iter().zip(outcomes).collect())
}

/// Returns what came of each table, or why another pair of snapshots may bring another answer.
async fn some(
    sides: &mut Sides<'_>,
    pair: &Pair,
    tables: &[&Candidate],
    settings: &Settings,
) -> Result<Result<Vec<Outcome>, String>, PgError> {
    let compared = under_snapshots(sides, pair, tables, settings).await;
    let (source, target) = tokio::join!(leave(sides.source), leave(sides.target));
    match compared {
        Ok(outcomes) => source.and(target).map(|()| Ok(outcomes)),
        Err(error) if passes(&error) => {
            source.and(target)?;
            Ok(Err(again(&error)))
        }
        Err(error) => Err(error),
    }
}

/// Ends what the session reads. One that is gone has nothing to roll back; the next table tells.
async fn leave(session: &mut CopySession) -> Result<(), PgError> {
    session.abandon().await;
    session.query("ROLLBACK").await.map(drop)
}

/// Returns whether another pair of snapshots may bring another answer.
fn passes(error: &PgError) -> bool {
    let code = error.code();
    code == Some(sqlstate::QUERY_CANCELED)
        || code == Some(sqlstate::LOCK_NOT_AVAILABLE)
        || error.server().is_some_and(|answer| {
            // An object or a column that is gone, or a snapshot.
            answer.code.starts_with("42") && answer.code != sqlstate::INSUFFICIENT_PRIVILEGE
                || answer.code == "22023"
        })
        || error.server().is_some() && error.class() == ErrorClass::Transient
}

fn again(error: &PgError) -> String {
    match error.code() {
        Some(code) if code == sqlstate::QUERY_CANCELED => {
            "a statement of another session needed it".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Begins to read under a snapshot, with tables locked against changes of their definitions. Who holds one of
/// several is not waited for: he may wait for another of them.
async fn enter(session: &mut CopySession, begin: &str, tables: &[String]) -> Result<(), PgError> {
    let no_wait = if tables.len() > 1 { " NOWAIT" } else { "" };
    let lock = lock_sql(tables);
    let sql = format!("{begin}; {LOCK_TIMEOUT}; {lock}{no_wait}");
    session.query(&sql).await.map(drop)
}

async fn under_snapshots(
    sides: &mut Sides<'_>,
    pair: &Pair,
    tables: &[&Candidate],
    settings: &Settings,
) -> Result<Vec<Outcome>, PgError> {
    let started = clock::now();
    let names = |on: fn(&Candidate) -> String| -> Vec<String> {
        tables.iter().map(|table| on(table)).collect()
    };
    let (source, target) = (names(Candidate::on_source), names(Candidate::on_target));
    // What was asked is heard to its end on both sides: a session is good for the next statement then.
    let entered = tokio::join!(
        enter(sides.source, &pair.source.begin, &source),
        enter(sides.target, &pair.target.begin, &target),
    );
    entered.0.and(entered.1)?;
    let oids =
        |of: fn(&Candidate) -> u32| -> Vec<u32> { tables.iter().map(|table| of(table)).collect() };
    let (on_source, on_target) = tokio::join!(
        unchanged(sides.source, sides.source_now, oids(|table| table.source)),
        unchanged(sides.target, sides.target_now, oids(|table| table.target)),
    );
    let (on_source, on_target) = (on_source?, on_target?);
    let is_unchanged =
        |table: &Candidate| on_source.contains(&table.source) && on_target.contains(&table.target);
    let still: Vec<&Candidate> = tables
        .iter()
        .copied()
        .filter(|one| is_unchanged(one))
        .collect();
    let mut compared = match &still[..] {
        [table] => vec![by_ranges(sides, pair, table, settings).await?],
        _ => whole(sides, pair, &still, settings).await?,
    }
    .into_iter();
    let outcomes = tables.iter().map(|table| match is_unchanged(table) {
        true => compared
            .next()
            .flatten()
            .map(|sum| sum.outcome((pair, started))),
        false => Some(Outcome::Again("its definition was changed".to_owned())),
    });
    let outcomes =
        outcomes.map(|outcome| outcome.unwrap_or_else(|| Outcome::Again(TOO_OLD.to_owned())));
    Ok(outcomes.collect())
}

/// Compares a table range by range; none: the snapshots have become too old.
async fn by_ranges(
    sides: &mut Sides<'_>,
    pair: &Pair,
    table: &Candidate,
    settings: &Settings,
) -> Result<Option<Sum>, PgError> {
    let reached = settings.proved.reached(table);
    let mut sum = Sum::new(table, reached.as_ref());
    let low = reached.and_then(|reached| reached.below);
    for (number, range) in table.ranges_from(low).into_iter().enumerate() {
        if number > 0 && clock::now() >= sides.until {
            return Ok(None);
        }
        let parts = [(table, range)];
        for part in read_parts(sides, &parts, settings).await? {
            sum.add(part, settings);
        }
        if let Some(row_count) = sum.equal_rows() {
            let reached = Reached {
                below: range.high,
                row_count,
                lsn: pair.lsn,
            };
            let proved = [(table, reached)];
            settings.proved.note(sides.target_now, &proved).await?;
        }
    }
    Ok(Some(sum))
}

/// Compares small tables at once.
async fn whole(
    sides: &mut Sides<'_>,
    pair: &Pair,
    tables: &[&Candidate],
    settings: &Settings,
) -> Result<Vec<Option<Sum>>, PgError> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let parts: Vec<(&Candidate, KeyRange)> = tables.iter().map(|table| (*table, WHOLE)).collect();
    let mut sums = Vec::new();
    let mut equal = Vec::new();
    for (table, part) in tables
        .iter()
        .zip(read_parts(sides, &parts, settings).await?)
    {
        let mut sum = Sum::new(table, None);
        sum.add(part, settings);
        equal.extend(sum.equal_rows().map(|row_count| {
            let reached = Reached {
                below: None,
                row_count,
                lsn: pair.lsn,
            };
            (*table, reached)
        }));
        sums.push(Some(sum));
    }
    settings.proved.note(sides.target_now, &equal).await?;
    Ok(sums)
}

/// What the ranges of a table come to.
struct Sum {
    report: TableReport,
    keys: Vec<Vec<String>>,
}

impl Sum {
    fn new(table: &Candidate, reached: Option<&Reached>) -> Self {
        let rows = reached.map_or(0, |reached| reached.row_count);
        Self {
            report: TableReport {
                source_rows: rows,
                target_rows: rows,
                counted: true,
                ..TableReport::without_rows(table.name.clone(), Verdict::Equal)
            },
            keys: Vec::new(),
        }
    }

    fn add(&mut self, range: RangeReport, settings: &Settings) {
        let RangeReport {
            rows: (source_rows, target_rows),
            differs,
            counted,
            found,
        } = range;
        let report = &mut self.report;
        report.source_rows += source_rows;
        report.target_rows += target_rows;
        report.missing += found.missing;
        report.extra += found.extra;
        report.differing += found.differing;
        report.counted &= counted;
        if differs {
            report.verdict = Verdict::Different;
        }
        report.rows.extend(found.rows);
        report.rows.truncate(settings.rows_max);
        self.keys.extend(found.keys);
    }

    fn outcome(self, (pair, started): (&Pair, Instant)) -> Outcome {
        let mut report = self.report;
        report.lsn = pair.lsn;
        report.seconds = started.elapsed().as_secs_f64();
        Outcome::Compared(Box::new(report), self.keys)
    }

    /// Returns how many rows are equal, as long as all are.
    fn equal_rows(&self) -> Option<u64> {
        (self.report.verdict == Verdict::Equal).then_some(self.report.source_rows)
    }
}

/// What one range comes to.
#[derive(Default)]
struct RangeReport {
    rows: (u64, u64),
    differs: bool,
    /// All differing rows were counted.
    counted: bool,
    found: Found,
}

/// Reads ranges of tables on both sides, all in one statement.
async fn read_parts(
    sides: &mut Sides<'_>,
    parts: &[(&Candidate, KeyRange)],
    settings: &Settings,
) -> Result<Vec<RangeReport>, PgError> {
    let hashers: Vec<Hasher> = parts
        .iter()
        .map(|(table, _)| {
            let row_estimate = table.row_estimate / (table.ranges.len() as u64).max(1);
            Hasher::new(settings.seed, row_estimate, table.key.len())
        })
        .collect();
    let (source, target) = digests(sides, parts, &hashers, settings).await?;
    let mut reports = Vec::new();
    for (part, (source, target)) in parts.iter().zip(source.iter().zip(target)) {
        let rows = (source.row_count(), target.row_count());
        reports.push(match source.differing(&target).is_empty() {
            true => RangeReport {
                rows,
                counted: true,
                ..RangeReport::default()
            },
            false => differing_part(sides, part, (source, &target), settings).await?,
        });
    }
    Ok(reports)
}

/// Returns the digests of both sides.
async fn digests(
    sides: &mut Sides<'_>,
    parts: &[(&Candidate, KeyRange)],
    hashers: &[Hasher],
    settings: &Settings,
) -> Result<(Vec<Digest>, Vec<Digest>), PgError> {
    let empty = || -> Vec<Digest> { hashers.iter().map(|hasher| hasher.digest()).collect() };
    let (mut source, mut target) = (empty(), empty());
    let copies = parts
        .iter()
        .map(|(table, range)| table.copies(*range, settings.sample));
    let (from_source, from_target): (Vec<String>, Vec<String>) = copies.unzip();
    let (from_source, from_target) = (from_source.join("; "), from_target.join("; "));
    let add = |digests: &mut [Digest], number: usize, row: &[u8]| {
        if let Some(digest) = digests.get_mut(number) {
            digest.add(row);
        }
    };
    let counters = &settings.counters;
    tokio::try_join!(
        read(sides.source, &from_source, counters, |number, row| add(
            &mut source,
            number,
            row
        )),
        read(sides.target, &from_target, counters, |number, row| add(
            &mut target,
            number,
            row
        )),
    )?;
    Ok((source, target))
}

/// Tells the rows in which a part differs. Buckets of far more rows than the statistics said are made smaller
/// first: the rows of some are kept in memory.
async fn differing_part(
    sides: &mut Sides<'_>,
    part: &(&Candidate, KeyRange),
    (source, target): (&Digest, &Digest),
    settings: &Settings,
) -> Result<RangeReport, PgError> {
    let (table, range) = *part;
    let row_count = source.row_count().max(target.row_count());
    let finer = Hasher::new(settings.seed, row_count, table.key.len());
    let mut pair = (source.clone(), target.clone());
    if finer.is_finer(source) {
        let (source, target) = digests(sides, &[*part], &[finer], settings).await?;
        pair = source.into_iter().zip(target).next().unwrap_or(pair);
    }
    let (source, target) = pair;
    let differing = source.differing(&target);
    let (copy_source, copy_target) = table.copies(range, settings.sample);
    let buckets: HashSet<usize> = differing.iter().copied().take(BUCKETS_READ_MAX).collect();
    let hasher = source.hasher;
    let names = (&*table.key, &*table.columns);
    let mut differences = Differences::new(hasher, names, settings.show_values);
    let copies = [
        (&mut *sides.source, copy_source, ReadOn::Source),
        (&mut *sides.target, copy_target, ReadOn::Target),
    ];
    for (session, copy, on) in copies {
        let add = |_, row: &[u8]| {
            if buckets.contains(&hasher.bucket(row)) {
                differences.add(on, row);
            }
        };
        read(session, &copy, &settings.counters, add).await?;
    }
    Ok(RangeReport {
        rows: (source.row_count(), target.row_count()),
        differs: true,
        counted: differing.len() <= BUCKETS_READ_MAX,
        found: differences.found(settings.rows_max),
    })
}

/// Returns those of the tables that still have the files and the columns that the snapshot shows: rows that a
/// rewrite or TRUNCATE takes away are gone for older snapshots too (manual, section 13.6 «Caveats»).
async fn unchanged(
    then: &mut CopySession,
    now: &Session,
    oids: Vec<u32>,
) -> Result<HashSet<u32>, PgError> {
    let list: Vec<String> = oids.iter().map(u32::to_string).collect();
    let sql = FINGERPRINTS.replace("$1", &format!("'{{{}}}'", list.join(",")));
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&oids];
    let (then, now) = tokio::join!(then.query(&sql), now.rows(FINGERPRINTS, &parameters));
    let (then, now) = (then?, now?);
    let now: HashSet<(String, String)> = now.iter().map(|row| (row.get(0), row.get(1))).collect();
    let same = then.into_iter().filter_map(|row| {
        let [Some(oid), Some(print)] = <[Option<String>; 2]>::try_from(row).ok()? else {
            return None;
        };
        let print = (oid, print);
        now.contains(&print).then(|| print.0.parse().ok())?
    });
    Ok(same.collect())
}

/// As [`unchanged`], of one table and between sessions of the other kind.
pub(super) async fn is_unchanged(then: &Session, now: &Session, oid: u32) -> Result<bool, PgError> {
    let oids = vec![oid];
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&oids];
    let (then, now) = tokio::try_join!(
        then.row(FINGERPRINTS, &parameters),
        now.row(FINGERPRINTS, &parameters)
    )?;
    let print = |row: Option<tokio_postgres::Row>| row.map(|row| row.get::<_, String>(1));
    let (then, now) = (print(then), print(now));
    Ok(then.is_some() && then == now)
}

/// Reads statements `COPY … TO STDOUT` to their end; `add` is given the number of the statement and a row.
async fn read(
    session: &mut CopySession,
    copies: &str,
    counters: &Counters,
    mut add: impl FnMut(usize, &[u8]) + Send,
) -> Result<(), PgError> {
    let mut reader = session.read_out(copies).await?;
    while let Some((row_count, byte_count)) = reader.rows(&mut add).await? {
        counters.add(row_count, byte_count).await;
    }
    Ok(())
}
