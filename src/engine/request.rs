//! A command on its way to the engine.

use tokio::sync::oneshot;

use super::status::{Command, CommandAnswer};

/// A command and where its answer goes.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) command: Command,
    pub(super) answer: oneshot::Sender<CommandAnswer>,
}
