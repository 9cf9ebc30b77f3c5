//! The messages of COPY TO turned into those of COPY FROM, pure.
//!
//! ```text
//!  received   d len row  d len row  N len notice  d len ro│w  C len COPY 3  Z len I
//!  piece      d len row row ro│     others   N len notice      C len COPY 3  Z len I
//! ```
//!
//! A server sends one `CopyData` a row. What it takes may be cut anywhere (manual, section 55.2.7
//! «COPY Operations»), so a [`Piece`] sheds the headers of its rows while it fills, and leaves as
//! one message: the target then does the work of a message once a piece instead of once a row, and
//! a row larger than a piece needs no more memory than any other.

use bytes::BytesMut;
use postgres_protocol::message::backend::COPY_DATA_TAG;

use crate::postgres::inlet::{HEADER_BYTES, body_length};

/// The messages that a server sends while it copies out.
#[derive(Debug, Default)]
pub(super) struct Rows {
    header: [u8; HEADER_BYTES],
    /// So much of the header is here.
    header_byte_count: usize,
    /// So much of its body is still to come.
    body_left: usize,
    row_count: u64,
    /// Messages that are not rows, for the ordinary parser.
    pub(super) others: BytesMut,
}

impl Rows {
    /// Returns the `CopyData` messages seen whole.
    pub(super) const fn row_count(&self) -> u64 {
        self.row_count
    }

    /// Returns what was received and not understood yet: the beginning of the next message.
    pub(super) fn rest(self) -> BytesMut {
        let mut rest = self.others;
        if self.header_byte_count < HEADER_BYTES {
            rest.extend_from_slice(&self.header[..self.header_byte_count]);
        }
        rest
    }

    /// Takes the next bytes received. Moves what they hold of rows to their front and returns how
    /// much that is.
    fn shed(&mut self, bytes: &mut [u8]) -> Result<usize, String> {
        let (mut at, mut kept) = (0, 0);
        while at < bytes.len() {
            if self.header_byte_count < HEADER_BYTES {
                at += self.take_header(&bytes[at..])?;
            }
            let part = self.body_left.min(bytes.len() - at);
            if self.header[0] == COPY_DATA_TAG {
                bytes.copy_within(at..at + part, kept);
                kept += part;
            } else {
                self.others.extend_from_slice(&bytes[at..at + part]);
            }
            at += part;
            self.body_left -= part;
            self.end_message();
        }
        Ok(kept)
    }

    /// Returns how much of the header was in these bytes.
    fn take_header(&mut self, bytes: &[u8]) -> Result<usize, String> {
        let missing = &mut self.header[self.header_byte_count..];
        let part = missing.len().min(bytes.len());
        missing[..part].copy_from_slice(&bytes[..part]);
        self.header_byte_count += part;
        if self.header_byte_count == HEADER_BYTES {
            self.body_left = body_length(self.header, true)?;
            if self.header[0] != COPY_DATA_TAG {
                self.others.extend_from_slice(&self.header);
            }
        }
        Ok(part)
    }

    fn end_message(&mut self) {
        if self.header_byte_count == HEADER_BYTES && self.body_left == 0 {
            self.row_count += u64::from(self.header[0] == COPY_DATA_TAG);
            self.header_byte_count = 0;
        }
    }
}

/// One message of COPY FROM: being filled, then being sent.
#[derive(Debug)]
pub(super) struct Piece {
    /// Room for the header, then rows.
    bytes: Box<[u8]>,
    /// Rows end here.
    end: usize,
    /// Sent up to here.
    sent: usize,
}

impl Piece {
    pub(super) fn new(byte_count: usize) -> Self {
        Self {
            bytes: vec![0; HEADER_BYTES + byte_count].into(),
            end: HEADER_BYTES,
            sent: 0,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.end == HEADER_BYTES
    }

    /// Returns where the next bytes may be put.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.end..]
    }

    /// Takes in what was put into the room: `byte_count` bytes as they came from the server. Returns
    /// how many of them belong to rows.
    pub(super) fn put(&mut self, byte_count: usize, rows: &mut Rows) -> Result<usize, String> {
        let kept = rows.shed(&mut self.bytes[self.end..self.end + byte_count])?;
        self.end += kept;
        Ok(kept)
    }

    /// Writes the header: from here on the piece is sent and not filled.
    pub(super) fn close(&mut self) {
        let length = u32::try_from(self.end - 1).unwrap_or_default();
        self.bytes[0] = COPY_DATA_TAG;
        self.bytes[1..HEADER_BYTES].copy_from_slice(&length.to_be_bytes());
    }

    /// Returns what is to be sent; nothing of an empty piece.
    pub(super) fn unsent(&self) -> &[u8] {
        if self.is_empty() {
            &[]
        } else {
            &self.bytes[self.sent..self.end]
        }
    }

    /// Returns whether the target is owed the rest of a message.
    pub(super) const fn is_half_sent(&self) -> bool {
        self.sent > 0 && self.sent < self.end
    }

    /// So much of it was sent.
    pub(super) fn advance(&mut self, byte_count: usize) {
        self.sent += byte_count;
    }

    /// Empties a piece that was sent.
    pub(super) fn clear(&mut self) {
        self.end = HEADER_BYTES;
        self.sent = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One message as a server sends it.
    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[tag][..], &length.to_be_bytes(), body].concat()
    }

    /// Receives `sent` in chunks of these sizes, in turn, through pieces of `piece_bytes`. Returns
    /// the rows, their number, and the other messages.
    fn receive(sent: &[u8], chunks: &[usize], piece_bytes: usize) -> (Vec<u8>, u64, Vec<u8>) {
        let (mut rows, mut piece) = (Rows::default(), Piece::new(piece_bytes));
        let mut received = Vec::new();
        let mut left = sent;
        for size in chunks.iter().cycle() {
            let size = (*size).min(left.len()).min(piece.room().len());
            let (chunk, rest) = left.split_at(size);
            piece.room()[..size].copy_from_slice(chunk);
            piece.put(size, &mut rows).unwrap();
            left = rest;
            if left.is_empty() || piece.room().is_empty() {
                piece.close();
                received.extend(body(piece.unsent()));
                piece.clear();
            }
            if left.is_empty() {
                break;
            }
        }
        (received, rows.row_count(), rows.others.to_vec())
    }

    /// The body of the one message that a piece is.
    fn body(unsent: &[u8]) -> &[u8] {
        if unsent.is_empty() {
            return unsent;
        }
        assert_eq!(message(b'd', &unsent[HEADER_BYTES..]), unsent);
        &unsent[HEADER_BYTES..]
    }

    fn messages() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
        let tag = prop_oneof![6 => Just(b'd'), 1 => Just(b'N'), 1 => Just(b'S')];
        let body = prop_oneof![
            4 => proptest::collection::vec(any::<u8>(), 0..20),
            1 => proptest::collection::vec(any::<u8>(), 0..400),
        ];
        proptest::collection::vec((tag, body), 0..30)
    }

    crate::property::properties! {
        #[test]
        fn any_chunking_gives_the_same_rows(
            messages in messages(),
            chunks in proptest::collection::vec(1..50_usize, 1..20),
            piece_bytes in 1..200_usize,
        ) {
            let of = |wanted: bool| messages.iter().filter(move |(tag, _)| (*tag == b'd') == wanted);
            let sent: Vec<u8> = messages.iter().flat_map(|(tag, body)| message(*tag, body)).collect();
            let rows: Vec<u8> = of(true).flat_map(|(_, body)| body.clone()).collect();
            let others: Vec<u8> = of(false).flat_map(|(tag, body)| message(*tag, body)).collect();

            let received = receive(&sent, &chunks, piece_bytes);

            prop_assert_eq!(received, (rows, u64::try_from(of(true).count()).unwrap(), others));
        }
    }

    #[test]
    fn lengths_that_no_server_sends_are_refused() {
        for length in [[0; 4], [0, 0, 0, 3], [0xff; 4]] {
            let mut piece = Piece::new(100);
            piece.room()[0] = b'd';
            piece.room()[1..5].copy_from_slice(&length);
            assert!(piece.put(5, &mut Rows::default()).is_err(), "{length:?}");
        }
    }

    #[test]
    fn fuzz_the_rows_of_a_copy() {
        let good = [message(b'd', b"a row\n"), message(b'N', b"SNOTICE\0\0")];
        let good = [good.concat(), message(b'C', b"COPY 1\0")].concat();

        crate::fuzz::fuzz(&[&good], |input| {
            let (mut rows, mut piece) = (Rows::default(), Piece::new(64));
            for chunk in input.chunks(13) {
                if piece.room().len() < chunk.len() {
                    piece.clear();
                }
                piece.room()[..chunk.len()].copy_from_slice(chunk);
                if piece.put(chunk.len(), &mut rows).is_err() {
                    break;
                }
            }
            drop(rows.rest());
        });
    }
}
