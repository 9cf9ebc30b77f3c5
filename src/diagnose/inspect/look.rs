//! What one look at each side brings.

use serde::Deserialize;

use crate::apply::{SLOT_GONE, Stream, misfit};
use crate::config::{Pipeline, SlotName};
use crate::diagnose::sequences::SequenceLook;
use crate::model::Lsn;
use crate::status::{Failure, Slot};

use super::report::{Checkpoint, Init, TableCopy, UnfitPublication, Verified};

#[derive(Debug, Clone)]
pub(crate) struct SourceLook {
    pub(crate) slot_name: SlotName,
    pub(crate) version: String,
    pub(crate) wal_end: Lsn,
    pub(crate) slot: Option<Slot>,
    pub(crate) publication: Option<UnfitPublication>,
    pub(crate) flush_lag_s: Option<f64>,
    pub(crate) init: Option<Init>,
    pub(crate) init_grant: Option<String>,
    pub(crate) schema_grant: Option<String>,
    pub(crate) database: String,
    pub(crate) schema_changes: Vec<Logged>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct TargetLook {
    pub(crate) version: String,
    pub(crate) progress: Progress,
    pub(crate) copies: Vec<TableCopy>,
    pub(crate) last_stop: Option<Failure>,
    pub(crate) sequences: Option<SequenceLook>,
    pub(crate) verified: Verified,
    /// What our role may not read, and what lets it.
    pub(crate) barred: Option<Barred>,
}

impl TargetLook {
    pub(crate) fn checkpoint(&self, source: Option<&SourceLook>) -> Option<Checkpoint> {
        self.progress.checkpoint.as_ref().map(|row| Checkpoint {
            end_lsn: row.end_lsn,
            commit_time: row.commit_time.clone(),
            updated_at: row.updated_at.clone(),
            misfit: source.and_then(|source| misfit_of(source, row.end_lsn)),
        })
    }
}

/// Our own records, closed to our role.
#[derive(Debug, Clone)]
pub(crate) struct Barred {
    pub(crate) message: String,
    pub(crate) grant: String,
}

/// A row of the schema log.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Logged {
    pub(crate) id: String,
    pub(crate) version: i64,
    pub(crate) created_at: String,
    pub(crate) schema_name: String,
    pub(crate) tag: String,
    pub(crate) objects: Vec<String>,
    pub(crate) quoted_objects: Vec<String>,
    /// Objects of kinds that do not replicate yet.
    pub(crate) others: Vec<String>,
    pub(crate) acked: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Progress {
    pub(crate) checkpoint: Option<CheckpointRow>,
    pub(crate) skipped_transaction_count: i64,
    pub(crate) applied: Vec<Applied>,
}

/// What the target remembers of a schema change.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Applied {
    pub(crate) id: String,
    pub(crate) statement_count: u32,
    pub(crate) not_applied: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct CheckpointRow {
    pub(crate) end_lsn: Lsn,
    pub(crate) commit_time: Option<String>,
    pub(crate) updated_at: String,
    pub(crate) age_s: Option<f64>,
}

/// By the positions alone, as one look saw them.
pub(super) fn misfit_of(source: &SourceLook, end_lsn: Lsn) -> Option<String> {
    let Some(slot) = &source.slot else {
        return Some(SLOT_GONE.to_owned());
    };
    let stream = Stream::default();
    let owner = (&*stream.system_identifier, &*stream.database_name);
    misfit(
        &stream,
        owner,
        end_lsn,
        (slot.confirmed_flush_lsn?, source.wal_end),
    )
}

pub(super) fn slot_name(pipeline: &Pipeline, database: &str) -> SlotName {
    let slot = pipeline.slot.clone();
    slot.unwrap_or_else(|| SlotName::for_database(database))
}
