//! What can go wrong while writing to the target.

use crate::model::hint::{RUN_AGAIN, SKIP_FLAG, VALUES_AT_TRACE, copied_or_left_out};
use crate::model::{Classify, ErrorClass, Lsn, QualifiedName};
use crate::postgres::{PgError, sqlstate};

/// A failed operation on the target, with its object.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The target cannot be reached or does not let us work.
    #[error("cannot open the writing session on the target")]
    Open {
        #[source]
        source: PgError,
    },
    /// The target refuses a step.
    #[error("the target refuses a change of {table}")]
    Refused {
        table: QualifiedName,
        /// The statement, without values.
        statement: String,
        #[source]
        source: PgError,
    },
    /// The target refuses a statement that belongs to no table: a schema change, our own records.
    #[error("the target refuses {object}")]
    Statement {
        /// What the statement is for.
        object: String,
        /// The statement, without values.
        statement: String,
        #[source]
        source: PgError,
    },
    /// The target refuses what belongs to no transaction of the source: a look, our own records.
    #[error("the target refuses {object}")]
    Records {
        /// What it refuses.
        object: String,
        #[source]
        source: PgError,
    },
    /// The target does not have the row that the source changed.
    #[error("{found} of {expected} changed rows of {table} are on the target")]
    RowNotFound {
        table: QualifiedName,
        /// The statement, without values.
        statement: String,
        /// Rows that had to be there.
        expected: u64,
        /// Rows that were.
        found: u64,
        /// What may keep it from being seen there.
        why: Absence,
    },
    /// The source does not tell which row it changed.
    #[error(
        "the source does not say which row of {table} it changed: a generated column is in its key"
    )]
    NoIdentity { table: QualifiedName },
    /// A row was decoded under a type that has been changed since.
    #[error(
        "a row of {table} was written before the type of its column {column} was changed, and committed behind that"
    )]
    OlderType {
        table: QualifiedName,
        column: String,
    },
    /// The target does not have the table that the source changed.
    #[error("table {table} is not on the target")]
    MissingTable { table: QualifiedName },
    /// The target's table lacks a column.
    #[error("column {column} of table {table} is not on the target")]
    MissingColumn {
        table: QualifiedName,
        column: String,
    },
    /// The target's catalog answered something that we cannot read.
    #[error("cannot read the target's description of table {table}")]
    Catalog {
        table: QualifiedName,
        #[source]
        source: serde_json::Error,
    },
    /// Somebody else moved the checkpoint: another process applies the same slot.
    #[error("the checkpoint of slot {slot_name} on the target is no longer {expected}")]
    Fenced {
        slot_name: String,
        /// Where we left it.
        expected: Lsn,
    },
    /// The checkpoint was written for another source.
    #[error("the checkpoint of slot {slot_name} on the target does not fit to it: {reason}")]
    ForeignCheckpoint {
        slot_name: String,
        /// What differs.
        reason: String,
    },
    /// Rows that wait for their table could not be kept.
    #[error("cannot keep rows that wait for their table in a temporary file in {}", std::env::temp_dir().display())]
    Spill {
        #[source]
        source: std::io::Error,
    },
}

/// What may keep a row of the target from being found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// It is not there.
    Missing,
    /// Row level security may hide it from us.
    Hidden,
    /// Foreign keys act by themselves on what the stream brings, too.
    Cascaded,
}

impl ApplyError {
    /// Returns the table whose rows were refused.
    #[must_use]
    pub const fn table(&self) -> Option<&QualifiedName> {
        match self {
            Self::Refused { table, .. }
            | Self::RowNotFound { table, .. }
            | Self::NoIdentity { table }
            | Self::OlderType { table, .. } => Some(table),
            Self::Open { .. }
            | Self::Statement { .. }
            | Self::Records { .. }
            | Self::MissingTable { .. }
            | Self::MissingColumn { .. }
            | Self::Catalog { .. }
            | Self::Fenced { .. }
            | Self::ForeignCheckpoint { .. }
            | Self::Spill { .. } => None,
        }
    }

    /// Returns the statement that was refused, without values.
    #[must_use]
    pub fn statement(&self) -> Option<&str> {
        match self {
            Self::Refused { statement, .. }
            | Self::Statement { statement, .. }
            | Self::RowNotFound { statement, .. } => Some(statement),
            // Nobody has to read a question of ours to see what is wrong.
            Self::Open { .. }
            | Self::Records { .. }
            | Self::MissingTable { .. }
            | Self::MissingColumn { .. }
            | Self::NoIdentity { .. }
            | Self::OlderType { .. }
            | Self::Catalog { .. }
            | Self::Fenced { .. }
            | Self::ForeignCheckpoint { .. }
            | Self::Spill { .. } => None,
        }
    }
}

impl Classify for ApplyError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Open { source }
            | Self::Refused { source, .. }
            | Self::Statement { source, .. } => source.class(),
            // No value of a row has part in it: what refuses it is how the target is set up.
            Self::Records { source, .. } => match source.class() {
                ErrorClass::Data => ErrorClass::Operator,
                class => class,
            },
            Self::RowNotFound { .. }
            | Self::MissingTable { .. }
            | Self::MissingColumn { .. }
            | Self::NoIdentity { .. }
            | Self::OlderType { .. } => ErrorClass::Data,
            // Mostly a session of our own that was cut off in the middle of its commit.
            Self::Fenced { .. } => ErrorClass::Transient,
            Self::ForeignCheckpoint { .. } | Self::Spill { .. } => ErrorClass::Operator,
            Self::Catalog { .. } => ErrorClass::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Open { source } => source.hint(),
            Self::Refused { source, .. } | Self::Statement { source, .. } => {
                let refused = source.class() != ErrorClass::Transient;
                let own = source.hint().or_else(|| hint_of_code(source));
                own.or_else(|| refused.then(hint_refused))
            }
            Self::Records { source, .. } => source.hint().or_else(|| {
                let refused = source.class() != ErrorClass::Transient;
                refused.then(|| format!("let our role do that on the target, and {RUN_AGAIN}"))
            }),
            Self::RowNotFound { table, why, .. } => Some(hint_absent(table, *why)),
            Self::NoIdentity { table } => Some(format!(
                "on the source: ALTER TABLE {} REPLICA IDENTITY FULL; then make the change of this \
                 transaction on the target by hand and pass it over with {SKIP_FLAG}",
                table.quoted()
            )),
            Self::OlderType { table, .. } => Some(format!(
                "the source sends it as it was then, which means something else now: write this transaction's \
                 rows of {table} on the target as the source shows them, and pass it over with {SKIP_FLAG}"
            )),
            Self::MissingTable { table } => Some(format!(
                "{}; or skip this transaction with {SKIP_FLAG}",
                copied_or_left_out(&table.to_string())
            )),
            Self::MissingColumn { table, column } => Some(format!(
                "add the column on the target: ALTER TABLE {} ADD COLUMN {} and its type (pgstream check \
                 has the whole statement); then {RUN_AGAIN}",
                table.quoted(),
                crate::model::quote_ident(column)
            )),
            Self::Fenced { .. } => Some(
                "another pgstream applies this slot: stop one of them, then run again".to_owned(),
            ),
            Self::ForeignCheckpoint { slot_name, .. } => Some(format!(
                "pgstream verify --repair brings what differs, without a new copy, and run goes on from \
                 there; or empty or drop the target's tables and remove the old mark, on the target: \
                 DELETE FROM pgstream.checkpoint WHERE slot_name = {}; then copy them again: run with \
                 PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED=true",
                crate::model::quote_literal(slot_name).trim_start()
            )),
            Self::Catalog { .. } => None,
            Self::Spill { .. } => Some(format!(
                "free space there, or name another directory in TMPDIR; then {RUN_AGAIN}"
            )),
        }
    }
}

fn hint_refused() -> String {
    format!(
        "fix the target and {RUN_AGAIN}: it goes on at this transaction{VALUES_AT_TRACE}; or skip the \
         transaction on record with {SKIP_FLAG}"
    )
}

/// What a violated constraint means here that it does not mean elsewhere.
fn hint_of_code(source: &PgError) -> Option<String> {
    let error = source.server()?;
    match (&*error.code, &error.constraint) {
        (sqlstate::FOREIGN_KEY_VIOLATION, _) => Some(format!(
            "the row refers to one that is not here. Where the source wrote it with \
             session_replication_role = replica, its key was not checked there: set \
             PGSTREAM_POSTGRES_WRITER_DISABLE_TRIGGERS=true, and none is checked here. Else put the missing row \
             back. Then {RUN_AGAIN}; or skip the transaction on record with {SKIP_FLAG}"
        )),
        (sqlstate::CHECK_VIOLATION, None) => Some(format!(
            "the row has no place in this partition: its bounds are others than on the source (pgstream check \
             names them). Attach it with those of the source, then {RUN_AGAIN}; or skip the transaction on \
             record with {SKIP_FLAG}"
        )),
        _ => None,
    }
}

fn hint_absent(table: &QualifiedName, why: Absence) -> String {
    let differs = format!(
        "the target differs from the source in {table}: put the missing rows back (compare both sides), then \
         {RUN_AGAIN}; or skip this transaction with {SKIP_FLAG}"
    );
    match why {
        Absence::Missing => differs,
        Absence::Hidden => format!(
            "row level security of {table} may hide them from our role: ALTER ROLE … BYPASSRLS, or a policy that \
             shows them. Else {differs}"
        ),
        Absence::Cascaded => format!(
            "foreign keys of the target act by themselves on what the stream brings, too: let our role keep them \
             from it with GRANT SET ON PARAMETER session_replication_role (before version 15: ALTER ROLE … \
             SUPERUSER), or set PGSTREAM_POSTGRES_WRITER_DISABLE_TRIGGERS=true. Else {differs}"
        ),
    }
}
