-- Rewritten tables. PostgreSQL never decodes the rows that a rewrite makes, so where the target
-- cannot compute the very same values itself, the table's rows follow the log row through the outbox, at
-- their exact place in the stream.

-- Whether a change of type gives the same values on any server: the cast that ALTER TYPE uses
-- without USING is a function that depends on nothing else, or no function at all.
CREATE OR REPLACE FUNCTION pgstream.cast_is_exact(before_type oid, after_type oid) RETURNS boolean
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT before_type = after_type
      OR EXISTS (SELECT FROM pg_cast AS c LEFT JOIN pg_proc AS p ON p.oid = c.castfunc
                  WHERE c.castsource = before_type AND c.casttarget = after_type
                    AND c.oid < 16384
                    AND (c.castmethod = 'b' OR c.castmethod = 'f' AND p.provolatile = 'i'))
      OR (before_type IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype,
                          'uuid'::regtype)
          AND after_type IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype))
  );
END
$function$;

-- Whether the rows of a rewritten table must be sent. Reasons are the bits of
-- pg_event_trigger_table_rewrite_reason(): 1 persistence, 2 default, 4 type, 8 access method.
-- has_using: the command may contain USING.
CREATE OR REPLACE FUNCTION pgstream.rewrite_sends_rows(
  reason integer, before jsonb, after jsonb, has_using boolean) RETURNS boolean
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT after ->> 'persistence' = 'p' AND (
      before IS NULL
      OR reason & 1 <> 0
      OR reason & 2 <> 0 AND EXISTS (
           SELECT FROM jsonb_array_elements(after -> 'columns') AS a
            WHERE NOT a ? 'generated'
              AND NOT EXISTS (SELECT FROM jsonb_array_elements(before -> 'columns') AS b
                               WHERE b -> 'number' = a -> 'number')
              AND (a ? 'default' OR a ? 'identity'
                OR EXISTS (SELECT FROM pg_type AS t
                            WHERE t.oid = (a ->> 'type_oid')::oid AND t.typtype = 'd')))
      OR reason & 4 <> 0 AND (has_using OR EXISTS (
           SELECT FROM jsonb_array_elements(after -> 'columns') AS a
             JOIN jsonb_array_elements(before -> 'columns') AS b ON b -> 'number' = a -> 'number'
            WHERE NOT a ? 'generated'
              AND NOT pgstream.cast_is_exact((b ->> 'type_oid')::oid, (a ->> 'type_oid')::oid))))
  );
END
$function$;

-- Of earlier builds, which sent logical messages.
DROP FUNCTION IF EXISTS pgstream.emit_table(oid);
DROP FUNCTION IF EXISTS pgstream.emit_rows(jsonb, boolean, boolean, text[]);

-- The size of a table whose rows are not sent any more, as a session may set it. What is no size counts for
-- nothing: the command must be recorded all the same.
CREATE OR REPLACE FUNCTION pgstream.rewrite_bytes_max() RETURNS bigint
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN pg_size_bytes(coalesce(current_setting('pgstream.rewrite_bytes_max', true), '1GB'));
EXCEPTION WHEN OTHERS THEN
  RETURN pg_size_bytes('1GB');
END
$function$;

-- Sends some rows: {"relation", "schema", "name", "columns", "first", "last", "rows"}.
CREATE OR REPLACE FUNCTION pgstream.send_rows(head jsonb, first boolean, last boolean, rows text[])
RETURNS void
LANGUAGE sql VOLATILE
-- INNER
AS $function$
  SELECT pgstream.send('rewritten_rows',
    left(head::text, -1) || ', "first": ' || first || ', "last": ' || last
    || ', "rows": [' || array_to_string(rows, ',') || ']}')
$function$;

-- Sends all rows of a table in parts of about one mebibyte. format() prints a value with its
-- type's output function: a cast to text could run a function of the table's owner with our rights.
CREATE OR REPLACE FUNCTION pgstream.send_table(relation_oid oid) RETURNS void
LANGUAGE plpgsql
-- INNER
AS $function$
DECLARE
  chunk_bytes_max CONSTANT pg_catalog.int4 := 1048576;
  head pg_catalog.jsonb;
  query pg_catalog.text;
  line pg_catalog.text;
  rows pg_catalog.text[] := '{}';
  bytes pg_catalog.int8 := 0;
  first pg_catalog.bool := true;
BEGIN
  SELECT jsonb_build_object('relation', c.oid::bigint, 'schema', n.nspname, 'name', c.relname,
           'columns', coalesce(jsonb_agg(a.attname ORDER BY a.attnum) FILTER (WHERE a.attnum > 0), '[]')),
         format('SELECT to_json(ARRAY[%s]::text[])::text FROM ONLY %I.%I',
           string_agg(format('CASE WHEN %1$I IS DISTINCT FROM NULL THEN format(''%%s'', %1$I) END',
                             a.attname), ', ' ORDER BY a.attnum),
           n.nspname, c.relname)
    INTO head, query
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute AS a
      ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
   WHERE c.oid = relation_oid
   GROUP BY c.oid, n.nspname, c.relname;
  IF pg_table_size(relation_oid) > pgstream.rewrite_bytes_max() THEN
    PERFORM pgstream.send('rewritten_rows', (head || '{"too_large": true}')::text);
    RETURN;
  END IF;
  FOR line IN EXECUTE query LOOP
    rows := rows || line;
    bytes := bytes + octet_length(line);
    IF bytes >= chunk_bytes_max THEN
      PERFORM pgstream.send_rows(head, first, false, rows);
      rows := '{}';
      bytes := 0;
      first := false;
    END IF;
  END LOOP;
  PERFORM pgstream.send_rows(head, first, true, rows);
END
$function$;

-- REMOVAL
DROP FUNCTION IF EXISTS pgstream.send_table(oid);
DROP FUNCTION IF EXISTS pgstream.send_rows(jsonb, boolean, boolean, text[]);
DROP FUNCTION IF EXISTS pgstream.rewrite_bytes_max();
DROP FUNCTION IF EXISTS pgstream.rewrite_sends_rows(integer, jsonb, jsonb, boolean);
DROP FUNCTION IF EXISTS pgstream.cast_is_exact(oid, oid);
