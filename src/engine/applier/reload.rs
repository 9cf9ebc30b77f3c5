//! Replaces the rows of a table that the source has rewritten.
//!
//! A rewrite (`ALTER TABLE … TYPE … USING`, a volatile default, `SET LOGGED`) gives every row new
//! values that logical decoding never shows. The event trigger therefore writes the table's content
//! into `pgstream.outbox`, at its place in the stream, and here it takes the place of the old
//! rows, in the same target transaction. Meanwhile no trigger fires and no foreign key acts: the rows
//! are the same rows, and their keys do not go away.

use std::sync::Arc;

use tracing::info;

use crate::apply::{ApplyError, RowChange, TargetTable};
use crate::fault;
use crate::model::{Lsn, QualifiedName, Relation, RelationId};
use crate::schema::{Entry, RewrittenRows, SchemaError};

use super::reload_state::Reload;
use super::{Applier, EngineError, Route};

const NOBODY_WATCHES: &str = "\
SELECT pg_catalog.set_config('pgstream.role', pg_catalog.current_setting('session_replication_role'), true);
SET LOCAL session_replication_role = replica";

const WATCH_AGAIN: &str = "\
SELECT pg_catalog.set_config('session_replication_role', pg_catalog.current_setting('pgstream.role'), true)";

impl Applier {
    /// Takes one part of a table's content.
    pub(super) async fn rewritten_rows(
        &mut self,
        commit_lsn: Lsn,
        part: RewrittenRows,
    ) -> Result<(), EngineError> {
        if !self.takes_rewritten(&part.relation, commit_lsn) {
            return Ok(());
        }
        if part.too_large {
            let table = part.relation.name;
            return Err(schema_error(SchemaError::RowsTooLarge { table }));
        }
        if part.first {
            self.begin_reload(&part.relation).await?;
        }
        let Some(reload) = &self.reload else {
            return Err(EngineError::Order {
                what: "rows of a rewrite without their beginning",
            });
        };
        let plan = Arc::clone(&reload.plan);
        for row in part.rows {
            let row = RowChange::Insert(row);
            let row = self.read_as_of_now(&plan.relation, commit_lsn, row)?;
            self.gather(&plan, row).await?;
        }
        fault::point(fault::APPLY_MID_REWRITE);
        if part.last {
            self.awaited.remove(&part.relation.id);
            self.end_reload().await?;
        }
        Ok(())
    }

    /// Whether the schema log has announced these rows. Where it is not followed, every table that
    /// replicates takes them.
    fn takes_rewritten(&self, relation: &Relation, commit_lsn: Lsn) -> bool {
        match self.router.follows_schema() {
            true => self.awaited.get(&relation.id) == Some(&relation.name),
            false => self.replicates_now(relation.id, &relation.name, commit_lsn),
        }
    }

    fn replicates_now(&self, id: RelationId, name: &QualifiedName, commit_lsn: Lsn) -> bool {
        self.router.selects(name) && self.table_sync.takes_oid(id, commit_lsn)
    }

    /// Remembers the tables whose rows an entry announces.
    pub(super) fn await_rows(&mut self, entry: &Entry, commit_lsn: Lsn) {
        for (oid, name) in entry.change.rewritten_tables() {
            if self.replicates_now(oid, &name, commit_lsn) {
                self.awaited.insert(oid, name);
            }
        }
    }

    /// A table that waits in vain was emptied for rows of which nothing is known.
    pub(super) fn require_awaited_rows(&self) -> Result<(), EngineError> {
        match self.awaited.values().next() {
            None => Ok(()),
            Some(table) => Err(schema_error(SchemaError::RowsMissing {
                table: table.clone(),
            })),
        }
    }

    async fn begin_reload(&mut self, relation: &Relation) -> Result<(), EngineError> {
        self.flush().await?;
        self.complete().await?;
        let relation = Arc::new(relation.clone());
        let table = &relation.name;
        let found = self.router.find(self.background.writer(), &relation).await;
        let Route::Table(plan) = found.map_err(|error| self.failed(error))? else {
            let table = table.clone();
            return Err(self.failed(ApplyError::MissingTable { table }));
        };
        info!(target: "schema", %table, "taking over the rows of a rewritten table");
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
            self.background
                .writer()
                .run(
                    "a replacement of rows that no trigger acts on",
                    NOBODY_WATCHES,
                )
                .await?;
        }
        self.background.writer().delete_all(table).await
    }

    async fn watch_again(&mut self, table: &TargetTable) -> Result<(), ApplyError> {
        if !is_watched(table) {
            return Ok(());
        }
        self.background
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

const fn schema_error(source: SchemaError) -> EngineError {
    EngineError::Schema { source }
}

/// Whether somebody would act on our deleting and inserting the same rows.
fn is_watched(table: &TargetTable) -> bool {
    table.triggers || !table.foreign_keys.is_empty()
}
