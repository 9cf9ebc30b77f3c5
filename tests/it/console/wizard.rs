//! The wizards by keyboard, on fresh servers, checked in the catalogs.

use crate::support::{assert_equal, execute, query_text};

use super::real::Stage;

const MADE: &str = "SELECT (SELECT count(*) FROM pg_replication_slots)::text || ' ' \
     || (SELECT count(*) FROM pg_publication)::text || ' ' \
     || (to_regnamespace('pgstream') IS NOT NULL)::text";

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_is_set_up_started_and_torn_down() {
    let stage = Stage::bare().await;
    let (source, target) = (stage.source_url(), stage.target_url());
    let mut terminal = stage.open(["init"], (100, 30));
    terminal.wait_for("step 1 of 6");
    terminal.keys(&format!("{source}\twizard_slot"));
    terminal.wait_for("✓ PostgreSQL");
    assert!(
        !terminal.text().contains(":postgres@"),
        "the password is masked"
    );
    terminal.keys("\r");
    terminal.wait_for("step 2 of 6");
    terminal.keys(&target);
    terminal.keys("\r");
    terminal.wait_for("nothing is in the way");
    assert_eq!(query_text(&stage.source, MADE).await, ["0 0 false"]);
    terminal.keys("\r");
    terminal.wait_for("create replication slot wizard_slot");
    terminal.keys("\r");
    terminal.wait_for("step 5 of 6");
    terminal.wait_for("✓ create replication slot wizard_slot");
    assert_eq!(query_text(&stage.source, MADE).await, ["1 1 true"]);
    terminal.keys("\r");
    terminal.wait_for("step 6 of 6");
    terminal.keys("\x15shop2.env\r");
    terminal.wait_for("● STREAMING");
    execute(
        &stage.source,
        "CREATE TABLE made (id int PRIMARY KEY); INSERT INTO made VALUES (1)",
    )
    .await;
    terminal.keys("5");
    terminal.wait_for("public.made");
    assert_equal(&stage.source, &stage.target).await;

    terminal.keys("T");
    terminal.wait_for("stop the engine first");
    terminal.keys("E\t\r");
    terminal.wait_for("○ STOPPED");
    terminal.keys("T");
    terminal.wait_for("step 1 of 5");
    terminal.keys(&format!("{source}\t{target}\twizard_slot\r"));
    terminal.wait_for("cannot be undone");
    terminal.wait_for("drop replication slot wizard_slot");
    terminal.keys("\r");
    terminal.wait_for("inert until it matches");
    terminal.keys("wizard_slot\r");
    terminal.wait_for("verified: nothing of pgstream is left");
    assert_eq!(query_text(&stage.source, MADE).await, ["0 0 false"]);
    terminal.keys("\r");
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
    terminal.assert_given_back();
}
