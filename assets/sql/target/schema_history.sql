-- What was run here for the schema changes with the ids $2 of the slot $1, and how many transactions
-- were skipped, as one JSON document.
SELECT pg_catalog.json_build_object(
  'skipped', (
    SELECT pg_catalog.count(*) FROM pgstream.skipped_transaction AS k WHERE k.slot_name = $1),
  'ran', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'id', h.id,
      'statements', h.statements,
      'not_applied', h.not_applied,
      'duration_ms', h.duration_ms))
    FROM pgstream.schema_change AS h
    WHERE h.slot_name = $1 AND h.id = ANY ($2::pg_catalog.text[])), '[]'::pg_catalog.json)
)::pg_catalog.text
