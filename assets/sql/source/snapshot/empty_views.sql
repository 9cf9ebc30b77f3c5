-- The statements that make views $1 with their columns and nothing behind them.
SELECT c.oid,
       pg_catalog.format('CREATE VIEW %I.%I AS SELECT %s', n.nspname, c.relname, pg_catalog.string_agg(
         pg_catalog.format('NULL::%s%s AS %I', pg_catalog.format_type(a.atttypid, a.atttypmod),
           (SELECT pg_catalog.format(' COLLATE %I.%I', cn.nspname, l.collname)
            FROM pg_catalog.pg_collation AS l JOIN pg_catalog.pg_namespace AS cn ON cn.oid = l.collnamespace
            WHERE l.oid = a.attcollation AND l.oid <> t.typcollation),
           a.attname), ', ' ORDER BY a.attnum))
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
WHERE c.oid = ANY ($1)
GROUP BY c.oid, n.nspname, c.relname
