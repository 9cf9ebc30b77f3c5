//! Tables that pass the filter since a new name or place: what the target still has of those that come back, and
//! what it has that they are joined with.
//!
//! What the stream left there when such a table left is known by its OID. It is emptied and copied anew; where the
//! source's table has another shape by now, it is made anew. Rows that somebody else wrote to it meanwhile are not
//! ours to take away: then this table is not copied, and says why.

use std::collections::{HashMap, HashSet};

use crate::model::QualifiedName;
use crate::postgres::{PgError, Session};
use crate::schema::compare::is_alike;
use crate::schema::{Conflict, ObjectChange, Parent, Step};
use crate::snapshot::StoredTable;
use crate::snapshot::handover::TableStep;

use super::error::PlanError;
use super::preflight::Note;
use super::settings::PlanSettings;

/// What becomes of what the target has of tables that come back.
#[derive(Debug, Default)]
pub(super) struct Back {
    pub(super) conflicts: Vec<Conflict>,
    pub(super) notes: Vec<Note>,
    /// What goes before anything is made.
    pub(super) steps: Vec<TableStep>,
}

impl Back {
    /// Takes what goes out of what exists, and counts what stays as made by us.
    pub(super) async fn of(
        settings: &PlanSettings<'_>,
        target: &Session,
        wanted: &[ObjectChange],
        (existing, created): (&mut Vec<ObjectChange>, &mut HashMap<u32, ObjectChange>),
    ) -> Result<Self, PlanError> {
        let mut back = Self::default();
        let mut gone = Vec::new();
        for stored in settings
            .stored
            .iter()
            .filter(|table| comes_back(settings, table))
        {
            let tables = wanted.iter().filter(|object| is_table(object));
            let table = tables
                .clone()
                .find(|table| table.oid() == stored.relation.0);
            let is_left =
                |found: &&ObjectChange| is_table(found) && Some(found.oid()) == stored.target;
            let Some((table, found)) = table.zip(existing.iter().find(is_left)) else {
                continue;
            };
            let (left, object) = (found.oid(), table.label());
            let stays = is_as_left(table, found, (wanted, existing.as_slice()));
            let written = was_written(settings, target, stored).await;
            let written = written.map_err(PlanError::Target)?;
            if written {
                let (reason, relation) = (WRITTEN.to_owned(), Some(stored.relation));
                back.conflicts.push(Conflict {
                    object,
                    relation,
                    reason,
                });
            } else {
                let message = if stays { EMPTIED } else { MADE_ANEW }.to_owned();
                back.notes.push(Note { object, message });
            }
            if stays || written {
                let own = |object: &&ObjectChange| object.relation() == Some(stored.relation.0);
                let rows = |object: &&ObjectChange| {
                    matches!(object, ObjectChange::Table(_) | ObjectChange::Sequence(_))
                };
                let kept = wanted.iter().filter(own).filter(rows).cloned();
                created.extend(kept.map(|object| (object.oid(), object)));
            } else {
                gone.push(stored.name.quoted());
                existing.retain(|object| object.relation() != Some(left));
            }
        }
        if !gone.is_empty() {
            let sql = format!("DROP TABLE IF EXISTS {}", gone.join(", "));
            let step = Step::new("tables that come back past the filter", sql);
            back.steps.push(TableStep {
                relation: None,
                step,
            });
        }
        Ok(back)
    }
}

const WRITTEN: &str = "it comes back past the filter, and rows were written to it on the target since the \
                       filter left it out";
const EMPTIED: &str = "it comes back past the filter: what was left of it on the target is emptied, and its rows \
                       are copied anew";
const MADE_ANEW: &str = "it comes back past the filter with another definition: what was left of it on the \
                         target is dropped, and it is copied anew";

fn is_table(object: &ObjectChange) -> bool {
    matches!(object, ObjectChange::Table(_))
}

/// Nothing was made for its copy yet, but something of it is on the target.
fn comes_back(settings: &PlanSettings<'_>, table: &StoredTable) -> bool {
    let waits = settings.waiting.contains(&table.relation);
    waits && table.entered && table.objects.is_none() && table.target.is_some()
}

/// Whether the table that was left is as the source has it, and has no index or constraint that the source has
/// no longer.
fn is_as_left(
    table: &ObjectChange,
    found: &ObjectChange,
    (wanted, existing): (&[ObjectChange], &[ObjectChange]),
) -> bool {
    let wanted: HashSet<String> = wanted.iter().map(ObjectChange::label).collect();
    let part = |object: &&ObjectChange| {
        let part = matches!(object, ObjectChange::Index(_) | ObjectChange::Constraint(_));
        part && object.relation() == Some(found.oid())
    };
    let mut parts = existing.iter().filter(part);
    is_alike(table, found) && parts.all(|part| wanted.contains(&part.label()))
}

/// Whether somebody wrote rows to a table since the stream left it alone. (A row shows the transaction that
/// wrote it until that is too old to matter.)
async fn was_written(
    settings: &PlanSettings<'_>,
    target: &Session,
    table: &StoredTable,
) -> Result<bool, PgError> {
    let sql = format!(
        "SELECT EXISTS (SELECT FROM ONLY {} AS r \
         WHERE pg_catalog.age(r.xmin) < pg_catalog.age(t.left_at::pg_catalog.xid)) \
         FROM pgstream.snapshot_table AS t WHERE t.slot_name = $1 AND t.relation = $2",
        table.name.quoted()
    );
    let row = target
        .row(&sql, &[&settings.slot_name, &table.relation.0])
        .await?;
    Ok(row.is_some_and(|row| row.get(0)))
}

const THERE: &str = "\
SELECT t.place FROM pg_catalog.unnest($1::pg_catalog.text[]) WITH ORDINALITY AS t (name, place)
WHERE pg_catalog.to_regclass(t.name) IS NOT NULL";

/// Returns the tables that the stream has brought and that are joined with one that enters: as its partitioned
/// table, or by a foreign key, which comes with it.
pub(super) async fn partners(
    settings: &PlanSettings<'_>,
    target: &Session,
    wanted: &[ObjectChange],
) -> Result<Vec<QualifiedName>, PlanError> {
    let stored = settings.stored.iter();
    let entered =
        stored.filter(|table| table.entered && settings.waiting.contains(&table.relation));
    let entered: HashSet<u32> = entered.map(|table| table.relation.0).collect();
    let keys = wanted.iter().filter_map(|object| match object {
        ObjectChange::Constraint(images) => images.after.as_ref(),
        _ => None,
    });
    let joined = keys.filter_map(|key| {
        let enters = |oid: u32| entered.contains(&oid);
        let referenced = key.referenced_oid.zip(key.referenced.as_ref())?;
        (enters(key.table_oid) || enters(referenced.0)).then_some([&key.table, referenced.1])
    });
    let above = wanted.iter().filter_map(|object| match object {
        ObjectChange::Table(images) if entered.contains(&images.oid) => images.after.as_ref(),
        _ => None,
    });
    let above = above.flat_map(|table| table.parents.iter().map(Parent::qualified_name));
    let mut names: Vec<QualifiedName> = joined.flatten().cloned().chain(above).collect();
    names.retain(|name| settings.filter.selects(name));
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let quoted: Vec<String> = names.iter().map(QualifiedName::quoted).collect();
    let rows = target
        .rows(THERE, &[&quoted])
        .await
        .map_err(PlanError::Target)?;
    let places = rows
        .iter()
        .map(|row| usize::try_from(row.get::<_, i64>(0) - 1));
    let there = places.filter_map(|place| names.get(place.ok()?).cloned());
    Ok(there.collect())
}
