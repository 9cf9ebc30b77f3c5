//! The process is killed at random moments, again and again.

use std::time::Duration;

use pgstream::config::Plugin;
use pgstream::runtime::clock;

use crate::support::flow::Flow;
use crate::support::process::Running;
use crate::support::wait_until;

use super::dice::{Dice, seed};
use super::load::Load;
use super::{assert_settled, budget, flow, ledger, run};

/// How long the process is killed again and again; `CHAOS_SECS` says otherwise.
const SECS_DEFAULT: u64 = 10;

/// A process lives at least until it has brought over this many transactions, so that the next one
/// starts elsewhere, …
const TRANSACTIONS_MAX: u64 = 30;

/// … and then up to this long, so that the moment is anywhere.
const LIFE_MS_MAX: u64 = 300;

#[tokio::test]
async fn killed_at_random_moments_it_loses_and_doubles_nothing() {
    let mut dice = Dice::new(seed());
    let plugin = [Plugin::Pgoutput, Plugin::Wal2json][usize::from(dice.below(3) == 0)];
    let flow = flow(plugin).await;
    let url = flow.source_cluster.url("postgres");
    let load = Load::rows_and_schema(&url, dice.below(u64::MAX));
    let end = clock::now() + budget(SECS_DEFAULT);
    let mut kills = 0;

    while clock::now() < end {
        let mut running = run(&flow).spawn();
        // One in four does not even get to its first transaction.
        let more = dice.below(4) * dice.below(TRANSACTIONS_MAX);
        brought(&flow, &running, more.cast_signed()).await;
        let life = Duration::from_millis(dice.below(LIFE_MS_MAX));
        let early = tokio::time::timeout(life, running.ended_by_itself()).await;
        assert!(early.is_err(), "it ended by itself:\n{}", running.stderr());
        drop(running.kill().await);
        kills += 1;
    }
    let transactions = load.stop().await;
    eprintln!("{plugin:?}: {kills} kills, {transactions} transactions");

    let running = run(&flow).spawn();
    assert_settled(&flow).await;
    assert_eq!(running.terminate().await.code, Some(0));
}

/// Waits until the target has `more` transactions than now.
async fn brought(flow: &Flow, running: &Running, more: i64) {
    let before = ledger(&flow.target).await;
    wait_until("transactions arrive", async || {
        let found = ledger(&flow.target).await;
        if found >= before + more {
            Ok(())
        } else {
            Err(running.stderr())
        }
    })
    .await;
}
