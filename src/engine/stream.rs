//! One session of streaming: from a connected source and target until something ends it.
//!
//! Frames are taken as they come; whole transactions go to the applier. A batch goes out when it
//! is full, when it is old, or when the source has nothing more at hand. The source says so with a
//! keepalive as soon as it has caught up; [`ReadBatching::flush_delay`] stands in for one that does not come.

mod copy_requests;
mod copying;
mod failing;
mod finish;
mod paired;
mod requests;
mod skip;

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::trace;

use crate::decode::Decoder;
use crate::fault;
use crate::model::{Change, Event, Lsn, TransactionCommit};
use crate::postgres::{Frame, Lifeline, PgError, WalReader};
use crate::runtime::{Task, clock};
use crate::snapshot::CopyRequest;
use crate::status::{FailedTransaction, Phase, Request, StatusPublisher};

use super::applier::Applier;
use super::counters::Counters;
use super::feedback::Feedback;
use super::in_flight::InFlight;
use super::paired::{Paired, PairedRequest, Recent};
use super::read_batching::{FLUSH_DELAY, ReadBatching};
use super::watchdog::Pulse;
use super::{EngineError, route};

use copying::Copying;

/// WAL without anything for us is confirmed this often.
const IDLE_CONFIRM_EVERY: Duration = Duration::from_secs(3);

/// Counters reach the status this often while rows flow.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// Further behind than this is «behind».
const BEHIND_BYTES_MIN: u64 = 1 << 20;

/// Why a session ended without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SessionEnd {
    /// The operator asked to stop.
    Stop,
    /// The operator asked to connect anew.
    Reconnect,
}

/// A connected source and target.
pub(super) struct Stream<'a> {
    pub(super) endpoint: String,
    /// What to do when the slot no longer has what the target lacks.
    pub(super) anew: String,
    pub(super) reader: WalReader,
    pub(super) decoder: Decoder,
    pub(super) events: Vec<Event>,
    pub(super) applier: Applier,
    pub(super) feedback: Feedback,
    pub(super) feedback_task: Task<Result<(), PgError>>,
    pub(super) requests: &'a mut mpsc::Receiver<Request>,
    pub(super) copy_requests: &'a mut mpsc::Receiver<CopyRequest>,
    pub(super) paired_requests: mpsc::Receiver<PairedRequest>,
    /// The end of the session that writes, which nothing else would tell while nothing is written.
    pub(super) target_end: Lifeline,
    pub(super) publisher: StatusPublisher,
    /// The transaction to pass over, if the operator chose one.
    pub(super) skip: Option<(Lsn, String)>,
    pub(super) state: State,
    /// Silence of the source after which it is taken for lost; it is asked more often than that.
    pub(super) silence_max: Duration,
    pub(super) pulse: Pulse,
}

/// Where the session stands.
#[derive(Debug)]
pub(super) struct State {
    /// The transaction in hand.
    in_flight: Option<InFlight>,
    /// The last transaction that failed or would have.
    pub(super) last_begun: Option<FailedTransaction>,
    received: Lsn,
    /// Where the message at hand lies in the WAL.
    at: Lsn,
    /// The source has said that nothing more is there.
    caught_up: bool,
    /// Its WAL end when it said so.
    idle_lsn: Lsn,
    idle_confirmed_at: Instant,
    published_at: Instant,
    /// Since when we have been waiting for the source's next word.
    listening_since: Instant,
    paused: bool,
    stopping: bool,
    /// After this transaction sets may be formed again, in a new session.
    row_by_row_until: Option<Lsn>,
    copying: Copying,
    paired: Paired,
    recent: Recent,
}

impl State {
    pub(super) fn new(
        from: Lsn,
        paused: bool,
        row_by_row_until: Option<Lsn>,
        recent: Recent,
    ) -> Self {
        let now = clock::now();
        Self {
            in_flight: None,
            last_begun: None,
            received: from,
            at: from,
            caught_up: false,
            idle_lsn: Lsn::ZERO,
            idle_confirmed_at: now,
            published_at: now,
            listening_since: now,
            paused,
            stopping: false,
            row_by_row_until,
            copying: Copying::default(),
            paired: Paired::default(),
            recent,
        }
    }

    /// A transaction whose parts are in the open target transaction must be read to its end.
    fn is_inside_large(&self) -> bool {
        self.in_flight
            .as_ref()
            .is_some_and(|in_flight| in_flight.passed_on)
    }
}

enum Next {
    Frame(Option<Result<Frame, PgError>>),
    Request(Option<Request>),
    CopyRequest(Option<CopyRequest>),
    Paired(Option<PairedRequest>),
    Timer,
    FeedbackEnded(EngineError),
    TargetGone,
    Committed(Result<(), EngineError>),
}

impl Stream<'_> {
    /// Streams until the operator or an error ends it. What is not committed then is read again.
    pub(super) async fn run(&mut self) -> Result<SessionEnd, EngineError> {
        loop {
            if let ControlFlow::Break(end) = self.turn().await? {
                return Ok(end);
            }
        }
    }

    async fn turn(&mut self) -> Result<ControlFlow<SessionEnd>, EngineError> {
        let (committing, position) = (self.applier.is_committing(), self.applier.position());
        self.pulse.beat(committing, position);
        self.pending_paired().await?;
        if self.state.stopping && !self.state.is_inside_large() {
            Box::pin(self.commit()).await?;
            self.complete().await?;
            return Ok(ControlFlow::Break(SessionEnd::Stop));
        }
        if self.is_round_over().await? {
            return Ok(ControlFlow::Break(SessionEnd::Reconnect));
        }
        if let Some(frame) = self.frame_at_hand() {
            // Rows that are skipped wait for nothing: without this, feedback on the same thread is not sent.
            tokio::task::coop::consume_budget().await;
            self.frame(frame).await?;
            return self.pending_request().await;
        }
        if self.state.caught_up && self.applier.is_pending() {
            Box::pin(self.commit()).await?;
            return Ok(ControlFlow::Continue(()));
        }
        match self.next().await {
            Next::Frame(Some(frame)) => self.frame(frame).await?,
            Next::Frame(None) => {}
            Next::Request(Some(request)) => return Box::pin(self.request(request)).await,
            // The handle is gone: nobody can stop us any more.
            Next::Request(None) => self.state.stopping = true,
            Next::CopyRequest(Some(copy_request)) => {
                return Box::pin(self.copy_request(copy_request)).await;
            }
            // Whoever copies tables is gone with the engine.
            Next::CopyRequest(None) => self.state.stopping = true,
            Next::Paired(Some(request)) => Box::pin(self.paired_request(request)).await?,
            // Whoever answers `verify` is gone with the session.
            Next::Paired(None) => {}
            Next::FeedbackEnded(error) => return Err(error),
            Next::TargetGone => return Err(Box::pin(self.applier.session_lost()).await),
            Next::Committed(committed) => {
                committed?;
                self.confirm();
                self.publish_if_due();
            }
            Next::Timer => Box::pin(self.timer()).await?,
        }
        Ok(ControlFlow::Continue(()))
    }

    fn frame_at_hand(&mut self) -> Option<Result<Frame, PgError>> {
        self.reads().then(|| self.reader.next_buffered()).flatten()
    }

    /// Commands come first: an operator who says stop must be heard however fast rows come. Then
    /// the end of a commit, which the source waits to hear of. Then frames, because they bring the timers' work with them.
    async fn next(&mut self) -> Next {
        let (reads, read_batching) = (self.reads(), self.read_batching());
        let committing = self.applier.is_committing();
        let (timer, copy_requests) = (self.timer_at(), self.takes_copy_requests());
        tokio::select! {
            biased;
            request = self.requests.recv() => Next::Request(request),
            copy_request = self.copy_requests.recv(), if copy_requests => Next::CopyRequest(copy_request),
            request = self.paired_requests.recv() => Next::Paired(request),
            ended = self.feedback_task.join() => Next::FeedbackEnded(feedback_error(&self.endpoint, ended)),
            committed = self.applier.complete(), if committing => Next::Committed(committed),
            _ = self.target_end.closed() => Next::TargetGone,
            frame = read_batching.next_frame(&mut self.reader), if reads => Next::Frame(Some(frame)),
            () = sleep_until(timer) => Next::Timer,
        }
    }

    fn read_batching(&self) -> ReadBatching {
        let arriving = self
            .state
            .in_flight
            .as_ref()
            .map_or(0, InFlight::change_count);
        ReadBatching {
            rows_at_hand: arriving + self.applier.row_count(),
        }
    }

    async fn frame(&mut self, frame: Result<Frame, PgError>) -> Result<(), EngineError> {
        let frame = match frame {
            Err(PgError::StreamWarning(_)) if self.is_passing_over() => return Ok(()),
            frame => frame.map_err(|source| self.source_error("read the stream", source))?,
        };
        match frame {
            Frame::XLogData {
                wal_start, data, ..
            } => {
                self.state.caught_up = false;
                self.state.received = self.state.received.max(wal_start);
                self.state.at = wal_start;
                self.decode(data, wal_start)?;
                self.events().await?;
            }
            Frame::Keepalive {
                wal_end,
                reply_requested,
            } => {
                Box::pin(self.keepalive(wal_end, reply_requested)).await?;
            }
        }
        // What took its time was we.
        self.state.listening_since = clock::now();
        Ok(())
    }

    async fn events(&mut self) -> Result<(), EngineError> {
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            self.event(event).await?;
        }
        self.events = events;
        Ok(())
    }

    /// What comes once a transaction is boxed: it would make the futures large that each row moves.
    async fn event(&mut self, event: Event) -> Result<(), EngineError> {
        match event {
            Event::Begin(begin) => {
                fault::point(fault::STREAM_AFTER_BEGIN);
                self.require_skip_ahead(begin.commit_lsn);
                Box::pin(self.arrive_before(begin.commit_lsn)).await?;
                Box::pin(self.pair_before(&begin)).await?;
                self.state.last_begun = Some(FailedTransaction {
                    xid: begin.xid,
                    commit_lsn: begin.commit_lsn,
                });
                self.state.in_flight = Some(InFlight::new(begin));
                Ok(())
            }
            Event::Change(change) => self.change(change).await,
            Event::Commit(commit) => Box::pin(self.end_transaction(commit)).await,
        }
    }

    async fn change(&mut self, change: Change) -> Result<(), EngineError> {
        let left_out = self.is_passing_over();
        let Some(in_flight) = &mut self.state.in_flight else {
            return Err(EngineError::Order {
                what: "a change outside of a transaction",
            });
        };
        if left_out {
            return Ok(());
        }
        if is_schema_entry(&change) {
            self.decoder.schema_changed();
        }
        in_flight.push(self.state.at, change);
        if in_flight.is_full() {
            Box::pin(self.pass_on()).await
        } else {
            Ok(())
        }
    }

    /// The transaction is large: what came before goes out first, then its parts.
    async fn pass_on(&mut self) -> Result<(), EngineError> {
        let Some(in_flight) = &mut self.state.in_flight else {
            return Ok(());
        };
        let (begin, changes) = (in_flight.begin, in_flight.take());
        if !in_flight.passed_on {
            in_flight.passed_on = true;
            self.commit().await?;
        }
        let applied = self.applier.apply(&begin, changes);
        self.reader.while_reading(applied).await
    }

    async fn end_transaction(&mut self, commit: TransactionCommit) -> Result<(), EngineError> {
        let Some(mut in_flight) = self.state.in_flight.take() else {
            return Err(EngineError::Order {
                what: "a commit without a transaction",
            });
        };
        if commit.end_lsn <= self.applier.position() {
            trace!(target: "apply", lsn = %commit.end_lsn, "already on the target");
            return Ok(());
        }
        if self
            .skip
            .as_ref()
            .is_some_and(|(lsn, _)| *lsn == commit.commit_lsn)
        {
            return self.skip(&in_flight.begin, commit).await;
        }
        if !in_flight.passed_on && !self.applier.fits(in_flight.change_count()) {
            self.commit().await?;
        }
        let changes = in_flight.take();
        let applied = self.applier.apply(&in_flight.begin, changes);
        self.reader.while_reading(applied).await?;
        let ended = self.applier.end(commit);
        self.reader.while_reading(ended).await?;
        self.state.received = self.state.received.max(commit.end_lsn);
        self.state.recent.add(in_flight.begin.xid);
        self.pause_for_pair().await?;
        if self.applier.is_full() || self.is_old() {
            self.commit().await
        } else {
            Ok(())
        }
    }

    /// The source had caught up when it sent this. What has come meanwhile is looked at first.
    async fn keepalive(&mut self, wal_end: Lsn, reply_requested: bool) -> Result<(), EngineError> {
        if self.state.in_flight.is_none() {
            self.require_skip_ahead(wal_end);
            self.state.caught_up = true;
            self.state.idle_lsn = self.state.idle_lsn.max(wal_end);
            self.arrive_if_there().await?;
            self.pair_if_reached().await?;
            self.confirm_idle(false).await?;
        }
        if reply_requested {
            self.feedback.reply();
        }
        Ok(())
    }

    /// Confirms WAL that held nothing for us. Only when nothing is in hand, and through the
    /// checkpoint, so that a slot beyond the checkpoint is always a slot that was made anew.
    async fn confirm_idle(&mut self, now: bool) -> Result<(), EngineError> {
        let nothing_open = !self.state.paired.stands()
            && self.state.in_flight.is_none()
            && !self.applier.is_pending()
            && !self.applier.is_committing();
        let due = now
            || self.applier.is_taking_over()
            || self.state.idle_confirmed_at.elapsed() >= IDLE_CONFIRM_EVERY;
        let position = self.applier.position();
        let goes_on = self.state.idle_lsn > position || self.applier.has_reached_copies();
        if nothing_open && due && goes_on {
            let to = self.state.idle_lsn.max(position);
            self.applier.advance_idle(to).await?;
            self.state.idle_confirmed_at = clock::now();
            self.confirm();
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), EngineError> {
        if self.applier.is_pending() {
            self.reader.while_reading(self.applier.commit()).await?;
            self.confirm();
        }
        if self.state.row_by_row_until.is_some() {
            // A refusal must be known before the next transaction is begun, which it would be taken for.
            self.complete().await?;
        }
        self.publish_if_due();
        Ok(())
    }

    async fn complete(&mut self) -> Result<(), EngineError> {
        self.reader.while_reading(self.applier.complete()).await?;
        self.confirm();
        Ok(())
    }

    fn confirm(&mut self) {
        let durable = self.applier.confirmable();
        self.feedback.advance(durable, self.state.received);
    }

    fn is_old(&self) -> bool {
        self.applier.due_at().is_some_and(|due| due <= clock::now())
    }

    fn timer_at(&self) -> Instant {
        let now = clock::now();
        let publish = self.state.published_at + PUBLISH_EVERY;
        match self.applier.due_at() {
            // Nothing is half received: what is there goes out after a moment of silence.
            Some(due) if self.state.in_flight.is_none() => {
                due.min(now + self.read_batching().flush_delay())
            }
            Some(due) => due.min(publish.max(now)),
            None => publish.max(now + FLUSH_DELAY),
        }
    }

    async fn timer(&mut self) -> Result<(), EngineError> {
        self.require_word()?;
        self.state.paired.give_up(clock::now());
        if self.applier.is_taking_over()
            || self.state.copying.consistent_point().is_some()
            || self.state.paired.waits()
        {
            self.feedback.ask();
        }
        if self.applier.is_pending() && (self.state.in_flight.is_none() || self.is_old()) {
            self.commit().await?;
        }
        if self.applier.look_for_durable().await? {
            self.confirm();
        }
        self.confirm_idle(false).await?;
        self.publish_if_due();
        Ok(())
    }

    /// A connection that a proxy holds open, with nobody behind it, looks like a quiet source.
    fn require_word(&self) -> Result<(), EngineError> {
        if !self.reads() || self.state.listening_since.elapsed() < self.silence_max {
            return Ok(());
        }
        let (endpoint, silence_timeout) = (self.endpoint.clone(), self.silence_max);
        Err(EngineError::Silent {
            side: "source",
            endpoint,
            silence_timeout,
        })
    }

    /// A paused session, and one that waits for copies, reads nothing, unless it must end what it has begun
    /// to write. A transaction of which nothing is written yet waits in memory.
    fn reads(&self) -> bool {
        let waits =
            self.state.paused || self.state.copying.stream_waits || self.state.paired.stands();
        !waits || self.state.is_inside_large()
    }

    /// Returns the commit time of the oldest transaction that is not on the target.
    fn oldest_us(&self) -> Option<i64> {
        let in_flight = self.state.in_flight.as_ref();
        self.applier
            .oldest_us()
            .or(in_flight.map(|in_flight| in_flight.begin.commit_time_us))
    }

    fn publish_if_due(&mut self) {
        if self.state.published_at.elapsed() < PUBLISH_EVERY {
            return;
        }
        self.state.published_at = clock::now();
        self.applier.publish();
        let (confirmed, received) = (self.feedback.confirmed(), self.state.received);
        let age_us = self
            .oldest_us()
            .map_or(0, |oldest| clock::postgres_us() - oldest);
        let status = self.publisher.latest();
        if status.checkpoint.confirmed_lsn != confirmed
            || age_us > 0
            || status.lag.seconds != Some(0.0)
        {
            self.publisher.update(|status| {
                status.checkpoint.confirmed_lsn = confirmed;
                status.lag.seconds = Some(seconds(age_us));
            });
        }
        if !self.state.paused && !self.state.stopping && !self.state.copying.stream_waits {
            let left = status
                .lag
                .source_wal_end
                .bytes_since(received.max(self.state.idle_lsn));
            self.publisher.phase(&Phase::Streaming {
                behind: left > BEHIND_BYTES_MIN,
            });
        }
    }

    pub(super) const fn is_stopping(&self) -> bool {
        self.state.stopping
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.state.paused
    }

    /// Gives the counts back when the session has failed.
    pub(super) fn into_counters(self) -> Counters {
        self.applier.into_counters()
    }
}

fn is_schema_entry(change: &Change) -> bool {
    matches!(change, Change::Insert { relation, .. } if route::is_schema_log(&relation.name))
}

fn feedback_error(
    endpoint: &str,
    ended: Result<Result<(), PgError>, crate::runtime::TaskEnd>,
) -> EngineError {
    match ended {
        Ok(Err(source)) => EngineError::Source {
            operation: "confirm what is durable",
            endpoint: endpoint.to_owned(),
            source,
        },
        Ok(Ok(())) => EngineError::Order {
            what: "feedback ended by itself",
        },
        Err(ended) => EngineError::Task(ended),
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds for people")]
fn seconds(us: i64) -> f64 {
    us.max(0) as f64 / 1e6
}
