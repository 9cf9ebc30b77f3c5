//! The verdicts, kept on the target.

use crate::postgres::{PgError, Session};

use super::report::{TableReport, Verdict};

const RECORD: &str = "\
INSERT INTO pgstream.verified_table
  (slot_name, schema_name, table_name, verdict, row_count, differing, missing, extra, lsn)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::pg_catalog.text::pg_catalog.pg_lsn)
ON CONFLICT (slot_name, schema_name, table_name) DO UPDATE
SET verdict = excluded.verdict, row_count = excluded.row_count, differing = excluded.differing,
    missing = excluded.missing, extra = excluded.extra, lsn = excluded.lsn,
    verified_at = pg_catalog.clock_timestamp()";

/// Writes the verdict on a table down; none for one that was not compared.
pub(super) async fn record(
    target: &Session,
    slot_name: &str,
    report: &TableReport,
) -> Result<(), PgError> {
    let verdict = match report.verdict {
        Verdict::Equal => "equal",
        Verdict::Different => "different",
        Verdict::NotCompared => return Ok(()),
    };
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let (schema, name) = (&*report.table.schema, &*report.table.name);
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 9] = [
        &slot_name,
        &schema,
        &name,
        &verdict,
        &count(report.source_rows),
        &count(report.differing),
        &count(report.missing),
        &count(report.extra),
        &report.lsn.to_string(),
    ];
    target.change(RECORD, &parameters).await?;
    Ok(())
}
