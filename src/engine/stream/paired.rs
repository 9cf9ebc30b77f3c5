//! What `verify` asks of the stream.

use crate::engine::EngineError;
use crate::engine::paired::{OUT_OF_ORDER, Paired, PairedRequest, STANDS_MAX};
use crate::model::TransactionBegin;
use crate::runtime::clock;

use super::Stream;

impl Stream<'_> {
    /// Requests are looked at between frames, without waiting.
    pub(super) async fn pending_paired(&mut self) -> Result<(), EngineError> {
        if let Ok(request) = self.paired_requests.try_recv() {
            self.paired_request(request).await?;
        }
        Ok(())
    }

    pub(super) async fn paired_request(
        &mut self,
        request: PairedRequest,
    ) -> Result<(), EngineError> {
        match (request, std::mem::take(&mut self.state.paired)) {
            (PairedRequest::Pause(answer), _) => match self.why_not_now() {
                Some(reason) => drop(answer.send(Err(reason.to_owned()))),
                None => {
                    self.state.paired = Paired::Pausing(answer);
                    self.pause_for_pair().await?;
                }
            },
            (
                PairedRequest::Reach {
                    shown,
                    wal_end,
                    answer,
                },
                Paired::Paused { .. },
            ) => match self.state.recent.why_not(&shown) {
                Some(reason) => drop(answer.send(Err(reason))),
                None => {
                    self.state.paired = Paired::Reaching {
                        shown,
                        wal_end,
                        answer,
                    };
                    self.feedback.ask();
                    self.pair_if_reached().await?;
                }
            },
            (PairedRequest::Reach { answer, .. }, _) => {
                drop(answer.send(Err(OUT_OF_ORDER.to_owned())));
            }
            (PairedRequest::Release(answer), Paired::Reached { shown, wal_end, .. }) => {
                self.state.paired = Paired::Confirming {
                    shown,
                    wal_end,
                    answer,
                };
                // The transaction in hand has begun before we stood still.
                if let Some(in_flight) = &self.state.in_flight {
                    let TransactionBegin {
                        xid, commit_lsn, ..
                    } = in_flight.begin;
                    self.state.paired.follows(xid, commit_lsn);
                }
                self.state.paired.passed(self.passed_over());
            }
            (PairedRequest::Release(answer), _) => {
                drop(answer.send(Err("the snapshots took too long".to_owned())));
            }
        }
        self.state.listening_since = clock::now();
        Ok(())
    }

    fn why_not_now(&self) -> Option<&'static str> {
        if self.state.paused {
            Some("the engine is paused: resume it")
        } else if self.state.copying.stream_waits {
            Some("the stream waits for a first copy")
        } else {
            None
        }
    }

    /// Stands still as soon as no part of a transaction is in the open target transaction.
    pub(super) async fn pause_for_pair(&mut self) -> Result<(), EngineError> {
        if self.state.is_inside_large() || !matches!(self.state.paired, Paired::Pausing(_)) {
            return Ok(());
        }
        if let Paired::Pausing(answer) = std::mem::take(&mut self.state.paired) {
            self.commit().await?;
            self.complete().await?;
            self.state.paired = Paired::Paused {
                until: clock::now() + STANDS_MAX,
            };
            // Whoever asked may have given up: then the time ends it.
            drop(answer.send(Ok(())));
        }
        Ok(())
    }

    pub(super) async fn pair_before(
        &mut self,
        begin: &TransactionBegin,
    ) -> Result<(), EngineError> {
        if self
            .state
            .paired
            .is_reached_before(begin.xid, begin.commit_lsn)
        {
            return self.reach_pair().await;
        }
        self.state.paired.follows(begin.xid, begin.commit_lsn);
        Ok(())
    }

    pub(super) async fn pair_if_reached(&mut self) -> Result<(), EngineError> {
        let passed = self.passed_over();
        if self.state.paired.is_reached_at(passed) && self.state.in_flight.is_none() {
            return self.reach_pair().await;
        }
        self.state.paired.passed(passed);
        Ok(())
    }

    fn passed_over(&self) -> crate::model::Lsn {
        self.applier.position().max(self.state.idle_lsn)
    }

    async fn reach_pair(&mut self) -> Result<(), EngineError> {
        if let Paired::Reaching {
            shown,
            wal_end,
            answer,
        } = std::mem::take(&mut self.state.paired)
        {
            self.commit().await?;
            self.complete().await?;
            self.state.paired = Paired::Reached {
                shown,
                wal_end,
                until: clock::now() + STANDS_MAX,
            };
            // Whoever asked may have given up: then the time ends it.
            drop(answer.send(Ok(self.applier.position())));
        }
        Ok(())
    }
}
