//! Compares one table: COPY of both sides at once, and the rows of unequal buckets once more.

use std::collections::HashSet;
use std::pin::pin;

use futures_util::StreamExt as _;
use tokio::time::Instant;

use crate::model::{Classify as _, ErrorClass};
use crate::postgres::{PgError, Session, sqlstate};
use crate::runtime::clock;
use crate::snapshot::KeyRange;
use crate::status::Verdict;

use super::counters::{CHUNK_BYTES, Counters};
use super::digest::Hasher;
use super::pair::Pair;
use super::proved::{Proved, Reached};
use super::report::TableReport;
use super::rows::{Differences, Found, ReadOn};
use super::table::{Candidate, FINGERPRINT, Sample};

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
    pub(super) source: &'r Session,
    pub(super) target: &'r Session,
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

/// Compares a table under the snapshots of the pair.
pub(super) async fn compare(
    sides: &Sides<'_>,
    pair: &Pair,
    table: &Candidate,
    settings: &Settings,
) -> Result<Outcome, PgError> {
    let compared = under_snapshots(sides, pair, table, settings).await;
    // A session that is gone has nothing to roll back; the next table tells.
    let (source, target) = tokio::join!(sides.source.run("ROLLBACK"), sides.target.run("ROLLBACK"));
    match compared {
        Ok(outcome) => source.and(target).map(|()| outcome),
        Err(error) if passes(&error) => {
            source.and(target)?;
            Ok(Outcome::Again(again(&error)))
        }
        Err(error) => Err(error),
    }
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

/// Begins to read under a snapshot, with the table locked against changes of its definition.
async fn enter(session: &Session, begin: String, lock: String) -> Result<(), PgError> {
    session
        .run(&format!("{begin}; {LOCK_TIMEOUT}; {lock}"))
        .await
}

async fn under_snapshots(
    sides: &Sides<'_>,
    pair: &Pair,
    table: &Candidate,
    settings: &Settings,
) -> Result<Outcome, PgError> {
    let started = clock::now();
    let (source_root, target_root) = table.roots();
    tokio::try_join!(
        enter(
            sides.source,
            pair.source.begin.clone(),
            table.lock(source_root)
        ),
        enter(
            sides.target,
            pair.target.begin.clone(),
            table.lock(target_root)
        ),
    )?;
    let unchanged = tokio::try_join!(
        is_unchanged(sides.source, sides.source_now, table.source),
        is_unchanged(sides.target, sides.target_now, table.target),
    )?;
    if unchanged != (true, true) {
        return Ok(Outcome::Again("its definition was changed".to_owned()));
    }
    let reached = settings.proved.reached(table);
    let mut sum = Sum::new(table, reached.as_ref());
    let low = reached.and_then(|reached| reached.below);
    for (number, range) in table.ranges_from(low).into_iter().enumerate() {
        if number > 0 && clock::now() >= sides.until {
            return Ok(Outcome::Again(TOO_OLD.to_owned()));
        }
        sum.add(one_range(sides, table, range, settings).await?, settings);
        if let Some(row_count) = sum.equal_rows() {
            let reached = Reached {
                below: range.high,
                row_count,
                lsn: pair.lsn,
            };
            let noted = settings.proved.note(sides.target_now, table, reached);
            noted.await?;
        }
    }
    let (mut report, keys) = (sum.report, sum.keys);
    report.lsn = pair.lsn;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(Outcome::Compared(Box::new(report), keys))
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

    /// Returns how many rows are equal, as long as all are.
    fn equal_rows(&self) -> Option<u64> {
        (self.report.verdict == Verdict::Equal).then_some(self.report.source_rows)
    }
}

/// What one range comes to.
struct RangeReport {
    rows: (u64, u64),
    differs: bool,
    /// All differing rows were counted.
    counted: bool,
    found: Found,
}

async fn one_range(
    sides: &Sides<'_>,
    table: &Candidate,
    range: KeyRange,
    settings: &Settings,
) -> Result<RangeReport, PgError> {
    let row_estimate = table.row_estimate / (table.ranges.len() as u64).max(1);
    let hasher = Hasher::new(settings.seed, row_estimate, table.key.len());
    let (mut source, mut target) = (hasher.digest(), hasher.digest());
    let (copy_source, copy_target) = table.copies(range, settings.sample);
    let counters = &settings.counters;
    tokio::try_join!(
        read(sides.source, &copy_source, counters, |row| source.add(row)),
        read(sides.target, &copy_target, counters, |row| target.add(row)),
    )?;
    let differing = source.differing(&target);
    let found = if differing.is_empty() {
        Found::default()
    } else {
        let copies = [
            (sides.source, copy_source, ReadOn::Source),
            (sides.target, copy_target, ReadOn::Target),
        ];
        differences(copies, table, (hasher, &differing), settings).await?
    };
    Ok(RangeReport {
        rows: (source.row_count(), target.row_count()),
        differs: !differing.is_empty(),
        counted: differing.len() <= BUCKETS_READ_MAX,
        found,
    })
}

/// Returns whether the table still has the file and the columns that the snapshot shows: rows that a
/// rewrite or TRUNCATE takes away are gone for older snapshots too (manual, section 13.6 «Caveats»).
pub(super) async fn is_unchanged(then: &Session, now: &Session, oid: u32) -> Result<bool, PgError> {
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&oid];
    let (then, now) = tokio::try_join!(
        then.row(FINGERPRINT, &parameters),
        now.row(FINGERPRINT, &parameters)
    )?;
    let print =
        |row: Option<tokio_postgres::Row>| row.and_then(|row| row.get::<_, Option<String>>(0));
    let (then, now) = (print(then), print(now));
    Ok(then.is_some() && then == now)
}

async fn differences(
    copies: [(&Session, String, ReadOn); 2],
    table: &Candidate,
    (hasher, differing): (Hasher, &[usize]),
    settings: &Settings,
) -> Result<Found, PgError> {
    let buckets: HashSet<usize> = differing.iter().copied().take(BUCKETS_READ_MAX).collect();
    let names = (&*table.key, &*table.columns);
    let mut differences = Differences::new(hasher, names, settings.show_values);
    let wanted = |row: &[u8]| buckets.contains(&hasher.bucket(row));
    for (session, copy, on) in copies {
        let add = |row: &[u8]| {
            if wanted(row) {
                differences.add(on, row);
            }
        };
        read(session, &copy, &settings.counters, add).await?;
    }
    Ok(differences.found(settings.rows_max))
}

/// Reads a COPY to its end; each message is one row (manual, section 55.2.7 «COPY Operations»).
async fn read(
    session: &Session,
    copy: &str,
    counters: &Counters,
    mut add: impl FnMut(&[u8]),
) -> Result<(), PgError> {
    let failed = |error| session.error(copy, error);
    let rows = session.copy_out(copy).await.map_err(failed)?;
    let mut rows = pin!(rows);
    let (mut row_count, mut byte_count) = (0, 0);
    while let Some(row) = rows.next().await {
        let row = row.map_err(failed)?;
        row_count += 1;
        byte_count += row.len() as u64;
        add(&row);
        if byte_count >= CHUNK_BYTES {
            counters.add(row_count, byte_count).await;
            (row_count, byte_count) = (0, 0);
        }
    }
    counters.add(row_count, byte_count).await;
    Ok(())
}
