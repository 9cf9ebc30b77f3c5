-- What the writer must know of one table of the target: $1 schema, $2 name.
-- One row with one JSON document (see TargetTable), or no row when there is no such table.
SELECT pg_catalog.json_build_object(
  'name', pg_catalog.json_build_object('schema', n.nspname, 'name', c.relname),
  'kind', c.relkind,
  'of_extension', EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'),
  'row_security', pg_catalog.row_security_active(c.oid),
  'triggers', EXISTS (
    SELECT FROM pg_catalog.pg_trigger AS g
    WHERE g.tgrelid = c.oid AND NOT g.tgisinternal
      AND g.tgenabled IN ('A', CASE WHEN s.replica THEN 'R' ELSE 'O' END)),
  -- What can keep a row from changing: triggers BEFORE and FOR EACH ROW, as pg_trigger.tgtype has it, and rules.
  'suppresses', keeper.triggers,
  'keepers', keeper.names,
  'rules', EXISTS (
    SELECT FROM pg_catalog.pg_rewrite AS w
    WHERE w.ev_class = c.oid AND w.ev_type <> '1'
      AND w.ev_enabled IN ('A', CASE WHEN s.replica THEN 'R' ELSE 'O' END)),
  -- Those that act or are checked in our session. Of the parts that a key has for partitions only those that
  -- are about this table.
  'foreign_keys', (
    SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
      'table', pg_catalog.json_build_object('schema', kn.nspname, 'name', k.relname),
      'columns', (
        SELECT pg_catalog.json_agg(a.attname)
        FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey)),
      'referenced', pg_catalog.json_build_object('schema', rn.nspname, 'name', r.relname),
      'referenced_columns', (
        SELECT pg_catalog.json_agg(a.attname)
        FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = f.confrelid AND a.attnum = ANY (f.confkey)),
      'from_here', f.conrelid = c.oid,
      'to_here', f.confrelid = c.oid,
      'on_update', f.confupdtype,
      'on_delete', f.confdeltype)), '[]')
    FROM pg_catalog.pg_constraint AS f
    JOIN pg_catalog.pg_class AS k ON k.oid = f.conrelid
    JOIN pg_catalog.pg_namespace AS kn ON kn.oid = k.relnamespace
    JOIN pg_catalog.pg_class AS r ON r.oid = f.confrelid
    JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.relnamespace
    WHERE NOT s.replica AND f.contype = 'f' AND c.oid IN (f.conrelid, f.confrelid)
      AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_constraint AS above
        WHERE above.oid = f.conparentid
          AND (f.conrelid = c.oid AND above.conrelid = c.oid
               OR f.confrelid = c.oid AND above.confrelid = c.oid))),
  'moving_root', (
    SELECT pg_catalog.json_build_object('schema', rn.nspname, 'name', r.relname)
    FROM pg_catalog.pg_class AS r
    JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.relnamespace
    WHERE c.relispartition AND NOT s.replica AND r.oid = pg_catalog.pg_partition_root(c.oid)
      AND pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 150000
      AND EXISTS (SELECT FROM pg_catalog.pg_constraint AS f
                  WHERE f.contype = 'f' AND f.confrelid = r.oid)),
  'columns', (
    SELECT COALESCE(pg_catalog.json_agg(col.description ORDER BY col.attnum), '[]')
    FROM (
      SELECT a.attnum, pg_catalog.json_build_object(
        'name', a.attname,
        'type_name', pg_catalog.concat('"', pg_catalog.replace(tn.nspname, '"', '""'), '"."',
                                       pg_catalog.replace(t.typname, '"', '""'), '"'),
        'bare_type', CASE WHEN bare.oid <> t.oid THEN
            pg_catalog.concat('"', pg_catalog.replace(bn.nspname, '"', '""'), '"."',
                              pg_catalog.replace(bare.typname, '"', '""'), '"') END,
        'guarded', base.guarded,
        'unnestable', bare.typarray <> 0 AND base.typtype <> 'c'
                      AND NOT (base.typelem <> 0 AND base.typlen = -1) AND t.typdelim = ',',
        'generated', a.attgenerated <> '',
        'identity_always', a.attidentity = 'a',
        -- The polymorphic types have the numbers that they have on every server.
        'equals', (
          SELECT pg_catalog.format('OPERATOR(%I.%s)', opn.nspname, op.oprname)
          FROM pg_catalog.pg_opclass AS opc
          JOIN pg_catalog.pg_am AS am ON am.oid = opc.opcmethod AND am.amname = 'btree'
          JOIN pg_catalog.pg_amop AS ao
            ON ao.amopfamily = opc.opcfamily AND ao.amopstrategy = 3
           AND ao.amoplefttype = opc.opcintype AND ao.amoprighttype = opc.opcintype
          JOIN pg_catalog.pg_operator AS op ON op.oid = ao.amopopr
          JOIN pg_catalog.pg_namespace AS opn ON opn.oid = op.oprnamespace
          WHERE opc.opcdefault AND (
            opc.opcintype = base.oid
            OR opc.opcintype = CASE base.typtype
                 WHEN 'e' THEN 3500 WHEN 'r' THEN 3831 WHEN 'm' THEN 4537 WHEN 'c' THEN 2249
                 ELSE CASE WHEN base.typcategory = 'A' THEN 2277 ELSE 0 END END
            OR EXISTS (
              SELECT FROM pg_catalog.pg_cast AS k
              WHERE k.castsource = base.oid AND k.casttarget = opc.opcintype
                AND k.castmethod = 'b' AND k.castcontext = 'i'))
          ORDER BY opc.opcintype = base.oid DESC
          LIMIT 1),
        'sequence', (
          -- What gives the column its values: the sequence of an identity column, also of the root's
          -- for a partition (which has none of its own before version 17), or the one that the
          -- default draws from, whoever owns it. A default that reckons with the value says nothing.
          SELECT pg_catalog.json_build_object(
            'name', pg_catalog.json_build_object('schema', qn.nspname, 'name', q.relname),
            'increment', sq.seqincrement, 'min', sq.seqmin, 'max', sq.seqmax, 'cycle', sq.seqcycle)
          FROM pg_catalog.pg_class AS q
          JOIN pg_catalog.pg_sequence AS sq ON sq.seqrelid = q.oid
          JOIN pg_catalog.pg_namespace AS qn ON qn.oid = q.relnamespace
          WHERE q.oid IN (
            SELECT d.objid
            FROM pg_catalog.pg_depend AS d
            JOIN pg_catalog.pg_attribute AS o ON o.attrelid = d.refobjid AND o.attnum = d.refobjsubid
            WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
              AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
              AND d.deptype = 'i' AND o.attidentity <> '' AND o.attname = a.attname
              AND (o.attrelid = c.oid
                   OR c.relispartition AND o.attrelid = pg_catalog.pg_partition_root(c.oid))
            UNION ALL
            SELECT d.refobjid
            FROM pg_catalog.pg_attrdef AS ad
            JOIN pg_catalog.pg_depend AS d
              ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = ad.oid
             AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
            WHERE ad.adrelid = c.oid AND ad.adnum = a.attnum AND a.attgenerated = ''
              -- nextval(regclass), or a cast of it: by what is stored, which no setting prints otherwise.
              AND ad.adbin::pg_catalog.text
                  ~ $re$^(\{FUNCEXPR :funcid \d+ [^{]*:funcformat [12] [^{]*:args \(|\{COERCEVIAIO :arg )?\{FUNCEXPR :funcid 1574 $re$)
          LIMIT 1)) AS description
      FROM pg_catalog.pg_attribute AS a
      JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
      JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.typnamespace
      CROSS JOIN LATERAL (
        WITH RECURSIVE chain (oid) AS (
          SELECT t.oid
          UNION ALL
          SELECT d.typbasetype
          FROM chain JOIN pg_catalog.pg_type AS d ON d.oid = chain.oid
          WHERE d.typtype = 'd')
        SELECT b.oid, b.typtype, b.typelem, b.typlen, b.typcategory,
               EXISTS (SELECT FROM chain JOIN pg_catalog.pg_constraint AS k
                         ON k.contypid = chain.oid AND k.contype = 'c')
               AND (SELECT pg_catalog.bool_and(d.typtypmod = -1)
                    FROM chain JOIN pg_catalog.pg_type AS d ON d.oid = chain.oid) AS guarded
        FROM chain JOIN pg_catalog.pg_type AS b ON b.oid = chain.oid
        WHERE b.typtype <> 'd') AS base
      CROSS JOIN LATERAL (
        WITH RECURSIVE chain (oid, domain) AS (
          SELECT base.typelem, false WHERE base.typelem <> 0 AND base.typlen = -1
          UNION ALL
          SELECT d.typbasetype, true
          FROM chain JOIN pg_catalog.pg_type AS d ON d.oid = chain.oid
          WHERE d.typtype = 'd')
        SELECT e.typarray AS oid
        FROM chain JOIN pg_catalog.pg_type AS e ON e.oid = chain.oid
        WHERE e.typtype <> 'd' AND chain.domain AND e.typarray <> 0
        UNION ALL
        SELECT base.oid
        LIMIT 1) AS plain
      JOIN pg_catalog.pg_type AS bare ON bare.oid = plain.oid
      JOIN pg_catalog.pg_namespace AS bn ON bn.oid = bare.typnamespace
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS col),
  'unique_keys', (
    SELECT COALESCE(pg_catalog.json_agg(k.description ORDER BY k.indisprimary DESC, k.indexrelid), '[]')
    FROM (
      SELECT i.indisprimary, i.indexrelid, pg_catalog.json_build_object(
        'columns', pg_catalog.json_agg(a.attname ORDER BY p.place),
        'equals', pg_catalog.json_agg(pg_catalog.format('OPERATOR(%I.%s)', opn.nspname, op.oprname)
                                      ORDER BY p.place),
        'not_null', pg_catalog.bool_and(a.attnotnull),
        'immediate', i.indimmediate) AS description
      FROM pg_catalog.pg_index AS i
      CROSS JOIN LATERAL ROWS FROM (
        pg_catalog.unnest(i.indkey::pg_catalog.int2[]),
        pg_catalog.unnest(i.indclass::pg_catalog.oid[])) WITH ORDINALITY AS p (attnum, class, place)
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = p.attnum
      JOIN pg_catalog.pg_opclass AS opc ON opc.oid = p.class
      JOIN pg_catalog.pg_amop AS ao
        ON ao.amopfamily = opc.opcfamily AND ao.amopstrategy = 3
       AND ao.amoplefttype = opc.opcintype AND ao.amoprighttype = opc.opcintype
      JOIN pg_catalog.pg_operator AS op ON op.oid = ao.amopopr
      JOIN pg_catalog.pg_namespace AS opn ON opn.oid = op.oprnamespace
      WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
        AND i.indpred IS NULL AND i.indexprs IS NULL AND p.place <= i.indnkeyatts
      GROUP BY i.indexrelid, i.indisprimary, i.indimmediate) AS k)
)::pg_catalog.text
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN (
  SELECT pg_catalog.current_setting('session_replication_role') = 'replica' AS replica) AS s
CROSS JOIN LATERAL (
  SELECT COALESCE(pg_catalog.bool_or(k.trigger), false) AS triggers,
         COALESCE(pg_catalog.json_agg(k.name ORDER BY k.name), '[]') AS names
  FROM (
    -- Before version 15 the copies that partitions have of their parent's triggers count as internal.
    SELECT true AS trigger, 'trigger ' || pg_catalog.quote_ident(g.tgname) AS name
    FROM pg_catalog.pg_trigger AS g
    WHERE g.tgrelid = c.oid AND (NOT g.tgisinternal OR g.tgparentid <> 0 AND g.tgconstraint = 0)
      AND g.tgtype OPERATOR(pg_catalog.&) 3::pg_catalog.int2 = 3
      AND g.tgenabled IN ('A', CASE WHEN s.replica THEN 'R' ELSE 'O' END)
    UNION ALL
    SELECT false, 'rule ' || pg_catalog.quote_ident(w.rulename)
    FROM pg_catalog.pg_rewrite AS w
    WHERE w.ev_class = c.oid AND w.ev_type <> '1' AND w.is_instead
      AND w.ev_enabled IN ('A', CASE WHEN s.replica THEN 'R' ELSE 'O' END)) AS k) AS keeper
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'm')
