//! The tables that are copied together: one snapshot of the source for all of them, and what the
//! target must have before and after their rows.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::apply::leave_alone;
use crate::config::TableFilter;
use crate::model::{QualifiedName, RelationId, quote_ident};
use crate::postgres::{PgError, Session};
use crate::schema::compare::reconcile;
use crate::schema::{
    Access, Conflict, CopyPlan, Object, ObjectChange, PrivilegeChange, Reconciled, Roles, Stage,
    StagedStep, Step, Trigger, domain_checks_in_the_way, in_the_way, plan_copy, triggers,
};
use crate::snapshot::error::SnapshotError;
use crate::snapshot::handover::{Answer, MadeTable, TableStep, TablesRequest};
use crate::snapshot::run::{silence, wake};
use crate::snapshot::{
    ConsistentPoint, Making, NewStep, SourceTable, StoredTable, TypeFingerprints, sequence_question,
};

use super::back::{Back, partners};
use super::created::{as_json, leave_to_others, left_behind, made, made_before, making};
use super::error::PlanError;
use super::existing::existing;
use super::preflight::{Note, Preflight};
use super::ranges::{Ranges, ranges};
use super::settings::PlanSettings;
use super::source_snapshot::{SourceSnapshot, labels_of_others};

/// A snapshot of the source with the tables that are read at it.
pub(crate) struct SnapshotPlan {
    pub(crate) point: ConsistentPoint,
    /// Those that the source still has.
    pub(crate) tables: Vec<SourceTable>,
    /// Those that it has no longer.
    pub(crate) gone: Vec<RelationId>,
    /// Changes with the types that rows are made of.
    pub(crate) types: TypeFingerprints,
    sequences: Vec<(QualifiedName, Option<u32>)>,
    /// The ranges of keys of those that are copied by ranges.
    pub(crate) ranges: HashMap<RelationId, Ranges>,
    conflicts: Vec<Conflict>,
    notes: Vec<Note>,
    /// The target's triggers that the source has, too, and that stay silent for the copy; each with its table.
    shared: Vec<(u32, Trigger)>,
    copy_plan: CopyPlan,
    first: Vec<TableStep>,
    made: BTreeMap<u32, Vec<ObjectChange>>,
    /// The types that users made, by what people call them.
    type_oids: HashMap<String, u32>,
    /// Functions, views and so on, as people call them.
    others: HashSet<String>,
    refused: HashSet<String>,
    /// How the tables are made that the workers make themselves.
    making: HashMap<RelationId, Arc<Making>>,
}

impl SnapshotPlan {
    /// Compares with what the target has, which must be as of the same snapshot.
    pub(crate) async fn planned(
        settings: &PlanSettings<'_>,
        target: &Session,
        source_snapshot: SourceSnapshot,
    ) -> Result<Self, PlanError> {
        let mut created = made_before(settings.stored).map_err(PlanError::Stored)?;
        let mut existing = found(target, &source_snapshot.objects, &created).await?;
        leave_to_others(&mut created, settings.stored, &existing);
        let wanted = &source_snapshot.objects;
        let back = Back::of(settings, target, wanted, (&mut existing, &mut created)).await?;
        let compared =
            Compared::of(settings, target, &source_snapshot, (&existing, &created)).await?;
        let SourceSnapshot {
            point,
            types,
            tables,
            objects: wanted,
            privileges,
            dependencies,
            hidden,
            ..
        } = source_snapshot;
        let (privileges, roles) = kept(target, privileges, &compared.objects).await?;
        let views = views(&wanted, settings.filter);
        let mut known = known_names(settings.stored, &tables, views);
        known.extend(partners(settings, target, &wanted).await?);
        let known = |name: &QualifiedName| known.contains(name);
        let objects = compared.objects.into_iter();
        let objects: Vec<_> = objects.map(|object| object.owned_where(&known)).collect();
        let mut copy_plan = plan_copy(&objects, &dependencies, &known);
        let access = Access::new(&roles, settings.run_as_owner, &known);
        access.add_to_copy(&mut copy_plan, &objects, &privileges);
        let made = made(&wanted);
        let ranges = match settings.slot_name {
            Some(_) => {
                let part_bytes = settings.snapshot.part_size.0;
                ranges(&tables, part_bytes, settings.stored, settings.parts, &made)
            }
            // With nobody streaming there is nothing that evens snapshots out.
            None => HashMap::new(),
        };
        let emptied = to_be_emptied(&tables, &created, &ranges);
        let making = match settings.stands_still {
            true => making(&copy_plan, &made),
            false => HashMap::new(),
        };
        Ok(Self {
            making,
            type_oids: type_oids(&wanted),
            others: labels_of_others(&wanted).collect(),
            refused: settings.refused.clone(),
            first: [
                back.steps,
                first_steps(settings, (&existing, &wanted, &objects), &emptied),
            ]
            .concat(),
            sequences: sequences(&objects, &hidden),
            ranges,
            made,
            conflicts: [back.conflicts, compared.conflicts].concat(),
            shared: compared.shared,
            notes: [back.notes, compared.notes].concat(),
            gone: compared.gone,
            point,
            types,
            tables,
            copy_plan,
        })
    }

    /// Returns what the stream has to do, and how it will answer.
    pub(crate) fn copy_request(
        &self,
        stream_waits: bool,
    ) -> (TablesRequest, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let before = self.copy_plan.steps.iter().filter(|step| match step.stage {
            Stage::Before => !self.is_refused(step),
            Stage::Table => !self.is_made_by_worker(step.relation),
            _ => false,
        });
        let before = before.map(|step| TableStep {
            relation: step.relation,
            step: step.step.clone(),
        });
        let tables = self.tables.iter().map(|table| {
            let made = self.made.get(&table.relation.0).into_iter().flatten();
            let by_worker = self.is_made_by_worker(Some(table.relation.0));
            let now =
                |object: &&ObjectChange| !by_worker || !matches!(object, ObjectChange::Table(_));
            MadeTable {
                table: table.clone(),
                objects: as_json(made.filter(now)),
                ranges: self.ranges.get(&table.relation).cloned(),
            }
        });
        let copy_request = TablesRequest {
            at: self.point.lsn(),
            steps: (self.first.iter().cloned())
                .chain(self.shared.iter().map(silence))
                .chain(before)
                .collect(),
            tables: tables.collect(),
            later: (self.copy_plan.steps.iter())
                .flat_map(|step| self.later(step))
                .chain(self.sequences.iter().map(sequence))
                .chain(self.shared.iter().map(wake))
                .collect(),
            keys_to: Vec::new(),
            stream_waits,
            answer,
        };
        (copy_request, answered)
    }

    /// Returns how a table is made that the workers make themselves.
    pub(crate) fn making(&self, table: RelationId) -> Option<Arc<Making>> {
        self.making.get(&table).cloned()
    }

    /// Returns the tables that cannot be made without a type, a schema or a sequence that the target refuses;
    /// none: nobody knows.
    pub(crate) fn that_need(&self, object: &str) -> Option<Vec<RelationId>> {
        if self.others.contains(object) {
            // What cannot be made without it will be refused in its turn.
            return Some(Vec::new());
        }
        let (kind, name) = object.split_once(' ')?;
        let of_type = self.type_oids.get(object);
        let needs = |table: &&SourceTable| match kind {
            "type" => of_type.is_some_and(|oid| table.types.contains(oid)),
            "schema" => *name == *table.name.schema,
            _ => false,
        };
        let tables = self.tables.iter().filter(needs);
        let tables = tables.map(|table| table.relation).collect();
        matches!(kind, "type" | "schema" | "sequence").then_some(tables)
    }

    fn is_refused(&self, step: &StagedStep) -> bool {
        step.relation.is_none() && self.refused.contains(&step.step.object)
    }

    fn is_made_by_worker(&self, table: Option<u32>) -> bool {
        table.is_some_and(|table| self.making.contains_key(&RelationId(table)))
    }

    /// Returns the tables that something on the target is in the way of, each with what it is.
    pub(crate) fn conflicting(&self) -> Vec<(RelationId, &Conflict)> {
        let all = || self.tables.iter().map(|table| table.relation).collect();
        let tables = |conflict: &Conflict| match conflict.relation {
            Some(table) => vec![table],
            None => self.that_need(&conflict.object).unwrap_or_else(all),
        };
        let conflicts = self.conflicts.iter();
        conflicts
            .flat_map(|conflict| {
                tables(conflict)
                    .into_iter()
                    .map(move |table| (table, conflict))
            })
            .collect()
    }

    /// Refuses to go on when something on the target is in the way.
    pub(crate) fn refuse_conflicts(&self, endpoint: &str) -> Result<(), SnapshotError> {
        if self.conflicts.is_empty() {
            return Ok(());
        }
        Err(SnapshotError::Conflict {
            endpoint: endpoint.to_owned(),
            conflicts: self.conflicts.clone(),
        })
    }

    /// Returns what is to be known of the copy: what the target has or lacks, and what will not be on it.
    pub(crate) fn notes(&self) -> impl Iterator<Item = (&str, &str)> {
        let notes = self.notes.iter();
        let notes = notes.map(|note| (note.object.as_str(), note.message.as_str()));
        let left = self.copy_plan.not_applied.iter();
        notes.chain(left.map(|part| (part.object.as_str(), part.reason.as_str())))
    }

    fn later(&self, staged: &StagedStep) -> Vec<NewStep> {
        let step = |stage, sql: String| NewStep {
            stage,
            relation: staged.relation,
            referenced: staged.referenced,
            object: staged.step.object.clone(),
            sql,
        };
        let sql = staged.step.sql.clone();
        match staged.stage {
            Stage::Before if self.is_refused(staged) => vec![step("last", sql)],
            Stage::Before | Stage::Table => Vec::new(),
            Stage::Index => vec![step("index", sql)],
            Stage::After => vec![step("after", sql)],
            Stage::Last => vec![step("last", sql)],
            Stage::ForeignKey => match self.validation(staged) {
                Some(validation) => vec![
                    step("foreign_key", format!("{sql} NOT VALID")),
                    step("validate", validation),
                ],
                None => vec![step("foreign_key", sql)],
            },
        }
    }

    /// A foreign key is added without a look at the rows, which would keep writers off both tables,
    /// and validated afterwards. Partitioned tables, on either side of it, do not know that.
    fn validation(&self, staged: &StagedStep) -> Option<String> {
        let (table, rest) = staged.step.sql.split_once(" ADD CONSTRAINT ")?;
        let name = rest.split_once(" FOREIGN KEY ")?.0;
        let partitioned = self
            .tables
            .iter()
            .filter(|table| table.partitioned)
            .any(|table| [staged.relation, staged.referenced].contains(&Some(table.relation.0)));
        let validated = !rest.ends_with(" NOT VALID") && !rest.ends_with(" NOT ENFORCED");
        (validated && !partitioned).then(|| format!("{table} VALIDATE CONSTRAINT {name}"))
    }
}

/// What exists on the target under the names of what is wanted and of what we made.
async fn found(
    target: &Session,
    wanted: &[ObjectChange],
    created: &HashMap<u32, ObjectChange>,
) -> Result<Vec<ObjectChange>, PlanError> {
    let names: Vec<&ObjectChange> = wanted.iter().chain(created.values()).collect();
    existing(target, &names).await.map_err(PlanError::Describe)
}

/// What is granted on what is made, or stood there as the source has it; and who has a role for that.
async fn kept(
    target: &Session,
    privileges: Vec<PrivilegeChange>,
    objects: &[ObjectChange],
) -> Result<(Vec<PrivilegeChange>, Roles), PlanError> {
    let kept: HashSet<u32> = objects.iter().map(ObjectChange::oid).collect();
    let privileges = privileges.into_iter();
    let privileges = privileges.filter(|change| change.is_default() || kept.contains(&change.oid));
    let privileges: Vec<_> = privileges.collect();
    let roles = Roles::read(target, objects, &privileges).await;
    Ok((privileges, roles.map_err(PlanError::Target)?))
}

/// What a snapshot of the source means for what exists on the target.
struct Compared {
    objects: Vec<ObjectChange>,
    gone: Vec<RelationId>,
    conflicts: Vec<Conflict>,
    notes: Vec<Note>,
    shared: Vec<(u32, Trigger)>,
}

impl Compared {
    async fn of(
        settings: &PlanSettings<'_>,
        target: &Session,
        source_snapshot: &SourceSnapshot,
        (existing, created): (&[ObjectChange], &HashMap<u32, ObjectChange>),
    ) -> Result<Self, PlanError> {
        let Reconciled {
            mut objects,
            mut conflicts,
        } = reconcile(&source_snapshot.objects, existing, created);
        let there = triggers(target).await.map_err(PlanError::Target)?;
        let preflight = Preflight {
            tables: &source_snapshot.tables,
            wanted: &source_snapshot.objects,
            existing,
            created,
            needs: &source_snapshot.needs,
            unreplicated: source_snapshot.unreplicated.as_ref(),
            triggers: (&source_snapshot.triggers, &there),
            filter: settings.filter,
            silent_triggers: settings.silent_triggers,
        };
        let (taken, mut notes) = preflight.look(target).await.map_err(PlanError::Target)?;
        conflicts.extend(taken);
        let shared = preflight.shared_triggers().into_iter();
        let shared = shared.map(|(table, trigger)| (table, trigger.clone()));
        let shared = shared.collect();
        leave_free(
            &mut objects,
            &mut conflicts,
            (&source_snapshot.free, &mut notes),
        );
        notes.extend(source_snapshot.hidden.iter().cloned());
        let there: HashSet<RelationId> =
            source_snapshot.tables.iter().map(|t| t.relation).collect();
        let gone: Vec<RelationId> = settings.waiting.difference(&there).copied().collect();
        objects.extend(left_behind(&gone, created, existing));
        let filled = filled(target, &source_snapshot.tables, existing, created).await;
        conflicts.extend(filled.map_err(PlanError::Target)?);
        Ok(Self {
            objects,
            gone,
            conflicts,
            notes,
            shared,
        })
    }
}

/// What no table needs is left as the target has it: it is in nobody's way.
fn leave_free(
    objects: &mut Vec<ObjectChange>,
    conflicts: &mut Vec<Conflict>,
    (free, notes): (&HashSet<String>, &mut Vec<Note>),
) {
    let all = std::mem::take(conflicts).into_iter();
    let (left, rest): (Vec<_>, Vec<_>) = all.partition(|found| free.contains(&found.object));
    *conflicts = rest;
    let left_out: HashSet<&String> = left.iter().map(|found| &found.object).collect();
    objects.retain(|object| !left_out.contains(&object.label()));
    notes.extend(
        left.into_iter()
            .map(|Conflict { object, reason, .. }| Note {
                object,
                message: format!("is left as the target has it: {reason}"),
            }),
    );
}

/// Existing tables on the target with rows that are not ours.
async fn filled(
    target: &Session,
    tables: &[SourceTable],
    existing: &[ObjectChange],
    created: &HashMap<u32, ObjectChange>,
) -> Result<Vec<Conflict>, PgError> {
    let labels: HashSet<String> = existing.iter().map(ObjectChange::label).collect();
    let mut conflicts = Vec::new();
    for table in tables
        .iter()
        .filter(|table| !table.partitioned && !created.contains_key(&table.relation.0))
    {
        let object = format!("table {}", table.name);
        if !labels.contains(&object) {
            continue;
        }
        let sql = format!("SELECT EXISTS (SELECT FROM ONLY {})", table.name.quoted());
        let row = target.row(&sql, &[]).await?;
        if row.is_some_and(|row| row.get(0)) {
            let reason = "it has rows on the target already".to_owned();
            conflicts.push(Conflict {
                object,
                relation: Some(table.relation),
                reason,
            });
        }
    }
    Ok(conflicts)
}

/// What stands in the way goes: foreign keys, which forbid to copy in any order, checks that rows may
/// break, and rows of an earlier try.
fn first_steps(
    settings: &PlanSettings<'_>,
    (existing, wanted, objects): (&[ObjectChange], &[ObjectChange], &[ObjectChange]),
    emptied: &HashSet<u32>,
) -> Vec<TableStep> {
    let mut steps: Vec<TableStep> = in_the_way(objects, existing)
        .into_iter()
        .map(|key| TableStep {
            relation: None,
            step: Step::new(
                format!("constraint {} on {}", key.name, key.table),
                format!(
                    "ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}",
                    key.table.quoted(),
                    quote_ident(&key.name)
                ),
            ),
        })
        .collect();
    steps.extend(left_alone(settings, wanted, objects));
    steps.extend(
        domain_checks_in_the_way(objects).map(|(domain, check)| TableStep {
            relation: None,
            step: Step::new(
                format!("constraint {check} on domain {domain}"),
                format!(
                    "ALTER DOMAIN {} DROP CONSTRAINT {}",
                    domain.quoted(),
                    quote_ident(check)
                ),
            ),
        }),
    );
    let emptied = objects.iter().filter_map(|object| match object {
        ObjectChange::Table(images) if emptied.contains(&images.oid) => images.before.as_ref(),
        _ => None,
    });
    let emptied: Vec<String> = emptied
        .map(|table| format!("ONLY {}", table.qualified_name().quoted()))
        .collect();
    if !emptied.is_empty() {
        let sql = format!("TRUNCATE {}", emptied.join(", "));
        steps.push(TableStep {
            relation: None,
            step: Step::new("tables of an earlier try", sql),
        });
    }
    steps
}

/// The target has something else under these names: the stream is not to alter it later.
fn left_alone(
    settings: &PlanSettings<'_>,
    wanted: &[ObjectChange],
    objects: &[ObjectChange],
) -> Vec<TableStep> {
    let Some(slot) = settings.slot_name else {
        return Vec::new();
    };
    let made: HashSet<String> = objects.iter().map(ObjectChange::label).collect();
    let apart = wanted.iter().filter(|object| object.is_apart_from_rows());
    let left = apart.map(|object| (object.oid(), object.label()));
    let left = left.filter(|(_, label)| !made.contains(label));
    left.map(|(oid, label)| TableStep {
        relation: None,
        step: Step::new("the records of pgstream", leave_alone(slot, oid, &label)),
    })
    .collect()
}

/// Sequences are moved when the rows are there: what the stream brings afterwards moves them on.
fn sequence((name, table): &(QualifiedName, Option<u32>)) -> NewStep {
    NewStep {
        stage: "sequence",
        relation: *table,
        referenced: None,
        object: format!("sequence {name}"),
        sql: sequence_question(name),
    }
}

/// Returns the tables of this pipeline: those that it has records of, and those that the source shows; with the
/// views that come along.
fn known_names(
    stored: &[StoredTable],
    tables: &[SourceTable],
    views: impl Iterator<Item = QualifiedName>,
) -> HashSet<QualifiedName> {
    let stored = stored.iter().map(|table| &table.name);
    let names = stored.chain(tables.iter().map(|table| &table.name));
    names.cloned().chain(views).collect()
}

/// Tables of an earlier try, but for those that go on with what is there.
fn to_be_emptied(
    tables: &[SourceTable],
    created: &HashMap<u32, ObjectChange>,
    ranges: &HashMap<RelationId, Ranges>,
) -> HashSet<u32> {
    let resumed =
        |table: &&SourceTable| matches!(ranges.get(&table.relation), Some(Ranges::Resumed(_)));
    tables
        .iter()
        .filter(|table| !table.partitioned && !resumed(table))
        .map(|table| table.relation.0)
        .filter(|table| created.contains_key(table))
        .collect()
}

/// The sequences whose values are brought, each with its owner; some our role may not read.
fn sequences(objects: &[ObjectChange], hidden: &[Note]) -> Vec<(QualifiedName, Option<u32>)> {
    let closed: HashSet<&str> = hidden.iter().map(|note| note.object.as_str()).collect();
    let open = objects
        .iter()
        .filter(|object| !closed.contains(object.label().as_str()));
    let of = |object: &ObjectChange| match object {
        ObjectChange::Sequence(images) => images
            .after
            .as_ref()
            .map(|s| (s.qualified_name(), s.table_oid)),
        _ => None,
    };
    open.filter_map(of).collect()
}

/// The views that replicate.
fn views<'o>(
    objects: &'o [ObjectChange],
    filter: &'o TableFilter,
) -> impl Iterator<Item = QualifiedName> + 'o {
    let views = objects.iter().filter_map(|object| match object {
        ObjectChange::Object(images) => images.known().filter(|known| known.is_relation()),
        _ => None,
    });
    let names = views.map(Object::qualified_name);
    names.filter(|view| filter.selects(view))
}

fn type_oids(objects: &[ObjectChange]) -> HashMap<String, u32> {
    let types = objects
        .iter()
        .filter(|object| matches!(object, ObjectChange::Type(_)));
    types.map(|of| (of.label(), of.oid())).collect()
}
