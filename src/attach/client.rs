//! The console's end: keeps the engine's status, and comes back when the engine does.

use std::collections::HashMap;
use std::io;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use nix::unistd::Uid;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::level_filters::LevelFilter;

use crate::config::Pipeline;
use crate::model::ErrorClass;
use crate::runtime::{Task, clock, spawn};
use crate::status::{Command, CommandAnswer, EngineEvent, Failure, Phase, Status};

use super::frame::{self, STATUS_MAX};
use super::log::{Capture, LogHub};
use super::place;
use super::protocol::{FromConsole, FromEngine, Hello, VERSION};
use super::wire::Names;

/// The engine is looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// An engine of this machine answers sooner, or stands still.
const ANSWER_MAX: Duration = Duration::from_millis(500);
/// As many events as an engine keeps for a reader.
const EVENTS_MAX: usize = 1024;
/// Commands that may wait; a person types slower.
const COMMANDS_MAX: usize = 16;
/// Messages that may wait for us.
const SAID_MAX: usize = 64;

type Asked = (Command, oneshot::Sender<CommandAnswer>);

/// Looks for the engine of a pipeline that consoles can attach to; returns its socket and its greeting.
#[must_use]
pub fn find(pipeline: &Pipeline) -> Option<(PathBuf, Hello)> {
    let mut places = place::candidates(pipeline).into_iter();
    places.find_map(|path| {
        let mut stream = BlockingStream::connect(&path).ok()?;
        stream.set_read_timeout(Some(ANSWER_MAX)).ok()?;
        let hello = frame::read_blocking(&mut stream, STATUS_MAX).ok()?;
        Some((path, hello))
    })
}

/// What a console may do with an engine that it attaches to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// See it and command it.
    Full,
    /// See it; the engine itself refuses to be commanded.
    ReadOnly,
}

/// An engine that runs elsewhere, as far as it is there. Dropping it leaves the engine alone.
#[derive(Debug)]
pub struct Attachment {
    status: watch::Receiver<Arc<Status>>,
    events: broadcast::Sender<EngineEvent>,
    asked: mpsc::Sender<Asked>,
    _task: Task<()>,
}

impl Attachment {
    /// Looks for the engine of a pipeline from now on, and attaches to it whenever it is there. What
    /// it logs goes into the hub.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn open(pipeline: Pipeline, access: Access, hub: LogHub) -> Self {
        let away = Status {
            phase: Phase::Stopped,
            source: pipeline.source.endpoint(),
            target: pipeline.target.endpoint(),
            schema_log: pipeline.schema_log.is_some(),
            ..Status::default()
        };
        let status = watch::Sender::new(Arc::new(away));
        let events = broadcast::Sender::new(EVENTS_MAX);
        let (asked, asks) = mpsc::channel(COMMANDS_MAX);
        let client = Client {
            pipeline,
            access,
            status: status.clone(),
            events: events.clone(),
            asks,
            names: Names::new(hub.targets()),
            hub,
            answers: HashMap::new(),
            asked_count: 0,
        };
        Self {
            status: status.subscribe(),
            events,
            asked,
            _task: spawn("attachment", client.run()),
        }
    }

    /// Returns the latest status, and a way to wait for the next.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.clone()
    }

    /// Returns what happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<EngineEvent> {
        self.events.subscribe()
    }

    /// Returns a way to ask the engine for something; none: there is no engine to answer.
    pub fn asker(
        &self,
    ) -> impl Fn(Command) -> BoxFuture<'static, Option<CommandAnswer>> + Send + use<> {
        let asked = self.asked.clone();
        move |command| {
            let asked = asked.clone();
            Box::pin(async move {
                let (sender, answer) = oneshot::channel();
                asked.send((command, sender)).await.ok()?;
                answer.await.ok()
            })
        }
    }
}

struct Client {
    pipeline: Pipeline,
    access: Access,
    status: watch::Sender<Arc<Status>>,
    events: broadcast::Sender<EngineEvent>,
    asks: mpsc::Receiver<Asked>,
    hub: LogHub,
    names: Names,
    answers: HashMap<u64, oneshot::Sender<CommandAnswer>>,
    asked_count: u64,
}

impl Client {
    async fn run(mut self) {
        loop {
            let found = connect(&self.pipeline).await;
            if let Some((stream, hello)) = found {
                if hello.version == VERSION {
                    // How the connection ended is seen in the status.
                    drop(self.talk(stream).await);
                    self.answers.clear();
                    self.gone(&hello);
                } else {
                    self.strange(&hello);
                }
            }
            if !self.wait(clock::now() + LOOK_EVERY).await {
                return;
            }
        }
    }

    /// Nobody is there to be asked meanwhile. False: nobody asks any more, either.
    async fn wait(&mut self, until: Instant) -> bool {
        loop {
            tokio::select! {
                asked = self.asks.recv() => match asked {
                    Some((_, answer)) => {
                        let nobody = CommandAnswer::Refused("no engine runs".to_owned());
                        // Who asked may have gone, too.
                        drop(answer.send(nobody));
                    }
                    None => return false,
                },
                () = sleep_until(until) => return true,
            }
        }
    }

    async fn talk(&mut self, stream: UnixStream) -> io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let (sender, mut message) = mpsc::channel(SAID_MAX);
        let _listening = spawn("attachment reader", listen(reader, sender));
        if self.access == Access::ReadOnly {
            frame::write(&mut writer, &FromConsole::ReadOnly).await?;
        }
        let mut wanted = self.hub.wanted();
        wanted.mark_changed();
        let mut is_first = true;
        loop {
            tokio::select! {
                biased;
                Some((command, answer)) = self.asks.recv() => {
                    self.asked_count += 1;
                    let id = self.asked_count;
                    self.answers.insert(id, answer);
                    frame::write(&mut writer, &FromConsole::Ask { id, command }).await?;
                }
                Ok(()) = wanted.changed() => {
                    let levels = in_words(&wanted.borrow_and_update());
                    frame::write(&mut writer, &FromConsole::Capture(levels)).await?;
                }
                message = message.recv() => match message {
                    Some(message) => self.hear(message, std::mem::take(&mut is_first)),
                    None => return Ok(()),
                },
            }
        }
    }

    /// The first status stands for itself: it is of an engine that nothing is known of.
    fn hear(&mut self, message: FromEngine, is_first: bool) {
        match message {
            FromEngine::Status(report) => {
                let before = match is_first {
                    true => Arc::default(),
                    false => Arc::clone(&self.status.borrow()),
                };
                self.status.send_replace(Arc::new(report.onto(&before)));
            }
            // Nobody has to listen.
            FromEngine::Event(event) => drop(self.events.send(event)),
            FromEngine::Lines(lines) => {
                for wire in lines {
                    let (lost, line) = self.names.line(wire);
                    self.hub.put(lost, &line);
                }
            }
            FromEngine::Answer { id, answer } => {
                if let Some(asked) = self.answers.remove(&id) {
                    // Who asked may have gone.
                    drop(asked.send(answer));
                }
            }
        }
    }

    /// An engine that has ended said so; one that was killed did not.
    fn gone(&self, hello: &Hello) {
        let ended = matches!(
            self.status.borrow().phase,
            Phase::Stopped | Phase::Stopping | Phase::Crashed
        );
        let failure = (!ended).then(|| Failure {
            class: ErrorClass::Transient,
            message: format!("the engine has gone: process {} does not answer", hello.pid),
            refusal: None,
            causes: Vec::new(),
            sqlstate: None,
            statement: None,
            hint: Some("start it again; the console attaches to it by itself".to_owned()),
            transaction: None,
            at_ms: clock::unix_ms(),
        });
        self.at_rest(failure);
    }

    fn strange(&self, hello: &Hello) {
        self.at_rest(Some(Failure {
            class: ErrorClass::Usage,
            message: format!(
                "an engine runs in process {}, and speaks version {} of the attach protocol; this \
                 is version {VERSION}",
                hello.pid, hello.version
            ),
            refusal: None,
            causes: Vec::new(),
            sqlstate: None,
            statement: None,
            hint: Some(format!("open it with pgstream {}", hello.release)),
            transaction: None,
            at_ms: clock::unix_ms(),
        }));
    }

    fn at_rest(&self, failure: Option<Failure>) {
        let failed = failure.clone();
        self.status.send_modify(|status| {
            let status = Arc::make_mut(status);
            status.phase = Phase::Stopped;
            status.last_error = failed.or(status.last_error.take());
            for slot in &mut status.slots {
                (slot.active, slot.active_pid) = (slot.active && !slot.ours, None);
            }
            status.at_ms = clock::unix_ms();
        });
        // Nobody has to listen.
        drop(failure.map(|failure| self.events.send(EngineEvent::Failed(failure))));
        drop(self.events.send(EngineEvent::Phase(Phase::Stopped)));
    }
}

async fn connect(pipeline: &Pipeline) -> Option<(UnixStream, Hello)> {
    for path in place::candidates(pipeline) {
        let Ok(mut stream) = UnixStream::connect(path).await else {
            continue;
        };
        let ours = stream
            .peer_cred()
            .is_ok_and(|peer| peer.uid() == Uid::effective().as_raw());
        let greeting = timeout(ANSWER_MAX, frame::read(&mut stream, STATUS_MAX));
        if ours && let Ok(Ok(Some(hello))) = greeting.await {
            return Some((stream, hello));
        }
    }
    None
}

async fn listen(mut reader: OwnedReadHalf, sender: mpsc::Sender<FromEngine>) {
    while let Ok(Some(message)) = frame::read(&mut reader, STATUS_MAX).await {
        if sender.send(message).await.is_err() {
            break;
        }
    }
}

fn in_words(levels: &[Capture]) -> Vec<(String, String)> {
    let word = |level: &LevelFilter| level.to_string();
    levels
        .iter()
        .map(|(target, level)| ((*target).to_owned(), word(level)))
        .collect()
}
