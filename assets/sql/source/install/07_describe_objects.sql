-- Everything that one statement makes: functions, views, triggers and so on. The statement is the server's
-- own print of the catalogs; whether the object itself changed is decided by a hash of its stored form, for
-- a rename elsewhere changes every text that mentions the name. See src/schema/plan/object.rs.

-- The catalogs of these kinds.
CREATE OR REPLACE FUNCTION pgstream.object_classes() RETURNS oid[]
LANGUAGE sql IMMUTABLE
RETURN '{pg_class,pg_proc,pg_trigger,pg_rewrite,pg_policy,pg_statistic_ext,pg_extension,pg_collation,pg_conversion,
    pg_cast,pg_transform,pg_language,pg_am,pg_operator,pg_opclass,pg_opfamily,pg_foreign_data_wrapper,pg_foreign_server,
    pg_ts_parser,pg_ts_template,pg_ts_dict,pg_ts_config,pg_event_trigger}'::regclass[]::oid[];

-- pg_get_functiondef() knows no aggregates.
CREATE OR REPLACE FUNCTION pgstream.aggregate_definition(routine oid) RETURNS text
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT format('CREATE OR REPLACE AGGREGATE %I.%I(%s) (%s)', n.nspname, p.proname,
      CASE WHEN p.pronargs = 0 THEN '*' ELSE pg_get_function_arguments(p.oid) END,
      concat_ws(', ',
        'SFUNC = ' || a.aggtransfn::regproc,
        'STYPE = ' || format_type(a.aggtranstype, NULL),
        'SSPACE = ' || nullif(a.aggtransspace, 0),
        'FINALFUNC = ' || nullif(a.aggfinalfn, 0)::regproc,
        CASE WHEN a.aggfinalextra THEN 'FINALFUNC_EXTRA' END,
        CASE WHEN a.aggfinalfn <> 0 AND a.aggfinalmodify <> CASE WHEN a.aggkind = 'n' THEN 'r'::"char" ELSE 'w' END
             THEN 'FINALFUNC_MODIFY = ' || CASE a.aggfinalmodify WHEN 'r' THEN 'READ_ONLY'
                 WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END,
        'COMBINEFUNC = ' || nullif(a.aggcombinefn, 0)::regproc,
        'SERIALFUNC = ' || nullif(a.aggserialfn, 0)::regproc,
        'DESERIALFUNC = ' || nullif(a.aggdeserialfn, 0)::regproc,
        'INITCOND = ' || quote_literal(a.agginitval),
        'MSFUNC = ' || nullif(a.aggmtransfn, 0)::regproc,
        'MINVFUNC = ' || nullif(a.aggminvtransfn, 0)::regproc,
        'MSTYPE = ' || format_type(nullif(a.aggmtranstype, 0), NULL),
        'MSSPACE = ' || nullif(a.aggmtransspace, 0),
        'MFINALFUNC = ' || nullif(a.aggmfinalfn, 0)::regproc,
        CASE WHEN a.aggmfinalextra THEN 'MFINALFUNC_EXTRA' END,
        CASE WHEN a.aggmfinalfn <> 0 AND a.aggmfinalmodify <> CASE WHEN a.aggkind = 'n' THEN 'r'::"char" ELSE 'w' END
             THEN 'MFINALFUNC_MODIFY = ' || CASE a.aggmfinalmodify WHEN 'r' THEN 'READ_ONLY'
                 WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END,
        'MINITCOND = ' || quote_literal(a.aggminitval),
        (SELECT format('SORTOP = OPERATOR(%I.%s)', s.nspname, o.oprname)
           FROM pg_operator AS o JOIN pg_namespace AS s ON s.oid = o.oprnamespace WHERE o.oid = a.aggsortop),
        CASE p.proparallel WHEN 's' THEN 'PARALLEL = SAFE' WHEN 'r' THEN 'PARALLEL = RESTRICTED' END,
        CASE WHEN a.aggkind = 'h' THEN 'HYPOTHETICAL' END))
      FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
      JOIN pg_aggregate AS a ON a.aggfnoid = p.oid
     WHERE p.oid = routine
  );
END
$function$;

-- Of earlier builds.
DROP FUNCTION IF EXISTS pgstream.printed(oid, oid);

CREATE OR REPLACE FUNCTION pgstream.describe_routine(routine oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END,
      'name', p.proname,
      'schema_oid', p.pronamespace::bigint,
      'signature', format('(%s)', CASE WHEN p.prokind = 'a' AND p.pronargs = 0 THEN '*'
                                       ELSE pg_get_function_identity_arguments(p.oid) END),
      'definition', CASE p.prokind WHEN 'a' THEN pgstream.aggregate_definition(p.oid)
                                   ELSE rtrim(pg_get_functiondef(p.oid), E'\n') END,
      'hash', md5(concat(to_jsonb(p) - '{oid,proname,pronamespace,proowner,proacl}'::text[],
                         (SELECT to_jsonb(a) FROM pg_aggregate AS a WHERE a.aggfnoid = p.oid))),
      'definer', p.prosecdef,
      'owner', pg_get_userbyid(p.proowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_proc'::regclass AND m.objoid = p.oid AND m.objsubid = 0)
    ))
    FROM pg_proc AS p WHERE p.oid = routine
  );
END
$function$;

-- What ALTER MATERIALIZED VIEW sets for columns.
CREATE OR REPLACE FUNCTION pgstream.materialized_parts(relation oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_agg(jsonb_build_object('key', format('column %s %s', a.attnum, p.name), 'value', p.value,
             'text', format('ALTER COLUMN %I SET %s', a.attname, p.value),
             'change', format('ALTER COLUMN %I SET %s', a.attname, p.value),
             'drop', format('ALTER COLUMN %I SET %s', a.attname, p.without)) ORDER BY a.attnum, p.name)
      FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
     CROSS JOIN LATERAL (VALUES
       ('compression', 'COMPRESSION ' || CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,
        'COMPRESSION DEFAULT'),
       ('statistics', 'STATISTICS ' || nullif(a.attstattarget, -1), 'STATISTICS -1'),
       ('storage', 'STORAGE ' || pgstream.storage_name(nullif(a.attstorage, t.typstorage)),
        'STORAGE ' || pgstream.storage_name(t.typstorage))) AS p (name, value, without)
     WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND p.value IS NOT NULL
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.storage_name(storage "char") RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE storage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' WHEN 'x' THEN 'EXTENDED' END;

CREATE OR REPLACE FUNCTION pgstream.describe_view(relation oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END,
      'name', c.relname,
      'schema_oid', c.relnamespace::bigint,
      'definition', format('CREATE %s %I.%I%s%s AS%s%s',
        CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'OR REPLACE VIEW' END, n.nspname, c.relname,
        (SELECT ' USING ' || quote_ident(m.amname) FROM pg_am AS m WHERE m.oid = c.relam),
        ' WITH (' || (SELECT string_agg(format('%I=%L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ')
                       FROM unnest(c.reloptions) AS o) || ')',
        rtrim(E'\n' || pg_get_viewdef(c.oid), ';'),
        CASE c.relkind WHEN 'm' THEN E'\n  WITH NO DATA' || coalesce((
          SELECT string_agg(format(E';\nALTER MATERIALIZED VIEW %I.%I %s', n.nspname, c.relname, p.part ->> 'text'), ''
                            ORDER BY p.ordinality)
            FROM jsonb_array_elements(s.parts) WITH ORDINALITY AS p (part)), '') END),
      'parts', s.parts,
      'hash', md5(r.ev_action::text),
      'options', to_jsonb(c.reloptions),
      'columns', (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
            'number', a.attnum, 'name', a.attname,
            'default', pg_get_expr(d.adbin, 0),
            'comment', (SELECT m.description FROM pg_description AS m
                WHERE m.classoid = 'pg_class'::regclass AND m.objoid = c.oid AND m.objsubid = a.attnum)))
            ORDER BY a.attnum)
          FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
      'populated', CASE WHEN c.relkind = 'm' THEN c.relispopulated END,
      'owner', pg_get_userbyid(c.relowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_class'::regclass AND m.objoid = c.oid AND m.objsubid = 0)
    ))
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_rewrite AS r ON r.ev_class = c.oid AND r.rulename = '_RETURN'
   CROSS JOIN LATERAL (SELECT CASE c.relkind WHEN 'm' THEN pgstream.materialized_parts(c.oid) END OFFSET 0) AS s (parts)
    WHERE c.oid = relation
  );
END
$function$;

-- What belongs to a table: triggers, rules, policies, extended statistics.
CREATE OR REPLACE FUNCTION pgstream.describe_trigger(trigger_oid oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'trigger',
      'name', t.tgname,
      'table_oid', t.tgrelid::bigint,
      'definition', pg_get_triggerdef(t.oid),
      'hash', md5((to_jsonb(t) - '{oid,tgname,tgenabled,tgparentid}'::text[])::text),
      -- We write to tables, and never to views or foreign tables.
      'enabled', CASE WHEN c.relkind NOT IN ('v', 'f') THEN t.tgenabled::text END,
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_trigger'::regclass AND m.objoid = t.oid AND m.objsubid = 0)
    ))
    FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid WHERE t.oid = trigger_oid
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_rule(rule oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'rule',
      'name', r.rulename,
      'table_oid', r.ev_class::bigint,
      'definition', rtrim(pg_get_ruledef(r.oid), ';'),
      'hash', md5((to_jsonb(r) - '{oid,rulename,ev_enabled}'::text[])::text),
      'enabled', CASE WHEN c.relkind <> 'v' THEN r.ev_enabled::text END,
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_rewrite'::regclass AND m.objoid = r.oid AND m.objsubid = 0)
    ))
    FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class WHERE r.oid = rule
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_policy(policy oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'policy',
      'name', p.polname,
      'table_oid', p.polrelid::bigint,
      'definition', concat(
        format('CREATE POLICY %I ON %I.%I', p.polname, n.nspname, c.relname),
        CASE WHEN NOT p.polpermissive THEN ' AS RESTRICTIVE' END,
        CASE p.polcmd WHEN 'r' THEN ' FOR SELECT' WHEN 'a' THEN ' FOR INSERT' WHEN 'w' THEN ' FOR UPDATE'
                      WHEN 'd' THEN ' FOR DELETE' END,
        ' TO ' || (SELECT string_agg(CASE r.oid WHEN 0 THEN 'PUBLIC'
                                                ELSE quote_ident(pg_get_userbyid(r.oid)) END, ', ' ORDER BY r.place)
                     FROM unnest(p.polroles) WITH ORDINALITY AS r (oid, place)),
        ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
        ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'),
      'hash', md5((to_jsonb(p) - '{oid,polname}'::text[])::text),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_policy'::regclass AND m.objoid = p.oid AND m.objsubid = 0)
    ))
    FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE p.oid = policy
  );
END
$function$;

CREATE OR REPLACE FUNCTION pgstream.describe_statistics(statistics oid) RETURNS jsonb
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'type', 'statistics object',
      'name', s.stxname,
      'schema_oid', s.stxnamespace::bigint,
      'table_oid', s.stxrelid::bigint,
      'definition', pg_get_statisticsobjdef(s.oid),
      'hash', md5((to_jsonb(s) - '{oid,stxname,stxnamespace,stxowner,stxstattarget}'::text[])::text),
      'statistics', nullif(s.stxstattarget, -1),
      'owner', pg_get_userbyid(s.stxowner),
      'comment', (SELECT m.description FROM pg_description AS m
          WHERE m.classoid = 'pg_statistic_ext'::regclass AND m.objoid = s.oid AND m.objsubid = 0)
    ))
    FROM pg_statistic_ext AS s WHERE s.oid = statistics
  );
END
$function$;

-- Returns those of the given objects, of whichever of these kinds, that exist and that we replicate, and locks
-- what views, rules and routines among them name.
CREATE OR REPLACE FUNCTION pgstream.describe_and_lock(objects oid[])
RETURNS TABLE (class oid, oid oid, relation oid, description jsonb)
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN QUERY
  WITH found (class, oid, namespace, relation) AS (
    SELECT 'pg_class'::regclass::oid, c.oid, c.relnamespace,
           (SELECT i.inhparent FROM pg_inherits AS i WHERE i.inhrelid = c.oid AND c.relispartition)
      FROM pg_class AS c WHERE c.oid = ANY (objects) AND c.relkind IN ('v', 'm', 'f')
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, p.pronamespace, NULL FROM pg_proc AS p WHERE p.oid = ANY (objects)
       -- Those that a range type makes come with it.
       AND (SELECT d.objid FROM pg_depend AS d
             WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i' LIMIT 1) IS NULL
    UNION ALL
    SELECT 'pg_trigger'::regclass, t.oid, c.relnamespace, c.oid
      FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
     WHERE t.oid = ANY (objects) AND NOT t.tgisinternal AND t.tgparentid = 0
    UNION ALL
    SELECT 'pg_rewrite'::regclass, r.oid, c.relnamespace, c.oid
      FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class
     WHERE r.oid = ANY (objects) AND r.rulename <> '_RETURN'
    UNION ALL
    SELECT 'pg_policy'::regclass, p.oid, c.relnamespace, c.oid
      FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid WHERE p.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass, s.oid, s.stxnamespace, s.stxrelid
      FROM pg_statistic_ext AS s WHERE s.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_collation'::regclass, k.oid, k.collnamespace, NULL FROM pg_collation AS k WHERE k.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_conversion'::regclass, k.oid, k.connamespace, NULL FROM pg_conversion AS k WHERE k.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_opclass'::regclass, k.oid, k.opcnamespace, NULL FROM pg_opclass AS k WHERE k.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_opfamily'::regclass, k.oid, k.opfnamespace, NULL FROM pg_opfamily AS k WHERE k.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_ts_parser'::regclass, k.oid, k.prsnamespace, NULL FROM pg_ts_parser AS k WHERE k.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_ts_template'::regclass, k.oid, k.tmplnamespace, NULL FROM pg_ts_template AS k WHERE k.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_ts_dict'::regclass, k.oid, k.dictnamespace, NULL FROM pg_ts_dict AS k WHERE k.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_ts_config'::regclass, k.oid, k.cfgnamespace, NULL FROM pg_ts_config AS k WHERE k.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_extension'::regclass, k.oid, NULL, NULL FROM pg_extension AS k WHERE k.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_transform'::regclass, k.oid, NULL, NULL FROM pg_transform AS k WHERE k.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_language'::regclass, k.oid, NULL, NULL FROM pg_language AS k WHERE k.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_am'::regclass, k.oid, NULL, NULL FROM pg_am AS k WHERE k.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_foreign_data_wrapper'::regclass, k.oid, NULL, NULL FROM pg_foreign_data_wrapper AS k WHERE k.oid = ANY (objects)
    UNION ALL
    SELECT 'pg_foreign_server'::regclass, k.oid, NULL, NULL FROM pg_foreign_server AS k WHERE k.oid = ANY (objects)
    UNION ALL
    -- One that is only somebody's commutator yet has no function.
    SELECT 'pg_operator'::regclass, k.oid, k.oprnamespace, NULL FROM pg_operator AS k
     WHERE k.oid = ANY (objects) AND k.oprcode <> 0
    UNION ALL
    SELECT 'pg_cast'::regclass, k.oid, (
             SELECT t.typnamespace FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
              WHERE t.oid IN (k.castsource, k.casttarget) AND n.nspname LIKE 'pg\_temp%' LIMIT 1), NULL
      FROM pg_cast AS k
     -- The one of a range to its multirange comes with it.
     WHERE k.oid = ANY (objects) AND (SELECT d.objid FROM pg_depend AS d
             WHERE d.classid = 'pg_cast'::regclass AND d.objid = k.oid AND d.deptype = 'i' LIMIT 1) IS NULL
    UNION ALL
    SELECT 'pg_event_trigger'::regclass, k.oid, p.pronamespace, NULL
      FROM pg_event_trigger AS k JOIN pg_proc AS p ON p.oid = k.evtfoid WHERE k.oid = ANY (objects)
  )
  SELECT f.class, f.oid, f.relation,
         CASE f.class
           WHEN 'pg_class'::regclass THEN CASE (SELECT c.relkind FROM pg_class AS c WHERE c.oid = f.oid)
             WHEN 'f' THEN pgstream.describe_foreign_table(f.oid) ELSE pgstream.describe_view(f.oid) END
           WHEN 'pg_proc'::regclass THEN pgstream.describe_routine(f.oid)
           WHEN 'pg_trigger'::regclass THEN pgstream.describe_trigger(f.oid)
           WHEN 'pg_rewrite'::regclass THEN pgstream.describe_rule(f.oid)
           WHEN 'pg_policy'::regclass THEN pgstream.describe_policy(f.oid)
           WHEN 'pg_statistic_ext'::regclass THEN pgstream.describe_statistics(f.oid)
           WHEN 'pg_extension'::regclass THEN pgstream.describe_extension(f.oid)
           WHEN 'pg_collation'::regclass THEN pgstream.describe_collation(f.oid)
           WHEN 'pg_conversion'::regclass THEN pgstream.describe_conversion(f.oid)
           WHEN 'pg_cast'::regclass THEN pgstream.describe_cast(f.oid)
           WHEN 'pg_transform'::regclass THEN pgstream.describe_transform(f.oid)
           WHEN 'pg_language'::regclass THEN pgstream.describe_language(f.oid)
           WHEN 'pg_am'::regclass THEN pgstream.describe_access_method(f.oid)
           WHEN 'pg_operator'::regclass THEN pgstream.describe_operator(f.oid)
           WHEN 'pg_opclass'::regclass THEN pgstream.describe_operator_class(f.oid)
           WHEN 'pg_opfamily'::regclass THEN pgstream.describe_operator_family(f.oid)
           WHEN 'pg_foreign_data_wrapper'::regclass THEN pgstream.describe_foreign_data_wrapper(f.oid)
           WHEN 'pg_foreign_server'::regclass THEN pgstream.describe_server(f.oid)
           WHEN 'pg_ts_parser'::regclass THEN pgstream.describe_text_search_parser(f.oid)
           WHEN 'pg_ts_template'::regclass THEN pgstream.describe_text_search_template(f.oid)
           WHEN 'pg_ts_dict'::regclass THEN pgstream.describe_text_search_dictionary(f.oid)
           WHEN 'pg_ts_config'::regclass THEN pgstream.describe_text_search_configuration(f.oid)
           WHEN 'pg_event_trigger'::regclass THEN pgstream.describe_event_trigger(f.oid)
         END
    FROM found AS f LEFT JOIN pg_namespace AS n ON n.oid = f.namespace
   WHERE f.oid >= 16384 AND NOT coalesce(pgstream.ignores_schema(n.nspname), false)
     AND ((SELECT m.objid FROM pg_depend AS m WHERE m.classid = f.class
             AND m.objid = f.oid AND m.deptype = 'e' LIMIT 1) IS NULL
       OR (SELECT o.oid FROM pgstream.object AS o WHERE o.class = f.class AND o.oid = f.oid) IS NOT NULL);
END
$function$;

-- As describe_and_lock(), without the locks. A print locks what it names until the end of the transaction, for which
-- others would wait, and 10,000 views name more than the lock table holds: the locks end with a subtransaction that
-- an error of ours takes back.
CREATE OR REPLACE FUNCTION pgstream.describe_objects(objects oid[])
RETURNS TABLE (class oid, oid oid, relation oid, description jsonb)
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
DECLARE
  at_once CONSTANT pg_catalog.int4 := 25;
  described pg_catalog.jsonb[];
  classes pg_catalog.oid[];
  oids pg_catalog.oid[];
  relations pg_catalog.oid[];
BEGIN
  FOR place IN 1..cardinality(objects) BY at_once LOOP
    BEGIN
      SELECT array_agg(d.class), array_agg(d.oid), array_agg(d.relation), array_agg(d.description)
        INTO classes, oids, relations, described
        FROM pgstream.describe_and_lock(objects[place:place + at_once - 1]) AS d;
      RAISE SQLSTATE 'PS000';
    EXCEPTION WHEN SQLSTATE 'PS000' THEN
      RETURN QUERY SELECT * FROM unnest(classes, oids, relations, described);
    END;
  END LOOP;
END
$function$;

-- All objects of these kinds.
CREATE OR REPLACE FUNCTION pgstream.all_objects() RETURNS oid[]
LANGUAGE plpgsql STABLE
-- INNER
AS $function$
BEGIN
  RETURN ARRAY(
    SELECT c.oid FROM pg_class AS c WHERE c.oid >= 16384 AND c.relkind IN ('v', 'm', 'f')
    UNION ALL SELECT p.oid FROM pg_proc AS p WHERE p.oid >= 16384
    UNION ALL SELECT t.oid FROM pg_trigger AS t WHERE t.oid >= 16384 AND NOT t.tgisinternal
    UNION ALL SELECT r.oid FROM pg_rewrite AS r WHERE r.oid >= 16384 AND r.rulename <> '_RETURN'
    UNION ALL SELECT p.oid FROM pg_policy AS p
    UNION ALL SELECT s.oid FROM pg_statistic_ext AS s
    UNION ALL SELECT k.oid FROM pg_collation AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_conversion AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_opclass AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_opfamily AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_ts_parser AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_ts_template AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_ts_dict AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_ts_config AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_extension AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_transform AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_language AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_am AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_foreign_data_wrapper AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_foreign_server AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_operator AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_cast AS k WHERE k.oid >= 16384
    UNION ALL SELECT k.oid FROM pg_event_trigger AS k WHERE k.oid >= 16384);
END
$function$;

-- REMOVAL
DROP FUNCTION IF EXISTS pgstream.all_objects();
DROP FUNCTION IF EXISTS pgstream.describe_objects(oid[]);
DROP FUNCTION IF EXISTS pgstream.describe_and_lock(oid[]);
DROP FUNCTION IF EXISTS pgstream.describe_statistics(oid);
DROP FUNCTION IF EXISTS pgstream.describe_policy(oid);
DROP FUNCTION IF EXISTS pgstream.describe_rule(oid);
DROP FUNCTION IF EXISTS pgstream.describe_trigger(oid);
DROP FUNCTION IF EXISTS pgstream.describe_view(oid);
DROP FUNCTION IF EXISTS pgstream.materialized_parts(oid);
DROP FUNCTION IF EXISTS pgstream.storage_name("char");
DROP FUNCTION IF EXISTS pgstream.describe_routine(oid);
DROP FUNCTION IF EXISTS pgstream.aggregate_definition(oid);
DROP FUNCTION IF EXISTS pgstream.object_classes();
