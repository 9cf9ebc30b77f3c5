//! Passing over a transaction: the one that an operator chose, or one that the target has already.

use bytes::Bytes;
use tracing::warn;

use crate::engine::EngineError;
use crate::model::{Lsn, TransactionBegin, TransactionCommit};
use crate::status::{EngineEvent, FailedTransaction};

use super::Stream;

impl Stream<'_> {
    /// What is not to be applied need not be understood either.
    pub(super) fn decode(&mut self, data: Bytes, wal_start: Lsn) -> Result<(), EngineError> {
        let left_out = self.is_passing_over() && self.decoder.carries_change(&data);
        match self.decoder.decode(data, wal_start, &mut self.events) {
            Err(source) if !left_out => {
                let lsn = wal_start;
                Err(EngineError::Decode { lsn, source })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether nothing of the transaction in hand is to be applied.
    pub(super) fn is_passing_over(&self) -> bool {
        let in_hand = self.state.in_flight.as_ref();
        in_hand.is_some_and(|in_flight| self.is_left_out(in_flight.begin.commit_lsn))
    }

    /// Whether a transaction is to be skipped, or on the target already.
    fn is_left_out(&self, commit_lsn: Lsn) -> bool {
        let skip = self.skip.as_ref();
        skip.is_some_and(|(lsn, _)| *lsn == commit_lsn) || commit_lsn < self.applier.position()
    }

    pub(super) async fn skip(
        &mut self,
        begin: &TransactionBegin,
        commit: TransactionCommit,
    ) -> Result<(), EngineError> {
        self.commit().await?;
        let reason = self
            .skip
            .take()
            .map(|(_, reason)| reason)
            .unwrap_or_default();
        self.applier.skip(begin, commit, &reason).await?;
        self.skipped(begin);
        self.confirm();
        Ok(())
    }

    /// Transactions come in the order of their commits: one that is to be skipped and lies behind us never
    /// comes.
    pub(super) fn require_skip_ahead(&mut self, reached: Lsn) {
        if let Some((lsn, _)) = self.skip.take_if(|(lsn, _)| *lsn < reached) {
            warn!(target: "apply", %lsn, "nothing was skipped: no transaction that the target has \
                not got was committed at this position");
        }
    }

    fn skipped(&self, begin: &TransactionBegin) {
        let transaction = FailedTransaction {
            xid: begin.xid,
            commit_lsn: begin.commit_lsn,
        };
        warn!(target: "apply", xid = begin.xid, lsn = %begin.commit_lsn,
            "transaction skipped on record");
        self.publisher.update(|status| status.last_error = None);
        self.publisher.event(EngineEvent::Skipped(transaction));
    }
}
