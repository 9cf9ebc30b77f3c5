//! One row of `pgstream.schema_log`: what one command changed.

use serde::{Deserialize, Serialize};

use crate::model::{QualifiedName, Relation, RelationId, Tuple, Value, is_protected_schema};

use super::compare::differences;
use super::description::{Constraint, Index, Object, Schema, Sequence, Table, Type};
use super::error::SchemaError;
use super::privilege::PrivilegeChange;

/// The layout of the log's JSON that this program reads.
pub const FORMAT: u32 = 1;

/// One row of the schema log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// `pgstream.schema_log.id`.
    pub id: String,
    /// A running number; not an order: the order is that of the WAL.
    pub version: i64,
    /// The schema of the first object that changed.
    pub schema_name: String,
    /// When the source's transaction began, as the source printed it (UTC is not promised).
    pub created_at: String,
    /// The command's tag, such as `ALTER TABLE`.
    pub tag: String,
    /// The command's text, for people; empty where it may hold a password.
    pub statement: String,
    /// What the command did.
    pub change: Change,
}

/// What one command did, the log row's JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The layout of this JSON.
    pub format: u32,
    /// The command's tag, such as `ALTER TABLE`.
    pub tag: String,
    /// The command's text, for people, and as a hint for what no catalog holds. Absent where it may
    /// hold a password.
    pub statement: Option<String>,
    /// Whether the command ran inside a function or a DO block.
    #[serde(default)]
    pub nested: bool,
    /// The objects that changed.
    #[serde(default)]
    pub objects: Vec<ObjectChange>,
    /// What was granted and revoked.
    #[serde(default)]
    pub privileges: Vec<PrivilegeChange>,
    /// Dropped objects of which nothing but the name is known: they are reported, never dropped, for the
    /// target may have something else under that name.
    #[serde(default)]
    pub unknown_drops: Vec<UnknownDrop>,
    /// Commands on kinds of objects that do not replicate.
    #[serde(default)]
    pub others: Vec<Other>,
    /// What the command took out of an extension, as `ALTER EXTENSION` calls it.
    #[serde(default)]
    pub released: Vec<String>,
    /// The tables (OIDs on the source) whose rows follow as [`RewrittenRows`](super::RewrittenRows).
    #[serde(default)]
    pub sends_rows: Vec<u32>,
    /// Where the first table, or part of one, stands among what the command dropped.
    #[serde(default)]
    pub first_part_dropped: i64,
    /// Where the last one stands.
    #[serde(default)]
    pub parts_dropped: i64,
    /// Tables that are called otherwise because their schema is.
    #[serde(default)]
    pub renamed_tables: Vec<RenamedTable>,
    /// The streams through which the change came to the source, as `system/slot`; none of a user's own.
    #[serde(default)]
    pub origins: Vec<String>,
    /// The source could not describe the command: nothing behind this row may be applied.
    pub failure: Option<String>,
    /// Objects that no source may change on a target, as they are called.
    #[serde(skip)]
    pub protected: Vec<String>,
    /// Objects that the target does not have, as they are called.
    #[serde(skip)]
    pub left_alone: Vec<String>,
    /// Some tables do not replicate: the target may lack foreign keys.
    #[serde(skip)]
    pub filtered: bool,
    /// The tables that foreign keys of the change point to, and of which the filter leaves a part out.
    #[serde(skip)]
    pub cut: Vec<QualifiedName>,
}

/// One object before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ObjectChange {
    /// A schema.
    Schema(Images<Schema>),
    /// A table.
    Table(Images<Table>),
    /// An index.
    Index(Images<Index>),
    /// A constraint.
    Constraint(Images<Constraint>),
    /// A sequence.
    Sequence(Images<Sequence>),
    /// A type.
    Type(Images<Type>),
    /// Anything else that one statement makes.
    Object(Images<Object>),
}

/// The two descriptions of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images<T> {
    /// The OID on the source.
    pub oid: u32,
    /// Absent for a new object.
    pub before: Option<T>,
    /// Absent for an object that is gone.
    pub after: Option<T>,
    /// The server reported the drop; an object that is gone without one was built anew.
    #[serde(default)]
    pub dropped: bool,
    /// Where it stands among what the command dropped: what needs others is behind them.
    #[serde(default)]
    pub place: i64,
    /// The server built it anew under another OID: `before` is the one that went, `after` the one that came.
    #[serde(skip)]
    pub rebuilt: bool,
}

/// An object that was dropped without ever having been described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownDrop {
    /// `table`, `index` or `sequence`.
    pub kind: String,
    /// Its schema.
    pub schema: String,
    pub name: String,
}

/// A table whose schema was renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenamedTable {
    /// Its OID on the source.
    pub oid: u32,
    pub name: String,
    /// Its schema's name before.
    pub before: String,
    /// Its schema's name after.
    pub after: String,
}

impl RenamedTable {
    /// Returns its names before and after.
    #[must_use]
    pub fn names(&self) -> (QualifiedName, QualifiedName) {
        let name = |schema: &str| QualifiedName::new(schema, self.name.as_str());
        (name(&self.before), name(&self.after))
    }
}

/// A command on a kind of object that does not replicate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    /// The command's tag.
    pub tag: String,
    /// The kind of object, absent for some commands such as GRANT.
    pub kind: Option<String>,
    /// The object, as the server spells it.
    pub identity: Option<String>,
    /// The name of a materialized view: `wal2json` shows what it is filled with.
    pub view: Option<QualifiedName>,
    /// Whether that has rows.
    pub populated: Option<bool>,
    /// The object is described besides, or follows it: nothing is left out.
    #[serde(default)]
    pub travels: bool,
    /// The tables that came with an extension.
    #[serde(default)]
    pub tables: Vec<QualifiedName>,
}

impl Entry {
    /// Reads an inserted row of `pgstream.schema_log`.
    ///
    /// # Errors
    /// [`SchemaError`] when a column is missing or the JSON is not of a known layout (class: bug).
    pub fn from_tuple(relation: &Relation, tuple: &Tuple) -> Result<Self, SchemaError> {
        let text = |name: &'static str| column_text(relation, tuple, name);
        let id = text("id")?.to_owned();
        let mut change: Change =
            serde_json::from_str(text("schema")?).map_err(|source| SchemaError::ReadEntry {
                id: id.clone(),
                source,
            })?;
        if change.format != FORMAT {
            return Err(SchemaError::UnknownFormat {
                id,
                format: change.format,
            });
        }
        change.leave_protected_alone();
        Ok(Self {
            id,
            version: text("version")?.parse().unwrap_or_default(),
            schema_name: text("schema_name")?.to_owned(),
            created_at: text("created_at")?.to_owned(),
            tag: change.tag.clone(),
            statement: change.statement.clone().unwrap_or_default(),
            change,
        })
    }

    /// Returns the objects that the command touched, by kind and name, for people.
    #[must_use]
    pub fn object_names(&self) -> Vec<String> {
        let change = &self.change;
        let unknown = change.unknown_drops.iter();
        let unknown = unknown.map(|drop| format!("{} {}.{}", drop.kind, drop.schema, drop.name));
        let others = change.others.iter();
        let others = others.map(|other| match (&other.kind, &other.identity) {
            (Some(kind), Some(identity)) => format!("{kind} {identity}"),
            _ => other.tag.clone(),
        });
        let mut names: Vec<String> = change.objects.iter().map(ObjectChange::label).collect();
        names.extend(change.privileges.iter().map(PrivilegeChange::label));
        names.extend(unknown);
        for other in others {
            if !names.contains(&other) {
                names.push(other);
            }
        }
        names
    }

    /// Returns what differs between the descriptions before and after, in lines for people.
    #[must_use]
    pub fn before_after(&self) -> String {
        let mut lines = Vec::new();
        for object in &self.change.objects {
            let images = serde_json::to_value(object).unwrap_or_default();
            let found = differences(&images["before"], &images["after"]);
            if !found.is_empty() {
                lines.push(object.label());
                lines.extend(found.into_iter().map(|line| format!("  {line}")));
            }
        }
        for privileges in &self.change.privileges {
            lines.push(privileges.label());
            lines.extend(privileges.lines().map(|line| format!("  {line}")));
        }
        lines.join("\n")
    }
}

/// Does the same with the images of whichever kind of object it is.
macro_rules! each {
    ($object:expr, $images:ident => $call:expr) => {
        match $object {
            ObjectChange::Schema($images) => $call,
            ObjectChange::Table($images) => $call,
            ObjectChange::Index($images) => $call,
            ObjectChange::Constraint($images) => $call,
            ObjectChange::Sequence($images) => $call,
            ObjectChange::Type($images) => $call,
            ObjectChange::Object($images) => $call,
        }
    };
}

impl Change {
    /// Returns the tables whose rows follow as [`RewrittenRows`](super::RewrittenRows), of those that the
    /// change is about.
    pub fn rewritten_tables(&self) -> impl Iterator<Item = (RelationId, QualifiedName)> + '_ {
        self.objects.iter().filter_map(|object| match object {
            ObjectChange::Table(images) if self.sends_rows.contains(&images.oid) => {
                let after = images.after.as_ref()?;
                Some((RelationId(images.oid), after.qualified_name()))
            }
            _ => None,
        })
    }

    /// Takes out what lies in a schema of the server's or ours: the source's triggers never describe such
    /// an object, and whatever arrives, the target's own is not touched.
    fn leave_protected_alone(&mut self) {
        let (protected, objects) = std::mem::take(&mut self.objects)
            .into_iter()
            .partition::<Vec<_>, _>(ObjectChange::is_protected);
        self.objects = objects;
        self.protected = protected.iter().map(ObjectChange::label).collect();
        self.renamed_tables.retain(|table| {
            !is_protected_schema(&table.before) && !is_protected_schema(&table.after)
        });
    }

    /// Takes out objects, by their OIDs, that the target does not have although the source had them before.
    pub fn leave_alone(&mut self, oids: &[u32]) {
        let (left, objects) = std::mem::take(&mut self.objects)
            .into_iter()
            .partition::<Vec<_>, _>(|object| {
                object.is_apart_from_rows() && object.existed() && oids.contains(&object.oid())
            });
        self.objects = objects;
        self.left_alone = left.iter().map(ObjectChange::label).collect();
        self.privileges.retain(|change| !oids.contains(&change.oid));
    }

    /// Returns what is left to do for a change that came from the target itself: nothing.
    #[must_use]
    pub fn of_the_target(&self) -> Self {
        Self {
            sends_rows: Vec::new(),
            renamed_tables: Vec::new(),
            failure: None,
            ..self.part(|_| false, false)
        }
    }

    /// Returns a change of these objects that no command of the log made.
    #[must_use]
    pub const fn of(objects: Vec<ObjectChange>) -> Self {
        Self {
            format: FORMAT,
            tag: String::new(),
            statement: None,
            nested: false,
            objects,
            privileges: Vec::new(),
            unknown_drops: Vec::new(),
            protected: Vec::new(),
            left_alone: Vec::new(),
            filtered: false,
            cut: Vec::new(),
            origins: Vec::new(),
            others: Vec::new(),
            released: Vec::new(),
            sends_rows: Vec::new(),
            first_part_dropped: 0,
            parts_dropped: 0,
            renamed_tables: Vec::new(),
            failure: None,
        }
    }

    /// Returns the part of the change that `keeps` tells to keep. What is about no object of its own
    /// stays only with `rest`.
    #[must_use]
    pub fn part(&self, keeps: impl Fn(&ObjectChange) -> bool, rest: bool) -> Self {
        let rest_of = |len: usize| if rest { len } else { 0 };
        let objects = self.objects.iter().filter(|object| keeps(object));
        Self {
            privileges: self.privileges[..rest_of(self.privileges.len())].to_vec(),
            objects: objects.cloned().collect(),
            others: self.others[..rest_of(self.others.len())].to_vec(),
            released: self.released[..rest_of(self.released.len())].to_vec(),
            unknown_drops: self.unknown_drops[..rest_of(self.unknown_drops.len())].to_vec(),
            ..self.clone()
        }
    }
}

impl ObjectChange {
    /// Returns whether the object is, or was, in a schema of the server's or ours.
    fn is_protected(&self) -> bool {
        match self {
            Self::Schema(images) => images.any(|schema| is_protected_schema(&schema.name)),
            Self::Table(images) => images.any(|table| is_protected_schema(&table.schema)),
            Self::Index(images) => images.any(|index| is_protected_schema(&index.table.schema)),
            Self::Constraint(images) => images.any(|key| is_protected_schema(&key.table.schema)),
            Self::Sequence(images) => images.any(|sequence| is_protected_schema(&sequence.schema)),
            Self::Type(images) => images.any(|made| is_protected_schema(&made.schema)),
            Self::Object(images) => images.any(Object::is_protected),
        }
    }

    /// Returns the table (OID on the source) that the object is or belongs to.
    #[must_use]
    pub fn relation(&self) -> Option<u32> {
        match self {
            Self::Schema(_) | Self::Type(_) => None,
            Self::Table(images) => Some(images.oid),
            Self::Index(images) => {
                let index = images.known().filter(|index| !index.materialized);
                index.map(|index| index.table_oid)
            }
            Self::Object(images) => images.known().and_then(|object| object.table_oid),
            Self::Sequence(images) => images.known().and_then(|sequence| sequence.table_oid),
            Self::Constraint(images) => images.known().map(|constraint| constraint.table_oid),
        }
    }

    /// Returns the table that a foreign key points to.
    #[must_use]
    pub fn referenced(&self) -> Option<u32> {
        match self {
            Self::Constraint(images) => images.known().and_then(|key| key.referenced_oid),
            Self::Schema(_)
            | Self::Type(_)
            | Self::Table(_)
            | Self::Index(_)
            | Self::Sequence(_)
            | Self::Object(_) => None,
        }
    }

    /// Returns that table's name.
    pub(crate) fn referenced_name(&self) -> Option<&QualifiedName> {
        match self {
            Self::Constraint(images) => images.known()?.referenced.as_ref(),
            _ => None,
        }
    }

    /// Returns whether the change is of something that tables are made of: a type that was altered, a
    /// schema that has another name.
    #[must_use]
    pub fn reaches_below(&self) -> bool {
        match self {
            Self::Schema(images) => {
                let name =
                    |schema: &Option<Schema>| schema.as_ref().map(|schema| schema.name.clone());
                images.before.is_some() && name(&images.before) != name(&images.after)
            }
            Self::Type(images) => images.before.is_some(),
            Self::Table(_)
            | Self::Index(_)
            | Self::Constraint(_)
            | Self::Sequence(_)
            | Self::Object(_) => false,
        }
    }

    /// Returns whether no row can depend on it, so that rows go on where the target refuses it.
    #[must_use]
    pub fn is_apart_from_rows(&self) -> bool {
        match self {
            Self::Object(_) => true,
            Self::Index(images) => images.known().is_some_and(|index| index.materialized),
            _ => false,
        }
    }

    /// Returns whether there was such an object before.
    #[must_use]
    pub const fn existed(&self) -> bool {
        each!(self, images => images.before.is_some())
    }

    /// Returns the object without its past: new, or nothing at all when it is gone.
    #[must_use]
    pub fn made_anew(&self) -> Self {
        let mut anew = self.clone();
        each!(&mut anew, images => images.before = None);
        anew
    }

    /// Returns the object as it was before, as a new one.
    #[must_use]
    pub fn before_it(&self) -> Self {
        let mut before = self.clone();
        each!(&mut before, images => images.turn_back());
        before
    }

    /// Returns the object with what another of its kind is as its past.
    #[must_use]
    pub fn with_past(&self, past: &Self) -> Self {
        let mut changed = self.clone();
        match (&mut changed, past) {
            (Self::Schema(images), Self::Schema(past)) => images.before.clone_from(&past.after),
            (Self::Table(images), Self::Table(past)) => images.before.clone_from(&past.after),
            (Self::Index(images), Self::Index(past)) => images.before.clone_from(&past.after),
            (Self::Constraint(images), Self::Constraint(past)) => {
                images.before.clone_from(&past.after);
            }
            (Self::Sequence(images), Self::Sequence(past)) => images.before.clone_from(&past.after),
            (Self::Type(images), Self::Type(past)) => images.before.clone_from(&past.after),
            (Self::Object(images), Self::Object(past)) => images.before.clone_from(&past.after),
            _ => {}
        }
        changed
    }

    /// Returns a table under another name; anything else as it is.
    #[must_use]
    pub fn called(mut self, name: &QualifiedName) -> Self {
        if let Self::Table(images) = &mut self
            && let Some(table) = &mut images.after
        {
            table.schema = name.schema.to_string();
            table.name = name.name.to_string();
        }
        self
    }

    /// Returns a sequence without an owner that is not among the tables that count; anything else as it is.
    #[must_use]
    pub fn owned_where(mut self, counts: &dyn Fn(&QualifiedName) -> bool) -> Self {
        if let Self::Sequence(images) = &mut self {
            let images = [&mut images.before, &mut images.after].into_iter();
            for sequence in images.flatten() {
                if sequence.table.as_ref().is_some_and(|table| !counts(table)) {
                    sequence.free();
                }
            }
        }
        self
    }

    /// Returns the object as one that is gone.
    #[must_use]
    pub fn dropped(&self) -> Self {
        let mut gone = self.clone();
        each!(&mut gone, images => {
            images.before = images.after.take();
            images.dropped = true;
        });
        gone
    }

    /// Returns the object's OID on the source.
    #[must_use]
    pub const fn oid(&self) -> u32 {
        each!(self, images => images.oid)
    }

    /// Returns the label that the object had before; of a new one, the one it has.
    #[must_use]
    pub fn label_before(&self) -> String {
        let mut past = self.clone();
        each!(&mut past, images => images.turn_back());
        past.label()
    }

    /// Returns `table public.test`: the kind and the name after or, for what is gone, before.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Schema(i) => i.label("schema", |s| s.name.clone()),
            Self::Table(i) => i.label("table", |t| t.qualified_name().to_string()),
            Self::Index(i) => i.label("index", |x| {
                QualifiedName::new(&*x.table.schema, x.name.as_str()).to_string()
            }),
            Self::Constraint(i) => i.label("constraint", |c| format!("{} on {}", c.name, c.table)),
            Self::Sequence(i) => i.label("sequence", |s| s.qualified_name().to_string()),
            Self::Type(i) => i.label("type", |t| t.qualified_name().to_string()),
            Self::Object(i) => i.known().map_or_else(String::new, Object::label),
        }
    }
}

impl<T> Images<T> {
    pub(super) fn any(&self, is: impl Fn(&T) -> bool) -> bool {
        self.before.iter().chain(&self.after).any(is)
    }

    /// Returns the object as it is afterwards or, if it is gone, as it was.
    #[must_use]
    pub fn known(&self) -> Option<&T> {
        self.after.as_ref().or(self.before.as_ref())
    }

    fn turn_back(&mut self) {
        if let Some(before) = self.before.take() {
            self.after = Some(before);
        }
    }

    fn label(&self, kind: &str, name: impl Fn(&T) -> String) -> String {
        self.known().map_or_else(
            || kind.to_owned(),
            |known| format!("{kind} {}", name(known)),
        )
    }
}

/// Returns a column of a row of one of our tables.
pub(super) fn column_text<'a>(
    relation: &Relation,
    tuple: &'a Tuple,
    name: &'static str,
) -> Result<&'a str, SchemaError> {
    let missing = || SchemaError::MissingColumn {
        table: relation.name.clone(),
        column: name,
    };
    let place = relation
        .columns
        .iter()
        .position(|column| &*column.name == name)
        .ok_or_else(missing)?;
    match tuple.values.get(place) {
        Some(Value::Text(bytes)) => std::str::from_utf8(bytes).ok().ok_or_else(missing),
        _ => Err(missing()),
    }
}
