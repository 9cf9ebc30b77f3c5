//! Tables that the source made without raising an event: `EXPLAIN ANALYZE CREATE TABLE … AS` does, and whatever ran
//! while event triggers were off. Their rows arrive, and nothing says what they are rows of.
//!
//! The catalogs of the source tell what such a table is by now. From then on it counts as described there, and
//! the next command on it is a change like any other; one that came before is compared with what was made here.

use std::sync::Arc;

use tracing::{debug, info};

use crate::apply::ApplyError;
use crate::engine::EngineError;
use crate::model::{Classify as _, ErrorClass, QualifiedName, Relation};
use crate::postgres::{self, PgError, Session};
use crate::schema::{self, Change, DescribeError, Describer, Entry, ObjectChange, Oids};

use super::Applier;

/// The table, and whether it was described before an entry that the target has yet to see.
const FIND: &str = "\
SELECT c.oid,
       EXISTS (SELECT FROM pgstream.object AS o
                WHERE o.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.oid = c.oid)
       AND NOT EXISTS (
         SELECT FROM pgstream.schema_log AS l
         CROSS JOIN pg_catalog.jsonb_array_elements(l.schema -> 'objects') AS o
         WHERE NOT l.acked AND o ->> 'kind' = 'table' AND NOT o ? 'before'
           AND (o ->> 'oid')::pg_catalog.oid = c.oid)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r'";

/// A user's session may hold the table.
const IDENTIFY: &str = "\
SET lock_timeout = '200ms'; SELECT pgstream.keep_identity($oid); RESET lock_timeout";

impl Applier {
    /// Makes the tables whose rows still wait for an entry of the log when their transaction ends.
    pub(super) async fn make_unannounced(&mut self) -> Result<(), EngineError> {
        let waiting: Vec<_> = self.held.relations().map(Arc::clone).collect();
        if waiting.is_empty() || !self.router.follows_schema() {
            return Ok(());
        }
        let endpoint = self.source.endpoint();
        let failed = |source| EngineError::Source {
            operation: "describe a table that no command announced",
            endpoint: endpoint.clone(),
            source,
        };
        let session = postgres::connect(&self.source, "pgstream").await;
        let session = session.map_err(failed)?;
        for relation in &waiting {
            let name = self.router.name_now(relation);
            match find(&session, &name).await {
                Ok(Found::Unannounced(object)) => self.make(*object).await?,
                Ok(Found::Gone) => self.let_go(relation, &name)?,
                Ok(Found::Announced) => {}
                Err(error) if error.class() == ErrorClass::Transient => return Err(failed(error)),
                // It is reported as a table that is not here.
                Err(error) => debug!(target: "schema", table = %name, %error, "cannot describe it"),
            }
        }
        self.router.forget();
        self.release_held().await
    }

    async fn make(&mut self, object: ObjectChange) -> Result<(), EngineError> {
        info!(target: "schema", object = object.label(), "a table that no command announced is made");
        let oid = object.oid();
        if let ObjectChange::Table(images) = &object {
            let table = images.after.clone();
            self.unannounced.extend(table.map(|table| (oid, table)));
        }
        let mut entry = Entry {
            id: String::new(),
            version: 0,
            schema_name: String::new(),
            created_at: String::new(),
            tag: String::new(),
            statement: String::new(),
            change: Change::of(vec![object]),
        };
        self.router.meet(&mut entry);
        let selects = |name: &QualifiedName| self.router.selects(name);
        let plan =
            schema::plan(&entry, &selects).map_err(|source| EngineError::Schema { source })?;
        for step in &plan.steps {
            self.run(&step.object, &step.sql).await?;
        }
        Ok(())
    }

    /// It is gone since, and so are its rows.
    fn let_go(&mut self, relation: &Relation, name: &QualifiedName) -> Result<(), EngineError> {
        info!(target: "schema", table = %name, "a table that no command announced is gone by now");
        let rows = self.held.take(relation.id);
        rows.map(drop)
            .map_err(|error: ApplyError| self.failed(error))
    }

    /// A command on such a table that was not yet described on the source is a change of what was made here.
    pub(super) fn with_unannounced(&mut self, entry: &mut Entry) {
        for object in &mut entry.change.objects {
            if let ObjectChange::Table(images) = object
                && let Some(table) = self.unannounced.remove(&images.oid)
                && images.before.is_none()
            {
                images.before = Some(table);
            }
        }
    }
}

/// What the source knows of a table whose rows came and that is not on the target.
enum Found {
    /// An entry told of it, or it was there before there was a log: the target should have it.
    Announced,
    /// None did; this is what it is by now.
    Unannounced(Box<ObjectChange>),
    /// It is not there any more.
    Gone,
}

/// Looks for a table, and takes care that the source counts it as described.
async fn find(session: &Session, name: &QualifiedName) -> Result<Found, PgError> {
    let Some(row) = session.row(FIND, &[&&*name.schema, &&*name.name]).await? else {
        return Ok(Found::Gone);
    };
    if row.get(1) {
        return Ok(Found::Announced);
    }
    let oid: u32 = row.get(0);
    let identified = session
        .run(&IDENTIFY.replace("$oid", &oid.to_string()))
        .await;
    identified.or_else(forgiven)?;
    let describer = Describer::temporary(session).await?;
    let oids = Oids::default().and(vec![oid], Vec::new(), Vec::new());
    let objects = match describer.describe(&oids).await {
        Ok(objects) => objects,
        Err(DescribeError::Ask(error)) => return Err(error),
        Err(DescribeError::Forbidden { .. } | DescribeError::Read { .. }) => Vec::new(),
    };
    session
        .run("SELECT pgstream.adopt()")
        .await
        .or_else(forgiven)?;
    let object = objects.into_iter().next();
    Ok(object.map_or(Found::Gone, |object| Found::Unannounced(Box::new(object))))
}

/// What only the owner of the installation may do, or what somebody's lock is in the way of, is left undone.
fn forgiven(error: PgError) -> Result<(), PgError> {
    match error.class() {
        ErrorClass::Transient if error.code() != Some(postgres::sqlstate::LOCK_NOT_AVAILABLE) => {
            Err(error)
        }
        _ => Ok(()),
    }
}
