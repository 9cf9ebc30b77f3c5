//! Names of database objects and the only two functions that put text into SQL.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The schema of everything that is ours, on either side.
pub const OUR_SCHEMA: &str = "pgstream";

/// Returns whether nothing that comes from a source may reach this schema of a target: it is ours, the
/// server's (users cannot make one that begins with `pg_`), or of one session.
#[must_use]
pub fn is_protected_schema(schema: &str) -> bool {
    schema == OUR_SCHEMA || schema == "information_schema" || schema.starts_with("pg_")
}

/// The schema and name of an object, as the catalog spells them (never quoted, never folded).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QualifiedName {
    /// Schema (`pg_namespace.nspname`).
    pub schema: Arc<str>,
    /// Name inside the schema, such as `pg_class.relname`.
    pub name: Arc<str>,
}

impl QualifiedName {
    /// Joins a schema and a name, both as the catalog spells them.
    #[must_use]
    pub fn new(schema: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
        }
    }

    /// Returns the name quoted for SQL: `"public"."Order items"`.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("{}.{}", quote_ident(&self.schema), quote_ident(&self.name))
    }
}

/// For people: quoted only where SQL would need it.
impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |part: &str| {
            let mut bytes = part.bytes();
            bytes
                .next()
                .is_some_and(|b| b.is_ascii_lowercase() || b == b'_')
                && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        let show = |part: &str| {
            if plain(part) {
                part.to_owned()
            } else {
                quote_ident(part)
            }
        };
        write!(f, "{}.{}", show(&self.schema), show(&self.name))
    }
}

/// Returns `name` as a quoted identifier. Always quotes: a name that is a keyword in one version
/// of PostgreSQL and not in another means the same on both (manual, section 4.1.1).
#[must_use]
pub fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns `text` as a string literal that means the same whatever
/// `standard_conforming_strings` says (manual, section 4.1.2.2).
#[must_use]
pub fn quote_literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!(" E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

/// Returns the statement that runs a PL/pgSQL block. A block between dollars ends where a name in it
/// says so.
#[must_use]
pub fn do_block(block: &str) -> String {
    format!("DO {}", quote_literal(block).trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_survives_quotes_backslashes_and_keywords() {
        assert_eq!(quote_ident("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\b"), " E'a\\\\b'");
        assert_eq!(
            do_block(&format!("BEGIN {}; END", quote_ident("$do$'"))),
            "DO 'BEGIN \"$do$''\"; END'"
        );
        assert_eq!(
            QualifiedName::new("public", "Order items").to_string(),
            "public.\"Order items\""
        );
        assert_eq!(
            QualifiedName::new("public", "order").quoted(),
            "\"public\".\"order\""
        );
    }
}
