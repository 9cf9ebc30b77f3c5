//! Plain data that every other module speaks about: positions in the WAL, names, relations, rows,
//! changes. No I/O, no clock, no server: a value here means the same wherever it stands.
//!
//! Read in this order: [`Lsn`], [`QualifiedName`], [`Relation`], [`Tuple`], [`Change`], [`Event`].

mod change;
mod class;
pub mod hint;
mod lsn;
mod name;
mod relation;
mod tuple;
mod visibility;

pub use change::{Change, Event, OldTuple, TransactionBegin, TransactionCommit};
pub use class::{Classify, ErrorClass};
pub use lsn::{Lsn, ParseLsnError};
pub use name::{
    OUR_SCHEMA, QualifiedName, do_block, is_protected_schema, quote_ident, quote_literal,
};
pub use relation::{Column, Relation, RelationId, ReplicaIdentity};
pub use tuple::{Tuple, Value};
pub use visibility::{ParseVisibilityError, Visibility};
