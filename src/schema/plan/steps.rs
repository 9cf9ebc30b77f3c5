//! Statements gathered in the order in which a server accepts them.

use crate::model::QualifiedName;

/// One statement for the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The object, for people: `table public.test`.
    pub object: String,
    /// The statement, without a semicolon.
    pub sql: String,
}

/// When a statement may run: what it needs is made by the phases before it, what would be in its
/// way is gone. Up to [`Phase::RenameTable`] names are those of before, behind it those of after;
/// for columns the border is [`Phase::RenameColumn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Empty,
    DropForeignKey,
    DropConstraint,
    DropIndex,
    Detach,
    DropDefault,
    DropColumn,
    DropTable,
    DropSequence,
    DropType,
    DropSchema,
    Schema,
    RenameType,
    Type,
    Sequence,
    RenameTable,
    CreateTable,
    Inherit,
    RenameColumn,
    AddColumn,
    ColumnType,
    ColumnSetting,
    Index,
    Constraint,
    AlterConstraint,
    Attach,
    AttachIndex,
    ForeignKey,
    Validate,
    Owner,
    TableSetting,
    Comment,
}

/// Steps with their phases; within one phase the order of adding stays, unless a rank says otherwise.
#[derive(Debug, Default)]
pub(super) struct Steps {
    steps: Vec<(Phase, i32, Step)>,
}

impl Steps {
    pub(super) fn add(&mut self, phase: Phase, object: &str, sql: String) {
        self.add_ranked(phase, 0, object, sql);
    }

    /// Adds a step that comes before those of its phase with a higher rank.
    pub(super) fn add_ranked(&mut self, phase: Phase, rank: i32, object: &str, sql: String) {
        let object = object.to_owned();
        self.steps.push((phase, rank, Step { object, sql }));
    }

    pub(super) fn into_ordered(mut self) -> Vec<Step> {
        self.steps.sort_by_key(|(phase, rank, _)| (*phase, *rank));
        self.steps.into_iter().map(|(_, _, step)| step).collect()
    }
}

/// Returns `table public.test` for people.
pub(super) fn label(kind: &str, name: &QualifiedName) -> String {
    format!("{kind} {name}")
}
