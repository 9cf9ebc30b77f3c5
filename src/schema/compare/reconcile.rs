//! What the target has already of what a copy needs. Pure.
//!
//! What stands there and is equal is left as it is. What we made for an earlier try is changed into
//! what it must be now. Anything else is a conflict, told before anything is touched.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::{QualifiedName, RelationId};
use crate::schema::ObjectChange;
use crate::schema::description::{Column, Constraint, DomainConstraint, Index, Sequence, Table};

use super::explain::explain;

/// Something on the target that is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    pub object: String,
    /// The table (OID on the source) that it is or belongs to.
    pub relation: Option<RelationId>,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.reason)
    }
}

/// The objects with what the target has of them as their past.
#[derive(Debug, Default)]
pub(crate) struct Reconciled {
    pub(crate) objects: Vec<ObjectChange>,
    pub(crate) conflicts: Vec<Conflict>,
}

/// Compares what is wanted, as the source describes it, with what exists on the target, as that
/// describes it. `created` is what we made there, as the source described it then, by OID.
pub(crate) fn reconcile(
    wanted: &[ObjectChange],
    existing: &[ObjectChange],
    created: &HashMap<u32, ObjectChange>,
) -> Reconciled {
    let existing: HashMap<String, &ObjectChange> = existing
        .iter()
        .map(|object| (object.label(), object))
        .collect();
    let mut reconciled = Reconciled::default();
    for object in wanted {
        match past(object, &existing, created) {
            Ok(object) => reconciled.objects.push(object),
            Err(_) if is_part_of_created(object, created) => {
                let found = existing.get(&object.label());
                reconciled
                    .objects
                    .extend(found.map(|found| found.dropped()));
                reconciled.objects.push(object.clone());
            }
            Err(conflict) => reconciled.conflicts.push(conflict),
        }
    }
    reconciled
}

/// An index or constraint of a table that we made is ours, too.
fn is_part_of_created(object: &ObjectChange, created: &HashMap<u32, ObjectChange>) -> bool {
    let part = matches!(object, ObjectChange::Index(_) | ObjectChange::Constraint(_));
    part && object
        .relation()
        .is_some_and(|table| created.contains_key(&table))
}

/// A check that is NOT VALID, of this table and not of a parent.
fn is_made_after_rows(object: &ObjectChange) -> bool {
    let ObjectChange::Constraint(images) = object else {
        return false;
    };
    let check = images.after.as_ref().filter(|check| check.kind == "c");
    check.is_some_and(|check| !check.validated && (check.inherited == 0 || check.local))
}

/// Returns what of the target stands in the way of rows, and is made again after them.
pub(crate) fn in_the_way<'s>(
    objects: &[ObjectChange],
    existing: &'s [ObjectChange],
) -> Vec<&'s Constraint> {
    let wanted = objects
        .iter()
        .filter(|object| object.referenced().is_some() || is_made_after_rows(object));
    let wanted: HashSet<String> = wanted.map(ObjectChange::label).collect();
    let found = existing.iter().filter_map(|object| match object {
        ObjectChange::Constraint(images) if wanted.contains(&object.label()) => {
            images.after.as_ref()
        }
        _ => None,
    });
    let (own, inherited): (Vec<_>, Vec<_>) = found
        .filter(|found| found.parent_oid.is_none())
        .partition(|found| found.inherited == 0);
    // What a child has of its own, too, can go when the parent's is gone.
    let names: HashSet<&str> = own.iter().map(|own| own.name.as_str()).collect();
    let inherited = inherited.into_iter();
    let inherited = inherited.filter(|found| found.local && names.contains(found.name.as_str()));
    own.iter().copied().chain(inherited).collect()
}

/// Returns the checks of existing domains that values may break, each with its domain: they go, too, and
/// come again after the rows.
pub(crate) fn domain_checks_in_the_way(
    objects: &[ObjectChange],
) -> impl Iterator<Item = (QualifiedName, &str)> {
    let domains = objects.iter().filter_map(|object| match object {
        ObjectChange::Type(images) => images.after.as_ref().zip(images.before.as_ref()),
        _ => None,
    });
    domains.flat_map(|(after, before)| {
        let gone = |check: &&DomainConstraint| {
            !check.validated && !before.constraints.iter().any(|old| old.oid == check.oid)
        };
        let checks = after.constraints.iter().filter(gone);
        checks.map(|check| (after.qualified_name(), check.name.as_str()))
    })
}

/// Returns the object as its own past, but for what of it is made again after the rows.
fn without_checks_in_the_way(wanted: &ObjectChange, found: &ObjectChange) -> ObjectChange {
    let mut past = wanted.clone();
    if let (ObjectChange::Type(past), ObjectChange::Type(found)) = (&mut past, found)
        && let (Some(past), Some(found)) = (&mut past.after, &found.after)
    {
        let stands = |name: &str| found.constraints.iter().any(|check| check.name == name);
        past.constraints
            .retain(|check| check.validated || !stands(&check.name));
    }
    past
}

fn past(
    wanted: &ObjectChange,
    existing: &HashMap<String, &ObjectChange>,
    created: &HashMap<u32, ObjectChange>,
) -> Result<ObjectChange, Conflict> {
    if wanted.referenced().is_some() {
        // Foreign keys are made when both of their tables are complete, whatever stands now.
        return Ok(wanted.clone());
    }
    let made = created.get(&wanted.oid());
    if let Some(past) = made.and_then(|made| Some(so_far(made, existing.get(&made.label())?))) {
        return Ok(wanted.with_past(&past));
    }
    let Some(found) = existing.get(&wanted.label()) else {
        return Ok(wanted.clone());
    };
    let equal = shape(wanted) == shape(found);
    if equal && is_made_after_rows(wanted) {
        return Ok(wanted.clone());
    }
    if equal {
        let past = match made.is_some() || is_part_of_created(wanted, created) {
            true => so_far(wanted, found),
            false => without_checks_in_the_way(wanted, found),
        };
        return Ok(wanted.with_past(&past));
    }
    Err(Conflict {
        object: wanted.label(),
        relation: wanted.relation().map(RelationId),
        reason: explain(wanted, found),
    })
}

/// Returns what we made, with all that comes after the rows as it is on the target now: an earlier try
/// may have ended before that.
pub(crate) fn so_far(made: &ObjectChange, existing: &ObjectChange) -> ObjectChange {
    let mut made = made.clone();
    match (&mut made, existing) {
        (ObjectChange::Table(made), ObjectChange::Table(existing)) => {
            if let (Some(made), Some(existing)) = (&mut made.after, &existing.after) {
                table_so_far(made, existing);
            }
        }
        (ObjectChange::Index(made), ObjectChange::Index(existing)) => {
            if let (Some(made), Some(existing)) = (&mut made.after, &existing.after) {
                index_so_far(made, existing);
            }
        }
        (ObjectChange::Constraint(made), ObjectChange::Constraint(existing)) => {
            if let (Some(made), Some(existing)) = (&mut made.after, &existing.after) {
                made.comment.clone_from(&existing.comment);
            }
        }
        (ObjectChange::Sequence(made), ObjectChange::Sequence(existing)) => {
            if let (Some(made), Some(existing)) = (&mut made.after, &existing.after) {
                sequence_so_far(made, existing);
            }
        }
        _ => {}
    }
    made
}

fn table_so_far(made: &mut Table, existing: &Table) {
    made.options.clone_from(&existing.options);
    made.toast_options.clone_from(&existing.toast_options);
    made.replica_identity.clone_from(&existing.replica_identity);
    made.comment.clone_from(&existing.comment);
    made.owner.clone_from(&existing.owner);
    for column in &mut made.columns {
        let mut found = existing.columns.iter();
        let found = found.find(|existing| existing.name == column.name);
        column.comment = found.and_then(|found| found.comment.clone());
    }
}

/// Indexes have other numbers here; of a parent there is only to be seen whether it is attached to one yet.
fn index_so_far(made: &mut Index, existing: &Index) {
    made.comment.clone_from(&existing.comment);
    made.clustered = existing.clustered;
    made.statistics.clone_from(&existing.statistics);
    if existing.parent.is_none() {
        (made.parent, made.parent_oid) = (None, None);
    }
}

/// Tables and columns have other numbers here; of an owner there is only to be seen whether there is one
/// yet.
fn sequence_so_far(made: &mut Sequence, existing: &Sequence) {
    let owned = existing.table.is_some();
    *made = Sequence {
        persistence: made.persistence.clone(),
        table_oid: made.table_oid.filter(|_| owned),
        table: made.table.take().filter(|_| owned),
        column_number: made.column_number.filter(|_| owned),
        column: made.column.take().filter(|_| owned),
        identity: made.identity,
        ..existing.clone()
    };
}

/// Returns whether two objects are the same but for what may differ between two servers.
pub(crate) fn is_alike(one: &ObjectChange, other: &ObjectChange) -> bool {
    shape(one) == shape(other)
}

/// What two servers must agree on; numbers, owners and settings differ without harm.
pub(super) fn shape(object: &ObjectChange) -> Value {
    match object {
        ObjectChange::Schema(_) => Value::Null,
        ObjectChange::Table(i) => i.after.as_ref().map_or(Value::Null, table_shape),
        ObjectChange::Index(i) => json!(i.after.as_ref().map(|index| &index.definition)),
        ObjectChange::Constraint(i) => json!(i.after.as_ref().map(|key| &key.definition)),
        ObjectChange::Sequence(i) => {
            json!(
                i.after
                    .as_ref()
                    .map(|s| (&s.increment, &s.minimum, &s.maximum, s.cycle))
            )
        }
        ObjectChange::Type(i) => json!(i.after.as_ref().map(|t| {
            let labels: Vec<_> = t.labels.iter().map(|label| &label.label).collect();
            let attributes: Vec<_> = t
                .attributes
                .iter()
                .map(|a| (&a.name, &a.type_name))
                .collect();
            let range = t.range.as_ref().map(|range| &range.subtype);
            (t.category, labels, attributes, &t.base, t.not_null, range)
        })),
        ObjectChange::Object(i) => json!(i.after.as_ref().map(|other| &other.definition)),
    }
}

fn table_shape(table: &Table) -> Value {
    #[derive(Serialize)]
    struct Shape<'a> {
        partition_key: &'a Option<String>,
        partition_bound: &'a Option<String>,
        persistence: &'a str,
        parents: Vec<String>,
        columns: Vec<Value>,
    }
    json!(Shape {
        partition_key: &table.partition_key,
        partition_bound: &table.partition_bound,
        persistence: &table.persistence,
        parents: table
            .parents
            .iter()
            .map(|p| p.qualified_name().to_string())
            .collect(),
        columns: table.columns.iter().map(column_shape).collect(),
    })
}

fn column_shape(column: &Column) -> Value {
    json!((
        &column.name,
        &column.type_name,
        &column.collation,
        column.not_null,
        &column.default,
        &column.identity,
        &column.generated
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(oid: u32, columns: &Value) -> ObjectChange {
        let columns: Vec<Value> = columns
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
            .map(|(place, column)| {
                json!({"number": place + 1, "name": column[0], "type": column[1], "type_oid": 23,
                       "typmod": -1, "storage": "p", "type_storage": "p", "local": true})
            })
            .collect();
        let after = json!({"schema": "public", "name": "t", "persistence": "p",
                           "replica_identity": "d", "columns": columns});
        serde_json::from_value(json!({"kind": "table", "oid": oid, "before": null, "after": after}))
            .unwrap()
    }

    #[test]
    fn equal_is_left_ours_is_changed_and_strange_is_a_conflict() {
        let wanted = table(1, &json!([["a", "integer"], ["b", "text"]]));
        let old = table(1, &json!([["a", "integer"]]));
        let equal = table(77, &json!([["a", "integer"], ["b", "text"]]));
        let strange = table(77, &json!([["a", "bigint"], ["c", "text"]]));
        let none = HashMap::new();
        let objects = |existing: &[ObjectChange], created: &HashMap<u32, ObjectChange>| {
            reconcile(std::slice::from_ref(&wanted), existing, created)
        };

        assert_eq!(objects(&[], &none).objects, std::slice::from_ref(&wanted));
        assert_eq!(
            objects(&[equal], &none).objects,
            [wanted.with_past(&wanted)]
        );
        let created = HashMap::from([(1, old.clone())]);
        assert_eq!(
            objects(&[table(77, &json!([["a", "integer"]]))], &created).objects,
            [wanted.with_past(&old)]
        );
        assert_eq!(
            objects(&[], &created).objects,
            std::slice::from_ref(&wanted)
        );
        let conflicts = objects(&[strange], &none).conflicts;
        let expected = "column a is integer on the source and bigint on the target; column b is not \
                        on the target; column c is only on the target";
        assert_eq!(conflicts[0].reason, expected);
        assert_eq!(conflicts[0].object, "table public.t");
    }
    fn sequence(oid: u32, owner: &Value) -> ObjectChange {
        let mut after = json!({"schema": "public", "name": "q", "type": "bigint", "start": "1",
            "increment": "1", "minimum": "1", "maximum": "9", "cache": "1", "cycle": false,
            "persistence": "p"});
        let owner = owner.as_object().unwrap().clone();
        after.as_object_mut().unwrap().extend(owner);
        let images = json!({"kind": "sequence", "oid": oid, "before": null, "after": after});
        serde_json::from_value(images).unwrap()
    }

    #[test]
    fn what_an_earlier_try_did_not_come_to_is_still_to_be_done() {
        let owner = json!({"table_oid": 1, "column_number": 1, "column": "a",
                           "table": {"schema": "public", "name": "t"}});
        let wanted = sequence(2, &owner);
        let created = HashMap::from([(2, wanted.clone())]);
        let past = |existing: ObjectChange| {
            let found = reconcile(std::slice::from_ref(&wanted), &[existing], &created);
            found.objects
        };

        let free = sequence(77, &json!({}));
        let unowned = sequence(2, &json!({}));
        assert_eq!(past(free), [wanted.with_past(&unowned)]);
        let theirs = json!({"table_oid": 78, "column_number": 3, "column": "a",
                            "table": {"schema": "public", "name": "t"}});
        assert_eq!(past(sequence(77, &theirs)), [wanted.with_past(&wanted)]);

        let plain = table(1, &json!([["a", "integer"]]));
        let mut wanted = plain.clone();
        if let ObjectChange::Table(images) = &mut wanted {
            images.after.as_mut().unwrap().comment = Some("said".to_owned());
        }
        let created = HashMap::from([(1, wanted.clone())]);
        let existing = table(77, &json!([["a", "integer"]]));
        let found = reconcile(std::slice::from_ref(&wanted), &[existing], &created);
        assert_eq!(found.objects, [wanted.with_past(&plain)]);
    }
}
