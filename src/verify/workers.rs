//! Several tables at a time under one pair of snapshots, and nobody waits for us.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::debug;

use crate::model::QualifiedName;
use crate::postgres::{CopySession, PgError, Session};
use crate::runtime::{Task, clock, spawn};

use super::VerifyError;
use super::compare::{Outcome, Settings, Sides, TOO_OLD, compare};
use super::pair::{NEEDED, Pair, WAITED_FOR, WATCH_EVERY};
use super::session::{APPLICATION_NAME, beside};
use super::table::Candidate;

/// Old snapshots keep dead rows on both sides: behind this, no other table is begun under a pair.
const PAIR_AGE_MAX: Duration = Duration::from_secs(1_800);

/// What tables came to, on its way to whoever reports it.
const OUTCOMES_MAX: usize = 64;

/// Tables smaller than this are compared together, up to so many and so many bytes, so that each worker has
/// some.
const SMALL_BYTES: u64 = 1 << 20;
const TOGETHER_BYTES: u64 = 4 << 20;
const TOGETHER_MAX: usize = 50;

/// How far tables are proved is compared once more where a crash of the target forgets it.
const COMMITS: &str = "SET synchronous_commit = off";

const CANCEL: &str =
    "SELECT pg_catalog.pg_cancel_backend(p.pid) FROM pg_catalog.unnest($1) AS p (pid)";

/// The sessions of the workers.
#[derive(Debug)]
pub(super) struct WorkerSessions {
    now: (Session, Session),
    workers: Vec<(CopySession, CopySession)>,
}

impl WorkerSessions {
    /// Opens those of so many, beside these of the two sides.
    pub(super) async fn open(
        (source, target): (&Session, &Session),
        worker_count: usize,
    ) -> Result<Self, VerifyError> {
        let worker = |_| async {
            tokio::try_join!(
                CopySession::beside(source, APPLICATION_NAME),
                CopySession::beside(target, APPLICATION_NAME)
            )
        };
        let now = async {
            let (source, target) = tokio::try_join!(beside(source), beside(target))?;
            target.run(COMMITS).await?;
            Ok((source, target))
        };
        let sessions = tokio::try_join!(now, try_join_all((0..worker_count.max(1)).map(worker)));
        let (now, workers) =
            sessions.map_err(VerifyError::of("open sessions for the comparison"))?;
        Ok(Self { now, workers })
    }
}

/// The workers of one pair.
pub(super) struct Workers {
    shared: Arc<Shared>,
    workers: Vec<Task<Result<(), PgError>>>,
    outcomes: mpsc::Receiver<Vec<(Candidate, Outcome)>>,
    _watch: Task<()>,
}

/// What the workers share.
struct Shared {
    pair: Pair,
    /// Sessions that see what is committed now.
    now: (Session, Session),
    queue: Mutex<VecDeque<Vec<Candidate>>>,
    /// Why no other table is begun under this pair.
    ends: Mutex<Option<&'static str>>,
    ended: AtomicBool,
    until: Instant,
    settings: Arc<Settings>,
}

impl Shared {
    fn next(&self) -> Option<Vec<Candidate>> {
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
    pub(super) fn start(
        sessions: WorkerSessions,
        pair: Pair,
        tables: Vec<Candidate>,
        settings: Arc<Settings>,
    ) -> Self {
        let shared = Arc::new(Shared {
            pair,
            now: sessions.now,
            queue: Mutex::new(grouped(tables)),
            ends: Mutex::new(None),
            ended: AtomicBool::new(false),
            until: clock::now() + PAIR_AGE_MAX,
            settings,
        });
        let (came, outcomes) = mpsc::channel(OUTCOMES_MAX);
        let held = (&shared.pair.source.session, &shared.pair.target.session);
        let mut pids = (vec![held.0.process_id()], vec![held.1.process_id()]);
        let mut workers = Vec::new();
        for (source, target) in sessions.workers {
            pids.0.push(source.process_id());
            pids.1.push(target.process_id());
            let work = work(Arc::clone(&shared), (source, target), came.clone());
            workers.push(spawn("verify", work));
        }
        let watch = spawn("verify watch", watch(Arc::clone(&shared), pids));
        Self {
            shared,
            workers,
            outcomes,
            _watch: watch,
        }
    }

    /// Returns what came of the next tables; none when no worker works any more. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Vec<(Candidate, Outcome)>> {
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
            .flatten()
            .map(|table| (table.name.clone(), reason.to_owned()));
        Ok(left.collect())
    }
}

/// Puts small tables together.
fn grouped(tables: Vec<Candidate>) -> VecDeque<Vec<Candidate>> {
    let mut groups: VecDeque<Vec<Candidate>> = VecDeque::new();
    let mut open_bytes = TOGETHER_BYTES;
    for table in tables {
        let is_small = table.byte_count < SMALL_BYTES && table.ranges.len() == 1;
        let joined = groups.back_mut().filter(|group| {
            is_small
                && open_bytes + table.byte_count <= TOGETHER_BYTES
                && group.len() < TOGETHER_MAX
        });
        match joined {
            Some(group) => {
                open_bytes += table.byte_count;
                group.push(table);
            }
            None => {
                open_bytes = if is_small {
                    table.byte_count
                } else {
                    TOGETHER_BYTES
                };
                groups.push_back(vec![table]);
            }
        }
    }
    groups
}

async fn work(
    shared: Arc<Shared>,
    (mut source, mut target): (CopySession, CopySession),
    came: mpsc::Sender<Vec<(Candidate, Outcome)>>,
) -> Result<(), PgError> {
    let mut sides = Sides {
        source: &mut source,
        target: &mut target,
        source_now: &shared.now.0,
        target_now: &shared.now.1,
        until: shared.until,
    };
    while let Some(tables) = shared.next() {
        let compared = compare(&mut sides, &shared.pair, tables, &shared.settings).await?;
        if came.send(compared).await.is_err() {
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
                shared.end(NEEDED);
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
