//! The tables of the source as it has them when a session begins.

use std::collections::HashSet;

use crate::engine::EngineError;
use crate::engine::source_tables::SourceTable;
use crate::model::{Classify as _, ErrorClass, QualifiedName, RelationId};
use crate::postgres::Session;

use super::source_errors::SourceErrors;

const TABLES: &str = "\
SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.relkind OPERATOR(pg_catalog.=) 'p',
       pn.nspname::pg_catalog.text, p.relname::pg_catalog.text, pg_catalog.quote_ident(e.extname), c.oid
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_inherits AS i ON c.relispartition AND i.inhrelid = c.oid
LEFT JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
LEFT JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
LEFT JOIN pg_catalog.pg_depend AS d
  ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.oid >= 16384
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgstream')";

/// Those of the tables that were ours before they were put into an extension.
const OURS: &str = "\
SELECT o.oid FROM pgstream.object AS o
WHERE o.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.oid = ANY ($1)";

/// Returns every table of users.
pub(super) async fn of_source(
    source: &Session,
    errors: &SourceErrors<'_>,
) -> Result<Vec<SourceTable>, EngineError> {
    let rows = source.rows(TABLES, &[]).await;
    let rows = rows.map_err(|error| errors.failed("ask for tables", error))?;
    let of_extensions = rows
        .iter()
        .filter(|row| row.get::<_, Option<&str>>(5).is_some());
    let members: Vec<u32> = of_extensions.map(|row| row.get(6)).collect();
    // Where nothing is recorded, or our role may not look, none is known to be ours.
    let ours: HashSet<u32> = match members.is_empty() {
        true => HashSet::new(),
        false => match source.rows(OURS, &[&members]).await {
            Ok(rows) => rows.iter().map(|row| row.get(0)).collect(),
            Err(error) if error.class() == ErrorClass::Transient => {
                return Err(errors.failed("ask for tables", error));
            }
            Err(_) => HashSet::new(),
        },
    };
    let table = |row: &tokio_postgres::Row| {
        let schema: Option<&str> = row.get(3);
        let extension: Option<String> = row.get(5);
        SourceTable {
            relation: RelationId(row.get(6)),
            name: QualifiedName::new(row.get::<_, &str>(0), row.get::<_, &str>(1)),
            partitioned: row.get(2),
            parent: schema.map(|schema| QualifiedName::new(schema, row.get::<_, &str>(4))),
            extension: extension.filter(|_| !ours.contains(&row.get(6))),
        }
    };
    Ok(rows.iter().map(table).collect())
}
