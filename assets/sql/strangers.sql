-- What in schema pgstream somebody else could change: it is read and run with our rights. Trusted are superusers, who need no
-- trick, and the role of this session. One row each: what it is, and the statement that ends it.
WITH ours AS MATERIALIZED (
  SELECT n.oid, n.nspowner, n.nspacl FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'pgstream'
), trusted AS MATERIALIZED (
  SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolsuper OR r.rolname = CURRENT_USER
), relation AS MATERIALIZED (
  SELECT c.oid, c.relname, c.relkind, c.relowner, c.relacl
  FROM pg_catalog.pg_class AS c JOIN ours ON c.relnamespace = ours.oid
), owned (class, oid, owner) AS (
  SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, n.oid, n.nspowner FROM ours AS n
  UNION ALL
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, c.relowner
  FROM relation AS c WHERE c.relkind NOT IN ('i', 'I', 't')
  UNION ALL
  SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.proowner
  FROM pg_catalog.pg_proc AS p JOIN ours ON p.pronamespace = ours.oid
  WHERE NOT $as_owner
  UNION ALL
  SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typowner
  FROM pg_catalog.pg_type AS t JOIN ours ON t.typnamespace = ours.oid
  WHERE t.typrelid = 0 AND t.typcategory <> 'A'
), granted (kind, name, privilege, grantee) AS (
  SELECT 'SCHEMA', 'pgstream', a.privilege_type, a.grantee
  FROM ours AS n CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) AS a
  WHERE a.privilege_type = 'CREATE'
  UNION ALL
  SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
         pg_catalog.format('pgstream.%I', c.relname), a.privilege_type, a.grantee
  FROM relation AS c
  CROSS JOIN LATERAL (
    SELECT x.privilege_type, x.grantee FROM pg_catalog.aclexplode(c.relacl) AS x
    UNION
    SELECT x.privilege_type, x.grantee
    FROM pg_catalog.pg_attribute AS k CROSS JOIN LATERAL pg_catalog.aclexplode(k.attacl) AS x
    WHERE k.attrelid = c.oid) AS a
  WHERE a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER')
    -- Whoever streams marks what has arrived; nothing that can be updated there is acted upon.
    AND NOT (c.relname = 'schema_log' AND a.privilege_type = 'UPDATE')
), running (what, fix, function) AS (
  SELECT pg_catalog.format('trigger %I of pgstream.%I', t.tgname, c.relname),
         pg_catalog.format('DROP TRIGGER %I ON pgstream.%I', t.tgname, c.relname), t.tgfoid
  FROM relation AS c JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = c.oid AND NOT t.tgisinternal
  UNION ALL
  SELECT pg_catalog.concat(i.type, ' ', i.identity),
         pg_catalog.format('ALTER TABLE pgstream.%I ALTER COLUMN %I DROP DEFAULT', c.relname, k.attname), d.refobjid
  FROM relation AS c
  JOIN pg_catalog.pg_attrdef AS f ON f.adrelid = c.oid
  JOIN pg_catalog.pg_attribute AS k ON k.attrelid = c.oid AND k.attnum = f.adnum
  JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid
  CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) AS i
  WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  UNION ALL
  SELECT pg_catalog.concat(i.type, ' ', i.identity),
         pg_catalog.format('ALTER TABLE pgstream.%I DROP CONSTRAINT %I', c.relname, k.conname), d.refobjid
  FROM relation AS c
  JOIN pg_catalog.pg_constraint AS k ON k.conrelid = c.oid
  JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.objid = k.oid
  CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) AS i
  WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  UNION ALL
  SELECT pg_catalog.format('index pgstream.%I', c.relname),
         pg_catalog.format('DROP INDEX pgstream.%I', c.relname), d.refobjid
  FROM relation AS c
  JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
  WHERE c.relkind IN ('i', 'I') AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  UNION ALL
  SELECT pg_catalog.format('rule %I of pgstream.%I', r.rulename, c.relname),
         pg_catalog.format('DROP RULE %I ON pgstream.%I', r.rulename, c.relname), d.refobjid
  FROM relation AS c
  JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = c.oid
  JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
  WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
), finding (rank, what, fix) AS (
  SELECT CASE o.class WHEN 'pg_catalog.pg_namespace'::pg_catalog.regclass THEN 1 ELSE 2 END,
         pg_catalog.concat(i.type, ' ', i.identity, ' belongs to role ', pg_catalog.pg_get_userbyid(o.owner)),
         pg_catalog.concat('ALTER ', pg_catalog.upper(i.type), ' ', i.identity, ' OWNER TO ',
           CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_event_trigger AS e WHERE e.evtname = 'pgstream_ddl_command_end')
                THEN 'CURRENT_USER' ELSE pg_catalog.quote_ident(CURRENT_USER) END)
  FROM owned AS o CROSS JOIN LATERAL pg_catalog.pg_identify_object(o.class, o.oid, 0) AS i
  WHERE o.owner NOT IN (SELECT t.oid FROM trusted AS t)
  UNION ALL
  SELECT 3, pg_catalog.concat(w.role, ' may ', g.privilege, ' in ', pg_catalog.lower(g.kind), ' ', g.name),
         pg_catalog.concat('REVOKE ', g.privilege, ' ON ', g.kind, ' ', g.name, ' FROM ', w.quoted)
  FROM granted AS g
  CROSS JOIN LATERAL (
    SELECT 'everybody', 'PUBLIC' WHERE g.grantee = 0
    UNION ALL
    SELECT 'role ' || r.rolname, pg_catalog.quote_ident(r.rolname) FROM pg_catalog.pg_roles AS r WHERE r.oid = g.grantee
  ) AS w (role, quoted)
  WHERE g.grantee NOT IN (SELECT t.oid FROM trusted AS t)
    AND g.grantee NOT IN (SELECT o.owner FROM owned AS o)
  UNION ALL
  SELECT 4, pg_catalog.concat(r.what, ' runs a function of role ', pg_catalog.pg_get_userbyid(p.proowner)), r.fix
  FROM running AS r JOIN pg_catalog.pg_proc AS p ON p.oid = r.function
  WHERE p.proowner NOT IN (SELECT t.oid FROM trusted AS t)
)
SELECT f.what, f.fix FROM finding AS f ORDER BY f.rank, f.what LIMIT 10
