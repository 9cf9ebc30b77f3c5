//! Ordinary sessions: SQL on the source and the target.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_postgres::config::{
    ChannelBinding as ClientBinding, Config, SslMode as ClientSslMode,
    SslNegotiation as ClientNegotiation,
};
use tokio_postgres::types::ToSql;
use tokio_postgres::{
    AsyncMessage, CancelToken, Client, Connection, Row, SimpleQueryMessage, Statement,
};
use tracing::debug;

use crate::config::ConnectionSettings;
use crate::config::connection::ChannelBinding;
use crate::model::quote_literal;

use super::dial::{Place, dial, question};
use super::error::PgError;
use super::handshake::Service;
use super::link::{Link, Settled};
use super::owner::Owner;
use super::ownership::{self, STRANGERS};
use super::pins::{CARRY_BYTES, pin_statement};

const END_NAMESAKES: &str = "\
SELECT pg_catalog.pg_terminate_backend(a.pid, 5000)
FROM pg_catalog.pg_stat_activity AS a
WHERE a.application_name = pg_catalog.current_setting('application_name')
  AND a.datname = pg_catalog.current_database()
  AND a.usename = CURRENT_USER
  AND a.pid <> pg_catalog.pg_backend_pid()";

const IDENTITY: &str = "\
SELECT (SELECT s.system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system() AS s),
       pg_catalog.concat(pg_catalog.pg_postmaster_start_time(), ' port ', pg_catalog.current_setting('port')),
       d.oid
FROM pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database()";

/// One database of one running server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseIdentity {
    /// Of the server; clones of one data directory share it.
    pub system_identifier: String,
    /// When it started, which tells clones apart, and its port: two servers of one machine may start in the
    /// same microsecond.
    pub started_at: String,
    /// Of the database.
    pub oid: u32,
}

impl DatabaseIdentity {
    /// Returns what stays the same when the server is started anew.
    #[must_use]
    pub fn lasting(&self) -> String {
        format!("{}/{}", self.system_identifier, self.oid)
    }
}

/// A session with pinned settings. Derefs to tokio-postgres' client; its own methods are those that
/// name server and statement in their errors. Dropping it closes the connection.
pub struct Session {
    client: Client,
    object: Arc<str>,
    /// Of this one server.
    settings: ConnectionSettings,
    cancel: CancelToken,
    ended: watch::Receiver<Life>,
    warnings: Arc<AtomicU64>,
    process_id: i32,
    /// An answer that takes longer is asked for; none: whoever uses the session watches it.
    pub(super) answer_max: Option<Duration>,
    /// It was given up.
    pub(super) silent: AtomicBool,
    /// How many notifications have come.
    notified: watch::Receiver<u64>,
    /// Statements by their text.
    prepared: Mutex<HashMap<Box<str>, Statement>>,
}

/// What the driver task last said.
#[derive(Debug, Clone)]
enum Life {
    Running,
    Ended(Option<Arc<PgError>>),
}

/// Opens a session. `application_name` is used unless the settings name one.
///
/// # Errors
/// Transient when no server answers; Operator when it refuses us or the encryption fails.
pub async fn connect(
    settings: &ConnectionSettings,
    application_name: &str,
) -> Result<Session, PgError> {
    open(settings, application_name, true).await
}

async fn open(
    settings: &ConnectionSettings,
    application_name: &str,
    asks: bool,
) -> Result<Session, PgError> {
    // Large, and everywhere: on the heap it makes no future of others large.
    let dialed = dial(settings, |link, place| {
        enter(link, place, application_name, asks)
    });
    Box::pin(dialed).await
}

async fn enter(
    link: Link,
    place: Place<'_>,
    application_name: &str,
    asks: bool,
) -> Result<Session, PgError> {
    let config = client_config(&place, application_name);
    let object: Arc<str> = place.object().into();
    let warnings = link.warnings();
    let (client, connection) = config
        .connect_raw(link, Settled)
        .await
        .map_err(|error| entering_failed(&place, error))?;
    let (report, ended) = watch::channel(Life::Running);
    let (notify, notified) = watch::channel(0);
    #[expect(
        clippy::disallowed_methods,
        reason = "the driver belongs to its Session: it ends when the client is dropped"
    )]
    drop(tokio::spawn(drive(
        connection,
        Arc::clone(&object),
        (report, notify),
    )));
    let mut session = Session {
        cancel: client.cancel_token(),
        client,
        object,
        settings: place.alone(),
        ended,
        warnings,
        process_id: 0,
        answer_max: None,
        silent: AtomicBool::new(false),
        notified,
        prepared: Mutex::default(),
    };
    let pinned = session.text_rows(&pin_statement()).await;
    let pinned = pinned.map_err(|error| place.unpinned(error))?;
    let process_id = pinned.first().and_then(|row| row.first()?.as_deref());
    session.process_id = process_id.and_then(|id| id.parse().ok()).unwrap_or(0);
    if asks {
        ownership::require(&session.object, &session.text_rows(&STRANGERS).await?)?;
    }
    if let Some((sql, answer)) = question(place.wanted) {
        place.require(answer, &session.text_rows(sql).await?)?;
    }
    Ok(session)
}

/// Encryption is settled by [`dial`]: tokio-postgres takes every link as an encrypted one.
fn client_config(place: &Place<'_>, application_name: &str) -> Config {
    let settings = place.settings;
    let mut config = Config::new();
    config
        .user(&settings.user)
        .dbname(&settings.dbname)
        .application_name(
            settings
                .application_name
                .as_deref()
                .unwrap_or(application_name),
        )
        .ssl_mode(ClientSslMode::Require)
        .ssl_negotiation(ClientNegotiation::Direct)
        .channel_binding(match settings.tls.channel_binding {
            ChannelBinding::Disable => ClientBinding::Disable,
            ChannelBinding::Prefer => ClientBinding::Prefer,
            ChannelBinding::Require => ClientBinding::Require,
        });
    if let Some(options) = &settings.options {
        config.options(options);
    }
    if let Some(password) = settings.password_for(place.host) {
        config.password(password.expose());
    }
    config
}

/// During the handshake, whatever is neither an answer nor a broken connection is about proving who
/// we are.
fn entering_failed(place: &Place<'_>, error: tokio_postgres::Error) -> PgError {
    match PgError::from_client(&place.object(), None, error) {
        PgError::Client { source, .. } => place.unproven(reason(&source)),
        other => place.explained(other, Service::Sql),
    }
}

fn reason(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

async fn drive(
    mut connection: Connection<Link, Link>,
    object: Arc<str>,
    (report, notify): (watch::Sender<Life>, watch::Sender<u64>),
) {
    let end = loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(_))) => notify.send_modify(|count| *count += 1),
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                break Some(Arc::new(PgError::from_client(&object, None, error)));
            }
            None => break None,
        }
    };
    report.send_replace(Life::Ended(end));
}

impl Session {
    /// Returns `host:port/database` of the server that this session is on.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// Returns the settings of this one server.
    #[must_use]
    pub const fn settings(&self) -> &ConnectionSettings {
        &self.settings
    }

    /// Returns the process that serves the session.
    #[must_use]
    pub const fn process_id(&self) -> i32 {
        self.process_id
    }

    /// Returns how often the server has warned us. A warning is counted before the answer that it came
    /// with is given.
    #[must_use]
    pub fn warning_count(&self) -> u64 {
        self.warnings.load(Ordering::Relaxed)
    }

    /// Opens another session on the same server.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn another(&self, application_name: &str) -> Result<Self, PgError> {
        let mut session = connect(&self.settings, application_name).await?;
        session.answer_max = self.answer_max;
        Ok(session)
    }

    /// Opens one that works beside this one: whether the schema is ours alone was asked by this one, which is
    /// most of what opening takes.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn beside(&self, application_name: &str) -> Result<Self, PgError> {
        open(&self.settings, application_name, false).await
    }

    /// Lets the server end a statement of ours, within a second, when we are gone. Where the system
    /// cannot do that, it goes on to its end.
    pub async fn end_with_us(&self) {
        if let Err(error) = self.run(NOTICE_OUR_END).await {
            debug!(server = %self.object, "a statement may go on when we are gone: {error}");
        }
    }

    /// Takes and gives the values of a database in `SQL_ASCII` as the bytes that they are; names and
    /// texts are to be read by other sessions.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn carry_bytes(&self) -> Result<(), PgError> {
        self.run(CARRY_BYTES).await
    }

    /// Returns what tells the end of the connection to somebody who does not have the session at hand.
    #[must_use]
    pub fn lifeline(&self) -> Lifeline {
        Lifeline(self.ended.clone())
    }

    /// Waits until the connection is gone. Returns why, none after an orderly end. Cancel safe.
    pub async fn closed(&self) -> Option<Arc<PgError>> {
        self.lifeline().closed().await
    }

    /// Returns the count of notifications that have come for what the session listens to; it ends with
    /// the connection. What is in them is not looked at: any role may send one.
    #[must_use]
    pub fn notifications(&self) -> watch::Receiver<u64> {
        self.notified.clone()
    }

    /// Names server and statement in an error of the underlying client.
    #[must_use]
    pub fn error(&self, statement: &str, error: tokio_postgres::Error) -> PgError {
        PgError::from_client(&self.object, Some(statement), error)
    }

    /// Runs statements, separated by `;`, without parameters and results.
    ///
    /// # Errors
    /// By SQLSTATE; Transient when the connection is lost.
    pub async fn run(&self, sql: &str) -> Result<(), PgError> {
        let outcome = self
            .answered(Box::pin(self.client.batch_execute(sql)))
            .await?;
        outcome.map_err(|error| self.error(sql, error))
    }

    /// Runs one statement and returns its rows.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn rows(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, PgError> {
        let outcome = Box::pin(async {
            let statement = self.statement(sql, parameters).await?;
            self.client.query(&statement, parameters).await
        });
        let outcome = self.answered(outcome).await?;
        outcome.map_err(|error| self.error(sql, error))
    }

    /// Runs one statement and returns its only row, none if it gave no row.
    ///
    /// # Errors
    /// As [`Session::run`]; Bug when there are several rows.
    pub async fn row(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, PgError> {
        let outcome = Box::pin(async {
            let statement = self.statement(sql, parameters).await?;
            self.client.query_opt(&statement, parameters).await
        });
        let outcome = self.answered(outcome).await?;
        outcome.map_err(|error| self.error(sql, error))
    }

    /// Runs one statement and returns how many rows it touched.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn change(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, PgError> {
        let outcome = Box::pin(async {
            let statement = self.statement(sql, parameters).await?;
            self.client.execute(&statement, parameters).await
        });
        let outcome = self.answered(outcome).await?;
        outcome.map_err(|error| self.error(sql, error))
    }

    /// Parses a statement; one with parameters is remembered, for its text is the same each time.
    async fn statement(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Statement, tokio_postgres::Error> {
        let prepared = || self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = prepared().get(sql) {
            return Ok(known.clone());
        }
        let statement = self.client.prepare(sql).await?;
        if !parameters.is_empty() {
            prepared().insert(sql.into(), statement.clone());
        }
        Ok(statement)
    }

    /// Runs statements over the simple protocol and returns all rows as the server printed them.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub async fn text_rows(&self, sql: &str) -> Result<Vec<super::TextRow>, PgError> {
        let outcome = self
            .answered(Box::pin(self.client.simple_query(sql)))
            .await?;
        let messages = outcome.map_err(|error| self.error(sql, error))?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|at| row.get(at).map(str::to_owned))
                    .collect(),
            ),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// Asks for the owner of something that is not ours, with a question of [`Owner`], and prepares his
    /// function.
    ///
    /// # Errors
    /// By SQLSTATE: Operator where our role is no member of his.
    pub async fn owner(&self, question: &str) -> Result<Option<Owner>, PgError> {
        let owner = Owner::read(&self.object, &self.text_rows(question).await?)?;
        if let Some(script) = owner.as_ref().and_then(Owner::preparation) {
            self.another("pgstream owner").await?.run(&script).await?;
        }
        Ok(owner)
    }

    /// Returns the database that the session is really in.
    ///
    /// # Errors
    /// Transient when the connection is lost.
    pub async fn current_database(&self) -> Result<String, PgError> {
        let rows = self
            .text_rows("SELECT pg_catalog.current_database()")
            .await?;
        let name = rows.into_iter().flatten().flatten().next();
        Ok(name.unwrap_or_default())
    }

    /// Returns whether the server is a standby.
    ///
    /// # Errors
    /// Transient when the connection is lost.
    pub async fn is_standby(&self) -> Result<bool, PgError> {
        let rows = self
            .text_rows("SELECT pg_catalog.pg_is_in_recovery()")
            .await?;
        let answer = rows.into_iter().flatten().flatten().next();
        Ok(answer.as_deref() == Some("t"))
    }

    /// Takes an `application_name`, whatever the settings ask for, and ends the other sessions of our role in
    /// this database that have it: one of ours that was cut off may live on for hours, with rows locked.
    /// Each is given five seconds.
    ///
    /// # Errors
    /// Transient when the connection is lost.
    pub async fn replace_namesakes(&self, name: &str) -> Result<(), PgError> {
        let take = format!("SET application_name = {}", quote_literal(name));
        self.run(&format!("{take};\n{END_NAMESAKES}")).await
    }

    /// Returns the server's system identifier and the database that the session is in.
    ///
    /// # Errors
    /// Transient when the connection is lost.
    pub async fn system(&self) -> Result<(String, String), PgError> {
        let sql = "SELECT system_identifier::pg_catalog.text, \
                   pg_catalog.current_database()::pg_catalog.text FROM pg_catalog.pg_control_system()";
        let row = self.row(sql, &[]).await?;
        Ok(row.map_or_else(Default::default, |row| (row.get(0), row.get(1))))
    }

    /// Returns what tells the session's database from every other, under whatever name it was reached.
    ///
    /// # Errors
    /// Transient when the connection is lost.
    pub async fn identity(&self) -> Result<DatabaseIdentity, PgError> {
        let row = self.row(IDENTITY, &[]).await?;
        Ok(row.map_or_else(Default::default, |row| DatabaseIdentity {
            system_identifier: row.get(0),
            started_at: row.get(1),
            oid: row.get(2),
        }))
    }

    /// Asks the server to cancel the statement in hand, over a connection of its own. The statement
    /// ends with SQLSTATE 57014, if the request arrives in time.
    ///
    /// # Errors
    /// Transient when the server cannot be reached.
    pub async fn cancel(&self) -> Result<(), PgError> {
        let token = &self.cancel;
        let object = &self.object;
        dial(&self.settings, |link, _place| async move {
            let outcome = token.cancel_query_raw(link, Settled).await;
            outcome.map_err(|error| PgError::from_client(object, None, error))
        })
        .await
    }
}

/// The end of a session's connection.
#[derive(Debug, Clone)]
pub struct Lifeline(watch::Receiver<Life>);

impl Lifeline {
    /// As [`Session::closed`].
    pub async fn closed(&mut self) -> Option<Arc<PgError>> {
        match self.0.wait_for(|life| matches!(life, Life::Ended(_))).await {
            Ok(life) => match &*life {
                Life::Ended(why) => why.clone(),
                Life::Running => None,
            },
            // The task is gone without a word: the runtime is shutting down.
            Err(_gone) => None,
        }
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.object)
    }
}

/// Lets the server look whether we are still there while a statement of ours runs: a second statement
/// arms it. Some systems cannot, and answer with an error.
pub(super) const NOTICE_OUR_END: &str = "SET client_connection_check_interval = '1s'; SELECT 1";
