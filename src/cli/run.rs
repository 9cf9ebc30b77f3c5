//! `pgstream run`: streams until SIGINT or SIGTERM.
//!
//! The first signal asks the engine to finish the transaction in hand; a second one ends the program
//! at once, which is always safe: what is not in the checkpoint comes again.

use std::process::ExitCode;

use tracing::{info, warn};

use crate::attach::Server;
use crate::attach::log::LogHub;
use crate::config::{Configuration, Pipeline};
use crate::diagnose::check;
use crate::engine::{Engine, EngineOptions, Handle};
use crate::model::ErrorClass;
use crate::runtime::spawn;
use crate::status::{Command, Outcome};

use super::args::RunArguments;
use super::runtime::block_on;
use super::signals::Signals;
use super::{Failure, progress};

/// Streams without a terminal.
pub(super) fn run(
    configuration: &Configuration,
    arguments: &RunArguments,
    hub: LogHub,
) -> Result<ExitCode, Failure> {
    let pipeline = configuration.pipeline()?;
    if arguments.init {
        block_on(super::init::init(&configuration.maintenance()?))??;
    }
    let options = arguments.engine_options(false)?;
    block_on(async {
        match stream(pipeline.clone(), options, hub).await {
            Err(failure) if failure.is_for_an_operator() => {
                Err(failure.explained_by(&check(&pipeline).await))
            }
            outcome => outcome,
        }
    })?
}

async fn stream(
    pipeline: Pipeline,
    options: EngineOptions,
    hub: LogHub,
) -> Result<ExitCode, Failure> {
    let mut signals = Signals::listen()?;
    let mut engine = Engine::start(pipeline.clone(), options);
    let server = Server::start(&pipeline, engine.remote(), hub);
    let _progress = spawn("progress", progress::report(engine.status()));
    tokio::select! {
        // An engine that has ended is past stopping.
        biased;
        outcome = engine.join() => {
            server.finish().await;
            return ended(outcome);
        }
        name = signals.next() => {
            info!(target: "slot", "{name}: finishing the transaction in hand; a second signal ends at once");
        }
    }
    tokio::select! {
        biased;
        outcome = stop(engine) => {
            server.finish().await;
            ended(outcome)
        }
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
