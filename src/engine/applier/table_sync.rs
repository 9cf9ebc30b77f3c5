//! Applying while tables are being copied: each table takes what lies behind its own position.

use std::collections::HashSet;
use std::sync::Arc;

use tracing::info;

use crate::engine::{EngineError, route};
use crate::model::{Lsn, QualifiedName, Relation, RelationId};
use crate::postgres::PgError;
use crate::schema::{Entry, ObjectChange, Plan};
use crate::snapshot::{MadeTable, Share, StoredTable};

use super::{Applier, ApplyError, RowChange, TablesRequest};

/// A schema change reaches a table, or an object that is there.
const STANDS: &str = "\
SELECT CASE $1
    WHEN 'relation' THEN pg_catalog.to_regclass($2) IS NOT NULL
    WHEN 'type' THEN pg_catalog.to_regtype($2) IS NOT NULL
    ELSE pg_catalog.to_regnamespace($2) IS NOT NULL
END";

impl Applier {
    /// Returns whether a change is left out, because its table is copied or has it already.
    pub(super) fn passes_over(&self, relation: &Relation, commit_lsn: Lsn) -> bool {
        !self.table_sync.is_empty()
            && !route::is_ours(&relation.name)
            && !self.table_sync.takes(relation, commit_lsn)
    }

    /// Passes a change over. A row of a table that the stream may be about to create is kept until the end
    /// of its transaction.
    pub(super) fn pass_over(
        &mut self,
        relation: &Arc<Relation>,
        change: &RowChange,
        commit_lsn: Lsn,
    ) -> Result<(), EngineError> {
        let row = matches!(change, RowChange::Insert(_));
        match row && self.table_sync.may_be_created(relation, commit_lsn) {
            true => self.hold(relation, change),
            false => Ok(()),
        }
    }

    /// A table that waits to be copied, and that the stream creates before its copy has begun, is the
    /// stream's: its rows come with what else their transactions did.
    pub(super) async fn take_created(
        &mut self,
        entry: &Entry,
        commit_lsn: Lsn,
    ) -> Result<(), EngineError> {
        let tables = self.table_sync.created_by(&entry.change, commit_lsn);
        if tables.is_empty() {
            return Ok(());
        }
        self.flush().await?;
        self.begin().await?;
        let session = self.background.idle().session();
        let forgotten = self.copies.store().forget(session, &tables).await;
        forgotten.map_err(|source| self.failed(records_refused(source)))?;
        for table in tables {
            self.table_sync.forget(table);
        }
        Ok(())
    }

    /// Returns the share of a change that is to be applied, where the ranges of a table are as of
    /// different snapshots.
    pub(super) async fn share(
        &mut self,
        relation: &Relation,
        change: RowChange,
        commit_lsn: Lsn,
    ) -> Result<Option<RowChange>, EngineError> {
        let Some(ranges) = self.table_sync.ranges(relation, commit_lsn) else {
            return Ok(Some(change));
        };
        match ranges.share(relation, change, commit_lsn) {
            Share::Change(change) => Ok(Some(change)),
            Share::Nothing => Ok(None),
            Share::Unknown => {
                info!(target: "snapshot", table = %relation.name,
                    "a row moved into a range that was copied before: the table is copied again");
                self.flush().await?;
                let table = self.table_sync.leave_again(relation);
                self.let_wait(table.as_slice()).await?;
                Ok(None)
            }
        }
    }

    async fn let_wait(&mut self, tables: &[RelationId]) -> Result<(), EngineError> {
        self.begin().await?;
        let waits = self
            .copies
            .store()
            .wait(self.background.idle().session(), tables)
            .await;
        waits.map_err(|source| self.failed(records_refused(source)))?;
        self.table_sync.let_wait();
        Ok(())
    }

    /// Returns whether tables wait that only another session can have copied.
    pub(crate) const fn needs_session(&self) -> bool {
        self.table_sync.needs_session()
    }

    /// Nothing is left to copy: what was kept for it is confirmed from now on. Returns whether that is so: the
    /// stream may have let a table wait meanwhile.
    pub(crate) async fn copies_ended(&mut self) -> Result<bool, EngineError> {
        self.complete().await?;
        let stored = self.stored_tables().await?;
        let ended = stored.iter().all(|table| table.state.is_settled());
        if ended {
            self.table_sync.release();
        }
        Ok(ended)
    }

    /// Returns what the target's records say of the copies.
    pub(super) async fn stored_tables(&self) -> Result<Vec<StoredTable>, EngineError> {
        let session = self.background.idle().session();
        let stored = self.copies.store().load(session).await;
        stored.map_err(|source| self.failed(records_refused(source)))
    }

    /// Returns those of the tables that a command reaches now.
    pub(super) fn in_reach(
        &self,
        mut relations: Vec<Arc<Relation>>,
        commit_lsn: Lsn,
    ) -> Vec<Arc<Relation>> {
        relations.retain(|relation| !self.passes_over(relation, commit_lsn));
        relations
    }

    /// Writes down, in the transaction at hand, that the tables that catch up will be at `to`.
    /// Returns whether the checkpoint then speaks for them.
    pub(super) async fn follow_copies(&mut self, to: Lsn) -> Result<bool, EngineError> {
        let Some(settled_at) = self.table_sync.settled_at() else {
            return Ok(false);
        };
        let settled = to >= settled_at;
        let sql = self.copies.store().advance(to, settled);
        let writer = self.background.writer();
        let done = writer.run_own("the position of copied tables", &sql).await;
        done.map_err(|error| self.failed(error))?;
        Ok(settled)
    }

    /// From now on these tables are the copies'.
    pub(super) fn leave_to_copies(&mut self, copy_request: &TablesRequest) {
        let tables = copy_request.tables.iter();
        let tables = tables.map(|MadeTable { table, .. }| {
            (table.relation, table.name.clone(), table.types.clone())
        });
        self.table_sync.leave(tables);
        self.table_sync.be_lenient(None);
        self.table_sync.hold_from(copy_request.at);
    }

    /// Lets a table wait for another copy. Returns whether there is such a table.
    pub(crate) async fn copy_again(&mut self, relation: RelationId) -> Result<bool, EngineError> {
        self.complete().await?;
        let waits = self
            .copies
            .store()
            .wait(self.background.idle().session(), &[relation])
            .await;
        let waits = waits.map_err(|source| self.failed(records_refused(source)))?;
        Ok(waits > 0)
    }

    /// Returns whether copied tables wait for the stream to reach them.
    pub(crate) fn is_taking_over(&self) -> bool {
        self.table_sync.settled_at().is_some()
    }

    /// Returns whether the stream already stands where the copied tables are: on a source where
    /// nothing is written it may have stood there when they were copied, and would never move.
    pub(crate) fn has_reached_copies(&self) -> bool {
        let settled_at = self.table_sync.settled_at();
        settled_at.is_some_and(|settled_at| self.position >= settled_at)
    }

    /// The checkpoint speaks for all tables that were catching up.
    pub(super) fn settle_copies(&mut self) {
        crate::fault::point(crate::fault::SNAPSHOT_AFTER_HANDOVER);
        self.table_sync.settle();
        info!(target: "snapshot", lsn = %self.position, "the stream has taken over the copied tables");
        self.copies.settled();
    }

    /// Returns the part of a schema change that is to be applied, when it is not all of it.
    pub(super) async fn part_in_reach(
        &mut self,
        entry: &Entry,
        commit_lsn: Lsn,
    ) -> Result<Option<Entry>, EngineError> {
        let copies = self.publisher.latest().snapshot.is_some();
        if self.table_sync.is_empty() && !self.table_sync.is_lenient() && !copies {
            return Ok(None);
        }
        self.complete().await?;
        let pending = self.pending_foreign_keys(entry).await?;
        let mut excused = Vec::new();
        if self.table_sync.is_lenient() {
            for object in entry
                .change
                .objects
                .iter()
                .filter(|object| object.existed())
            {
                if !self
                    .stands(object)
                    .await
                    .map_err(|error| self.failed(refused(error)))?
                {
                    excused.push(object.label());
                }
            }
        }
        self.defer_foreign_keys(entry, &pending, commit_lsn).await?;
        let catching_up = self.table_sync.is_catching_up(commit_lsn);
        let table_sync = &self.table_sync;
        let keeps = |object: &ObjectChange| {
            let takes = object.relation().map_or(!catching_up, |oid| {
                table_sync.takes_oid(RelationId(oid), commit_lsn)
            });
            takes
                && !is_foreign_key_of_copies(table_sync, object)
                && !pending.contains(&object.label_before())
                && !excused.contains(&object.label())
        };
        let mut change = entry.change.part(keeps, !catching_up);
        let privileges = entry.change.privileges.iter().filter(|privileges| {
            let table = privileges.table_oid.map(RelationId);
            table.map_or(!catching_up, |table| {
                table_sync.takes_oid(table, commit_lsn)
            })
        });
        change.privileges = privileges.cloned().collect();
        Ok(Some(Entry {
            change,
            ..entry.clone()
        }))
    }

    /// Returns the labels of foreign keys that wait to be made, if the change is of any that was there.
    async fn pending_foreign_keys(&self, entry: &Entry) -> Result<HashSet<String>, EngineError> {
        let mut objects = entry.change.objects.iter();
        if !objects.any(|object| object.referenced().is_some() && object.existed()) {
            return Ok(HashSet::new());
        }
        let steps = self
            .copies
            .store()
            .open_steps(self.background.idle().session())
            .await;
        let steps = steps.map_err(|source| self.failed(records_refused(source)))?;
        let keys = steps.into_iter().filter(|step| step.stage == "foreign_key");
        Ok(keys.map(|step| step.object).collect())
    }

    /// A foreign key needs both of its tables as of one snapshot: it is remembered and made when they
    /// are.
    async fn defer_foreign_keys(
        &mut self,
        entry: &Entry,
        pending: &HashSet<String>,
        commit_lsn: Lsn,
    ) -> Result<(), EngineError> {
        let table_sync = &self.table_sync;
        let takes = |oid: Option<u32>| {
            oid.is_some_and(|oid| {
                table_sync.leaves_out(RelationId(oid))
                    || table_sync.takes_oid(RelationId(oid), commit_lsn)
            })
        };
        let concerned = |object: &&ObjectChange| {
            pending.contains(&object.label_before())
                || is_foreign_key_of_copies(table_sync, object)
                    && (takes(object.relation()) || takes(object.referenced()))
        };
        let keys: Vec<ObjectChange> = entry
            .change
            .objects
            .iter()
            .filter(concerned)
            .cloned()
            .collect();
        for key in keys {
            let referenced = key.referenced_name();
            let sql = self
                .copies
                .defer(&key, &|name| match referenced == Some(name) {
                    true => self.router.selects_whole(name),
                    false => self.router.selects(name),
                });
            self.run(&key.label(), &sql).await?;
        }
        Ok(())
    }

    /// A table that is being copied takes its own schema changes when the stream gets to it. What is
    /// changed together with others, or below it (a type that is altered, a schema with another name),
    /// is changed for all at once: then the table is copied again.
    pub(super) async fn copy_disturbed_again(&mut self, entry: &Entry) -> Result<(), EngineError> {
        let tables = self.table_sync.disturbed_by(&entry.change);
        if tables.is_empty() {
            return Ok(());
        }
        info!(target: "snapshot", tag = entry.change.tag, tables = tables.len(),
            "a schema change reaches tables that are being copied: they are copied again");
        self.flush().await?;
        self.let_wait(&tables).await
    }

    /// Gives up rows that wait for a description of their table, where the copy brings it or the source
    /// has dropped it since.
    pub(super) fn release_excused(&mut self) -> Result<(), EngineError> {
        let excused = |relation: &&Arc<Relation>| {
            let name = self.router.name_now(relation);
            self.table_sync.excuses(&name) || self.table_sync.waits(relation)
        };
        let waiting: Vec<_> = self.held.relations().filter(excused).collect();
        let waiting: Vec<RelationId> = waiting.iter().map(|relation| relation.id).collect();
        for relation in waiting {
            let rows = self.held.take(relation);
            rows.map(drop).map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Tables are known by their names of now, also to the next session.
    pub(super) async fn follow_names(&mut self, plan: &Plan) -> Result<(), EngineError> {
        for touch in &plan.relations {
            let relation = RelationId(touch.oid);
            match &touch.after {
                Some(after) if touch.before.as_ref().is_some_and(|before| before != after) => {
                    self.table_sync.rename(relation, after);
                    let sql = self.copies.store().rename(relation, after);
                    self.note_copied(relation, Some(after), &sql).await?;
                }
                Some(after) => self.table_sync.rename(relation, after),
                None if self.table_sync.leaves_out(relation) => {}
                None => {
                    self.table_sync.forget(relation);
                    let sql = self.copies.store().forget_ready(relation);
                    self.note_copied(relation, None, &sql).await?;
                }
            }
        }
        Ok(())
    }

    /// Writes the name of a copied table down, or that it is gone.
    async fn note_copied(
        &mut self,
        relation: RelationId,
        name: Option<&QualifiedName>,
        sql: &str,
    ) -> Result<(), EngineError> {
        let writer = self.background.writer();
        let done = writer.run_own("the name of a copied table", sql).await;
        done.map_err(|error| self.failed(error))?;
        self.open.renamed.push((relation, name.cloned()));
        Ok(())
    }

    /// Shows what copied tables are called now. Not before that is committed: the copier shows what it reads.
    pub(super) fn show_renamed(&self, renamed: &[(RelationId, Option<QualifiedName>)]) {
        if renamed.is_empty() {
            return;
        }
        self.publisher.update(|status| {
            if let Some(snapshot) = &mut status.snapshot {
                let snapshot = Arc::make_mut(snapshot);
                for (relation, name) in renamed {
                    snapshot.follow(*relation, name.as_ref());
                }
            }
        });
    }

    /// Returns whether the target has an object under the name that it had before.
    pub(super) async fn stands(&self, object: &ObjectChange) -> Result<bool, PgError> {
        let Some((kind, name)) = place(object) else {
            return Ok(true);
        };
        let row = self
            .background
            .idle()
            .session()
            .row(STANDS, &[&kind, &name])
            .await?;
        Ok(row.is_some_and(|row| row.get(0)))
    }
}

pub(super) fn records_refused(source: PgError) -> ApplyError {
    ApplyError::Records {
        object: "the records of a copy".to_owned(),
        source,
    }
}

fn refused(source: PgError) -> ApplyError {
    ApplyError::Records {
        object: "a look for what a schema change is about".to_owned(),
        source,
    }
}

fn is_foreign_key_of_copies(table_sync: &super::TableSync, object: &ObjectChange) -> bool {
    let knows = |oid: Option<u32>| oid.is_some_and(|oid| table_sync.knows(RelationId(oid)));
    object.referenced().is_some() && (knows(object.relation()) || knows(object.referenced()))
}

/// How the target would call the object before the change: kind and quoted name.
fn place(object: &ObjectChange) -> Option<(&'static str, String)> {
    let relation = |name: QualifiedName| Some(("relation", name.quoted()));
    match object {
        ObjectChange::Schema(i) => {
            let before = i.before.as_ref()?;
            Some(("schema", crate::model::quote_ident(&before.name)))
        }
        ObjectChange::Type(i) => Some(("type", i.before.as_ref()?.qualified_name().quoted())),
        ObjectChange::Table(i) => relation(i.before.as_ref()?.qualified_name()),
        ObjectChange::Sequence(i) => relation(i.before.as_ref()?.qualified_name()),
        ObjectChange::Constraint(i) => relation(i.before.as_ref()?.table.clone()),
        ObjectChange::Index(i) => {
            let before = i.before.as_ref()?;
            relation(QualifiedName::new(
                &*before.table.schema,
                before.name.as_str(),
            ))
        }
        // Where it is not there, that is reported and nothing stops.
        ObjectChange::Object(_) => None,
    }
}
