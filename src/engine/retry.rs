//! How long to wait before trying again.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// The first wait: a server that restarts needs about this long.
const DELAY_MIN: Duration = Duration::from_millis(200);

/// The longest wait: an operator who has mended a server does not want to wait longer.
const DELAY_MAX: Duration = Duration::from_secs(15);

/// Waits that grow, with jitter, until `total` is used up.
pub(super) struct Retry {
    total: Duration,
    waits: ExponentialBackoff,
    attempt: u32,
}

impl Retry {
    pub(super) fn new(total: Duration) -> Self {
        Self {
            total,
            waits: waits(total),
            attempt: 0,
        }
    }

    /// Returns the number of the coming attempt and the wait before it; none when it is time to
    /// give up.
    pub(super) fn next(&mut self) -> Option<(u32, Duration)> {
        self.attempt += 1;
        self.waits.next().map(|wait| (self.attempt, wait))
    }

    /// Starts over: something worked.
    pub(super) fn reset(&mut self) {
        self.attempt = 0;
        self.waits = waits(self.total);
    }
}

fn waits(total: Duration) -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(DELAY_MIN)
        .with_max_delay(DELAY_MAX)
        .with_jitter()
        .with_total_delay(Some(total))
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let mut retry = Retry::new(Duration::from_secs(60));
        let waits: Vec<_> = std::iter::from_fn(|| retry.next()).collect();

        assert!(waits.len() > 5, "{waits:?}");
        assert!(waits[0].1 < Duration::from_secs(1));
        let sum: Duration = waits.iter().map(|(_, wait)| *wait).sum();
        assert!(sum <= Duration::from_secs(61), "{sum:?}");

        retry.reset();
        assert_eq!(retry.next().map(|(attempt, _)| attempt), Some(1));
    }
}
