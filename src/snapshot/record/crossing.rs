//! What is remembered of tables that cross the border of the filter.

use std::collections::BTreeMap;

use tokio_postgres::types::ToSql;

use crate::model::{QualifiedName, RelationId};
use crate::postgres::{PgError, Session};

use super::store::{Store, oids};

const ENTER: &str = "\
INSERT INTO pgstream.snapshot_table (slot_name, relation, schema_name, table_name, state, entered)
SELECT $1, t.relation, t.schema_name, t.table_name, 'waiting', true
FROM ROWS FROM (
  pg_catalog.unnest($2::pg_catalog.oid[]), pg_catalog.unnest($3::pg_catalog.text[]),
  pg_catalog.unnest($4::pg_catalog.text[])
) AS t (relation, schema_name, table_name)
ON CONFLICT DO NOTHING";

const LEAVE: &str = "\
INSERT INTO pgstream.left_table (slot_name, relation, name, target, left_at)
SELECT $1, t.relation, t.name, pg_catalog.to_regclass(t.name),
       COALESCE((SELECT s.left_at FROM pgstream.snapshot_table AS s
                 WHERE s.slot_name = $1 AND s.relation = t.relation AND s.objects IS NULL),
                pg_catalog.pg_current_xact_id())
FROM ROWS FROM (pg_catalog.unnest($2::pg_catalog.oid[]), pg_catalog.unnest($3::pg_catalog.text[]))
  AS t (relation, name)
WHERE pg_catalog.to_regclass(t.name) IS NOT NULL
ON CONFLICT (slot_name, relation)
  DO UPDATE SET name = excluded.name, target = excluded.target, left_at = excluded.left_at";

/// OIDs alone may be another table's, after a restore.
const LEFT: &str = "\
SELECT l.relation, n.nspname::pg_catalog.text, c.relname::pg_catalog.text
FROM pgstream.left_table AS l
JOIN pg_catalog.pg_class AS c ON c.oid = l.target AND c.oid = pg_catalog.to_regclass(l.name)
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE l.slot_name = $1 AND l.relation = ANY ($2)";

const TAKE_BACK: &str = "\
WITH taken AS (
  DELETE FROM pgstream.left_table AS l WHERE l.slot_name = $1 AND l.relation = $2 RETURNING l.left_at)
UPDATE pgstream.snapshot_table
SET target = pg_catalog.to_regclass($3), left_at = (SELECT t.left_at FROM taken AS t)
WHERE slot_name = $1 AND relation = $2";

const FORGET_KEYS_TO: &str = "\
DELETE FROM pgstream.snapshot_step
WHERE slot_name = $1 AND stage IN ('keys_to', 'foreign_key', 'validate') AND referenced = ANY ($2)";

const ASK_FOR_KEYS_TO: &str = "\
INSERT INTO pgstream.snapshot_step (slot_name, stage, referenced, object, statement)
SELECT $1, 'keys_to', t.relation, 'foreign keys to ' || t.name, ''
FROM ROWS FROM (pg_catalog.unnest($2::pg_catalog.oid[]), pg_catalog.unnest($3::pg_catalog.text[]))
  AS t (relation, name)";

impl Store {
    /// Forgets the foreign keys that were still to be made to tables of which a part is left out from now on.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub(crate) async fn forget_keys_to(
        &self,
        session: &Session,
        tables: &[RelationId],
    ) -> Result<(), PgError> {
        let parameters: &[&(dyn ToSql + Sync)] = &[&self.slot_name(), &oids(tables)];
        session.change(FORGET_KEYS_TO, parameters).await.map(drop)
    }

    /// Remembers that the foreign keys to tables of which nothing is left out any more are still to be made.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub(crate) async fn ask_for_keys_to(
        &self,
        session: &Session,
        tables: &BTreeMap<RelationId, QualifiedName>,
    ) -> Result<(), PgError> {
        let relations: Vec<u32> = tables.keys().map(|relation| relation.0).collect();
        let names: Vec<String> = tables.values().map(QualifiedName::to_string).collect();
        let parameters: &[&(dyn ToSql + Sync)] = &[&self.slot_name(), &relations, &names];
        session.change(ASK_FOR_KEYS_TO, parameters).await.map(drop)
    }

    /// Adds tables that replicate from now on, and are to be copied for that.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub(crate) async fn enter(
        &self,
        session: &Session,
        tables: &[(RelationId, QualifiedName)],
    ) -> Result<(), PgError> {
        let relations: Vec<u32> = tables.iter().map(|(relation, _)| relation.0).collect();
        let schemas: Vec<&str> = tables.iter().map(|(_, name)| &*name.schema).collect();
        let names: Vec<&str> = tables.iter().map(|(_, name)| &*name.name).collect();
        let parameters: &[&(dyn ToSql + Sync)] = &[&self.slot_name(), &relations, &schemas, &names];
        session.change(ENTER, parameters).await.map(drop)
    }

    /// Remembers which tables of the target are those that replicate no longer.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub(crate) async fn leave(
        &self,
        session: &Session,
        tables: &[(RelationId, QualifiedName)],
    ) -> Result<(), PgError> {
        let relations: Vec<u32> = tables.iter().map(|(relation, _)| relation.0).collect();
        let names: Vec<String> = tables.iter().map(|(_, name)| name.quoted()).collect();
        let parameters: &[&(dyn ToSql + Sync)] = &[&self.slot_name(), &relations, &names];
        session.change(LEAVE, parameters).await.map(drop)
    }

    /// Returns what was left of these tables on the target, where it still has the name of then.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub(crate) async fn left(
        &self,
        session: &Session,
        tables: &[RelationId],
    ) -> Result<Vec<(RelationId, QualifiedName)>, PgError> {
        let rows = session
            .rows(LEFT, &[&self.slot_name(), &oids(tables)])
            .await?;
        let left = rows.iter().map(|row| {
            let name = QualifiedName::new(row.get::<_, &str>(1), row.get::<_, &str>(2));
            (RelationId(row.get(0)), name)
        });
        Ok(left.collect())
    }

    /// Says that the copy of a table finds there what was left of it, or what replicated until now.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub(crate) async fn take_back(
        &self,
        session: &Session,
        table: RelationId,
        name: &QualifiedName,
    ) -> Result<(), PgError> {
        let parameters: &[&(dyn ToSql + Sync)] = &[&self.slot_name(), &table.0, &name.quoted()];
        session.change(TAKE_BACK, parameters).await.map(drop)
    }
}
