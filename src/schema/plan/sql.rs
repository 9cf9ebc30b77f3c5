//! Pieces of SQL that several kinds of object share.

use crate::model::{QualifiedName, quote_ident, quote_literal};

use super::steps::{Phase, Steps, label};

/// Adds the statements that move an object to another schema and give it another name. `kind` is
/// the keyword of the ALTER statement; `moves_itself` is false for what goes with its table.
pub(super) fn move_and_rename(
    steps: &mut Steps,
    phase: Phase,
    kind: &str,
    before: &QualifiedName,
    after: &QualifiedName,
) {
    let object = label(&kind.to_lowercase(), after);
    let mut current = before.clone();
    if before.schema != after.schema {
        let schema = quote_ident(&after.schema);
        let sql = format!("ALTER {kind} {} SET SCHEMA {schema}", current.quoted());
        steps.add(phase, &object, sql);
        current = QualifiedName::new(&*after.schema, &*before.name);
    }
    if before.name != after.name {
        let name = quote_ident(&after.name);
        let sql = format!("ALTER {kind} {} RENAME TO {name}", current.quoted());
        steps.add(phase, &object, sql);
    }
}

/// Adds `COMMENT ON` where the comment changed. `target` is what stands behind ON.
pub(super) fn comment(
    steps: &mut Steps,
    object: &str,
    target: &str,
    before: Option<&String>,
    after: Option<&String>,
) {
    if before != after {
        let text = after.map_or_else(|| "NULL".to_owned(), |text| quote_literal(text));
        steps.add(
            Phase::Comment,
            object,
            format!("COMMENT ON {target} IS {}", text.trim_start()),
        );
    }
}

/// Returns the SET and RESET clauses that turn one list of `name=value` options into the other;
/// `prefix` is put before each name (`toast.`).
pub(super) fn option_changes(before: &[String], after: &[String], prefix: &str) -> Vec<String> {
    let set: Vec<_> = after
        .iter()
        .filter(|option| !before.contains(option))
        .map(|option| option_clause(option, prefix))
        .collect();
    let reset: Vec<_> = before
        .iter()
        .map(|option| option_name(option))
        .filter(|name| !after.iter().any(|option| option_name(option) == *name))
        .map(|name| format!("{prefix}{}", quote_ident(name)))
        .collect();
    let mut clauses = Vec::new();
    if !set.is_empty() {
        clauses.push(format!("SET ({})", set.join(", ")));
    }
    if !reset.is_empty() {
        clauses.push(format!("RESET ({})", reset.join(", ")));
    }
    clauses
}

/// Returns `name='value'` for one stored option.
pub(super) fn option_clause(option: &str, prefix: &str) -> String {
    let (name, value) = option.split_once('=').unwrap_or((option, "true"));
    format!(
        "{prefix}{}={}",
        quote_ident(name),
        quote_literal(value).trim_start()
    )
}

fn option_name(option: &str) -> &str {
    option.split_once('=').map_or(option, |(name, _)| name)
}

/// Returns the keyword of a storage letter (`pg_attribute.attstorage`).
pub(super) fn storage_keyword(letter: &str) -> &'static str {
    match letter {
        "p" => "PLAIN",
        "e" => "EXTERNAL",
        "m" => "MAIN",
        _ => "EXTENDED",
    }
}

/// Returns the keyword of a compression letter (`pg_attribute.attcompression`).
pub(super) fn compression_keyword(letter: Option<&str>) -> &'static str {
    match letter {
        Some("l") => "lz4",
        Some("p") => "pglz",
        _ => "default",
    }
}
