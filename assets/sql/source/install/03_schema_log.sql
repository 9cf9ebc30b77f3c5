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

-- REMOVAL
DROP TABLE IF EXISTS pgstream.schema_log;
DROP SEQUENCE IF EXISTS pgstream.schema_log_version;
