//! Sequences. Those of identity columns come and go with their column; afterwards they are altered
//! as any other.

use crate::model::{QualifiedName, do_block, quote_ident, quote_literal};
use crate::schema::description::{Sequence, SequencePosition};
use crate::schema::entry::Images;

use super::command_objects::CommandObjects;
use super::sql::{comment, move_and_rename};
use super::steps::{Phase, Step, Steps, label};
use super::{NotApplied, Plan};

/// A sequence replicates with the table that owns it, or by itself when none does. One whose owner is left out
/// may be on the target without an owner, where a table draws from it that replicates.
pub(super) fn plan(
    command: &CommandObjects<'_>,
    images: &Images<Sequence>,
    steps: &mut Steps,
    plan: &mut Plan,
) {
    let Some(after) = &images.after else {
        return;
    };
    let object = label("sequence", &after.qualified_name());
    let before = images.before.as_ref();
    let had = before.filter(|before| replicates(command, before));
    match (before, replicates(command, after)) {
        (None, false) => return,
        (Some(before), false) if had.is_some() => {
            return leave(command, before, after, (steps, plan), &object);
        }
        (Some(before), false) => {
            return alter_without_owner(command, before, after, steps, &object);
        }
        (None, true) if after.identity => retype_identity(command, after, steps, &object),
        (None, true) => create(after, "", steps, &object),
        (Some(before), true) if had.is_some() => alter(command, before, after, steps, &object),
        (Some(_), true) => enter(after, steps, &object),
    }
    own(command, had, after, steps, &object);
    let old_comment = had.and_then(|s| s.comment.as_ref());
    let target = format!("SEQUENCE {}", after.qualified_name().quoted());
    comment(steps, &object, &target, old_comment, after.comment.as_ref());
}

fn replicates(command: &CommandObjects<'_>, sequence: &Sequence) -> bool {
    let owner = sequence.table_oid.zip(sequence.table.as_ref());
    owner.is_none_or(|(oid, table)| command.selects(oid, table))
}

/// Returns the statement that makes a sequence without its owner, for a table that draws from it and replicates
/// where the owner does not.
#[must_use]
pub fn lend(sequence: &Sequence) -> Step {
    let object = label("sequence", &sequence.qualified_name());
    Step::new(object, creation(sequence, "IF NOT EXISTS "))
}

/// It got an owner that replicates, or lost one that does not; a table may have drawn from it before.
fn enter(after: &Sequence, steps: &mut Steps, object: &str) {
    create(after, "IF NOT EXISTS ", steps, object);
    let (quoted, type_name) = (after.qualified_name().quoted(), &after.type_name);
    let sql = format!(
        "ALTER SEQUENCE {quoted} AS {type_name} {}",
        parameters(after)
    );
    steps.add(Phase::Sequence, object, sql);
}

/// It got an owner that the filter leaves out: it stays as it is, by itself.
fn leave(
    command: &CommandObjects<'_>,
    before: &Sequence,
    after: &Sequence,
    (steps, plan): (&mut Steps, &mut Plan),
    object: &str,
) {
    let alone = Sequence {
        table_oid: None,
        column_number: None,
        table: None,
        column: None,
        ..after.clone()
    };
    alter(command, before, &alone, steps, object);
    own(command, Some(before), &alone, steps, object);
    plan.not_applied.extend(after.table.as_ref().map(|table| NotApplied {
        object: format!("owner of {object}"),
        reason: format!(
            "the filter leaves {table} out, which owns it now: it stays on the target without an owner"
        ),
    }));
}

/// Alters it where the target has it, without an owner: one with an owner is the target's own.
fn alter_without_owner(
    command: &CommandObjects<'_>,
    before: &Sequence,
    after: &Sequence,
    steps: &mut Steps,
    object: &str,
) {
    let mut statements = Steps::default();
    alter(command, before, after, &mut statements, object);
    if let Some(run) = statements.into_body() {
        let sql = without_owner(&before.qualified_name(), &run);
        steps.add(Phase::Owner, object, sql);
    }
}

/// Returns a block that runs statements where a sequence is there and has no owner.
pub(super) fn without_owner(name: &QualifiedName, statements: &str) -> String {
    let run = statements.replace("SELECT pg_catalog.setval", "PERFORM pg_catalog.setval");
    do_block(&format!(
        "BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_class AS q \
         WHERE q.oid = pg_catalog.to_regclass({}) AND q.relkind = 'S' \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d \
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = q.oid \
         AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0)) THEN {run} END IF; END",
        quote_literal(&name.quoted())
    ))
}

fn create(after: &Sequence, unless: &str, steps: &mut Steps, object: &str) {
    steps.add(Phase::Sequence, object, creation(after, unless));
}

fn creation(after: &Sequence, unless: &str) -> String {
    let unlogged = match after.persistence.as_str() {
        "u" => "UNLOGGED ",
        _ => "",
    };
    format!(
        "CREATE {unlogged}SEQUENCE {unless}{} AS {} {}",
        after.qualified_name().quoted(),
        after.type_name,
        parameters(after)
    )
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
        old_name = QualifiedName::new(after.schema.as_str(), before.name.as_str());
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
