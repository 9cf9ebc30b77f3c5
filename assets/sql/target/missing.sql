-- Which of these objects, by kind $1 and identity $2, the target does not have, as places from 1.
WITH there (type, identity) AS (
  SELECT i.type, i.identity
  FROM (
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid FROM pg_catalog.pg_proc AS p
    UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid FROM pg_catalog.pg_type AS t
    UNION ALL SELECT 'pg_catalog.pg_collation'::pg_catalog.regclass, c.oid FROM pg_catalog.pg_collation AS c
    UNION ALL SELECT 'pg_catalog.pg_opclass'::pg_catalog.regclass, o.oid FROM pg_catalog.pg_opclass AS o
    UNION ALL SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid FROM pg_catalog.pg_operator AS o
    UNION ALL SELECT 'pg_catalog.pg_am'::pg_catalog.regclass, a.oid FROM pg_catalog.pg_am AS a
    UNION ALL SELECT 'pg_catalog.pg_ts_config'::pg_catalog.regclass, s.oid FROM pg_catalog.pg_ts_config AS s
  ) AS o (class, oid)
  CROSS JOIN LATERAL pg_catalog.pg_identify_object(o.class, o.oid, 0) AS i
)
SELECT w.place
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
  WITH ORDINALITY AS w (type, identity, place)
WHERE NOT EXISTS (SELECT FROM there AS t WHERE t.type = w.type AND t.identity = w.identity)
ORDER BY w.place
