//! The states that the sample data can be in.

/// The moment of all sample data: 2026-11-22 12:04:33 UTC.
pub(crate) const NOW_MS: i64 = 1_795_349_073_000;

/// The states that the sample data can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleState {
    /// Nothing is known yet.
    Opening,
    /// The source does not answer.
    Unreachable,
    /// All is well.
    Streaming,
    /// A backlog is being drained.
    Behind,
    /// Paused by the operator.
    Paused,
    /// The target has gone away.
    Retrying,
    /// The target refused a transaction.
    Held,
    /// The target refused a row.
    RowRefused,
    /// A fault of ours ended it.
    Crashed,
    /// At rest.
    Stopped,
    /// Existing tables are to be copied; none has begun.
    CopyWaiting,
    /// Existing tables are being copied, and the stream waits for them.
    Copying,
    /// All rows are there; the last indexes are being built.
    Indexing,
    /// Copying is paused by the operator.
    CopyPaused,
    /// It streams while a table is copied again; another could not be.
    CopyFailed,
    /// All tables are copied, and it streams.
    Copied,
}
