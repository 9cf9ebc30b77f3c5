//! How long to wait before trying again.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// The first wait: a server that restarts needs about this long.
const DELAY_MIN: Duration = Duration::from_millis(200);

/// The longest wait: an operator who has fixed a server does not want to wait longer.
const DELAY_MAX: Duration = Duration::from_secs(15);

/// Waits that grow, with jitter, until `total` has passed since the first attempt that failed began. The
/// attempts themselves count: one that nobody answers takes longer than the wait before it.
pub(crate) struct Retry {
    total: Duration,
    waits: ExponentialBackoff,
    attempt: u32,
    end: Option<Instant>,
}

impl Retry {
    pub(crate) fn new(total: Duration) -> Self {
        Self {
            total,
            waits: waits(),
            attempt: 0,
            end: None,
        }
    }

    /// Returns how long an attempt that begins now may take.
    pub(crate) fn left(&mut self, now: Instant) -> Duration {
        let end = *self.end.get_or_insert(now + self.total);
        end.saturating_duration_since(now)
    }

    /// Returns the number of the coming attempt and the wait before it; none when it is time to
    /// give up.
    pub(crate) fn next(&mut self, now: Instant) -> Option<(u32, Duration)> {
        let end = *self.end.get_or_insert(now + self.total);
        let left = end
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())?;
        self.attempt += 1;
        self.waits.next().map(|wait| (self.attempt, wait.min(left)))
    }

    /// Starts over: something worked.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.total);
    }
}

fn waits() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(DELAY_MIN)
        // Jitter adds as much again at most.
        .with_max_delay(DELAY_MAX / 2)
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::clock;

    /// Plays failures whose attempts take `each`; returns the waits between them.
    fn play(retry: &mut Retry, mut now: Instant, each: Duration) -> Vec<Duration> {
        std::iter::from_fn(|| {
            let (_, wait) = retry.next(now)?;
            now += wait + each;
            Some(wait)
        })
        .collect()
    }

    #[test]
    fn waits_grow_and_end_when_the_time_is_over() {
        let mut retry = Retry::new(Duration::from_secs(60));
        let start = clock::now().into_std();
        let waits = play(&mut retry, start, Duration::ZERO);

        assert!(
            waits.len() > 5 && waits[0] < Duration::from_secs(1),
            "{waits:?}"
        );
        assert!(waits.iter().all(|wait| *wait <= DELAY_MAX), "{waits:?}");
        assert_eq!(
            waits.iter().sum::<Duration>(),
            Duration::from_secs(60),
            "{waits:?}"
        );

        retry.reset();
        assert_eq!(retry.next(start).map(|(attempt, _)| attempt), Some(1));
    }

    #[test]
    fn attempts_that_take_long_count() {
        let mut retry = Retry::new(Duration::from_secs(60));

        let waits = play(&mut retry, clock::now().into_std(), Duration::from_secs(30));

        assert!(waits.len() <= 2, "{waits:?}");
    }
}
