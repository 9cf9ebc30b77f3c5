//! Writes down which tables are to be copied, when the configuration asks for it.

use std::collections::HashSet;

use tracing::info;

use crate::config::Pipeline;
use crate::engine::EngineError;
use crate::model::QualifiedName;
use crate::postgres::{self, PgError, Session};
use crate::snapshot::{SourceTable, Store, StoredTable, select, source_tables};

/// The first time (`stored` is none), all tables that the patterns cover. Later only those that are
/// new in them and that the target does not have: what it has, the stream keeps.
///
/// # Errors
/// [`EngineError::SnapshotPatterns`] when a pattern covers no table, before anything is written.
pub(in crate::engine) async fn choose(
    pipeline: &Pipeline,
    store: &Store,
    target: &Session,
    stored: Option<&[StoredTable]>,
) -> Result<(), EngineError> {
    let source = &pipeline.snapshot.source;
    let tables = async {
        let session = postgres::connect(source, "pgstream snapshot").await?;
        source_tables(&session).await
    };
    let tables = tables.await.map_err(|error| EngineError::Source {
        operation: "list the tables",
        endpoint: source.endpoint(),
        source: error,
    })?;
    let selected = select(&tables, &pipeline.snapshot.tables, &pipeline.filter);
    let selected = selected.map_err(|idle| EngineError::SnapshotPatterns {
        endpoint: source.endpoint(),
        idle,
    })?;
    let write = async {
        let new = match stored {
            None => selected,
            Some(stored) => only_missing(selected, target, stored).await?,
        };
        if !new.is_empty() {
            info!(target: "snapshot", tables = new.len(), "tables are to be copied");
        }
        store.choose(target, &new).await
    };
    write.await.map_err(|source| EngineError::Target {
        operation: "write down which tables are to be copied",
        endpoint: pipeline.target.endpoint(),
        source,
    })
}

async fn only_missing<'t>(
    selected: Vec<&'t SourceTable>,
    target: &Session,
    stored: &[StoredTable],
) -> Result<Vec<&'t SourceTable>, PgError> {
    let known: HashSet<_> = stored.iter().map(|table| table.relation).collect();
    let mut new = Vec::new();
    for table in selected
        .into_iter()
        .filter(|table| !known.contains(&table.relation))
    {
        if !stands(target, &table.name).await? {
            new.push(table);
        }
    }
    Ok(new)
}

async fn stands(target: &Session, table: &QualifiedName) -> Result<bool, PgError> {
    let sql = "SELECT pg_catalog.to_regclass($1) IS NOT NULL";
    let row = target.row(sql, &[&table.quoted()]).await?;
    Ok(row.is_some_and(|row| row.get(0)))
}
