-- Each partition with its partitioned table and its bounds.
COALESCE((
  SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
    'table', pg_catalog.json_build_object('schema', pn.nspname, 'name', p.relname),
    'parent', pg_catalog.json_build_object('schema', rn.nspname, 'name', r.relname),
    'bound', pg_catalog.pg_get_expr(p.relpartbound, p.oid)) ORDER BY pn.nspname, p.relname)
  FROM pg_catalog.pg_class AS p
  JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
  JOIN pg_catalog.pg_inherits AS h ON h.inhrelid = p.oid
  JOIN pg_catalog.pg_class AS r ON r.oid = h.inhparent
  JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.relnamespace
  WHERE p.relispartition AND p.relkind IN ('r', 'p') AND p.relpersistence <> 't'), '[]'::pg_catalog.json)
