//! Which tables the source has, and which is a partition of which, by the names of this point of the stream.
//! A filter that names a partitioned table means its partitions, too: their rows are its rows. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::config::TableFilter;
use crate::model::{QualifiedName, RelationId};
use crate::schema::{Entry, ObjectChange, Parent, RenamedTable, Table};

/// Deeper than anybody partitions; a circle of stale names ends here.
const DEPTH_MAX: usize = 16;

/// A table of the source.
#[derive(Debug, Clone)]
pub(super) struct SourceTable {
    pub(super) relation: RelationId,
    pub(super) name: QualifiedName,
    /// It has no rows but those of its partitions.
    pub(super) partitioned: bool,
    /// Of a partition, its partitioned table.
    pub(super) parent: Option<QualifiedName>,
    /// The extension that it came with.
    pub(super) extension: Option<String>,
}

impl SourceTable {
    fn of(oid: u32, table: &Table) -> Self {
        let parent = table.parents.first().filter(|_| table.is_partition());
        Self {
            relation: RelationId(oid),
            name: table.qualified_name(),
            partitioned: table.partition_key.is_some(),
            parent: parent.map(Parent::qualified_name),
            extension: None,
        }
    }
}

/// The tables that cross the border of the filter by a schema change: a name, a schema or a partitioned table
/// decides what the filter makes of them, and that changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Crossing {
    /// Those that replicated, with their names before and after.
    pub(super) leaving: BTreeMap<RelationId, (QualifiedName, QualifiedName)>,
    /// Those that replicate from now on, by the names that they have.
    pub(super) entering: BTreeMap<RelationId, QualifiedName>,
    /// Those of them that replicated by themselves, below a partitioned table that enters: by the names that they
    /// had.
    pub(super) replaced: BTreeMap<RelationId, QualifiedName>,
    /// Partitioned tables of which the filter leaves a part out from now on, by the names that they have.
    pub(super) cut: BTreeMap<RelationId, QualifiedName>,
    /// The names that tables had and have no longer, with what the filter made of them: it knows partitions by
    /// the names of now.
    given_up: BTreeMap<QualifiedName, bool>,
}

impl Crossing {
    /// Returns what is left of it where the tables have crossed already.
    pub(super) fn crossed_before(self) -> Self {
        Self {
            given_up: self.given_up,
            ..Self::default()
        }
    }

    /// Returns whether no table crosses.
    pub(super) fn is_empty(&self) -> bool {
        self.leaving.is_empty() && self.entering.is_empty()
    }

    /// Returns whether what a change says of a name reaches the target; none: as the filter makes of it now. What
    /// changes of a table that leaves is its last.
    pub(super) fn selects(&self, name: &QualifiedName) -> Option<bool> {
        let mut leaving = self.leaving.values();
        match leaving.any(|(before, after)| before == name || after == name) {
            true => Some(true),
            false => self.given_up.get(name).copied(),
        }
    }

    /// Returns whether an object of a change is left to the copy of a table that enters, or to a table that leaves:
    /// what is part of that goes with it.
    pub(super) fn takes(&self, object: &ObjectChange) -> bool {
        let enters =
            |oid: Option<u32>| oid.is_some_and(|oid| self.entering.contains_key(&RelationId(oid)));
        let is_part = !matches!(object, ObjectChange::Table(_));
        let leaves = object
            .relation()
            .is_some_and(|oid| self.leaving.contains_key(&RelationId(oid)));
        enters(object.relation()) || enters(object.referenced()) || is_part && leaves
    }
}

/// The tables of the source.
#[derive(Debug, Default)]
pub(super) struct SourceTables {
    names: HashMap<QualifiedName, RelationId>,
    partitioned: HashSet<QualifiedName>,
    parents: HashMap<QualifiedName, QualifiedName>,
    /// The tables that came with each extension: not ours, neither their definitions nor their rows.
    of_extensions: HashMap<String, HashSet<QualifiedName>>,
}

impl SourceTables {
    pub(super) fn new(tables: impl IntoIterator<Item = SourceTable>) -> Self {
        let mut all = Self::default();
        for table in tables {
            all.take(table);
        }
        all
    }

    fn take(&mut self, table: SourceTable) {
        let SourceTable {
            relation,
            name,
            partitioned,
            parent,
            extension,
        } = table;
        if let Some(extension) = extension {
            self.of_extensions
                .entry(extension)
                .or_default()
                .insert(name);
            return;
        }
        self.forget(&name);
        self.names.insert(name.clone(), relation);
        self.partitioned.extend(partitioned.then(|| name.clone()));
        self.parents.extend(parent.map(|parent| (name, parent)));
    }

    fn forget(&mut self, name: &QualifiedName) {
        self.names.remove(name);
        self.partitioned.remove(name);
        self.parents.remove(name);
    }

    /// Returns whether the table came with an extension.
    pub(super) fn is_of_extension(&self, table: &QualifiedName) -> bool {
        let mut extensions = self.of_extensions.values();
        extensions.any(|tables| tables.contains(table))
    }

    /// Returns whether the table has no rows of its own on the source.
    pub(super) fn is_partitioned(&self, table: &QualifiedName) -> bool {
        self.partitioned.contains(table)
    }

    /// Returns whether the source has the table.
    pub(super) fn has(&self, table: &QualifiedName) -> bool {
        self.names.contains_key(table)
    }

    /// Returns the partitioned tables all of whose partitions are among these: a TRUNCATE of one comes as
    /// that of its partitions.
    pub(super) fn emptied_with(&self, tables: &HashSet<QualifiedName>) -> Vec<QualifiedName> {
        let mut left: HashMap<&QualifiedName, Vec<&QualifiedName>> = HashMap::new();
        for (partition, parent) in &self.parents {
            left.entry(parent).or_default().push(partition);
        }
        let mut emptied = Vec::new();
        let is_empty = |emptied: &[QualifiedName], table: &QualifiedName| {
            tables.contains(table) || emptied.contains(table)
        };
        for _ in 0..DEPTH_MAX {
            let whole =
                left.extract_if(|_, parts| parts.iter().all(|part| is_empty(&emptied, part)));
            let whole: Vec<_> = whole.map(|(parent, _)| parent.clone()).collect();
            if whole.is_empty() {
                break;
            }
            emptied.extend(whole);
        }
        emptied.retain(|parent| !tables.contains(parent));
        emptied
    }

    /// Returns whether the filter lets the table through ([`TableFilter::selects_lineage`]).
    pub(super) fn selects(&self, filter: &TableFilter, table: &QualifiedName) -> bool {
        let lineage: Vec<_> = self.lineage(table).collect();
        filter.selects_lineage(&lineage)
    }

    /// Returns whether the filter lets all of a table through: itself and every partition below it.
    pub(super) fn selects_whole(&self, filter: &TableFilter, table: &QualifiedName) -> bool {
        let mut parts = self.parents.keys();
        self.selects(filter, table)
            && parts.all(|part| {
                self.lineage(part).all(|above| above != table) || self.selects(filter, part)
            })
    }

    /// The partitioned tables that replicate, and of which the filter leaves a part out.
    fn cut(&self, filter: &TableFilter) -> BTreeMap<RelationId, QualifiedName> {
        let left_out = self
            .parents
            .keys()
            .filter(|part| !self.selects(filter, part));
        let above: HashSet<_> = left_out
            .flat_map(|part| self.lineage(part).skip(1))
            .collect();
        let cut = above
            .into_iter()
            .filter(|table| self.selects(filter, table));
        cut.filter_map(|table| Some((*self.names.get(table)?, table.clone())))
            .collect()
    }

    /// A table's name, and those of the tables that it is a partition of.
    fn lineage<'t>(&'t self, table: &'t QualifiedName) -> impl Iterator<Item = &'t QualifiedName> {
        std::iter::successors(Some(table), |name| self.parents.get(*name)).take(DEPTH_MAX)
    }

    /// Takes a schema change over, and returns which tables cross the border of the filter by it.
    pub(super) fn cross(&mut self, entry: &Entry, filter: &TableFilter) -> Crossing {
        if filter.selects_everything() {
            self.follow(entry);
            return Crossing::default();
        }
        self.rewind(entry);
        let (known, before) = (self.by_relation(), self.selected(filter));
        let cut = self.cut(filter);
        self.follow(entry);
        let (now, after) = (self.by_relation(), self.selected(filter));
        let mut newly_cut = self.cut(filter);
        newly_cut.retain(|relation, _| !cut.contains_key(relation));
        let leaving = before
            .iter()
            .filter(|(relation, _)| !after.contains_key(relation));
        let leaving = leaving.filter_map(|(relation, name)| {
            Some((*relation, (name.clone(), now.get(relation)?.clone())))
        });
        let entering = after
            .iter()
            .filter(|(relation, _)| known.contains_key(relation) && !before.contains_key(relation));
        let entering: BTreeMap<RelationId, QualifiedName> = entering
            .map(|(relation, name)| (*relation, name.clone()))
            .collect();
        let tops: HashSet<&QualifiedName> = entering.values().collect();
        let below = after.iter().filter(|(relation, name)| {
            let mut lineage = self.lineage(name).skip(1);
            before.contains_key(relation) && lineage.any(|above| tops.contains(above))
        });
        let below: BTreeMap<RelationId, QualifiedName> = below
            .map(|(relation, name)| (*relation, name.clone()))
            .collect();
        let replaced = before
            .iter()
            .filter(|(relation, _)| below.contains_key(relation));
        Crossing {
            cut: newly_cut,
            leaving: leaving.collect(),
            replaced: replaced
                .map(|(relation, name)| (*relation, name.clone()))
                .collect(),
            entering: entering.into_iter().chain(below).collect(),
            given_up: known
                .into_iter()
                .filter(|(_, name)| !self.names.contains_key(name))
                .map(|(relation, name)| (name, before.contains_key(&relation)))
                .collect(),
        }
    }

    /// A session begins with the tables that the source has by then, which the stream may not have got to: what
    /// a change is about is as it was before it.
    fn rewind(&mut self, entry: &Entry) {
        let known = self.by_relation();
        let tables = || {
            let objects = entry.change.objects.iter();
            objects.filter_map(|object| match object {
                ObjectChange::Table(images) => Some(images),
                _ => None,
            })
        };
        let renamed = entry.change.renamed_tables.iter();
        let renamed = renamed.map(|table| (RelationId(table.oid), table.names().0));
        let before = tables().filter_map(|images| {
            Some((
                RelationId(images.oid),
                images.before.as_ref()?.qualified_name(),
            ))
        });
        let names = renamed.chain(before).filter_map(|(relation, before)| {
            let now = known.get(&relation).filter(|now| **now != before)?;
            Some((now.clone(), before))
        });
        self.rename(&names.collect());
        for images in tables() {
            match (&images.before, known.get(&RelationId(images.oid))) {
                (Some(before), _) => self.take(SourceTable::of(images.oid, before)),
                (None, Some(now)) => self.forget(now),
                (None, None) => {}
            }
        }
    }

    fn by_relation(&self) -> BTreeMap<RelationId, QualifiedName> {
        let names = self.names.iter();
        names
            .map(|(name, relation)| (*relation, name.clone()))
            .collect()
    }

    fn selected(&self, filter: &TableFilter) -> BTreeMap<RelationId, QualifiedName> {
        let mut names = self.by_relation();
        names.retain(|_, name| self.selects(filter, name));
        names
    }

    /// Takes over what a schema change says of partitions, and of names, which they may have as their
    /// table's.
    pub(super) fn follow(&mut self, entry: &Entry) {
        self.rename(&new_names(entry));
        let others = entry.change.others.iter();
        for other in others.filter(|other| other.kind.as_deref() == Some("extension")) {
            let name = other.identity.clone().unwrap_or_default();
            let tables = other.tables.iter().cloned().collect();
            self.of_extensions.insert(name, tables);
        }
        for object in &entry.change.objects {
            let ObjectChange::Table(images) = object else {
                continue;
            };
            match (&images.before, &images.after) {
                (_, Some(after)) => self.take(SourceTable::of(images.oid, after)),
                (Some(before), None) => self.forget(&before.qualified_name()),
                (None, None) => {}
            }
        }
    }

    /// All at once: names may be exchanged.
    fn rename(&mut self, names: &HashMap<QualifiedName, QualifiedName>) {
        if names.is_empty() {
            return;
        }
        let now = |name: QualifiedName| names.get(&name).cloned().unwrap_or(name);
        let known = std::mem::take(&mut self.names).into_iter();
        self.names = known
            .map(|(name, relation)| (now(name), relation))
            .collect();
        let partitioned = std::mem::take(&mut self.partitioned).into_iter();
        self.partitioned = partitioned.map(now).collect();
        let parents = std::mem::take(&mut self.parents).into_iter();
        self.parents = parents
            .map(|(partition, parent)| (now(partition), now(parent)))
            .collect();
    }
}

/// Returns the names that the entry gives to tables, by those of before.
fn new_names(entry: &Entry) -> HashMap<QualifiedName, QualifiedName> {
    let moved = entry.change.renamed_tables.iter().map(RenamedTable::names);
    let renamed = entry.change.objects.iter().filter_map(|object| {
        let ObjectChange::Table(images) = object else {
            return None;
        };
        let (before, after) = (images.before.as_ref()?, images.after.as_ref()?);
        Some((before.qualified_name(), after.qualified_name()))
    });
    moved
        .chain(renamed)
        .filter(|(before, after)| before != after)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> QualifiedName {
        QualifiedName::new("public", name)
    }

    fn tables(pairs: &[(&str, &str)]) -> SourceTables {
        SourceTables::new((1..).zip(pairs).map(|(oid, (table, parent))| SourceTable {
            relation: RelationId(oid),
            name: name(table),
            partitioned: false,
            parent: Some(name(parent)),
            extension: None,
        }))
    }

    #[test]
    fn a_filter_means_partitions_by_their_tables_name() {
        let mut partitions = tables(&[("part", "whole"), ("leaf", "part")]);
        let check = |partitions: &SourceTables, (include, exclude), table, expected| {
            let filter = TableFilter::parse(include, exclude).unwrap();
            assert_eq!(
                partitions.selects(&filter, &name(table)),
                expected,
                "{include} {exclude} {table}"
            );
        };

        check(&partitions, ("whole", ""), "leaf", true);
        check(&partitions, ("part", ""), "leaf", true);
        check(&partitions, ("part", ""), "whole", false);
        check(&partitions, ("", "whole"), "leaf", false);
        check(&partitions, ("whole", "leaf"), "leaf", false);
        check(&partitions, ("whole", "leaf"), "part", true);
        check(&partitions, ("whole", ""), "other", false);

        let whole = |(include, exclude), table| {
            let filter = TableFilter::parse(include, exclude).unwrap();
            partitions.selects_whole(&filter, &name(table))
        };
        assert!(whole(("whole", ""), "whole") && whole(("", "other"), "part"));
        assert!(!whole(("whole", "leaf"), "whole") && !whole(("whole", "leaf"), "part"));

        partitions.rename(&HashMap::from([(name("whole"), name("all"))]));
        check(&partitions, ("all", ""), "leaf", true);
        let exchanged = [("leaf", "part"), ("part", "leaf")].map(|(a, b)| (name(a), name(b)));
        partitions.rename(&HashMap::from(exchanged));
        check(&partitions, ("leaf", ""), "part", true);
        check(&partitions, ("part", ""), "leaf", false);
    }
    #[test]
    fn a_partitioned_table_is_emptied_with_all_of_its_partitions() {
        let pairs = [
            ("a", "whole"),
            ("part", "whole"),
            ("b", "part"),
            ("c", "part"),
            ("d", "other"),
        ];
        let tables = tables(&pairs);
        let check = |listed: &[&str], expected: &[&str]| {
            let listed = listed.iter().map(|table| name(table)).collect();
            let mut found = tables.emptied_with(&listed);
            found.sort();
            let expected: Vec<_> = expected.iter().map(|table| name(table)).collect();
            assert_eq!(found, expected);
        };

        check(&["a", "b", "c"], &["part", "whole"]);
        check(&["b", "c"], &["part"]);
        check(&["a", "b"], &[]);
        check(&["whole", "part", "a", "b", "c", "d"], &["other"]);
        check(&[], &[]);
    }
}
