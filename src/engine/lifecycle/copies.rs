//! What a session must know of copies before it begins.

use std::collections::HashMap;
use std::sync::Arc;

use crate::apply::{CheckpointStore, Writer};
use crate::config::{Pipeline, TableFilter};
use crate::engine::EngineError;
use crate::model::{Lsn, RelationId};
use crate::postgres::PgError;
use crate::snapshot::{Ranges, Store, StoredPart, StoredTable, TablePolicy, TableSync};
use crate::status::CopyState;

/// Writes down which tables are to be copied. Before the first checkpoint is written, so that a crash
/// in between changes nothing. A list of which nothing was copied, and behind which nothing was
/// applied, is made as on the first start. Records that outlived their checkpoint say nothing: it was
/// taken away because the target does not fit to the slot, and nobody knows what the tables are as of.
/// Returns whether the stream had begun before: it brings the tables that it creates.
pub(super) async fn choose(
    pipeline: &Pipeline,
    store: &CheckpointStore,
    writer: &Writer,
) -> Result<bool, EngineError> {
    let copies = Store::new(store.stream().slot_name.clone());
    let mut stored = load_copies(pipeline, &copies, writer).await?;
    if !pipeline.snapshot.enabled && stored.is_empty() {
        return Ok(true);
    }
    let applied = store.has_applied(writer.session()).await;
    let applied = applied.map_err(|source| EngineError::Apply {
        endpoint: pipeline.target.endpoint(),
        source,
    })?;
    if applied.is_none() && stored.iter().any(|table| table.attempt > 0) {
        let outlived: Vec<RelationId> = stored.iter().map(|table| table.relation).collect();
        let forgotten = copies.forget(writer.session(), &outlived).await;
        forgotten.map_err(|source| failed(pipeline, "forget copies of another time", source))?;
        stored.clear();
    }
    let chosen_in_vain = !stored.is_empty() && stored.iter().all(|table| table.attempt == 0);
    let begun = match applied {
        None => false,
        Some(some) => some || !chosen_in_vain,
    };
    crate::snapshot::choose(pipeline, &copies, writer.session(), (begun, &stored)).await?;
    Ok(begun)
}

async fn load_copies(
    pipeline: &Pipeline,
    copies: &Store,
    writer: &Writer,
) -> Result<Vec<StoredTable>, EngineError> {
    let stored = copies.load(writer.session()).await;
    stored.map_err(|source| failed(pipeline, "read how far the copies are", source))
}

/// Returns which tables the checkpoint does not speak for, and whether there is work for the copier.
/// Tables that failed get another try at each start of the engine; those for which the source no
/// longer keeps what they need are copied again.
pub(super) async fn table_sync(
    pipeline: &Pipeline,
    slot_name: &str,
    writer: &Writer,
    (checkpoint, confirmed_lsn): (Lsn, Lsn),
    RoundStart {
        by_name,
        first_session,
        begun,
    }: RoundStart,
) -> Result<(TableSync, bool), EngineError> {
    let copies = Store::new(slot_name.to_owned());
    let mut remembered = Remembered::load(pipeline, &copies, writer).await?;
    let again = remembered.to_copy_again(confirmed_lsn, first_session);
    if !again.is_empty() {
        let waits = copies.wait(writer.session(), &again).await;
        waits.map_err(|source| failed(pipeline, "let tables wait", source))?;
        remembered = Remembered::load(pipeline, &copies, writer).await?;
    }
    if !remembered.tables.is_empty() {
        let freed = copies.free(writer.session()).await;
        freed.map_err(|source| failed(pipeline, "take foreign keys of copies away", source))?;
    }
    let selection = &pipeline.snapshot.tables;
    let mut table_sync = remembered.table_sync(checkpoint, by_name, selection);
    if begun && pipeline.schema_log.is_some() {
        table_sync.unbegun(remembered.unbegun());
    }
    // Types and sequences that no table owns come with the first copy, whether there are tables or not.
    let first = pipeline.snapshot.enabled && !begun;
    if first || !remembered.tables.is_empty() {
        return Ok((table_sync, true));
    }
    let asked = copies.open_steps(writer.session()).await;
    let asked = asked.map_err(|source| failed(pipeline, "read what is left to do", source))?;
    Ok((table_sync, !asked.is_empty()))
}

/// How a session begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoundStart {
    /// The plugin sends no OIDs.
    pub(super) by_name: bool,
    /// No session was before it since the engine started.
    pub(super) first_session: bool,
    /// The stream had begun before: what it creates it brings.
    pub(super) begun: bool,
}

/// What the target remembers of copies.
struct Remembered {
    tables: Vec<StoredTable>,
    parts: HashMap<RelationId, Vec<StoredPart>>,
}

impl Remembered {
    async fn load(
        pipeline: &Pipeline,
        copies: &Store,
        writer: &Writer,
    ) -> Result<Self, EngineError> {
        let tables = load_copies(pipeline, copies, writer).await?;
        let stored = copies.parts(writer.session()).await;
        let stored = stored
            .map_err(|source| failed(pipeline, "read which parts of tables are there", source))?;
        let mut parts: HashMap<RelationId, Vec<StoredPart>> = HashMap::new();
        for part in stored {
            parts.entry(part.relation).or_default().push(part);
        }
        Ok(Self { tables, parts })
    }

    fn to_copy_again(&self, confirmed_lsn: Lsn, first_session: bool) -> Vec<RelationId> {
        let lost = |lsn: Lsn| lsn < confirmed_lsn;
        let again = |table: &&StoredTable| match table.state {
            CopyState::CatchingUp => table.lsn.is_none_or(lost) || self.parts_of(table).any(lost),
            CopyState::Failed => first_session,
            CopyState::Waiting | CopyState::Copying | CopyState::Indexing => {
                self.parts_of(table).any(lost)
            }
            CopyState::Ready => false,
        };
        self.tables
            .iter()
            .filter(again)
            .map(|table| table.relation)
            .collect()
    }

    /// Waiting tables of which nothing was begun.
    fn unbegun(&self) -> impl Iterator<Item = RelationId> {
        let unbegun =
            |table: &&StoredTable| table.state == CopyState::Waiting && table.attempt == 0;
        self.tables
            .iter()
            .filter(unbegun)
            .map(|table| table.relation)
    }

    /// The snapshots of the ranges of a table that are there.
    fn parts_of(&self, table: &StoredTable) -> impl Iterator<Item = Lsn> {
        let parts = self.parts.get(&table.relation).into_iter().flatten();
        parts.filter_map(|part| part.lsn)
    }

    fn table_sync(&self, checkpoint: Lsn, by_name: bool, selection: &TableFilter) -> TableSync {
        let unsettled = self
            .tables
            .iter()
            .filter(|table| table.state != CopyState::Ready);
        let policies = unsettled
            .clone()
            .map(|table| (table.relation, table.name.clone(), self.policy(table)));
        let mut table_sync = TableSync::new(policies, checkpoint, by_name);
        let in_state = |states: &[CopyState]| {
            self.tables
                .iter()
                .any(|table| states.contains(&table.state))
        };
        let chosen = self.tables.iter().any(|table| {
            !table.entered && matches!(table.state, CopyState::Waiting | CopyState::Copying)
        });
        if chosen {
            table_sync.be_lenient(Some(selection.clone()));
        }
        if in_state(&[CopyState::Waiting, CopyState::Copying, CopyState::Indexing]) {
            table_sync.some_wait();
        }
        if self.tables.iter().any(|table| !table.state.is_settled()) {
            let there = unsettled.flat_map(|table| self.parts_of(table).chain(begun(table)));
            table_sync.hold(there.min());
        }
        table_sync
    }

    fn policy(&self, table: &StoredTable) -> TablePolicy {
        let (CopyState::CatchingUp, Some(lsn)) = (table.state, table.lsn) else {
            return TablePolicy::Left;
        };
        match (self.parts.get(&table.relation), &table.range_key) {
            (Some(parts), Some(key)) => {
                let ranges = parts
                    .iter()
                    .map(|part| (part.range, part.lsn.unwrap_or(lsn)));
                TablePolicy::Ranges(Arc::new(Ranges::new(key, ranges.collect())))
            }
            _ => TablePolicy::From(lsn),
        }
    }
}

/// The snapshot of a table that is being copied, or has its rows: a copier that lives goes on with it.
fn begun(table: &StoredTable) -> Option<Lsn> {
    let begun = matches!(table.state, CopyState::Copying | CopyState::Indexing);
    table.lsn.filter(|_| begun)
}

fn failed(pipeline: &Pipeline, operation: &'static str, source: PgError) -> EngineError {
    EngineError::Target {
        operation,
        endpoint: pipeline.target.endpoint(),
        source,
    }
}
