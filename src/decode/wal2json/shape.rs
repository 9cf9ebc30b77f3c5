//! Puts relations together from what messages name, and keeps the last one of each table.
//!
//! An INSERT names every column. An UPDATE leaves out unchanged TOAST values and a DELETE all but
//! the key: their columns are laid over the last known ones. Where they do not fit, the table was
//! altered, and the message itself is all that is known until the next INSERT.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use hashbrown::{Equivalent, HashMap};

use crate::decode::DecodeError;
use crate::model::{Column, QualifiedName, Relation, RelationId, ReplicaIdentity};

use super::message::{Field, Message};

/// The tables met so far. One entry a name: bounded by the number of tables.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    known: HashMap<QualifiedName, Arc<Relation>>,
    ids_given: u32,
}

/// A name that is not owned, for look-ups; hashes as [`QualifiedName`] does.
struct Name<'a> {
    schema: &'a str,
    name: &'a str,
}

impl Hash for Name<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.schema.hash(state);
        self.name.hash(state);
    }
}

impl Equivalent<QualifiedName> for Name<'_> {
    fn equivalent(&self, other: &QualifiedName) -> bool {
        *self.schema == *other.schema && *self.name == *other.name
    }
}

impl Shapes {
    /// All columns; the identity is that of earlier messages, else the primary key, else every
    /// column: a table without key can only be replicated so.
    pub(super) fn of_insert(
        &mut self,
        message: &Message<'_>,
    ) -> Result<Arc<Relation>, DecodeError> {
        let fields = message.columns()?;
        let known = self.get(message)?;
        if let Some(known) = known.filter(|known| same_columns(known, fields)) {
            return Ok(Arc::clone(known));
        }
        let in_key = |name: &str| has_no_key(message) || is_primary(message, name);
        let columns = fields.iter().map(|field| column(field, &in_key)).collect();
        let identity = if has_no_key(message) {
            ReplicaIdentity::Full
        } else {
            ReplicaIdentity::Default
        };
        self.keep(message, identity, columns)
    }

    /// The known columns if the message's are some of them, else the message's own and those that
    /// only the old row names.
    pub(super) fn of_update(
        &mut self,
        message: &Message<'_>,
    ) -> Result<Arc<Relation>, DecodeError> {
        let (fields, old) = (message.columns()?, message.identity()?);
        let names: Vec<&str> = match self.get(message)? {
            Some(known) if contains(known, fields) && contains(known, old) => {
                if fits_identity(known, message, old) {
                    return Ok(Arc::clone(known));
                }
                known.columns.iter().map(|column| &*column.name).collect()
            }
            _ => merged(fields, old),
        };
        let (identity, columns) = describe(&names, message, old);
        self.keep(message, identity, columns)
    }

    /// The known columns if the old row's are some of them, else the old row's own.
    pub(super) fn of_delete(
        &mut self,
        message: &Message<'_>,
    ) -> Result<Arc<Relation>, DecodeError> {
        let old = message.identity()?;
        let names: Vec<&str> = match self.get(message)? {
            Some(known) if contains(known, old) => {
                if fits_identity(known, message, old) {
                    return Ok(Arc::clone(known));
                }
                known.columns.iter().map(|column| &*column.name).collect()
            }
            _ => merged(old, &[]),
        };
        let (identity, columns) = describe(&names, message, old);
        self.keep(message, identity, columns)
    }

    /// The known table; one never met has no columns, as none are named.
    pub(super) fn of_truncate(
        &mut self,
        message: &Message<'_>,
    ) -> Result<Arc<Relation>, DecodeError> {
        match self.get(message)? {
            Some(known) => Ok(Arc::clone(known)),
            None => self.keep(message, ReplicaIdentity::Default, Box::default()),
        }
    }

    fn get(&self, message: &Message<'_>) -> Result<Option<&Arc<Relation>>, DecodeError> {
        Ok(self.known.get(&Name {
            schema: message.schema()?,
            name: message.table()?,
        }))
    }

    fn keep(
        &mut self,
        message: &Message<'_>,
        identity: ReplicaIdentity,
        columns: Box<[Column]>,
    ) -> Result<Arc<Relation>, DecodeError> {
        let id = match self.get(message)? {
            Some(known) => known.id,
            None => {
                self.ids_given = self.ids_given.saturating_add(1);
                RelationId(self.ids_given)
            }
        };
        let name = QualifiedName::new(message.schema()?, message.table()?);
        let relation = Arc::new(Relation {
            id,
            name: name.clone(),
            identity,
            columns,
        });
        self.known.insert(name, Arc::clone(&relation));
        Ok(relation)
    }
}

/// Says which columns identify a row, from what an old row names: every column means FULL, unless
/// every column is the primary key, where both mean the same.
fn describe(
    names: &[&str],
    message: &Message<'_>,
    old: &[Field<'_>],
) -> (ReplicaIdentity, Box<[Column]>) {
    let is_default = !has_no_key(message) && old.iter().all(|f| is_primary(message, &f.name));
    let identity = if is_default {
        ReplicaIdentity::Default
    } else if old.len() == names.len() {
        ReplicaIdentity::Full
    } else {
        ReplicaIdentity::Index
    };
    let columns = names
        .iter()
        .map(|name| Column {
            name: (*name).into(),
            key: if is_default {
                is_primary(message, name)
            } else {
                old.iter().any(|field| field.name == **name)
            },
        })
        .collect();
    (identity, columns)
}

/// Whether the known relation says of the identity what this old row says.
fn fits_identity(known: &Relation, message: &Message<'_>, old: &[Field<'_>]) -> bool {
    let mut keys = known.columns.iter().filter(|column| column.key);
    match known.identity {
        ReplicaIdentity::Default => {
            let names_key_only = old.iter().all(|field| is_primary(message, &field.name));
            names_key_only && !has_no_key(message) && keys.all(|key| is_primary(message, &key.name))
        }
        ReplicaIdentity::Full => old.len() == known.columns.len(),
        ReplicaIdentity::Index | ReplicaIdentity::Nothing => keys
            .by_ref()
            .map(|key| &*key.name)
            .eq(old.iter().map(|field| &*field.name)),
    }
}

fn column(field: &Field<'_>, in_key: &impl Fn(&str) -> bool) -> Column {
    Column {
        name: field.name.as_ref().into(),
        key: in_key(&field.name),
    }
}

fn has_no_key(message: &Message<'_>) -> bool {
    message.primary_key().is_empty()
}

fn is_primary(message: &Message<'_>, name: &str) -> bool {
    message.primary_key().iter().any(|key| key.name == name)
}

fn same_columns(known: &Relation, fields: &[Field<'_>]) -> bool {
    known.columns.len() == fields.len() && contains(known, fields)
}

/// Whether the fields are some of the columns, in the same order.
fn contains(known: &Relation, fields: &[Field<'_>]) -> bool {
    let mut columns = known.columns.iter();
    fields
        .iter()
        .all(|field| columns.any(|column| *column.name == *field.name))
}

/// The names of both lists in the table's order, each once: what the new row leaves out comes
/// before the next name that both have.
fn merged<'a>(fields: &'a [Field<'_>], old: &'a [Field<'_>]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    let mut rest = old;
    for field in fields {
        if let Some(at) = rest.iter().position(|other| other.name == field.name) {
            let (before, after) = rest.split_at(at);
            names.extend(before.iter().map(|other| &*other.name));
            rest = after.get(1..).unwrap_or_default();
        }
        names.push(&field.name);
    }
    names.extend(rest.iter().map(|other| &*other.name));
    names
}
