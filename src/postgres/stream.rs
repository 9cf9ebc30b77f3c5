//! The two halves of a replication stream, for two tasks: what arrives, and what we confirm.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use postgres_protocol::message::frontend;
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;
use tracing::debug;

use crate::model::Lsn;

use super::error::PgError;
use super::frame::{Frame, FrameBuffer, READ_BYTES, Step};
use super::link::{LinkReader, LinkWriter};
use super::server_error::ServerError;
use super::socket::Gather;
use super::wire::{answer, lost, notice};

/// A frame as large as this fills the line by itself: nothing is gained by letting it gather.
const LARGE_BYTES: usize = 16 << 10;

/// So much is read ahead while the target is at work: what it takes in during the longest ordinary
/// batch.
const AHEAD_BYTES_MAX: usize = 8 << 20;

/// What arrives.
#[derive(Debug)]
pub struct WalReader {
    object: Arc<str>,
    reader: LinkReader,
    gather: Gather,
    /// Where one system call puts what it reads.
    piece: Box<[u8]>,
    frames: FrameBuffer,
}

impl WalReader {
    pub(super) fn new(
        object: Arc<str>,
        reader: LinkReader,
        gather: Gather,
        received: BytesMut,
    ) -> Self {
        Self {
            object,
            reader,
            gather,
            piece: vec![0; READ_BYTES].into(),
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

    /// As [`next`](Self::next) while much arrives: waits a moment first, so that it comes in few
    /// large pieces. Cancel safe.
    ///
    /// # Errors
    /// As [`WalReader::next`].
    pub async fn next_of_many(&mut self) -> Result<Frame, PgError> {
        if let Some(frame) = self.received()? {
            return Ok(frame);
        }
        self.read_gathered().await?;
        self.next().await
    }

    /// Returns a frame that is here already, or readable without waiting; none otherwise.
    ///
    /// # Errors
    /// As [`WalReader::next`].
    pub fn next_buffered(&mut self) -> Option<Result<Frame, PgError>> {
        match self.received() {
            Ok(None) => {}
            outcome => return outcome.transpose(),
        }
        match self.read_now() {
            Ok(()) => self.received().transpose(),
            Err(error) => Some(Err(error)),
        }
    }

    /// Waits, after [`FeedbackWriter::finish`], until the server has closed the connection: then its
    /// walsender is gone and the slot is free. What still arrives is dropped.
    pub async fn closed(mut self) {
        while matches!(self.reader.read(&mut self.piece).await, Ok(count) if count > 0) {}
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

    /// Does `work`, and meanwhile reads on, so that the server never waits for us to be done. Cancel
    /// safe where `work` is.
    pub async fn while_reading<T>(&mut self, work: impl Future<Output = T>) -> T {
        // The work first: what it waits for has come, and reading can wait.
        tokio::select! {
            biased;
            done = work => done,
            never = self.read_ahead() => match never {},
        }
    }

    /// Reads at long intervals, and stops at an error: the next read meets it again.
    async fn read_ahead(&mut self) -> Infallible {
        while self.frames.byte_count() < AHEAD_BYTES_MAX {
            if self.read_gathered().await.is_err() {
                break;
            }
        }
        pending().await
    }

    /// Lets rows gather for a moment and reads what is there then, if anything. Cancel safe.
    async fn read_gathered(&mut self) -> Result<(), PgError> {
        if self.frames.wanted() >= LARGE_BYTES {
            return self.read().await;
        }
        self.reader.unwatch();
        sleep(self.gather.pause()).await;
        self.read_now()
    }

    /// Reads what is there, if anything, in few large pieces.
    fn read_now(&mut self) -> Result<(), PgError> {
        while self.frames.byte_count() < AHEAD_BYTES_MAX {
            match self.reader.read_now(&mut self.piece) {
                Ok(byte_count) => {
                    self.arrived(byte_count)?;
                    if byte_count < self.piece.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(source) => return Err(lost(&self.object, source)),
            }
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), PgError> {
        let read = self.reader.read(&mut self.piece).await;
        let byte_count = read.map_err(|source| lost(&self.object, source))?;
        self.arrived(byte_count)
    }

    fn arrived(&mut self, byte_count: usize) -> Result<(), PgError> {
        match self.piece.get(..byte_count) {
            Some([]) | None => Err(lost(&self.object, io::ErrorKind::UnexpectedEof.into())),
            Some(bytes) => {
                self.frames.put(bytes);
                Ok(())
            }
        }
    }
}

/// wal2json leaves out an UPDATE or DELETE that it has no key for, and says so in a warning only.
/// Nothing else warns within a stream; going on would lose the row.
fn require_harmless(notice: ServerError) -> Result<(), PgError> {
    if notice.severity == "WARNING" {
        return Err(PgError::StreamWarning(Box::new(notice)));
    }
    debug!(target: "slot", server = %notice.object, severity = notice.severity, "notice within the stream");
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
