//! The engine that streams while both sides are compared: one that runs already, or one of our own.

use tracing::info;

use crate::config::Pipeline;
use crate::engine::{Engine, EngineOptions, Handle};
use crate::postgres::Session;
use crate::status::{Command, Outcome, Phase};

use super::VerifyError;

const ACTIVE: &str = "\
SELECT s.active FROM pg_catalog.pg_replication_slots AS s
WHERE s.slot_name = $1 AND s.database = pg_catalog.current_database()";

/// An engine for as long as the comparison takes; none where another process has one.
#[derive(Default)]
pub(super) struct Beside(Option<Handle>);

impl Beside {
    /// Looks whether an engine streams from the slot, and starts one where none does.
    pub(super) async fn open(
        pipeline: &Pipeline,
        source: &Session,
        slot_name: &str,
    ) -> Result<Self, VerifyError> {
        let row = source.row(ACTIVE, &[&slot_name]).await;
        let row = row.map_err(VerifyError::of("look at the slot"))?;
        let Some(row) = row else {
            return Err(VerifyError::NoSlot {
                slot_name: slot_name.to_owned(),
            });
        };
        Ok(Self(match row.get(0) {
            true => None,
            false => Some(start(pipeline).await?),
        }))
    }

    /// Ends what was started.
    pub(super) async fn end(self) {
        if let Some(mut engine) = self.0 {
            drop(engine.command(Command::Stop).await);
            drop(engine.join().await);
        }
    }
}

async fn start(pipeline: &Pipeline) -> Result<Handle, VerifyError> {
    info!(target: "slot", "no pgstream runs for this slot: streaming for as long as the comparison takes");
    let mut engine = Engine::start(pipeline.clone(), EngineOptions::default());
    let mut status = engine.status();
    let streams = status.wait_for(|status| matches!(status.phase, Phase::Streaming { .. }));
    tokio::select! {
        biased;
        outcome = engine.join() => {
            return Err(match outcome {
                Outcome::Stopped => VerifyError::NoAnswer {
                    slot_name: engine.status().borrow().slot_name.clone(),
                },
                Outcome::Failed(failure) => VerifyError::EngineStopped {
                    message: failure.message.clone(),
                    failure: Box::new(failure),
                },
            });
        }
        _streams = streams => {}
    }
    Ok(engine)
}
