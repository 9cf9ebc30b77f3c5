-- How the sequences follow those of the source, as one JSON document or null. $1 is the slot's name.
SELECT COALESCE((
  SELECT pg_catalog.json_build_object(
    'looked_at', l.looked_at,
    'age_s', pg_catalog.floor(EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - l.looked_at))::pg_catalog.int8,
    'count', l.sequence_count,
    'moved', l.moved_count,
    'unfollowed', l.unfollowed)
  FROM pgstream.sequence_look AS l
  WHERE l.slot_name = $1 AND l.looked_at IS NOT NULL),
  'null')::pg_catalog.text
