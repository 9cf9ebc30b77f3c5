-- What check asks of either server: the sequences that the table $table owns and that our role may not use as
-- $allowed says; the expression that stands for $sequences there.
COALESCE((
  SELECT pg_catalog.json_agg(pg_catalog.json_build_object('schema', qn.nspname, 'name', q.relname)
                             ORDER BY qn.nspname, q.relname)
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_class q ON q.oid = d.objid AND q.relkind = 'S'
  JOIN pg_catalog.pg_namespace qn ON qn.oid = q.relnamespace
  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = $table
    AND d.deptype IN ('a', 'i')
    AND CASE q.relkind WHEN 'S' THEN NOT ($allowed) END),
  '[]'::pg_catalog.json)
