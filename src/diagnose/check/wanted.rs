//! What the pipeline wants of the two servers.

use std::collections::HashSet;

use crate::config::{
    LeftOut, NullNumbers, Pipeline, Plugin, SlotName, TableFilter, publication_name,
};
use crate::model::QualifiedName;
use crate::model::hint::{begin_anew, take_over};

use super::facts::{SourceFacts, TargetFacts};

/// What the pipeline wants of the servers.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Without a password.
    pub(super) source_uri: String,
    /// What names the source on a command line.
    pub(super) source_argument: String,
    /// The same for what needs a superuser.
    pub(super) init_argument: String,
    pub(super) slot_name: SlotName,
    pub(super) publication_name: String,
    pub(super) plugin: Plugin,
    pub(super) null_numbers: NullNumbers,
    pub(super) schema_changes: bool,
    pub(super) silent_triggers: bool,
    pub(super) filter: TableFilter,
    pub(super) left_out: LeftOut,
    /// Tables that a snapshot brings, if one is asked for.
    pub(super) copied: Option<TableFilter>,
    /// It brings all else, too: sequences that no table owns.
    pub(super) everything: bool,
    /// Tables that are on the target already, by a copy or by the stream.
    pub(super) settled: HashSet<QualifiedName>,
}

impl Wanted {
    /// Returns whether a snapshot brings this table, with the types that it needs.
    pub(super) fn brings(&self, table: &QualifiedName) -> bool {
        self.copied
            .as_ref()
            .is_some_and(|copied| copied.selects(table))
            && !self.settled.contains(table)
    }

    /// Takes out what is not to be copied any more, once the target has a checkpoint: what it has, the
    /// stream keeps, but for copies that are not through.
    pub(super) fn goes_on_with(&mut self, target: &TargetFacts) {
        if !self.has_checkpoint(target) {
            return;
        }
        let slot_name = self.slot_name.as_str();
        let open = target.copies.iter().filter(|copy| copy.is_open());
        let open: HashSet<&QualifiedName> = open
            .filter(|copy| copy.slot_name == slot_name)
            .map(|copy| &copy.table)
            .collect();
        let there = target.tables.iter().map(|table| &table.name);
        self.settled = there.filter(|name| !open.contains(name)).cloned().collect();
        self.everything = false;
    }

    pub(super) fn has_checkpoint(&self, target: &TargetFacts) -> bool {
        let slot_name = self.slot_name.as_str();
        let mut checkpoints = target.checkpoints.iter();
        checkpoints.any(|found| found.slot_name == slot_name)
    }
}

impl Wanted {
    /// Returns what to do about a slot that is lost.
    pub(super) fn lost_slot(&self, source: &SourceFacts) -> String {
        match source.was_applied() {
            true => take_over(&self.source_argument),
            false => begin_anew(&self.init_argument, self.slot_name.as_str()),
        }
    }

    pub(super) fn of(pipeline: &Pipeline, database: &str) -> Self {
        let slot = pipeline.slot.clone();
        let slot_name = slot.unwrap_or_else(|| SlotName::for_database(database));
        Self {
            source_uri: pipeline.source.to_uri_without_password(),
            source_argument: pipeline.source.as_argument(),
            init_argument: pipeline.source.as_argument(),
            publication_name: publication_name(slot_name.as_str()),
            slot_name,
            plugin: pipeline.plugin,
            null_numbers: pipeline.null_numbers,
            schema_changes: pipeline.schema_log.is_some(),
            silent_triggers: pipeline.disable_triggers,
            filter: pipeline.filter.clone(),
            left_out: pipeline.left_out.clone(),
            copied: pipeline
                .snapshot
                .enabled
                .then(|| pipeline.snapshot.tables.clone()),
            everything: pipeline.snapshot.enabled,
            settled: HashSet::new(),
        }
    }
}
