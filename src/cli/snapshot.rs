//! `pgstream snapshot`: copies the tables once and exits.

use std::process::ExitCode;

use tracing::info;

use crate::config::{Configuration, Pipeline};
use crate::engine::Engine;
use crate::model::ErrorClass;
use crate::runtime::spawn;
use crate::snapshot::plan_snapshot;
use crate::status::{Command, Outcome};

use super::output::print;
use super::plan::print_plan;
use super::runtime::block_on;
use super::signals::Signals;
use super::{Failure, progress};

/// Copies, or prints the SQL that would be run on both sides.
pub(super) fn run(configuration: &Configuration, plan: bool) -> Result<ExitCode, Failure> {
    let pipeline = configuration.pipeline()?;
    if plan {
        let plan = block_on(plan_snapshot(&pipeline))??;
        for note in &plan.notes {
            print(&format!("-- note: {note}"))?;
        }
        print_plan(&plan.steps)?;
        return Ok(ExitCode::SUCCESS);
    }
    block_on(copy(pipeline))?
}

async fn copy(pipeline: Pipeline) -> Result<ExitCode, Failure> {
    let mut signals = Signals::listen()?;
    let mut engine = Engine::snapshot(pipeline);
    let status = engine.status();
    let mut progress = spawn("progress", progress::report(status.clone()));
    let outcome = tokio::select! {
        biased;
        outcome = engine.join() => Some(outcome),
        name = signals.next() => {
            info!(target: "snapshot", "{name}: what was copied so far stays; the next snapshot begins anew");
            drop(engine.command(Command::Stop).await);
            drop(engine.join().await);
            None
        }
    };
    // The reporter ends with the engine; its last lines come before the result.
    drop(engine);
    drop(progress.join().await);
    match outcome {
        None => Ok(ExitCode::from(ErrorClass::Transient.exit_code())),
        Some(Outcome::Stopped) => {
            print(&progress::summary(&status.borrow()))?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Outcome::Failed(failure)) => Err(Failure::of_engine(failure)),
    }
}
