//! One error type for what a server answers and for servers that do not answer.
//!
//! Texts name the server (host, port, database) and never hold a password or, as far as PostgreSQL
//! lets us know, a row's values: detail and context of data errors are had by name only, for trace
//! output.

use std::fmt;
use std::io;
use std::time::Duration;

use super::sqlstate;
use super::tls::TlsError;
use crate::model::{Classify, ErrorClass};

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
        /// The server.
        object: String,
        /// What to try.
        hint: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server did not answer in time.
    #[error("{object} did not answer within {} s while connecting", .after.as_secs())]
    ConnectTimeout {
        /// The server.
        object: String,
        /// The bound.
        after: Duration,
    },
    /// No encrypted connection came about.
    #[error("cannot encrypt the connection to {object}")]
    Tls {
        /// The server.
        object: String,
        /// Why.
        source: TlsError,
    },
    /// The two sides cannot agree on how to prove who we are.
    #[error("cannot authenticate to {object} as \"{user}\": {reason}")]
    Authentication {
        /// The server.
        object: String,
        /// The role.
        user: String,
        /// Why.
        reason: String,
    },
    /// A server answered, but not one that `target_session_attrs` asks for.
    #[error("{object} is not {wanted}")]
    WrongServer {
        /// The server.
        object: String,
        /// What `target_session_attrs` asks for.
        wanted: &'static str,
    },
    /// An established connection broke.
    #[error("lost the connection to {object}")]
    Lost {
        /// The server.
        object: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server ended the replication stream in order, as it does at its shutdown.
    #[error("{object} ended the replication stream")]
    StreamEnded {
        /// The server.
        object: String,
    },
    /// The output plugin left out a change, and said so in a warning.
    #[error("the source left out a change: {0}")]
    StreamWarning(Box<ServerError>),
    /// The server sent something that the protocol does not allow there.
    #[error("{object} broke the protocol: {what}")]
    Protocol {
        /// The server.
        object: String,
        /// What it sent.
        what: String,
    },
    /// A call that the client library refuses: wrong parameters, a column that is not there.
    #[error("cannot run a statement on {object}")]
    Client {
        /// The server.
        object: String,
        /// The statement, where known.
        statement: Option<String>,
        /// Why.
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
            Self::Server(answer) => sqlstate::class_of(&answer.code),
            Self::Unreachable { source, .. } => class_of_io(source),
            Self::ConnectTimeout { .. }
            | Self::WrongServer { .. }
            | Self::Lost { .. }
            | Self::StreamEnded { .. } => ErrorClass::Transient,
            Self::Tls { source, .. } => source.class(),
            Self::Authentication { .. } | Self::StreamWarning(_) => ErrorClass::Operator,
            Self::Protocol { .. } | Self::Client { .. } => ErrorClass::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Server(answer) => answer
                .hint
                .clone()
                .or_else(|| sqlstate::hint(&answer.code).map(str::to_owned)),
            Self::Unreachable { hint, .. } => Some(hint.clone()),
            Self::Tls { source, .. } => source.hint(),
            Self::Authentication { .. } => {
                sqlstate::hint(sqlstate::INVALID_PASSWORD).map(str::to_owned)
            }
            Self::StreamWarning(_) => Some(
                "give the table a primary key or ALTER TABLE … REPLICA IDENTITY FULL; the change \
                 itself must be made on the target by hand"
                    .to_owned(),
            ),
            Self::WrongServer { .. } => Some(
                "name every server of the cluster as host1,host2, or change target_session_attrs"
                    .to_owned(),
            ),
            Self::Protocol { .. } | Self::Client { .. } => {
                Some("please report this with the log".to_owned())
            }
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

/// A server's error answer (manual, section 55.8 «Error and Notice Message Fields»). Display and
/// Debug leave out what may hold values of rows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ServerError {
    /// The server: `host:port/database`.
    pub object: String,
    /// The statement, where known.
    pub statement: Option<String>,
    /// `ERROR`, `FATAL`, `PANIC`, never translated.
    pub severity: String,
    /// SQLSTATE.
    pub code: String,
    /// Primary message as sent. May quote a value: print the error itself instead.
    pub message: String,
    /// Detail as sent. May quote a row: trace level only.
    pub detail: Option<String>,
    /// The server's own hint.
    pub hint: Option<String>,
    /// Where in the statement, counted in characters from 1.
    pub position: Option<u32>,
    /// Call stack as sent. May quote a row: trace level only.
    pub context: Option<String>,
    /// Schema of the object that the error is about.
    pub schema: Option<String>,
    /// Its table.
    pub table: Option<String>,
    /// Its column.
    pub column: Option<String>,
    /// Its constraint.
    pub constraint: Option<String>,
}

impl ServerError {
    /// Collects the fields of an `ErrorResponse`.
    pub(super) fn from_fields<'a>(
        object: &str,
        fields: impl IntoIterator<Item = (u8, &'a str)>,
    ) -> Self {
        let mut error = Self {
            object: object.to_owned(),
            ..Self::default()
        };
        for (field, value) in fields {
            let text = || Some(value.to_owned());
            match field {
                b'S' if error.severity.is_empty() => value.clone_into(&mut error.severity),
                b'V' => value.clone_into(&mut error.severity),
                b'C' => value.clone_into(&mut error.code),
                b'M' => value.clone_into(&mut error.message),
                b'D' => error.detail = text(),
                b'H' => error.hint = text(),
                b'P' => error.position = value.parse().ok(),
                b'W' => error.context = text(),
                b's' => error.schema = text(),
                b't' => error.table = text(),
                b'c' => error.column = text(),
                b'n' => error.constraint = text(),
                // The server's source file, and fields of later protocol versions.
                _ => {}
            }
        }
        error
    }

    fn from_client(
        object: String,
        statement: Option<String>,
        answer: &tokio_postgres::error::DbError,
    ) -> Self {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Self {
            object,
            statement,
            severity: answer.severity().to_owned(),
            code: answer.code().code().to_owned(),
            message: answer.message().to_owned(),
            detail: own(answer.detail()),
            hint: own(answer.hint()),
            position: match answer.position() {
                Some(tokio_postgres::error::ErrorPosition::Original(at)) => Some(*at),
                _ => None,
            },
            context: own(answer.where_()),
            schema: own(answer.schema()),
            table: own(answer.table()),
            column: own(answer.column()),
            constraint: own(answer.constraint()),
        }
    }

    /// Returns the message without the values that it may quote.
    #[must_use]
    pub fn message_without_values(&self) -> String {
        if sqlstate::quotes_values(&self.code) && self.code.starts_with("22") {
            without_quoted(&self.message)
        } else {
            self.message.clone()
        }
    }

    /// Returns the detail, unless it may quote a row.
    #[must_use]
    pub fn detail_without_values(&self) -> Option<&str> {
        let may_quote = sqlstate::quotes_values(&self.code);
        self.detail.as_deref().filter(|_| !may_quote)
    }
}

/// Replaces what stands in any language's quotation marks by `…`; the server's messages follow
/// `lc_messages`.
fn without_quoted(message: &str) -> String {
    const PAIRS: &[(char, char)] = &[
        ('"', '"'),
        ('«', '»'),
        ('»', '«'),
        ('„', '“'),
        ('“', '”'),
        ('‘', '’'),
        ('‚', '‘'),
        ('「', '」'),
    ];
    let mut shown = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((at, open)) = rest
        .char_indices()
        .find(|(_, c)| opening(PAIRS, *c).is_some())
    {
        let (before, quoted) = rest.split_at(at);
        let quoted = quoted.strip_prefix(open).unwrap_or_default();
        let close = opening(PAIRS, open).unwrap_or(open);
        shown.push_str(before);
        shown.extend([open, '…', close]);
        // The last closing mark: the value itself may hold some.
        rest = quoted.rsplit_once(close).map_or("", |(_, after)| after);
    }
    shown.push_str(rest);
    shown
}

fn opening(pairs: &[(char, char)], c: char) -> Option<char> {
    pairs
        .iter()
        .find(|(open, _)| *open == c)
        .map(|(_, close)| *close)
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} (SQLSTATE {})",
            self.object,
            self.message_without_values(),
            self.code
        )?;
        match self.detail_without_values() {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerError({self})")
    }
}

impl std::error::Error for ServerError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(fields: &[(u8, &str)]) -> ServerError {
        ServerError::from_fields("h:5432/db", fields.iter().copied())
    }

    #[test]
    fn values_of_rows_are_not_printed() {
        let cases: [(&[(u8, &str)], &str); 4] = [
            (
                &[
                    (b'C', "23505"),
                    (
                        b'M',
                        "duplicate key value violates unique constraint \"t_pkey\"",
                    ),
                    (b'D', "Key (id)=(secret) already exists."),
                ],
                "h:5432/db: duplicate key value violates unique constraint \"t_pkey\" (SQLSTATE 23505)",
            ),
            (
                &[
                    (b'C', "22P02"),
                    (
                        b'M',
                        "invalid input syntax for type integer: \"secret \"quoted\" text\"",
                    ),
                ],
                "h:5432/db: invalid input syntax for type integer: \"…\" (SQLSTATE 22P02)",
            ),
            (
                &[(b'C', "22003"), (b'M', "Wert »secret« ist außerhalb")],
                "h:5432/db: Wert »…« ist außerhalb (SQLSTATE 22003)",
            ),
            (
                &[
                    (b'C', "42501"),
                    (b'M', "permission denied for table t"),
                    (b'D', "why"),
                ],
                "h:5432/db: permission denied for table t (SQLSTATE 42501): why",
            ),
        ];
        for (fields, shown) in cases {
            let error = answer(fields);
            assert_eq!(error.to_string(), shown);
            assert!(!format!("{error:?}").contains("secret"));
        }
    }

    #[test]
    fn the_servers_hint_wins_over_ours() {
        let hint = |fields: &[(u8, &str)]| PgError::Server(Box::new(answer(fields))).hint();

        assert_eq!(
            hint(&[(b'C', "28P01"), (b'H', "theirs")]).as_deref(),
            Some("theirs")
        );
        assert!(hint(&[(b'C', "28P01")]).unwrap().contains("PGPASSWORD"));
        assert_eq!(hint(&[(b'C', "42P01")]), None);
    }
}
