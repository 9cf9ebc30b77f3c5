-- What check asks of either server: the expression that stands for $server there.
pg_catalog.json_build_object(
  'version_number', pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
  'version', pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1),
  'user', CURRENT_USER,
  'superuser', role.rolsuper,
  'database', pg_catalog.current_database(),
  'database_oid', base.oid::pg_catalog.int8,
  'encoding', pg_catalog.pg_encoding_to_char(base.encoding),
  'system_identifier', (SELECT system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system()),
  -- With the port: two servers of one machine may start in the same microsecond.
  'started_at', pg_catalog.concat(pg_catalog.pg_postmaster_start_time(), ' port ',
                                  pg_catalog.current_setting('port')),
  'in_recovery', pg_catalog.pg_is_in_recovery(),
  'read_only', (SELECT s.source FROM pg_catalog.pg_settings AS s
    WHERE s.name = 'default_transaction_read_only' AND s.setting = 'on'),
  'extensions', COALESCE((
    SELECT pg_catalog.json_agg(extname ORDER BY extname) FROM pg_catalog.pg_extension), '[]'::pg_catalog.json)
)
