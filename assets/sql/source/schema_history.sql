-- A page of the schema log, newest first, as one JSON document: at most $2 entries that were made before
-- the one with the id $1; none: the latest. An identifier sorts by the time of its making.
SELECT pg_catalog.json_build_object(
  'total', (SELECT pg_catalog.count(*) FROM pgstream.schema_log),
  'entries', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'id', page.id::pg_catalog.text,
      'version', page.version,
      'created_at', page.created_at::pg_catalog.text,
      'acked', page.acked,
      'change', page.schema) ORDER BY page.id DESC)
    FROM (
      SELECT l.id, l.version, l.created_at, l.acked, l.schema
      FROM pgstream.schema_log AS l
      WHERE $1::pg_catalog.text IS NULL OR l.id < $1::pg_catalog.text
      ORDER BY l.id DESC LIMIT $2) AS page), '[]'::pg_catalog.json)
)::pg_catalog.text
