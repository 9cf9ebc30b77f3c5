//! Bytes to frames, pure: the messages inside CopyBoth (manual, section 55.4 «Streaming
//! Replication Protocol»).
//!
//! A frame's data is a slice of the read buffer, never a copy. Ordinary frames share buffers of
//! [`READ_BYTES`]; a frame larger than that gets one of exactly its size, so that a row of 100 MB
//! costs 100 MB and is given back with its last slice. What any user may send at any size and nobody
//! reads, the content of a logical message, is dropped while it arrives.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes, BytesMut};
use postgres_protocol::message::backend::{
    COPY_DATA_TAG, ErrorResponseBody, Message, NoticeResponseBody,
};

use super::inlet::{HEADER_BYTES, body_length};
use crate::model::Lsn;

/// Size of a read buffer. One system call then takes hundreds of rows when there is a backlog;
/// larger ones gained nothing.
pub(super) const READ_BYTES: usize = 256 * 1024;

/// Where the plugin's bytes begin: behind the header, and kind, two positions and clock of `XLogData`.
const DATA_AT: usize = HEADER_BYTES + 1 + 3 * 8;

/// pgoutput's tag of a logical message, which no message of wal2json begins with.
const LOGICAL_MESSAGE: u8 = b'M';

/// Tag, flags and position in front of its prefix.
const PREFIX_AT: usize = DATA_AT + 1 + 1 + 8;

/// Longer prefixes are cut.
const PREFIX_BYTES_MAX: usize = 1_024;

/// One message of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A message of the output plugin.
    XLogData {
        /// Where the change lies in the WAL; zero for some messages.
        wal_start: Lsn,
        /// How far the server has read its WAL.
        wal_end: Lsn,
        /// What the plugin wrote.
        data: Bytes,
    },
    /// A sign of life.
    Keepalive {
        /// How far the server has read its WAL: everything before was sent.
        wal_end: Lsn,
        /// The server ends the connection unless it is answered soon.
        reply_requested: bool,
    },
}

/// What the buffer gave.
pub(super) enum Step {
    /// A frame.
    Frame(Frame),
    /// The server ended the stream in order.
    Ended,
    /// The server's error.
    Refused(ErrorResponseBody),
    /// A notice or warning.
    Noticed(NoticeResponseBody),
}

/// Bytes received and not yet taken.
#[derive(Debug, Default)]
pub(super) struct FrameBuffer {
    bytes: BytesMut,
    /// Length of the message at the front, once its header is known.
    wanted: usize,
    /// The message at the front, where its content is not wanted.
    omission: Option<Omission>,
    /// What was received beyond that, in order.
    ahead: VecDeque<Bytes>,
    ahead_byte_count: usize,
}

/// A large logical message on its way, without its content.
#[derive(Debug)]
struct Omission {
    /// What is handed on in its place: everything in front of the content, whose length is nothing.
    body: BytesMut,
    /// Bytes of it that are still to be dropped.
    left: usize,
}

impl Omission {
    /// Returns what to keep of a message of so many bytes that has arrived in part, if it is one and so
    /// much of it is here.
    fn of(received: &[u8], total: usize) -> Option<Self> {
        let is_one = received.get(HEADER_BYTES) == Some(&b'w')
            && received.get(DATA_AT) == Some(&LOGICAL_MESSAGE);
        let prefix = received.get(PREFIX_AT..).filter(|_| is_one)?;
        let end = prefix.iter().position(|byte| *byte == 0);
        let end = end.or_else(|| (prefix.len() > PREFIX_BYTES_MAX).then_some(PREFIX_BYTES_MAX))?;
        let mut body = BytesMut::from(received.get(HEADER_BYTES..PREFIX_AT)?);
        body.extend_from_slice(prefix.get(..end.min(PREFIX_BYTES_MAX))?);
        // The end of the prefix, and a length.
        body.extend_from_slice(&[0; 5]);
        Some(Self { body, left: total })
    }
}

impl FrameBuffer {
    /// Starts with what came along with the answer to `START_REPLICATION`.
    pub(super) fn new(received: BytesMut) -> Self {
        Self {
            bytes: received,
            ..Self::default()
        }
    }

    /// Takes the next whole message, none until more bytes are here.
    pub(super) fn step(&mut self) -> Result<Option<Step>, String> {
        loop {
            if let Some(omission) = &mut self.omission {
                let here = omission.left.min(self.bytes.len());
                self.bytes.advance(here);
                omission.left = omission.left.saturating_sub(here);
                if omission.left == 0 {
                    let body = self.omission.take().map(|done| done.body);
                    return frame(body.unwrap_or_default().freeze())
                        .map(|done| Some(Step::Frame(done)));
                }
                if self.refill() {
                    continue;
                }
                return Ok(None);
            }
            let Some((tag, total)) = self.header()? else {
                if self.refill() {
                    continue;
                }
                return Ok(None);
            };
            if self.bytes.len() < total {
                let giant = tag == COPY_DATA_TAG && total > READ_BYTES;
                self.omission = giant.then(|| Omission::of(&self.bytes, total)).flatten();
                if self.omission.is_some() {
                    self.wanted = 0;
                    continue;
                }
                // Room for a giant is made when it is known to be wanted.
                let undecided = giant && self.bytes.len() <= PREFIX_AT + PREFIX_BYTES_MAX;
                self.wanted = if undecided { 0 } else { total };
                if self.refill() {
                    continue;
                }
                return Ok(None);
            }
            self.wanted = 0;
            let step = match tag {
                COPY_DATA_TAG => {
                    let body = self.take(total);
                    frame(body).map(Step::Frame).map(Some)?
                }
                _ => self.other()?,
            };
            if step.is_some() {
                return Ok(step);
            }
        }
    }

    /// Adds bytes that were received.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        let rest = if self.ahead.is_empty() {
            self.join(bytes)
        } else {
            bytes
        };
        if !rest.is_empty() {
            self.ahead_byte_count = self.ahead_byte_count.saturating_add(rest.len());
            self.ahead.push_back(Bytes::copy_from_slice(rest));
        }
    }

    /// Returns the bytes that were received and not yet taken.
    pub(super) fn byte_count(&self) -> usize {
        self.bytes.len().saturating_add(self.ahead_byte_count)
    }

    /// Returns the length of the message that has arrived in part, 0 when that is not known.
    pub(super) const fn wanted(&self) -> usize {
        self.wanted
    }

    /// Moves the next bytes that were received ahead to the front; false when there are none.
    fn refill(&mut self) -> bool {
        let Some(mut piece) = self.ahead.pop_front() else {
            return false;
        };
        let left = self.join(&piece).len();
        let joined = piece.len().saturating_sub(left);
        self.ahead_byte_count = self.ahead_byte_count.saturating_sub(joined);
        piece.advance(joined);
        if !piece.is_empty() {
            self.ahead.push_front(piece);
        }
        true
    }

    /// Appends to the front what fits a read buffer, or belongs to the giant that is arriving, and
    /// returns the rest.
    fn join<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let giant = self.wanted > READ_BYTES;
        let size = if giant { self.wanted } else { READ_BYTES };
        let room = size.saturating_sub(self.bytes.len());
        let (joined, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        if giant && self.bytes.capacity() < size {
            // The first bytes after the header of a giant: move to a buffer of its size.
            let mut own = BytesMut::with_capacity(size);
            own.extend_from_slice(&self.bytes);
            self.bytes = own;
        } else if self.spare() < joined.len() {
            self.bytes.reserve(READ_BYTES);
        }
        self.bytes.extend_from_slice(joined);
        rest
    }

    fn spare(&self) -> usize {
        self.bytes.capacity().saturating_sub(self.bytes.len())
    }

    fn header(&self) -> Result<Option<(u8, usize)>, String> {
        let Some(header) = self.bytes.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let [tag, ..] = header;
        let body_length = body_length(*header, true)?;
        Ok(Some((*tag, HEADER_BYTES.saturating_add(body_length))))
    }

    /// Takes a whole message and returns its body.
    fn take(&mut self, total: usize) -> Bytes {
        let mut message = self.bytes.split_to(total);
        if total > READ_BYTES {
            // Let go of the giant's buffer: its frame alone keeps it.
            self.bytes = BytesMut::from(&*self.bytes);
        }
        message.advance(HEADER_BYTES);
        message.freeze()
    }

    /// Messages outside the stream's data; none for those without meaning here.
    fn other(&mut self) -> Result<Option<Step>, String> {
        let tag = self.bytes.first().copied().unwrap_or_default();
        match Message::parse(&mut self.bytes) {
            Ok(Some(Message::ErrorResponse(body))) => Ok(Some(Step::Refused(body))),
            Ok(Some(
                Message::CopyDone | Message::CommandComplete(_) | Message::ReadyForQuery(_),
            )) => Ok(Some(Step::Ended)),
            Ok(Some(Message::NoticeResponse(body))) => Ok(Some(Step::Noticed(body))),
            Ok(Some(Message::ParameterStatus(_))) => Ok(None),
            Ok(_) => Err(format!("a message of type {tag} within the stream")),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// `XLogData`: start, end, server clock, data. Keepalive: end, server clock, whether to reply.
fn frame(mut body: Bytes) -> Result<Frame, String> {
    let kind = body.try_get_u8().map_err(|_cut| "an empty CopyData")?;
    match kind {
        b'w' => {
            let (wal_start, wal_end) = (lsn(&mut body)?, lsn(&mut body)?);
            lsn(&mut body)?;
            Ok(Frame::XLogData {
                wal_start,
                wal_end,
                data: body,
            })
        }
        b'k' => {
            let wal_end = lsn(&mut body)?;
            lsn(&mut body)?;
            let reply = body.try_get_u8().map_err(|_cut| "a cut keepalive")?;
            Ok(Frame::Keepalive {
                wal_end,
                reply_requested: reply != 0,
            })
        }
        other => Err(format!("a CopyData of kind {other}")),
    }
}

fn lsn(body: &mut Bytes) -> Result<Lsn, String> {
    body.try_get_u64()
        .map(Lsn)
        .map_err(|_cut| "a cut CopyData header".to_owned())
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
