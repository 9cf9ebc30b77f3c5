//! From what an output plugin writes to the events of the model. Pure, and it never panics: the
//! bytes come from a network.
//!
//! ```text
//!  XLogData ──> pgoutput (binary messages, values as text) ─┐
//!           └─> wal2json (JSON, format version 2) ──────────┴─> Event
//! ```
//!
//! A decoder never guesses: an unknown message, a row of a relation that was not described, a
//! value whose text the plugin lost are errors. Values are slices of the message, not copies.
//!
//! A decoder lives as long as one replication session: the server describes every relation anew
//! after a reconnect.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod error;
mod pgoutput;
mod suspect;
mod wal2json;

use bytes::Bytes;

use crate::config::NullNumbers;
use crate::model::{Event, Lsn, QualifiedName};

pub use error::DecodeError;
pub use pgoutput::Pgoutput;
pub use wal2json::Wal2json;

/// The decoder of a slot's plugin.
#[derive(Debug)]
pub enum Decoder {
    /// Built into every server.
    Pgoutput(Pgoutput),
    /// An extension; slots made by others often have it.
    Wal2json(Box<Wal2json>),
}

impl Decoder {
    /// Returns the decoder for a plugin as `pg_replication_slots.plugin` names it.
    ///
    /// # Errors
    /// Operator: the slot belongs to another program's plugin.
    pub fn for_plugin(plugin: &str) -> Result<Self, DecodeError> {
        match plugin {
            "pgoutput" => Ok(Self::Pgoutput(Pgoutput::default())),
            "wal2json" => Ok(Self::Wal2json(Box::default())),
            other => Err(DecodeError::UnknownPlugin {
                plugin: other.to_owned(),
            }),
        }
    }

    /// Says how a plugin that prints `NaN` as null is to be understood; pgoutput does not.
    #[must_use]
    pub fn with_null_numbers(mut self, null_numbers: NullNumbers) -> Self {
        if let Self::Wal2json(decoder) = &mut self {
            decoder.set_null_numbers(null_numbers);
        }
        self
    }

    /// Returns the options of `START_REPLICATION`, best first. A server whose plugin is too old
    /// for one refuses it with SQLSTATE 22023; then the next is to be tried. `materialized_views` are
    /// those of the source, which `pgoutput` leaves out by itself.
    #[must_use]
    pub fn option_choices(
        &self,
        publication: &str,
        materialized_views: &[QualifiedName],
    ) -> Vec<Vec<(&'static str, String)>> {
        match self {
            Self::Pgoutput(_) => vec![pgoutput::options(publication)],
            Self::Wal2json(_) => wal2json::option_choices(materialized_views),
        }
    }

    /// Tells which of the choices the server accepted, counted from zero.
    pub fn started_with(&mut self, choice: usize) {
        match self {
            Self::Pgoutput(_) => {}
            Self::Wal2json(decoder) => decoder.started_with(choice),
        }
    }

    /// Decodes the data of one frame that lies at `wal_start` and appends what it says to
    /// `events`: mostly one event, none for descriptions, two when a held event had to wait for
    /// its successor.
    ///
    /// # Errors
    /// Bug: the bytes are not what the plugin's protocol says. Operator: the plugin lost a value
    /// ([`DecodeError::AmbiguousNull`]). The decoder is of no further use.
    pub fn decode(
        &mut self,
        data: Bytes,
        wal_start: Lsn,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        match self {
            Self::Pgoutput(decoder) => {
                events.extend(decoder.decode(data)?);
                Ok(())
            }
            Self::Wal2json(decoder) => decoder.decode(&data, wal_start, events),
        }
    }

    /// Returns whether a message belongs into a transaction, and neither begins nor ends one.
    #[must_use]
    pub fn carries_change(&self, data: &[u8]) -> bool {
        let ends: [&[u8]; 2] = match self {
            Self::Pgoutput(_) => pgoutput::ENDS,
            Self::Wal2json(_) => wal2json::ENDS,
        };
        !ends.iter().any(|end| data.starts_with(end))
    }

    /// Forgets what earlier messages said about columns where the plugin does not say it anew:
    /// after a schema change.
    pub fn schema_changed(&mut self) {
        match self {
            // A Relation message comes before the next row.
            Self::Pgoutput(_) => {}
            Self::Wal2json(decoder) => decoder.forget(),
        }
    }
}
