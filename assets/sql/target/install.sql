-- What `run` keeps on the target: how far it is durable, and what it did besides moving rows.
CREATE SCHEMA IF NOT EXISTS pgstream;

CREATE TABLE IF NOT EXISTS pgstream.checkpoint (
  slot_name         pg_catalog.text PRIMARY KEY,
  system_identifier pg_catalog.text NOT NULL,
  database_name     pg_catalog.text NOT NULL,
  timeline          pg_catalog.int4 NOT NULL,
  end_lsn           pg_catalog.pg_lsn NOT NULL,
  commit_time       pg_catalog.timestamptz,
  updated_at        pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE pgstream.checkpoint IS 'End of the last source transaction applied here, by slot';

CREATE TABLE IF NOT EXISTS pgstream.skipped_transaction (
  slot_name  pg_catalog.text NOT NULL,
  commit_lsn pg_catalog.pg_lsn NOT NULL,
  xid        pg_catalog.int8 NOT NULL,
  reason     pg_catalog.text NOT NULL,
  skipped_by pg_catalog.text NOT NULL DEFAULT SESSION_USER,
  skipped_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
  PRIMARY KEY (slot_name, commit_lsn)
);
COMMENT ON TABLE pgstream.skipped_transaction IS 'Source transactions that an operator chose not to apply';

CREATE TABLE IF NOT EXISTS pgstream.schema_change (
  slot_name   pg_catalog.text NOT NULL,
  id          pg_catalog.text NOT NULL,
  version     pg_catalog.int8 NOT NULL,
  tag         pg_catalog.text NOT NULL,
  statements  pg_catalog.text[] NOT NULL,
  not_applied pg_catalog.text[] NOT NULL,
  duration_ms pg_catalog.float8 NOT NULL,
  applied_at  pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
  PRIMARY KEY (slot_name, id)
);
COMMENT ON TABLE pgstream.schema_change IS 'Schema changes of the source and what was run for them here';
