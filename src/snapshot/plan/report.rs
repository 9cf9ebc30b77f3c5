//! What a copy would run, without running it.

use std::collections::HashSet;

use crate::config::Pipeline;
use crate::model::RelationId;
use crate::postgres;
use crate::schema::{PlannedStep, SNAPSHOT_NAME, Side};
use crate::snapshot::error::SnapshotError;
use crate::snapshot::{Part, Store, copy_from, copy_to};

use super::previous_run::PreviousRun;
use super::selection;
use super::settings::{FreeObjects, PlanSettings};
use super::snapshot_plan::SnapshotPlan;
use super::source_snapshot::SourceSnapshot;

/// What a copy would do, and what is to be known of it beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlanReport {
    /// What the target has or lacks, and what will not be on it.
    pub(crate) notes: Vec<String>,
    pub(crate) steps: Vec<PlannedStep>,
}

/// Returns the statements of a copy of all selected tables, each with its side. Nothing is changed on
/// either; the target is looked at as it is, with what an earlier copy left there.
///
/// # Errors
/// Usage for a pattern that fits no table, Operator for something on the target that is in the way.
pub(crate) async fn plan_snapshot(pipeline: &Pipeline) -> Result<PlanReport, SnapshotError> {
    let selected = selection::selected(pipeline).await?;
    let target = postgres::connect(&pipeline.target, "pgstream snapshot").await;
    let target = target.map_err(|source| SnapshotError::Target {
        operation: "open a session",
        endpoint: pipeline.target.endpoint(),
        source,
    })?;
    let store = Store::new(SNAPSHOT_NAME.to_owned());
    let left = PreviousRun::find(&store, &target, &selected).await;
    let left = left.map_err(|source| SnapshotError::Target {
        operation: "read what an earlier copy left",
        endpoint: pipeline.target.endpoint(),
        source,
    })?;
    let waiting = selected.iter().map(|table| table.relation);
    let waiting: HashSet<RelationId> = waiting
        .filter(|table| !left.finished.contains(table))
        .collect();
    let settings = PlanSettings {
        snapshot: &pipeline.snapshot,
        slot_name: None,
        stored: &left.kept,
        parts: &[],
        waiting: &waiting,
        filter: &pipeline.filter,
        left_out: &pipeline.left_out,
        free: FreeObjects::of(left.finished.is_empty(), false, &pipeline.snapshot.tables),
        silent_triggers: pipeline.disable_triggers,
        run_as_owner: pipeline.run_as_owner,
        // In one list of statements there is nobody beside another.
        stands_still: false,
        refused: &HashSet::new(),
    };
    let failed = |source| SnapshotError::Plan {
        source_endpoint: pipeline.snapshot.source.endpoint(),
        target_endpoint: pipeline.target.endpoint(),
        source,
    };
    let source_snapshot = SourceSnapshot::open(&settings).await.map_err(failed)?;
    let plan = SnapshotPlan::planned(&settings, &target, source_snapshot).await;
    let plan = plan.map_err(failed)?;
    plan.refuse_conflicts(&pipeline.target.endpoint())?;
    let note = |(object, message)| format!("{object}: {message}");
    Ok(PlanReport {
        notes: plan.notes().map(note).collect(),
        steps: steps(&plan),
    })
}

fn steps(plan: &SnapshotPlan) -> Vec<PlannedStep> {
    let step = |side, what: String, sql: String| PlannedStep {
        side,
        what,
        sql,
        undo: None,
    };
    let (copy_request, _) = plan.copy_request(false);
    let mut steps = Vec::new();
    for made in copy_request.steps {
        steps.push(step(Side::Target, made.step.object, made.step.sql));
    }
    for table in plan.tables.iter().filter(|table| !table.partitioned) {
        let what = format!("rows of {}", table.name);
        steps.push(step(
            Side::Source,
            what.clone(),
            copy_to(table, Part::Whole),
        ));
        steps.push(step(Side::Target, what, copy_from(table, &table.name)));
    }
    for later in copy_request.later {
        steps.push(step(Side::Target, later.object, later.sql));
    }
    steps
}
