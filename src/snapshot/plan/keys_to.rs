//! The foreign keys to partitioned tables of which the filter leaves nothing out any more.

use std::collections::HashSet;

use crate::config::{Pipeline, TableFilter};
use crate::model::{QualifiedName, RelationId};
use crate::postgres::{self, PgError, Session};
use crate::schema::{Along, Constraint, Describer, ObjectChange, ObjectNeeds, Stage, plan_copy};
use crate::snapshot::{ConsistentPoint, NewStep, known_tables, select};

use super::error::PlanError;
use super::source_snapshot::{session_pid, temporary_name};

/// The keys, as one snapshot of the source has them.
pub(crate) struct KeysTo {
    pub(crate) point: ConsistentPoint,
    keys: Vec<ObjectChange>,
    /// The tables that replicate.
    selected: HashSet<QualifiedName>,
}

impl KeysTo {
    /// Takes a moment of the source and reads which foreign keys point to these tables there.
    pub(crate) async fn open(
        pipeline: &Pipeline,
        slot_name: &str,
        tables: &[RelationId],
    ) -> Result<Self, PlanError> {
        let source = &pipeline.snapshot.source;
        let session = postgres::connect(source, "pgstream snapshot").await;
        let session = session.map_err(PlanError::Source)?;
        let describer = Describer::new(&session, true).await;
        let describer = describer.map_err(PlanError::Describe)?;
        let pid = session_pid(&session).await.map_err(PlanError::Source)?;
        let slot = temporary_name(slot_name, pid);
        let point = ConsistentPoint::with_position(source, &slot).await;
        let point = point.map_err(PlanError::Point)?;
        session
            .run(&point.begin())
            .await
            .map_err(PlanError::Point)?;
        let selected = selected(&session, &pipeline.filter).await;
        let oids: Vec<u32> = tables.iter().map(|table| table.0).collect();
        let needed = describer.needed(&oids, &Along::Nothing).await;
        let needed = needed.map_err(PlanError::Source)?;
        let mut keys = describer
            .describe(&needed)
            .await
            .map_err(PlanError::Describe)?;
        keys.retain(|object| {
            object
                .referenced()
                .is_some_and(|table| oids.contains(&table))
        });
        session.run("COMMIT").await.map_err(PlanError::Source)?;
        Ok(Self {
            point,
            keys,
            selected: selected.map_err(PlanError::Source)?,
        })
    }

    /// Returns the statements that make those of them that the target lacks, on tables that replicate.
    pub(crate) async fn lacking(mut self, target: &Session) -> Result<Vec<NewStep>, PlanError> {
        let lacking = self.lacks(target).await.map_err(PlanError::Target)?;
        let mut places = 0..;
        self.keys
            .retain(|_| places.next().is_some_and(|place| lacking.contains(&place)));
        let selects = |name: &QualifiedName| self.selected.contains(name);
        let plan = plan_copy(&self.keys, &ObjectNeeds::default(), &selects);
        let steps = plan.steps.into_iter();
        let keys = steps.filter(|staged| staged.stage == Stage::ForeignKey);
        let step = |staged: crate::schema::StagedStep| NewStep {
            stage: "foreign_key",
            relation: staged.relation,
            referenced: staged.referenced,
            object: staged.step.object,
            sql: staged.step.sql,
        };
        Ok(keys.map(step).collect())
    }

    /// The places of the keys that the target lacks, and whose tables it has.
    async fn lacks(&self, target: &Session) -> Result<HashSet<i64>, PgError> {
        let keys = self.keys.iter().map(|object| match object {
            ObjectChange::Constraint(images) => images.after.as_ref(),
            _ => None,
        });
        let name = |key: Option<&Constraint>| key.map(|key| (key.table.quoted(), key.name.clone()));
        let (tables, names): (Vec<_>, Vec<_>) =
            keys.map(|key| name(key).unwrap_or_default()).unzip();
        let rows = target.rows(LACKING, &[&tables, &names]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}

const LACKING: &str = "\
SELECT k.place - 1
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
  WITH ORDINALITY AS k (of, name, place)
WHERE pg_catalog.to_regclass(k.of) IS NOT NULL AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_constraint AS c
  WHERE c.conrelid = pg_catalog.to_regclass(k.of) AND c.conname = k.name)";

async fn selected(
    source: &Session,
    filter: &TableFilter,
) -> Result<HashSet<QualifiedName>, PgError> {
    let tables = known_tables(source).await?;
    let selection = select(&tables, filter, filter);
    let names = selection.tables.iter().map(|table| table.name.clone());
    Ok(names.collect())
}
