//! The console of the real program over real servers.

use std::path::{Path, PathBuf};

use pgstream::config::{ConnectionSettings, Plugin, SlotName};
use pgstream::postgres;
use pgstream::schema::install;
use portable_pty::CommandBuilder;
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::support::clusters::TestCluster;
use crate::support::{assert_equal, connect, execute, pair, wait_until};

use super::pty::Terminal;

/// Two servers, and a configuration file for the pipeline between them.
pub struct Stage {
    pub source_cluster: TestCluster,
    pub target_cluster: TestCluster,
    pub source: Client,
    pub target: Client,
    directory: TempDir,
}

impl Stage {
    /// Starts the servers; nothing is installed.
    pub async fn bare() -> Self {
        let (source_cluster, target_cluster) = pair();
        let source = connect(&source_cluster.url("postgres")).await;
        let target = connect(&target_cluster.url("postgres")).await;
        let directory = TempDir::new().unwrap();
        let file = format!(
            "PGSTREAM_POSTGRES_LISTENER_URL=\"{0}\"\n\
             PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL=\"{0}\"\n\
             PGSTREAM_POSTGRES_WRITER_TARGET_URL=\"{1}\"\n\
             PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME=console_slot\n",
            source_cluster.url("postgres"),
            target_cluster.url("postgres"),
        );
        std::fs::write(directory.path().join("shop.env"), file).unwrap();
        Self {
            source_cluster,
            target_cluster,
            source,
            target,
            directory,
        }
    }

    /// Starts the servers and installs what `init` installs.
    pub async fn ready() -> Self {
        let stage = Self::bare().await;
        stage.install().await;
        stage
    }

    /// Installs what `init` installs.
    pub async fn install(&self) {
        let settings = ConnectionSettings::parse(&self.source_url()).unwrap();
        let session = postgres::connect(&settings, "test").await.unwrap();
        let slot: SlotName = "console_slot".parse().unwrap();
        install::init(&session, &slot, Plugin::Pgoutput)
            .await
            .unwrap();
    }

    /// Returns the source's address with its password.
    pub fn source_url(&self) -> String {
        self.source_cluster.url("postgres")
    }

    /// Returns the target's address with its password.
    pub fn target_url(&self) -> String {
        self.target_cluster.url("postgres")
    }

    /// Returns the program's working directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Waits for the socket of an engine whose runtime directory is the working directory.
    pub async fn wait_for_socket(&self) -> PathBuf {
        let directory = self.path().join("pgstream");
        wait_until("an engine can be attached to", async || {
            let names = std::fs::read_dir(&directory).into_iter().flatten();
            let mut paths = names.map(|entry| entry.unwrap().path());
            let found = paths.find(|path| path.extension().is_some_and(|end| end == "sock"));
            found.ok_or_else(|| format!("no socket in {}", directory.display()))
        })
        .await
    }

    /// Returns what is in a file of the program's working directory.
    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(name)).unwrap()
    }

    /// Writes a file into the program's working directory.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    /// Starts the program in a terminal.
    pub fn open<const N: usize>(&self, arguments: [&str; N], size: (u16, u16)) -> Terminal {
        self.open_with(arguments, size, &[])
    }

    /// Starts the program in a terminal, with variables of the environment.
    pub fn open_with<const N: usize>(
        &self,
        arguments: [&str; N],
        size: (u16, u16),
        environment: &[(&str, &str)],
    ) -> Terminal {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pgstream"));
        command.args(arguments);
        command.cwd(self.directory.path());
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for name in ["LC_ALL", "NO_COLOR", "TMUX"] {
            command.env_remove(name);
        }
        for (name, value) in environment {
            command.env(name, value);
        }
        Terminal::start(command, size)
    }
}

/// Leaves a console whose engine runs, and answers its question.
pub(super) fn stop_and_quit(terminal: &mut Terminal) {
    terminal.keys("q");
    terminal.wait_for("Stop and quit?");
    terminal.keys("\t\r");
    assert_eq!(terminal.end(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_schema_changes_are_seen_travelling() {
    let stage = Stage::ready().await;
    let mut terminal = stage.open(["run", "-c", "shop.env"], (120, 40));
    terminal.wait_for("● STREAMING");
    terminal.wait_for("console_slot");

    execute(
        &stage.source,
        "CREATE TABLE goods (id int PRIMARY KEY, name text)",
    )
    .await;
    terminal.wait_for("CREATE TABLE");
    execute(
        &stage.source,
        "INSERT INTO goods SELECT i, 'x' FROM generate_series(1, 50) AS i",
    )
    .await;
    terminal.keys("5");
    terminal.wait_for("public.goods");
    assert_equal(&stage.source, &stage.target).await;

    terminal.keys("P");
    terminal.wait_for("‖ PAUSED");
    execute(
        &stage.source,
        "INSERT INTO goods VALUES (51, 'while paused')",
    )
    .await;
    terminal.keys("P");
    terminal.wait_for("● STREAMING");
    assert_equal(&stage.source, &stage.target).await;

    stop_and_quit(&mut terminal);
    terminal.assert_given_back();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_source_is_a_state_on_the_screen_and_comes_back() {
    let mut stage = Stage::ready().await;
    let mut terminal = stage.open(["run", "-c", "shop.env"], (80, 24));
    terminal.wait_for("● STREAMING");

    stage.source_cluster.stop_immediate().unwrap();
    terminal.wait_for("↻ RETRYING");
    terminal.wait_for("try again now");
    stage.source_cluster.restart().unwrap();
    terminal.keys("R");
    terminal.wait_for("● STREAMING");

    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(terminal.pid()),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    assert_eq!(terminal.end(), 0);
    terminal.assert_given_back();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_terminal_ends_it_in_order() {
    let stage = Stage::ready().await;
    let mut terminal = stage.open(["run", "-c", "shop.env"], (80, 24));
    terminal.wait_for("● STREAMING");

    assert_eq!(terminal.close(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_transaction_is_explained_and_skipped_on_record() {
    let stage = Stage::ready().await;
    execute(&stage.source, "CREATE TABLE goods (id int PRIMARY KEY)").await;
    let mut terminal = stage.open(["run", "-c", "shop.env"], (100, 30));
    terminal.wait_for("● STREAMING");
    terminal.wait_for("CREATE TABLE");
    execute(&stage.target, "INSERT INTO goods VALUES (1)").await;
    execute(&stage.source, "INSERT INTO goods VALUES (1)").await;
    terminal.wait_for("! HELD");
    terminal.wait_for("23505");

    terminal.keys("X");
    terminal.wait_for("Type  skip ");
    let asked = terminal.text();
    let number = asked.split("Type  skip ").nth(1).unwrap();
    let number: String = number.chars().take_while(char::is_ascii_digit).collect();
    terminal.keys(&format!("skip {number}\r"));
    terminal.wait_for("● STREAMING");
    execute(&stage.source, "INSERT INTO goods VALUES (2)").await;
    assert_equal(&stage.source, &stage.target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pasted_sql_runs_whole_whatever_ends_its_lines() {
    let stage = Stage::ready().await;
    execute(&stage.source, "CREATE TABLE goods (id int PRIMARY KEY)").await;
    let mut terminal = stage.open(["run", "-c", "shop.env"], (100, 30));
    terminal.wait_for("● STREAMING");
    terminal.wait_for("ddl 1 ✓");
    execute(&stage.target, "ALTER TABLE goods ADD COLUMN note text").await;
    execute(&stage.source, "ALTER TABLE goods ADD COLUMN note text").await;
    terminal.wait_for("! HELD");

    terminal.keys("2e\x15\x1b[200~-- it is there already\rCREATE TABLE pasted (id int);\x1b[201~");
    terminal.wait_for("CREATE TABLE pasted (id int);");
    terminal.keys("\t");
    terminal.wait_for("Apply this on the target?");
    terminal.keys("\x1b[C\r");

    terminal.wait_for("● STREAMING");
    let made = "SELECT count(*) FROM pg_class WHERE relname = 'pasted'";
    let count: i64 = stage.target.query_one(made, &[]).await.unwrap().get(0);
    assert_eq!(count, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_and_both_servers_are_seen_without_an_engine() {
    let stage = Stage::ready().await;
    let mut terminal = stage.open(["run", "-c", "shop.env"], (120, 40));
    terminal.wait_for("● STREAMING");
    execute(&stage.source, "CREATE TABLE goods (id int PRIMARY KEY)").await;
    terminal.wait_for("public.goods");
    terminal.keys("E\x1b[C\r");
    terminal.wait_for("○ STOPPED");

    let slot = "SELECT pg_create_logical_replication_slot('other_slot', 'pgoutput')";
    execute(&stage.source, slot).await;
    terminal.wait_for("other_slot");
    execute(
        &stage.source,
        "SELECT pg_drop_replication_slot('other_slot')",
    )
    .await;
    terminal.wait_until("one slot", |screen| screen.contents().contains(" 1 slot "));
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);

    let mut terminal = stage.open(["run", "-c", "shop.env"], (120, 40));
    terminal.wait_for("● STREAMING");
    terminal.wait_for("public.goods");
    terminal.keys("2\r");
    terminal.wait_for("What ran on the target");
    terminal.wait_for("CREATE TABLE \"public\".\"goods\"");
    terminal.keys("\x03\x03");
    assert_eq!(terminal.end(), 0);
}
