//! What the operator asks for while rows flow.

use std::ops::ControlFlow;

use crate::engine::EngineError;
use crate::model::RelationId;
use crate::runtime::clock;
use crate::status::{Command, CommandAnswer, CopyCommand, Phase, Request};

use super::{SessionEnd, Stream};

impl Stream<'_> {
    /// Commands are looked at between frames too, without waiting.
    pub(super) async fn pending_request(&mut self) -> Result<ControlFlow<SessionEnd>, EngineError> {
        match self.requests.try_recv() {
            Ok(request) => self.request(request).await,
            Err(_) => Ok(ControlFlow::Continue(())),
        }
    }

    pub(super) async fn request(
        &mut self,
        request: Request,
    ) -> Result<ControlFlow<SessionEnd>, EngineError> {
        let mut flow = ControlFlow::Continue(());
        let answer = match request.command {
            Command::Pause => {
                self.pause().await?;
                CommandAnswer::Accepted
            }
            Command::Resume => {
                self.state.paused = false;
                self.state.listening_since = clock::now();
                self.publisher.phase(&Phase::Streaming { behind: true });
                CommandAnswer::Accepted
            }
            Command::Retry => {
                self.commit().await?;
                flow = ControlFlow::Break(SessionEnd::Reconnect);
                CommandAnswer::Accepted
            }
            Command::Skip { .. } | Command::Edit(_) => {
                CommandAnswer::Refused("no transaction is refused at the moment".to_owned())
            }
            Command::Copy(CopyCommand::Table { relation }) => {
                let answer = self.copy_again(relation).await?;
                if answer == CommandAnswer::Accepted {
                    self.publisher.copy_again(relation);
                    flow = ControlFlow::Break(SessionEnd::Reconnect);
                }
                answer
            }
            // How fast tables are copied, and who looks, is not the stream's business.
            Command::Copy(_) | Command::Look { .. } => CommandAnswer::Accepted,
            Command::Stop => {
                self.state.stopping = true;
                self.publisher.phase(&Phase::Stopping);
                CommandAnswer::Accepted
            }
        };
        // Nobody has to wait for the answer.
        drop(request.answer.send(answer));
        Ok(flow)
    }

    async fn copy_again(&mut self, relation: RelationId) -> Result<CommandAnswer, EngineError> {
        if self.state.is_inside_large() {
            let reason = "a large transaction is being applied: ask again when it is through";
            return Ok(CommandAnswer::Refused(reason.to_owned()));
        }
        self.commit().await?;
        Ok(match self.applier.copy_again(relation).await? {
            true => CommandAnswer::Accepted,
            false => CommandAnswer::Refused("this table was never to be copied".to_owned()),
        })
    }

    async fn pause(&mut self) -> Result<(), EngineError> {
        self.state.paused = true;
        if !self.state.is_inside_large() {
            self.commit().await?;
        }
        self.publisher.phase(&Phase::Paused);
        Ok(())
    }
}
