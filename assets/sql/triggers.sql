-- The triggers of users on tables, on either side: what each is, when it fires, and what its function says.
SELECT t.oid, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, t.tgname::pg_catalog.text,
       pg_catalog.quote_ident(t.tgname),
       pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled::pg_catalog.text,
       t.tgtype OPERATOR(pg_catalog.&) 4::pg_catalog.int2 <> 0,
       t.tgtype OPERATOR(pg_catalog.&) 36::pg_catalog.int2 <> 0,
       t.tgparentid <> 0,
       COALESCE(p.prosrc, '')
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384 AND n.nspname <> 'pgstream'
  -- Before version 15 the copies that partitions have of their parent's triggers count as internal.
  AND (NOT t.tgisinternal OR t.tgparentid <> 0 AND t.tgconstraint = 0)
ORDER BY 2, 3, 4
