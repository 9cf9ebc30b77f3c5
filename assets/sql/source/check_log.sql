-- What check asks about the schema log, of the session that acknowledges in it: the expression that stands for
-- $schema_log. Null where there is no schema log.
(SELECT pg_catalog.json_build_object(
    'user', CURRENT_USER,
    'on_standby', pg_catalog.pg_is_in_recovery(),
    'readable', pg_catalog.has_schema_privilege(n.oid, 'USAGE')
      AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
      AND pg_catalog.has_table_privilege(c.oid, 'UPDATE'),
    'prunes', COALESCE((
      SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege(f.oid, 'EXECUTE')
                                 AND pg_catalog.has_schema_privilege(f.pronamespace, 'USAGE'))
      FROM pg_catalog.pg_proc f
      WHERE f.pronamespace = n.oid AND f.proname IN ('prune_schema_log', 'record_owners')), true))
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'pgstream' AND c.relname = 'schema_log')
