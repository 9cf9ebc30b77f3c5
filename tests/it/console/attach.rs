//! Consoles over the engine of another process.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use crate::support::{assert_equal, execute};

use super::pty::Terminal;
use super::real::Stage;

/// An engine without a terminal; it does not outlive its test.
struct Headless(Child);

impl Headless {
    fn start(stage: &Stage) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgstream"));
        command.args(["run", "--headless", "-c", "shop.env"]);
        command.current_dir(stage.path());
        command.env("XDG_RUNTIME_DIR", stage.path());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.stderr(Stdio::null()).spawn().unwrap())
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn ended_well(mut self) -> bool {
        self.0.wait().unwrap().success()
    }
}

impl Drop for Headless {
    fn drop(&mut self) {
        // It has ended already unless the test has failed.
        drop(self.0.kill());
    }
}

fn open<const N: usize>(stage: &Stage, arguments: [&str; N]) -> Terminal {
    let runtime = stage.path().to_str().unwrap();
    stage.open_with(arguments, (120, 40), &[("XDG_RUNTIME_DIR", runtime)])
}

fn console(stage: &Stage) -> Terminal {
    open(stage, ["console", "-c", "shop.env"])
}

#[tokio::test(flavor = "multi_thread")]
async fn consoles_show_and_command_an_engine_that_outlives_them() {
    let stage = Stage::ready().await;
    let engine = Headless::start(&stage);
    stage.wait_for_socket().await;
    let mut one = console(&stage);
    let mut other = open(&stage, ["-c", "shop.env"]);
    for terminal in [&mut one, &mut other] {
        terminal.wait_for("● STREAMING");
        terminal.wait_for("ATTACHED");
    }
    execute(&stage.source, "CREATE TABLE goods (id int PRIMARY KEY)").await;
    for terminal in [&mut one, &mut other] {
        terminal.wait_for("public.goods");
        terminal.wait_for("schema change applied");
    }
    one.keys("P");
    one.wait_for("‖ PAUSED");
    other.wait_for("‖ PAUSED");
    other.keys("P");
    one.wait_for("● STREAMING");

    one.keys("q");
    assert_eq!(one.end(), 0);
    one.assert_given_back();
    assert!(
        one.text()
            .contains("pgstream console -c shop.env shows it again")
    );
    execute(&stage.source, "INSERT INTO goods VALUES (1)").await;
    assert_equal(&stage.source, &stage.target).await;

    other.keys("E\x1b[C\r");
    other.wait_for("○ STOPPED");
    assert!(engine.ended_well());
    other.keys("q");
    assert_eq!(other.end(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_sees_its_engine_go_and_come_back() {
    let stage = Stage::ready().await;
    let engine = Headless::start(&stage);
    stage.wait_for_socket().await;
    let mut terminal = console(&stage);
    terminal.wait_for("● STREAMING");
    engine.kill();
    terminal.wait_for("the engine has gone");
    terminal.wait_for("○ STOPPED");
    execute(&stage.source, "CREATE TABLE goods (id int PRIMARY KEY)").await;
    terminal.wait_for("public.goods");

    let _engine = Headless::start(&stage);
    terminal.wait_for("● STREAMING");
    terminal.wait_until("no trouble", |screen| {
        !screen.contents().contains("the engine has gone")
    });
    execute(&stage.source, "INSERT INTO goods VALUES (1)").await;
    assert_equal(&stage.source, &stage.target).await;
    terminal.keys("\x03");
    assert_eq!(terminal.end(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_the_engine_is_still_shown() {
    let stage = Stage::ready().await;
    let engine = Headless::start(&stage);
    stage.wait_for_socket().await;
    let mut terminal = console(&stage);
    terminal.wait_for("● STREAMING");
    execute(&stage.source, "CREATE TABLE goods (id int PRIMARY KEY)").await;
    assert_equal(&stage.source, &stage.target).await;
    execute(&stage.target, "INSERT INTO goods VALUES (1)").await;
    execute(&stage.source, "INSERT INTO goods VALUES (1)").await;
    terminal.wait_for("the target refuses a change of public.goods");
    assert!(!engine.ended_well());
    terminal.wait_for("○ STOPPED");
    assert!(!terminal.text().contains("the engine has gone"));
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_engine_runs_one_is_offered_and_both_sides_are_seen() {
    let stage = Stage::ready().await;
    let mut terminal = console(&stage);
    terminal.wait_for("No engine runs. Start one?");
    terminal.keys("\r");
    terminal.wait_for("console_slot");
    terminal.wait_for("○ STOPPED");
    terminal.keys("R");
    terminal.wait_for("● STREAMING");
    let mut other = console(&stage);
    other.wait_for("ATTACHED");
    other.keys("q");
    assert_eq!(other.end(), 0);
    terminal.keys("q");
    terminal.wait_for("Stop and quit?");
    terminal.keys("\x1b[C\r");
    assert_eq!(terminal.end(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_chosen_in_one_console_is_written_down_for_it() {
    let stage = Stage::ready().await;
    let _engine = Headless::start(&stage);
    stage.wait_for_socket().await;
    let mut quiet = console(&stage);
    quiet.wait_for("● STREAMING");
    let mut curious = console(&stage);
    curious.wait_for("● STREAMING");
    // The first of the targets is what applies.
    curious.keys("4zt\x1b[C\x1b[C");
    curious.wait_for("levels by target");
    execute(&stage.source, "CREATE TABLE goods (id int PRIMARY KEY)").await;
    curious.wait_for("batch committed");
    quiet.wait_for("schema change applied");
    assert!(!quiet.text().contains("batch committed"));
    for terminal in [&mut quiet, &mut curious] {
        terminal.keys("\x03");
        assert_eq!(terminal.end(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_leads_to_its_latest_changes_and_to_the_row_that_is_refused() {
    let stage = Stage::ready().await;
    let runtime = [("XDG_RUNTIME_DIR", stage.path().to_str().unwrap())];
    let mut engine = stage.open_with(["run", "-c", "shop.env"], (80, 24), &runtime);
    engine.wait_for("● STREAMING");
    let table = "CREATE TABLE goods (id int PRIMARY KEY, note text)";
    execute(&stage.source, table).await;
    execute(&stage.source, "INSERT INTO goods VALUES (4711, 'one')").await;
    assert_equal(&stage.source, &stage.target).await;

    let mut terminal = console(&stage);
    terminal.keys("5");
    terminal.wait_for("▶ public.goods");
    terminal.keys("\r");
    terminal.wait_for("Latest changes on the target");
    terminal.wait_for("INSERT   id=4711");
    execute(&stage.target, "ALTER TABLE goods ADD CHECK (id < 5000)").await;
    execute(&stage.source, "UPDATE goods SET note = 'two'").await;
    terminal.wait_for("UPDATE   id=4711");
    execute(&stage.source, "INSERT INTO goods VALUES (5001, 'hush')").await;
    terminal.wait_for("refused INSERT");
    terminal.wait_for("id=5001");
    assert!(!terminal.text().contains("hush"));
    terminal.keys("v");
    terminal.wait_for("note=hush");
    terminal.keys("v");
    terminal.wait_until("hidden again", |screen| {
        let text = screen.contents();
        text.contains("id=5001") && !text.contains("hush")
    });
    for terminal in [&mut terminal, &mut engine] {
        terminal.keys("\x03\x03");
        assert_eq!(terminal.end(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_can_attach_and_status_says_where() {
    let stage = Stage::ready().await;
    let status = |json: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgstream"));
        command.args(["status", "-c", "shop.env"]).args(json);
        command.current_dir(stage.path());
        command.env("XDG_RUNTIME_DIR", stage.path());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(!status(&[]).contains("pgstream console"));
    let engine = Headless::start(&stage);
    let socket = stage.wait_for_socket().await;
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(socket.as_path()), 0o600);
    assert_eq!(mode(socket.parent().unwrap()), 0o700);
    let reported = status(&[]);
    let path = socket.to_str().unwrap();
    assert!(
        reported.contains(path) && reported.contains(&engine.0.id().to_string()),
        "{reported}"
    );
    let reported: serde_json::Value = serde_json::from_str(&status(&["--json"])).unwrap();
    assert_eq!(reported["engine"]["pid"], engine.0.id());
    assert_eq!(reported["engine"]["socket"], path);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_refuses_what_a_read_only_console_asks() {
    let stage = Stage::ready().await;
    let engine = Headless::start(&stage);
    let path = stage.wait_for_socket().await;
    let stop = r#"{"ask":{"id":1,"command":"stop"}}"#;

    let mut looking = UnixStream::connect(&path).unwrap();
    say(&mut looking, r#""read_only""#);
    say(&mut looking, stop);
    let refused = r#"{"refused":"this console is read-only"}"#;
    assert_eq!(answer(&mut looking), refused);
    say(
        &mut looking,
        r#"{"ask":{"id":2,"command":{"look":{"table":"public.none","values":true}}}}"#,
    );
    let nothing = r#"{"seen":{"changes":[],"refused":null}}"#;
    assert_eq!(answer(&mut looking), nothing);

    let mut commanding = UnixStream::connect(&path).unwrap();
    say(&mut commanding, stop);
    assert_eq!(answer(&mut commanding), r#""accepted""#);
    assert!(engine.ended_well());
}

fn say(socket: &mut UnixStream, message: &str) {
    let length = u32::try_from(message.len()).unwrap();
    socket.write_all(&length.to_be_bytes()).unwrap();
    socket.write_all(message.as_bytes()).unwrap();
}

/// The next answer, whatever else the engine says before.
fn answer(socket: &mut UnixStream) -> String {
    loop {
        let mut length = [0; 4];
        socket.read_exact(&mut length).unwrap();
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        socket.read_exact(&mut body).unwrap();
        let message: serde_json::Value = serde_json::from_slice(&body).unwrap();
        if let Some(answer) = message.get("answer") {
            return answer["answer"].to_string();
        }
    }
}
