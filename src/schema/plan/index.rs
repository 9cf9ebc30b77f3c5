//! Indexes that serve no constraint are made and dropped here; those of constraints come and go with
//! them, and only their names and settings are ours.

use crate::model::{QualifiedName, quote_ident};
use crate::schema::description::{Index, Table};
use crate::schema::entry::Images;

use super::command_objects::CommandObjects;
use super::sql::{comment, option_changes};
use super::steps::{Phase, Steps, label};

pub(super) fn plan(command: &CommandObjects<'_>, images: &Images<Index>, steps: &mut Steps) {
    let Some(known) = images.after.as_ref().or(images.before.as_ref()) else {
        return;
    };
    if !command.selects(known.table_oid, &known.table) {
        return;
    }
    let Some(after) = &images.after else {
        return drop_index(command, known, steps);
    };
    if !is_here(after) {
        return;
    }
    let object = label("index", &name(after));
    let before = images.before.as_ref().filter(|before| is_here(before));
    match before {
        None => create(after, steps, &object),
        Some(_) if is_named_by_server(images) => {}
        Some(before) => alter(command, before, after, steps, &object),
    }
    let attached = before.and_then(|before| before.parent_oid);
    if let Some(parent) = after
        .parent
        .as_ref()
        .filter(|_| attached != after.parent_oid)
    {
        let sql = format!(
            "ALTER INDEX {} ATTACH PARTITION {}",
            parent.quoted(),
            name(after).quoted()
        );
        let (phase, rank) = attachment(command, after);
        steps.add_ranked(phase, rank, &object, sql);
    }
    settings(before, after, steps, &object);
    if after.replica_identity
        && before.is_some_and(|before| !before.replica_identity)
        && !changes_identity(command, after.table_oid)
    {
        let (table, name) = (after.table.quoted(), quote_ident(&after.name));
        let sql = format!("ALTER TABLE ONLY {table} REPLICA IDENTITY USING INDEX {name}");
        steps.add(Phase::TableSetting, &object, sql);
    }
}

/// Whether the table gets another kind of identity, which names the index itself.
fn changes_identity(command: &CommandObjects<'_>, table: u32) -> bool {
    let images = command.tables.get(&table);
    images.is_some_and(|images| {
        let kind = |table: &Option<Table>| table.as_ref().map(|one| one.replica_identity.clone());
        kind(&images.before) != kind(&images.after)
    })
}

/// Whether the target has the index. One that became valid through CONCURRENTLY is described like any other;
/// an invalid one is not worth having, unless it is a partitioned index that waits for its parts.
const fn is_here(index: &Index) -> bool {
    index.valid || index.partitioned
}

/// Whether it is the part of a partitioned table's index that was built anew with that: PostgreSQL gives
/// it the name that it would have today, on the target, too.
fn is_named_by_server(images: &Images<Index>) -> bool {
    let after = images.after.as_ref();
    images.rebuilt && after.is_some_and(|after| after.parent_oid.is_some())
}

/// The indexes of a tree that is attached as a whole are joined first, from below: PostgreSQL looks for
/// indexes that are complete, and would build others. The topmost are joined by the ATTACH itself.
fn attachment(command: &CommandObjects<'_>, after: &Index) -> (Phase, i32) {
    let images = command.tables.get(&after.table_oid);
    let joins_now = images.is_some_and(|images| {
        let parents = |table: &Option<Table>| table.as_ref().map(|table| table.parents.clone());
        parents(&images.before) != parents(&images.after)
    });
    let table = images.and_then(|images| images.after.as_ref());
    match joins_now {
        true => (Phase::AttachIndex, 0),
        false => (
            Phase::JoinIndex,
            -table.map_or(0, |table| command.depth(table)),
        ),
    }
}

/// Returns an index's qualified name: an index lives in its table's schema.
pub(super) fn name(index: &Index) -> QualifiedName {
    QualifiedName::new(&*index.table.schema, index.name.as_str())
}

fn create(after: &Index, steps: &mut Steps, object: &str) {
    if after.constraint.is_some() {
        return;
    }
    let phase = match after.materialized {
        true => Phase::ObjectIndex,
        false => Phase::Index,
    };
    steps.add(phase, object, after.definition.clone());
}

fn alter(
    command: &CommandObjects<'_>,
    before: &Index,
    after: &Index,
    steps: &mut Steps,
    object: &str,
) {
    // RENAME CONSTRAINT and ADD CONSTRAINT … USING INDEX rename the index, too.
    let became_constraint = before.constraint.is_none() && after.constraint.is_some();
    let renamed_by_constraint = after.constraint.is_some_and(|oid| {
        let images = command.constraints.get(&oid);
        images.is_some_and(|images| {
            let name = |c: &Option<crate::schema::description::Constraint>| {
                c.as_ref().map(|c| c.name.clone())
            };
            images.before.is_some() && name(&images.before) != name(&images.after)
        })
    });
    if before.name != after.name && !became_constraint && !renamed_by_constraint {
        let old = QualifiedName::new(&*after.table.schema, before.name.as_str());
        let sql = format!(
            "ALTER INDEX {} RENAME TO {}",
            old.quoted(),
            quote_ident(&after.name)
        );
        steps.add(Phase::Index, object, sql);
    }
}

fn drop_index(command: &CommandObjects<'_>, before: &Index, steps: &mut Steps) {
    let with_parent = before.parent_oid.is_some_and(|parent| {
        let parent = command.indexes.get(&parent);
        parent.is_some_and(|images| images.after.is_none())
    });
    let skipped = before.constraint.is_some()
        || with_parent
        || !is_here(before)
        || command.is_dropped(before.table_oid);
    if skipped {
        return;
    }
    let sql = format!("DROP INDEX IF EXISTS {}", name(before).quoted());
    steps.add(Phase::DropIndex, &label("index", &name(before)), sql);
}

fn settings(before: Option<&Index>, after: &Index, steps: &mut Steps, object: &str) {
    let quoted = name(after).quoted();
    let table = after.table.quoted();
    // A definition brings its options; the index of a constraint does not.
    let nothing: &[String] = &[];
    let old_options = match before {
        Some(before) => before.options.as_slice(),
        None if after.constraint.is_some() => nothing,
        None => after.options.as_slice(),
    };
    for clause in option_changes(old_options, &after.options, "") {
        steps.add(
            Phase::TableSetting,
            object,
            format!("ALTER INDEX {quoted} {clause}"),
        );
    }
    for (column, target) in &after.statistics {
        if before.is_none_or(|before| !before.statistics.contains(&(*column, *target))) {
            let sql = format!("ALTER INDEX {quoted} ALTER COLUMN {column} SET STATISTICS {target}");
            steps.add(Phase::TableSetting, object, sql);
        }
    }
    let was_clustered = before.is_some_and(|before| before.clustered);
    if after.clustered && !was_clustered {
        let name = quote_ident(&after.name);
        let sql = format!("ALTER TABLE {table} CLUSTER ON {name}");
        steps.add(Phase::TableSetting, object, sql);
    } else if was_clustered && !after.clustered {
        let sql = format!("ALTER TABLE {table} SET WITHOUT CLUSTER");
        steps.add(Phase::AlterConstraint, object, sql);
    }
    let old_comment = before.and_then(|before| before.comment.as_ref());
    let target = format!("INDEX {quoted}");
    comment(steps, object, &target, old_comment, after.comment.as_ref());
}
