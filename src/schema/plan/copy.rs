//! What a table that is copied needs on the target, and when.
//!
//! ```text
//!  before the rows   schemas, types, sequences, tables, partitions attached while they are empty, and
//!                    before that what they need of indexes that the partitioned table has already:
//!                    ATTACH would build those by itself, under names of its own
//!  with its rows     tables that need no other table and that none needs: at any time, beside each other
//!  after its rows    indexes, beside each other; then keys and checks, one after the other
//!  after all rows    what joins tables: indexes of partitioned tables, owners, settings, comments; and
//!                    checks that are NOT VALID, which rows of the source may break
//!  when in step      foreign keys: both tables must be as of one snapshot
//! ```
//!
//! The statements are those of a new table ([`super::plan`]) with one difference: a key is built as
//! an index first and made the key afterwards, because only the second takes a lock that other
//! index builds of the table would wait for.

use crate::model::QualifiedName;
use crate::schema::description::{Constraint, Index, Table};
use crate::schema::entry::{Change, Images, ObjectChange};

use super::command_objects::CommandObjects;
use super::dependencies::Dependencies;
use super::needs::ObjectNeeds;
use super::planned::{NotApplied, Plan};
use super::steps::{Check, Depth, Phase, Phased, Step, Steps, Subject};
use super::{constraint, plan_object};

/// When a statement may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Before the rows of any table.
    Before,
    /// Before the rows of its table, beside other tables.
    Table,
    /// After the rows of its table, beside others of the same table.
    Index,
    /// After the rows and the indexes of its table.
    After,
    /// After the rows of all tables.
    Last,
    /// When both tables are as the stream has them.
    ForeignKey,
}

/// One statement with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedStep {
    /// When.
    pub stage: Stage,
    /// The table (OID on the source) that it belongs to; none: a schema, a type, a free sequence.
    pub relation: Option<u32>,
    /// The table that a foreign key points to.
    pub referenced: Option<u32>,
    pub step: Step,
}

/// All statements, in the order in which they may run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyPlan {
    pub steps: Vec<StagedStep>,
    /// What the source has and the target will not have.
    pub not_applied: Vec<NotApplied>,
}

/// Returns what it takes to make these objects, or to make those that are there what they are now.
/// `selects` says which tables replicate.
#[must_use]
pub fn plan_copy(
    objects: &[ObjectChange],
    needs: &ObjectNeeds,
    selects: &dyn Fn(&QualifiedName) -> bool,
) -> CopyPlan {
    let change = Change::of(Vec::new());
    let mut command = CommandObjects::new(&change, objects, selects);
    let dependencies = Dependencies::of(&command, &needs.pairs);
    command.row_types.clone_from(dependencies.row_types());
    let (mut steps, mut plan) = (Steps::default(), Plan::default());
    for object in objects {
        let subject = subject(&command, &dependencies, object);
        if let Some((first, rest)) = in_two_forms(needs, object) {
            steps.belong_to(Subject {
                depth: Depth::default(),
                ..subject
            });
            plan_object(&command, &first, &mut steps, &mut plan);
            steps.belong_to(subject);
            plan_object(&command, &rest, &mut steps, &mut plan);
            continue;
        }
        steps.belong_to(subject);
        match key_and_index(&command, object) {
            Some((key, index)) => {
                constraint::plan_over_index(&command, key, index, &mut steps);
            }
            None => plan_object(&command, object, &mut steps, &mut plan),
        }
    }
    steps.belong_to(Subject::default());
    super::drops::plan(&command, &mut steps);
    let phased = steps.into_phased().into_iter();
    CopyPlan {
        steps: phased.map(|phased| staged(&command, phased)).collect(),
        not_applied: plan.not_applied,
    }
}

/// A view of a cycle is made without what is behind it, and then becomes what it is.
fn in_two_forms(
    needs: &ObjectNeeds,
    object: &ObjectChange,
) -> Option<(ObjectChange, ObjectChange)> {
    let ObjectChange::Object(images) = object else {
        return None;
    };
    let first = needs.first_form(images)?;
    let (mut made, mut rest) = (images.clone(), images.clone());
    (made.after, rest.before) = (Some(first.clone()), Some(first));
    Some((ObjectChange::Object(made), ObjectChange::Object(rest)))
}

fn subject(
    command: &CommandObjects<'_>,
    dependencies: &Dependencies,
    object: &ObjectChange,
) -> Subject {
    let known = match object {
        ObjectChange::Constraint(images) => images.known(),
        _ => None,
    };
    let index = match object {
        ObjectChange::Index(images) => images.after.as_ref(),
        _ => known.and_then(|key| index(command, key.index_oid?)),
    };
    Subject {
        relation: object.relation(),
        referenced: object.referenced(),
        check: known.and_then(check),
        of_existing_index: index.is_some_and(|index| is_of_existing_index(command, index)),
        depth: match object {
            ObjectChange::Table(_) | ObjectChange::Type(_) | ObjectChange::Object(_) => {
                dependencies.depth(object.oid())
            }
            _ => Depth::default(),
        },
        early: dependencies.is_early(object.oid()),
        apart: matches!(object, ObjectChange::Table(images) if dependencies.leave_apart(images)),
    }
}

fn check(constraint: &Constraint) -> Option<Check> {
    match (constraint.kind.as_str(), constraint.validated) {
        ("c", true) => Some(Check::Validated),
        ("c", false) => Some(Check::Unvalidated),
        _ => None,
    }
}

fn index<'a>(command: &CommandObjects<'a>, oid: u32) -> Option<&'a Index> {
    let images = command.indexes.get(&oid);
    images.and_then(|images| images.after.as_ref())
}

/// The index of a partitioned table that is not made now stands: with its table, which is complete.
fn is_of_existing_index(command: &CommandObjects<'_>, index: &Index) -> bool {
    index.parent_oid.is_some_and(|parent| {
        let parent = command.indexes.get(&parent);
        parent.is_none_or(|images| images.before.is_some())
    })
}

fn staged(command: &CommandObjects<'_>, phased: Phased) -> StagedStep {
    let Phased {
        phase,
        subject,
        step,
        ..
    } = phased;
    let table = subject.relation.and_then(|oid| table(command, oid));
    StagedStep {
        stage: stage(phase, table, subject),
        relation: subject.relation,
        referenced: subject.referenced,
        step,
    }
}

fn table<'a>(command: &CommandObjects<'a>, oid: u32) -> Option<&'a Table> {
    let images = command.tables.get(&oid);
    images.and_then(|images| images.after.as_ref())
}

/// A partition is attached while it is empty, and must have its parent's checks then. A check that rows
/// need not fulfil comes after those of all tables: it goes down to children, too.
fn stage(phase: Phase, table: Option<&Table>, subject: Subject) -> Stage {
    let partition = table.is_some_and(Table::is_partition);
    let partitioned = table.is_some_and(|table| table.partition_key.is_some());
    match phase {
        Phase::ForeignKey => Stage::ForeignKey,
        Phase::Comment if subject.referenced.is_some() => Stage::ForeignKey,
        Phase::Constraint if subject.check == Some(Check::Unvalidated) => Stage::Last,
        Phase::Constraint if subject.check.is_some() && partition => Stage::Before,
        Phase::Index | Phase::Constraint if subject.of_existing_index => Stage::Before,
        Phase::Index | Phase::Constraint | Phase::AlterConstraint if partitioned => Stage::Last,
        Phase::Index => Stage::Index,
        Phase::Constraint | Phase::AlterConstraint => Stage::After,
        Phase::Object if subject.early => Stage::Before,
        Phase::Object
        | Phase::ObjectIndex
        | Phase::JoinIndex
        | Phase::AttachIndex
        | Phase::Validate
        | Phase::Owner
        | Phase::TableSetting
        | Phase::Comment => Stage::Last,
        _ if subject.apart => Stage::Table,
        _ => Stage::Before,
    }
}

/// Returns a new key of a plain table and its index, if that can be made by itself.
fn key_and_index<'a>(
    command: &CommandObjects<'a>,
    object: &'a ObjectChange,
) -> Option<(&'a Constraint, &'a Images<Index>)> {
    let ObjectChange::Constraint(images) = object else {
        return None;
    };
    let after = images.after.as_ref().filter(|_| images.before.is_none())?;
    let images = command.indexes.get(&after.index_oid?)?;
    let index = images.after.as_ref()?;
    let table = table(command, after.table_oid)?;
    let plain = table.partition_key.is_none();
    let key = matches!(after.kind.as_str(), "p" | "u") && !after.deferrable;
    let btree = index.valid && index.definition.contains(" USING btree ");
    let apart = plain && key && btree && (images.before.is_some() || !takes_not_null(table, after));
    apart.then_some((after, *images))
}

/// Whether a key over an index makes NOT NULL the table's own where that is only inherited, since 18; a
/// key that makes its index by itself does not.
fn takes_not_null(table: &Table, key: &Constraint) -> bool {
    let columns = table.columns.iter();
    let mut constraints = columns.filter_map(|column| column.not_null_constraint.as_ref());
    key.kind == "p" && constraints.any(|constraint| !constraint.local)
}
