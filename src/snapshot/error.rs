//! Everything that can end a copy.

use crate::apply::ApplyError;
use crate::config::key;
use crate::model::hint::on_side;
use crate::model::{Classify, ErrorClass};
use crate::postgres::PgError;
use crate::runtime::TaskEnd;
use crate::schema::Conflict;
use crate::status::source_refusal;

use super::plan::PlanError;
use super::{Idle, IdleCause, TableError};

/// Why a copy cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The source cannot be reached, or refuses.
    #[error("cannot {operation} on the source {endpoint}")]
    Source {
        /// What was tried.
        operation: &'static str,
        /// The source, without a password.
        endpoint: String,
        #[source]
        source: PgError,
    },
    #[error("cannot write to the target {endpoint}")]
    Apply {
        /// The target, without a password.
        endpoint: String,
        #[source]
        source: ApplyError,
    },
    /// The target, about copies.
    #[error("cannot {operation} on the target {endpoint}")]
    Target {
        /// What was tried.
        operation: &'static str,
        /// The target, without a password.
        endpoint: String,
        #[source]
        source: PgError,
    },
    /// Patterns of tables to copy that select nothing.
    #[error("{}", idle_patterns(.endpoint, .idle))]
    Patterns {
        /// The source, without a password.
        endpoint: String,
        idle: Vec<Idle>,
    },
    /// What belongs to the source would be had from another database than the one that is streamed.
    #[error("{what} from {store}: it is not the source {source_endpoint}, whose changes follow")]
    NotTheSource {
        /// What cannot be had, such as «tables cannot be copied».
        what: &'static str,
        /// The variable that names the other database.
        key: &'static str,
        /// The other database, without a password.
        store: String,
        /// The source, without a password.
        source_endpoint: String,
    },
    /// The tables are on a server that cannot give a position of the stream.
    #[error(
        "the initial snapshot on the source {endpoint}: its tables are on a standby, where no position of \
         the stream can be had before PostgreSQL 16"
    )]
    Standby {
        /// The source, without a password.
        endpoint: String,
    },
    /// Something on the target is in the way of a copy.
    #[error("the target {endpoint} has something else where tables are to be copied to: {}", joined(.conflicts))]
    Conflict {
        /// The target, without a password.
        endpoint: String,
        /// What it is.
        conflicts: Vec<Conflict>,
    },
    /// Tables cannot be prepared for their copy.
    #[error("cannot prepare the copy from {source_endpoint} to {target_endpoint}")]
    Plan {
        /// The source, without a password.
        source_endpoint: String,
        /// The target, without a password.
        target_endpoint: String,
        #[source]
        source: PlanError,
    },
    /// A table cannot be copied.
    #[error("snapshot failed")]
    Table {
        #[source]
        source: TableError,
    },
    /// Some tables are not there.
    #[error("snapshot failed: {} could not be copied; all else is there", .missing.join(", "))]
    Incomplete {
        /// The tables; where all are there, the objects that complete them.
        missing: Vec<String>,
    },
    /// The session that kept the snapshot of a copy is gone.
    #[error("the source has let go of the snapshot that tables are copied from")]
    PointLost,
    /// The schema changes faster than a copy can begin.
    #[error("the schema of the source changes all the time, and no copy can begin")]
    Restless,
    /// The stream was interrupted while it did something for a copy.
    #[error("the stream was interrupted while tables were prepared for their copy")]
    StreamInterrupted,
    /// A task of ours ended.
    #[error("a part of the engine ended")]
    Task(#[source] TaskEnd),
    /// The stream breaks its own order.
    #[error("the stream is out of order: {what}")]
    Order {
        /// What was seen.
        what: &'static str,
    },
}

impl SnapshotError {
    /// Returns the refusal of the target inside, if it is one.
    #[must_use]
    pub const fn apply(&self) -> Option<&ApplyError> {
        match self {
            Self::Apply { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl Classify for SnapshotError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Source { source, .. } => source_refusal::class(source),
            Self::Target { source, .. } => source.class(),
            Self::Plan { source, .. } => source.class(),
            Self::Table { source } => source.class(),
            Self::PointLost | Self::Restless | Self::StreamInterrupted => ErrorClass::Transient,
            Self::Patterns { .. } | Self::NotTheSource { .. } => ErrorClass::Usage,
            Self::Standby { .. } | Self::Conflict { .. } => ErrorClass::Operator,
            Self::Incomplete { .. } => ErrorClass::Data,
            Self::Apply { source, .. } => source.class(),
            Self::Task(_) | Self::Order { .. } => ErrorClass::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Source { source, .. } => source_refusal::hint(source),
            Self::Target { source, .. } => Some(on_side("target", &source.hint()?)),
            Self::Plan { source, .. } => source.hint(),
            Self::Table { source } => source.hint(),
            Self::Patterns { idle, .. } => Some(near_names(idle)),
            Self::NotTheSource { key, .. } => Some(format!(
                "{key} must name the database of PGSTREAM_POSTGRES_LISTENER_URL, or not be set"
            )),
            Self::Standby { .. } => Some(on_side(
                "source",
                &format!(
                    "let {} name the primary, or do not set it",
                    key::SNAPSHOT_STORE_URL
                ),
            )),
            Self::Conflict { .. } => Some(
                "empty or drop those tables on the target, or leave them out with \
                 PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_EXCLUDED_TABLES; nothing has been touched"
                    .to_owned(),
            ),
            Self::Incomplete { .. } => Some(INCOMPLETE.to_owned()),
            Self::Apply { source, .. } => Some(on_side("target", &source.hint()?)),
            Self::PointLost
            | Self::Restless
            | Self::StreamInterrupted
            | Self::Task(_)
            | Self::Order { .. } => None,
        }
    }

    fn statement(&self) -> Option<&str> {
        match self {
            Self::Table {
                source: TableError::Step { statement, .. },
            } => Some(statement),
            _ => self.apply().and_then(ApplyError::statement),
        }
    }
}

const INCOMPLETE: &str = "fix what the lines above say and run it again: it copies what is missing";

fn joined(conflicts: &[Conflict]) -> String {
    let message: Vec<String> = conflicts.iter().map(Conflict::to_string).collect();
    message.join("; ")
}

fn idle_patterns(endpoint: &str, idle: &[Idle]) -> String {
    let message = idle.iter().map(|idle| idle_pattern(endpoint, idle));
    message.collect::<Vec<_>>().join("; ")
}

/// Says what is wrong with a pattern that selects nothing.
pub(crate) fn idle_pattern(endpoint: &str, Idle { pattern, cause, .. }: &Idle) -> String {
    let copied = key::SNAPSHOT_TABLES;
    let excluded = key::SNAPSHOT_EXCLUDED_TABLES;
    match cause {
        IdleCause::NothingToCopy => {
            format!("no table of the source {endpoint} fits {pattern} ({copied})")
        }
        IdleCause::NothingToExclude => {
            format!("no table of the source {endpoint} fits {pattern} ({excluded})")
        }
        IdleCause::Excluded => {
            format!("{pattern} is to be copied ({copied}) and left out ({excluded})")
        }
        IdleCause::Filtered => format!(
            "{pattern} is to be copied ({copied}), but {} or {} lets none of it replicate",
            key::INCLUDE_TABLES,
            key::EXCLUDE_TABLES
        ),
    }
}

fn near_names(idle: &[Idle]) -> String {
    let near: Vec<&str> = idle
        .iter()
        .flat_map(|idle| &idle.near)
        .map(String::as_str)
        .collect();
    let message = near.join(" or ");
    match near.is_empty() {
        true => "take it out of one of the two lists".to_owned(),
        false => format!("did you mean {message}? A bare name is in schema public"),
    }
}
