-- Everything that `check` asks of the target, as one JSON document.
SELECT pg_catalog.json_build_object(
  'server', $server,
  'creates_in_database', pg_catalog.has_database_privilege(base.oid, 'CREATE'),
  'makes_temporary', pg_catalog.has_database_privilege(base.oid, 'TEMPORARY'),
  'own_schema', (
    SELECT pg_catalog.json_build_object(
      'usable', pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
      'creatable', pg_catalog.has_schema_privilege(n.oid, 'CREATE'))
    FROM pg_catalog.pg_namespace n WHERE n.nspname = 'pgstream'),
  'own_tables', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', c.relname,
      'usable', pg_catalog.has_table_privilege(c.oid, 'SELECT')
        AND pg_catalog.has_table_privilege(c.oid, 'INSERT')
        AND pg_catalog.has_table_privilege(c.oid, 'UPDATE')
        AND pg_catalog.has_table_privilege(c.oid, 'DELETE')) ORDER BY c.relname)
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'pgstream'
      AND c.relname IN ('checkpoint', 'skipped_transaction', 'schema_change',
                        'snapshot_table', 'snapshot_part', 'snapshot_step',
                        'paired_snapshot', 'verified_table', 'proved_table', 'verification', 'repair', 'last_stop', 'silenced', 'left_alone',
                        'sequence_look', 'left_table')), '[]'::pg_catalog.json),
  'schemas', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', n.nspname,
      'creatable', pg_catalog.has_schema_privilege(n.oid, 'CREATE')) ORDER BY n.nspname)
    FROM pg_catalog.pg_namespace n), '[]'::pg_catalog.json),
  'tables', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', pg_catalog.json_build_object('schema', n.nspname, 'name', c.relname),
      'owned', pg_catalog.pg_has_role(c.relowner, 'USAGE'),
      'owner', pg_catalog.pg_get_userbyid(c.relowner),
      'schema_usable', pg_catalog.has_schema_privilege(n.oid, 'USAGE'),
      'missing_privileges', COALESCE((
        SELECT pg_catalog.json_agg(privilege ORDER BY ordinal)
        FROM pg_catalog.unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'])
          WITH ORDINALITY AS p(privilege, ordinal)
        WHERE NOT pg_catalog.has_table_privilege(c.oid, p.privilege)), '[]'::pg_catalog.json),
      'closed_sequences', $sequences,
      'columns', COALESCE((
        SELECT pg_catalog.json_agg(a.attname ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]'::pg_catalog.json))
      ORDER BY n.nspname, c.relname)
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p')
      AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgstream')
      AND n.nspname NOT LIKE 'pg\_toast%'), '[]'::pg_catalog.json),
  'computed', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'table', pg_catalog.json_build_object('schema', n.nspname, 'name', c.relname), 'column', a.attname))
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attgenerated <> '' AND NOT a.attisdropped), '[]'::pg_catalog.json),
  'partitions', $partitions,
  'acting_keys', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', f.conname,
      'table', pg_catalog.json_build_object('schema', n.nspname, 'name', c.relname)) ORDER BY n.nspname, c.relname, f.conname)
    FROM pg_catalog.pg_constraint f
    JOIN pg_catalog.pg_class c ON c.oid = f.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE f.contype = 'f' AND f.conparentid = 0
      AND NOT (f.confdeltype IN ('a', 'r') AND f.confupdtype IN ('a', 'r'))), '[]'::pg_catalog.json),
  'types', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object('schema', n.nspname, 'name', t.typname))
    FROM pg_catalog.pg_type t
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype IN ('c', 'd', 'e', 'r') AND n.nspname NOT IN ('pg_catalog', 'information_schema')),
    '[]'::pg_catalog.json),
  'foreign_types', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', pg_catalog.json_build_object('schema', n.nspname, 'name', t.typname),
      'owner', pg_catalog.pg_get_userbyid(t.typowner)) ORDER BY n.nspname, t.typname)
    FROM pg_catalog.pg_type t
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype IN ('c', 'd', 'e', 'r') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND NOT pg_catalog.pg_has_role(t.typowner, 'USAGE')), '[]'::pg_catalog.json),
  'collations', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object('schema', n.nspname, 'name', k.collname))
    FROM pg_catalog.pg_collation k
    JOIN pg_catalog.pg_namespace n ON n.oid = k.collnamespace
    WHERE k.collencoding IN (-1, base.encoding)), '[]'::pg_catalog.json)
)::pg_catalog.text
FROM pg_catalog.pg_roles role, pg_catalog.pg_database base
WHERE role.rolname = CURRENT_USER AND base.datname = pg_catalog.current_database()
