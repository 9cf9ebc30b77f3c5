//! An ordinary session on our own wire: simple queries, and one side of a COPY.

use std::fmt;

use postgres_protocol::message::backend::{CommandCompleteBody, Message};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::config::ConnectionSettings;
use crate::postgres::connect::Session;
use crate::postgres::dial::{Place, dial};
use crate::postgres::error::PgError;
use crate::postgres::handshake::{Greeting, Service};
use crate::postgres::link::Link;
use crate::postgres::owner::Owner;
use crate::postgres::ownership::{self, STRANGERS};
use crate::postgres::pins::CARRY_BYTES;
use crate::postgres::wire::{TextRow, Wire, lost};

/// A session with pinned settings for [`copy_through`](super::copy_through). Dropping it closes the
/// connection.
#[derive(Debug)]
pub struct CopySession {
    pub(super) wire: Wire,
    canceller: Canceller,
    /// Where in the protocol we are is not known: a copy was dropped midway, or the connection is lost.
    pub(super) within_copy: bool,
}

/// How COPY writes rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Text or CSV.
    Text,
    /// With a message of its own at the end.
    Binary,
}

impl CopySession {
    /// Opens a session with pinned settings. `application_name` is used unless the settings name one.
    ///
    /// Row-level security is an error here, as in `pg_dump`: COPY would silently leave out the rows
    /// that our role must not see.
    ///
    /// # Errors
    /// Transient when no server answers; Operator when it refuses us or the encryption fails.
    pub async fn connect(
        settings: &ConnectionSettings,
        application_name: &str,
    ) -> Result<Self, PgError> {
        dial(settings, |link, place| {
            enter(link, place, application_name, true)
        })
        .await
    }

    /// Opens one beside a session, as [`Session::beside`].
    ///
    /// # Errors
    /// As [`CopySession::connect`].
    pub async fn beside(session: &Session, application_name: &str) -> Result<Self, PgError> {
        dial(session.settings(), |link, place| {
            enter(link, place, application_name, false)
        })
        .await
    }

    /// Returns `host:port/database`.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.wire.object
    }

    /// Returns the server's process for this session, as `pg_locks` names it.
    #[must_use]
    pub const fn process_id(&self) -> i32 {
        self.canceller.process_id
    }

    /// Returns what cancels this session's statement from elsewhere, such as a copy under way.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Runs SQL over the simple protocol and returns all rows as the server printed them.
    ///
    /// # Errors
    /// By SQLSTATE; Transient when the connection is lost; Bug after a copy that was dropped midway.
    pub async fn query(&mut self, sql: &str) -> Result<Vec<TextRow>, PgError> {
        self.require_order()?;
        self.wire.query(sql).await
    }

    /// Asks for the owner of something that is not ours, with a question of [`Owner`], and prepares his
    /// function.
    ///
    /// # Errors
    /// By SQLSTATE: Operator where our role is no member of his.
    pub async fn owner(&mut self, question: &str) -> Result<Option<Owner>, PgError> {
        let rows = self.query(question).await?;
        let owner = Owner::read(&self.wire.object, &rows)?;
        if let Some(script) = owner.as_ref().and_then(Owner::preparation) {
            let other =
                crate::postgres::connect(&self.canceller.settings, "pgstream owner").await?;
            other.run(&script).await?;
        }
        Ok(owner)
    }

    /// Sends a COPY statement and waits until rows may pass. After a refusal the session is ready
    /// for the next statement.
    pub(super) async fn start(&mut self, sql: &str) -> Result<Format, PgError> {
        self.require_order()?;
        frontend::query(sql, &mut self.wire.unsent)
            .map_err(|error| self.wire.unsendable(&error))?;
        self.within_copy = true;
        loop {
            match self.wire.message_while_sending().await? {
                Message::CopyOutResponse(body) => return Ok(Format::of(body.format())),
                Message::CopyInResponse(body) => return Ok(Format::of(body.format())),
                Message::ErrorResponse(body) => {
                    let refusal = self.wire.refused(&body);
                    self.within_copy = self.wire.drain().await.is_err();
                    return Err(refusal);
                }
                Message::ParameterStatus(_) | Message::NotificationResponse(_) => {}
                _ => return Err(self.wire.broken("unexpected answer to COPY")),
            }
        }
    }

    /// Tells a server that takes in rows that they are complete. Returns how many it took.
    pub(super) async fn finish(&mut self) -> Result<u64, PgError> {
        frontend::copy_done(&mut self.wire.unsent);
        self.conclude().await
    }

    /// Makes a server that takes in rows forget them. Does nothing where it has ended its COPY
    /// itself.
    pub(super) async fn give_up(&mut self) {
        if !self.within_copy {
            return;
        }
        let reason = "the rows did not come to their end";
        let encoded = frontend::copy_fail(reason, &mut self.wire.unsent);
        // It says only that we gave up, or that the connection is lost: the caller knows better.
        if encoded.is_ok() {
            drop(self.conclude().await);
        }
    }

    /// Sends what is unsent and reads on until the server is ready for the next statement.
    async fn conclude(&mut self) -> Result<u64, PgError> {
        let mut outcome = Ok(0);
        loop {
            match self.wire.message_while_sending().await {
                Ok(Message::CommandComplete(body)) => outcome = Ok(row_count(&body)),
                Ok(Message::ErrorResponse(body)) => outcome = Err(self.wire.refused(&body)),
                Ok(Message::ReadyForQuery(_)) => {
                    self.within_copy = false;
                    return outcome;
                }
                Ok(Message::ParameterStatus(_) | Message::NotificationResponse(_)) => {}
                Ok(_) => return Err(self.wire.broken("unexpected message at the end of COPY")),
                Err(error) => return Err(outcome.err().unwrap_or(error)),
            }
        }
    }

    pub(super) fn require_order(&self) -> Result<(), PgError> {
        if self.within_copy {
            return Err(self.wire.broken("a copy on this session came to no end"));
        }
        Ok(())
    }
}

impl Format {
    const fn of(code: u8) -> Self {
        match code {
            0 => Self::Text,
            _ => Self::Binary,
        }
    }
}

async fn enter(
    link: Link,
    place: Place<'_>,
    application_name: &str,
    asks: bool,
) -> Result<CopySession, PgError> {
    let entered = Wire::enter(link, &place, Service::Sql, application_name).await;
    let (mut wire, greeting) = entered?;
    if asks {
        let strangers = wire.query(&STRANGERS).await?;
        ownership::require(&wire.object, &strangers)?;
    }
    wire.query(CARRY_BYTES).await?;
    wire.query("SET row_security = off").await?;
    let canceller = Canceller::new(&place, &greeting);
    Ok(CopySession {
        wire,
        canceller,
        within_copy: false,
    })
}

/// Cancels the statement of one session, from any task.
#[derive(Clone)]
pub struct Canceller {
    object: String,
    /// Of this one server.
    settings: ConnectionSettings,
    process_id: i32,
    secret_key: i32,
}

impl Canceller {
    fn new(place: &Place<'_>, greeting: &Greeting) -> Self {
        Self {
            object: place.object(),
            settings: place.alone(),
            process_id: greeting.process_id,
            secret_key: greeting.secret_key,
        }
    }

    /// Asks the server to cancel the statement in hand, over a connection of its own that is opened
    /// and encrypted as the session's was. Returns when the server has passed the request on: what
    /// the session is asked after that is not hit. The statement, if there is one, ends with SQLSTATE
    /// 57014.
    ///
    /// # Errors
    /// Transient when the server cannot be reached.
    pub async fn cancel(&self) -> Result<(), PgError> {
        dial(&self.settings, |link, _place| self.request(link)).await
    }

    async fn request(&self, mut link: Link) -> Result<(), PgError> {
        let mut request = bytes::BytesMut::new();
        frontend::cancel_request(self.process_id, self.secret_key, &mut request);
        let sent = async {
            link.write_all_buf(&mut request).await?;
            link.flush().await
        };
        sent.await.map_err(|source| lost(&self.object, source))?;
        // No answer: the server closes the connection, in whatever way, when it has passed it on.
        drop(link.read_u8().await);
        Ok(())
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Canceller({}, {})", self.object, self.process_id)
    }
}

/// Reads «COPY 12».
pub(super) fn row_count(body: &CommandCompleteBody) -> u64 {
    let count = body.tag().ok().and_then(|tag| tag.rsplit(' ').next());
    count
        .and_then(|count| count.parse().ok())
        .unwrap_or_default()
}
