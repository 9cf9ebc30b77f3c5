//! Tables that exist before and after: names, parents, settings; columns are in `column`.

use crate::schema::description::{Parent, Table};
use crate::schema::entry::Images;

use super::column::Columns;
use super::command_objects::CommandObjects;
use super::create_table::{self, attach, kept_parents};
use super::sql::move_and_rename;
use super::steps::{Phase, Steps, label};
use super::table_settings::{row_security, settings};

pub(super) fn plan(command: &CommandObjects<'_>, images: &Images<Table>, steps: &mut Steps) {
    let Some(after) = &images.after else {
        return;
    };
    if !command.selects(images.oid, &after.qualified_name()) {
        return;
    }
    match &images.before {
        None => create_table::plan(command, images.oid, after, steps),
        Some(before) => alter(command, images.oid, before, after, steps),
    }
    row_security(images.before.as_ref(), after, steps);
}

fn alter(command: &CommandObjects<'_>, oid: u32, before: &Table, after: &Table, steps: &mut Steps) {
    let (old_name, new_name) = (before.qualified_name(), after.qualified_name());
    move_and_rename(steps, Phase::RenameTable, "TABLE", &old_name, &new_name);
    alter_parents(command, before, after, steps);
    let object = label("table", &new_name);
    let table = format!("ALTER TABLE ONLY {}", new_name.quoted());
    if before.of_type != after.of_type {
        let clause = match &after.of_type {
            Some(of_type) => format!("OF {of_type}"),
            None => "NOT OF".to_owned(),
        };
        steps.add(Phase::Inherit, &object, format!("{table} {clause}"));
    }
    Columns {
        command,
        oid,
        before,
        after,
    }
    .plan(steps);
    settings(command, oid, before, after, steps);
}

fn alter_parents(command: &CommandObjects<'_>, before: &Table, after: &Table, steps: &mut Steps) {
    let object = label("table", &after.qualified_name());
    let has = |table: &Table, parent: &Parent| table.parents.iter().any(|p| p.oid == parent.oid);
    for parent in kept_parents(command, before).filter(|p| !has(after, p)) {
        if command.is_dropped(parent.oid) {
            continue;
        }
        let sql = match before.is_partition() {
            true => format!(
                "ALTER TABLE {} DETACH PARTITION {}",
                parent.qualified_name().quoted(),
                before.qualified_name().quoted()
            ),
            false => format!(
                "ALTER TABLE {} NO INHERIT {}",
                before.qualified_name().quoted(),
                parent.qualified_name().quoted()
            ),
        };
        steps.add(Phase::Detach, &object, sql);
    }
    for parent in kept_parents(command, after).filter(|p| !has(before, p)) {
        if after.is_partition() {
            attach(after, parent, steps);
            continue;
        }
        let sql = format!(
            "ALTER TABLE {} INHERIT {}",
            after.qualified_name().quoted(),
            parent.qualified_name().quoted()
        );
        steps.add(Phase::Attach, &object, sql);
    }
}
