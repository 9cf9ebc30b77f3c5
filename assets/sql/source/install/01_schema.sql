-- The schema that holds everything of ours, what was installed in it, and for whom.
CREATE SCHEMA IF NOT EXISTS pgstream;
-- OWNERSHIP

-- One row: which install script ran here, and in which database. Object identifiers do not survive
-- a dump and restore; another system_identifier or database_oid says that the descriptions are
-- someone else's.
CREATE TABLE IF NOT EXISTS pgstream.installation (
  only_row          boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version           integer NOT NULL,
  digest            text NOT NULL,
  system_identifier text NOT NULL,
  database_oid      oid NOT NULL,
  installed_at      timestamp with time zone NOT NULL DEFAULT now()
);

-- One row: a pipeline, known by its slot. The event triggers, the descriptions and the replica
-- identities serve all of them; they go with the last one.
CREATE TABLE IF NOT EXISTS pgstream.pipeline (
  slot_name  text PRIMARY KEY,
  created_at timestamp with time zone NOT NULL DEFAULT now()
);
-- The database that run applies to: there its checkpoint must be.
ALTER TABLE pgstream.pipeline ADD COLUMN IF NOT EXISTS target text;
-- Its slot is on a standby, where this server does not see it.
ALTER TABLE pgstream.pipeline ADD COLUMN IF NOT EXISTS on_standby boolean NOT NULL DEFAULT false;

-- Another one with each installation of the pipeline: the mark that it leaves on the target says whose it
-- is. A slot that gets lost leaves it as it is.
ALTER TABLE pgstream.pipeline
  ADD COLUMN IF NOT EXISTS identity text NOT NULL DEFAULT gen_random_uuid()::text;

-- REMOVAL
DROP TABLE IF EXISTS pgstream.pipeline;
DROP TABLE IF EXISTS pgstream.installation;
