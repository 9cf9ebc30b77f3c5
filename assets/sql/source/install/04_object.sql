-- The last known description of every object, by catalog and OID: the "before" of a change.
-- A row is written only by a command that holds a self-conflicting lock on that very object, so
-- two sessions never meet in one row. Indexes and constraints have rows of their own because two
-- sessions may build indexes on one table at once.
CREATE TABLE IF NOT EXISTS pgstream.object (
  class       oid NOT NULL,     -- the catalog: pg_class, pg_constraint, pg_proc and so on
  oid         oid NOT NULL,
  kind        text NOT NULL,    -- table, index, sequence, constraint, type, schema, object
  relation    oid,              -- the table that an index, constraint, sequence, trigger or partition belongs to
  referenced  oid,              -- the table that a foreign key points to
  description jsonb NOT NULL,
  PRIMARY KEY (class, oid)
);
CREATE INDEX IF NOT EXISTS object_relation ON pgstream.object (relation);
CREATE INDEX IF NOT EXISTS object_referenced ON pgstream.object (referenced);

-- REMOVAL
DROP TABLE IF EXISTS pgstream.object;
