-- What `status` shows of the source beside its slots, as one JSON document. $1 is the slot's name.
SELECT pg_catalog.json_build_object(
  'version', pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1),
  'flush_lag_s', (
    SELECT EXTRACT(EPOCH FROM w.flush_lag)
    FROM pg_catalog.pg_replication_slots s
    JOIN pg_catalog.pg_stat_replication w ON w.pid = s.active_pid
    WHERE s.slot_name = $1),
  'own_tables', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', c.relname,
      'readable', pg_catalog.has_schema_privilege(n.oid, 'USAGE')
        AND pg_catalog.has_table_privilege(c.oid, 'SELECT')))
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'pgstream' AND c.relname IN ('installation', 'schema_log')), '[]'::pg_catalog.json),
  'role', CURRENT_USER
)::pg_catalog.text
