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

use bytes::Bytes;

use crate::model::{Event, Lsn, QualifiedName, RelationId};

pub use error::DecodeError;
pub use pgoutput::Pgoutput;

/// The decoder of a slot's plugin.
#[derive(Debug)]
pub enum Decoder {
    /// Built into every server.
    Pgoutput(Pgoutput),
}

impl Decoder {
    /// Returns the decoder for a plugin as `pg_replication_slots.plugin` names it.
    ///
    /// # Errors
    /// Operator: the slot belongs to another program's plugin.
    pub fn for_plugin(plugin: &str) -> Result<Self, DecodeError> {
        match plugin {
            "pgoutput" => Ok(Self::Pgoutput(Pgoutput::default())),
            other => Err(DecodeError::UnknownPlugin {
                plugin: other.to_owned(),
            }),
        }
    }

    /// Returns the options of `START_REPLICATION`.
    #[must_use]
    pub fn options(&self, publication: &str) -> Vec<(&'static str, String)> {
        match self {
            Self::Pgoutput(_) => pgoutput::options(publication),
        }
    }

    /// Decodes the data of one frame and appends what it says to `events`: mostly one event,
    /// none for descriptions, two when a held event had to wait for its successor.
    ///
    /// # Errors
    /// Bug: the bytes are not what the plugin's protocol says. The decoder is of no further use.
    pub fn decode(
        &mut self,
        data: Bytes,
        wal_start: Lsn,
        events: &mut Vec<Event>,
    ) -> Result<(), DecodeError> {
        match self {
            Self::Pgoutput(decoder) => {
                let _ = wal_start;
                events.extend(decoder.decode(data)?);
                Ok(())
            }
        }
    }

    /// Follows `ALTER SCHEMA … RENAME`: the server does not describe the relations anew.
    pub fn rename_schema(&mut self, old: &str, new: &str) {
        match self {
            Self::Pgoutput(decoder) => decoder.rename_schema(old, new),
        }
    }

    /// Follows the renaming of one relation.
    pub fn rename_relation(&mut self, id: RelationId, new: &QualifiedName) {
        match self {
            Self::Pgoutput(decoder) => decoder.rename_relation(id, new),
        }
    }
}
