//! CREATE and DROP INDEX CONCURRENTLY. The catalogs do not say that a command was concurrent; its
//! text does, and such a command is always alone in what the client sent.

use crate::model::{QualifiedName, do_block, quote_literal};
use crate::schema::description::Index;
use crate::schema::entry::ObjectChange;

use super::command_objects::CommandObjects;
use super::index;
use super::planned::Plan;
use super::steps::{Step, label};

/// Plans a concurrent command and returns true, or returns false for any other.
///
/// Each step may run again after a crash: a build that failed half-way leaves an invalid index,
/// which is dropped first.
pub(super) fn plan(command: &CommandObjects<'_>, plan: &mut Plan) -> bool {
    let change = command.change;
    let statement = change.statement.as_deref().unwrap_or_default();
    if change.nested || !is_concurrent(statement) {
        return false;
    }
    let mut steps = Vec::new();
    for object in command.objects {
        let ObjectChange::Index(images) = object else {
            return false;
        };
        let Some(known) = images.after.as_ref().or(images.before.as_ref()) else {
            continue;
        };
        if !command.selects(known.table_oid, &known.table) {
            continue;
        }
        steps.extend(match (&images.before, &images.after) {
            (None, Some(after)) => create(after),
            (Some(before), None) => vec![drop_step(before)],
            _ => return false,
        });
    }
    plan.steps = steps;
    plan.outside = true;
    plan.relations = command.touched_relations();
    true
}

fn create(after: &Index) -> Vec<Step> {
    let name = index::name(after);
    let quoted = name.quoted();
    let leftover = do_block(&format!(
        "BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_index WHERE NOT indisvalid AND indexrelid = \
         pg_catalog.to_regclass({})) THEN DROP INDEX {quoted}; END IF; END",
        quote_literal(&quoted)
    ));
    let build = after
        .definition
        .replacen(" INDEX ", " INDEX CONCURRENTLY IF NOT EXISTS ", 1);
    [leftover, build]
        .into_iter()
        .map(|sql| step(after, &name, sql))
        .collect()
}

fn drop_step(before: &Index) -> Step {
    let name = index::name(before);
    let sql = format!("DROP INDEX CONCURRENTLY IF EXISTS {}", name.quoted());
    step(before, &name, sql)
}

fn step(index: &Index, name: &QualifiedName, sql: String) -> Step {
    Step {
        optional: index.materialized,
        ..Step::new(label("index", name), sql)
    }
}

/// Whether a statement begins with CREATE [UNIQUE] INDEX CONCURRENTLY or DROP INDEX CONCURRENTLY.
fn is_concurrent(statement: &str) -> bool {
    let words: Vec<String> = leading_words(statement, 4);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(
        words.as_slice(),
        ["create", "unique", "index", "concurrently", ..]
            | ["create" | "drop", "index", "concurrently", ..]
    )
}

/// Returns the first words in lower case, comments and white space skipped.
fn leading_words(statement: &str, count: usize) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = statement;
    while words.len() < count {
        rest = skip_blank(rest);
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
            .unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        let (word, behind) = rest.split_at(end);
        words.push(word.to_ascii_lowercase());
        rest = behind;
    }
    words
}

fn skip_blank(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let behind = match rest.strip_prefix("--") {
            Some(comment) => comment.split_once('\n').map_or("", |(_, behind)| behind),
            None => match rest.strip_prefix("/*") {
                Some(comment) => skip_block(comment),
                None => return rest,
            },
        };
        rest = behind.trim_start();
    }
}

/// Block comments nest (manual, section 4.1.5).
fn skip_block(inside: &str) -> &str {
    let mut depth = 1;
    let mut rest = inside;
    while depth > 0 {
        let Some(at) = rest.find(['/', '*']) else {
            return "";
        };
        rest = &rest[at..];
        if let Some(behind) = rest.strip_prefix("/*") {
            depth += 1;
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix("*/") {
            depth -= 1;
            rest = behind;
        } else {
            rest = &rest[1..];
        }
    }
    rest
}

#[cfg(test)]
mod unit {
    use super::is_concurrent;

    #[test]
    fn concurrent_commands_are_known_by_their_first_words() {
        for text in [
            "CREATE INDEX CONCURRENTLY i ON t (a)",
            "create unique\nindex /* so /* nested */ */ concurrently on t (a)",
            "-- why\nDROP INDEX CONCURRENTLY i",
        ] {
            assert!(is_concurrent(text), "{text}");
        }
        for text in [
            "CREATE INDEX i ON t (a) -- CONCURRENTLY",
            "CREATE INDEX concurrently_i ON t (a)",
            "CREATE INDEX \"concurrently\" ON t (a)",
            "/* open",
            "",
        ] {
            assert!(!is_concurrent(text), "{text}");
        }
    }
}
