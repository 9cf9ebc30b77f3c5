//! What any user may set or make in a session never decides what our functions do, and never gains him
//! a right: hostile settings, hostile objects, and roles that attack.

use pgstream::config::Plugin;
use pgstream::postgres::MEANING;
use pgstream::schema::install;

use crate::schema_mirror::Mirror;
use crate::support::flow::{Flow, SLOT, stop};
use crate::support::{cluster, connect, execute, query_text};

/// A role that may log in and owns one schema.
const ATTACKER: &str = "\
CREATE ROLE attacker LOGIN PASSWORD 'postgres';
CREATE SCHEMA mine AUTHORIZATION attacker;
CREATE TABLE public.witness (what text);";

/// What our functions must never run, for it would run with the rights of their owner.
const TRAP: &str = "\
CREATE FUNCTION mine.trap() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF current_user <> session_user THEN ALTER ROLE attacker SUPERUSER; END IF;
  RETURN true;
END $$;
CREATE FUNCTION mine.trap(jsonb, jsonb) RETURNS boolean LANGUAGE sql AS 'SELECT mine.trap()';
CREATE FUNCTION mine.trap(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT mine.trap()';
CREATE FUNCTION mine.trap(jsonb, text) RETURNS text LANGUAGE sql AS 'SELECT mine.trap()::text';
CREATE FUNCTION mine.trap(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT mine.trap()';
CREATE FUNCTION mine.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql AS 'SELECT mine.trap()::text';
CREATE FUNCTION mine.format_type(oid, int) RETURNS text LANGUAGE sql AS 'SELECT mine.trap()::text';
CREATE FUNCTION mine.to_jsonb(text[]) RETURNS jsonb LANGUAGE sql AS 'SELECT to_jsonb(mine.trap())';
CREATE FUNCTION mine.pg_get_expr(pg_node_tree, oid) RETURNS text LANGUAGE sql AS 'SELECT mine.trap()::text';
CREATE FUNCTION mine.current_setting(text, boolean) RETURNS text LANGUAGE sql AS 'SELECT mine.trap()::text';
CREATE OPERATOR mine.<> (FUNCTION = mine.trap, LEFTARG = jsonb, RIGHTARG = jsonb);
CREATE OPERATOR mine.= (FUNCTION = mine.trap, LEFTARG = jsonb, RIGHTARG = jsonb);
CREATE OPERATOR mine.= (FUNCTION = mine.trap, LEFTARG = oid, RIGHTARG = oid);
CREATE OPERATOR mine.->> (FUNCTION = mine.trap, LEFTARG = jsonb, RIGHTARG = text);
CREATE OPERATOR mine.~ (FUNCTION = mine.trap, LEFTARG = text, RIGHTARG = text);";

/// Each name that a body of ours may use, in front of the server's own.
const TRAPS: &str = "\
SET search_path = pg_temp, mine, pg_catalog;
CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (mine.trap());
CREATE DOMAIN pg_temp.jsonb AS pg_catalog.jsonb CHECK (mine.trap());
CREATE DOMAIN pg_temp.oid AS pg_catalog.oid CHECK (mine.trap());
CREATE DOMAIN pg_temp.name AS pg_catalog.name CHECK (mine.trap());
CREATE DOMAIN pg_temp.int8 AS pg_catalog.int8 CHECK (mine.trap());
CREATE DOMAIN pg_temp.bool AS pg_catalog.bool CHECK (mine.trap());
CREATE DOMAIN pg_temp.regclass AS pg_catalog.regclass CHECK (mine.trap());
CREATE TEMP VIEW pg_class AS SELECT * FROM pg_catalog.pg_class WHERE mine.trap();
CREATE TEMP VIEW pg_constraint AS SELECT * FROM pg_catalog.pg_constraint WHERE mine.trap();";

/// Every way through our functions.
const COMMANDS: [&str; 8] = [
    "CREATE TABLE mine.t (id int PRIMARY KEY, v varchar DEFAULT 'x' CHECK (v OPERATOR(pg_catalog.<>) 'b'))",
    "INSERT INTO mine.t VALUES (1)",
    "ALTER TABLE mine.t ALTER v TYPE varchar USING v OPERATOR(pg_catalog.||) '!'",
    "CREATE TABLE mine.keyless (id int)",
    "CREATE TYPE mine.mood AS ENUM ('a'); ALTER TYPE mine.mood RENAME TO temper",
    "ALTER TABLE mine.t RENAME v TO w",
    "DROP TABLE mine.t",
    "DROP TABLE mine.keyless",
];

fn as_attacker(url: &str) -> String {
    url.replacen("postgres:postgres@", "attacker:postgres@", 1)
}

#[tokio::test]
async fn nothing_that_a_user_makes_in_his_session_runs_with_our_rights() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run(ATTACKER).await;
    let url = as_attacker(&flow.source_cluster.url("postgres"));
    execute(&connect(&url).await, TRAP).await;

    // A session's first command compiles our functions, its second finds them.
    for commands in [&COMMANDS[..], &["CREATE TABLE mine.first (id int)"]] {
        let attacker = connect(&url).await;
        execute(&attacker, TRAPS).await;
        for command in commands {
            execute(&attacker, command).await;
        }
    }

    let roles = "SELECT rolname FROM pg_roles WHERE rolsuper AND rolname = 'attacker'";
    assert!(query_text(&flow.source, roles).await.is_empty());
    let log = "SELECT count(*) > 10, count(schema ->> 'failure') FROM pgstream.schema_log";
    assert_eq!(query_text(&flow.source, log).await, ["t|0"]);
}

#[tokio::test]
async fn an_error_that_a_user_prepares_for_us_is_nobodys_but_ours() {
    let mut mirror = Mirror::start().await;
    mirror
        .source
        .run("CREATE TYPE mood AS ENUM ('a'); CREATE TABLE t (id int PRIMARY KEY, m mood)")
        .await
        .unwrap();
    let user = mirror.another().await;
    user.run(
        "CREATE FUNCTION refuse() RETURNS boolean LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'refused'; END $$; \
         CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (public.refuse()); \
         SET search_path = pg_temp, pg_catalog",
    )
    .await
    .unwrap();
    user.run("SET exit_on_error = on").await.unwrap();
    mirror.entries().await;

    // With a snapshot from before another's change nothing of that object can be described.
    user.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        .await
        .unwrap();
    let alter = "ALTER TABLE t ADD COLUMN a int";
    mirror.source.run(alter).await.unwrap();
    user.run("ALTER TABLE public.t ADD COLUMN b int; COMMIT")
        .await
        .unwrap();

    let entries = mirror.entries().await;
    let failures = entries
        .iter()
        .filter_map(|entry| entry.change.failure.as_ref());
    assert_eq!((entries.len(), failures.count()), (2, 1));
}

/// What no user should set, and any may.
const HOSTILE: &[(&str, &str)] = &[
    ("DateStyle", "SQL, DMY"),
    ("IntervalStyle", "iso_8601"),
    ("TimeZone", "Asia/Kathmandu"),
    ("extra_float_digits", "-15"),
    ("bytea_output", "escape"),
    ("lc_monetary", "POSIX"),
    ("lc_numeric", "POSIX"),
    ("lc_time", "POSIX"),
    ("xmlbinary", "hex"),
    ("xmloption", "document"),
    ("array_nulls", "off"),
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "on"),
    ("transform_null_equals", "on"),
    ("quote_all_identifiers", "on"),
    ("search_path", "hostile, public"),
    ("default_transaction_isolation", "serializable"),
    ("exit_on_error", "on"),
    ("escape_string_warning", "off"),
];

/// Definitions and rows whose text depends on a setting.
const TELLING: &str = r#"
CREATE SCHEMA a;
CREATE TYPE a.mood AS ENUM ('sad', 'ok');
CREATE DOMAIN a.day AS date CHECK (VALUE < DATE '2030-02-01');
CREATE DOMAIN a.slash AS text CHECK (VALUE ~ E'^[a\\\\]+$') DEFAULT E'a\\\\b';
CREATE TABLE a.telling (
  id int PRIMARY KEY,
  day a.day DEFAULT DATE '2026-04-03' CHECK (day > DATE '2001-03-02'),
  at timestamptz DEFAULT TIMESTAMPTZ '2026-04-03 02:00:00+00',
  span interval DEFAULT INTERVAL '1 year 2 mons -3 days 04:05:06',
  share float8 DEFAULT float8 '0.1' / 3,
  third float8 DEFAULT 0.333333333333333314829616256247::float8,
  bytes bytea DEFAULT E'\\x00ff5c'::bytea,
  price money DEFAULT '12.34'::money,
  slash text DEFAULT E'a\\b' CHECK (slash ~ E'^[a\\\\b]+$'),
  "Quoted" text DEFAULT 'it''s' CHECK ("Quoted" = ANY (ARRAY[E'it\'s', NULL, E'\\'])),
  parts text[] DEFAULT '{a,NULL,"b\\\\c"}'
);
CREATE INDEX telling_at ON a.telling (day) WHERE day > DATE '2026-02-01' AND slash <> E'\\';
CREATE TABLE a.parted (day date NOT NULL, mood a.mood) PARTITION BY RANGE (day);
CREATE TABLE a.parted_early PARTITION OF a.parted FOR VALUES FROM ('2026-01-02') TO ('2026-04-03');
CREATE TABLE a.listed (v text) PARTITION BY LIST (v);
CREATE TABLE a.listed_slash PARTITION OF a.listed FOR VALUES IN (E'\\', E'a\\b');
INSERT INTO a.telling (id) VALUES (1);
INSERT INTO a.parted VALUES ('2026-02-03', 'ok');
INSERT INTO a.listed VALUES (E'a\\b');
"#;

/// Each describes what names the schema or the type once more.
const RENAMES: [&str; 3] = [
    "ALTER TYPE a.mood RENAME TO temper",
    "ALTER SCHEMA a RENAME TO b",
    "SELECT pgstream.describe_all()",
];

/// What then comes with the stream.
const STREAMED: &str = r#"
INSERT INTO b.telling (id) VALUES (2);
ALTER TABLE b.telling ADD COLUMN more date DEFAULT DATE '2026-05-04';
CREATE TABLE b.later (id int PRIMARY KEY, v text DEFAULT E'a\\b' CHECK (v ~ E'^[a\\\\b]+$'),
  d date DEFAULT DATE '2026-04-03' CHECK (d < DATE '2030-02-01'), f float8 DEFAULT 0.1 + 0.2);
INSERT INTO b.later (id) VALUES (1);
ALTER TABLE b.later ALTER v TYPE varchar(50) USING v || E'\\';
ALTER TABLE b.later ALTER d TYPE timestamptz USING d + INTERVAL '1 hour';
UPDATE b.telling SET bytes = E'\\x5c00', at = TIMESTAMPTZ '2026-06-05 04:03:02.000001+00' WHERE id = 1;
"#;

/// Sets all that is hostile for a database or a role.
fn hostile(whom: &str) -> String {
    let set = |(name, value): &(&str, &str)| {
        let value = match *name {
            "search_path" => (*value).to_owned(),
            _ => format!("'{value}'"),
        };
        format!("ALTER {whom} SET {name} = {value};")
    };
    HOSTILE.iter().map(set).collect()
}

async fn replicate_under(plugin: Plugin, whom: &str) {
    let mut flow = Flow::bare().await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.pipeline.snapshot.enabled = true;
    flow.run(TELLING).await;
    for side in [&flow.source, &flow.target] {
        execute(side, &hostile(whom)).await;
    }
    let plain = (flow.source, flow.target);
    flow.source = connect(&flow.source_cluster.url("postgres")).await;
    flow.target = connect(&flow.target_cluster.url("postgres")).await;
    flow.init(plugin).await;
    for rename in RENAMES {
        flow.run(rename).await;
    }

    let handle = flow.start();
    flow.equal().await;
    flow.run(STREAMED).await;
    flow.acknowledged().await;
    flow.equal().await;
    stop(handle).await;

    (flow.source, flow.target) = plain;
    flow.equal().await;
}

#[tokio::test]
async fn definitions_and_rows_mean_the_same_whatever_the_databases_are_set_to() {
    replicate_under(Plugin::Pgoutput, "DATABASE postgres").await;
}

#[tokio::test]
async fn definitions_and_rows_mean_the_same_whatever_the_roles_are_set_to() {
    replicate_under(Plugin::Wal2json, "ROLE postgres").await;
}

/// Functions that nobody of ours calls are called by the server or by an operator.
const UNPINNED: &str = "\
WITH ours AS (
  SELECT p.oid, p.proname, p.proconfig, p.prosqlbody IS NOT NULL AS parsed,
         p.prosecdef OR p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype)
           OR NOT EXISTS (SELECT FROM pg_proc AS c WHERE c.pronamespace = p.pronamespace AND c.oid <> p.oid
                          AND c.prosrc LIKE '%pgstream.' || p.proname || '(%') AS entry
  FROM pg_proc AS p WHERE p.pronamespace = 'pgstream'::regnamespace)
SELECT o.oid::regprocedure || ' does not pin ' || s
FROM ours AS o, unnest(ARRAY['search_path=pg_catalog, pg_temp', 'standard_conforming_strings=on']
                       || CASE WHEN o.entry THEN ARRAY[MEANING] END) AS s
WHERE NOT o.parsed AND NOT coalesce(s = ANY (o.proconfig), false)
ORDER BY 1";

/// A type is looked for when a function is compiled, and PL/pgSQL evaluates the checks of a domain.
const UNQUALIFIED: &str = r"
SELECT p.oid::regprocedure || ' declares ' || d[1]
FROM pg_proc AS p,
     regexp_matches(substring(p.prosrc FROM '^\s*DECLARE\n(.*?)\nBEGIN\n'), '^  (\w.*)$', 'gn') AS d
WHERE p.pronamespace = 'pgstream'::regnamespace
  AND d[1] !~ '^\w+ (CONSTANT )?pg_catalog\.'
ORDER BY 1";

#[tokio::test]
async fn every_installed_function_is_safe_by_construction() {
    let cluster = cluster("functions");
    let source = crate::schema_mirror::session(&cluster, "postgres").await;
    let slot = SLOT.parse().unwrap();
    install::init(&source, &slot, Plugin::Pgoutput)
        .await
        .unwrap();
    let source = connect(&cluster.url("postgres")).await;
    let meaning: Vec<String> = MEANING
        .iter()
        .map(|(name, value)| format!("'{name}={value}'"))
        .collect();

    let unpinned = UNPINNED.replace("MEANING", &meaning.join(", "));
    assert_eq!(query_text(&source, &unpinned).await, [""; 0]);
    assert_eq!(query_text(&source, UNQUALIFIED).await, [""; 0]);
    let public = "SELECT p.oid::regprocedure FROM pg_proc AS p \
                  WHERE p.pronamespace = 'pgstream'::regnamespace \
                    AND has_function_privilege('pg_monitor', p.oid, 'EXECUTE')";
    assert_eq!(query_text(&source, public).await, [""; 0]);
}

/// Batches and single statements that hold a secret, each with a command that is recorded.
const WITH_SECRETS: [&str; 11] = [
    "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (token 'S3CRET'); \
     CREATE TABLE a1 (id int)",
    "CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (token 'S3CRET')",
    "CREATE TABLE a2 (id int); ALTER ROLE secretive PASSWORD 'S3CRET'",
    "CREATE SUBSCRIPTION sub CONNECTION 'host=h user=S3CRET' PUBLICATION p WITH (connect = false, slot_name = NONE)",
    "CREATE TABLE a3 AS SELECT * FROM far('host=h token=S3CRET')",
    "CREATE TABLE a4 (v text); COPY a4 FROM PROGRAM 'echo S3CRET'",
    "SET app.token TO S3CRET; CREATE TABLE a5 (id int)",
    "CREATE TABLE a6 (id int) -- S3CRET",
    "CREATE TABLE a7 AS SELECT $$S3CRET$$ AS v",
    "SET standard_conforming_strings = off",
    "CREATE TABLE a8 AS SELECT 'it\\'s S3CRET' AS v",
];

#[tokio::test]
async fn of_a_statement_only_what_is_no_value_is_kept() {
    let mut mirror = Mirror::prepared(
        "CREATE FUNCTION far(text) RETURNS TABLE (v int) LANGUAGE sql AS 'SELECT 1'",
    )
    .await;
    mirror.source.run("CREATE ROLE secretive").await.unwrap();
    for sql in WITH_SECRETS {
        mirror.source.run(sql).await.expect(sql);
    }
    mirror
        .source
        .run("SET standard_conforming_strings = on")
        .await
        .unwrap();
    mirror
        .source
        .run("ALTER TABLE a6 ADD COLUMN \"It's\" text DEFAULT 'S3CRET';")
        .await
        .unwrap();

    let entries = mirror.entries().await;
    assert_eq!(entries.len(), 13, "{entries:?}");
    for entry in &entries {
        assert!(!entry.statement.contains("S3CRET"), "{}", entry.statement);
    }
    let kept: Vec<&str> = entries
        .iter()
        .map(|entry| entry.statement.as_str())
        .filter(|text| !text.is_empty())
        .collect();
    assert_eq!(
        kept,
        [
            "CREATE TABLE a3 AS SELECT * FROM far('...')",
            "CREATE TABLE a6 (id int)",
            "ALTER TABLE a6 ADD COLUMN \"It's\" text DEFAULT '...';"
        ]
    );
}

#[tokio::test]
async fn a_statement_larger_than_json_may_hold_is_recorded_with_its_rows() {
    let mut mirror = Mirror::prepared("CREATE TABLE t (v text); INSERT INTO t VALUES ('x')").await;
    mirror
        .source
        .run(
            "DO $$ BEGIN EXECUTE 'ALTER TABLE t ALTER v TYPE varchar USING v || 1 /* ' \
             || repeat('x', 270000000) || ' */'; END $$",
        )
        .await
        .unwrap();

    let entries = mirror.entries().await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0].change.failure, None);
    assert_eq!(entries[0].change.sends_rows.len(), 1);
}

/// Each makes the target run a block that has the name inside.
const IN_BLOCKS: [&str; 4] = [
    "CREATE TABLE \"$do$\" (id int PRIMARY KEY, \"it's $do$\" text); \
     CREATE TABLE \"$$\" (id int PRIMARY KEY REFERENCES \"$do$\"); \
     INSERT INTO \"$do$\" VALUES (1, 'a'); INSERT INTO \"$$\" VALUES (1)",
    "CREATE INDEX CONCURRENTLY \"$do$ i'\" ON \"$do$\" (\"it's $do$\")",
    "ALTER TABLE \"$do$\" ALTER \"it's $do$\" TYPE varchar USING \"it's $do$\" || '$do$'",
    "ALTER TABLE \"$do$\" ADD COLUMN r float8 DEFAULT random()",
];

#[tokio::test]
async fn a_name_that_looks_like_the_end_of_a_block_is_a_name() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let flow = Flow::schema(plugin).await;
        let handle = flow.start();
        for sql in IN_BLOCKS {
            flow.run(sql).await;
        }
        flow.acknowledged().await;
        flow.equal().await;
        stop(handle).await;
    }
}
