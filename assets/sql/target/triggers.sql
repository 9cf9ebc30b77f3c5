-- The triggers of the tables called $1 (schemas) and $2 that fire when rows come in while
-- session_replication_role is as $3 says: true for replica.
SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text,
       pg_catalog.string_agg(pg_catalog.quote_ident(t.tgname), ', ' ORDER BY t.tgname),
       pg_catalog.bool_and(t.tgenabled = 'A')
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS w (schema_name, name)
JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema_name
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name
JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = c.oid
WHERE c.relkind = 'r'
  -- Before version 15 the copies that partitions have of their parent's triggers count as internal.
  AND (NOT t.tgisinternal OR t.tgparentid <> 0 AND t.tgconstraint = 0)
  AND t.tgtype OPERATOR(pg_catalog.&) 4::pg_catalog.int2 <> 0
  AND (t.tgenabled = 'A' OR t.tgenabled = CASE WHEN $3 THEN 'R' ELSE 'O' END)
GROUP BY n.nspname, c.relname
ORDER BY n.nspname, c.relname
