//! The process ends at a named place, as in a power cut, and goes on as if nothing had happened.

use pgstream::fault;

use super::dice::{Dice, seed};
use super::load::{Load, SCHEMA};
use super::run;
use crate::support::flow::Flow;

/// The rows of one transaction that pass through several parts of an open target transaction.
const HUGE: &str = "INSERT INTO item SELECT -i, 1, 'huge' FROM generate_series(1, 45000) AS i";

/// Lets the process die at `point` several times, each time at a later visit, under load.
async fn check(flow: &Flow, point: &str, dice: &mut Dice) {
    for visits in [0, dice.below(3), dice.below(20)] {
        let spare = if visits == 0 { String::new() } else { format!("{visits}*off->") };
        let armed = run(flow).env("FAILPOINTS", &format!("{point}={spare}return"));
        let died = armed.spawn().outcome().await;
        assert_eq!(died.code, None, "{point}, visit {visits}: it did not die:\n{}", died.stderr);
    }
}

#[tokio::test]
async fn dies_at_every_place_of_the_row_path_and_loses_and_doubles_nothing() {
    let flow = Flow::rows("pgoutput", SCHEMA).await;
    let mut dice = Dice::new(seed());
    let load = Load::rows(&flow.source_cluster.url("postgres"), dice.below(u64::MAX));

    for point in [
        fault::STREAM_AFTER_BEGIN,
        fault::APPLY_BEFORE_COMMIT,
        fault::APPLY_AFTER_COMMIT,
        fault::FEEDBACK_BEFORE_SEND,
    ] {
        check(&flow, point, &mut dice).await;
    }
    load.stop().await;

    let running = run(&flow).spawn();
    flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
}

#[tokio::test]
async fn dies_within_a_huge_transaction_and_shows_no_part_of_it() {
    let flow = Flow::rows("pgoutput", SCHEMA).await;
    flow.run(HUGE).await;

    for visits in ["", "1*off->"] {
        let armed = format!("{}={visits}return", fault::APPLY_MID_TRANSACTION);
        let died = run(&flow).env("FAILPOINTS", &armed).spawn().outcome().await;
        assert_eq!(died.code, None, "{}", died.stderr);
        flow.shows("SELECT count(*) FROM item", &["0"]).await;
    }

    let running = run(&flow).spawn();
    flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
}
