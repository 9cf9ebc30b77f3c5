//! One thing that a list pane lists, and what it is called.

use std::borrow::Cow;

use crate::status::{SchemaChange, Slot, TableCopy, TableCounters};

use super::model::proof::Compared;

/// One thing that a list pane lists.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item<'a> {
    Slot(&'a Slot),
    Change(&'a SchemaChange),
    Table(&'a str, &'a TableCounters),
    Copy(&'a TableCopy),
    Compared(&'a Compared),
}

impl<'a> Item<'a> {
    /// Returns what the selection holds on to.
    pub(crate) fn key(&self) -> Cow<'a, str> {
        match self {
            Self::Slot(slot) => Cow::Borrowed(&slot.slot_name),
            Self::Change(change) => Cow::Borrowed(&change.id),
            Self::Table(name, _) => Cow::Borrowed(name),
            Self::Copy(table) => Cow::Owned(table.relation.0.to_string()),
            Self::Compared(one) => Cow::Borrowed(&one.name),
        }
    }

    /// Returns the name of what it is about.
    pub(crate) fn name(&self) -> Cow<'a, str> {
        match self {
            Self::Slot(slot) => Cow::Borrowed(&slot.slot_name),
            Self::Change(change) => objects(change),
            Self::Table(name, _) => Cow::Borrowed(name),
            Self::Copy(table) => Cow::Borrowed(&table.name),
            Self::Compared(one) => Cow::Borrowed(&one.name),
        }
    }
}

/// Returns what a change is about; where nobody knows, the statement.
pub(crate) fn objects(change: &SchemaChange) -> Cow<'_, str> {
    match subject(change) {
        Some(one) => Cow::Borrowed(one),
        None => {
            let words: Vec<_> = change.statement.split_whitespace().collect();
            Cow::Owned(words.join(" "))
        }
    }
}

/// Returns the name of what a change is about: of `CREATE TABLE` the table, not the sequence that
/// comes with it. Objects are written as kind and name.
fn subject(change: &SchemaChange) -> Option<&str> {
    let kind = change.tag.rsplit(' ').next()?.to_lowercase();
    let is_of_kind = |object: &&String| object.split_once(' ').is_some_and(|(one, _)| one == kind);
    let mut objects = change.objects.iter();
    let object = objects
        .clone()
        .find(is_of_kind)
        .or_else(|| objects.next())?;
    Some(
        object
            .split_once(' ')
            .map_or(object.as_str(), |(_, name)| name),
    )
}
