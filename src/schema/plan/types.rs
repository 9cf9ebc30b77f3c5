//! Enums, domains, composite types and ranges.

use crate::model::{quote_ident, quote_literal};
use crate::schema::description::{Category, Column, DomainConstraint, Range, Type};
use crate::schema::entry::Images;

use super::command_objects::CommandObjects;
use super::planned::Plan;
use super::sql::{comment, move_and_rename};
use super::steps::{Phase, Steps, label};

pub(super) fn plan(
    command: &CommandObjects<'_>,
    images: &Images<Type>,
    steps: &mut Steps,
    plan: &mut Plan,
) {
    let Some(after) = &images.after else {
        return;
    };
    let object = label("type", &after.qualified_name());
    match &images.before {
        None => create(after, steps, &object),
        Some(before) => alter(command, before, after, steps, plan, &object),
    }
    let old = images.before.as_ref();
    let quoted = after.qualified_name().quoted();
    let target = format!("{} {quoted}", keyword(after));
    let old_comment = old.and_then(|t| t.comment.as_ref());
    comment(steps, &object, &target, old_comment, after.comment.as_ref());
    let old_attributes = old.map(|t| t.attributes.as_slice()).unwrap_or_default();
    for attribute in &after.attributes {
        let before = old_attributes.iter().find(|a| a.number == attribute.number);
        let target = format!("COLUMN {quoted}.{}", quote_ident(&attribute.name));
        let old_comment = before.and_then(|a| a.comment.as_ref());
        comment(
            steps,
            &object,
            &target,
            old_comment,
            attribute.comment.as_ref(),
        );
    }
}

const fn keyword(of: &Type) -> &'static str {
    match of.category {
        Category::Domain => "DOMAIN",
        Category::Enum | Category::Composite | Category::Range => "TYPE",
    }
}

fn create(after: &Type, steps: &mut Steps, object: &str) {
    let name = after.qualified_name().quoted();
    let sql = match after.category {
        Category::Enum => {
            let labels: Vec<_> = after.labels.iter().map(|l| literal(&l.label)).collect();
            format!("CREATE TYPE {name} AS ENUM ({})", labels.join(", "))
        }
        Category::Composite => {
            let attributes: Vec<_> = after.attributes.iter().map(attribute).collect();
            format!("CREATE TYPE {name} AS ({})", attributes.join(", "))
        }
        Category::Domain => format!("CREATE DOMAIN {name} AS {}", domain(after)),
        Category::Range => match &after.range {
            Some(range) => format!(
                "CREATE TYPE {name} AS RANGE ({})",
                range_parts(after, range)
            ),
            None => return,
        },
    };
    steps.add(Phase::Type, object, sql);
    for constraint in after.constraints.iter().filter(|c| !c.validated) {
        add_check(after, constraint, steps, object);
    }
    for constraint in after.constraints.iter().filter(|c| c.comment.is_some()) {
        domain_comment(after, None, constraint, steps, object);
    }
}

fn literal(text: &str) -> String {
    quote_literal(text).trim_start().to_owned()
}

fn attribute(attribute: &Column) -> String {
    let name = quote_ident(&attribute.name);
    format!("{name} {}", super::column::type_of(attribute))
}

fn domain(after: &Type) -> String {
    let mut sql = after.base.clone().unwrap_or_default();
    if let Some(collation) = &after.collation {
        sql.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(default) = &after.default {
        sql.push_str(&format!(" DEFAULT {default}"));
    }
    if after.not_null {
        sql.push_str(" NOT NULL");
    }
    // CREATE DOMAIN has no NOT VALID.
    for constraint in after.constraints.iter().filter(|c| c.validated) {
        let (name, definition) = (quote_ident(&constraint.name), &constraint.definition);
        sql.push_str(&format!(" CONSTRAINT {name} {definition}"));
    }
    sql
}

fn range_parts(of: &Type, range: &Range) -> String {
    let mut parts = vec![format!("SUBTYPE = {}", range.subtype)];
    let mut push = |key: &str, value: &Option<String>| {
        if let Some(value) = value {
            parts.push(format!("{key} = {value}"));
        }
    };
    push("SUBTYPE_OPCLASS", &range.operator_class);
    push("COLLATION", &range.collation);
    push("CANONICAL", &range.canonical);
    push("SUBTYPE_DIFF", &range.difference);
    let (schema, name) = (quote_ident(&of.schema), quote_ident(&range.multirange_name));
    parts.push(format!("MULTIRANGE_TYPE_NAME = {schema}.{name}"));
    parts.join(", ")
}

fn alter(
    command: &CommandObjects<'_>,
    before: &Type,
    after: &Type,
    steps: &mut Steps,
    plan: &mut Plan,
    object: &str,
) {
    let (old_name, new_name) = (before.qualified_name(), after.qualified_name());
    move_and_rename(
        steps,
        Phase::RenameType,
        keyword(after),
        &old_name,
        &new_name,
    );
    match after.category {
        Category::Enum => plan.commit_after |= alter_enum(before, after, steps, object),
        Category::Domain => alter_domain(before, after, steps, object),
        Category::Composite => alter_composite(command, before, after, steps, object),
        Category::Range => {}
    }
}

/// Returns whether labels were added.
fn alter_enum(before: &Type, after: &Type, steps: &mut Steps, object: &str) -> bool {
    let name = after.qualified_name().quoted();
    let known = |oid: u32| before.labels.iter().find(|label| label.oid == oid);
    for label in &after.labels {
        if let Some(old) = known(label.oid).filter(|old| old.label != label.label) {
            let (old, new) = (literal(&old.label), literal(&label.label));
            let sql = format!("ALTER TYPE {name} RENAME VALUE {old} TO {new}");
            steps.add(Phase::Type, object, sql);
        }
    }
    let mut added = false;
    for (at, label) in after.labels.iter().enumerate() {
        if known(label.oid).is_some() {
            continue;
        }
        let next = after
            .labels
            .iter()
            .skip(at + 1)
            .find(|l| known(l.oid).is_some());
        let previous = at.checked_sub(1).and_then(|at| after.labels.get(at));
        let place = match (previous, next) {
            (Some(previous), _) => format!(" AFTER {}", literal(&previous.label)),
            (None, Some(next)) => format!(" BEFORE {}", literal(&next.label)),
            (None, None) => String::new(),
        };
        let value = literal(&label.label);
        steps.add(
            Phase::Type,
            object,
            format!("ALTER TYPE {name} ADD VALUE {value}{place}"),
        );
        added = true;
    }
    added
}

fn alter_domain(before: &Type, after: &Type, steps: &mut Steps, object: &str) {
    let name = after.qualified_name().quoted();
    let alter = |steps: &mut Steps, clause: String| {
        steps.add(Phase::Type, object, format!("ALTER DOMAIN {name} {clause}"));
    };
    let find = |of: &Type, oid: u32| of.constraints.iter().find(|c| c.oid == oid).cloned();
    for gone in before
        .constraints
        .iter()
        .filter(|c| find(after, c.oid).is_none())
    {
        // A function that it calls may go with it.
        let (domain, name) = (before.qualified_name().quoted(), quote_ident(&gone.name));
        let sql = format!("ALTER DOMAIN {domain} DROP CONSTRAINT {name}");
        steps.add(Phase::DropConstraint, object, sql);
    }
    if before.default_hash != after.default_hash {
        let clause = match &after.default {
            Some(default) => format!("SET DEFAULT {default}"),
            None => "DROP DEFAULT".to_owned(),
        };
        alter(steps, clause);
    }
    if before.not_null != after.not_null {
        let verb = if after.not_null { "SET" } else { "DROP" };
        alter(steps, format!("{verb} NOT NULL"));
    }
    for constraint in &after.constraints {
        let new = quote_ident(&constraint.name);
        match find(before, constraint.oid) {
            None => add_check(after, constraint, steps, object),
            Some(old) => {
                if old.name != constraint.name {
                    let old = quote_ident(&old.name);
                    alter(steps, format!("RENAME CONSTRAINT {old} TO {new}"));
                }
                if constraint.validated && !old.validated {
                    alter(steps, format!("VALIDATE CONSTRAINT {new}"));
                }
            }
        }
    }
    for constraint in &after.constraints {
        let old = find(before, constraint.oid);
        domain_comment(after, old.as_ref(), constraint, steps, object);
    }
}

/// One that values may break comes last: a copy writes rows before that.
fn add_check(domain: &Type, constraint: &DomainConstraint, steps: &mut Steps, object: &str) {
    let phase = match constraint.validated {
        true => Phase::Type,
        false => Phase::Validate,
    };
    let sql = format!(
        "ALTER DOMAIN {} ADD CONSTRAINT {} {}",
        domain.qualified_name().quoted(),
        quote_ident(&constraint.name),
        constraint.definition
    );
    steps.add(phase, object, sql);
}

fn domain_comment(
    domain: &Type,
    before: Option<&DomainConstraint>,
    after: &DomainConstraint,
    steps: &mut Steps,
    object: &str,
) {
    let (name, domain) = (quote_ident(&after.name), domain.qualified_name().quoted());
    let target = format!("CONSTRAINT {name} ON DOMAIN {domain}");
    let old = before.and_then(|c| c.comment.as_ref());
    comment(steps, object, &target, old, after.comment.as_ref());
}

/// Tables of the type follow only when told so; the source's command was refused without it.
fn alter_composite(
    command: &CommandObjects<'_>,
    before: &Type,
    after: &Type,
    steps: &mut Steps,
    object: &str,
) {
    let name = after.qualified_name().quoted();
    let typed = command.tables.values().any(|images| {
        let table = images.before.as_ref();
        table.is_some_and(|table| table.of_type.is_some())
    });
    let cascade = if typed { " CASCADE" } else { "" };
    let find = |of: &Type, number: i32| of.attributes.iter().find(|a| a.number == number).cloned();
    for gone in before
        .attributes
        .iter()
        .filter(|a| find(after, a.number).is_none())
    {
        // What it was made of may go with it.
        let (of, gone) = (before.qualified_name().quoted(), quote_ident(&gone.name));
        let sql = format!("ALTER TYPE {of} DROP ATTRIBUTE {gone}{cascade}");
        steps.add(Phase::DropColumn, object, sql);
    }
    let mut alter = |clause: String| {
        steps.add(
            Phase::Type,
            object,
            format!("ALTER TYPE {name} {clause}{cascade}"),
        );
    };
    for new in &after.attributes {
        let Some(old) = find(before, new.number) else {
            alter(format!("ADD ATTRIBUTE {}", attribute(new)));
            continue;
        };
        let quoted = quote_ident(&new.name);
        if old.name != new.name {
            alter(format!(
                "RENAME ATTRIBUTE {} TO {quoted}",
                quote_ident(&old.name)
            ));
        }
        let kind = |c: &Column| (c.type_oid, c.typmod, c.collation.clone());
        if kind(&old) != kind(new) {
            let type_of = super::column::type_of(new);
            alter(format!("ALTER ATTRIBUTE {quoted} TYPE {type_of}"));
        }
    }
}
