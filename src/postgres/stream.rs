//! The two halves of a replication stream, for two tasks: what arrives, and what we confirm.

use std::future::Future as _;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{BufMut as _, BytesMut};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tracing::debug;

use super::error::PgError;
use super::frame::{Frame, FrameBuffer, Step};
use super::handshake::{answer, lost, notice};
use super::link::{LinkReader, LinkWriter};
use super::server_error::ServerError;
use crate::model::Lsn;

/// What arrives.
#[derive(Debug)]
pub struct WalReader {
    object: Arc<str>,
    reader: LinkReader,
    frames: FrameBuffer,
}

impl WalReader {
    pub(super) fn new(object: Arc<str>, reader: LinkReader, received: BytesMut) -> Self {
        Self {
            object,
            reader,
            frames: FrameBuffer::new(received),
        }
    }

    /// Waits for the next frame. Cancel safe: bytes of an unfinished frame stay here.
    ///
    /// # Errors
    /// Transient when the connection is lost or the server ends the stream
    /// ([`PgError::StreamEnded`]); by SQLSTATE when it sends an error; Bug when it breaks the
    /// protocol. After an error the reader is of no further use.
    pub async fn next(&mut self) -> Result<Frame, PgError> {
        loop {
            if let Some(frame) = self.received()? {
                return Ok(frame);
            }
            self.read().await?;
        }
    }

    /// Returns a frame that is here already, or readable without waiting; none otherwise. One
    /// system call at most.
    ///
    /// # Errors
    /// As [`WalReader::next`].
    pub fn next_buffered(&mut self) -> Option<Result<Frame, PgError>> {
        match self.received() {
            Ok(None) => {}
            outcome => return outcome.transpose(),
        }
        let read = {
            let mut context = Context::from_waker(Waker::noop());
            pin!(self.read()).poll(&mut context)
        };
        match read {
            Poll::Pending => None,
            Poll::Ready(Ok(())) => self.received().transpose(),
            Poll::Ready(Err(error)) => Some(Err(error)),
        }
    }

    /// Waits, after [`FeedbackWriter::finish`], until the server has closed the connection: then its
    /// walsender is gone and the slot is free. What still arrives is dropped.
    pub async fn closed(mut self) {
        let mut dropped = BytesMut::new();
        while matches!(self.reader.read_buf(&mut dropped).await, Ok(count) if count > 0) {
            dropped.clear();
        }
    }

    fn received(&mut self) -> Result<Option<Frame>, PgError> {
        loop {
            match self.frames.step() {
                Ok(None) => return Ok(None),
                Ok(Some(Step::Frame(frame))) => return Ok(Some(frame)),
                Ok(Some(Step::Noticed(body))) => require_harmless(notice(&self.object, &body))?,
                Ok(Some(Step::Refused(body))) => return Err(answer(&self.object, &body)),
                Ok(Some(Step::Ended)) => {
                    return Err(PgError::StreamEnded {
                        object: self.object.to_string(),
                    });
                }
                Err(what) => {
                    return Err(PgError::Protocol {
                        object: self.object.to_string(),
                        what,
                    });
                }
            }
        }
    }

    async fn read(&mut self) -> Result<(), PgError> {
        match self.reader.read_buf(self.frames.room()).await {
            Ok(0) => Err(lost(&self.object, io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(source) => Err(lost(&self.object, source)),
        }
    }
}

/// wal2json leaves out an UPDATE or DELETE that it has no key for, and says so in a warning only.
/// Nothing else warns within a stream; going on would lose the row.
fn require_harmless(notice: ServerError) -> Result<(), PgError> {
    if notice.severity == "WARNING" {
        return Err(PgError::StreamWarning(Box::new(notice)));
    }
    debug!(server = %notice.object, severity = notice.severity, "notice within the stream");
    Ok(())
}

/// How far we are (manual, section 55.4, «Standby status update»).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StandbyStatus {
    /// Received.
    pub written: Lsn,
    /// Durable: the slot's `confirmed_flush_lsn` follows this one, never below it.
    pub flushed: Lsn,
    /// Visible on the target.
    pub applied: Lsn,
    /// Ask the server for a keepalive at once.
    pub reply_requested: bool,
    /// Our clock, microseconds since 2000-01-01 UTC.
    pub sent_at_us: i64,
}

/// What we confirm. Dropping it ends the connection.
#[derive(Debug)]
pub struct FeedbackWriter {
    object: Arc<str>,
    writer: LinkWriter,
    /// To be sent: a cancelled send goes on with the next one.
    unsent: BytesMut,
}

impl FeedbackWriter {
    pub(super) fn new(object: Arc<str>, writer: LinkWriter) -> Self {
        Self {
            object,
            writer,
            unsent: BytesMut::new(),
        }
    }

    /// Sends a status update. Cancel safe: a cut message is completed by the next call.
    ///
    /// # Errors
    /// Transient when the connection is lost.
    pub async fn send(&mut self, status: &StandbyStatus) -> Result<(), PgError> {
        encode(status, &mut self.unsent);
        self.flush().await
    }

    /// Ends the stream in order. The reader then gets what is under way, and
    /// [`PgError::StreamEnded`].
    ///
    /// # Errors
    /// Transient when the connection is lost.
    pub async fn finish(mut self) -> Result<(), PgError> {
        frontend::copy_done(&mut self.unsent);
        frontend::terminate(&mut self.unsent);
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), PgError> {
        let sent = async {
            self.writer.write_all_buf(&mut self.unsent).await?;
            self.writer.flush().await
        };
        sent.await.map_err(|source| lost(&self.object, source))
    }
}

fn encode(status: &StandbyStatus, buffer: &mut BytesMut) {
    /// Length word, kind, three positions, clock, flag.
    const LENGTH: u32 = 4 + 1 + 3 * 8 + 8 + 1;
    buffer.put_u8(b'd');
    buffer.put_u32(LENGTH);
    buffer.put_u8(b'r');
    for position in [status.written, status.flushed, status.applied] {
        buffer.put_u64(position.0);
    }
    buffer.put_i64(status.sent_at_us);
    buffer.put_u8(u8::from(status.reply_requested));
}
