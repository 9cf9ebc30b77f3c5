-- Which objects a command may have changed. The server reports only some of them: of ALTER TABLE
-- the table, of ATTACH PARTITION the parent, of DROP ... CASCADE what vanished. The answer is a set of
-- candidates; those whose description did not change leave no trace.

-- The candidates with all their descendants, also with those that this command detached.
CREATE OR REPLACE FUNCTION pgstream.with_descendants(relations oid[]) RETURNS oid[]
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    WITH RECURSIVE family (oid) AS (
      SELECT unnest(relations)
      UNION
      SELECT child.oid FROM family AS f CROSS JOIN LATERAL (
        SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = f.oid
        UNION ALL
        SELECT o.oid FROM pgstream.object AS o WHERE o.relation = f.oid AND o.kind = 'table'
      ) AS child (oid)
    )
    SELECT coalesce(array_agg(f.oid), '{}') FROM family AS f
  );
END
$function$;

-- What only filters is written so that no index is chosen for it: without statistics the server would read all of
-- a class to find one object.

-- Relations that go with the given ones: indexes, owned sequences, tables of a composite type.
CREATE OR REPLACE FUNCTION pgstream.with_parts(relations oid[], types oid[]) RETURNS oid[]
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT coalesce(array_agg(DISTINCT part.oid), '{}') FROM (
      SELECT unnest(relations)
      UNION ALL
      SELECT i.indexrelid FROM pg_index AS i WHERE i.indrelid = ANY (relations)
      UNION ALL
      SELECT d.objid FROM pg_depend AS d
       WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (relations)
         AND d.refobjsubid > 0 AND d.classid IS NOT DISTINCT FROM 'pg_class'::regclass AND d.deptype IN ('a', 'i')
      UNION ALL
      SELECT o.oid FROM pgstream.object AS o
       WHERE o.relation = ANY (relations)
         AND (o.kind IN ('table', 'index', 'sequence') OR o.description ->> 'type' = 'foreign table')
      UNION ALL
      SELECT d.objid FROM pg_depend AS d
       WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid = ANY (types)
         AND d.classid IS NOT DISTINCT FROM 'pg_class'::regclass AND d.objsubid = 0
    ) AS part (oid)
  );
END
$function$;

-- Indexes that were described under another OID: REINDEX CONCURRENTLY builds a new one and says
-- nothing. Given an index that was never described, those of its table that are gone; given the
-- drop of one, the one of that name.
-- The look by name reads all indexes; only an index that was never described is worth it.
CREATE OR REPLACE FUNCTION pgstream.rebuilt_indexes(commands jsonb, drops jsonb) RETURNS oid[]
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
DECLARE
  unknown pg_catalog.jsonb := (
    SELECT jsonb_agg(d) FROM jsonb_array_elements(drops) AS d
     WHERE d ->> 'type' = 'index' AND (d ->> 'original')::boolean
       AND NOT EXISTS (SELECT FROM pgstream.object AS k
                        WHERE k.class = 'pg_class'::regclass AND k.oid = (d ->> 'oid')::oid));
  found pg_catalog.oid[] := (
    SELECT array_agg(o.oid)
      FROM jsonb_array_elements(commands) AS c
      JOIN pg_index AS i ON i.indexrelid = (c ->> 'oid')::oid
      JOIN pgstream.object AS o ON o.relation = i.indrelid AND o.kind = 'index'
     WHERE c ->> 'tag' <> 'CREATE INDEX'
       AND NOT EXISTS (SELECT FROM pgstream.object AS k
                        WHERE k.class = 'pg_class'::regclass AND k.oid = i.indexrelid));
BEGIN
  IF unknown IS NOT NULL THEN
    found := found || ARRAY(
      SELECT o.oid
        FROM jsonb_array_elements(unknown) AS d
        JOIN pgstream.object AS o ON o.kind = 'index' AND o.description ->> 'name' = d ->> 'name'
        JOIN pg_class AS t ON t.oid = o.relation
        JOIN pg_namespace AS n ON n.oid = t.relnamespace AND n.nspname = d ->> 'schema');
  END IF;
  RETURN ARRAY(SELECT f FROM unnest(found) AS f
                WHERE NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = f));
END
$function$;

-- Constraints of the given relations: their own, foreign keys that point to them, and those that an
-- index among them belongs to.
CREATE OR REPLACE FUNCTION pgstream.constraints_of(relations oid[]) RETURNS oid[]
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT coalesce(array_agg(DISTINCT part.oid), '{}') FROM (
      SELECT c.oid FROM pg_constraint AS c WHERE c.conrelid = ANY (relations)
      UNION ALL
      SELECT d.objid FROM pg_depend AS d
       WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY (relations)
         AND d.classid IS NOT DISTINCT FROM 'pg_constraint'::regclass
      UNION ALL
      SELECT d.refobjid FROM pg_depend AS d
       WHERE d.classid = 'pg_class'::regclass AND d.objid = ANY (relations)
         AND d.refclassid IS NOT DISTINCT FROM 'pg_constraint'::regclass AND d.deptype = 'i'
      UNION ALL
      SELECT o.oid FROM pgstream.object AS o
       WHERE o.kind = 'constraint' AND (o.relation = ANY (relations) OR o.referenced = ANY (relations))
    ) AS part (oid)
  );
END
$function$;

-- Triggers, rules, policies and statistics of the given relations, those included that are gone.
CREATE OR REPLACE FUNCTION pgstream.objects_of(relations oid[]) RETURNS oid[]
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN ARRAY(
    SELECT t.oid FROM pg_trigger AS t WHERE t.tgrelid = ANY (relations) AND NOT t.tgisinternal
    UNION SELECT r.oid FROM pg_rewrite AS r WHERE r.ev_class = ANY (relations) AND r.rulename <> '_RETURN'
    UNION SELECT p.oid FROM pg_policy AS p WHERE p.polrelid = ANY (relations)
    UNION SELECT s.oid FROM pg_statistic_ext AS s WHERE s.stxrelid = ANY (relations)
    UNION SELECT o.oid FROM pgstream.object AS o WHERE o.relation = ANY (relations) AND o.kind = 'object');
END
$function$;

-- What the server does not report: extensions that another requires, the family that an operator class adds to,
-- and event triggers, on which no command raises an event: what was done to them comes with the next one.
CREATE OR REPLACE FUNCTION pgstream.unreported_objects(reported jsonb) RETURNS oid[]
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN ARRAY(
    SELECT e.oid FROM pg_event_trigger AS e WHERE e.oid >= 16384
    UNION SELECT o.oid FROM pgstream.object AS o WHERE o.class = 'pg_event_trigger'::regclass
    UNION SELECT e.oid FROM pg_extension AS e
     WHERE EXISTS (SELECT FROM jsonb_array_elements(reported) AS x WHERE x ->> 'type' = 'extension')
    UNION SELECT c.opcfamily FROM jsonb_array_elements(reported) AS x
      JOIN pg_opclass AS c ON c.oid = (x ->> 'oid')::oid AND x ->> 'type' = 'operator class');
END
$function$;

-- The tables behind dropped columns and defaults: address_names are schema, table, column.
CREATE OR REPLACE FUNCTION pgstream.tables_of_drops(drops jsonb) RETURNS oid[]
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
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
       WHERE o.relation IS NOT NULL AND o.kind <> 'table'
    ) AS found (oid)
  );
END
$function$;

-- REMOVAL
DROP FUNCTION IF EXISTS pgstream.tables_of_drops(jsonb);
DROP FUNCTION IF EXISTS pgstream.unreported_objects(jsonb);
DROP FUNCTION IF EXISTS pgstream.objects_of(oid[]);
DROP FUNCTION IF EXISTS pgstream.rebuilt_indexes(jsonb, jsonb);
DROP FUNCTION IF EXISTS pgstream.constraints_of(oid[]);
DROP FUNCTION IF EXISTS pgstream.with_parts(oid[], oid[]);
DROP FUNCTION IF EXISTS pgstream.with_descendants(oid[]);
