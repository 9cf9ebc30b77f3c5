-- The last proof of a pipeline, as one JSON document. $1 is the slot's name.
SELECT pg_catalog.json_build_object(
  'last', (
    SELECT pg_catalog.json_build_object(
      'verdict', v.verdict,
      'lsn', v.lsn,
      'at', v.verified_at,
      'age_s', EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - v.verified_at),
      'table_count', v.table_count,
      'object_count', v.object_count,
      'sequence_count', v.sequence_count,
      'row_count', v.row_count,
      'open_count', v.open_count)
    FROM pgstream.verification AS v WHERE v.slot_name = $1),
  'different_tables', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
        'table', pg_catalog.concat(t.schema_name, '.', t.table_name),
        'missing', t.missing,
        'extra', t.extra,
        'differing', t.differing,
        'lsn', t.lsn,
        'at', t.verified_at)
      ORDER BY t.schema_name, t.table_name)
    FROM pgstream.verified_table AS t
    WHERE t.slot_name = $1 AND t.verdict = 'different'), '[]'::pg_catalog.json)
)::pg_catalog.text
