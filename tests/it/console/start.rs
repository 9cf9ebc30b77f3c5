//! The start screen of the real program: each way that leads on from it.

use crate::support::{assert_equal, execute};

use super::real::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_chosen_and_its_pipeline_starts() {
    let stage = Stage::ready().await;
    stage.write(
        "a_broken.env",
        "PGSTREAM_POSTGRES_LISTENER_URL=\"nonsense\"\n",
    );
    let mut terminal = stage.open([], (80, 24));
    terminal.wait_for("What would you like to do?");
    terminal.wait_for("here: a_broken.env, shop.env");

    terminal.keys("O\r");
    terminal.wait_for("! a_broken.env names no pipeline");
    terminal.keys("\x1b[B\r");
    terminal.wait_for("● STREAMING");
    execute(
        &stage.source,
        "CREATE TABLE goods (id int PRIMARY KEY); INSERT INTO goods VALUES (1)",
    )
    .await;
    assert_equal(&stage.source, &stage.target).await;

    terminal.keys("E\x1b[C\r");
    terminal.wait_for("○ STOPPED");
    terminal.keys("T");
    terminal.wait_for("step 1 of 5");
    for known in [&stage.source_url(), &stage.target_url()] {
        let place = known.rsplit('@').next().unwrap();
        assert!(terminal.text().contains(place), "{}", terminal.text());
    }
    terminal.wait_for("console_slot");
    terminal.keys("\x1b");
    terminal.wait_for("○ STOPPED");
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
    terminal.assert_given_back();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_without_a_target_opens_it_and_is_completed_by_the_wizard() {
    let stage = Stage::bare().await;
    let half = format!(
        "PGSTREAM_POSTGRES_LISTENER_URL=\"{}\"\n",
        stage.source_url()
    );
    stage.write("half.env", &half);
    let mut terminal = stage.open(["-c", "half.env"], (100, 30));
    terminal.wait_for("! half.env names no pipeline that could start");
    terminal.wait_for("PGSTREAM_POSTGRES_WRITER_TARGET_URL");

    terminal.keys("I");
    terminal.wait_for("step 1 of 8");
    terminal.keys("\r");
    terminal.wait_for("step 2 of 8");
    terminal.keys("\x1b");
    terminal.wait_for("What would you like to do?");
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
    terminal.assert_given_back();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tutorial_starts_from_it() {
    let stage = Stage::bare().await;
    let mut terminal = stage.open([], (80, 24));
    terminal.wait_for("What would you like to do?");
    terminal.keys("L");
    terminal.wait_for("Lesson 1 of ");
    terminal.keys("\r");
    terminal.wait_for("✓ done");
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
    terminal.assert_given_back();
}
