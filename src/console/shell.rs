//! The loop: waits for whatever comes first, lets `update` decide, does what it asks for, draws.
//!
//! ```text
//!   signals, keys, answers, engine, log, clock ──> Message ──> update(model) ──> effects
//!                                                                 │
//!                                       draw, only when something changed: for the operator at
//!                                       most every 33 ms, for the engine and the log every 200 ms
//! ```
//!
//! The order of the branches is written down in [`Shell::next`]: a person's key is never behind a
//! flood of log lines.

mod compare;
mod comparing;
mod done;
mod jobs;

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::Event;
use futures_util::StreamExt as _;
use futures_util::future::{AbortHandle, LocalBoxFuture};
use futures_util::stream::FuturesUnordered;
use nix::sys::signal::{Signal, raise};
use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::attach::log::{Captured, LogFeed, LogHub};
use crate::config::Pipeline;
use crate::engine::EngineOptions;
use crate::runtime::clock;
use crate::schema::Progress;
use crate::status::Status;

use super::clipboard::Clipboard;
use super::input::{self, from_terminal};
use super::lesson::Performer;
use super::link::{EngineLink, Launch};
use super::message::{Effect, Message};
use super::model::{Leaving, Model};
use super::settings::file;
use super::start::Starts;
use super::terminal::{self, Screen};
use super::update::{ask, update};
use super::wizard::{Answer, Kind, Name, save};

use comparing::{Comparing, next_news};
use done::Done;
use done::{Observing, observing};

/// Shortest time between two drawings: thirty a second look continuous, more cost an ssh link.
const FRAME: Duration = Duration::from_millis(33);
/// The same where nobody has pressed a key: nobody reads a number that changes more often, and a
/// picture costs time that the engine may need.
const LIVE_FRAME: Duration = Duration::from_millis(200);
/// The clock ticks this often while the screen shows seconds, or something is about to go away.
const TICK: Duration = Duration::from_secs(1);

/// Everything that the loop holds.
pub(super) struct Shell {
    model: Model,
    screen: Screen,
    input: mpsc::Receiver<Event>,
    signals: [SignalStream; 4],
    /// The terminal has gone: nothing is drawn any more.
    blind: bool,
    link: EngineLink,
    status_open: bool,
    outside: Outside,
    /// No line is waited for before: those that come meanwhile are taken together.
    lines_from: Instant,
    jobs: FuturesUnordered<LocalBoxFuture<'static, Done>>,
    /// The latest try of each address: a newer one ends it.
    tries: Vec<(Name, AbortHandle)>,
    /// Looks at the servers, when they are known.
    observer: Option<Observing>,
    /// The pipeline that is shown.
    pipeline: Option<Pipeline>,
    /// The comparison of both sides, while there is one.
    comparing: Option<Comparing>,
    /// How the wizard's run goes on, while there is one.
    progress: Option<(Kind, watch::Receiver<Progress>)>,
    clipboard: Clipboard,
    drawn_at: Instant,
    /// The operator waits for the next picture.
    awaited: bool,
}

/// What the console was given to reach the world with.
pub(super) struct Outside {
    /// Starts the engine.
    pub(super) launch: Launch,
    pub(super) logs: Option<LogFeed>,
    /// The servers to look at.
    pub(super) observed: Option<Pipeline>,
    /// Does the tutorial's steps.
    pub(super) perform: Option<Performer>,
    /// What the start screen chooses among.
    pub(super) starts: Option<Starts>,
}

/// Waits for a signal that asks for the end; returns whether it says that the terminal was closed. Cancel
/// safe.
async fn signalled([terminate, hangup, interrupt, quit]: &mut [SignalStream; 4]) -> bool {
    tokio::select! {
        biased;
        _ = terminate.recv() => false,
        _ = hangup.recv() => true,
        _ = interrupt.recv() => false,
        _ = quit.recv() => false,
    }
}

impl Shell {
    /// Draws the first picture, then starts the engine: the console is there before any server
    /// answers.
    pub(super) fn open(mut model: Model, mut outside: Outside) -> io::Result<Self> {
        let mut screen = Screen::open(model.display.mouse)?;
        model.size = screen.size()?;
        model.now_ms = clock::unix_ms();
        screen.draw(&model)?;
        let link = (outside.launch)();
        model.attached = link.is_attached;
        Ok(Self {
            model,
            screen,
            input: input::listen()?,
            signals: [
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
                signal(SignalKind::interrupt())?,
                signal(SignalKind::quit())?,
            ],
            blind: false,
            link,
            status_open: true,
            pipeline: outside.observed.clone(),
            observer: outside.observed.take().map(observing),
            comparing: None,
            outside,
            lines_from: clock::now(),
            jobs: FuturesUnordered::new(),
            tries: Vec::new(),
            progress: None,
            clipboard: Clipboard::default(),
            drawn_at: clock::now(),
            awaited: false,
        })
    }

    /// Runs until the operator leaves.
    pub(super) async fn run(&mut self) -> io::Result<()> {
        let first = Arc::clone(&self.link.status.borrow_and_update());
        self.take(Message::Status(first))?;
        while self.model.leaving != Leaving::Now {
            if self.draw_if_due().is_err() {
                self.go_blind()?;
            }
            let message = self.next().await;
            if self.take_all(message).is_err() {
                self.go_blind()?;
            }
        }
        Ok(())
    }

    fn take_all(&mut self, message: Option<Message>) -> io::Result<()> {
        self.take(Message::Now(clock::unix_ms()))?;
        let Some(message) = message else {
            return Ok(());
        };
        self.awaited |= is_awaited(&message);
        let is_line = matches!(message, Message::Log { .. });
        self.take(message)?;
        match is_line {
            true => self.take_lines(),
            false => Ok(()),
        }
    }

    /// The terminal was closed: the console ends as by the signal that says so.
    fn go_blind(&mut self) -> io::Result<()> {
        self.blind = true;
        match self.model.leaving {
            Leaving::No => self.take(Message::Terminate),
            Leaving::When { .. } | Leaving::Now => Ok(()),
        }
    }

    /// Returns where the pipeline stands, for the time after.
    pub(super) fn farewell(&self) -> Option<String> {
        ask::farewell(&self.model)
    }

    fn draw_if_due(&mut self) -> io::Result<()> {
        self.model.dirty &= !self.blind;
        if !self.model.dirty || self.drawn_at + self.frame() > clock::now() {
            return Ok(());
        }
        self.take_lines()?;
        self.model.size = self.screen.size()?;
        self.screen.draw(&self.model)?;
        self.model.dirty = false;
        self.awaited = false;
        self.drawn_at = clock::now();
        Ok(())
    }

    const fn frame(&self) -> Duration {
        if self.awaited { FRAME } else { LIVE_FRAME }
    }

    /// Returns when the loop must wake although nothing happens.
    fn wakes_at(&self) -> Instant {
        if self.model.dirty {
            return self.drawn_at + self.frame();
        }
        let due = self.model.due_at_ms().map(|at_ms| {
            let left_ms = (at_ms - self.model.now_ms).max(0);
            Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))
        });
        let now = clock::now();
        let wakes_at = now + due.unwrap_or(TICK).min(TICK);
        match self.lines_from > now {
            true => wakes_at.min(self.lines_from),
            false => wakes_at,
        }
    }

    /// Waits for the next thing to happen; none when only the clock has moved.
    ///
    /// The order is: being told to end; the operator; answers to the operator; the engine; the
    /// log, of which there may be endlessly much; the clock. Every branch may be given up and
    /// begun anew without losing anything.
    async fn next(&mut self) -> Option<Message> {
        let wakes_at = self.wakes_at();
        let may_take = clock::now() >= self.lines_from;
        let line = async {
            match self.outside.logs.as_mut().filter(|_| may_take) {
                Some(feed) => feed.next().await,
                None => std::future::pending().await,
            }
        };
        let progress = next_progress(&mut self.progress);
        // A terminal that is closed says so in several ways, and means one.
        let closes = self.model.leaving == Leaving::No;
        tokio::select! {
            biased;
            hung_up = signalled(&mut self.signals) => {
                (closes || !hung_up).then_some(Message::Terminate)
            }
            event = self.input.recv(), if !self.blind => match event {
                Some(event) => from_terminal(event),
                None => {
                    self.blind = true;
                    closes.then_some(Message::Terminate)
                }
            },
            Some(done) = self.jobs.next() => self.done(done),
            (kind, progress) = progress => {
                Some(Message::Wizard(kind, Answer::Progress(progress)))
            }
            changed = self.link.status.changed(), if self.status_open => match changed {
                Ok(()) => Some(Message::Status(Arc::clone(&self.link.status.borrow_and_update()))),
                Err(_) => {
                    self.status_open = false;
                    Some(Message::EngineGone)
                }
            },
            event = self.link.events.recv(), if self.status_open => match event {
                Ok(event) => Some(Message::Event(event)),
                // They are for toasts; what they tell stands in the status as well.
                Err(RecvError::Lagged(_)) => None,
                Err(RecvError::Closed) => {
                    self.status_open = false;
                    Some(Message::EngineGone)
                }
            },
            () = &mut self.link.keeper => None,
            news = next_news(&mut self.comparing) => Some(news),
            captured = line => match captured {
                Some(Captured { lost, line }) => {
                    self.lines_from = clock::now() + LIVE_FRAME;
                    Some(Message::Log { lost, line })
                }
                None => {
                    self.outside.logs = None;
                    None
                }
            },
            () = sleep_until(wakes_at) => None,
        }
    }

    /// Takes in what a job has come to; returns what the model must know of it.
    fn done(&mut self, done: Done) -> Option<Message> {
        if let Some(engine) = done.engine {
            self.model.attached = engine.is_attached;
            (self.link, self.status_open) = (engine, true);
            self.link.status.mark_changed();
        }
        self.outside.perform = done.perform.or(self.outside.perform.take());
        if let Some((rows, path)) = done.configured {
            // Nothing outside follows from it.
            drop(update(&mut self.model, Message::Configured(rows, path)));
        }
        if let Some(pipeline) = done.observed {
            self.observe(pipeline);
        }
        let asked = done.observer.as_ref();
        let is_old = |asked| {
            self.observer
                .as_ref()
                .is_none_or(|now| !Rc::ptr_eq(now, asked))
        };
        // What servers say that nobody looks at any more is nobody's answer.
        done.message.filter(|_| !asked.is_some_and(is_old))
    }

    fn take(&mut self, message: Message) -> io::Result<()> {
        if let Message::Wizard(_, Answer::Started(Ok(started))) = &message
            && started.starts
        {
            self.observe(started.pipeline.clone());
            let hub = self.outside.logs.as_ref().map(LogFeed::hub);
            self.outside.launch = launch_of(started.pipeline.clone(), hub.unwrap_or_default());
            self.start_engine();
        }
        let effects = update(&mut self.model, message);
        effects
            .into_iter()
            .try_for_each(|effect| self.perform(effect))
    }

    /// Takes all lines that have come.
    fn take_lines(&mut self) -> io::Result<()> {
        let Some(feed) = &mut self.outside.logs else {
            return Ok(());
        };
        let mut lines = Vec::new();
        while let Some(captured) = feed.take() {
            lines.push(captured);
        }
        let lost = feed.take_lost();
        for Captured { lost, line } in lines {
            self.take(Message::Log { lost, line })?;
        }
        if lost > 0 {
            self.take(Message::LogsLost(lost))?;
        }
        Ok(())
    }

    fn perform(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Command(command) => {
                let answer = self.link.ask(command.clone());
                self.jobs.push(Box::pin(async move {
                    Message::Answered(command, answer.await).into()
                }));
            }
            Effect::StartEngine => self.start_engine(),
            Effect::DisplayOptions(look) => self.look(look),
            Effect::Compare(comparison) => self.compare(comparison),
            Effect::StopComparing => self.stop_comparing(),
            Effect::Capture(levels) => {
                if let Some(feed) = &self.outside.logs {
                    feed.capture(&levels);
                }
            }
            Effect::Yank { what, text } => self.yank(what, text),
            Effect::Mouse(mouse) => terminal::set_mouse(mouse)?,
            Effect::Perform(request) => self.perform_step(request),
            Effect::Open(path) => return self.open_file(&path),
            Effect::Stage => self.stage(),
            Effect::Write { name, text } => {
                let written = save::write(name.as_ref(), &text);
                return self.take(Message::Told(match written {
                    Ok(()) => Ok(format!("plan written to {name}")),
                    Err(error) => Err(format!("cannot write {name}: {error}")),
                }));
            }
            Effect::Save { path, changes } => {
                let saved = file::save(&path, &changes)
                    .map_err(|error| format!("cannot save {}: {error}", path.display()));
                return self.take(Message::Saved(saved));
            }
            Effect::Wizard(kind, job) => self.ask_servers(kind, job),
            Effect::Title { text, bell } => terminal::set_title(&text, bell)?,
            Effect::Redraw => self.screen.forget()?,
            Effect::Suspend => self.suspend()?,
        }
        Ok(())
    }

    /// Looks at the servers of a pipeline from now on.
    fn observe(&mut self, pipeline: Pipeline) {
        self.observer = Some(observing(pipeline.clone()));
        self.pipeline = Some(pipeline);
    }

    /// Puts a fresh engine in place of the one that has ended.
    fn start_engine(&mut self) {
        self.link = (self.outside.launch)();
        self.model.attached = self.link.is_attached;
        self.status_open = true;
        let fresh: Arc<Status> = Arc::clone(&self.link.status.borrow_and_update());
        self.model.latest = fresh;
        self.model.dirty = true;
    }

    /// Gives the terminal back and stops the process; goes on when the shell continues it. The
    /// engine's tasks stop with the process: the source keeps what they have not confirmed.
    fn suspend(&mut self) -> io::Result<()> {
        terminal::leave();
        raise(Signal::SIGTSTP).map_err(io::Error::from)?;
        self.screen.reopen(self.model.display.mouse)?;
        self.model.dirty = true;
        Ok(())
    }
}

/// Returns whether somebody looks for what comes of it: all but the engine's counts and the log.
const fn is_awaited(message: &Message) -> bool {
    !matches!(
        message,
        Message::Status(_)
            | Message::Event(_)
            | Message::Log { .. }
            | Message::LogsLost(_)
            | Message::Looked(_)
    )
}

/// Waits until the wizard's run has gone on; for ever when there is none, or when it has ended.
async fn next_progress(
    progress: &mut Option<(Kind, watch::Receiver<Progress>)>,
) -> (Kind, Progress) {
    if let Some((kind, receiver)) = progress
        && receiver.changed().await.is_ok()
    {
        return (*kind, receiver.borrow_and_update().clone());
    }
    std::future::pending().await
}

/// Returns a way to start the engine of a pipeline that a wizard has made.
fn launch_of(pipeline: Pipeline, hub: LogHub) -> Launch {
    let options = EngineOptions {
        hold_on_failure: true,
        ..EngineOptions::default()
    };
    Box::new(move || EngineLink::start(pipeline.clone(), options.clone(), hub.clone()))
}
