//! Replaces the rows of a table that the source has rewritten.
//!
//! A rewrite (`ALTER TABLE … TYPE … USING`, a volatile default, `SET LOGGED`) gives every row new
//! values that logical decoding never shows. The event trigger therefore sends the table's content
//! as logical messages, at its place in the stream, and here it takes the place of the old rows,
//! in the same target transaction. Meanwhile no trigger fires and no foreign key acts: the rows
//! are the same rows, and their keys do not go away.

use std::sync::Arc;

use tracing::info;

use crate::apply::{ApplyError, RowChange, TablePlan, TargetTable};
use crate::model::{Lsn, QualifiedName};
use crate::schema::RowsMessage;

use super::{Applier, EngineError, Route};

const NOBODY_WATCHES: &str = "\
SELECT pg_catalog.set_config('pgstream.role', pg_catalog.current_setting('session_replication_role'), true);
SET LOCAL session_replication_role = replica";

const WATCH_AGAIN: &str = "\
SELECT pg_catalog.set_config('session_replication_role', pg_catalog.current_setting('pgstream.role'), true)";

/// A reload under way.
#[derive(Debug)]
pub(super) struct Reload {
    plan: Arc<TablePlan>,
}

impl Applier {
    /// Takes one message of a table's content.
    pub(super) async fn reload(
        &mut self,
        commit_lsn: Lsn,
        content: &[u8],
    ) -> Result<(), EngineError> {
        let message =
            RowsMessage::parse(content).map_err(|source| EngineError::Schema { source })?;
        let name = message.relation.name.clone();
        let covered = self.coverage.takes_oid(message.relation.id, commit_lsn);
        if !covered || !self.router.selects(&name) {
            return Ok(());
        }
        if message.first {
            self.begin_reload(&message, &name).await?;
        }
        let Some(reload) = &self.reload else {
            return Err(EngineError::Order {
                what: "rows of a rewrite without their beginning",
            });
        };
        let plan = Arc::clone(&reload.plan);
        for row in message.rows {
            self.gather(&plan, RowChange::Insert(row)).await?;
        }
        if message.last {
            self.end_reload().await?;
        }
        Ok(())
    }

    async fn begin_reload(
        &mut self,
        message: &RowsMessage,
        name: &QualifiedName,
    ) -> Result<(), EngineError> {
        self.flush().await?;
        self.complete().await?;
        let relation = Arc::new(message.relation.clone());
        let found = self.router.find(self.desk.writer(), &relation).await;
        let Route::Table(plan) = found.map_err(|error| self.failed(error))? else {
            return Err(self.failed(ApplyError::MissingTable {
                table: name.clone(),
            }));
        };
        info!(target: "schema", table = %name, "taking over the rows of a rewritten table");
        self.empty(&plan.target).await?;
        self.reload = Some(Reload { plan });
        Ok(())
    }

    async fn empty(&mut self, table: &TargetTable) -> Result<(), EngineError> {
        let done = self.delete_all(table).await;
        done.map_err(|error| self.failed(error))
    }

    async fn delete_all(&mut self, table: &TargetTable) -> Result<(), ApplyError> {
        if is_watched(table) {
            self.desk
                .writer()
                .run(
                    "a replacement of rows that no trigger acts on",
                    NOBODY_WATCHES,
                )
                .await?;
        }
        self.desk.writer().delete_all(table).await
    }

    async fn watch_again(&mut self, table: &TargetTable) -> Result<(), ApplyError> {
        if !is_watched(table) {
            return Ok(());
        }
        self.desk
            .writer()
            .run("the end of a replacement of rows", WATCH_AGAIN)
            .await
    }

    async fn end_reload(&mut self) -> Result<(), EngineError> {
        self.flush().await?;
        self.complete().await?;
        let Some(Reload { plan }) = self.reload.take() else {
            return Ok(());
        };
        self.router.forget();
        let done = self.watch_again(&plan.target).await;
        done.map_err(|error| self.failed(error))
    }
}

/// Whether somebody would act on our deleting and inserting the same rows.
const fn is_watched(table: &TargetTable) -> bool {
    table.triggers || table.foreign_keys
}
