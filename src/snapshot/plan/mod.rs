//! What a copy will do: compares with what exists on the target, and decides before anything is touched.

mod back;
mod created;
mod error;
mod existing;
mod keys_to;
mod preflight;
mod previous_run;
mod ranges;
mod report;
mod rights;
pub(crate) mod selection;
mod settings;
mod snapshot_plan;
mod source_snapshot;

pub use error::PlanError;
pub(crate) use existing::existing_by;
pub(crate) use keys_to::KeysTo;
pub(crate) use previous_run::PreviousRun;
pub(crate) use ranges::Ranges;
pub(crate) use report::plan_snapshot;
pub(crate) use rights::sequence_refused;
pub(crate) use selection::choose;
pub(crate) use settings::{FreeObjects, PlanSettings};
pub(crate) use snapshot_plan::SnapshotPlan;
pub(crate) use source_snapshot::SourceSnapshot;
