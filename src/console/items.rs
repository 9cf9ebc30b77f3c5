//! What the list panes list: the things themselves, in order; during a search, those that match.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashSet;

use crate::status::{
    CopyState, SchemaChange, SchemaState, Slot, TableCopy, TableCounters, Verdict,
};

use super::action::Pane;
use super::item::Item;
use super::model::proof::Compared;
use super::model::{CopyOrder, Model, SlotOrder, TableOrder};
use super::rows;

/// Returns what a list pane lists; nothing for panes that are no lists.
pub(crate) fn items(model: &Model, pane: Pane) -> Vec<Item<'_>> {
    let all = all(model, pane);
    match model.needle().filter(|_| model.focus == pane) {
        None => all,
        Some(needle) => {
            let holds = |item: &Item<'_>| rows::row(model, item).holds(&needle);
            all.into_iter().filter(holds).collect()
        }
    }
}

/// Returns what a list pane lists without regard to a search.
pub(crate) fn all(model: &Model, pane: Pane) -> Vec<Item<'_>> {
    match pane {
        Pane::Slots => slots(model).into_iter().map(Item::Slot).collect(),
        Pane::Schema => {
            let wanted = |change: &&SchemaChange| !model.only.schema_trouble || needs_you(change);
            let changes = changes(model).into_iter().filter(wanted);
            changes.map(Item::Change).collect()
        }
        Pane::Tables => {
            let tables = tables(model).into_iter();
            tables.map(|(name, one)| Item::Table(name, one)).collect()
        }
        Pane::Snapshot => copies(model).into_iter().map(Item::Copy).collect(),
        Pane::Verify => compared(model).into_iter().map(Item::Compared).collect(),
        Pane::Throughput | Pane::Logs => Vec::new(),
    }
}

/// Returns the selected one of a list pane.
pub(crate) fn selected(model: &Model, pane: Pane) -> Option<Item<'_>> {
    let items = items(model, pane);
    let index = model.cursor(pane)?.index(&keys(&items))?;
    items.get(index).copied()
}

/// Returns the keys of items, in order.
pub(crate) fn keys<'a>(items: &[Item<'a>]) -> Vec<Cow<'a, str>> {
    items.iter().map(Item::key).collect()
}

/// Ours first, the others in the chosen order.
fn slots(model: &Model) -> Vec<&Slot> {
    let mut slots: Vec<&Slot> = model.status().slots.iter().collect();
    slots.sort_by(|one, other| {
        let ours = other.ours.cmp(&one.ours);
        let chosen = match model.sorting.slots {
            SlotOrder::Kept => other.retained_bytes.cmp(&one.retained_bytes),
            SlotOrder::TimeLeft => {
                let left = |slot: &Slot| slot.lost_in_s.unwrap_or(i64::MAX);
                left(one).cmp(&left(other))
            }
            SlotOrder::Name => std::cmp::Ordering::Equal,
        };
        ours.then(chosen)
            .then_with(|| one.slot_name.cmp(&other.slot_name))
    });
    slots
}

/// Returns the schema changes, newest first: those of this session as the engine tells them, the
/// others as they stand on record.
pub(crate) fn changes(model: &Model) -> Vec<&SchemaChange> {
    let mut changes: Vec<&SchemaChange> = model.status().schema_changes.iter().collect();
    let known: HashSet<&str> = changes.iter().map(|change| change.id.as_str()).collect();
    let recorded = model.servers.history.changes.iter();
    changes.extend(recorded.filter(|change| !known.contains(change.id.as_str())));
    changes.sort_by_key(|change| Reverse(change.id.as_str()));
    changes
}

/// Returns whether somebody must look at a schema change.
pub(crate) const fn needs_you(change: &SchemaChange) -> bool {
    matches!(change.state, SchemaState::Failed | SchemaState::NotApplied)
}

/// One that the target refuses a change of stands first.
fn tables(model: &Model) -> Vec<(&str, &TableCounters)> {
    let changes = |one: &TableCounters| one.inserts + one.updates + one.deletes + one.truncates;
    let tables = model.status().tables.iter();
    let mut tables: Vec<(&str, &TableCounters)> =
        tables.map(|(name, one)| (name.as_str(), one)).collect();
    match model.sorting.tables {
        TableOrder::Changes => tables.sort_by_key(|(_, one)| Reverse(changes(one))),
        TableOrder::Latest => tables.sort_by_key(|(_, one)| Reverse(one.last_change_ms)),
        TableOrder::Name => {}
    }
    let refused = model.status().refused_table();
    tables.sort_by_key(|(name, _)| refused != Some(*name));
    tables
}

fn copies(model: &Model) -> Vec<&TableCopy> {
    let Some(snapshot) = &model.status().snapshot else {
        return Vec::new();
    };
    let wanted = |table: &&TableCopy| table.state == CopyState::Failed || !model.only.failed_copies;
    let mut tables: Vec<&TableCopy> = snapshot.tables.iter().filter(wanted).collect();
    match model.sorting.copies {
        CopyOrder::State => tables.sort_by_key(|one| turn(one.state)),
        CopyOrder::Size => tables.sort_by_key(|one| Reverse(one.bytes_expected)),
        CopyOrder::Name => tables.sort_by(|one, other| one.name.cmp(&other.name)),
    }
    tables
}

/// What is not equal first.
fn compared(model: &Model) -> Vec<&Compared> {
    let proof = &model.proof;
    let wanted = |one: &&Compared| one.verdict != Verdict::Equal || !proof.only_trouble;
    let mut all: Vec<&Compared> = proof.compared.iter().filter(wanted).collect();
    all.sort_by(|one, other| {
        let key = |one: &Compared| one.verdict == Verdict::Equal;
        (key(one), &one.name).cmp(&(key(other), &other.name))
    });
    all
}

/// What needs somebody, what moves, what waits, what is done.
const fn turn(state: CopyState) -> u8 {
    match state {
        CopyState::Failed => 0,
        CopyState::Copying => 1,
        CopyState::Indexing => 2,
        CopyState::CatchingUp => 3,
        CopyState::Waiting => 4,
        CopyState::Ready => 5,
    }
}

/// Returns the selected schema change.
pub(crate) fn selected_change(model: &Model) -> Option<&SchemaChange> {
    match selected(model, Pane::Schema)? {
        Item::Change(change) => Some(change),
        Item::Slot(_) | Item::Table(..) | Item::Copy(_) | Item::Compared(_) => None,
    }
}

/// Returns the selected table.
pub(crate) fn selected_table(model: &Model) -> Option<(&str, &TableCounters)> {
    match selected(model, Pane::Tables)? {
        Item::Table(name, counters) => Some((name, counters)),
        Item::Slot(_) | Item::Change(_) | Item::Copy(_) | Item::Compared(_) => None,
    }
}

/// Returns the table that is selected on the Snapshot screen.
pub(crate) fn selected_copy(model: &Model) -> Option<&TableCopy> {
    match selected(model, Pane::Snapshot)? {
        Item::Copy(table) => Some(table),
        Item::Slot(_) | Item::Change(_) | Item::Table(..) | Item::Compared(_) => None,
    }
}

/// Returns what is selected on the Verify screen.
pub(crate) fn selected_compared(model: &Model) -> Option<&Compared> {
    match selected(model, Pane::Verify)? {
        Item::Compared(one) => Some(one),
        Item::Slot(_) | Item::Change(_) | Item::Table(..) | Item::Copy(_) => None,
    }
}
