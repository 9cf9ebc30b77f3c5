//! Owners and privileges: from the source to the target, as far as its roles allow.

use pgstream::cluster::Server;
use pgstream::config::{ConnectionSettings, Plugin};
use pgstream::status::{CopyState, Phase, Status, TableCopy};

use crate::schema_mirror::{Mirror, assert_same_dump_with_access};
use crate::support::clusters::every_server;
use crate::support::flow::{Flow, stop, wait_for};
use crate::support::{execute, query_text};

const ROLES: &str = "CREATE ROLE amy; CREATE ROLE \"Bob B\"; CREATE ROLE carol; GRANT CREATE ON SCHEMA public TO amy, carol";

/// Each line is a command, or several, after which both sides are equal.
const LINES: [&str; 22] = [
    "CREATE TABLE t (a int PRIMARY KEY, \"B b\" int); CREATE TABLE u (a serial); CREATE VIEW v AS SELECT * FROM t; \
     CREATE MATERIALIZED VIEW m AS SELECT 1 AS one; CREATE SEQUENCE q; CREATE TYPE mood AS ENUM ('ok'); \
     CREATE DOMAIN d AS int; CREATE SCHEMA \"S s\"; CREATE FUNCTION f(a int, b mood) RETURNS int LANGUAGE sql AS 'SELECT 1'; \
     CREATE PROCEDURE p(INOUT a text) LANGUAGE sql AS 'SELECT 1::text'; \
     CREATE AGGREGATE every(*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0')",
    "GRANT SELECT, INSERT ON t, v TO amy WITH GRANT OPTION; GRANT SELECT ON m TO PUBLIC; GRANT ALL ON u TO \"Bob B\"",
    "SET ROLE amy; GRANT SELECT ON t TO \"Bob B\" WITH GRANT OPTION; RESET ROLE; \
     SET ROLE \"Bob B\"; GRANT SELECT ON t TO carol; RESET ROLE",
    "GRANT UPDATE (\"B b\", a), REFERENCES (a) ON t TO carol; GRANT SELECT (a) ON v TO PUBLIC",
    "REVOKE GRANT OPTION FOR INSERT ON t FROM amy",
    "GRANT USAGE ON SEQUENCE q, u_a_seq TO amy; GRANT USAGE, CREATE ON SCHEMA \"S s\" TO amy; \
     REVOKE USAGE ON TYPE mood FROM PUBLIC; GRANT USAGE ON TYPE mood TO amy; GRANT USAGE ON DOMAIN d TO \"Bob B\"",
    "REVOKE ALL ON FUNCTION f(int, mood) FROM PUBLIC; GRANT EXECUTE ON FUNCTION f TO amy, \"Bob B\"; \
     GRANT EXECUTE ON PROCEDURE p TO carol; REVOKE ALL ON ROUTINE every() FROM PUBLIC",
    "REVOKE SELECT ON t FROM amy CASCADE",
    "REVOKE UPDATE (a) ON t FROM carol",
    "ALTER TABLE t OWNER TO amy; ALTER TABLE u OWNER TO carol; ALTER VIEW v OWNER TO amy; ALTER SEQUENCE q OWNER TO carol; \
     ALTER TYPE mood OWNER TO amy; ALTER DOMAIN d OWNER TO amy; ALTER SCHEMA \"S s\" OWNER TO amy; \
     ALTER FUNCTION f OWNER TO carol; ALTER MATERIALIZED VIEW m OWNER TO carol",
    "SET ROLE amy; GRANT SELECT ON t TO carol; REVOKE DELETE ON v FROM amy; CREATE TABLE own (a int); \
     CREATE TYPE made AS (a int); CREATE SEQUENCE own_q; RESET ROLE",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO carol; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO carol",
    "ALTER DEFAULT PRIVILEGES FOR ROLE amy IN SCHEMA public GRANT SELECT ON TABLES TO carol; \
     ALTER DEFAULT PRIVILEGES FOR ROLE amy REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC; \
     ALTER DEFAULT PRIVILEGES FOR ROLE amy GRANT USAGE ON TYPES TO \"Bob B\" WITH GRANT OPTION",
    "SET ROLE amy; CREATE TABLE by_default (a int); CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'; RESET ROLE",
    "ALTER DEFAULT PRIVILEGES FOR ROLE amy IN SCHEMA public REVOKE SELECT ON TABLES FROM carol; \
     ALTER DEFAULT PRIVILEGES FOR ROLE amy GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
    "DO $$ BEGIN GRANT INSERT ON u TO amy; EXECUTE 'GRANT SELECT (a) ON u TO amy'; END $$",
    "CREATE FUNCTION grants() RETURNS void LANGUAGE sql AS 'GRANT UPDATE (a) ON u TO amy; GRANT USAGE ON SEQUENCE q TO PUBLIC'; \
     SELECT grants()",
    "BEGIN; CREATE TABLE late (a int); SAVEPOINT s; GRANT SELECT ON late TO amy; ROLLBACK TO s; \
     GRANT INSERT ON late TO amy; GRANT/* it's */UPDATE ON late TO \"Bob B\"; COMMIT",
    "ALTER TABLE t RENAME TO \"T t\"; GRANT SELECT ON \"T t\" TO \"Bob B\"; ALTER TABLE \"T t\" SET SCHEMA \"S s\"; \
     GRANT DELETE ON \"S s\".\"T t\" TO \"Bob B\"",
    "ALTER TABLE \"S s\".\"T t\" OWNER TO \"Bob B\"; GRANT SELECT ON \"S s\".\"T t\" TO PUBLIC",
    "DROP OWNED BY carol",
    "DROP FUNCTION g(); DROP SCHEMA \"S s\" CASCADE; CREATE TABLE u (a int)",
];

async fn all_of_it(mut mirror: Mirror) {
    mirror.source.run(ROLES).await.unwrap();
    mirror
        .target
        .run("GRANT CREATE ON SCHEMA public TO amy, carol")
        .await
        .unwrap();
    mirror.follow("the roles").await;
    for line in LINES {
        mirror.run(line).await;
        mirror.assert_equal(line).await;
    }
}

#[tokio::test]
async fn owners_and_privileges_travel() {
    all_of_it(Mirror::start().await).await;
}

#[tokio::test]
async fn owners_and_privileges_travel_on_every_server() {
    let servers: Vec<Server> = every_server();
    for server in servers.iter().skip(1) {
        all_of_it(Mirror::on(server).await).await;
    }
}

/// The role that applies has the rights of one owner, the target lacks another, and what would shut ours out is not done.
async fn as_far_as_its_roles_allow(plugin: Plugin) {
    let mut flow = Flow::bare().await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    execute(&flow.source, "CREATE ROLE amy; CREATE ROLE stranger; CREATE ROLE nobody; GRANT CREATE ON SCHEMA public TO amy, nobody").await;
    execute(
        &flow.target,
        "CREATE ROLE amy; CREATE ROLE stranger; CREATE ROLE applier LOGIN PASSWORD 'postgres'; GRANT amy TO applier; \
         GRANT CREATE, TEMPORARY ON DATABASE postgres TO applier; GRANT USAGE, CREATE ON SCHEMA public TO applier, amy",
    )
    .await;
    flow.init(plugin).await;
    let url = flow.target_cluster.url("postgres");
    let url = url.replacen("postgres:postgres@", "applier:postgres@", 1);
    flow.pipeline.target = ConnectionSettings::parse(&url).unwrap();

    let handle = flow.start();
    flow.run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE k (id int REFERENCES t); CREATE VIEW v AS SELECT 1 AS one").await;
    flow.run("ALTER TABLE t OWNER TO amy; INSERT INTO t VALUES (1); INSERT INTO k VALUES (1)")
        .await;
    flow.run("ALTER TABLE k OWNER TO stranger; ALTER TABLE k OWNER TO nobody")
        .await;
    flow.run("GRANT SELECT ON t TO nobody, stranger").await;
    flow.run(
        "REVOKE INSERT, DELETE ON t FROM amy; INSERT INTO t VALUES (2); INSERT INTO k VALUES (2)",
    )
    .await;
    flow.run("CREATE FUNCTION one(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; \
              ALTER TABLE t ADD CHECK (one(id) = 1); REVOKE EXECUTE ON FUNCTION one FROM PUBLIC; INSERT INTO t VALUES (3)").await;
    flow.run("SET ROLE nobody; CREATE VIEW shows AS SELECT * FROM t; GRANT SELECT ON shows TO stranger; RESET ROLE").await;
    flow.acknowledged().await;
    flow.equal().await;
    stop(handle).await;

    let left = query_text(
        &flow.target,
        "SELECT unnest(not_applied) FROM pgstream.schema_change ORDER BY commit_lsn, version",
    )
    .await;
    let expected = [
        "owner of table public.k: our role does not have the rights of role stranger: GRANT \"stranger\" TO \"applier\"; \
         ALTER TABLE \"public\".\"k\" OWNER TO \"stranger\"",
        "owner of table public.k: the target has no role nobody: CREATE ROLE \"nobody\"; GRANT \"nobody\" TO \"applier\"; \
         ALTER TABLE \"public\".\"k\" OWNER TO \"nobody\"",
        "privileges on table public.t: the target has no role nobody: CREATE ROLE \"nobody\"; \
         GRANT SELECT ON TABLE public.t TO \"nobody\"",
        "privileges on table public.t: who owns it keeps INSERT, DELETE here: our role writes rows and schema changes with \
         the owner's rights",
        "privileges on view public.shows: it would show what our role may read, because role nobody does not own it here: \
         GRANT \"nobody\" TO \"applier\"; ALTER VIEW public.shows OWNER TO \"nobody\"; \
         GRANT SELECT ON TABLE public.shows TO \"stranger\"",
    ];
    assert_eq!(left, expected);
    let access = query_text(
        &flow.target,
        "SELECT relname || ' of ' || pg_get_userbyid(relowner) || ', read by stranger: ' \
           || has_table_privilege('stranger', oid, 'SELECT') \
           FROM pg_class WHERE relname IN ('t', 'k') ORDER BY 1",
    )
    .await;
    assert_eq!(
        access,
        [
            "k of applier, read by stranger: false",
            "t of amy, read by stranger: true"
        ]
    );
}

#[tokio::test]
async fn what_the_targets_roles_do_not_allow_is_reported_and_rows_go_on_pgoutput() {
    as_far_as_its_roles_allow(Plugin::Pgoutput).await;
}

#[tokio::test]
async fn what_the_targets_roles_do_not_allow_is_reported_and_rows_go_on_wal2json() {
    as_far_as_its_roles_allow(Plugin::Wal2json).await;
}

/// What was granted before, and what nothing tells of.
#[tokio::test]
async fn a_copy_brings_owners_and_privileges_and_run_finds_reassigned_ones() {
    let mut flow = Flow::bare().await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.pipeline.snapshot.enabled = true;
    let roles = ROLES.split_once("; GRANT").unwrap().0;
    execute(&flow.target, roles).await;
    flow.run(ROLES).await;
    for line in &LINES[..17] {
        flow.run(line).await;
    }
    flow.init(Plugin::Pgoutput).await;

    let handle = flow.start();
    let copied = |status: &Status| {
        let snapshot = status.snapshot.as_ref();
        let ready = |table: &TableCopy| table.state == CopyState::Ready;
        snapshot.is_some_and(|snapshot| snapshot.tables.iter().all(ready))
            && matches!(status.phase, Phase::Streaming { .. })
    };
    wait_for(&handle, "the end of the copy", copied).await;
    assert_same_dump_with_access(&flow.source_cluster, &flow.target_cluster);
    stop(handle).await;

    flow.run("REASSIGN OWNED BY amy TO carol").await;
    let handle = flow.start();
    flow.shows(
        "SELECT tableowner FROM pg_tables WHERE tablename = 't'",
        &["carol"],
    )
    .await;
    flow.acknowledged().await;
    stop(handle).await;
    assert_same_dump_with_access(&flow.source_cluster, &flow.target_cluster);
}
