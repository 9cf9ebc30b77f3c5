//! The engine's end: lets consoles attach as long as the engine runs.

use std::fs::{self, File, Permissions};
use std::future::ready;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::unistd::Uid;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::level_filters::LevelFilter;
use tracing::{debug, info, warn};

use crate::config::Pipeline;
use crate::engine::Remote;
use crate::runtime::{Task, clock, spawn};
use crate::status::{CommandAnswer, Status};

use super::frame::{self, COMMAND_MAX};
use super::log::{Captured, LogFeed, LogHub};
use super::place;
use super::protocol::{FromConsole, FromEngine, Hello, Report, VERSION};

/// A status is said at most this often: a console draws no faster.
const STATUS_EVERY: Duration = Duration::from_millis(200);
/// How often it is looked whether another engine has left the place.
const TURN_EVERY: Duration = Duration::from_secs(2);
/// So many consoles at once are more than people.
const CONSOLES_MAX: usize = 16;
/// Lines that go in one message.
const LINES_MAX: usize = 512;
/// An engine that has ended waits this long for who looks.
const FINISH_MAX: Duration = Duration::from_secs(1);
/// What a console may ask before it has an answer.
const ASKED_MAX: usize = 16;

/// Serves consoles until it is dropped.
#[derive(Debug)]
pub struct Server {
    task: Task<()>,
    ending: watch::Sender<bool>,
}

impl Server {
    /// Begins to serve those who look for the engine of this pipeline. That nobody can attach is said
    /// in the log and stops nothing.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn start(pipeline: &Pipeline, remote: Remote, hub: LogHub) -> Self {
        let place = place::socket(pipeline);
        let ending = watch::Sender::new(false);
        let ended = ending.subscribe();
        Self {
            ending,
            task: spawn("attach", async move {
                let served = match place {
                    Ok(path) => serve(&path, &remote, &hub, ended).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = served {
                    warn!(target: "pgstream", %error, "no console can attach to this engine");
                }
            }),
        }
    }

    /// Tells all consoles how the engine has ended. One that does not listen is not waited for.
    pub async fn finish(mut self) {
        self.ending.send_replace(true);
        // How it ended is of no use to anybody any more.
        drop(timeout(FINISH_MAX, self.task.join()).await);
    }
}

async fn serve(
    path: &Path,
    remote: &Remote,
    hub: &LogHub,
    mut ending: watch::Receiver<bool>,
) -> io::Result<()> {
    let lock = path.with_extension("lock");
    let reported = ending.clone();
    let _turn = tokio::select! {
        turn = turn(&lock) => turn?,
        () = is_reported(&mut ending) => return Ok(()),
    };
    let socket = Socket::bind(path)?;
    info!(target: "pgstream", socket = %path.display(), "consoles can attach");
    let mut consoles = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = consoles.next() => {}
            () = is_reported(&mut ending) => break,
            accepted = socket.listener.accept(), if consoles.len() < CONSOLES_MAX => {
                match accepted {
                    Ok((stream, _)) => {
                        consoles.push(console(stream, remote, hub, reported.clone()));
                    }
                    Err(error) => {
                        debug!(target: "pgstream", %error, "a console could not attach");
                        sleep(STATUS_EVERY).await;
                    }
                }
            }
        }
    }
    while consoles.next().await.is_some() {}
    Ok(())
}

/// Waits until the engine has ended. Cancel safe.
async fn is_reported(ending: &mut watch::Receiver<bool>) {
    // A server that has gone tells the same.
    drop(ending.wait_for(|ending| *ending).await);
}

/// Waits until no other engine serves this pipeline. The system gives the lock back whatever ends its
/// owner; the file stays, for whoever comes next.
async fn turn(path: &Path) -> io::Result<Flock<File>> {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((again, nix::Error::EWOULDBLOCK)) => file = again,
            Err((_, error)) => return Err(error.into()),
        }
        sleep(TURN_EVERY).await;
    }
}

/// The socket; its name goes with it.
struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// What is there was left by an engine that was killed: the lock is ours.
    fn bind(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Who finds a name without a listener takes it over.
        drop(fs::remove_file(&self.path));
    }
}

async fn console(stream: UnixStream, remote: &Remote, hub: &LogHub, ending: watch::Receiver<bool>) {
    let ours = stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == Uid::effective().as_raw());
    if !ours {
        return;
    }
    let (reader, writer) = stream.into_split();
    let (sender, asked) = mpsc::channel(ASKED_MAX);
    let console = Console {
        writer,
        asked,
        remote,
        lines: hub.follow(LevelFilter::OFF),
        known: None,
        answers: FuturesUnordered::new(),
        read_only: false,
    };
    // Either ends when the other side has gone.
    let ended = tokio::select! {
        ended = listen(reader, sender) => ended,
        ended = console.speak(hub.targets(), ending) => ended,
    };
    if let Err(error) = ended {
        debug!(target: "pgstream", %error, "a console has gone");
    }
}

async fn listen(mut reader: OwnedReadHalf, sender: mpsc::Sender<FromConsole>) -> io::Result<()> {
    while let Some(message) = frame::read(&mut reader, COMMAND_MAX).await? {
        if sender.send(message).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// One console that is attached.
struct Console<'a> {
    writer: OwnedWriteHalf,
    asked: mpsc::Receiver<FromConsole>,
    remote: &'a Remote,
    lines: LogFeed,
    /// The status that it knows.
    known: Option<Arc<Status>>,
    answers: FuturesUnordered<BoxFuture<'static, (u64, CommandAnswer)>>,
    /// It has said that it only looks.
    read_only: bool,
}

impl Console<'_> {
    async fn speak(
        mut self,
        targets: &'static [&'static str],
        mut ending: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let hello = Hello {
            version: VERSION,
            pid: std::process::id(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
        };
        frame::write(&mut self.writer, &hello).await?;
        let mut status = self.remote.status();
        let mut events = self.remote.subscribe();
        let mut said_at = clock::now();
        let now = status.borrow_and_update().clone();
        self.say_status(&now).await?;
        loop {
            let may_say_at: Instant = said_at + STATUS_EVERY;
            let changed = async {
                sleep_until(may_say_at).await;
                status.changed().await
            };
            tokio::select! {
                biased;
                Some(message) = self.asked.recv() => self.hear(message, targets),
                Some((id, answer)) = self.answers.next() => {
                    frame::write(&mut self.writer, &FromEngine::Answer { id, answer }).await?;
                }
                event = events.recv() => match event {
                    Ok(event) => frame::write(&mut self.writer, &FromEngine::Event(event)).await?,
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Ok(()),
                },
                changed = changed => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    said_at = clock::now();
                    let now = status.borrow_and_update().clone();
                    self.say_status(&now).await?;
                }
                Some(line) = self.lines.next() => self.say_lines(line).await?,
                () = is_reported(&mut ending) => {
                    let last = status.borrow_and_update().clone();
                    return self.say_status(&last).await;
                }
            }
        }
    }

    async fn say_status(&mut self, now: &Arc<Status>) -> io::Result<()> {
        let report = Report::of(now, self.known.as_deref());
        self.known = Some(Arc::clone(now));
        frame::write(&mut self.writer, &FromEngine::Status(Box::new(report))).await
    }

    async fn say_lines(&mut self, first: Captured) -> io::Result<()> {
        let mut lines = vec![first.into()];
        while lines.len() < LINES_MAX
            && let Some(line) = self.lines.take()
        {
            lines.push(line.into());
        }
        frame::write(&mut self.writer, &FromEngine::Lines(lines)).await
    }

    fn hear(&mut self, message: FromConsole, targets: &'static [&'static str]) {
        match message {
            FromConsole::ReadOnly => self.read_only = true,
            FromConsole::Ask { id, command } if self.read_only && !command.only_looks() => {
                let refused = CommandAnswer::Refused("this console is read-only".to_owned());
                self.answers.push(Box::pin(ready((id, refused))));
            }
            FromConsole::Ask { id, command } => {
                let remote = self.remote.clone();
                let asking = async move { (id, remote.command(command).await) };
                self.answers.push(Box::pin(asking));
            }
            FromConsole::Capture(wanted) => {
                let levels = targets.iter().filter_map(|target| {
                    let (_, level) = wanted.iter().find(|(name, _)| name == target)?;
                    Some((*target, level.parse().ok()?))
                });
                self.lines.capture(&levels.collect::<Vec<_>>());
            }
        }
    }
}
