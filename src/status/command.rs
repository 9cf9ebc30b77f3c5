//! What an operator can ask of the engine, and a command on its way there.

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::model::Lsn;

use super::look::TableLook;
use super::snapshot::CopyCommand;

/// A command and where its answer goes.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) answer: oneshot::Sender<CommandAnswer>,
}

/// What an operator can ask of the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Finish the transaction in hand, then apply nothing until [`Command::Resume`].
    Pause,
    /// Go on after a pause.
    Resume,
    /// Try again now: after a failure, or instead of waiting for the back-off.
    Retry,
    /// Skip the transaction the engine stands at, and write that down on the target.
    Skip {
        /// Position of its commit record, to be sure that both speak of the same one.
        commit_lsn: Lsn,
    },
    /// Run an operator's text in place of what was planned for a refused schema change, in the
    /// same target transaction, and write that down there.
    Edit(SchemaEdit),
    /// Finish the transaction in hand and end.
    Stop,
    /// Something about copying tables.
    Copy(CopyCommand),
    /// Show the rows of a table as far as they are remembered.
    Look {
        /// The table, by its displayed name.
        table: String,
        /// With all values of the row that the target refuses, not only what identifies it.
        values: bool,
    },
}

impl Command {
    /// Returns whether it changes nothing.
    #[must_use]
    pub const fn only_looks(&self) -> bool {
        matches!(self, Self::Look { .. })
    }
}

/// What became of a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandAnswer {
    /// It is being done.
    Accepted,
    /// It makes no sense now; the reason for people.
    Refused(String),
    /// What was to be shown.
    Seen(Box<TableLook>),
}

/// What an operator wants run for a schema change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaEdit {
    /// `id` of the row in `pgstream.schema_log`.
    pub id: String,
    /// The statements; none of them may begin or end a transaction.
    pub sql: String,
}
