//! What a copy would run, without running it.

use std::collections::HashSet;

use crate::config::Pipeline;
use crate::engine::EngineError;
use crate::model::RelationId;
use crate::postgres;
use crate::schema::install::{PlannedStep, Side};
use crate::snapshot::{Part, copy_from, copy_to, select, source_tables};

use super::group::{Group, GroupSettings, Moment};

/// Returns the statements of a copy of all selected tables, each with its side. Nothing is changed on
/// either; the target is looked at as it is.
///
/// # Errors
/// Usage for a pattern that fits no table, Operator for something on the target that is in the way.
pub async fn plan_snapshot(pipeline: &Pipeline) -> Result<Vec<PlannedStep>, EngineError> {
    let source = &pipeline.snapshot.source;
    let failed = |operation| {
        let endpoint = source.endpoint();
        move |error| EngineError::Source {
            operation,
            endpoint,
            source: error,
        }
    };
    let session = postgres::connect(source, "pgstream snapshot").await;
    let session = session.map_err(failed("open a session"))?;
    let tables = source_tables(&session)
        .await
        .map_err(failed("list the tables"))?;
    let selected = select(&tables, &pipeline.snapshot.tables, &pipeline.filter);
    let selected = selected.map_err(|idle| EngineError::SnapshotPatterns {
        endpoint: source.endpoint(),
        idle,
    })?;
    let target = postgres::connect(&pipeline.target, "pgstream snapshot").await;
    let target = target.map_err(|source| EngineError::Target {
        operation: "open a session",
        endpoint: pipeline.target.endpoint(),
        source,
    })?;
    let waiting: HashSet<RelationId> = selected.iter().map(|table| table.relation).collect();
    let settings = GroupSettings {
        snapshot: &pipeline.snapshot,
        slot_name: None,
        stored: &[],
        parts: &[],
        waiting: &waiting,
        everything: pipeline.copies_everything(),
    };
    let failed = |source| EngineError::SnapshotGroup {
        source_endpoint: pipeline.snapshot.source.endpoint(),
        target_endpoint: pipeline.target.endpoint(),
        source,
    };
    let moment = Moment::open(&settings).await.map_err(failed)?;
    let group = Group::planned(&settings, &target, moment).await;
    let group = group.map_err(failed)?;
    group.refuse_conflicts(&pipeline.target.endpoint())?;
    Ok(steps(&group))
}

fn steps(group: &Group) -> Vec<PlannedStep> {
    let step = |side, what: String, sql: String| PlannedStep {
        side,
        what,
        sql,
        undo: None,
    };
    let (errand, _) = group.errand(false);
    let mut steps = Vec::new();
    for made in errand.steps {
        steps.push(step(Side::Target, made.step.object, made.step.sql));
    }
    for table in group.tables.iter().filter(|table| !table.partitioned) {
        let what = format!("rows of {}", table.name);
        steps.push(step(
            Side::Source,
            what.clone(),
            copy_to(table, Part::Whole),
        ));
        steps.push(step(Side::Target, what, copy_from(table, &table.name)));
    }
    for later in errand.later {
        steps.push(step(Side::Target, later.object, later.sql));
    }
    steps
}
