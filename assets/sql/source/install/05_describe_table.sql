-- What a table is, from the catalogs. In PL/pgSQL, like all that runs for every command: its plans
-- are made once a session, those of SQL functions at every call.
--
-- Texts name other objects as they are called now; what decides
-- whether something changed are OIDs, column numbers and hashes of stored expressions, because a
-- rename elsewhere changes every text that mentions the name.

-- The value that rows older than the column show: ADD COLUMN ... DEFAULT now() stores one value for
-- all of them (pg_attribute.attmissingval), and only this value is right on the target.
CREATE OR REPLACE FUNCTION pgstream.missing_value(value text, delimiter "char") RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE
  WHEN delimiter = ',' OR value LIKE '{"%' THEN (value::text[])[1]
  ELSE substr(value, 2, length(value) - 2)
END;

-- PostgreSQL 18 keeps NOT NULL as a constraint with a name; before, there is only the flag.
CREATE OR REPLACE FUNCTION pgstream.describe_not_null(relation oid, number smallint) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'name', c.conname,
      'no_inherit', c.connoinherit,
      'validated', c.convalidated,
      'local', c.conislocal,
      'inherited', c.coninhcount,
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_constraint'::regclass AND m.objoid = c.oid AND m.objsubid = 0)))
    FROM pg_constraint AS c
    WHERE c.conrelid = relation AND c.contype = 'n' AND c.conkey = ARRAY[number]
  );
END
$function$;

-- Only the expression of a generated column names others. To read one with its table, pg_get_expr names all
-- columns of the table: for hundreds of defaults that takes the square of their number.
--
-- Of the options only those that ALTER TABLE ... ALTER COLUMN ... SET takes: some minors of the server
-- keep marks of their own there (pg_attver), which no statement can set.
CREATE OR REPLACE FUNCTION pgstream.describe_columns(relation oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
      'number', a.attnum,
      'name', a.attname,
      'type', format_type(a.atttypid, a.atttypmod),
      'type_oid', a.atttypid::bigint,
      'typmod', a.atttypmod,
      'collation', CASE WHEN a.attcollation <> t.typcollation THEN
          (SELECT format('%I.%I', n.nspname, c.collname)
             FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace
            WHERE c.oid = a.attcollation) END,
      'not_null', a.attnotnull,
      'not_null_constraint', CASE WHEN a.attnotnull
        AND current_setting('server_version_num')::integer >= 180000 THEN
          pgstream.describe_not_null(a.attrelid, a.attnum) END,
      'default', pg_get_expr(d.adbin, CASE WHEN a.attgenerated <> '' THEN d.adrelid ELSE 0 END),
      'default_hash', md5(d.adbin::text),
      'missing', CASE WHEN a.atthasmissing THEN
          pgstream.missing_value(a.attmissingval::text, t.typdelim) END,
      'identity', nullif(a.attidentity::text, ''),
      'generated', nullif(a.attgenerated::text, ''),
      'storage', a.attstorage::text,
      'type_storage', t.typstorage::text,
      'compression', nullif(a.attcompression::text, ''),
      'statistics', nullif(a.attstattarget, -1),
      'options', (SELECT to_jsonb(array_agg(o ORDER BY o)) FROM unnest(a.attoptions) AS o
                   WHERE o LIKE 'n\_distinct%'),
      'local', a.attislocal,
      'inherited', a.attinhcount,
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_class'::regclass AND m.objoid = a.attrelid AND m.objsubid = a.attnum)
    )) ORDER BY a.attnum)
    FROM pg_attribute AS a
    JOIN pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_table(relation oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'name', c.relname,
      'schema_oid', c.relnamespace::bigint,
      'partition_key', CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
      'partition_bound', pg_get_expr(c.relpartbound, c.oid),
      'persistence', c.relpersistence::text,
      'access_method', (SELECT m.amname FROM pg_am AS m WHERE m.oid = c.relam),
      'of_type', CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END,
      'options', to_jsonb(c.reloptions),
      'toast_options', (SELECT to_jsonb(s.reloptions) FROM pg_class AS s WHERE s.oid = c.reltoastrelid),
      'parents', (SELECT jsonb_agg(jsonb_build_object('oid', i.inhparent::bigint) ORDER BY i.inhseqno)
                    FROM pg_inherits AS i WHERE i.inhrelid = c.oid),
      'replica_identity', c.relreplident::text,
      'owner', pg_get_userbyid(c.relowner),
      'row_security', c.relrowsecurity,
      'row_security_forced', c.relforcerowsecurity,
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_class'::regclass AND m.objoid = c.oid AND m.objsubid = 0),
      'columns', coalesce(pgstream.describe_columns(c.oid), '[]'::jsonb)
    ))
    FROM pg_class AS c WHERE c.oid = relation
  );
END
$function$;

-- REMOVAL
DROP FUNCTION IF EXISTS pgstream.describe_table(oid);
DROP FUNCTION IF EXISTS pgstream.describe_columns(oid);
DROP FUNCTION IF EXISTS pgstream.describe_not_null(oid, smallint);
DROP FUNCTION IF EXISTS pgstream.missing_value(text, "char");
