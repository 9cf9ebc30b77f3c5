//! Moves rows from one connection to the other.
//!
//! ```text
//!  source ──read──> filling ══swap══> leaving ──write──> target
//!                                        <──── its refusal, if any
//! ```
//!
//! One task does all of it: reading goes on while the target is written, and the target is heard
//! meanwhile. Two pieces are all the memory there is. The piece that fills leaves as soon as the
//! other is gone, so pieces are large when the target is slow, and nothing waits when it is not.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{io, mem};

use bytes::Buf as _;
use postgres_protocol::message::backend::Message;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::debug;

use crate::postgres::error::PgError;
use crate::postgres::wire::{Wire, lost};

use super::error::CopyError;
use super::piece::{Piece, Rows};
use super::session::{Canceller, Format, row_count};

/// What one piece holds: as much as a target reads of text at once. With messages of this size it
/// spends a quarter less time than with one a row (binary: an eighth); larger ones gain nothing.
const PIECE_BYTES: usize = 64 << 10;

/// What a server sends at once. With less room than this a piece is full.
const READ_BYTES_MIN: usize = 8 << 10;

/// Between two words about progress: more often than any screen is drawn.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(50);

/// Called with the rows and bytes that came since the last call.
pub(super) type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// Rows on their way.
pub(super) struct Pump<'a> {
    source: &'a mut Wire,
    target: &'a mut Wire,
    rows: Rows,
    /// Messages that are no rows: the `CopyData` of the binary format that ends it.
    trailer_count: u64,
    filling: Piece,
    leaving: Piece,
    ending: Ending,
    byte_count: u64,
    reported: (u64, u64),
    progress: Progress<'a>,
    tick: Interval,
}

/// What the source has said of the end.
#[derive(Debug, Default)]
struct Ending {
    row_count: Option<u64>,
    refusal: Option<PgError>,
    /// It waits for the next command.
    ready: bool,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        source: &'a mut Wire,
        target: &'a mut Wire,
        format: Format,
        progress: Progress<'a>,
    ) -> Self {
        let mut tick = interval(PROGRESS_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            source,
            target,
            rows: Rows::default(),
            trailer_count: u64::from(format == Format::Binary),
            filling: Piece::new(PIECE_BYTES),
            leaving: Piece::new(PIECE_BYTES),
            ending: Ending::default(),
            byte_count: 0,
            reported: (0, 0),
            progress,
            tick,
        }
    }

    /// Moves everything. The source is ready for the next command afterwards unless the error is the
    /// target's, or the connection is lost. Returns rows, as the source counted them, and bytes.
    pub(super) async fn run(&mut self) -> Result<(u64, u64), CopyError> {
        poll_fn(|context| self.poll(context)).await?;
        let row_count = self.ending.row_count.unwrap_or_default();
        self.report(row_count);
        Ok((row_count, self.byte_count))
    }

    /// Ends the source's statement and drops what still comes. Fails only together with the source's
    /// connection, or where no request to cancel reaches the server.
    pub(super) async fn stop_source(&mut self, canceller: &Canceller) {
        if self.ending.ready {
            return;
        }
        if let Err(error) = canceller.cancel().await {
            debug!(target: "snapshot", server = %self.source.object, %error, "cannot cancel");
            return;
        }
        let drained = poll_fn(|context| {
            while !self.ending.ready {
                self.filling.clear();
                ready!(self.poll_source(context))?;
            }
            Poll::Ready(Ok(()))
        });
        if let Err::<(), PgError>(error) = drained.await {
            debug!(target: "snapshot", server = %self.source.object, %error, "lost while it was cancelled");
        }
    }

    /// Leaves the rest of a message that is half sent to whom ends the target's COPY. Returns
    /// whether the source is ready for its next command.
    pub(super) fn leave(self) -> bool {
        if self.leaving.is_half_sent() {
            self.target.unsent.extend_from_slice(self.leaving.unsent());
        }
        if self.ending.ready {
            let rest = self.rows.rest();
            self.source.received.extend_from_slice(&rest);
        }
        self.ending.ready
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), CopyError>> {
        while self.tick.poll_tick(context).is_ready() {
            let seen = self.rows.row_count().saturating_sub(self.trailer_count);
            self.report(seen);
        }
        loop {
            // First what may make the rest pointless.
            if let Poll::Ready(refusal) = self.poll_target(context) {
                return Poll::Ready(Err(CopyError::Target(refusal)));
            }
            let read = self.poll_source(context).map_err(CopyError::Source)?;
            let sent = self.poll_leaving(context).map_err(CopyError::Target)?;
            if self.ending.ready {
                if let Some(refusal) = self.ending.refusal.take() {
                    return Poll::Ready(Err(CopyError::Source(refusal)));
                }
                if sent.is_ready() {
                    return Poll::Ready(Ok(()));
                }
            }
            let has_room = !self.ending.ready && !self.is_full();
            if read.is_pending() || (sent.is_pending() && !has_room) {
                return Poll::Pending;
            }
        }
    }

    /// Reads until nothing more is there, or no more room.
    fn poll_source(&mut self, context: &mut Context<'_>) -> Poll<Result<(), PgError>> {
        while !self.ending.ready && !self.is_full() {
            let read = self.poll_read(context);
            let byte_count = match ready!(read) {
                Ok(0) => return Poll::Ready(Err(self.source_lost(eof()))),
                Ok(byte_count) => byte_count,
                Err(error) => return Poll::Ready(Err(self.source_lost(error))),
            };
            let put = self.filling.put(byte_count, &mut self.rows);
            let kept = put.map_err(|what| self.source.broken(what))?;
            self.byte_count += u64::try_from(kept).unwrap_or_default();
            self.hear_source()?;
        }
        Poll::Ready(Ok(()))
    }

    fn is_full(&mut self) -> bool {
        self.filling.room().len() < READ_BYTES_MIN
    }

    /// Fills the room with what came along with the answer to COPY, then from the connection.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let room = self.filling.room();
        if !self.source.received.is_empty() {
            let byte_count = room.len().min(self.source.received.len());
            self.source.received.copy_to_slice(&mut room[..byte_count]);
            return Poll::Ready(Ok(byte_count));
        }
        let mut room = ReadBuf::new(room);
        ready!(Pin::new(&mut self.source.link).poll_read(context, &mut room))?;
        Poll::Ready(Ok(room.filled().len()))
    }

    /// Takes in what the source sent besides rows.
    fn hear_source(&mut self) -> Result<(), PgError> {
        loop {
            let heard = Message::parse(&mut self.rows.others);
            match heard.map_err(|error| self.source.broken(error.to_string()))? {
                None => return Ok(()),
                Some(Message::CommandComplete(body)) => {
                    self.ending.row_count = Some(row_count(&body));
                }
                Some(Message::ErrorResponse(body)) => {
                    self.ending.refusal = Some(self.source.refused(&body));
                }
                Some(Message::ReadyForQuery(_)) => self.ending.ready = true,
                Some(
                    Message::CopyDone
                    | Message::ParameterStatus(_)
                    | Message::NotificationResponse(_),
                ) => {}
                Some(_) => return Err(self.source.broken("unexpected message within COPY")),
            }
        }
    }

    /// Why the server closed the connection, if it said so.
    fn source_lost(&mut self, error: io::Error) -> PgError {
        let refusal = self.ending.refusal.take();
        refusal.unwrap_or_else(|| lost(&self.source.object, error))
    }

    /// Sends until both pieces are empty.
    fn poll_leaving(&mut self, context: &mut Context<'_>) -> Poll<Result<(), PgError>> {
        loop {
            while !self.leaving.unsent().is_empty() {
                let bytes = self.leaving.unsent();
                let sent = Pin::new(&mut self.target.link).poll_write(context, bytes);
                match ready!(sent) {
                    Ok(0) => return Poll::Ready(Err(self.target_lost(context, eof()))),
                    Ok(byte_count) => self.leaving.advance(byte_count),
                    Err(error) => return Poll::Ready(Err(self.target_lost(context, error))),
                }
            }
            if let Err(error) = ready!(Pin::new(&mut self.target.link).poll_flush(context)) {
                return Poll::Ready(Err(self.target_lost(context, error)));
            }
            self.leaving.clear();
            if self.filling.is_empty() {
                return Poll::Ready(Ok(()));
            }
            mem::swap(&mut self.leaving, &mut self.filling);
            self.leaving.close();
        }
    }

    /// Why the server closed the connection, if it said so.
    fn target_lost(&mut self, context: &mut Context<'_>, error: io::Error) -> PgError {
        match self.poll_target(context) {
            Poll::Ready(refusal) => refusal,
            Poll::Pending => lost(&self.target.object, error),
        }
    }

    /// The target has nothing to say before the end unless it refuses.
    fn poll_target(&mut self, context: &mut Context<'_>) -> Poll<PgError> {
        loop {
            match ready!(self.target.poll_message(context)) {
                Ok(Message::ErrorResponse(body)) => {
                    return Poll::Ready(self.target.refused(&body));
                }
                Ok(Message::ParameterStatus(_) | Message::NotificationResponse(_)) => {}
                Ok(_) => return Poll::Ready(self.target.broken("unexpected message within COPY")),
                Err(error) => return Poll::Ready(error),
            }
        }
    }

    /// Tells what came since the last time. The total is the source's own count: messages are not
    /// quite rows, a heading line is one too.
    fn report(&mut self, row_count: u64) {
        let (rows_reported, bytes_reported) = self.reported;
        let rows = row_count.saturating_sub(rows_reported);
        let bytes = self.byte_count - bytes_reported;
        if rows > 0 || bytes > 0 {
            self.reported = (rows_reported + rows, self.byte_count);
            (self.progress)(rows, bytes);
        }
    }
}

fn eof() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}
