-- Texts that name other objects, after those got another name. Whoever renames a type changes the text
-- of every table that uses it, and would hold the rows of all these descriptions until his transaction
-- ends: whoever alters one of the tables meanwhile would wait for him, because of us. So the texts are
-- stored at his commit, by a deferred trigger.

-- A description without the texts in which other objects are called by name. What is left says whether
-- the object itself is the same. In PL/pgSQL, as all that is called often: what an SQL function says is planned
-- again in each statement.
CREATE OR REPLACE FUNCTION pgstream.without_texts(description jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
-- INNER
AS $function$
BEGIN
  RETURN description
      - '{definition,signature,parts,default,base,of_type,partition_key,partition_bound,collation,range,columns,attributes,constraints}'::text[]
      || jsonb_build_object(
        'columns', (SELECT jsonb_agg(c.value - '{type,default,collation,missing}'::text[] ORDER BY c.ordinality)
                      FROM jsonb_array_elements(coalesce(description -> 'columns', description -> 'attributes'))
                           WITH ORDINALITY AS c),
        'constraints', (SELECT jsonb_agg(c.value - 'definition' ORDER BY c.ordinality)
                          FROM jsonb_array_elements(description -> 'constraints') WITH ORDINALITY AS c));
END
$function$;

-- What this command renamed, moved or gave other labels: [{"class", "oid"}].
CREATE OR REPLACE FUNCTION pgstream.renamed(commands jsonb, changes jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT coalesce(jsonb_agg(jsonb_build_object('class', c -> 'class', 'oid', c -> 'oid')), '[]')
      FROM jsonb_array_elements(commands) AS c
     WHERE c ->> 'tag' LIKE 'ALTER %'
       AND ((c ->> 'class')::oid NOT IN ('pg_class'::regclass, 'pg_constraint'::regclass)
         OR EXISTS (
           SELECT FROM jsonb_array_elements(changes) AS d
            WHERE d -> 'oid' = c -> 'oid'
              AND ((d -> 'before' ->> 'name', d -> 'before' -> 'schema_oid')
                   <> (d -> 'after' ->> 'name', d -> 'after' -> 'schema_oid')
                OR EXISTS (
                  SELECT FROM jsonb_array_elements(d -> 'before' -> 'columns') AS b
                    JOIN jsonb_array_elements(d -> 'after' -> 'columns') AS a
                      ON (a -> 'number')::integer = (b -> 'number')::integer
                   WHERE a -> 'name' <> b -> 'name'))))
  );
END
$function$;

-- Rows live no longer than the transaction that makes them, and nobody else sees them: nothing that
-- replicates, and nothing to keep over a crash.
CREATE UNLOGGED TABLE IF NOT EXISTS pgstream.renaming (
  id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  objects jsonb NOT NULL
);

CREATE OR REPLACE FUNCTION pgstream.restate_later(commands jsonb, changes jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE
-- INNER
AS $function$
DECLARE
  objects pg_catalog.jsonb := pgstream.renamed(commands, changes);
BEGIN
  IF objects <> '[]' THEN
    INSERT INTO pgstream.renaming (objects) VALUES (objects);
  END IF;
END
$function$;

-- Stores the texts of now of what names these objects: defaults, definitions, bounds. They are no change
-- of their own and are not logged. Rows that another session is writing are passed over: nobody waits
-- here, and the other describes its object itself.
CREATE OR REPLACE FUNCTION pgstream.restate(objects jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE
-- INNER
AS $function$
DECLARE
  relations pg_catalog.oid[];
  constraints pg_catalog.oid[];
  types pg_catalog.oid[];
  others pg_catalog.oid[];
BEGIN
  WITH RECURSIVE named (class, oid) AS (
    SELECT (o ->> 'class')::oid, (o ->> 'oid')::oid FROM jsonb_array_elements(objects) AS o
    UNION
    -- What an operator class or family is made of names objects for it.
    SELECT coalesce(o.refclassid, d.classid), coalesce(o.refobjid, d.objid)
      FROM named AS n
      JOIN pg_depend AS d ON d.refclassid = n.class AND d.refobjid = n.oid
      LEFT JOIN pg_depend AS o ON d.classid IN ('pg_amop'::regclass, 'pg_amproc'::regclass)
       AND o.classid = d.classid AND o.objid = d.objid
       AND o.refclassid IN ('pg_opclass'::regclass, 'pg_opfamily'::regclass)
     WHERE d.classid IN ('pg_type'::regclass, 'pg_attrdef'::regclass, 'pg_constraint'::regclass,
             'pg_amop'::regclass, 'pg_amproc'::regclass)
        OR d.classid = ANY (pgstream.object_classes())
  )
  SELECT array_agg(coalesce(f.adrelid, n.oid)) FILTER (
           WHERE n.class IN ('pg_class'::regclass, 'pg_attrdef'::regclass)),
         array_agg(n.oid) FILTER (WHERE n.class = 'pg_constraint'::regclass),
         array_agg(coalesce(c.reltype, n.oid)) FILTER (
           WHERE n.class = 'pg_type'::regclass OR c.relkind = 'c'),
         array_agg(coalesce(v.ev_class, n.oid)) FILTER (WHERE n.class = ANY (pgstream.object_classes()))
    INTO relations, constraints, types, others
    FROM named AS n
    LEFT JOIN pg_attrdef AS f ON n.class = 'pg_attrdef'::regclass AND f.oid = n.oid
    LEFT JOIN pg_rewrite AS v ON n.class = 'pg_rewrite'::regclass AND v.oid = n.oid AND v.rulename = '_RETURN'
    LEFT JOIN pg_class AS c ON n.class = 'pg_class'::regclass AND c.oid = n.oid;
  IF relations IS NULL AND constraints IS NULL AND types IS NULL AND others IS NULL THEN
    RETURN;
  END IF;
  WITH described AS MATERIALIZED (
    SELECT * FROM pgstream.describe(relations, constraints, types, '{}', others)
  ), stale AS MATERIALIZED (
    SELECT o.class, o.oid, d.description
      FROM pgstream.object AS o
      JOIN described AS d ON d.class = o.class AND d.oid = o.oid
     WHERE o.description <> d.description
       AND pgstream.without_texts(o.description) = pgstream.without_texts(d.description)
       FOR UPDATE OF o SKIP LOCKED
  )
  UPDATE pgstream.object AS o SET description = s.description
    FROM stale AS s WHERE o.class = s.class AND o.oid = s.oid;
END
$function$;

-- At the commit. A text that could not be stored is only old: it costs a copy of its table, and the next
-- command on it or another init puts it right; a user's commit must not fail for it.
CREATE OR REPLACE FUNCTION pgstream.on_renaming() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
-- ENTRY
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $function$
BEGIN
  DELETE FROM pgstream.renaming AS r WHERE r.id = NEW.id;
  PERFORM pgstream.restate(NEW.objects);
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END
$function$;

DO $do$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_trigger AS t
                  WHERE t.tgrelid = 'pgstream.renaming'::regclass AND t.tgname = 'renaming_restates')
  THEN
    CREATE CONSTRAINT TRIGGER renaming_restates AFTER INSERT ON pgstream.renaming
      DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION pgstream.on_renaming();
    ALTER TABLE pgstream.renaming ENABLE ALWAYS TRIGGER renaming_restates;
  END IF;
END
$do$;

-- REMOVAL
DROP TABLE IF EXISTS pgstream.renaming;
DROP FUNCTION IF EXISTS pgstream.on_renaming();
DROP FUNCTION IF EXISTS pgstream.restate(jsonb);
DROP FUNCTION IF EXISTS pgstream.restate_later(jsonb, jsonb);
DROP FUNCTION IF EXISTS pgstream.renamed(jsonb, jsonb);
DROP FUNCTION IF EXISTS pgstream.without_texts(jsonb);
