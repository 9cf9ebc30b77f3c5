//! From one row of the schema log to the statements that do the same on the target.
//!
//! ```text
//!  Change ── objects before/after ──> one planner a kind ──> Steps (phase, SQL) ──> Plan
//! ```
//!
//! Pure: no server, no clock. Identity is the OID, and inside a table the column's number, so a
//! rename is a rename and never a drop and a create. What PostgreSQL does by itself on the target
//! (indexes that ALTER TYPE builds anew, columns that children inherit, the sequence of an identity
//! column) gets no statement. Nothing is ever dropped with CASCADE: what the source dropped is
//! dropped by name, and if the target has more that depends on it, the target says so.

mod access;
mod column;
mod command_objects;
mod concurrent;
mod constraint;
mod copy;
mod create_table;
mod dependencies;
mod drops;
mod extension;
mod index;
mod needs;
mod not_null;
mod object;
mod owners;
mod planned;
mod privileges;
mod rebuilt;
mod rewrite_rows;
mod schema;
mod sequence;
mod sql;
mod steps;
mod table;
mod table_settings;
#[cfg(test)]
mod tests;
mod types;

use crate::model::QualifiedName;

use self::steps::Steps;
use super::SchemaError;
use super::entry::{Change, Entry, ObjectChange};

use command_objects::CommandObjects;

pub use self::access::Access;
pub use self::copy::{CopyPlan, Stage, StagedStep, plan_copy};
pub use self::needs::ObjectNeeds;
pub use self::sequence::lend;
pub use self::steps::Step;
pub use planned::{NotApplied, Plan, RelationTouch};

/// So much of a statement tells what it is about.
const WORDS_MAX: usize = 120;

/// Returns the beginning of the command's text: all that tells which privileges are meant, where the source
/// names no object. A command within a function is not what the text is of.
fn first_words(change: &Change) -> Option<String> {
    let statement = change.statement.as_deref().filter(|_| !change.nested)?;
    let line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    let words: String = line.chars().take(WORDS_MAX).collect();
    Some(words.trim_end_matches(';').to_owned()).filter(|words| !words.is_empty())
}

/// Returns what one row of the log means for the target. `selects` says which tables replicate; a
/// table counts as selected when its name before or after is.
///
/// # Errors
/// [`SchemaError::NotDescribed`] when the source could not describe the command (class: operator).
pub fn plan(entry: &Entry, selects: &dyn Fn(&QualifiedName) -> bool) -> Result<Plan, SchemaError> {
    let change = &entry.change;
    if let Some(reason) = &change.failure {
        let (tag, reason) = (change.tag.clone(), reason.clone());
        return Err(SchemaError::NotDescribed { tag, reason });
    }
    let mut plan = Plan::default();
    for other in change.others.iter().filter(|other| !other.travels) {
        let object = match &other.identity {
            Some(identity) => format!("{} {identity}", other.tag),
            None => first_words(change).unwrap_or_else(|| other.tag.clone()),
        };
        plan.not_applied.push(NotApplied {
            object,
            reason: "this kind of object does not replicate yet".to_owned(),
        });
    }
    plan.not_applied.extend(left_alone(change));
    let objects = rebuilt::join(&change.objects);
    let command = CommandObjects::new(change, &objects, selects);
    if concurrent::plan(&command, &mut plan) {
        return Ok(plan);
    }
    let mut steps = Steps::default();
    for object in &objects {
        plan_object(&command, object, &mut steps, &mut plan);
    }
    drops::plan(&command, &mut steps);
    object::refresh(&command, &mut steps);
    extension::compare_versions(&command, &mut steps);
    extension::release(&command, &mut steps);
    plan.behind_rows = rewrite_rows::plan(&command, &mut steps);
    plan.steps = steps.into_ordered();
    plan.relations = command.touched_relations();
    Ok(plan)
}

/// What is dropped is known by its OID; a name alone may mean something else on the target.
fn left_alone(change: &Change) -> Vec<NotApplied> {
    let unknown = change.unknown_drops.iter().map(|drop| NotApplied {
        object: format!("{} {}.{}", drop.kind, drop.schema, drop.name),
        reason:
            "it was dropped on the source, where it had never been described: what has its name \
                 on the target stays"
                .to_owned(),
    });
    let protected = change.protected.iter().map(|object| NotApplied {
        object: object.clone(),
        reason: "the schemas of the server and of pgstream are no target".to_owned(),
    });
    let left = change.left_alone.iter().map(|object| NotApplied {
        object: object.clone(),
        reason: "the target does not have it: what has its name there is not touched".to_owned(),
    });
    unknown.chain(protected).chain(left).collect()
}

fn plan_object(
    command: &CommandObjects<'_>,
    object: &ObjectChange,
    steps: &mut Steps,
    plan: &mut Plan,
) {
    steps.may_fail(object.is_apart_from_rows());
    match object {
        ObjectChange::Schema(images) => schema::plan(images, steps),
        ObjectChange::Table(images) => table::plan(command, images, steps),
        ObjectChange::Index(images) => index::plan(command, images, steps),
        ObjectChange::Constraint(images) => constraint::plan(command, images, steps, plan),
        ObjectChange::Sequence(images) => sequence::plan(command, images, steps, plan),
        ObjectChange::Type(images) => types::plan(command, images, steps, plan),
        ObjectChange::Object(images) => object::plan(command, images, steps),
    }
    steps.may_fail(false);
}
