//! Sequences. Those of identity columns come and go with their column; afterwards they are altered
//! as any other.

use crate::model::{quote_ident, quote_literal};
use crate::schema::description::{Sequence, SequencePosition};
use crate::schema::entry::Images;

use super::command_objects::CommandObjects;
use super::sql::{comment, move_and_rename};
use super::steps::{Phase, Steps, label};

pub(super) fn plan(command: &CommandObjects<'_>, images: &Images<Sequence>, steps: &mut Steps) {
    let Some(after) = &images.after else {
        return;
    };
    if let (Some(oid), Some(table)) = (after.table_oid, &after.table)
        && !command.selects(oid, table)
    {
        return;
    }
    let object = label("sequence", &after.qualified_name());
    match &images.before {
        None if after.identity => retype_identity(command, after, steps, &object),
        None => create(after, steps, &object),
        Some(before) => alter(command, before, after, steps, &object),
    }
    own(command, images.before.as_ref(), after, steps, &object);
    let old_comment = images.before.as_ref().and_then(|s| s.comment.as_ref());
    let target = format!("SEQUENCE {}", after.qualified_name().quoted());
    comment(steps, &object, &target, old_comment, after.comment.as_ref());
}

fn create(after: &Sequence, steps: &mut Steps, object: &str) {
    let unlogged = match after.persistence.as_str() {
        "u" => "UNLOGGED ",
        _ => "",
    };
    let sql = format!(
        "CREATE {unlogged}SEQUENCE {} AS {} {}",
        after.qualified_name().quoted(),
        after.type_name,
        parameters(after)
    );
    steps.add(Phase::Sequence, object, sql);
}

/// Returns the parameters of CREATE SEQUENCE and of an identity column.
pub(super) fn parameters(sequence: &Sequence) -> String {
    format!(
        "START WITH {} INCREMENT BY {} MINVALUE {} MAXVALUE {} CACHE {} {}",
        sequence.start,
        sequence.increment,
        sequence.minimum,
        sequence.maximum,
        sequence.cache,
        if sequence.cycle { "CYCLE" } else { "NO CYCLE" }
    )
}

/// An identity column makes its sequence with the column's type; `LIKE … INCLUDING IDENTITY` does
/// not.
fn retype_identity(
    command: &CommandObjects<'_>,
    after: &Sequence,
    steps: &mut Steps,
    object: &str,
) {
    let table = after.table_oid.and_then(|oid| command.tables.get(&oid));
    let table = table.and_then(|images| images.after.as_ref());
    let column = table
        .zip(after.column_number)
        .and_then(|(t, n)| t.column(n));
    if column.is_some_and(|column| column.type_name != after.type_name) {
        let quoted = after.qualified_name().quoted();
        let (type_name, parameters) = (&after.type_name, parameters(after));
        let sql = format!("ALTER SEQUENCE {quoted} AS {type_name} {parameters}");
        steps.add(Phase::Owner, object, sql);
    }
}

/// New bounds may leave out where the target's stands: it goes to where the source's was left, which may be
/// back.
fn alter(
    command: &CommandObjects<'_>,
    before: &Sequence,
    after: &Sequence,
    steps: &mut Steps,
    object: &str,
) {
    let mut old_name = before.qualified_name();
    let new_name = after.qualified_name();
    if before.schema != after.schema && follows_table(command, before) {
        old_name = crate::model::QualifiedName::new(after.schema.as_str(), before.name.as_str());
    }
    let phase = if follows_table(command, before) {
        Phase::Owner
    } else {
        Phase::Sequence
    };
    move_and_rename(steps, phase, "SEQUENCE", &old_name, &new_name);
    let quoted = new_name.quoted();
    if before.persistence != after.persistence && !follows_table(command, before) {
        let mode = if after.persistence == "u" {
            "UNLOGGED"
        } else {
            "LOGGED"
        };
        steps.add(phase, object, format!("ALTER SEQUENCE {quoted} SET {mode}"));
    }
    if before.type_name != after.type_name || parameters(before) != parameters(after) {
        let (type_name, parameters) = (&after.type_name, parameters(after));
        let restart = after.position.as_ref().map(|position| &position.last);
        let restart = restart.map_or_else(String::new, |last| format!(" RESTART WITH {last}"));
        let sql = format!("ALTER SEQUENCE {quoted} AS {type_name} {parameters}{restart}");
        steps.add(Phase::Owner, object, sql);
    }
    if let Some(SequencePosition { last, called }) = &after.position {
        let name = quote_literal(&quoted);
        let sql = format!(
            "SELECT pg_catalog.setval({}, {last}, {called})",
            name.trim_start()
        );
        steps.add(Phase::Owner, object, sql);
    }
}

/// An owned sequence goes to another schema with its table, when that is what moved.
fn follows_table(command: &CommandObjects<'_>, sequence: &Sequence) -> bool {
    let table = sequence.table_oid.and_then(|oid| command.tables.get(&oid));
    table.is_some_and(|images| images.before.is_some() && images.after.is_some())
}

fn own(
    command: &CommandObjects<'_>,
    before: Option<&Sequence>,
    after: &Sequence,
    steps: &mut Steps,
    object: &str,
) {
    let owner = |s: &Sequence| (s.table_oid, s.column_number, s.identity);
    if after.identity || before.map_or((None, None, false), owner) == owner(after) {
        return;
    }
    let quoted = after.qualified_name().quoted();
    let target = match (&after.table, &after.column) {
        (Some(table), Some(column)) => format!("{}.{}", table.quoted(), quote_ident(column)),
        _ if before.is_some_and(|s| s.table_oid.is_some_and(|oid| command.is_dropped(oid))) => {
            return;
        }
        _ => "NONE".to_owned(),
    };
    let sql = format!("ALTER SEQUENCE {quoted} OWNED BY {target}");
    steps.add(Phase::Owner, object, sql);
}
