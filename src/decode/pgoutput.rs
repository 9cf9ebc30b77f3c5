//! The built-in plugin, protocol version 1, values in text form
//! (manual, section 55.9 «Logical Replication Message Formats»).
//!
//! Version 1 sends whole committed transactions only, which is what the target is given. Origin
//! and Type messages carry nothing that we use.

mod cursor;
#[cfg(test)]
mod encode;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;

use crate::model::{
    Change, Column, Event, Lsn, OldTuple, QualifiedName, Relation, RelationId, ReplicaIdentity,
    TransactionBegin, TransactionCommit, Tuple, Value, quote_ident,
};

use self::cursor::Cursor;
use super::DecodeError;
use super::suspect::is_suspect;

/// Flag of TRUNCATE messages.
const TRUNCATE_CASCADE: u8 = 1;
/// Flag of TRUNCATE messages.
const TRUNCATE_RESTART_IDENTITY: u8 = 2;
/// Flag of columns that are part of the replica identity.
const COLUMN_KEY: u8 = 1;
/// Flag of logical messages.
const MESSAGE_TRANSACTIONAL: u8 = 1;

/// How the messages start that begin and end a transaction.
pub(super) const ENDS: [&[u8]; 2] = [b"B", b"C"];

/// Returns the options of `START_REPLICATION`.
pub(super) fn options(publication: &str) -> Vec<(&'static str, String)> {
    vec![
        ("proto_version", "1".to_owned()),
        ("publication_names", quote_ident(publication)),
        ("messages", "true".to_owned()),
    ]
}

/// The state of one replication session: the relations described so far.
#[derive(Debug, Default)]
pub struct Pgoutput {
    relations: HashMap<RelationId, Arc<Relation>>,
    /// Commit position of the transaction in hand.
    open: Option<Lsn>,
}

impl Pgoutput {
    /// Decodes one message. None for descriptions and what has no meaning for us.
    ///
    /// # Errors
    /// Bug: the bytes are not pgoutput's.
    pub fn decode(&mut self, data: Bytes) -> Result<Option<Event>, DecodeError> {
        let mut cursor = Cursor::new(data);
        let event = match cursor.u8("a message's type")? {
            b'I' => Some(Event::Change(self.insert(&mut cursor)?)),
            b'U' => Some(Event::Change(self.update(&mut cursor)?)),
            b'D' => Some(Event::Change(self.delete(&mut cursor)?)),
            b'B' => Some(self.begin(&mut cursor)?),
            b'C' => Some(self.commit(&mut cursor)?),
            b'T' => Some(Event::Change(self.truncate(&mut cursor)?)),
            b'M' => self.message(&mut cursor)?.map(Event::Change),
            b'R' => {
                self.describe(&mut cursor)?;
                None
            }
            // Origin and Type.
            b'O' | b'Y' => return Ok(None),
            tag => return Err(unknown("message", tag)),
        };
        cursor.finish()?;
        Ok(event)
    }

    fn begin(&mut self, cursor: &mut Cursor) -> Result<Event, DecodeError> {
        let begin = TransactionBegin {
            commit_lsn: Lsn(cursor.u64("a begin message")?),
            commit_time_us: cursor.i64("a begin message")?,
            xid: cursor.u32("a begin message")?,
        };
        match self.open.replace(begin.commit_lsn) {
            None => Ok(Event::Begin(begin)),
            Some(_) => Err(DecodeError::Misplaced { what: "a begin" }),
        }
    }

    fn commit(&mut self, cursor: &mut Cursor) -> Result<Event, DecodeError> {
        let _flags_unused = cursor.u8("a commit message")?;
        let commit = TransactionCommit {
            commit_lsn: Lsn(cursor.u64("a commit message")?),
            end_lsn: Lsn(cursor.u64("a commit message")?),
            commit_time_us: cursor.i64("a commit message")?,
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

    fn insert(&self, cursor: &mut Cursor) -> Result<Change, DecodeError> {
        let relation = self.relation(cursor)?;
        match cursor.u8("an insert message")? {
            b'N' => Ok(Change::Insert {
                new: tuple(cursor, relation)?,
                relation: Arc::clone(relation),
            }),
            tag => Err(unknown("part of an insert", tag)),
        }
    }

    fn update(&self, cursor: &mut Cursor) -> Result<Change, DecodeError> {
        let relation = self.relation(cursor)?;
        let mut part = cursor.u8("an update message")?;
        let mut old = None;
        if matches!(part, b'K' | b'O') {
            old = Some(old_tuple(part, cursor, relation)?);
            part = cursor.u8("an update message")?;
        }
        match part {
            b'N' => Ok(Change::Update {
                old,
                new: tuple(cursor, relation)?,
                relation: Arc::clone(relation),
            }),
            tag => Err(unknown("part of an update", tag)),
        }
    }

    fn delete(&self, cursor: &mut Cursor) -> Result<Change, DecodeError> {
        let relation = self.relation(cursor)?;
        let part = cursor.u8("a delete message")?;
        Ok(Change::Delete {
            old: old_tuple(part, cursor, relation)?,
            relation: Arc::clone(relation),
        })
    }

    fn truncate(&self, cursor: &mut Cursor) -> Result<Change, DecodeError> {
        self.require_open("a truncate")?;
        let count = cursor.u32("a truncate message")?;
        let flags = cursor.u8("a truncate message")?;
        let mut relations = Vec::new();
        for _ in 0..count {
            relations.push(Arc::clone(self.relation(cursor)?));
        }
        Ok(Change::Truncate {
            relations,
            cascade: flags & TRUNCATE_CASCADE != 0,
            restart_identity: flags & TRUNCATE_RESTART_IDENTITY != 0,
        })
    }

    /// Anybody may write messages: prefix and content may be any bytes, and nothing in them is
    /// believed. One in a transaction that looks like ours is reported, all others are left out.
    fn message(&self, cursor: &mut Cursor) -> Result<Option<Change>, DecodeError> {
        let flags = cursor.u8("a logical message")?;
        let _lsn_unused = cursor.u64("a logical message")?;
        let prefix = cursor.lossy_name("the prefix of a logical message")?;
        let length = cursor.length("a logical message")?;
        let _content_unused = cursor.bytes(length, "the content of a logical message")?;
        if flags & MESSAGE_TRANSACTIONAL == 0 || !is_suspect(&prefix) {
            return Ok(None);
        }
        self.require_open("a logical message")?;
        let prefix = prefix.into();
        Ok(Some(Change::ForeignMessage { prefix }))
    }

    fn describe(&mut self, cursor: &mut Cursor) -> Result<(), DecodeError> {
        const WHAT: &str = "a relation message";
        let id = RelationId(cursor.u32(WHAT)?);
        let schema = cursor.name("a schema's name")?;
        let name = cursor.name("a relation's name")?;
        let identity = match cursor.u8(WHAT)? {
            b'd' => ReplicaIdentity::Default,
            b'n' => ReplicaIdentity::Nothing,
            b'f' => ReplicaIdentity::Full,
            b'i' => ReplicaIdentity::Index,
            tag => return Err(unknown("replica identity", tag)),
        };
        let columns: Result<_, DecodeError> = (0..cursor.u16(WHAT)?)
            .map(|_| {
                let key = cursor.u8(WHAT)? & COLUMN_KEY != 0;
                let name = cursor.name("a column's name")?.into();
                let _type_and_modifier_unused = cursor.u64(WHAT)?;
                Ok(Column { name, key })
            })
            .collect();
        // The protocol writes pg_catalog, the one schema that is always searched, as nothing.
        let schema = if schema.is_empty() {
            "pg_catalog".to_owned()
        } else {
            schema
        };
        let relation = Relation {
            id,
            name: QualifiedName::new(schema, name),
            identity,
            columns: columns?,
        };
        self.relations.insert(id, Arc::new(relation));
        Ok(())
    }

    fn relation(&self, cursor: &mut Cursor) -> Result<&Arc<Relation>, DecodeError> {
        self.require_open("a row")?;
        let id = RelationId(cursor.u32("a relation's number")?);
        self.relations
            .get(&id)
            .ok_or(DecodeError::UnknownRelation { id })
    }

    fn require_open(&self, what: &'static str) -> Result<(), DecodeError> {
        match self.open {
            Some(_) => Ok(()),
            None => Err(DecodeError::Misplaced { what }),
        }
    }
}

fn old_tuple(part: u8, cursor: &mut Cursor, relation: &Relation) -> Result<OldTuple, DecodeError> {
    match part {
        b'K' => tuple(cursor, relation).map(OldTuple::Key),
        b'O' => tuple(cursor, relation).map(OldTuple::Full),
        tag => Err(unknown("part of an old row", tag)),
    }
}

fn tuple(cursor: &mut Cursor, relation: &Relation) -> Result<Tuple, DecodeError> {
    let expected = relation.columns.len();
    let found = usize::from(cursor.u16("a row")?);
    if found != expected {
        return Err(DecodeError::ColumnCount {
            relation: relation.name.clone(),
            expected,
            found,
        });
    }
    let mut values = Vec::with_capacity(found);
    for _ in 0..found {
        values.push(match cursor.u8("a row")? {
            b't' => {
                let length = cursor.length("a value")?;
                Value::Text(cursor.bytes(length, "a value")?)
            }
            b'n' => Value::Null,
            b'u' => Value::Unchanged,
            b'b' => {
                return Err(DecodeError::Binary {
                    relation: relation.name.clone(),
                });
            }
            tag => return Err(unknown("kind of value", tag)),
        });
    }
    Ok(Tuple {
        values: values.into_boxed_slice(),
    })
}

fn unknown(what: &'static str, tag: u8) -> DecodeError {
    DecodeError::UnknownTag {
        what,
        tag: char::from(tag),
    }
}
