//! Where the engine's parts write what they know, and from where everybody else reads it.

use std::sync::Arc;

use tokio::sync::{broadcast, watch};

use crate::model::RelationId;
use crate::runtime::clock;

use super::failure::Failure;
use super::model::{EngineEvent, Phase, SCHEMA_CHANGES_MAX, SchemaChange, Status};

/// A reader that falls this many events behind loses the oldest; a screen drains them at each
/// frame.
const EVENTS_MAX: usize = 1_024;

/// The latest [`Status`] and the events.
#[derive(Debug, Clone)]
pub(crate) struct StatusPublisher {
    status: watch::Sender<Arc<Status>>,
    events: broadcast::Sender<EngineEvent>,
}

impl StatusPublisher {
    pub(crate) fn new(status: Status) -> Self {
        Self {
            status: watch::Sender::new(Arc::new(status)),
            events: broadcast::Sender::new(EVENTS_MAX),
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

    pub(crate) fn event(&self, event: EngineEvent) {
        // Nobody has to listen.
        drop(self.events.send(event));
    }
}
