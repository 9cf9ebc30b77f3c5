//! Both output plugins must give the same transactions for the same work.
//!
//! Two slots on one server see the same WAL, so even positions and transaction ids are equal.
//! What only one plugin can say is set aside in [`shown`]: relation numbers, the flags of TRUNCATE,
//! and transactions without changes.

use pgstream::cluster::ClusterOptions;
use pgstream::config::{ConnectionSettings, NullNumbers};
use pgstream::decode::{DecodeError, Decoder};
use pgstream::model::{
    Change, Classify as _, ErrorClass, Event, Lsn, OldTuple, Relation, Tuple, Value,
};
use pgstream::postgres::{Frame, ReplicationConnection, StandbyStatus};
use tokio_postgres::Client;

use crate::support::clusters::TestCluster;
use crate::support::{cluster, cluster_with, connect, every_server, execute, query_text};

/// The content of the logical message that ends a workload.
const END: &str = "the_end";

/// A type, and literals of it. What a type prints for NULL, NaN and infinities is met elsewhere.
const TYPES: &[(&str, &[&str])] = &[
    ("bool", &["true", "false"]),
    ("int2", &["-32768", "32767"]),
    ("int4", &["-2147483648", "2147483647"]),
    ("int8", &["-9223372036854775808", "9223372036854775807"]),
    (
        "float4",
        &["1e-10", "1e20", "0.1", "-0", "3.4028235e38", "1e-45"],
    ),
    (
        "float8",
        &[
            "0.1",
            "-0",
            "1e300",
            "5e-324",
            "0.30000000000000004",
            "1e15",
            "123456789012345680",
        ],
    ),
    (
        "numeric",
        &[
            "-0.000",
            "12.30",
            "123456789012345678901234567890.12345678900",
            "1e-30",
            "1e100",
        ],
    ),
    ("numeric(10,2)", &["5", "-0.01"]),
    ("money", &["12.5", "-1234567.89"]),
    (
        "text",
        &[
            "",
            "a\"\\/b",
            "\t\n\r\u{1}\u{7f}",
            "é😀",
            "NaN",
            "null",
            "\\x00",
        ],
    ),
    ("varchar(5)", &["ab", "é"]),
    ("bpchar", &["ab  "]),
    ("char(5)", &["ab"]),
    ("\"char\"", &["a", "", "\u{1}"]),
    ("name", &["a name"]),
    ("bytea", &["", "\\x00ff5c22", "abc"]),
    (
        "date",
        &[
            "infinity",
            "-infinity",
            "0044-03-15 BC",
            "2024-02-29",
            "5874897-12-31",
        ],
    ),
    ("time", &["24:00:00", "00:00:00.000001"]),
    ("timetz", &["12:00:00.5-07:30"]),
    (
        "timestamp",
        &["infinity", "294276-12-31 23:59:59.999999", "0001-01-01 BC"],
    ),
    (
        "timestamptz",
        &[
            "-infinity",
            "2024-06-01 12:00:00.123456+02",
            "1900-01-01 00:00:00+00:19:32",
        ],
    ),
    (
        "interval",
        &[
            "1 year -2 days 03:04:05.000006",
            "-1 mons",
            "0",
            "-00:00:01",
        ],
    ),
    (
        "json",
        &["null", "{\"a\": 1.0 , \"b\":[\"\\u00e9\"]}", "\"x\"", "1e5"],
    ),
    (
        "jsonb",
        &["null", "{\"a\": 1.0 , \"b\":[]}", "\"x\\\"y\"", "1E400"],
    ),
    ("jsonpath", &["$.a[*] ? (@ > 1)"]),
    ("xml", &["<a b=\"c\">d</a>", "a fragment <b/>"]),
    ("uuid", &["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]),
    ("bit(3)", &["101"]),
    ("varbit", &["", "10101010101"]),
    ("inet", &["10.0.0.1/8", "::1", "fe80::1/64"]),
    ("cidr", &["10.0.0.0/8", "2001:db8::/32"]),
    ("macaddr", &["08:00:2b:01:02:03"]),
    ("macaddr8", &["08:00:2b:01:02:03:04:05"]),
    ("point", &["(1.5,-0)", "(NaN,Infinity)"]),
    ("line", &["{1,-1,0}"]),
    ("lseg", &["[(1,2),(3,4)]"]),
    ("box", &["(3,4),(1,2)"]),
    ("path", &["((1,2),(3,4))", "[(1,2),(3,4)]"]),
    ("polygon", &["((0,0),(1,1),(2,0))"]),
    ("circle", &["<(1,2),3>"]),
    ("tsvector", &["'a':1A,2 'it''s':3"]),
    ("tsquery", &["'a' & !'b' <-> 'c':*A"]),
    ("int4range", &["empty", "[1,3)", "(,5]"]),
    ("int8range", &["[1,3)"]),
    ("numrange", &["[1.50,Infinity)", "(,)"]),
    ("daterange", &["[2024-01-01,infinity)"]),
    ("tsrange", &["[\"2024-01-01 00:00:00\",)"]),
    ("tstzrange", &["[\"2024-01-01 00:00:00+02\",)"]),
    ("int4multirange", &["{[1,3),[5,7)}", "{}"]),
    ("int8multirange", &["{[1,3)}"]),
    ("nummultirange", &["{[1.50,2]}"]),
    ("datemultirange", &["{[2024-01-01,2024-02-01)}"]),
    ("tsmultirange", &["{[\"2024-01-01\",\"2024-02-01\")}"]),
    ("tstzmultirange", &["{[\"2024-01-01 00:00:00+02\",)}"]),
    ("oid", &["4294967295", "0"]),
    ("xid", &["4294967295"]),
    ("xid8", &["18446744073709551615"]),
    ("cid", &["7"]),
    ("tid", &["(1,2)"]),
    ("pg_lsn", &["16/B374D848"]),
    ("pg_snapshot", &["10:20:10,14"]),
    ("txid_snapshot", &["10:20:10,14"]),
    ("regclass", &["pg_class", "99999"]),
    ("regtype", &["int4", "character varying"]),
    ("regproc", &["now"]),
    ("regprocedure", &["abs(integer)"]),
    ("regoper", &["||/"]),
    ("regoperator", &["+(integer,integer)"]),
    ("regrole", &["postgres"]),
    ("regnamespace", &["pg_catalog"]),
    ("regconfig", &["english"]),
    ("regdictionary", &["simple"]),
    ("regcollation", &["\"C\""]),
    ("refcursor", &["a cursor"]),
    ("aclitem", &["postgres=r/postgres"]),
    ("int2vector", &["1 2 3"]),
    ("oidvector", &["1 2 3"]),
    ("mood", &["it's", "é"]),
    ("pair", &["(1,\"a \"\"b\"\"\")", "(,)"]),
    ("positive", &["1.50", "NaN"]),
    ("truth", &["t"]),
    ("blob", &["\\xdeadbeef"]),
    ("floatrange", &["[-0,NaN)"]),
];

/// Types of `pg_catalog` whose values cannot be written down, or not stored by a user.
const UNWRITABLE: &[&str] = &[
    "gtsvector",
    "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary",
    "pg_ddl_command",
    "pg_dependencies",
    "pg_mcv_list",
    "pg_ndistinct",
    "pg_node_tree",
];

/// Types of every kind that a user can make.
const OWN_TYPES: &str = "
    CREATE TYPE mood AS ENUM ('it''s', 'é');
    CREATE TYPE pair AS (x int, y text);
    CREATE DOMAIN positive AS numeric CHECK (value > 0);
    CREATE DOMAIN truth AS bool;
    CREATE DOMAIN blob AS bytea;
    CREATE TYPE floatrange AS RANGE (subtype = float8);";

struct Watched {
    client: Client,
    cluster: TestCluster,
}

impl Watched {
    async fn start() -> Self {
        Self::on(cluster("plugins"), &["pgoutput", "wal2json"]).await
    }

    async fn on(cluster: TestCluster, plugins: &[&str]) -> Self {
        let client = connect(&cluster.url("postgres")).await;
        execute(&client, "SET client_min_messages = warning").await;
        execute(&client, "CREATE PUBLICATION p FOR ALL TABLES").await;
        for plugin in plugins {
            let sql = format!("SELECT pg_create_logical_replication_slot('{plugin}', '{plugin}')");
            execute(&client, &sql).await;
        }
        Self { client, cluster }
    }

    async fn run(&self, sql: &str) {
        execute(&self.client, sql).await;
    }

    async fn end(&self) {
        self.run(&format!(
            "CREATE TABLE IF NOT EXISTS {END} (n int); INSERT INTO {END} VALUES (1)"
        ))
        .await;
    }

    async fn transactions(&self, plugin: &str) -> Result<Vec<String>, DecodeError> {
        let decoder = Decoder::for_plugin(plugin).expect("a plugin of ours");
        self.decoded(plugin, decoder).await
    }

    /// Streams from the slot of this name to the end of the workload.
    async fn decoded(
        &self,
        plugin: &str,
        mut decoder: Decoder,
    ) -> Result<Vec<String>, DecodeError> {
        let settings =
            ConnectionSettings::parse(&self.cluster.url("postgres")).expect("a valid URL");
        let connection = ReplicationConnection::connect(&settings)
            .await
            .expect("a session");
        let choices = decoder.option_choices("p", &[]);
        let started = connection.start_with_first(plugin, Lsn::ZERO, &choices);
        let (choice, mut reader, mut feedback) = started.await.expect("a stream");
        decoder.started_with(choice);
        let mut events = Vec::new();
        while !is_over(&events) {
            match reader.next().await.expect("a frame") {
                Frame::XLogData {
                    wal_start, data, ..
                } => {
                    decoder.decode(data, wal_start, &mut events)?;
                }
                Frame::Keepalive { .. } => {
                    let sent = feedback.send(&StandbyStatus::default()).await;
                    sent.expect("a status update");
                }
            }
        }
        feedback.finish().await.expect("an orderly end");
        Ok(shown(&events))
    }

    async fn assert_equal(&self) {
        self.end().await;
        let pgoutput = self.transactions("pgoutput").await.expect("pgoutput");
        let wal2json = self.transactions("wal2json").await.expect("wal2json");
        for (ours, theirs) in pgoutput.iter().zip(&wal2json) {
            assert_eq!(ours, theirs, "pgoutput, then wal2json");
        }
        assert_eq!(pgoutput.len(), wal2json.len());
    }
}

fn is_over(events: &[Event]) -> bool {
    let is_end = |event: &Event| matches!(event, Event::Change(Change::Insert { relation, .. }) if &*relation.name.name == END);
    let ended = events.iter().rev().take(2).any(is_end);
    ended && matches!(events.last(), Some(Event::Commit(_)))
}

/// Writes events down, without what one plugin cannot know.
fn shown(events: &[Event]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for event in events {
        let line = match event {
            Event::Begin(begin) => format!("{begin:?}"),
            Event::Commit(commit) => format!("{commit:?}"),
            Event::Change(change) => shown_change(change),
        };
        if matches!(event, Event::Commit(_))
            && lines
                .last()
                .is_some_and(|line| line.starts_with("TransactionBegin"))
        {
            lines.pop();
            continue;
        }
        lines.push(line);
    }
    lines
}

fn shown_change(change: &Change) -> String {
    match change {
        // Until an old row was seen, wal2json does not tell which columns identify a row.
        Change::Insert { relation, new } => {
            format!("INSERT {}", shown_row(relation, new).replace('*', ""))
        }
        Change::Update { relation, old, new } => {
            let old = old.as_ref().map(|old| shown_old(relation, old));
            format!("UPDATE {old:?} -> {}", shown_row(relation, new))
        }
        Change::Delete { relation, old } => format!("DELETE {}", shown_old(relation, old)),
        Change::Truncate { relations, .. } => {
            let mut names: Vec<String> = relations
                .iter()
                .map(|relation| relation.name.to_string())
                .collect();
            names.sort();
            format!("TRUNCATE {names:?}")
        }
        Change::ForeignMessage { prefix } => format!("MESSAGE {prefix}"),
    }
}

fn shown_old(relation: &Relation, old: &OldTuple) -> String {
    match old {
        OldTuple::Key(row) => format!("key {}", shown_row(relation, row)),
        OldTuple::Full(row) => format!("full {}", shown_row(relation, row)),
    }
}

fn shown_row(relation: &Relation, row: &Tuple) -> String {
    assert_eq!(relation.columns.len(), row.values.len());
    let values = relation
        .columns
        .iter()
        .zip(&row.values)
        .map(|(column, value)| {
            let key = if column.key { "*" } else { "" };
            match value {
                Value::Text(text) => format!("{key}{}={text:?}", column.name),
                Value::Null | Value::Unchanged => format!("{key}{}={value:?}", column.name),
            }
        });
    format!("{} {}", relation.name, values.collect::<Vec<_>>().join(" "))
}

fn literal(text: &str) -> String {
    pgstream::model::quote_literal(text)
}

#[tokio::test]
async fn every_built_in_type_is_the_same_from_both() {
    let server = Watched::start().await;
    server.run(OWN_TYPES).await;

    for (at, (name, literals)) in TYPES.iter().enumerate() {
        let rows: Vec<String> = literals
            .iter()
            .enumerate()
            .map(|(id, text)| {
                let text = literal(text);
                format!("({id}, {text}::{name}, ARRAY[{text}, NULL]::{name}[])")
            })
            .collect();
        server
            .run(&format!(
                "CREATE TABLE t{at} (id int PRIMARY KEY, v {name}, a {name}[]);
                 INSERT INTO t{at} VALUES {rows};
                 UPDATE t{at} SET id = id + 1000, a = NULL;
                 ALTER TABLE t{at} REPLICA IDENTITY FULL;
                 UPDATE t{at} SET a = '{{}}';
                 DELETE FROM t{at};",
                rows = rows.join(", ")
            ))
            .await;
    }

    server.assert_equal().await;
}

#[tokio::test]
async fn the_list_of_types_is_complete() {
    let server = Watched::start().await;
    let types = query_text(
        &server.client,
        "SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace
         AND typtype IN ('b', 'r', 'm') AND typcategory <> 'A'",
    );

    for name in types.await {
        let is_listed = TYPES.iter().any(|(listed, _)| {
            let bare = listed
                .split('(')
                .next()
                .unwrap_or_default()
                .trim_matches('"');
            bare == name
        });
        assert!(is_listed || UNWRITABLE.contains(&&*name), "{name}");
    }
}

#[tokio::test]
async fn keys_toast_truncation_names_and_messages_are_the_same_from_both() {
    let server = Watched::start().await;

    for sql in [
        "CREATE SCHEMA \"Odd \"\"schema\"",
        "CREATE TABLE \"Odd \"\"schema\".\"tä ble\" (\"Key\" int PRIMARY KEY, \"a\\b\" text)",
        "INSERT INTO \"Odd \"\"schema\".\"tä ble\" VALUES (1, 'x'), (2, NULL)",
        "UPDATE \"Odd \"\"schema\".\"tä ble\" SET \"a\\b\" = 'y'",
        "UPDATE \"Odd \"\"schema\".\"tä ble\" SET \"Key\" = 3 WHERE \"Key\" = 2",
        "CREATE TABLE toasted (id int PRIMARY KEY, big text, small text, late text)",
        "ALTER TABLE toasted ALTER big SET STORAGE EXTERNAL, ALTER late SET STORAGE EXTERNAL",
        "INSERT INTO toasted VALUES (1, repeat('x', 10000), 'a', repeat('y', 10000))",
        "UPDATE toasted SET small = 'b'",
        "UPDATE toasted SET big = repeat('z', 9000)",
        "UPDATE toasted SET id = 2",
        "ALTER TABLE toasted REPLICA IDENTITY FULL",
        "UPDATE toasted SET small = NULL",
        "DELETE FROM toasted",
        "CREATE TABLE keyless (a int, b text)",
        "ALTER TABLE keyless REPLICA IDENTITY FULL",
        "INSERT INTO keyless VALUES (1, NULL), (1, NULL)",
        "UPDATE keyless SET b = 'x'",
        "DELETE FROM keyless",
        "CREATE TABLE indexed (a int PRIMARY KEY, b text NOT NULL UNIQUE, c int)",
        "ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_b_key",
        "INSERT INTO indexed VALUES (1, 'one', 1)",
        "UPDATE indexed SET c = 2",
        "UPDATE indexed SET b = 'two'",
        "ALTER TABLE indexed DROP c, ADD d int DEFAULT 7",
        "UPDATE indexed SET d = 8",
        "DELETE FROM indexed",
        "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int REFERENCES parent)",
        "TRUNCATE parent CASCADE",
        "BEGIN; INSERT INTO parent VALUES (1); TRUNCATE parent, child RESTART IDENTITY; \
         TRUNCATE keyless; INSERT INTO parent VALUES (2); COMMIT",
        "SELECT pg_logical_emit_message(true, 'pgstream.rows', '{\"a\": \"b\\\\é\"}')",
        "BEGIN; TRUNCATE parent CASCADE; SELECT pg_logical_emit_message(true, 'pgstream.rows', '\\xff22'::bytea); \
         SELECT pg_logical_emit_message(true, 'another program', '\\xff'::bytea); COMMIT",
        "SELECT pg_logical_emit_message(false, 'pgstream.rows', '\\xff'::bytea)",
        "BEGIN; SAVEPOINT a; INSERT INTO parent VALUES (3); ROLLBACK TO a; \
         INSERT INTO parent VALUES (4); COMMIT",
        "ALTER TABLE parent RENAME TO renamed",
        "INSERT INTO renamed VALUES (5)",
    ] {
        // A table without key of its own makes UPDATE fail at the source: set beforehand.
        server.run(sql).await;
    }

    server.assert_equal().await;
}

#[tokio::test]
async fn a_number_that_wal2json_cannot_print_is_refused_not_guessed() {
    for row in [
        "'NaN', 0, 0",
        "0, 'Infinity', 0",
        "0, 0, '-Infinity'",
        "NULL, 0, 0",
    ] {
        let server = Watched::start().await;
        server
            .run(&format!(
                "CREATE TABLE n (id serial PRIMARY KEY, a float4, b float8, c numeric);
                 INSERT INTO n (a, b, c) VALUES ({row})"
            ))
            .await;
        server.end().await;

        let exact = server.transactions("pgoutput").await.unwrap();
        match server.transactions("wal2json").await {
            // 2.6 and later print them as strings.
            Ok(transactions) => assert_eq!(transactions, exact),
            Err(error) => {
                assert!(
                    matches!(error, DecodeError::AmbiguousNull { .. }),
                    "{error}"
                );
                assert_eq!(error.class(), ErrorClass::Operator);
            }
        }
    }
}

#[tokio::test]
async fn an_operator_may_vouch_that_nulls_of_numbers_are_null() {
    let server = Watched::start().await;
    server
        .run("CREATE TABLE n (a float4, b numeric); INSERT INTO n VALUES (NULL, NULL)")
        .await;
    server.end().await;

    let decoder = Decoder::for_plugin("wal2json").unwrap();
    let vouched = decoder.with_null_numbers(NullNumbers::Null);

    assert_eq!(
        server.decoded("wal2json", vouched).await,
        server.transactions("pgoutput").await
    );
}

#[tokio::test]
async fn every_server_gives_the_same_changes() {
    let mut seen: Vec<(String, Vec<String>)> = Vec::new();
    for server in every_server() {
        let options = ClusterOptions::new("plugins").on(&server);
        let plugins: &[&str] = match server.has_wal2json() {
            true => &["pgoutput", "wal2json"],
            false => &["pgoutput"],
        };
        let watched = Watched::on(cluster_with(options), plugins).await;
        for sql in [
            "CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz)",
            "INSERT INTO t VALUES (1, 'a', '2024-01-01 00:00:00+00'), (2, NULL, 'infinity')",
            "UPDATE t SET id = 3 WHERE id = 2; DELETE FROM t WHERE id = 1",
            "TRUNCATE t",
        ] {
            watched.run(sql).await;
        }
        watched.end().await;
        for plugin in plugins {
            let lines = watched.transactions(plugin).await.expect("a stream");
            let changes = lines
                .into_iter()
                .filter(|line| !line.starts_with("Transaction"));
            seen.push((format!("{} {plugin}", server.version()), changes.collect()));
        }
    }
    for (name, changes) in &seen {
        assert_eq!(
            Some(changes),
            seen.first().map(|(_, first)| first),
            "{name}"
        );
    }
}
