-- What check asks of either server: the sequences that the table $table owns or that one of its defaults
-- draws from, and that our role may not use as $allowed says; the expression that stands for $sequences there.
COALESCE((
  SELECT pg_catalog.json_agg(pg_catalog.json_build_object('schema', qn.nspname, 'name', q.relname)
                             ORDER BY qn.nspname, q.relname)
  FROM pg_catalog.pg_class q
  JOIN pg_catalog.pg_namespace qn ON qn.oid = q.relnamespace
  WHERE q.relkind = 'S'
    AND q.oid IN (
      SELECT d.objid
      FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = $table
        AND d.deptype IN ('a', 'i')
      UNION ALL
      SELECT d.refobjid
      FROM pg_catalog.pg_attrdef f
      JOIN pg_catalog.pg_depend d
        ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid
      WHERE f.adrelid = $table AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)
    AND CASE q.relkind WHEN 'S' THEN NOT ($allowed) END),
  '[]'::pg_catalog.json)
