-- What `status` shows of the target before it looks at our own tables, as one JSON document.
SELECT pg_catalog.json_build_object(
  'version', pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1),
  'role', CURRENT_USER,
  'own_tables', COALESCE((
    SELECT pg_catalog.json_agg(c.relname)
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'pgstream'), '[]'::pg_catalog.json)
)::pg_catalog.text
