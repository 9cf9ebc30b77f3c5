//! A copy that failed, and on which side.

use crate::model::{Classify, ErrorClass};
use crate::postgres::error::PgError;

/// A copy failed; which side said so. Neither holds a value: of the target's refusal of a row, the
/// row's number and column are left (`ServerError::row_number`).
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("cannot copy rows from the source")]
    Source(#[source] PgError),
    #[error("cannot copy rows to the target")]
    Target(#[source] PgError),
}

impl CopyError {
    /// Returns what the side said.
    #[must_use]
    pub const fn cause(&self) -> &PgError {
        match self {
            Self::Source(error) | Self::Target(error) => error,
        }
    }

    /// Adds the statement, and takes out what may quote a value.
    pub(super) fn of(self, copy_to: &str, copy_from: &str) -> Self {
        match self {
            Self::Source(error) => Self::Source(error.with_statement(copy_to).without_values()),
            Self::Target(error) => Self::Target(error.with_statement(copy_from).without_values()),
        }
    }
}

impl Classify for CopyError {
    fn class(&self) -> ErrorClass {
        self.cause().class()
    }

    fn hint(&self) -> Option<String> {
        self.cause().hint()
    }
}
