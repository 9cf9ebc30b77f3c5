//! The process is killed at random moments, again and again.

use std::time::Duration;

use tokio::time::Instant;

use super::dice::{Dice, seed};
use super::load::{Load, SCHEMA};
use super::run;
use crate::support::flow::Flow;

/// How long the process is killed again and again; `CHAOS_SECS` says otherwise.
const SECS_DEFAULT: u64 = 10;

/// The longest life of one process: long enough to get through a backlog sometimes.
const LIFE_MS_MAX: u64 = 1_500;

fn budget() -> Duration {
    let given = std::env::var("CHAOS_SECS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(given.unwrap_or(SECS_DEFAULT))
}

#[tokio::test]
async fn killed_at_random_moments_it_loses_and_doubles_nothing() {
    let flow = Flow::rows("pgoutput", SCHEMA).await;
    let mut dice = Dice::new(seed());
    let load = Load::rows(&flow.source_cluster.url("postgres"), dice.below(u64::MAX));
    let end = now() + budget();
    let mut kills = 0;

    while now() < end {
        let mut running = run(&flow).spawn();
        let life = Duration::from_millis(dice.below(LIFE_MS_MAX));
        let early = tokio::time::timeout(life, running.ended_by_itself()).await;
        assert!(early.is_err(), "it ended by itself:\n{}", running.stderr());
        drop(running.kill().await);
        kills += 1;
    }
    let transactions = load.stop().await;
    eprintln!("{kills} kills, {transactions} transactions");

    let running = run(&flow).spawn();
    flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
}

#[expect(clippy::disallowed_methods, reason = "a time budget, not a measurement")]
fn now() -> Instant {
    Instant::now()
}
