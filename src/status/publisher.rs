//! Where the engine's parts write what they know, and from where everybody else reads it.

use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use crate::model::RelationId;
use crate::runtime::clock;

use super::failure::Failure;
use super::look::{LatestChange, RefusedRow, Rows, TableLook};
use super::model::{EngineEvent, Phase, SCHEMA_CHANGES_MAX, SchemaChange, Status};

/// A reader that falls this many events behind loses the oldest; a screen drains them at each
/// frame.
const EVENTS_MAX: usize = 1_024;

/// The latest [`Status`] and the events.
#[derive(Debug, Clone)]
pub(crate) struct StatusPublisher {
    status: watch::Sender<Arc<Status>>,
    events: broadcast::Sender<EngineEvent>,
    rows: watch::Sender<Rows>,
}

impl StatusPublisher {
    pub(crate) fn new(status: Status) -> Self {
        Self {
            status: watch::Sender::new(Arc::new(status)),
            events: broadcast::Sender::new(EVENTS_MAX),
            rows: watch::Sender::default(),
        }
    }

    pub(crate) fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.status.subscribe()
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<EngineEvent> {
        self.events.subscribe()
    }

    pub(crate) fn latest(&self) -> Arc<Status> {
        Arc::clone(&self.status.borrow())
    }

    /// Changes the status and publishes it.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(|status| {
            let status = Arc::make_mut(status);
            change(status);
            status.at_ms = clock::unix_ms();
        });
    }

    pub(crate) fn phase(&self, phase: &Phase) {
        if self.latest().phase != *phase {
            self.update(|status| status.phase = phase.clone());
            self.event(EngineEvent::Phase(phase.clone()));
        }
    }

    pub(crate) fn failed(&self, failure: &Failure) {
        self.update(|status| status.last_error = Some(failure.clone()));
        self.event(EngineEvent::Failed(failure.clone()));
    }

    /// Adds a schema change, or replaces what was known of it.
    pub(crate) fn schema_change(&self, change: SchemaChange) {
        let event = EngineEvent::SchemaChange(Arc::new(change.clone()));
        self.update(|status| {
            let changes = Arc::make_mut(&mut status.schema_changes);
            match changes.iter_mut().find(|known| known.id == change.id) {
                Some(known) => *known = change,
                None => changes.insert(0, change),
            }
            changes.truncate(SCHEMA_CHANGES_MAX);
        });
        self.event(event);
    }

    /// A table is to be copied again.
    pub(crate) fn copy_again(&self, relation: RelationId) {
        self.update(|status| {
            if let Some(snapshot) = &mut status.snapshot {
                Arc::make_mut(snapshot).ask_again(relation);
            }
        });
    }

    /// Remembers what rows went through that is on the target now: by table, oldest first.
    pub(crate) fn changed<I>(&self, tables: impl IntoIterator<Item = (String, I)>)
    where
        I: IntoIterator<Item = LatestChange>,
    {
        self.rows.send_modify(|rows| {
            for (table, changes) in tables {
                rows.add(table, changes);
            }
        });
    }

    /// Remembers the row that the target refuses; none: nobody knows which it is.
    pub(crate) fn refused_row(&self, row: Option<RefusedRow>) {
        self.rows.send_modify(|rows| rows.refused = row);
    }

    /// Returns what is remembered of a table's rows. A row is refused as long as the engine is held at it.
    pub(crate) fn look(&self, table: &str, values: bool) -> TableLook {
        let rows = self.rows.borrow();
        let held = self.latest().phase == Phase::Held;
        let refused = rows
            .refused
            .clone()
            .filter(|row| held && row.table == table);
        TableLook {
            changes: rows.latest(table),
            refused: match values {
                true => refused,
                false => refused.map(RefusedRow::identity),
            },
        }
    }

    pub(crate) fn event(&self, event: EngineEvent) {
        // Nobody has to listen.
        drop(self.events.send(event));
    }
}
