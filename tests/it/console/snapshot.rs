//! The copy of existing tables, seen and steered on the Snapshot screen of the real program.

use crate::support::{assert_equal, execute};

use super::pty::Terminal;
use super::real::Stage;

const ENABLED: (&str, &str) = (
    "PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED",
    "true",
);

/// Two tables with rows that were there before `init`.
async fn stage_with_tables() -> Stage {
    let stage = Stage::bare().await;
    for sql in [
        "CREATE TABLE goods (id int PRIMARY KEY, name text)",
        "INSERT INTO goods SELECT i, 'x' || i FROM generate_series(1, 5000) AS i",
        "CREATE TABLE sizes (id int PRIMARY KEY, size text)",
        "INSERT INTO sizes VALUES (1, 'S'), (2, 'M'), (3, 'L')",
    ] {
        execute(&stage.source, sql).await;
    }
    stage.install().await;
    stage
}

/// Waits until the list has a line with all of these words.
fn wait_for_line(terminal: &mut Terminal, words: &[&str]) {
    terminal.wait_until(&words.join(" "), |screen| {
        let text = screen.contents();
        text.lines()
            .any(|line| words.iter().all(|word| line.contains(word)))
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn existing_tables_are_seen_copied_and_one_is_copied_again() {
    let stage = stage_with_tables().await;
    let mut terminal = stage.open_with(["run", "-c", "shop.env"], (120, 40), &[ENABLED]);
    terminal.keys("S");
    terminal.wait_for("Snapshot · shop");
    wait_for_line(
        &mut terminal,
        &["public.goods", "✓ ready", "100 %", "5,000"],
    );
    wait_for_line(&mut terminal, &["public.sizes", "✓ ready", "100 %"]);
    terminal.wait_for("● STREAMING");
    assert_equal(&stage.source, &stage.target).await;

    execute(&stage.target, "DELETE FROM goods WHERE id <= 100").await;
    terminal.keys("/goods\r");
    terminal.wait_for("1 of 1");
    terminal.keys("r");
    terminal.wait_for("Copy public.goods again?");
    terminal.keys("\t\r");
    terminal.wait_for("✓ ready   try 2");
    assert_equal(&stage.source, &stage.target).await;

    execute(&stage.source, "INSERT INTO goods VALUES (5001, 'later')").await;
    assert_equal(&stage.source, &stage.target).await;
    terminal.keys("\u{1b}");
    terminal.wait_until("all tables again", |screen| {
        !screen.contents().contains("1 of 1")
    });
    terminal.keys("\u{1b}");
    terminal.wait_for("1 Slots");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_failed_says_why_and_is_copied_when_that_is_fixed() {
    let stage = stage_with_tables().await;
    execute(
        &stage.target,
        "CREATE TABLE sizes (id int PRIMARY KEY, size text CHECK (size <> 'M'))",
    )
    .await;
    let mut terminal = stage.open_with(["run", "-c", "shop.env"], (80, 24), &[ENABLED]);
    terminal.keys("S");
    wait_for_line(&mut terminal, &["public.sizes", "✗ failed"]);
    terminal.wait_for("23514");
    wait_for_line(&mut terminal, &["public.goods", "✓ ready"]);
    wait_for_line(&mut terminal, &["snapshot 1 ✗", "● STREAMING"]);

    execute(
        &stage.target,
        "ALTER TABLE sizes DROP CONSTRAINT sizes_size_check",
    )
    .await;
    terminal.keys("f");
    terminal.wait_for("only ✗");
    terminal.keys("r");
    terminal.wait_for("no table has failed");
    terminal.keys("f");
    wait_for_line(&mut terminal, &["public.sizes", "✓ ready"]);
    assert_equal(&stage.source, &stage.target).await;
}
