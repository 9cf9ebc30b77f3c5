//! Puts everything of ours on the source, and takes it away again.
//!
//! ```text
//!  init:      facts ─> blockers? ─> install + describe ─> identities ─> wait ─> describe again
//!                                                           ─> publication ─> slot
//!  tear-down: slot ─> publication ─> event triggers ─> identities ─> functions and tables ─> schema
//! ```
//!
//! The order makes decoding possible from the first byte. A publication must exist at every point
//! that its slot decodes. Before the publication exists no table may be without a replica identity,
//! or UPDATE would fail on it; commands that were already running when the triggers came are not
//! seen by them, so we wait until those are over and look again. Making a slot waits for running
//! transactions in any case.
//!
//! Each step has its undo, and both are plain SQL: `--plan` prints them, a failure half-way runs
//! the undos in reverse.

mod error;
mod facts;
mod init;
mod plan;
mod progress;
mod record;
mod script;
mod servers;
mod state;
mod tear_down;
mod unrecorded;

pub use error::InstallError;
pub use facts::EVENT_TRIGGERS;
pub use init::{InitReport, init, init_until, init_watched, plan_init};
pub use plan::{render_plan, until_then};
pub use progress::{Progress, StepProgress, StepState};
pub use record::{PipelineRecord, grant_pipeline, note_target, pipeline_record};
pub use script::VERSION;
pub(in crate::schema) use script::temporary_descriptions;
pub use servers::SourceServers;
pub use state::{
    EventTrigger, InitState, event_triggers, grant_state, open_functions, publication_is_younger,
    state,
};
pub use tear_down::{
    SNAPSHOT_NAME, TearDownPlan, TearDownReport, forget_on_target, plan_tear_down, tear_down,
    tear_down_watched,
};

/// The server that a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where changes come from.
    Source,
    /// A standby of that, where the slot is.
    Standby,
    /// Where changes go to.
    Target,
}

/// One step of an installation or a removal, as `--plan` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStep {
    pub side: Side,
    /// What it is for, for people.
    pub what: String,
    /// The exact SQL.
    pub sql: String,
    /// The SQL that takes it back, where there is something to take back.
    pub undo: Option<String>,
}
