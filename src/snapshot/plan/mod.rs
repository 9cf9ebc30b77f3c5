//! What a copy will do: compares with what exists on the target, and decides before anything is touched.

pub(crate) mod created;
mod error;
pub(crate) mod existing;
pub(crate) mod preflight;
pub(crate) mod previous_run;
pub(crate) mod ranges;
pub(crate) mod report;
pub(crate) mod rights;
pub(crate) mod selection;
mod settings;
pub(crate) mod snapshot_plan;
pub(crate) mod source_snapshot;

pub use error::PlanError;
pub(crate) use previous_run::PreviousRun;
pub(crate) use ranges::Ranges;
pub use report::plan_snapshot;
pub(crate) use rights::sequence_refused;
pub(crate) use selection::choose;
pub(crate) use settings::FreeObjects;
pub(crate) use settings::PlanSettings;
pub(crate) use snapshot_plan::SnapshotPlan;
pub(crate) use source_snapshot::SourceSnapshot;
