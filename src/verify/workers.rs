//! Several tables at a time under one pair of snapshots, and nobody waits for us.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::debug;

use crate::config::Pipeline;
use crate::model::QualifiedName;
use crate::postgres::{PgError, Session};
use crate::runtime::{Task, clock, spawn};

use super::VerifyError;
use super::compare::{Outcome, Settings, Sides, TOO_OLD, compare};
use super::pair::Pair;
use super::session::connect;
use super::table::Candidate;

/// A user's statement waits for us no longer than this.
const WATCH_EVERY: Duration = Duration::from_millis(100);

/// Old snapshots keep dead rows on both sides: behind this, no other table is begun under a pair.
const PAIR_AGE_MAX: Duration = Duration::from_secs(1_800);

/// What tables came to, on its way to whoever reports it.
const OUTCOMES_MAX: usize = 64;

/// Which of our sessions others wait for, and whether it is for the end of a snapshot.
const WAITED_FOR: &str = "\
SELECT b.pid, pg_catalog.bool_or(a.wait_event = 'virtualxid')
FROM pg_catalog.pg_stat_activity AS a
CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) AS b (pid)
WHERE a.wait_event_type = 'Lock' AND b.pid = ANY ($1) AND a.pid <> ALL ($1)
GROUP BY b.pid";

const CANCEL: &str =
    "SELECT pg_catalog.pg_cancel_backend(p.pid) FROM pg_catalog.unnest($1) AS p (pid)";

/// The workers of one pair.
pub(super) struct Workers {
    shared: Arc<Shared>,
    workers: Vec<Task<Result<(), PgError>>>,
    outcomes: mpsc::Receiver<(Candidate, Outcome)>,
    _watch: Task<()>,
}

/// What the workers share.
struct Shared {
    pair: Pair,
    /// Sessions that see what is committed now.
    now: (Session, Session),
    queue: Mutex<VecDeque<Candidate>>,
    /// Why no other table is begun under this pair.
    ends: Mutex<Option<&'static str>>,
    ended: AtomicBool,
    until: Instant,
    settings: Arc<Settings>,
}

impl Shared {
    fn next(&self) -> Option<Candidate> {
        if clock::now() >= self.until {
            self.end(TOO_OLD);
        }
        if self.ended.load(Ordering::Relaxed) {
            return None;
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.pop_front()
    }

    fn end(&self, reason: &'static str) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.get_or_insert(reason);
        self.ended.store(true, Ordering::Relaxed);
    }
}

impl Workers {
    /// Begins to compare the tables.
    pub(super) async fn start(
        pipeline: &Pipeline,
        pair: Pair,
        tables: Vec<Candidate>,
        (worker_count, settings): (usize, Arc<Settings>),
    ) -> Result<Self, VerifyError> {
        let worker_count = worker_count.clamp(1, tables.len().max(1));
        let shared = Arc::new(Shared {
            pair,
            now: sessions(pipeline).await?,
            queue: Mutex::new(tables.into()),
            ends: Mutex::new(None),
            ended: AtomicBool::new(false),
            until: clock::now() + PAIR_AGE_MAX,
            settings,
        });
        let (came, outcomes) = mpsc::channel(OUTCOMES_MAX);
        let held = (&shared.pair.source.session, &shared.pair.target.session);
        let mut pids = (vec![held.0.process_id()], vec![held.1.process_id()]);
        let mut workers = Vec::new();
        for _ in 0..worker_count {
            let (source, target) = sessions(pipeline).await?;
            pids.0.push(source.process_id());
            pids.1.push(target.process_id());
            let work = work(Arc::clone(&shared), (source, target), came.clone());
            workers.push(spawn("verify", work));
        }
        let watch = spawn("verify watch", watch(Arc::clone(&shared), pids));
        Ok(Self {
            shared,
            workers,
            outcomes,
            _watch: watch,
        })
    }

    /// Returns what came of the next table; none when no worker works any more. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<(Candidate, Outcome)> {
        self.outcomes.recv().await
    }

    /// Returns the tables that were not begun, each with the reason.
    pub(super) async fn end(self) -> Result<Vec<(QualifiedName, String)>, VerifyError> {
        for mut worker in self.workers {
            match worker.join().await {
                Ok(done) => done.map_err(VerifyError::of("compare tables"))?,
                Err(ended) => return Err(VerifyError::Crashed(ended)),
            }
        }
        let ends = self
            .shared
            .ends
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let reason = ends.unwrap_or_default();
        let queue = self
            .shared
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let left = queue
            .iter()
            .map(|table| (table.name.clone(), reason.to_owned()));
        Ok(left.collect())
    }
}

/// Opens a session on each side.
pub(super) async fn sessions(pipeline: &Pipeline) -> Result<(Session, Session), VerifyError> {
    let sessions = tokio::try_join!(connect(&pipeline.source), connect(&pipeline.target));
    sessions.map_err(VerifyError::of("open sessions for the comparison"))
}

async fn work(
    shared: Arc<Shared>,
    (source, target): (Session, Session),
    came: mpsc::Sender<(Candidate, Outcome)>,
) -> Result<(), PgError> {
    let sides = Sides {
        source: &source,
        target: &target,
        source_now: &shared.now.0,
        target_now: &shared.now.1,
        until: shared.until,
    };
    while let Some(table) = shared.next() {
        let outcome = compare(&sides, &shared.pair, &table, &shared.settings).await?;
        if came.send((table, outcome)).await.is_err() {
            break;
        }
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
                shared.end("a statement of another session needed the end of the snapshot");
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
    let ends = |row: &tokio_postgres::Row| row.get::<_, Option<bool>>(1) == Some(true);
    Ok(rows.iter().any(ends))
}
