//! The engine's life: connect, stream, and what to do when a session ends.
//!
//! ```text
//!            ┌──────── back off ◄── temporary
//!            ▼                          │
//!  start ─> connect ─> stream ─> session ends ─> data refused ─> once more, row by row
//!            ▲                          │             └─> again ─> hold / end
//!            └──────── retry, skip ◄── hold           stop ─> end
//! ```

mod connect;
mod copies;
mod ready;
mod records;
mod silence_timeout;
mod slot;
mod source_errors;
mod tables;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, error, info, warn};

use crate::config::{Pipeline, key};
use crate::diagnose::stops;
use crate::engine::failure::failure_of;
use crate::model::{Classify as _, ErrorClass, Lsn, QualifiedName};
use crate::runtime::{Retry, clock, supervise};
use crate::snapshot::Copies;
use crate::status::{
    Command, CommandAnswer, FailedTransaction, Failure, Outcome, Phase, Request, SchemaEdit,
    SchemaState, StatusPublisher,
};

use super::counters::Counters;
use super::options::EngineOptions;
use super::stream::SessionEnd;
use super::{
    EngineError, acknowledge, monitor, paired, presence, prune, sequences, silent, watchdog,
};

use silence_timeout::SilenceTimeout;

/// A session that lasted this long worked, even if the source had nothing to say: the next failure
/// is a new one.
const STEADY: Duration = Duration::from_secs(10);

/// The last word to the source needs no more; what it does not hear, it sends again.
const FINISH_MAX: Duration = Duration::from_secs(10);

/// What lives through all sessions.
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct Lifecycle {
    pipeline: Pipeline,
    options: EngineOptions,
    publisher: StatusPublisher,
    requests: mpsc::Receiver<Request>,
    acknowledge: mpsc::Sender<String>,
    acknowledgements: Option<mpsc::Receiver<String>>,
    copies: Copies,
    counters: Counters,
    retry: Retry,
    paused: bool,
    skip: Option<(Lsn, String)>,
    /// What runs for a schema change in place of its plan; its id never comes a second time.
    edit: Option<SchemaEdit>,
    row_by_row: Option<RowByRow>,
    row_by_row_tables: HashSet<QualifiedName>,
    silence_timeout: SilenceTimeout,
    /// Since when the slot is held by somebody else.
    in_use_since: Option<Instant>,
    /// No session has begun yet.
    first_session: bool,
    /// The operator has asked for the end.
    stopping: bool,
    /// The stream has ended in order.
    finished: bool,
}

/// A transaction that failed as sets and is repeated row by row.
#[derive(Debug, Clone)]
struct RowByRow {
    /// Row by row until this transaction is through.
    until: Lsn,
    /// The table whose set failed.
    table: Option<QualifiedName>,
}

impl Lifecycle {
    pub(super) fn new(
        pipeline: Pipeline,
        options: EngineOptions,
        publisher: StatusPublisher,
        requests: mpsc::Receiver<Request>,
        copies: Copies,
    ) -> Self {
        let (acknowledge, acknowledgements) = mpsc::channel(acknowledge::QUEUE_MAX);
        let reason = "asked for at the start of the engine".to_owned();
        Self {
            retry: Retry::new(pipeline.retry_timeout),
            skip: options.skip.map(|lsn| (lsn, reason)),
            edit: options.edit.clone(),
            pipeline,
            options,
            publisher,
            requests,
            acknowledge,
            acknowledgements: Some(acknowledgements),
            copies,
            counters: Counters::default(),
            paused: false,
            row_by_row: None,
            row_by_row_tables: HashSet::new(),
            silence_timeout: SilenceTimeout::default(),
            in_use_since: None,
            first_session: true,
            stopping: false,
            finished: false,
        }
    }

    /// Runs until the operator or a failure ends the engine.
    pub(super) async fn run(mut self) -> Outcome {
        let monitor = monitor::run(self.pipeline.source.clone(), self.publisher.clone());
        let _monitor = supervise::spawn("monitor", monitor);
        let presence = presence::run(self.pipeline.target.clone(), self.publisher.clone());
        let _presence = supervise::spawn("presence", presence);
        let _acknowledge = self
            .acknowledgements
            .take()
            .zip(self.pipeline.schema_log.clone())
            .map(|(ids, settings)| {
                supervise::spawn("acknowledge", acknowledge::run(settings, ids))
            });
        let _prune = self.pipeline.schema_log.clone().map(|schema_log| {
            let records = prune::Records {
                schema_log,
                target: self.pipeline.target.clone(),
                publisher: self.publisher.clone(),
                keep: self.pipeline.schema_log_retention,
            };
            supervise::spawn("prune", prune::run(records))
        });
        let schema_log = self.pipeline.schema_log.clone();
        let _silent = schema_log.map(|log| supervise::spawn("silent changes", silent::run(log)));
        let (follower, asked) = mpsc::channel(1);
        let follow = sequences::run(self.pipeline.clone(), self.publisher.clone(), asked);
        let _sequences = supervise::spawn("sequences", follow);
        if self.pipeline.schema_log.is_none() {
            warn!(target: "schema", "rows only: schema changes do not replicate while {} is not set",
                key::SCHEMA_LOG_URL);
        }
        loop {
            if let ControlFlow::Break(outcome) = self.one_session().await {
                if self.finished {
                    sequences::look_last(&follower).await;
                }
                self.publisher.phase(&Phase::Stopped);
                return outcome;
            }
        }
    }

    async fn one_session(&mut self) -> ControlFlow<Outcome> {
        let mut transaction = None;
        match Box::pin(self.session(&mut transaction)).await {
            Ok(SessionEnd::Stop) => {
                info!(target: "slot", "stopped");
                if let Some((lsn, _)) = &self.skip {
                    warn!(target: "apply", %lsn, "nothing was skipped: the transaction of this position has not come yet");
                }
                ControlFlow::Break(Outcome::Stopped)
            }
            Ok(SessionEnd::Reconnect) => ControlFlow::Continue(()),
            Err(error) => self.after(error, transaction).await,
        }
    }

    /// Connects and streams. Commands are heard while connecting, too.
    async fn session(
        &mut self,
        transaction: &mut Option<FailedTransaction>,
    ) -> Result<SessionEnd, EngineError> {
        self.publisher.phase(&Phase::Starting);
        let mut connected = match self.connect_or_stop().await? {
            ControlFlow::Continue(connected) => connected,
            ControlFlow::Break(end) => return Ok(end),
        };
        let last_stop = connected.last_stop.take();
        self.publisher
            .update(|status| status.last_error = last_stop);
        let counters = std::mem::take(&mut self.counters);
        let phase = if self.paused {
            Phase::Paused
        } else {
            Phase::Streaming { behind: true }
        };
        self.publisher.phase(&phase);
        let target = self.pipeline.target.clone();
        let writer_pid = connected.writer_pid();
        self.first_session = false;
        if connected.has_copies {
            let slot_name = self.publisher.latest().slot_name.clone();
            self.copies
                .look_for_work(&self.pipeline, &slot_name, &self.publisher);
        }
        let slot_name = self.publisher.latest().slot_name.clone();
        let (pair, paired_requests) = mpsc::channel(1);
        let _paired = supervise::spawn(
            "paired snapshot",
            paired::serve(target.clone(), slot_name, pair),
        );
        let mut stream = self.stream(connected, counters, paired_requests);
        let (from, started) = (stream.applier.position(), clock::now());
        let watch = watchdog::watch(&target, writer_pid, stream.pulse.clone());
        let end = tokio::select! {
            biased;
            end = stream.run() => end,
            silent = watch => Err(silent),
        };
        *transaction = stream.suspect(end.as_ref().err());
        let stopping = stream.is_stopping();
        let worked = stream.applier.position() > from || started.elapsed() >= STEADY;
        let (paused, skip) = (stream.is_paused(), stream.skip.take());
        let (end, counters) = match end {
            Ok(end) => {
                let finished = timeout(FINISH_MAX, stream.finish()).await;
                finished.map_or((Ok(end), Counters::default()), |(finished, counters)| {
                    (finished.map(|()| end), counters)
                })
            }
            Err(error) => (Err(error), stream.into_counters()),
        };
        if worked {
            self.retry.reset();
            self.silence_timeout.relax();
        }
        self.stopping = stopping;
        self.finished = end.as_ref().is_ok_and(|end| *end == SessionEnd::Stop);
        self.counters = counters;
        self.paused = paused;
        self.skip = skip;
        if end.is_ok()
            && let Some(row_by_row) = self.row_by_row.take()
        {
            self.row_by_row_tables.extend(row_by_row.table);
        }
        end
    }

    async fn after(
        &mut self,
        error: EngineError,
        transaction: Option<FailedTransaction>,
    ) -> ControlFlow<Outcome> {
        let held = self.is_slot_held(&error);
        match error.class() {
            ErrorClass::Transient | ErrorClass::Data if self.gives_way(&error) => {
                ControlFlow::Break(Outcome::Stopped)
            }
            ErrorClass::Transient if held => {
                let failure = Failure {
                    class: ErrorClass::Operator,
                    ..failure_of(&error, None)
                };
                self.stand_still(failure).await
            }
            ErrorClass::Transient => self.back_off(&error).await,
            ErrorClass::Data | ErrorClass::Operator | ErrorClass::Bug if error.refuses_work() => {
                self.refused(error, transaction).await
            }
            ErrorClass::Data | ErrorClass::Operator | ErrorClass::Usage | ErrorClass::Bug => {
                self.stand_still(failure_of(&error, None)).await
            }
        }
    }

    /// The target refuses something: once more, row by row, then stand there. So for what the plugin left
    /// out: it may be of a materialized view that was made meanwhile, and the next session names them all to it.
    async fn refused(
        &mut self,
        error: EngineError,
        transaction: Option<FailedTransaction>,
    ) -> ControlFlow<Outcome> {
        // A publication that is not as it should be keeps the next session from its start.
        let repeats = !matches!(error, EngineError::PublicationAltered { .. });
        if repeats && self.row_by_row.is_none() && transaction.is_some() {
            self.retry_row_by_row(&error, transaction);
            return ControlFlow::Continue(());
        }
        self.row_by_row = None;
        self.stand_still(failure_of(&error, transaction)).await
    }

    /// Returns whether a failure changes nothing, because the operator has asked for the end: what is
    /// not durable comes again at the next start. A transaction that the target surely refuses is
    /// worth telling all the same.
    fn gives_way(&self, error: &EngineError) -> bool {
        let gives_way =
            self.stopping && (error.class() != ErrorClass::Data || self.row_by_row.is_none());
        if gives_way {
            info!(target: "slot", "stopped: {error}");
        }
        gives_way
    }

    /// Returns whether somebody who lives holds the slot, not a predecessor whose end the source has
    /// yet to notice.
    fn is_slot_held(&mut self, error: &EngineError) -> bool {
        if let EngineError::Silent { side: "source", .. } = error {
            self.silence_timeout.stretch();
        }
        let EngineError::SlotInUse {
            silence_timeout, ..
        } = error
        else {
            self.in_use_since = None;
            return false;
        };
        let since = *self.in_use_since.get_or_insert_with(clock::now);
        since.elapsed() >= *silence_timeout
    }

    /// Sets of rows can fail where single rows do not (two rows that swap a unique value); and a
    /// row by row repetition names the row's transaction and statement.
    fn retry_row_by_row(&mut self, error: &EngineError, transaction: Option<FailedTransaction>) {
        let Some(transaction) = transaction else {
            return;
        };
        let table = error
            .apply()
            .and_then(crate::apply::ApplyError::table)
            .cloned();
        info!(target: "apply", lsn = %transaction.commit_lsn,
            "repeating up to this transaction row by row");
        self.row_by_row = Some(RowByRow {
            until: transaction.commit_lsn,
            table,
        });
    }

    async fn back_off(&mut self, error: &EngineError) -> ControlFlow<Outcome> {
        let failure = failure_of(error, None);
        let Some((attempt, wait)) = self.retry.next(clock::now().into_std()) else {
            return self.stand_still(failure).await;
        };
        self.counters.add_reconnect();
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        let hint = failure.hint.as_deref().filter(|_| attempt == 1);
        warn!(target: "slot", attempt, wait_ms, causes = failure.why(), hint, "{}; trying again", failure.message);
        self.publisher.failed(&failure);
        self.publisher.phase(&Phase::Retrying {
            attempt,
            next_at_ms: clock::unix_ms() + wait_ms,
        });
        tokio::select! {
            biased;
            flow = Self::wait_for_command(&mut self.requests, &mut self.paused) => flow,
            () = sleep(wait) => ControlFlow::Continue(()),
        }
    }

    /// Waits for a command that ends the wait: retry (or resume) goes on, stop ends.
    async fn wait_for_command(
        requests: &mut mpsc::Receiver<Request>,
        paused: &mut bool,
    ) -> ControlFlow<Outcome> {
        loop {
            let Some(Request { command, answer }) = requests.recv().await else {
                return ControlFlow::Break(Outcome::Stopped);
            };
            let (reply, flow) = match command {
                Command::Stop => (
                    CommandAnswer::Accepted,
                    Some(ControlFlow::Break(Outcome::Stopped)),
                ),
                Command::Retry => (CommandAnswer::Accepted, Some(ControlFlow::Continue(()))),
                Command::Pause | Command::Resume => {
                    *paused = command == Command::Pause;
                    (CommandAnswer::Accepted, None)
                }
                Command::Look { .. } => (CommandAnswer::Accepted, None),
                Command::Copy(_) => {
                    let reason = "the engine is not streaming: copies begin when it is";
                    (CommandAnswer::Refused(reason.to_owned()), None)
                }
                Command::Skip { .. } | Command::Edit(_) => {
                    let reason = "the engine does not stand at a refused transaction";
                    (CommandAnswer::Refused(reason.to_owned()), None)
                }
            };
            // Nobody has to wait for the answer.
            drop(answer.send(reply));
            if let Some(flow) = flow {
                return flow;
            }
        }
    }

    /// Ends with the failure, or stands there until the operator decides.
    async fn stand_still(&mut self, failure: Failure) -> ControlFlow<Outcome> {
        self.publisher.failed(&failure);
        // Whoever holds the slot streams: nothing has stopped.
        if self.in_use_since.is_none() {
            let slot_name = self.publisher.latest().slot_name.clone();
            stops::note(&self.pipeline, &slot_name, &failure).await;
        }
        if !self.options.hold_on_failure {
            // Whoever started us tells it; twice is once too often.
            debug!(target: "apply", causes = failure.why(), "{}", failure.message);
            return ControlFlow::Break(Outcome::Failed(failure));
        }
        let lsn = failure
            .transaction
            .map(|found| found.commit_lsn.to_string());
        error!(target: "apply", lsn, causes = failure.why(), "{}", failure.message);
        self.publisher.phase(&Phase::Held);
        loop {
            let Some(Request { command, answer }) = self.requests.recv().await else {
                return ControlFlow::Break(Outcome::Stopped);
            };
            let (reply, flow) = self.decide(command, &failure);
            // Nobody has to wait for the answer.
            drop(answer.send(reply));
            if let Some(flow) = flow {
                self.retry.reset();
                return flow;
            }
        }
    }

    fn has_failed(&self, edit: &SchemaEdit) -> bool {
        let status = self.publisher.latest();
        let mut changes = status.schema_changes.iter();
        changes.any(|change| change.id == edit.id && change.state == SchemaState::Failed)
    }

    fn decide(
        &mut self,
        command: Command,
        failure: &Failure,
    ) -> (CommandAnswer, Option<ControlFlow<Outcome>>) {
        let refuse = |reason: &str| (CommandAnswer::Refused(reason.to_owned()), None);
        match command {
            Command::Stop => (
                CommandAnswer::Accepted,
                Some(ControlFlow::Break(Outcome::Stopped)),
            ),
            Command::Retry | Command::Resume => {
                (CommandAnswer::Accepted, Some(ControlFlow::Continue(())))
            }
            Command::Edit(edit) if self.has_failed(&edit) => {
                self.edit = Some(edit);
                (CommandAnswer::Accepted, Some(ControlFlow::Continue(())))
            }
            Command::Edit(_) => refuse("this schema change is not the one that was refused"),
            Command::Look { .. } => (CommandAnswer::Accepted, None),
            Command::Pause => refuse("the engine stands still already"),
            Command::Copy(_) => refuse("the engine stands still: copies begin when it streams"),
            Command::Skip { commit_lsn } => match failure.transaction {
                Some(transaction) if transaction.commit_lsn == commit_lsn => {
                    self.skip = Some((commit_lsn, failure.headline().to_owned()));
                    (CommandAnswer::Accepted, Some(ControlFlow::Continue(())))
                }
                Some(_) => refuse("the engine stands at another transaction"),
                None => refuse("no transaction is refused: the failure is of another kind"),
            },
        }
    }
}
