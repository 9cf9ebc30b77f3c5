//! What the target says about a table, and how the rows of one source relation reach it.
//!
//! [`TargetTable`] is read from the target's catalog once per table and forgotten at each schema
//! change. [`TablePlan`] is decided from it by pure code: which columns are written, how a row is
//! found again, and whether the order of its changes can be seen by anybody.

use std::sync::Arc;

use serde::Deserialize;

use crate::config::OnConflict;
use crate::model::{QualifiedName, Relation, ReplicaIdentity};

use super::{Absence, ApplyError};

#[cfg(test)]
pub(super) mod tests;

/// A table of the target as its catalog describes it.
#[derive(Debug, Clone, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts of a catalog, each by itself"
)]
pub struct TargetTable {
    /// Name on the target.
    pub name: QualifiedName,
    /// `pg_class.relkind`: `r` plain, `p` partitioned, `m` a materialized view.
    pub kind: char,
    /// Whether it belongs to an extension.
    #[serde(default)]
    pub of_extension: bool,
    /// Columns that exist now.
    pub columns: Vec<TargetColumn>,
    /// Unique indexes without predicate or expression, the primary key first.
    pub unique_keys: Vec<UniqueKey>,
    /// Whether a row trigger of a user would fire in our session.
    pub triggers: bool,
    /// Whether a trigger fires before a row changes, and can keep it from that.
    #[serde(default)]
    pub suppresses: bool,
    /// The triggers and rules that can keep a row from changing, for people.
    #[serde(default)]
    pub keepers: Vec<Box<str>>,
    /// Whether a rule would rewrite our statements. COPY passes rules by, and what they make of a
    /// statement decides how many rows it reports.
    pub rules: bool,
    /// Foreign keys from or to the table that are checked in our session.
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
    /// Whether row security applies to us, which COPY does not support.
    pub row_security: bool,
    /// Of a partition whose root foreign keys point to: that root. A row that leaves for another
    /// partition must leave by an UPDATE of the root, or those keys would miss it. None before
    /// PostgreSQL 15, where they take such an UPDATE for a DELETE all the same.
    #[serde(default)]
    pub moving_root: Option<QualifiedName>,
    /// The role as which its rows are written, where that is not ours.
    #[serde(skip)]
    pub run_as: Option<u32>,
}

impl TargetTable {
    /// Returns whether something that a user wrote acts on changes of the table.
    #[must_use]
    pub const fn is_watched(&self) -> bool {
        self.triggers || self.rules
    }

    /// Returns the foreign keys through which others change rows of this table: those of tables that it
    /// refers to.
    fn acted_on_by(&self) -> impl Iterator<Item = &ForeignKey> {
        let keys = self.foreign_keys.iter();
        keys.filter(|key| key.from_here && key.acts())
    }

    /// Returns whether its rows refer to each other: those of one statement may come in any order.
    #[must_use]
    pub fn refers_to_itself(&self) -> bool {
        let mut keys = self.foreign_keys.iter();
        keys.any(|key| key.from_here && key.to_here)
    }

    /// Returns whether a change of another table may have changed rows of this one already.
    #[must_use]
    pub fn is_acted_on(&self) -> bool {
        self.acted_on_by().next().is_some()
    }

    /// Returns whether rows go by themselves when another table's do.
    #[must_use]
    pub fn loses_rows(&self) -> bool {
        self.acted_on_by().any(|key| key.on_delete == 'c')
    }

    /// Returns whether a change of this table changes others by itself.
    #[must_use]
    pub fn acts(&self) -> bool {
        let mut keys = self.foreign_keys.iter();
        keys.any(|key| key.to_here && key.acts())
    }
}

/// A foreign key from or to a [`TargetTable`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ForeignKey {
    /// The table whose rows refer to another.
    pub table: QualifiedName,
    /// Its columns.
    pub columns: Vec<Box<str>>,
    /// The table that they refer to.
    pub referenced: QualifiedName,
    /// Its columns.
    pub referenced_columns: Vec<Box<str>>,
    /// The first is the table that this is told of.
    pub from_here: bool,
    /// The second is.
    pub to_here: bool,
    /// `pg_constraint.confupdtype`: `a` and `r` only refuse, the others change rows.
    pub on_update: char,
    /// `pg_constraint.confdeltype`.
    pub on_delete: char,
}

impl ForeignKey {
    const fn acts(&self) -> bool {
        self.acts_on_update() || self.acts_on_delete()
    }

    const fn acts_on_update(&self) -> bool {
        !matches!(self.on_update, 'a' | 'r')
    }

    const fn acts_on_delete(&self) -> bool {
        !matches!(self.on_delete, 'a' | 'r')
    }
}

/// A column of a [`TargetTable`].
#[derive(Debug, Clone, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts of a catalog, each by itself"
)]
pub struct TargetColumn {
    /// Name as the catalog spells it.
    pub name: Box<str>,
    /// The type, quoted and schema-qualified, without modifier: a cast to it must not cut a value,
    /// so that the assignment that follows can refuse one that is too long.
    pub type_name: Box<str>,
    /// What the type is without its domains, where it has any. A row is looked for by such values: it may
    /// be older than a check of the domain, and operators know nothing of domains.
    #[serde(default)]
    pub bare_type: Option<Box<str>>,
    /// Whether the type is a domain with checks, which an old value may break.
    #[serde(default)]
    pub guarded: bool,
    /// Whether an array of the bare type can be unnested to values of it: not for arrays (unnest
    /// flattens them) nor for composites (it spreads them) nor for `box`, whose arrays have another
    /// delimiter; these go as text and are cast.
    pub unnestable: bool,
    /// Generated columns refuse values.
    pub generated: bool,
    /// `GENERATED ALWAYS AS IDENTITY` refuses UPDATE.
    pub identity_always: bool,
    /// Equality of the type's default btree operator class, `OPERATOR(schema.=)`: the search path
    /// of our session is empty, so the operator of an extension's type must be named. None: the type has
    /// none, and values are compared as they are printed.
    #[serde(default)]
    pub equals: Option<Box<str>>,
    /// The sequence that the column owns.
    pub sequence: Option<OwnedSequence>,
}

impl TargetColumn {
    /// Returns the type in which values are looked for.
    #[must_use]
    pub fn bare_type(&self) -> &str {
        self.bare_type.as_deref().unwrap_or(&self.type_name)
    }
}

/// The sequence behind a serial or identity column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OwnedSequence {
    pub name: QualifiedName,
    /// Its increment; negative for a descending one.
    pub increment: i64,
    /// Its lowest value.
    pub min: i64,
    /// Its highest value.
    pub max: i64,
    /// It begins anew behind its last value.
    #[serde(default)]
    pub cycle: bool,
}

/// Columns that identify a row of the target.
#[derive(Debug, Clone, Deserialize)]
pub struct UniqueKey {
    /// Column names.
    pub columns: Vec<Box<str>>,
    /// The equality of each in the index's operator class.
    #[serde(default)]
    pub equals: Vec<Box<str>>,
    /// Whether it is the primary key or all its columns are NOT NULL.
    pub not_null: bool,
    /// Whether it always holds (it is not deferrable).
    pub immediate: bool,
}

/// What the configuration says about writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteRules {
    /// What an INSERT does that meets an existing row.
    pub on_conflict: OnConflict,
    /// Whether sets of rows may be formed at all.
    pub sets: bool,
    /// Whether the order of this table's changes among those of others counts in any case.
    pub keep_order: bool,
    /// Whether foreign keys to this table must not act on what we write: the stream brings what they did
    /// on the source.
    pub silence: bool,
    /// Whose rights an expression has that a row is written through.
    pub run_as: RunAs,
}

/// Whose rights expressions of a table have while its rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunAs {
    /// Those of the role that applies.
    Applier,
    /// Those of the role that owns the table.
    Owner,
}

/// In which order the changes of a table must reach the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplyOrder {
    /// Nobody sees the order: the net effect by key.
    Net,
    /// Nobody sees the order, and rows have no key: the net number of equal rows.
    Multiset,
    /// Somebody may see the order: that of the stream, together with all such tables.
    Ordered,
    /// That of the stream, and each row by itself: a set of this table has failed before.
    Rows,
}

/// How the rows of one source relation are written.
#[derive(Debug)]
pub struct TablePlan {
    /// The relation as the stream describes it.
    pub relation: Arc<Relation>,
    /// The table they are written to.
    pub target: Arc<TargetTable>,
    /// For each column of the relation, its index in the target's columns.
    pub target_columns: Box<[usize]>,
    /// Columns of the relation that are written (generated ones are not).
    pub written: Box<[usize]>,
    /// Columns of the relation by which a row is found; empty when it has no key.
    pub key: Box<[usize]>,
    /// The order that must be kept.
    pub order: ApplyOrder,
    /// For each column of the key its equality; none: as printed.
    pub key_equals: Box<[Option<Box<str>>]>,
    /// What an INSERT does that meets an existing row.
    pub on_conflict: OnConflict,
    /// The changes on which foreign keys must not act.
    pub silent: Silent,
    /// How the relation's rows are written to [`TargetTable::moving_root`].
    pub root: Option<Arc<Self>>,
}

/// Changes of a table on which foreign keys would act that must not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Silent {
    /// DELETE.
    pub deletes: bool,
    /// UPDATE of one of these columns of the relation.
    pub columns: Box<[usize]>,
    /// An UPDATE that takes a row to another partition: PostgreSQL refuses it where a foreign key points to
    /// a partitioned table in between.
    pub moves: bool,
}

impl TablePlan {
    /// Decides how the rows of `relation` are written to `target`.
    ///
    /// # Errors
    /// [`ApplyError::MissingColumn`] (class Data) when the target lacks a column.
    pub fn new(
        relation: Arc<Relation>,
        target: Arc<TargetTable>,
        rules: WriteRules,
    ) -> Result<Self, ApplyError> {
        let target_columns = map_columns(&relation, &target)?;
        let written = (0..relation.columns.len())
            .filter(|&column| !target.columns[target_columns[column]].generated)
            .collect();
        let key = choose_key(&relation, &target);
        let order = choose_order(&target, !key.is_empty(), rules);
        let silent = match rules.silence {
            true => silent(&relation, &target),
            false => Silent::default(),
        };
        let mut plan = Self {
            relation,
            target,
            target_columns,
            written,
            key,
            order,
            key_equals: Box::default(),
            on_conflict: rules.on_conflict,
            silent,
            root: None,
        };
        plan.key_equals = plan.equalities();
        Ok(plan)
    }

    /// Returns the root through which rows leave this partition for that of `other`.
    #[must_use]
    pub fn way_to<'a>(&self, other: &'a Self) -> Option<&'a Arc<Self>> {
        let root = other.root.as_ref()?;
        let from = self.target.moving_root.as_ref();
        let elsewhere = self.target.name != other.target.name;
        let seen = self.target.is_watched() || other.target.is_watched();
        (from == Some(&root.target.name) && elsewhere && !seen).then_some(root)
    }

    /// Returns the target's column that the relation's `column` is written to.
    #[must_use]
    pub fn column(&self, column: usize) -> &TargetColumn {
        &self.target.columns[self.target_columns[column]]
    }

    /// The equality of the index that holds the key: another finds no row by it, and the type may have none
    /// of its own.
    fn equalities(&self) -> Box<[Option<Box<str>>]> {
        let names: Vec<&str> = self.key.iter().map(|&at| &*self.column(at).name).collect();
        let index = self.target.unique_keys.iter().find(|index| {
            let mut columns = index.columns.iter();
            columns.len() == names.len() && columns.all(|name| names.contains(&&**name))
        });
        let of_index = |name: &str| {
            let index = index?;
            let at = index.columns.iter().position(|column| **column == *name)?;
            index.equals.get(at).cloned()
        };
        let equality = |&at: &usize| {
            of_index(&self.column(at).name).or_else(|| self.column(at).equals.clone())
        };
        self.key.iter().map(equality).collect()
    }

    /// Returns whether foreign keys must not act on an UPDATE of these columns.
    #[must_use]
    pub fn is_silent_update(&self, columns: &[usize]) -> bool {
        self.silent
            .columns
            .iter()
            .any(|column| columns.contains(column))
    }

    /// Returns whether the target changes other tables by itself with this one.
    #[must_use]
    pub fn acts(&self) -> bool {
        self.target.acts() && self.silent == Silent::default()
    }

    /// Returns why a row may not be found.
    pub(super) fn absence(&self) -> Absence {
        match (
            self.target.row_security,
            self.acts() || self.target.is_acted_on(),
        ) {
            (true, _) => Absence::Hidden,
            (false, true) => Absence::Cascaded,
            (false, false) => Absence::Missing,
        }
    }

    /// Returns whether a foreign key may have given a row its new key already.
    #[must_use]
    pub fn has_key_of_others(&self) -> bool {
        let mut keys = self.target.acted_on_by();
        keys.any(|foreign| {
            let of_foreign = |&at: &usize| foreign.columns.contains(&self.column(at).name);
            self.key.iter().any(of_foreign)
        })
    }

    /// Returns whether a column that is written owns a sequence.
    #[must_use]
    pub fn uses_sequences(&self) -> bool {
        self.written
            .iter()
            .any(|&column| self.column(column).sequence.is_some())
    }

    /// Returns the columns that an UPDATE of a row with an unchanged key sets, out of `present`, and
    /// those that it cannot set but must find as they are (`GENERATED ALWAYS AS IDENTITY`; its value
    /// changes only by `SET … = DEFAULT` on the source). None when it sets nothing.
    #[must_use]
    pub fn checked(&self, present: &[usize]) -> Vec<usize> {
        if self.settable(present).is_empty() {
            return Vec::new();
        }
        present
            .iter()
            .copied()
            .filter(|column| !self.key.contains(column))
            .collect()
    }

    /// Returns the columns that an UPDATE of a row with an unchanged key sets, out of `present`.
    #[must_use]
    pub fn settable(&self, present: &[usize]) -> Vec<usize> {
        let refused =
            |column: &usize| self.key.contains(column) || self.column(*column).identity_always;
        present
            .iter()
            .copied()
            .filter(|column| !refused(column))
            .collect()
    }
}

fn map_columns(relation: &Relation, target: &TargetTable) -> Result<Box<[usize]>, ApplyError> {
    relation
        .columns
        .iter()
        .map(|column| {
            target
                .columns
                .iter()
                .position(|candidate| candidate.name == column.name)
                .ok_or_else(|| ApplyError::MissingColumn {
                    table: target.name.clone(),
                    column: column.name.to_string(),
                })
        })
        .collect()
}

/// In a table that refers to itself a row may still point to where another was, until the stream brings what
/// the key did.
fn silent(relation: &Relation, target: &TargetTable) -> Silent {
    let keys = target.foreign_keys.iter().filter(|key| key.to_here);
    let mut names = Vec::new();
    for key in keys.clone().filter(|key| key.acts_on_update()) {
        names.extend(&key.referenced_columns);
        names.extend(key.columns.iter().filter(|_| key.from_here));
    }
    let named = |&at: &usize| names.contains(&&relation.columns[at].name);
    Silent {
        deletes: keys.clone().any(ForeignKey::acts_on_delete),
        columns: (0..relation.columns.len()).filter(named).collect(),
        moves: target.kind == 'p' && keys.count() > 0,
    }
}

/// The source's key, or with REPLICA IDENTITY FULL the best unique key of the target: every old
/// value is there to look it up with, and an index beats comparing whole rows. A deferrable key is
/// none: inside a transaction two rows may have it.
fn choose_key(relation: &Relation, target: &TargetTable) -> Box<[usize]> {
    let position = |name: &str| {
        relation
            .columns
            .iter()
            .position(|column| &*column.name == name)
    };
    match relation.identity {
        ReplicaIdentity::Nothing => Box::default(),
        ReplicaIdentity::Default | ReplicaIdentity::Index => (0..relation.columns.len())
            .filter(|&column| relation.columns[column].key)
            .collect(),
        ReplicaIdentity::Full => target
            .unique_keys
            .iter()
            .filter(|key| key.not_null && key.immediate)
            .find_map(|key| key.columns.iter().map(|name| position(name)).collect())
            .unwrap_or_default(),
    }
}

/// A trigger sees the order of rows, a checked foreign key the order of tables. `nothing` keeps
/// the target's own row, so an INSERT and a later UPDATE of it cannot be joined.
fn choose_order(target: &TargetTable, has_key: bool, rules: WriteRules) -> ApplyOrder {
    let seen = rules.keep_order
        || target.is_watched()
        || !target.foreign_keys.is_empty()
        || rules.on_conflict == OnConflict::Nothing;
    match (rules.sets, seen, has_key) {
        (false, _, _) => ApplyOrder::Rows,
        (true, true, _) => ApplyOrder::Ordered,
        (true, false, true) => ApplyOrder::Net,
        (true, false, false) => ApplyOrder::Multiset,
    }
}
