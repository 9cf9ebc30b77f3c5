//! The plain mode: questions by number on a terminal that can do no more, and an engine under the
//! eyes of somebody who types.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{assert_equal, execute, query_text};

use super::pty::Terminal;
use super::real::Stage;

const MADE: &str = "SELECT (SELECT count(*) FROM pg_replication_slots)::text || ' ' \
     || (SELECT count(*) FROM pg_publication)::text || ' ' \
     || (to_regnamespace('pgstream') IS NOT NULL)::text";

/// Answers each question in turn.
fn answer(terminal: &mut Terminal, answers: &[(&str, &str)]) {
    for (question, answer) in answers {
        terminal.wait_for(question);
        terminal.keys(&format!("{answer}\r"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_is_set_up_and_controlled_by_numbers() {
    let stage = Stage::bare().await;
    execute(
        &stage.source,
        "CREATE TABLE goods (id int PRIMARY KEY); CREATE TABLE left_out (id int)",
    )
    .await;
    execute(&stage.target, "CREATE TABLE goods (id int PRIMARY KEY)").await;
    let (source, target) = (stage.source_url(), stage.target_url());
    let mut terminal = stage.open_with([], (140, 200), &[("TERM", "dumb")]);
    answer(
        &mut terminal,
        &[
            ("What would you like to do?", "3"),
            ("Source (postgres", "nonsense"),
            ("not taken:", &source),
            ("connected: PostgreSQL", "plain_slot"),
            ("1 pgoutput", ""),
            ("Target (postgres", &target),
            ("Schema changes:", ""),
        ],
    );
    terminal.wait_for("2 yes public.left_out  (no key)");
    terminal.keys("2\r");
    terminal.wait_for("2 no  public.left_out  (no key)");
    answer(
        &mut terminal,
        &[("exclude: public.left_out", ""), ("Copy rows:", "2")],
    );
    terminal.wait_for("create replication slot plain_slot  (can be taken back)");
    assert_eq!(query_text(&stage.source, MADE).await, ["0 0 false"]);
    answer(&mut terminal, &[("Nothing has run yet.", "1")]);
    terminal.wait_for("create replication slot plain_slot: done,");
    answer(
        &mut terminal,
        &[("File (where", "plain.env"), ("Start the pipeline?", "1")],
    );
    terminal.wait_for("state: streaming");
    assert!(stage.file("plain.env").contains("'public.left_out'"));

    execute(&stage.source, "INSERT INTO goods VALUES (1)").await;
    execute(&stage.source, "DROP TABLE left_out").await;
    assert_equal(&stage.source, &stage.target).await;
    terminal.keys("\r");
    answer(&mut terminal, &[("What now?", "2")]);
    terminal.wait_for("state: paused");
    terminal.keys("\r");
    answer(&mut terminal, &[("state     paused", "3")]);
    assert_eq!(terminal.end(), 0);
    terminal.assert_given_back();

    let mut terminal = stage.open(["tear-down", "--plain", "-c", "plain.env"], (140, 60));
    assert_eq!(terminal.end(), 0);
    assert_eq!(query_text(&stage.source, MADE).await, ["0 0 false"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_is_torn_down_by_answers_and_only_when_its_name_is_typed() {
    let stage = Stage::ready().await;
    let (source, target) = (stage.source_url(), stage.target_url());
    let mut terminal = stage.open(["tear-down", "--plain"], (140, 120));
    answer(
        &mut terminal,
        &[
            ("Source (postgres", &source),
            ("Target (postgres", &target),
            ("Slot (empty", "console_slot"),
            ("Nothing has run yet.", "1"),
            ("Type the name of the slot", "console_slo"),
        ],
    );
    terminal.wait_for("that is not its name");
    assert_eq!(query_text(&stage.source, MADE).await, ["1 1 true"]);
    terminal.keys("console_slot\r");
    terminal.wait_for("verified: nothing of pgstream is left");
    assert_eq!(terminal.end(), 0);
    assert_eq!(query_text(&stage.source, MADE).await, ["0 0 false"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_transaction_is_reported_and_skipped_when_its_name_is_typed() {
    let stage = Stage::ready().await;
    execute(&stage.source, "CREATE TABLE goods (id int PRIMARY KEY)").await;
    let mut terminal = stage.open(["run", "--plain", "-c", "shop.env"], (140, 200));
    terminal.wait_for("state: streaming");
    assert_equal(&stage.source, &stage.target).await;
    execute(&stage.target, "INSERT INTO goods VALUES (1)").await;
    execute(&stage.source, "INSERT INTO goods VALUES (1)").await;
    terminal.wait_for("state: held at a failure");
    terminal.keys("\r");
    answer(&mut terminal, &[("What now?", "3")]);
    terminal.wait_for("to do it:");
    let text = terminal.text();
    let number = text.split("Type  skip ").nth(1).unwrap();
    let number: String = number.chars().take_while(char::is_ascii_digit).collect();
    terminal.keys(&format!("skip {number}\r"));
    terminal.wait_for("accepted");
    execute(&stage.source, "INSERT INTO goods VALUES (2)").await;
    assert_equal(&stage.source, &stage.target).await;
    terminal.keys("\x03");
    assert_eq!(terminal.end(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_schema_change_is_replaced_by_a_file() {
    let stage = Stage::ready().await;
    let mut terminal = stage.open(["run", "--plain", "-c", "shop.env"], (140, 200));
    terminal.wait_for("state: streaming");
    execute(&stage.target, "CREATE TABLE goods (id int PRIMARY KEY)").await;
    execute(
        &stage.source,
        "BEGIN; CREATE TABLE goods (id int PRIMARY KEY, v text); INSERT INTO goods VALUES (1, 'a'); \
         COMMIT",
    )
    .await;
    terminal.wait_for("state: held at a failure");
    stage.write("fix.sql", "ALTER TABLE goods ADD COLUMN v text;");
    terminal.keys("\r");
    answer(
        &mut terminal,
        &[("What now?", "4"), ("File (empty: none):", "fix.sql")],
    );
    terminal.wait_for("accepted");
    assert_equal(&stage.source, &stage.target).await;
    terminal.keys("\x03");
    assert_eq!(terminal.end(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_copied_again_when_its_name_is_typed() {
    let stage = Stage::ready().await;
    let copies = "PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED=true\n";
    stage.write(
        "copies.env",
        &format!("{}\n{copies}", stage.file("shop.env")),
    );
    execute(
        &stage.source,
        "CREATE TABLE goods (id int PRIMARY KEY); INSERT INTO goods VALUES (1)",
    )
    .await;
    let mut terminal = stage.open(["run", "--plain", "-c", "copies.env"], (140, 200));
    terminal.wait_for("has taken over the copied tables");
    assert_equal(&stage.source, &stage.target).await;
    execute(&stage.target, "DELETE FROM goods").await;
    terminal.keys("\r");
    answer(&mut terminal, &[("What now?", "3")]);
    terminal.wait_for("ready        public.goods");
    answer(
        &mut terminal,
        &[
            ("2 Pause copying", "5"),
            ("Type the name of the table", "public.goods"),
        ],
    );
    terminal.wait_for("accepted");
    assert_equal(&stage.source, &stage.target).await;
    terminal.keys("\x03");
    assert_eq!(terminal.end(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_and_sigterm_end_it_while_a_question_is_open() {
    let stage = Stage::ready().await;
    for signal in ["\x03", ""] {
        let mut terminal = stage.open(["run", "--plain", "-c", "shop.env"], (140, 60));
        terminal.wait_for("state: streaming");
        terminal.keys("\r");
        terminal.wait_for("Number [1]:");
        match signal {
            "" => kill(Pid::from_raw(terminal.pid()), Signal::SIGTERM).unwrap(),
            keys => terminal.keys(keys),
        }
        assert_eq!(terminal.end(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_and_sigterm_end_it_before_anything_has_begun() {
    let stage = Stage::bare().await;
    for (arguments, question) in [
        (["--plain", "--no-color", "--log-level=info"], "Number:"),
        (["--plain", "init", "--no-color"], "Source ("),
        (["--plain", "tear-down", "--no-color"], "Source ("),
    ] {
        for signal in ["\x03", ""] {
            let mut terminal = stage.open(arguments, (140, 60));
            terminal.wait_for(question);
            match signal {
                "" => kill(Pid::from_raw(terminal.pid()), Signal::SIGTERM).unwrap(),
                keys => terminal.keys(keys),
            }
            terminal.end();
        }
    }
}
