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

mod error;
mod paired;
mod parts;
mod point;
mod select;
mod staging;
mod statements;
mod steps;
mod store;
mod worker;

pub use error::SnapshotError;
pub use paired::{Meeting, MeetingPlace, Stage};
pub use parts::{KeyRange, Part, plan_parts, plan_ranges};
pub use point::ConsistentPoint;
pub use select::{
    Idle, IdleCause, RangeKey, Selection, SourceTable, TypeFingerprints, is_as_planned, select,
    source_tables,
};

pub use statements::{copy_from, copy_to, sequence_question};
pub use steps::{NewStep, OpenStep, StruckStep};
pub use store::{Store, StoredPart, StoredTable};
pub use worker::{Fence, Making, Moved, Worker, WorkerSettings};
