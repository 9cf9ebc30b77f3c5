//! Who was granted what.

use serde::{Deserialize, Serialize};

use crate::model::{QualifiedName, is_protected_schema};

/// What a command changed of the privileges on one object, one column, or of those that new objects get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivilegeChange {
    /// The catalog that has the object: `pg_class`, `pg_proc` and so on.
    pub class: String,
    /// Its OID on the source.
    pub oid: u32,
    /// The kind in PostgreSQL's words, as `pg_identify_object` has it; `default privileges`.
    pub kind: String,
    /// The object as the server spells it; of default privileges what they are for: `TABLES`.
    pub identity: String,
    /// The column.
    pub column: Option<String>,
    /// Of a table, a view, or a sequence that one owns: that.
    pub table: Option<QualifiedName>,
    /// The OID of that table.
    pub table_oid: Option<u32>,
    /// Who owns the object, or makes new ones.
    pub owner: String,
    /// The schema in which default privileges count; none: everywhere.
    pub schema: Option<String>,
    /// What is granted now and was not before.
    #[serde(default)]
    pub granted: Vec<Grant>,
    /// What was granted before and is no longer.
    #[serde(default)]
    pub revoked: Vec<Grant>,
}

/// One privilege of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// `SELECT`, `USAGE` and so on.
    pub privilege: String,
    /// Who has it.
    pub to: Party,
    /// Who gave it.
    pub by: Party,
    /// `WITH GRANT OPTION`.
    #[serde(default)]
    pub grantable: bool,
}

/// Whose a privilege is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// Everybody's.
    Public,
    /// That of the object's owner, whoever it is.
    Owner,
    /// A role's.
    Role(String),
}

impl PrivilegeChange {
    /// Returns `privileges on table public.t`, for people.
    #[must_use]
    pub fn label(&self) -> String {
        match (&self.column, &self.schema) {
            (Some(column), _) => format!(
                "privileges on column {column} of {} {}",
                self.kind, self.identity
            ),
            (None, Some(schema)) if self.is_default() => format!(
                "default privileges of {} on {} in schema {schema}",
                self.owner,
                self.identity.to_lowercase()
            ),
            (None, _) if self.is_default() => format!(
                "default privileges of {} on {}",
                self.owner,
                self.identity.to_lowercase()
            ),
            (None, _) => format!("privileges on {} {}", self.kind, self.identity),
        }
    }

    /// Returns whether it is about what objects get that are yet to be made.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.class == "pg_default_acl"
    }

    /// Returns what changed, a line each, for people.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let line = |sign: &str, grant: &Grant| {
            let party = |party: &Party| match party {
                Party::Public => "PUBLIC".to_owned(),
                Party::Owner => self.owner.clone(),
                Party::Role(role) => role.clone(),
            };
            let option = if grant.grantable {
                " WITH GRANT OPTION"
            } else {
                ""
            };
            let by = match &grant.by {
                Party::Owner => String::new(),
                by => format!(" by {}", party(by)),
            };
            format!(
                "{sign} {} to {}{option}{by}",
                grant.privilege,
                party(&grant.to)
            )
        };
        let revoked = self.revoked.iter().map(move |grant| line("-", grant));
        revoked.chain(self.granted.iter().map(move |grant| line("+", grant)))
    }

    /// Returns the roles that it names.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        let grants = self.granted.iter().chain(&self.revoked);
        let parties = grants.flat_map(|grant| [&grant.to, &grant.by]);
        let roles = parties.filter_map(|party| match party {
            Party::Role(role) => Some(role.as_str()),
            Party::Public | Party::Owner => None,
        });
        roles.chain([self.owner.as_str()])
    }

    /// Returns whether it is about a schema of the server's or ours.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        let schema = match (&self.schema, &self.table) {
            (Some(schema), _) => Some(schema.as_str()),
            (None, Some(table)) => Some(&*table.schema),
            (None, None) if self.kind == "schema" => Some(self.identity.as_str()),
            (None, None) => self.identity.split_once('.').map(|(schema, _)| schema),
        };
        schema.is_some_and(is_protected_schema)
    }
}
