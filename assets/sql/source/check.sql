-- Everything that `check` asks of the source, as one JSON document.
-- $1 is the slot's name.
WITH user_relation AS (
  SELECT c.oid, c.relnamespace, n.nspname, c.relname, c.relkind, c.relreplident
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p')
    AND c.relpersistence = 'p'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgstream')
    AND n.nspname NOT LIKE 'pg\_toast%'
),
user_column AS (
  SELECT r.oid AS relation, r.nspname, r.relname, a.attname, a.attnum, a.attcollation,
    COALESCE(NULLIF(element.typelem, 0), a.atttypid) AS type,
    pg_catalog.format_type(a.atttypid, a.atttypmod) || COALESCE((
      SELECT pg_catalog.format(' COLLATE %I.%I', n.nspname, k.collname)
      FROM pg_catalog.pg_collation k
      JOIN pg_catalog.pg_namespace n ON n.oid = k.collnamespace
      JOIN pg_catalog.pg_type own ON own.oid = a.atttypid
      WHERE k.oid = a.attcollation AND k.oid <> own.typcollation), '') AS type_text
  FROM user_relation r
  JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_type element ON element.oid = a.atttypid AND element.typcategory = 'A'
)
SELECT pg_catalog.json_build_object(
  'server', $server,
  'replication_role', role.rolsuper OR role.rolreplication OR EXISTS (
    SELECT FROM pg_catalog.pg_roles managed
    WHERE managed.rolname IN ('rds_replication', 'cloudsqlreplica')
      AND pg_catalog.pg_has_role(managed.oid, 'MEMBER')),
  'wal_level', pg_catalog.current_setting('wal_level'),
  'hot_standby_feedback', pg_catalog.current_setting('hot_standby_feedback') = 'on',
  'wal_end', CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN
      pg_catalog.pg_current_wal_flush_lsn()::pg_catalog.text END,
  'max_replication_slots', pg_catalog.current_setting('max_replication_slots')::pg_catalog.int8,
  'replication_slot_count', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots),
  'max_wal_senders', pg_catalog.current_setting('max_wal_senders')::pg_catalog.int8,
  'wal_sender_count', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication),
  'output_plugin_libraries', (
    SELECT g.setting FROM pg_catalog.pg_settings g WHERE g.name = 'output_plugin_libraries'),
  'slot', (
    SELECT pg_catalog.json_build_object(
      'plugin', COALESCE(s.plugin, ''),
      'logical', s.slot_type = 'logical',
      'database', COALESCE(s.database, ''),
      'active_pid', s.active_pid,
      'active_application', (
        SELECT a.application_name FROM pg_catalog.pg_stat_activity a WHERE a.pid = s.active_pid),
      'wal_status', s.wal_status,
      'confirmed_lsn', s.confirmed_flush_lsn::pg_catalog.text)
    FROM pg_catalog.pg_replication_slots s WHERE s.slot_name = $1),
  'slots', COALESCE((
    SELECT pg_catalog.json_agg(s.slot_name) FROM pg_catalog.pg_replication_slots s), '[]'::pg_catalog.json),
  'schema_log', $schema_log,
  'installation_readable', (
    SELECT pg_catalog.bool_and(pg_catalog.has_schema_privilege(n.oid, 'USAGE')
      AND pg_catalog.has_table_privilege(c.oid, 'SELECT'))
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'pgstream' AND c.relname IN ('installation', 'pipeline')),
  'unreadable_free_sequences', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object('schema', n.nspname, 'name', q.relname)
                               ORDER BY n.nspname, q.relname)
    FROM pg_catalog.pg_class q
    JOIN pg_catalog.pg_namespace n ON n.oid = q.relnamespace
    WHERE q.relkind = 'S' AND q.relpersistence <> 't' AND q.oid >= 16384 AND n.nspname <> 'pgstream'
      AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = q.oid
          AND (d.deptype IN ('a', 'i') AND d.refobjsubid > 0 OR d.deptype = 'e'))
      AND CASE q.relkind WHEN 'S' THEN NOT pg_catalog.has_sequence_privilege(q.oid, 'SELECT') END),
    '[]'::pg_catalog.json),
  'unlogged_tables', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object('schema', n.nspname, 'name', u.relname)
                               ORDER BY n.nspname, u.relname)
    FROM pg_catalog.pg_class u
    JOIN pg_catalog.pg_namespace n ON n.oid = u.relnamespace
    WHERE u.relkind IN ('r', 'p') AND u.relpersistence = 'u' AND n.nspname <> 'pgstream'),
    '[]'::pg_catalog.json),
  'tables', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'name', pg_catalog.json_build_object('schema', r.nspname, 'name', r.relname),
      'without_identity', r.relkind = 'r' AND r.relreplident <> 'f' AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_index i
        WHERE i.indrelid = r.oid
          AND (r.relreplident = 'd' AND i.indisprimary OR r.relreplident = 'i' AND i.indisreplident)),
      'virtual_columns', EXISTS (
        SELECT FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = r.oid AND a.attgenerated = 'v' AND NOT a.attisdropped),
      'whole_row_identity', r.relreplident = 'f',
      'schema_usable', COALESCE(pg_catalog.has_schema_privilege(r.relnamespace, 'USAGE'), true),
      'hides_rows', COALESCE(pg_catalog.row_security_active(r.oid), false),
      'readable', COALESCE(pg_catalog.has_table_privilege(r.oid, 'SELECT'), true),
      'unreadable_sequences', $sequences,
      'columns', COALESCE((
        SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
          'name', u.attname, 'type', u.type_text) ORDER BY u.attnum)
        FROM user_column u WHERE u.relation = r.oid), '[]'::pg_catalog.json))
      ORDER BY r.nspname, r.relname)
    FROM user_relation r), '[]'::pg_catalog.json),
  'computed', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'table', pg_catalog.json_build_object('schema', u.nspname, 'name', u.relname),
      'column', u.attname, 'type', u.type_text, 'stored', a.attgenerated = 's',
      'expression', pg_catalog.pg_get_expr(d.adbin, d.adrelid)) ORDER BY u.nspname, u.relname, u.attnum)
    FROM user_column u
    JOIN pg_catalog.pg_attribute a
      ON a.attrelid = u.relation AND a.attnum = u.attnum AND a.attgenerated <> ''
    JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum), '[]'::pg_catalog.json),
  'partitions', $partitions,
  'configuration_tables', COALESCE((
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
      'table', pg_catalog.json_build_object('schema', n.nspname, 'name', c.relname),
      'extension', e.extname, 'condition', e.extcondition[k.place]) ORDER BY n.nspname, c.relname)
    FROM pg_catalog.pg_extension e
    CROSS JOIN LATERAL pg_catalog.unnest(e.extconfig) WITH ORDINALITY AS k (oid, place)
    JOIN pg_catalog.pg_class c ON c.oid = k.oid AND c.relkind IN ('r', 'p')
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace), '[]'::pg_catalog.json),
  'types', COALESCE((
    SELECT pg_catalog.json_agg(DISTINCT pg_catalog.jsonb_build_object(
      'name', pg_catalog.jsonb_build_object('schema', n.nspname, 'name', t.typname),
      'labels', (
        SELECT pg_catalog.jsonb_agg(e.enumlabel ORDER BY e.enumsortorder)
        FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid),
      'used_by', pg_catalog.jsonb_build_object('schema', u.nspname, 'name', u.relname)))
    FROM user_column u
    JOIN pg_catalog.pg_type t ON t.oid = u.type
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgstream')
      AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
          AND d.objid = t.oid AND d.deptype = 'e')), '[]'::pg_catalog.json),
  'collations', COALESCE((
    SELECT pg_catalog.json_agg(DISTINCT pg_catalog.jsonb_build_object(
      'name', pg_catalog.jsonb_build_object('schema', n.nspname, 'name', k.collname),
      'provider', CASE k.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
      'locale', COALESCE(
        pg_catalog.to_jsonb(k) ->> 'colllocale',
        pg_catalog.to_jsonb(k) ->> 'colliculocale',
        pg_catalog.to_jsonb(k) ->> 'collcollate'),
      'used_by', pg_catalog.jsonb_build_object('schema', u.nspname, 'name', u.relname)))
    FROM user_column u
    JOIN pg_catalog.pg_collation k ON k.oid = u.attcollation
    JOIN pg_catalog.pg_namespace n ON n.oid = k.collnamespace
    WHERE k.collprovider <> 'd' AND k.collname NOT IN ('C', 'POSIX')), '[]'::pg_catalog.json)
)::pg_catalog.text
FROM pg_catalog.pg_roles role, pg_catalog.pg_database base
WHERE role.rolname = CURRENT_USER AND base.datname = pg_catalog.current_database()
