-- One row per command that changed the schema. The version comes from a sequence: a maximum plus
-- one would make two sessions wait for each other, and fail.
CREATE TABLE IF NOT EXISTS pgstream.schema_log (
  id          pgstream.xid NOT NULL DEFAULT pgstream.xid() PRIMARY KEY,
  version     bigint NOT NULL,
  schema_name text NOT NULL,
  schema      jsonb NOT NULL,
  created_at  timestamp without time zone NOT NULL DEFAULT now(),
  acked       boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX IF NOT EXISTS schema_log_version_uniq
  ON pgstream.schema_log (schema_name, version);
CREATE INDEX IF NOT EXISTS schema_log_name_acked
  ON pgstream.schema_log (schema_name, acked, id);
CREATE SEQUENCE IF NOT EXISTS pgstream.schema_log_version;

-- Before version 4 statements were kept with the secrets in them.
UPDATE pgstream.schema_log AS l SET schema = l.schema - 'statement'
 WHERE l.schema ? 'statement' AND EXISTS (SELECT FROM pgstream.installation AS i WHERE i.version < 4);

-- What the engine is told beside the log, at its place in the WAL: {"kind", "content"}. Whoever writes a
-- row takes it out again in the same transaction, so nobody ever sees one here, and vacuum keeps the
-- table small. Only its owner may write: a logical message would travel as well, but any role can write
-- one. With lz4 a row costs the source less than such a message; without, compressing takes longer.
CREATE TABLE IF NOT EXISTS pgstream.outbox (
  id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind    text NOT NULL,
  content text NOT NULL
);
DO $install$
BEGIN
  IF EXISTS (SELECT FROM pg_settings AS s
              WHERE s.name = 'default_toast_compression' AND 'lz4' = ANY (s.enumvals)) THEN
    ALTER TABLE pgstream.outbox ALTER COLUMN content SET COMPRESSION lz4;
  ELSE
    ALTER TABLE pgstream.outbox ALTER COLUMN content SET STORAGE EXTERNAL;
  END IF;
END
$install$;

CREATE OR REPLACE FUNCTION pgstream.send(kind text, content text) RETURNS void
LANGUAGE plpgsql VOLATILE
-- INNER
AS $function$
DECLARE
  sent pg_catalog.int8;
BEGIN
  INSERT INTO pgstream.outbox AS o (kind, content) VALUES (send.kind, send.content)
  RETURNING o.id INTO sent;
  DELETE FROM pgstream.outbox AS o WHERE o.id = sent;
END
$function$;

-- Removes up to rows_max entries that are acknowledged, older than keep, and confirmed by every
-- pipeline: a slot's catalog_xmin is no older than the transactions that it may still have to decode.
-- Returns their number. Row locks on entries that nobody writes any more: no user's statement waits.
CREATE OR REPLACE FUNCTION pgstream.prune_schema_log(keep interval, rows_max integer) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER
-- ENTRY
SET lock_timeout = '5s'
AS $function$
  WITH pruned AS (
    DELETE FROM pgstream.schema_log AS gone
     WHERE gone.id IN (
       SELECT l.id FROM pgstream.schema_log AS l
        WHERE l.acked AND l.created_at < localtimestamp - keep
          AND NOT EXISTS (
            SELECT FROM pgstream.pipeline AS p
              JOIN pg_replication_slots AS s ON s.slot_name = p.slot_name
             WHERE age(l.xmin) <= age(s.catalog_xmin))
        ORDER BY l.id LIMIT rows_max
        FOR UPDATE SKIP LOCKED)
    RETURNING 1
  )
  SELECT count(*) FROM pruned
$function$;

-- REMOVAL
DROP FUNCTION IF EXISTS pgstream.prune_schema_log(interval, integer);
DROP FUNCTION IF EXISTS pgstream.send(text, text);
DROP TABLE IF EXISTS pgstream.outbox;
DROP TABLE IF EXISTS pgstream.schema_log;
DROP SEQUENCE IF EXISTS pgstream.schema_log_version;
