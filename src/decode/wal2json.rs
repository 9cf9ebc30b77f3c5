//! The plugin wal2json, format version 2: one JSON object a message
//! (what it says of each type was measured, see `docs/decisions/0003-wal2json.md`).
//!
//! Against pgoutput it sends no descriptions of relations: a [`Relation`] is put together from
//! what a message names, and kept per table so that equal rows share one. It leaves out unchanged
//! TOAST values, repeats the key in every UPDATE, writes one message for each truncated table, and
//! prints some types in its own way. All of this is undone here, so that both plugins give the
//! same events.
//!
//! What cannot be undone: releases before 2.6 print `NaN` and the infinities as `null`. A null in
//! a column of such a type is therefore an error, unless the operator vouches that there are none
//! ([`NullNumbers`]).

mod message;
mod shape;
#[cfg(test)]
mod tests;
mod value;

use std::sync::Arc;

use bytes::Bytes;

use crate::config::NullNumbers;
use crate::model::{
    Change, Event, Lsn, OldTuple, QualifiedName, Relation, ReplicaIdentity, TransactionBegin,
    TransactionCommit, Tuple, Value,
};

use self::message::{Action, Field, Message};
use self::shape::Shapes;
use self::value::Reading;
use super::DecodeError;

/// The only logical messages that come: those with which earlier builds sent the rows of rewritten
/// tables. They are passed over, on record.
const MESSAGE_PREFIXES: &str = "pgstream.rows";

/// How a logical message begins. Its content need not be text, and is then no JSON.
const MESSAGE_START: &[u8] = br#"{"action":"M""#;

/// How the messages start that begin and end a transaction.
pub(super) const ENDS: [&[u8]; 2] = [br#"{"action":"B""#, br#"{"action":"C""#];

/// Returns the options of `START_REPLICATION`, best first: an older release refuses the first
/// choice with SQLSTATE 22023. The plugin shows what fills a materialized view, and has no key for
/// what is deleted there: those it leaves out.
pub(super) fn option_choices(
    materialized_views: &[QualifiedName],
) -> Vec<Vec<(&'static str, String)>> {
    let mut common: Vec<(&'static str, String)> = [
        ("format-version", "2"),
        ("include-transaction", "true"),
        ("include-xids", "true"),
        ("include-timestamp", "true"),
        ("include-lsn", "true"),
        ("include-type-oids", "true"),
        // Its spelling of type names is not always JSON.
        ("include-types", "false"),
        ("include-pk", "true"),
        ("add-msg-prefixes", MESSAGE_PREFIXES),
    ]
    .into_iter()
    .map(|(name, value)| (name, value.to_owned()))
    .collect();
    if !materialized_views.is_empty() {
        let views: Vec<String> = materialized_views.iter().map(filter_item).collect();
        common.push(("filter-tables", views.join(",")));
    }
    let mut exact = common.clone();
    exact.push(("numeric-data-types-as-string", "true".to_owned()));
    vec![exact, common]
}

/// A table as the plugin's options name it: what has a meaning there stands behind a backslash.
fn filter_item(table: &QualifiedName) -> String {
    let escaped = |name: &str| {
        let mut escaped = String::new();
        for c in name.chars() {
            if matches!(c, ' ' | '\'' | ',' | '.' | '*' | '\\') {
                escaped.push('\\');
            }
            escaped.push(c);
        }
        escaped
    };
    format!("{}.{}", escaped(&table.schema), escaped(&table.name))
}

/// The state of one replication session.
#[derive(Debug, Default)]
pub struct Wal2json {
    shapes: Shapes,
    reading: Reading,
    /// Commit position of the transaction in hand.
    open: Option<Lsn>,
    /// The tables of a TRUNCATE that may not be complete, and the statement's position.
    truncated: Option<(Lsn, Vec<Arc<Relation>>)>,
}

impl Wal2json {
    pub(super) fn set_null_numbers(&mut self, null_numbers: NullNumbers) {
        self.reading.null_numbers = null_numbers;
    }

    /// Tells which of the option choices the server accepted.
    pub(super) fn started_with(&mut self, choice: usize) {
        self.reading.numbers_are_exact = choice == 0;
    }

    pub(super) fn forget(&mut self) {
        self.shapes = Shapes::default();
    }

    /// Decodes one message and appends its events.
    ///
    /// # Errors
    /// Bug: the bytes are not wal2json's. Operator: a number that this release cannot print.
    pub fn decode(
        &mut self,
        data: &Bytes,
        wal_start: Lsn,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        if data.starts_with(MESSAGE_START) {
            self.foreign_message(events);
            return Ok(());
        }
        let message = Message::parse(data)?;
        if message.action != Action::Truncate {
            self.finish_truncate(events);
        }
        let event = match message.action {
            Action::Begin => self.begin(&message)?,
            Action::Commit => self.commit(&message)?,
            Action::Insert => Event::Change(self.insert(data, &message)?),
            Action::Update => Event::Change(self.update(data, &message)?),
            Action::Delete => Event::Change(self.delete(data, &message)?),
            Action::Truncate => return self.truncate(&message, wal_start, events),
        };
        events.push(event);
        Ok(())
    }

    fn begin(&mut self, message: &Message<'_>) -> Result<Event, DecodeError> {
        let begin = TransactionBegin {
            xid: message.xid()?,
            commit_lsn: message.lsn()?,
            commit_time_us: message.time_us()?,
        };
        match self.open.replace(begin.commit_lsn) {
            None => Ok(Event::Begin(begin)),
            Some(_) => Err(DecodeError::Misplaced { what: "a begin" }),
        }
    }

    fn commit(&mut self, message: &Message<'_>) -> Result<Event, DecodeError> {
        let commit = TransactionCommit {
            commit_lsn: message.lsn()?,
            end_lsn: message.next_lsn()?,
            commit_time_us: message.time_us()?,
        };
        match self.open.take() {
            Some(expected) if expected == commit.commit_lsn => Ok(Event::Commit(commit)),
            Some(expected) => Err(DecodeError::OtherCommit {
                expected,
                found: commit.commit_lsn,
            }),
            None => Err(DecodeError::Misplaced { what: "a commit" }),
        }
    }

    fn insert(&mut self, data: &Bytes, message: &Message<'_>) -> Result<Change, DecodeError> {
        self.require_open("a row")?;
        let relation = self.shapes.of_insert(message)?;
        let new = self.tuple(data, &relation, message.columns()?, &Value::Unchanged)?;
        Ok(Change::Insert { relation, new })
    }

    fn update(&mut self, data: &Bytes, message: &Message<'_>) -> Result<Change, DecodeError> {
        self.require_open("a row")?;
        let relation = self.shapes.of_update(message)?;
        let new = self.tuple(data, &relation, message.columns()?, &Value::Unchanged)?;
        let identity = message.identity()?;
        let old = self.tuple(data, &relation, identity, &Value::Null)?;
        let old = match relation.identity {
            ReplicaIdentity::Full => Some(OldTuple::Full(old)),
            _ if same_key(&relation, &old, &new) => None,
            _ => Some(OldTuple::Key(old)),
        };
        Ok(Change::Update { relation, old, new })
    }

    fn delete(&mut self, data: &Bytes, message: &Message<'_>) -> Result<Change, DecodeError> {
        self.require_open("a row")?;
        let relation = self.shapes.of_delete(message)?;
        let old = self.tuple(data, &relation, message.identity()?, &Value::Null)?;
        let old = match relation.identity {
            ReplicaIdentity::Full => OldTuple::Full(old),
            _ => OldTuple::Key(old),
        };
        Ok(Change::Delete { relation, old })
    }

    /// The tables of one statement lie at one position: they wait for each other.
    fn truncate(
        &mut self,
        message: &Message<'_>,
        wal_start: Lsn,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        self.require_open("a truncate")?;
        let relation = self.shapes.of_truncate(message)?;
        match &mut self.truncated {
            Some((lsn, relations)) if *lsn == wal_start => relations.push(relation),
            _ => {
                self.finish_truncate(events);
                self.truncated = Some((wal_start, vec![relation]));
            }
        }
        Ok(())
    }

    fn finish_truncate(&mut self, events: &mut Vec<Event>) {
        if let Some((_, relations)) = self.truncated.take() {
            events.push(Event::Change(Change::Truncate {
                relations,
                cascade: false,
                restart_identity: false,
            }));
        }
    }

    /// Anybody may write messages, and nothing in them is believed. Those of no transaction come
    /// between transactions.
    fn foreign_message(&mut self, events: &mut Vec<Event>) {
        self.finish_truncate(events);
        if self.open.is_some() {
            let prefix = MESSAGE_PREFIXES.into();
            events.push(Event::Change(Change::ForeignMessage { prefix }));
        }
    }

    fn require_open(&self, what: &'static str) -> Result<(), DecodeError> {
        match self.open {
            Some(_) => Ok(()),
            None => Err(DecodeError::Misplaced { what }),
        }
    }

    /// Lays the fields of a message, a part of the relation's columns in their order, over them.
    fn tuple(
        &self,
        data: &Bytes,
        relation: &Relation,
        fields: &[Field<'_>],
        absent: &Value,
    ) -> Result<Tuple, DecodeError> {
        let found = fields.len();
        let mut fields = fields.iter().peekable();
        let values: Result<Box<[Value]>, DecodeError> = relation
            .columns
            .iter()
            .map(
                |column| match fields.next_if(|field| *field.name == *column.name) {
                    Some(field) => self.reading.value(data, &relation.name, field),
                    None => Ok(absent.clone()),
                },
            )
            .collect();
        let values = values?;
        match fields.next() {
            None => Ok(Tuple { values }),
            // Names twice, or in two orders: no table has that.
            Some(_) => Err(DecodeError::ColumnCount {
                relation: relation.name.clone(),
                expected: values.len(),
                found,
            }),
        }
    }
}

/// wal2json repeats the key where it did not change.
fn same_key(relation: &Relation, old: &Tuple, new: &Tuple) -> bool {
    let columns = relation.columns.iter();
    columns
        .zip(old.values.iter().zip(&new.values))
        .filter(|(column, _)| column.key)
        .all(|(_, (old, new))| old == new || *new == Value::Unchanged && *old == Value::Null)
}
