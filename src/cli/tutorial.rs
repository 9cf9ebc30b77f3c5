//! `pgstream tutorial`: plays the tutorial on two throw-away clusters, to its end or to a signal.

use std::io;
use std::process::ExitCode;

use crate::model::{Classify, ErrorClass};
use crate::tutorial::player::{PlayOptions, play};

use super::Failure;
use super::args::TutorialArguments;
use super::runtime::block_on;
use super::signals::Signals;

/// The user ended it before its end.
#[derive(Debug, thiserror::Error)]
#[error("the tutorial was interrupted; its clusters are removed")]
struct Interrupted;

impl Classify for Interrupted {
    fn class(&self) -> ErrorClass {
        ErrorClass::Transient
    }
}

/// Plays it without a terminal.
pub(super) fn run(arguments: &TutorialArguments) -> Result<ExitCode, Failure> {
    let options = PlayOptions {
        plugin: arguments.plugin,
        keep: arguments.keep,
    };
    block_on(until_signal(options))??;
    Ok(ExitCode::SUCCESS)
}

/// Giving the performance up drops its stage, and that removes the clusters.
async fn until_signal(options: PlayOptions) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let mut out = io::stdout();
    tokio::select! {
        biased;
        _ = signals.next() => Err(Interrupted.into()),
        played = play(options, &mut out) => Ok(played?),
    }
}
