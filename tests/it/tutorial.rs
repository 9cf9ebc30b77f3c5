//! The tutorial, as its reader plays it: the real binary and the real psql, each command and
//! statement as typed, only the ports differ. And `pgstream tutorial`, which plays it by itself.

use std::path::Path;

use nix::sys::signal::Signal;
use pgstream::cluster::{ClusterOptions, Server};
use pgstream::config::Plugin;
use pgstream::tutorial::database::Database;
use pgstream::tutorial::lesson::{
    Expectation, POSTGRES_TO_POSTGRES, Scenario, Side, Step, parse, run_by,
};
use pgstream::tutorial::stage::Stage;
use tempfile::TempDir;

use crate::support::clusters::TestCluster;
use crate::support::process::{Outcome, Running};
use crate::support::{Call, cluster_with, every_server, psql, wait_until};

/// How the reader passes options to `init`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Flags,
    Environment,
}

/// A reader at work.
struct Reader {
    plugin: &'static str,
    spelling: Spelling,
    source: TestCluster,
    target: TestCluster,
    directory: TempDir,
    running: Option<Running>,
}

#[tokio::test]
async fn every_step_works_as_typed_with_pgoutput_and_flags() {
    play("pgoutput", Spelling::Flags).await;
}

#[tokio::test]
async fn every_step_works_as_typed_with_wal2json_and_environment_variables() {
    play("wal2json", Spelling::Environment).await;
}

#[tokio::test]
async fn every_step_works_as_typed_with_pgoutput_and_environment_variables() {
    play("pgoutput", Spelling::Environment).await;
}

#[tokio::test]
async fn every_step_works_as_typed_with_wal2json_and_flags() {
    play("wal2json", Spelling::Flags).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tells_of_a_statement_is_there_after_it_and_not_before() {
    let mut stage = Stage::set_up(Plugin::Pgoutput).await.unwrap();
    let mut statement_count = 0;
    for lesson in stage.lessons().unwrap() {
        for (number, step) in lesson.steps.iter().enumerate() {
            let mark = lesson.mark_of(number);
            let is_statement = matches!(step, Step::Sql { .. });
            assert_eq!(mark.is_some(), is_statement, "{step:?}");
            if let Some(mark) = mark {
                assert!(!stage.sees(mark).await, "{step:?} is not done yet");
                statement_count += 1;
            }
            stage.perform(step).await.unwrap();
            if let Some(mark) = mark {
                assert!(stage.sees(mark).await, "{step:?} is done");
            }
        }
    }
    assert_eq!(statement_count, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_others_have_followed_is_known_from_the_schema_log() {
    let mut stage = Stage::set_up(Plugin::Pgoutput).await.unwrap();
    let lessons = stage.lessons().unwrap();
    let at = |title: &str| lessons.iter().position(|one| one.title == title).unwrap();
    let renamed = (at("Rename the table"), 0);
    for step in lessons[..renamed.0].iter().flat_map(|one| &one.steps) {
        stage.perform(step).await.unwrap();
    }
    assert!(!stage.has_logged(run_by(&lessons, renamed).unwrap()).await);

    for lesson in &lessons[renamed.0..=at("Change its type")] {
        stage.perform(&lesson.steps[0]).await.unwrap();
    }

    let mark = lessons[renamed.0].mark_of(0).unwrap();
    assert!(!stage.sees(mark).await, "the table has changed since");
    for (title, is_run) in [
        ("Rename the table", true),
        ("Add a column", true),
        ("Change its type", true),
        ("Rename the column", false),
        ("Insert rows", false),
    ] {
        let run = run_by(&lessons, (at(title), 0)).unwrap();
        assert_eq!(stage.has_logged(run).await, is_run, "{title}");
    }
}

async fn play(plugin: &'static str, spelling: Spelling) {
    let mut reader = Reader::start(plugin, spelling);
    let scenario = Scenario {
        source_port: reader.source.port(),
        target_port: reader.target.port(),
        plugin: plugin.to_owned(),
    };
    for lesson in parse(POSTGRES_TO_POSTGRES).unwrap() {
        for step in lesson.staged(&scenario).steps {
            reader.perform(&step).await;
        }
    }
}

/// The password is in every address that was typed, and nowhere in what is said.
fn assert_no_password(outcome: &Outcome) {
    let message = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!message.contains("postgres:postgres@"), "{message}");
}

impl Reader {
    fn start(plugin: &'static str, spelling: Spelling) -> Self {
        let server = match plugin {
            "wal2json" => Server::find_with_wal2json().unwrap(),
            _ => Server::find().unwrap(),
        };
        let start = |name: &str| cluster_with(ClusterOptions::new(name).on(&server));
        let directory = TempDir::new().unwrap();
        let (source, target) = (start("source"), start("target"));
        Self {
            plugin,
            spelling,
            source,
            target,
            directory,
            running: None,
        }
    }

    async fn perform(&mut self, step: &Step) {
        match step {
            Step::Shell(line) => self.shell(line).await,
            Step::File { name, content } => {
                std::fs::write(self.directory.path().join(name), content).unwrap();
            }
            Step::Sql { side, statement } => drop(psql(self.cluster(*side), statement)),
            Step::Expect(expectation) => self.see(expectation).await,
        }
    }

    fn cluster(&self, side: Side) -> &TestCluster {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    /// Looks as the lesson says, and with psql itself where the reader types `\d+`.
    async fn see(&self, expected: &Expectation) {
        let cluster = self.cluster(expected.side);
        let database = Database::join(&cluster.url("postgres")).await.unwrap();
        wait_until(&expected.query, async || {
            // That a table is not there yet is an answer like any other.
            let seen = match database.ask(&expected.query).await {
                Ok(answer) if expected.is_met(&answer.rows) => return Ok(()),
                Ok(answer) => format!("{:?}", answer.rows),
                Err(refused) => refused.to_string(),
            };
            let message = self.running.as_ref().map(Running::stderr);
            Err(format!("{seen}\n{}", message.unwrap_or_default()))
        })
        .await;
        if expected.query.starts_with(r"\d+") {
            let shown = psql(cluster, &expected.query);
            for row in &expected.rows {
                assert!(
                    shown.contains(&format!(" {} ", row[0])),
                    "{}: {shown}",
                    row[0]
                );
            }
        }
    }

    async fn shell(&mut self, line: &str) {
        let arguments = line.strip_prefix("pgstream ").expect("a command of ours");
        let success = match arguments.split(' ').next() {
            Some("init") => "SUCCESS  pgstream initialisation complete",
            Some("tear-down") => "SUCCESS  pgstream tear down complete",
            _ => {
                self.running = Some(
                    Call::line(arguments)
                        .directory(self.directory.path())
                        .spawn(),
                );
                return;
            }
        };
        if let Some(running) = self.running.take() {
            let outcome = running.terminate().await;
            assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
            assert!(
                outcome.stderr.contains("TRACE"),
                "--log-level trace shows more than this"
            );
            assert_no_password(&outcome);
        }
        for _ in ["once", "twice is a success too"] {
            let outcome = self.call(arguments).run().await;
            assert_eq!(outcome.code, Some(0), "{line}: {}", outcome.stderr);
            assert_no_password(&outcome);
            assert!(
                outcome.stdout.contains(success),
                "{line}: {}",
                outcome.stdout
            );
        }
    }

    /// The command with its options in the reader's spelling.
    fn call(&self, arguments: &str) -> Call {
        let words: Vec<&str> = arguments
            .split([' ', '"'])
            .filter(|w| !w.is_empty())
            .collect();
        let mut call = match (self.spelling, words.as_slice()) {
            (Spelling::Environment, [command, "--pgurl", url, "--replication-slot", slot]) => {
                Call::new([command])
                    .env("PGSTREAM_POSTGRES_LISTENER_URL", url)
                    .env("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", slot)
            }
            _ => Call::line(arguments),
        };
        if self.plugin != "pgoutput" && arguments.starts_with("init") {
            call = call.env("PGSTREAM_POSTGRES_REPLICATION_PLUGIN", self.plugin);
        }
        call.directory(self.directory.path())
    }
}

#[tokio::test]
async fn the_tutorial_plays_itself_on_every_server_with_pgoutput() {
    for server in every_server() {
        play_itself(&server, "pgoutput").await;
    }
}

#[tokio::test]
async fn the_tutorial_plays_itself_on_every_server_that_has_wal2json() {
    for server in every_server().into_iter().filter(Server::has_wal2json) {
        play_itself(&server, "wal2json").await;
    }
}

#[tokio::test]
async fn a_named_server_without_wal2json_is_reported_with_what_to_do() {
    let bare = TempDir::new().unwrap();
    for program in ["initdb", "postgres"] {
        let installed = Server::find().unwrap().program(program);
        std::fs::copy(installed, bare.path().join(program)).unwrap();
    }

    let call = Call::line("tutorial --headless --plugin wal2json");
    let directory = bare.path().display().to_string();
    let outcome = call.env("PGSTREAM_PG_BIN_DIR", &directory).run().await;

    assert_eq!(outcome.code, Some(78), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("wal2json is not installed"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("make deps"), "{}", outcome.stderr);
}

async fn play_itself(server: &Server, plugin: &str) {
    let call = Call::line(&format!("tutorial --headless --plugin {plugin}"));
    let directory = server.bin_dir().display().to_string();

    let outcome = call.env("PGSTREAM_PG_BIN_DIR", &directory).run().await;

    assert_played(&outcome);
}

fn assert_played(outcome: &Outcome) {
    assert_eq!(
        outcome.code,
        Some(0),
        "{}\n{}",
        outcome.stdout,
        outcome.stderr
    );
    for lesson in parse(POSTGRES_TO_POSTGRES).unwrap() {
        assert!(
            outcome.stdout.contains(&lesson.title),
            "{}: {}",
            lesson.title,
            outcome.stdout
        );
    }
    for directory in cluster_directories(&outcome.stdout) {
        assert!(!Path::new(&directory).exists(), "{directory} stays");
    }
}

#[tokio::test]
async fn a_signal_ends_the_tutorial_and_removes_its_clusters() {
    let running = Call::line("tutorial --headless").spawn();
    let reported = wait_until("the clusters are there", async || {
        let reported = running.stdout();
        if reported.contains("target  psql") {
            Ok(reported)
        } else {
            Err(reported)
        }
    })
    .await;

    running.signal(Signal::SIGINT);
    let outcome = running.outcome().await;

    assert_ne!(outcome.code, Some(0));
    for port in ports(&reported) {
        assert!(
            std::net::TcpStream::connect(("127.0.0.1", port)).is_err(),
            "{port} is open"
        );
    }
}

#[tokio::test]
async fn a_killed_tutorial_leaves_no_server_behind() {
    let running = Call::line("tutorial --headless").spawn();
    let reported = wait_until("the clusters are there", async || {
        let reported = running.stdout();
        if reported.contains("target  psql") {
            Ok(reported)
        } else {
            Err(reported)
        }
    })
    .await;

    drop(running.kill().await);

    for port in ports(&reported) {
        wait_until("the server is gone", async || {
            let open = std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
            if open {
                Err(format!("{port} is open"))
            } else {
                Ok(())
            }
        })
        .await;
    }
}

#[tokio::test]
async fn with_keep_the_clusters_stay_until_the_reported_command_removes_them() {
    let outcome = Call::line("tutorial --headless --keep").run().await;

    assert_eq!(
        outcome.code,
        Some(0),
        "{}\n{}",
        outcome.stdout,
        outcome.stderr
    );
    for port in ports(&outcome.stdout) {
        let url = format!("postgres://postgres:postgres@localhost:{port}/postgres");
        assert!(Database::join(&url).await.is_ok(), "{port} is closed");
    }
    let removals = outcome
        .stdout
        .lines()
        .filter_map(|line| line.split_once("remove it with: "));
    let commands: Vec<&str> = removals.map(|(_, command)| command).collect();
    assert_eq!(commands.len(), 2, "{}", outcome.stdout);
    for command in commands {
        let shell = Call::program("/bin/sh", vec!["-c".to_owned(), command.to_owned()]);
        assert_eq!(shell.run().await.code, Some(0), "{command}");
    }
    for directory in cluster_directories(&outcome.stdout) {
        assert!(!Path::new(&directory).exists(), "{directory} stays");
    }
}

/// The ports in the addresses that were reported.
fn ports(reported: &str) -> Vec<u16> {
    let after = reported.split("@localhost:").skip(1);
    let digits = after.filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    let ports: Vec<u16> = digits.filter_map(|text| text.parse().ok()).collect();
    assert!(!ports.is_empty(), "{reported}");
    ports
}

/// The directories of clusters that were reported.
fn cluster_directories(reported: &str) -> Vec<String> {
    let words = reported.split([' ', ';', '/', '\n']);
    words
        .filter(|word| word.starts_with("pgstream-"))
        .map(|word| format!("/tmp/{word}"))
        .collect()
}

/// The page that people read has the commands, the file and the statements of the lessons.
#[test]
fn the_tutorials_page_has_everything_that_is_played() {
    let page = include_str!("../../docs/tutorial.md");

    for lesson in parse(POSTGRES_TO_POSTGRES).unwrap() {
        for step in lesson.steps {
            let text = match step {
                Step::Shell(text) | Step::File { content: text, .. } => text,
                Step::Sql { statement, .. } => statement,
                Step::Expect(_) => continue,
            };
            assert!(
                page.contains(text.trim()),
                "docs/tutorial.md lacks:\n{text}"
            );
        }
    }
}
