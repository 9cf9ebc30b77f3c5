//! Constraints. CHECK goes down to children by itself, a foreign key of a partitioned table to its
//! partitions; keys are said for each table with ONLY, and their indexes attached, so that every
//! part keeps its name.

use crate::model::{QualifiedName, do_block, quote_ident, quote_literal};
use crate::schema::description::{Constraint, Index, Table};
use crate::schema::entry::Images;

use super::command_objects::CommandObjects;
use super::planned::{NotApplied, Plan};
use super::sql::comment;
use super::steps::{Phase, Steps};

pub(super) fn plan(
    command: &CommandObjects<'_>,
    images: &Images<Constraint>,
    steps: &mut Steps,
    plan: &mut Plan,
) {
    let Some(known) = images.after.as_ref().or(images.before.as_ref()) else {
        return;
    };
    if !command.selects(known.table_oid, &known.table) {
        return;
    }
    let Some(after) = &images.after else {
        return drop_constraint(command, known, steps);
    };
    let object = label(after);
    let left_out = left_out(command, images.oid, after);
    match (&images.before, left_out) {
        (None, Some(table)) if !comes_from_parent(command, after) => {
            plan.not_applied.push(NotApplied {
                object,
                reason: format!("it refers to {table}, which the filter leaves out"),
            });
            return;
        }
        // The target never got it.
        (_, Some(_)) => return,
        (None, None) => {
            if !create(command, after, steps, &object) {
                return;
            }
        }
        (Some(_), None) if keeps_rows_apart(command, images) => return,
        // As its index, it has the name that PostgreSQL gave it, on the target, too.
        (Some(_), None) if images.rebuilt && after.parent_oid.is_some() => {}
        (Some(before), None) if after.kind == "f" && command.change.filtered => {
            return alter_where_it_is(command, before, after, steps, &object);
        }
        (Some(before), None) => alter(command, before, after, steps, &object),
    }
    describe(images.before.as_ref(), after, steps, &object);
}

/// Returns a table without whose rows a foreign key cannot hold on the target: the one that it points to, or a
/// partition of that.
fn left_out<'k>(
    command: &CommandObjects<'k>,
    oid: u32,
    key: &'k Constraint,
) -> Option<&'k QualifiedName> {
    let (table, name) = key.referenced_oid.zip(key.referenced.as_ref())?;
    match command.cut_keys.get(&oid) {
        Some(part) => Some(part),
        None if !command.selects(table, name) || command.change.cut.contains(name) => Some(name),
        None => None,
    }
}

/// The target may lack the key since a part of the table that it points to was left out.
fn alter_where_it_is(
    command: &CommandObjects<'_>,
    before: &Constraint,
    after: &Constraint,
    steps: &mut Steps,
    object: &str,
) {
    let mut statements = Steps::default();
    alter(command, before, after, &mut statements, object);
    describe(Some(before), after, &mut statements, object);
    let Some(run) = statements.into_body() else {
        return;
    };
    let sql = do_block(&format!(
        "BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_constraint AS k \
         WHERE k.conrelid = pg_catalog.to_regclass({}) AND k.conname = {}) THEN {run} END IF; END",
        quote_literal(&after.table.quoted()),
        quote_literal(&before.name)
    ));
    steps.add(Phase::AlterConstraint, object, sql);
}

pub(super) fn label(constraint: &Constraint) -> String {
    format!("constraint {} on {}", constraint.name, constraint.table)
}

/// Whether PostgreSQL makes it by itself for this table.
fn comes_from_parent(command: &CommandObjects<'_>, constraint: &Constraint) -> bool {
    match constraint.kind.as_str() {
        "f" => constraint.parent_oid.is_some(),
        "c" => {
            let inherited = constraint.inherited > 0 && !constraint.local;
            let follows = !constraint.validated && is_new_above(command, constraint);
            inherited && (follows || !is_new_partition(command, constraint))
        }
        _ => false,
    }
}

/// A new partition must have its parent's checks before it is attached.
fn is_new_partition(command: &CommandObjects<'_>, constraint: &Constraint) -> bool {
    let table = command.tables.get(&constraint.table_oid);
    let after = table.and_then(|images| images.after.as_ref());
    command.is_created(constraint.table_oid) && after.is_some_and(Table::is_partition)
}

/// Whether a parent gets the check now, too: one that is NOT VALID reaches its children by that, rows and
/// all.
fn is_new_above(command: &CommandObjects<'_>, constraint: &Constraint) -> bool {
    let table = command.tables.get(&constraint.table_oid);
    let table = table.and_then(|images| images.after.as_ref());
    let parents = table.map_or(&[][..], |table| table.parents.as_slice());
    let mut new = command
        .constraints
        .values()
        .filter(|images| images.before.is_none());
    new.any(|images| {
        let above = images.after.as_ref();
        above.is_some_and(|above| {
            above.name == constraint.name && parents.iter().any(|p| p.oid == above.table_oid)
        })
    })
}

/// Returns whether the target will have the constraint through a statement of ours.
fn create(
    command: &CommandObjects<'_>,
    after: &Constraint,
    steps: &mut Steps,
    object: &str,
) -> bool {
    if comes_from_parent(command, after) {
        return false;
    }
    let phase = match after.kind.as_str() {
        "f" => Phase::ForeignKey,
        _ => Phase::Constraint,
    };
    let only = match after.kind.as_str() {
        "p" | "u" | "x" => "ONLY ",
        _ => "",
    };
    let definition = match existing_index(command, after) {
        Some(index) => from_index(after, index),
        None => after.definition.clone(),
    };
    let sql = format!(
        "ALTER TABLE {only}{} ADD CONSTRAINT {} {definition}",
        after.table.quoted(),
        quote_ident(&after.name)
    );
    steps.add(phase, object, sql);
    true
}

/// The name, before this command, of the index that ADD CONSTRAINT … USING INDEX took over.
fn existing_index<'a>(command: &CommandObjects<'a>, constraint: &Constraint) -> Option<&'a str> {
    let images = command.indexes.get(&constraint.index_oid?)?;
    let before = images.before.as_ref()?;
    before.constraint.is_none().then_some(before.name.as_str())
}

/// Makes a new key out of an index of its own, which is built first: other index builds of the table
/// go on beside it.
pub(super) fn plan_over_index(
    command: &CommandObjects<'_>,
    after: &Constraint,
    images: &Images<Index>,
    steps: &mut Steps,
) {
    let Some(index) = &images.after else { return };
    if !command.selects(after.table_oid, &after.table) {
        return;
    }
    let object = label(after);
    // An earlier try may have come so far.
    if images.before.is_none() {
        steps.add(Phase::Index, &object, index.definition.clone());
    }
    let sql = format!(
        "ALTER TABLE ONLY {} ADD CONSTRAINT {} {}",
        after.table.quoted(),
        quote_ident(&after.name),
        from_index(after, &index.name)
    );
    steps.add(Phase::Constraint, &object, sql);
    describe(None, after, steps, &object);
}

/// Adds the comment.
fn describe(before: Option<&Constraint>, after: &Constraint, steps: &mut Steps, object: &str) {
    let target = format!(
        "CONSTRAINT {} ON {}",
        quote_ident(&after.name),
        after.table.quoted()
    );
    let old_comment = before.and_then(|c| c.comment.as_ref());
    comment(steps, object, &target, old_comment, after.comment.as_ref());
}

fn from_index(constraint: &Constraint, index: &str) -> String {
    let kind = match constraint.kind.as_str() {
        "p" => "PRIMARY KEY",
        _ => "UNIQUE",
    };
    let mut definition = format!("{kind} USING INDEX {}", quote_ident(index));
    if constraint.deferrable {
        definition.push_str(" DEFERRABLE");
    }
    if constraint.deferred {
        definition.push_str(" INITIALLY DEFERRED");
    }
    definition
}

/// PostgreSQL hands a new name of a CHECK down to the children that inherit it, and to those alone; all
/// else of a foreign key is said to the partitioned table.
fn alter(
    command: &CommandObjects<'_>,
    before: &Constraint,
    after: &Constraint,
    steps: &mut Steps,
    object: &str,
) {
    let name = quote_ident(&after.name);
    let table = format!("ALTER TABLE {}", after.table.quoted());
    let named_above = after.kind == "c" && before.inherited > 0 && after.inherited > 0;
    if before.name != after.name && !named_above {
        let old = quote_ident(&before.name);
        let sql = format!("{table} RENAME CONSTRAINT {old} TO {name}");
        steps.add(Phase::Constraint, object, sql);
    }
    if after.validated && !before.validated && before.enforced == after.enforced {
        let sql = format!("{table} VALIDATE CONSTRAINT {name}");
        let above = command
            .constraints
            .get(&after.parent_oid.unwrap_or_default());
        if above.is_none() {
            steps.add(Phase::Validate, object, sql);
        }
    }
    if after.kind != "f" || after.parent_oid.is_none() {
        alter_mode(before, after, steps, object);
    }
}

fn alter_mode(before: &Constraint, after: &Constraint, steps: &mut Steps, object: &str) {
    let name = quote_ident(&after.name);
    let table = format!("ALTER TABLE {}", after.table.quoted());
    if (before.deferrable, before.deferred) != (after.deferrable, after.deferred) {
        let deferrable = if after.deferrable {
            "DEFERRABLE"
        } else {
            "NOT DEFERRABLE"
        };
        let initially = if after.deferred {
            "DEFERRED"
        } else {
            "IMMEDIATE"
        };
        let sql = format!("{table} ALTER CONSTRAINT {name} {deferrable} INITIALLY {initially}");
        steps.add(Phase::AlterConstraint, object, sql);
    }
    if before.enforced != after.enforced {
        let not = if after.enforced == Some(false) {
            "NOT "
        } else {
            ""
        };
        let sql = format!("{table} ALTER CONSTRAINT {name} {not}ENFORCED");
        steps.add(Phase::AlterConstraint, object, sql);
    }
}

fn drop_constraint(command: &CommandObjects<'_>, before: &Constraint, steps: &mut Steps) {
    if goes_with_parent(command, before) || command.is_dropped(before.table_oid) {
        return;
    }
    let referenced = before.referenced_oid.zip(before.referenced.as_ref());
    if referenced.is_some_and(|(oid, name)| !command.selects(oid, name)) {
        return;
    }
    let is_key = before.kind == "f";
    let phase = match is_key {
        true => Phase::DropForeignKey,
        false => Phase::DropConstraint,
    };
    let unless = match is_key && command.change.filtered {
        true => "IF EXISTS ",
        false => "",
    };
    let stays_below = before.kind == "c" && stays_below(command, before);
    let only = if stays_below { "ONLY " } else { "" };
    let sql = format!(
        "ALTER TABLE {only}{} DROP CONSTRAINT {unless}{}",
        before.table.quoted(),
        quote_ident(&before.name)
    );
    steps.add(phase, &label(before), sql);
}

/// Whether PostgreSQL takes it away by itself: nobody can drop what comes from a parent. The part of a
/// foreign key that stands for a partition goes when that is detached, though the key stays.
fn goes_with_parent(command: &CommandObjects<'_>, before: &Constraint) -> bool {
    let from_above = before.parent_oid.is_some_and(|parent| {
        let parent = command.constraints.get(&parent);
        before.kind == "f" || parent.is_none_or(|images| images.after.is_none())
    });
    from_above || before.kind == "c" && before.inherited > 0 && !before.local
}

fn stays_below(command: &CommandObjects<'_>, constraint: &Constraint) -> bool {
    command.children(constraint.table_oid).any(|child| {
        let mut constraints = command
            .constraints
            .values()
            .filter_map(|c| c.after.as_ref());
        constraints.any(|c| c.table_oid == child.oid && c.name == constraint.name)
    })
}

/// Whether it is a foreign key that was built anew, to a table whose rows follow. Those of partitions come
/// and go with their parent's.
pub(super) fn keeps_rows_apart(command: &CommandObjects<'_>, images: &Images<Constraint>) -> bool {
    images.after.as_ref().is_some_and(|key| {
        let own = key.kind == "f" && key.parent_oid.is_none();
        let target = key.referenced_oid.filter(|_| own && images.rebuilt);
        target.is_some_and(|table| command.is_rewritten_by_rows(table))
            && command.selects(key.table_oid, &key.table)
    })
}
