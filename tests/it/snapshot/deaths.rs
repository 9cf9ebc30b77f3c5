//! The process ends at every named place of a copy, while users write: nothing lost, nothing doubled.

use pgstream::config::Plugin;
use pgstream::fault;

use crate::chaos::dice::{Dice, seed};
use crate::support::flow::Flow;
use crate::support::query_text;

use super::families::{FAMILIES, Families};
use super::{call, enable, existing, wait_again};

const POINTS: [&str; 9] = [
    fault::SNAPSHOT_BEFORE_TABLES,
    fault::SNAPSHOT_AFTER_TABLES,
    fault::SNAPSHOT_AFTER_TABLE,
    fault::SNAPSHOT_BEFORE_COMMIT,
    fault::SNAPSHOT_AFTER_COMMIT,
    fault::SNAPSHOT_AFTER_ROWS,
    fault::SNAPSHOT_AFTER_STEP,
    fault::SNAPSHOT_BEFORE_HANDOVER,
    fault::SNAPSHOT_AFTER_HANDOVER,
];

/// Lets the process die at `point`, at its visit number `visit`, counted from 0.
async fn die(flow: &Flow, point: &str, visit: u64) {
    let armed = call(flow).env("FAILPOINTS", &format!("{point}={visit}*off->return"));
    let died = armed.spawn().outcome().await;
    assert_eq!(
        died.code, None,
        "{point}, visit {visit}: it did not die:\n{}",
        died.stderr
    );
}

/// Dies at every place of the first copy, then at every place of a copy beside the stream.
async fn dies_everywhere(plugin: Plugin) {
    let mut flow = existing(plugin, FAMILIES).await;
    enable(&mut flow, 2);
    let dice = Dice::new(seed());
    let url = flow.source_cluster.url("postgres");
    let families = Families::start(&url, dice, false);

    for point in POINTS {
        // Each death leaves less to do for the next.
        let visit = u64::from(
            [fault::SNAPSHOT_AFTER_TABLE, fault::SNAPSHOT_BEFORE_COMMIT].contains(&point),
        );
        die(&flow, point, visit).await;
    }
    for point in [
        fault::SNAPSHOT_AFTER_TABLES,
        fault::SNAPSHOT_AFTER_COMMIT,
        fault::SNAPSHOT_BEFORE_HANDOVER,
    ] {
        wait_again(&flow, &["keyless", "child"]).await;
        die(&flow, point, 0).await;
    }

    families.stop().await;
    let running = call(&flow).spawn();
    flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
    let left = "SELECT * FROM pgstream.snapshot_step";
    assert_eq!(query_text(&flow.target, left).await, [""; 0]);
}

#[tokio::test]
async fn dies_at_every_place_of_a_copy_and_loses_and_doubles_nothing() {
    dies_everywhere(Plugin::Pgoutput).await;
}

#[tokio::test]
async fn the_same_with_wal2json() {
    dies_everywhere(Plugin::Wal2json).await;
}
