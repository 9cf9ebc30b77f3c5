//! TRUNCATE, of what the source names and of what it leaves to be concluded.

use std::sync::Arc;

use crate::apply::ApplyError;
use crate::engine::{EngineError, sequences};
use crate::model::{Lsn, Relation};

use super::table_sync::records_refused;
use super::{Applier, Route};

impl Applier {
    /// Empties the tables of one command.
    pub(super) async fn truncate(
        &mut self,
        relations: &[Arc<Relation>],
        (restart_identity, commit_lsn): (bool, Lsn),
    ) -> Result<(), EngineError> {
        let mut plans = Vec::new();
        for relation in relations {
            match self.route(relation).await? {
                Route::Table(plan) => plans.push(plan),
                Route::SchemaLog | Route::Outbox | Route::Ignored => {}
                Route::Missing if self.table_sync.excuses(&relation.name) => {}
                Route::Missing if self.router.is_partitioned(&self.router.name_now(relation)) => {}
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
        let listed = relations
            .iter()
            .map(|relation| self.router.name_now(relation));
        let mut tables: Vec<_> = plans.iter().map(|plan| Arc::clone(&plan.target)).collect();
        for name in self.router.emptied_with(&listed.collect()) {
            let found = self.background.idle().target_table(&name).await;
            let found = found.map_err(|error| self.failed(error))?;
            // Of a partitioned one the partitions are emptied, by name.
            tables.extend(found.filter(|table| table.kind == 'r').map(Arc::new));
        }
        if restart_identity {
            self.note_sequences(commit_lsn).await?;
        }
        let done = self
            .background
            .writer()
            .truncate(&tables, restart_identity)
            .await;
        done.map_err(|error| self.failed(error))?;
        for plan in &plans {
            self.delta_of(&plan.relation).counters.truncates += 1;
        }
        self.open.row_count += 1;
        Ok(())
    }

    /// Sequences may be set back in this transaction: looks at the source from before it no longer count.
    pub(super) async fn note_sequences(&mut self, commit_lsn: Lsn) -> Result<(), EngineError> {
        self.begin().await?;
        let slot_name = self.store.stream().slot_name.clone();
        let session = self.background.idle().session();
        let noted = sequences::note(session, &slot_name, commit_lsn).await;
        noted.map_err(|source| self.failed(records_refused(source)))
    }
}
