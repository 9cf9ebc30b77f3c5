-- What `status` shows of the source beside its slots, as one JSON document. $1 is the slot's name.
SELECT pg_catalog.json_build_object(
  'version', pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1),
  'flush_lag_s', (
    SELECT EXTRACT(EPOCH FROM w.flush_lag)
    FROM pg_catalog.pg_replication_slots s
    JOIN pg_catalog.pg_stat_replication w ON w.pid = s.active_pid
    WHERE s.slot_name = $1),
  'schema_log', EXISTS (
    SELECT FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'pgstream' AND c.relname = 'schema_log'
      AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
      AND pg_catalog.has_table_privilege(c.oid, 'SELECT')),
  'barred_role', (
    SELECT CURRENT_USER
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'pgstream' AND c.relname = 'installation'
      AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE')
               AND pg_catalog.has_table_privilege(c.oid, 'SELECT')))
)::pg_catalog.text
