//! Passing over the one transaction that an operator chose.

use tracing::warn;

use crate::engine::EngineError;
use crate::engine::status::{EngineEvent, FailedTransaction};
use crate::model::{Lsn, TransactionBegin, TransactionCommit};

use super::Stream;

impl Stream<'_> {
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
        self.board.update(|status| status.last_error = None);
        self.board.event(EngineEvent::Skipped(transaction));
    }
}
