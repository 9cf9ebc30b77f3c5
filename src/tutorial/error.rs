//! Why a performance of the tutorial did not reach its end.

use std::io;
use std::path::PathBuf;

use crate::cluster::ClusterError;
use crate::config::ConfigError;
use crate::model::{Classify, ErrorClass};
use crate::postgres::PgError;
use crate::schema::InstallError;
use crate::status::Failure;

use super::lesson::{Expectation, LessonError, Side};

/// A step that failed, or something that was not seen.
#[derive(Debug, thiserror::Error)]
pub enum TutorialError {
    /// A server for it cannot be had.
    #[error("cannot set the tutorial up")]
    Cluster(#[source] ClusterError),
    /// Its text is faulty.
    #[error("cannot read the tutorial")]
    Lesson(#[source] LessonError),
    /// A database cannot be joined or refuses a statement.
    #[error("the {side} refused: {statement}")]
    Statement {
        /// Which one.
        side: Side,
        /// What was tried.
        statement: String,
        /// What it said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A session for `init` or `tear-down` cannot be opened.
    #[error("cannot connect")]
    Connect(#[source] PgError),
    /// `init` or `tear-down` failed.
    #[error("cannot prepare or clean up")]
    Install(#[source] InstallError),
    /// A file cannot be written.
    #[error("cannot write {}", .path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A command line's configuration is wrong.
    #[error("cannot run: {command}")]
    Configuration {
        /// The command line.
        command: String,
        /// What is wrong.
        #[source]
        source: ConfigError,
    },
    /// A command line is none of the tutorial's.
    #[error("the tutorial cannot run: {command}")]
    UnknownCommand {
        /// The command line.
        command: String,
    },
    /// The engine ended.
    #[error("the engine stopped: {}", .failure.message)]
    Engine { failure: Box<Failure> },
    /// What must be seen did not come in time.
    #[error(
        "not seen on the {} within {deadline_s} s: {} must give {:?}, gave {seen}",
        .expected.side, .expected.query, .expected.rows
    )]
    NotSeen {
        /// What was looked for.
        expected: Box<Expectation>,
        /// How long.
        deadline_s: u64,
        /// What was there instead.
        seen: String,
    },
    /// The words of the performance cannot be printed.
    #[error("cannot print")]
    Print(#[source] io::Error),
}

impl Classify for TutorialError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Cluster(error) => error.class(),
            Self::Statement { .. } | Self::File { .. } | Self::Print(_) => ErrorClass::Operator,
            Self::Connect(error) => error.class(),
            Self::Install(error) => error.class(),
            Self::Configuration { source, .. } => source.class(),
            Self::Engine { failure } => failure.class,
            Self::Lesson(_) | Self::UnknownCommand { .. } | Self::NotSeen { .. } => ErrorClass::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Cluster(error) => error.hint(),
            Self::Connect(error) => error.hint(),
            Self::Install(error) => error.hint(),
            Self::Configuration { source, .. } => source.hint(),
            Self::Engine { failure } => failure.hint.clone(),
            Self::Statement { .. }
            | Self::File { .. }
            | Self::Print(_)
            | Self::Lesson(_)
            | Self::UnknownCommand { .. }
            | Self::NotSeen { .. } => None,
        }
    }
}
