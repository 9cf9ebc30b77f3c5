//! Foreign keys to partitioned tables that are whole again: while the filter left a part of one out, they stayed
//! on the source.

use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::model::RelationId;
use crate::postgres::Session;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::handover::{Answer, CopyRequest, TablesRequest};
use crate::snapshot::plan::KeysTo;

use super::context::Stop;
use super::copier::{Copier, PAUSE, SNAPSHOTS_MAX};

impl Copier {
    /// Puts the keys on the list that the target lacks, as the source has them where the stream then stands, and
    /// lets the stream wait until they are made. Returns whether there was such a table.
    pub(super) async fn keys_to_whole_tables(&mut self, target: &Session) -> Result<bool, Stop> {
        let slot_name = self.context.store.slot_name().to_owned();
        for _ in 0..SNAPSHOTS_MAX {
            let tables = self.whole_tables(target).await?;
            if tables.is_empty() {
                return Ok(false);
            }
            let keys = KeysTo::open(&self.context.pipeline, &slot_name, &tables).await;
            let keys = keys.map_err(|error| self.context.plan_failed(error))?;
            let at = keys.point.lsn();
            if self.reach(at).await? == Answer::Done {
                let later = keys.lacking(target).await;
                let later = later.map_err(|error| self.context.plan_failed(error))?;
                let (answer, answered) = oneshot::channel();
                let copy_request = TablesRequest {
                    at,
                    steps: Vec::new(),
                    tables: Vec::new(),
                    later,
                    keys_to: tables,
                    stream_waits: true,
                    answer,
                };
                let asked = CopyRequest::Tables(Box::new(copy_request));
                if self.ask(asked, answered).await? == Answer::Done {
                    return Ok(true);
                }
            }
            sleep(PAUSE).await;
        }
        Err(Stop::Failed(SnapshotError::Restless))
    }

    async fn whole_tables(&self, target: &Session) -> Result<Vec<RelationId>, SnapshotError> {
        let steps = self.context.open_steps(target).await?.into_iter();
        let whole = steps.filter(|step| step.stage == "keys_to");
        Ok(whole.filter_map(|step| step.referenced).collect())
    }
}
