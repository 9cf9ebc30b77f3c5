-- How far the target is, as one JSON document. $1 is the slot's name.
SELECT pg_catalog.json_build_object(
  'checkpoint', (
    SELECT pg_catalog.json_build_object(
      'end_lsn', p.end_lsn,
      'commit_time', p.commit_time,
      'updated_at', p.updated_at,
      'age_s', EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - p.commit_time))
    FROM pgstream.checkpoint p WHERE p.slot_name = $1),
  'skipped_transaction_count', (
    SELECT pg_catalog.count(*) FROM pgstream.skipped_transaction k WHERE k.slot_name = $1),
  'applied', COALESCE((
    SELECT pg_catalog.json_agg(r)
    FROM (
      SELECT h.id, h.not_applied, pg_catalog.cardinality(h.statements) AS statement_count
      FROM pgstream.schema_change h
      WHERE h.slot_name = $1 ORDER BY h.version DESC LIMIT 100) AS r), '[]'::pg_catalog.json)
)::pg_catalog.text
