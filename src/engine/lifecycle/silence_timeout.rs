//! How long to wait for a source that says nothing, and for a slot that somebody holds.
//!
//! ```text
//!  wal_sender_timeout ──> a third: we speak, and ask the source to speak
//!                    ──> once:    a source that has not spoken is lost
//!                    ──> twice:   whoever holds the slot still lives
//! ```

use std::time::Duration;

use crate::config::ConnectionSettings;

/// What `wal_sender_timeout` is unless somebody sets it; where it is off, we count with it.
const WALSENDER_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// We speak at least this often, however long its timeout is.
const FEEDBACK_EVERY_MAX: Duration = Duration::from_secs(10);

/// A busy machine may hold up a healthy source for a few seconds.
const SILENCE_MIN: Duration = Duration::from_secs(5);

/// A source that decodes a huge transaction of which nothing is ours may be silent for long, and
/// begins anew after each reconnect: each time in a row it gets twice the time, up to this factor.
const STRETCH_MAX: u32 = 64;

/// Returns how often we tell the source how far we are, and ask for a word of it: three times
/// within its timeout and within ours (`silence_max`).
pub(super) fn between_feedbacks(
    walsender_timeout: Option<Duration>,
    silence_max: Duration,
) -> Duration {
    let shortest = walsender_timeout.unwrap_or(silence_max).min(silence_max);
    (shortest / 3).min(FEEDBACK_EVERY_MAX)
}

/// Returns how long a reader that is gone can hold the slot; who holds it longer, lives.
pub(super) fn of_slot_holder(walsender_timeout: Option<Duration>) -> Duration {
    walsender_timeout.unwrap_or(WALSENDER_TIMEOUT_DEFAULT) * 2
}

/// How long a silent source is waited for, which grows while nothing else helps.
#[derive(Debug)]
pub(super) struct SilenceTimeout {
    stretch: u32,
}

impl Default for SilenceTimeout {
    fn default() -> Self {
        Self { stretch: 1 }
    }
}

impl SilenceTimeout {
    /// Returns how long the source may be silent: `tcp_user_timeout` of its address, else the time
    /// that it gives us.
    pub(super) fn of_source(
        &self,
        source: &ConnectionSettings,
        walsender_timeout: Option<Duration>,
    ) -> Duration {
        let own = walsender_timeout
            .unwrap_or(WALSENDER_TIMEOUT_DEFAULT)
            .max(SILENCE_MIN);
        source.tcp_user_timeout.unwrap_or(own) * self.stretch
    }

    /// The source was silent for too long.
    pub(super) fn stretch(&mut self) {
        self.stretch = (self.stretch * 2).min(STRETCH_MAX);
    }

    /// The stream moves.
    pub(super) fn relax(&mut self) {
        self.stretch = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_sources_own_timeout() {
        let seconds = Duration::from_secs;
        let settings = |text| ConnectionSettings::parse(text).unwrap();
        let check = |text, timeout: Option<u64>, expected: (u128, u64, u64)| {
            let timeout = timeout.map(seconds);
            let source = SilenceTimeout::default().of_source(&settings(text), timeout);
            let found = (
                between_feedbacks(timeout, source).as_millis(),
                source,
                of_slot_holder(timeout),
            );
            let expected = (expected.0, seconds(expected.1), seconds(expected.2));
            assert_eq!(found, expected, "{text} {timeout:?}");
        };

        check("host=h", Some(60), (10_000, 60, 120));
        check("host=h", Some(15), (5_000, 15, 30));
        check("host=h", Some(3), (1_000, 5, 6));
        check("host=h", None, (10_000, 60, 120));
        check("host=h tcp_user_timeout=6000", Some(60), (2_000, 6, 120));
    }

    #[test]
    fn grows_while_the_source_stays_silent_and_returns_when_it_speaks() {
        let settings = ConnectionSettings::parse("host=h").unwrap();
        let mut silence_timeout = SilenceTimeout::default();
        let mut of_source = |change: fn(&mut SilenceTimeout)| {
            change(&mut silence_timeout);
            silence_timeout
                .of_source(&settings, Some(Duration::from_secs(60)))
                .as_secs()
        };

        assert_eq!(of_source(SilenceTimeout::stretch), 120);
        assert_eq!(of_source(SilenceTimeout::stretch), 240);
        assert_eq!(of_source(SilenceTimeout::relax), 60);
        assert_eq!(
            of_source(|silence_timeout| (0..40).for_each(|_| silence_timeout.stretch())),
            60 * 64
        );
    }
}
