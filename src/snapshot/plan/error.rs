//! Why no copy can be planned.

use crate::model::{Classify, ErrorClass, quote_ident};
use crate::postgres::PgError;
use crate::schema::{DescribeError, grant_descriptions};

/// Why no copy can be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No snapshot of the source.
    #[error("cannot take a snapshot of the source")]
    Point(#[source] PgError),
    /// No look at the source's catalogs.
    #[error("cannot read the source's catalogs")]
    Source(#[source] PgError),
    /// No description.
    #[error("cannot describe the tables that are to be copied")]
    Describe(#[source] DescribeError),
    /// Values of sequences would be lost.
    #[error("permission denied: role {user} may not read the value of {}", .sequences.join(", "))]
    Sequences {
        /// The role on the source.
        user: String,
        /// The sequences, quoted where they must be.
        sequences: Vec<String>,
    },
    /// No look at the target.
    #[error("cannot look at the target")]
    Target(#[source] PgError),
    /// Our own records.
    #[error("cannot read what was made on the target before")]
    Stored(#[source] serde_json::Error),
}

impl Classify for PlanError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Point(source) | Self::Source(source) | Self::Target(source) => source.class(),
            Self::Describe(DescribeError::Ask(source)) => source.class(),
            Self::Describe(DescribeError::Forbidden { .. }) | Self::Sequences { .. } => {
                ErrorClass::Operator
            }
            Self::Describe(DescribeError::Read { .. }) | Self::Stored(_) => ErrorClass::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Point(source) | Self::Source(source) | Self::Target(source) => source.hint(),
            Self::Describe(DescribeError::Ask(source)) => source.hint(),
            Self::Describe(DescribeError::Forbidden { user }) => Some(grant_descriptions(user)),
            Self::Sequences { user, sequences } => Some(format!(
                "on the source: GRANT SELECT ON SEQUENCE {} TO {}",
                sequences.join(", "),
                quote_ident(user)
            )),
            Self::Describe(DescribeError::Read { .. }) | Self::Stored(_) => None,
        }
    }
}
