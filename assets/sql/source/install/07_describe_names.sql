-- Collations, conversions, casts, operators and what is made of them. A part is what can be altered while the
-- object stays what it is: "value" tells whether it changed, "text" is what ALTER says of it, "drop" what ALTER
-- says to take it away; those with "set" stand in one list behind that word. Columns that a later version
-- of the server brought are looked for in the row as JSON.

CREATE OR REPLACE FUNCTION pgstream.describe_collation(collation_oid oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'collation',
      'name', c.collname,
      'schema_oid', c.collnamespace::bigint,
      'definition', format('CREATE COLLATION %I.%I (%s)', n.nspname, c.collname, concat_ws(', ',
        'PROVIDER = ' || CASE c.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
        CASE WHEN NOT c.collisdeterministic THEN 'DETERMINISTIC = false' END,
        'LOCALE = ' || quote_literal(coalesce(r.row ->> 'colllocale', r.row ->> 'colliculocale',
          CASE WHEN c.collprovider = 'i' OR c.collcollate = c.collctype THEN c.collcollate::text END)),
        CASE WHEN c.collprovider <> 'i' AND c.collcollate <> c.collctype
             THEN format('LC_COLLATE = %L, LC_CTYPE = %L', c.collcollate, c.collctype) END,
        'RULES = ' || quote_literal(r.row ->> 'collicurules'))),
      'hash', md5((r.row - '{oid,collname,collnamespace,collowner,collversion}'::text[])::text),
      'owner', pg_get_userbyid(c.collowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_collation'::regclass AND m.objoid = c.oid AND m.objsubid = 0)
    ))
    FROM pg_collation AS c JOIN pg_namespace AS n ON n.oid = c.collnamespace
    CROSS JOIN LATERAL to_jsonb(c) AS r (row)
    WHERE c.oid = collation_oid
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_conversion(conversion oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'conversion',
      'name', c.conname,
      'schema_oid', c.connamespace::bigint,
      'definition', format('CREATE %sCONVERSION %I.%I FOR %L TO %L FROM %s',
        CASE WHEN c.condefault THEN 'DEFAULT ' END, n.nspname, c.conname,
        pg_encoding_to_char(c.conforencoding), pg_encoding_to_char(c.contoencoding), c.conproc),
      'hash', md5(concat_ws(' ', c.condefault, c.conforencoding, c.contoencoding, c.conproc::oid)),
      'owner', pg_get_userbyid(c.conowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_conversion'::regclass AND m.objoid = c.oid AND m.objsubid = 0)
    ))
    FROM pg_conversion AS c JOIN pg_namespace AS n ON n.oid = c.connamespace WHERE c.oid = conversion
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_cast(cast_oid oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'cast',
      'name', '',
      'signature', t.name,
      'definition', concat('CREATE CAST ', t.name,
        CASE c.castmethod WHEN 'f' THEN ' WITH FUNCTION ' || c.castfunc::regprocedure
                          WHEN 'i' THEN ' WITH INOUT' ELSE ' WITHOUT FUNCTION' END,
        CASE c.castcontext WHEN 'a' THEN ' AS ASSIGNMENT' WHEN 'i' THEN ' AS IMPLICIT' END),
      'hash', md5((to_jsonb(c) - 'oid')::text),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_cast'::regclass AND m.objoid = c.oid AND m.objsubid = 0)
    ))
    FROM pg_cast AS c
    CROSS JOIN LATERAL format('(%s AS %s)', format_type(c.castsource, NULL), format_type(c.casttarget, NULL)) AS t (name)
    WHERE c.oid = cast_oid
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_transform(transform oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'transform',
      'name', '',
      'signature', t.name,
      'definition', format('CREATE TRANSFORM %s (%s)', t.name, concat_ws(', ',
        'FROM SQL WITH FUNCTION ' || nullif(x.trffromsql::oid, 0)::regprocedure,
        'TO SQL WITH FUNCTION ' || nullif(x.trftosql::oid, 0)::regprocedure)),
      'hash', md5((to_jsonb(x) - 'oid')::text),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_transform'::regclass AND m.objoid = x.oid AND m.objsubid = 0)
    ))
    FROM pg_transform AS x JOIN pg_language AS l ON l.oid = x.trflang
    CROSS JOIN LATERAL format('FOR %s LANGUAGE %I', format_type(x.trftype, NULL), l.lanname) AS t (name)
    WHERE x.oid = transform
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_language(language oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'language',
      'name', l.lanname,
      'definition', concat(format('CREATE %sLANGUAGE %I', CASE WHEN l.lanpltrusted THEN 'TRUSTED ' END, l.lanname),
        ' HANDLER ' || nullif(l.lanplcallfoid, 0)::regproc,
        ' INLINE ' || nullif(l.laninline, 0)::regproc,
        ' VALIDATOR ' || nullif(l.lanvalidator, 0)::regproc),
      'hash', md5(concat_ws(' ', l.lanpltrusted, l.lanplcallfoid, l.laninline, l.lanvalidator)),
      'owner', pg_get_userbyid(l.lanowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_language'::regclass AND m.objoid = l.oid AND m.objsubid = 0)
    ))
    FROM pg_language AS l WHERE l.oid = language
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_access_method(method oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'access method',
      'name', a.amname,
      'definition', format('CREATE ACCESS METHOD %I TYPE %s HANDLER %s', a.amname,
        CASE a.amtype WHEN 't' THEN 'TABLE' ELSE 'INDEX' END, a.amhandler),
      'hash', md5(concat(a.amtype, a.amhandler::oid)),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_am'::regclass AND m.objoid = a.oid AND m.objsubid = 0)
    ))
    FROM pg_am AS a WHERE a.oid = method
  );
END
$function$;

-- How statements call an operator.
CREATE OR REPLACE FUNCTION pgstream.operator_name(operator oid) RETURNS text
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (SELECT format('%I.%s', n.nspname, o.oprname)
            FROM pg_operator AS o JOIN pg_namespace AS n ON n.oid = o.oprnamespace WHERE o.oid = operator);
END
$function$;

-- Before 17 only the estimators can be altered.
CREATE OR REPLACE FUNCTION pgstream.operator_parts(operator oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_agg(jsonb_build_object('key', p.key, 'set', 'SET', 'text', concat(p.key, ' = ', p.value),
                                        'value', p.same, 'drop', p.without) ORDER BY p.key)
      FROM pg_operator AS o
      CROSS JOIN LATERAL (VALUES
        ('RESTRICT', nullif(o.oprrest::oid, 0)::regproc::text, o.oprrest::oid, 'RESTRICT = NONE', true),
        ('JOIN', nullif(o.oprjoin::oid, 0)::regproc::text, o.oprjoin::oid, 'JOIN = NONE', true),
        ('COMMUTATOR', 'OPERATOR(' || pgstream.operator_name(o.oprcom) || ')', o.oprcom, NULL, false),
        ('NEGATOR', 'OPERATOR(' || pgstream.operator_name(o.oprnegate) || ')', o.oprnegate, NULL, false),
        ('HASHES', CASE WHEN o.oprcanhash THEN 'true' END, 1, NULL, false),
        ('MERGES', CASE WHEN o.oprcanmerge THEN 'true' END, 1, NULL, false)
      ) AS p (key, value, same, without, always)
     WHERE o.oid = operator AND p.value IS NOT NULL
       AND (p.always OR current_setting('server_version_num')::integer >= 170000)
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_operator(operator oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'operator',
      'name', o.oprname,
      'schema_oid', o.oprnamespace::bigint,
      'signature', format(' (%s, %s)', coalesce(format_type(nullif(o.oprleft, 0), NULL), 'NONE'),
                                       format_type(o.oprright, NULL)),
      'definition', format('CREATE OPERATOR %s (%s)', pgstream.operator_name(o.oid), concat_ws(', ',
        'FUNCTION = ' || o.oprcode,
        'LEFTARG = ' || format_type(nullif(o.oprleft, 0), NULL),
        'RIGHTARG = ' || format_type(o.oprright, NULL),
        'COMMUTATOR = OPERATOR(' || pgstream.operator_name(o.oprcom) || ')',
        'NEGATOR = OPERATOR(' || pgstream.operator_name(o.oprnegate) || ')',
        'RESTRICT = ' || nullif(o.oprrest::oid, 0)::regproc,
        'JOIN = ' || nullif(o.oprjoin::oid, 0)::regproc,
        CASE WHEN o.oprcanhash THEN 'HASHES' END, CASE WHEN o.oprcanmerge THEN 'MERGES' END)),
      'hash', md5(concat_ws(' ', o.oprkind, o.oprleft, o.oprright, o.oprresult, o.oprcode::oid)),
      'parts', pgstream.operator_parts(o.oid),
      'owner', pg_get_userbyid(o.oprowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_operator'::regclass AND m.objoid = o.oid AND m.objsubid = 0)
    ))
    FROM pg_operator AS o WHERE o.oid = operator
  );
END
$function$;

-- The operators and functions that hang on an operator class or, loosely, on a family: what they do there, and
-- what DROP calls them.
CREATE OR REPLACE FUNCTION pgstream.operator_members(class oid, family oid)
RETURNS TABLE (key text, text text, without text)
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN QUERY
  SELECT format('%s %s', k.key, p.oid),
         format('OPERATOR %s %s (%s)%s', p.amopstrategy, pgstream.operator_name(p.amopopr), k.types,
           (SELECT format(' FOR ORDER BY %I.%I', n.nspname, f.opfname)
              FROM pg_opfamily AS f JOIN pg_namespace AS n ON n.oid = f.opfnamespace WHERE f.oid = p.amopsortfamily)),
         format('OPERATOR %s (%s)', p.amopstrategy, k.types)
    FROM pg_amop AS p
    CROSS JOIN LATERAL format('%s, %s', format_type(p.amoplefttype, NULL), format_type(p.amoprighttype, NULL)) AS t (types)
    CROSS JOIN LATERAL (VALUES (concat('a', lpad(p.amopstrategy::text, 5, '0')), t.types)) AS k (key, types)
   WHERE (operator_members.class <> 'pg_opfamily'::regclass OR p.amopfamily = family)
     AND p.oid IN (SELECT d.objid FROM pg_depend AS d
                    WHERE d.refclassid = operator_members.class AND d.refobjid = family AND d.classid = 'pg_amop'::regclass)
  UNION ALL
  SELECT format('%s %s', k.key, p.oid),
         format('FUNCTION %s (%s) %s', p.amprocnum, k.types, p.amproc::regprocedure),
         format('FUNCTION %s (%s)', p.amprocnum, k.types)
    FROM pg_amproc AS p
    CROSS JOIN LATERAL format('%s, %s', format_type(p.amproclefttype, NULL), format_type(p.amprocrighttype, NULL)) AS t (types)
    CROSS JOIN LATERAL (VALUES (concat('b', lpad(p.amprocnum::text, 5, '0')), t.types)) AS k (key, types)
   WHERE p.oid IN (SELECT d.objid FROM pg_depend AS d
                    WHERE d.refclassid = operator_members.class AND d.refobjid = family AND d.classid = 'pg_amproc'::regclass);
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_operator_family(family oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'operator family',
      'name', f.opfname,
      'schema_oid', f.opfnamespace::bigint,
      'signature', format(' USING %I', a.amname),
      'definition', concat(format('CREATE OPERATOR FAMILY %s', k.name),
        (SELECT format(E';\nALTER OPERATOR FAMILY %s ADD %s', k.name, string_agg(m.text, ', ' ORDER BY m.key))
           FROM pgstream.operator_members('pg_opfamily'::regclass, f.oid) AS m HAVING count(*) > 0)),
      'hash', f.opfmethod::text,
      'parts', (SELECT jsonb_agg(jsonb_build_object('key', m.key, 'value', m.key, 'text', 'ADD ' || m.text,
                                                    'drop', 'DROP ' || m.without) ORDER BY m.key)
                  FROM pgstream.operator_members('pg_opfamily'::regclass, f.oid) AS m),
      'owner', pg_get_userbyid(f.opfowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_opfamily'::regclass AND m.objoid = f.oid AND m.objsubid = 0)
    ))
    FROM pg_opfamily AS f JOIN pg_namespace AS n ON n.oid = f.opfnamespace JOIN pg_am AS a ON a.oid = f.opfmethod
    CROSS JOIN LATERAL format('%I.%I USING %I', n.nspname, f.opfname, a.amname) AS k (name)
    WHERE f.oid = family
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_operator_class(operator_class oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'operator class',
      'name', c.opcname,
      'schema_oid', c.opcnamespace::bigint,
      'signature', format(' USING %I', a.amname),
      'definition', format('CREATE OPERATOR CLASS %I.%I%s FOR TYPE %s USING %I FAMILY %I.%I AS %s',
        n.nspname, c.opcname, CASE WHEN c.opcdefault THEN ' DEFAULT' END, format_type(c.opcintype, NULL),
        a.amname, fn.nspname, f.opfname, concat_ws(', ',
          -- It has to name something: its own type is what it stores by itself.
          CASE WHEN c.opckeytype <> 0 OR s.members IS NULL
               THEN 'STORAGE ' || format_type(coalesce(nullif(c.opckeytype, 0), c.opcintype), NULL) END,
          s.members)),
      'hash', md5(concat_ws(' ', c.opcmethod, c.opcfamily, c.opcintype, c.opcdefault, c.opckeytype, s.keys)),
      'owner', pg_get_userbyid(c.opcowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_opclass'::regclass AND m.objoid = c.oid AND m.objsubid = 0)
    ))
    FROM pg_opclass AS c JOIN pg_namespace AS n ON n.oid = c.opcnamespace JOIN pg_am AS a ON a.oid = c.opcmethod
    JOIN pg_opfamily AS f ON f.oid = c.opcfamily JOIN pg_namespace AS fn ON fn.oid = f.opfnamespace
    CROSS JOIN LATERAL (
      SELECT string_agg(m.text, ', ' ORDER BY m.key), string_agg(m.key, ' ' ORDER BY m.key)
        FROM pgstream.operator_members('pg_opclass'::regclass, c.oid) AS m) AS s (members, keys)
    WHERE c.oid = operator_class
  );
END
$function$;

-- REMOVAL
DROP FUNCTION IF EXISTS pgstream.describe_operator_class(oid);
DROP FUNCTION IF EXISTS pgstream.describe_operator_family(oid);
DROP FUNCTION IF EXISTS pgstream.operator_members(oid, oid);
DROP FUNCTION IF EXISTS pgstream.describe_operator(oid);
DROP FUNCTION IF EXISTS pgstream.operator_parts(oid);
DROP FUNCTION IF EXISTS pgstream.operator_name(oid);
DROP FUNCTION IF EXISTS pgstream.describe_access_method(oid);
DROP FUNCTION IF EXISTS pgstream.describe_language(oid);
DROP FUNCTION IF EXISTS pgstream.describe_transform(oid);
DROP FUNCTION IF EXISTS pgstream.describe_cast(oid);
DROP FUNCTION IF EXISTS pgstream.describe_conversion(oid);
DROP FUNCTION IF EXISTS pgstream.describe_collation(oid);
