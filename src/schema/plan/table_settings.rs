//! What is set on a table beside its columns.

use crate::model::{do_block, quote_ident};
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

/// Policies count for whoever does not own the table. FORCE makes them count for its owner, too: where that
/// may be the role that writes our rows, they would keep rows from being written.
pub(super) fn row_security(before: Option<&Table>, after: &Table, steps: &mut Steps) {
    let quoted = after.qualified_name().quoted();
    let was = |flag: fn(&Table) -> bool| before.is_some_and(flag);
    let mut sql = Vec::new();
    if was(|table| table.row_security) != after.row_security {
        let mode = if after.row_security {
            "ENABLE"
        } else {
            "DISABLE"
        };
        sql.push(format!("ALTER TABLE {quoted} {mode} ROW LEVEL SECURITY"));
    }
    match (
        was(|table| table.row_security_forced),
        after.row_security_forced,
    ) {
        (true, false) => sql.push(format!("ALTER TABLE {quoted} NO FORCE ROW LEVEL SECURITY")),
        (false, true) => sql.push(force(&quoted)),
        (true, true) | (false, false) => {}
    }
    steps.may_fail(true);
    for sql in sql {
        let object = label("table", &after.qualified_name());
        steps.add(Phase::Object, &object, sql);
    }
    steps.may_fail(false);
}

fn force(table: &str) -> String {
    do_block(&format!(
        "BEGIN \
           IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE (r.rolsuper OR r.rolbypassrls) \
                          AND r.rolname OPERATOR(pg_catalog.=) CURRENT_USER) \
              OR EXISTS (SELECT FROM pg_catalog.pg_proc AS p \
                         JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname = 'pgstream' \
                         WHERE pg_catalog.starts_with(p.proname::pg_catalog.text, 'as_owner_')) THEN \
             RAISE EXCEPTION 'FORCE ROW LEVEL SECURITY would keep us from writing rows' \
               USING ERRCODE = 'insufficient_privilege'; \
           END IF; \
           ALTER TABLE {table} FORCE ROW LEVEL SECURITY; \
         END"
    ))
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
