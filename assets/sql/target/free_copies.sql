-- Foreign keys of tables that are left out of the stream of slot $slot are dropped, and put on the list
-- where they are not on it yet. Names are quoted as in all statements there.
DECLARE
  slot pg_catalog.text := $slot;
  key record;
BEGIN
  FOR key IN
    SELECT DISTINCT ON (c.oid) t.relation, c.conname, n.nspname, r.relname,
           pg_catalog.pg_get_constraintdef(c.oid) AS definition,
           pg_catalog.obj_description(c.oid, 'pg_constraint') AS comment,
           pg_catalog.format('ALTER TABLE "%s"."%s" ADD CONSTRAINT "%s" ',
                             pg_catalog.replace(n.nspname, '"', '""'),
                             pg_catalog.replace(r.relname, '"', '""'),
                             pg_catalog.replace(c.conname, '"', '""')) AS addition
    FROM pgstream.snapshot_table AS t
    JOIN pg_catalog.pg_namespace AS tn ON tn.nspname = t.schema_name
    JOIN pg_catalog.pg_class AS tc ON tc.relnamespace = tn.oid AND tc.relname = t.table_name
    JOIN pg_catalog.pg_constraint AS c
      ON c.contype = 'f' AND c.conparentid = 0
         -- A partition has those of its parents.
         AND (tc.oid IN (c.conrelid, c.confrelid)
              OR tc.relispartition AND EXISTS (
                SELECT FROM pg_catalog.pg_partition_ancestors(tc.oid) AS above (oid)
                WHERE above.oid IN (c.conrelid, c.confrelid)))
    JOIN pg_catalog.pg_class AS r ON r.oid = c.conrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
    WHERE t.slot_name = slot AND t.attempt > 0 AND t.state IN ('waiting', 'copying', 'failed')
    ORDER BY c.oid
  LOOP
    INSERT INTO pgstream.snapshot_step (slot_name, stage, relation, object, statement)
    SELECT slot, 'foreign_key', key.relation,
           pg_catalog.format('constraint %s on %s.%s', key.conname, key.nspname, key.relname),
           key.addition || key.definition
    WHERE NOT EXISTS (
      SELECT FROM pgstream.snapshot_step AS s
      WHERE s.slot_name = slot AND s.stage = 'foreign_key'
        AND pg_catalog.starts_with(s.statement, key.addition));
    IF FOUND AND key.comment IS NOT NULL THEN
      INSERT INTO pgstream.snapshot_step (slot_name, stage, relation, object, statement)
      VALUES (slot, 'foreign_key', key.relation,
              pg_catalog.format('constraint %s on %s.%s', key.conname, key.nspname, key.relname),
              pg_catalog.format('COMMENT ON CONSTRAINT %I ON %I.%I IS %L',
                                key.conname, key.nspname, key.relname, key.comment));
    END IF;
    EXECUTE pg_catalog.format('ALTER TABLE %I.%I DROP CONSTRAINT %I',
                              key.nspname, key.relname, key.conname);
  END LOOP;
END
