//! What a decoder emits: the events of a stream of transactions, in commit order.

use std::sync::Arc;

use super::{Lsn, Relation, Tuple};

/// The old row of an UPDATE or DELETE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OldTuple {
    /// Only the replica identity's columns have values; the others are [`Value::Null`].
    ///
    /// [`Value::Null`]: super::Value::Null
    Key(Tuple),
    /// Every column has its value (REPLICA IDENTITY FULL).
    Full(Tuple),
}

/// One change inside a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new row.
    Insert { relation: Arc<Relation>, new: Tuple },
    /// A changed row.
    Update {
        relation: Arc<Relation>,
        /// The old identity; absent when the key did not change and the identity is not FULL.
        old: Option<OldTuple>,
        /// The row afterwards; [`Value::Unchanged`] stands for values that were not sent.
        ///
        /// [`Value::Unchanged`]: super::Value::Unchanged
        new: Tuple,
    },
    /// A removed row.
    Delete {
        relation: Arc<Relation>,
        /// What identifies it.
        old: OldTuple,
    },
    /// `TRUNCATE`, all tables of one command.
    Truncate {
        /// The tables, those that CASCADE reached included.
        relations: Vec<Arc<Relation>>,
        /// `CASCADE` was given.
        cascade: bool,
        /// `RESTART IDENTITY` was given.
        restart_identity: bool,
    },
    /// A transactional logical message with a prefix of ours. Any role may write one
    /// (`pg_logical_emit_message`), so its content is not even kept.
    ForeignMessage {
        /// Its prefix.
        prefix: Box<str>,
    },
}

/// The start of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionBegin {
    /// Transaction id on the source.
    pub xid: u32,
    /// Position of the commit record.
    pub commit_lsn: Lsn,
    /// Commit time, microseconds since 2000-01-01 UTC.
    pub commit_time_us: i64,
}

/// The end of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionCommit {
    /// Position of the commit record.
    pub commit_lsn: Lsn,
    /// First byte after the transaction: what may be confirmed once it is durable on the target.
    pub end_lsn: Lsn,
    /// Commit time, microseconds since 2000-01-01 UTC.
    pub commit_time_us: i64,
}

/// What a decoder makes of one message of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A transaction begins.
    Begin(TransactionBegin),
    /// A change of the transaction in hand.
    Change(Change),
    /// The transaction ends.
    Commit(TransactionCommit),
}
