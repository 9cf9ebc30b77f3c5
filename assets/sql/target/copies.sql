-- How far the copies of existing tables are, as one JSON document. $1 is the slot's name.
SELECT COALESCE((
  SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', pg_catalog.concat(t.schema_name, '.', t.table_name),
      'state', t.state,
      'attempt', t.attempt,
      'row_count', t.row_count,
      'byte_count', t.byte_count,
      'bytes_expected', t.bytes_expected,
      'error', t.failure ->> 'message',
      'lsn', t.lsn,
      'updated_at', t.updated_at)
    ORDER BY t.bytes_expected DESC, t.relation)
  FROM pgstream.snapshot_table AS t WHERE t.slot_name = $1), '[]'::pg_catalog.json)::pg_catalog.text
