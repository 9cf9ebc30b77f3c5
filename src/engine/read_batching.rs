//! How long to wait for more, by how much there is already.
//!
//! A single transaction must not wait at all; a backlog is read faster in large pieces than row by
//! row (see [`WalReader::next_of_many`]), and its gaps are no end of it.

use std::time::Duration;

use crate::postgres::{Frame, PgError, WalReader};

/// How long finished transactions wait for more when the source has not said that it has caught
/// up: longer than the gap between two frames of a busy source, shorter than anybody notices.
pub(super) const FLUSH_DELAY: Duration = Duration::from_millis(2);

/// The same for a source that has just sent many rows: they come in pieces, with gaps.
const FLUSH_DELAY_BUSY: Duration = Duration::from_millis(10);

/// With as many rows at hand the source is taken to be sending many: a person's transaction, and a
/// light load, are below and never wait.
const BUSY_ROWS_MIN: usize = 64;

/// What it follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadBatching {
    /// Row changes that were received and are not yet committed on the target.
    pub(super) rows_at_hand: usize,
}

impl ReadBatching {
    const fn is_busy(self) -> bool {
        self.rows_at_hand >= BUSY_ROWS_MIN
    }

    /// Returns how long finished transactions wait for more.
    pub(super) const fn flush_delay(self) -> Duration {
        if self.is_busy() {
            FLUSH_DELAY_BUSY
        } else {
            FLUSH_DELAY
        }
    }

    /// Waits for the next frame. Cancel safe.
    pub(super) async fn next_frame(self, reader: &mut WalReader) -> Result<Frame, PgError> {
        if self.is_busy() {
            reader.next_of_many().await
        } else {
            reader.next().await
        }
    }
}
