//! Tables whose rows follow as messages are emptied first: then a column gets its new type without
//! any conversion, and a new column its NOT NULL without any value.
//!
//! A foreign key to a column that gets a new type is built anew with it, and would find that the rows
//! it points to are gone. So it goes before, and comes again when they are there.

use crate::model::{do_block, quote_ident, quote_literal};
use crate::schema::description::Constraint;

use super::command_objects::CommandObjects;
use super::constraint::{self, keeps_rows_apart};
use super::sql::comment;
use super::steps::{Phase, Step, Steps, label};

/// Returns what has to run when the rows are there.
pub(super) fn plan(command: &CommandObjects<'_>, steps: &mut Steps) -> Vec<Step> {
    for oid in &command.change.sends_rows {
        let images = command.tables.get(oid);
        let Some(before) = images.and_then(|images| images.before.as_ref()) else {
            continue;
        };
        let name = before.qualified_name();
        if command.selects(*oid, &name) {
            steps.add(Phase::Empty, &label("table", &name), empty(&name.quoted()));
        }
    }
    let mut behind_rows = Steps::default();
    for images in command.constraints.values() {
        if let (true, Some(before), Some(after)) = (
            keeps_rows_apart(command, images),
            &images.before,
            &images.after,
        ) {
            set_aside(before, after, steps, &mut behind_rows);
        }
    }
    behind_rows.into_ordered()
}

fn set_aside(before: &Constraint, after: &Constraint, steps: &mut Steps, behind_rows: &mut Steps) {
    let object = constraint::label(after);
    let drop = format!(
        "ALTER TABLE {} DROP CONSTRAINT {}",
        before.table.quoted(),
        quote_ident(&before.name)
    );
    // Before its table is emptied: what it has still to check is checked now.
    steps.add_ranked(Phase::Empty, -1, &object, drop);
    let (table, name) = (after.table.quoted(), quote_ident(&after.name));
    let add = format!(
        "ALTER TABLE {table} ADD CONSTRAINT {name} {}",
        after.definition
    );
    behind_rows.add(Phase::ForeignKey, &object, add);
    let target = format!("CONSTRAINT {name} ON {table}");
    comment(behind_rows, &object, &target, None, after.comment.as_ref());
}

/// The rows do not go away, they only change: no trigger may fire for them and no foreign key act.
/// The setting needs a privilege, so it is touched only where there is a trigger to keep quiet.
fn empty(quoted: &str) -> String {
    let literal = quote_literal(quoted);
    let literal = literal.trim_start();
    do_block(&format!(
        "DECLARE role pg_catalog.text := pg_catalog.current_setting('session_replication_role'); BEGIN \
         IF EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = {literal}::pg_catalog.regclass) \
         THEN SET LOCAL session_replication_role = replica; END IF; \
         DELETE FROM ONLY {quoted}; \
         PERFORM pg_catalog.set_config('session_replication_role', role, true) \
         WHERE role <> pg_catalog.current_setting('session_replication_role'); END"
    ))
}
