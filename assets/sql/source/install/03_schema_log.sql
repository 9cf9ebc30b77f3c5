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
DROP TABLE IF EXISTS pgstream.schema_log;
DROP SEQUENCE IF EXISTS pgstream.schema_log_version;
