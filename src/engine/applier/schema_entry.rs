//! Follows an entry of the schema log, at its place among the rows and in their transaction.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::ToSql;
use tracing::{debug, info, warn};

use crate::apply::{self, AppliedSchemaChange, ApplyError, RowChange};
use crate::engine::EngineError;
use crate::engine::failure::failure_of;
use crate::engine::source_tables::Crossing;
use crate::fault;
use crate::model::{
    Classify as _, ErrorClass, Lsn, QualifiedName, Relation, TransactionBegin, Tuple, do_block,
    quote_literal,
};
use crate::runtime::clock;
use crate::schema::{self, Access, Entry, Plan, Roles, Step};
use crate::status::{SchemaChange, SchemaState};

use super::behind_rows::BehindRows;
use super::older_types::Reading;
use super::table_sync::records_refused;
use super::{Applier, Route};

/// One of the same object is on the list.
const JOIN_COPY: &str = "\
INSERT INTO pgstream.snapshot_step (slot_name, stage, relation, object, statement)
SELECT s.slot_name, s.stage, s.relation, s.object, $3 FROM pgstream.snapshot_step AS s
WHERE s.slot_name = $1 AND s.stage = 'last' AND s.object = $2 ORDER BY s.ordinal DESC LIMIT 1";

impl Applier {
    /// Applies one entry.
    pub(super) async fn schema_entry(
        &mut self,
        begin: &TransactionBegin,
        relation: &Relation,
        tuple: &Tuple,
    ) -> Result<(), EngineError> {
        let schema_error = |source| EngineError::Schema { source };
        let mut entry = Entry::from_tuple(relation, tuple).map_err(schema_error)?;
        entry.change.leave_out(self.router.left_out());
        self.with_unannounced(&mut entry);
        self.schema_changed_at = begin.commit_lsn;
        self.run_behind_rows().await?;
        self.complete().await?;
        let crossing = self.router.meet(&mut entry);
        let others = entry.change.others.iter();
        for view in others.filter_map(|other| other.view.as_ref()) {
            self.held.forget(view);
        }
        if self.came_from_target(&entry).await? {
            entry.change = entry.change.of_the_target();
        }
        self.leave_alone(&mut entry).await?;
        let crossing = self.take_crossing(crossing, &mut entry, begin.commit_lsn);
        let roles = self.roles(&entry).await?;
        let whole = self
            .plan(&entry, (&crossing, &roles))
            .map_err(schema_error)?;
        self.take_created(&entry, begin.commit_lsn).await?;
        self.follow_copied_names(&entry, begin.commit_lsn).await?;
        self.copy_disturbed_again(&entry).await?;
        let part = self.part_in_reach(&entry, begin.commit_lsn).await?;
        let (entry, plan) = match part {
            None => (entry, whole.clone()),
            Some(part) => {
                let plan = self
                    .plan(&part, (&crossing, &roles))
                    .map_err(schema_error)?;
                (part, plan)
            }
        };
        self.flush().await?;
        self.complete().await?;
        let plan = self.with_needs(&entry, plan).await?;
        let (mut plan, mut change) = self.as_edited(&entry, plan, begin.commit_lsn);
        self.publisher.schema_change(change.clone());
        let started = clock::now();
        match self.run_plan(&entry, &plan).await {
            Ok(refused) => {
                self.note_refused(&entry, &refused).await?;
                leave_out(&mut plan, &mut change, refused);
            }
            Err(error) => return Err(self.reported(error, change)),
        }
        if !plan.steps.is_empty() {
            self.background.writer().forget();
        }
        change.not_applied.extend(self.cross(&crossing).await?);
        self.router.follow(&whole);
        self.follow_names(&whole).await?;
        self.open.commit_after |= plan.commit_after;
        self.await_rows(&entry, begin.commit_lsn);
        let readings = self.follow_types(&entry, begin.commit_lsn).await?;
        self.remember(&entry, &plan, (change, readings), started.elapsed())
            .await?;
        self.release_held().await
    }

    /// Shows a change as failed, unless it is tried again.
    fn reported(&self, error: EngineError, mut change: SchemaChange) -> EngineError {
        if error.class() != ErrorClass::Transient {
            change.state = SchemaState::Failed;
            change.error = Some(failure_of(&error, None).causes.join(": "));
            self.publisher.schema_change(change);
        }
        error
    }

    /// Returns what runs for an entry, and its description: what was planned, or what an operator
    /// wrote in its place, which then runs within the transaction in any case.
    fn as_edited(&self, entry: &Entry, plan: Plan, lsn: Lsn) -> (Plan, SchemaChange) {
        let mut change = describe(entry, &plan, lsn);
        let Some(edit) = self.edit.as_ref().filter(|edit| edit.id == entry.id) else {
            return (plan, change);
        };
        warn!(target: "schema", tag = change.tag, "what an operator wrote runs in place of the plan");
        change.sql = vec![edit.sql.clone()];
        let plan = Plan {
            steps: vec![within_transaction(&edit.sql)],
            behind_rows: Vec::new(),
            outside: false,
            ..plan
        };
        (plan, change)
    }

    /// What the target's own users changed, and what came here through streams from there, is not to come
    /// back to them.
    async fn came_from_target(&self, entry: &Entry) -> Result<bool, EngineError> {
        let origins = &entry.change.origins;
        if origins.is_empty() {
            return Ok(false);
        }
        let found = apply::begins_here(self.background.idle().session(), origins).await;
        found.map_err(|error| self.failed(error))
    }

    /// What the target refused to make has no namesake there that would be ours to alter or to drop.
    async fn leave_alone(&mut self, entry: &mut Entry) -> Result<(), EngineError> {
        let objects = entry.change.objects.iter();
        let known = objects.filter(|object| object.is_apart_from_rows() && object.existed());
        let privileges = entry.change.privileges.iter().map(|change| change.oid);
        let known: Vec<u32> = known
            .map(schema::ObjectChange::oid)
            .chain(privileges)
            .collect();
        if known.is_empty() {
            return Ok(());
        }
        let session = self.background.idle().session();
        let left = apply::left_alone(session, &self.store.stream().slot_name, &known).await;
        let left = left.map_err(|source| self.failed(records_refused(source)))?;
        entry.change.leave_alone(&left);
        Ok(())
    }

    async fn note_refused(
        &mut self,
        entry: &Entry,
        refused: &[RefusedStep],
    ) -> Result<(), EngineError> {
        let made = entry
            .change
            .objects
            .iter()
            .filter(|object| !object.existed());
        for object in made {
            let label = object.label();
            let is_of = |refused: &&RefusedStep| {
                refused.step.object == label && !refused.step.sql.starts_with("REFRESH ")
            };
            if refused.iter().any(|step| is_of(&step)) {
                let sql = apply::leave_alone(&self.store.stream().slot_name, object.oid(), &label);
                let noted = self.background.writer().run_own(&label, &sql).await;
                noted.map_err(|error| self.failed(error))?;
            }
        }
        Ok(())
    }

    /// Our own triggers on the target record what runs now, for whoever streams from it.
    async fn tell_origins(&mut self, entry: &Entry) -> Result<(), EngineError> {
        let origins = &entry.change.origins;
        if self.origins_reported == *origins {
            return Ok(());
        }
        let reported = self
            .background
            .writer()
            .came_through(self.store.stream(), origins)
            .await;
        reported.map_err(|error| self.failed(error))?;
        self.origins_reported.clone_from(origins);
        Ok(())
    }

    /// Lets tables leave and enter. Returns what the target does not follow by that, for people.
    async fn cross(&mut self, crossing: &Crossing) -> Result<Vec<String>, EngineError> {
        let lost = self.leave_filter(crossing).await?;
        self.enter_filter(crossing).await?;
        self.ask_for_keys(crossing).await?;
        let lost = lost.iter();
        Ok(lost
            .map(|part| format!("{}: {}", part.object, part.reason))
            .collect())
    }

    /// The roles that own what changed, or were granted something, as the target has them.
    async fn roles(&self, entry: &Entry) -> Result<Roles, EngineError> {
        let change = &entry.change;
        let session = self.background.idle().session();
        let read = Roles::read(session, &change.objects, &change.privileges).await;
        read.map_err(|source| self.failed(records_refused(source)))
    }

    /// What leaves is changed for the last time, by the names that it had and has.
    fn plan(
        &self,
        entry: &Entry,
        (crossing, roles): (&Crossing, &Roles),
    ) -> Result<Plan, schema::SchemaError> {
        let selects = |name: &QualifiedName| {
            let last = crossing.selects(name);
            last.unwrap_or_else(|| self.router.selects(name))
        };
        let mut plan = schema::plan(entry, &selects)?;
        let access = Access::new(roles, self.router.runs_as_owner(), &selects);
        access.add_to(&mut plan, &entry.change);
        Ok(plan)
    }

    /// Says in the status, and to the source, that these changes are durable.
    pub(super) fn schema_changes_durable(&mut self, changes: Vec<SchemaChange>) {
        for mut change in changes {
            change.state = match change.state {
                SchemaState::Running => SchemaState::Applied,
                state => state,
            };
            self.counters.add_schema_change();
            // When the queue is full, the next start acknowledges what is left.
            drop(self.acknowledge.try_send(change.id.clone()));
            self.publisher.schema_change(change);
        }
    }

    /// Returns the statements that the target refused and that no row depends on.
    async fn run_plan(
        &mut self,
        entry: &Entry,
        plan: &Plan,
    ) -> Result<Vec<RefusedStep>, EngineError> {
        for part in &plan.not_applied {
            warn!(target: "schema", tag = entry.change.tag, object = part.object,
                reason = part.reason, "schema change is not applied");
        }
        if plan.outside {
            return self.run_outside(entry, &plan.steps).await;
        }
        let mut objects = entry.change.objects.iter();
        let sequences = objects.any(|object| matches!(object, schema::ObjectChange::Sequence(_)));
        if sequences && !plan.steps.is_empty() {
            self.note_sequences(self.schema_changed_at).await?;
        }
        let mut refused = Vec::new();
        for (place, step) in plan.steps.iter().enumerate() {
            if place > 0 {
                fault::point(fault::SCHEMA_BETWEEN_STEPS);
            }
            if step.of_access && self.joins_copy(step).await? {
                continue;
            }
            match step.optional {
                true => refused.extend(self.attempt(entry, step).await?),
                false => self.run_step(entry, step).await?,
            }
        }
        let behind_rows = plan.behind_rows.iter().map(|step| BehindRows {
            entry: entry.clone(),
            step: step.clone(),
        });
        self.behind_rows.extend(behind_rows);
        Ok(refused)
    }

    /// The rows that follow an entry come before the next entry, and before the end of the transaction.
    pub(super) async fn run_behind_rows(&mut self) -> Result<(), EngineError> {
        if self.behind_rows.is_empty() {
            return Ok(());
        }
        self.flush().await?;
        self.complete().await?;
        for BehindRows { entry, step } in std::mem::take(&mut self.behind_rows) {
            self.run_step(&entry, &step).await?;
        }
        Ok(())
    }

    /// What a copy has yet to give, as the source had it before, would come behind this: this comes behind that.
    async fn joins_copy(&mut self, step: &Step) -> Result<bool, EngineError> {
        if self.publisher.latest().snapshot.is_none() {
            return Ok(false);
        }
        let store = self.store.stream().slot_name.clone();
        let writer = self.background.writer();
        let joined = async {
            writer.begin().await?;
            let values: [&(dyn ToSql + Sync); 3] = [&store, &step.object, &step.sql];
            let joined = writer.session().change(JOIN_COPY, &values).await;
            joined.map_err(records_refused)
        };
        let joined = joined.await.map_err(|error| self.failed(error))?;
        Ok(joined > 0)
    }

    async fn run_step(&mut self, entry: &Entry, step: &Step) -> Result<(), EngineError> {
        self.tell_origins(entry).await?;
        let done = self.background.writer().run(&step.object, &step.sql).await;
        done.map_err(|source| self.step_failed(entry, step, source))
    }

    /// Runs a statement that no row depends on; a refusal is reported.
    async fn attempt(
        &mut self,
        entry: &Entry,
        step: &Step,
    ) -> Result<Option<RefusedStep>, EngineError> {
        self.tell_origins(entry).await?;
        let writer = self.background.writer();
        let refusal = writer.attempt(&step.object, &step.sql).await;
        let refusal = refusal.map_err(|error| self.failed(error))?;
        Ok(refusal.map(|refusal| RefusedStep::of(entry, step, refusal)))
    }

    /// Statements that PostgreSQL runs only outside of a transaction: what came before is
    /// committed first, and each of them can be repeated, so that a crash in between does no harm.
    async fn run_outside(
        &mut self,
        entry: &Entry,
        steps: &[Step],
    ) -> Result<Vec<RefusedStep>, EngineError> {
        self.commit().await?;
        self.complete().await?;
        if self.open.row_count > 0 {
            return Err(EngineError::Order {
                what: "rows before a command that runs outside of transactions",
            });
        }
        let given_up = self.background.writer().rollback().await;
        given_up.map_err(|error| self.failed(error))?;
        let mut refused = Vec::new();
        for step in steps {
            self.tell_origins(entry).await?;
            let writer = self.background.writer();
            let done = writer.run_outside(&step.object, &step.sql).await;
            match done {
                Err(source) if step.optional && source.class() != ErrorClass::Transient => {
                    refused.push(RefusedStep::of(entry, step, source));
                }
                done => done.map_err(|source| self.step_failed(entry, step, source))?,
            }
            fault::point(fault::SCHEMA_AFTER_OUTSIDE);
        }
        Ok(refused)
    }

    /// A connection that is lost meanwhile is no refusal.
    fn step_failed(&self, entry: &Entry, step: &Step, source: ApplyError) -> EngineError {
        match source.class() {
            ErrorClass::Transient => self.failed(source),
            ErrorClass::Operator | ErrorClass::Data | ErrorClass::Usage | ErrorClass::Bug => {
                refused(entry, step, source)
            }
        }
    }

    async fn remember(
        &mut self,
        entry: &Entry,
        plan: &Plan,
        (mut change, readings): (SchemaChange, Vec<Reading>),
        took: Duration,
    ) -> Result<(), EngineError> {
        let older_rows = (!readings.is_empty()).then(|| serde_json::to_string(&readings));
        let duration_ms = took.as_secs_f64() * 1e3;
        let record = AppliedSchemaChange {
            id: entry.id.clone(),
            version: entry.version,
            tag: entry.change.tag.clone(),
            statements: change.sql.clone(),
            not_applied: change.not_applied.clone(),
            duration_ms,
            commit_lsn: self.schema_changed_at,
            older_rows: older_rows.and_then(Result::ok),
        };
        let recorded = async {
            let writer = self.background.writer();
            writer.begin().await?;
            self.store.record(writer.session(), &record).await
        };
        recorded.await.map_err(|error| self.failed(error))?;
        change.duration_ms = Some(duration_ms);
        change.state = match (plan.steps.is_empty(), plan.not_applied.is_empty()) {
            (false, _) => SchemaState::Running,
            (true, false) => SchemaState::NotApplied,
            (true, true) => SchemaState::Skipped,
        };
        let objects = change.objects.join(", ");
        let ms = clock::shown_ms(took);
        match change.state {
            SchemaState::NotApplied => {}
            SchemaState::Skipped => {
                debug!(target: "schema", tag = entry.change.tag, objects, "schema change of nothing that replicates");
            }
            _ => {
                info!(target: "schema", tag = entry.change.tag, objects, ms, "schema change applied");
            }
        }
        self.open.schema_changes.push(change);
        Ok(())
    }

    /// Rows that came before their table was described go to it now.
    pub(super) async fn release_held(&mut self) -> Result<(), EngineError> {
        let waiting: Vec<_> = self.held.relations().map(Arc::clone).collect();
        for relation in waiting {
            let plan = match self.route(&relation).await? {
                Route::Table(plan) => Some(plan),
                // It came with an extension, as its entry says, and so did its rows.
                Route::Ignored => None,
                Route::SchemaLog | Route::Outbox | Route::Missing => continue,
            };
            let rows = self
                .held
                .take(relation.id)
                .map_err(|error| self.failed(error))?;
            let Some(plan) = plan else { continue };
            for row in rows.into_iter().flatten() {
                let row = row.map_err(|error| self.failed(error))?;
                self.gather(&plan, RowChange::Insert(row)).await?;
            }
        }
        Ok(())
    }
}

/// A statement that the target refused and that no row depends on.
struct RefusedStep {
    step: Step,
    reason: String,
}

impl RefusedStep {
    fn of(entry: &Entry, step: &Step, refusal: ApplyError) -> Self {
        let hint = refusal.hint().map(|hint| format!("; {hint}"));
        let causes = failure_of(&refused(entry, step, refusal), None).causes;
        let reason = format!(
            "the target refused it: {}{}",
            causes.join(": "),
            hint.unwrap_or_default()
        );
        warn!(target: "schema", tag = entry.change.tag, object = step.object, reason,
            "schema change is not applied");
        Self {
            step: step.clone(),
            reason,
        }
    }
}

fn leave_out(plan: &mut Plan, change: &mut SchemaChange, refused: Vec<RefusedStep>) {
    for RefusedStep { step, reason } in refused {
        plan.steps.retain(|planned| *planned != step);
        change.not_applied.push(not_applied(&step.object, &reason));
        let object = step.object;
        plan.not_applied.push(schema::NotApplied { object, reason });
    }
}

fn not_applied(object: &str, reason: &str) -> String {
    format!("{object}: {reason}")
}

/// PL/pgSQL refuses whatever would begin or end a transaction, which must stay ours: rows, schema
/// changes and the checkpoint stand or fall together. Names without a schema mean what they mean in
/// psql; our own statements name every schema and search none.
fn within_transaction(sql: &str) -> Step {
    let block = format!(
        "BEGIN \
         PERFORM pg_catalog.set_config('search_path', boot_val, true) \
         FROM pg_catalog.pg_settings WHERE name = 'search_path'; \
         EXECUTE {}; \
         PERFORM pg_catalog.set_config('search_path', '', true); \
         END",
        quote_literal(sql)
    );
    Step::new("an operator's own text", do_block(&block))
}

fn refused(entry: &Entry, step: &Step, source: ApplyError) -> EngineError {
    EngineError::SchemaRefused {
        id: entry.id.as_str().into(),
        tag: entry.change.tag.as_str().into(),
        object: step.object.as_str().into(),
        source,
    }
}

fn describe(entry: &Entry, plan: &Plan, lsn: Lsn) -> SchemaChange {
    SchemaChange {
        id: entry.id.clone(),
        version: entry.version,
        created_at: entry.created_at.clone(),
        tag: entry.change.tag.clone(),
        objects: entry.object_names(),
        statement: entry.change.statement.clone().unwrap_or_default(),
        sql: (plan.steps.iter().chain(&plan.behind_rows))
            .map(|step| step.sql.clone())
            .collect(),
        not_applied: (plan.not_applied.iter())
            .map(|part| not_applied(&part.object, &part.reason))
            .collect(),
        state: SchemaState::Running,
        before_after: entry.before_after(),
        duration_ms: None,
        error: None,
        end_lsn: Some(lsn),
    }
}
