-- Which objects a command may have changed. The server reports only some of them: of ALTER TABLE
-- the table, of ATTACH PARTITION the parent, of DROP … CASCADE what vanished. The answer is a set of
-- candidates; those whose description did not change leave no trace.

-- Tables among the candidates with all their descendants.
CREATE OR REPLACE FUNCTION pgstream.with_descendants(relations oid[]) RETURNS oid[]
LANGUAGE sql STABLE
AS $function$
  WITH RECURSIVE family (oid) AS (
    SELECT unnest(relations)
    UNION
    SELECT i.inhrelid FROM pg_inherits AS i JOIN family AS f ON i.inhparent = f.oid
  )
  SELECT coalesce(array_agg(f.oid), '{}') FROM family AS f
$function$;

-- Relations that go with the given ones: indexes, owned sequences, tables of a composite type.
CREATE OR REPLACE FUNCTION pgstream.with_parts(relations oid[], types oid[]) RETURNS oid[]
LANGUAGE sql STABLE
AS $function$
  SELECT coalesce(array_agg(DISTINCT part.oid), '{}') FROM (
    SELECT unnest(relations)
    UNION ALL
    SELECT i.indexrelid FROM pg_index AS i WHERE i.indrelid = ANY (relations)
    UNION ALL
    SELECT d.objid FROM pg_depend AS d
     WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (relations)
       AND d.refobjsubid > 0 AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    UNION ALL
    SELECT o.oid FROM pgstream.object AS o
     WHERE o.class = 'pg_class'::regclass AND o.relation = ANY (relations)
    UNION ALL
    SELECT d.objid FROM pg_depend AS d
     WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid = ANY (types)
       AND d.classid = 'pg_class'::regclass AND d.objsubid = 0
  ) AS part (oid)
$function$;

-- Constraints of the given relations: their own, foreign keys that point to them, and those that an
-- index among them belongs to.
CREATE OR REPLACE FUNCTION pgstream.constraints_of(relations oid[]) RETURNS oid[]
LANGUAGE sql STABLE
AS $function$
  SELECT coalesce(array_agg(DISTINCT part.oid), '{}') FROM (
    SELECT c.oid FROM pg_constraint AS c WHERE c.conrelid = ANY (relations)
    UNION ALL
    SELECT d.objid FROM pg_depend AS d
     WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (relations)
       AND d.classid = 'pg_constraint'::regclass
    UNION ALL
    SELECT d.refobjid FROM pg_depend AS d
     WHERE d.classid = 'pg_class'::regclass AND d.objid = ANY (relations)
       AND d.refclassid = 'pg_constraint'::regclass AND d.deptype = 'i'
    UNION ALL
    SELECT o.oid FROM pgstream.object AS o
     WHERE o.class = 'pg_constraint'::regclass
       AND (o.relation = ANY (relations) OR o.referenced = ANY (relations))
  ) AS part (oid)
$function$;

-- The tables behind dropped columns and defaults: address_names are schema, table, column.
CREATE OR REPLACE FUNCTION pgstream.tables_of_drops(drops jsonb) RETURNS oid[]
LANGUAGE sql STABLE
AS $function$
  SELECT coalesce(array_agg(DISTINCT found.oid), '{}') FROM (
    SELECT (d ->> 'oid')::oid FROM jsonb_array_elements(drops) AS d
     WHERE (d ->> 'class')::oid = 'pg_class'::regclass
    UNION ALL
    SELECT c.oid FROM jsonb_array_elements(drops) AS d
      JOIN pg_namespace AS n ON n.nspname = d -> 'address' ->> 0
      JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = d -> 'address' ->> 1
     WHERE (d ->> 'class')::oid IN ('pg_attrdef'::regclass, 'pg_constraint'::regclass)
    UNION ALL
    SELECT o.relation FROM jsonb_array_elements(drops) AS d
      JOIN pgstream.object AS o ON o.class = (d ->> 'class')::oid AND o.oid = (d ->> 'oid')::oid
     WHERE o.relation IS NOT NULL
  ) AS found (oid)
$function$;

-- REMOVAL
DROP FUNCTION IF EXISTS pgstream.tables_of_drops(jsonb);
DROP FUNCTION IF EXISTS pgstream.constraints_of(oid[]);
DROP FUNCTION IF EXISTS pgstream.with_parts(oid[], oid[]);
DROP FUNCTION IF EXISTS pgstream.with_descendants(oid[]);
