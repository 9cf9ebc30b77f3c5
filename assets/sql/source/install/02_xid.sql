-- Identifiers of the schema log: 20 characters that sort by the time of their making. Eleven
-- characters of base 32 hold microseconds since 1970, nine are random.
DO $install$
BEGIN
  IF pg_catalog.to_regtype('pgstream.xid') IS NULL THEN
    CREATE DOMAIN pgstream.xid AS text CHECK (VALUE ~ '^[0-9a-v]{20}$');
  END IF;
END
$install$;

CREATE OR REPLACE FUNCTION pgstream.xid() RETURNS pgstream.xid
LANGUAGE sql VOLATILE
RETURN (
  SELECT (
    (SELECT string_agg(substr('0123456789abcdefghijklmnopqrstuv',
                              ((made.microseconds >> (5 * digit)) & 31)::integer + 1, 1),
                       '' ORDER BY digit DESC)
       FROM generate_series(0, 10) AS digit)
    || substr(replace(gen_random_uuid()::text, '-', ''), 1, 9)
  )::pgstream.xid
  FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS made (microseconds)
);

-- REMOVAL
DROP FUNCTION IF EXISTS pgstream.xid();
DROP DOMAIN IF EXISTS pgstream.xid;
