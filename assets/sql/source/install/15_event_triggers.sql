-- The triggers. They run as the owner of the installation, because users who change a schema need
-- no privilege on ours; not even USAGE, which an invoker's call of an inner function would need.
-- Whatever goes wrong in here must not reach the user: an error becomes a row that says so, and the
-- engine stops at it. At ddl_command_start only for publications: a write there breaks DROP INDEX
-- CONCURRENTLY.
--
-- Everything runs in the user's session, where he may have set whatever he likes: the functions that
-- the server calls (ENTRY) pin all settings that matter, for themselves and for what they call. The
-- planner settings make a plan once a session and keep the cost of a command independent of the size
-- of the schema, also when statistics are old.

-- Whether this command is one of ours: run by a function of ours, or by a session of somebody who may do
-- what the owner may. Of anybody else the setting counts for nothing.
CREATE OR REPLACE FUNCTION pgstream.is_quiet() RETURNS boolean
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT EXISTS (SELECT FROM pgstream.noted AS n
                    WHERE n.transaction = pg_current_xact_id_if_assigned() AND n.kind = 'own')
        OR coalesce(current_setting('pgstream.busy', true), '') = 'on'
           AND pg_has_role(session_user, current_user, 'MEMBER')
  );
END
$function$;

-- Depends on nothing that may have been what failed.
CREATE OR REPLACE FUNCTION pgstream.log_failure(tag text, message text) RETURNS void
LANGUAGE sql VOLATILE
-- INNER
AS $function$
  INSERT INTO pgstream.schema_log (version, schema_name, schema)
  VALUES (nextval('pgstream.schema_log_version'), '', jsonb_build_object(
    'format', 1, 'tag', tag, 'failure', 'description failed: ' || left(message, 4096)))
$function$;

CREATE OR REPLACE FUNCTION pgstream.on_ddl_command_end() RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
-- ENTRY
SET lc_messages = 'C'
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $function$
DECLARE
  stack pg_catalog.text;
  message pg_catalog.text;
BEGIN
  IF pgstream.is_quiet() THEN
    RETURN;
  END IF;
  BEGIN
    GET DIAGNOSTICS stack = PG_CONTEXT;
    IF TG_TAG OPERATOR(pg_catalog.=) ANY ('{ALTER PUBLICATION,DROP PUBLICATION,DROP OWNED}') THEN
      PERFORM pgstream.send('publications', pgstream.publications()::pg_catalog.text);
    END IF;
    -- Texts may have hundreds of megabytes: they are cut before anything looks at them.
    PERFORM pgstream.capture(
      TG_TAG, pg_catalog.left(pg_catalog.current_query(), 65537), pg_catalog.left(stack, 131072));
  EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
    PERFORM pgstream.log_failure(TG_TAG, message);
  END;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
  RAISE WARNING 'pgstream could not record this change of the schema: %', message;
END
$function$;

-- Keeps for ddl_command_end, which comes later in the same command, what only sql_drop can see.
CREATE OR REPLACE FUNCTION pgstream.note_drops() RETURNS void
LANGUAGE plpgsql VOLATILE
-- INNER
AS $function$
BEGIN
  INSERT INTO pgstream.noted (kind, notes)
  SELECT 'drops', jsonb_agg(jsonb_build_object(
           'class', d.classid::bigint, 'oid', d.objid::bigint, 'column', d.objsubid,
           'original', d.original, 'type', d.object_type, 'schema', d.schema_name,
           'name', d.object_name, 'identity', d.object_identity, 'address', d.address_names))
    FROM pg_event_trigger_dropped_objects() AS d
   WHERE NOT d.is_temporary AND NOT pgstream.ignores_schema(coalesce(d.schema_name, '')::name)
     AND (d.original OR d.classid IN ('pg_class'::regclass, 'pg_constraint'::regclass,
           'pg_type'::regclass, 'pg_namespace'::regclass, 'pg_attrdef'::regclass)
          OR d.classid = ANY (pgstream.object_classes()))
  HAVING count(*) > 0;
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.on_sql_drop() RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
-- ENTRY
AS $function$
DECLARE
  message pg_catalog.text;
BEGIN
  IF pgstream.is_quiet() THEN
    RETURN;
  END IF;
  BEGIN
    PERFORM pgstream.note_drops();
  EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
    PERFORM pgstream.log_failure(TG_TAG, message);
  END;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
  RAISE WARNING 'pgstream could not record this change of the schema: %', message;
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.note_rewrite() RETURNS void
LANGUAGE sql VOLATILE
-- INNER
AS $function$
  INSERT INTO pgstream.noted (kind, notes)
  VALUES ('rewrites', jsonb_build_array(jsonb_build_object(
    'oid', pg_event_trigger_table_rewrite_oid()::bigint,
    'reason', pg_event_trigger_table_rewrite_reason())))
$function$;

CREATE OR REPLACE FUNCTION pgstream.on_table_rewrite() RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
-- ENTRY
AS $function$
DECLARE
  message pg_catalog.text;
BEGIN
  IF pgstream.is_quiet() THEN
    RETURN;
  END IF;
  BEGIN
    PERFORM pgstream.note_rewrite();
  EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
    PERFORM pgstream.log_failure(TG_TAG, message);
  END;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
  RAISE WARNING 'pgstream could not record this change of the schema: %', message;
END
$function$;

-- What the publications publish: as the engine judges them.
CREATE OR REPLACE FUNCTION pgstream.publications() RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
             'name', p.pubname,
             'all_tables', p.puballtables
               AND NOT EXISTS (SELECT FROM pg_publication_rel AS r WHERE r.prpubid = p.oid),
             'all_changes', p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate,
             'via_root', p.pubviaroot,
             'generated', coalesce(to_jsonb(p) ->> 'pubgencols', 's') = 's')), '[]')
      FROM pg_publication AS p
  );
END
$function$;

-- Tells that a publication may be altered now. What then follows may not be published any more.
CREATE OR REPLACE FUNCTION pgstream.on_publication_command() RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
-- ENTRY
AS $function$
DECLARE
  message pg_catalog.text;
BEGIN
  IF NOT pgstream.is_quiet() THEN
    PERFORM pgstream.send('publication_command', '');
  END IF;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
  RAISE WARNING 'pgstream could not record this change of the schema: %', message;
END
$function$;

-- A function of ours with other parameters is an earlier build's, or nobody's, and a call might find it
-- instead of ours. What was just made or replaced has this transaction's mark.
DO $install$
DECLARE
  namesake pg_catalog.text;
BEGIN
  FOR namesake IN
    SELECT p.oid::regprocedure FROM pg_proc AS p
     WHERE p.pronamespace = 'pgstream'::regnamespace AND p.xmin <> pg_current_xact_id()::xid
       AND EXISTS (SELECT FROM pg_proc AS o
                    WHERE o.pronamespace = p.pronamespace AND o.proname = p.proname
                      AND o.xmin = pg_current_xact_id()::xid)
  LOOP
    EXECUTE 'DROP ROUTINE ' || namesake;
  END LOOP;
END
$install$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pgstream FROM PUBLIC;

DO $install$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'pgstream_ddl_command_end') THEN
    CREATE EVENT TRIGGER pgstream_ddl_command_end ON ddl_command_end
      EXECUTE FUNCTION pgstream.on_ddl_command_end();
  END IF;
  IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'pgstream_publication_command') THEN
    CREATE EVENT TRIGGER pgstream_publication_command ON ddl_command_start
      WHEN TAG IN ('ALTER PUBLICATION', 'DROP PUBLICATION', 'DROP OWNED')
      EXECUTE FUNCTION pgstream.on_publication_command();
  END IF;
  IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'pgstream_sql_drop') THEN
    CREATE EVENT TRIGGER pgstream_sql_drop ON sql_drop
      EXECUTE FUNCTION pgstream.on_sql_drop();
  END IF;
  IF NOT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'pgstream_table_rewrite') THEN
    CREATE EVENT TRIGGER pgstream_table_rewrite ON table_rewrite
      EXECUTE FUNCTION pgstream.on_table_rewrite();
  END IF;
END
$install$;
ALTER EVENT TRIGGER pgstream_ddl_command_end ENABLE ALWAYS;
ALTER EVENT TRIGGER pgstream_publication_command ENABLE ALWAYS;
ALTER EVENT TRIGGER pgstream_sql_drop ENABLE ALWAYS;
ALTER EVENT TRIGGER pgstream_table_rewrite ENABLE ALWAYS;

-- REMOVAL
DROP EVENT TRIGGER IF EXISTS pgstream_table_rewrite;
DROP EVENT TRIGGER IF EXISTS pgstream_sql_drop;
DROP EVENT TRIGGER IF EXISTS pgstream_publication_command;
DROP EVENT TRIGGER IF EXISTS pgstream_ddl_command_end;
DROP FUNCTION IF EXISTS pgstream.on_publication_command();
DROP FUNCTION IF EXISTS pgstream.publications();
DROP FUNCTION IF EXISTS pgstream.on_table_rewrite();
DROP FUNCTION IF EXISTS pgstream.note_rewrite();
DROP FUNCTION IF EXISTS pgstream.on_sql_drop();
DROP FUNCTION IF EXISTS pgstream.note_drops();
DROP FUNCTION IF EXISTS pgstream.on_ddl_command_end();
DROP FUNCTION IF EXISTS pgstream.log_failure(text, text);
DROP FUNCTION IF EXISTS pgstream.is_quiet();
