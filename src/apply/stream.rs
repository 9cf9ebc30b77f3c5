//! Which stream a checkpoint and the records of a pipeline belong to.

/// The stream that a checkpoint belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    /// Slot on the source.
    pub slot_name: String,
    /// `IDENTIFY_SYSTEM`'s system identifier of the source.
    pub system_identifier: String,
    /// Database on the source.
    pub database_name: String,
    /// Timeline of the source.
    pub timeline: i32,
}

impl Stream {
    /// Returns what the stream is called in `pgstream.schema_log` of a target: where a change came from.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}/{}", self.system_identifier, self.slot_name)
    }
}
