-- What the tables $1 are made of besides types that users made: functions, collations, operator classes, ...
-- each with the table. What came with an extension comes with that.
WITH parts (relation, class, oid) AS (
  SELECT r.oid, 'pg_catalog.pg_class'::pg_catalog.regclass, r.oid
  FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS r (oid)
  UNION ALL
  SELECT i.indrelid, 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid
  FROM pg_catalog.pg_index AS i WHERE i.indrelid = ANY ($1)
  UNION ALL
  SELECT k.conrelid, 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid
  FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = ANY ($1)
  UNION ALL
  SELECT f.adrelid, 'pg_catalog.pg_attrdef'::pg_catalog.regclass, f.oid
  FROM pg_catalog.pg_attrdef AS f WHERE f.adrelid = ANY ($1)
), used (relation, class, oid) AS (
  SELECT p.relation, d.refclassid,
         CASE WHEN d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
              THEN COALESCE((SELECT t.typelem FROM pg_catalog.pg_type AS t
                             WHERE t.oid = d.refobjid AND t.typcategory = 'A' AND t.typelem <> 0), d.refobjid)
              ELSE d.refobjid END
  FROM parts AS p
  JOIN pg_catalog.pg_depend AS d ON d.classid = p.class AND d.objid = p.oid
  WHERE d.refobjid >= 16384
    AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_type'::pg_catalog.regclass,
                         'pg_catalog.pg_collation'::pg_catalog.regclass,
                         'pg_catalog.pg_opclass'::pg_catalog.regclass,
                         'pg_catalog.pg_operator'::pg_catalog.regclass,
                         'pg_catalog.pg_am'::pg_catalog.regclass,
                         'pg_catalog.pg_ts_config'::pg_catalog.regclass)
)
SELECT DISTINCT u.relation, w.type, w.identity
FROM used AS u
CROSS JOIN LATERAL pg_catalog.pg_identify_object(u.class, u.oid, 0) AS w
LEFT JOIN pg_catalog.pg_depend AS m
  ON m.classid = u.class AND m.objid = u.oid AND m.deptype = 'e'
     AND m.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
WHERE w.identity IS NOT NULL AND m.objid IS NULL
  AND (u.class <> 'pg_catalog.pg_type'::pg_catalog.regclass
       OR (SELECT t.typtype FROM pg_catalog.pg_type AS t WHERE t.oid = u.oid) = 'b')
ORDER BY 1, 2, 3
