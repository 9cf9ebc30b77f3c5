-- Which of these names the target has, as OIDs by catalog: relations $1 and $2 (schemas and names),
-- types $3 and $4, schemas $5.
SELECT
  (SELECT pg_catalog.array_agg(c.oid)
   FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS w (schema_name, name)
   JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema_name
   JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name
   WHERE c.relkind IN ('r', 'p')),
  (SELECT pg_catalog.array_agg(c.oid)
   FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS w (schema_name, name)
   JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema_name
   JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.name
   WHERE c.relkind = 'S'),
  (SELECT pg_catalog.array_agg(t.oid)
   FROM ROWS FROM (pg_catalog.unnest($3::pg_catalog.text[]), pg_catalog.unnest($4::pg_catalog.text[])) AS w (schema_name, name)
   JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema_name
   JOIN pg_catalog.pg_type AS t ON t.typnamespace = n.oid AND t.typname = w.name),
  (SELECT pg_catalog.array_agg(n.oid) FROM pg_catalog.pg_namespace AS n WHERE n.nspname = ANY ($5))
