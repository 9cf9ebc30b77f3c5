//! What the copier asks of the stream: at one exact place, between two transactions.

use std::ops::ControlFlow;

use crate::engine::EngineError;
use crate::model::Lsn;
use crate::runtime::clock;
use crate::snapshot::{Answer, CopyRequest, TablesRequest};
use crate::status::Phase;

use super::{SessionEnd, Stream};

impl Stream<'_> {
    pub(super) async fn copy_request(
        &mut self,
        copy_request: CopyRequest,
    ) -> Result<ControlFlow<SessionEnd>, EngineError> {
        match copy_request {
            CopyRequest::Reach { at, answer } => {
                self.go_on();
                self.state.copying.reach = Some((at, answer));
                self.arrive_if_there().await?;
            }
            CopyRequest::Tables(copy_request) => {
                self.go_on();
                self.state.copying.tables = Some(copy_request);
                self.arrive_if_there().await?;
            }
            CopyRequest::Statements { steps, answer } => {
                self.commit().await?;
                let done = self.applier.run_steps(&steps).await?;
                // A copier that is gone has failed, which is reported elsewhere.
                drop(answer.send(done));
            }
            CopyRequest::TakeOver => {
                self.commit().await?;
                return Ok(ControlFlow::Break(SessionEnd::Reconnect));
            }
            CopyRequest::Fail(error) => return Err(error.into()),
            CopyRequest::Idle => {
                self.go_on();
                self.commit().await?;
                if !self.applier.copies_ended().await? {
                    return Ok(ControlFlow::Break(SessionEnd::Reconnect));
                }
                self.confirm();
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Returns whether another session has to begin, between two transactions.
    pub(super) async fn is_round_over(&mut self) -> Result<bool, EngineError> {
        let position = self.applier.position();
        let care_ends = self
            .state
            .row_by_row_until
            .is_some_and(|until| until < position);
        let over = self.applier.needs_session() && !self.state.is_inside_large();
        if over {
            self.commit().await?;
            self.complete().await?;
        }
        Ok(over || care_ends)
    }

    /// The stream no longer waits for what it waited for: that is complete, or failed.
    fn go_on(&mut self) {
        self.state.copying.stream_waits = false;
        self.state.listening_since = clock::now();
    }

    /// Requests of the copier are not taken while parts of a transaction are in the open target transaction.
    pub(super) fn takes_copy_requests(&self) -> bool {
        !self.state.is_inside_large() && self.state.copying.consistent_point().is_none()
    }

    /// Does what waits for a moment, when everything before that is on the target.
    pub(super) async fn arrive_if_there(&mut self) -> Result<(), EngineError> {
        let Some(consistent_point) = self.state.copying.consistent_point() else {
            return Ok(());
        };
        let passed = self.applier.position().max(self.state.idle_lsn);
        let there = consistent_point.is_none_or(|at| passed >= at);
        if there && !self.state.is_inside_large() {
            Box::pin(self.arrive()).await?;
        }
        Ok(())
    }

    /// Does it before a transaction that lies behind the consistent point.
    pub(super) async fn arrive_before(&mut self, commit_lsn: Lsn) -> Result<(), EngineError> {
        let consistent_point = self.state.copying.consistent_point().flatten();
        if consistent_point.is_some_and(|at| commit_lsn >= at) {
            Box::pin(self.arrive()).await?;
        }
        Ok(())
    }

    async fn arrive(&mut self) -> Result<(), EngineError> {
        let Some((at, answer)) = self.state.copying.reach.take() else {
            return self.make_tables().await;
        };
        self.commit().await?;
        // Others look at the target now: what is committed in the background must be there.
        self.applier.complete().await?;
        let disturbed = self.applier.is_disturbed(at);
        self.state.copying.stream_waits = !disturbed;
        // A copier that is gone has failed, which is reported elsewhere.
        drop(answer.send(match disturbed {
            true => Answer::Disturbed,
            false => Answer::Done,
        }));
        Ok(())
    }

    async fn make_tables(&mut self) -> Result<(), EngineError> {
        let Some(copy_request) = self.state.copying.tables.take() else {
            return Ok(());
        };
        self.commit().await?;
        let answer = self.applier.make_tables(&copy_request).await?;
        let TablesRequest {
            stream_waits,
            answer: asked,
            ..
        } = *copy_request;
        if stream_waits && answer == Answer::Done {
            self.state.copying.stream_waits = true;
            self.publisher.phase(&Phase::Copying);
        }
        // A copier that is gone has failed, which is reported elsewhere.
        drop(asked.send(answer));
        Ok(())
    }
}
