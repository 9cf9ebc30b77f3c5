//! One run of a server process: started, known to be ready, stopped in a chosen way.
//!
//! Readiness and the end are events, not guesses: the server's standard error is a pipe, a
//! thread writes it to the log file and reports the line that says «ready», and the end of the
//! pipe, which comes when the last process of the server is gone.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::account::Account;
use super::server::Server;

/// Crash recovery of a small cluster takes seconds on a loaded machine, never minutes.
const START_WAIT_MAX: Duration = Duration::from_secs(60);
/// A fast shutdown writes a checkpoint and waits for its walsenders.
const STOP_WAIT_MAX: Duration = Duration::from_secs(60);

/// The postmaster prints this, in English whatever the locale (`lc_messages` is C), once it
/// accepts connections; also on a standby («ready to accept read-only connections»).
const READY_TEXT: &str = "database system is ready to accept";

/// Stops the server and removes its directory when our end of its standard input closes, which
/// the kernel does however we end. A line releases it.
const WATCHER_SCRIPT: &str = r#"
if read -r word; then exit 0; fi
if [ -f "$1/data/postmaster.pid" ]; then kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")"; fi
rm -rf "$1"
"#;

/// How a server is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Sessions are ended, a checkpoint is written.
    Fast,
    /// Nothing is written; the next start recovers from WAL.
    Immediate,
    /// The postmaster gets SIGKILL; its processes notice and leave.
    Kill,
}

impl Stop {
    const fn signal(self) -> Signal {
        match self {
            Self::Fast => Signal::SIGINT,
            Self::Immediate => Signal::SIGQUIT,
            Self::Kill => Signal::SIGKILL,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Event {
    Ready,
    Ended,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Postmaster {
    child: Child,
    events: Receiver<Event>,
}

impl Postmaster {
    /// Starts the server on `root/data` and returns when it accepts connections.
    pub(crate) fn start(server: &Server, account: Account, root: &Path) -> io::Result<Self> {
        let mut command = Command::new(server.program("postgres"));
        command.arg("-D").arg(root.join("data")).current_dir(root);
        // A group of its own: an interrupt typed at the terminal is for us, not for the server.
        command
            .process_group(0)
            .env("LC_ALL", "C")
            .env_remove("PGDATA");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        account.apply(&mut command);
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(root.join("log"))?;
        let mut child = command.spawn()?;
        let (sender, events) = sync_channel(2);
        if let Some(stderr) = child.stderr.take() {
            std::thread::spawn(move || report(stderr, log, &sender));
        }
        let mut postmaster = Self { child, events };
        postmaster.await_ready()?;
        Ok(postmaster)
    }

    fn await_ready(&mut self) -> io::Result<()> {
        match self.events.recv_timeout(START_WAIT_MAX) {
            Ok(Event::Ready) => Ok(()),
            Ok(Event::Ended) => {
                let status = self.child.wait()?;
                Err(io::Error::other(format!("the server ended with {status}")))
            }
            Err(_) => {
                self.stop(Stop::Kill)?;
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    /// Returns the process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the server and returns when all of its processes are gone.
    pub(crate) fn stop(&mut self, how: Stop) -> io::Result<()> {
        let raw = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        kill(Pid::from_raw(raw), how.signal())?;
        loop {
            match self.events.recv_timeout(STOP_WAIT_MAX) {
                Ok(Event::Ready) => {}
                Ok(Event::Ended) => break,
                Err(_) if how == Stop::Kill => return Err(io::ErrorKind::TimedOut.into()),
                Err(_) => return self.stop(Stop::Kill),
            }
        }
        self.child.wait().map(drop)
    }
}

/// Copies the server's messages to its log and reports what they mean.
fn report(stderr: impl Read, mut log: File, events: &SyncSender<Event>) {
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        let text = String::from_utf8_lossy(&line);
        // A full disk must not stop the server's messages from being read.
        drop(writeln!(log, "{text}"));
        if text.contains(READY_TEXT) && events.send(Event::Ready).is_err() {
            break;
        }
    }
    // Nobody listens any more when the cluster was dropped: then there is nothing to report.
    drop(events.send(Event::Ended));
}

/// Cleans up after us if we are killed.
#[derive(Debug)]
pub(crate) struct Watcher {
    child: Child,
    lifeline: Option<ChildStdin>,
}

impl Watcher {
    /// Starts watching over `root`.
    pub(crate) fn start(account: Account, root: &Path) -> io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(WATCHER_SCRIPT)
            .arg("sh")
            .arg(root)
            .current_dir("/");
        command.process_group(0);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        account.apply(&mut command);
        let mut child = command.spawn()?;
        let lifeline = child.stdin.take();
        Ok(Self { child, lifeline })
    }
}

impl Drop for Watcher {
    /// Lets go: what is left is the owner's to remove.
    fn drop(&mut self) {
        if let Some(mut lifeline) = self.lifeline.take() {
            // It has ended already if this fails.
            drop(lifeline.write_all(b"alive\n"));
        }
        drop(self.child.wait());
    }
}
