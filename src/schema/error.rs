//! What can go wrong between a row of the schema log and statements on the target.

use crate::model::hint::{SKIP_FLAG, copied_or_left_out};
use crate::model::{Classify, ErrorClass, QualifiedName};

/// A failure of the schema log's reader.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// A row of one of our tables without one of its columns.
    #[error("a row of {table} has no column \"{column}\"")]
    MissingColumn {
        table: QualifiedName,
        column: &'static str,
    },
    /// The JSON of a row cannot be read.
    #[error("cannot read row {id} of pgstream.schema_log")]
    ReadEntry {
        id: String,
        source: serde_json::Error,
    },
    /// The installation on the source is newer or older than this program.
    #[error(
        "row {id} of pgstream.schema_log has layout {format}, which this program does not know"
    )]
    UnknownFormat {
        id: String,
        /// Its layout.
        format: u32,
    },
    /// A row of the outbox cannot be read.
    #[error("cannot read a row of pgstream.outbox")]
    ReadLetter { source: serde_json::Error },
    /// The installation on the source is newer than this program.
    #[error("a row of pgstream.outbox is of kind {kind}, which this program does not know")]
    UnknownLetter {
        /// Its kind.
        kind: String,
    },
    /// A table was rewritten that is too large for its rows to be sent.
    #[error(
        "the source rewrote table {table} and did not send its rows: it is larger than \
         pgstream.rewrite_bytes_max"
    )]
    RowsTooLarge { table: QualifiedName },
    /// A table was rewritten by an installation that sends rows in another way.
    #[error("the source rewrote table {table}, and its rows did not come")]
    RowsMissing { table: QualifiedName },
    /// The source could not describe a command, so nothing behind it can be trusted to fit.
    #[error("the source could not describe a command ({tag}): {reason}")]
    NotDescribed {
        /// The command's tag.
        tag: String,
        /// What the source said.
        reason: String,
    },
}

impl Classify for SchemaError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::MissingColumn { .. } | Self::ReadEntry { .. } | Self::ReadLetter { .. } => {
                ErrorClass::Bug
            }
            Self::UnknownFormat { .. }
            | Self::UnknownLetter { .. }
            | Self::NotDescribed { .. }
            | Self::RowsTooLarge { .. }
            | Self::RowsMissing { .. } => ErrorClass::Operator,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownFormat { .. } | Self::UnknownLetter { .. } => Some(
                "run `pgstream init` of the version that streams, so that both speak of the same layout"
                    .to_owned(),
            ),
            Self::NotDescribed { .. } => Some(format!(
                "run the same command on the target by hand, then SELECT pgstream.describe_all() on the \
                 source, then leave this transaction out with {SKIP_FLAG}"
            )),
            Self::RowsTooLarge { table } => Some(format!(
                "raise pgstream.rewrite_bytes_max on the source before the next such command; for this one {}",
                copied_anew(table)
            )),
            Self::RowsMissing { table } => Some(format!(
                "they were written by an older installation, in a form that any role could forge: run \
                 `pgstream init` on the source, then {}",
                copied_anew(table)
            )),
            Self::MissingColumn { .. } | Self::ReadEntry { .. } | Self::ReadLetter { .. } => None,
        }
    }
}

fn copied_anew(table: &QualifiedName) -> String {
    format!(
        "drop {table} on the target and {}; or leave this transaction out with {SKIP_FLAG}",
        copied_or_left_out(&table.to_string())
    )
}
