//! Asks each side once. Reads only.

use serde::Deserialize;

use super::{Checkpoint, Init, TableCopy};
use crate::config::{Pipeline, SlotName};
use crate::engine::document::document;
use crate::engine::status::Slot;
use crate::model::Lsn;
use crate::postgres::{PgError, connect};
use crate::schema::install;

const SLOTS: &str = include_str!("../../../assets/sql/source/slots.sql");
const SOURCE: &str = include_str!("../../../assets/sql/source/inspect.sql");
const SCHEMA_CHANGES: &str = include_str!("../../../assets/sql/source/schema_changes.sql");
const TARGET: &str = include_str!("../../../assets/sql/target/inspect.sql");
const COPIES: &str = include_str!("../../../assets/sql/target/copies.sql");
const PROGRESS: &str = include_str!("../../../assets/sql/target/progress.sql");

/// What `application_name` says of us on both servers.
const APPLICATION_NAME: &str = "pgstream status";

/// Our tables on the target; they are made together.
const OWN_TABLES: [&str; 3] = ["checkpoint", "skipped_transaction", "schema_change"];

/// An older `run` has not made it.
const COPIES_TABLE: &str = "snapshot_table";

#[derive(Debug, Clone)]
pub(super) struct SourceLook {
    pub(super) slot_name: SlotName,
    pub(super) version: String,
    pub(super) wal_end: Lsn,
    pub(super) slot: Option<Slot>,
    pub(super) flush_lag_s: Option<f64>,
    pub(super) init: Option<Init>,
    pub(super) init_grant: Option<String>,
    pub(super) schema_changes: Vec<Logged>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct TargetLook {
    pub(super) version: String,
    pub(super) progress: Progress,
    pub(super) copies: Vec<TableCopy>,
}

impl TargetLook {
    pub(super) fn checkpoint(&self, source: Option<&SourceLook>) -> Option<Checkpoint> {
        self.progress.checkpoint.as_ref().map(|row| Checkpoint {
            end_lsn: row.end_lsn,
            commit_time: row.commit_time.clone(),
            updated_at: row.updated_at.clone(),
            misfit: source.and_then(|source| super::misfit_of(source, row.end_lsn)),
        })
    }
}

#[derive(Debug, Deserialize)]
struct SlotsDocument {
    wal_end: Lsn,
    slots: Vec<Slot>,
}

#[derive(Debug, Deserialize)]
struct SourceDocument {
    version: String,
    flush_lag_s: Option<f64>,
    schema_log: bool,
    /// Our role, where it may not look at the installation.
    barred_role: Option<String>,
}

/// A row of the schema log.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Logged {
    pub(super) id: String,
    pub(super) version: i64,
    pub(super) created_at: String,
    pub(super) schema_name: String,
    pub(super) tag: String,
    pub(super) objects: Vec<String>,
    pub(super) quoted_objects: Vec<String>,
    /// Objects of kinds that do not replicate yet.
    pub(super) others: Vec<String>,
    pub(super) acked: bool,
}

#[derive(Debug, Deserialize)]
struct TargetDocument {
    version: String,
    own_tables: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Progress {
    pub(super) checkpoint: Option<CheckpointRow>,
    pub(super) skipped_transaction_count: i64,
    pub(super) applied: Vec<Applied>,
}

/// What the target remembers of a schema change.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Applied {
    pub(super) id: String,
    pub(super) statement_count: u32,
    pub(super) not_applied: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct CheckpointRow {
    pub(super) end_lsn: Lsn,
    pub(super) commit_time: Option<String>,
    pub(super) updated_at: String,
    pub(super) age_s: Option<f64>,
}

pub(super) async fn source(pipeline: &Pipeline) -> Result<SourceLook, PgError> {
    let session = connect(&pipeline.source, APPLICATION_NAME).await?;
    let database = session.current_database().await?;
    let slot_name = super::slot_name(pipeline, &database);
    let slots: SlotsDocument = document(&session, SLOTS, &[&slot_name.as_str()]).await?;
    // A role that may not look at the installation still sees the rest.
    let init = install::state(&session, &slot_name).await.ok();
    let own: SourceDocument = document(&session, SOURCE, &[&slot_name.as_str()]).await?;
    let schema_changes = if own.schema_log {
        document(&session, SCHEMA_CHANGES, &[]).await?
    } else {
        Vec::new()
    };
    Ok(SourceLook {
        slot: slots.slots.into_iter().find(|slot| slot.ours),
        slot_name,
        version: own.version,
        wal_end: slots.wal_end,
        flush_lag_s: own.flush_lag_s,
        init: init.map(Init::from),
        init_grant: own.barred_role.as_deref().map(install::grant_state),
        schema_changes,
    })
}

pub(super) async fn target(
    pipeline: &Pipeline,
    slot_name: &SlotName,
) -> Result<TargetLook, PgError> {
    let session = connect(&pipeline.target, APPLICATION_NAME).await?;
    let own: TargetDocument = document(&session, TARGET, &[]).await?;
    let there = |name: &&str| own.own_tables.iter().any(|table| table == name);
    let progress = if OWN_TABLES.iter().all(there) {
        document(&session, PROGRESS, &[&slot_name.as_str()]).await?
    } else {
        Progress::default()
    };
    let copies = if own.own_tables.iter().any(|table| table == COPIES_TABLE) {
        document(&session, COPIES, &[&slot_name.as_str()]).await?
    } else {
        Vec::new()
    };
    Ok(TargetLook {
        version: own.version,
        progress,
        copies,
    })
}
