//! The signals that ask a command for its end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::model::{Classify, ErrorClass};

/// SIGINT and SIGTERM.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// The system does not tell us about signals.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for signals")]
pub(super) struct SignalError(#[source] io::Error);

impl Classify for SignalError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Transient
    }
}

impl Signals {
    /// Takes both signals over from the system, which would end the process at once.
    pub(super) fn listen() -> Result<Self, SignalError> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(SignalError)?,
            terminate: signal(SignalKind::terminate()).map_err(SignalError)?,
        })
    }

    /// Waits for the next one and returns its name. Cancel safe.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
