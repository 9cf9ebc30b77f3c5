-- The latest rows of the schema log, newest first, as one JSON document.
SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
  'id', l.id::pg_catalog.text,
  'version', l.version,
  'created_at', l.created_at,
  'schema_name', l.schema_name,
  'tag', COALESCE(l.schema ->> 'tag', ''),
  'objects', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.concat_ws(' ', o.object ->> 'kind', pg_catalog.concat_ws('.',
      COALESCE(i.image ->> 'schema', i.image -> 'table' ->> 'schema'), i.image ->> 'name')))
    FROM pg_catalog.jsonb_array_elements(l.schema -> 'objects') AS o(object),
      LATERAL (SELECT COALESCE(
        NULLIF(o.object -> 'after', 'null'), o.object -> 'before') AS image) AS i),
    '[]'::pg_catalog.json),
  'others', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.concat_ws(' ', o.other ->> 'kind', o.other ->> 'identity'))
    FROM pg_catalog.jsonb_array_elements(l.schema -> 'others') AS o(other)
    WHERE o.other ? 'identity'), '[]'::pg_catalog.json),
  'acked', l.acked)), '[]'::pg_catalog.json)::pg_catalog.text
FROM (
  SELECT id, version, created_at, schema_name, schema, acked
  FROM pgstream.schema_log ORDER BY version DESC LIMIT 10) AS l
