//! What an attacker writes changes nothing on the target that is not his, and stops nobody.

use pgstream::config::{Plugin, TableFilter};
use tokio_postgres::Client;

use crate::chaos;
use crate::support::flow::{Flow, stop};
use crate::support::{connect, execute, query_text};

const PLUGINS: [Plugin; 2] = [Plugin::Pgoutput, Plugin::Wal2json];

/// What the attacker wants: rows that others wrote, and things that only the target has.
const SOURCE: &str = "\
CREATE TABLE public.payroll (id int PRIMARY KEY, salary text);
INSERT INTO public.payroll VALUES (1, '5000');
CREATE ROLE attacker LOGIN PASSWORD 'postgres';
CREATE SCHEMA mine AUTHORIZATION attacker;";

const TARGET: &str = "\
CREATE TABLE public.only_here (id int PRIMARY KEY, v text);
CREATE INDEX only_here_v ON public.only_here (v);
CREATE SEQUENCE public.free_here;
INSERT INTO public.only_here VALUES (1, 'kept');
CREATE SCHEMA mine; CREATE TABLE mine.extra (v text); CREATE INDEX extra_v ON mine.extra (v);";

/// Rows for tables that are not the attacker's, as a rewrite would send them.
const MESSAGES: &[&str] = &[
    r#"pg_logical_emit_message(true, 'pgstream.rows', '{"relation":1,"schema":"public","name":"payroll","columns":["id","salary"],"first":true,"last":true,"rows":[["1","9"]]}')"#,
    r#"pg_logical_emit_message(true, 'pgstream.rows', '{"relation":2,"schema":"public","name":"only_here","columns":["id","v"],"first":true,"last":true,"rows":[["1","lost"]]}')"#,
    r#"pg_logical_emit_message(true, 'pgstream.rows', '{"relation":3,"schema":"pg_catalog","name":"pg_auth_members","columns":["roleid"],"first":true,"last":true,"rows":[["10"]]}')"#,
    "pg_logical_emit_message(true, 'pgstream.rows', 'junk')",
    "pg_logical_emit_message(true, 'pgstream.rows', '')",
    r"pg_logical_emit_message(true, 'pgstream.rows', '\x00ff22'::bytea)",
    r"pg_logical_emit_message(false, 'pgstream.rows', '\xff'::bytea)",
    "pg_logical_emit_message(true, 'pgstream.outbox', 'junk')",
    r"pg_logical_emit_message(true, '', '\xff'::bytea)",
];

/// Settings that once carried facts from one of our triggers to another.
const SETTINGS: &[&str] = &[
    "SET pgstream.dropped = 'junk'; SET pgstream.rewritten = 'junk'",
    r#"SET pgstream.dropped = '[{"class": 1259, "oid": 1, "column": 0, "original": true, "type": "table", "schema": "public", "name": "only_here"}, {"class": 1259, "oid": 2, "column": 0, "original": true, "type": "index", "schema": "public", "name": "only_here_v"}, {"class": 1259, "oid": 3, "column": 0, "original": true, "type": "sequence", "schema": "public", "name": "free_here"}]'; SET pgstream.rewritten = '{"1": 4}'"#,
    "SET pgstream.busy = 'on'; SET pgstream.applying = 'on'; SET pgstream.rewrite_bytes_max = 'junk'",
];

/// Commands of his own, under such settings.
const COMMANDS: &str = "\
CREATE TEMP TABLE t (a int); DROP TABLE t;
CREATE TABLE mine.t (id int PRIMARY KEY, v text); INSERT INTO mine.t VALUES (1, 'a');
ALTER TABLE mine.t ALTER v TYPE varchar(9) USING v || '!'; ALTER TABLE mine.t ADD w int;
CREATE MATERIALIZED VIEW mine.m AS SELECT 1 AS v; CREATE INDEX extra_v ON mine.m (v);
DROP INDEX mine.extra_v; DROP MATERIALIZED VIEW mine.m; ALTER TABLE mine.t RENAME TO";

/// What is ours is closed to everybody.
const CLOSED: &[&str] = &[
    "INSERT INTO pgstream.outbox (kind, content) VALUES ('publications', '[]')",
    "INSERT INTO pgstream.noted (kind, notes) VALUES ('own', '[]')",
    "INSERT INTO pgstream.schema_log (version, schema_name, schema) VALUES (0, '', '{}')",
    "SELECT pgstream.send('rewritten_rows', '')",
    "DELETE FROM pgstream.object",
    "CREATE TABLE pgstream.mine (a int)",
    "DROP SCHEMA pgstream CASCADE",
    "ALTER SCHEMA pgstream RENAME TO gone",
];

pub(super) async fn attacker(flow: &Flow) -> Client {
    let url = flow.source_cluster.url("postgres");
    connect(&url.replacen("postgres:postgres@", "attacker:postgres@", 1)).await
}

async fn attack(flow: &Flow) {
    for (place, settings) in SETTINGS.iter().enumerate() {
        let attacker = attacker(flow).await;
        execute(&attacker, settings).await;
        execute(&attacker, &format!("{COMMANDS} t{place}")).await;
    }
    let attacker = attacker(flow).await;
    for message in MESSAGES {
        execute(&attacker, &format!("SELECT {message}")).await;
        let with_rows = format!(
            "BEGIN; CREATE TABLE mine.x (a int); SELECT {message}; DROP TABLE mine.x; COMMIT"
        );
        execute(&attacker, &with_rows).await;
    }
    for command in CLOSED {
        let refused = attacker.batch_execute(command).await;
        assert!(refused.is_err(), "{command}");
    }
}

async fn attacked(plugin: Plugin, rights: &str) {
    let flow = Flow::schema(plugin).await;
    execute(&flow.target, TARGET).await;
    let handle = flow.start();
    // The attacker's schema is there already.
    flow.run(SOURCE.rsplit_once("CREATE SCHEMA").unwrap().0)
        .await;
    flow.run(
        "SET pgstream.busy = on; CREATE SCHEMA mine AUTHORIZATION attacker; RESET pgstream.busy",
    )
    .await;
    flow.run(rights).await;

    attack(&flow).await;
    flow.run("INSERT INTO public.payroll VALUES (2, '6000')")
        .await;
    flow.shows(
        "SELECT id || salary FROM public.payroll ORDER BY id",
        &["15000", "26000"],
    )
    .await;
    flow.shows(
        "SELECT v FROM mine.t0 UNION ALL SELECT v FROM mine.t1 UNION ALL SELECT v FROM mine.t2",
        &["a!"; 3],
    )
    .await;
    let kept = "SELECT v, to_regclass('only_here_v')::text, to_regclass('free_here')::text, \
                to_regclass('mine.extra_v')::text FROM public.only_here";
    assert_eq!(
        query_text(&flow.target, kept).await,
        ["kept|only_here_v|free_here|mine.extra_v"]
    );
    let superusers =
        "SELECT count(*) FROM pg_auth_members WHERE roleid < 16384 AND member >= 16384";
    assert_eq!(query_text(&flow.target, superusers).await, ["0"]);
    let failures = "SELECT schema ->> 'failure' FROM pgstream.schema_log WHERE schema ? 'failure'";
    assert_eq!(query_text(&flow.source, failures).await, [""; 0]);
    let left = "SELECT count(*) FROM pgstream.outbox UNION ALL SELECT count(*) FROM pgstream.noted";
    assert_eq!(query_text(&flow.source, left).await, ["0", "0"]);
    stop(handle).await;
}

#[tokio::test]
async fn what_anybody_may_write_reaches_no_table_of_others_and_stops_nobody() {
    for plugin in PLUGINS {
        attacked(plugin, "").await;
    }
}

#[tokio::test]
async fn what_a_databases_owner_may_write_reaches_no_table_of_others_and_stops_nobody() {
    for plugin in PLUGINS {
        attacked(
            plugin,
            "ALTER DATABASE postgres OWNER TO attacker; GRANT CREATE ON SCHEMA public TO attacker",
        )
        .await;
    }
}

#[tokio::test]
async fn a_message_that_looks_like_ours_is_reported_once() {
    for plugin in PLUGINS {
        let flow = Flow::schema(plugin).await;
        let running = chaos::run(&flow).spawn();
        for _ in 0..2 {
            flow.run("SELECT pg_logical_emit_message(true, 'pgstream.rows', 'junk')")
                .await;
        }
        flow.run("CREATE TABLE marker (id int PRIMARY KEY)").await;
        flow.acknowledged().await;
        let message = running.terminate().await.stderr;
        assert_eq!(
            message.matches("passing over a logical message").count(),
            1,
            "{message}"
        );
    }
}

/// The setting is for sessions of ours; anybody else's commands are recorded whatever it says.
#[tokio::test]
async fn no_setting_hides_what_a_user_does() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run(SOURCE).await;
    let handle = flow.start();
    let attacker = attacker(&flow).await;

    execute(&attacker, "SET pgstream.busy = 'on'; CREATE TABLE mine.busy (a int PRIMARY KEY); INSERT INTO mine.busy VALUES (1)").await;
    execute(&attacker, "SET pgstream.applying = '1/x'; CREATE TABLE mine.applying (a int); INSERT INTO mine.applying VALUES (1)").await;

    flow.shows("SELECT count(*) FROM mine.busy", &["1"]).await;
    flow.shows("SELECT count(*) FROM mine.applying", &["1"])
        .await;
    let origins = "SELECT DISTINCT schema ->> 'origins' FROM pgstream.schema_log";
    assert_eq!(query_text(&flow.source, origins).await, ["[]"]);
    flow.equal().await;
    stop(handle).await;
}

/// A name alone may mean something else on the target; and what the filter leaves out is never touched.
#[tokio::test]
async fn only_what_is_known_by_its_oid_is_dropped_and_only_what_the_filter_lets_through() {
    let mut flow = Flow::schema(Plugin::Pgoutput).await;
    flow.pipeline.filter = TableFilter::parse("", "hidden.*").unwrap();
    flow.run(
        "CREATE SCHEMA hidden; CREATE SEQUENCE hidden.s; CREATE SEQUENCE public.s; \
              CREATE TABLE public.marker (a int PRIMARY KEY)",
    )
    .await;
    let handle = flow.start();
    flow.acknowledged().await;
    execute(
        &flow.target,
        "CREATE SEQUENCE IF NOT EXISTS hidden.s; CREATE TABLE public.own (a int); \
                           CREATE INDEX unknown ON public.own (a)",
    )
    .await;

    flow.run("SET pgstream.busy = on; CREATE TABLE public.t (a int); CREATE INDEX unknown ON public.t (a); \
              CREATE SEQUENCE public.q; RESET pgstream.busy; DROP INDEX unknown; DROP SEQUENCE public.q").await;
    flow.run("DROP SEQUENCE hidden.s, public.s").await;
    flow.acknowledged().await;

    let kept = "SELECT to_regclass('unknown')::text, to_regclass('hidden.s')::text, to_regclass('public.s')::text";
    assert_eq!(query_text(&flow.target, kept).await, ["unknown|hidden.s|∅"]);
    stop(handle).await;
}
