//! What was committed becomes durable: by itself, or because we wait for it.

use std::io;

use crate::engine::EngineError;
use crate::postgres::PgError;

use super::Applier;

impl Applier {
    /// Returns the failure of a writing session that has ended: what the target answered last, or that it
    /// ended by itself.
    pub(in crate::engine) async fn session_lost(&mut self) -> EngineError {
        if let Err(refused) = self.complete().await {
            return refused;
        }
        EngineError::Target {
            operation: "keep the writing session",
            endpoint: self.endpoint.clone(),
            source: PgError::Lost {
                object: self.endpoint.clone(),
                source: io::ErrorKind::ConnectionAborted.into(),
            },
        }
    }

    /// Asks what has become durable since it was committed, and returns whether anything has.
    pub(in crate::engine) async fn look_for_durable(&mut self) -> Result<bool, EngineError> {
        if self.background.is_busy() {
            return Ok(false);
        }
        let before = self.background.durable();
        let looked = self.background.writer().look_for_durable().await;
        looked.map_err(|error| self.failed(error))?;
        let durable = self.background.durable();
        if self.background.idle().must_settle() {
            // Standbys may take their time: not in the way of commands.
            self.settling = true;
            self.background.settle();
        }
        Ok(durable > before)
    }

    /// Waits until all that was committed is durable.
    pub(in crate::engine) async fn settle(&mut self) -> Result<(), EngineError> {
        self.complete().await?;
        let settled = self.background.writer().settle().await;
        settled.map_err(|error| self.failed(error))
    }
}
