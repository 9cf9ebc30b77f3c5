//! Describes objects as they are now, in the same words as the schema log.
//!
//! On an installed source the descriptions stand in `pgstream.object`, an ordinary table, so a
//! transaction with an older snapshot reads exactly what was true then, whatever other sessions do
//! to the catalogs meanwhile. Elsewhere (a source that needs no `init`, the target) the functions
//! that make them are put into the session's own temporary schema, where nobody sees them and
//! nothing remains.

use serde::Deserialize;

use super::entry::{Images, ObjectChange};
use super::install;
use crate::postgres::{PgError, Session};

const NEEDED: &str = include_str!("../../assets/sql/source/snapshot/needed.sql");

const INSTALLED: &str = "SELECT pg_catalog.to_regclass('pgstream.object') IS NOT NULL";

const RECORDED: &str = "\
SELECT o.oid, o.kind, pgstream.with_names(o.description)::pg_catalog.text
FROM pgstream.object AS o
WHERE o.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.oid = ANY ($1)
   OR o.class = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND o.oid = ANY ($2)
   OR o.class = 'pg_catalog.pg_type'::pg_catalog.regclass AND o.oid = ANY ($3)
   OR o.class = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND o.oid = ANY ($4)";

const DESCRIBED: &str = "\
SELECT d.oid, d.kind, pg_temp.with_names(d.description)::pg_catalog.text
FROM pg_temp.describe($1, $2, $3, $4) AS d";

/// A session that can describe objects.
#[derive(Debug)]
pub struct Describer<'s> {
    session: &'s Session,
    sql: &'static str,
}

/// Objects by catalog: relations, constraints, types, schemas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Oids {
    relations: Vec<u32>,
    constraints: Vec<u32>,
    types: Vec<u32>,
    schemas: Vec<u32>,
}

impl Oids {
    /// Returns these and some more.
    #[must_use]
    pub fn and(mut self, relations: Vec<u32>, types: Vec<u32>, schemas: Vec<u32>) -> Self {
        self.relations.extend(relations);
        self.types.extend(types);
        self.schemas.extend(schemas);
        self
    }
}

/// An object cannot be described.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// The server refuses.
    #[error("cannot describe objects")]
    Ask(#[source] PgError),
    /// The description cannot be read.
    #[error("cannot read the description of {kind} {oid}")]
    Read {
        /// Kind of object.
        kind: String,
        /// Its OID.
        oid: u32,
        /// Why.
        source: serde_json::Error,
    },
}

impl<'s> Describer<'s> {
    /// Makes ready to describe, on any server.
    ///
    /// # Errors
    /// By SQLSTATE: Operator where no temporary objects may be made.
    pub async fn new(session: &'s Session) -> Result<Self, PgError> {
        let installed = session.row(INSTALLED, &[]).await?;
        if installed.is_some_and(|row| row.get(0)) {
            return Ok(Self {
                session,
                sql: RECORDED,
            });
        }
        Self::temporary(session).await
    }

    /// Makes ready to describe by the catalogs of now, wherever descriptions are recorded.
    ///
    /// # Errors
    /// As [`Describer::new`].
    pub async fn temporary(session: &'s Session) -> Result<Self, PgError> {
        session.run(&install::temporary_descriptions()).await?;
        Ok(Self {
            session,
            sql: DESCRIBED,
        })
    }

    /// Returns what it takes to make these tables; `everything` adds all schemas, types and free
    /// sequences.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn needed(&self, tables: &[u32], everything: bool) -> Result<Oids, PgError> {
        let row = self.session.row(NEEDED, &[&tables, &everything]).await?;
        let oids = |at| {
            let found: Option<Option<Vec<u32>>> = row.as_ref().map(|row| row.get(at));
            found.flatten().unwrap_or_default()
        };
        Ok(Oids {
            relations: oids(0),
            constraints: oids(1),
            types: oids(2),
            schemas: oids(3),
        })
    }

    /// Describes these objects, each as new.
    ///
    /// # Errors
    /// [`DescribeError`].
    pub async fn describe(&self, oids: &Oids) -> Result<Vec<ObjectChange>, DescribeError> {
        let Oids {
            relations,
            constraints,
            types,
            schemas,
        } = oids;
        let rows = self
            .session
            .rows(self.sql, &[relations, constraints, types, schemas])
            .await;
        let rows = rows.map_err(DescribeError::Ask)?;
        rows.iter()
            .map(|row| read(row.get(0), row.get(1), row.get(2)))
            .collect()
    }
}

fn read(oid: u32, kind: &str, description: &str) -> Result<ObjectChange, DescribeError> {
    fn new<'t, T: Deserialize<'t>>(oid: u32, text: &'t str) -> serde_json::Result<Images<T>> {
        Ok(Images {
            oid,
            before: None,
            after: Some(serde_json::from_str(text)?),
            dropped: false,
        })
    }
    let read = match kind {
        "schema" => new(oid, description).map(ObjectChange::Schema),
        "table" => new(oid, description).map(ObjectChange::Table),
        "index" => new(oid, description).map(ObjectChange::Index),
        "constraint" => new(oid, description).map(ObjectChange::Constraint),
        "sequence" => new(oid, description).map(ObjectChange::Sequence),
        _ => new(oid, description).map(ObjectChange::Type),
    };
    read.map_err(|source| DescribeError::Read {
        kind: kind.to_owned(),
        oid,
        source,
    })
}
