-- How far the copies of existing tables are, as one JSON document. $1 is the slot's name.
-- Of a table that is being copied: the ranges that are there, and what the sessions that write
-- to it now have taken, which nobody else sees before they commit.
SELECT COALESCE((
  SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', pg_catalog.concat(t.schema_name, '.', t.table_name),
      'table', pg_catalog.json_build_object('schema', t.schema_name, 'name', t.table_name),
      'state', t.state,
      'attempt', t.attempt,
      'row_count', CASE t.state WHEN 'copying' THEN moving.row_count ELSE t.row_count END,
      'byte_count', CASE t.state WHEN 'copying' THEN moving.byte_count ELSE t.byte_count END,
      'bytes_expected', t.bytes_expected,
      'error', t.failure ->> 'message',
      'causes', COALESCE(t.failure -> 'causes', '[]'),
      'sqlstate', t.failure ->> 'sqlstate',
      'hint', t.failure ->> 'hint',
      'unlogged', COALESCE(
        t.objects OPERATOR(pg_catalog.@>) '[{"kind": "table", "after": {"persistence": "u"}}]', false),
      'lsn', t.lsn,
      'updated_at', t.updated_at)
    ORDER BY t.bytes_expected DESC, t.relation)
  FROM pgstream.snapshot_table AS t
  CROSS JOIN LATERAL (
    SELECT COALESCE(pg_catalog.sum(m.row_count), 0)::pg_catalog.int8 AS row_count,
           COALESCE(pg_catalog.sum(m.byte_count), 0)::pg_catalog.int8 AS byte_count
    FROM (
      SELECT p.row_count, p.byte_count
      FROM pgstream.snapshot_part AS p
      WHERE p.slot_name = t.slot_name AND p.relation = t.relation AND p.lsn IS NOT NULL
      UNION ALL
      SELECT w.tuples_processed, w.bytes_processed
      FROM pg_catalog.pg_stat_progress_copy AS w
      JOIN pg_catalog.pg_class AS c ON c.oid = w.relid
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      WHERE w.datname = pg_catalog.current_database() AND w.command = 'COPY FROM'
        AND n.nspname = t.schema_name AND c.relname = t.table_name) AS m) AS moving
  WHERE t.slot_name = $1), '[]'::pg_catalog.json)::pg_catalog.text
