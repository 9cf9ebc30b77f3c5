//! How large a batch may grow, and how long it may wait.

use std::time::Duration;

use crate::config;

/// When the user set no size, full batches are merged while the source has more at hand, up to
/// this many rows: beyond, a larger transaction is no faster and only makes readers wait.
const MERGED_ROWS_MAX: usize = 20_000;

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
