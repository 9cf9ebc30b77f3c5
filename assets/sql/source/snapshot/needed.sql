-- The objects without which the tables $1 cannot be made, and those that belong to them; with $2
-- every schema, type, sequence, function, view and so on that belongs to no table besides, or those of the
-- schemas $3. As OIDs by catalog; what does not replicate (members of extensions, our own) is left out by what describes them.
WITH RECURSIVE
relations AS (
  SELECT t.oid FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS t (oid)
), owned AS (
  SELECT i.indexrelid AS oid FROM pg_catalog.pg_index AS i JOIN relations AS r ON r.oid = i.indrelid
), objects (class, oid, namespace, relation) AS (
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, c.oid, c.relnamespace, NULL::pg_catalog.oid
  FROM pg_catalog.pg_class AS c WHERE c.relkind IN ('v', 'm', 'f')
  UNION ALL
  SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.pronamespace, NULL FROM pg_catalog.pg_proc AS p
  UNION ALL
  SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid, c.relnamespace, c.oid
  FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
  WHERE NOT t.tgisinternal AND t.tgparentid = 0
  UNION ALL
  SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, r.oid, c.relnamespace, c.oid
  FROM pg_catalog.pg_rewrite AS r JOIN pg_catalog.pg_class AS c ON c.oid = r.ev_class
  WHERE r.rulename <> '_RETURN'
  UNION ALL
  SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid, c.relnamespace, c.oid
  FROM pg_catalog.pg_policy AS p JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
  UNION ALL
  SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid, s.stxnamespace, s.stxrelid
  FROM pg_catalog.pg_statistic_ext AS s
  UNION ALL
  SELECT 'pg_catalog.pg_collation'::pg_catalog.regclass, k.oid, k.collnamespace, NULL FROM pg_catalog.pg_collation AS k
  UNION ALL
  SELECT 'pg_catalog.pg_conversion'::pg_catalog.regclass, k.oid, k.connamespace, NULL FROM pg_catalog.pg_conversion AS k
  UNION ALL
  SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, k.oid, k.oprnamespace, NULL FROM pg_catalog.pg_operator AS k
  UNION ALL
  SELECT 'pg_catalog.pg_opclass'::pg_catalog.regclass, k.oid, k.opcnamespace, NULL FROM pg_catalog.pg_opclass AS k
  UNION ALL
  SELECT 'pg_catalog.pg_opfamily'::pg_catalog.regclass, k.oid, k.opfnamespace, NULL FROM pg_catalog.pg_opfamily AS k
  UNION ALL
  SELECT 'pg_catalog.pg_ts_parser'::pg_catalog.regclass, k.oid, k.prsnamespace, NULL FROM pg_catalog.pg_ts_parser AS k
  UNION ALL
  SELECT 'pg_catalog.pg_ts_template'::pg_catalog.regclass, k.oid, k.tmplnamespace, NULL FROM pg_catalog.pg_ts_template AS k
  UNION ALL
  SELECT 'pg_catalog.pg_ts_dict'::pg_catalog.regclass, k.oid, k.dictnamespace, NULL FROM pg_catalog.pg_ts_dict AS k
  UNION ALL
  SELECT 'pg_catalog.pg_ts_config'::pg_catalog.regclass, k.oid, k.cfgnamespace, NULL FROM pg_catalog.pg_ts_config AS k
  UNION ALL
  SELECT 'pg_catalog.pg_extension'::pg_catalog.regclass, k.oid, k.extnamespace, NULL FROM pg_catalog.pg_extension AS k
  UNION ALL
  SELECT 'pg_catalog.pg_cast'::pg_catalog.regclass, k.oid, (
           SELECT t.typnamespace FROM pg_catalog.pg_type AS t
           WHERE t.oid IN (k.castsource, k.casttarget) AND t.oid >= 16384 ORDER BY t.oid LIMIT 1), NULL
  FROM pg_catalog.pg_cast AS k
  UNION ALL
  SELECT 'pg_catalog.pg_transform'::pg_catalog.regclass, k.oid, NULL, NULL FROM pg_catalog.pg_transform AS k
  UNION ALL
  SELECT 'pg_catalog.pg_language'::pg_catalog.regclass, k.oid, NULL, NULL FROM pg_catalog.pg_language AS k
  UNION ALL
  SELECT 'pg_catalog.pg_am'::pg_catalog.regclass, k.oid, NULL, NULL FROM pg_catalog.pg_am AS k
  UNION ALL
  SELECT 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, k.oid, NULL, NULL FROM pg_catalog.pg_foreign_data_wrapper AS k
  UNION ALL
  SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, k.oid, NULL, NULL FROM pg_catalog.pg_foreign_server AS k
  UNION ALL
  SELECT 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, k.oid, p.pronamespace, NULL
  FROM pg_catalog.pg_event_trigger AS k JOIN pg_catalog.pg_proc AS p ON p.oid = k.evtfoid
), start (class, oid) AS (
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, r.oid FROM relations AS r
  UNION ALL
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, o.oid FROM owned AS o
  UNION ALL
  SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid
  FROM pg_catalog.pg_constraint AS k JOIN relations AS r ON r.oid IN (k.conrelid, k.confrelid)
  UNION ALL
  SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, f.oid
  FROM pg_catalog.pg_attrdef AS f JOIN relations AS r ON r.oid = f.adrelid
  UNION ALL
  -- What belongs to a table comes with it, and what belongs to nothing, or to a view, along with all.
  SELECT o.class, o.oid FROM objects AS o LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = o.namespace
  WHERE o.oid >= 16384
    AND CASE WHEN (SELECT c.relkind FROM pg_catalog.pg_class AS c WHERE c.oid = o.relation) IN ('r', 'p')
             THEN o.relation IN (SELECT r.oid FROM relations AS r)
             ELSE $2 OR n.nspname = ANY ($3::pg_catalog.text[]) END
  UNION ALL
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid
  FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS m ON m.oid = i.indrelid AND m.relkind = 'm'
  JOIN pg_catalog.pg_namespace AS n ON n.oid = m.relnamespace
  WHERE $2 OR n.nspname = ANY ($3::pg_catalog.text[])
  UNION ALL
  SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid
  FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
  WHERE t.oid >= 16384 AND ($2 OR n.nspname = ANY ($3::pg_catalog.text[]))
  UNION ALL
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, q.oid
  FROM pg_catalog.pg_class AS q JOIN pg_catalog.pg_namespace AS n ON n.oid = q.relnamespace
  WHERE q.relkind = 'S' AND q.relpersistence <> 't'
    AND ($2 OR n.nspname = ANY ($3::pg_catalog.text[]))
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS d
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = q.oid
        AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0)
), needed (class, oid) AS (
  SELECT s.class, s.oid FROM start AS s
  UNION
  SELECT next.class, next.oid
  FROM needed AS n
  CROSS JOIN LATERAL (
    SELECT d.refclassid AS class, d.refobjid AS oid
    FROM pg_catalog.pg_depend AS d
    WHERE d.classid = n.class AND d.objid = n.oid AND d.refobjid >= 16384
      AND (d.refclassid IN (
             'pg_catalog.pg_type'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass,
             'pg_catalog.pg_extension'::pg_catalog.regclass, 'pg_catalog.pg_collation'::pg_catalog.regclass,
             'pg_catalog.pg_operator'::pg_catalog.regclass, 'pg_catalog.pg_opclass'::pg_catalog.regclass,
             'pg_catalog.pg_opfamily'::pg_catalog.regclass, 'pg_catalog.pg_am'::pg_catalog.regclass,
             'pg_catalog.pg_language'::pg_catalog.regclass, 'pg_catalog.pg_ts_config'::pg_catalog.regclass,
             'pg_catalog.pg_ts_dict'::pg_catalog.regclass, 'pg_catalog.pg_ts_parser'::pg_catalog.regclass,
             'pg_catalog.pg_ts_template'::pg_catalog.regclass,
             'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass,
             'pg_catalog.pg_foreign_server'::pg_catalog.regclass)
        OR d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
           AND (SELECT c.relkind FROM pg_catalog.pg_class AS c WHERE c.oid = d.refobjid) IN ('S', 'c', 'v', 'm', 'f'))
    UNION ALL
    -- What a view is made of stands with its rule.
    SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, r.oid
    FROM pg_catalog.pg_rewrite AS r
    WHERE n.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND r.ev_class = n.oid AND r.rulename = '_RETURN'
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, t.typrelid
    FROM pg_catalog.pg_type AS t
    WHERE n.class = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = n.oid
      AND t.typrelid <> 0 AND t.typtype = 'c'
      AND (SELECT c.relkind FROM pg_catalog.pg_class AS c WHERE c.oid = t.typrelid) = 'c'
    UNION ALL
    -- An operator class is made of these.
    SELECT d.classid, d.objid
    FROM pg_catalog.pg_depend AS d
    WHERE n.class IN ('pg_catalog.pg_opclass'::pg_catalog.regclass, 'pg_catalog.pg_opfamily'::pg_catalog.regclass)
      AND d.refclassid = n.class AND d.refobjid = n.oid
      AND d.classid IN ('pg_catalog.pg_amop'::pg_catalog.regclass, 'pg_catalog.pg_amproc'::pg_catalog.regclass)
    UNION ALL
    -- A multirange names the range that it is made of only in pg_range.
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, g.rngtypid
    FROM pg_catalog.pg_range AS g
    WHERE n.class = 'pg_catalog.pg_type'::pg_catalog.regclass AND g.rngmultitypid = n.oid) AS next
), everything (class, oid) AS (
  SELECT n.class, n.oid FROM needed AS n
  UNION
  -- Sequences that the tables own, and identity columns' own.
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, d.objid
  FROM pg_catalog.pg_depend AS d
  JOIN relations AS r ON r.oid = d.refobjid
  JOIN pg_catalog.pg_class AS q ON q.oid = d.objid AND q.relkind = 'S'
  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')
), schemas (class, oid) AS (
  SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass::pg_catalog.oid, s.oid
  FROM pg_catalog.pg_namespace AS s
  WHERE $2 OR s.nspname = ANY ($3::pg_catalog.text[])
     OR EXISTS (
       SELECT FROM everything AS e JOIN pg_catalog.pg_class AS c ON c.oid = e.oid
       WHERE e.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.relnamespace = s.oid)
     OR EXISTS (
       SELECT FROM everything AS e JOIN pg_catalog.pg_type AS t ON t.oid = e.oid
       WHERE e.class = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.typnamespace = s.oid)
), found AS (
  SELECT e.class, e.oid FROM everything AS e
  UNION ALL
  SELECT s.class, s.oid FROM schemas AS s
)
SELECT pg_catalog.array_agg(f.oid) FILTER (WHERE f.class = 'pg_catalog.pg_class'::pg_catalog.regclass),
       pg_catalog.array_agg(f.oid) FILTER (WHERE f.class = 'pg_catalog.pg_constraint'::pg_catalog.regclass),
       pg_catalog.array_agg(f.oid) FILTER (WHERE f.class = 'pg_catalog.pg_type'::pg_catalog.regclass),
       pg_catalog.array_agg(f.oid) FILTER (WHERE f.class = 'pg_catalog.pg_namespace'::pg_catalog.regclass),
       pg_catalog.array_agg(f.oid) FILTER (WHERE (f.class, f.oid) IN (SELECT o.class, o.oid FROM objects AS o))
FROM found AS f
