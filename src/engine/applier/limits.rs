//! How large a batch may grow, and how long it may wait.

use std::time::Duration;

use crate::config;

/// When the user set no size, full batches are merged while the source has more at hand, up to
/// this many rows. Larger sets are hardly faster, and while one is gathered the target has nothing
/// to do.
const MERGED_ROWS_MAX: usize = 5_000;

/// A batch ends at this many bytes of values, whatever its size in rows.
const BYTES_MAX: usize = 8 << 20;

/// The bounds of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Limits {
    pub(in crate::engine) rows: usize,
    pub(in crate::engine) bytes: usize,
    pub(in crate::engine) timeout: Duration,
}

impl Limits {
    /// Returns the bounds that the configuration asks for.
    pub(in crate::engine) fn new(batch: &config::Batch) -> Self {
        let rows = if batch.size_is_set {
            batch.size
        } else {
            MERGED_ROWS_MAX.max(batch.size)
        };
        Self {
            rows,
            bytes: BYTES_MAX,
            timeout: batch.timeout,
        }
    }

    /// Returns bounds that give each source transaction a target transaction of its own.
    pub(in crate::engine) const fn each_alone(self) -> Self {
        Self { rows: 0, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_the_user_set_is_kept_and_another_may_grow() {
        let check = |size, size_is_set, expected| {
            let timeout = Duration::from_secs(5);
            let limits = Limits::new(&config::Batch {
                size,
                size_is_set,
                timeout,
            });
            assert_eq!((limits.rows, limits.timeout), (expected, timeout));
        };

        check(100, false, MERGED_ROWS_MAX);
        check(100, true, 100);
        check(1, true, 1);
        check(MERGED_ROWS_MAX + 1, true, MERGED_ROWS_MAX + 1);
        check(MERGED_ROWS_MAX + 1, false, MERGED_ROWS_MAX + 1);
    }

    #[test]
    fn alone_means_that_nothing_else_fits() {
        let batch = config::Batch {
            size: 100,
            size_is_set: false,
            timeout: Duration::ZERO,
        };

        assert_eq!(Limits::new(&batch).each_alone().rows, 0);
    }
}
