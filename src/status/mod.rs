//! What the engine and the copies show of themselves, and what an operator can ask of them: all that
//! front ends see.
//!
//! ```text
//!  engine, snapshot ──> StatusPublisher ──> Status (watch), EngineEvent (broadcast) ──> console, cli
//!                   <── Command <──────────────────────────────────────────────────────
//! ```

mod command;
mod copy_state;
pub(crate) mod failure;
mod look;
pub mod model;
mod outcome;
mod publisher;
mod snapshot;
pub(crate) mod source_refusal;
mod verdict;

pub(crate) use command::Request;
pub use command::{Command, CommandAnswer, SchemaEdit};
pub use failure::{FailedTransaction, Failure, Refusal, failure_of};
pub(crate) use look::LATEST_MAX;
pub use look::{Cell, ChangeKind, LatestChange, RefusedRow, TableLook};
pub use model::{
    BATCH_BOUNDS_MS, BatchTimes, Checkpoint, EngineEvent, Lag, Phase, SILENT_AFTER_MS, Sample,
    SchemaChange, SchemaState, Seen, SequenceStatus, Slot, Status, TableCounters, Totals,
    Unconfirmed,
};
pub use outcome::Outcome;
pub(crate) use publisher::StatusPublisher;
pub use snapshot::{CopyCommand, CopyState, Snapshot, TableCopy};
pub use verdict::Verdict;
