-- What check asks of either server: the expression that stands for $server there.
pg_catalog.json_build_object(
  'version_number', pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
  'version', pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1),
  'user', CURRENT_USER,
  'superuser', role.rolsuper,
  'database', pg_catalog.current_database(),
  'encoding', pg_catalog.pg_encoding_to_char(base.encoding),
  'in_recovery', pg_catalog.pg_is_in_recovery(),
  'extensions', COALESCE((
    SELECT pg_catalog.json_agg(extname ORDER BY extname) FROM pg_catalog.pg_extension), '[]'::pg_catalog.json),
  'available_extensions', COALESCE((
    SELECT pg_catalog.json_agg(name ORDER BY name) FROM pg_catalog.pg_available_extensions), '[]'::pg_catalog.json)
)
