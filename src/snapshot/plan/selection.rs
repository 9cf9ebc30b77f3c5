//! Writes down which tables are to be copied, as the settings of this start have it.
//!
//! A list that was written down once must not outlive the settings: a start that was refused because
//! of one table can only be left by leaving that table out. So what nothing has been copied of is
//! chosen anew each time, and what has been begun is carried through.

use std::collections::{HashMap, HashSet};

use tracing::{info, warn};

use crate::config::Pipeline;
use crate::model::{QualifiedName, RelationId};
use crate::postgres::{self, PgError, Session};
use crate::snapshot::error::{SnapshotError, idle_pattern};
use crate::snapshot::run::require_position;
use crate::snapshot::source::select;
use crate::snapshot::{Idle, Selection, SourceTable, Store, StoredTable, source_tables};
use crate::status::CopyState;

/// Returns the tables that the settings select.
///
/// # Errors
/// [`SnapshotError::Patterns`] when a pattern selects none.
pub(crate) async fn selected(pipeline: &Pipeline) -> Result<Vec<SourceTable>, SnapshotError> {
    let (selected, idle) = select_on_source(pipeline).await?;
    match idle.is_empty() {
        true => Ok(selected),
        false => Err(SnapshotError::Patterns {
            endpoint: pipeline.snapshot.source.endpoint(),
            idle,
        }),
    }
}

/// As [`selected`], while tables are copied: what the patterns no longer fit was reported at the beginning.
pub(crate) async fn now_selected(pipeline: &Pipeline) -> Result<Vec<SourceTable>, SnapshotError> {
    let (selected, _) = select_on_source(pipeline).await?;
    Ok(selected)
}

/// As [`selected`], for a start that goes on: a table that was dropped since it was copied must not
/// keep the others from being streamed.
async fn still_selected(pipeline: &Pipeline) -> Result<Vec<SourceTable>, SnapshotError> {
    let (selected, idle) = select_on_source(pipeline).await?;
    let endpoint = pipeline.snapshot.source.endpoint();
    for idle in idle {
        let near = (!idle.near.is_empty()).then(|| idle.near.join(" or "));
        warn!(target: "snapshot", near, "{}", idle_pattern(&endpoint, &idle));
    }
    Ok(selected)
}

async fn select_on_source(
    pipeline: &Pipeline,
) -> Result<(Vec<SourceTable>, Vec<Idle>), SnapshotError> {
    let source = &pipeline.snapshot.source;
    let tables = async {
        let session = postgres::connect(source, "pgstream snapshot").await?;
        source_tables(&session).await
    };
    let tables = tables.await.map_err(|error| SnapshotError::Source {
        operation: "list the tables",
        endpoint: source.endpoint(),
        source: error,
    })?;
    let Selection {
        tables: selected,
        idle,
    } = select(&tables, &pipeline.snapshot.tables, &pipeline.filter);
    if selected.is_empty() && idle.is_empty() && !tables.is_empty() {
        warn!(target: "snapshot", tables = tables.len(), "the settings leave out every table of the source");
    }
    Ok((selected.into_iter().cloned().collect(), idle))
}

/// The first time (not `begun`), all tables that the patterns cover. Later only those that the target does not
/// have, because they are new or because somebody dropped them there: what it has, the stream keeps.
/// Tables of which nothing was copied and that the settings no longer select leave the list.
///
/// # Errors
/// [`SnapshotError::Patterns`] when a pattern selects nothing the first time, before anything is
/// written.
pub(crate) async fn choose(
    pipeline: &Pipeline,
    store: &Store,
    target: &Session,
    (begun, stored): (bool, &[StoredTable]),
) -> Result<(), SnapshotError> {
    let selected = match (pipeline.snapshot.enabled, begun) {
        (true, false) => selected(pipeline).await?,
        (true, true) => still_selected(pipeline).await?,
        (false, _) => Vec::new(),
    };
    if pipeline.snapshot.enabled && !begun {
        require_standby_decodes(pipeline).await?;
    }
    let write = async {
        forget_unselected(store, target, &selected, stored).await?;
        let new = match begun {
            false => selected.iter().collect(),
            true => missing(&selected, target, stored).await?,
        };
        let_dropped_wait(store, target, (&new, stored)).await?;
        let known: HashSet<_> = stored.iter().map(|table| table.relation).collect();
        let new: Vec<_> = new
            .into_iter()
            .filter(|table| !known.contains(&table.relation))
            .collect();
        write_down(store, target, &new).await
    };
    write.await.map_err(|source| write_failed(pipeline, source))
}

/// Before anything is made: a copy that is to be streamed behind needs a position.
async fn require_standby_decodes(pipeline: &Pipeline) -> Result<(), SnapshotError> {
    let source = &pipeline.snapshot.source;
    let session = postgres::connect(source, "pgstream snapshot").await;
    let session = session.map_err(|error| SnapshotError::Source {
        operation: "open a session",
        endpoint: source.endpoint(),
        source: error,
    })?;
    require_position(&session, pipeline).await
}

/// Adds tables to the list.
pub(crate) async fn write_down(
    store: &Store,
    target: &Session,
    new: &[&SourceTable],
) -> Result<(), PgError> {
    if !new.is_empty() {
        info!(target: "snapshot", tables = new.len(), "tables are to be copied");
    }
    store.choose(target, new).await
}

pub(crate) fn write_failed(pipeline: &Pipeline, source: PgError) -> SnapshotError {
    SnapshotError::Target {
        operation: "write down which tables are to be copied",
        endpoint: pipeline.target.endpoint(),
        source,
    }
}

async fn forget_unselected(
    store: &Store,
    target: &Session,
    selected: &[SourceTable],
    stored: &[StoredTable],
) -> Result<(), PgError> {
    let chosen: HashSet<RelationId> = selected.iter().map(|table| table.relation).collect();
    let idle = stored
        .iter()
        .filter(|table| !table.entered && table.attempt == 0 && !chosen.contains(&table.relation));
    let idle: Vec<&StoredTable> = idle.collect();
    for table in &idle {
        warn!(target: "snapshot", table = %table.name,
            "is no longer selected: it is not copied, and streamed from here on");
    }
    let relations: Vec<RelationId> = idle.iter().map(|table| table.relation).collect();
    store.forget(target, &relations).await
}

/// Tables that were copied once and that the target has no longer are copied again.
async fn let_dropped_wait(
    store: &Store,
    target: &Session,
    (missing, stored): (&[&SourceTable], &[StoredTable]),
) -> Result<(), PgError> {
    let missing: HashSet<RelationId> = missing.iter().map(|table| table.relation).collect();
    let ready = stored
        .iter()
        .filter(|table| table.state == CopyState::Ready && missing.contains(&table.relation));
    let dropped: Vec<&StoredTable> = ready.collect();
    for table in &dropped {
        warn!(target: "snapshot", table = %table.name, "is not on the target any more: it is copied again");
    }
    let relations: Vec<RelationId> = dropped.iter().map(|table| table.relation).collect();
    store.wait(target, &relations).await.map(drop)
}

const MISSING: &str = "\
SELECT t.place FROM pg_catalog.unnest($1::pg_catalog.text[]) WITH ORDINALITY AS t (name, place)
WHERE pg_catalog.to_regclass(t.name) IS NULL";

/// A table that was copied is called on the target as the stream has it, wherever the source is by now.
async fn missing<'t>(
    selected: &'t [SourceTable],
    target: &Session,
    stored: &[StoredTable],
) -> Result<Vec<&'t SourceTable>, PgError> {
    let known: HashMap<RelationId, &QualifiedName> = stored
        .iter()
        .map(|table| (table.relation, &table.name))
        .collect();
    let name = |table: &SourceTable| {
        let known = known.get(&table.relation).copied();
        known.unwrap_or(&table.name).quoted()
    };
    let names: Vec<String> = selected.iter().map(name).collect();
    let rows = target.rows(MISSING, &[&names]).await?;
    let places = rows.iter().map(|row| row.get::<_, i64>(0) - 1);
    let tables = places.map(|place| selected.get(usize::try_from(place).unwrap_or(usize::MAX)));
    Ok(tables.flatten().collect())
}
