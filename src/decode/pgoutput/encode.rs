//! The plugin's side, for tests: the bytes that stand for an event.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::model::{Change, Event, OldTuple, Relation, ReplicaIdentity, Tuple, Value};

/// Returns the description of a relation.
pub(super) fn relation(relation: &Relation) -> Bytes {
    let mut message = BytesMut::new();
    message.put_u8(b'R');
    message.put_u32(relation.id.0);
    name(&relation.name.schema, &mut message);
    name(&relation.name.name, &mut message);
    message.put_u8(match relation.identity {
        ReplicaIdentity::Default => b'd',
        ReplicaIdentity::Nothing => b'n',
        ReplicaIdentity::Full => b'f',
        ReplicaIdentity::Index => b'i',
    });
    message.put_u16(u16::try_from(relation.columns.len()).unwrap());
    for column in &relation.columns {
        message.put_u8(u8::from(column.key));
        name(&column.name, &mut message);
        message.put_u32(25);
        message.put_i32(-1);
    }
    message.freeze()
}

/// Returns the message of an event.
pub(super) fn event(event: &Event) -> Bytes {
    let mut message = BytesMut::new();
    match event {
        Event::Begin(begin) => {
            message.put_u8(b'B');
            message.put_u64(begin.commit_lsn.0);
            message.put_i64(begin.commit_time_us);
            message.put_u32(begin.xid);
        }
        Event::Commit(commit) => {
            message.put_u8(b'C');
            message.put_u8(0);
            message.put_u64(commit.commit_lsn.0);
            message.put_u64(commit.end_lsn.0);
            message.put_i64(commit.commit_time_us);
        }
        Event::Change(change) => self::change(change, &mut message),
    }
    message.freeze()
}

fn change(change: &Change, message: &mut BytesMut) {
    match change {
        Change::Insert { relation, new } => {
            message.put_u8(b'I');
            message.put_u32(relation.id.0);
            tuple(b'N', new, message);
        }
        Change::Update { relation, old, new } => {
            message.put_u8(b'U');
            message.put_u32(relation.id.0);
            if let Some(old) = old {
                old_tuple(old, message);
            }
            tuple(b'N', new, message);
        }
        Change::Delete { relation, old } => {
            message.put_u8(b'D');
            message.put_u32(relation.id.0);
            old_tuple(old, message);
        }
        Change::Truncate {
            relations,
            cascade,
            restart_identity,
        } => {
            message.put_u8(b'T');
            message.put_u32(u32::try_from(relations.len()).unwrap());
            message.put_u8(u8::from(*cascade) | u8::from(*restart_identity) << 1);
            for relation in relations {
                message.put_u32(relation.id.0);
            }
        }
        Change::ForeignMessage { prefix } => {
            message.put_u8(b'M');
            message.put_u8(1);
            message.put_u64(0);
            name(prefix, message);
            message.put_u32(2);
            message.put_slice(b"{\xff");
        }
    }
}

fn old_tuple(old: &OldTuple, message: &mut BytesMut) {
    match old {
        OldTuple::Key(values) => tuple(b'K', values, message),
        OldTuple::Full(values) => tuple(b'O', values, message),
    }
}

fn tuple(part: u8, tuple: &Tuple, message: &mut BytesMut) {
    message.put_u8(part);
    message.put_u16(u16::try_from(tuple.values.len()).unwrap());
    for value in &tuple.values {
        match value {
            Value::Null => message.put_u8(b'n'),
            Value::Unchanged => message.put_u8(b'u'),
            Value::Text(text) => {
                message.put_u8(b't');
                message.put_u32(u32::try_from(text.len()).unwrap());
                message.put_slice(text);
            }
        }
    }
}

fn name(name: &str, message: &mut BytesMut) {
    message.put_slice(name.as_bytes());
    message.put_u8(0);
}
