//! What a plan is made from.

use std::collections::HashSet;

use crate::config::{LeftOut, Snapshot, TableFilter};
use crate::model::RelationId;
use crate::postgres::{PgError, Session};
use crate::schema::Along;
use crate::snapshot::{StoredPart, StoredTable};

/// What belongs to no table and is made with a group: schemas, types, and sequences that no table owns.
/// A filter says nothing of it: it names tables.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FreeObjects<'a> {
    /// Nothing but what the tables need: an earlier group has brought the rest.
    Brought,
    /// All of it: the stream goes on with all of it.
    All,
    /// What is in the schemas that a list takes as a whole.
    OfSchemas(&'a TableFilter),
}

impl<'a> FreeObjects<'a> {
    /// Returns what comes with the first group, or a later one, of a copy of the tables on a list.
    pub(crate) const fn of(first: bool, streams: bool, list: &'a TableFilter) -> Self {
        match (first, streams) {
            (true, true) => Self::All,
            (true, false) => Self::OfSchemas(list),
            (false, _) => Self::Brought,
        }
    }

    pub(super) async fn along(self, source: &Session) -> Result<Along, PgError> {
        let list = match self {
            Self::Brought => return Ok(Along::Nothing),
            Self::All => return Ok(Along::Everything),
            Self::OfSchemas(list) if list.selects_everything() => return Ok(Along::Everything),
            Self::OfSchemas(list) => list,
        };
        let sql = "SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_namespace AS n";
        let schemas = source.rows(sql, &[]).await?.into_iter();
        let schemas = schemas.map(|row| row.get(0));
        let taken = schemas.filter(|schema: &String| list.takes_schema(schema));
        Ok(Along::Schemas(taken.collect()))
    }
}

/// What a plan is made from.
pub(crate) struct PlanSettings<'a> {
    pub(crate) snapshot: &'a Snapshot,
    /// The slot to name the temporary one after; none: nobody streams afterwards.
    pub(crate) slot_name: Option<&'a str>,
    /// All tables that are known.
    pub(crate) stored: &'a [StoredTable],
    /// Ranges of tables that were begun before.
    pub(crate) parts: &'a [StoredPart],
    /// Those that wait.
    pub(crate) waiting: &'a HashSet<RelationId>,
    /// Which tables replicate.
    pub(crate) filter: &'a TableFilter,
    /// Which kinds of objects do not.
    pub(crate) left_out: &'a LeftOut,
    /// What belongs to no table.
    pub(crate) free: FreeObjects<'a>,
    /// Ordinary triggers of the target stay silent.
    pub(crate) silent_triggers: bool,
    /// Tables get the owner that they have on the source.
    pub(crate) run_as_owner: bool,
    /// Nothing is streamed before the tables are complete: where a table is made does not matter then.
    pub(crate) stands_still: bool,
    /// Objects that the target refused just now: they are tried again behind all tables.
    pub(crate) refused: &'a HashSet<String>,
}
