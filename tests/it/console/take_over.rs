//! A slot that got lost, and what the console offers.

use crate::support::{assert_equal, execute};

use super::real::{Stage, stop_and_quit};

/// Another slot, what differs brought, deletes found, and the stream goes on: with a word typed, and no copy.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_slot_is_taken_over_with_a_typed_word_and_the_stream_goes_on() {
    let stage = Stage::ready().await;
    execute(&stage.source, "CREATE TABLE goods (id int PRIMARY KEY)").await;
    execute(&stage.source, "INSERT INTO goods VALUES (1), (2)").await;
    let mut terminal = stage.open(["run", "-c", "shop.env"], (120, 40));
    terminal.wait_for("● STREAMING");
    assert_equal(&stage.source, &stage.target).await;
    stop_and_quit(&mut terminal);
    execute(
        &stage.source,
        "SELECT pg_drop_replication_slot('console_slot')",
    )
    .await;
    execute(&stage.source, "DELETE FROM goods WHERE id = 1").await;
    execute(&stage.source, "INSERT INTO goods VALUES (3)").await;

    let mut terminal = stage.open(["run", "-c", "shop.env"], (120, 40));
    terminal.wait_for("V, then b: makes another slot");
    terminal.keys("V");
    terminal.wait_for("Both sides");
    terminal.keys("b");
    terminal.wait_for("Type  repair  to go on");
    terminal.keys("repair\r");
    terminal.wait_for("taken over");
    terminal.wait_for("● STREAMING");

    execute(&stage.source, "INSERT INTO goods VALUES (4)").await;
    assert_equal(&stage.source, &stage.target).await;
    stop_and_quit(&mut terminal);
}
