//! How far each table is proved equal: kept on the target while a comparison is not through, so that another
//! pair of snapshots, or another run, goes on there. Each range is proved at its own position.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::fault;
use crate::model::Lsn;
use crate::postgres::{PgError, Session};

use super::table::Candidate;

const READ: &str = "\
SELECT p.relation, p.fingerprint, p.below, p.row_count, p.lsn::pg_catalog.text
FROM pgstream.proved_table AS p WHERE p.slot_name = $1";

const FORGET: &str = "DELETE FROM pgstream.proved_table AS p WHERE p.slot_name = $1";

const NOTE: &str = "\
INSERT INTO pgstream.proved_table (slot_name, relation, fingerprint, below, row_count, lsn)
SELECT $1, p.relation, p.fingerprint, p.below, p.row_count, p.lsn::pg_catalog.pg_lsn
FROM ROWS FROM (
  pg_catalog.unnest($2::pg_catalog.oid[]), pg_catalog.unnest($3::pg_catalog.text[]),
  pg_catalog.unnest($4::pg_catalog.int8[]), pg_catalog.unnest($5::pg_catalog.int8[]),
  pg_catalog.unnest($6::pg_catalog.text[])) AS p (relation, fingerprint, below, row_count, lsn)
ON CONFLICT (slot_name, relation) DO UPDATE
SET fingerprint = excluded.fingerprint, below = excluded.below, row_count = excluded.row_count,
    lsn = excluded.lsn";

/// The rows of a table that are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    /// Those with keys below this; none: all.
    pub(super) below: Option<i64>,
    pub(super) row_count: u64,
    /// The last position at which some of them were compared.
    pub(super) lsn: Lsn,
}

/// What is known of all tables, by their OIDs on the source.
#[derive(Debug)]
pub(super) struct Proved {
    slot_name: String,
    /// Written down for another run.
    kept: bool,
    tables: Mutex<HashMap<u32, (String, Reached)>>,
}

impl Proved {
    /// Knows nothing.
    pub(super) fn new(slot_name: &str, kept: bool) -> Self {
        Self {
            slot_name: slot_name.to_owned(),
            kept,
            tables: Mutex::default(),
        }
    }

    /// Reads how far a comparison was that was not through, or forgets it.
    pub(super) async fn begin(&self, target: &Session, resume: bool) -> Result<(), PgError> {
        if !resume {
            return self.end(target).await;
        }
        let rows = target.rows(READ, &[&self.slot_name]).await?;
        let read = rows.iter().map(|row| {
            let reached = Reached {
                below: row.get(2),
                row_count: u64::try_from(row.get::<_, i64>(3)).unwrap_or_default(),
                lsn: row.get::<_, &str>(4).parse().unwrap_or_default(),
            };
            (row.get(0), (row.get(1), reached))
        });
        self.tables().extend(read);
        Ok(())
    }

    /// Forgets what is written down: the comparison is through, or another begins.
    pub(super) async fn end(&self, target: &Session) -> Result<(), PgError> {
        target.change(FORGET, &[&self.slot_name]).await.map(drop)
    }

    /// Returns how far a table is, as long as it has the file and the columns that it had then.
    pub(super) fn reached(&self, table: &Candidate) -> Option<Reached> {
        let tables = self.tables();
        let known = tables.get(&table.source);
        let known = known.filter(|(fingerprint, _)| *fingerprint == table.fingerprint);
        known.map(|(_, reached)| reached.clone())
    }

    /// Notes how far tables are.
    pub(super) async fn note(
        &self,
        target: &Session,
        proved: &[(&Candidate, Reached)],
    ) -> Result<(), PgError> {
        if self.kept && !proved.is_empty() {
            let of = |table: &(&Candidate, Reached)| table.0.source;
            let relations: Vec<u32> = proved.iter().map(of).collect();
            let prints: Vec<&str> = (proved.iter())
                .map(|(table, _)| &*table.fingerprint)
                .collect();
            let below: Vec<Option<i64>> = proved.iter().map(|(_, reached)| reached.below).collect();
            let row_counts: Vec<i64> = (proved.iter())
                .map(|(_, reached)| i64::try_from(reached.row_count).unwrap_or(i64::MAX))
                .collect();
            let lsns: Vec<String> = (proved.iter())
                .map(|(_, reached)| reached.lsn.to_string())
                .collect();
            let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 6] = [
                &self.slot_name,
                &relations,
                &prints,
                &below,
                &row_counts,
                &lsns,
            ];
            target.change(NOTE, &parameters).await?;
            fault::point(fault::VERIFY_AFTER_RANGE);
        }
        let entries = proved
            .iter()
            .map(|(table, reached)| (table.source, (table.fingerprint.clone(), reached.clone())));
        self.tables().extend(entries);
        Ok(())
    }

    /// A table whose rows are changed is compared from its beginning.
    pub(super) fn forget(&self, table: &Candidate) {
        self.tables().remove(&table.source);
    }

    fn tables(&self) -> std::sync::MutexGuard<'_, HashMap<u32, (String, Reached)>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
