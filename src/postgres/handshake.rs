//! The handshake of a replication session, which tokio-postgres cannot open
//! (manual, section 55.2.1 «Start-up»).

use std::collections::HashMap;
use std::io;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{self, ScramSha256};
use postgres_protocol::message::backend::{
    AuthenticationSaslBody, ErrorFields, ErrorResponseBody, Message, NoticeResponseBody,
};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tracing::debug;

use super::dial::Place;
use super::error::PgError;
use super::link::Link;
use super::server_error::ServerError;
use crate::config::Secret;
use crate::config::connection::ChannelBinding;

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
    /// Opens a session on `link` with these start-up parameters. Returns the wire, ready for
    /// commands, and the server's parameters.
    pub(super) async fn enter(
        link: Link,
        place: &Place<'_>,
        parameters: &[(&str, &str)],
    ) -> Result<(Self, HashMap<String, String>), PgError> {
        let mut wire = Self {
            object: place.object(),
            link,
            received: BytesMut::new(),
            unsent: BytesMut::new(),
        };
        frontend::startup_message(parameters.iter().copied(), &mut wire.unsent)
            .map_err(|error| wire.unsendable(&error))?;
        wire.send().await?;
        wire.authenticate(place).await?;
        let parameters = wire.until_ready().await?;
        Ok((wire, parameters))
    }

    /// Sends what `unsent` holds.
    pub(super) async fn send(&mut self) -> Result<(), PgError> {
        let sent = async {
            self.link.write_all_buf(&mut self.unsent).await?;
            self.link.flush().await
        };
        sent.await.map_err(|source| lost(&self.object, source))
    }

    /// Returns the next message. Notices are logged and left out.
    pub(super) async fn message(&mut self) -> Result<Message, PgError> {
        loop {
            match Message::parse(&mut self.received) {
                Ok(Some(Message::NoticeResponse(_))) => {
                    debug!(server = %self.object, "server notice");
                }
                Ok(Some(message)) => return Ok(message),
                Ok(None) => self.receive().await?,
                Err(error) => return Err(self.broken(error.to_string())),
            }
        }
    }

    /// Reads once. Cancel safe.
    pub(super) async fn receive(&mut self) -> Result<(), PgError> {
        match self.link.read_buf(&mut self.received).await {
            Ok(0) => Err(lost(&self.object, io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(source) => Err(lost(&self.object, source)),
        }
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

    async fn until_ready(&mut self) -> Result<HashMap<String, String>, PgError> {
        let mut parameters = HashMap::new();
        loop {
            match self.message().await? {
                Message::ParameterStatus(body) => {
                    if let (Ok(name), Ok(value)) = (body.name(), body.value()) {
                        parameters.insert(name.to_owned(), value.to_owned());
                    }
                }
                Message::ReadyForQuery(_) => return Ok(parameters),
                Message::ErrorResponse(body) => return Err(self.refused(&body)),
                Message::BackendKeyData(_) => {}
                _ => return Err(self.broken("unexpected message after authentication")),
            }
        }
    }

    async fn authenticate(&mut self, place: &Place<'_>) -> Result<(), PgError> {
        let settings = place.settings;
        let password = || {
            settings
                .password_for(place.host)
                .ok_or_else(|| refusal(place, "the server asks for a password, and there is none"))
        };
        let first = self.message().await?;
        if settings.tls.channel_binding == ChannelBinding::Require
            && !matches!(
                first,
                Message::AuthenticationSasl(_) | Message::ErrorResponse(_)
            )
        {
            return Err(refusal(place, "the server does not offer channel binding"));
        }
        match first {
            Message::AuthenticationOk => return Ok(()),
            Message::AuthenticationCleartextPassword => {
                self.send_password(password()?.expose().as_bytes()).await?;
            }
            Message::AuthenticationMd5Password(body) => {
                let password = password()?;
                let hash = md5_hash(
                    settings.user.as_bytes(),
                    password.expose().as_bytes(),
                    body.salt(),
                );
                self.send_password(hash.as_bytes()).await?;
            }
            Message::AuthenticationSasl(body) => self.scram(place, &body, &password()?).await?,
            Message::ErrorResponse(body) => return Err(self.refused(&body)),
            _ => {
                return Err(refusal(
                    place,
                    "the server asks for a method that we do not have",
                ));
            }
        }
        match self.message().await? {
            Message::AuthenticationOk => Ok(()),
            Message::ErrorResponse(body) => Err(self.refused(&body)),
            _ => Err(self.broken("unexpected message at the end of authentication")),
        }
    }

    async fn send_password(&mut self, password: &[u8]) -> Result<(), PgError> {
        frontend::password_message(password, &mut self.unsent)
            .map_err(|error| self.unsendable(&error))?;
        self.send().await
    }

    async fn scram(
        &mut self,
        place: &Place<'_>,
        body: &AuthenticationSaslBody,
        password: &Secret,
    ) -> Result<(), PgError> {
        let (binding, mechanism) = self.mechanism(place, body)?;
        let mut scram = ScramSha256::new(password.expose().as_bytes(), binding);
        frontend::sasl_initial_response(mechanism, scram.message(), &mut self.unsent)
            .map_err(|error| self.unsendable(&error))?;
        self.send().await?;
        match self.message().await? {
            Message::AuthenticationSaslContinue(body) => scram
                .update(body.data())
                .map_err(|error| refusal(place, &error.to_string()))?,
            Message::ErrorResponse(body) => return Err(self.refused(&body)),
            _ => return Err(self.broken("unexpected message within SCRAM")),
        }
        frontend::sasl_response(scram.message(), &mut self.unsent)
            .map_err(|error| self.unsendable(&error))?;
        self.send().await?;
        match self.message().await? {
            Message::AuthenticationSaslFinal(body) => scram
                .finish(body.data())
                .map_err(|error| refusal(place, &error.to_string())),
            Message::ErrorResponse(body) => Err(self.refused(&body)),
            _ => Err(self.broken("unexpected message within SCRAM")),
        }
    }

    /// Chooses between SCRAM with and without channel binding, as tokio-postgres does. Telling the
    /// server «I could have» when it did not offer it reveals somebody who took the offer away.
    fn mechanism(
        &self,
        place: &Place<'_>,
        body: &AuthenticationSaslBody,
    ) -> Result<(sasl::ChannelBinding, &'static str), PgError> {
        let wanted = place.settings.tls.channel_binding;
        let offered: Vec<&str> = body
            .mechanisms()
            .collect()
            .map_err(|error| self.broken(error.to_string()))?;
        let bindable = self
            .link
            .end_point
            .clone()
            .filter(|_| wanted != ChannelBinding::Disable);
        let has_plus = offered.contains(&sasl::SCRAM_SHA_256_PLUS);
        match bindable {
            Some(end_point) if has_plus => Ok((
                sasl::ChannelBinding::tls_server_end_point(end_point),
                sasl::SCRAM_SHA_256_PLUS,
            )),
            _ if wanted == ChannelBinding::Require => Err(refusal(
                place,
                "channel binding is required, and not to be had",
            )),
            _ if !offered.contains(&sasl::SCRAM_SHA_256) => {
                Err(refusal(place, "the server offers no SCRAM that we have"))
            }
            Some(_) => Ok((sasl::ChannelBinding::unrequested(), sasl::SCRAM_SHA_256)),
            None => Ok((sasl::ChannelBinding::unsupported(), sasl::SCRAM_SHA_256)),
        }
    }
}

fn refusal(place: &Place<'_>, reason: &str) -> PgError {
    PgError::Authentication {
        object: place.object(),
        user: place.settings.user.clone(),
        reason: reason.to_owned(),
    }
}

pub(super) fn lost(object: &str, source: io::Error) -> PgError {
    PgError::Lost {
        object: object.to_owned(),
        source,
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
