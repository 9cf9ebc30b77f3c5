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
//! The bytes of COPY pass through untouched. How the copy and the stream meet is in `copies`.

pub(crate) mod copies;
mod error;
pub(crate) mod handover;
mod paired;
mod plan;
mod record;
mod run;
pub(crate) mod source;
mod staging;

pub(crate) use copies::Copies;
pub use error::SnapshotError;
pub(crate) use handover::{
    Answer, CopyLink, CopyRequest, MadeTable, Ranges, Refusal, Share, TablePolicy, TableSync,
    TablesRequest,
};
pub use paired::{Meeting, MeetingPlace, Stage};
pub use plan::PlanError;
pub(crate) use plan::plan_snapshot;
pub(crate) use plan::{choose, existing_by};
pub use record::{NewStep, OpenStep, Store, StoredPart, StoredTable, StruckStep};
pub(crate) use run::{Control, Standalone, copy_standalone};
pub use run::{Fence, Making, TableError, Worker, WorkerSettings};
pub use source::{
    ConsistentPoint, Idle, IdleCause, KeyRange, Moved, Part, RangeKey, Selection, SourceTable,
    TypeFingerprints, copy_from, copy_to, is_as_planned, known_tables, plan_parts, plan_ranges,
    select, sequence_question, source_tables,
};
