//! What keeps `verify` from a verdict.

use crate::apply::ApplyError;
use crate::model::{Classify, ErrorClass};
use crate::postgres::PgError;
use crate::runtime::TaskEnd;
use crate::schema::{DescribeError, InstallError, grant_descriptions};
use crate::status::Failure;

/// What keeps `verify` from a verdict.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A side refused something.
    #[error("cannot {operation}")]
    Side {
        /// What was tried.
        operation: &'static str,
        source: PgError,
    },
    /// An object cannot be described.
    #[error("cannot compare the schema")]
    Schema(#[from] DescribeError),
    /// Our own records on the target.
    #[error("cannot use the records of the pipeline on the target")]
    Records(#[source] ApplyError),
    /// The slot and its publication cannot be made anew.
    #[error("cannot make the slot and its publication anew")]
    Install(#[source] InstallError),
    /// There is nothing to compare with.
    #[error("there is no replication slot {slot_name} on the source")]
    NoSlot {
        /// The slot's name.
        slot_name: String,
    },
    /// The engine that runs does not answer.
    #[error("the pgstream that runs for slot {slot_name} does not answer")]
    NoAnswer {
        /// The slot's name.
        slot_name: String,
    },
    /// No pair of snapshots could be had.
    #[error("no pair of snapshots at one position could be taken: {reason}")]
    NoPair {
        /// Why the last attempt failed.
        reason: String,
    },
    /// `--table` names none that replicates.
    #[error("no table that replicates is covered by {patterns}")]
    NoTable { patterns: String },
    /// The engine that was started for the comparison stopped.
    #[error("pgstream stopped before the comparison: {message}")]
    EngineStopped {
        message: String,
        /// All that is known of it.
        failure: Box<Failure>,
    },
    /// A task of ours ended without an answer.
    #[error(transparent)]
    Crashed(TaskEnd),
}

impl VerifyError {
    /// Names the operation of an error.
    pub(super) fn of(operation: &'static str) -> impl FnOnce(PgError) -> Self {
        move |source| Self::Side { operation, source }
    }
}

impl Classify for VerifyError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Side { source, .. } | Self::Schema(DescribeError::Ask(source)) => source.class(),
            Self::Schema(DescribeError::Forbidden { .. }) => ErrorClass::Operator,
            Self::Schema(DescribeError::Read { .. }) => ErrorClass::Bug,
            Self::Records(source) => source.class(),
            Self::Install(source) => source.class(),
            Self::NoSlot { .. } => ErrorClass::Operator,
            Self::NoAnswer { .. } | Self::NoPair { .. } => ErrorClass::Transient,
            Self::NoTable { .. } => ErrorClass::Usage,
            Self::EngineStopped { failure, .. } => failure.class,
            Self::Crashed(_) => ErrorClass::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Side { source, .. } | Self::Schema(DescribeError::Ask(source)) => source.hint(),
            Self::Schema(DescribeError::Forbidden { user }) => Some(grant_descriptions(user)),
            Self::Schema(DescribeError::Read { .. }) => None,
            Self::Records(source) => source.hint(),
            Self::Install(source) => source.hint(),
            Self::NoSlot { .. } => {
                Some("name the slot that run uses: --replication-slot NAME".to_owned())
            }
            Self::NoAnswer { .. } => Some(
                "it must be of this version, and streaming: pgstream status tells; stop it, and \
                 verify brings the target to one position itself"
                    .to_owned(),
            ),
            Self::NoPair { .. } => Some("try again in a moment".to_owned()),
            Self::NoTable { .. } => Some(
                "--table takes schema.table, schema.* or a bare name of schema public".to_owned(),
            ),
            Self::EngineStopped { failure, .. } => failure.hint.clone(),
            Self::Crashed(_) => None,
        }
    }
}
