//! Rows that a server copies out, looked at where they lie in the connection's buffer.

use bytes::{Buf as _, BytesMut};
use postgres_protocol::message::backend::{COPY_DATA_TAG, Message};

use crate::postgres::error::PgError;
use crate::postgres::inlet::HEADER_BYTES;

use super::session::CopySession;

/// What one look at the connection takes in; a longer row makes the buffer longer.
const READ_BYTES: usize = 64 << 10;

/// COPY statements that run one after the other.
#[derive(Debug)]
pub struct Reader<'s> {
    session: &'s mut CopySession,
    sql: &'s str,
    /// Statements that are through.
    done_count: usize,
    refusal: Option<PgError>,
}

impl CopySession {
    /// Begins to run statements `COPY … TO STDOUT`, separated by `;`.
    ///
    /// # Errors
    /// Transient when the connection is lost; Bug after a copy that was dropped midway.
    pub async fn read_out<'s>(&'s mut self, sql: &'s str) -> Result<Reader<'s>, PgError> {
        self.require_order()?;
        self.within_copy = true;
        self.wire.submit(sql).await?;
        Ok(Reader {
            session: self,
            sql,
            done_count: 0,
            refusal: None,
        })
    }

    /// Ends statements whose reader was dropped midway; afterwards the session is ready for the next, unless
    /// its connection is lost.
    pub async fn abandon(&mut self) {
        if self.within_copy && self.canceller().cancel().await.is_ok() {
            self.within_copy = self.wire.drain().await.is_err();
        }
    }
}

impl Reader<'_> {
    /// Waits for rows and gives each that has come to `take`, with the number of its statement. Returns how
    /// many and how many bytes there were; none when all statements are through. Dropped midway, it leaves the
    /// session to [`CopySession::abandon`].
    ///
    /// # Errors
    /// By SQLSTATE; Transient when the connection is lost. The session is ready for the next statement after a
    /// refusal.
    pub async fn rows(
        &mut self,
        take: &mut (impl FnMut(usize, &[u8]) + Send),
    ) -> Result<Option<(u64, u64)>, PgError> {
        loop {
            let (row_count, byte_count) = self.take_rows(take)?;
            if row_count > 0 {
                return Ok(Some((row_count, byte_count)));
            }
            if !self.session.within_copy {
                return self.refusal.take().map_or(Ok(None), Err);
            }
            let wire = &mut self.session.wire;
            wire.received.reserve(READ_BYTES);
            wire.receive().await?;
        }
    }

    /// Takes the messages that are here whole.
    fn take_rows(&mut self, take: &mut impl FnMut(usize, &[u8])) -> Result<(u64, u64), PgError> {
        let (mut row_count, mut byte_count, mut at) = (0, 0, 0);
        while self.session.within_copy {
            let received = &mut self.session.wire.received;
            let Some((tag, end)) = message(received, at) else {
                break;
            };
            if tag == COPY_DATA_TAG {
                let row = &received[at + HEADER_BYTES..end];
                take(self.done_count, row);
                row_count += 1;
                byte_count += row.len() as u64;
                at = end;
            } else {
                received.advance(at);
                at = 0;
                self.hear()?;
            }
        }
        self.session.wire.received.advance(at);
        Ok((row_count, byte_count))
    }

    /// Takes in a message that is no row.
    fn hear(&mut self) -> Result<(), PgError> {
        let wire = &mut self.session.wire;
        let heard = Message::parse(&mut wire.received);
        match heard.map_err(|error| wire.broken(error.to_string()))? {
            Some(Message::CommandComplete(_)) => self.done_count += 1,
            Some(Message::ErrorResponse(body)) => {
                let refusal = wire.refused(&body);
                self.refusal = Some(refusal.with_statement(self.sql).without_values());
            }
            Some(Message::ReadyForQuery(_)) => self.session.within_copy = false,
            Some(
                Message::CopyOutResponse(_)
                | Message::CopyDone
                | Message::ParameterStatus(_)
                | Message::NotificationResponse(_),
            ) => {}
            Some(_) | None => return Err(wire.broken("unexpected message within COPY")),
        }
        Ok(())
    }
}

/// Returns the tag of the message that begins at a place and where it ends, if all of it is here. Its length
/// is one that a server may send: what comes in was looked at before.
fn message(received: &BytesMut, at: usize) -> Option<(u8, usize)> {
    let rest = received.get(at..)?;
    let (header, _) = rest.split_first_chunk::<HEADER_BYTES>()?;
    let [tag, length @ ..] = *header;
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    let end = at + 1 + length;
    (end <= received.len()).then_some((tag, end))
}
