//! What comes of a job of the loop, and whom it asks.

use crate::config::{Pipeline, Resolved};
use crate::console::lesson::Performer;
use crate::console::link::EngineLink;
use crate::console::message::Message;
use crate::engine::Observer;
use std::path::PathBuf;
use std::rc::Rc;
use tokio::sync::Mutex;

/// What a job has come to.
pub(super) struct Done {
    /// None: it was given up.
    pub(super) message: Option<Message>,
    /// An engine that it has started.
    pub(super) engine: Option<EngineLink>,
    /// Who does the tutorial's steps from now on.
    pub(super) perform: Option<Performer>,
    /// The configuration file that it has written, with its settings.
    pub(super) configured: Option<(Vec<Resolved>, PathBuf)>,
    /// The servers to look at from now on.
    pub(super) observed: Option<Pipeline>,
    /// Who was asked, when it is an answer of the servers.
    pub(super) observer: Option<Observing>,
}

impl Done {
    pub(super) const fn nothing() -> Self {
        Self {
            message: None,
            engine: None,
            perform: None,
            configured: None,
            observed: None,
            observer: None,
        }
    }
}

impl From<Message> for Done {
    fn from(message: Message) -> Self {
        Self {
            message: Some(message),
            ..Self::nothing()
        }
    }
}

/// Looks at both servers, one thing at a time.
pub(super) type Observing = Rc<Mutex<Observer>>;

pub(super) fn observing(pipeline: Pipeline) -> Observing {
    Rc::new(Mutex::new(Observer::new(pipeline)))
}
