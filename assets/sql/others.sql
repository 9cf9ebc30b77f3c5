-- Objects of users of the kinds that do not replicate, on either side: kind, identity as the server spells
-- it, and where it belongs to a table, schema and name of that. Members of extensions come with those;
-- what is ours is nobody's; of a partition's triggers the partitioned table's is the one that counts.
WITH ours (oid) AS (
  SELECT p.oid FROM pg_catalog.pg_proc AS p
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname = 'pgstream'
), object (class, oid, schema, relation) AS (
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, c.oid, c.relnamespace, NULL::pg_catalog.oid
  FROM pg_catalog.pg_class AS c WHERE c.relkind IN ('v', 'm', 'f')
  UNION ALL
  SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.pronamespace, NULL FROM pg_catalog.pg_proc AS p
  UNION ALL
  SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid, c.relnamespace, c.oid
  FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
  WHERE NOT t.tgisinternal AND t.tgparentid = 0
  UNION ALL
  SELECT 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, e.oid, 0, NULL
  FROM pg_catalog.pg_event_trigger AS e WHERE e.evtfoid NOT IN (SELECT o.oid FROM ours AS o)
  UNION ALL
  SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, r.oid, c.relnamespace, c.oid
  FROM pg_catalog.pg_rewrite AS r JOIN pg_catalog.pg_class AS c ON c.oid = r.ev_class
  WHERE r.rulename <> '_RETURN'
  UNION ALL
  SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid, c.relnamespace, c.oid
  FROM pg_catalog.pg_policy AS p JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
  UNION ALL
  SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid, c.relnamespace, c.oid
  FROM pg_catalog.pg_statistic_ext AS s JOIN pg_catalog.pg_class AS c ON c.oid = s.stxrelid
  UNION ALL
  SELECT 'pg_catalog.pg_collation'::pg_catalog.regclass, k.oid, k.collnamespace, NULL FROM pg_catalog.pg_collation AS k
  UNION ALL
  SELECT 'pg_catalog.pg_conversion'::pg_catalog.regclass, k.oid, k.connamespace, NULL FROM pg_catalog.pg_conversion AS k
  UNION ALL
  SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid, o.oprnamespace, NULL FROM pg_catalog.pg_operator AS o
  UNION ALL
  SELECT 'pg_catalog.pg_opclass'::pg_catalog.regclass, o.oid, o.opcnamespace, NULL FROM pg_catalog.pg_opclass AS o
  UNION ALL
  SELECT 'pg_catalog.pg_opfamily'::pg_catalog.regclass, o.oid, o.opfnamespace, NULL FROM pg_catalog.pg_opfamily AS o
  UNION ALL
  SELECT 'pg_catalog.pg_ts_config'::pg_catalog.regclass, t.oid, t.cfgnamespace, NULL FROM pg_catalog.pg_ts_config AS t
  UNION ALL
  SELECT 'pg_catalog.pg_ts_dict'::pg_catalog.regclass, t.oid, t.dictnamespace, NULL FROM pg_catalog.pg_ts_dict AS t
  UNION ALL
  SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typnamespace, NULL
  FROM pg_catalog.pg_type AS t WHERE t.typtype = 'b' AND t.typelem = 0
  UNION ALL
  SELECT 'pg_catalog.pg_cast'::pg_catalog.regclass, k.oid, 0, NULL FROM pg_catalog.pg_cast AS k
  UNION ALL
  SELECT 'pg_catalog.pg_transform'::pg_catalog.regclass, t.oid, 0, NULL FROM pg_catalog.pg_transform AS t
  UNION ALL
  SELECT 'pg_catalog.pg_language'::pg_catalog.regclass, l.oid, 0, NULL FROM pg_catalog.pg_language AS l
  UNION ALL
  SELECT 'pg_catalog.pg_am'::pg_catalog.regclass, a.oid, 0, NULL FROM pg_catalog.pg_am AS a
  UNION ALL
  SELECT 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, f.oid, 0, NULL
  FROM pg_catalog.pg_foreign_data_wrapper AS f
  UNION ALL
  SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, f.oid, 0, NULL FROM pg_catalog.pg_foreign_server AS f
)
SELECT w.type, w.identity, tn.nspname::pg_catalog.text, t.relname::pg_catalog.text
FROM object AS o
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = o.schema
LEFT JOIN pg_catalog.pg_class AS t ON t.oid = o.relation
LEFT JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace
CROSS JOIN LATERAL pg_catalog.pg_identify_object(o.class, o.oid, 0) AS w
WHERE o.oid >= 16384 AND w.identity IS NOT NULL
  AND COALESCE(n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgstream')
               AND n.nspname !~ '^pg_(toast|temp)', true)
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend AS m
    WHERE m.classid = o.class AND m.objid = o.oid AND m.deptype = 'e')
ORDER BY w.type, w.identity
