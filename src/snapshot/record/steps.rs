//! Statements that copies have still to run on the target. Each goes off the list with its own commit.

use tokio_postgres::types::ToSql;

use crate::model::{RelationId, quote_literal};
use crate::postgres::{PgError, Session, TextRow};
use crate::snapshot::Store;

use super::store::oids;

/// A statement to be remembered until it has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStep {
    /// `index`, `after`, `last`, `trigger`, `sequence`, `keys_to`, `foreign_key`, `validate`.
    pub stage: &'static str,
    /// The table that it belongs to.
    pub relation: Option<u32>,
    /// The table that a foreign key points to, or all those of `keys_to`.
    pub referenced: Option<u32>,
    /// The object, for people.
    pub object: String,
    /// The statement; of a `sequence`, the question to the source that it is the answer of.
    pub sql: String,
}

/// A statement that has not run yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenStep {
    /// Its place in the order of all.
    pub ordinal: i64,
    /// `index`, `after`, `last`, `trigger`, `sequence`, `keys_to`, `foreign_key`, `validate`.
    pub stage: String,
    /// The table that it belongs to.
    pub relation: Option<RelationId>,
    /// The table that a foreign key points to, or all those of `keys_to`.
    pub referenced: Option<RelationId>,
    /// The object, for people.
    pub object: String,
    /// The statement; of a `sequence`, the question to the source that it is the answer of.
    pub sql: String,
}

/// A statement that was taken off the list, to be run in the same transaction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StruckStep {
    /// Its place in the order of all.
    pub ordinal: i64,
    /// The object, for people.
    pub object: String,
    pub sql: String,
}

impl StruckStep {
    /// Reads what [`Store::steps_done`] and [`Store::finish_done`] return: what was still on the list, in
    /// its order. Others may have run the rest, or the source may have made it pointless.
    #[must_use]
    pub fn all(rows: Vec<TextRow>) -> Vec<Self> {
        let mut steps: Vec<Self> = rows.into_iter().filter_map(Self::of).collect();
        steps.sort();
        steps
    }

    fn of(row: TextRow) -> Option<Self> {
        let [ordinal, object, sql] = <[Option<String>; 3]>::try_from(row).ok()?;
        Some(Self {
            ordinal: ordinal?.parse().ok()?,
            object: object?,
            sql: sql?,
        })
    }
}

/// A trigger that an earlier try has disabled is still to be enabled.
const REPLACE_STEPS: &str = "\
DELETE FROM pgstream.snapshot_step
WHERE slot_name = $1 AND (relation = ANY ($2) OR referenced = ANY ($2)) AND stage <> 'trigger'";

const ADD_STEPS: &str = "\
INSERT INTO pgstream.snapshot_step (slot_name, stage, relation, referenced, object, statement)
SELECT $1, s.stage, s.relation, s.referenced, s.object, s.statement
FROM ROWS FROM (
  pg_catalog.unnest($2::pg_catalog.text[]), pg_catalog.unnest($3::pg_catalog.oid[]),
  pg_catalog.unnest($4::pg_catalog.oid[]), pg_catalog.unnest($5::pg_catalog.text[]),
  pg_catalog.unnest($6::pg_catalog.text[]))
  WITH ORDINALITY AS s (stage, relation, referenced, object, statement, place)
WHERE s.relation IS NOT NULL AND s.stage <> 'trigger' OR NOT EXISTS (
  SELECT FROM pgstream.snapshot_step AS open
  WHERE open.slot_name = $1 AND open.statement = s.statement
    AND open.relation IS NOT DISTINCT FROM s.relation)
ORDER BY s.place";

const STRIKE_FREE: &str = "\
DELETE FROM pgstream.snapshot_step
WHERE slot_name = $1 AND relation IS NULL AND statement = ANY ($2)";

const STEPS: &str = "\
SELECT ordinal, stage, relation, referenced, object, statement
FROM pgstream.snapshot_step
WHERE slot_name = $1 AND ($2::pg_catalog.oid IS NULL OR relation = $2)
ORDER BY ordinal";

impl Store {
    /// Replaces the statements that these tables still need. What belongs to no table may be there from
    /// an earlier try.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn plan_steps(
        &self,
        session: &Session,
        tables: &[RelationId],
        steps: &[NewStep],
    ) -> Result<(), PgError> {
        fn column<'a, T>(steps: &'a [NewStep], of: impl Fn(&'a NewStep) -> T) -> Vec<T> {
            steps.iter().map(of).collect()
        }
        session
            .change(REPLACE_STEPS, &[&self.slot_name(), &oids(tables)])
            .await?;
        let parameters: [&(dyn ToSql + Sync); 6] = [
            &self.slot_name(),
            &column(steps, |step| step.stage),
            &column(steps, |step| step.relation),
            &column(steps, |step| step.referenced),
            &column(steps, |step| &*step.object),
            &column(steps, |step| &*step.sql),
        ];
        session.change(ADD_STEPS, &parameters).await?;
        Ok(())
    }

    /// Takes statements that belong to no table off the list: they have run now, in another place.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn strike_free(&self, session: &Session, statements: &[&str]) -> Result<(), PgError> {
        let struck = session
            .change(STRIKE_FREE, &[&self.slot_name(), &statements])
            .await;
        struck.map(drop)
    }

    /// Returns the statements that have not run yet, in their order.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn open_steps(&self, session: &Session) -> Result<Vec<OpenStep>, PgError> {
        self.steps(session, None).await
    }

    /// As [`Store::open_steps`], of one table.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn open_steps_of(
        &self,
        session: &Session,
        RelationId(relation): RelationId,
    ) -> Result<Vec<OpenStep>, PgError> {
        self.steps(session, Some(relation)).await
    }

    async fn steps(
        &self,
        session: &Session,
        relation: Option<u32>,
    ) -> Result<Vec<OpenStep>, PgError> {
        let rows = session.rows(STEPS, &[&self.slot_name(), &relation]).await?;
        let step = |row: &tokio_postgres::Row| OpenStep {
            ordinal: row.get(0),
            stage: row.get(1),
            relation: row.get::<_, Option<u32>>(2).map(RelationId),
            referenced: row.get::<_, Option<u32>>(3).map(RelationId),
            object: row.get(4),
            sql: row.get(5),
        };
        Ok(rows.iter().map(step).collect())
    }

    /// Returns the statement that takes steps off the list, for the transaction of the steps themselves.
    /// It returns ordinal, object and statement of those that were still on it.
    #[must_use]
    pub fn steps_done(steps: &[OpenStep]) -> String {
        let ordinals: Vec<String> = steps.iter().map(|step| step.ordinal.to_string()).collect();
        strike(&format!("ordinal IN ({})", ordinals.join(", ")))
    }

    /// As [`Store::steps_done`], for all steps that complete a table whose rows are there.
    #[must_use]
    pub fn finish_done(&self, RelationId(relation): RelationId) -> String {
        let slot = quote_literal(self.slot_name());
        strike(&format!(
            "slot_name = {slot} AND relation = {relation} AND stage IN ('index', 'after')"
        ))
    }
}

fn strike(which: &str) -> String {
    format!("DELETE FROM pgstream.snapshot_step WHERE {which} RETURNING ordinal, object, statement")
}
