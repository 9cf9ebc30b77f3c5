//! What is opened before anything is compared.

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
        source: &Session,
        worker_count: usize,
    ) -> Result<Self, VerifyError> {
        let records = connect(&pipeline.target).await;
        let records = records.map_err(VerifyError::of("connect to the target"))?;
        let sessions = tokio::try_join!(
            PairSessions::open(source, &records),
            WorkerSessions::open((source, &records), worker_count)
        )?;
        Ok(Self { records, sessions })
    }
}
