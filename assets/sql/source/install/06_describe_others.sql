-- Indexes, constraints, sequences, types and schemas, each from its catalogs.

CREATE OR REPLACE FUNCTION pgstream.describe_index(relation oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'name', c.relname,
      'table_oid', i.indrelid::bigint,
      'definition', pg_get_indexdef(i.indexrelid),
      'partitioned', c.relkind = 'I',
      'materialized', CASE WHEN (SELECT t.relkind FROM pg_class AS t WHERE t.oid = i.indrelid) = 'm' THEN true END,
      'valid', i.indisvalid,
      'clustered', i.indisclustered,
      'replica_identity', i.indisreplident,
      'constraint', (SELECT k.oid::bigint FROM pg_constraint AS k
                      WHERE k.conrelid = i.indrelid AND k.conindid = i.indexrelid
                        AND k.contype IN ('p', 'u', 'x')),
      'parent_oid', (SELECT h.inhparent::bigint FROM pg_inherits AS h WHERE h.inhrelid = c.oid),
      'options', to_jsonb(c.reloptions),
      'statistics', (SELECT jsonb_agg(jsonb_build_array(a.attnum, a.attstattarget) ORDER BY a.attnum)
                       FROM pg_attribute AS a
                      WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attstattarget >= 0),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_class'::regclass AND m.objoid = c.oid AND m.objsubid = 0)
    ))
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indexrelid = relation
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_constraint(constraint_oid oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'name', c.conname,
      'table_oid', c.conrelid::bigint,
      'type', c.contype::text,
      'definition', pg_get_constraintdef(c.oid),
      'deferrable', c.condeferrable,
      'deferred', c.condeferred,
      'validated', c.convalidated,
      'enforced', to_jsonb(c) -> 'conenforced',
      'local', c.conislocal,
      'inherited', c.coninhcount,
      'no_inherit', c.connoinherit,
      'parent_oid', nullif(c.conparentid, 0)::bigint,
      'index_oid', CASE WHEN c.contype IN ('p', 'u', 'x') THEN c.conindid::bigint END,
      'referenced_oid', nullif(c.confrelid, 0)::bigint,
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_constraint'::regclass AND m.objoid = c.oid AND m.objsubid = 0)
    ))
    FROM pg_constraint AS c WHERE c.oid = constraint_oid
  );
END
$function$;

-- An owned sequence goes with its column: dependency "a" for SERIAL and OWNED BY, "i" for identity.
CREATE OR REPLACE FUNCTION pgstream.describe_sequence(relation oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'name', c.relname,
      'schema_oid', c.relnamespace::bigint,
      'type', format_type(s.seqtypid, NULL),
      'start', s.seqstart::text,
      'increment', s.seqincrement::text,
      'minimum', s.seqmin::text,
      'maximum', s.seqmax::text,
      'cache', s.seqcache::text,
      'cycle', s.seqcycle,
      'persistence', c.relpersistence::text,
      'table_oid', d.refobjid::bigint,
      'column_number', d.refobjsubid,
      'column', (SELECT a.attname FROM pg_attribute AS a
                  WHERE a.attrelid = d.refobjid AND a.attnum = d.refobjsubid),
      'identity', d.deptype = 'i',
      'owner', pg_get_userbyid(c.relowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_class'::regclass AND m.objoid = c.oid AND m.objsubid = 0)
    ))
    FROM pg_sequence AS s
    JOIN pg_class AS c ON c.oid = s.seqrelid
    LEFT JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
      AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
    WHERE s.seqrelid = relation
  );
END
$function$;

-- Where a sequence stands. Whoever alters one waits for all who have drawn from it, so that it stands still.
CREATE OR REPLACE FUNCTION pgstream.sequence_position(relation oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
DECLARE
  position pg_catalog.jsonb;
BEGIN
  EXECUTE (SELECT format('SELECT jsonb_build_object(''last'', s.last_value, ''called'', s.is_called) FROM %I.%I AS s',
                         n.nspname, c.relname)
             FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.oid = relation AND c.relkind = 'S')
     INTO position;
  RETURN position;
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_range(type_oid oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'subtype', format_type(r.rngsubtype, NULL),
      'operator_class', (SELECT CASE WHEN NOT o.opcdefault THEN format('%I.%I', n.nspname, o.opcname) END
                           FROM pg_opclass AS o JOIN pg_namespace AS n ON n.oid = o.opcnamespace
                          WHERE o.oid = r.rngsubopc),
      'collation', (SELECT format('%I.%I', n.nspname, c.collname)
                      FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace
                      JOIN pg_type AS t ON t.oid = r.rngsubtype
                     WHERE c.oid = r.rngcollation AND t.typcollation <> c.oid),
      'canonical', nullif(r.rngcanonical::oid, 0)::regproc::text,
      'difference', nullif(r.rngsubdiff::oid, 0)::regproc::text,
      'multirange', format_type(r.rngmultitypid, NULL),
      'multirange_name', (SELECT t.typname FROM pg_type AS t WHERE t.oid = r.rngmultitypid)
    ))
    FROM pg_range AS r WHERE r.rngtypid = type_oid
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_type(type_oid oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'name', t.typname,
      'schema_oid', t.typnamespace::bigint,
      'category', CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain'
                                 WHEN 'c' THEN 'composite' WHEN 'r' THEN 'range' END,
      'labels', CASE WHEN t.typtype = 'e' THEN (
          SELECT coalesce(jsonb_agg(jsonb_build_object('oid', e.oid::bigint, 'label', e.enumlabel)
                                    ORDER BY e.enumsortorder), '[]')
            FROM pg_enum AS e WHERE e.enumtypid = t.oid) END,
      'base', CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
      'collation', CASE WHEN t.typtype = 'd' THEN (
          SELECT format('%I.%I', n.nspname, c.collname)
            FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace
            JOIN pg_type AS b ON b.oid = t.typbasetype
           WHERE c.oid = t.typcollation AND b.typcollation <> c.oid) END,
      'default', CASE WHEN t.typtype = 'd' THEN
          coalesce(pg_get_expr(t.typdefaultbin, 0), quote_literal(t.typdefault)) END,
      'default_hash', CASE WHEN t.typtype = 'd' THEN md5(coalesce(t.typdefaultbin::text, t.typdefault)) END,
      'not_null', t.typnotnull,
      'constraints', (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
            'oid', c.oid::bigint, 'name', c.conname, 'definition', pg_get_constraintdef(c.oid),
            'validated', c.convalidated, 'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_constraint'::regclass AND m.objoid = c.oid AND m.objsubid = 0)))
            ORDER BY c.conname)
          FROM pg_constraint AS c WHERE c.contypid = t.oid AND c.contype = 'c'),
      'attributes', CASE WHEN t.typtype = 'c' THEN coalesce(pgstream.describe_columns(t.typrelid), '[]') END,
      'range', pgstream.describe_range(t.oid),
      'owner', pg_get_userbyid(t.typowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_type'::regclass AND m.objoid = t.oid AND m.objsubid = 0)
    ))
    FROM pg_type AS t WHERE t.oid = type_oid
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_schema(schema_oid oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'name', n.nspname,
      'owner', pg_get_userbyid(n.nspowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_namespace'::regclass AND m.objoid = n.oid AND m.objsubid = 0)
    ))
    FROM pg_namespace AS n WHERE n.oid = schema_oid
  );
END
$function$;

-- REMOVAL
DROP FUNCTION IF EXISTS pgstream.describe_schema(oid);
DROP FUNCTION IF EXISTS pgstream.describe_type(oid);
DROP FUNCTION IF EXISTS pgstream.describe_range(oid);
DROP FUNCTION IF EXISTS pgstream.sequence_position(oid);
DROP FUNCTION IF EXISTS pgstream.describe_sequence(oid);
DROP FUNCTION IF EXISTS pgstream.describe_constraint(oid);
DROP FUNCTION IF EXISTS pgstream.describe_index(oid);
