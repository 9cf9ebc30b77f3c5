//! A table as the source described it at one point of the stream.

use serde::{Deserialize, Serialize};

use super::QualifiedName;

/// The OID of a relation on the source. `wal2json` sends no OIDs; there it is a number that the
/// decoder hands out, stable within one session for one name.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct RelationId(pub u32);

/// Which columns of the old row UPDATE and DELETE carry (manual, `ALTER TABLE … REPLICA IDENTITY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplicaIdentity {
    /// The primary key, if there is one.
    Default,
    /// Nothing: such a table cannot send UPDATE or DELETE.
    Nothing,
    /// Every column.
    Full,
    /// The columns of one unique index.
    Index,
}

/// One column of a [`Relation`], in the order of the tuples.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Column {
    /// Name as the catalog spells it.
    pub name: Box<str>,
    /// Whether the column is part of the replica identity.
    pub key: bool,
}

/// A table as described by the decoder, at this point of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Identity within the stream.
    pub id: RelationId,
    /// Name at this point of the stream.
    pub name: QualifiedName,
    /// What old rows carry.
    pub identity: ReplicaIdentity,
    /// Columns in the order in which tuples list their values. Never generated columns.
    pub columns: Box<[Column]>,
}
