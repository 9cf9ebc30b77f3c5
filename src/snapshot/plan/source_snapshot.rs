//! A snapshot of the source, and what it has of the tables that are read at it.

use std::collections::HashSet;

use crate::config::TableFilter;
use crate::postgres::{self, PgError, Session};
use crate::schema::{
    Along, Change, Describer, ObjectChange, ObjectNeeds, PrivilegeChange, Trigger, triggers,
};
use crate::snapshot::{ConsistentPoint, SourceTable, TypeFingerprints, source_tables};

use super::error::PlanError;
use super::preflight::{Need, Note, Unreplicated, needs};
use super::rights::{closed_sequences, hidden_rows, require_sequences};
use super::settings::{FreeObjects, PlanSettings};

/// A snapshot of the source, and what it has of the waiting tables there.
pub(crate) struct SourceSnapshot {
    pub(crate) point: ConsistentPoint,
    pub(crate) types: TypeFingerprints,
    pub(crate) tables: Vec<SourceTable>,
    pub(crate) objects: Vec<ObjectChange>,
    /// What is granted on them.
    pub(crate) privileges: Vec<PrivilegeChange>,
    /// Which of them cannot be made without which other, where functions, views and so on are concerned.
    pub(crate) dependencies: ObjectNeeds,
    /// Those of the objects that no table needs, each by what people call it.
    pub(crate) free: HashSet<String>,
    pub(crate) needs: Vec<Need>,
    /// What is to be known of rows and values that our role may not read.
    pub(crate) hidden: Vec<Note>,
    pub(crate) unreplicated: Option<Unreplicated>,
    /// Of all tables.
    pub(crate) triggers: Vec<Trigger>,
}

impl SourceSnapshot {
    /// Takes a moment and reads what is there at it. Nothing is touched.
    pub(crate) async fn open(settings: &PlanSettings<'_>) -> Result<Self, PlanError> {
        let source = &settings.snapshot.source;
        let session = postgres::connect(source, "pgstream snapshot").await;
        let session = session.map_err(PlanError::Source)?;
        let exact = settings.slot_name.is_some();
        let describer = Describer::new(&session, exact).await;
        let describer = describer.map_err(PlanError::Describe)?;
        let point = point(settings, &session).await?;
        let begun = session.run(&point.begin()).await;
        begun.map_err(PlanError::Point)?;
        let tables = source_tables(&session).await.map_err(PlanError::Source)?;
        let types = TypeFingerprints::read(&session).await;
        let types = types.map_err(PlanError::Source)?;
        let tables: Vec<SourceTable> = tables
            .into_iter()
            .filter(|table| settings.waiting.contains(&table.relation))
            .collect();
        let oids: Vec<u32> = tables.iter().map(|table| table.relation.0).collect();
        let along = settings
            .free
            .along(&session)
            .await
            .map_err(PlanError::Source)?;
        let (objects, free) = describe(&describer, &oids, &along).await?;
        let (mut objects, free) = (kept(objects, settings), kept(free, settings));
        let list = &settings.snapshot.tables;
        let closed = unreadable(&session, list, (&objects, &free)).await?;
        let needs = needs(&session, &oids).await.map_err(PlanError::Source)?;
        let hidden = hidden_rows(&session, &tables).await;
        let mut hidden = hidden.map_err(PlanError::Source)?;
        hidden.extend(closed);
        let labels = free.iter().map(ObjectChange::label);
        let labels = labels.chain(labels_of_others(&objects)).collect();
        objects.extend(free);
        let dependencies = describer.dependencies(&objects).await;
        let dependencies = dependencies.map_err(PlanError::Source)?;
        let privileges = describer.privileges(&objects, &along).await;
        let privileges = kept_privileges(privileges.map_err(PlanError::Describe)?, settings);
        let unreplicated = match settings.free {
            FreeObjects::Brought => None,
            FreeObjects::All | FreeObjects::OfSchemas(_) => {
                let read = Unreplicated::read(&session).await;
                Some(read.map_err(PlanError::Source)?)
            }
        };
        let triggers = triggers(&session).await.map_err(PlanError::Source)?;
        session.run("COMMIT").await.map_err(PlanError::Source)?;
        Ok(Self {
            point,
            types,
            tables,
            objects,
            privileges,
            dependencies,
            free: labels,
            needs,
            hidden,
            unreplicated,
            triggers,
        })
    }
}

/// Takes a moment of the source; with a slot, one whose place in the stream is known.
async fn point(
    settings: &PlanSettings<'_>,
    session: &Session,
) -> Result<ConsistentPoint, PlanError> {
    let source = &settings.snapshot.source;
    let point = match settings.slot_name {
        Some(slot) => {
            let pid = session_pid(session).await.map_err(PlanError::Source)?;
            ConsistentPoint::with_position(source, &temporary_name(slot, pid)).await
        }
        None => ConsistentPoint::without_position(source).await,
    };
    point.map_err(PlanError::Point)
}

/// Refuses sequences whose values cannot be read and are wanted: who takes a schema as a whole wants those
/// of all that is there. Returns what is to be known of others.
async fn unreadable(
    session: &Session,
    list: &TableFilter,
    (objects, free): (&[ObjectChange], &[ObjectChange]),
) -> Result<Vec<Note>, PlanError> {
    let wanted = |object: &&ObjectChange| match object {
        ObjectChange::Sequence(images) => {
            let known = images.known();
            known.is_some_and(|sequence| list.takes_schema(&sequence.schema))
        }
        _ => false,
    };
    let (required, rest): (Vec<&ObjectChange>, Vec<&ObjectChange>) = free.iter().partition(wanted);
    require_sequences(session, objects.iter().chain(required)).await?;
    closed_sequences(session, rest.into_iter()).await
}

/// Describes what it takes to make tables, and what comes along.
async fn describe(
    describer: &Describer<'_>,
    tables: &[u32],
    along: &Along,
) -> Result<(Vec<ObjectChange>, Vec<ObjectChange>), PlanError> {
    let needed = describer.needed(tables, &Along::Nothing).await;
    let needed = needed.map_err(PlanError::Source)?;
    let objects = describer.describe(&needed).await;
    let objects = objects.map_err(PlanError::Describe)?;
    let all = describer.needed(tables, along).await;
    let free = all.map_err(PlanError::Source)?.without(&needed);
    let free = describer.describe(&free).await;
    let free = free.map_err(PlanError::Describe)?;
    Ok((objects, free))
}

/// Returns the privileges that do not stay on the source.
fn kept_privileges(
    privileges: Vec<PrivilegeChange>,
    settings: &PlanSettings<'_>,
) -> Vec<PrivilegeChange> {
    let mut all = Change::of(Vec::new());
    all.privileges = privileges;
    all.leave_out(settings.left_out);
    all.privileges
}

/// Returns those that do not stay on the source.
fn kept(objects: Vec<ObjectChange>, settings: &PlanSettings<'_>) -> Vec<ObjectChange> {
    let mut all = Change::of(objects);
    all.leave_out(settings.left_out);
    all.objects
}

/// Names of temporary slots are short enough for any slot's.
pub(super) fn temporary_name(slot: &str, pid: i32) -> String {
    let short: String = slot.chars().take(40).collect();
    format!("{short}_copy_{pid}")
}

pub(super) async fn session_pid(session: &Session) -> Result<i32, PgError> {
    let row = session
        .row("SELECT pg_catalog.pg_backend_pid()", &[])
        .await?;
    Ok(row.map_or(0, |row| row.get(0)))
}

/// Functions, views and so on, as people call them.
pub(crate) fn labels_of_others(objects: &[ObjectChange]) -> impl Iterator<Item = String> {
    let others = objects
        .iter()
        .filter(|object| matches!(object, ObjectChange::Object(_)));
    others.map(ObjectChange::label)
}
