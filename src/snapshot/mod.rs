//! Copying existing tables: what to copy, in which parts, from which snapshot of the source, and how
//! far the target is with it.
//!
//! ```text
//!  select ──> which tables                        ConsistentPoint ── snapshot with a known LSN
//!  parts  ──> block ranges of one table                 │
//!  statements ──> COPY … TO, COPY … FROM                v
//!  Worker ── one session on each side: BEGIN, snapshot, lock, COPY ═bytes═> COPY, fence, COMMIT
//!  Store ── pgstream.snapshot_table, snapshot_step: how far each table is, in the transactions of
//!           its rows and statements
//! ```
//!
//! The bytes of COPY pass through untouched. Who calls what when, and how the copy and the stream
//! meet, is the engine's business (`engine::copy`).

pub(crate) mod copies;
pub(crate) mod error;
pub(crate) mod handover;
mod paired;
pub(crate) mod plan;
pub(crate) mod record;
pub(crate) mod run;
pub(crate) mod source;
mod staging;

pub use paired::{Meeting, MeetingPlace, Stage};
pub use run::TableError;
pub use source::ConsistentPoint;
pub use source::{
    Idle, IdleCause, RangeKey, Selection, SourceTable, TypeFingerprints, is_as_planned, select,
    source_tables,
};
pub use source::{KeyRange, Part, plan_parts, plan_ranges};

pub(crate) use copies::Copies;
pub use error::SnapshotError;
pub(crate) use handover::{
    Answer, CopyLink, CopyRequest, MadeTable, Ranges, Refusal, Share, TablePolicy, TableSync,
    TablesRequest,
};
pub(crate) use plan::choose;
pub use plan::plan_snapshot;
pub use record::{NewStep, OpenStep, StruckStep};
pub use record::{Store, StoredPart, StoredTable};
pub(crate) use run::{Control, Standalone, copy_standalone};
pub use run::{Fence, Making, Worker, WorkerSettings};
pub use source::parts::Moved;
pub use source::{copy_from, copy_to, sequence_question};
