//! What is dropped as a whole: what one kind needs of another goes in the order in which the server did it,
//! what follows each other and is of one kind in one statement, because it may depend on each other.
//! Never with CASCADE.

use crate::model::{QualifiedName, quote_ident};
use crate::schema::description::{Object, Sequence, Table, Type};
use crate::schema::entry::{Images, ObjectChange};

use super::command_objects::CommandObjects;
use super::dependencies::{of_columns, of_type};
use super::object;
use super::sequence::without_owner;
use super::steps::{Phase, Steps, label};

/// An object that goes.
struct Gone {
    /// Where it stands among what the server dropped, which begins with what others need.
    place: i64,
    /// The keyword, which also tells what goes together.
    kind: String,
    /// What stands behind it.
    name: String,
    label: String,
    optional: bool,
}

pub(super) fn plan(command: &CommandObjects<'_>, steps: &mut Steps) {
    let mut gone = Vec::new();
    for object in command.objects {
        match object {
            ObjectChange::Table(i) if i.after.is_none() => {
                let name = i.before.as_ref().and_then(|t| table(command, i.oid, t));
                gone.extend(name.map(|name| named(i.place, "TABLE", &name)));
            }
            ObjectChange::Sequence(i) if i.after.is_none() => {
                let name = i.before.as_ref().and_then(|s| sequence(command, s));
                gone.extend(name.map(|name| named(i.place, "SEQUENCE", &name)));
                i.before.iter().for_each(|s| drop_lent(command, s, steps));
            }
            ObjectChange::Type(i) if i.after.is_none() => {
                let name = i.before.as_ref().map(Type::qualified_name);
                gone.extend(name.map(|name| named(i.place, "TYPE", &name)));
            }
            ObjectChange::Schema(i) if i.after.is_none() => {
                if let Some(schema) = &i.before {
                    let sql = format!("DROP SCHEMA IF EXISTS {}", quote_ident(&schema.name));
                    steps.add(Phase::DropSchema, &format!("schema {}", schema.name), sql);
                }
            }
            ObjectChange::Object(i) => gone.extend(other(command, i, steps)),
            ObjectChange::Table(_)
            | ObjectChange::Sequence(_)
            | ObjectChange::Type(_)
            | ObjectChange::Schema(_)
            | ObjectChange::Index(_)
            | ObjectChange::Constraint(_) => {}
        }
    }
    // Without places, the kinds come as they were gathered below: tables, sequences, types.
    let kind = |gone: &Gone| {
        ["TABLE", "SEQUENCE"]
            .iter()
            .position(|kind| *kind == gone.kind)
    };
    gone.sort_by_key(|gone| (-gone.place, kind(gone).unwrap_or(2)));
    let statements = gone.chunk_by(|one, next| one.kind == next.kind && !one.optional);
    let statements: Vec<&[Gone]> = statements.collect();
    let of_tables = statements.iter().filter(|gone| gone[0].kind == "TABLE");
    if of_tables.count() > 1 {
        separate(command, steps);
    }
    for together in statements {
        drop_all(steps, together);
    }
}

/// Tables that go one after the other have no foreign keys to each other any more.
fn separate(command: &CommandObjects<'_>, steps: &mut Steps) {
    let keys = command
        .constraints
        .values()
        .filter(|images| images.after.is_none());
    for key in keys.filter_map(|images| images.before.as_ref()) {
        let both = command.is_dropped(key.table_oid)
            && key
                .referenced_oid
                .is_some_and(|table| command.is_dropped(table));
        if both && key.parent_oid.is_none() && command.selects(key.table_oid, &key.table) {
            let (table, name) = (key.table.quoted(), quote_ident(&key.name));
            let object = format!("constraint {} on {}", key.name, key.table);
            let sql = format!("ALTER TABLE IF EXISTS {table} DROP CONSTRAINT IF EXISTS {name}");
            steps.add(Phase::DropForeignKey, &object, sql);
        }
    }
}

fn named(place: i64, kind: &str, name: &QualifiedName) -> Gone {
    Gone {
        place,
        kind: kind.to_owned(),
        name: name.quoted(),
        label: format!("{} {name}", kind.to_lowercase()),
        optional: false,
    }
}

/// What went before any table or part of one did, nothing that is left then needs: it goes first. A trigger
/// goes with its table, unless its function goes as well.
fn other(command: &CommandObjects<'_>, images: &Images<Object>, steps: &mut Steps) -> Option<Gone> {
    let before = images.before.as_ref()?;
    // The server does not report the drop of an event trigger.
    let dropped = images.dropped || before.kind == "event trigger";
    let goes = images.after.is_none() && dropped && object::selects(command, before);
    // A policy, or a rule, may name another table, which may go before its own.
    let names_others = matches!(before.kind.as_str(), "policy" | "rule");
    let table = before.table_oid;
    let with_table = table.is_some_and(|table| command.is_dropped(table));
    if !goes || with_table && !names_others && !needs_routine(command, before) {
        return None;
    }
    let address = before.address();
    let name = address.strip_prefix(&before.keyword())?.trim_start();
    let gone = Gone {
        place: images.place,
        kind: before.keyword(),
        name: name.to_owned(),
        label: before.label(),
        optional: true,
    };
    // A view is no part of a table: behind the first part that went it is there because of a table, or a
    // table is there because of the view.
    let parts_dropped = match before.is_relation() {
        true if has_values(command, &before.qualified_name()) => i64::MAX,
        true => command.change.first_part_dropped,
        false => command.change.parts_dropped,
    };
    // An event trigger has no place, and needs its function.
    let has_no_place = before.kind == "event trigger";
    if images.place < parts_dropped && !has_no_place {
        return Some(gone);
    }
    let rank = match has_no_place {
        true => i32::MIN,
        false => i32::try_from(-images.place).unwrap_or(i32::MIN),
    };
    let sql = format!("DROP {} IF EXISTS {name}", gone.kind);
    steps.may_fail(true);
    steps.add_ranked(Phase::DropObject, rank, &gone.label, sql);
    steps.may_fail(false);
    None
}

/// Returns whether a trigger may call a function that goes.
fn needs_routine(command: &CommandObjects<'_>, object: &Object) -> bool {
    let routine = |object: &Object| object.kind == "function";
    object.kind == "trigger"
        && command.objects.iter().any(|object| match object {
            ObjectChange::Object(images) => {
                images.after.is_none() && images.before.as_ref().is_some_and(routine)
            }
            _ => false,
        })
}

/// Returns whether rows of a view are values of a table or a type that goes.
fn has_values(command: &CommandObjects<'_>, view: &QualifiedName) -> bool {
    command.objects.iter().any(|object| match object {
        ObjectChange::Table(Images {
            before: Some(table),
            after: None,
            ..
        }) => of_columns(&table.columns).contains(view),
        ObjectChange::Type(Images {
            before: Some(of),
            after: None,
            ..
        }) => of_type(of).contains(view),
        _ => false,
    })
}

fn table(command: &CommandObjects<'_>, oid: u32, table: &Table) -> Option<QualifiedName> {
    let name = table.qualified_name();
    command.selects(oid, &name).then_some(name)
}

/// A sequence goes with its identity column, its table or its column. One of no table is dropped where
/// the filter lets its name through.
fn sequence(command: &CommandObjects<'_>, sequence: &Sequence) -> Option<QualifiedName> {
    if sequence.identity {
        return None;
    }
    if let (Some(oid), Some(name)) = (sequence.table_oid, &sequence.table) {
        let images = command.tables.get(&oid);
        let number = sequence.column_number.unwrap_or_default();
        let owner_gone = images.is_some_and(|images| {
            let after = images.after.as_ref();
            after.and_then(|table| table.column(number)).is_none()
        });
        if owner_gone || !command.selects(oid, name) {
            return None;
        }
    }
    let name = sequence.qualified_name();
    let is_free = sequence.table_oid.is_none();
    (!is_free || command.selects_name(&name)).then_some(name)
}

/// One whose owner is left out is on the target, without an owner, where a table drew from it.
fn drop_lent(command: &CommandObjects<'_>, sequence: &Sequence, steps: &mut Steps) {
    let owner = sequence.table_oid.zip(sequence.table.as_ref());
    let left_out = owner.is_some_and(|(oid, table)| !command.selects(oid, table));
    let name = sequence.qualified_name();
    if left_out && !sequence.identity && is_drawn_from(command, &name) {
        let sql = without_owner(&name, &format!("DROP SEQUENCE {};", name.quoted()));
        steps.add(Phase::Drop, &label("sequence", &name), sql);
    }
}

/// Whether a table that replicates loses a default that draws from it.
fn is_drawn_from(command: &CommandObjects<'_>, sequence: &QualifiedName) -> bool {
    let mut tables = command
        .tables
        .values()
        .filter_map(|images| images.before.as_ref());
    let named = format!("{sequence}'");
    tables.any(|table| {
        let mut defaults = table
            .columns
            .iter()
            .filter_map(|column| column.default.as_ref());
        command.selects_name(&table.qualified_name()) && defaults.any(|text| text.contains(&named))
    })
}

fn drop_all(steps: &mut Steps, together: &[Gone]) {
    let Some(first) = together.first() else {
        return;
    };
    let names: Vec<_> = together.iter().map(|gone| gone.name.as_str()).collect();
    let more = match names.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let object = format!("{}{more}", first.label);
    // What the target never had is as the source wants it.
    let sql = format!("DROP {} IF EXISTS {}", first.kind, names.join(", "));
    steps.may_fail(first.optional);
    steps.add(Phase::Drop, &object, sql);
    steps.may_fail(false);
}
