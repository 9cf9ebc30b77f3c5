-- Why run ended or stands, until that is overcome, as one JSON document or null. $1 is the slot's name.
SELECT COALESCE((
  SELECT s.failure
  FROM pgstream.last_stop AS s
  WHERE s.slot_name = $1 AND NOT EXISTS (
    SELECT FROM pgstream.checkpoint AS c
    WHERE c.slot_name = s.slot_name
      AND c.end_lsn > (s.failure #>> '{transaction,commit_lsn}')::pg_catalog.pg_lsn)),
  'null')::pg_catalog.text
