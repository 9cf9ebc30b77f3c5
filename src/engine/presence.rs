//! Asks the target every few seconds whether it is there: while nothing is to be written, nobody else
//! would notice that it is not.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

use crate::config::ConnectionSettings;
use crate::postgres::{self, PgError, Session};
use crate::runtime::clock;
use crate::status::{Phase, StatusPublisher};

const EVERY: Duration = Duration::from_secs(2);

/// A target that takes longer does not answer: the next question goes through a new session.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// It is said when there was no answer for so long: within ten seconds, whatever a question takes.
const SILENT_AFTER: Duration = Duration::from_secs(6);

/// Asks until the task is ended.
pub(super) async fn run(settings: ConnectionSettings, publisher: StatusPublisher) {
    let mut session = None;
    let mut seen = clock::now();
    let mut reported = false;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Ok(Ok(())) = timeout(ANSWER_MAX, ask(&settings, &mut session)).await {
            seen = clock::now();
            publisher.update(|status| status.seen.target_ms = Some(clock::unix_ms()));
            if std::mem::take(&mut reported) {
                info!(target: "apply", "the target {} answers again", settings.endpoint());
            }
            continue;
        }
        session = None;
        let streams = matches!(
            publisher.latest().phase,
            Phase::Streaming { .. } | Phase::Copying | Phase::Paused
        );
        if streams && !reported && seen.elapsed() >= SILENT_AFTER {
            reported = true;
            report(&settings, seen);
        }
    }
}

fn report(settings: &ConnectionSettings, seen: Instant) {
    let silent_s = seen.elapsed().as_secs();
    warn!(target: "apply", "the target {} has not answered for {silent_s} s", settings.endpoint());
}

async fn ask(settings: &ConnectionSettings, session: &mut Option<Session>) -> Result<(), PgError> {
    let session = match session {
        Some(session) => session,
        None => session.insert(postgres::connect(settings, "pgstream presence").await?),
    };
    session.text_rows("SELECT 1").await.map(drop)
}
