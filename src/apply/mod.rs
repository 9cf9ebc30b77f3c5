//! Writing to the target: whole source transactions, as sets, with the checkpoint in the same
//! target transaction.
//!
//! ```text
//!  Change ──> Batch (pure)  ──> Op ──> shape (pure: SQL) ──┐
//!             nets out what                                ├──> Writer ──> target
//!             cancels, by table      encode (pure: bytes) ─┘       └──> checkpoint, COMMIT
//! ```
//!
//! A statement a row costs a round trip or at least a parse, bind and plan a row; a statement a
//! *set* is 20 to 60 times faster. So the batch gathers what belongs to one table and one kind of
//! change, and the writer sends one statement for it, the bytes untouched. Where the order of rows
//! can be seen by somebody (triggers that fire, foreign keys that are checked) the batch keeps the
//! order of the stream, and where a set fails the engine repeats the transaction row by row
//! ([`ApplyOrder::Rows`]), which gives the exact row and the exact statement that was refused.

mod batch;
mod checkpoint;
mod described;
mod durability;
mod encode;
mod error;
mod held;
mod records;
mod sequence;
mod shape;
mod stream;
mod table;
mod writer;

pub use batch::{Batch, Op, OpKind, RowChange};
pub use checkpoint::{
    AppliedSchemaChange, Checkpoint, CheckpointStore, SLOT_GONE, begins_here,
    came_through_slot_sql, checkpoint_owner, misfit, prune_schema_changes,
};
pub use described::described_table;
pub use error::{Absence, ApplyError};
pub use held::HeldRows;
pub use records::{
    AdoptedCheckpoint, Mark, PipelineRecord, forget_checkpoint, forget_stream, install_records,
    leave_alone, left_alone, mark, note_filter, note_installation, pipelines,
};
pub use stream::Stream;
pub use table::{
    ApplyOrder, ForeignKey, OwnedSequence, RunAs, Silent, TablePlan, TargetColumn, TargetTable,
    UniqueKey, WriteRules,
};
pub use writer::{Commit, Suppressed, Writer};
