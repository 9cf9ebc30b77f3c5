//! How an installation or a removal goes on, step by step, for whoever watches it: the latest state
//! wins, and a slow watcher delays nothing.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{PlannedStep, Side};

/// All steps with what became of them so far; empty before the plan is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The steps, in order.
    pub steps: Vec<StepProgress>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepProgress {
    pub side: Side,
    /// What it is for, for people.
    pub what: String,
    /// What became of it.
    pub state: StepState,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// Its turn has not come.
    Waiting,
    /// It runs.
    Running,
    /// It was done, in this time.
    Done(Duration),
    /// It failed, after this time.
    Failed(Duration),
    /// A later step failed, and this one is being taken back.
    TakingBack,
    /// It was taken back.
    TakenBack,
    /// It could not be taken back: it is still there.
    Left,
}

/// Tells a watcher how the steps go on.
pub(super) struct Reporter<'a> {
    watcher: &'a watch::Sender<Progress>,
}

impl<'a> Reporter<'a> {
    /// Tells the plan.
    pub(super) fn new(watcher: &'a watch::Sender<Progress>, steps: &[PlannedStep]) -> Self {
        let waiting = steps.iter().map(|step| StepProgress {
            side: step.side,
            what: step.what.clone(),
            state: StepState::Waiting,
        });
        watcher.send_replace(Progress {
            steps: waiting.collect(),
        });
        Self { watcher }
    }

    /// Tells what became of the step with this number.
    pub(super) fn report(&self, number: usize, state: StepState) {
        self.watcher.send_modify(|progress| {
            if let Some(step) = progress.steps.get_mut(number) {
                step.state = state;
            }
        });
    }

    /// Does the work of a step and tells its beginning and its end.
    pub(super) async fn reported<T, E>(
        &self,
        number: usize,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.report(number, StepState::Running);
        let began = Instant::now();
        let outcome = work.await;
        let took = began.elapsed();
        self.report(
            number,
            match outcome {
                Ok(_) => StepState::Done(took),
                Err(_) => StepState::Failed(took),
            },
        );
        outcome
    }
}
