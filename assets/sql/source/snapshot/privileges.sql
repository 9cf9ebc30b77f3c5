-- What is granted on the objects $1, by their OIDs, that PostgreSQL or an extension's script did not give, and
-- the other way round; with $2 default privileges, too, or those of the schemas $3. A row of JSON each, as in
-- the schema log. The owner stands as the owner, whoever that is.
WITH found (class, oid, number, kind, owner, acl, namespace) AS (
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, c.oid, 0,
         CASE c.relkind WHEN 'S' THEN 's'::pg_catalog."char" ELSE 'r' END, c.relowner, c.relacl, NULL::pg_catalog.oid
  FROM pg_catalog.pg_class AS c
  WHERE c.oid = ANY ($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
  UNION ALL
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, a.attrelid, a.attnum, 'c', c.relowner, a.attacl, NULL
  FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
  WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  UNION ALL
  SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, 0, 'f', p.proowner, p.proacl, NULL
  FROM pg_catalog.pg_proc AS p WHERE p.oid = ANY ($1)
  UNION ALL
  SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, 0, 'T', t.typowner, t.typacl, NULL
  FROM pg_catalog.pg_type AS t WHERE t.oid = ANY ($1)
  UNION ALL
  SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, n.oid, 0, 'n', n.nspowner, n.nspacl, NULL
  FROM pg_catalog.pg_namespace AS n WHERE n.oid = ANY ($1)
  UNION ALL
  SELECT 'pg_catalog.pg_language'::pg_catalog.regclass, l.oid, 0, 'l', l.lanowner, l.lanacl, NULL
  FROM pg_catalog.pg_language AS l WHERE l.oid = ANY ($1)
  UNION ALL
  SELECT 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, w.oid, 0, 'F', w.fdwowner, w.fdwacl, NULL
  FROM pg_catalog.pg_foreign_data_wrapper AS w WHERE w.oid = ANY ($1)
  UNION ALL
  SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, s.oid, 0, 'S', s.srvowner, s.srvacl, NULL
  FROM pg_catalog.pg_foreign_server AS s WHERE s.oid = ANY ($1)
  UNION ALL
  SELECT 'pg_catalog.pg_default_acl'::pg_catalog.regclass, d.oid, 0,
         CASE WHEN d.defaclnamespace <> 0 THEN 'c' WHEN d.defaclobjtype = 'S' THEN 's' ELSE d.defaclobjtype END,
         d.defaclrole, d.defaclacl, NULLIF(d.defaclnamespace, 0)
  FROM pg_catalog.pg_default_acl AS d
  LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = d.defaclnamespace
  WHERE d.defaclobjtype IN ('r', 'S', 'f', 'T', 'n') AND ($2 OR n.nspname = ANY ($3::pg_catalog.text[]))
), side AS (
  SELECT f.class, f.oid, f.number, 'granted' AS side, f.owner, f.acl FROM found AS f WHERE f.acl IS NOT NULL
  UNION ALL
  SELECT f.class, f.oid, f.number, 'given', f.owner, COALESCE(
           (SELECT i.initprivs FROM pg_catalog.pg_init_privs AS i
            WHERE i.classoid = f.class AND i.objoid = f.oid AND i.objsubid = f.number),
           pg_catalog.acldefault(f.kind, f.owner))
  FROM found AS f WHERE f.acl IS NOT NULL
), item AS (
  SELECT s.class, s.oid, s.number, s.side, e.ordinality AS place, pg_catalog.jsonb_build_object(
           'privilege', e.privilege_type, 'grantable', e.is_grantable,
           'to', CASE e.grantee WHEN 0 THEN '"public"'::pg_catalog.jsonb WHEN s.owner THEN '"owner"'
             ELSE pg_catalog.jsonb_build_object('role', pg_catalog.pg_get_userbyid(e.grantee)) END,
           'by', CASE e.grantor WHEN s.owner THEN '"owner"'::pg_catalog.jsonb
             ELSE pg_catalog.jsonb_build_object('role', pg_catalog.pg_get_userbyid(e.grantor)) END) AS item
  FROM side AS s CROSS JOIN LATERAL pg_catalog.aclexplode(s.acl) WITH ORDINALITY AS e
), differing AS (
  SELECT i.class, i.oid, i.number, i.item, pg_catalog.min(i.side) AS side, pg_catalog.min(i.place) AS place
  FROM item AS i GROUP BY i.class, i.oid, i.number, i.item
  HAVING pg_catalog.count(DISTINCT i.side) = 1
), change AS (
  SELECT d.class, d.oid, d.number,
         COALESCE(pg_catalog.jsonb_agg(d.item ORDER BY d.place) FILTER (WHERE d.side = 'granted'), '[]') AS granted,
         COALESCE(pg_catalog.jsonb_agg(d.item ORDER BY d.place) FILTER (WHERE d.side = 'given'), '[]') AS revoked
  FROM differing AS d GROUP BY d.class, d.oid, d.number
)
SELECT pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(
         'oid', c.oid::pg_catalog.int8, 'class', k.relname,
         'kind', CASE WHEN a.oid IS NULL THEN w.type ELSE 'default privileges' END,
         'identity', CASE WHEN a.oid IS NULL THEN w.identity ELSE
           CASE a.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
                                WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END END,
         'column', (SELECT b.attname FROM pg_catalog.pg_attribute AS b
                    WHERE c.number > 0 AND b.attrelid = c.oid AND b.attnum = c.number),
         'table', CASE WHEN t.oid IS NOT NULL THEN
           pg_catalog.jsonb_build_object('schema', n.nspname, 'name', t.relname) END,
         'table_oid', CASE WHEN t.relkind IN ('r', 'p') THEN t.oid::pg_catalog.int8 END,
         'schema', (SELECT s.nspname FROM pg_catalog.pg_namespace AS s WHERE s.oid = f.namespace),
         'owner', pg_catalog.pg_get_userbyid(f.owner),
         'granted', c.granted, 'revoked', c.revoked))::pg_catalog.text
FROM change AS c
JOIN found AS f ON f.class = c.class AND f.oid = c.oid AND f.number = c.number
JOIN pg_catalog.pg_class AS k ON k.oid = c.class
CROSS JOIN LATERAL pg_catalog.pg_identify_object(c.class, c.oid, 0) AS w
LEFT JOIN pg_catalog.pg_default_acl AS a
  ON c.class = 'pg_catalog.pg_default_acl'::pg_catalog.regclass AND a.oid = c.oid
LEFT JOIN pg_catalog.pg_class AS t
  ON c.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND t.relkind <> 'S' AND t.oid = COALESCE((
       SELECT d.refobjid
       FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_class AS q ON q.oid = d.objid AND q.relkind = 'S'
       WHERE d.classid = c.class AND d.objid = c.oid AND d.refclassid = c.class AND d.deptype IN ('a', 'i')
         AND d.refobjsubid > 0
       LIMIT 1), c.oid)
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
WHERE w.identity IS NOT NULL
ORDER BY c.class, c.oid, c.number
