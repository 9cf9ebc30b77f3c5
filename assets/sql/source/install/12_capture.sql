-- From one finished command to one row of the schema log.

-- The tables that came with an extension: the rows that its script writes are no user's.
CREATE OR REPLACE FUNCTION pgstream.tables_of_extension(extension oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_agg(jsonb_build_object('schema', n.nspname, 'name', t.relname) ORDER BY t.oid)
      FROM pg_depend AS d
      JOIN pg_class AS t ON t.oid = d.objid AND t.relkind IN ('r', 'p')
      JOIN pg_namespace AS n ON n.oid = t.relnamespace
     WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = extension
       AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
       AND NOT EXISTS (SELECT FROM pgstream.object AS o
                        WHERE o.class = 'pg_class'::regclass AND o.oid = t.oid)
  );
END
$function$;

-- Whether objects of a kind are described; the kinds in the server's words.
CREATE OR REPLACE FUNCTION pgstream.travels(kind text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN kind = ANY (
  '{table,table column,index,sequence,type,domain,schema,composite type,composite type column,table constraint,
    domain constraint,default value,function,procedure,routine,aggregate,view,view column,materialized view,
    materialized view column,trigger,rule,policy,statistics object,extension,collation,conversion,cast,transform,
    language,access method,operator,operator class,operator family,operator of access method,function of access method,
    foreign-data wrapper,server,foreign table,foreign table column,text search parser,text search template,text search dictionary,
    text search configuration,event trigger,default acl}'::text[]);

-- Commands on kinds that do not replicate yet, and drops of them: said, never acted upon. Besides, what is
-- done to a materialized view: its rows are no table's, and REFRESH changes no description; and to an extension,
-- whose tables are not ours.
-- The script of an extension drops and re-creates members of its own, which nothing marks as such
-- but the command that runs it.
CREATE OR REPLACE FUNCTION pgstream.others(commands jsonb, drops jsonb, statement text) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT coalesce(jsonb_agg(DISTINCT jsonb_strip_nulls(o.other)), '[]') FROM (
      SELECT jsonb_build_object('tag', c ->> 'tag', 'kind', c ->> 'type', 'identity', c ->> 'identity',
               'view', v.name, 'populated', v.populated, 'travels', k.travels,
               'tables', CASE WHEN c ->> 'type' = 'extension' THEN
                 pgstream.tables_of_extension((c ->> 'oid')::oid) END)
        FROM jsonb_array_elements(commands) AS c
        LEFT JOIN LATERAL (
          SELECT pgstream.relation_name(m.oid) AS name, m.relispopulated AS populated
            FROM pg_class AS m WHERE c ->> 'type' = 'materialized view' AND m.oid = (c ->> 'oid')::oid) AS v ON true
        CROSS JOIN LATERAL (
          -- Base types, and those that are only announced, are not described.
          SELECT pgstream.travels(coalesce(c ->> 'type', '')) AND NOT EXISTS (
            SELECT FROM pg_type AS t
             WHERE c ->> 'type' = 'type' AND t.oid = (c ->> 'oid')::oid AND t.typtype IN ('b', 'p'))) AS k (travels)
       WHERE NOT k.travels
             AND (c ->> 'tag' NOT IN ('GRANT', 'REVOKE', 'ALTER DEFAULT PRIVILEGES') OR c ->> 'type' = 'LARGE OBJECT')
          OR c ->> 'type' IN ('materialized view', 'extension')
      UNION ALL
      SELECT jsonb_build_object('tag', 'DROP ' || upper(d ->> 'type'), 'kind', d ->> 'type',
                                'identity', d ->> 'identity', 'travels', pgstream.travels(d ->> 'type'))
        FROM jsonb_array_elements(drops) AS d
       WHERE (d ->> 'original')::boolean
         AND NOT coalesce(statement, '') ~* '\m(create|alter)\s+extension\M'
         AND (NOT pgstream.travels(d ->> 'type') OR d ->> 'type' = 'extension')
    ) AS o (other)
  );
END
$function$;

-- Compares what the candidates are with what they were, stores what they are, and returns the
-- changes: [{"kind", "oid", "before", "after", "dropped"}]. One statement, hence one snapshot.
-- A rewritten table is among them even when it is described as before: ALTER COLUMN ... TYPE ... USING may
-- give a column other values and its old type. So is a sequence that was altered: it may stand elsewhere.
-- "dropped" is true where the server reported the drop; an object that vanished without a report
-- was built anew under another OID, as ALTER TYPE does with indexes and constraints.
CREATE OR REPLACE FUNCTION pgstream.take_changes(
  relations oid[], constraints oid[], types oid[], schemas oid[], objects oid[], drops jsonb, rewrites jsonb)
RETURNS jsonb
LANGUAGE plpgsql VOLATILE
-- INNER
AS $function$
DECLARE
  changes pg_catalog.jsonb;
BEGIN
  WITH after AS MATERIALIZED (
    SELECT * FROM pgstream.describe(relations, constraints, types, schemas, objects)
  ), before AS MATERIALIZED (
    SELECT * FROM pgstream.object AS o
     WHERE o.class = 'pg_class'::regclass AND o.oid = ANY (relations)
        OR o.class = 'pg_constraint'::regclass AND o.oid = ANY (constraints)
        OR o.class = 'pg_type'::regclass AND o.oid = ANY (types)
        OR o.class = 'pg_namespace'::regclass AND o.oid = ANY (schemas)
        OR o.class = ANY (pgstream.object_classes()) AND o.oid = ANY (objects)
  ), changed AS MATERIALIZED (
    SELECT class, oid, coalesce(a.kind, b.kind) AS kind, a.relation, a.referenced,
           b.description AS before, a.description AS after
      FROM before AS b FULL JOIN after AS a USING (class, oid)
     WHERE b.description IS DISTINCT FROM a.description
        OR class = 'pg_class'::regclass AND rewrites ? oid::text
  ), removed AS (
    DELETE FROM pgstream.object AS o USING changed AS c
     WHERE o.class = c.class AND o.oid = c.oid AND c.after IS NULL
  ), stored AS (
    INSERT INTO pgstream.object AS o (class, oid, kind, relation, referenced, description)
    SELECT c.class, c.oid, c.kind, c.relation, c.referenced, c.after
      FROM changed AS c WHERE c.after IS NOT NULL
    ON CONFLICT (class, oid) DO UPDATE
      SET kind = excluded.kind, relation = excluded.relation, referenced = excluded.referenced,
          description = excluded.description
  )
  SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'kind', c.kind,
      'oid', c.oid::bigint,
      'before', pgstream.with_names(c.before),
      'after', pgstream.with_names(c.after) || CASE
        WHEN c.kind = 'sequence' AND c.before IS NOT NULL AND c.after IS NOT NULL
        THEN jsonb_build_object('position', pgstream.sequence_position(c.oid)) ELSE '{}' END,
      'dropped', d.place IS NOT NULL,
      'place', d.place
    )) ORDER BY c.class, c.oid), '[]')
  INTO changes
  FROM changed AS c
  LEFT JOIN LATERAL (
    SELECT max(d.ordinality) AS place FROM jsonb_array_elements(drops) WITH ORDINALITY AS d
     WHERE (d.value ->> 'class')::oid = c.class AND (d.value ->> 'oid')::oid = c.oid
       AND (d.value ->> 'column')::integer = 0) AS d ON true;
  RETURN changes;
END
$function$;

-- The tables that the command rewrote, and why: {"oid": reason}.
CREATE OR REPLACE FUNCTION pgstream.take_rewrites() RETURNS jsonb
LANGUAGE plpgsql VOLATILE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT coalesce(jsonb_object_agg(r ->> 'oid', r -> 'reason'), '{}')
      FROM jsonb_array_elements(pgstream.take_notes('rewrites')) AS r
  );
END
$function$;

-- The streams through which the changes of this session have come here, as system/slot: what we apply on
-- a target is ordinary history for whoever streams from it, but for a database where it came from. A
-- session says so in a setting, which is believed of those who may move a checkpoint of ours: whoever
-- else sets it is an ordinary user.
CREATE OR REPLACE FUNCTION pgstream.origins() RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
DECLARE
  applying CONSTANT pg_catalog.text := nullif(current_setting('pgstream.applying', true), '');
  checkpoint CONSTANT pg_catalog.regclass := to_regclass('pgstream.checkpoint');
BEGIN
  IF applying IS NULL OR checkpoint IS NULL THEN
    RETURN '[]';
  END IF;
  IF has_table_privilege(session_user, checkpoint, 'UPDATE') THEN
    RETURN to_jsonb(string_to_array(applying, ','));
  END IF;
  RETURN '[]';
END
$function$;

-- Of earlier builds, which wrote the user's path down and believed what settings said.
DROP FUNCTION IF EXISTS pgstream.capture(text, text, text, boolean, text);
DROP FUNCTION IF EXISTS pgstream.verified_rewrites();
DROP FUNCTION IF EXISTS pgstream.verified_drops();

-- Writes the log row of one command and, behind it, the rows of the tables that it rewrote.
-- batch: the text that the client sent; stack: the call stack, which names the statement inside a
-- function or DO block. Both are cut.
CREATE OR REPLACE FUNCTION pgstream.capture(tag text, batch text, stack text) RETURNS void
LANGUAGE plpgsql
-- INNER
AS $function$
DECLARE
  commands pg_catalog.jsonb;
  drops pg_catalog.jsonb := pgstream.take_notes('drops');
  rewrites pg_catalog.jsonb := pgstream.take_rewrites();
  is_nested CONSTANT pg_catalog.bool := strpos(stack, E'\n') > 0;
  nested CONSTANT pg_catalog.text :=
    substring(stack, '^[^\n]*\nSQL statement "(.*?)"\n[A-Z][^\n]* function ');
  statement CONSTANT pg_catalog.text := coalesce(nested, batch);
  altered pg_catalog.jsonb;
  released pg_catalog.jsonb := '[]';
  relations pg_catalog.oid[];
  constraints pg_catalog.oid[];
  types pg_catalog.oid[];
  schemas pg_catalog.oid[];
  objects pg_catalog.oid[];
  changes pg_catalog.jsonb;
  privileges pg_catalog.jsonb;
  others pg_catalog.jsonb;
  sent pg_catalog.jsonb;
  relation_oid pg_catalog.oid;
BEGIN
  SELECT coalesce(jsonb_agg(jsonb_build_object('class', c.classid::bigint, 'oid', c.objid::bigint,
           'tag', c.command_tag, 'type', c.object_type, 'schema', c.schema_name,
           'identity', c.object_identity)), '[]')
    INTO commands
    FROM pg_event_trigger_ddl_commands() AS c
   WHERE NOT c.in_extension AND NOT pgstream.ignores_schema(coalesce(c.schema_name, '')::name);
  IF commands = '[]' AND drops = '[]' THEN
    RETURN;
  END IF;

  IF tag = 'ALTER EXTENSION' THEN
    released := pgstream.take_released();
  END IF;
  altered := (SELECT coalesce(jsonb_object_agg(c ->> 'oid', true), '{}')
                FROM jsonb_array_elements(commands) AS c WHERE c ->> 'tag' = 'ALTER SEQUENCE');

  -- Candidates: what was named, what vanished, and what goes with either.
  relations := pgstream.with_descendants(
    ARRAY(SELECT (c ->> 'oid')::oid FROM jsonb_array_elements(commands) AS c
           WHERE (c ->> 'class')::oid = 'pg_class'::regclass)
    || ARRAY(SELECT k.conrelid FROM jsonb_array_elements(commands) AS c
               JOIN pg_constraint AS k ON k.oid = (c ->> 'oid')::oid AND k.conrelid <> 0
              WHERE (c ->> 'class')::oid = 'pg_constraint'::regclass)
    || ARRAY(SELECT r.key::oid FROM jsonb_each(rewrites) AS r)
    || pgstream.tables_of_drops(drops)
    || pgstream.rebuilt_indexes(commands, drops));
  types := ARRAY(
    SELECT (c ->> 'oid')::oid FROM jsonb_array_elements(commands) AS c
     WHERE (c ->> 'class')::oid = 'pg_type'::regclass
    UNION SELECT k.contypid FROM jsonb_array_elements(commands) AS c
      JOIN pg_constraint AS k ON k.oid = (c ->> 'oid')::oid AND k.contypid <> 0
     WHERE (c ->> 'class')::oid = 'pg_constraint'::regclass
    UNION SELECT t.reltype FROM jsonb_array_elements(commands) AS c
      JOIN pg_class AS t ON t.oid = (c ->> 'oid')::oid AND t.relkind = 'c'
     WHERE (c ->> 'class')::oid = 'pg_class'::regclass
    UNION SELECT (d ->> 'oid')::oid FROM jsonb_array_elements(drops) AS d
     WHERE (d ->> 'class')::oid = 'pg_type'::regclass
    UNION SELECT t.oid FROM jsonb_array_elements(drops) AS d
      JOIN pg_namespace AS n ON n.nspname = d -> 'address' ->> 0
      JOIN pg_type AS t ON t.typnamespace = n.oid AND t.typname = d -> 'address' ->> 1
     WHERE d ->> 'type' = 'composite type column'
    UNION SELECT to_regtype(d -> 'address' ->> 0)::oid FROM jsonb_array_elements(drops) AS d
     WHERE d ->> 'type' = 'domain constraint' AND to_regtype(d -> 'address' ->> 0) IS NOT NULL);
  relations := pgstream.with_descendants(pgstream.with_parts(relations, types));
  constraints := pgstream.constraints_of(relations)
    || ARRAY(SELECT (d ->> 'oid')::oid FROM jsonb_array_elements(drops) AS d
              WHERE (d ->> 'class')::oid = 'pg_constraint'::regclass);
  schemas := ARRAY(
    SELECT (x ->> 'oid')::oid FROM jsonb_array_elements(commands || drops) AS x
     WHERE (x ->> 'class')::oid = 'pg_namespace'::regclass);

  objects := relations || pgstream.objects_of(relations)
    || ARRAY(SELECT (x ->> 'oid')::oid FROM jsonb_array_elements(commands || drops) AS x)
    || pgstream.unreported_objects(commands || drops);

  PERFORM pgstream.keep_identity(r) FROM unnest(relations) AS r
    WHERE pgstream.identity_statement(r) IS NOT NULL;
  changes := pgstream.take_changes(
    relations, constraints, types, schemas, objects, drops, rewrites || altered);
  privileges := pgstream.capture_privileges(
    commands, drops, changes,
    CASE WHEN tag <> 'DROP OWNED' AND (nested IS NOT NULL OR NOT is_nested) THEN statement END);
  PERFORM pgstream.restate_later(commands, changes);
  others := pgstream.others(commands, drops, statement);

  SELECT coalesce(jsonb_agg(r.key::bigint ORDER BY r.key::bigint), '[]') INTO sent
    FROM jsonb_each(rewrites) AS r
    JOIN jsonb_array_elements(changes) AS c ON c -> 'oid' = to_jsonb(r.key::bigint)
   WHERE pgstream.rewrite_sends_rows(r.value::integer, c -> 'before', c -> 'after',
           nested IS NULL AND is_nested OR length(statement) > 65536 OR statement ~* '\musing\M');

  IF changes <> '[]' OR privileges <> '[]' OR others <> '[]' OR pgstream.unknown_drops(changes, drops) <> '[]' THEN
    INSERT INTO pgstream.schema_log (version, schema_name, schema)
    VALUES (
      nextval('pgstream.schema_log_version'),
      coalesce(
        changes -> 0 -> 'after' ->> 'schema', changes -> 0 -> 'after' -> 'table' ->> 'schema',
        changes -> 0 -> 'before' ->> 'schema', changes -> 0 -> 'before' -> 'table' ->> 'schema',
        commands -> 0 ->> 'schema', drops -> 0 ->> 'schema', ''),
      jsonb_build_object(
        'format', 1,
        'tag', tag,
        'statement', pgstream.presentable(tag, statement),
        'nested', is_nested,
        'objects', changes,
        'privileges', privileges,
        'unknown_drops', pgstream.unknown_drops(changes, drops),
        'others', others,
        'released', released,
        'sends_rows', sent,
        'renamed_tables', pgstream.tables_of_renamed_schemas(changes),
        'origins', pgstream.origins()) || pgstream.places_of_parts(changes, drops));
  END IF;

  FOR relation_oid IN SELECT s::text::oid FROM jsonb_array_elements(sent) AS s LOOP
    PERFORM pgstream.send_table(relation_oid);
  END LOOP;
END
$function$;

-- Dropped tables, indexes and so on that were never described, for instance an index that a CREATE INDEX
-- CONCURRENTLY left behind when it failed: all that is known is the name, and no other server may act on
-- that. One that REINDEX CONCURRENTLY built anew is known by its former OID.
CREATE OR REPLACE FUNCTION pgstream.unknown_drops(changes jsonb, drops jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
             'kind', d ->> 'type', 'schema', d ->> 'schema', 'name', d ->> 'name')), '[]')
      FROM jsonb_array_elements(drops) AS d
     WHERE (d ->> 'original')::boolean AND (d ->> 'column')::integer = 0
       AND d ->> 'type' IN ('table', 'index', 'sequence')
       AND NOT EXISTS (SELECT FROM jsonb_array_elements(changes) AS c
                        WHERE c -> 'oid' = d -> 'oid'
                           OR c ->> 'kind' = 'index' AND d ->> 'type' = 'index' AND NOT c ? 'after'
                              AND c -> 'before' -> 'name' = d -> 'name'
                              AND c -> 'before' -> 'table' -> 'schema' = d -> 'schema')
  );
END
$function$;

-- Of earlier builds.
DROP FUNCTION IF EXISTS pgstream.parts_dropped(jsonb, jsonb);

-- Where the first table, or part of one, and the last stand among what was dropped: the server lists what
-- needs others behind them, and dropped it in the other direction. An index of a materialized view is no such
-- part.
CREATE OR REPLACE FUNCTION pgstream.places_of_parts(changes jsonb, drops jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_build_object('first_part_dropped', coalesce(min(d.ordinality), 0),
                              'parts_dropped', coalesce(max(d.ordinality), 0))
      FROM jsonb_array_elements(drops) WITH ORDINALITY AS d
     WHERE d.value ->> 'type' IN ('table', 'table column', 'table constraint', 'default value')
        OR d.value ->> 'type' = 'index' AND EXISTS (
             SELECT FROM jsonb_array_elements(changes) AS c
              WHERE c -> 'oid' = d.value -> 'oid' AND NOT c -> 'before' ? 'materialized')
  );
END
$function$;

-- The tables that have another name because their schema has: nothing else tells the engine.
CREATE OR REPLACE FUNCTION pgstream.tables_of_renamed_schemas(changes jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
             'oid', t.oid::bigint, 'name', t.relname,
             'before', c -> 'before' ->> 'name', 'after', c -> 'after' ->> 'name') ORDER BY t.oid), '[]')
      FROM jsonb_array_elements(changes) AS c
      JOIN pg_class AS t ON t.relnamespace = (c ->> 'oid')::oid AND t.relkind IN ('r', 'p')
     WHERE c ->> 'kind' = 'schema' AND c -> 'before' ->> 'name' <> c -> 'after' ->> 'name'
  );
END
$function$;

-- The statement as it may be shown: one alone, without comments and without any value, for a value
-- may be a secret. What cannot be told apart for sure (dollar quotes, backslashes, which mean what a setting
-- says) is not kept, and neither is a batch, where anything may stand beside.
CREATE OR REPLACE FUNCTION pgstream.presentable(tag text, statement text) RETURNS text
LANGUAGE plpgsql IMMUTABLE
-- INNER
AS $function$
DECLARE
  shown pg_catalog.text;
  unclear pg_catalog.bool;
BEGIN
  IF length(statement) > 65536 OR statement ~* '\mpassword\M' OR tag ~ 'USER MAPPING|SUBSCRIPTION|SERVER' THEN
    RETURN NULL;
  END IF;
  SELECT string_agg(CASE WHEN p.part[1] IS NOT NULL THEN '''...''' ELSE coalesce(p.part[3], ' ') END,
                    '' ORDER BY p.ordinality),
         bool_or(p.part[4] IS NOT NULL)
    INTO shown, unclear
    FROM regexp_matches(statement,
           '(''[^''\\]*'')'
           || '|(--[^\n\r]*|/\*(?:[^*/]|\*(?!/)|/(?!\*))*\*/)'
           || '|("[^"]*"|[^''"\\$/-]+|-(?!-)|/(?!\*))'
           || '|(.)', 'g') WITH ORDINALITY AS p (part, ordinality);
  RETURN CASE WHEN NOT unclear AND shown !~ ';\s*\S' THEN btrim(shown, E' \t\r\n') END;
END
$function$;

-- REMOVAL
DROP FUNCTION IF EXISTS pgstream.tables_of_renamed_schemas(jsonb);
DROP FUNCTION IF EXISTS pgstream.places_of_parts(jsonb, jsonb);
DROP FUNCTION IF EXISTS pgstream.presentable(text, text);
DROP FUNCTION IF EXISTS pgstream.unknown_drops(jsonb, jsonb);
DROP FUNCTION IF EXISTS pgstream.capture(text, text, text);
DROP FUNCTION IF EXISTS pgstream.origins();
DROP FUNCTION IF EXISTS pgstream.take_rewrites();
DROP FUNCTION IF EXISTS pgstream.take_changes(oid[], oid[], oid[], oid[], oid[], jsonb, jsonb);
DROP FUNCTION IF EXISTS pgstream.others(jsonb, jsonb, text);
DROP FUNCTION IF EXISTS pgstream.travels(text);
DROP FUNCTION IF EXISTS pgstream.tables_of_extension(oid);
