-- The columns of tables that are made of the type called $1 (schema) and $2, however deep, and whether they are of
-- that type itself or of a domain over it.
WITH RECURSIVE made_of (oid, itself) AS (
  SELECT t.oid, true
  FROM pg_catalog.pg_type AS t
  JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
  WHERE n.nspname = $1 AND t.typname = $2
  UNION
  SELECT above.oid, above.itself
  FROM made_of AS m
  CROSS JOIN LATERAL (
    SELECT d.oid, m.itself AS itself FROM pg_catalog.pg_type AS d WHERE d.typbasetype = m.oid
    UNION ALL
    SELECT a.oid, false FROM pg_catalog.pg_type AS a WHERE a.typelem = m.oid AND a.typlen = -1
    UNION ALL
    SELECT r.rngtypid, false FROM pg_catalog.pg_range AS r WHERE r.rngsubtype = m.oid
    UNION ALL
    SELECT r.rngmultitypid, false FROM pg_catalog.pg_range AS r WHERE r.rngtypid = m.oid
    UNION ALL
    SELECT c.reltype, false
    FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid AND c.reltype <> 0
    WHERE a.atttypid = m.oid AND a.attnum > 0 AND NOT a.attisdropped) AS above)
SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, a.attname::pg_catalog.text,
       pg_catalog.bool_or(m.itself)
FROM made_of AS m
JOIN pg_catalog.pg_attribute AS a ON a.atttypid = m.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
GROUP BY n.nspname, c.relname, a.attname
