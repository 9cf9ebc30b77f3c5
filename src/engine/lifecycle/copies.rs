//! What a round must know of copies before it begins.

use crate::apply::{CheckpointStore, Writer};
use crate::config::Pipeline;
use crate::engine::coverage::{Coverage, Treatment};
use crate::engine::{EngineError, copy};
use crate::model::Lsn;
use crate::snapshot::{CopyState, Store, StoredTable};

/// Writes down which tables are to be copied. Before the first checkpoint is written, so that a crash
/// in between changes nothing.
pub(super) async fn choose(
    pipeline: &Pipeline,
    store: &CheckpointStore,
    writer: &Writer,
) -> Result<(), EngineError> {
    if !pipeline.snapshot.enabled {
        return Ok(());
    }
    let begun = store.exists(writer.session()).await;
    let begun = begun.map_err(|source| EngineError::Apply {
        endpoint: pipeline.target.endpoint(),
        source,
    })?;
    let copies = Store::new(store.stream().slot_name.clone());
    let stored = load_copies(pipeline, &copies, writer).await?;
    copy::choose(
        pipeline,
        &copies,
        writer.session(),
        begun.then_some(stored.as_slice()),
    )
    .await
}

async fn load_copies(
    pipeline: &Pipeline,
    copies: &Store,
    writer: &Writer,
) -> Result<Vec<StoredTable>, EngineError> {
    let stored = copies.load(writer.session()).await;
    stored.map_err(|source| EngineError::Target {
        operation: "read how far the copies are",
        endpoint: pipeline.target.endpoint(),
        source,
    })
}

/// Returns which tables the checkpoint does not speak for, and whether there is work for the copier.
/// Tables that failed get another try at each start of the engine; those for which the source no
/// longer keeps what they need are copied again.
pub(super) async fn coverage(
    pipeline: &Pipeline,
    slot_name: &str,
    writer: &Writer,
    (checkpoint, confirmed_lsn): (Lsn, Lsn),
    (by_name, first_round): (bool, bool),
) -> Result<(Coverage, bool), EngineError> {
    let copies = Store::new(slot_name.to_owned());
    let mut stored = load_copies(pipeline, &copies, writer).await?;
    let lost = |table: &&StoredTable| match table.state {
        CopyState::CatchingUp => table.lsn.is_none_or(|lsn| lsn < confirmed_lsn),
        CopyState::Failed => first_round,
        CopyState::Waiting | CopyState::Copying | CopyState::Indexing | CopyState::Ready => false,
    };
    let lost: Vec<_> = stored
        .iter()
        .filter(lost)
        .map(|table| table.relation)
        .collect();
    if !lost.is_empty() {
        let waits = copies.wait(writer.session(), &lost).await;
        waits.map_err(|source| EngineError::Target {
            operation: "let tables wait",
            endpoint: pipeline.target.endpoint(),
            source,
        })?;
        stored = load_copies(pipeline, &copies, writer).await?;
    }
    let treated = stored.iter().filter_map(|table| {
        let treatment = match (table.state, table.lsn) {
            (CopyState::Ready, _) => return None,
            (CopyState::CatchingUp, Some(lsn)) => Treatment::From(lsn),
            _ => Treatment::Left,
        };
        Some((table.relation, table.name.clone(), treatment))
    });
    let mut coverage = Coverage::new(treated, checkpoint, by_name);
    let in_state = |states: &[CopyState]| stored.iter().any(|table| states.contains(&table.state));
    if in_state(&[CopyState::Waiting, CopyState::Copying]) {
        coverage.be_lenient(Some(pipeline.snapshot.tables.clone()));
    }
    if in_state(&[CopyState::Waiting, CopyState::Copying, CopyState::Indexing]) {
        coverage.some_wait();
    }
    let unsettled = [
        CopyState::Waiting,
        CopyState::Copying,
        CopyState::Indexing,
        CopyState::CatchingUp,
    ];
    if in_state(&unsettled) {
        coverage.hold();
    }
    Ok((coverage, !stored.is_empty()))
}
