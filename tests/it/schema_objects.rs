//! Functions, views, triggers and what else one statement makes: from the source's log to the target.

use pgstream::apply;
use pgstream::config::Plugin;

use crate::schema_mirror::Mirror;
use crate::support::flow::{Flow, stop};
use crate::support::{execute, query_text};

/// Runs each line on the source and what it means on the target; both dumps are equal after each.
pub async fn check(lines: &[&str]) {
    let mut mirror = Mirror::start().await;
    apply::install_records(&mirror.target).await.unwrap();
    for line in lines {
        mirror.run(line).await;
        mirror.assert_equal(line).await;
    }
}

#[tokio::test]
async fn functions_travel_with_what_is_done_to_them() {
    check(&[
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (a int PRIMARY KEY, m mood)",
        "CREATE FUNCTION f(a int, b mood DEFAULT 'ok') RETURNS int LANGUAGE sql STABLE COST 7 \
         SET work_mem = '1MB' AS 'SELECT count(*)::int FROM not_there_yet'",
        "CREATE FUNCTION atomic(x int) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM t WHERE a > x; END",
        "CREATE PROCEDURE p(INOUT a text) LANGUAGE plpgsql AS $$ BEGIN a := 'it''s $x$ \\ '; END $$",
        "CREATE FUNCTION rows_of(t) RETURNS SETOF t LANGUAGE sql AS 'SELECT $1'",
        "CREATE OR REPLACE FUNCTION f(a int, b mood DEFAULT 'sad') RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'",
        "ALTER FUNCTION f(int, mood) RENAME TO \"F g\"; ALTER FUNCTION \"F g\" STRICT PARALLEL SAFE",
        "CREATE SCHEMA s; ALTER FUNCTION \"F g\" SET SCHEMA s; ALTER PROCEDURE p SET SCHEMA s",
        "COMMENT ON FUNCTION atomic IS 'it''s'; COMMENT ON PROCEDURE s.p(text) IS E'a\\\\b'",
        "ALTER TYPE mood RENAME TO temper; ALTER TABLE t RENAME TO u; ALTER SCHEMA s RENAME TO r",
        "CREATE OR REPLACE FUNCTION r.\"F g\"(a int, b temper DEFAULT 'ok') RETURNS int LANGUAGE sql AS 'SELECT 2'",
        "COMMENT ON FUNCTION atomic IS NULL; ALTER FUNCTION atomic RENAME TO atom",
        "CREATE FUNCTION one(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; \
         CREATE TABLE d (a int DEFAULT one(2) CHECK (one(a) > 0), g int GENERATED ALWAYS AS (one(a)) STORED); \
         CREATE INDEX ON d (one(a)); CREATE DOMAIN dom AS int CHECK (one(VALUE) = 1)",
        "CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0', PARALLEL = SAFE); \
         CREATE AGGREGATE every(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0'); \
         CREATE AGGREGATE mid(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, \
           FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA)",
        "ALTER AGGREGATE total(int) RENAME TO sum_up; COMMENT ON AGGREGATE every(*) IS 'all'",
        "DROP AGGREGATE every(*); DROP FUNCTION one(int) CASCADE; DROP FUNCTION atom(int)",
        "DO $$ BEGIN CREATE FUNCTION in_block() RETURNS int LANGUAGE sql AS 'SELECT 1'; END $$",
        "BEGIN; CREATE FUNCTION kept() RETURNS int LANGUAGE sql AS 'SELECT 1'; SAVEPOINT s; \
         DROP FUNCTION kept(); ROLLBACK TO s; CREATE FUNCTION other() RETURNS int LANGUAGE sql AS 'SELECT 1'; COMMIT",
        "DROP SCHEMA r CASCADE; DROP TABLE u CASCADE; DROP TYPE temper",
    ])
    .await;
}

#[tokio::test]
async fn views_travel_with_what_is_done_to_them() {
    check(&[
        "CREATE TABLE t (a int PRIMARY KEY, b text, c int)",
        "CREATE VIEW v AS SELECT * FROM t; CREATE VIEW w AS SELECT v.a, count(*) FROM v GROUP BY 1",
        "CREATE VIEW o WITH (security_barrier) AS SELECT a, b FROM t WHERE a > 0 WITH LOCAL CHECK OPTION",
        "CREATE OR REPLACE VIEW v AS SELECT a, b, c, a + c AS sum FROM t",
        "ALTER VIEW v RENAME COLUMN sum TO total; ALTER VIEW v RENAME TO \"V w\"",
        "ALTER VIEW o SET (security_barrier = false, check_option = cascaded); ALTER VIEW o RESET (check_option)",
        "ALTER VIEW o ALTER COLUMN b SET DEFAULT 'x'; COMMENT ON VIEW o IS 'o'; COMMENT ON COLUMN o.b IS 'b'",
        "ALTER VIEW o ALTER COLUMN b DROP DEFAULT",
        "ALTER TABLE t RENAME COLUMN c TO d; ALTER TABLE t RENAME TO u",
        "CREATE OR REPLACE VIEW \"V w\" AS SELECT a, b, d AS c, a + d AS total, 1 AS one FROM u",
        "CREATE SCHEMA s; ALTER VIEW o SET SCHEMA s",
        "CREATE RECURSIVE VIEW r (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 9",
        "CREATE MATERIALIZED VIEW m AS SELECT * FROM u; CREATE UNIQUE INDEX m_a ON m (a)",
        "CREATE MATERIALIZED VIEW n WITH (fillfactor = 70) AS SELECT a FROM m WITH NO DATA",
        "REFRESH MATERIALIZED VIEW n; REFRESH MATERIALIZED VIEW CONCURRENTLY m",
        "ALTER MATERIALIZED VIEW n SET (fillfactor = 80); ALTER MATERIALIZED VIEW n RENAME COLUMN a TO z; \
         ALTER MATERIALIZED VIEW n RENAME TO nn; ALTER INDEX m_a RENAME TO m_b; COMMENT ON MATERIALIZED VIEW nn IS 'nn'",
        "CREATE MATERIALIZED VIEW kept AS SELECT a, b FROM u; ALTER MATERIALIZED VIEW kept ALTER b SET COMPRESSION pglz, \
         ALTER b SET STORAGE EXTERNAL, ALTER a SET STATISTICS 7",
        "ALTER MATERIALIZED VIEW kept ALTER b SET STORAGE EXTENDED, ALTER a SET STATISTICS 8; \
         ALTER MATERIALIZED VIEW kept RENAME b TO c; DROP MATERIALIZED VIEW kept",
        "CREATE VIEW over_all AS SELECT * FROM w JOIN nn ON nn.z = w.a",
        "CREATE FUNCTION of_view(s.o) RETURNS text LANGUAGE sql AS 'SELECT $1.b'; \
         CREATE VIEW with_function AS SELECT of_view(o) FROM s.o",
        "CREATE SCHEMA made CREATE VIEW x AS SELECT * FROM y CREATE TABLE y (a int)",
        "DROP VIEW over_all; ALTER TABLE u DROP COLUMN d CASCADE",
        "CREATE SCHEMA r; CREATE TABLE r.t (a int); CREATE TYPE r.made AS (x r.t); \
         CREATE VIEW r.v AS SELECT row(t)::r.made FROM r.t; CREATE TABLE r.log (was r.v, now_is r.v); \
         CREATE VIEW r.w AS SELECT was FROM r.log; CREATE TYPE r.of AS (w r.w)",
        "DROP SCHEMA r CASCADE",
        "DROP TABLE u CASCADE; DROP SCHEMA made CASCADE",
    ])
    .await;
}

#[tokio::test]
async fn what_belongs_to_a_table_travels_with_what_is_done_to_it() {
    check(&[
        "CREATE TABLE t (a int PRIMARY KEY, b text); CREATE TABLE parted (a int) PARTITION BY LIST (a); \
         CREATE TABLE part PARTITION OF parted FOR VALUES IN (1)",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER g BEFORE UPDATE OF b ON t FOR EACH ROW WHEN (NEW.a > 1) EXECUTE FUNCTION f('x', '1'); \
         CREATE CONSTRAINT TRIGGER c AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f(); \
         CREATE TRIGGER s AFTER INSERT ON t REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION f(); \
         CREATE TRIGGER p AFTER INSERT ON parted FOR EACH ROW EXECUTE FUNCTION f()",
        "ALTER TABLE t RENAME COLUMN b TO bb; ALTER TRIGGER g ON t RENAME TO \"G g\"; COMMENT ON TRIGGER \"G g\" ON t IS 'g'",
        "CREATE OR REPLACE TRIGGER \"G g\" AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t ENABLE ALWAYS TRIGGER c",
        "CREATE TABLE part2 PARTITION OF parted FOR VALUES IN (2); ALTER TRIGGER p ON parted RENAME TO q; \
         ALTER TABLE parted DETACH PARTITION part",
        "CREATE VIEW v AS SELECT * FROM t; CREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (NEW.a, NEW.bb); \
         CREATE RULE r AS ON UPDATE TO t WHERE NEW.a > 7 DO ALSO SELECT NEW.a; \
         CREATE TRIGGER i INSTEAD OF DELETE ON v FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE OR REPLACE RULE r AS ON UPDATE TO t DO INSTEAD NOTHING; ALTER RULE r ON t RENAME TO rr; COMMENT ON RULE rr ON t IS 'r'",
        "CREATE POLICY p ON t AS RESTRICTIVE FOR UPDATE TO CURRENT_USER, pg_monitor USING (a > 1) WITH CHECK (bb <> ''); \
         CREATE POLICY q ON t; ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "ALTER POLICY p ON t USING (a > 2); ALTER POLICY q ON t RENAME TO qq; COMMENT ON POLICY qq ON t IS 'qq'; \
         ALTER POLICY qq ON t TO pg_monitor",
        "ALTER TABLE t NO FORCE ROW LEVEL SECURITY; ALTER TABLE t DISABLE ROW LEVEL SECURITY",
        "CREATE STATISTICS st (dependencies, ndistinct) ON a, bb FROM t; CREATE STATISTICS e ON (a + 1) FROM t",
        "CREATE SCHEMA s; ALTER STATISTICS st SET STATISTICS 77; ALTER STATISTICS st RENAME TO stat; ALTER STATISTICS stat SET SCHEMA s; \
         COMMENT ON STATISTICS s.stat IS 'stat'",
        "CREATE TABLE retyped (a int, b text, c int); CREATE STATISTICS anew ON a, c FROM retyped; \
         CREATE STATISTICS again ON (c + 1) FROM retyped; COMMENT ON STATISTICS anew IS 'anew'",
        "ALTER TABLE retyped ALTER c TYPE numeric",
        "DROP STATISTICS anew; CREATE STATISTICS anew ON (a * 2), upper(b) FROM retyped; ALTER STATISTICS again RENAME TO one",
        "ALTER TABLE t RENAME TO u",
        "DROP TRIGGER c ON u; DROP RULE rr ON u; DROP POLICY p ON u; DROP STATISTICS e",
        "DROP FUNCTION f() CASCADE",
        "ALTER TABLE u DROP COLUMN bb CASCADE",
        "DROP TABLE u CASCADE; DROP TABLE parted",
        "CREATE SCHEMA gone; CREATE TABLE gone.t (a int) PARTITION BY LIST (a); CREATE TABLE gone.p PARTITION OF gone.t DEFAULT; \
         CREATE FUNCTION gone.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
         CREATE CONSTRAINT TRIGGER g AFTER INSERT ON gone.t INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gone.f()",
        "DROP SCHEMA gone CASCADE",
    ])
    .await;
}

#[tokio::test]
async fn what_names_another_table_goes_before_it() {
    check(&[
        "CREATE SCHEMA s; CREATE TABLE s.named (a int PRIMARY KEY); CREATE TABLE s.t (a int)",
        "CREATE POLICY p ON s.t USING (a IN (SELECT a FROM s.named)); \
         CREATE RULE r AS ON DELETE TO s.t DO ALSO DELETE FROM s.named",
        "DROP SCHEMA s CASCADE",
        "CREATE TABLE after_it (a int)",
    ])
    .await;
}

/// The stream goes on, and the log says why.
#[tokio::test]
async fn what_the_target_refuses_is_reported_and_rows_go_on() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let handle = flow.start();
    flow.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    flow.equal().await;
    execute(&flow.target, "CREATE VIEW v AS SELECT 'own' AS whose").await;
    flow.run(
        "CREATE ROLE boss; GRANT CREATE ON SCHEMA public TO boss; CREATE VIEW v AS SELECT * FROM t",
    )
    .await;
    flow.run("BEGIN; INSERT INTO t VALUES (1); CREATE POLICY p ON t TO boss; INSERT INTO t VALUES (2); COMMIT").await;
    flow.run("SET ROLE boss; CREATE FUNCTION f() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'; \
              CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'; RESET ROLE; INSERT INTO t VALUES (3)")
        .await;
    flow.equal().await;
    flow.acknowledged().await;
    let refused = "SELECT tag, statements = '{}', not_applied[1] FROM pgstream.schema_change \
                   WHERE not_applied[1] LIKE '%refused%' ORDER BY commit_lsn";
    let found = query_text(&flow.target, refused).await;
    let [view, policy, function] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        view.starts_with("CREATE VIEW|f|view public.v: the target refused it: ")
            && view.contains("42P07"),
        "{view}"
    );
    assert!(
        policy.starts_with("CREATE POLICY|f|policy p on public.t: ") && policy.contains("42704"),
        "{policy}"
    );
    assert!(
        function.contains("it belongs to role boss on the source"),
        "{function}"
    );
    flow.run("CREATE OR REPLACE VIEW v AS SELECT id, 1 AS one FROM t; ALTER VIEW v RENAME TO w; DROP VIEW w; INSERT INTO t VALUES (4)")
        .await;
    flow.equal().await;
    flow.acknowledged().await;
    flow.shows("SELECT whose FROM v", &["own"]).await;
    let routines = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace";
    assert_eq!(query_text(&flow.target, routines).await, ["g"]);
    stop(handle).await;
}

/// Everything of a table that came from the source stays silent; what the target has of its own acts.
const AUDIT: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE audit (n serial PRIMARY KEY, what text); \
    CREATE TABLE seen (id int); \
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
      INSERT INTO public.audit (what) VALUES (TG_OP || coalesce(NEW.id, OLD.id)); RETURN coalesce(NEW, OLD); END $$; \
    CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; \
    CREATE TRIGGER notes AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION note(); \
    CREATE TRIGGER always AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note(); \
    ALTER TABLE t ENABLE ALWAYS TRIGGER always; \
    CREATE TRIGGER replica BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION never(); \
    ALTER TABLE t ENABLE REPLICA TRIGGER replica; \
    CREATE RULE sees AS ON INSERT TO t DO ALSO INSERT INTO seen VALUES (NEW.id)";

const CHANGES: &str = "INSERT INTO t VALUES (1, 'a'), (2, 'b'); UPDATE t SET v = 'c' WHERE id = 1; DELETE FROM t WHERE id = 2";

async fn audited(plugin: Plugin, disable_triggers: bool) {
    let mut flow = Flow::schema(plugin).await;
    flow.pipeline.disable_triggers = disable_triggers;
    let handle = flow.start();
    flow.run(AUDIT).await;
    flow.run(CHANGES).await;
    flow.equal().await;
    let own = "CREATE TABLE own (id int); CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS \
               $$ BEGIN INSERT INTO public.own VALUES (NEW.id); RETURN NEW; END $$; \
               CREATE TRIGGER own AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION own()";
    execute(&flow.target, own).await;
    flow.run(
        "CREATE OR REPLACE TRIGGER notes AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note(); \
              ALTER TRIGGER notes ON t RENAME TO noted; ALTER TABLE t DISABLE TRIGGER always; \
              ALTER TABLE t RENAME COLUMN v TO w; INSERT INTO t VALUES (3, 'd')",
    )
    .await;
    flow.shows(
        "SELECT what FROM audit ORDER BY n",
        &[
            "INSERT1", "INSERT1", "INSERT2", "INSERT2", "UPDATE1", "DELETE2", "INSERT3",
        ],
    )
    .await;
    let fires: &[&str] = if disable_triggers { &[] } else { &["3"] };
    flow.shows("SELECT id FROM own", fires).await;
    flow.shows("SELECT id FROM seen ORDER BY 1", &["1", "2", "3"])
        .await;
    flow.shows(
        "SELECT COALESCE(tgname, rulename), enabled FROM pgstream.silenced AS s \
         LEFT JOIN pg_trigger AS t ON t.oid = s.oid LEFT JOIN pg_rewrite AS r ON r.oid = s.oid ORDER BY 1",
        &["always|D", "noted|O", "replica|R", "sees|O"],
    )
    .await;
    stop(handle).await;
}

#[tokio::test]
async fn what_came_from_the_source_never_fires_for_what_we_write() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        audited(plugin, false).await;
    }
    audited(Plugin::Pgoutput, true).await;
}
