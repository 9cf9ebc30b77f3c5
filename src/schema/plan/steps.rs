//! Statements gathered in the order in which a server accepts them.

use crate::model::QualifiedName;

/// One statement for the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The object, for people: `table public.test`.
    pub object: String,
    /// The statement, without a semicolon.
    pub sql: String,
    /// No row depends on it: where the target refuses it, that is reported, and the stream goes on.
    pub optional: bool,
    /// It gives one object its owner, or roles their privileges on it.
    pub of_access: bool,
}

impl Step {
    /// Returns a statement that rows may depend on.
    #[must_use]
    pub fn new(object: impl Into<String>, sql: impl Into<String>) -> Self {
        Self {
            object: object.into(),
            sql: sql.into(),
            optional: false,
            of_access: false,
        }
    }
}

/// When a statement may run: what it needs is made by the phases before it, what would be in its
/// way is gone. Up to [`Phase::RenameTable`] names are those of before, behind it those of after;
/// for columns the border is [`Phase::RenameColumn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Empty,
    DropObject,
    DropForeignKey,
    DropConstraint,
    DropIndex,
    Detach,
    DropDefault,
    DropColumn,
    Drop,
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
    JoinIndex,
    Attach,
    AttachIndex,
    ForeignKey,
    Validate,
    Object,
    ObjectIndex,
    Owner,
    TableSetting,
    Comment,
}

/// The object that a statement is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Subject {
    /// The table, by OID on the source; none: a schema, a type, a free sequence.
    pub(super) relation: Option<u32>,
    /// The table that a foreign key points to.
    pub(super) referenced: Option<u32>,
    /// Whether it is a CHECK constraint, and of what kind.
    pub(super) check: Option<Check>,
    /// Whether it is the part of an index that the partitioned table has already.
    pub(super) of_existing_index: bool,
    /// Of a table, type or other object: where it stands above those that it is made of.
    pub(super) depth: Depth,
    /// Whether it is needed by a table, a type or an index.
    pub(super) early: bool,
    /// Whether it is a table that needs no other and that no other needs.
    pub(super) apart: bool,
}

/// What a CHECK constraint says of the rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// All fulfil it.
    Validated,
    /// Nobody has looked (`NOT VALID`): rows that do not fulfil it stay, and cannot be written again.
    Unvalidated,
}

/// A statement, its phase and what it is for.
#[derive(Debug)]
pub(super) struct Phased {
    pub(super) phase: Phase,
    rank: i32,
    pub(super) subject: Subject,
    pub(super) step: Step,
}

impl Phased {
    /// A type that is made of the rows of tables comes between those and the tables that are made of it.
    const fn place(&self) -> (Phase, i32, i32) {
        let Depth { steps, above_table } = self.subject.depth;
        match (self.phase, above_table) {
            (Phase::Type, true) | (Phase::CreateTable, _) => (Phase::CreateTable, steps, self.rank),
            (Phase::Type, false) => (Phase::Type, steps, self.rank),
            (Phase::Object, true) if self.subject.early => (Phase::CreateTable, steps, self.rank),
            (Phase::Object, false) if self.subject.early => (Phase::Type, steps, self.rank),
            (Phase::Object, _) => (Phase::Object, steps, self.rank),
            (phase, _) => (phase, 0, self.rank),
        }
    }
}

/// Steps with their phases; within one phase the order of adding stays, unless a rank says otherwise.
#[derive(Debug, Default)]
pub(super) struct Steps {
    steps: Vec<Phased>,
    subject: Subject,
    optional: bool,
}

impl Steps {
    /// Says what the steps that are added from now on are for.
    pub(super) fn belong_to(&mut self, subject: Subject) {
        self.subject = subject;
    }

    /// Says whether the target may refuse the steps that are added from now on.
    pub(super) const fn may_fail(&mut self, optional: bool) {
        self.optional = optional;
    }

    pub(super) fn add(&mut self, phase: Phase, object: &str, sql: String) {
        self.add_ranked(phase, 0, object, sql);
    }

    /// Adds a step that comes before those of its phase with a higher rank.
    pub(super) fn add_ranked(&mut self, phase: Phase, rank: i32, object: &str, sql: String) {
        self.steps.push(Phased {
            phase,
            rank,
            subject: self.subject,
            step: Step {
                optional: self.optional,
                ..Step::new(object, sql)
            },
        });
    }

    pub(super) fn into_ordered(self) -> Vec<Step> {
        self.into_phased()
            .into_iter()
            .map(|phased| phased.step)
            .collect()
    }

    /// Returns the statements in their order as the body of a block; none: there are none.
    pub(super) fn into_body(self) -> Option<String> {
        let steps = self.into_ordered().into_iter();
        let body: String = steps.map(|step| step.sql + ";").collect();
        (!body.is_empty()).then_some(body)
    }

    pub(super) fn into_phased(mut self) -> Vec<Phased> {
        self.steps.sort_by_key(Phased::place);
        self.steps
    }
}

/// Returns `table public.test` for people.
pub(super) fn label(kind: &str, name: &QualifiedName) -> String {
    format!("{kind} {name}")
}

/// Where an object stands above those that it is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Depth {
    /// How many objects must be made before it, one after the other.
    pub(super) steps: i32,
    /// A table is among them.
    pub(super) above_table: bool,
}
