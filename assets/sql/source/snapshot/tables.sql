-- The tables that could be copied, as this transaction sees them. A partitioned table has no rows of
-- its own and comes along for its definition. The fingerprint changes with everything that would make
-- rows read under an older snapshot wrong: another file (a rewrite, TRUNCATE) or other columns; a column
-- that is added without a rewrite makes it longer. The types are those that users made and that its
-- columns are made of, however deep.
-- Nothing here takes a lock on a table: whoever waits for one would wait for us, and we behind him.
SELECT c.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text,
       c.relkind OPERATOR(pg_catalog.=) 'p',
       (SELECT i.inhparent FROM pg_catalog.pg_inherits AS i
         WHERE i.inhrelid = c.oid AND c.relispartition),
       pg_catalog.concat(c.relfilenode, '/', k.columns),
       COALESCE(k.read, '{}'),
       COALESCE(k.binary_format, true),
       key.name, key.bounds,
       COALESCE(m.types, '{}'),
       c.relpersistence OPERATOR(pg_catalog.=) 'u'
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
  SELECT pg_catalog.string_agg(
           pg_catalog.concat(a.attnum, ' ', a.attname, ' ', a.atttypid, ' ', a.atttypmod, a.attgenerated, ','),
           '' ORDER BY a.attnum) AS columns,
         pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY a.attnum)
           FILTER (WHERE a.attgenerated = '') AS read,
         -- Built-in types have one number and one binary form on every server; those that name other
         -- objects by number do not, nor do composites and arrays of what users made. Of some the binary
         -- input refuses what the output has sent (empty vectors, an empty tsquery), and an infinite
         -- interval of 17 is a finite one before.
         pg_catalog.bool_and(t.typtype = 'e'
           OR t.oid < 16384 AND t.typtype IN ('b', 'r', 'm') AND t.typsend <> 0 AND t.typreceive <> 0
              AND t.typname !~ '^_?(reg|aclitem|oidvector|int2vector|tsquery|interval)')
           FILTER (WHERE a.attgenerated = '') AS binary_format
  FROM pg_catalog.pg_attribute AS a
  JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS k ON true
LEFT JOIN LATERAL (
  WITH RECURSIVE made_of (oid) AS (
    SELECT a.atttypid FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384
    UNION
    SELECT below.oid
    FROM made_of AS o
    JOIN pg_catalog.pg_type AS t ON t.oid = o.oid
    CROSS JOIN LATERAL (
      SELECT t.typelem AS oid
      UNION ALL
      SELECT t.typbasetype
      UNION ALL
      SELECT a.atttypid FROM pg_catalog.pg_attribute AS a
      WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
      UNION ALL
      SELECT g.rngsubtype FROM pg_catalog.pg_range AS g WHERE t.oid IN (g.rngtypid, g.rngmultitypid)
      UNION ALL
      SELECT g.rngtypid FROM pg_catalog.pg_range AS g WHERE g.rngmultitypid = t.oid) AS below
    WHERE below.oid >= 16384)
  SELECT pg_catalog.array_agg(o.oid) AS types FROM made_of AS o) AS m ON true
-- A whole number as the only key: ranges of it can be read one by one, and each under a snapshot of its
-- own. Its bounds are those of the statistics, where the rows lie in its order.
LEFT JOIN LATERAL (
  SELECT a.attname::pg_catalog.text AS name,
         (SELECT st.histogram_bounds::pg_catalog.text
          FROM pg_catalog.pg_stats AS st
          WHERE st.schemaname = n.nspname AND st.tablename = c.relname AND st.attname = a.attname
            AND NOT st.inherited AND pg_catalog.abs(st.correlation) > 0.9) AS bounds
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
  WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate
    AND i.indnkeyatts = 1 AND a.atttypid IN (20, 21, 23) AND c.relreplident IN ('d', 'f')
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_index AS u
      WHERE u.indrelid = c.oid AND (u.indisunique OR u.indisexclusion)
        AND u.indexrelid <> i.indexrelid)) AS key ON true
