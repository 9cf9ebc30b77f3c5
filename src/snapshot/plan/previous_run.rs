//! What an earlier `pgstream snapshot` left on the target, and what of it counts for this one.
//!
//! A copy that failed or was cut off leaves its records, so that the next one need not copy again
//! what is there. They say nothing about what is to be copied: that is for the settings of now.
//! And they stop counting when the table on the target is no longer ours: we empty only what we
//! filled.

use std::collections::HashSet;

use crate::model::RelationId;
use crate::postgres::{PgError, Session};
use crate::snapshot::{OpenStep, SourceTable, Store, StoredTable};
use crate::status::CopyState;

const RECORDED: &str = "SELECT pg_catalog.to_regclass('pgstream.snapshot_table') IS NOT NULL";

/// The records of an earlier copy, sorted.
#[derive(Debug, Default)]
pub(crate) struct PreviousRun {
    /// Those of tables that are selected now.
    pub(crate) kept: Vec<StoredTable>,
    /// Those that no longer count.
    pub(crate) dropped: Vec<RelationId>,
    /// Those of `kept` that are complete and stay as they are.
    pub(crate) finished: HashSet<RelationId>,
}

impl PreviousRun {
    /// Looks through the records on a target that may have none.
    pub(crate) async fn find(
        store: &Store,
        target: &Session,
        selected: &[SourceTable],
    ) -> Result<Self, PgError> {
        let recorded = target.row(RECORDED, &[]).await?;
        match recorded.is_some_and(|row| row.get(0)) {
            true => Self::sort(store, target, selected).await,
            false => Ok(Self::default()),
        }
    }

    async fn sort(
        store: &Store,
        target: &Session,
        selected: &[SourceTable],
    ) -> Result<Self, PgError> {
        let claimed = store.claimed_elsewhere(target).await?;
        let steps = store.open_steps(target).await?;
        let chosen: HashSet<RelationId> = selected.iter().map(|table| table.relation).collect();
        let mut found = Self::default();
        for table in store.load(target).await? {
            let relation = table.relation;
            if !chosen.contains(&relation) || claimed.contains(&relation) {
                found.dropped.push(relation);
                continue;
            }
            if is_complete(&table, &steps) && is_there(target, &table).await? {
                found.finished.insert(relation);
            }
            found.kept.push(table);
        }
        Ok(found)
    }

    /// Returns the tables that are copied from their beginning.
    pub(crate) fn unfinished(&self) -> Vec<RelationId> {
        let tables = self.kept.iter().map(|table| table.relation);
        tables
            .filter(|table| !self.finished.contains(table))
            .collect()
    }
}

/// Foreign keys are added without another copy; all else is part of it.
fn is_complete(table: &StoredTable, steps: &[OpenStep]) -> bool {
    let open = |step: &OpenStep| {
        let joins = matches!(step.stage.as_str(), "foreign_key" | "validate");
        step.relation == Some(table.relation) && !joins
    };
    table.state == CopyState::Ready && !steps.iter().any(open)
}

/// Somebody may have dropped or emptied it since, or made another one of its name.
async fn is_there(target: &Session, table: &StoredTable) -> Result<bool, PgError> {
    let sql = "SELECT COALESCE(pg_catalog.to_regclass($1)::pg_catalog.oid = COALESCE($2, \
               pg_catalog.to_regclass($1)::pg_catalog.oid), false)";
    let row = target
        .row(sql, &[&table.name.quoted(), &table.target])
        .await?;
    let there = row.is_some_and(|row| row.get(0));
    if !there || table.row_count == 0 {
        return Ok(there);
    }
    let filled = format!("SELECT EXISTS (SELECT FROM ONLY {})", table.name.quoted());
    let filled = target.row(&filled, &[]).await?;
    Ok(filled.is_some_and(|row| row.get(0)))
}
