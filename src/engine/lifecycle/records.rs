//! What both sides remember of pipelines, and what must not be true of it before a session begins.
//!
//! A checkpoint that is gone, and a second pipeline that brings the same tables, would both double
//! the rows of tables without a key, and nothing would fail.

use tracing::{debug, warn};

use crate::apply::{self, ApplyError, CheckpointStore, RunAs, Stream, WriteRules, Writer};
use crate::config::{Pipeline, TableFilter, key};
use crate::diagnose::continuity::{certain_misfit, checkpoint_is_gone};
use crate::diagnose::filled::{self, filled_table};
use crate::diagnose::requirements;
use crate::engine::EngineError;
use crate::engine::applier::OlderTypes;
use crate::engine::source_tables::SourceTables;
use crate::fault;
use crate::model::hint::{begin_anew, tear_down_command};
use crate::model::{Lsn, QualifiedName};
use crate::postgres::{self, DatabaseIdentity, PgError, Session};
use crate::schema::{PipelineRecord, install, source_tables};

use super::slot::SlotState;
use super::source_errors::SourceErrors;
use super::{copies, ready, tables};

const LIVE_SLOTS: &str = "\
SELECT s.slot_name::pg_catalog.text FROM pg_catalog.pg_replication_slots AS s
WHERE s.slot_name::pg_catalog.text = ANY ($1)";

/// What the target knew of this pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Nothing.
    Not,
    /// Its checkpoint, with other tables or none.
    WithoutFilter,
    /// All.
    WithFilter,
}

/// Our records on the target, opened.
pub(super) struct Opened {
    pub(super) writer: Writer,
    pub(super) store: CheckpointStore,
    pub(super) checkpoint: Lsn,
    pub(super) older_types: OlderTypes,
    /// The stream had begun before.
    pub(super) begun: bool,
}

/// What a session finds before it writes anything.
pub(super) struct Records<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) source: &'a Session,
    /// What the source remembers of this pipeline.
    pub(super) recorded: Option<PipelineRecord>,
    pub(super) target_identity: DatabaseIdentity,
    pub(super) stream: &'a Stream,
}

impl Records<'_> {
    /// Opens our records on the target and reads where it stands.
    pub(super) async fn open(
        &self,
        session: Session,
        sets: bool,
        (slot, wal_end): (&SlotState, Lsn),
    ) -> Result<Opened, EngineError> {
        let rules = WriteRules {
            on_conflict: self.pipeline.on_conflict,
            sets,
            keep_order: false,
            run_as: match self.pipeline.run_as_owner {
                true => RunAs::Owner,
                false => RunAs::Applier,
            },
            silence: false,
        };
        let confirmed_lsn = slot.confirmed_lsn;
        self.begin_anew_if_installed_anew(&session).await?;
        let opened = Writer::open(session, rules, self.stream.clone()).await;
        let (mut writer, store) = opened.map_err(|source| self.refused(source))?;
        let known = self.require(writer.session()).await?;
        let begun = copies::choose(self.pipeline, &store, &writer).await?;
        let loaded = match store.load(writer.session(), confirmed_lsn, wal_end).await {
            // The one who streamed before us may have been at work while we asked: then we ask again.
            Err(ApplyError::ForeignCheckpoint { slot_name, .. })
                if certain_misfit(self.pipeline, &slot_name).await.is_none() =>
            {
                let expected = confirmed_lsn;
                Err(ApplyError::Fenced {
                    slot_name,
                    expected,
                })
            }
            loaded => loaded,
        };
        let checkpoint = loaded.map_err(|source| self.refused(source))?;
        if known == Known::Not {
            self.say_what_is_there(writer.session()).await;
        }
        self.note(writer.session(), known).await?;
        writer.starts_at(checkpoint);
        let older_rows = store.older_rows(writer.session(), slot.restart_lsn);
        let older_rows = older_rows.await.map_err(|source| self.refused(source))?;
        Ok(Opened {
            writer,
            store,
            checkpoint,
            older_types: OlderTypes::known(older_rows),
            begun,
        })
    }

    /// What an installation has left that was torn down since is not where this one goes on.
    async fn begin_anew_if_installed_anew(&self, target: &Session) -> Result<(), EngineError> {
        let slot_name = &self.stream.slot_name;
        let refused = |source| self.refused(source);
        apply::install_records(target).await.map_err(refused)?;
        let left = apply::mark(target, slot_name).await.map_err(refused)?;
        let identity = self.recorded.as_ref();
        let identity = identity.and_then(|recorded| recorded.identity.as_deref());
        let source = (&*self.stream.system_identifier, &*self.stream.database_name);
        let Some(left) = left.filter(|left| left.is_of_another(identity, source)) else {
            return Ok(());
        };
        let verify = "pgstream verify --repair";
        warn!(target: "slot", slot = %slot_name, hint = verify, "the target has the mark of an earlier \
            installation of this pipeline, which was removed when it stood at {}: it begins anew here, and \
            what has changed on the source in between is not on the target; {verify} finds and brings it",
            left.end_lsn);
        let forgotten = apply::forget_stream(target, slot_name).await;
        forgotten.map_err(refused)
    }

    /// Rows that came otherwise, as with a dump, are as old as that.
    async fn say_what_is_there(&self, target: &Session) {
        if self.pipeline.snapshot.enabled {
            return;
        }
        match filled_table(self.source, target, &self.pipeline.filter).await {
            Ok(Some(table)) => {
                let hint = filled::hint(&self.pipeline.source.as_argument());
                warn!(target: "slot", hint, "{table} {}", filled::FILLED);
            }
            Ok(None) => {}
            Err(error) => debug!(target: "slot", %error, "cannot look whether the target has rows"),
        }
    }

    /// Looks whether the checkpoint is gone that the slot goes on from, and who else brings the same
    /// tables.
    async fn require(&self, target: &Session) -> Result<Known, EngineError> {
        let ours = self.require_alone(target).await?;
        Ok(match ours {
            Some(ours) if ours.filter.as_ref() == Some(&self.pipeline.filter) => Known::WithFilter,
            Some(_) => Known::WithoutFilter,
            None => {
                self.require_never_applied().await?;
                Known::Not
            }
        })
    }

    /// Returns our own record.
    async fn require_alone(
        &self,
        target: &Session,
    ) -> Result<Option<apply::PipelineRecord>, EngineError> {
        let found = apply::pipelines(target, self.stream).await;
        let found = found.map_err(|source| self.refused(source))?;
        let (ours, others): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|found| found.slot_name == self.stream.slot_name);
        if !others.is_empty() {
            self.require_other_tables(others).await?;
        }
        Ok(ours.into_iter().next())
    }

    fn refused(&self, source: ApplyError) -> EngineError {
        EngineError::Apply {
            endpoint: self.pipeline.target.endpoint(),
            source,
        }
    }

    async fn require_never_applied(&self) -> Result<(), EngineError> {
        let Pipeline {
            snapshot, filter, ..
        } = self.pipeline;
        let copied = snapshot.enabled.then_some(&snapshot.tables);
        let (slot_name, source) = (&self.stream.slot_name, &self.pipeline.source);
        let unmet = requirements::checkpoint(
            slot_name,
            (self.recorded.as_ref(), &self.target_identity),
            (copied, filter),
            begin_anew(&source.as_argument(), slot_name),
        );
        match unmet {
            Some(unmet) if checkpoint_is_gone(self.pipeline, slot_name).await => {
                Err(ready::unfit("target", &self.pipeline.target, unmet))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Two may begin at the same time: each then sees the other here. What was refused leaves nothing.
    async fn require_first(&self, target: &Session) -> Result<(), EngineError> {
        let Err(error) = self.require_alone(target).await else {
            return Ok(());
        };
        let forgotten = apply::forget_checkpoint(target, &self.stream.slot_name).await;
        forgotten.map_err(|source| self.refused(source))?;
        Err(error)
    }

    async fn require_other_tables(
        &self,
        others: Vec<apply::PipelineRecord>,
    ) -> Result<(), EngineError> {
        let errors = SourceErrors(&self.pipeline.source);
        let names: Vec<&str> = others.iter().map(|other| &*other.slot_name).collect();
        let live = self.source.rows(LIVE_SLOTS, &[&names]).await;
        let live = live.map_err(|error| errors.failed("look for the slots of others", error))?;
        let live: Vec<String> = live.iter().map(|row| row.get(0)).collect();
        for other in others
            .iter()
            .filter(|other| live.contains(&other.slot_name))
        {
            match &other.filter {
                Some(filter) => self.require_apart(&other.slot_name, filter).await?,
                None => warn!(target: "apply", slot = other.slot_name,
                    "the pipeline of slot {} applies this source to this target, too: a table that both \
                     select gets its rows twice", other.slot_name),
            }
        }
        Ok(())
    }

    async fn require_apart(
        &self,
        slot_name: &str,
        filter: &TableFilter,
    ) -> Result<(), EngineError> {
        let errors = SourceErrors(&self.pipeline.source);
        let families = SourceTables::new(tables::of_source(self.source, &errors).await?);
        let tables = source_tables(self.source).await;
        let tables = tables.map_err(|error| errors.failed("list the tables", error))?;
        let both = |table: &QualifiedName| {
            families.selects(filter, table) && families.selects(&self.pipeline.filter, table)
        };
        let first = tables
            .iter()
            .map(|table| &table.name)
            .find(|name| both(name));
        let everything = filter.selects_everything() && self.pipeline.filter.selects_everything();
        if first.is_none() && !everything {
            return Ok(());
        }
        let what = first.map_or_else(|| "every table".to_owned(), |name| format!("table {name}"));
        Err(EngineError::SlotUnusable {
            slot_name: self.stream.slot_name.clone(),
            reason: format!(
                "the pipeline of slot {slot_name} applies this source to the target {}, too, and both \
                 select {what}: its rows would be there twice",
                self.pipeline.target.endpoint()
            ),
            hint: format!(
                "let PGSTREAM_FILTER_INCLUDE_TABLES and PGSTREAM_FILTER_EXCLUDE_TABLES of the two leave no \
                 table to both; or remove the one that nobody needs: {}",
                tear_down_command(&self.pipeline.source.as_argument(), slot_name)
            ),
        })
    }

    /// Writes down, behind the checkpoint, which tables are brought, and on the source whither.
    async fn note(&self, target: &Session, known: Known) -> Result<(), EngineError> {
        let slot_name = &self.stream.slot_name;
        if known != Known::WithFilter {
            let noted = apply::note_filter(target, slot_name, &self.pipeline.filter).await;
            noted.map_err(|source| self.refused(source))?;
        }
        if known == Known::Not {
            self.require_first(target).await?;
        }
        let place = self.target_identity.lasting();
        let Some(recorded) = &self.recorded else {
            return Ok(());
        };
        if let Some(identity) = &recorded.identity {
            let noted = apply::note_installation(target, slot_name, identity).await;
            noted.map_err(|source| self.refused(source))?;
        }
        if recorded.target.as_ref() == Some(&place) {
            return Ok(());
        }
        if !recorded.writable {
            let hint = install::grant_pipeline(self.pipeline.source.user());
            warn!(target: "slot", hint, "cannot note on the source where this pipeline is applied: should \
                its checkpoint on the target get lost, nobody would notice");
            return Ok(());
        }
        let errors = SourceErrors(&self.pipeline.source);
        fault::point(fault::START_BEFORE_NOTE);
        let noted = self.note_on_primary(slot_name, &place).await;
        noted.map_err(|error| errors.failed("note where the pipeline is applied", error))?;
        fault::point(fault::START_AFTER_NOTE);
        Ok(())
    }

    /// A standby takes no notes; the schema log is on its primary.
    async fn note_on_primary(&self, slot_name: &str, place: &str) -> Result<(), PgError> {
        if !self.source.is_standby().await? {
            return install::note_target(self.source, slot_name, place).await;
        }
        let Some(settings) = &self.pipeline.schema_log else {
            warn!(target: "slot", "the source is a standby, and {} names no primary: should the checkpoint on \
                the target get lost, nobody would notice", key::SCHEMA_LOG_URL);
            return Ok(());
        };
        let primary = postgres::connect(settings, "pgstream").await?;
        install::note_target(&primary, slot_name, place).await
    }
}
