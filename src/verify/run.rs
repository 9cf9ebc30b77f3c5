//! All tables, several at a time, under as many pairs of snapshots as it takes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{debug, info, warn};

use crate::config::{Pipeline, SlotName, TableFilter};
use crate::engine::{Engine, EngineOptions, Handle, follow_sequences};
use crate::model::{Lsn, QualifiedName};
use crate::postgres::{self, PgError, Session};
use crate::runtime::{Task, clock, spawn};
use crate::status::{Command, Outcome, Phase, failure_of};

use super::VerifyError;
use super::compare::{self, Sides, compare};
use super::pair::{self, Pair};
use super::record::record;
use super::report::{Report, TableReport, Verdict};
use super::table::{self, Candidate};

/// Tables that change under every one of so many pairs are not compared.
const ROUNDS_MAX: usize = 5;

/// Attempts to have a pair, each half a second after the last.
const PAIRS_MAX: usize = 20;

const BETWEEN_PAIRS: Duration = Duration::from_millis(500);

/// A user's statement waits for us no longer than this.
const WATCH_EVERY: Duration = Duration::from_millis(100);

/// Which of our sessions others wait for, and whether it is for the end of a snapshot.
const WAITED_FOR: &str = "\
SELECT b.pid, pg_catalog.bool_or(a.wait_event = 'virtualxid')
FROM pg_catalog.pg_stat_activity AS a
CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) AS b (pid)
WHERE a.wait_event_type = 'Lock' AND b.pid = ANY ($1) AND a.pid <> ALL ($1)
GROUP BY b.pid";

const CANCEL: &str =
    "SELECT pg_catalog.pg_cancel_backend(p.pid) FROM pg_catalog.unnest($1) AS p (pid)";

const ACTIVE: &str = "\
SELECT s.active FROM pg_catalog.pg_replication_slots AS s
WHERE s.slot_name = $1 AND s.database = pg_catalog.current_database()";

/// What to compare, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which of the tables that replicate.
    pub tables: TableFilter,
    /// Tables that are compared at the same time.
    pub worker_count: usize,
    /// Differing rows that are named, a table.
    pub rows_max: usize,
}

/// Compares both sides and keeps the verdicts on the target. `progress` hears of each table. Where no
/// engine runs for the slot, one is started for as long as it takes, since the target must come to the
/// position of a snapshot of the source.
///
/// # Errors
/// [`VerifyError`] when there is no verdict.
pub async fn verify(
    pipeline: &Pipeline,
    options: &Options,
    progress: impl Fn(&TableReport),
) -> Result<Report, VerifyError> {
    let source = postgres::connect(&pipeline.source, "pgstream verify").await;
    let source = source.map_err(VerifyError::of("connect to the source"))?;
    let slot_name = slot_name(pipeline, &source).await?;
    let engine = match is_active(&source, &slot_name).await? {
        true => None,
        false => Some(start_engine(pipeline).await?),
    };
    let run = Run {
        pipeline,
        options,
        slot_name,
        seed: pair::random(),
    };
    let report = Box::pin(run.all(progress)).await;
    if report.is_ok()
        && let Err(error) = follow_sequences(pipeline).await
    {
        let causes = failure_of(&error, None).why();
        warn!(target: "apply", causes, "the sequences are not brought forward: {error}");
    }
    if let Some(mut engine) = engine {
        drop(engine.command(Command::Stop).await);
        drop(engine.join().await);
    }
    report
}

async fn slot_name(pipeline: &Pipeline, source: &Session) -> Result<String, VerifyError> {
    if let Some(slot) = &pipeline.slot {
        return Ok(slot.to_string());
    }
    let database = source.current_database().await;
    let database = database.map_err(VerifyError::of("ask for the database's name"))?;
    Ok(SlotName::for_database(&database).to_string())
}

async fn is_active(source: &Session, slot_name: &str) -> Result<bool, VerifyError> {
    let row = source.row(ACTIVE, &[&slot_name]).await;
    let row = row.map_err(VerifyError::of("look at the slot"))?;
    row.map(|row| row.get(0))
        .ok_or_else(|| VerifyError::NoSlot {
            slot_name: slot_name.to_owned(),
        })
}

async fn start_engine(pipeline: &Pipeline) -> Result<Handle, VerifyError> {
    info!(target: "slot", "no pgstream runs for this slot: streaming for as long as the comparison takes");
    let mut engine = Engine::start(pipeline.clone(), EngineOptions::default());
    let mut status = engine.status();
    let streams = status.wait_for(|status| matches!(status.phase, Phase::Streaming { .. }));
    tokio::select! {
        biased;
        outcome = engine.join() => {
            return Err(match outcome {
                Outcome::Stopped => VerifyError::NoAnswer {
                    slot_name: engine.status().borrow().slot_name.clone(),
                },
                Outcome::Failed(failure) => VerifyError::EngineStopped {
                    message: failure.message.clone(),
                    failure: Box::new(failure),
                },
            });
        }
        _streams = streams => {}
    }
    Ok(engine)
}

struct Run<'r> {
    pipeline: &'r Pipeline,
    options: &'r Options,
    slot_name: String,
    seed: u64,
}

/// What a round left.
#[derive(Default)]
struct Left {
    reports: Vec<TableReport>,
    again: Vec<(QualifiedName, String)>,
}

impl Run<'_> {
    async fn all(&self, progress: impl Fn(&TableReport)) -> Result<Report, VerifyError> {
        let started = clock::now();
        let records = postgres::connect(&self.pipeline.target, "pgstream verify").await;
        let records = records.map_err(VerifyError::of("connect to the target"))?;
        let mut report = Report {
            slot_name: self.slot_name.clone(),
            tables: Vec::new(),
            lsn: Lsn::ZERO,
            pauses_ms: Vec::new(),
            seconds: 0.0,
        };
        let mut only: Option<Vec<(QualifiedName, String)>> = None;
        for _ in 0..ROUNDS_MAX {
            let pair = self.pair().await?;
            report.lsn = pair.lsn;
            report.pauses_ms.push(pair.pause.as_secs_f64() * 1_000.0);
            let left = Box::pin(self.round(pair, only.take())).await?;
            for table in left.reports {
                let recorded = record(&records, &self.slot_name, &table).await;
                recorded.map_err(VerifyError::of("keep the verdict on the target"))?;
                progress(&table);
                report.tables.push(table);
            }
            only = Some(left.again);
            if only.as_ref().is_none_or(Vec::is_empty) {
                break;
            }
        }
        for (table, reason) in only.into_iter().flatten() {
            let table = without_rows(table, Verdict::NotCompared, reason, report.lsn);
            progress(&table);
            report.tables.push(table);
        }
        report
            .tables
            .sort_by(|one, other| one.table.cmp(&other.table));
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }

    async fn pair(&self) -> Result<Pair, VerifyError> {
        let mut reason = String::new();
        for _ in 0..PAIRS_MAX {
            let Pipeline { source, target, .. } = self.pipeline;
            match pair::take(source, target, &self.slot_name).await? {
                Ok(pair) => return Ok(pair),
                Err(refused) => {
                    debug!(target: "apply", "no pair of snapshots yet: {refused}");
                    reason = refused;
                }
            }
            sleep(BETWEEN_PAIRS).await;
        }
        Err(VerifyError::NoPair { reason })
    }

    async fn round(
        &self,
        pair: Pair,
        only: Option<Vec<(QualifiedName, String)>>,
    ) -> Result<Left, VerifyError> {
        let sides = (&pair.source.session, &pair.target.session);
        let (wanted, filter) = (&self.options.tables, &self.pipeline.filter);
        let tables = table::list(sides, &self.slot_name, wanted, filter).await;
        let mut tables = tables.map_err(VerifyError::of("list the tables"))?;
        let mut left = Left::default();
        match only {
            Some(only) => {
                let wanted = |name: &QualifiedName| only.iter().any(|(table, _)| table == name);
                tables.candidates.retain(|table| wanted(&table.name));
                tables.lacking.retain(|(name, _)| wanted(name));
            }
            None if tables.is_empty() && !wanted.selects_everything() => {
                let patterns: Vec<String> =
                    wanted.included().iter().map(ToString::to_string).collect();
                return Err(VerifyError::NoTable {
                    patterns: patterns.join(", "),
                });
            }
            None => {
                let passed_over = tables.passed_over.into_iter();
                left.reports.extend(passed_over.map(|(name, reason)| {
                    without_rows(name, Verdict::NotCompared, reason, pair.lsn)
                }));
            }
        }
        let lacking = tables.lacking.into_iter();
        left.reports.extend(
            lacking.map(|(name, reason)| without_rows(name, Verdict::Different, reason, pair.lsn)),
        );
        self.work(pair, tables.candidates, left).await
    }

    /// Compares the tables with several workers.
    async fn work(
        &self,
        pair: Pair,
        tables: Vec<Candidate>,
        left: Left,
    ) -> Result<Left, VerifyError> {
        let worker_count = self.options.worker_count.clamp(1, tables.len().max(1));
        let open = VerifyError::of("open sessions for the comparison");
        let now = tokio::try_join!(self.source(), self.target()).map_err(open)?;
        let shared = Arc::new(Shared {
            pair,
            now,
            queue: Mutex::new(tables.into()),
            left: Mutex::new(left),
            gives_way: AtomicBool::new(false),
            settings: (self.seed, self.options.rows_max),
        });
        let mut workers = Vec::new();
        let mut pids = (
            vec![pid(&shared.pair.source.session).await?],
            vec![pid(&shared.pair.target.session).await?],
        );
        for _ in 0..worker_count {
            let open = VerifyError::of("open sessions for the comparison");
            let (source, target) = tokio::try_join!(self.source(), self.target()).map_err(open)?;
            pids.0.push(pid(&source).await?);
            pids.1.push(pid(&target).await?);
            workers.push(spawn("verify", work(Arc::clone(&shared), source, target)));
        }
        let _watch = spawn("verify watch", watch(Arc::clone(&shared), pids));
        for mut worker in workers {
            join(&mut worker).await?;
        }
        let mut left = shared.left.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = std::mem::take(&mut *left);
        let queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = queue.iter().map(|table| {
            let reason = "a statement of another session needed the end of the snapshot";
            (table.name.clone(), reason.to_owned())
        });
        left.again.extend(waiting);
        Ok(left)
    }

    async fn source(&self) -> Result<Session, PgError> {
        postgres::connect(&self.pipeline.source, "pgstream verify").await
    }

    async fn target(&self) -> Result<Session, PgError> {
        postgres::connect(&self.pipeline.target, "pgstream verify").await
    }
}

async fn join(worker: &mut Task<Result<(), PgError>>) -> Result<(), VerifyError> {
    match worker.join().await {
        Ok(done) => done.map_err(VerifyError::of("compare tables")),
        Err(ended) => Err(VerifyError::Crashed(ended)),
    }
}

async fn pid(session: &Session) -> Result<i32, VerifyError> {
    let row = session.row("SELECT pg_catalog.pg_backend_pid()", &[]).await;
    let row = row.map_err(VerifyError::of("look at our own session"))?;
    Ok(row.map_or(0, |row| row.get(0)))
}

/// What the workers of a round share.
struct Shared {
    pair: Pair,
    /// Sessions that see what is committed now.
    now: (Session, Session),
    queue: Mutex<VecDeque<Candidate>>,
    left: Mutex<Left>,
    /// Somebody waits for the end of the snapshots: what is not compared yet is compared under others.
    gives_way: AtomicBool,
    settings: (u64, usize),
}

impl Shared {
    fn next(&self) -> Option<Candidate> {
        if self.gives_way.load(Ordering::Relaxed) {
            return None;
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.pop_front()
    }

    fn came(&self, name: QualifiedName, outcome: compare::Outcome) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            compare::Outcome::Compared(report) => left.reports.push(*report),
            compare::Outcome::Again(reason) => left.again.push((name, reason)),
        }
    }
}

async fn work(shared: Arc<Shared>, source: Session, target: Session) -> Result<(), PgError> {
    let sides = Sides {
        source: &source,
        target: &target,
        source_now: &shared.now.0,
        target_now: &shared.now.1,
    };
    while let Some(table) = shared.next() {
        let outcome = compare(&sides, &shared.pair, &table, shared.settings).await?;
        shared.came(table.name, outcome);
    }
    Ok(())
}

/// Lets others go first, on both sides, until it is dropped.
async fn watch(shared: Arc<Shared>, pids: (Vec<i32>, Vec<i32>)) {
    let mut ticks = interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (source, target) = tokio::join!(
            make_way(&shared.now.0, &pids.0),
            make_way(&shared.now.1, &pids.1)
        );
        match (source, target) {
            (Ok(source), Ok(target)) if source || target => {
                shared.gives_way.store(true, Ordering::Relaxed);
            }
            (Ok(_), Ok(_)) => {}
            // The workers find out.
            (Err(error), _) | (_, Err(error)) => {
                debug!(target: "apply", %error, "cannot look whom we keep waiting");
            }
        }
    }
}

/// Ends what others wait for, and returns whether they wait for the end of the snapshot.
async fn make_way(now: &Session, pids: &[i32]) -> Result<bool, PgError> {
    let rows = now.rows(WAITED_FOR, &[&pids]).await?;
    if rows.is_empty() {
        return Ok(false);
    }
    let waited_for: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    now.rows(CANCEL, &[&waited_for]).await?;
    Ok(rows
        .iter()
        .any(|row| row.get::<_, Option<bool>>(1) == Some(true)))
}

fn without_rows(table: QualifiedName, verdict: Verdict, reason: String, lsn: Lsn) -> TableReport {
    TableReport {
        table,
        verdict,
        reason: Some(reason),
        source_rows: 0,
        target_rows: 0,
        missing: 0,
        extra: 0,
        differing: 0,
        counted: false,
        rows: Vec::new(),
        lsn,
        seconds: 0.0,
    }
}
