//! What can go wrong while a table is copied.

use crate::model::hint::RUN_AGAIN;
use crate::model::{Classify, ErrorClass, QualifiedName};
use crate::postgres::{CopyError, PgError};

/// A failed operation of a copy, with its object.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// No session on one side.
    #[error("cannot open a session to copy with")]
    Open {
        #[source]
        source: PgError,
    },
    /// The rows cannot be read or written.
    #[error("cannot copy the rows of {table}")]
    Rows {
        table: QualifiedName,
        #[source]
        source: CopyError,
    },
    /// A statement around the rows.
    #[error("cannot {what} for {table}")]
    Around {
        /// What was tried.
        what: &'static str,
        table: QualifiedName,
        #[source]
        source: PgError,
    },
    /// The target did not say whether it has committed the rows.
    #[error("cannot tell whether rows of {table} were committed")]
    Commit {
        table: QualifiedName,
        #[source]
        source: PgError,
    },
    /// Somebody changed the table since the snapshot at which it is read.
    #[error("{table} was changed on the source while it was to be copied")]
    Changed { table: QualifiedName },
    /// The table is being copied anew: this try no longer counts.
    #[error("the copy of {table} was begun anew")]
    Superseded { table: QualifiedName },
    /// A statement that completes a table.
    #[error("the target refuses {object}")]
    Step {
        object: String,
        statement: String,
        #[source]
        source: PgError,
    },
}

impl Classify for TableError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Open { source }
            | Self::Around { source, .. }
            | Self::Commit { source, .. }
            | Self::Step { source, .. } => source.class(),
            Self::Rows { source, .. } => source.class(),
            Self::Changed { .. } | Self::Superseded { .. } => ErrorClass::Transient,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Open { source } | Self::Around { source, .. } | Self::Commit { source, .. } => {
                source.hint()
            }
            Self::Rows { source, .. } => source.hint().or_else(|| {
                Some(format!(
                    "make the target take the rows, or change them on the source; then {RUN_AGAIN}, or copy the \
                     table again"
                ))
            }),
            Self::Step { source, .. } => source.hint().or_else(|| {
                Some(format!(
                    "make the statement possible on the target, then {RUN_AGAIN}, or copy the table again"
                ))
            }),
            Self::Changed { .. } | Self::Superseded { .. } => None,
        }
    }
}
