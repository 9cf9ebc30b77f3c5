//! Connects both sides and checks that they fit, before the first row moves.
//!
//! The three sessions are opened at the same time, because opening is what takes time: a process on the
//! server, its caches, and the network there and back. Nothing is changed on the target before the source has
//! said that the slot is there and free.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{debug, info};

use crate::apply::{CheckpointStore, WriteRules, Writer};
use crate::config::{ConnectionSettings, Pipeline, key, publication_name};
use crate::decode::Decoder;
use crate::diagnose::stops;
use crate::engine::applier::{Applier, Limits, OlderTypes, Parts, StreamPublication};
use crate::engine::counters::Counters;
use crate::engine::feedback::Feedback;
use crate::engine::paired::{PairedRequest, Recent};
use crate::engine::route::Router;
use crate::engine::source_tables::{SourceTable, SourceTables};
use crate::engine::stream::{SessionEnd, State, Stream};
use crate::engine::watchdog::Pulse;
use crate::engine::{EngineError, acknowledge};
use crate::model::hint::begin_anew;
use crate::model::{Lsn, QualifiedName};
use crate::postgres::{
    self, DatabaseIdentity, FeedbackWriter, ReplicationConnection, Session, SystemIdentity,
    WalReader,
};
use crate::runtime::{clock, supervise};
use crate::schema::{PipelineRecord, install};
use crate::snapshot::TableSync;
use crate::status::{Command, CommandAnswer, Failure};

use super::copies::{self, RoundStart};
use super::records::Records;
use super::slot::{SlotState, find_slot};
use super::source_errors::SourceErrors;
use super::{Lifecycle, Request, ready, silence_timeout, tables};

/// Both sides are ready within this, or there is something between us that passes nothing on. Each
/// attempt to connect has a bound of its own; this is for the questions that follow.
const CONNECTING_MAX: Duration = Duration::from_secs(180);

/// However little time is left to try: a healthy start on a busy machine takes less.
const CONNECTING_MIN: Duration = Duration::from_secs(10);

/// Both sides, connected.
pub(super) struct Connected {
    reader: WalReader,
    feedback: FeedbackWriter,
    walsender_timeout: Option<Duration>,
    decoder: Decoder,
    writer: Writer,
    store: CheckpointStore,
    checkpoint: Lsn,
    older_types: OlderTypes,
    table_sync: TableSync,
    slot_name: String,
    /// Tables are or were copied.
    pub(super) has_copies: bool,
    /// The stop of a run before, until the stream is past it.
    pub(super) last_stop: Option<Failure>,
    tables: Vec<SourceTable>,
    /// What a snapshot of the source must show to be compared.
    recent: Recent,
}

impl Connected {
    /// Returns the process on the target that serves the writing session.
    pub(super) const fn writer_pid(&self) -> i32 {
        self.writer.process_id()
    }
}

impl Lifecycle {
    /// Connects; a command to stop is heard meanwhile.
    pub(super) async fn connect_or_stop(
        &mut self,
    ) -> Result<ControlFlow<SessionEnd, Connected>, EngineError> {
        let Self {
            requests,
            pipeline,
            publisher,
            acknowledge,
            row_by_row,
            first_session,
            retry,
            ..
        } = self;
        let left = retry.left(clock::now().into_std()).max(CONNECTING_MIN);
        let connecting_max = CONNECTING_MAX.min(left);
        let connecting = async {
            let connected = connect(pipeline, (row_by_row.is_none(), *first_session), |slot| {
                publisher.update(|status| {
                    status.slot_name.clone_from(&slot.name);
                    status.plugin.clone_from(&slot.plugin);
                });
            })
            .await?;
            if let Some(settings) = &pipeline.schema_log {
                let source_endpoint = pipeline.source.endpoint();
                for id in left_over(settings, &connected, source_endpoint).await? {
                    // When the queue is full, the next start acknowledges what is left.
                    drop(acknowledge.try_send(id));
                }
            }
            Ok(connected)
        };
        tokio::select! {
            biased;
            end = stop_asked(requests) => Ok(ControlFlow::Break(end)),
            connected = timeout(connecting_max, connecting) => match connected {
                Ok(connected) => connected.map(ControlFlow::Continue),
                Err(_elapsed) => Err(EngineError::NotReady { after: connecting_max }),
            },
        }
    }

    fn limits(&self) -> Limits {
        let limits = Limits::new(&self.pipeline.batch);
        match self.row_by_row {
            Some(_) => limits.each_alone(),
            None => limits,
        }
    }

    fn router(&self, rules: WriteRules, tables: Vec<SourceTable>, names_lag: bool) -> Router {
        let (filter, left_out) = (self.pipeline.filter.clone(), self.pipeline.left_out.clone());
        let selection = (filter, left_out, SourceTables::new(tables));
        let follows_schema = self.pipeline.schema_log.is_some();
        let mut router = Router::new(selection, rules, follows_schema, names_lag);
        for table in &self.row_by_row_tables {
            router.write_row_by_row(table.clone());
        }
        router
    }

    /// Makes a session's stream out of connected sides.
    pub(super) fn stream(
        &mut self,
        connected: Connected,
        counters: Counters,
        paired_requests: mpsc::Receiver<PairedRequest>,
    ) -> Stream<'_> {
        let Connected {
            reader,
            feedback,
            walsender_timeout,
            decoder,
            writer,
            store,
            checkpoint,
            older_types,
            table_sync,
            slot_name,
            tables,
            recent,
            ..
        } = connected;
        let position = table_sync.start();
        let target_end = writer.session().lifeline();
        let silence_max = self
            .silence_timeout
            .of_source(&self.pipeline.source, walsender_timeout);
        let every = silence_timeout::between_feedbacks(walsender_timeout, silence_max);
        let (feedback, task) = Feedback::new(feedback, table_sync.confirmable(position), every);
        let names_lag = matches!(decoder, Decoder::Pgoutput(_));
        let anew = begin_anew(&self.pipeline.source.as_argument(), &slot_name);
        let router = self.router(writer.rules(), tables, names_lag);
        let row_by_row_tables = self.row_by_row.as_ref().map(|row_by_row| row_by_row.until);
        let parts = Parts {
            source: self.pipeline.source.clone(),
            endpoint: self.pipeline.target.endpoint(),
            writer,
            store,
            router,
            limits: self.limits(),
            checkpoint,
            older_types,
            table_sync,
            copies: self.copies.link(&slot_name),
            edit: self.edit.clone(),
            publication: stream_publication(&decoder, &slot_name, &anew),
            publisher: self.publisher.clone(),
            counters,
            acknowledge: self.acknowledge.clone(),
        };
        Stream {
            endpoint: self.pipeline.source.endpoint(),
            anew,
            reader,
            decoder,
            events: Vec::new(),
            applier: Applier::new(parts),
            feedback,
            feedback_task: supervise::spawn("feedback", task),
            target_end,
            publisher: self.publisher.clone(),
            skip: self.skip.take(),
            state: State::new(position, self.paused, row_by_row_tables, recent),
            requests: &mut self.requests,
            copy_requests: self.copies.copy_requests(),
            paired_requests,
            silence_max,
            pulse: Pulse::default(),
        }
    }
}

/// Only `pgoutput` needs one.
fn stream_publication(decoder: &Decoder, slot_name: &str, anew: &str) -> Option<StreamPublication> {
    matches!(decoder, Decoder::Pgoutput(_)).then(|| StreamPublication {
        name: publication_name(slot_name),
        anew: anew.to_owned(),
    })
}

async fn connect(
    pipeline: &Pipeline,
    (sets, first_session): (bool, bool),
    show: impl Fn(&SlotState),
) -> Result<Connected, EngineError> {
    let on_source = SourceErrors(&pipeline.source);
    let source = async {
        let (asked, replication) = tokio::join!(
            ask_source(pipeline, &on_source, show),
            open_replication(pipeline, &on_source),
        );
        // What keeps both away is told of the session that everybody knows.
        Ok::<_, EngineError>((asked?, replication?))
    };
    // Where both are away, it is always the source that is reported.
    let (source, target) = tokio::join!(source, open_target(pipeline, first_session));
    let ((asked, (replication, identity)), (session, target)) = (source?, target?);
    ready::require_another_database(pipeline, &asked.identity, &target)?;
    let (slot, mut decoder) = (asked.slot, asked.decoder);
    let records = Records {
        pipeline,
        source: &asked.session,
        recorded: asked.recorded,
        target_identity: target,
        stream: &stream_of(&slot, &identity),
    };
    let opened = records
        .open(session, sets, (&slot, identity.wal_end))
        .await?;
    let recent = Recent::read(&asked.session).await;
    let recent = recent.map_err(|error| on_source.failed("ask what is in progress", error))?;
    let positions = (opened.checkpoint, slot.confirmed_lsn);
    let start = RoundStart {
        by_name: !matches!(decoder, Decoder::Pgoutput(_)),
        first_session,
        begun: opened.begun,
    };
    let in_reach = copies::table_sync(pipeline, &slot.name, &opened.writer, positions, start).await;
    let (table_sync, has_copies) = in_reach?;

    let publication = publication_name(&slot.name);
    let choices = decoder.option_choices(&publication, &asked.materialized_views);
    let from = table_sync.start();
    let started = replication.start_with_first(&slot.name, from, &choices);
    let started = started.await;
    let (choice, reader, feedback) =
        started.map_err(|error| on_source.failed("start streaming", error))?;
    decoder.started_with(choice);
    let last_stop = last_stop(&opened.writer, &slot.name, first_session).await;
    info!(target: "slot", slot = slot.name, plugin = slot.plugin, lsn = %from,
        "streaming started");
    Ok(Connected {
        last_stop,
        reader,
        feedback,
        walsender_timeout: asked.walsender_timeout,
        decoder,
        writer: opened.writer,
        store: opened.store,
        checkpoint: opened.checkpoint,
        older_types: opened.older_types,
        table_sync,
        slot_name: slot.name,
        has_copies,
        tables: asked.tables,
        recent,
    })
}

/// Forgets a stop that is overcome now that the stream has begun, and returns the one that is not.
async fn last_stop(writer: &Writer, slot_name: &str, first_session: bool) -> Option<Failure> {
    let stop = stops::begin(writer.session(), slot_name).await;
    let stop = stop.unwrap_or_else(|error| {
        debug!(target: "apply", %error, "cannot read the last stop");
        None
    });
    if let Some(stop) = stop.as_ref().filter(|_| first_session) {
        info!(target: "apply", at = stops::at(stop), causes = stop.why(), "stopped last: {}", stop.message);
    }
    stop
}

async fn open_target(
    pipeline: &Pipeline,
    first_session: bool,
) -> Result<(Session, DatabaseIdentity), EngineError> {
    let session = Writer::connect(&pipeline.target, pipeline.disable_triggers).await;
    let session = session.map_err(|source| EngineError::Apply {
        endpoint: pipeline.target.endpoint(),
        source,
    })?;
    if first_session {
        let own = session.require_own_process().await;
        own.map_err(|source| EngineError::Target {
            operation: "use the session",
            endpoint: pipeline.target.endpoint(),
            source,
        })?;
    }
    let identity = ready::identify_target(&session, &pipeline.target).await?;
    Ok((session, identity))
}

/// The stream that the target's records are about.
fn stream_of(slot: &SlotState, identity: &SystemIdentity) -> crate::apply::Stream {
    crate::apply::Stream {
        slot_name: slot.name.clone(),
        system_identifier: identity.system_identifier.clone(),
        database_name: slot.database.clone(),
        timeline: identity.timeline,
    }
}

/// What the source says about itself and the slot.
struct AskedSource {
    session: Session,
    recorded: Option<PipelineRecord>,
    slot: SlotState,
    identity: DatabaseIdentity,
    walsender_timeout: Option<Duration>,
    decoder: Decoder,
    materialized_views: Vec<QualifiedName>,
    tables: Vec<SourceTable>,
}

async fn ask_source(
    pipeline: &Pipeline,
    errors: &SourceErrors<'_>,
    show: impl Fn(&SlotState),
) -> Result<AskedSource, EngineError> {
    let source = postgres::connect(&pipeline.source, "pgstream").await;
    let source = source.map_err(|error| errors.failed("open a session", error))?;
    let walsender_timeout = walsender_timeout(&source, errors).await?;
    let holder_timeout = silence_timeout::of_slot_holder(walsender_timeout);
    let slot = find_slot(&source, pipeline.slot.as_ref(), holder_timeout, errors).await?;
    show(&slot);
    let decoder = decoder_of(&slot, pipeline)?;
    ready::require_safe_functions(&source, &slot.name, errors).await?;
    ready::require_publication(&source, (&slot.name, &slot.plugin), errors).await?;
    if pipeline.schema_log.is_some() {
        ready::require_event_triggers(&source, &slot.name, errors).await?;
    }
    let identity = source.identity().await;
    let identity = identity.map_err(|error| errors.failed(ready::IDENTIFY, error))?;
    // Asked only where the answer changes something: everybody waits for the start.
    let materialized_views = match &decoder {
        Decoder::Pgoutput(_) => Vec::new(),
        Decoder::Wal2json(_) => materialized_views(&source, errors).await?,
    };
    let tables = tables::of_source(&source, errors).await?;
    let recorded = install::pipeline_record(&source, &slot.name).await;
    let recorded =
        recorded.map_err(|error| errors.failed("look for the pipeline's record", error))?;
    Ok(AskedSource {
        session: source,
        recorded,
        slot,
        identity,
        walsender_timeout,
        decoder,
        materialized_views,
        tables,
    })
}

async fn materialized_views(
    source: &Session,
    errors: &SourceErrors<'_>,
) -> Result<Vec<QualifiedName>, EngineError> {
    let sql = "SELECT schemaname::pg_catalog.text, matviewname::pg_catalog.text \
               FROM pg_catalog.pg_matviews";
    let rows = source.rows(sql, &[]).await;
    let rows = rows.map_err(|error| errors.failed("ask for materialized views", error))?;
    let name = |row: &tokio_postgres::Row| {
        QualifiedName::new(row.get::<_, &str>(0), row.get::<_, &str>(1))
    };
    Ok(rows.iter().map(name).collect())
}

async fn open_replication(
    pipeline: &Pipeline,
    errors: &SourceErrors<'_>,
) -> Result<(ReplicationConnection, SystemIdentity), EngineError> {
    let replication = ReplicationConnection::connect(&pipeline.source).await;
    let mut replication =
        replication.map_err(|error| errors.failed("open a replication session", error))?;
    let identity = replication.identify_system().await;
    let identity = identity.map_err(|error| errors.failed("identify the system", error))?;
    Ok((replication, identity))
}

fn decoder_of(slot: &SlotState, pipeline: &Pipeline) -> Result<Decoder, EngineError> {
    let lsn = slot.confirmed_lsn;
    Decoder::for_plugin(&slot.plugin)
        .map(|decoder| decoder.with_null_numbers(pipeline.null_numbers))
        .map_err(|source| EngineError::Decode { lsn, source })
}

/// Returns after how long the source gives up a reader that it does not hear; none: never (manual,
/// section 20.6.1).
async fn walsender_timeout(
    source: &Session,
    errors: &SourceErrors<'_>,
) -> Result<Option<Duration>, EngineError> {
    let sql = "SELECT setting::pg_catalog.int8 FROM pg_catalog.pg_settings \
               WHERE name = 'wal_sender_timeout'";
    let row = source.row(sql, &[]).await;
    let row = row.map_err(|error| errors.failed("ask for wal_sender_timeout", error))?;
    let milliseconds: i64 = row.map_or(0, |row| row.get(0));
    let timeout = Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
    Ok(Some(timeout).filter(|timeout| !timeout.is_zero()))
}

/// The schema changes that a crash kept from being acknowledged.
async fn left_over(
    settings: &ConnectionSettings,
    connected: &Connected,
    source_endpoint: String,
) -> Result<Vec<String>, EngineError> {
    let errors = SourceErrors(settings);
    let log = postgres::connect(settings, "pgstream schema log").await;
    let log = log.map_err(|error| errors.failed("open the schema log", error))?;
    let system = log.system().await;
    let system = system.map_err(|error| errors.failed("look whose schema log it is", error))?;
    let stream = connected.store.stream();
    if system
        != (
            stream.system_identifier.clone(),
            stream.database_name.clone(),
        )
    {
        return Err(EngineError::NotTheSource {
            what: "schema changes cannot be acknowledged",
            key: key::SCHEMA_LOG_URL,
            store: settings.endpoint(),
            source_endpoint,
        });
    }
    Ok(acknowledge::left_over(&log, &connected.writer, &connected.store).await)
}

/// Waits until somebody asks to stop; other commands make no sense yet.
async fn stop_asked(requests: &mut mpsc::Receiver<Request>) -> SessionEnd {
    while let Some(Request { command, answer }) = requests.recv().await {
        let stop = command == Command::Stop;
        let reply = if stop {
            CommandAnswer::Accepted
        } else {
            CommandAnswer::Refused("the engine is connecting".to_owned())
        };
        // Nobody has to wait for the answer.
        drop(answer.send(reply));
        if stop {
            break;
        }
    }
    SessionEnd::Stop
}
