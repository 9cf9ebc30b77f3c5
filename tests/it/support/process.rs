//! The real binary, started as a user starts it, and never left behind.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::wait::{DEADLINE, wait_until};

/// How a `pgstream` is called.
#[derive(Debug, Clone)]
pub struct Call {
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    directory: Option<PathBuf>,
}

/// What a finished `pgstream` left.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed for machines.
    pub stdout: String,
    /// What it said to people.
    pub stderr: String,
}

/// A running `pgstream`; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    files: TempDir,
}

impl Call {
    /// `pgstream` with these arguments.
    pub fn new<const N: usize>(arguments: [&str; N]) -> Self {
        Self::program(
            env!("CARGO_BIN_EXE_pgstream"),
            arguments.map(str::to_owned).to_vec(),
        )
    }

    /// Another program.
    pub fn program(program: &str, arguments: Vec<String>) -> Self {
        Self {
            program: program.into(),
            arguments,
            environment: Vec::new(),
            directory: None,
        }
    }

    /// `pgstream` with the words of a command line as a shell would split them: quotes group.
    pub fn line(line: &str) -> Self {
        let mut arguments = Vec::new();
        for (at, part) in line.split('"').enumerate() {
            match at % 2 {
                0 => arguments.extend(part.split_whitespace().map(str::to_owned)),
                _ => arguments.push(part.to_owned()),
            }
        }
        Self {
            arguments,
            ..Self::new([])
        }
    }

    /// With a variable in its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Started in this directory.
    pub fn directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_path_buf());
        self
    }

    /// Starts it.
    pub fn spawn(&self) -> Running {
        let files = TempDir::new().expect("a directory for its output");
        let file = |name: &str| File::create(files.path().join(name)).expect("a file");
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars() {
            if name.starts_with("PGSTREAM_") && name != "PGSTREAM_PG_BIN_DIR" {
                command.env_remove(name);
            }
        }
        command
            .args(&self.arguments)
            .envs(self.environment.iter().cloned());
        command.current_dir(self.directory.as_deref().unwrap_or(files.path()));
        command
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"));
        let child = command
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        Running { child, files }
    }

    /// Starts it and waits for its end.
    pub async fn run(&self) -> Outcome {
        self.spawn().outcome().await
    }
}

impl Running {
    /// Returns the process id.
    pub fn pid(&self) -> Pid {
        let id = self.child.id().expect("it runs");
        Pid::from_raw(i32::try_from(id).expect("a process id"))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it runs");
    }

    /// Stops all of it where it stands (SIGSTOP), and waits until the last thread does; SIGCONT lets
    /// it go on.
    pub async fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        let tasks = format!("/proc/{}/task", self.pid());
        wait_until("every thread stands", async || {
            let entries = fs::read_dir(&tasks).expect("it runs").flatten();
            let stats =
                entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
            // The state follows the name in brackets (proc(5)).
            let moving: Vec<String> = stats.filter(|stat| !stat.contains(") T ")).collect();
            if moving.is_empty() {
                Ok(())
            } else {
                Err(format!("{moving:?}"))
            }
        })
        .await;
    }

    /// Returns what it has said so far.
    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    /// Returns what it has printed so far.
    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.files.path().join(name)).unwrap_or_default()
    }

    /// Waits until it has said something.
    pub async fn logged(&self, text: &str) {
        wait_until(&format!("pgstream says {text:?}"), async || {
            let message = self.stderr();
            if message.contains(text) {
                Ok(())
            } else {
                Err(message)
            }
        })
        .await;
    }

    /// Waits until it is gone without having been told to. Cancel safe.
    pub async fn ended_by_itself(&mut self) {
        drop(self.child.wait().await);
    }

    /// Waits for its end.
    pub async fn outcome(mut self) -> Outcome {
        let code = self.ended().await.code();
        Outcome {
            code,
            stdout: self.read("stdout"),
            stderr: self.stderr(),
        }
    }

    /// Asks it to finish (SIGTERM) and waits for its end.
    pub async fn terminate(self) -> Outcome {
        self.signal(Signal::SIGTERM);
        self.outcome().await
    }

    /// Kills it (SIGKILL) and waits for its end.
    pub async fn kill(self) -> Outcome {
        self.signal(Signal::SIGKILL);
        self.outcome().await
    }

    async fn ended(&mut self) -> ExitStatus {
        match tokio::time::timeout(DEADLINE, self.child.wait()).await {
            Ok(status) => status.expect("its status"),
            Err(_) => panic!("pgstream did not end within {DEADLINE:?}"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- pgstream logged:\n{}", self.stderr());
        }
    }
}
