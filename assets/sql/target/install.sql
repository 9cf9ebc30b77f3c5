-- What `run` keeps on the target: how far it is durable, and what it did besides moving rows.
CREATE SCHEMA IF NOT EXISTS pgstream;
-- OWNERSHIP

CREATE TABLE IF NOT EXISTS pgstream.checkpoint (
  slot_name         pg_catalog.text PRIMARY KEY,
  system_identifier pg_catalog.text NOT NULL,
  database_name     pg_catalog.text NOT NULL,
  timeline          pg_catalog.int4 NOT NULL,
  end_lsn           pg_catalog.pg_lsn NOT NULL,
  commit_time       pg_catalog.timestamptz,
  updated_at        pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
  included_tables   pg_catalog.text, -- the filter of the pipeline, as its configuration has it
  excluded_tables   pg_catalog.text,
  installation      pg_catalog.text  -- pgstream.pipeline.identity on the source
);
-- Earlier builds had none.
ALTER TABLE pgstream.checkpoint ADD COLUMN IF NOT EXISTS included_tables pg_catalog.text,
  ADD COLUMN IF NOT EXISTS excluded_tables pg_catalog.text,
  ADD COLUMN IF NOT EXISTS installation pg_catalog.text;
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
  commit_lsn  pg_catalog.pg_lsn,   -- on the source
  older_rows  pg_catalog.jsonb,    -- how rows are read that were written before it and committed behind it
  PRIMARY KEY (slot_name, id)
);
-- Earlier builds had none.
ALTER TABLE pgstream.schema_change ADD COLUMN IF NOT EXISTS commit_lsn pg_catalog.pg_lsn;
ALTER TABLE pgstream.schema_change ADD COLUMN IF NOT EXISTS older_rows pg_catalog.jsonb;
COMMENT ON TABLE pgstream.schema_change IS 'Schema changes of the source and what was run for them here';

CREATE TABLE IF NOT EXISTS pgstream.last_stop (
  slot_name  pg_catalog.text PRIMARY KEY,
  stopped_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
  failure    pg_catalog.jsonb NOT NULL
);
COMMENT ON TABLE pgstream.last_stop IS 'Why run ended or stands, until that is overcome';

CREATE TABLE IF NOT EXISTS pgstream.sequence_look (
  slot_name      pg_catalog.text PRIMARY KEY,
  looked_at      pg_catalog.timestamptz, -- when the target's sequences were last brought to the source's
  sequence_count pg_catalog.int8 NOT NULL DEFAULT 0, -- of the source
  moved_count    pg_catalog.int8 NOT NULL DEFAULT 0, -- how often one was moved forward
  unfollowed     pg_catalog.text[] NOT NULL DEFAULT '{}', -- those that do not follow, each with the reason
  changed_at     pg_catalog.pg_lsn -- the last transaction of the source that may have set some back, applied here
);
COMMENT ON TABLE pgstream.sequence_look IS 'How the sequences follow those of the source';

CREATE TABLE IF NOT EXISTS pgstream.silenced (
  kind     pg_catalog.text NOT NULL,  -- trigger, rule, event trigger
  oid      pg_catalog.oid NOT NULL,
  relation pg_catalog.oid NOT NULL,   -- its table here; 0: none
  enabled  pg_catalog."char" NOT NULL, -- as it is on the source: O, D, R, A
  PRIMARY KEY (kind, oid)
);
COMMENT ON TABLE pgstream.silenced IS 'Triggers, event triggers and rules that came from the source: disabled here until tear-down';

CREATE TABLE IF NOT EXISTS pgstream.left_alone (
  slot_name pg_catalog.text NOT NULL,
  oid       pg_catalog.oid NOT NULL, -- on the source
  object    pg_catalog.text NOT NULL,
  PRIMARY KEY (slot_name, oid)
);
COMMENT ON TABLE pgstream.left_alone IS 'Functions, views and so on of the source that are not here: what has their names is not theirs';

CREATE TABLE IF NOT EXISTS pgstream.snapshot_table (
  slot_name      pg_catalog.text NOT NULL,
  relation       pg_catalog.oid NOT NULL, -- on the source
  schema_name    pg_catalog.text NOT NULL,
  table_name     pg_catalog.text NOT NULL,
  state          pg_catalog.text NOT NULL, -- waiting, copying, indexing, catching_up, ready, failed
  attempt        pg_catalog.int4 NOT NULL DEFAULT 0,
  target         pg_catalog.oid,           -- the table that we made here
  lsn            pg_catalog.pg_lsn,        -- its rows are those of this position of the source
  objects        pg_catalog.jsonb,         -- what we made here, as the source described it
  fingerprint    pg_catalog.text,          -- of the table's file and columns on the source
  range_key      pg_catalog.text,          -- the column by ranges of which its rows are copied
  row_count      pg_catalog.int8 NOT NULL DEFAULT 0,
  byte_count     pg_catalog.int8 NOT NULL DEFAULT 0,
  bytes_expected pg_catalog.int8 NOT NULL DEFAULT 0,
  failure        pg_catalog.jsonb,
  updated_at     pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now(),
  PRIMARY KEY (slot_name, relation)
);
-- Earlier builds had none.
ALTER TABLE pgstream.snapshot_table ADD COLUMN IF NOT EXISTS target pg_catalog.oid;
-- By a new name, schema or partitioned table, while the stream went on: no list of a snapshot chose it.
ALTER TABLE pgstream.snapshot_table ADD COLUMN IF NOT EXISTS entered pg_catalog.bool NOT NULL DEFAULT false;
-- Of one that comes back: since when what is here of it was left alone. Younger rows are somebody else's.
ALTER TABLE pgstream.snapshot_table ADD COLUMN IF NOT EXISTS left_at pg_catalog.xid8;
COMMENT ON TABLE pgstream.snapshot_table IS 'Tables copied from the source, and how far each is';

CREATE TABLE IF NOT EXISTS pgstream.left_table (
  slot_name pg_catalog.text NOT NULL,
  relation  pg_catalog.oid NOT NULL, -- on the source
  name      pg_catalog.text NOT NULL, -- as it was left here
  target    pg_catalog.oid NOT NULL, -- the table here
  left_at   pg_catalog.xid8 NOT NULL,
  PRIMARY KEY (slot_name, relation)
);
COMMENT ON TABLE pgstream.left_table IS 'Tables that replicated until the filter left them out by a new name';

CREATE TABLE IF NOT EXISTS pgstream.snapshot_part (
  slot_name  pg_catalog.text NOT NULL,
  relation   pg_catalog.oid NOT NULL, -- on the source
  part       pg_catalog.int4 NOT NULL,
  low        pg_catalog.int8,         -- least key of the part; none: from the beginning
  high       pg_catalog.int8,         -- least key behind the part; none: to the end
  lsn        pg_catalog.pg_lsn,       -- its rows are those of this position of the source; none: not here yet
  row_count  pg_catalog.int8 NOT NULL DEFAULT 0,
  byte_count pg_catalog.int8 NOT NULL DEFAULT 0,
  PRIMARY KEY (slot_name, relation, part)
);
COMMENT ON TABLE pgstream.snapshot_part IS 'Ranges of keys of tables that are being copied, and which of them are here';

CREATE TABLE IF NOT EXISTS pgstream.snapshot_step (
  ordinal    pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  slot_name  pg_catalog.text NOT NULL,
  stage      pg_catalog.text NOT NULL, -- index, after, last, trigger, sequence, keys_to, foreign_key, validate
  relation   pg_catalog.oid,           -- the table on the source that it belongs to
  referenced pg_catalog.oid,           -- the table on the source that a foreign key points to
  object     pg_catalog.text NOT NULL,
  statement  pg_catalog.text NOT NULL
);
CREATE INDEX IF NOT EXISTS snapshot_step_relation ON pgstream.snapshot_step (slot_name, relation);
COMMENT ON TABLE pgstream.snapshot_step IS 'Statements that a copy has still to run here; each goes away with its own commit';

CREATE TABLE IF NOT EXISTS pgstream.paired_snapshot (
  slot_name  pg_catalog.text PRIMARY KEY,
  request    pg_catalog.text NOT NULL,
  stage      pg_catalog.text NOT NULL, -- requested, paused, taken, reached, released, confirmed, refused
  snapshot   pg_catalog.text,          -- of the source, as pg_current_snapshot() prints it
  wal_end    pg_catalog.pg_lsn,        -- all that it shows was committed before
  position   pg_catalog.pg_lsn,        -- the target has exactly what it shows
  reason     pg_catalog.text,
  updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE pgstream.paired_snapshot IS 'How verify and run agree on one position for snapshots of both sides';

CREATE TABLE IF NOT EXISTS pgstream.verified_table (
  slot_name    pg_catalog.text NOT NULL,
  schema_name  pg_catalog.text NOT NULL,
  table_name   pg_catalog.text NOT NULL,
  verdict      pg_catalog.text NOT NULL, -- equal, different
  row_count    pg_catalog.int8 NOT NULL, -- on the source
  differing    pg_catalog.int8 NOT NULL,
  missing      pg_catalog.int8 NOT NULL, -- on the target
  extra        pg_catalog.int8 NOT NULL, -- on the target
  lsn          pg_catalog.pg_lsn NOT NULL,
  verified_at  pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (slot_name, schema_name, table_name)
);
COMMENT ON TABLE pgstream.verified_table IS 'The last verdict of verify on each table';

CREATE TABLE IF NOT EXISTS pgstream.proved_table (
  slot_name   pg_catalog.text NOT NULL,
  relation    pg_catalog.oid NOT NULL,  -- on the source
  fingerprint pg_catalog.text NOT NULL, -- its file and columns there
  below       pg_catalog.int8,          -- rows with keys below this are equal; NULL: all rows
  row_count   pg_catalog.int8 NOT NULL,
  lsn         pg_catalog.pg_lsn NOT NULL,
  PRIMARY KEY (slot_name, relation)
);
COMMENT ON TABLE pgstream.proved_table IS 'How far a comparison is that is not through';

CREATE TABLE IF NOT EXISTS pgstream.verification (
  slot_name      pg_catalog.text PRIMARY KEY,
  verdict        pg_catalog.text NOT NULL, -- equal, different, not_compared
  lsn            pg_catalog.pg_lsn NOT NULL,
  table_count    pg_catalog.int8 NOT NULL,
  object_count   pg_catalog.int8 NOT NULL,
  sequence_count pg_catalog.int8 NOT NULL,
  row_count      pg_catalog.int8 NOT NULL, -- on the source
  open_count     pg_catalog.int8 NOT NULL, -- tables, objects and sequences that are not equal
  verified_at    pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE pgstream.verification IS 'The last verdict of verify on everything that replicates';

CREATE TABLE IF NOT EXISTS pgstream.repair (
  ordinal     pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  slot_name   pg_catalog.text NOT NULL,
  schema_name pg_catalog.text NOT NULL,
  table_name  pg_catalog.text NOT NULL,
  lsn         pg_catalog.pg_lsn NOT NULL, -- the rows are those of this position of the source
  inserted    pg_catalog.int8 NOT NULL,
  updated     pg_catalog.int8 NOT NULL,
  deleted     pg_catalog.int8 NOT NULL,
  repaired_by pg_catalog.text NOT NULL DEFAULT SESSION_USER,
  repaired_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE pgstream.repair IS 'Rows that verify --repair has brought from the source, a transaction a row';
