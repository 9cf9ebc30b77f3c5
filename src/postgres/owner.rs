//! Runs statements on a table as the role that owns it (`PGSTREAM_POSTGRES_WRITER_RUN_AS_OWNER`): checks,
//! defaults and other expressions that a user of the source wrote then have that role's rights.
//!
//! `SET ROLE` alone would not hold them: an expression may set the role back, and then it has ours. What a
//! function runs with its owner's rights cannot. So each owner has such a function in schema `pgstream`,
//! which no owner may use: he cannot name it, so he cannot change it.

use std::sync::LazyLock;

use crate::model::{QualifiedName, quote_ident, quote_literal};

use super::TextRow;
use super::error::PgError;
use super::pins::pins_for_anybody;

static BODY: LazyLock<String> = LazyLock::new(|| {
    include_str!("../../assets/sql/target/as_owner.sql").replace("$pins", &pins_for_anybody())
});

/// A condition on `pg_proc AS p`: a function of ours as it was made, out of its owner's reach.
pub(super) static IS_OURS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "(p.proname = pg_catalog.concat('as_owner_', p.proowner) AND p.prosecdef AND p.prosrc = {} \
          AND p.proconfig = ARRAY['search_path=\"\"'] \
          AND (SELECT r.rolsuper OR NOT pg_catalog.has_schema_privilege(r.oid, 'pgstream', 'USAGE') \
               FROM pg_catalog.pg_roles AS r WHERE r.oid = p.proowner))",
        quote_literal(&BODY)
    )
});

/// A role other than ours that owns a table or a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    pub oid: u32,
    pub name: String,
    /// Its function is there.
    ready: bool,
    /// It may use our schema, and could change what is there of its own.
    exposed: bool,
}

/// Returns the question for the role that owns a table, if it is not ours.
#[must_use]
pub fn owner_of_table(table: &QualifiedName) -> String {
    owner_of_relation(&table.quoted())
}

fn owner_of_relation(quoted: &str) -> String {
    let name = quote_literal(quoted);
    question(&format!(
        "SELECT c.relowner FROM pg_catalog.pg_class AS c WHERE c.oid = pg_catalog.to_regclass({name})"
    ))
}

fn owner_of_domain(quoted: &str) -> String {
    let name = quote_literal(quoted);
    question(&format!(
        "SELECT t.typowner FROM pg_catalog.pg_type AS t WHERE t.oid = pg_catalog.to_regtype({name})"
    ))
}

/// Returns the question for the owner of what a statement of ours alters, where it evaluates expressions for
/// the rows that are there. None: it does not, or the server itself takes the owner's rights, as it does for
/// indexes and foreign keys.
#[must_use]
pub fn owner_of_evaluated(sql: &str) -> Option<String> {
    let table = sql.strip_prefix("ALTER TABLE ");
    let table = table.map(|rest| rest.strip_prefix("ONLY ").unwrap_or(rest));
    let domain = sql.strip_prefix("ALTER DOMAIN ");
    let (name, clause) = split_name(table.or(domain)?)?;
    let evaluates = match clause.strip_prefix("ADD CONSTRAINT ") {
        Some(constraint) => {
            let definition = split_identifier(constraint).map_or("", |(_, rest)| rest);
            !definition.trim_start().starts_with("FOREIGN KEY")
        }
        None => {
            clause.starts_with("VALIDATE CONSTRAINT ")
                || clause.starts_with("ADD COLUMN ")
                || clause.starts_with("ALTER COLUMN ") && clause.contains(" TYPE ")
        }
    };
    evaluates.then(|| match domain {
        Some(_) => owner_of_domain(name),
        None => owner_of_relation(name),
    })
}

/// Splits `"schema"."name" rest`.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let (_, behind_schema) = split_identifier(text)?;
    let (_, rest) = split_identifier(behind_schema.strip_prefix('.')?)?;
    let name = &text[..text.len() - rest.len()];
    Some((name, rest.trim_start()))
}

/// Splits `"identifier"rest`.
fn split_identifier(text: &str) -> Option<(&str, &str)> {
    let mut quotes = text.strip_prefix('"')?.match_indices('"').peekable();
    while let Some((at, _)) = quotes.next() {
        match quotes.peek() {
            Some((next, _)) if *next == at + 1 => drop(quotes.next()),
            Some(_) | None => return text.split_at_checked(at + 2),
        }
    }
    None
}

fn question(owner: &str) -> String {
    format!(
        "SELECT r.oid::pg_catalog.text, r.rolname, \
                EXISTS (SELECT FROM pg_catalog.pg_proc AS p \
                        JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname = 'pgstream' \
                        WHERE p.proowner = r.oid AND {}), \
                NOT r.rolsuper AND EXISTS (SELECT FROM pg_catalog.pg_namespace AS n \
                        WHERE n.nspname = 'pgstream' AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')) \
         FROM pg_catalog.pg_roles AS r \
         WHERE r.oid = ({owner}) AND r.rolname <> CURRENT_USER",
        &*IS_OURS
    )
}

impl Owner {
    /// Reads the answer. A role that could change its own function is refused.
    pub(super) fn read(object: &str, rows: &[TextRow]) -> Result<Option<Self>, PgError> {
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        let owner = Self {
            oid: text(0).parse().unwrap_or_default(),
            name: text(1),
            ready: text(2) == "t",
            exposed: text(3) == "t",
        };
        if owner.exposed {
            return Err(PgError::Strangers {
                object: object.to_owned(),
                what: format!(
                    "role {} may use schema pgstream, where the function is that runs what is its own",
                    owner.name
                ),
                fix: format!(
                    "REVOKE USAGE ON SCHEMA pgstream FROM {}",
                    quote_ident(&owner.name)
                ),
            });
        }
        Ok(Some(owner))
    }

    /// Returns the script that makes the role's function, where it is missing. It takes to be a member of
    /// the role.
    pub(super) fn preparation(&self) -> Option<String> {
        let (function, role) = (self.function(), quote_ident(&self.name));
        let signature = format!("{function}(pg_catalog.text, pg_catalog.text[])");
        (!self.ready).then(|| {
            format!(
                "BEGIN;
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('pgstream.as_owner'));
CREATE OR REPLACE FUNCTION {function}(statement pg_catalog.text, parameters pg_catalog.text[])
RETURNS pg_catalog.int8 LANGUAGE plpgsql SECURITY DEFINER SET search_path = ''
AS {};
REVOKE ALL ON FUNCTION {signature} FROM PUBLIC;
GRANT CREATE ON SCHEMA pgstream TO {role};
ALTER FUNCTION {signature} OWNER TO {role};
REVOKE CREATE ON SCHEMA pgstream FROM {role};
COMMIT;",
                quote_literal(&BODY).trim_start()
            )
        })
    }

    fn function(&self) -> String {
        format!("pgstream.as_owner_{}", self.oid)
    }
}

/// Returns the statement that runs a text with an array of parameters, `($1)[1]` and so on, as this role, and
/// gives the number of rows.
#[must_use]
pub fn call_as_owner(owner: u32) -> String {
    format!("SELECT pgstream.as_owner_{owner}($1::pg_catalog.text, $2::pg_catalog.text[])")
}

/// Returns the statement that runs one without parameters.
#[must_use]
pub fn run_as_owner(owner: u32, sql: &str) -> String {
    format!(
        "SELECT pgstream.as_owner_{owner}({}, '{{}}')",
        quote_literal(sql)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_evaluate_expressions_of_rows_are_recognised() {
        let check = |sql: &str, name: Option<&str>| {
            let found = owner_of_evaluated(sql);
            assert_eq!(found.is_some(), name.is_some(), "{sql}");
            if let (Some(found), Some(name)) = (found, name) {
                assert!(found.contains(&quote_literal(name)), "{found}");
            }
        };
        let table = r#""s"."a"" b""#;
        for clause in [
            r#"ADD CONSTRAINT "c" CHECK (f(x))"#,
            r#"ADD CONSTRAINT "FOREIGN KEY" CHECK (true)"#,
            r#"VALIDATE CONSTRAINT "c""#,
            r#"ADD COLUMN "x" integer DEFAULT 1"#,
            r#"ALTER COLUMN "x" TYPE text"#,
        ] {
            check(&format!("ALTER TABLE {table} {clause}"), Some(table));
            check(&format!("ALTER TABLE ONLY {table} {clause}"), Some(table));
        }
        for clause in [
            r#"ADD CONSTRAINT "c" FOREIGN KEY (a) REFERENCES t"#,
            r#"RENAME COLUMN "a" TO "b""#,
            r#"ALTER COLUMN "x" SET DEFAULT 1"#,
            r#"SET SCHEMA "s""#,
        ] {
            check(&format!("ALTER TABLE {table} {clause}"), None);
        }
        let domain = r#"ALTER DOMAIN "s"."d" ADD CONSTRAINT "c" CHECK (VALUE > 0)"#;
        check(domain, Some(r#""s"."d""#));
        check(r#"CREATE INDEX "i" ON "s"."t" (f(x))"#, None);
    }
}
