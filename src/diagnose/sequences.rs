//! How the sequences follow the source's, as the target remembers it.

use serde::{Deserialize, Serialize};

use crate::format;
use crate::postgres::{PgError, Session, document};

const LOOK: &str = include_str!("../../assets/sql/target/sequence_look.sql");

/// The last look at the sequences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceLook {
    /// When.
    pub looked_at: String,
    /// How long ago, in seconds.
    pub age_s: i64,
    /// Sequences of the source.
    pub count: u64,
    /// How often one was moved forward on the target, since the pipeline began.
    pub moved: u64,
    /// Those that do not follow, each with the reason.
    pub unfollowed: Vec<String>,
}

impl SequenceLook {
    /// Returns how long ago it was, for people.
    #[must_use]
    pub fn age(&self) -> String {
        format::whole_seconds(self.age_s)
    }
}

/// Returns the last look of a slot's pipeline.
///
/// # Errors
/// By SQLSTATE; the table must be there.
pub(crate) async fn last(
    session: &Session,
    slot_name: &str,
) -> Result<Option<SequenceLook>, PgError> {
    document(session, LOOK, &[&slot_name]).await
}
