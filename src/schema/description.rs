//! What the source says of one object, as the functions in `assets/sql` put it into the schema log.
//! Plain data: names as of the command, OIDs and hashes for comparing.
//!
//! Two descriptions of one object are compared field by field, and never by a text that mentions
//! another object: a rename elsewhere changes such texts and nothing else.

use serde::{Deserialize, Serialize};

use crate::model::{QualifiedName, is_protected_schema, quote_ident};

/// A schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    pub name: String,
    /// Its owner.
    #[serde(default)]
    pub owner: String,
    /// `COMMENT ON SCHEMA`.
    pub comment: Option<String>,
}

/// A table, partitioned or not, with its columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its schema's name.
    pub schema: String,
    pub name: String,
    /// `LIST (region)` for a partitioned table.
    pub partition_key: Option<String>,
    /// `FOR VALUES …` or `DEFAULT` for a partition.
    pub partition_bound: Option<String>,
    /// `p` permanent, `u` unlogged.
    pub persistence: String,
    /// `heap`; absent for a partitioned table that names none.
    pub access_method: Option<String>,
    /// The composite type of a typed table.
    pub of_type: Option<String>,
    /// Storage parameters, each `name=value`.
    #[serde(default)]
    pub options: Vec<String>,
    /// Storage parameters of the TOAST table.
    #[serde(default)]
    pub toast_options: Vec<String>,
    /// The tables that this one inherits from, in order; the one parent of a partition.
    #[serde(default)]
    pub parents: Vec<Parent>,
    /// `d` default, `n` nothing, `f` full, `i` index.
    pub replica_identity: String,
    /// Its owner.
    #[serde(default)]
    pub owner: String,
    /// `ENABLE ROW LEVEL SECURITY`; not replicated yet.
    #[serde(default)]
    pub row_security: bool,
    /// `FORCE ROW LEVEL SECURITY`; not replicated yet.
    #[serde(default)]
    pub row_security_forced: bool,
    /// `COMMENT ON TABLE`.
    pub comment: Option<String>,
    /// The columns in their order.
    #[serde(default)]
    pub columns: Vec<Column>,
}

impl Table {
    /// Returns the qualified name.
    #[must_use]
    pub fn qualified_name(&self) -> QualifiedName {
        QualifiedName::new(self.schema.as_str(), self.name.as_str())
    }

    /// Returns the column of that number, if the table has it.
    #[must_use]
    pub fn column(&self, number: i32) -> Option<&Column> {
        self.columns.iter().find(|column| column.number == number)
    }

    /// Returns whether the table is a partition.
    #[must_use]
    pub fn is_partition(&self) -> bool {
        self.partition_bound.is_some()
    }
}

/// A table that another inherits from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its OID on the source.
    pub oid: u32,
    /// Its schema's name; absent when it was dropped before it was ever described.
    #[serde(default)]
    pub schema: String,
    #[serde(default)]
    pub name: String,
}

impl Parent {
    /// Returns the qualified name.
    #[must_use]
    pub fn qualified_name(&self) -> QualifiedName {
        QualifiedName::new(self.schema.as_str(), self.name.as_str())
    }
}

/// A column of a table, or an attribute of a composite type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// `pg_attribute.attnum`: what a column is through all its renames.
    pub number: i32,
    pub name: String,
    /// Its type, qualified, with its modifier: `character varying(10)`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The type's OID on the source.
    pub type_oid: u32,
    /// The type modifier, -1 for none.
    pub typmod: i32,
    /// The collation, quoted, where it is not the type's own.
    pub collation: Option<String>,
    /// NOT NULL.
    #[serde(default)]
    pub not_null: bool,
    /// The NOT NULL constraint, on servers that keep one (18 and later).
    pub not_null_constraint: Option<NotNull>,
    /// The default, or the expression of a generated column.
    pub default: Option<String>,
    /// A hash of the stored expression: the text changes with names, this does not.
    pub default_hash: Option<String>,
    /// The value of rows that are older than the column, as text.
    pub missing: Option<String>,
    /// `a` GENERATED ALWAYS AS IDENTITY, `d` BY DEFAULT.
    pub identity: Option<String>,
    /// `s` GENERATED ALWAYS AS … STORED, `v` VIRTUAL.
    pub generated: Option<String>,
    /// `p` plain, `e` external, `m` main, `x` extended.
    pub storage: String,
    /// The storage that the type has by itself.
    pub type_storage: String,
    /// `p` pglz, `l` lz4.
    pub compression: Option<String>,
    /// `SET STATISTICS`.
    pub statistics: Option<i32>,
    /// Attribute options such as `n_distinct=5`.
    #[serde(default)]
    pub options: Vec<String>,
    /// Declared in this table, not only inherited.
    #[serde(default)]
    pub local: bool,
    /// How many parents it comes from.
    #[serde(default)]
    pub inherited: i32,
    /// `COMMENT ON COLUMN`.
    pub comment: Option<String>,
}

impl Column {
    /// Returns whether the column comes from a parent and from nowhere else.
    #[must_use]
    pub const fn is_inherited_only(&self) -> bool {
        self.inherited > 0 && !self.local
    }
}

/// A NOT NULL constraint with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotNull {
    pub name: String,
    /// `NO INHERIT`.
    #[serde(default)]
    pub no_inherit: bool,
    /// Whether existing rows were checked.
    pub validated: bool,
    /// Declared in this table, not only inherited.
    pub local: bool,
    /// How many parents it comes from.
    #[serde(default)]
    pub inherited: i32,
    /// `COMMENT ON CONSTRAINT`.
    pub comment: Option<String>,
}

/// An index, also that of a constraint.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of a catalog row"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its name; its schema is the table's.
    pub name: String,
    /// The table's OID on the source.
    pub table_oid: u32,
    pub table: QualifiedName,
    /// `pg_get_indexdef()`.
    pub definition: String,
    /// The index of a partitioned table.
    #[serde(default)]
    pub partitioned: bool,
    /// Usable; a failed CONCURRENTLY leaves one that is not.
    pub valid: bool,
    /// The index of a materialized view.
    #[serde(default)]
    pub materialized: bool,
    /// `CLUSTER ON`.
    #[serde(default)]
    pub clustered: bool,
    /// `REPLICA IDENTITY USING INDEX`.
    #[serde(default)]
    pub replica_identity: bool,
    /// The constraint that the index serves.
    pub constraint: Option<u32>,
    /// The index of the parent that it is attached to.
    pub parent_oid: Option<u32>,
    /// The name of that index.
    pub parent: Option<QualifiedName>,
    /// Storage parameters.
    #[serde(default)]
    pub options: Vec<String>,
    /// Statistics targets, each with its column's number.
    #[serde(default)]
    pub statistics: Vec<(i32, i32)>,
    /// `COMMENT ON INDEX`.
    pub comment: Option<String>,
}

/// A constraint of a table.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of a catalog row"
)]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    pub name: String,
    /// The table's OID on the source.
    pub table_oid: u32,
    pub table: QualifiedName,
    /// `p` primary key, `u` unique, `c` check, `f` foreign key, `x` exclusion.
    #[serde(rename = "type")]
    pub kind: String,
    /// `pg_get_constraintdef()`.
    pub definition: String,
    /// `DEFERRABLE`.
    #[serde(default)]
    pub deferrable: bool,
    /// `INITIALLY DEFERRED`.
    #[serde(default)]
    pub deferred: bool,
    /// Existing rows were checked.
    pub validated: bool,
    /// Checked at all (18 and later know `NOT ENFORCED`).
    pub enforced: Option<bool>,
    /// Declared for this table, not only inherited.
    #[serde(default)]
    pub local: bool,
    /// How many parents it comes from.
    #[serde(default)]
    pub inherited: i32,
    /// `NO INHERIT`.
    #[serde(default)]
    pub no_inherit: bool,
    /// The constraint of the partitioned parent that it follows.
    pub parent_oid: Option<u32>,
    /// The index that serves it.
    pub index_oid: Option<u32>,
    /// The table that a foreign key points to.
    pub referenced_oid: Option<u32>,
    /// That table's name.
    pub referenced: Option<QualifiedName>,
    /// `COMMENT ON CONSTRAINT`.
    pub comment: Option<String>,
}

/// A sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// Its schema's name.
    pub schema: String,
    pub name: String,
    /// `integer`, `bigint` or `smallint`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// `START WITH`.
    pub start: String,
    /// `INCREMENT BY`.
    pub increment: String,
    /// `MINVALUE`.
    pub minimum: String,
    /// `MAXVALUE`.
    pub maximum: String,
    /// `CACHE`.
    pub cache: String,
    /// `CYCLE`.
    pub cycle: bool,
    /// `p` permanent, `u` unlogged.
    pub persistence: String,
    /// The owning table's OID.
    pub table_oid: Option<u32>,
    /// The owning table.
    pub table: Option<QualifiedName>,
    /// The owning column's number.
    pub column_number: Option<i32>,
    /// The owning column's name.
    pub column: Option<String>,
    /// The sequence of an identity column, which makes and drops it.
    #[serde(default)]
    pub identity: bool,
    /// Its owner.
    #[serde(default)]
    pub owner: String,
    /// `COMMENT ON SEQUENCE`.
    pub comment: Option<String>,
    /// Where a command left it that altered it; only the log says so.
    #[serde(default)]
    pub position: Option<SequencePosition>,
}

/// Where a sequence stands. Who alters one waits for everybody who has drawn from it, so this is no guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequencePosition {
    /// `last_value`.
    pub last: i64,
    /// `is_called`: the last value has been drawn.
    pub called: bool,
}

impl Sequence {
    /// Takes its owner away.
    pub fn free(&mut self) {
        (self.table_oid, self.table) = (None, None);
        (self.column_number, self.column) = (None, None);
        self.identity = false;
    }

    /// Returns the qualified name.
    #[must_use]
    pub fn qualified_name(&self) -> QualifiedName {
        QualifiedName::new(self.schema.as_str(), self.name.as_str())
    }
}

/// An enum, a domain, a composite type or a range type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Type {
    /// Its schema's name.
    pub schema: String,
    pub name: String,
    /// Which of the four it is.
    pub category: Category,
    /// An enum's labels in order.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// A domain's base type with its modifier.
    pub base: Option<String>,
    /// A domain's collation where it is not the base type's.
    pub collation: Option<String>,
    /// A domain's default.
    pub default: Option<String>,
    /// A hash of the stored default.
    pub default_hash: Option<String>,
    /// A domain's NOT NULL.
    #[serde(default)]
    pub not_null: bool,
    /// A domain's CHECK constraints.
    #[serde(default)]
    pub constraints: Vec<DomainConstraint>,
    /// A composite type's attributes.
    #[serde(default)]
    pub attributes: Vec<Column>,
    /// What makes a range type.
    pub range: Option<Range>,
    /// Its owner.
    #[serde(default)]
    pub owner: String,
    /// `COMMENT ON TYPE` or `ON DOMAIN`.
    pub comment: Option<String>,
}

impl Type {
    /// Returns the qualified name.
    #[must_use]
    pub fn qualified_name(&self) -> QualifiedName {
        QualifiedName::new(self.schema.as_str(), self.name.as_str())
    }
}

/// The kinds of type that replicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// `CREATE TYPE … AS ENUM`.
    Enum,
    /// `CREATE DOMAIN`.
    Domain,
    /// `CREATE TYPE … AS (…)`.
    Composite,
    /// `CREATE TYPE … AS RANGE`.
    Range,
}

/// A label of an enum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// `pg_enum.oid`, which a rename keeps.
    pub oid: u32,
    pub label: String,
}

/// A CHECK constraint of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainConstraint {
    /// Its OID on the source.
    pub oid: u32,
    pub name: String,
    /// `pg_get_constraintdef()`.
    pub definition: String,
    /// Existing rows were checked.
    pub validated: bool,
    /// `COMMENT ON CONSTRAINT … ON DOMAIN`.
    pub comment: Option<String>,
}

/// The parts of a range type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The element type.
    pub subtype: String,
    /// The operator class, where it is not the default.
    pub operator_class: Option<String>,
    /// The collation, where it is not the element type's.
    pub collation: Option<String>,
    /// The canonicalization function.
    pub canonical: Option<String>,
    /// The difference function.
    pub difference: Option<String>,
    /// The multirange type's unqualified name.
    pub multirange_name: String,
}

/// Whatever one statement makes that has no description of its own: a function, a view, a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// The kind in PostgreSQL's words, as `pg_identify_object` has it: `materialized view`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its schema's name, where it has one of its own.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// What stands behind the name: the arguments of a function.
    #[serde(default)]
    pub signature: String,
    /// The OID of the table, or view, that it belongs to.
    pub table_oid: Option<u32>,
    /// That table.
    pub table: Option<QualifiedName>,
    /// The statement that makes it, without a semicolon.
    pub definition: String,
    /// A hash of what is stored: the statement changes with names, this does not.
    pub hash: String,
    /// The columns of a view.
    #[serde(default)]
    pub columns: Vec<ViewColumn>,
    /// The options of a view.
    #[serde(default)]
    pub options: Vec<String>,
    /// What of it can be altered while it stays what it is.
    #[serde(default)]
    pub parts: Vec<Part>,
    /// Whether a materialized view has rows.
    pub populated: Option<bool>,
    /// Acts with the rights of its owner: `SECURITY DEFINER`.
    #[serde(default)]
    pub definer: bool,
    /// When an event trigger, or a trigger or a rule of a table, acts: `O`, `D`, `R`, `A` as in `pg_trigger.tgenabled`.
    pub enabled: Option<String>,
    /// `SET STATISTICS`.
    pub statistics: Option<i32>,
    /// Its owner, where it has one of its own.
    pub owner: Option<String>,
    /// `COMMENT ON`.
    pub comment: Option<String>,
}

/// A part of an object that `ALTER` changes: an option, a mapping, the version of an extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What the part is through all changes.
    pub key: String,
    /// The key of the part that it goes with.
    pub of: Option<String>,
    /// What tells whether it changed, other than the text: that changes with names.
    pub value: String,
    /// The word before the list in which such parts stand, where they stand in one: `OPTIONS`.
    pub set: Option<String>,
    /// What `ALTER` says to have it so.
    pub text: String,
    /// What it says where there is such a part already, if something else.
    pub change: Option<String>,
    /// What it says to take the part away.
    pub drop: Option<String>,
}

/// A column of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewColumn {
    /// `pg_attribute.attnum`.
    pub number: i32,
    /// Its name.
    pub name: String,
    /// `ALTER VIEW … SET DEFAULT`.
    pub default: Option<String>,
    /// `COMMENT ON COLUMN`.
    pub comment: Option<String>,
}

impl Object {
    /// Returns the qualified name.
    #[must_use]
    pub fn qualified_name(&self) -> QualifiedName {
        let schema = self.schema.as_deref().unwrap_or_default();
        QualifiedName::new(schema, self.name.as_str())
    }

    /// Returns the keyword of its statements.
    #[must_use]
    pub fn keyword(&self) -> String {
        match self.kind.as_str() {
            "statistics object" => "STATISTICS".to_owned(),
            "foreign-data wrapper" => "FOREIGN DATA WRAPPER".to_owned(),
            kind => kind.to_uppercase(),
        }
    }

    /// Returns how statements call it: `FUNCTION "s"."f"(integer)`, `TRIGGER "g" ON "s"."t"`.
    #[must_use]
    pub fn address(&self) -> String {
        let (keyword, signature) = (self.keyword(), &self.signature);
        match (&self.schema, &self.table) {
            (Some(schema), _) if self.kind == "operator" => {
                format!("{keyword} {}.{}{signature}", quote_ident(schema), self.name)
            }
            (Some(_), _) => format!("{keyword} {}{signature}", self.qualified_name().quoted()),
            (None, Some(table)) => format!(
                "{keyword} {} ON {}",
                quote_ident(&self.name),
                table.quoted()
            ),
            // A cast is what it casts.
            (None, None) if self.name.is_empty() => format!("{keyword} {signature}"),
            (None, None) => format!("{keyword} {}{signature}", quote_ident(&self.name)),
        }
    }

    /// Returns the version of an extension.
    #[must_use]
    pub fn extension_version(&self) -> Option<&str> {
        let mut parts = self.parts.iter();
        let version = parts.find(|part| self.kind == "extension" && part.key == "version");
        version.map(|version| version.value.as_str())
    }

    /// Returns whether it is a view, materialized or not.
    #[must_use]
    pub fn is_view(&self) -> bool {
        matches!(self.kind.as_str(), "view" | "materialized view")
    }

    /// Returns whether the filter of tables knows it by its name: a view or a foreign table.
    #[must_use]
    pub fn is_relation(&self) -> bool {
        self.is_view() || self.kind == "foreign table"
    }

    /// Returns whether it lies in a schema of the server's or ours.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        let table = self.table.as_ref().map(|table| &*table.schema);
        let schema = self.schema.as_deref().or(table);
        schema.is_some_and(is_protected_schema)
    }

    /// Returns how people call it: `function s.f(integer)`, `trigger g on s.t`.
    #[must_use]
    pub fn label(&self) -> String {
        match (&self.schema, &self.table) {
            (Some(_), _) => format!("{} {}{}", self.kind, self.qualified_name(), self.signature),
            (None, Some(table)) => format!("{} {} on {table}", self.kind, self.name),
            (None, None) => format!("{} {}{}", self.kind, self.name, self.signature),
        }
    }
}
