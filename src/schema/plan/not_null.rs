//! NOT NULL of columns. PostgreSQL 18 knows constraints by name and hands them down; before, it is one flag.
//!
//! A table may have one by itself, of its parents, or both: what is only of the parents comes with them
//! and goes with them, and naming it would make it the table's own.

use crate::model::quote_ident;
use crate::schema::description::{Column, NotNull, Table};

use super::command_objects::CommandObjects;
use super::steps::{Phase, Steps, label};

/// Returns what stands behind a new column's type.
pub(super) fn part(column: &Column) -> String {
    match &column.not_null_constraint {
        Some(constraint) if column.not_null && constraint.validated => {
            let name = quote_ident(&constraint.name);
            let no_inherit = no_inherit(constraint);
            format!(" CONSTRAINT {name} NOT NULL{no_inherit}")
        }
        None if column.not_null => " NOT NULL".to_owned(),
        _ => String::new(),
    }
}

/// Returns what a new child says by itself of a column that its parents give it.
pub(super) fn own_of_inherited(column: &Column) -> Option<String> {
    let constraint = column.not_null_constraint.as_ref()?;
    (constraint.local && constraint.validated).then(|| {
        let (name, column) = (quote_ident(&constraint.name), quote_ident(&column.name));
        let no_inherit = no_inherit(constraint);
        format!("CONSTRAINT {name} NOT NULL {column}{no_inherit}")
    })
}

/// Adds one that rows need not fulfil: when they are there, and from below, where a child has its own.
pub(super) fn add_unvalidated(
    command: &CommandObjects<'_>,
    table: &Table,
    column: &Column,
    steps: &mut Steps,
) {
    if let Some(constraint) = column.not_null_constraint.as_ref().filter(|c| !c.validated) {
        let (family, object) = family(table);
        let sql = add(&family, &table.name, column, constraint);
        steps.add_ranked(Phase::Validate, -command.depth(table), &object, sql);
    }
}

/// Has a table's rows fulfil what its parents' need not.
pub(super) fn validate(table: &Table, column: &Column, steps: &mut Steps) {
    if let Some(constraint) = column.not_null_constraint.as_ref().filter(|c| c.validated) {
        let (family, object) = family(table);
        let name = quote_ident(&constraint.name);
        let sql = format!("{family} VALIDATE CONSTRAINT {name}");
        steps.add_ranked(Phase::Validate, 1, &object, sql);
    }
}

fn family(table: &Table) -> (String, String) {
    let name = table.qualified_name();
    (
        format!("ALTER TABLE {}", name.quoted()),
        label("table", &name),
    )
}

/// Returns the statements that make one of a column what it is now. `table` alters the table alone.
pub(super) fn changes(
    table: &str,
    table_name: &str,
    before: &Column,
    after: &Column,
) -> Vec<String> {
    let name = quote_ident(&after.name);
    let family = table.replacen("ALTER TABLE ONLY", "ALTER TABLE", 1);
    match (&before.not_null_constraint, &after.not_null_constraint) {
        (None, None) if before.not_null != after.not_null => {
            let verb = if after.not_null { "SET" } else { "DROP" };
            vec![format!("{table} ALTER COLUMN {name} {verb} NOT NULL")]
        }
        (None, None) => Vec::new(),
        (Some(was), None) if was.local => {
            vec![format!("{family} ALTER COLUMN {name} DROP NOT NULL")]
        }
        (Some(_), None) => Vec::new(),
        (None, Some(now)) if !now.local => Vec::new(),
        (None, Some(now)) => vec![add(&family, table_name, after, now)],
        (Some(was), Some(now)) => {
            let mut changes = Vec::new();
            let constraint = quote_ident(&now.name);
            let named_above = was.inherited > 0 && now.inherited > 0;
            if was.name != now.name && !named_above {
                let old = quote_ident(&was.name);
                changes.push(format!("{family} RENAME CONSTRAINT {old} TO {constraint}"));
            }
            if was.no_inherit != now.no_inherit {
                let inherit = if now.no_inherit {
                    "NO INHERIT"
                } else {
                    "INHERIT"
                };
                changes.push(format!("{family} ALTER CONSTRAINT {constraint} {inherit}"));
            }
            if now.validated && !was.validated {
                changes.push(format!("{family} VALIDATE CONSTRAINT {constraint}"));
            }
            if named_above && now.local && !was.local {
                changes.push(format!("{table} ALTER COLUMN {name} SET NOT NULL"));
            }
            changes
        }
    }
}

fn add(table: &str, table_name: &str, column: &Column, constraint: &NotNull) -> String {
    let name = quote_ident(&column.name);
    let plain = constraint.name == format!("{table_name}_{}_not_null", column.name)
        && !constraint.no_inherit
        && constraint.validated;
    if plain {
        return format!("{table} ALTER COLUMN {name} SET NOT NULL");
    }
    let no_inherit = no_inherit(constraint);
    let not_valid = if constraint.validated {
        ""
    } else {
        " NOT VALID"
    };
    let constraint = quote_ident(&constraint.name);
    format!("{table} ADD CONSTRAINT {constraint} NOT NULL {name}{no_inherit}{not_valid}")
}

fn no_inherit(constraint: &NotNull) -> &'static str {
    if constraint.no_inherit {
        " NO INHERIT"
    } else {
        ""
    }
}
