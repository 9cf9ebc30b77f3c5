//! Which tables the source has, and which is a partition of which, by the names of this point of the stream.
//! A filter that names a partitioned table means its partitions, too: their rows are its rows. Pure.

use std::collections::{HashMap, HashSet};

use crate::config::TableFilter;
use crate::model::QualifiedName;
use crate::schema::{Entry, ObjectChange, Parent, RenamedTable};

/// Deeper than anybody partitions; a circle of stale names ends here.
const DEPTH_MAX: usize = 16;

/// A table of the source.
#[derive(Debug, Clone)]
pub(super) struct SourceTable {
    pub(super) name: QualifiedName,
    /// It has no rows but those of its partitions.
    pub(super) partitioned: bool,
    /// Of a partition, its partitioned table.
    pub(super) parent: Option<QualifiedName>,
    /// The extension that it came with.
    pub(super) extension: Option<String>,
}

/// The tables of the source.
#[derive(Debug, Default)]
pub(super) struct SourceTables {
    names: HashSet<QualifiedName>,
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
        self.names.insert(name.clone());
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
        self.names.contains(table)
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
        let lineage = std::iter::successors(Some(table), |name| self.parents.get(*name));
        let lineage: Vec<_> = lineage.take(DEPTH_MAX).collect();
        filter.selects_lineage(&lineage)
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
                (_, Some(after)) => self.take(SourceTable {
                    name: after.qualified_name(),
                    partitioned: after.partition_key.is_some(),
                    parent: (after.parents.first())
                        .filter(|_| after.is_partition())
                        .map(Parent::qualified_name),
                    extension: None,
                }),
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
        self.names = std::mem::take(&mut self.names)
            .into_iter()
            .map(now)
            .collect();
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
        SourceTables::new(pairs.iter().map(|(table, parent)| SourceTable {
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
