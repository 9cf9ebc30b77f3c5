//! What the copier asks of the stream, done on the target: in a transaction of the stream's own, which
//! its checkpoint fences.

use crate::apply::Checkpoint;
use crate::engine::EngineError;
use crate::fault;
use crate::model::Lsn;
use crate::snapshot::handover::tables;
use crate::snapshot::{Answer, OpenStep, Refusal, TablesRequest};

use super::Applier;

impl Applier {
    /// Returns whether the schema changed behind a consistent point.
    pub(crate) fn is_disturbed(&self, consistent_point: Option<Lsn>) -> bool {
        consistent_point.is_some_and(|at| self.schema_changed_at >= at)
    }

    /// Makes the tables of a copy, if the target is still as of their consistent point.
    pub(crate) async fn make_tables(
        &mut self,
        copy_request: &TablesRequest,
    ) -> Result<Answer, EngineError> {
        if self.is_disturbed(copy_request.at) {
            return Ok(Answer::Disturbed);
        }
        fault::point(fault::SNAPSHOT_BEFORE_TABLES);
        self.begin().await?;
        let session = self.background.idle().session();
        let made = tables::make(session, self.copies.store(), copy_request).await;
        if let Ok(false) = made {
            let given_up = self.background.writer().rollback().await;
            given_up.map_err(|error| self.failed(error))?;
            return Ok(Answer::Disturbed);
        }
        let answer = self.end_copy_request(made.map(drop)).await?;
        if answer == Answer::Done {
            fault::point(fault::SNAPSHOT_AFTER_TABLES);
            self.leave_to_copies(copy_request);
        }
        Ok(answer)
    }

    /// Runs statements for copies that are complete.
    pub(crate) async fn run_steps(&mut self, steps: &[OpenStep]) -> Result<Answer, EngineError> {
        self.begin().await?;
        let run = tables::run(self.background.idle().session(), steps).await;
        self.end_copy_request(run).await
    }

    async fn end_copy_request(&mut self, done: Result<(), Refusal>) -> Result<Answer, EngineError> {
        if let Err(refusal) = done {
            let given_up = self.background.writer().rollback().await;
            given_up.map_err(|error| self.failed(error))?;
            return Ok(refusal.answer(&self.endpoint)?);
        }
        let here = Checkpoint {
            end_lsn: self.position,
            commit_time_us: None,
        };
        self.move_to(here).await?;
        self.background.writer().forget();
        self.router.forget();
        Ok(Answer::Done)
    }
}
