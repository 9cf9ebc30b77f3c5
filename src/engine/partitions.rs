//! Which table is a partition of which, by the names of this point of the stream. A filter that names a
//! partitioned table means its partitions, too: their rows are its rows. Pure.

use std::collections::HashMap;

use crate::config::TableFilter;
use crate::model::QualifiedName;
use crate::schema::{Entry, ObjectChange};

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

    /// Takes over what a schema change says of partitions.
    pub(super) fn follow(&mut self, entry: &Entry) {
        for object in &entry.change.objects {
            let ObjectChange::Table(images) = object else {
                continue;
            };
            let Some(after) = &images.after else { continue };
            let name = after.qualified_name();
            if let Some(before) = &images.before {
                self.rename(&before.qualified_name(), &name);
            }
            match after.parents.first().filter(|_| after.is_partition()) {
                Some(parent) => self.parents.insert(name, parent.qualified_name()),
                None => self.parents.remove(&name),
            };
        }
    }

    /// Takes over another name, which partitions may have as their table's.
    pub(super) fn rename(&mut self, before: &QualifiedName, after: &QualifiedName) {
        if before == after {
            return;
        }
        if let Some(parent) = self.parents.remove(before) {
            self.parents.insert(after.clone(), parent);
        }
        for parent in self.parents.values_mut().filter(|parent| *parent == before) {
            parent.clone_from(after);
        }
    }
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

        partitions.rename(&name("whole"), &name("all"));
        check(&partitions, ("all", ""), "leaf", true);
        partitions.rename(&name("leaf"), &name("twig"));
        check(&partitions, ("all", ""), "twig", true);
    }
}
