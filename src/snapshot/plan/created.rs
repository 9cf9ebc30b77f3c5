//! What we made on the target for earlier tries, and what we are about to make: only that is ours to
//! change, to empty and to drop. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::RelationId;
use crate::schema::{CopyPlan, ObjectChange, Stage, so_far};
use crate::snapshot::{Making, StoredTable};

/// What we made on the target for earlier tries, by OID. The tables have the names of now, which the
/// stream gave them meanwhile: another table may have the one of then.
pub(crate) fn made_before(
    stored: &[StoredTable],
) -> serde_json::Result<HashMap<u32, ObjectChange>> {
    let mut created = HashMap::new();
    for table in stored {
        let Some(made) = &table.objects else { continue };
        let objects: Vec<ObjectChange> = serde_json::from_str(made)?;
        let objects = objects.into_iter().map(|object| object.called(&table.name));
        created.extend(objects.map(|object| (object.oid(), object)));
    }
    Ok(created)
}

/// A table of another making has the name of one of ours: what it holds is not ours to replace.
pub(crate) fn leave_to_others(
    created: &mut HashMap<u32, ObjectChange>,
    stored: &[StoredTable],
    existing: &[ObjectChange],
) {
    let tables = existing
        .iter()
        .filter(|object| matches!(object, ObjectChange::Table(_)));
    let existing: HashMap<String, u32> = tables.map(|table| (table.label(), table.oid())).collect();
    let another = |table: &&StoredTable| {
        let found = existing.get(&format!("table {}", table.name));
        found.is_some_and(|found| table.target.is_some_and(|target| target != *found))
    };
    for table in stored.iter().filter(another) {
        let RelationId(relation) = table.relation;
        created.retain(|_, object| object.oid() != relation && object.relation() != Some(relation));
    }
}

/// What we made of tables that the source has no longer: they and their sequences go.
pub(crate) fn left_behind(
    gone: &[RelationId],
    created: &HashMap<u32, ObjectChange>,
    existing: &[ObjectChange],
) -> Vec<ObjectChange> {
    let existing: HashMap<String, &ObjectChange> = existing
        .iter()
        .map(|object| (object.label(), object))
        .collect();
    let is_gone = |object: &&ObjectChange| {
        let table = object.relation().unwrap_or_else(|| object.oid());
        gone.contains(&RelationId(table))
    };
    let made = created.values().filter(is_gone);
    made.filter_map(|made| Some(so_far(made, existing.get(&made.label())?).dropped()))
        .collect()
}

/// What is remembered as made for each table: itself and its sequences.
pub(crate) fn made(objects: &[ObjectChange]) -> BTreeMap<u32, Vec<ObjectChange>> {
    let mut made: BTreeMap<u32, Vec<ObjectChange>> = BTreeMap::new();
    for object in objects {
        if let (ObjectChange::Table(_) | ObjectChange::Sequence(_), Some(table)) =
            (object, object.relation())
        {
            made.entry(table).or_default().push(object.clone());
        }
    }
    made
}

/// How each table is made that needs no other.
pub(crate) fn making(
    plan: &CopyPlan,
    made: &BTreeMap<u32, Vec<ObjectChange>>,
) -> HashMap<RelationId, Arc<Making>> {
    let mut statements: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| step.stage == Stage::Table) {
        if let Some(table) = step.relation {
            let sql = step.step.sql.clone();
            statements.entry(table).or_default().push(sql);
        }
    }
    let making = statements.into_iter().map(|(table, statements)| {
        let objects = as_json(made.get(&table).into_iter().flatten());
        let making = Making {
            statements,
            objects,
        };
        (RelationId(table), Arc::new(making))
    });
    making.collect()
}

pub(crate) fn as_json<'o>(objects: impl Iterator<Item = &'o ObjectChange>) -> String {
    let objects: Vec<_> = objects.collect();
    serde_json::to_string(&objects).unwrap_or_else(|_| "[]".to_owned())
}
