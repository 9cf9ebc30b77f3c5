//! What the target has already of what a copy needs. Pure.
//!
//! What stands there and is equal is left as it is. What we made for an earlier try is changed into
//! what it must be now. Anything else is a conflict, told before anything is touched.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::schema::ObjectChange;
use crate::schema::description::{Column, Table};

/// Something on the target that is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conflict {
    /// The object.
    pub(super) object: String,
    /// What is wrong with it.
    pub(super) reason: String,
}

/// The objects with what the target has of them as their past.
#[derive(Debug, Default)]
pub(super) struct Reconciled {
    pub(super) objects: Vec<ObjectChange>,
    pub(super) conflicts: Vec<Conflict>,
}

/// Compares what is wanted, as the source describes it, with what stands on the target, as that
/// describes it. `ours` is what we made there, as the source described it then, by OID.
pub(super) fn reconcile(
    wanted: &[ObjectChange],
    standing: &[ObjectChange],
    ours: &HashMap<u32, ObjectChange>,
) -> Reconciled {
    let standing: HashMap<String, &ObjectChange> = standing
        .iter()
        .map(|object| (object.label(), object))
        .collect();
    let mut reconciled = Reconciled::default();
    for object in wanted {
        match past(object, &standing, ours) {
            Ok(object) => reconciled.objects.push(object),
            Err(_) if is_part_of_ours(object, ours) => {
                let found = standing.get(&object.label());
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
fn is_part_of_ours(object: &ObjectChange, ours: &HashMap<u32, ObjectChange>) -> bool {
    let part = matches!(object, ObjectChange::Index(_) | ObjectChange::Constraint(_));
    part && object
        .relation()
        .is_some_and(|table| ours.contains_key(&table))
}

fn past(
    wanted: &ObjectChange,
    standing: &HashMap<String, &ObjectChange>,
    ours: &HashMap<u32, ObjectChange>,
) -> Result<ObjectChange, Conflict> {
    if wanted.referenced().is_some() {
        // Foreign keys are made when both of their tables are complete, whatever stands now.
        return Ok(wanted.clone());
    }
    let made = ours.get(&wanted.oid());
    if let Some((made, found)) = made.and_then(|made| Some((made, standing.get(&made.label())?))) {
        return Ok(wanted.with_past(&as_far_as_made(made, found)));
    }
    let Some(found) = standing.get(&wanted.label()) else {
        return Ok(wanted.clone());
    };
    let (ours, theirs) = (shape(wanted), shape(found));
    if ours == theirs {
        let past = made.map_or_else(|| wanted.clone(), |_| as_far_as_made(wanted, found));
        return Ok(wanted.with_past(&past));
    }
    Err(Conflict {
        object: wanted.label(),
        reason: explain(wanted, found),
    })
}

/// What we made, without what follows the rows of all tables where it has not come to that: owners of
/// sequences, settings, comments.
fn as_far_as_made(made: &ObjectChange, found: &ObjectChange) -> ObjectChange {
    let mut past = made.clone();
    match (&mut past, found) {
        (ObjectChange::Sequence(past), ObjectChange::Sequence(found)) => {
            if let (Some(past), Some(found)) = (&mut past.after, &found.after) {
                if found.table_oid.is_none() {
                    (past.table_oid, past.table) = (None, None);
                    (past.column_number, past.column) = (None, None);
                }
                past.comment.clone_from(&found.comment);
            }
        }
        (ObjectChange::Table(past), ObjectChange::Table(found)) => {
            if let (Some(past), Some(found)) = (&mut past.after, &found.after) {
                set_back(past, found);
            }
        }
        _ => {}
    }
    past
}

fn set_back(past: &mut Table, found: &Table) {
    past.options.clone_from(&found.options);
    past.toast_options.clone_from(&found.toast_options);
    past.replica_identity.clone_from(&found.replica_identity);
    past.comment.clone_from(&found.comment);
    for column in &mut past.columns {
        let same = found.columns.iter().find(|same| same.name == column.name);
        column.comment = same.and_then(|same| same.comment.clone());
    }
}

/// What two servers must agree on; numbers, owners and settings differ without harm.
fn shape(object: &ObjectChange) -> Value {
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

fn explain(wanted: &ObjectChange, found: &ObjectChange) -> String {
    if let (ObjectChange::Table(wanted), ObjectChange::Table(found)) = (wanted, found)
        && let (Some(wanted), Some(found)) = (&wanted.after, &found.after)
    {
        return explain_tables(wanted, found);
    }
    let text = |object: &ObjectChange| match shape(object) {
        Value::String(text) => text,
        other => other.to_string(),
    };
    format!(
        "it is {} on the source and {} on the target",
        text(wanted),
        text(found)
    )
}

fn explain_tables(wanted: &Table, found: &Table) -> String {
    let mut said = Vec::new();
    for column in &wanted.columns {
        match found.columns.iter().find(|other| other.name == column.name) {
            None => said.push(format!("column {} is not on the target", column.name)),
            Some(other) if column_shape(other) != column_shape(column) => said.push(format!(
                "column {} is {} on the source and {} on the target",
                column.name,
                column_text(column),
                column_text(other)
            )),
            Some(_) => {}
        }
    }
    for column in &found.columns {
        if !wanted.columns.iter().any(|other| other.name == column.name) {
            said.push(format!("column {} is only on the target", column.name));
        }
    }
    if said.is_empty() {
        said.push("its columns, parents or partitioning differ".to_owned());
    }
    said.join("; ")
}

fn column_text(column: &Column) -> String {
    let mut text = column.type_name.clone();
    let mut add = |condition: bool, part: &str| {
        if condition {
            text.push_str(part);
        }
    };
    add(column.not_null, " NOT NULL");
    add(column.identity.is_some(), " IDENTITY");
    add(column.generated.is_some(), " GENERATED");
    let default = column
        .default
        .as_ref()
        .filter(|_| column.generated.is_none());
    add(default.is_some(), " DEFAULT ");
    add(default.is_some(), default.map_or("", String::as_str));
    text
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
        let objects = |standing: &[ObjectChange], ours: &HashMap<u32, ObjectChange>| {
            reconcile(std::slice::from_ref(&wanted), standing, ours)
        };

        assert_eq!(objects(&[], &none).objects, std::slice::from_ref(&wanted));
        assert_eq!(
            objects(&[equal], &none).objects,
            [wanted.with_past(&wanted)]
        );
        let ours = HashMap::from([(1, old.clone())]);
        assert_eq!(
            objects(&[table(77, &json!([["a", "integer"]]))], &ours).objects,
            [wanted.with_past(&old)]
        );
        assert_eq!(objects(&[], &ours).objects, std::slice::from_ref(&wanted));
        let conflicts = objects(&[strange], &none).conflicts;
        let expected = "column a is integer on the source and bigint on the target; column b is not \
                        on the target; column c is only on the target";
        assert_eq!(conflicts[0].reason, expected);
        assert_eq!(conflicts[0].object, "table public.t");
    }
}
