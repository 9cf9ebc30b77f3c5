-- Tables without a key. A publication makes UPDATE and DELETE fail on a table without a replica
-- identity, and without one their old rows could not be sent. Such a table gets REPLICA IDENTITY
-- FULL; what it had before is recorded, and comes back with a key or with the removal.
CREATE TABLE IF NOT EXISTS pgstream.keyless_table (
  relation oid PRIMARY KEY,
  former   "char" NOT NULL   -- pg_class.relreplident as its owner left it
);

-- What one trigger, or one of our functions, has to tell the trigger that comes later in the same command:
-- only sql_drop knows what was dropped, only table_rewrite what was rewritten, and a command of ours is
-- not to be recorded. Any role may write a setting; nobody but the owner writes here. Nothing that
-- replicates, and nothing to keep over a crash: rows count for the transaction that made them.
CREATE UNLOGGED TABLE IF NOT EXISTS pgstream.noted (
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
  kind        text NOT NULL,   -- drops, rewrites, own
  notes       jsonb NOT NULL   -- an array
);
CREATE INDEX IF NOT EXISTS noted_transaction ON pgstream.noted (transaction);

-- Takes all notes of one kind out, as one array.
CREATE OR REPLACE FUNCTION pgstream.take_notes(of_kind text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE
-- INNER
AS $function$
DECLARE
  taken pg_catalog.jsonb;
BEGIN
  WITH gone AS (
    DELETE FROM pgstream.noted AS n
     WHERE n.transaction = pg_current_xact_id_if_assigned() AND n.kind = of_kind
    RETURNING n.notes
  )
  SELECT coalesce(jsonb_agg(note.value), '[]') INTO taken
    FROM gone CROSS JOIN LATERAL jsonb_array_elements(gone.notes) AS note (value);
  RETURN taken;
END
$function$;

-- Whether UPDATE and DELETE would find an identity if it were as the owner left it. Before version 18 generated
-- columns are not sent, so a key that has one tells nothing.
CREATE OR REPLACE FUNCTION pgstream.has_identity(relation oid, setting "char") RETURNS boolean
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT CASE setting
      WHEN 'f' THEN true
      WHEN 'n' THEN false
      WHEN 'i' THEN EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = relation AND i.indisreplident)
      ELSE EXISTS (SELECT FROM pg_index AS i
                    WHERE i.indrelid = relation AND i.indisprimary AND i.indimmediate AND i.indisvalid
                      AND NOT (current_setting('server_version_num')::integer < 180000 AND EXISTS (
                        SELECT FROM pg_attribute AS a
                         WHERE a.attrelid = relation AND a.attgenerated <> ''
                           AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))))
    END
  );
END
$function$;

-- The statement that a table needs so that its changes can be sent, if any.
CREATE OR REPLACE FUNCTION pgstream.identity_statement(relation_oid oid) RETURNS text
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT format('ALTER TABLE ONLY %I.%I REPLICA IDENTITY %s', n.nspname, c.relname,
      CASE
        WHEN k.relation IS NULL OR c.relreplident <> 'f' THEN 'FULL'
        ELSE 'DEFAULT'
      END)
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pgstream.keyless_table AS k ON k.relation = c.oid
    WHERE c.oid = relation_oid AND c.relkind = 'r' AND c.relpersistence = 'p'
      AND c.oid >= 16384 AND NOT pgstream.ignores_schema(n.nspname)
      AND (NOT pgstream.has_identity(c.oid, c.relreplident)
        OR k.relation IS NOT NULL AND k.former = 'd' AND c.relreplident = 'f'
           AND pgstream.has_identity(c.oid, 'd'))
  );
END
$function$;

-- Gives one table the identity that it needs and keeps the record. The caller's session holds an
-- exclusive lock on the table, or sets lock_timeout. Returns whether it changed anything.
CREATE OR REPLACE FUNCTION pgstream.keep_identity(relation_oid oid) RETURNS boolean
LANGUAGE plpgsql
-- INNER
AS $function$
DECLARE
  statement pg_catalog.text := pgstream.identity_statement(relation_oid);
  former pg_catalog."char";
BEGIN
  IF statement IS NULL THEN
    RETURN false;
  END IF;
  SELECT c.relreplident INTO former FROM pg_class AS c WHERE c.oid = relation_oid;
  INSERT INTO pgstream.noted (kind, notes) VALUES ('own', '[]');
  EXECUTE statement;
  PERFORM pgstream.take_notes('own');
  IF statement LIKE '% FULL' THEN
    INSERT INTO pgstream.keyless_table VALUES (relation_oid, former)
    ON CONFLICT (relation) DO UPDATE SET former = excluded.former;
  ELSE
    DELETE FROM pgstream.keyless_table AS k WHERE k.relation = relation_oid;
  END IF;
  RETURN true;
END
$function$;

-- The statements that give every recorded table back what it had.
CREATE OR REPLACE FUNCTION pgstream.restore_identity_statements() RETURNS SETOF text
LANGUAGE sql STABLE
-- ENTRY
AS $function$
  SELECT format('ALTER TABLE ONLY %I.%I REPLICA IDENTITY %s', n.nspname, c.relname,
                CASE k.former WHEN 'n' THEN 'NOTHING' ELSE 'DEFAULT' END)
  FROM pgstream.keyless_table AS k
  JOIN pg_class AS c ON c.oid = k.relation AND c.relreplident = 'f'
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  ORDER BY 1
$function$;

-- REMOVAL
DROP FUNCTION IF EXISTS pgstream.restore_identity_statements();
DROP FUNCTION IF EXISTS pgstream.keep_identity(oid);
DROP FUNCTION IF EXISTS pgstream.identity_statement(oid);
DROP FUNCTION IF EXISTS pgstream.has_identity(oid, "char");
DROP FUNCTION IF EXISTS pgstream.take_notes(text);
DROP TABLE IF EXISTS pgstream.noted;
DROP TABLE IF EXISTS pgstream.keyless_table;
