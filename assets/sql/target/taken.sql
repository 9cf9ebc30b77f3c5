-- What else on the target has a name that is needed for an object of kind $1 (table, sequence, type,
-- index), schema $2 and name $3; of an index $4 is its table. As places from 1, with what has the name.
SELECT w.place, found.what
FROM ROWS FROM (
    pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]),
    pg_catalog.unnest($3::pg_catalog.text[]), pg_catalog.unnest($4::pg_catalog.text[]))
  WITH ORDINALITY AS w (kind, schema_name, name, table_name, place)
JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema_name
CROSS JOIN LATERAL (
  SELECT CASE c.relkind
           WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view' WHEN 'f' THEN 'a foreign table'
           WHEN 'S' THEN 'a sequence' WHEN 'c' THEN 'a composite type'
           WHEN 'i' THEN pg_catalog.concat('an index of table ', t.relname)
           WHEN 'I' THEN pg_catalog.concat('an index of table ', t.relname)
           ELSE 'a table' END AS what
  FROM pg_catalog.pg_class AS c
  LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
  LEFT JOIN pg_catalog.pg_class AS t ON t.oid = i.indrelid
  WHERE c.relnamespace = n.oid AND c.relname = w.name
    AND CASE w.kind
          WHEN 'table' THEN c.relkind NOT IN ('r', 'p')
          WHEN 'sequence' THEN c.relkind <> 'S'
          WHEN 'type' THEN c.relkind IN ('r', 'p', 'v', 'm', 'f')
          ELSE t.relname IS DISTINCT FROM w.table_name END
  UNION ALL
  SELECT 'a type'
  FROM pg_catalog.pg_type AS y
  WHERE w.kind = 'table' AND y.typnamespace = n.oid AND y.typname = w.name AND y.typrelid = 0
    -- The array type of another table makes way by itself.
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_type AS e WHERE e.typarray = y.oid)
) AS found
ORDER BY w.place
