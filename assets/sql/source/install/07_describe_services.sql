-- Extensions, text search, event triggers, and what is foreign.

-- Its members come with it. It is moved and updated in place.
CREATE OR REPLACE FUNCTION pgstream.describe_extension(extension oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'extension',
      'name', e.extname,
      'definition', format('CREATE EXTENSION %I WITH SCHEMA %I VERSION %L', e.extname, n.nspname, e.extversion),
      'hash', '',
      'parts', jsonb_build_array(
        jsonb_build_object('key', 'schema', 'value', n.oid::text, 'text', format('SET SCHEMA %I', n.nspname)),
        jsonb_build_object('key', 'version', 'value', e.extversion, 'text', format('UPDATE TO %L', e.extversion))),
      'version', e.extversion,
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_extension'::regclass AND m.objoid = e.oid AND m.objsubid = 0)
    ))
    FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.oid = extension
  );
END
$function$;

-- What a name of a list of options says, as the server keeps it: "name=value". Values that look like secrets
-- stay here.
CREATE OR REPLACE FUNCTION pgstream.option_parts(options text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_agg(jsonb_build_object('key', 'option ' || o.name, 'set', 'OPTIONS', 'value', o.value,
             'text', format('ADD %I %L', o.name, o.value), 'change', format('SET %I %L', o.name, o.value),
             'drop', format('DROP %I', o.name)) ORDER BY o.name)
      FROM (SELECT split_part(u, '=', 1), substr(u, strpos(u, '=') + 1) FROM unnest(options) AS u) AS o (name, value)
     WHERE o.name !~* 'pass(word|wd|phrase|code)|secret|token|credential|private_?key|api_?key'
  );
END
$function$;

-- The same as CREATE says it.
CREATE OR REPLACE FUNCTION pgstream.option_clause(options text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT format(' OPTIONS (%s)', string_agg(substr(p ->> 'text', 5), ', '))
      FROM jsonb_array_elements(pgstream.option_parts(options)) AS p HAVING count(*) > 0
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_foreign_data_wrapper(wrapper oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'foreign-data wrapper',
      'name', w.fdwname,
      'definition', concat(format('CREATE FOREIGN DATA WRAPPER %I', w.fdwname), h.text, v.text,
                           pgstream.option_clause(w.fdwoptions)),
      'hash', '',
      'parts', jsonb_build_array(
          jsonb_build_object('key', 'handler', 'value', w.fdwhandler::text, 'text', coalesce(h.text, ' NO HANDLER')),
          jsonb_build_object('key', 'validator', 'value', w.fdwvalidator::text, 'text', coalesce(v.text, ' NO VALIDATOR')))
        || coalesce(pgstream.option_parts(w.fdwoptions), '[]'),
      'owner', pg_get_userbyid(w.fdwowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_foreign_data_wrapper'::regclass AND m.objoid = w.oid AND m.objsubid = 0)
    ))
    FROM pg_foreign_data_wrapper AS w
    CROSS JOIN LATERAL (SELECT ' HANDLER ' || nullif(w.fdwhandler, 0)::regproc) AS h (text)
    CROSS JOIN LATERAL (SELECT ' VALIDATOR ' || nullif(w.fdwvalidator, 0)::regproc) AS v (text)
    WHERE w.oid = wrapper
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_server(server oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'server',
      'name', s.srvname,
      'definition', concat(format('CREATE SERVER %I', s.srvname), ' TYPE ' || quote_literal(s.srvtype),
        ' VERSION ' || quote_literal(s.srvversion), format(' FOREIGN DATA WRAPPER %I', w.fdwname),
        pgstream.option_clause(s.srvoptions)),
      'hash', md5(concat(s.srvtype, ' ', s.srvfdw)),
      'parts', jsonb_build_array(
          jsonb_build_object('key', 'version', 'value', coalesce(s.srvversion, ''),
            'text', coalesce('VERSION ' || quote_literal(s.srvversion), 'VERSION NULL')))
        || coalesce(pgstream.option_parts(s.srvoptions), '[]'),
      'owner', pg_get_userbyid(s.srvowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_foreign_server'::regclass AND m.objoid = s.oid AND m.objsubid = 0)
    ))
    FROM pg_foreign_server AS s JOIN pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw WHERE s.oid = server
  );
END
$function$;

-- Columns come before what they have, "of" which it goes. Those of a parent come and go with the parent's.
CREATE OR REPLACE FUNCTION pgstream.foreign_table_parts(relation oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_agg(jsonb_strip_nulls(p.part) ORDER BY p.place, p.key) FROM (
      SELECT a.attnum, '', jsonb_build_object('key', format('column %s', a.attnum), 'value', concat_ws(' ', a.atttypid, a.atttypmod, a.attcollation),
               'text', CASE WHEN a.attislocal THEN format('ADD COLUMN %I %s', a.attname, t.text) ELSE '' END,
               'change', CASE WHEN a.attislocal THEN format('ALTER COLUMN %I TYPE %s', a.attname, t.text) ELSE '' END,
               'drop', CASE WHEN a.attislocal THEN format('DROP COLUMN %I', a.attname) END)
        FROM pg_attribute AS a
        CROSS JOIN LATERAL (SELECT concat(format_type(a.atttypid, a.atttypmod), (
            SELECT format(' COLLATE %I.%I', n.nspname, k.collname)
              FROM pg_collation AS k JOIN pg_namespace AS n ON n.oid = k.collnamespace JOIN pg_type AS y ON y.oid = a.atttypid
             WHERE k.oid = a.attcollation AND k.oid <> y.typcollation))) AS t (text)
       WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
      UNION ALL
      SELECT a.attnum, 'not null', jsonb_build_object('key', format('column %s not null', a.attnum), 'of', format('column %s', a.attnum), 'value', '',
               'text', format('ALTER COLUMN %I SET NOT NULL', a.attname), 'drop', format('ALTER COLUMN %I DROP NOT NULL', a.attname))
        FROM pg_attribute AS a
       WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
         AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = a.attrelid AND k.contype = 'n'
                            AND k.conkey = ARRAY[a.attnum] AND NOT k.conislocal)
      UNION ALL
      SELECT a.attnum, 'default', jsonb_build_object('key', format('column %s default', a.attnum), 'of', format('column %s', a.attnum), 'value', md5(d.adbin::text),
               'text', format('ALTER COLUMN %I SET DEFAULT %s', a.attname, pg_get_expr(d.adbin, 0)),
               'change', format('ALTER COLUMN %I SET DEFAULT %s', a.attname, pg_get_expr(d.adbin, 0)),
               'drop', format('ALTER COLUMN %I DROP DEFAULT', a.attname))
        FROM pg_attribute AS a JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
       WHERE a.attrelid = relation AND NOT a.attisdropped AND a.attgenerated = ''
      UNION ALL
      SELECT a.attnum, o ->> 'key', jsonb_build_object('key', format('column %s %s', a.attnum, o ->> 'key'), 'of', format('column %s', a.attnum), 'value', o ->> 'value',
               'text', format('ALTER COLUMN %I OPTIONS (%s)', a.attname, o ->> 'text'),
               'change', format('ALTER COLUMN %I OPTIONS (%s)', a.attname, o ->> 'change'),
               'drop', format('ALTER COLUMN %I OPTIONS (%s)', a.attname, o ->> 'drop'))
        FROM pg_attribute AS a CROSS JOIN LATERAL jsonb_array_elements(pgstream.option_parts(a.attfdwoptions)) AS o
       WHERE a.attrelid = relation AND NOT a.attisdropped
      UNION ALL
      SELECT 32767, k.conname, jsonb_build_object('key', format('constraint %s', k.conname), 'value', pg_get_constraintdef(k.oid),
               'text', format('ADD CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)),
               'drop', format('DROP CONSTRAINT %I', k.conname))
        FROM pg_constraint AS k WHERE k.conrelid = relation AND k.contype = 'c' AND k.conislocal
      UNION ALL
      SELECT 32767, i.inhparent::text, jsonb_build_object('key', format('parent %s', i.inhparent), 'value', '',
               'text', format('INHERIT %I.%I', n.nspname, c.relname), 'drop', format('NO INHERIT %I.%I', n.nspname, c.relname))
        FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhparent AND c.relkind <> 'p'
        JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE i.inhrelid = relation
    ) AS p (place, key, part)
  );
END
$function$;

-- One that became a partition, or is none any more, is made anew: it has no rows here.
CREATE OR REPLACE FUNCTION pgstream.describe_foreign_table(relation oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'foreign table',
      'name', c.relname,
      'schema_oid', c.relnamespace::bigint,
      'definition', concat(format('CREATE FOREIGN TABLE %s', k.name),
        CASE WHEN c.relispartition THEN (
          SELECT format(' PARTITION OF %I.%I %s', pn.nspname, p.relname, pg_get_expr(c.relpartbound, c.oid))
            FROM pg_inherits AS i JOIN pg_class AS p ON p.oid = i.inhparent JOIN pg_namespace AS pn ON pn.oid = p.relnamespace
           WHERE i.inhrelid = c.oid)
        ELSE concat(' ()', (
          SELECT format(' INHERITS (%s)', string_agg(format('%I.%I', pn.nspname, p.relname), ', ' ORDER BY i.inhseqno))
            FROM pg_inherits AS i JOIN pg_class AS p ON p.oid = i.inhparent JOIN pg_namespace AS pn ON pn.oid = p.relnamespace
           WHERE i.inhrelid = c.oid HAVING count(*) > 0)) END,
        format(' SERVER %I', s.srvname), pgstream.option_clause(f.ftoptions),
        (SELECT string_agg(format(E';\nALTER FOREIGN TABLE %s %s', k.name, p.part ->> 'text'), '' ORDER BY p.ordinality)
           FROM jsonb_array_elements(q.parts) WITH ORDINALITY AS p (part)
          WHERE CASE WHEN c.relispartition THEN p.part ->> 'key' LIKE 'column % option %'
                     ELSE p.part ->> 'key' NOT LIKE 'parent %' AND p.part ->> 'text' <> '' END)),
      'hash', md5(concat_ws(' ', f.ftserver, c.relpartbound)),
      'parts', coalesce(q.parts, '[]') || coalesce(pgstream.option_parts(f.ftoptions), '[]'),
      'columns', (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
            'number', a.attnum, 'name', a.attname,
            'comment', (SELECT m.description FROM pg_description AS m
                WHERE m.classoid = 'pg_class'::regclass AND m.objoid = c.oid AND m.objsubid = a.attnum)))
            ORDER BY a.attnum)
          FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
      'owner', pg_get_userbyid(c.relowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_class'::regclass AND m.objoid = c.oid AND m.objsubid = 0)
    ))
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_foreign_table AS f ON f.ftrelid = c.oid JOIN pg_foreign_server AS s ON s.oid = f.ftserver
    CROSS JOIN LATERAL format('%I.%I', n.nspname, c.relname) AS k (name)
    CROSS JOIN LATERAL pgstream.foreign_table_parts(c.oid) AS q (parts)
    WHERE c.oid = relation
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_text_search_parser(parser oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'text search parser',
      'name', p.prsname,
      'schema_oid', p.prsnamespace::bigint,
      'definition', format('CREATE TEXT SEARCH PARSER %I.%I (%s)', n.nspname, p.prsname, concat_ws(', ',
        'START = ' || p.prsstart, 'GETTOKEN = ' || p.prstoken, 'END = ' || p.prsend, 'LEXTYPES = ' || p.prslextype,
        'HEADLINE = ' || nullif(p.prsheadline::oid, 0)::regproc)),
      'hash', md5(concat_ws(' ', p.prsstart::oid, p.prstoken::oid, p.prsend::oid, p.prslextype::oid, p.prsheadline::oid)),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_ts_parser'::regclass AND m.objoid = p.oid AND m.objsubid = 0)
    ))
    FROM pg_ts_parser AS p JOIN pg_namespace AS n ON n.oid = p.prsnamespace WHERE p.oid = parser
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_text_search_template(template oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'text search template',
      'name', t.tmplname,
      'schema_oid', t.tmplnamespace::bigint,
      'definition', format('CREATE TEXT SEARCH TEMPLATE %I.%I (%s)', n.nspname, t.tmplname, concat_ws(', ',
        'INIT = ' || nullif(t.tmplinit::oid, 0)::regproc, 'LEXIZE = ' || t.tmpllexize)),
      'hash', md5(concat_ws(' ', t.tmplinit::oid, t.tmpllexize::oid)),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_ts_template'::regclass AND m.objoid = t.oid AND m.objsubid = 0)
    ))
    FROM pg_ts_template AS t JOIN pg_namespace AS n ON n.oid = t.tmplnamespace WHERE t.oid = template
  );
END
$function$;

-- The server keeps the options as one text, which it made itself.
CREATE OR REPLACE FUNCTION pgstream.describe_text_search_dictionary(dictionary oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'text search dictionary',
      'name', d.dictname,
      'schema_oid', d.dictnamespace::bigint,
      'definition', format('CREATE TEXT SEARCH DICTIONARY %I.%I (%s)', n.nspname, d.dictname, concat_ws(', ',
        format('TEMPLATE = %I.%I', tn.nspname, t.tmplname), d.dictinitoption)),
      'hash', d.dicttemplate::text,
      'parts', (SELECT jsonb_agg(jsonb_build_object('key', o.part[1], 'set', '', 'value', o.part[2],
                                   'text', o.part[1] || ' = ' || o.part[2], 'drop', o.part[1]) ORDER BY o.part[1])
                  FROM regexp_matches(d.dictinitoption,
                         '((?:"(?:[^"]|"")*"|[^" ,])+) = (E?''(?:[^'']|'''')*''|[^'' ,]+)', 'g') AS o (part)),
      'owner', pg_get_userbyid(d.dictowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_ts_dict'::regclass AND m.objoid = d.oid AND m.objsubid = 0)
    ))
    FROM pg_ts_dict AS d JOIN pg_namespace AS n ON n.oid = d.dictnamespace
    JOIN pg_ts_template AS t ON t.oid = d.dicttemplate JOIN pg_namespace AS tn ON tn.oid = t.tmplnamespace
    WHERE d.oid = dictionary
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.text_search_mappings(configuration oid)
RETURNS TABLE (token text, dictionaries text, value text)
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN QUERY
  SELECT quote_ident(t.alias), string_agg(format('%I.%I', n.nspname, d.dictname), ', ' ORDER BY m.mapseqno),
         string_agg(d.oid::text, ' ' ORDER BY m.mapseqno)
    FROM pg_ts_config AS c
    JOIN pg_ts_config_map AS m ON m.mapcfg = c.oid
    JOIN pg_ts_dict AS d ON d.oid = m.mapdict JOIN pg_namespace AS n ON n.oid = d.dictnamespace
    JOIN LATERAL ts_token_type(c.cfgparser) AS t ON t.tokid = m.maptokentype
   WHERE c.oid = configuration
   GROUP BY t.tokid, t.alias ORDER BY t.tokid;
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_text_search_configuration(configuration oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'text search configuration',
      'name', c.cfgname,
      'schema_oid', c.cfgnamespace::bigint,
      'definition', concat(
        format('CREATE TEXT SEARCH CONFIGURATION %I.%I (PARSER = %I.%I)', n.nspname, c.cfgname, pn.nspname, p.prsname),
        (SELECT string_agg(format(E';\nALTER TEXT SEARCH CONFIGURATION %I.%I ADD MAPPING FOR %s WITH %s',
                                  n.nspname, c.cfgname, m.token, m.dictionaries), '')
           FROM pgstream.text_search_mappings(c.oid) AS m)),
      'hash', c.cfgparser::text,
      'parts', (SELECT jsonb_agg(jsonb_build_object('key', m.token, 'value', m.value,
                         'text', format('ADD MAPPING FOR %s WITH %s', m.token, m.dictionaries),
                         'drop', 'DROP MAPPING FOR ' || m.token))
                  FROM pgstream.text_search_mappings(c.oid) AS m),
      'owner', pg_get_userbyid(c.cfgowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_ts_config'::regclass AND m.objoid = c.oid AND m.objsubid = 0)
    ))
    FROM pg_ts_config AS c JOIN pg_namespace AS n ON n.oid = c.cfgnamespace
    JOIN pg_ts_parser AS p ON p.oid = c.cfgparser JOIN pg_namespace AS pn ON pn.oid = p.prsnamespace
    WHERE c.oid = configuration
  );
END
$function$;

-- Those of ours are no user's.
CREATE OR REPLACE FUNCTION pgstream.describe_event_trigger(event_trigger oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'event trigger',
      'name', e.evtname,
      'definition', concat(format('CREATE EVENT TRIGGER %I ON %s', e.evtname, e.evtevent),
        ' WHEN TAG IN (' || (SELECT string_agg(quote_literal(t), ', ' ORDER BY t) FROM unnest(e.evttags) AS t) || ')',
        format(' EXECUTE FUNCTION %s()', e.evtfoid::regproc)),
      'hash', md5(concat_ws(' ', e.evtevent, e.evtfoid, e.evttags)),
      'enabled', e.evtenabled::text,
      'owner', pg_get_userbyid(e.evtowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_event_trigger'::regclass AND m.objoid = e.oid AND m.objsubid = 0)
    ))
    FROM pg_event_trigger AS e WHERE e.oid = event_trigger
  );
END
$function$;

-- REMOVAL
DROP FUNCTION IF EXISTS pgstream.describe_event_trigger(oid);
DROP FUNCTION IF EXISTS pgstream.describe_text_search_configuration(oid);
DROP FUNCTION IF EXISTS pgstream.text_search_mappings(oid);
DROP FUNCTION IF EXISTS pgstream.describe_text_search_dictionary(oid);
DROP FUNCTION IF EXISTS pgstream.describe_text_search_template(oid);
DROP FUNCTION IF EXISTS pgstream.describe_text_search_parser(oid);
DROP FUNCTION IF EXISTS pgstream.describe_foreign_table(oid);
DROP FUNCTION IF EXISTS pgstream.foreign_table_parts(oid);
DROP FUNCTION IF EXISTS pgstream.describe_server(oid);
DROP FUNCTION IF EXISTS pgstream.describe_foreign_data_wrapper(oid);
DROP FUNCTION IF EXISTS pgstream.option_clause(text[]);
DROP FUNCTION IF EXISTS pgstream.option_parts(text[]);
DROP FUNCTION IF EXISTS pgstream.describe_extension(oid);
