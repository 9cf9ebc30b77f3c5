//! What the target says about a table, and how the rows of one source relation reach it.
//!
//! [`TargetTable`] is read from the target's catalog once per table and forgotten at each schema
//! change. [`TablePlan`] is decided from it by pure code: which columns are written, how a row is
//! found again, and whether the order of its changes can be seen by anybody.

use std::sync::Arc;

use serde::Deserialize;

use crate::config::OnConflict;
use crate::model::{QualifiedName, Relation, ReplicaIdentity};

use super::ApplyError;

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
    /// Whether a rule would rewrite our statements. COPY passes rules by, and what they make of a
    /// statement decides how many rows it reports.
    pub rules: bool,
    /// Whether foreign keys from or to the table would be checked in our session.
    pub foreign_keys: bool,
    /// Whether one of them acts by itself (`ON DELETE CASCADE` and its kin).
    pub cascades: bool,
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
}

/// A column of a [`TargetTable`].
#[derive(Debug, Clone, Deserialize)]
pub struct TargetColumn {
    /// Name as the catalog spells it.
    pub name: Box<str>,
    /// The type, quoted and schema-qualified, without modifier: a cast to it must not cut a value,
    /// so that the assignment that follows can refuse one that is too long.
    pub type_name: Box<str>,
    /// Whether an array of this type can be unnested to values of it: not for arrays (unnest
    /// flattens them) nor for composites (it spreads them) nor for `box`, whose arrays have another
    /// delimiter; these go as text and are cast.
    pub unnestable: bool,
    /// Generated columns refuse values.
    pub generated: bool,
    /// `GENERATED ALWAYS AS IDENTITY` refuses UPDATE.
    pub identity_always: bool,
    /// Equality of the type's default btree operator class, `OPERATOR(schema.=)`: the search path
    /// of our session is empty, so the operator of an extension's type must be named.
    pub equals: Box<str>,
    /// The sequence that the column owns.
    pub sequence: Option<OwnedSequence>,
}

/// The sequence behind a serial or identity column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OwnedSequence {
    /// Its name.
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
pub enum Lane {
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
    pub lane: Lane,
    /// What an INSERT does that meets an existing row.
    pub on_conflict: OnConflict,
    /// How the relation's rows are written to [`TargetTable::moving_root`].
    pub root: Option<Arc<Self>>,
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
        let lane = choose_lane(&target, !key.is_empty(), rules);
        Ok(Self {
            relation,
            target,
            target_columns,
            written,
            key,
            lane,
            on_conflict: rules.on_conflict,
            root: None,
        })
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
fn choose_lane(target: &TargetTable, has_key: bool, rules: WriteRules) -> Lane {
    let seen = rules.keep_order
        || target.is_watched()
        || target.foreign_keys
        || rules.on_conflict == OnConflict::Nothing;
    match (rules.sets, seen, has_key) {
        (false, _, _) => Lane::Rows,
        (true, true, _) => Lane::Ordered,
        (true, false, true) => Lane::Net,
        (true, false, false) => Lane::Multiset,
    }
}
