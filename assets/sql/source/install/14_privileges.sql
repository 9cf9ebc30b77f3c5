-- Who may do what with an object. GRANT tells event triggers no object and ALTER DEFAULT PRIVILEGES has none:
-- what is granted now is compared with what was granted when we last looked.
--
-- The owner stands in a list of grants as the owner, whoever that is: a new owner changes no grant.

-- Where no row is, what is granted is what PostgreSQL, or the extension, gave. A row is written only by
-- whoever changed the catalog's own row for the same object, or column, which one session at a time can do.
CREATE TABLE IF NOT EXISTS pgstream.privilege (
  class    oid NOT NULL,
  oid      oid NOT NULL,
  "column" smallint NOT NULL,  -- 0: the object as a whole
  acl      text NOT NULL,      -- as the catalog has it: what is the same was compared before
  grants   jsonb NOT NULL,
  about    jsonb NOT NULL,     -- of default privileges: what names them when they are gone
  PRIMARY KEY (class, oid, "column")
);

CREATE OR REPLACE FUNCTION pgstream.grants(acl aclitem[], owner oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT coalesce(jsonb_agg(jsonb_build_object('privilege', e.privilege_type, 'grantable', e.is_grantable,
               'to', CASE e.grantee WHEN 0 THEN '"public"'::jsonb WHEN owner THEN '"owner"'
                                    ELSE jsonb_build_object('role', pg_get_userbyid(e.grantee)) END,
               'by', CASE e.grantor WHEN owner THEN '"owner"'::jsonb
                                    ELSE jsonb_build_object('role', pg_get_userbyid(e.grantor)) END)
               ORDER BY e.ordinality), '[]')
      FROM aclexplode(acl) WITH ORDINALITY AS e
  );
END
$function$;

-- Those of the given objects, and with "defaults" of all default privileges, whose list is not the one that
-- was compared last. What PostgreSQL or an extension's script gave comes in the last column.
CREATE OR REPLACE FUNCTION pgstream.granted(objects oid[], defaults boolean)
RETURNS TABLE (class oid, oid oid, "column" smallint, owner oid, acl aclitem[], before jsonb, given aclitem[])
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN QUERY
  WITH found (class, oid, "column", namespace, kind, owner, acl) AS (
    SELECT 'pg_class'::regclass::oid, c.oid, 0::smallint, c.relnamespace,
           CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner, c.relacl
      FROM pg_class AS c
     WHERE c.oid = ANY (objects) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
    UNION ALL
    SELECT 'pg_class'::regclass, a.attrelid, a.attnum, c.relnamespace, 'c', c.relowner, a.attacl
      FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
     WHERE a.attrelid = ANY (objects) AND a.attnum > 0 AND NOT a.attisdropped AND a.attacl IS NOT NULL
       AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
    UNION ALL
    SELECT r.class, r.oid, r."column", c.relnamespace, 'c', c.relowner, NULL
      FROM pgstream.privilege AS r JOIN pg_class AS c ON c.oid = r.oid
      JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum = r."column" AND a.attacl IS NULL
     WHERE r.class = 'pg_class'::regclass AND r.oid = ANY (objects) AND r."column" > 0
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, 0::smallint, p.pronamespace, 'f', p.proowner, p.proacl
      FROM pg_proc AS p WHERE p.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, 0::smallint, t.typnamespace, 'T', t.typowner, t.typacl
      FROM pg_type AS t WHERE t.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_namespace'::regclass, n.oid, 0::smallint, n.oid, 'n', n.nspowner, n.nspacl
      FROM pg_namespace AS n WHERE n.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_language'::regclass, l.oid, 0::smallint, NULL, 'l', l.lanowner, l.lanacl
      FROM pg_language AS l WHERE l.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_foreign_data_wrapper'::regclass, w.oid, 0::smallint, NULL, 'F', w.fdwowner, w.fdwacl
      FROM pg_foreign_data_wrapper AS w WHERE w.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_foreign_server'::regclass, s.oid, 0::smallint, NULL, 'S', s.srvowner, s.srvacl
      FROM pg_foreign_server AS s WHERE s.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_default_acl'::regclass, d.oid, 0::smallint, nullif(d.defaclnamespace, 0),
           CASE WHEN d.defaclnamespace <> 0 THEN 'c' WHEN d.defaclobjtype = 'S' THEN 's' ELSE d.defaclobjtype END,
           d.defaclrole, d.defaclacl
      FROM pg_default_acl AS d WHERE defaults AND d.defaclobjtype IN ('r', 'S', 'f', 'T', 'n')
  ), known AS (
    SELECT f.*, r.acl AS recorded, r.grants
      FROM found AS f LEFT JOIN pg_namespace AS n ON n.oid = f.namespace
      LEFT JOIN pgstream.privilege AS r ON r.class = f.class AND r.oid = f.oid AND r."column" = f."column"
     WHERE (n.oid IS NULL OR NOT pgstream.ignores_schema(n.nspname))
       AND (f.acl IS NOT NULL OR r.oid IS NOT NULL)
  )
  SELECT k.class, k.oid, k."column", k.owner, coalesce(k.acl, acldefault(k.kind, k.owner)), k.grants,
         coalesce((SELECT i.initprivs FROM pg_init_privs AS i
                    WHERE i.classoid = k.class AND i.objoid = k.oid AND i.objsubid = k."column"),
                  acldefault(k.kind, k.owner))
    FROM known AS k
   WHERE k.recorded IS DISTINCT FROM coalesce(k.acl, acldefault(k.kind, k.owner))::text;
END
$function$;

-- The names that stand in a statement, as the server reads them. NULL: they cannot be told for sure, for there
-- is more in it than words and names in quotes.
CREATE OR REPLACE FUNCTION pgstream.names_in(statement text) RETURNS name[]
LANGUAGE plpgsql IMMUTABLE
-- INNER
AS $function$
BEGIN
  IF statement IS NULL OR length(statement) > 8192 OR statement ~* '''|--|/\*|\mu&"' THEN
    RETURN NULL;
  END IF;
  RETURN ARRAY(
    SELECT n.name::name
      FROM regexp_matches(statement, '"((?:[^"]|"")*)"'
             || '|([^\x01-\x23\x25-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]+)', 'g') AS p (part)
     CROSS JOIN LATERAL (VALUES (replace(p.part[1], '""', '"')), (lower(p.part[2])),
       (translate(p.part[2], 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'))) AS n (name)
     WHERE n.name IS NOT NULL);
END
$function$;

-- What a GRANT or REVOKE on objects of these kinds may have changed, and more: what is called like one of the
-- names in the statement. Where those are not known, what has a row in the catalogs that is not older than
-- this transaction, and than what it logged last: reading a whole catalog takes time.
CREATE OR REPLACE FUNCTION pgstream.touched_by_grants(kinds text[], names name[]) RETURNS oid[]
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
DECLARE
  now_running CONSTANT pg_catalog.int8 := pg_current_xact_id()::text::bigint;
  age_max CONSTANT pg_catalog.int4 := age(pg_current_xact_id()::xid);
  -- A row that is seen and whose transaction runs is one of our own.
  since CONSTANT pg_catalog.int8 := coalesce((
    SELECT CASE WHEN age(l.xmin) <= age_max AND 'in progress' = pg_xact_status(
             ((now_running >> 32 << 32) + l.xmin::text::bigint)::text::xid8) THEN l.cmin::text::bigint END
      FROM pgstream.schema_log AS l ORDER BY l.id DESC LIMIT 1), 0);
  -- ON ALL TABLES IN SCHEMA
  schemas CONSTANT pg_catalog.oid[] := ARRAY(
    SELECT n.oid FROM pg_namespace AS n WHERE 'all' = ANY (names) AND n.nspname = ANY (names));
  touched pg_catalog.oid[] := ARRAY(
    SELECT n.oid FROM pg_namespace AS n WHERE 'SCHEMA' = ANY (kinds)
    UNION ALL SELECT l.oid FROM pg_language AS l WHERE 'LANGUAGE' = ANY (kinds)
    UNION ALL SELECT w.oid FROM pg_foreign_data_wrapper AS w WHERE 'FOREIGN DATA WRAPPER' = ANY (kinds)
    UNION ALL SELECT s.oid FROM pg_foreign_server AS s WHERE 'FOREIGN SERVER' = ANY (kinds));
BEGIN
  IF names IS NOT NULL AND kinds && '{TABLE,SEQUENCE}' THEN
    touched := touched || ARRAY(SELECT c.oid FROM pg_class AS c WHERE c.relname = ANY (names));
    IF schemas <> '{}' THEN
      touched := touched || ARRAY(SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = ANY (schemas));
    END IF;
  ELSIF kinds && '{TABLE,SEQUENCE}' THEN
    touched := touched || ARRAY(
      SELECT c.oid FROM pg_class AS c WHERE age(c.xmin) <= age_max AND c.cmin::text::bigint >= since
      UNION SELECT a.attrelid FROM pg_attribute AS a
       WHERE age(a.xmin) <= age_max AND a.cmin::text::bigint >= since);
  END IF;
  IF names IS NOT NULL AND kinds && '{FUNCTION,PROCEDURE,ROUTINE}' THEN
    touched := touched || ARRAY(SELECT p.oid FROM pg_proc AS p WHERE p.proname = ANY (names));
    IF schemas <> '{}' THEN
      touched := touched || ARRAY(SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = ANY (schemas));
    END IF;
  ELSIF kinds && '{FUNCTION,PROCEDURE,ROUTINE}' THEN
    touched := touched || ARRAY(
      SELECT p.oid FROM pg_proc AS p WHERE age(p.xmin) <= age_max AND p.cmin::text::bigint >= since);
  END IF;
  IF names IS NOT NULL AND kinds && '{TYPE,DOMAIN}' THEN
    touched := touched || ARRAY(SELECT t.oid FROM pg_type AS t WHERE t.typname = ANY (names));
  ELSIF kinds && '{TYPE,DOMAIN}' THEN
    touched := touched || ARRAY(
      SELECT t.oid FROM pg_type AS t WHERE age(t.xmin) <= age_max AND t.cmin::text::bigint >= since);
  END IF;
  RETURN touched;
END
$function$;

-- How the log calls what something was granted on, and the table whose filter counts for it: of a sequence
-- the one that owns it. NULL: it is gone.
CREATE OR REPLACE FUNCTION pgstream.privileged_object(class oid, object oid, number smallint) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  IF class = 'pg_default_acl'::regclass THEN
    RETURN (
      SELECT jsonb_strip_nulls(jsonb_build_object('kind', 'default privileges',
               'identity', CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES'
                 WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END,
               'owner', pg_get_userbyid(d.defaclrole), 'schema', n.nspname))
        FROM pg_default_acl AS d LEFT JOIN pg_namespace AS n ON n.oid = d.defaclnamespace
       WHERE d.oid = object);
  END IF;
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object('kind', i.type, 'identity', i.identity,
             'column', (SELECT a.attname FROM pg_attribute AS a
                         WHERE class = 'pg_class'::regclass AND number > 0
                           AND a.attrelid = object AND a.attnum = number),
             'table', CASE WHEN t.oid IS NOT NULL THEN
               jsonb_build_object('schema', n.nspname, 'name', t.relname) END,
             'table_oid', CASE WHEN t.relkind IN ('r', 'p') THEN t.oid::bigint END))
      FROM pg_identify_object(class, object, 0) AS i
      LEFT JOIN pg_class AS t ON class = 'pg_class'::regclass AND t.relkind <> 'S' AND t.oid = coalesce((
        SELECT d.refobjid FROM pg_depend AS d JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
         WHERE d.classid = 'pg_class'::regclass AND d.objid = object
           AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
         LIMIT 1), object)
      LEFT JOIN pg_namespace AS n ON n.oid = t.relnamespace
     WHERE i.identity IS NOT NULL);
END
$function$;

-- The items of one list of grants that the other has not.
CREATE OR REPLACE FUNCTION pgstream.grants_without(grants jsonb, others jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT coalesce(jsonb_agg(g.item ORDER BY g.ordinality), '[]')
      FROM jsonb_array_elements(grants) WITH ORDINALITY AS g (item)
     WHERE NOT others @> jsonb_build_array(g.item)
  );
END
$function$;

-- Compares what is granted with what was, stores what is, and returns the changes: [{"class", "oid", "kind",
-- "identity", "owner", "granted", "revoked"}]. One statement, hence one snapshot.
CREATE OR REPLACE FUNCTION pgstream.take_privileges(objects oid[], defaults boolean) RETURNS jsonb
LANGUAGE plpgsql VOLATILE
-- INNER
AS $function$
DECLARE
  changes pg_catalog.jsonb;
BEGIN
  WITH compared AS MATERIALIZED (
    SELECT g.class, g.oid, g."column", g.owner, g.acl, pgstream.grants(g.acl, g.owner) AS after,
           coalesce(g.before, pgstream.grants(g.given, g.owner)) AS before,
           CASE WHEN g.class = 'pg_default_acl'::regclass THEN
             pgstream.privileged_object(g.class, g.oid, 0::smallint)
             || jsonb_build_object('given', pgstream.grants(g.given, g.owner)) ELSE '{}' END AS about
      FROM pgstream.granted(objects, defaults) AS g
  ), stored AS (
    INSERT INTO pgstream.privilege AS r (class, oid, "column", acl, grants, about)
    SELECT c.class, c.oid, c."column", c.acl::text, c.after, c.about FROM compared AS c
    ON CONFLICT (class, oid, "column") DO UPDATE
      SET acl = excluded.acl, grants = excluded.grants, about = excluded.about
  ), taken_back AS (
    DELETE FROM pgstream.privilege AS r
     WHERE defaults AND r.class = 'pg_default_acl'::regclass
       AND NOT EXISTS (SELECT FROM pg_default_acl AS d WHERE d.oid = r.oid)
    RETURNING r.class, r.oid, r.grants, r.about
  )
  SELECT coalesce(jsonb_agg(e.entry ORDER BY e.class, e.oid, e."column"), '[]') INTO changes FROM (
    SELECT c.class, c.oid, c."column",
           jsonb_build_object('oid', c.oid::bigint, 'class', c.class::regclass::text,
             'owner', pg_get_userbyid(c.owner), 'granted', pgstream.grants_without(c.after, c.before),
             'revoked', pgstream.grants_without(c.before, c.after))
           || pgstream.privileged_object(c.class, c.oid, c."column")
      FROM compared AS c WHERE NOT (c.before @> c.after AND c.after @> c.before)
    UNION ALL
    SELECT t.class, t.oid, 0::smallint,
           t.about - 'given' || jsonb_build_object('oid', t.oid::bigint, 'class', t.class::regclass::text,
             'granted', pgstream.grants_without(t.about -> 'given', t.grants),
             'revoked', pgstream.grants_without(t.grants, t.about -> 'given'))
      FROM taken_back AS t
     WHERE EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = t.about ->> 'owner')
       AND (NOT t.about ? 'schema'
         OR EXISTS (SELECT FROM pg_namespace AS n WHERE n.nspname = t.about ->> 'schema'))
  ) AS e (class, oid, "column", entry)
  WHERE e.entry IS NOT NULL;
  RETURN changes;
END
$function$;

-- What a command changed of privileges: what it granted, what new objects got by default, what went.
-- statement: the text that the names stand in; NULL: unknown.
CREATE OR REPLACE FUNCTION pgstream.capture_privileges(
  commands jsonb, drops jsonb, changes jsonb, statement text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE
-- INNER
AS $function$
DECLARE
  kinds CONSTANT pg_catalog.text[] := ARRAY(
    SELECT DISTINCT c ->> 'type' FROM jsonb_array_elements(commands) AS c
     WHERE c ->> 'tag' IN ('GRANT', 'REVOKE'));
  defaults CONSTANT pg_catalog.bool := EXISTS (
    SELECT FROM jsonb_array_elements(commands) AS c WHERE c ->> 'tag' = 'ALTER DEFAULT PRIVILEGES')
    OR EXISTS (SELECT FROM jsonb_array_elements(drops) AS d WHERE d ->> 'type' = 'default acl');
  objects pg_catalog.oid[] := ARRAY(SELECT (c ->> 'oid')::oid FROM jsonb_array_elements(changes) AS c);
BEGIN
  DELETE FROM pgstream.privilege AS r
   USING jsonb_array_elements(drops) AS d
   WHERE r.class = (d ->> 'class')::oid AND r.oid = (d ->> 'oid')::oid
     AND (d ->> 'column')::integer IN (0, r."column") AND r.class <> 'pg_default_acl'::regclass;
  IF kinds <> '{}' THEN
    objects := objects || pgstream.touched_by_grants(kinds, pgstream.names_in(statement));
  END IF;
  IF objects = '{}' AND NOT defaults THEN
    RETURN '[]';
  END IF;
  RETURN pgstream.take_privileges(objects, defaults);
END
$function$;

-- Stores what is granted on everything that exists, where it is missing or differs.
CREATE OR REPLACE FUNCTION pgstream.describe_privileges() RETURNS void
LANGUAGE plpgsql VOLATILE
-- INNER
AS $function$
BEGIN
  DELETE FROM pgstream.privilege AS r
   WHERE r.class <> 'pg_default_acl'::regclass
     AND (SELECT i.identity FROM pg_identify_object(r.class, r.oid, r."column") AS i) IS NULL;
  PERFORM pgstream.take_privileges(ARRAY(
    SELECT c.oid FROM pg_class AS c WHERE c.relacl IS NOT NULL
    UNION SELECT a.attrelid FROM pg_attribute AS a WHERE a.attacl IS NOT NULL
    UNION SELECT p.oid FROM pg_proc AS p WHERE p.proacl IS NOT NULL
    UNION SELECT t.oid FROM pg_type AS t WHERE t.typacl IS NOT NULL
    UNION SELECT n.oid FROM pg_namespace AS n WHERE n.nspacl IS NOT NULL
    UNION SELECT l.oid FROM pg_language AS l WHERE l.lanacl IS NOT NULL
    UNION SELECT w.oid FROM pg_foreign_data_wrapper AS w WHERE w.fdwacl IS NOT NULL
    UNION SELECT s.oid FROM pg_foreign_server AS s WHERE s.srvacl IS NOT NULL
    UNION SELECT r.oid FROM pgstream.privilege AS r), true);
END
$function$;

-- Puts into the log which objects have another owner without a command having told: REASSIGN OWNED raises no
-- event. Called now and then by run. Rows that another session is writing are passed over: it describes its
-- object itself. Returns the number of changes.
CREATE OR REPLACE FUNCTION pgstream.record_owners() RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
-- ENTRY
SET lock_timeout = '5s'
AS $function$
DECLARE
  found pg_catalog.oid[];
  changes pg_catalog.jsonb;
  privileges pg_catalog.jsonb;
BEGIN
  WITH owned (class, oid, owner) AS (
    SELECT 'pg_class'::regclass::oid, c.oid, c.relowner FROM pg_class AS c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S')
    UNION ALL SELECT 'pg_proc'::regclass, p.oid, p.proowner FROM pg_proc AS p
    UNION ALL SELECT 'pg_type'::regclass, t.oid, t.typowner FROM pg_type AS t
    UNION ALL SELECT 'pg_namespace'::regclass, n.oid, n.nspowner FROM pg_namespace AS n
    UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid, s.stxowner FROM pg_statistic_ext AS s
  ), locked AS (
    SELECT o.oid FROM pgstream.object AS o JOIN owned AS w ON w.class = o.class AND w.oid = o.oid
     WHERE o.description ->> 'owner' <> pg_get_userbyid(w.owner)
       FOR UPDATE OF o SKIP LOCKED
  )
  SELECT array_agg(l.oid) INTO found FROM locked AS l;
  IF found IS NULL THEN
    RETURN 0;
  END IF;
  changes := pgstream.take_changes(found, '{}', found, found, found, '[]', '{}');
  privileges := pgstream.take_privileges(found, true);
  IF changes <> '[]' OR privileges <> '[]' THEN
    INSERT INTO pgstream.schema_log (version, schema_name, schema)
    VALUES (
      nextval('pgstream.schema_log_version'),
      coalesce(changes -> 0 -> 'after' ->> 'schema', ''),
      jsonb_build_object('format', 1, 'tag', 'REASSIGN OWNED', 'objects', changes, 'privileges', privileges));
  END IF;
  RETURN jsonb_array_length(changes) + jsonb_array_length(privileges);
END
$function$;

-- REMOVAL
DROP FUNCTION IF EXISTS pgstream.record_owners();
DROP FUNCTION IF EXISTS pgstream.describe_privileges();
DROP FUNCTION IF EXISTS pgstream.capture_privileges(jsonb, jsonb, jsonb, text);
DROP FUNCTION IF EXISTS pgstream.take_privileges(oid[], boolean);
DROP FUNCTION IF EXISTS pgstream.grants_without(jsonb, jsonb);
DROP FUNCTION IF EXISTS pgstream.privileged_object(oid, oid, smallint);
DROP FUNCTION IF EXISTS pgstream.touched_by_grants(text[], name[]);
DROP FUNCTION IF EXISTS pgstream.names_in(text);
DROP FUNCTION IF EXISTS pgstream.granted(oid[], boolean);
DROP FUNCTION IF EXISTS pgstream.grants(aclitem[], oid);
DROP TABLE IF EXISTS pgstream.privilege;
