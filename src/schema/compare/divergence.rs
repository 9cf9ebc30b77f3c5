//! Whether an object is the same on both sides, for whoever proves it. Pure.
//!
//! The shape of both is what a copy asks for, too; here comes what a copy makes anew in any case, such as
//! comments, and what makes an object useless although it is there.

use std::collections::BTreeMap;

use crate::schema::ObjectChange;
use crate::schema::description::{Constraint, Index, Schema, Sequence, Table, Type};

use super::explain::explain;
use super::reconcile::shape;

/// Returns what differs between an object of the source and its namesake on the target; none: nothing of
/// what replicates. Numbers, owners and where something is stored differ without harm.
pub(crate) fn divergence(wanted: &ObjectChange, found: &ObjectChange) -> Option<String> {
    let mut reasons = Vec::new();
    if shape(wanted) != shape(found) {
        reasons.push(explain(wanted, found));
    }
    let (wanted, found) = (facts(wanted), facts(found));
    let mut names: Vec<&String> = wanted.keys().chain(found.keys()).collect();
    names.sort();
    names.dedup();
    let differing = names
        .into_iter()
        .filter(|name| wanted.get(*name) != found.get(*name));
    reasons.extend(differing.map(|name| {
        let of = |facts: &BTreeMap<String, String>| {
            facts
                .get(name)
                .map_or_else(|| "none".to_owned(), |fact| format!("«{fact}»"))
        };
        format!(
            "{name} is {} on the source and {} on the target",
            of(&wanted),
            of(&found)
        )
    }));
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// What is not part of the shape, by what people call it.
fn facts(object: &ObjectChange) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    match object {
        ObjectChange::Schema(i) => i
            .after
            .iter()
            .for_each(|schema| of_schema(schema, &mut facts)),
        ObjectChange::Table(i) => i.after.iter().for_each(|table| of_table(table, &mut facts)),
        ObjectChange::Index(i) => i.after.iter().for_each(|index| of_index(index, &mut facts)),
        ObjectChange::Constraint(i) => {
            (i.after.iter()).for_each(|constraint| of_constraint(constraint, &mut facts));
        }
        ObjectChange::Sequence(i) => {
            (i.after.iter()).for_each(|sequence| of_sequence(sequence, &mut facts));
        }
        ObjectChange::Type(i) => i.after.iter().for_each(|one| of_type(one, &mut facts)),
        // Whether a trigger is disabled here is ours to say.
        ObjectChange::Object(i) => {
            (i.after.iter()).for_each(|one| note(&mut facts, "its comment", one.comment.as_ref()));
        }
    }
    facts
}

type Facts = BTreeMap<String, String>;

fn note(facts: &mut Facts, name: &str, value: Option<&String>) {
    if let Some(value) = value {
        facts.insert(name.to_owned(), value.clone());
    }
}

fn of_schema(schema: &Schema, facts: &mut Facts) {
    note(facts, "its comment", schema.comment.as_ref());
}

fn of_table(table: &Table, facts: &mut Facts) {
    note(facts, "its comment", table.comment.as_ref());
    if !table.options.is_empty() {
        let mut options = table.options.clone();
        options.sort();
        note(facts, "its storage parameters", Some(&options.join(", ")));
    }
    for column in &table.columns {
        let comment = format!("the comment of column {}", column.name);
        note(facts, &comment, column.comment.as_ref());
    }
}

fn of_index(index: &Index, facts: &mut Facts) {
    note(facts, "its comment", index.comment.as_ref());
    if !index.valid {
        note(facts, "its state", Some(&"INVALID".to_owned()));
    }
}

fn of_constraint(constraint: &Constraint, facts: &mut Facts) {
    note(facts, "its comment", constraint.comment.as_ref());
}

fn of_sequence(sequence: &Sequence, facts: &mut Facts) {
    note(facts, "its comment", sequence.comment.as_ref());
    note(facts, "its type", Some(&sequence.type_name));
}

fn of_type(one: &Type, facts: &mut Facts) {
    note(facts, "its comment", one.comment.as_ref());
    note(facts, "its default", one.default.as_ref());
    for check in &one.constraints {
        let name = format!("its constraint {}", check.name);
        note(facts, &name, Some(&check.definition));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(kind: &str, after: &Value) -> ObjectChange {
        let images = json!({"kind": kind, "oid": 1, "before": null, "after": after});
        serde_json::from_value(images).unwrap()
    }

    fn index(definition: &str, valid: bool, comment: Option<&str>) -> ObjectChange {
        let table = json!({"schema": "public", "name": "t"});
        let index = json!({"name": "i", "table_oid": 1, "table": table, "definition": definition,
                           "valid": valid, "comment": comment});
        object("index", &index)
    }

    #[test]
    fn what_matters_is_reported_and_nothing_else() {
        let plain = index("CREATE INDEX i ON t (a)", true, None);

        assert_eq!(divergence(&plain, &plain), None);
        assert_eq!(
            divergence(&plain, &index("CREATE INDEX i ON t (b)", true, None)).as_deref(),
            Some(
                "it is CREATE INDEX i ON t (a) on the source and CREATE INDEX i ON t (b) on the \
                 target"
            )
        );
        let unlike = index("CREATE INDEX i ON t (a)", false, Some("quick"));
        assert_eq!(
            divergence(&plain, &unlike).as_deref(),
            Some(
                "its comment is none on the source and «quick» on the target; its state is none on \
                 the source and «INVALID» on the target"
            )
        );
    }
}
