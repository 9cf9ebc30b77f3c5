//! Which table is a partition of which, by the names of this point of the stream. A filter that names a
//! partitioned table means its partitions, too: their rows are its rows. Pure.

use std::collections::HashMap;

use crate::config::TableFilter;
use crate::model::QualifiedName;
use crate::schema::{Entry, ObjectChange, RenamedTable};

/// Deeper than anybody partitions; a circle of stale names ends here.
const DEPTH_MAX: usize = 16;

/// The partitioned table of each partition.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    parents: HashMap<QualifiedName, QualifiedName>,
}

impl Partitions {
    /// Takes pairs of a partition and its partitioned table.
    pub(super) fn new(pairs: impl IntoIterator<Item = (QualifiedName, QualifiedName)>) -> Self {
        Self {
            parents: pairs.into_iter().collect(),
        }
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
        for object in &entry.change.objects {
            let ObjectChange::Table(images) = object else {
                continue;
            };
            let Some(after) = &images.after else { continue };
            let name = after.qualified_name();
            match after.parents.first().filter(|_| after.is_partition()) {
                Some(parent) => self.parents.insert(name, parent.qualified_name()),
                None => self.parents.remove(&name),
            };
        }
    }

    /// All at once: names may be exchanged.
    fn rename(&mut self, names: &HashMap<QualifiedName, QualifiedName>) {
        if names.is_empty() {
            return;
        }
        let now = |name: QualifiedName| names.get(&name).cloned().unwrap_or(name);
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

    #[test]
    fn a_filter_means_partitions_by_their_tables_name() {
        let pairs = [("part", "whole"), ("leaf", "part")].map(|(a, b)| (name(a), name(b)));
        let mut partitions = Partitions::new(pairs);
        let check = |partitions: &Partitions, (include, exclude), table, expected| {
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
}
