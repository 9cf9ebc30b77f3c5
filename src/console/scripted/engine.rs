//! The scripted engine as a link: it starts in a sample, moves on with the clock, and obeys.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::time::{MissedTickBehavior, interval};

use crate::console::link::{EngineLink, Launch};
use crate::runtime::clock;
use crate::status::{Command, CommandAnswer, EngineEvent, Phase, Sample, Status};

use super::copies;
use super::sample::{NOW_MS, SampleState};
use super::story::status;

/// Events that may wait, as in the real engine.
const EVENTS_MAX: usize = 16;

/// Returns a way to start the scripted engine in a sample; started again, it streams.
#[must_use]
pub fn launch(sample: SampleState) -> Launch {
    let mut next = sample;
    Box::new(move || {
        let link = link(next);
        next = SampleState::Streaming;
        link
    })
}

fn link(sample: SampleState) -> EngineLink {
    let (sender, receiver) = watch::channel(Arc::new(at_present(status(sample))));
    let (events, listener) = broadcast::channel(EVENTS_MAX);
    let ticking = sender.clone();
    let keeper = Box::pin(async move {
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            seconds.tick().await;
            ticking.send_modify(|status| *status = Arc::new(moved_on(status)));
        }
    });
    EngineLink::new(receiver, listener, keeper, move |command| {
        let answer = obey(&sender, &events, command);
        Box::pin(async move { Some(answer) })
    })
}

/// Moves the sample data from its own moment to the present.
fn at_present(mut status: Status) -> Status {
    let ahead_ms = clock::unix_ms() - NOW_MS;
    status.at_ms += ahead_ms;
    if status.started_at_s != 0 {
        status.started_at_s += ahead_ms / 1000;
    }
    if let Phase::Retrying { next_at_ms, .. } = &mut status.phase {
        *next_at_ms += ahead_ms;
    }
    status
}

/// One more second: the wave of the samples goes on while it streams.
fn moved_on(status: &Status) -> Status {
    let mut next = status.clone();
    next.at_ms = clock::unix_ms();
    let mut samples = next.samples.to_vec();
    let moving = matches!(next.phase, Phase::Streaming { .. });
    let again = samples.get(samples.len().saturating_sub(132)).copied();
    if let Some(sample) = again.filter(|_| moving) {
        next.totals.rows += crate::console::format::whole(sample.rows.into());
    }
    samples.extend(again.map(|sample| if moving { sample } else { Sample::default() }));
    next.samples = Arc::new(samples);
    next
}

fn obey(
    sender: &watch::Sender<Arc<Status>>,
    events: &broadcast::Sender<EngineEvent>,
    command: Command,
) -> CommandAnswer {
    let phase = match command {
        Command::Pause => Phase::Paused,
        Command::Resume | Command::Retry | Command::Skip { .. } | Command::Edit(_) => {
            Phase::Streaming { behind: false }
        }
        Command::Stop => Phase::Stopped,
        Command::Look { table, values } => {
            let look = super::rows::look(&sender.borrow(), &table, values);
            return CommandAnswer::Seen(Box::new(look));
        }
        Command::Copy(command) => {
            sender.send_modify(|status| *status = Arc::new(copies::obey(status, command)));
            return CommandAnswer::Accepted;
        }
    };
    sender.send_modify(|status| {
        let mut next = Status::clone(status);
        next.phase = phase.clone();
        next.last_error = None;
        *status = Arc::new(next);
    });
    // Nobody listening is fine: the status says the same.
    drop(events.send(EngineEvent::Phase(phase)));
    CommandAnswer::Accepted
}
