//! The verdicts, kept on the target.

use crate::postgres::{PgError, Session};
use crate::status::Verdict;

use super::report::{Report, TableReport};

const RECORD: &str = "\
INSERT INTO pgstream.verified_table
  (slot_name, schema_name, table_name, verdict, row_count, differing, missing, extra, lsn)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::pg_catalog.text::pg_catalog.pg_lsn)
ON CONFLICT (slot_name, schema_name, table_name) DO UPDATE
SET verdict = excluded.verdict, row_count = excluded.row_count, differing = excluded.differing,
    missing = excluded.missing, extra = excluded.extra, lsn = excluded.lsn,
    verified_at = pg_catalog.clock_timestamp()";

const RECORD_ALL: &str = "\
INSERT INTO pgstream.verification
  (slot_name, verdict, lsn, table_count, object_count, sequence_count, row_count, open_count)
VALUES ($1, $2, $3::pg_catalog.text::pg_catalog.pg_lsn, $4, $5, $6, $7, $8)
ON CONFLICT (slot_name) DO UPDATE
SET verdict = excluded.verdict, lsn = excluded.lsn, table_count = excluded.table_count,
    object_count = excluded.object_count, sequence_count = excluded.sequence_count,
    row_count = excluded.row_count, open_count = excluded.open_count,
    verified_at = pg_catalog.clock_timestamp()";

/// Tables that do not replicate any more.
const FORGET_OTHERS: &str = "\
DELETE FROM pgstream.verified_table AS t
WHERE t.slot_name = $1
  AND NOT EXISTS (
    SELECT FROM ROWS FROM (
      pg_catalog.unnest($2::pg_catalog.text[]), pg_catalog.unnest($3::pg_catalog.text[]))
      AS w (schema_name, name)
    WHERE w.schema_name = t.schema_name AND w.name = t.table_name)";

/// Writes the verdict on everything down.
pub(super) async fn record_all(target: &Session, report: &Report) -> Result<(), PgError> {
    let names = report.tables.iter().map(|table| &table.table);
    let (schemas, names): (Vec<&str>, Vec<&str>) =
        names.map(|name| (&*name.schema, &*name.name)).unzip();
    target
        .change(FORGET_OTHERS, &[&report.slot_name, &schemas, &names])
        .await?;
    let verdict = match report.verdict() {
        Verdict::Equal => "equal",
        Verdict::Different => "different",
        Verdict::NotCompared => "not_compared",
    };
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let rows: u64 = report.tables.iter().map(|table| table.source_rows).sum();
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 8] = [
        &report.slot_name,
        &verdict,
        &report.lsn.to_string(),
        &count(report.tables.len()),
        &count(report.object_count.unwrap_or_default()),
        &count(report.sequence_count),
        &i64::try_from(rows).unwrap_or(i64::MAX),
        &count(report.open_count()),
    ];
    target.change(RECORD_ALL, &parameters).await.map(drop)
}

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
