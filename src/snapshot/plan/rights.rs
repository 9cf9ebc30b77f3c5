//! What the role must be allowed on the source besides reading the tables themselves.
//!
//! Asked before anything is touched: the value of a sequence is read when the rows are there, and a
//! refusal then would come hours late.

use crate::model::{QualifiedName, quote_ident};
use crate::postgres::{PgError, Session};
use crate::schema::ObjectChange;
use crate::snapshot::SourceTable;

use super::error::PlanError;
use super::preflight::Note;

/// The server asks in any order, and the right to something else than a sequence is an error.
const UNREADABLE: &str = "\
SELECT CURRENT_USER::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = ANY ($1)
  AND CASE c.relkind WHEN 'S' THEN NOT pg_catalog.has_sequence_privilege(c.oid, 'SELECT') END
ORDER BY 2, 3";

/// Sequences whose values our role may not read.
struct Unreadable {
    user: String,
    names: Vec<QualifiedName>,
}

impl Unreadable {
    async fn among(
        source: &Session,
        objects: impl Iterator<Item = &ObjectChange>,
    ) -> Result<Option<Self>, PlanError> {
        let sequences = objects.filter_map(|object| match object {
            ObjectChange::Sequence(images) => Some(images.oid),
            _ => None,
        });
        let sequences: Vec<u32> = sequences.collect();
        let rows = source.rows(UNREADABLE, &[&sequences]).await;
        let rows = rows.map_err(PlanError::Source)?;
        let name = |row: &tokio_postgres::Row| {
            QualifiedName::new(row.get::<_, &str>(1), row.get::<_, &str>(2))
        };
        Ok(rows.first().map(|row| Self {
            user: row.get(0),
            names: rows.iter().map(name).collect(),
        }))
    }
}

/// Refuses sequences whose values cannot be read.
pub(crate) async fn require_sequences(
    source: &Session,
    objects: impl Iterator<Item = &ObjectChange>,
) -> Result<(), PlanError> {
    match Unreadable::among(source, objects).await? {
        Some(Unreadable { user, names }) => Err(PlanError::Sequences {
            user,
            sequences: names.iter().map(QualifiedName::to_string).collect(),
        }),
        None => Ok(()),
    }
}

/// Returns what is to be known of sequences that no table needs and whose values cannot be read: they are
/// made, and begin at their start.
pub(crate) async fn closed_sequences(
    source: &Session,
    objects: impl Iterator<Item = &ObjectChange>,
) -> Result<Vec<Note>, PlanError> {
    let Some(Unreadable { user, names }) = Unreadable::among(source, objects).await? else {
        return Ok(Vec::new());
    };
    let note = |name: &QualifiedName| Note {
        object: format!("sequence {name}"),
        message: format!(
            "role {user} may not read its value, and it begins at its start; on the source: \
             GRANT SELECT ON SEQUENCE {} TO {}",
            name.quoted(),
            quote_ident(&user)
        ),
    };
    Ok(names.iter().map(note).collect())
}

const HIDDEN: &str = "\
SELECT c.oid, CURRENT_USER::pg_catalog.text
FROM pg_catalog.pg_class AS c
WHERE c.oid = ANY ($1) AND pg_catalog.row_security_active(c.oid)";

/// Returns what is to be known of tables whose row security hides rows from our role: half a table is
/// not a copy, and the server will refuse to read them.
pub(crate) async fn hidden_rows(
    source: &Session,
    tables: &[SourceTable],
) -> Result<Vec<Note>, PgError> {
    let oids: Vec<u32> = tables.iter().map(|table| table.relation.0).collect();
    let rows = source.rows(HIDDEN, &[&oids]).await?;
    let note = |row: &tokio_postgres::Row| {
        let (oid, user): (u32, String) = (row.get(0), row.get(1));
        let table = tables.iter().find(|table| table.relation.0 == oid)?;
        Some(Note::of_table(
            &table.name,
            format!(
                "row security applies to role {user}, and half a table is not copied; \
                 on the source: ALTER ROLE {} BYPASSRLS",
                quote_ident(&user)
            ),
        ))
    };
    Ok(rows.iter().filter_map(note).collect())
}

/// What to say of a sequence that could be read when the copy began.
pub(crate) async fn sequence_refused(source: &Session, object: &str) -> Result<PlanError, PgError> {
    let row = source
        .row("SELECT CURRENT_USER::pg_catalog.text", &[])
        .await?;
    let name = object.strip_prefix("sequence ").unwrap_or(object);
    Ok(PlanError::Sequences {
        user: row.map_or_else(String::new, |row| row.get(0)),
        sequences: vec![name.to_owned()],
    })
}
