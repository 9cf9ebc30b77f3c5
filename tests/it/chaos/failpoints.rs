//! The process ends at a named place, as in a power cut, and goes on as if nothing had happened.

use pgstream::config::Plugin;
use pgstream::fault;

use crate::support::flow::Flow;
use crate::support::{query_text, wait_until};

use super::dice::{Dice, seed};
use super::load::{Load, SCHEMA};
use super::{assert_settled, flow, run};

/// The rows of one transaction that pass through several parts of an open target transaction.
const HUGE: &str = "INSERT INTO item SELECT -i, 1, 'huge' FROM generate_series(1, 45000) AS i";

/// Lets the process die at `point`, at its visit number `visit`, counted from 0.
async fn die(flow: &Flow, point: &str, visit: u64) {
    let spare = if visit == 0 {
        String::new()
    } else {
        format!("{visit}*off->")
    };
    let armed = run(flow).env("FAILPOINTS", &format!("{point}={spare}return"));
    let died = armed.spawn().outcome().await;
    assert_eq!(
        died.code, None,
        "{point}, visit {visit}: it did not die:\n{}",
        died.stderr
    );
}

/// Lets it run undisturbed until both sides are equal.
async fn recover(flow: &Flow) {
    let running = run(flow).spawn();
    assert_settled(flow).await;
    assert_eq!(running.terminate().await.code, Some(0));
}

/// Kills it at every place of the row path, and lets it recover.
async fn dies_on_the_row_path(plugin: &str) {
    let flow = Flow::rows(plugin, SCHEMA).await;
    let mut dice = Dice::new(seed());
    let load = Load::rows(&flow.source_cluster.url("postgres"), dice.below(u64::MAX));

    for point in [
        fault::STREAM_AFTER_BEGIN,
        fault::APPLY_BEFORE_COMMIT,
        fault::APPLY_AFTER_COMMIT,
        fault::FEEDBACK_BEFORE_SEND,
    ] {
        for visit in [0, dice.below(3), dice.below(20)] {
            die(&flow, point, visit).await;
        }
    }

    load.stop().await;
    recover(&flow).await;
}

#[tokio::test]
async fn dies_at_every_place_of_the_row_path_and_loses_and_doubles_nothing() {
    dies_on_the_row_path("pgoutput").await;
}

#[tokio::test]
async fn dies_at_every_place_of_the_row_path_with_wal2json_too() {
    dies_on_the_row_path("wal2json").await;
}

#[tokio::test]
async fn dies_while_it_notes_where_it_is_applied_and_begins_all_the_same() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let flow = flow(plugin).await;
        flow.run("CREATE TABLE keyless (id int); INSERT INTO keyless VALUES (1)")
            .await;

        for point in [fault::START_BEFORE_NOTE, fault::START_AFTER_NOTE] {
            die(&flow, point, 0).await;
        }

        recover(&flow).await;
        flow.shows("SELECT id FROM keyless", &["1"]).await;
    }
}

#[tokio::test]
async fn dies_within_a_huge_transaction_and_shows_no_part_of_it() {
    let flow = Flow::rows("pgoutput", SCHEMA).await;
    flow.run(HUGE).await;

    for visit in [0, 1] {
        die(&flow, fault::APPLY_MID_TRANSACTION, visit).await;
        flow.shows("SELECT count(*) FROM item", &["0"]).await;
    }

    recover(&flow).await;
}

#[tokio::test]
async fn dies_at_every_place_of_a_schema_change_and_makes_it_once() {
    let flow = flow(Plugin::Pgoutput).await;
    let mut dice = Dice::new(seed());
    let url = flow.source_cluster.url("postgres");
    let load = Load::rows_and_schema(&url, dice.below(u64::MAX));

    for point in [
        fault::SCHEMA_BETWEEN_STEPS,
        fault::SCHEMA_AFTER_OUTSIDE,
        fault::SCHEMA_BEFORE_ACK,
        fault::APPLY_BEFORE_COMMIT,
        fault::APPLY_AFTER_COMMIT,
    ] {
        for visit in [0, dice.below(4)] {
            die(&flow, point, visit).await;
        }
    }

    load.stop().await;
    recover(&flow).await;
}

#[tokio::test]
async fn what_was_not_acknowledged_before_the_end_is_at_the_next_start() {
    const UNACKED: &str = "SELECT count(*) FROM pgstream.schema_log WHERE NOT acked";
    let flow = flow(Plugin::Pgoutput).await;

    die(&flow, fault::SCHEMA_BEFORE_ACK, 0).await;
    assert_ne!(query_text(&flow.source, UNACKED).await, ["0"]);

    let running = run(&flow).spawn();
    wait_until(
        "every schema change is acknowledged",
        async || match query_text(&flow.source, UNACKED).await.join("").as_str() {
            "0" => Ok(()),
            count => Err(count.to_owned()),
        },
    )
    .await;
    assert_eq!(running.terminate().await.code, Some(0));
}

#[tokio::test]
async fn dies_within_the_rows_of_a_rewritten_table_and_shows_no_part_of_them() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let flow = flow(plugin).await;
        flow.run("INSERT INTO item SELECT -i, 1, repeat(md5(i::text), 20) FROM generate_series(1, 5000) AS i").await;
        recover(&flow).await;
        let before = query_text(&flow.target, "SELECT count(*), max(length(body)) FROM item").await;
        flow.run("ALTER TABLE item ALTER body TYPE varchar USING body || random()")
            .await;

        for visit in [0, 2] {
            die(&flow, fault::APPLY_MID_REWRITE, visit).await;
            let now =
                query_text(&flow.target, "SELECT count(*), max(length(body)) FROM item").await;
            assert_eq!(now, before);
        }

        recover(&flow).await;
    }
}
