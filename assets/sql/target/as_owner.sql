
-- Runs a statement with the rights of this function's owner, who owns the table, and returns how many
-- rows it touched. Here no expression can take another role, as it could after SET ROLE. What it may
-- leave behind to run with our rights is undone: settings, cursors, triggers that wait for the commit.
DECLARE
  touched pg_catalog.int8;
  waiting pg_catalog.text;
  names CONSTANT pg_catalog.text[] := '{application_name,pgstream.applying,synchronous_commit,client_encoding,row_security,enable_seqscan,plan_cache_mode}';
  kept CONSTANT pg_catalog.text[] := ARRAY(
    SELECT pg_catalog.current_setting(n.name, true)
    FROM pg_catalog.unnest(names) WITH ORDINALITY AS n(name, place) ORDER BY n.place);
BEGIN
  -- What would tell an expression that a replicator runs it, but for what event triggers of ours ask for.
  PERFORM pg_catalog.set_config(n.name, '', false)
  FROM (VALUES ('application_name'), ('pgstream.applying')) AS n(name)
  WHERE n.name OPERATOR(pg_catalog.=) 'application_name'
     OR statement OPERATOR(pg_catalog.!~~) 'ALTER %'
     OR NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger AS e
                    WHERE e.evtname OPERATOR(pg_catalog.~~) 'pgstream%');
  EXECUTE statement USING parameters;
  GET DIAGNOSTICS touched = ROW_COUNT;
  FOR waiting IN
    SELECT pg_catalog.format('%I.%I', n.nspname, k.conname)
    FROM pg_catalog.pg_trigger AS t
    JOIN pg_catalog.pg_constraint AS k
      ON k.oid OPERATOR(pg_catalog.=) t.tgconstraint AND k.contype OPERATOR(pg_catalog.=) 't'
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) k.connamespace
    JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) t.tgrelid
    JOIN pg_catalog.pg_proc AS p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid
    JOIN pg_catalog.pg_roles AS r ON r.rolname OPERATOR(pg_catalog.=) CURRENT_USER
    WHERE t.tgdeferrable
      AND (r.oid OPERATOR(pg_catalog.=) c.relowner OR r.oid OPERATOR(pg_catalog.=) p.proowner)
  LOOP
    EXECUTE pg_catalog.concat('SET CONSTRAINTS ', waiting, ' IMMEDIATE');
  END LOOP;
  EXECUTE 'CLOSE ALL';
  -- Last, because triggers may set some, too; unasked, because a setting may be one for the transaction
  -- and another behind it.
  PERFORM pg_catalog.set_config(p.name, p.value, false)
  FROM (VALUES $pins) AS p(name, value)
  WHERE pg_catalog.current_setting(p.name, true) IS NOT NULL;
  PERFORM pg_catalog.set_config(k.name, k.value, false)
  FROM ROWS FROM (pg_catalog.unnest(names), pg_catalog.unnest(kept)) AS k(name, value);
  RETURN touched;
END
