-- The partitioned tables that refer to one of the tables called $1 (schemas) and $2, are not among them, and
-- whose partitions all are.
WITH listed AS (
  SELECT c.oid
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS w (schema_name, name)
  JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema_name
  JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name)
SELECT DISTINCT n.nspname::pg_catalog.text, r.relname::pg_catalog.text
FROM pg_catalog.pg_constraint AS f
JOIN listed AS l ON l.oid = f.confrelid
JOIN pg_catalog.pg_class AS r ON r.oid = f.conrelid AND r.relkind = 'p'
JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
WHERE f.contype = 'f'
  AND r.oid NOT IN (SELECT oid FROM listed)
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_partition_tree(r.oid) AS t
    WHERE t.isleaf AND t.relid NOT IN (SELECT oid FROM listed))
ORDER BY 1, 2
