//! How the console holds an engine: by what it says of itself and what it can be asked for. The
//! real engine and the scripted one both fit.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{broadcast, watch};

use crate::attach::log::LogHub;
use crate::attach::{Attachment, Server};
use crate::config::Pipeline;
use crate::engine::{Engine, EngineOptions, Handle};
use crate::status::{Command, CommandAnswer, EngineEvent, Phase, Status};

/// Asks the engine for something; none when it is not there any more.
type Ask = Box<dyn Fn(Command) -> BoxFuture<'static, Option<CommandAnswer>> + Send>;

/// A running engine, seen from the console. Dropping it ends the engine, unless it is another process's.
pub struct EngineLink {
    pub(super) status: watch::Receiver<Arc<Status>>,
    pub(super) events: broadcast::Receiver<EngineEvent>,
    pub(super) keeper: BoxFuture<'static, ()>,
    /// The engine is another process's: it stays when the console goes.
    pub(super) is_attached: bool,
    ask: Ask,
}

/// Starts an engine: once when the console opens, again when the operator asks for it after the
/// engine has ended.
pub type Launch = Box<dyn FnMut() -> EngineLink + Send>;

impl EngineLink {
    /// Makes a link from its parts. The `keeper` is polled as long as the console runs and never
    /// becomes ready; what it owns ends with the console.
    #[must_use]
    pub fn new(
        status: watch::Receiver<Arc<Status>>,
        events: broadcast::Receiver<EngineEvent>,
        keeper: BoxFuture<'static, ()>,
        ask: impl Fn(Command) -> BoxFuture<'static, Option<CommandAnswer>> + Send + 'static,
    ) -> Self {
        Self {
            status,
            events,
            keeper,
            is_attached: false,
            ask: Box::new(ask),
        }
    }

    /// Returns a link to an engine that somebody else holds.
    #[must_use]
    pub fn watching(handle: &Handle) -> Self {
        let remote = handle.remote();
        let (status, events) = (handle.status(), handle.subscribe());
        let keeper = Box::pin(std::future::pending());
        Self::new(status, events, keeper, move |command| {
            let remote = remote.clone();
            Box::pin(async move { Some(remote.command(command).await) })
        })
    }

    /// Starts the engine of a pipeline, to which other consoles can attach.
    #[must_use]
    pub fn start(pipeline: Pipeline, options: EngineOptions, hub: LogHub) -> Self {
        let handle = Engine::start(pipeline.clone(), options);
        let server = Server::start(&pipeline, handle.remote(), hub);
        let mut link = Self::from(handle);
        link.keep(server);
        link
    }

    /// Returns a link to the engine of another process, as long as there is one.
    #[must_use]
    pub fn attached(attachment: Attachment) -> Self {
        let (status, events) = (attachment.status(), attachment.subscribe());
        let keeper = Box::pin(std::future::pending());
        let mut link = Self::new(status, events, keeper, attachment.asker());
        link.is_attached = true;
        link.keep(attachment);
        link
    }

    /// Returns a link to no engine at all, for a console that has none yet.
    #[must_use]
    pub fn none() -> Self {
        let stopped = Status {
            phase: Phase::Stopped,
            ..Status::default()
        };
        let (status, events) = (watch::channel(Arc::new(stopped)), broadcast::channel(1));
        let mut link = Self::new(status.1, events.1, Box::pin(std::future::pending()), |_| {
            Box::pin(async { None })
        });
        link.keep((status.0, events.0));
        link
    }

    /// Lets a value live as long as the link.
    pub fn keep(&mut self, value: impl Send + 'static) {
        let before = std::mem::replace(&mut self.keeper, Box::pin(std::future::pending()));
        self.keeper = Box::pin(async move {
            before.await;
            drop(value);
        });
    }

    /// Asks the engine for something.
    pub(super) fn ask(&self, command: Command) -> BoxFuture<'static, Option<CommandAnswer>> {
        (self.ask)(command)
    }
}

impl From<Handle> for EngineLink {
    fn from(mut handle: Handle) -> Self {
        let remote = handle.remote();
        let (status, events) = (handle.status(), handle.subscribe());
        let keeper = Box::pin(async move {
            // The outcome stands in the status as well, which is where the screen reads it.
            drop(handle.join().await);
            std::future::pending::<()>().await;
        });
        Self::new(status, events, keeper, move |command| {
            let remote = remote.clone();
            Box::pin(async move { Some(remote.command(command).await) })
        })
    }
}

impl fmt::Debug for EngineLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineLink").finish_non_exhaustive()
    }
}
