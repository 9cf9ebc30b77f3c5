//! What is known of an installation, the copies and the checkpoint.

use serde::{Deserialize, Serialize};

use crate::diagnose::sequences::SequenceLook;
use crate::diagnose::stops::LastStop;
use crate::model::{Lsn, QualifiedName};
use crate::schema::InitState;
use crate::status::{CopyState, Slot, Verdict};

/// What one look saw.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// What installs pgstream on the source, for people.
    #[serde(skip)]
    pub init_command: String,
    /// What lets our role see what `init` has put on the source, for people; none when it may.
    #[serde(skip)]
    pub init_grant: Option<String>,
    /// What lets our role see the schema log, for people; none when it may.
    #[serde(skip)]
    pub schema_grant: Option<String>,
    /// What lets our role see our records on the target, for people; none when it may.
    #[serde(skip)]
    pub target_grant: Option<String>,
    /// The database that the source's session is in, for people.
    #[serde(skip)]
    pub source_database: Option<String>,
    pub source: Side,
    pub target: Side,
    /// The slot that the pipeline reads; a guess by the database's name while the source is away.
    pub slot_name: String,
    /// The slot; none when it does not exist or the source is away.
    pub slot: Option<Slot>,
    /// What is wrong with the slot's publication; none when it publishes everything, or is not needed.
    pub publication: Option<UnfitPublication>,
    /// How far the target is behind.
    pub lag: Lag,
    /// What is durable on the target; none before the first run, or while the target is away.
    pub checkpoint: Option<Checkpoint>,
    /// What is on the target, and the source has not been told of; none: it has.
    pub unconfirmed: Option<Unconfirmed>,
    /// Why the last run ended or stands, until that is overcome.
    pub last_stop: Option<LastStop>,
    /// What `verify` has found last; none: it has found nothing yet, or the target is away.
    pub verified: Option<Verified>,
    /// Transactions that an operator skipped on record.
    pub skipped_transaction_count: Option<i64>,
    /// How the sequences follow; none before the first look.
    pub sequences: Option<SequenceLook>,
    /// Tables that were or are copied, the largest first.
    pub copies: Vec<TableCopy>,
    /// What `init` has put on the source; none while the source is away or our role may not look.
    pub init: Option<Init>,
    /// The latest schema changes, newest first, at most ten.
    pub schema_changes: Vec<SchemaChange>,
}

impl Inspection {
    /// Returns the tables whose copies failed, or lack what the target has refused.
    #[must_use]
    pub fn incomplete_copies(&self) -> Vec<String> {
        let copies = self.copies.iter();
        let incomplete = copies.filter(|copy| copy.error.is_some());
        incomplete.map(|copy| copy.table.to_string()).collect()
    }
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Without a password: `localhost:5432/postgres`.
    pub endpoint: String,
    /// Whether it answered.
    pub reachable: bool,
    /// Its version.
    pub version: Option<String>,
    /// Why it did not answer, or what our role may not read there.
    pub error: Option<String>,
}

/// How far the target is behind the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Lag {
    /// WAL between the source's end and what is confirmed durable, in bytes.
    pub bytes: Option<u64>,
    /// Age of what is not yet durable: as the source measures it while a stream is active, else the
    /// age of the checkpoint's last transaction.
    pub seconds: Option<f64>,
}

/// What `init` has put on the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, for monitoring scripts"
)]
pub struct Init {
    /// Schema `pgstream` with its tables is there.
    pub installed: bool,
    /// How many migrations it has seen.
    pub version: Option<i32>,
    /// It is what this version of pgstream installs.
    pub current: bool,
    /// The event triggers are there and enabled.
    pub triggers: bool,
    /// It was made in this database, not restored from a dump of another.
    pub of_this_database: bool,
}

impl From<InitState> for Init {
    fn from(state: InitState) -> Self {
        Self {
            installed: state.installed,
            version: state.version,
            current: state.current,
            triggers: state.triggers,
            of_this_database: state.of_this_database,
        }
    }
}

/// The copy of one table, as the target remembers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableCopy {
    pub name: String,
    /// The same in its parts, for people.
    #[serde(skip_serializing)]
    pub table: QualifiedName,
    /// How far it is.
    pub state: CopyState,
    /// Which try this is, from 1; 0 before the first.
    pub attempt: u32,
    /// Rows that are there, or on their way in a copy that runs.
    pub row_count: u64,
    /// Their bytes.
    pub byte_count: u64,
    /// Bytes to copy, estimated.
    pub bytes_expected: u64,
    pub error: Option<String>,
    /// Why, outermost cause first.
    pub causes: Vec<String>,
    /// SQLSTATE, when a server said it.
    pub sqlstate: Option<String>,
    /// What fixes it.
    pub hint: Option<String>,
    /// It is unlogged: the stream brings none of its changes.
    pub unlogged: bool,
    /// The position of the source that its rows are as of.
    pub lsn: Option<Lsn>,
    /// When this was noted.
    pub updated_at: String,
}

/// What is durable on the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checkpoint {
    /// End of the last source transaction applied.
    pub end_lsn: Lsn,
    /// Its commit time on the source.
    pub commit_time: Option<String>,
    /// When the target committed it.
    pub updated_at: String,
    /// Why the slot does not go on from here: `run` would refuse.
    pub misfit: Option<String>,
}

/// What `verify` has found last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    /// Of the last comparison of everything that replicates.
    pub last: Option<Verification>,
    /// Tables whose own last verdict is that they differ.
    pub different_tables: Vec<DifferentTable>,
}

impl Verified {
    /// Returns itself where there is something to say.
    #[must_use]
    pub fn known(self) -> Option<Self> {
        (self.last.is_some() || !self.different_tables.is_empty()).then_some(self)
    }
}

/// A comparison of everything that replicates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    pub verdict: Verdict,
    /// The position of the source that both sides were compared at.
    pub lsn: Lsn,
    /// When.
    pub at: String,
    /// How long ago.
    pub age_s: f64,
    pub table_count: u64,
    pub object_count: u64,
    pub sequence_count: u64,
    /// Rows on the source.
    pub row_count: u64,
    /// Tables, objects and sequences that are not equal.
    pub open_count: u64,
}

/// A table that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferentTable {
    pub table: String,
    pub missing: u64,
    pub extra: u64,
    pub differing: u64,
    pub lsn: Lsn,
    /// When it was found.
    pub at: String,
}

/// A publication that leaves changes out: `run` refuses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnfitPublication {
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
    /// What fixes it.
    pub fix: String,
}

/// One row of the schema log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchemaChange {
    /// `id` of the row.
    pub id: String,
    /// `version` of the row.
    pub version: i64,
    /// When the command ran on the source.
    pub created_at: String,
    /// Schema of its first object.
    pub schema_name: String,
    /// Command tag.
    pub tag: String,
    /// The objects it touched, such as `table public.test`.
    pub objects: Vec<String>,
    /// The same, quoted where SQL needs it, for people.
    #[serde(skip)]
    pub quoted_objects: Vec<String>,
    /// What became of it.
    pub state: SchemaChangeState,
    /// Whether a statement ran for it on the target; none: it is not known there.
    pub ran: Option<bool>,
    /// Parts that the target does not have, with the reason.
    pub not_applied: Vec<String>,
}

/// What became of a schema change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaChangeState {
    /// On the target, but the source does not know yet.
    Applied,
    /// On the target, and marked so in the schema log.
    Acked,
    /// Not on the target yet.
    Pending,
}

/// What is on the target, and the source has not been told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unconfirmed {
    /// WAL that is kept although it is on the target, in bytes.
    pub bytes: u64,
    /// The tables whose copies need it; none: nothing does.
    pub tables: Vec<String>,
    /// Why, for people.
    #[serde(skip)]
    pub reason: String,
}
