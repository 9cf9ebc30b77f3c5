-- The tables that can replicate, for people who choose among them. Sizes are the planner's estimates: they take
-- no lock and no time. The rule for "without a key" is the one of pgstream.identity_statement.
SELECT n.nspname::pg_catalog.text,
       c.relname::pg_catalog.text,
       c.relkind = 'p',
       (SELECT pg_catalog.format('%I.%I', m.nspname, p.relname)
        FROM pg_catalog.pg_inherits AS i
        JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
        JOIN pg_catalog.pg_namespace AS m ON m.oid = p.relnamespace
        WHERE i.inhrelid = c.oid AND c.relispartition),
       c.relkind = 'r' AND NOT EXISTS (
         SELECT FROM pg_catalog.pg_index AS i
         WHERE i.indrelid = c.oid
           AND (i.indisprimary AND i.indimmediate AND i.indisvalid
                OR c.relreplident = 'i' AND i.indisreplident)),
       c.reltuples::pg_catalog.int8,
       c.relpages::pg_catalog.int8 * pg_catalog.current_setting('block_size')::pg_catalog.int8
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.oid >= 16384
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'pgstream')
ORDER BY 1, 2
