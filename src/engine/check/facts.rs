//! What `check` knows of the two servers. Plain data, read from one JSON document a side, so that
//! the rules need no server.

use std::collections::HashSet;

use serde::Deserialize;

use super::Finding;
use crate::config::TableFilter;
use crate::engine::LastStop;
use crate::model::{Lsn, QualifiedName};
use crate::postgres::{DatabaseIdentity, Publication};
use crate::schema::{EventTrigger, PipelineRecord};
use crate::schema::{OtherObject, Trigger};
use crate::status::CopyState;
use crate::status::Failure;

/// What both sides have.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Server {
    pub(super) version_number: i32,
    pub(super) version: String,
    pub(super) user: String,
    pub(super) superuser: bool,
    pub(super) database: String,
    /// Read apart from the document: `run` asks for it, too.
    #[serde(skip)]
    pub(super) identity: DatabaseIdentity,
    pub(super) encoding: String,
    pub(super) in_recovery: bool,
    pub(super) extensions: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct SourceFacts {
    pub(super) server: Server,
    pub(super) replication_role: bool,
    pub(super) wal_level: String,
    pub(super) hot_standby_feedback: bool,
    /// None on a standby.
    pub(super) wal_end: Option<Lsn>,
    pub(super) max_replication_slots: i64,
    pub(super) replication_slot_count: i64,
    pub(super) max_wal_senders: i64,
    pub(super) wal_sender_count: i64,
    /// None: a server that does not know the setting and takes every plugin, or a role that may not
    /// read it.
    pub(super) output_plugin_libraries: Option<String>,
    pub(super) slot: Option<SlotFacts>,
    #[serde(skip)]
    pub(super) publication: Option<Publication>,
    pub(super) schema_log: Option<SchemaLogFacts>,
    /// None: another plugin is wanted, or there is no telling.
    #[serde(skip)]
    pub(super) wal2json: Option<Wal2json>,
    /// None: nothing is installed, or our role may not look.
    #[serde(skip)]
    pub(super) installation: Option<InstallationFacts>,
    /// The slot has yet to decode changes from before its publication was made or altered.
    #[serde(skip)]
    pub(super) publication_younger: bool,
    /// Our role may not read what is recorded of tables, which a copy needs.
    #[serde(skip)]
    pub(super) descriptions_closed: bool,
    /// Our role may see the state of the installation; none: nothing is installed.
    pub(super) installation_readable: Option<bool>,
    /// Sequences that no table owns and our role may not read.
    pub(super) unreadable_free_sequences: Vec<QualifiedName>,
    /// The database of the schema log's address does not let us in.
    #[serde(skip)]
    pub(super) closed_log: Option<Finding>,
    /// The database of the schema log's address, where that is not the source.
    #[serde(skip)]
    pub(super) foreign_log: Option<String>,
    #[serde(skip)]
    pub(super) event_triggers: Vec<EventTrigger>,
    /// Functions of an earlier version that give any user a superuser's rights.
    #[serde(skip)]
    pub(super) open_functions: Vec<String>,
    /// Objects of the kinds that do not replicate.
    #[serde(skip)]
    pub(super) others: Vec<OtherObject>,
    #[serde(skip)]
    pub(super) large_object_count: u64,
    #[serde(skip)]
    pub(super) triggers: Vec<Trigger>,
    pub(super) unlogged_tables: Vec<QualifiedName>,
    /// What is remembered of this pipeline; none: nothing.
    #[serde(skip)]
    pub(super) recorded: Option<PipelineRecord>,
    /// The names of all slots.
    pub(super) slots: HashSet<String>,
    pub(super) tables: Vec<SourceTable>,
    #[serde(default)]
    pub(super) computed: Vec<ComputedColumn>,
    #[serde(default)]
    pub(super) partitions: Vec<Partition>,
    #[serde(default)]
    pub(super) configuration_tables: Vec<ConfigurationTable>,
    pub(super) types: Vec<TypeUse>,
    pub(super) collations: Vec<CollationUse>,
}

/// The server's wal2json.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wal2json {
    /// It has none.
    Missing,
    /// Before 2.6.
    PrintsNanAsNull,
    /// 2.6 or later.
    Current,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct InstallationFacts {
    /// It is what this version of pgstream installs.
    pub(super) current: bool,
    /// It was made in this database, not restored from a dump of another.
    pub(super) of_this_database: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct SlotFacts {
    pub(super) plugin: String,
    pub(super) logical: bool,
    pub(super) database: String,
    pub(super) active_pid: Option<i32>,
    pub(super) active_application: Option<String>,
    pub(super) wal_status: Option<String>,
    pub(super) confirmed_lsn: Option<Lsn>,
}

/// Of the role that the schema log's address names.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct SchemaLogFacts {
    pub(super) user: String,
    /// Nothing can be written there.
    pub(super) on_standby: bool,
    /// And writable.
    pub(super) readable: bool,
    pub(super) prunes: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct SourceTable {
    pub(super) name: QualifiedName,
    /// UPDATE and DELETE fail on it once it is published.
    pub(super) without_identity: bool,
    /// It has virtual generated columns.
    pub(super) virtual_columns: bool,
    /// REPLICA IDENTITY FULL.
    pub(super) whole_row_identity: bool,
    pub(super) schema_usable: bool,
    pub(super) readable: bool,
    /// Row security is in force for our role.
    pub(super) hides_rows: bool,
    /// Of those that it owns or whose values it takes.
    pub(super) unreadable_sequences: Vec<QualifiedName>,
    pub(super) columns: Vec<ColumnFacts>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ColumnFacts {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) type_text: String,
}

/// A generated column of the source.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ComputedColumn {
    pub(super) table: QualifiedName,
    pub(super) column: String,
    #[serde(rename = "type")]
    pub(super) type_text: String,
    /// Not virtual.
    pub(super) stored: bool,
    pub(super) expression: String,
}

/// A partition of either side.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Partition {
    pub(super) table: QualifiedName,
    pub(super) parent: QualifiedName,
    pub(super) bound: String,
}

/// A table of an extension in which users keep rows (`pg_extension_config_dump`).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ConfigurationTable {
    pub(super) table: QualifiedName,
    pub(super) extension: String,
    /// Which rows those are: `WHERE …`; empty: all.
    pub(super) condition: Option<String>,
}

/// A type of the user's that a column has.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct TypeUse {
    pub(super) name: QualifiedName,
    /// Labels of an enum; none for other types.
    pub(super) labels: Option<Vec<String>>,
    pub(super) used_by: QualifiedName,
}

/// A collation that a column has.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct CollationUse {
    pub(super) name: QualifiedName,
    pub(super) provider: String,
    pub(super) locale: Option<String>,
    pub(super) used_by: QualifiedName,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct TargetFacts {
    pub(super) server: Server,
    pub(super) creates_in_database: bool,
    pub(super) makes_temporary: bool,
    /// Found by trying, after the document was read.
    #[serde(skip)]
    pub(super) silences_triggers: bool,
    pub(super) own_schema: Option<OwnSchema>,
    pub(super) own_tables: Vec<OwnTable>,
    /// Empty, too, where our role may not look.
    #[serde(skip)]
    pub(super) checkpoints: Vec<Checkpoint>,
    /// Why the slot surely does not go on from its checkpoint.
    #[serde(skip)]
    pub(super) misfit: Option<String>,
    /// Why the last run ended or stands, until that is overcome.
    #[serde(skip)]
    pub(super) last_stop: Option<LastStop>,
    /// The checkpoint that the source remembers is surely gone.
    #[serde(skip)]
    pub(super) checkpoint_gone: bool,
    /// Copies that are not through, or lack something; of every slot.
    #[serde(skip)]
    pub(super) copies: Vec<CopyFacts>,
    /// Objects of the kinds that do not replicate.
    #[serde(skip)]
    pub(super) others: Vec<OtherObject>,
    #[serde(skip)]
    pub(super) triggers: Vec<Trigger>,
    pub(super) schemas: Vec<TargetSchema>,
    pub(super) tables: Vec<TargetTable>,
    #[serde(default)]
    pub(super) computed: HashSet<TargetColumn>,
    #[serde(default)]
    pub(super) partitions: Vec<Partition>,
    /// Foreign keys that change rows by themselves.
    #[serde(default)]
    pub(super) acting_keys: Vec<ActingKey>,
    pub(super) types: HashSet<QualifiedName>,
    /// Types whose owner our role does not act as.
    pub(super) foreign_types: Vec<ForeignType>,
    pub(super) collations: HashSet<QualifiedName>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(super) struct OwnSchema {
    pub(super) usable: bool,
    pub(super) creatable: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct OwnTable {
    pub(super) name: String,
    pub(super) usable: bool,
}

/// How far the copy of a table is.
#[derive(Debug, Clone)]
pub(super) struct CopyFacts {
    pub(super) slot_name: String,
    pub(super) table: QualifiedName,
    pub(super) state: CopyState,
    /// Why it failed; of one that is complete, what it lacks.
    pub(super) failure: Option<Failure>,
}

impl CopyFacts {
    /// Returns whether rows are still to be copied.
    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.state, CopyState::CatchingUp | CopyState::Ready)
    }
}

/// How far the target is, and of what.
#[derive(Debug, Clone)]
pub(super) struct Checkpoint {
    pub(super) slot_name: String,
    pub(super) system_identifier: String,
    pub(super) database: String,
    pub(super) end_lsn: Lsn,
    /// The tables that its pipeline brings; none: an earlier build did not write that down.
    pub(super) filter: Option<TableFilter>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct TargetSchema {
    pub(super) name: String,
    pub(super) creatable: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ForeignType {
    pub(super) name: QualifiedName,
    pub(super) owner: String,
}

/// A generated column of the target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub(super) struct TargetColumn {
    pub(super) table: QualifiedName,
    pub(super) column: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ActingKey {
    pub(super) name: String,
    pub(super) table: QualifiedName,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct TargetTable {
    pub(super) name: QualifiedName,
    /// We act as its owner, as ALTER and DROP demand.
    pub(super) owned: bool,
    pub(super) owner: String,
    pub(super) schema_usable: bool,
    pub(super) missing_privileges: Vec<String>,
    /// Of those that it owns or whose values it takes: they follow the source's.
    pub(super) closed_sequences: Vec<QualifiedName>,
    pub(super) columns: Vec<String>,
}
