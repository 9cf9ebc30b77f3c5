//! What is opened before anything is compared, at once.

use crate::config::Pipeline;
use crate::postgres::Session;

use super::VerifyError;
use super::pair::PairSessions;
use super::session::connect;
use super::workers::WorkerSessions;

/// Sessions that are opened while the engine starts.
pub(super) struct Opened {
    pub(super) records: Session,
    pub(super) sessions: (PairSessions, WorkerSessions),
}

impl Opened {
    pub(super) async fn open(
        pipeline: &Pipeline,
        worker_count: usize,
    ) -> Result<Self, VerifyError> {
        let records = async {
            let records = connect(&pipeline.target).await;
            records.map_err(VerifyError::of("connect to the target"))
        };
        let (records, pair, workers) = tokio::try_join!(
            records,
            PairSessions::open(&pipeline.source, &pipeline.target),
            WorkerSessions::open(pipeline, worker_count)
        )?;
        Ok(Self {
            records,
            sessions: (pair, workers),
        })
    }
}
