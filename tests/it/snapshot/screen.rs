//! What a copy writes where: bars and lines on a terminal, and pipes that nobody reads.

use std::process::Stdio;

use portable_pty::CommandBuilder;
use tokio::process::Command;

use crate::console::pty::Terminal;
use crate::support::execute;
use crate::support::flow::Flow;

const TABLES: &str = "\
CREATE TABLE one (id int PRIMARY KEY, v text);
CREATE TABLE two (id int PRIMARY KEY, v text);
INSERT INTO one SELECT i, repeat('x', 500) FROM generate_series(1, 20000) AS i;
INSERT INTO two SELECT i, repeat('x', 500) FROM generate_series(1, 20000) AS i;";

async fn flow() -> Flow {
    let flow = Flow::bare().await;
    execute(&flow.source, TABLES).await;
    flow
}

fn variables(flow: &Flow) -> [(&'static str, String); 2] {
    [
        (
            "PGSTREAM_POSTGRES_LISTENER_URL",
            flow.source_cluster.url("postgres"),
        ),
        (
            "PGSTREAM_POSTGRES_WRITER_TARGET_URL",
            flow.target_cluster.url("postgres"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_whole_lines_are_left_and_no_bar() {
    let flow = flow().await;
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pgstream"));
    command.args(["snapshot", "--no-color"]);
    for (name, value) in variables(&flow) {
        command.env(name, value);
    }
    let mut terminal = Terminal::start(command, (160, 40));
    assert_eq!(terminal.end(), 0, "{}", terminal.text());

    let text = terminal.text();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let (last, log) = lines.split_last().unwrap();
    assert!(
        last.starts_with("SUCCESS  pgstream snapshot complete"),
        "{text}"
    );
    for line in log {
        // A time of the day, and nothing before it.
        assert!(line.starts_with("20") && !line.contains(" %  "), "{text}");
    }
}

#[tokio::test]
async fn a_reader_that_goes_away_does_not_end_the_copy() {
    let flow = flow().await;
    let mut child = Command::new(env!("CARGO_BIN_EXE_pgstream"))
        .arg("snapshot")
        .envs(variables(&flow))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    let status = child.wait().await.unwrap();
    assert_eq!(status.code(), Some(0));
    flow.equal().await;
}
