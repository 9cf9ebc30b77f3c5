//! Tells the source what is durable on the target, and that we are alive.
//!
//! A task of its own, which waits for nothing but the socket: however long a statement on the
//! target takes, the source hears from us in time. What is confirmed never goes back and is never
//! beyond the checkpoint: it is copied from the value that the applier publishes after its COMMIT.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tracing::trace;

use crate::fault;
use crate::model::Lsn;
use crate::postgres::{FeedbackWriter, PgError, StandbyStatus};
use crate::runtime::clock;

/// What the applier knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Everything before is durable on the target.
    pub(super) durable: Lsn,
    /// Everything before has been received.
    pub(super) received: Lsn,
}

/// The applier's end of the task.
#[derive(Debug)]
pub(super) struct Feedback {
    progress: watch::Sender<Progress>,
    /// Whether the source is asked for a word, too.
    replies: mpsc::Sender<bool>,
    confirmed: watch::Receiver<Lsn>,
}

impl Feedback {
    /// Returns the applier's end and the work of the task.
    pub(super) fn new(
        writer: FeedbackWriter,
        from: Lsn,
        every: Duration,
    ) -> (Self, impl Future<Output = Result<(), PgError>>) {
        let progress = watch::Sender::new(Progress {
            durable: from,
            received: from,
        });
        let (replies, asked) = mpsc::channel(1);
        let (confirmed_sender, confirmed) = watch::channel(from);
        let task = FeedbackTask {
            writer,
            progress: progress.subscribe(),
            asked,
            confirmed: confirmed_sender,
        };
        (
            Self {
                progress,
                replies,
                confirmed,
            },
            task.run(every),
        )
    }

    /// Notes what has been received and what is durable; never goes back.
    pub(super) fn advance(&self, durable: Lsn, received: Lsn) {
        self.progress.send_if_modified(|progress| {
            let moved = durable > progress.durable;
            progress.durable = progress.durable.max(durable);
            progress.received = progress.received.max(received).max(progress.durable);
            moved
        });
    }

    /// Answers the source's request for a reply at once.
    pub(super) fn reply(&self) {
        // A full queue already holds a reply.
        self.replies.try_send(false).ok();
    }

    /// Asks the source how far it is, which an idle one else says seldom.
    pub(super) fn ask(&self) {
        // A full queue already holds a reply; the next will ask.
        self.replies.try_send(true).ok();
    }

    /// Returns what was last reported to the source.
    pub(super) fn confirmed(&self) -> Lsn {
        *self.confirmed.borrow()
    }
}

struct FeedbackTask {
    writer: FeedbackWriter,
    progress: watch::Receiver<Progress>,
    asked: mpsc::Receiver<bool>,
    confirmed: watch::Sender<Lsn>,
}

impl FeedbackTask {
    /// Runs until the applier's end is dropped; then says the last word.
    async fn run(mut self, every: Duration) -> Result<(), PgError> {
        let mut alive = interval(every);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // New progress first: it also answers a request and shows that we are alive. Now and
            // then the source must show that it is.
            let (open, ask) = tokio::select! {
                biased;
                changed = self.progress.changed() => (changed.is_ok(), false),
                asked = self.asked.recv() => (asked.is_some(), asked == Some(true)),
                _ = alive.tick() => (true, true),
            };
            self.send(ask).await?;
            if !open {
                return self.writer.finish().await;
            }
        }
    }

    async fn send(&mut self, ask: bool) -> Result<(), PgError> {
        let Progress { durable, received } = *self.progress.borrow_and_update();
        fault::point(fault::FEEDBACK_BEFORE_SEND);
        trace!(target: "slot", %durable, %received, "confirm");
        let status = StandbyStatus {
            written: received,
            flushed: durable,
            applied: durable,
            reply_requested: ask,
            sent_at_us: clock::postgres_us(),
        };
        self.writer.send(&status).await?;
        self.confirmed.send_replace(durable);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    crate::property::properties! {
        #[test]
        fn what_is_confirmed_never_goes_back_and_is_never_beyond_what_is_durable(
            steps in prop::collection::vec((0u64..1_000, 0u64..1_000), 0..50),
        ) {
            let progress = watch::Sender::new(Progress::default());
            let mut seen = progress.subscribe();
            let (replies, _asked) = mpsc::channel(1);
            let (_confirm, confirmed) = watch::channel(Lsn::ZERO);
            let feedback = Feedback { progress, replies, confirmed };
            let (mut last, mut durable_max) = (Progress::default(), Lsn::ZERO);

            for (durable, received) in steps {
                feedback.advance(Lsn(durable), Lsn(received));
                durable_max = durable_max.max(Lsn(durable));

                prop_assert_eq!(seen.has_changed().unwrap(), durable_max > last.durable);
                let now = *seen.borrow_and_update();
                prop_assert_eq!(now.durable, durable_max);
                prop_assert!(now.received >= last.received && now.received >= now.durable);
                last = now;
            }
        }
    }

    #[test]
    fn a_reply_that_waits_already_is_not_asked_for_twice() {
        let progress = watch::Sender::new(Progress::default());
        let (replies, mut asked) = mpsc::channel(1);
        let (_confirm, confirmed) = watch::channel(Lsn(7));
        let feedback = Feedback {
            progress,
            replies,
            confirmed,
        };

        feedback.reply();
        feedback.reply();

        assert_eq!(asked.try_recv(), Ok(false));
        assert!(asked.try_recv().is_err());
        assert_eq!(feedback.confirmed(), Lsn(7));
    }
}
