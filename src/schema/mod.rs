//! Schema changes: how they are captured on the source and what they become on the target.
//!
//! ```text
//!  SOURCE (assets/sql/source/install)               HERE                           TARGET
//!  event triggers: what the command touched,
//!  before and after ─> row of schema_log ─────────> Entry ─> plan ─> Plan.steps ─> run by the engine
//!  rows of rewritten tables ─> outbox ────────────> Letter
//! ```
//!
//! The text of a command is never replayed: it may be a whole batch, a DO block, a function call.
//! What an object is, is read from the catalogs; the difference between two such descriptions is
//! turned into statements by pure code (`plan`). [`install`] puts the triggers and their tables on
//! the source and takes them away again.

mod acknowledge;
mod catalog;
pub(crate) mod compare;
pub mod description;
mod entry;
mod error;
pub mod install;
mod json;
mod left_out;
mod others;
mod outbox;
mod plan;
mod privilege;
mod prune;
mod roles;
mod rows;
mod silent;
mod tables;
mod triggers;
mod unreplicated;

pub use acknowledge::{grant_log, mark_acked, unacked};
pub use catalog::{Along, DescribeError, Describer, Oids, closed_descriptions, grant_descriptions};
pub use compare::Conflict;
pub(crate) use compare::{Reconciled, domain_checks_in_the_way, in_the_way, so_far};
pub use description::{Category, Column, Constraint, Object, Parent, Sequence, Table, Type};
pub use entry::{Change, Entry, FORMAT, Images, ObjectChange, Other, RenamedTable, UnknownDrop};
pub use error::SchemaError;
pub use install::{
    EVENT_TRIGGERS, EventTrigger, InitState, InstallError, PipelineRecord, PlannedStep, Progress,
    SNAPSHOT_NAME, Side, SourceServers, StepProgress, StepState, VERSION, plan_init,
    plan_tear_down, render_plan,
};
pub use others::{LackingKind, OtherObject, lacking, large_object_count, other_objects, travels};
pub use outbox::{Letter, NamedPublication};
pub use plan::{
    Access, CopyPlan, NotApplied, ObjectNeeds, Plan, RelationTouch, Stage, StagedStep, Step, lend,
    plan, plan_copy,
};
pub use privilege::{Grant, Party, PrivilegeChange};
pub use prune::prune;
pub use roles::{Membership, Roles};
pub use rows::RewrittenRows;
pub use silent::record_owners;
pub use tables::{SourceTable, source_tables};
pub use triggers::{Trigger, triggers};
pub use unreplicated::UNLOGGED;
pub(crate) use unreplicated::{copy_large_objects, large_objects_stay};
