//! The verdicts, kept on the target.

use crate::postgres::{PgError, Session};
use crate::status::Verdict;

use super::report::{Report, TableReport};

const RECORD: &str = "\
INSERT INTO pgstream.verified_table
  (slot_name, schema_name, table_name, verdict, row_count, differing, missing, extra, lsn)
SELECT $1, t.schema_name, t.name, t.verdict, t.row_count, t.differing, t.missing, t.extra,
       t.lsn::pg_catalog.pg_lsn
FROM ROWS FROM (
  pg_catalog.unnest($2::pg_catalog.text[]), pg_catalog.unnest($3::pg_catalog.text[]),
  pg_catalog.unnest($4::pg_catalog.text[]), pg_catalog.unnest($5::pg_catalog.int8[]),
  pg_catalog.unnest($6::pg_catalog.int8[]), pg_catalog.unnest($7::pg_catalog.int8[]),
  pg_catalog.unnest($8::pg_catalog.int8[]), pg_catalog.unnest($9::pg_catalog.text[]))
  AS t (schema_name, name, verdict, row_count, differing, missing, extra, lsn)
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
    let verdict = word(report.verdict());
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

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Equal => "equal",
        Verdict::Different => "different",
        Verdict::NotCompared => "not_compared",
    }
}

/// Writes the verdicts on tables down; none for one that was not compared.
pub(super) async fn record(
    target: &Session,
    slot_name: &str,
    reports: &[TableReport],
) -> Result<(), PgError> {
    let compared = reports.iter();
    let compared = compared.filter(|report| report.verdict != Verdict::NotCompared);
    let compared: Vec<&TableReport> = compared.collect();
    if compared.is_empty() {
        return Ok(());
    }
    let texts = |of: fn(&TableReport) -> String| -> Vec<String> {
        compared.iter().map(|report| of(report)).collect()
    };
    let counts = |of: fn(&TableReport) -> u64| -> Vec<i64> {
        let counts = compared.iter().map(|report| of(report));
        counts
            .map(|count| i64::try_from(count).unwrap_or(i64::MAX))
            .collect()
    };
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 9] = [
        &slot_name,
        &texts(|report| report.table.schema.to_string()),
        &texts(|report| report.table.name.to_string()),
        &texts(|report| word(report.verdict).to_owned()),
        &counts(|report| report.source_rows),
        &counts(|report| report.differing),
        &counts(|report| report.missing),
        &counts(|report| report.extra),
        &texts(|report| report.lsn.to_string()),
    ];
    target.change(RECORD, &parameters).await.map(drop)
}
