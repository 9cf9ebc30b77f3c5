//! A link that speaks the protocol one message at a time, and simple queries on it: what both
//! clients of our own, the walsender's and the copying one, are made of.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::{
    DataRowBody, ErrorFields, ErrorResponseBody, Message, NoticeResponseBody,
};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt as _, AsyncWrite as _};

use super::error::PgError;
use super::link::{Link, Unbelievable};
use super::server_error::ServerError;

/// One row of a simple query, as the server printed it.
pub type TextRow = Vec<Option<String>>;

/// A link that speaks the protocol, one message at a time: good for everything but the stream.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) object: String,
    pub(super) link: Link,
    /// Received and not yet parsed.
    pub(super) received: BytesMut,
    /// To be sent; kept here so that a cancelled send goes on where it stopped.
    pub(super) unsent: BytesMut,
}

impl Wire {
    /// Sends what `unsent` holds.
    pub(super) async fn send(&mut self) -> Result<(), PgError> {
        poll_fn(|context| self.poll_send(context)).await
    }

    /// Returns the next message; notices never get here. Cancel safe.
    pub(super) async fn message(&mut self) -> Result<Message, PgError> {
        poll_fn(|context| self.poll_message(context)).await
    }

    /// As [`message`](Self::message), and meanwhile sends what is unsent: a server that waits for us
    /// to read does not read what we send.
    pub(super) async fn message_while_sending(&mut self) -> Result<Message, PgError> {
        poll_fn(|context| {
            if let Poll::Ready(Err(error)) = self.poll_send(context) {
                return Poll::Ready(Err(error));
            }
            self.poll_message(context)
        })
        .await
    }

    /// Reads once. Cancel safe.
    pub(super) async fn receive(&mut self) -> Result<(), PgError> {
        poll_fn(|context| self.poll_receive(context)).await
    }

    pub(super) fn poll_message(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Message, PgError>> {
        loop {
            match Message::parse(&mut self.received) {
                Ok(Some(message)) => return Poll::Ready(Ok(message)),
                Ok(None) => ready!(self.poll_receive(context))?,
                Err(error) => return Poll::Ready(Err(self.broken(error.to_string()))),
            }
        }
    }

    pub(super) fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<Result<(), PgError>> {
        let sent = self.poll_send_all(context);
        sent.map_err(|source| lost(&self.object, source))
    }

    fn poll_send_all(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let sent = ready!(Pin::new(&mut self.link).poll_write(context, &self.unsent))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.advance(sent);
        }
        Pin::new(&mut self.link).poll_flush(context)
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<(), PgError>> {
        let read = pin!(self.link.read_buf(&mut self.received)).poll(context);
        Poll::Ready(match ready!(read) {
            Ok(0) => Err(lost(&self.object, io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(source) => Err(lost(&self.object, source)),
        })
    }

    /// Translates an `ErrorResponse`.
    pub(super) fn refused(&self, body: &ErrorResponseBody) -> PgError {
        answer(&self.object, body)
    }

    pub(super) fn broken(&self, what: impl Into<String>) -> PgError {
        PgError::Protocol {
            object: self.object.clone(),
            what: what.into(),
        }
    }

    /// Strings with zero bytes cannot be sent; the parser of settings lets none through.
    pub(super) fn unsendable(&self, error: &io::Error) -> PgError {
        self.broken(format!("a request of ours cannot be encoded: {error}"))
    }

    /// Runs SQL, or a replication command, and returns all rows. After a refusal the session is
    /// ready for the next.
    pub(super) async fn query(&mut self, sql: &str) -> Result<Vec<TextRow>, PgError> {
        self.submit(sql).await?;
        let mut rows = Vec::new();
        let mut refusal = None;
        loop {
            match self.message().await? {
                Message::DataRow(body) => rows.push(self.text_row(&body)?),
                Message::ErrorResponse(body) => {
                    refusal = Some(self.refused(&body).with_statement(sql));
                }
                Message::ReadyForQuery(_) => break,
                Message::RowDescription(_)
                | Message::CommandComplete(_)
                | Message::EmptyQueryResponse
                | Message::ParameterStatus(_) => {}
                _ => return Err(self.broken("unexpected message within a query")),
            }
        }
        refusal.map_or(Ok(rows), Err)
    }

    /// Sends SQL, or a replication command.
    pub(super) async fn submit(&mut self, sql: &str) -> Result<(), PgError> {
        frontend::query(sql, &mut self.unsent).map_err(|error| self.unsendable(&error))?;
        self.send().await
    }

    /// Reads on until the server is ready for the next query; what comes before is dropped.
    pub(super) async fn drain(&mut self) -> Result<(), PgError> {
        while !matches!(self.message().await?, Message::ReadyForQuery(_)) {}
        Ok(())
    }

    fn text_row(&self, body: &DataRowBody) -> Result<TextRow, PgError> {
        let buffer = body.buffer();
        body.ranges()
            .map(|range| {
                let bytes = range.and_then(|range| buffer.get(range));
                Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
            })
            .collect()
            .map_err(|error| self.broken(error.to_string()))
    }
}

pub(super) fn lost(object: &str, source: io::Error) -> PgError {
    let object = object.to_owned();
    match source.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(Unbelievable(what)) => PgError::Protocol {
            object,
            what: what.clone(),
        },
        None => PgError::Lost { object, source },
    }
}

/// Translates an `ErrorResponse`.
pub(super) fn answer(object: &str, body: &ErrorResponseBody) -> PgError {
    PgError::Server(Box::new(collect(object, body.fields())))
}

/// Translates a `NoticeResponse`, which has the same fields.
pub(super) fn notice(object: &str, body: &NoticeResponseBody) -> ServerError {
    collect(object, body.fields())
}

/// Text that is not UTF-8 (an error before the encoding is settled) is kept as far as it is.
fn collect(object: &str, mut fields: ErrorFields<'_>) -> ServerError {
    let mut known = Vec::new();
    while let Ok(Some(field)) = fields.next() {
        let text = String::from_utf8_lossy(field.value_bytes()).into_owned();
        known.push((field.type_(), text));
    }
    let fields = known.iter().map(|(kind, text)| (*kind, text.as_str()));
    ServerError::from_fields(object, fields)
}
