//! Rows of a table that belongs to another role: COPY would evaluate its checks and defaults with our
//! rights. So the rows come as texts into a temporary table, where nothing is evaluated, and go from there
//! with one statement that runs as the owner.

use crate::model::{QualifiedName, quote_ident, quote_literal};
use crate::postgres::{CopySession, PgError, owner_of_table, run_as_owner};

use super::{SourceTable, copy_from};

const STAGE: &str = "pgstream_stage";

/// How one part of a table goes that way.
pub(super) struct Staging {
    /// The table as it is read: in COPY's text format.
    pub(super) rows: SourceTable,
    /// Begins the transaction on the target.
    pub(super) begin: String,
    /// Takes the rows.
    pub(super) take: String,
    /// Writes them to the table.
    pub(super) write: String,
}

impl Staging {
    /// Asks the target whose the table is. None: ours, or it has no columns to write.
    pub(super) async fn of(
        target: &mut CopySession,
        table: &SourceTable,
    ) -> Result<Option<Self>, PgError> {
        let Some(owner) = target.owner(&owner_of_table(&table.name)).await? else {
            return Ok(None);
        };
        let types = target.query(&types(table)).await?;
        let values: Vec<String> = types.into_iter().flatten().flatten().collect();
        let rows = SourceTable {
            binary_format: false,
            ..table.clone()
        };
        let role = quote_ident(&owner.name);
        Ok((!values.is_empty()).then(|| Self {
            begin: format!(
                "BEGIN; CREATE TEMPORARY TABLE {STAGE} ({}) ON COMMIT DROP; GRANT SELECT ON {STAGE} TO {role}",
                columns(table, " pg_catalog.text")
            ),
            take: copy_from(&rows, &QualifiedName::new("pg_temp", STAGE)),
            write: run_as_owner(
                owner.oid,
                &format!(
                    "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM pg_temp.{STAGE} AS s",
                    table.name.quoted(),
                    columns(table, ""),
                    values.join(", ")
                ),
            ),
            rows,
        }))
    }
}

fn columns(table: &SourceTable, behind: &str) -> String {
    let names = table.columns.iter();
    let names: Vec<String> = names.map(|name| quote_ident(name) + behind).collect();
    names.join(", ")
}

/// Each column as a value of its type on the target, without modifier: the assignment refuses what is too long.
fn types(table: &SourceTable) -> String {
    let names: Vec<String> = table
        .columns
        .iter()
        .map(|name| quote_literal(name))
        .collect();
    format!(
        "SELECT pg_catalog.format('s.%I::%I.%I', a.attname, n.nspname, t.typname) \
         FROM pg_catalog.unnest(ARRAY[{}]::pg_catalog.text[]) WITH ORDINALITY AS w (name, place) \
         JOIN pg_catalog.pg_attribute AS a ON a.attname = w.name AND a.attrelid = pg_catalog.to_regclass({}) \
         JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid \
         JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace \
         ORDER BY w.place",
        names.join(", "),
        quote_literal(&table.name.quoted())
    )
}
