//! What can be wrong with a stream.

use crate::model::{Classify, ErrorClass, Lsn, QualifiedName, RelationId};

/// A message of the output plugin could not be understood. Values of rows never appear here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The slot was made for another program.
    #[error("output plugin \"{plugin}\" is not supported")]
    UnknownPlugin { plugin: String },
    /// The message ends in the middle of something.
    #[error("a message of the stream ends within {what}")]
    Truncated { what: &'static str },
    /// The message goes on after its end.
    #[error("{count} bytes follow the end of a message of the stream")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// A message or a part of one that the protocol does not know.
    #[error("unknown {what} {tag:?} in the stream")]
    UnknownTag {
        /// Message, tuple part, replica identity.
        what: &'static str,
        /// The byte that names it.
        tag: char,
    },
    /// A name that is not text.
    #[error("{what} is not UTF-8")]
    NotUtf8 { what: &'static str },
    /// A row of a relation that was not described.
    #[error("a row of relation {} came before the relation's description", .id.0)]
    UnknownRelation {
        /// Its OID on the source.
        id: RelationId,
    },
    /// A row that does not fit its description.
    #[error("a row of {relation} has {found} values for {expected} columns")]
    ColumnCount {
        relation: QualifiedName,
        /// Described columns.
        expected: usize,
        /// Values.
        found: usize,
    },
    /// A value in binary form, which is never asked for.
    #[error("a value of {relation} came in binary form")]
    Binary { relation: QualifiedName },
    /// A message that is not JSON, or not of the form that wal2json has.
    #[error("a message of wal2json is malformed at byte {column}")]
    Json { column: usize },
    /// wal2json writes what the database holds as it is; pgoutput has it converted.
    #[error("wal2json wrote a text that is not UTF-8: it writes in the encoding of the database")]
    OtherEncoding,
    /// A message of wal2json without a field that its action has.
    #[error("a message of wal2json lacks a usable \"{field}\"")]
    MissingField { field: &'static str },
    /// Releases of wal2json before 2.5 do not say of which type a value is.
    #[error("this wal2json does not tell the types of values")]
    PluginTooOld,
    /// Releases of wal2json before 2.6 print NaN, Infinity and -Infinity as null.
    #[error(
        "column \"{column}\" of {relation} is NULL, NaN or infinite: this wal2json cannot tell"
    )]
    AmbiguousNull {
        relation: QualifiedName,
        /// Its column.
        column: Box<str>,
    },
    /// Transactions do not nest, and changes lie within them.
    #[error("{what} outside its place in a transaction")]
    Misplaced { what: &'static str },
    /// The end of another transaction than the one that began.
    #[error("the commit at {found} ends the transaction that is to commit at {expected}")]
    OtherCommit {
        /// From the begin message.
        expected: Lsn,
        /// From the commit message.
        found: Lsn,
    },
}

impl Classify for DecodeError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::UnknownPlugin { .. }
            | Self::PluginTooOld
            | Self::OtherEncoding
            | Self::AmbiguousNull { .. } => ErrorClass::Operator,
            Self::Truncated { .. }
            | Self::Trailing { .. }
            | Self::UnknownTag { .. }
            | Self::NotUtf8 { .. }
            | Self::UnknownRelation { .. }
            | Self::ColumnCount { .. }
            | Self::Binary { .. }
            | Self::Json { .. }
            | Self::MissingField { .. }
            | Self::Misplaced { .. }
            | Self::OtherCommit { .. } => ErrorClass::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownPlugin { .. } => Some(
                "give the slot another name, or drop it; init makes one with pgoutput or wal2json"
                    .to_owned(),
            ),
            Self::PluginTooOld => Some(
                "upgrade wal2json on the source to 2.5 or later, or go over to pgoutput: tear-down, \
                 then init --plugin pgoutput"
                    .to_owned(),
            ),
            Self::OtherEncoding => Some(
                "go over to pgoutput, which carries every encoding: tear-down, then init --plugin pgoutput"
                    .to_owned(),
            ),
            Self::AmbiguousNull { .. } => Some(
                "upgrade wal2json to 2.6 or later, or go over to pgoutput: tear-down, then \
                 init --plugin pgoutput; or, if the source holds neither NaN nor infinities, set \
                 PGSTREAM_POSTGRES_WAL2JSON_NULL_NUMBERS=null"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}
