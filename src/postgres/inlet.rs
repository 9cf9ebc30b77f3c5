//! What arrives from a server, looked at before anybody holds it, pure.
//!
//! ```text
//!  received   S len …  N len notic│e  C len …  Z len I
//!  passed on  S len …  C len …  Z len I
//! ```
//!
//! A length word is a server's claim: what libpq would not believe is refused before memory is asked
//! for, most strictly before the login, when nobody knows yet who speaks. Notices may come at any time
//! and be of any size; they are taken out here, so that nothing behind has to expect them, and only
//! their beginning is kept, for the log.
//!
//! Behind `CopyBothResponse` everything passes: the stream has its own reader
//! ([`frame`](super::frame)), to which warnings mean something.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use postgres_protocol::message::backend::{
    COPY_DATA_TAG, DATA_ROW_TAG, ERROR_RESPONSE_TAG, NOTICE_RESPONSE_TAG,
    NOTIFICATION_RESPONSE_TAG, PARAMETER_DESCRIPTION_TAG, READY_FOR_QUERY_TAG, ROW_DESCRIPTION_TAG,
};

/// Tag and length word.
pub(super) const HEADER_BYTES: usize = 5;

/// The length word, which counts itself.
const LENGTH_BYTES: usize = 4;

/// PostgreSQL cannot build a message above 1 GiB (`MaxAllocSize`).
const ANY_BYTES_MAX: usize = 1 << 30;

/// libpq's bound of messages that carry no data (`pqParseInput3`).
const BRIEF_BYTES_MAX: usize = 30_000;

/// libpq's bound of a request for authentication (`PQconnectPoll`).
const AUTHENTICATION_BYTES_MAX: usize = 2_000;

/// So much of a notice is worth a line in the log.
const NOTICE_BYTES_KEPT: usize = 1_024;

/// `CopyBothResponse`, which postgres-protocol does not know.
pub(super) const COPY_BOTH_TAG: u8 = b'W';

const AUTHENTICATION_TAG: u8 = b'R';

/// Returns the length of a message's body, if a server may send that.
pub(super) fn body_length(header: [u8; HEADER_BYTES], has_entered: bool) -> Result<usize, String> {
    let [tag, length @ ..] = header;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    let max = match tag {
        NOTICE_RESPONSE_TAG => ANY_BYTES_MAX,
        AUTHENTICATION_TAG => AUTHENTICATION_BYTES_MAX,
        COPY_DATA_TAG
        | DATA_ROW_TAG
        | ROW_DESCRIPTION_TAG
        | PARAMETER_DESCRIPTION_TAG
        | ERROR_RESPONSE_TAG
        | NOTIFICATION_RESPONSE_TAG
            if has_entered =>
        {
            ANY_BYTES_MAX
        }
        _ => BRIEF_BYTES_MAX,
    };
    match length.checked_sub(LENGTH_BYTES) {
        Some(body_length) if length <= max => Ok(body_length),
        _ => Err(format!(
            "a message of type {:?} with {length} bytes",
            char::from(tag)
        )),
    }
}

/// Where in the messages of a connection we are.
#[derive(Debug, Default)]
pub(super) struct Inlet {
    header: [u8; HEADER_BYTES],
    /// So much of the header is here.
    header_byte_count: usize,
    /// So much of its body is still to come.
    body_left: usize,
    /// The server has said that it is ready for a first query.
    has_entered: bool,
    /// What follows is not ours to look at.
    is_open: bool,
    /// The beginning of the notice in hand.
    notice: Vec<u8>,
    /// Notices that were taken out, not yet logged.
    noticed: Vec<Vec<u8>>,
}

impl Inlet {
    /// Takes the next bytes received, moves what is to be passed on to their front, and returns how
    /// much that is.
    pub(super) fn sift(&mut self, bytes: &mut [u8]) -> Result<usize, String> {
        let (mut at, mut kept) = (0_usize, 0_usize);
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let part = match self.is_open {
                true => rest.len(),
                false => self.take(rest)?,
            };
            let end = at.saturating_add(part);
            if self.header.first() != Some(&NOTICE_RESPONSE_TAG) {
                bytes.copy_within(at..end, kept);
                kept = kept.saturating_add(part);
            }
            at = end;
            self.end_message();
        }
        Ok(kept)
    }

    /// Returns the beginnings of the notices that were taken out since the last time.
    pub(super) fn noticed(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.noticed)
    }

    /// Takes a part of one header or of one body, and returns its length.
    fn take(&mut self, bytes: &[u8]) -> Result<usize, String> {
        if self.header_byte_count == HEADER_BYTES {
            let part = self.body_left.min(bytes.len());
            self.body_left = self.body_left.saturating_sub(part);
            if self.header.first() == Some(&NOTICE_RESPONSE_TAG) {
                let room = NOTICE_BYTES_KEPT.saturating_sub(self.notice.len());
                let beginning = bytes.get(..part.min(room)).unwrap_or_default();
                self.notice.extend_from_slice(beginning);
            }
            return Ok(part);
        }
        let missing = self.header.get_mut(self.header_byte_count..);
        let mut part = 0_usize;
        for (place, byte) in missing.unwrap_or_default().iter_mut().zip(bytes) {
            *place = *byte;
            part = part.saturating_add(1);
        }
        self.header_byte_count = self.header_byte_count.saturating_add(part);
        if self.header_byte_count == HEADER_BYTES {
            self.body_left = body_length(self.header, self.has_entered)?;
        }
        Ok(part)
    }

    fn end_message(&mut self) {
        if self.header_byte_count < HEADER_BYTES || self.body_left > 0 || self.is_open {
            return;
        }
        match self.header.first() {
            Some(&NOTICE_RESPONSE_TAG) => self.noticed.push(std::mem::take(&mut self.notice)),
            Some(&READY_FOR_QUERY_TAG) => self.has_entered = true,
            Some(&COPY_BOTH_TAG) => self.is_open = true,
            _ => {}
        }
        self.header_byte_count = 0;
    }
}

#[cfg(test)]
#[path = "inlet_tests.rs"]
mod tests;
