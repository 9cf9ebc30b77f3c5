//! Describes objects as they are now, in the same words as the schema log.
//!
//! On an installed source the descriptions stand in `pgstream.object`, an ordinary table, so a
//! transaction with an older snapshot reads exactly what was true then, whatever other sessions do
//! to the catalogs meanwhile. Elsewhere (a source that needs no `init`, the target) the functions
//! that make them are put into the session's own temporary schema, where nobody sees them and
//! nothing remains.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use crate::model::quote_ident;
use crate::postgres::{PgError, Session};

use super::entry::{Images, ObjectChange};
use super::install;
use super::plan::ObjectNeeds;
use super::privilege::PrivilegeChange;

const NEEDED: &str = include_str!("../../assets/sql/source/snapshot/needed.sql");

const DEPENDENCIES: &str = include_str!("../../assets/sql/source/snapshot/dependencies.sql");
const EMPTY_VIEWS: &str = include_str!("../../assets/sql/source/snapshot/empty_views.sql");

/// One row where descriptions are recorded: whether our role may read them, and its name. Asks no
/// name of the schema itself, which would be refused without a right to it.
const RECORDS: &str = "\
SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE')
       AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
       AND COALESCE((
         SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege(p.oid, 'EXECUTE'))
         FROM pg_catalog.pg_proc AS p
         WHERE p.pronamespace = n.oid AND p.proname IN ('with_names', 'schema_name', 'relation_name')),
         false),
       CURRENT_USER::pg_catalog.text
FROM pg_catalog.pg_namespace AS n
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'object'
WHERE n.nspname = 'pgstream'";

/// Returns the statements, for the source, that let a role read what is recorded there.
#[must_use]
pub fn grant_descriptions(user: &str) -> String {
    let user = quote_ident(user);
    format!(
        "on the source: GRANT USAGE ON SCHEMA pgstream TO {user}; \
         GRANT SELECT ON pgstream.object TO {user}; \
         GRANT EXECUTE ON FUNCTION pgstream.with_names, pgstream.schema_name, \
         pgstream.relation_name TO {user}"
    )
}

/// Returns our role, where it may not read the descriptions that are recorded.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn closed_descriptions(session: &Session) -> Result<Option<String>, PgError> {
    let found = records(session).await?;
    Ok(found.and_then(|(readable, user)| (!readable).then_some(user)))
}

async fn records(session: &Session) -> Result<Option<(bool, String)>, PgError> {
    let row = session.row(RECORDS, &[]).await?;
    Ok(row.map(|row| (row.get(0), row.get(1))))
}

const RECORDED: &str = "\
SELECT o.oid, o.kind, pgstream.with_names(o.description)::pg_catalog.text
FROM pgstream.object AS o
WHERE o.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.oid = ANY ($1)
   OR o.class = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND o.oid = ANY ($2)
   OR o.class = 'pg_catalog.pg_type'::pg_catalog.regclass AND o.oid = ANY ($3)
   OR o.class = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND o.oid = ANY ($4)
   OR o.kind = 'object' AND o.oid = ANY ($5)";

const DESCRIBED: &str = "\
SELECT d.oid, d.kind, pg_temp.with_names(d.description)::pg_catalog.text
FROM pg_temp.describe($1, $2, $3, $4, $5) AS d";

const PRIVILEGES: &str = include_str!("../../assets/sql/source/snapshot/privileges.sql");

const OTHERS: &str = "\
SELECT pg_temp.all_objects(), ARRAY(
  SELECT i.indexrelid FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS m ON m.oid = i.indrelid AND m.relkind = 'm')";

/// A session that can describe objects.
#[derive(Debug)]
pub struct Describer<'s> {
    session: &'s Session,
    sql: &'static str,
}

/// Objects by catalog: relations, constraints, types, schemas; and functions, views and so on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Oids {
    relations: Vec<u32>,
    constraints: Vec<u32>,
    types: Vec<u32>,
    schemas: Vec<u32>,
    others: Vec<u32>,
}

/// What belongs to no table and is described along with tables: schemas, types, functions, views, and
/// sequences that no table owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Along {
    /// Nothing but what the tables need.
    Nothing,
    /// All of it.
    Everything,
    /// What is in these schemas.
    Schemas(Vec<String>),
}

impl Along {
    const fn extent(&self) -> (bool, &[String]) {
        match self {
            Self::Nothing => (false, &[]),
            Self::Everything => (true, &[]),
            Self::Schemas(schemas) => (false, schemas.as_slice()),
        }
    }
}

impl Oids {
    /// Returns those of these that are not among others.
    #[must_use]
    pub fn without(&self, others: &Self) -> Self {
        let left = |oids: &[u32], others: &[u32]| -> Vec<u32> {
            let others: HashSet<&u32> = others.iter().collect();
            oids.iter()
                .filter(|oid| !others.contains(oid))
                .copied()
                .collect()
        };
        Self {
            relations: left(&self.relations, &others.relations),
            constraints: left(&self.constraints, &others.constraints),
            types: left(&self.types, &others.types),
            schemas: left(&self.schemas, &others.schemas),
            others: left(&self.others, &others.others),
        }
    }

    /// Returns these and some more.
    #[must_use]
    pub fn and(mut self, relations: Vec<u32>, types: Vec<u32>, schemas: Vec<u32>) -> Self {
        self.relations.extend(relations);
        self.types.extend(types);
        self.schemas.extend(schemas);
        self
    }

    /// Returns these with all functions, views and so on, as the other side has them.
    #[must_use]
    pub fn and_others(mut self, others: Vec<u32>) -> Self {
        self.others = others;
        self
    }
}

/// An object cannot be described.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// The server refuses.
    #[error("cannot describe objects")]
    Ask(#[source] PgError),
    /// The role has no right to what is recorded.
    #[error("permission denied: role {user} may not read the descriptions in schema pgstream")]
    Forbidden { user: String },
    /// The description cannot be read.
    #[error("cannot read the description of {kind} {oid}")]
    Read {
        /// Kind of object.
        kind: String,
        /// Its OID.
        oid: u32,
        source: serde_json::Error,
    },
}

impl<'s> Describer<'s> {
    /// Makes ready to describe, on any server. With `exact` a role that may not read what is
    /// recorded is refused: whoever streams afterwards must know what was true in its snapshot, which
    /// the catalogs of now do not say. Without, they are good enough.
    ///
    /// # Errors
    /// [`DescribeError::Forbidden`]; by SQLSTATE: Operator where no temporary objects may be made.
    pub async fn new(session: &'s Session, exact: bool) -> Result<Self, DescribeError> {
        match records(session).await.map_err(DescribeError::Ask)? {
            Some((true, _)) => Ok(Self {
                session,
                sql: RECORDED,
            }),
            Some((false, user)) if exact => Err(DescribeError::Forbidden { user }),
            Some((false, _)) | None => {
                let temporary = Self::temporary(session).await;
                temporary.map_err(DescribeError::Ask)
            }
        }
    }

    /// Makes ready to describe by the catalogs of now, wherever descriptions are recorded.
    ///
    /// # Errors
    /// By SQLSTATE: Operator where no temporary objects may be made.
    pub async fn temporary(session: &'s Session) -> Result<Self, PgError> {
        session.run(&install::temporary_descriptions()).await?;
        Ok(Self {
            session,
            sql: DESCRIBED,
        })
    }

    /// Returns what it takes to make these tables, and what else comes along.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn needed(&self, tables: &[u32], along: &Along) -> Result<Oids, PgError> {
        let (all, schemas) = along.extent();
        let row = self.session.row(NEEDED, &[&tables, &all, &schemas]).await?;
        let oids = |at| {
            let found: Option<Option<Vec<u32>>> = row.as_ref().map(|row| row.get(at));
            found.flatten().unwrap_or_default()
        };
        Ok(Oids {
            relations: oids(0),
            constraints: oids(1),
            types: oids(2),
            schemas: oids(3),
            others: oids(4),
        })
    }

    /// Returns all functions, views and so on of the server, and the indexes of materialized views.
    ///
    /// # Errors
    /// By SQLSTATE.
    ///
    /// # Panics
    /// When it describes what is recorded.
    pub async fn others(&self) -> Result<(Vec<u32>, Vec<u32>), PgError> {
        assert_eq!(self.sql, DESCRIBED, "what is there now is asked");
        let row = self.session.row(OTHERS, &[]).await?;
        Ok(row.map_or_else(Default::default, |row| (row.get(0), row.get(1))))
    }

    /// Returns which of these objects cannot be made without which other, where other kinds than tables and types
    /// are concerned.
    ///
    /// # Errors
    /// By SQLSTATE.
    pub async fn dependencies(&self, objects: &[ObjectChange]) -> Result<ObjectNeeds, PgError> {
        let oids: Vec<u32> = objects.iter().map(ObjectChange::oid).collect();
        let rows = self.session.rows(DEPENDENCIES, &[&oids]).await?;
        let others = objects
            .iter()
            .filter(|object| matches!(object, ObjectChange::Object(_)));
        let others: HashSet<u32> = others.map(ObjectChange::oid).collect();
        let pairs = rows.iter().map(|row| (row.get(0), row.get(1)));
        let pairs = pairs.filter(|(one, other)| others.contains(one) || others.contains(other));
        let mut needs = ObjectNeeds {
            pairs: pairs.collect(),
            empty_views: HashMap::new(),
        };
        let cycles = needs.break_cycles(objects);
        if !cycles.is_empty() {
            let rows = self.session.rows(EMPTY_VIEWS, &[&cycles]).await?;
            needs.empty_views = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        }
        Ok(needs)
    }

    /// Returns what is granted on these objects, and by default on new ones where all or whole schemas come
    /// along, as what a command did that granted all of it.
    ///
    /// # Errors
    /// [`DescribeError`].
    pub async fn privileges(
        &self,
        objects: &[ObjectChange],
        along: &Along,
    ) -> Result<Vec<PrivilegeChange>, DescribeError> {
        let oids: Vec<u32> = objects.iter().map(ObjectChange::oid).collect();
        let (all, schemas) = along.extent();
        let rows = self
            .session
            .rows(PRIVILEGES, &[&oids, &all, &schemas])
            .await;
        let rows = rows.map_err(DescribeError::Ask)?;
        let read = |row: &tokio_postgres::Row| {
            serde_json::from_str(row.get(0)).map_err(|source| DescribeError::Read {
                kind: "privileges".to_owned(),
                oid: 0,
                source,
            })
        };
        rows.iter().map(read).collect()
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
            others,
        } = oids;
        let rows = self
            .session
            .rows(self.sql, &[relations, constraints, types, schemas, others])
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
            place: 0,
            rebuilt: false,
        })
    }
    let read = match kind {
        "schema" => new(oid, description).map(ObjectChange::Schema),
        "table" => new(oid, description).map(ObjectChange::Table),
        "index" => new(oid, description).map(ObjectChange::Index),
        "constraint" => new(oid, description).map(ObjectChange::Constraint),
        "sequence" => new(oid, description).map(ObjectChange::Sequence),
        "object" => new(oid, description).map(ObjectChange::Object),
        _ => new(oid, description).map(ObjectChange::Type),
    };
    read.map_err(|source| DescribeError::Read {
        kind: kind.to_owned(),
        oid,
        source,
    })
}
