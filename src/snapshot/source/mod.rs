//! What is read on the source: one consistent point for many sessions, the tables that are selected, their parts.

mod parts;
mod point;
pub(crate) mod select;
mod statements;

pub use parts::{KeyRange, Moved, Part, plan_parts, plan_ranges};
pub use point::ConsistentPoint;
pub use select::{
    Idle, IdleCause, RangeKey, Selection, SourceTable, TypeFingerprints, is_as_planned,
    known_tables, select, source_tables,
};
pub use statements::{copy_from, copy_to, sequence_question};
