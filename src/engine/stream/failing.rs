//! What a failure of the stream is about.

use crate::engine::EngineError;
use crate::postgres::{PgError, sqlstate};
use crate::status::FailedTransaction;

use super::Stream;

impl Stream<'_> {
    /// Returns the transaction that an error is about. What cannot be decoded belongs to the one in hand.
    pub(in crate::engine) const fn suspect(
        &self,
        error: Option<&EngineError>,
    ) -> Option<FailedTransaction> {
        match error {
            Some(EngineError::Decode { .. } | EngineError::Source { .. })
                if self.state.in_flight.is_none() =>
            {
                None
            }
            _ => self.state.last_begun,
        }
    }

    /// The output plugin looks for its publication as of the moment of each change: one that was dropped
    /// while its slot lived, and made again, was not there for what was changed meanwhile.
    pub(super) fn source_error(&self, operation: &'static str, source: PgError) -> EngineError {
        // PostgreSQL 18 passes over the change, with a warning.
        let vanished = match &source {
            PgError::Server(answer) => answer.code == sqlstate::UNDEFINED_OBJECT,
            PgError::StreamWarning(warning) => {
                warning.code == sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE
            }
            _ => false,
        };
        let source = match vanished {
            true => source.with_hint(format!(
                "it was dropped while its slot lived, and what was changed before it was made again cannot \
                 be decoded: {}",
                self.anew
            )),
            false => source,
        };
        EngineError::Source {
            operation,
            endpoint: self.endpoint.clone(),
            source,
        }
    }
}
