//! The end of a session in order: all that was committed is durable and confirmed, and the slot is free.

use std::time::Duration;

use tokio::time::timeout;

use crate::engine::EngineError;
use crate::engine::counters::Counters;

use super::{Stream, feedback_error};

/// How long the source may take to let go of the slot.
const CLOSE_MAX: Duration = Duration::from_secs(2);

impl Stream<'_> {
    async fn last_confirmation(&mut self) -> Result<(), EngineError> {
        self.applier.settle().await?;
        self.confirm();
        self.confirm_idle(true).await
    }

    /// Says the last word to the source, ends the session in order, so that the slot is free, and
    /// gives the counts back.
    pub(in crate::engine) async fn finish(mut self) -> (Result<(), EngineError>, Counters) {
        let idle = self.last_confirmation().await;
        self.applier.publish();
        let Self {
            applier,
            feedback,
            mut feedback_task,
            endpoint,
            reader,
            ..
        } = self;
        drop(feedback);
        let message = match feedback_task.join().await {
            Ok(Ok(())) => Ok(()),
            ended => Err(feedback_error(&endpoint, ended)),
        };
        if message.is_ok() {
            // A walsender within a huge transaction may not hear us; then it ends with the socket.
            drop(timeout(CLOSE_MAX, reader.closed()).await);
        }
        (idle.and(message), applier.into_counters())
    }
}
