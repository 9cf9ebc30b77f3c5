//! Joins indexes, constraints and statistics objects that PostgreSQL built anew, under another OID,
//! with what they were: ALTER TYPE and REINDEX CONCURRENTLY do that without a word.
//!
//! Two belong together when they are of one table and say the same; or have one name on a table
//! with a column of another type, because then the text may have got casts that it did not have.

use std::collections::BTreeSet;

use crate::schema::description::{Constraint, Index, Object};
use crate::schema::entry::{Images, ObjectChange};

/// Returns the objects with those joined that are one.
pub(super) fn join(objects: &[ObjectChange]) -> Vec<ObjectChange> {
    let retyped: BTreeSet<u32> = objects.iter().filter_map(retyped_table).collect();
    let mut indexes = Vec::new();
    let mut constraints = Vec::new();
    let mut statistics = Vec::new();
    let mut joined = Vec::new();
    for object in objects {
        match object {
            ObjectChange::Index(images) => indexes.push(images.clone()),
            ObjectChange::Constraint(images) => constraints.push(images.clone()),
            ObjectChange::Object(images) if images.any(is_statistics) => {
                statistics.push(images.clone());
            }
            other => joined.push(other.clone()),
        }
    }
    let indexes = join_kind(indexes, |before, after| {
        same_index(before, after, retyped.contains(&after.table_oid))
    });
    let constraints = join_kind(constraints, |before, after| {
        same_constraint(before, after, retyped.contains(&after.table_oid))
    });
    let statistics = join_kind(statistics, |before, after| {
        let retyped = after
            .table_oid
            .is_some_and(|table| retyped.contains(&table));
        retyped && before.address() == after.address()
    });
    joined.extend(indexes.into_iter().map(ObjectChange::Index));
    joined.extend(constraints.into_iter().map(ObjectChange::Constraint));
    joined.extend(statistics.into_iter().map(ObjectChange::Object));
    joined
}

fn is_statistics(object: &Object) -> bool {
    object.kind == "statistics object"
}

/// The table's OID, if one of its columns changed its type.
fn retyped_table(object: &ObjectChange) -> Option<u32> {
    let ObjectChange::Table(images) = object else {
        return None;
    };
    let (before, after) = (images.before.as_ref()?, images.after.as_ref()?);
    let changed = after.columns.iter().any(|now| {
        let was = before.column(now.number);
        was.is_some_and(|was| super::column::is_retyped(was, now))
    });
    changed.then_some(images.oid)
}

fn same_index(before: &Index, after: &Index, retyped: bool) -> bool {
    let same_name = before.name == after.name;
    let same_text = structure(&before.definition) == structure(&after.definition);
    before.table_oid == after.table_oid && (same_text || same_name && retyped)
}

fn same_constraint(before: &Constraint, after: &Constraint, retyped: bool) -> bool {
    let same_name = before.name == after.name;
    let same_text = before.definition == after.definition;
    before.table_oid == after.table_oid && (same_text || same_name && retyped)
}

/// The definition of an index without its name: what stands behind the table's.
fn structure(definition: &str) -> Option<(bool, &str)> {
    let unique = definition.starts_with("CREATE UNIQUE");
    let structure = definition.split_once(" USING ")?.1;
    Some((unique, structure))
}

/// What vanished without a report is looked for among what is new; an equal name wins.
fn join_kind<T: Clone + Named>(
    mut images: Vec<Images<T>>,
    same: impl Fn(&T, &T) -> bool,
) -> Vec<Images<T>> {
    let vanished: Vec<(usize, T)> = images
        .iter()
        .enumerate()
        .filter(|(_, i)| i.after.is_none() && !i.dropped)
        .filter_map(|(at, i)| Some((at, i.before.clone()?)))
        .collect();
    let mut merged = BTreeSet::new();
    for by_name in [true, false] {
        for (at, before) in &vanished {
            let fits = |i: &Images<T>| {
                let after = i.after.as_ref().filter(|_| i.before.is_none());
                after.is_some_and(|after| {
                    same(before, after) && (!by_name || after.name() == before.name())
                })
            };
            if merged.contains(at) {
                continue;
            }
            if let Some(found) = images.iter_mut().find(|i| fits(i)) {
                found.before = Some(before.clone());
                found.rebuilt = true;
                merged.insert(*at);
            }
        }
    }
    let kept = images.into_iter().enumerate();
    kept.filter(|(at, _)| !merged.contains(at))
        .map(|(_, i)| i)
        .collect()
}

trait Named {
    fn name(&self) -> &str;
}

impl Named for Index {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for Constraint {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for Object {
    fn name(&self) -> &str {
        &self.name
    }
}
