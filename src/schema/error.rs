//! What can go wrong between a row of the schema log and statements on the target.

use crate::model::remedy::SKIP_FLAG;
use crate::model::{Classify, ErrorClass};

/// A failure of the schema log's reader.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// A row of the log without one of its columns.
    #[error("a row of pgstream.schema_log has no column \"{column}\"")]
    MissingColumn {
        /// The column.
        column: &'static str,
    },
    /// The JSON of a row cannot be read.
    #[error("cannot read row {id} of pgstream.schema_log")]
    ReadEntry {
        /// The row.
        id: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The installation on the source is newer or older than this program.
    #[error(
        "row {id} of pgstream.schema_log has layout {format}, which this program does not know"
    )]
    UnknownFormat {
        /// The row.
        id: String,
        /// Its layout.
        format: u32,
    },
    /// A message with the rows of a rewritten table cannot be read.
    #[error("cannot read a message with the rows of a rewritten table")]
    ReadRows {
        /// Why.
        source: serde_json::Error,
    },
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
            Self::MissingColumn { .. } | Self::ReadEntry { .. } | Self::ReadRows { .. } => {
                ErrorClass::Bug
            }
            Self::UnknownFormat { .. } | Self::NotDescribed { .. } => ErrorClass::Operator,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownFormat { .. } => Some(
                "run `pgstream init` of the version that streams, so that both speak of the same layout"
                    .to_owned(),
            ),
            Self::NotDescribed { .. } => Some(format!(
                "run the same command on the target by hand, then SELECT pgstream.describe_all() on the \
                 source, then leave this transaction out with {SKIP_FLAG}"
            )),
            Self::MissingColumn { .. } | Self::ReadEntry { .. } | Self::ReadRows { .. } => None,
        }
    }
}
