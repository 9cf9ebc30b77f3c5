//! What `check` knows of the two servers. Plain data, read from one JSON document a side, so that
//! the rules need no server.

use std::collections::HashSet;

use serde::Deserialize;

use crate::config::TableFilter;
use crate::diagnose::sequences::SequenceLook;
use crate::diagnose::stops::LastStop;
use crate::model::{Lsn, QualifiedName};
use crate::postgres::{DatabaseIdentity, Publication};
use crate::schema::{EventTrigger, OtherObject, PipelineRecord, Trigger};
use crate::status::{CopyState, Failure};

use super::report::Finding;

/// What both sides have.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Server {
    pub(crate) version_number: i32,
    pub(crate) version: String,
    pub(crate) user: String,
    pub(crate) superuser: bool,
    pub(crate) database: String,
    /// Read apart from the document: `run` asks for it, too.
    #[serde(skip)]
    pub(crate) identity: DatabaseIdentity,
    pub(crate) encoding: String,
    pub(crate) in_recovery: bool,
    pub(crate) extensions: Vec<String>,
    /// Those whose files are on the server's machine.
    pub(crate) available_extensions: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(crate) struct SourceFacts {
    pub(crate) server: Server,
    pub(crate) replication_role: bool,
    pub(crate) wal_level: String,
    pub(crate) hot_standby_feedback: bool,
    /// None on a standby.
    pub(crate) wal_end: Option<Lsn>,
    pub(crate) max_replication_slots: i64,
    pub(crate) replication_slot_count: i64,
    pub(crate) max_wal_senders: i64,
    pub(crate) wal_sender_count: i64,
    /// None: a server that does not know the setting and takes every plugin, or a role that may not
    /// read it.
    pub(crate) output_plugin_libraries: Option<String>,
    pub(crate) slot: Option<SlotFacts>,
    #[serde(skip)]
    pub(crate) publication: Option<Publication>,
    pub(crate) schema_log: Option<SchemaLogFacts>,
    /// None: another plugin is wanted, or there is no telling.
    #[serde(skip)]
    pub(crate) wal2json: Option<Wal2json>,
    /// None: nothing is installed, or our role may not look.
    #[serde(skip)]
    pub(crate) installation: Option<InstallationFacts>,
    /// The slot has yet to decode changes from before its publication was made or altered.
    #[serde(skip)]
    pub(crate) publication_younger: bool,
    /// Our role may not read what is recorded of tables, which a copy needs.
    #[serde(skip)]
    pub(crate) descriptions_closed: bool,
    /// Our role may see the state of the installation; none: nothing is installed.
    pub(crate) installation_readable: Option<bool>,
    /// Sequences that no table owns and our role may not read.
    pub(crate) unreadable_free_sequences: Vec<QualifiedName>,
    /// The database of the schema log's address does not let us in.
    #[serde(skip)]
    pub(crate) closed_log: Option<Finding>,
    /// The database of the schema log's address, where that is not the source.
    #[serde(skip)]
    pub(crate) foreign_log: Option<String>,
    #[serde(skip)]
    pub(crate) event_triggers: Vec<EventTrigger>,
    /// Functions of an earlier version that give any user a superuser's rights.
    #[serde(skip)]
    pub(crate) open_functions: Vec<String>,
    /// Objects of the kinds that do not replicate.
    #[serde(skip)]
    pub(crate) others: Vec<OtherObject>,
    #[serde(skip)]
    pub(crate) large_object_count: u64,
    #[serde(skip)]
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) unlogged_tables: Vec<QualifiedName>,
    /// What is remembered of this pipeline; none: nothing.
    #[serde(skip)]
    pub(crate) recorded: Option<PipelineRecord>,
    /// The names of all slots.
    pub(crate) slots: HashSet<String>,
    pub(crate) tables: Vec<SourceTable>,
    #[serde(default)]
    pub(crate) computed: Vec<ComputedColumn>,
    #[serde(default)]
    pub(crate) partitions: Vec<Partition>,
    #[serde(default)]
    pub(crate) configuration_tables: Vec<ConfigurationTable>,
    pub(crate) types: Vec<TypeUse>,
    pub(crate) collations: Vec<CollationUse>,
}

impl SourceFacts {
    /// Returns whether the source remembers a target that the pipeline was applied to.
    pub(crate) fn was_applied(&self) -> bool {
        let recorded = self.recorded.as_ref();
        recorded.is_some_and(|recorded| recorded.target.is_some())
    }
}

/// The server's wal2json.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wal2json {
    /// It has none.
    Missing,
    /// Before 2.6.
    PrintsNanAsNull,
    /// 2.6 or later.
    Current,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct InstallationFacts {
    /// It is what this version of pgstream installs.
    pub(crate) current: bool,
    /// It was made in this database, not restored from a dump of another.
    pub(crate) of_this_database: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct SlotFacts {
    pub(crate) plugin: String,
    pub(crate) logical: bool,
    pub(crate) database: String,
    pub(crate) active_pid: Option<i32>,
    pub(crate) active_application: Option<String>,
    pub(crate) wal_status: Option<String>,
    pub(crate) confirmed_lsn: Option<Lsn>,
}

/// Of the role that the schema log's address names.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct SchemaLogFacts {
    pub(crate) user: String,
    /// Nothing can be written there.
    pub(crate) on_standby: bool,
    /// And writable.
    pub(crate) readable: bool,
    pub(crate) prunes: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(crate) struct SourceTable {
    pub(crate) name: QualifiedName,
    /// UPDATE and DELETE fail on it once it is published.
    pub(crate) without_identity: bool,
    /// It has virtual generated columns.
    pub(crate) virtual_columns: bool,
    /// REPLICA IDENTITY FULL.
    pub(crate) whole_row_identity: bool,
    pub(crate) schema_usable: bool,
    pub(crate) readable: bool,
    /// Row security is in force for our role.
    pub(crate) hides_rows: bool,
    /// Of those that it owns or whose values it takes.
    pub(crate) unreadable_sequences: Vec<QualifiedName>,
    pub(crate) columns: Vec<ColumnFacts>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ColumnFacts {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) type_text: String,
}

/// A generated column of the source.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ComputedColumn {
    pub(crate) table: QualifiedName,
    pub(crate) column: String,
    #[serde(rename = "type")]
    pub(crate) type_text: String,
    /// Not virtual.
    pub(crate) stored: bool,
    pub(crate) expression: String,
}

/// A partition of either side.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Partition {
    pub(crate) table: QualifiedName,
    pub(crate) parent: QualifiedName,
    pub(crate) bound: String,
}

/// A table of an extension in which users keep rows (`pg_extension_config_dump`).
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ConfigurationTable {
    pub(crate) table: QualifiedName,
    pub(crate) extension: String,
    /// Which rows those are: `WHERE …`; empty: all.
    pub(crate) condition: Option<String>,
}

/// A type of the user's that a column has.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TypeUse {
    pub(crate) name: QualifiedName,
    /// Labels of an enum; none for other types.
    pub(crate) labels: Option<Vec<String>>,
    pub(crate) used_by: QualifiedName,
}

/// A collation that a column has.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct CollationUse {
    pub(crate) name: QualifiedName,
    pub(crate) provider: String,
    pub(crate) locale: Option<String>,
    pub(crate) used_by: QualifiedName,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(crate) struct TargetFacts {
    pub(crate) server: Server,
    pub(crate) creates_in_database: bool,
    pub(crate) makes_temporary: bool,
    /// Found by trying, after the document was read.
    #[serde(skip)]
    pub(crate) silences_triggers: bool,
    pub(crate) own_schema: Option<OwnSchema>,
    pub(crate) own_tables: Vec<OwnTable>,
    /// Empty, too, where our role may not look.
    #[serde(skip)]
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// Why the slot surely does not go on from its checkpoint.
    #[serde(skip)]
    pub(crate) misfit: Option<String>,
    /// Why the last run ended or stands, until that is overcome.
    #[serde(skip)]
    pub(crate) last_stop: Option<LastStop>,
    /// How the sequences follow; none before the first look.
    #[serde(skip)]
    pub(crate) sequences: Option<SequenceLook>,
    /// The checkpoint that the source remembers is surely gone.
    #[serde(skip)]
    pub(crate) checkpoint_gone: bool,
    /// A table that had rows before the pipeline began.
    #[serde(skip)]
    pub(crate) filled: Option<QualifiedName>,
    /// Copies that are not through, or lack something; of every slot.
    #[serde(skip)]
    pub(crate) copies: Vec<CopyFacts>,
    /// Objects of the kinds that do not replicate.
    #[serde(skip)]
    pub(crate) others: Vec<OtherObject>,
    #[serde(skip)]
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) schemas: Vec<TargetSchema>,
    pub(crate) tables: Vec<TargetTable>,
    #[serde(default)]
    pub(crate) computed: HashSet<TargetColumn>,
    #[serde(default)]
    pub(crate) partitions: Vec<Partition>,
    /// Foreign keys that change rows by themselves.
    #[serde(default)]
    pub(crate) acting_keys: Vec<ActingKey>,
    pub(crate) types: HashSet<QualifiedName>,
    /// Types whose owner our role does not act as.
    pub(crate) foreign_types: Vec<ForeignType>,
    pub(crate) collations: HashSet<QualifiedName>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(crate) struct OwnSchema {
    pub(crate) usable: bool,
    pub(crate) creatable: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct OwnTable {
    pub(crate) name: String,
    pub(crate) usable: bool,
}

/// How far the copy of a table is.
#[derive(Debug, Clone)]
pub(crate) struct CopyFacts {
    pub(crate) slot_name: String,
    pub(crate) table: QualifiedName,
    pub(crate) state: CopyState,
    /// Why it failed; of one that is complete, what it lacks.
    pub(crate) failure: Option<Failure>,
}

impl CopyFacts {
    /// Returns whether rows are still to be copied.
    pub(crate) const fn is_open(&self) -> bool {
        !matches!(self.state, CopyState::CatchingUp | CopyState::Ready)
    }
}

/// How far the target is, and of what.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoint {
    pub(crate) slot_name: String,
    pub(crate) system_identifier: String,
    pub(crate) database: String,
    pub(crate) end_lsn: Lsn,
    /// The tables that its pipeline brings; none: an earlier build did not write that down.
    pub(crate) filter: Option<TableFilter>,
    /// Which installation has left it; none: an earlier build did not write that down.
    pub(crate) installation: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TargetSchema {
    pub(crate) name: String,
    pub(crate) creatable: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ForeignType {
    pub(crate) name: QualifiedName,
    pub(crate) owner: String,
}

/// A generated column of the target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub(crate) struct TargetColumn {
    pub(crate) table: QualifiedName,
    pub(crate) column: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ActingKey {
    pub(crate) name: String,
    pub(crate) table: QualifiedName,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TargetTable {
    pub(crate) name: QualifiedName,
    /// We act as its owner, as ALTER and DROP demand.
    pub(crate) owned: bool,
    pub(crate) owner: String,
    pub(crate) schema_usable: bool,
    pub(crate) missing_privileges: Vec<String>,
    /// Of those that it owns or whose values it takes: they follow the source's.
    pub(crate) closed_sequences: Vec<QualifiedName>,
    pub(crate) columns: Vec<String>,
}
