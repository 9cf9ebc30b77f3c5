//! What is set on a table beside its columns.

use crate::model::quote_ident;
use crate::schema::description::Table;

use super::command_objects::CommandObjects;
use super::sql::{comment, option_changes};
use super::steps::{Phase, Steps, label};

/// Adds what is neither structure nor columns.
pub(super) fn settings(
    command: &CommandObjects<'_>,
    oid: u32,
    before: &Table,
    after: &Table,
    steps: &mut Steps,
) {
    let object = label("table", &after.qualified_name());
    let quoted = after.qualified_name().quoted();
    let table = format!("ALTER TABLE ONLY {quoted}");
    let mut clauses = option_changes(&before.options, &after.options, "");
    clauses.extend(option_changes(
        &before.toast_options,
        &after.toast_options,
        "toast.",
    ));
    if before.access_method != after.access_method
        && let Some(method) = &after.access_method
    {
        clauses.push(format!("SET ACCESS METHOD {}", quote_ident(method)));
    }
    if before.persistence != after.persistence {
        let mode = if after.persistence == "u" {
            "UNLOGGED"
        } else {
            "LOGGED"
        };
        clauses.push(format!("SET {mode}"));
    }
    if before.replica_identity != after.replica_identity {
        clauses.extend(replica_identity(command, oid, &after.replica_identity));
    }
    for clause in clauses {
        steps.add(Phase::TableSetting, &object, format!("{table} {clause}"));
    }
    let target = format!("TABLE {quoted}");
    comment(
        steps,
        &object,
        &target,
        before.comment.as_ref(),
        after.comment.as_ref(),
    );
}

/// An index as identity is said with the index, which knows its name.
pub(super) fn replica_identity(
    command: &CommandObjects<'_>,
    oid: u32,
    letter: &str,
) -> Option<String> {
    match letter {
        "f" => Some("REPLICA IDENTITY FULL".to_owned()),
        "n" => Some("REPLICA IDENTITY NOTHING".to_owned()),
        "i" => {
            let mut indexes = command.indexes.values().filter_map(|i| i.after.as_ref());
            let index = indexes.find(|i| i.table_oid == oid && i.replica_identity)?;
            let name = quote_ident(&index.name);
            Some(format!("REPLICA IDENTITY USING INDEX {name}"))
        }
        _ => Some("REPLICA IDENTITY DEFAULT".to_owned()),
    }
}
