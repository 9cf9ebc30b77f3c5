//! What was read so far, and not faster than the operator allows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::runtime::clock;

/// Shared by all that read.
#[derive(Debug)]
pub(super) struct Counters {
    rows: AtomicU64,
    bytes: AtomicU64,
    bytes_per_s: Option<u64>,
    /// When what was read so far is allowed.
    due: Mutex<Instant>,
}

impl Counters {
    pub(super) fn new(bytes_per_s: Option<u64>) -> Self {
        Self {
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            bytes_per_s,
            due: Mutex::new(clock::now()),
        }
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts what was read, and waits while it was too much.
    pub(super) async fn add(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if let Some(bytes_per_s) = self.bytes_per_s {
            sleep_until(self.due_after(bytes, bytes_per_s)).await;
        }
    }

    fn due_after(&self, bytes: u64, bytes_per_s: u64) -> Instant {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(bytes_per_s.max(1));
        let took = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        *due = (*due).max(clock::now()) + took;
        *due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_too_fast_is_due_later() {
        let counters = Counters::new(Some(1_000));
        let began = clock::now();

        counters.due_after(500, 1_000);
        let due = counters.due_after(1_500, 1_000);

        let waits_ms = (due - began).as_millis();
        assert!((2_000..2_500).contains(&waits_ms), "{waits_ms} ms");
    }
}
