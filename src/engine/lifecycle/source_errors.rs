//! What errors of the source's sessions say: which source, and what was tried.

use crate::config::ConnectionSettings;
use crate::engine::EngineError;
use crate::postgres::PgError;

/// Names the source and what was tried in errors of its sessions.
pub(super) struct SourceErrors<'a>(pub(super) &'a ConnectionSettings);

impl SourceErrors<'_> {
    pub(super) fn failed(&self, operation: &'static str, source: PgError) -> EngineError {
        EngineError::Source {
            operation,
            endpoint: self.0.endpoint(),
            source,
        }
    }
}
