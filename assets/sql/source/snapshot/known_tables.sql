-- The tables of tables.sql, in its columns and with its sizes behind them, for those who copy nothing: what only a copy
-- asks for is left out, and sizes are those that VACUUM and ANALYZE have found. Nothing here takes a lock on a table.
SELECT c.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text,
       c.relkind OPERATOR(pg_catalog.=) 'p',
       (SELECT i.inhparent FROM pg_catalog.pg_inherits AS i
         WHERE i.inhrelid = c.oid AND c.relispartition),
       pg_catalog.concat(c.relfilenode, '/', k.columns),
       '{}'::pg_catalog.text[], true, NULL::pg_catalog.text, NULL::pg_catalog.text, '{}'::pg_catalog.oid[],
       c.relpersistence OPERATOR(pg_catalog.=) 'u',
       (GREATEST(c.relpages, 0)::pg_catalog.int8 + GREATEST(COALESCE(t.relpages, 0), 0)) * b.size,
       GREATEST(c.relpages, 0)::pg_catalog.int8
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::pg_catalog.int8) AS b (size)
LEFT JOIN pg_catalog.pg_class AS t ON t.oid = c.reltoastrelid
LEFT JOIN LATERAL (
  SELECT pg_catalog.string_agg(
           pg_catalog.concat(a.attnum, ' ', a.attname, ' ', a.atttypid, ' ', a.atttypmod, a.attgenerated, ','),
           '' ORDER BY a.attnum) AS columns
  FROM pg_catalog.pg_attribute AS a
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS k ON true
