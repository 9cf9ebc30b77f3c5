//! Comparisons and repairs while rows and schema change and the engine is killed: what differs is found, and
//! nothing else is ever reported. `CHAOS_SECS` is how long it lasts, `CHAOS_SEED` repeats a run.

use std::time::Duration;

use pgstream::config::Plugin;
use pgstream::model::{Classify as _, ErrorClass};
use pgstream::runtime::{clock, spawn};
use pgstream::verify::{Options, Report, Verdict, VerifyError, verify};
use tokio::time::{Instant, sleep_until, timeout};

use crate::chaos::dice::{Dice, seed};
use crate::chaos::load::Load;
use crate::chaos::{assert_arrived, budget, flow, run};
use crate::support::flow::Flow;
use crate::support::process::Running;
use crate::support::{Call, execute};

use super::{options, table};

const SECS: u64 = 4;

/// A process lives up to a second, or to two, four, eight or sixteen: some long enough for a comparison.
const LIFE_MS: u64 = 1_000;

/// Nobody writes to it on the source.
const STILL: &str = "public.still";

/// Starts the engine, kills it at random moments and starts it again, until the time has come; the last one
/// lives on.
async fn keep_killing(call: Call, mut dice: Dice, until: Instant) -> (u64, Running) {
    let mut kills = 0;
    while clock::now() < until {
        let mut running = call.spawn();
        let life_max = LIFE_MS << dice.below(5);
        let life = Duration::from_millis(dice.below(life_max));
        // Where `verify` streams by itself for a moment, the slot is in use.
        if timeout(life, running.ended_by_itself()).await.is_err() {
            drop(running.kill().await);
            kills += 1;
        }
    }
    (kills, call.spawn())
}

/// Lets the load go on until then; returns how many transactions it has made.
async fn load_until(load: Load, until: Instant) -> u64 {
    sleep_until(until).await;
    load.stop().await
}

/// What came of the comparisons.
#[derive(Debug, Default)]
struct Seen {
    equal: u64,
    found: u64,
    repaired: u64,
    /// Of the engine that was killed, or of tables that were changed all the time.
    unknown: u64,
}

struct Chaos {
    flow: Flow,
    dice: Dice,
    seen: Seen,
    /// A row of [`STILL`] differs; none: a repair was cut off.
    differs: Option<bool>,
}

impl Chaos {
    /// Breaks a row, or does not, and compares or repairs.
    async fn step(&mut self) {
        if self.differs == Some(false) && self.dice.below(2) == 0 {
            let id = self.dice.below(100);
            let sql = format!("UPDATE {STILL} SET v = v + 1 WHERE id = {id}");
            execute(&self.flow.target, &sql).await;
            self.differs = Some(true);
        }
        let repair = self.differs != Some(false) && self.dice.below(2) == 0;
        match self.compare(repair).await {
            Ok(report) => self.judge(&report, repair),
            Err(error) => {
                let passes = matches!(error, VerifyError::EngineStopped { .. })
                    || error.class() == ErrorClass::Transient;
                assert!(passes, "{error}: {error:?}");
                self.seen.unknown += 1;
                if repair {
                    self.differs = None;
                }
            }
        }
    }

    async fn compare(&self, repair: bool) -> Result<Report, VerifyError> {
        let options = Options {
            repair,
            ..options()
        };
        Box::pin(verify(&self.flow.pipeline, &options, |_| ())).await
    }

    fn judge(&mut self, report: &Report, repair: bool) {
        for found in &report.tables {
            let is_still = found.table.to_string() == STILL;
            let false_report = found.verdict == Verdict::Different && !is_still;
            assert!(!false_report, "{found:#?}");
        }
        let objects = report.objects.iter();
        let objects: Vec<_> = objects
            .filter(|o| o.verdict == Verdict::Different)
            .collect();
        assert!(objects.is_empty(), "{objects:#?}");
        let still = table(report, STILL);
        match (still.verdict, self.differs, repair) {
            (Verdict::NotCompared, _, false) => self.seen.unknown += 1,
            (Verdict::Equal, _, true) => {
                self.seen.repaired += 1;
                self.differs = Some(false);
            }
            // It may not be brought while the engine is killed.
            (Verdict::NotCompared, _, true) | (Verdict::Different, Some(true) | None, true) => {
                self.seen.unknown += 1;
                self.differs = None;
            }
            (Verdict::Equal, Some(false) | None, false) => {
                self.seen.equal += 1;
                self.differs = Some(false);
            }
            (Verdict::Different, Some(true) | None, false) => {
                self.seen.found += 1;
                self.differs = Some(true);
            }
            (_, differs, _) => panic!("{differs:?}: {still:#?}"),
        }
    }
}

async fn nothing_false_is_reported(plugin: Plugin) {
    let mut dice = Dice::new(seed());
    let flow = flow(plugin).await;
    flow.run("CREATE TABLE public.still (id int PRIMARY KEY, v int)")
        .await;
    flow.run("INSERT INTO public.still SELECT i, 0 FROM generate_series(0, 99) AS i")
        .await;
    let urls = (
        flow.source_cluster.url("postgres"),
        flow.target_cluster.url("postgres"),
    );
    let running = run(&flow).spawn();
    flow.shows("SELECT count(*) FROM public.still", &["100"])
        .await;
    drop(running.kill().await);
    let until = clock::now() + budget(SECS);
    let load = Load::in_step((&urls.0, &urls.1), dice.below(u64::MAX), " CONCURRENTLY");
    let other = Dice::new(dice.below(u64::MAX));
    let mut load = spawn("load", load_until(load, until));
    let mut killer = spawn("killer", keep_killing(run(&flow), other, until));
    let mut chaos = Chaos {
        flow,
        dice,
        seen: Seen::default(),
        differs: Some(false),
    };

    while clock::now() < until {
        chaos.step().await;
    }

    let transactions = load.join().await.expect("the load does not panic");
    let (kills, running) = killer.join().await.expect("the killer does not panic");
    eprintln!(
        "{plugin:?}: {kills} kills, {transactions} transactions; {:?}",
        chaos.seen
    );
    // It may have found the slot in use by the last comparison.
    drop(running.terminate().await);
    let running = run(&chaos.flow).spawn();
    running.logged("streaming started").await;
    assert_arrived(&chaos.flow).await;
    for repair in [true, false] {
        let report = chaos.compare(repair).await;
        let report = report.unwrap_or_else(|error| panic!("{error}: {error:?}"));
        assert_eq!(report.verdict(), Verdict::Equal, "{report:#?}");
    }
    chaos.flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
}

#[tokio::test]
async fn nothing_false_is_reported_in_a_chaos_with_pgoutput() {
    Box::pin(nothing_false_is_reported(Plugin::Pgoutput)).await;
}

#[tokio::test]
async fn nothing_false_is_reported_in_a_chaos_with_wal2json() {
    Box::pin(nothing_false_is_reported(Plugin::Wal2json)).await;
}
