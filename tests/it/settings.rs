//! Nothing that we print, read, compare or write depends on what a server, database or role is set to.

use std::collections::BTreeSet;

use pgstream::cluster::ClusterOptions;
use pgstream::config::{ConnectionSettings, Plugin};
use pgstream::diagnose::check;
use pgstream::model::Classify as _;
use pgstream::postgres::{self, CopySession, FREE, MEANING, ReplicationConnection, SESSION};
use tokio_postgres::Client;

use crate::cli_check::between;
use crate::support::flow::{Flow, stop};
use crate::support::{cluster_with, connect, every_server, execute, query_text};
use crate::values::{TYPES, VALUES, change, is_number, tables};

/// Values that no session of ours may see, each other than the one that is pinned.
const HOSTILE: &[(&str, &str)] = &[
    ("DateStyle", "German, DMY"),
    ("IntervalStyle", "sql_standard"),
    ("TimeZone", "Asia/Kathmandu"),
    ("extra_float_digits", "-15"),
    ("bytea_output", "escape"),
    ("array_nulls", "off"),
    ("xmlbinary", "hex"),
    ("xmloption", "document"),
    ("lc_monetary", "C.utf8"),
    ("lc_numeric", "C.utf8"),
    ("lc_time", "C.utf8"),
    ("lc_messages", "C"),
    ("search_path", "decoys, public"),
    ("quote_all_identifiers", "on"),
    ("standard_conforming_strings", "off"),
    ("escape_string_warning", "on"),
    ("backslash_quote", "off"),
    ("transform_null_equals", "on"),
    ("check_function_bodies", "on"),
    ("default_tablespace", "elsewhere"),
    ("row_security", "off"),
    ("gin_fuzzy_search_limit", "1"),
    ("zero_damaged_pages", "on"),
    ("ignore_checksum_failure", "on"),
    ("default_transaction_isolation", "serializable"),
    ("default_transaction_read_only", "on"),
    ("default_transaction_deferrable", "on"),
    ("exit_on_error", "on"),
    ("statement_timeout", "2s"),
    ("lock_timeout", "10ms"),
    ("idle_in_transaction_session_timeout", "100ms"),
    ("idle_session_timeout", "200ms"),
    ("client_min_messages", "log"),
    ("jit", "on"),
    // What is not pinned may be of any value.
    ("log_duration", "on"),
    ("debug_print_parse", "on"),
    ("synchronous_commit", "off"),
    ("constraint_exclusion", "on"),
    ("enable_indexscan", "off"),
    ("plan_cache_mode", "force_custom_plan"),
    ("default_text_search_config", "simple"),
    ("timezone_abbreviations", "India"),
];

/// What only a target can be set to: on a source it is what the user's own tables and rows are made with.
const HOSTILE_TARGET: &[(&str, &str)] = &[
    ("default_table_access_method", "other_heap"),
    ("session_replication_role", "replica"),
];

/// What our sessions pin.
fn pinned() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    MEANING.iter().chain(SESSION)
}

/// What a session of the user has to take back to be able to work at all.
const AT_WORK: &str = "\
SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed';
SET default_transaction_deferrable = off; SET statement_timeout = 0; SET lock_timeout = 0;
SET idle_session_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET exit_on_error = off;
SET default_tablespace = ''; SET client_min_messages = warning";

/// Definitions that mean something else when they are printed or read under another setting, as a user
/// of the hostile source writes them: day before month, backslashes that escape.
const DEFINITIONS: &[&str] = &[
    "CREATE SCHEMA d",
    "CREATE DOMAIN d.young AS date CHECK (VALUE > '05.06.2020')",
    r"CREATE TYPE d.mood AS ENUM ('a\\b', 'it''s')",
    "CREATE TYPE d.pair AS (a int, b text)",
    "CREATE TABLE d.dates (id int PRIMARY KEY, d date DEFAULT '03.04.2026', y d.young DEFAULT '07.08.2021', \
     at timestamptz DEFAULT '03.04.2026 12:00', long interval DEFAULT '1-2', wait interval DEFAULT '1-2', f float8 DEFAULT 0.1::float8 / 3, \
     b bytea DEFAULT decode('00ff', 'hex'), m money DEFAULT 12.5, CHECK (d < '01.02.2030'), \
     CHECK (wait < '5 days' OR wait > '-1-2'), UNIQUE (at, id))",
    r"CREATE TABLE d.texts (id int PRIMARY KEY, v text DEFAULT 'a\\b' CHECK (v ~ '^[a\\\\]'), 
     m d.mood DEFAULT 'a\\b', p d.pair DEFAULT '(1,x)', l text[] DEFAULT '{NULL,a}', x xml, 
     g text GENERATED ALWAYS AS (v || '\\') STORED)",
    "CREATE TABLE d.nulls (id int PRIMARY KEY, a int CHECK ((a = 1) IS NOT FALSE))",
    "CREATE TABLE d.parts (d date, n int) PARTITION BY RANGE (d)",
    "CREATE TABLE d.parts_1 PARTITION OF d.parts FOR VALUES FROM ('01.02.2020') TO ('02.01.2021')",
    r"CREATE TABLE d.lists (v text) PARTITION BY LIST (v)",
    r"CREATE TABLE d.lists_1 PARTITION OF d.lists FOR VALUES IN ('a\\b', 'c')",
    "CREATE INDEX ON d.dates (d) WHERE d > '05.06.2020' AND at < '07.08.2030 00:00'",
    r"CREATE INDEX ON d.texts ((v || '\\x'))",
    r"COMMENT ON TABLE d.texts IS 'a\\b'",
    "CREATE SEQUENCE d.seq",
    "CREATE TABLE d.serials (id serial PRIMARY KEY, i int GENERATED ALWAYS AS IDENTITY)",
    "CREATE TABLE d.keyless (f float8, at timestamptz, m money, b bytea, long interval)",
    "ALTER TABLE d.keyless REPLICA IDENTITY FULL",
];

/// Rows, and changes of definitions that rewrite or restate what is there.
const CHANGES: &[&str] = &[
    "INSERT INTO d.dates (id) SELECT i FROM generate_series(1, 40) AS i",
    r"INSERT INTO d.texts (id, x) VALUES (1, '<a/>'), (2, NULL); INSERT INTO d.texts (id, v) VALUES (3, 'a\\')",
    "INSERT INTO d.nulls VALUES (1, NULL), (2, 1)",
    "INSERT INTO d.parts VALUES ('03.02.2020', 1), ('01.01.2021', 2)",
    r"INSERT INTO d.lists VALUES ('a\\b'), ('c')",
    "INSERT INTO d.serials DEFAULT VALUES",
    "INSERT INTO d.keyless SELECT 0.1::float8 / i, '03.04.2026 12:00'::timestamptz + i * '1 day'::interval, i, \
     decode('00ff5c', 'hex'), '1-2' FROM generate_series(1, 9) AS i",
    "UPDATE d.keyless SET m = m * 2 WHERE f > 0.02; DELETE FROM d.keyless WHERE m = 2::money",
    "UPDATE d.dates SET at = at + '1 hour' WHERE id < 5; DELETE FROM d.dates WHERE id = 7",
    "ALTER TABLE d.dates ALTER long TYPE text USING long::text || at::text",
    "ALTER TABLE d.dates ADD COLUMN later date NOT NULL DEFAULT '09.10.2026'",
    "ALTER SCHEMA d RENAME TO e; ALTER TYPE e.mood RENAME TO temper; ALTER TABLE e.dates RENAME f TO g",
    "UPDATE e.dates SET y = '01.02.2025' WHERE id = 1",
    "ALTER TABLE e.parts ADD PRIMARY KEY (d, n)",
    "INSERT INTO e.serials DEFAULT VALUES",
];

/// Sets all of it for the database and for the role, as a superuser whose own session does not see it.
async fn make_hostile(client: &Client, more: &[(&str, &str)]) {
    for sql in [
        "CREATE SCHEMA decoys",
        "SET allow_in_place_tablespaces = on",
        "CREATE TABLESPACE elsewhere LOCATION ''",
        "CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler",
    ] {
        execute(client, sql).await;
    }
    for (name, value) in HOSTILE.iter().chain(more) {
        // Not all exist in every version.
        let known = format!("SELECT FROM pg_settings WHERE lower(name) = lower('{name}')");
        if !query_text(client, &known).await.is_empty() {
            let set = format!("SET {name} = {}", quoted(name, value));
            execute(client, &format!("ALTER DATABASE postgres {set}")).await;
            execute(client, &format!("ALTER ROLE postgres {set}")).await;
        }
    }
}

/// A path is a list of names, whatever else is one value.
fn quoted(name: &str, value: &str) -> String {
    match name {
        "search_path" | "DateStyle" => value.to_owned(),
        _ => format!("'{value}'"),
    }
}

/// Both servers, whose test's own sessions came before the settings; everything later meets them.
async fn hostile_flow(plugin: Plugin) -> Flow {
    let mut flow = Flow::bare().await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    make_hostile(&flow.source, &[]).await;
    make_hostile(&flow.target, HOSTILE_TARGET).await;
    flow.init(plugin).await;
    flow
}

/// A session of the source's user, under all of it.
async fn user(flow: &Flow) -> Client {
    let user = connect(&flow.source_cluster.url("postgres")).await;
    execute(&user, AT_WORK).await;
    user
}

const MARKER: &str = "CREATE TABLE public.marker (n int PRIMARY KEY)";

async fn write(flow: &Flow, plugin: Plugin) {
    let user = user(flow).await;
    for sql in DEFINITIONS.iter().chain(CHANGES) {
        execute(&user, sql).await;
    }
    flow.run(TYPES).await;
    flow.run(MARKER).await;
    flow.run(&tables(VALUES)).await;
    for (at, (kind, values)) in VALUES.iter().enumerate() {
        if plugin == Plugin::Pgoutput || !is_number(kind) {
            change(flow, at, kind, values).await;
        }
    }
}

async fn nothing_blocks(flow: &Flow) {
    let report = check(&flow.pipeline).await;
    assert!(report.passes(), "{report:#?}");
}

#[tokio::test]
async fn a_stream_is_equal_whatever_servers_and_roles_are_set_to() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let flow = hostile_flow(plugin).await;
        let handle = flow.start();
        write(&flow, plugin).await;
        flow.acknowledged().await;
        flow.equal().await;
        nothing_blocks(&flow).await;
        stop(handle).await;
    }
}

#[tokio::test]
async fn a_copy_is_equal_whatever_servers_and_roles_are_set_to() {
    let mut flow = hostile_flow(Plugin::Pgoutput).await;
    flow.pipeline.snapshot.enabled = true;
    // A value of `regclass` needs it before its own table is copied.
    execute(&flow.target, MARKER).await;
    write(&flow, Plugin::Pgoutput).await;
    nothing_blocks(&flow).await;
    let handle = flow.start();
    flow.equal().await;
    stop(handle).await;

    for (command, word) in [
        ("status", "checkpoint"),
        ("check", "nothing blocks"),
        ("tear-down", "tear down complete"),
    ] {
        let call = between(command, &flow.source_cluster, &flow.target_cluster);
        let call = call.env("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", "flow_slot");
        let outcome = call.run().await;
        assert_eq!(outcome.code, Some(0), "{command}: {}", outcome.stderr);
        assert!(
            outcome.stdout.contains(word),
            "{command}: {}",
            outcome.stdout
        );
    }
}

#[tokio::test]
async fn every_session_of_ours_pins_every_setting_that_matters() {
    let cluster = cluster_with(ClusterOptions::new("pins"));
    let admin = connect(&cluster.url("postgres")).await;
    make_hostile(&admin, HOSTILE_TARGET).await;
    let settings = ConnectionSettings::parse(&cluster.url("postgres")).unwrap();
    let pins: Vec<_> = pinned()
        .map(|(name, value)| format!("('{name}', '{value}')"))
        .collect();
    let sql = format!(
        "SELECT pin.name, pg_catalog.current_setting(pin.name, true) FROM (VALUES {}) AS pin(name, value) \
         WHERE pg_catalog.current_setting(pin.name, true) <> pin.value",
        pins.join(", ")
    );

    let session = postgres::connect(&settings, "pins").await.unwrap();
    let ordinary = session.text_rows(&sql).await.unwrap();
    let mut session = ReplicationConnection::connect(&settings).await.unwrap();
    let replication = session.query(&sql).await.unwrap();
    let mut session = CopySession::connect(&settings, "pins").await.unwrap();
    let copying = session.query(&sql).await.unwrap();

    let none: [Vec<Option<String>>; 0] = [];
    assert_eq!(ordinary, none);
    assert_eq!(replication, none);
    // Rows that security hides are an error there.
    let row_security = ["row_security", "off"].map(|text| Some(text.to_owned()));
    assert_eq!(copying, [row_security.to_vec()]);
    // What is pinned was set to something else first, where there is something else.
    let hostile: BTreeSet<&str> = HOSTILE
        .iter()
        .chain(HOSTILE_TARGET)
        .map(|(name, _)| *name)
        .collect();
    let untried: Vec<&str> = pinned()
        .map(|(name, _)| *name)
        .filter(|name| !hostile.contains(name))
        .collect();
    assert_eq!(
        untried,
        [
            "client_encoding",
            "icu_validation_level",
            "composite_type_mismatch",
            "transaction_timeout"
        ]
    );
}

#[tokio::test]
async fn every_setting_of_a_session_is_pinned_or_left_alone_for_a_reason() {
    let free: Vec<&str> = FREE
        .iter()
        .flat_map(|(_, names)| names.iter().copied())
        .collect();
    let is_pinned = |name: &str| pinned().any(|(pin, _)| *pin == name);
    let is_free = |name: &str| {
        free.iter().any(|free| match free.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => *free == name,
        })
    };
    for server in every_server() {
        let cluster = cluster_with(ClusterOptions::new("names").on(&server));
        let client = connect(&cluster.url("postgres")).await;
        let sql =
            "SELECT name FROM pg_settings WHERE context IN ('user', 'superuser') AND name !~ '[.]'";
        let names = query_text(&client, sql).await;
        let undecided = names.iter().filter(|name| is_pinned(name) == is_free(name));
        let undecided: Vec<&String> = undecided.collect();
        assert!(
            undecided.is_empty(),
            "pinned or in FREE, and not both: {undecided:?}"
        );
    }
}

#[tokio::test]
async fn a_setting_that_our_role_may_not_take_back_is_refused_with_its_hint() {
    let cluster = cluster_with(ClusterOptions::new("forced"));
    let admin = connect(&cluster.url("postgres")).await;
    for sql in [
        "CREATE ROLE writer LOGIN PASSWORD 'sesame'",
        "ALTER ROLE writer SET session_replication_role = replica",
    ] {
        execute(&admin, sql).await;
    }
    let url = format!(
        "postgres://writer:sesame@127.0.0.1:{}/postgres",
        cluster.port()
    );
    let settings = ConnectionSettings::parse(&url).unwrap();

    let refused = postgres::connect(&settings, "forced").await.unwrap_err();

    let message = refused.to_string();
    assert!(
        message.contains("\"session_replication_role\""),
        "{message}"
    );

    let hint = refused.hint().unwrap_or_default();
    assert!(
        hint.contains("ALTER ROLE \"writer\" RESET parameter;"),
        "{hint}"
    );
    execute(&admin, "ALTER ROLE writer RESET session_replication_role").await;
    postgres::connect(&settings, "forced").await.unwrap();
}
