-- All logical slots of the source, $1 (ours) first, and where its WAL ends.
SELECT pg_catalog.json_build_object(
  'wal_end', w.wal_end,
  'slots', COALESCE((
    SELECT pg_catalog.json_agg(d.slot ORDER BY d.ours DESC, d.retained DESC NULLS LAST)
    FROM (
      SELECT s.slot_name = $1 AS ours,
             pg_catalog.pg_wal_lsn_diff(w.wal_end, s.restart_lsn) AS retained,
             pg_catalog.json_build_object(
               'slot_name', s.slot_name,
               'plugin', s.plugin,
               'database', s.database,
               'active', s.active,
               'active_pid', s.active_pid,
               'reader', (
                 SELECT pg_catalog.concat_ws(', ', NULLIF(a.application_name, ''), a.usename,
                                             'from ' || pg_catalog.host(a.client_addr))
                 FROM pg_catalog.pg_stat_activity AS a
                 WHERE a.pid = s.active_pid),
               'restart_lsn', s.restart_lsn,
               'confirmed_flush_lsn', s.confirmed_flush_lsn,
               'retained_bytes', pg_catalog.pg_wal_lsn_diff(w.wal_end, s.restart_lsn)::pg_catalog.int8,
               'wal_status', s.wal_status,
               'safe_wal_bytes', s.safe_wal_size,
               'spill_count', COALESCE(t.spill_txns, 0),
               'spill_bytes', COALESCE(t.spill_bytes, 0),
               'ours', s.slot_name = $1,
               'lost_in_s', NULL) AS slot
      FROM pg_catalog.pg_replication_slots AS s
      LEFT JOIN pg_catalog.pg_stat_replication_slots AS t ON t.slot_name = s.slot_name
      WHERE s.slot_type = 'logical') AS d), '[]'))::pg_catalog.text
FROM (
  SELECT CASE WHEN pg_catalog.pg_is_in_recovery()
              THEN GREATEST(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
              ELSE pg_catalog.pg_current_wal_lsn() END AS wal_end) AS w
