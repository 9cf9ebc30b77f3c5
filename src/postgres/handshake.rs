//! The handshake of a session that tokio-postgres cannot open: one with a walsender, or one whose
//! rows we want by the buffer (manual, section 55.2.1 «Start-up»).

use std::collections::HashMap;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{self, ScramSha256};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;

use crate::config::Secret;
use crate::config::connection::ChannelBinding;

use super::dial::{Place, question};
use super::error::PgError;
use super::link::Link;
use super::pins::pin_statement;
use super::wire::Wire;

/// Whom we want to talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// An ordinary backend.
    Sql,
    /// A walsender of this database.
    Replication,
}

/// What the server says of itself before the first command.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    /// Such as `server_version`.
    pub(super) parameters: HashMap<String, String>,
    pub(super) process_id: i32,
    /// What a request to cancel has to know.
    pub(super) secret_key: i32,
}

impl Wire {
    /// Opens a session on `link` with pinned settings, on a server that is what the settings want.
    /// `application_name` is used unless they name one.
    pub(super) async fn enter(
        link: Link,
        place: &Place<'_>,
        service: Service,
        application_name: &str,
    ) -> Result<(Self, Greeting), PgError> {
        let mut wire = Self {
            object: place.object(),
            link,
            received: BytesMut::new(),
            unsent: BytesMut::new(),
        };
        let parameters = start_up(place, service, application_name);
        frontend::startup_message(parameters, &mut wire.unsent)
            .map_err(|error| wire.unsendable(&error))?;
        wire.send().await?;
        let greeting = wire.introduced(place).await;
        let greeting = greeting.map_err(|error| place.explained(error, service))?;
        let pinned = wire.query(&pin_statement()).await;
        pinned.map_err(|error| place.unpinned(error))?;
        if let Some((sql, answer)) = question(place.wanted) {
            place.require(answer, &wire.query(sql).await?)?;
        }
        Ok((wire, greeting))
    }

    async fn introduced(&mut self, place: &Place<'_>) -> Result<Greeting, PgError> {
        self.authenticate(place).await?;
        self.greeting().await
    }

    async fn greeting(&mut self) -> Result<Greeting, PgError> {
        let mut greeting = Greeting::default();
        loop {
            match self.message().await? {
                Message::ParameterStatus(body) => {
                    if let (Ok(name), Ok(value)) = (body.name(), body.value()) {
                        greeting
                            .parameters
                            .insert(name.to_owned(), value.to_owned());
                    }
                }
                Message::BackendKeyData(body) => {
                    greeting.process_id = body.process_id();
                    greeting.secret_key = body.secret_key();
                }
                Message::ReadyForQuery(_) => return Ok(greeting),
                Message::ErrorResponse(body) => return Err(self.refused(&body)),
                _ => return Err(self.broken("unexpected message after authentication")),
            }
        }
    }

    async fn authenticate(&mut self, place: &Place<'_>) -> Result<(), PgError> {
        let settings = place.settings;
        let password = || {
            settings
                .password_for(place.host)
                .ok_or_else(|| place.unproven("the server asks for a password, and there is none"))
        };
        let first = self.message().await?;
        if settings.tls.channel_binding == ChannelBinding::Require
            && !matches!(
                first,
                Message::AuthenticationSasl(_) | Message::ErrorResponse(_)
            )
        {
            return Err(place.unproven("the server does not offer channel binding"));
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
                return Err(place.unproven("the server asks for a method that we do not have"));
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
                .map_err(|error| place.unproven(error.to_string()))?,
            Message::ErrorResponse(body) => return Err(self.refused(&body)),
            _ => return Err(self.broken("unexpected message within SCRAM")),
        }
        frontend::sasl_response(scram.message(), &mut self.unsent)
            .map_err(|error| self.unsendable(&error))?;
        self.send().await?;
        match self.message().await? {
            Message::AuthenticationSaslFinal(body) => scram
                .finish(body.data())
                .map_err(|error| place.unproven(error.to_string())),
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
            _ if wanted == ChannelBinding::Require => {
                Err(place.unproven("channel binding is required, and not to be had"))
            }
            _ if !offered.contains(&sasl::SCRAM_SHA_256) => {
                Err(place.unproven("the server offers no SCRAM that we have"))
            }
            Some(_) => Ok((sasl::ChannelBinding::unrequested(), sasl::SCRAM_SHA_256)),
            None => Ok((sasl::ChannelBinding::unsupported(), sasl::SCRAM_SHA_256)),
        }
    }
}

fn start_up<'a>(
    place: &Place<'a>,
    service: Service,
    application_name: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let settings = place.settings;
    let application_name = settings
        .application_name
        .as_deref()
        .unwrap_or(application_name);
    let fixed = [
        ("user", settings.user.as_str()),
        ("database", settings.dbname.as_str()),
        ("client_encoding", "UTF8"),
        ("application_name", application_name),
    ];
    let replication = (service == Service::Replication).then_some(("replication", "database"));
    let options = settings.options.as_deref().map(|text| ("options", text));
    fixed.into_iter().chain(replication).chain(options)
}
