//! Empties tables as the source did, in one statement.

use std::sync::Arc;

use crate::apply::ApplyError;
use crate::engine::EngineError;
use crate::model::Relation;

use super::{Applier, Route};

impl Applier {
    pub(super) async fn truncate(
        &mut self,
        relations: &[Arc<Relation>],
        restart_identity: bool,
    ) -> Result<(), EngineError> {
        let mut plans = Vec::new();
        for relation in relations {
            match self.route(relation).await? {
                Route::Table(plan) => plans.push(plan),
                Route::SchemaLog | Route::Outbox | Route::Ignored => {}
                Route::Missing if self.coverage.excuses(&relation.name) => {}
                Route::Missing => {
                    let table = self.router.name_now(relation);
                    return Err(self.failed(ApplyError::MissingTable { table }));
                }
            }
        }
        if plans.is_empty() {
            return Ok(());
        }
        self.flush().await?;
        self.complete().await?;
        let tables: Vec<_> = plans.iter().map(|plan| &*plan.target).collect();
        let done = self.desk.writer().truncate(&tables, restart_identity).await;
        done.map_err(|error| self.failed(error))?;
        for plan in &plans {
            self.tally_of(&plan.relation).counters.truncates += 1;
        }
        self.open.row_count += 1;
        Ok(())
    }
}
