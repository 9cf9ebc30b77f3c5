//! `pgstream run`: streams until SIGINT or SIGTERM.
//!
//! The first signal asks the engine to finish the transaction in hand; a second one ends the program
//! at once, which is always safe: what is not in the checkpoint comes again.

use std::io;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use super::Failure;
use super::args::RunArguments;
use super::runtime::block_on;
use crate::config::{Configuration, Pipeline, key};
use crate::engine::status::Command;
use crate::engine::{Engine, EngineOptions, Handle, Outcome};
use crate::model::{Classify, ErrorClass};

/// Streams without a terminal.
pub(super) fn run(
    configuration: &Configuration,
    arguments: &RunArguments,
) -> Result<ExitCode, Failure> {
    let pipeline = configuration.pipeline()?;
    configuration.refuse_snapshot()?;
    if pipeline.schema_log.is_none() {
        warn!(target: "schema", "rows only: schema changes do not replicate while {} is not set", key::SCHEMA_LOG_URL);
    }
    let options = EngineOptions {
        hold_on_failure: false,
        skip: arguments.skip_transaction,
    };
    block_on(stream(pipeline, options))?
}

async fn stream(pipeline: Pipeline, options: EngineOptions) -> Result<ExitCode, Failure> {
    let mut signals = Signals::listen()?;
    let mut engine = Engine::start(pipeline, options);
    tokio::select! {
        // An engine that has ended is past stopping.
        biased;
        outcome = engine.join() => return ended(outcome),
        name = signals.next() => {
            info!(target: "slot", "{name}: finishing the transaction in hand; a second signal ends at once");
        }
    }
    tokio::select! {
        biased;
        outcome = stop(engine) => ended(outcome),
        name = signals.next() => {
            warn!(target: "slot", "{name} again: ending at once; the next run goes on at the checkpoint");
            Ok(ExitCode::from(ErrorClass::Transient.exit_code()))
        }
    }
}

/// Asks and waits; the answer to the command itself may wait for a slow statement.
async fn stop(mut engine: Handle) -> Outcome {
    drop(engine.command(Command::Stop).await);
    engine.join().await
}

fn ended(outcome: Outcome) -> Result<ExitCode, Failure> {
    match outcome {
        Outcome::Stopped => Ok(ExitCode::SUCCESS),
        Outcome::Failed(failure) => Err(Failure::of_engine(failure)),
    }
}

/// The signals that ask for the end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

/// The system does not tell us about signals.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for signals")]
struct SignalError(#[source] io::Error);

impl Classify for SignalError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Transient
    }
}

impl Signals {
    fn listen() -> Result<Self, SignalError> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(SignalError)?,
            terminate: signal(SignalKind::terminate()).map_err(SignalError)?,
        })
    }

    /// Waits for the next one and returns its name. Cancel safe.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
