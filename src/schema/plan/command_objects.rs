//! What a planner asks about the other objects of the same command.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::QualifiedName;
use crate::schema::description::{Column, Constraint, Index, Sequence, Table};
use crate::schema::entry::{Change, Images, ObjectChange};

use super::planned::RelationTouch;

/// The objects of one command, by OID.
pub(super) struct CommandObjects<'a> {
    pub(super) change: &'a Change,
    pub(super) objects: &'a [ObjectChange],
    pub(super) tables: BTreeMap<u32, &'a Images<Table>>,
    pub(super) indexes: BTreeMap<u32, &'a Images<Index>>,
    pub(super) constraints: BTreeMap<u32, &'a Images<Constraint>>,
    pub(super) sequences: Vec<&'a Images<Sequence>>,
    /// Tables whose rows are values of others, where that is looked for.
    pub(super) row_types: HashSet<QualifiedName>,
    /// Foreign keys that have a part for a partition that does not replicate, with that.
    pub(super) cut_keys: HashMap<u32, &'a QualifiedName>,
    selects: &'a dyn Fn(&QualifiedName) -> bool,
}

impl<'a> CommandObjects<'a> {
    pub(super) fn new(
        change: &'a Change,
        objects: &'a [ObjectChange],
        selects: &'a dyn Fn(&QualifiedName) -> bool,
    ) -> Self {
        let mut command = Self {
            change,
            objects,
            tables: BTreeMap::new(),
            indexes: BTreeMap::new(),
            constraints: BTreeMap::new(),
            sequences: Vec::new(),
            row_types: HashSet::new(),
            cut_keys: HashMap::new(),
            selects,
        };
        for object in objects {
            match object {
                ObjectChange::Table(images) => {
                    command.tables.insert(images.oid, images);
                }
                ObjectChange::Index(images) => {
                    command.indexes.insert(images.oid, images);
                }
                ObjectChange::Constraint(images) => {
                    command.constraints.insert(images.oid, images);
                }
                ObjectChange::Sequence(images) => command.sequences.push(images),
                ObjectChange::Schema(_) | ObjectChange::Type(_) | ObjectChange::Object(_) => {}
            }
        }
        command.cut_keys = command.cut_keys();
        command
    }

    fn cut_keys(&self) -> HashMap<u32, &'a QualifiedName> {
        let after = |oid: &u32| self.constraints.get(oid)?.after.as_ref();
        let parts = self.constraints.values().filter_map(|images| {
            let part = images.after.as_ref()?;
            let (table, name) = part.referenced_oid.zip(part.referenced.as_ref())?;
            let cuts = part.parent_oid.is_some() && !self.selects(table, name);
            cuts.then_some((part, name))
        });
        let cut = parts.flat_map(|(part, name)| {
            let above = std::iter::successors(part.parent_oid, |oid| after(oid)?.parent_oid);
            above.map(move |key| (key, name))
        });
        cut.collect()
    }

    /// Whether a table replicates: by the names that this command knows of it.
    pub(super) fn selects(&self, oid: u32, name: &QualifiedName) -> bool {
        let known = self.tables.get(&oid);
        let names = known.map(|images| [images.before.as_ref(), images.after.as_ref()]);
        (self.selects)(name)
            || names.is_some_and(|names| {
                let mut tables = names.into_iter().flatten();
                tables.any(|table| (self.selects)(&table.qualified_name()))
            })
    }

    /// Whether the filter lets a name through.
    pub(super) fn selects_name(&self, name: &QualifiedName) -> bool {
        (self.selects)(name)
    }

    pub(super) fn is_created(&self, table: u32) -> bool {
        self.tables
            .get(&table)
            .is_some_and(|images| images.before.is_none() && images.after.is_some())
    }

    pub(super) fn is_dropped(&self, table: u32) -> bool {
        self.tables
            .get(&table)
            .is_some_and(|images| images.after.is_none())
    }

    /// The tables of this command that inherit from `parent` afterwards.
    pub(super) fn children(&self, parent: u32) -> impl Iterator<Item = &'a Images<Table>> + '_ {
        self.tables.values().copied().filter(move |images| {
            let table = images.after.as_ref().or(images.before.as_ref());
            table.is_some_and(|table| table.parents.iter().any(|p| p.oid == parent))
        })
    }

    /// How deep a table is below the topmost ancestor that this command touched.
    pub(super) fn depth(&self, table: &Table) -> i32 {
        let parent = |parent: u32| self.tables.get(&parent).and_then(|t| t.after.as_ref());
        let known = table.parents.iter().filter_map(|p| parent(p.oid));
        known.map(|p| 1 + self.depth(p)).max().unwrap_or_default()
    }

    /// The sequence that a new identity column makes, if this command made one.
    pub(super) fn identity_sequence(&self, table: u32, column: &Column) -> Option<&'a Sequence> {
        let mut sequences = self.sequences.iter().filter_map(|s| s.after.as_ref());
        sequences.find(|sequence| {
            sequence.identity
                && sequence.table_oid == Some(table)
                && sequence.column_number == Some(column.number)
        })
    }

    /// Whether the rows of this table, or of one below it, follow as messages.
    pub(super) fn is_rewritten_by_rows(&self, table: u32) -> bool {
        self.change.sends_rows.contains(&table)
            || self
                .children(table)
                .any(|child| self.is_rewritten_by_rows(child.oid))
    }

    /// Every selected table of which something changed, its indexes and constraints included.
    pub(super) fn touched_relations(&self) -> Vec<RelationTouch> {
        let mut touched = BTreeMap::new();
        for table in &self.change.renamed_tables {
            let (before, after) = table.names();
            touched.insert(table.oid, (Some(before), Some(after)));
        }
        for object in self.objects {
            let owner = match object {
                ObjectChange::Index(images) => {
                    let index = images.after.as_ref().or(images.before.as_ref());
                    index.map(|index| (index.table_oid, &index.table))
                }
                ObjectChange::Constraint(images) => {
                    let constraint = images.after.as_ref().or(images.before.as_ref());
                    constraint.map(|constraint| (constraint.table_oid, &constraint.table))
                }
                ObjectChange::Table(_)
                | ObjectChange::Schema(_)
                | ObjectChange::Sequence(_)
                | ObjectChange::Type(_)
                | ObjectChange::Object(_) => None,
            };
            if let Some((oid, name)) = owner {
                let names = (Some(name.clone()), Some(name.clone()));
                touched.insert(oid, names);
            }
        }
        for images in self.tables.values() {
            let name = |table: &Option<Table>| table.as_ref().map(Table::qualified_name);
            touched.insert(images.oid, (name(&images.before), name(&images.after)));
        }
        let relations = touched
            .into_iter()
            .map(|(oid, (before, after))| RelationTouch { oid, before, after });
        relations
            .filter(|touch| {
                let mut names = [&touch.before, &touch.after].into_iter().flatten();
                names.any(|name| self.selects(touch.oid, name))
            })
            .collect()
    }
}
