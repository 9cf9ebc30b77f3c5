-- The latest rows of the schema log, newest first, as one JSON document.
SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
  'id', l.id::pg_catalog.text,
  'version', l.version,
  'created_at', l.created_at,
  'schema_name', l.schema_name,
  'tag', COALESCE(l.schema ->> 'tag', ''),
  'objects', object.names,
  'quoted_objects', object.quoted_names,
  'others', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.concat_ws(' ', o.other ->> 'kind', o.other ->> 'identity'))
    FROM pg_catalog.jsonb_array_elements(l.schema -> 'others') AS o(other)
    WHERE o.other ? 'identity'), '[]'::pg_catalog.json),
  'acked', l.acked)), '[]'::pg_catalog.json)::pg_catalog.text
FROM (
  SELECT id, version, created_at, schema_name, schema, acked
  FROM pgstream.schema_log ORDER BY version DESC LIMIT 10) AS l
CROSS JOIN LATERAL (
  SELECT
    COALESCE(pg_catalog.json_agg(pg_catalog.concat_ws(' ', n.kind,
      pg_catalog.concat_ws('.', n.schema, n.name))), '[]') AS names,
    COALESCE(pg_catalog.json_agg(pg_catalog.concat_ws(' ', n.kind,
      pg_catalog.concat_ws('.', pg_catalog.quote_ident(n.schema), pg_catalog.quote_ident(n.name)))),
      '[]') AS quoted_names
  FROM pg_catalog.jsonb_array_elements(l.schema -> 'objects') AS o(object)
  CROSS JOIN LATERAL (SELECT COALESCE(
    NULLIF(o.object -> 'after', 'null'), o.object -> 'before') AS image) AS i
  CROSS JOIN LATERAL (SELECT
    o.object ->> 'kind' AS kind,
    COALESCE(i.image ->> 'schema', i.image -> 'table' ->> 'schema') AS schema,
    i.image ->> 'name' AS name) AS n) AS object
