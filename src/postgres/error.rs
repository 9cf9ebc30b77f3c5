//! One error type for what a server answers and for servers that do not answer.
//!
//! Texts name the server (host, port, database) and never hold a password or, as far as PostgreSQL
//! lets us know, a row's values: detail and context of data errors are had by name only, for trace
//! output.

use std::io;
use std::time::Duration;

use crate::model::{Classify, ErrorClass};

use super::link::Unbelievable;
use super::server_error::ServerError;
use super::tls::TlsError;

/// A statement is kept for errors up to this many bytes: enough to recognise it.
const STATEMENT_BYTES_MAX: usize = 4096;

/// Something between us and a server failed.
#[derive(Debug, thiserror::Error)]
pub enum PgError {
    /// The server answered with an error.
    #[error(transparent)]
    Server(Box<ServerError>),
    /// No connection came about.
    #[error("cannot connect to {object}")]
    Unreachable {
        object: String,
        /// What to try.
        hint: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server did not answer in time.
    #[error("{object} did not answer within {} s while connecting", .after.as_secs())]
    ConnectTimeout { object: String, after: Duration },
    /// No encrypted connection came about.
    #[error("cannot encrypt the connection to {object}")]
    Tls { object: String, source: TlsError },
    /// The two sides cannot agree on how to prove who we are.
    #[error("cannot authenticate to {object} as \"{user}\": {reason}")]
    Authentication {
        object: String,
        user: String,
        reason: String,
        /// What to look at.
        hint: String,
    },
    /// A server answered, but not one that `target_session_attrs` asks for.
    #[error("{object} is not {wanted}")]
    WrongServer {
        object: String,
        /// What `target_session_attrs` asks for.
        wanted: &'static str,
    },
    /// Somebody whom we do not trust could change what we read and run.
    #[error("{object}: somebody else could make pgstream run what he likes: {what}")]
    Strangers {
        object: String,
        /// What is whose.
        what: String,
        /// The statements that end it.
        fix: String,
    },
    /// An established connection broke.
    #[error("lost the connection to {object}")]
    Lost {
        object: String,
        /// What the system said.
        source: io::Error,
    },
    /// A pooler gives each transaction another session of the server.
    #[error(
        "{object} is reached through a pooler in transaction mode: each transaction is in another session there"
    )]
    Pooled { object: String },
    /// A server says nothing, and its connection stands.
    #[error("{object} has not answered for {} s although its connection stands", .after.as_secs())]
    Silent {
        object: String,
        /// How long we have waited.
        after: Duration,
    },
    /// A commit came back before it was safe.
    #[error("{object} has not brought its commits to disk before it answered")]
    NotFlushed { object: String },
    /// The server ended the replication stream in order, as it does at its shutdown.
    #[error("{object} ended the replication stream")]
    StreamEnded { object: String },
    /// The output plugin left out a change, and said so in a warning.
    #[error("the source left out a change: {0}")]
    StreamWarning(Box<ServerError>),
    /// The server sent something that the protocol does not allow there.
    #[error("{object} broke the protocol: {what}")]
    Protocol {
        object: String,
        /// What it sent.
        what: String,
    },
    /// A call that the client library refuses: wrong parameters, a column that is not there.
    #[error("cannot run a statement on {object}")]
    Client {
        object: String,
        /// The statement, where known.
        statement: Option<String>,
        source: tokio_postgres::Error,
    },
}

impl PgError {
    /// Translates an error of tokio-postgres, met on `object` with `statement`.
    #[must_use]
    pub fn from_client(
        object: &str,
        statement: Option<&str>,
        error: tokio_postgres::Error,
    ) -> Self {
        let object = object.to_owned();
        let statement = statement.map(shorten);
        if let Some(answer) = error.as_db_error() {
            return Self::Server(Box::new(ServerError::from_client(
                object, statement, answer,
            )));
        }
        if error.is_closed() {
            return Self::Lost {
                object,
                source: io::ErrorKind::ConnectionAborted.into(),
            };
        }
        if let Some(Unbelievable(what)) = unbelievable(&error) {
            return Self::Protocol {
                object,
                what: what.clone(),
            };
        }
        match io_kind(&error) {
            Some(kind) => Self::Lost {
                object,
                source: io::Error::new(kind, error),
            },
            None => Self::Client {
                object,
                statement,
                source: error,
            },
        }
    }

    /// Returns the SQLSTATE of the server's answer. Compare it with the constants of
    /// [`sqlstate`](super::sqlstate).
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.server().map(|answer| answer.code.as_str())
    }

    /// Returns the server's answer, if it was one.
    #[must_use]
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Server(answer) => Some(answer),
            _ => None,
        }
    }

    /// Returns the statement that failed, where known.
    #[must_use]
    pub fn statement(&self) -> Option<&str> {
        match self {
            Self::Server(answer) => answer.statement.as_deref(),
            Self::Client { statement, .. } => statement.as_deref(),
            _ => None,
        }
    }

    /// Adds the statement to an error that does not name one yet.
    #[must_use]
    pub fn with_statement(mut self, sql: &str) -> Self {
        let place = match &mut self {
            Self::Server(answer) => &mut answer.statement,
            Self::Client { statement, .. } => statement,
            _ => return self,
        };
        place.get_or_insert_with(|| shorten(sql));
        self
    }
}

impl PgError {
    /// Notes that the statement wrote rows, whose values the server's texts may quote.
    #[must_use]
    pub fn about_values(self) -> Self {
        match self {
            Self::Server(answer) => Self::Server(Box::new(answer.about_values())),
            other => other,
        }
    }

    /// Adds what fixes a server's answer, where more is known than its code tells.
    #[must_use]
    pub fn with_hint(mut self, hint: String) -> Self {
        if let Self::Server(answer) | Self::StreamWarning(answer) = &mut self {
            answer.known_hint = Some(hint);
        }
        self
    }

    /// Takes out what may quote a value; of a COPY, row and column stay.
    pub(super) fn without_values(self) -> Self {
        match self {
            Self::Server(answer) => Self::Server(Box::new(answer.without_values())),
            other => other,
        }
    }
}

fn unbelievable(error: &tokio_postgres::Error) -> Option<&Unbelievable> {
    let source = std::error::Error::source(error)?;
    source
        .downcast_ref::<io::Error>()?
        .get_ref()?
        .downcast_ref()
}

fn io_kind(error: &tokio_postgres::Error) -> Option<io::ErrorKind> {
    let source = std::error::Error::source(error)?;
    Some(source.downcast_ref::<io::Error>()?.kind())
}

fn shorten(statement: &str) -> String {
    if statement.len() <= STATEMENT_BYTES_MAX {
        return statement.to_owned();
    }
    let cut = (0..=STATEMENT_BYTES_MAX)
        .rev()
        .find(|at| statement.is_char_boundary(*at))
        .unwrap_or_default();
    format!("{}…", statement.get(..cut).unwrap_or_default())
}

impl Classify for PgError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Server(answer) => answer.class(),
            Self::Unreachable { source, .. } => class_of_io(source),
            Self::ConnectTimeout { .. }
            | Self::WrongServer { .. }
            | Self::Lost { .. }
            | Self::Silent { .. }
            | Self::NotFlushed { .. }
            | Self::StreamEnded { .. } => ErrorClass::Transient,
            Self::Tls { source, .. } => source.class(),
            Self::Authentication { .. }
            | Self::Pooled { .. }
            | Self::Strangers { .. }
            | Self::StreamWarning(_) => ErrorClass::Operator,
            Self::Protocol { .. } | Self::Client { .. } => ErrorClass::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Server(answer) => answer.hint(),
            Self::Unreachable { hint, .. } | Self::Authentication { hint, .. } => {
                Some(hint.clone())
            }
            Self::Tls { source, .. } => source.hint(),
            Self::Strangers { fix, .. } => Some(format!(
                "as a superuser look at what is there; drop what nobody here has made, and for the rest: {fix}"
            )),
            Self::StreamWarning(warning) => warning.hint().or_else(|| {
                Some(
                    "give the table a primary key or a replica identity (pgstream check has the \
                     statement); the change itself must be made on the target by hand"
                        .to_owned(),
                )
            }),
            Self::WrongServer { .. } => Some(
                "name every server of the cluster as host1,host2, or change target_session_attrs"
                    .to_owned(),
            ),
            Self::Protocol { .. } | Self::Client { .. } => {
                Some("please report this with the log".to_owned())
            }
            Self::Pooled { .. } => Some(
                "let the connection string name the server itself, or a pool in session mode".to_owned(),
            ),
            Self::Silent { .. } => Some(
                "see whether its host is frozen, or a proxy between holds connections open and passes \
                 nothing on; tcp_user_timeout in the connection string, in milliseconds, sets the time"
                    .to_owned(),
            ),
            Self::NotFlushed { .. } => Some(
                "nothing is confirmed before it is safe: let the server wait for its synchronous \
                 standbys, and connect to it directly, not through a pooler in transaction mode"
                    .to_owned(),
            ),
            Self::ConnectTimeout { .. } | Self::Lost { .. } | Self::StreamEnded { .. } => None,
        }
    }
}

/// A socket file that we may not open stays so; everything else may come up later.
fn class_of_io(error: &io::Error) -> ErrorClass {
    match error.kind() {
        io::ErrorKind::PermissionDenied => ErrorClass::Operator,
        _ => ErrorClass::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_hint_wins_over_ours() {
        let hint = |fields: &[(u8, &str)]| {
            PgError::Server(Box::new(ServerError::from_fields(
                "h:5432/db",
                fields.iter().copied(),
            )))
            .hint()
        };

        assert_eq!(
            hint(&[(b'C', "53300"), (b'H', "theirs")]).as_deref(),
            Some("theirs")
        );
        assert!(
            hint(&[(b'C', "53300")])
                .unwrap()
                .contains("max_connections")
        );
        assert_eq!(hint(&[(b'C', "42P01")]), None);
    }
}
