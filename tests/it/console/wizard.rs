//! The wizards by keyboard, on fresh servers, checked in the catalogs.

use crate::support::{execute, query_text, wait_until};

use super::pty::Terminal;
use super::real::Stage;

const MADE: &str = "SELECT (SELECT count(*) FROM pg_replication_slots)::text || ' ' \
     || (SELECT count(*) FROM pg_publication)::text || ' ' \
     || (to_regnamespace('pgstream') IS NOT NULL)::text";

/// Lets two of the source's four tables out; those without a key are marked.
fn choose_tables(terminal: &mut Terminal) {
    terminal.wait_for("step 4 of 8");
    terminal.wait_for("4 of 4 tables replicate · 2 without a key");
    terminal.wait_for("! no key");
    terminal.keys("\x1b[B ");
    terminal.wait_for("[ ] public.left_out");
    terminal.keys("\x1b[F ");
    terminal.wait_for("[ ] public.untouched");
    terminal.wait_for("2 of 4 tables replicate · 1 without a key");
}

/// Goes through the Init wizard to its end.
async fn set_up(stage: &Stage, terminal: &mut Terminal) {
    let (source, target) = (stage.source_url(), stage.target_url());
    terminal.wait_for("step 1 of 8");
    terminal.keys(&source);
    // Nothing was pressed but the address: it is tried while one types.
    terminal.wait_for("✓ PostgreSQL");
    terminal.keys("\twizard_slot");
    assert!(
        !terminal.text().contains(":postgres@"),
        "the password is masked"
    );
    terminal.keys("\r");
    terminal.wait_for("step 2 of 8");
    terminal.keys(&target);
    terminal.keys("\r");
    terminal.wait_for("nothing is in the way");
    assert_eq!(query_text(&stage.source, MADE).await, ["0 0 false"]);
    terminal.keys("\r");
    choose_tables(terminal);
    terminal.keys("\r");
    terminal.wait_for("step 5 of 8");
    terminal.keys("\r");
    terminal.wait_for("create replication slot wizard_slot");
    terminal.keys("w");
    terminal.wait_for("plan written to pgstream-init-plan.sql");
    let plan = stage.file("pgstream-init-plan.sql");
    assert!(
        plan.contains("pg_create_logical_replication_slot"),
        "{plan}"
    );
    terminal.keys("\r");
    terminal.wait_for("step 7 of 8");
    terminal.wait_for("✓ done in");
    assert!(
        terminal
            .text()
            .contains("source  create replication slot wizard_slot")
    );
    assert_eq!(query_text(&stage.source, MADE).await, ["1 1 true"]);
    terminal.keys("\r");
    terminal.wait_for("step 8 of 8");
    terminal.keys("\x15shop2.env\r");
    terminal.wait_for("● STREAMING");
}

/// Stops the engine and goes through the Tear-down wizard.
async fn tear_down(stage: &Stage, terminal: &mut Terminal) {
    terminal.keys("T");
    terminal.wait_for("stop the engine first");
    terminal.keys("E\t\r");
    terminal.wait_for("○ STOPPED");
    terminal.keys("T");
    terminal.wait_for("step 1 of 5");
    // What the console knows of the pipeline need not be typed again.
    terminal.keys("\r");
    terminal.wait_for("cannot be undone");
    terminal.wait_for("drop replication slot wizard_slot");
    terminal.keys("\r");
    terminal.wait_for("waits for the name");
    terminal.keys("wizard_slot\r");
    terminal.wait_for("verified: nothing of pgstream is left");
    assert_eq!(query_text(&stage.source, MADE).await, ["0 0 false"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_is_set_up_started_and_torn_down() {
    let stage = Stage::bare().await;
    execute(
        &stage.source,
        "CREATE TABLE keyed (id int PRIMARY KEY); CREATE TABLE left_out (id int PRIMARY KEY);
         CREATE TABLE no_key (a int); CREATE TABLE untouched (a int)",
    )
    .await;
    execute(
        &stage.target,
        "CREATE TABLE keyed (id int PRIMARY KEY); CREATE TABLE no_key (a int)",
    )
    .await;
    let mut terminal = stage.open(["init"], (100, 30));
    set_up(&stage, &mut terminal).await;
    let saved = stage.file("shop2.env");
    let filter = "PGSTREAM_FILTER_EXCLUDE_TABLES='public.left_out public.untouched'";
    assert!(saved.contains(filter), "{saved}");
    execute(
        &stage.source,
        "CREATE TABLE made (id int PRIMARY KEY); INSERT INTO made VALUES (1);
         INSERT INTO left_out VALUES (1); INSERT INTO no_key VALUES (1), (1)",
    )
    .await;
    terminal.keys("5");
    terminal.wait_for("public.made");
    terminal.wait_for("public.no_key");
    wait_until("the rows of no_key", || async {
        let rows = query_text(&stage.target, "SELECT a::text FROM no_key").await;
        match rows == ["1", "1"] {
            true => Ok(()),
            false => Err(format!("{rows:?}")),
        }
    })
    .await;
    let left_out = "SELECT (to_regclass('left_out') IS NULL)::text";
    assert_eq!(query_text(&stage.target, left_out).await, ["true"]);

    tear_down(&stage, &mut terminal).await;
    terminal.keys("\r");
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
    terminal.assert_given_back();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_says_of_each_step_what_became_of_it() {
    let stage = Stage::bare().await;
    execute(
        &stage.source,
        "CREATE TABLE no_key (a int);
         CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS
         $$BEGIN RAISE EXCEPTION 'no publication today'; END$$;
         CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE PUBLICATION')
         EXECUTE FUNCTION refuse()",
    )
    .await;
    let (source, target) = (stage.source_url(), stage.target_url());
    let mut terminal = stage.open(["init"], (120, 40));
    terminal.wait_for("step 1 of 8");
    terminal.keys(&format!("{source}\r"));
    terminal.wait_for("step 2 of 8");
    terminal.keys(&format!("{target}\r"));
    terminal.wait_for("nothing is in the way");
    for step in [
        "step 4 of 8",
        "step 5 of 8",
        "nothing has run yet",
        "step 7 of 8",
    ] {
        terminal.keys("\r");
        terminal.wait_for(step);
        if step == "nothing has run yet" {
            terminal.wait_for("create publication");
        }
    }
    terminal.wait_for("no publication today (SQLSTATE P0001)");
    let text = terminal.text();
    let line_of = |what: &str| {
        let mut lines = text.lines();
        lines
            .find(|line| line.contains(what))
            .unwrap_or_else(|| panic!("{what}:\n{text}"))
            .to_owned()
    };
    assert!(line_of("install schema pgstream").contains("taken back"));
    assert!(line_of("give keyless table").contains("taken back"));
    assert!(line_of("source  create publication").contains("failed after"));
    assert!(line_of("source  create replication slot").contains("○"));
    assert_eq!(query_text(&stage.source, MADE).await, ["0 0 false"]);

    execute(&stage.source, "DROP EVENT TRIGGER refuse").await;
    terminal.keys("r");
    terminal.wait_for("✓ done in");
    assert_eq!(query_text(&stage.source, MADE).await, ["1 1 true"]);
}
