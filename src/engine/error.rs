//! Everything that can end a session of streaming.

use std::time::Duration;

use crate::apply::ApplyError;
use crate::decode::DecodeError;
use crate::model::hint::{EDIT_FLAG, RUN_AGAIN, SKIP_FLAG, copied_or_left_out, on_side};
use crate::model::{Classify, ErrorClass, Lsn};
use crate::postgres::{PgError, sqlstate};
use crate::runtime::TaskEnd;
use crate::schema::SchemaError;
use crate::snapshot::SnapshotError;
use crate::status::source_refusal;

/// Why the engine cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The source cannot be reached, or refuses.
    #[error("cannot {operation} on the source {endpoint}")]
    Source {
        /// What was tried.
        operation: &'static str,
        /// The source, without a password.
        endpoint: String,
        /// Why.
        #[source]
        source: PgError,
    },
    /// The slot is not there.
    #[error("replication slot not found: there is no slot {slot_name} on {endpoint}{}", those_there(.others))]
    SlotMissing {
        /// The slot.
        slot_name: String,
        /// The logical slots of the database that are there.
        others: Vec<String>,
        /// The source, without a password.
        endpoint: String,
        /// What makes it.
        hint: String,
    },
    /// Another process reads the slot: perhaps our own predecessor, whose end the source has not
    /// noticed yet.
    #[error("replication slot {slot_name} on {endpoint} is in use by process {pid} of the source")]
    SlotInUse {
        /// The slot.
        slot_name: String,
        /// The source, without a password.
        endpoint: String,
        /// The process on the source that serves the other reader.
        pid: i32,
        /// How long a reader that is gone can still hold the slot.
        silence_timeout: Duration,
    },
    /// The two sides are not ready to stream.
    #[error("source and target did not get ready within {} s", .after.as_secs())]
    NotReady {
        /// The bound.
        after: Duration,
    },
    /// One side stands, and says nothing.
    #[error("the {side} {endpoint} has not answered for {} s although its connection stands", .silence_timeout.as_secs())]
    Silent {
        /// Which side.
        side: &'static str,
        /// Its address, without a password.
        endpoint: String,
        /// How long we have waited.
        silence_timeout: Duration,
    },
    /// The slot cannot be used.
    #[error("replication slot {slot_name} cannot be used: {reason}")]
    SlotUnusable {
        /// The slot.
        slot_name: String,
        /// Why not.
        reason: String,
        /// What fixes it.
        hint: String,
    },
    /// What is there would leave changes out, or send them in a circle.
    #[error("{object} on the {side} {endpoint}: {problem}")]
    Unfit {
        /// Which side.
        side: &'static str,
        /// Its address, without a password.
        endpoint: String,
        /// The publication, event trigger or database.
        object: String,
        /// What is in the way.
        problem: &'static str,
        /// What fixes it.
        hint: String,
    },
    /// A transaction altered the publication so that it leaves changes out.
    #[error("publication {publication} was altered by this transaction: it {problem}")]
    PublicationAltered {
        /// The publication.
        publication: String,
        /// What is wrong with it.
        problem: &'static str,
        /// The statement that fixes it.
        fix: Option<String>,
        /// How to begin anew.
        anew: String,
    },
    /// The stream cannot be read.
    #[error("cannot read the stream at {lsn}")]
    Decode {
        /// Where.
        lsn: Lsn,
        /// Why.
        #[source]
        source: DecodeError,
    },
    /// The target.
    #[error("cannot write to the target {endpoint}")]
    Apply {
        /// The target, without a password.
        endpoint: String,
        /// Why.
        #[source]
        source: ApplyError,
    },
    /// The schema log.
    #[error("cannot follow a schema change")]
    Schema {
        /// Why.
        #[source]
        source: SchemaError,
    },
    /// A schema change that the target refuses.
    #[error("the target refuses the schema change {tag} of {object}")]
    SchemaRefused {
        /// `id` of the row in `pgstream.schema_log`.
        id: Box<str>,
        /// Command tag.
        tag: Box<str>,
        /// The object.
        object: Box<str>,
        /// Why.
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
        /// Why.
        #[source]
        source: PgError,
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
    /// Tables cannot be copied.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
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

impl EngineError {
    /// Returns whether a part of a transaction cannot be carried out: the target refuses its data or
    /// what we may do to one of its tables, or what came is not understood. Then the transaction is
    /// named, so that it can be left out on record.
    #[must_use]
    pub fn refuses_work(&self) -> bool {
        let statement = self.apply().and_then(ApplyError::statement);
        let unreadable = matches!(
            self,
            Self::Decode { .. }
                | Self::Source {
                    source: PgError::StreamWarning(_),
                    ..
                }
                | Self::Schema { .. }
                | Self::PublicationAltered { .. }
                | Self::Order { .. }
        );
        self.class() == ErrorClass::Data || statement.is_some() || unreadable
    }

    /// Returns the refusal of the target inside, if it is one.
    #[must_use]
    pub const fn apply(&self) -> Option<&ApplyError> {
        match self {
            Self::Snapshot(source) => source.apply(),
            Self::Apply { source, .. } | Self::SchemaRefused { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl Classify for EngineError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Snapshot(source) => source.class(),
            Self::Source { source, .. } => source_refusal::class(source),
            Self::Target { source, .. } => source.class(),
            Self::NotTheSource { .. } => ErrorClass::Usage,
            Self::SlotInUse { .. } | Self::NotReady { .. } | Self::Silent { .. } => {
                ErrorClass::Transient
            }
            Self::SlotMissing { .. }
            | Self::SlotUnusable { .. }
            | Self::Unfit { .. }
            | Self::PublicationAltered { .. } => ErrorClass::Operator,
            Self::Decode { source, .. } => source.class(),
            Self::Apply { source, .. } => source.class(),
            Self::Schema { source } => source.class(),
            Self::SchemaRefused { source, .. } => match source.class() {
                class @ (ErrorClass::Transient | ErrorClass::Bug) => class,
                ErrorClass::Operator | ErrorClass::Data | ErrorClass::Usage => ErrorClass::Data,
            },
            Self::Task(_) | Self::Order { .. } => ErrorClass::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Snapshot(source) => source.hint(),
            Self::Source { source, .. } => source_refusal::hint(source),
            Self::Target { source, .. } => Some(on_side("target", &source.hint()?)),
            Self::NotTheSource { key, .. } => Some(format!(
                "{key} must name the database of PGSTREAM_POSTGRES_LISTENER_URL, or not be set"
            )),
            Self::SlotInUse { pid, .. } => Some(format!(
                "stop the other pgstream; if there is none, end its session on the source: \
                 SELECT pg_terminate_backend({pid})"
            )),
            Self::SlotMissing { hint, .. } | Self::SlotUnusable { hint, .. } => Some(hint.clone()),
            Self::Unfit { side, hint, .. } => Some(on_side(side, hint)),
            Self::PublicationAltered { fix, anew, .. } => {
                Some(published_again(fix.as_deref(), anew))
            }
            Self::Decode { source, .. } => source
                .hint()
                .map(|hint| format!("{hint}; or leave this transaction out with {SKIP_FLAG}")),
            Self::Apply { source, .. } => Some(on_side("target", &source.hint()?)),
            Self::Schema { source } => source.hint(),
            Self::SchemaRefused { object, source, .. } if lacks_table(source) => {
                Some(lacking(object))
            }
            Self::SchemaRefused { source, .. }
                if code_of(source) == Some(sqlstate::INVALID_SCHEMA_NAME) =>
            {
                Some(format!(
                    "make the schema on the target first (CREATE SCHEMA, the message names it) and \
                     {RUN_AGAIN}: it goes on here; or skip this transaction with {SKIP_FLAG}"
                ))
            }
            Self::SchemaRefused { source, .. }
                if code_of(source) == Some(sqlstate::INSUFFICIENT_PRIVILEGE) =>
            {
                Some(format!(
                    "give our role the right, on the target: the message names the object, and pgstream check \
                     tells what is missing with the GRANT; then {RUN_AGAIN}: it goes on here"
                ))
            }
            Self::SchemaRefused { id, .. } => Some(format!(
                "make the change possible on the target and {RUN_AGAIN}: it goes on here; or give \
                 SQL to run in its place with {EDIT_FLAG} {id}=FILE; or make it there yourself and \
                 leave its transaction out with {SKIP_FLAG}"
            )),
            Self::NotReady { .. } | Self::Silent { .. } | Self::Task(_) | Self::Order { .. } => {
                None
            }
        }
    }

    fn statement(&self) -> Option<&str> {
        match self {
            Self::Snapshot(source) => source.statement(),
            _ => self.apply().and_then(ApplyError::statement),
        }
    }
}

fn published_again(fix: Option<&str>, anew: &str) -> String {
    match fix {
        Some(fix) => format!(
            "on the source: {fix} Then, if nothing was changed while it was so, leave this transaction out \
             with {SKIP_FLAG}; what was changed is not in the stream: {anew}"
        ),
        None => format!("what was changed since cannot be decoded: {anew}"),
    }
}

fn lacks_table(refusal: &ApplyError) -> bool {
    code_of(refusal) == Some(sqlstate::UNDEFINED_TABLE)
}

fn code_of(refusal: &ApplyError) -> Option<&str> {
    match refusal {
        ApplyError::Statement { source, .. } => source.code(),
        _ => None,
    }
}

/// The change is of something that was left out, or was there before `init`.
fn lacking(object: &str) -> String {
    let table = object.strip_prefix("table ").unwrap_or(object);
    format!(
        "the target never had it, by this name or another: {}; or skip this transaction with {SKIP_FLAG}",
        copied_or_left_out(table)
    )
}

fn those_there(slots: &[String]) -> String {
    match slots {
        [] => String::new(),
        slots => format!("; there is {}", slots.join(", ")),
    }
}
