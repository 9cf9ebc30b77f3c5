//! What the operator asks for while rows flow.

use std::ops::ControlFlow;

use crate::engine::request::Request;
use crate::engine::status::{Command, CommandAnswer, Phase};
use crate::engine::{EngineError, clock};

use super::{RoundEnd, Stream};

impl Stream<'_> {
    /// Commands are looked at between frames too, without waiting.
    pub(super) async fn pending_request(&mut self) -> Result<ControlFlow<RoundEnd>, EngineError> {
        match self.requests.try_recv() {
            Ok(request) => self.request(request).await,
            Err(_) => Ok(ControlFlow::Continue(())),
        }
    }

    pub(super) async fn request(
        &mut self,
        request: Request,
    ) -> Result<ControlFlow<RoundEnd>, EngineError> {
        let mut flow = ControlFlow::Continue(());
        let answer = match request.command {
            Command::Pause => {
                self.pause().await?;
                CommandAnswer::Accepted
            }
            Command::Resume => {
                self.state.paused = false;
                self.state.listening_since = clock::now();
                self.board.phase(&Phase::Streaming { behind: true });
                CommandAnswer::Accepted
            }
            Command::Retry => {
                self.commit().await?;
                flow = ControlFlow::Break(RoundEnd::Again);
                CommandAnswer::Accepted
            }
            Command::Skip { .. } => {
                CommandAnswer::Refused("no transaction is refused at the moment".to_owned())
            }
            Command::Copy(_) => {
                CommandAnswer::Refused("no table is copied at the moment".to_owned())
            }
            Command::Stop => {
                self.state.stopping = true;
                self.board.phase(&Phase::Stopping);
                CommandAnswer::Accepted
            }
        };
        // Nobody has to wait for the answer.
        drop(request.answer.send(answer));
        Ok(flow)
    }

    async fn pause(&mut self) -> Result<(), EngineError> {
        self.state.paused = true;
        if !self.state.is_inside_large() {
            self.commit().await?;
        }
        self.board.phase(&Phase::Paused);
        Ok(())
    }
}
