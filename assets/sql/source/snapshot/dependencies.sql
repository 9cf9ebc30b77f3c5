-- Which of the objects $1 needs which other: pairs of OIDs, the one that needs first. What stands in other
-- catalogs for an object (its row type, a default of it, the rule of a view) counts as the object itself.
WITH edge AS (
  SELECT d.classid, d.objid, d.refclassid, d.refobjid
  FROM pg_catalog.pg_depend AS d
  WHERE d.objid >= 16384 AND d.refobjid >= 16384 AND d.deptype IN ('n', 'a', 'i')
), stands_for (class, oid, object) AS (
  SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass::pg_catalog.oid, f.oid, f.adrelid
  FROM pg_catalog.pg_attrdef AS f
  UNION ALL
  SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, r.oid, r.ev_class
  FROM pg_catalog.pg_rewrite AS r WHERE r.rulename = '_RETURN'
  UNION ALL
  SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid, k.contypid
  FROM pg_catalog.pg_constraint AS k WHERE k.contypid <> 0
  UNION ALL
  SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typrelid
  FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid AND c.relkind <> 'c'
  UNION ALL
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, c.reltype
  FROM pg_catalog.pg_class AS c WHERE c.relkind = 'c'
  UNION ALL
  SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, a.typarray, COALESCE(NULLIF(c.oid, 0), a.oid)
  FROM pg_catalog.pg_type AS a
  LEFT JOIN pg_catalog.pg_class AS c ON c.oid = a.typrelid AND c.relkind <> 'c'
  WHERE a.typarray <> 0
  UNION ALL
  SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, g.rngmultitypid, g.rngtypid FROM pg_catalog.pg_range AS g
  UNION ALL
  -- What an operator class or family is made of.
  SELECT d.classid, d.objid, d.refobjid
  FROM pg_catalog.pg_depend AS d
  WHERE d.classid IN ('pg_catalog.pg_amop'::pg_catalog.regclass, 'pg_catalog.pg_amproc'::pg_catalog.regclass)
    AND d.refclassid IN ('pg_catalog.pg_opclass'::pg_catalog.regclass, 'pg_catalog.pg_opfamily'::pg_catalog.regclass)
  UNION ALL
  -- What came with an extension.
  SELECT d.classid, d.objid, d.refobjid
  FROM pg_catalog.pg_depend AS d WHERE d.deptype = 'e' AND d.objid <> ALL ($1)
)
SELECT DISTINCT COALESCE(one.object, e.objid), COALESCE(other.object, e.refobjid)
FROM edge AS e
LEFT JOIN stands_for AS one ON one.class = e.classid AND one.oid = e.objid
LEFT JOIN stands_for AS other ON other.class = e.refclassid AND other.oid = e.refobjid
WHERE COALESCE(one.object, e.objid) <> COALESCE(other.object, e.refobjid)
  AND COALESCE(one.object, e.objid) = ANY ($1) AND COALESCE(other.object, e.refobjid) = ANY ($1)
