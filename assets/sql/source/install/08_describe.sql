-- Descriptions of many objects at once, and the names that stand in them.

-- Schemas whose objects never replicate: the system's, sessions' temporary ones, and ours.
CREATE OR REPLACE FUNCTION pgstream.ignores_schema(schema_name name) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN schema_name IN ('pg_catalog', 'information_schema', 'pg_toast', 'pgstream')
    OR schema_name LIKE 'pg\_temp%' OR schema_name LIKE 'pg\_toast\_temp%';

-- Of earlier builds, without use now.
DROP FUNCTION IF EXISTS pgstream.is_member(oid, oid);

-- Returns those of the given objects that exist and that we replicate: what came with an extension (dependency
-- "e") is the extension's; what was ours and was put into one by hand stays ours. What is made of a temporary
-- table's row goes with that. One snapshot for all, the caller's: a concurrent command is seen whole or not at
-- all. A schema is looked up for each object: joined, the server reads an index of all objects by schema instead.
--
-- Names and comments are asked of the catalogs themselves: obj_description() is an SQL function and is planned
-- at every call, and another PL/pgSQL function costs as much as all else that an object is asked.
CREATE OR REPLACE FUNCTION pgstream.describe(
  relations oid[], constraints oid[], types oid[], schemas oid[], objects oid[])
RETURNS TABLE (class oid, oid oid, kind text, relation oid, referenced oid, description jsonb)
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  IF relations <> '{}' THEN
    RETURN QUERY
    SELECT 'pg_class'::regclass::oid, c.oid,
           CASE WHEN c.relkind IN ('r', 'p') THEN 'table' WHEN c.relkind = 'S' THEN 'sequence' ELSE 'index' END,
           CASE WHEN c.relkind IN ('r', 'p') THEN
             (SELECT h.inhparent FROM pg_inherits AS h WHERE h.inhrelid = c.oid AND c.relispartition)
           WHEN c.relkind = 'S' THEN (d.description ->> 'table_oid')::oid ELSE i.indrelid END,
           NULL::oid, d.description
      FROM pg_class AS c
      LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
      LEFT JOIN pg_class AS t ON t.oid = i.indrelid
     CROSS JOIN LATERAL (SELECT s.nspname FROM pg_namespace AS s WHERE s.oid = c.relnamespace OFFSET 0) AS n
     CROSS JOIN LATERAL (
       SELECT CASE WHEN c.relkind IN ('r', 'p') THEN pgstream.describe_table(c.oid)
                   WHEN c.relkind = 'S' THEN pgstream.describe_sequence(c.oid)
                   ELSE pgstream.describe_index(c.oid) END OFFSET 0) AS d (description)
     WHERE c.oid = ANY (relations) AND c.relkind IN ('r', 'p', 'i', 'I', 'S') AND c.relpersistence <> 't'
       AND (i.indexrelid IS NULL OR t.relkind IN ('r', 'p', 'm'))
       AND NOT pgstream.ignores_schema(n.nspname)
       AND ((SELECT m.objid FROM pg_depend AS m WHERE m.classid = 'pg_class'::regclass
               AND m.objid = coalesce(i.indrelid, c.oid) AND m.deptype = 'e' LIMIT 1) IS NULL
         OR (SELECT o.oid FROM pgstream.object AS o
              WHERE o.class = 'pg_class'::regclass AND o.oid = coalesce(i.indrelid, c.oid)) IS NOT NULL);
  END IF;
  IF constraints <> '{}' THEN
    RETURN QUERY
    SELECT 'pg_constraint'::regclass::oid, k.oid, 'constraint', k.conrelid, nullif(k.confrelid, 0),
           pgstream.describe_constraint(k.oid)
      FROM pg_constraint AS k
      JOIN pg_class AS t ON t.oid = k.conrelid AND t.relkind IN ('r', 'p') AND t.relpersistence <> 't'
     CROSS JOIN LATERAL (SELECT s.nspname FROM pg_namespace AS s WHERE s.oid = t.relnamespace OFFSET 0) AS n
     WHERE k.oid = ANY (constraints) AND k.contype IN ('c', 'f', 'p', 'u', 'x')
       AND NOT pgstream.ignores_schema(n.nspname)
       AND ((SELECT m.objid FROM pg_depend AS m WHERE m.classid = 'pg_class'::regclass
               AND m.objid = t.oid AND m.deptype = 'e' LIMIT 1) IS NULL
         OR (SELECT o.oid FROM pgstream.object AS o
              WHERE o.class = 'pg_class'::regclass AND o.oid = t.oid) IS NOT NULL);
  END IF;
  IF types <> '{}' THEN
    RETURN QUERY
    SELECT 'pg_type'::regclass::oid, t.oid, 'type', NULL::oid, NULL::oid, pgstream.describe_type(t.oid)
      FROM pg_type AS t LEFT JOIN pg_class AS c ON c.oid = t.typrelid
     CROSS JOIN LATERAL (SELECT s.nspname FROM pg_namespace AS s WHERE s.oid = t.typnamespace OFFSET 0) AS n
     WHERE t.oid = ANY (types) AND t.typtype IN ('e', 'd', 'c', 'r')
       AND (t.typtype <> 'c' OR c.relkind = 'c')
       AND NOT pgstream.ignores_schema(n.nspname)
       AND ((SELECT m.objid FROM pg_depend AS m WHERE m.classid = 'pg_type'::regclass
               AND m.objid = t.oid AND m.deptype = 'e' LIMIT 1) IS NULL
         OR (SELECT o.oid FROM pgstream.object AS o
              WHERE o.class = 'pg_type'::regclass AND o.oid = t.oid) IS NOT NULL)
       AND NOT EXISTS (
         SELECT FROM pg_depend AS d
           JOIN pg_type AS b ON b.oid = d.refobjid
           JOIN pg_namespace AS bn ON bn.oid = b.typnamespace AND bn.nspname LIKE 'pg\_temp\_%'
          WHERE d.refclassid = 'pg_type'::regclass
            AND (d.classid = 'pg_type'::regclass AND d.objid = t.oid
                 OR d.classid = 'pg_class'::regclass AND d.objid = t.typrelid));
  END IF;
  IF schemas <> '{}' THEN
    RETURN QUERY
    SELECT 'pg_namespace'::regclass::oid, n.oid, 'schema', NULL::oid, NULL::oid, pgstream.describe_schema(n.oid)
      FROM pg_namespace AS n
     WHERE n.oid = ANY (schemas) AND NOT pgstream.ignores_schema(n.nspname)
       AND ((SELECT m.objid FROM pg_depend AS m WHERE m.classid = 'pg_namespace'::regclass
               AND m.objid = n.oid AND m.deptype = 'e' LIMIT 1) IS NULL
         OR (SELECT o.oid FROM pgstream.object AS o
              WHERE o.class = 'pg_namespace'::regclass AND o.oid = n.oid) IS NOT NULL);
  END IF;
  IF objects <> '{}' THEN
    RETURN QUERY
    SELECT d.class, d.oid, 'object', d.relation, NULL::oid, d.description
      FROM pgstream.describe_objects(objects) AS d;
  END IF;
END
$function$;

-- A schema's or relation's name: as the catalogs have it or, when this command dropped it, as it
-- was last described.
CREATE OR REPLACE FUNCTION pgstream.schema_name(schema_oid oid) RETURNS text
LANGUAGE plpgsql STABLE STRICT
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT coalesce(
      (SELECT n.nspname::text FROM pg_namespace AS n WHERE n.oid = schema_oid),
      (SELECT o.description ->> 'name' FROM pgstream.object AS o
        WHERE o.class = 'pg_namespace'::regclass AND o.oid = schema_oid))
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.relation_name(relation_oid oid) RETURNS jsonb
LANGUAGE plpgsql STABLE STRICT
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT coalesce(
      (SELECT jsonb_build_object('schema', n.nspname, 'name', c.relname)
         FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.oid = relation_oid),
      (SELECT jsonb_build_object(
                'schema', pgstream.schema_name(coalesce(
                   o.description ->> 'schema_oid', t.description ->> 'schema_oid')::oid),
                'name', o.description ->> 'name')
         FROM pgstream.object AS o
         LEFT JOIN pgstream.object AS t ON t.class = o.class AND t.oid = o.relation
        WHERE o.class = 'pg_class'::regclass AND o.oid = relation_oid))
  );
END
$function$;

-- Adds the names that a description holds only as OIDs.
CREATE OR REPLACE FUNCTION pgstream.with_names(description jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT description || jsonb_strip_nulls(jsonb_build_object(
      'schema', pgstream.schema_name((description ->> 'schema_oid')::oid),
      'table', pgstream.relation_name((description ->> 'table_oid')::oid),
      'referenced', pgstream.relation_name((description ->> 'referenced_oid')::oid),
      'parent', CASE WHEN description ? 'definition' AND NOT description ? 'type' THEN
          pgstream.relation_name((description ->> 'parent_oid')::oid) END,
      'parents', (SELECT jsonb_agg(parent.value || pgstream.relation_name((parent.value ->> 'oid')::oid)
                                   ORDER BY parent.ordinality)
                    FROM jsonb_array_elements(description -> 'parents') WITH ORDINALITY AS parent)))
  );
END
$function$;

-- Stores the description of everything that exists, where it is missing or differs: at
-- installation, and once more when the transactions that were running then are over. What a
-- concurrent command stores stays: it is newer than our snapshot. Returns the number of objects
-- stored.
CREATE OR REPLACE FUNCTION pgstream.describe_all() RETURNS bigint
LANGUAGE plpgsql
-- ENTRY
AS $function$
DECLARE
  stored pg_catalog.int8;
BEGIN
  WITH now_described AS MATERIALIZED (
    SELECT * FROM pgstream.describe(
      ARRAY(SELECT c.oid FROM pg_class AS c
             WHERE c.relkind IN ('r', 'p', 'i', 'I', 'S') AND c.oid >= 16384),
      ARRAY(SELECT k.oid FROM pg_constraint AS k WHERE k.conrelid >= 16384),
      ARRAY(SELECT t.oid FROM pg_type AS t WHERE t.oid >= 16384),
      ARRAY(SELECT n.oid FROM pg_namespace AS n),
      pgstream.all_objects())
  ), corrected AS (
    UPDATE pgstream.object AS o
       SET kind = d.kind, relation = d.relation, referenced = d.referenced, description = d.description
      FROM now_described AS d
      JOIN pgstream.object AS seen ON seen.class = d.class AND seen.oid = d.oid
     WHERE o.class = d.class AND o.oid = d.oid
       AND o.description <> d.description AND o.description = seen.description
    RETURNING 1
  ), added AS (
    INSERT INTO pgstream.object
    SELECT d.* FROM now_described AS d
     WHERE NOT EXISTS (SELECT FROM pgstream.object AS o WHERE o.class = d.class AND o.oid = d.oid)
    ON CONFLICT DO NOTHING
    RETURNING 1
  )
  SELECT (SELECT count(*) FROM corrected) + (SELECT count(*) FROM added) INTO stored;
  DELETE FROM pgstream.object AS o
   WHERE NOT EXISTS (SELECT FROM pg_class AS c
                      WHERE o.class = 'pg_class'::regclass AND c.oid = o.oid)
     AND NOT EXISTS (SELECT FROM pg_constraint AS k
                      WHERE o.class = 'pg_constraint'::regclass AND k.oid = o.oid)
     AND NOT EXISTS (SELECT FROM pg_type AS t
                      WHERE o.class = 'pg_type'::regclass AND t.oid = o.oid)
     AND NOT EXISTS (SELECT FROM pg_namespace AS n
                      WHERE o.class = 'pg_namespace'::regclass AND n.oid = o.oid)
     AND NOT EXISTS (SELECT FROM unnest(pgstream.all_objects()) AS k (oid)
                      WHERE o.kind = 'object' AND k.oid = o.oid);
  PERFORM pgstream.describe_privileges();
  RETURN stored;
END
$function$;

-- Of earlier builds.
DROP FUNCTION IF EXISTS pgstream.adopt();

-- Stores what exists and was never described, without a change of it in the log: what was taken out of an
-- extension is on the target as it is here, with the extension. Returns what ALTER EXTENSION calls it, for the
-- target is to take it out as well.
CREATE OR REPLACE FUNCTION pgstream.take_released() RETURNS jsonb
LANGUAGE plpgsql VOLATILE
-- INNER
AS $function$
DECLARE
  released pg_catalog.jsonb;
BEGIN
  WITH adopted AS (
    INSERT INTO pgstream.object
    SELECT d.* FROM pgstream.describe(
        ARRAY(SELECT c.oid FROM pg_class AS c
               WHERE c.relkind IN ('r', 'p', 'i', 'I', 'S') AND c.oid >= 16384),
        ARRAY(SELECT k.oid FROM pg_constraint AS k WHERE k.conrelid >= 16384),
        ARRAY(SELECT t.oid FROM pg_type AS t WHERE t.oid >= 16384),
        '{}',
        pgstream.all_objects()) AS d
     WHERE NOT EXISTS (SELECT FROM pgstream.object AS o WHERE o.class = d.class AND o.oid = d.oid)
       AND d.description ->> 'type' IS DISTINCT FROM 'extension'
    ON CONFLICT DO NOTHING
    RETURNING class, oid, kind, relation
  )
  SELECT coalesce(jsonb_agg(upper(replace(i.type, '-', ' ')) || ' ' || i.identity), '[]')
    INTO released
    FROM adopted AS a CROSS JOIN LATERAL pg_identify_object(a.class, a.oid, 0) AS i
   WHERE a.kind NOT IN ('index', 'constraint') AND (a.kind <> 'object' OR a.relation IS NULL);
  RETURN released;
END
$function$;

-- REMOVAL
DROP FUNCTION IF EXISTS pgstream.take_released();
DROP FUNCTION IF EXISTS pgstream.describe_all();
DROP FUNCTION IF EXISTS pgstream.with_names(jsonb);
DROP FUNCTION IF EXISTS pgstream.relation_name(oid);
DROP FUNCTION IF EXISTS pgstream.schema_name(oid);
DROP FUNCTION IF EXISTS pgstream.describe(oid[], oid[], oid[], oid[], oid[]);
DROP FUNCTION IF EXISTS pgstream.ignores_schema(name);
