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
    /// Those of which it did, and leaves nothing out any more.
    pub(super) whole: BTreeMap<RelationId, QualifiedName>,
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
    relations: HashMap<RelationId, QualifiedName>,
    partitioned: HashSet<QualifiedName>,
    parents: HashMap<QualifiedName, QualifiedName>,
    /// The partitions of each: `parents` the other way round.
    parts: HashMap<QualifiedName, HashSet<QualifiedName>>,
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
        self.call(relation, &name);
        self.partitioned.extend(partitioned.then(|| name.clone()));
        if let Some(parent) = parent {
            self.attach(name, parent);
        }
    }

    fn call(&mut self, relation: RelationId, name: &QualifiedName) {
        if let Some(other) = self.names.insert(name.clone(), relation) {
            self.relations.remove(&other);
        }
        self.relations.insert(relation, name.clone());
    }

    fn forget(&mut self, name: &QualifiedName) {
        if let Some(relation) = self.names.remove(name) {
            self.relations.remove(&relation);
        }
        self.partitioned.remove(name);
        self.detach(name);
    }

    fn attach(&mut self, part: QualifiedName, parent: QualifiedName) {
        self.detach(&part);
        let parts = self.parts.entry(parent.clone()).or_default();
        parts.insert(part.clone());
        self.parents.insert(part, parent);
    }

    fn detach(&mut self, part: &QualifiedName) -> Option<QualifiedName> {
        let parent = self.parents.remove(part)?;
        if let Some(parts) = self.parts.get_mut(&parent) {
            parts.remove(part);
        }
        Some(parent)
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
        let mut emptied: HashSet<&QualifiedName> = tables.iter().collect();
        let mut last: Vec<&QualifiedName> = tables.iter().collect();
        while !last.is_empty() {
            let above: HashSet<_> = last
                .iter()
                .filter_map(|part| self.parents.get(*part))
                .collect();
            let is_whole = |table: &&QualifiedName| {
                !emptied.contains(table)
                    && self.parts[*table].iter().all(|part| emptied.contains(part))
            };
            last = above.into_iter().filter(is_whole).collect();
            emptied.extend(&last);
        }
        let with = emptied.into_iter().filter(|table| !tables.contains(*table));
        with.cloned().collect()
    }

    /// Returns whether the filter lets the table through ([`TableFilter::selects_lineage`]).
    pub(super) fn selects(&self, filter: &TableFilter, table: &QualifiedName) -> bool {
        let lineage: Vec<_> = self.lineage(table).collect();
        filter.selects_lineage(&lineage)
    }

    /// Returns whether the filter lets all of a table through: itself and every partition below it.
    pub(super) fn selects_whole(&self, filter: &TableFilter, table: &QualifiedName) -> bool {
        let parts = self.below([table.clone()]);
        parts.iter().all(|part| self.selects(filter, part))
    }

    /// These tables and every partition below them.
    fn below(&self, tops: impl IntoIterator<Item = QualifiedName>) -> HashSet<QualifiedName> {
        let mut found = HashSet::new();
        let mut left: Vec<_> = tops.into_iter().collect();
        while let Some(table) = left.pop() {
            left.extend(self.parts.get(&table).into_iter().flatten().cloned());
            if !found.insert(table) {
                // A circle of stale names.
                left.retain(|table| !found.contains(table));
            }
        }
        found
    }

    /// What the filter makes of these tables and of what is below them.
    fn look(&self, filter: &TableFilter, tops: &HashSet<QualifiedName>) -> Look {
        let tables = self.below(tops.iter().cloned());
        let relation = |name: &QualifiedName| Some((*self.names.get(name)?, name.clone()));
        let (selected, left_out): (Vec<_>, Vec<_>) =
            tables.iter().partition(|table| self.selects(filter, table));
        let above = left_out.iter().flat_map(|part| self.lineage(part).skip(1));
        let cut = above.filter(|table| self.selects(filter, table));
        Look {
            known: tables.iter().filter_map(relation).collect(),
            selected: selected.into_iter().filter_map(relation).collect(),
            cut: cut.filter_map(relation).collect(),
            tables,
        }
    }

    /// A table's name, and those of the tables that it is a partition of.
    fn lineage<'t>(&'t self, table: &'t QualifiedName) -> impl Iterator<Item = &'t QualifiedName> {
        std::iter::successors(Some(table), |name| self.parents.get(*name)).take(DEPTH_MAX)
    }

    /// Takes a schema change over, and returns which tables cross the border of the filter by it. Only those that
    /// it is about may, and what is below them.
    pub(super) fn cross(&mut self, entry: &Entry, filter: &TableFilter) -> Crossing {
        if filter.selects_everything() {
            self.follow(entry);
            return Crossing::default();
        }
        self.rewind(entry);
        let tops = names(entry);
        let before = self.look(filter, &tops);
        self.follow(entry);
        let after = self.look(filter, &tops);
        let leaving = before
            .selected
            .iter()
            .filter(|(relation, _)| !after.selected.contains_key(relation));
        let leaving = leaving.filter_map(|(relation, name)| {
            Some((
                *relation,
                (name.clone(), after.known.get(relation)?.clone()),
            ))
        });
        let entering = after.selected.iter().filter(|(relation, _)| {
            before.known.contains_key(relation) && !before.selected.contains_key(relation)
        });
        let entering: BTreeMap<RelationId, QualifiedName> = entering
            .map(|(relation, name)| (*relation, name.clone()))
            .collect();
        let tops: HashSet<&QualifiedName> = entering.values().collect();
        let below = after.selected.iter().filter(|(relation, name)| {
            let mut lineage = self.lineage(name).skip(1);
            before.selected.contains_key(relation) && lineage.any(|above| tops.contains(above))
        });
        let below: BTreeMap<RelationId, QualifiedName> = below
            .map(|(relation, name)| (*relation, name.clone()))
            .collect();
        let replaced = before
            .selected
            .iter()
            .filter(|(relation, _)| below.contains_key(relation));
        Crossing {
            cut: self.newly_cut(filter, &before, &after),
            whole: self.whole_again(filter, &before),
            leaving: leaving.collect(),
            replaced: replaced
                .map(|(relation, name)| (*relation, name.clone()))
                .collect(),
            entering: entering.into_iter().chain(below).collect(),
            given_up: before
                .known
                .iter()
                .filter(|(_, name)| !self.names.contains_key(name))
                .map(|(relation, name)| (name.clone(), before.selected.contains_key(relation)))
                .collect(),
        }
    }

    /// The partitioned tables of which a part is left out now, and none was before.
    fn newly_cut(
        &self,
        filter: &TableFilter,
        before: &Look,
        after: &Look,
    ) -> BTreeMap<RelationId, QualifiedName> {
        let was_left_out =
            |part: &QualifiedName| !after.tables.contains(part) && !self.selects(filter, part);
        let was_cut = |relation: &RelationId, table: &QualifiedName| {
            let selected = match before.known.contains_key(relation) {
                true => before.selected.contains_key(relation),
                false => !after.known.contains_key(relation),
            };
            before.cut.contains_key(relation)
                || selected && self.below([table.clone()]).iter().any(was_left_out)
        };
        let mut cut = after.cut.clone();
        cut.retain(|relation, table| !was_cut(relation, table));
        cut
    }

    /// The partitioned tables of which a part was left out before, and none is now.
    fn whole_again(
        &self,
        filter: &TableFilter,
        before: &Look,
    ) -> BTreeMap<RelationId, QualifiedName> {
        let known = before.cut.keys().filter_map(|relation| {
            let name = self.relations.get(relation)?;
            Some((*relation, name.clone()))
        });
        known
            .filter(|(_, name)| self.selects_whole(filter, name))
            .collect()
    }

    /// A session begins with the tables that the source has by then, which the stream may not have got to: what
    /// a change is about is as it was before it.
    fn rewind(&mut self, entry: &Entry) {
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
            let now = self
                .relations
                .get(&relation)
                .filter(|now| **now != before)?;
            Some((now.clone(), before))
        });
        let names = names.collect();
        self.rename(&names);
        for images in tables() {
            let now = self.relations.get(&RelationId(images.oid)).cloned();
            match (&images.before, now) {
                (Some(before), _) => self.take(SourceTable::of(images.oid, before)),
                (None, Some(now)) => self.forget(&now),
                (None, None) => {}
            }
        }
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
        let (mut relations, mut partitioned, mut parents) = (Vec::new(), Vec::new(), Vec::new());
        for (before, after) in names {
            relations.extend(self.names.remove(before).map(|relation| (relation, after)));
            partitioned.extend(self.partitioned.take(before).map(|_| after.clone()));
            let parts = self.parts.get(before).into_iter().flatten();
            let parts: Vec<_> = parts.cloned().chain([before.clone()]).collect();
            parents.extend(parts.into_iter().filter_map(|part| {
                let parent = self.detach(&part)?;
                Some((part, parent))
            }));
        }
        for (relation, after) in relations {
            self.call(relation, after);
        }
        self.partitioned.extend(partitioned);
        let now = |name: QualifiedName| names.get(&name).cloned().unwrap_or(name);
        for (part, parent) in parents {
            self.attach(now(part), now(parent));
        }
    }
}

/// What the filter makes of some tables.
struct Look {
    tables: HashSet<QualifiedName>,
    known: BTreeMap<RelationId, QualifiedName>,
    selected: BTreeMap<RelationId, QualifiedName>,
    /// The partitioned tables that replicate, and of which the filter leaves one of these out.
    cut: BTreeMap<RelationId, QualifiedName>,
}

/// Returns every name that the tables of an entry have before or after it.
fn names(entry: &Entry) -> HashSet<QualifiedName> {
    let moved = entry.change.renamed_tables.iter().map(RenamedTable::names);
    let moved = moved.flat_map(|(before, after)| [before, after]);
    let tables = entry
        .change
        .objects
        .iter()
        .filter_map(|object| match object {
            ObjectChange::Table(images) => Some([&images.before, &images.after]),
            _ => None,
        });
    let named = tables.flatten().flatten().map(Table::qualified_name);
    moved.chain(named).collect()
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
