//! What is dropped as a whole: tables in one statement, because they may depend on each other,
//! then sequences, types and schemas. Never with CASCADE.

use crate::model::{QualifiedName, quote_ident};
use crate::schema::description::{Sequence, Table, Type};
use crate::schema::entry::ObjectChange;

use super::command_objects::CommandObjects;
use super::steps::{Phase, Steps};

pub(super) fn plan(command: &CommandObjects<'_>, steps: &mut Steps) {
    let mut tables = Vec::new();
    let mut sequences = Vec::new();
    let mut types = Vec::new();
    let mut schemas = Vec::new();
    for object in command.objects {
        match object {
            ObjectChange::Table(i) if i.after.is_none() => {
                tables.extend(i.before.as_ref().and_then(|t| table(command, i.oid, t)));
            }
            ObjectChange::Sequence(i) if i.after.is_none() => {
                sequences.extend(i.before.as_ref().and_then(|s| sequence(command, s)));
            }
            ObjectChange::Type(i) if i.after.is_none() => {
                types.extend(i.before.as_ref().map(Type::qualified_name));
            }
            ObjectChange::Schema(i) if i.after.is_none() => {
                schemas.extend(i.before.as_ref().map(|s| s.name.clone()));
            }
            ObjectChange::Table(_)
            | ObjectChange::Sequence(_)
            | ObjectChange::Type(_)
            | ObjectChange::Schema(_)
            | ObjectChange::Index(_)
            | ObjectChange::Constraint(_) => {}
        }
    }
    drop_all(steps, Phase::DropTable, "TABLE", &tables);
    drop_all(steps, Phase::DropSequence, "SEQUENCE", &sequences);
    drop_all(steps, Phase::DropType, "TYPE", &types);
    for name in schemas {
        let sql = format!("DROP SCHEMA IF EXISTS {}", quote_ident(&name));
        steps.add(Phase::DropSchema, &format!("schema {name}"), sql);
    }
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

fn drop_all(steps: &mut Steps, phase: Phase, kind: &str, names: &[QualifiedName]) {
    let Some(first) = names.first() else {
        return;
    };
    let quoted: Vec<_> = names.iter().map(QualifiedName::quoted).collect();
    let more = match names.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let object = format!("{} {first}{more}", kind.to_lowercase());
    // What the target never had is as the source wants it.
    let sql = format!("DROP {kind} IF EXISTS {}", quoted.join(", "));
    steps.add(phase, &object, sql);
}
