//! Values arrive byte by byte: each type's text on the target is its text on the source.

use std::fmt::Write as _;

use pgstream::engine::Engine;
use pgstream::model::{quote_ident, quote_literal};
use pgstream::status::Outcome;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use crate::support::flow::Flow;
use crate::support::scenario::{PLUGINS, Scenario};
use crate::support::{execute, query_text};

/// Types that the values below need.
pub const TYPES: &str = r#"
CREATE TYPE mood AS ENUM ('sad', 'o,k', 'hap"py', 'it''s {}', '');
CREATE TYPE pair AS (a int, b text);
CREATE TYPE nest AS (p pair, l text[], m mood);
CREATE DOMAIN short AS text CHECK (length(VALUE) < 20);
CREATE DOMAIN exact AS numeric(12, 3);
CREATE DOMAIN list AS int[] CHECK (array_length(VALUE, 1) < 9);
CREATE DOMAIN couple AS pair;
CREATE DOMAIN deep AS short NOT NULL;
CREATE TYPE span AS RANGE (subtype = float8);
CREATE SCHEMA "Odd Types";
CREATE TYPE "Odd Types"."My ""Enum""" AS ENUM ('A b', 'c');
"#;

/// A type and its values, each as an SQL expression. Every table also gets a NULL.
pub const VALUES: &[(&str, &[&str])] = &[
    ("bool", &["true", "false"]),
    ("int2", &["-32768", "32767", "0"]),
    ("int4", &["-2147483648", "2147483647"]),
    ("int8", &["-9223372036854775808", "9223372036854775807"]),
    (
        "float4",
        &["1.1", "3.4028235e38", "1e-45", "-0.0", "16777217"],
    ),
    (
        "float8",
        &[
            "0.1",
            "1.7976931348623157e308",
            "5e-324",
            "-0.0",
            "1e22",
            "0.30000000000000004",
        ],
    ),
    (
        "numeric",
        &[
            "1.0",
            "1.00",
            "-0.00",
            "1e-300",
            "12345678901234567890.123456789",
            "repeat('9', 1000)::numeric",
            "('0.' || repeat('7', 1000))::numeric",
            "1e1000",
        ],
    ),
    ("numeric(10,2)", &["12345678.90", "-0.01"]),
    (
        "money",
        &["'$1,234.56'", "'-92233720368547758.08'", "'0.01'"],
    ),
    (
        "text",
        &[
            "''",
            "'NULL'",
            "'null'",
            r"'\N'",
            r"'\\.'",
            r"'\.'",
            r"E'a\tb\nc\rd\\e'",
            "'{a,\"b\"}'",
            "'\"'",
            "'ü日本𝄞'",
            "' lead and trail '",
        ],
    ),
    ("varchar(20)", &["''", "'abc  '", "'日本'"]),
    ("char(6)", &["'ab'", "''", "'日本'"]),
    ("\"char\"", &["'a'", "'\"'", r"'\'", "','"]),
    ("name", &["'a name'", "'quo\"te'"]),
    ("bytea", &["''", r"'\x00ff5c22270a'", "'\\x'"]),
    (
        "date",
        &[
            "'2024-02-29'",
            "'infinity'",
            "'-infinity'",
            "'0044-03-15 BC'",
            "'5874897-12-31'",
        ],
    ),
    ("time", &["'00:00'", "'24:00'", "'12:34:56.789012'"]),
    ("timetz", &["'12:34:56.7+05:30'", "'00:00-15:59'"]),
    (
        "timestamp",
        &[
            "'2024-02-29 12:34:56.789012'",
            "'infinity'",
            "'0001-01-01 00:00 BC'",
            "'294276-12-31 23:59:59.999999'",
        ],
    ),
    (
        "timestamptz",
        &[
            "'2024-02-29 12:34:56.789012+09'",
            "'-infinity'",
            "'4713-01-02 00:00 BC'",
        ],
    ),
    (
        "interval",
        &[
            "'1 year -2 days +03:04:05.678901'",
            "'-1 mon'",
            "'00:00'",
            "'-178000000 years'",
            "'1 day -1 sec'",
            "'PT-0.000001S'",
        ],
    ),
    ("interval day to second", &["'3 days 04:05:06'"]),
    ("uuid", &["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"]),
    ("bit(5)", &["B'10101'"]),
    ("varbit", &["B''", "B'1'", "B'0101010101'"]),
    (
        "xml",
        &["'<a b=\"c\">d &amp; e</a>'", "'text only'", "'<a/><b/>'"],
    ),
    (
        "json",
        &[
            "'{\"b\" : 1,  \"a\": [null, 1.0, 1.00]}'",
            r#"'"\u0000 nul"'"#,
            "'null'",
            "' 1 '",
        ],
    ),
    (
        "jsonb",
        &[
            "'{\"b\" : 1, \"a\": [null, 1.0, 1.00], \"é\": \"\\\\ \\\" \"}'",
            "'null'",
            "'1e1000'",
        ],
    ),
    ("jsonpath", &["'$.a[*] ? (@ > 1)'"]),
    ("tsvector", &["'a:1A fat:2B,4C ''it''''s'':5'", "''"]),
    ("tsquery", &["'fat & (rat | !cat) <2> x:*A'", "''"]),
    (
        "inet",
        &[
            "'192.168.0.1/24'",
            "'::1'",
            "'2001:db8::/32'",
            "'0.0.0.0/0'",
        ],
    ),
    ("cidr", &["'10.0.0.0/8'", "'2001:db8::/32'"]),
    ("macaddr", &["'08:00:2b:01:02:03'"]),
    ("macaddr8", &["'08:00:2b:01:02:03:04:05'"]),
    ("point", &["'(1.5,-2)'", "'(NaN,Infinity)'"]),
    ("line", &["'{1,-1,0}'"]),
    ("lseg", &["'[(0,0),(1,1)]'"]),
    ("box", &["'(3,4),(1,2)'", "'(1,1),(0,0)'"]),
    ("path", &["'[(0,0),(1,1),(2,0)]'", "'((0,0),(1,1))'"]),
    ("polygon", &["'((0,0),(1,1),(2,0))'"]),
    ("circle", &["'<(1,2),3>'"]),
    ("pg_lsn", &["'16/B374D848'", "'0/0'"]),
    ("pg_snapshot", &["'10:20:10,14'", "'1:1:'"]),
    ("xid8", &["'18446744073709551615'"]),
    ("xid", &["'4294967295'"]),
    ("tid", &["'(1,2)'", "'(0,0)'", "'(4294967295,65535)'"]),
    ("oid", &["'4294967295'"]),
    ("regclass", &["'pg_catalog.pg_class'", "'public.marker'"]),
    ("regtype", &["'int4'", "'public.mood'", "'timestamptz'"]),
    ("regproc", &["'pg_catalog.now'"]),
    ("regprocedure", &["'pg_catalog.abs(int4)'"]),
    ("regnamespace", &["'public'"]),
    ("oidvector", &["'1 2 3'", "''"]),
    ("int2vector", &["'1 -2 3'", "''"]),
    ("oidvector[]", &["ARRAY['']::oidvector[]"]),
    ("int2vector[]", &["ARRAY['', '7']::int2vector[]"]),
    ("tsquery[]", &["ARRAY['', 'fat']::tsquery[]"]),
    ("int4range", &["'[1,5)'", "'empty'", "'(,)'", "'[1,)'"]),
    ("numrange", &["'(1.0,1.00]'"]),
    (
        "tstzrange",
        &[
            "'[2024-01-01 00:00+00,infinity)'",
            "'[\"2024-01-01 00:00+00\",)'",
        ],
    ),
    (
        "daterange",
        &[
            "'[2024-01-01,2024-02-01)'",
            "'empty'",
            "'[-infinity,infinity]'",
        ],
    ),
    ("int8multirange", &["'{[1,3),[5,9)}'", "'{}'"]),
    ("datemultirange", &["'{[2024-01-01,2024-02-01)}'"]),
    ("span", &["'[0.1,1e300)'"]),
    ("mood", &["'sad'", "'o,k'", "'hap\"py'", "'it''s {}'", "''"]),
    ("\"Odd Types\".\"My \"\"Enum\"\"\"", &["'A b'", "'c'"]),
    (
        "pair",
        &["ROW(1, 'a,b\"c\\d')", "ROW(NULL, '')", "ROW(NULL, NULL)"],
    ),
    (
        "nest",
        &["ROW(ROW(1, '(\"x\")')::pair, ARRAY['a', NULL, '\"'], 'o,k')"],
    ),
    ("short", &["''", "'a \"short\" one'"]),
    ("exact", &["1.500", "-0.001"]),
    ("list", &["'{1,NULL,3}'", "'{}'"]),
    ("couple", &["ROW(2, 'two')"]),
    (
        "int[]",
        &[
            "'{}'",
            "'{1,NULL,3}'",
            "'{{1,2},{3,NULL}}'",
            "'[0:2]={1,2,3}'",
            "'[-1:0][2:3]={{1,2},{3,4}}'",
        ],
    ),
    (
        "text[]",
        &[
            "ARRAY['', NULL, 'NULL', 'a\"b', 'c\\d', '{e}', ' f ', 'g,h']",
            "ARRAY[[E'\\n', 'é']]",
        ],
    ),
    ("numeric[]", &["'{NaN,1.0,1.00}'"]),
    ("float8[]", &["'{NaN,Infinity,-0}'"]),
    ("bytea[]", &["ARRAY['\\x00ff'::bytea, '']"]),
    ("json[]", &["ARRAY['{\"a\" : 1}'::json, NULL]"]),
    (
        "timestamptz[]",
        &["ARRAY['infinity'::timestamptz, '2020-01-01 00:00+00']"],
    ),
    ("box[]", &["'{(3,4),(1,2);(1,1),(0,0)}'"]),
    ("mood[]", &["ARRAY['o,k', 'hap\"py', '']::mood[]"]),
    ("short[]", &["ARRAY['a b', NULL]::short[]"]),
    ("list[]", &["ARRAY['{1,2}'::list]"]),
    (
        "pair[]",
        &["ARRAY[ROW(1, 'x,y')::pair, NULL, ROW(2, '\"')::pair]"],
    ),
    ("couple[]", &["ARRAY[ROW(1, 'x')::couple]"]),
    ("int4range[]", &["ARRAY['[1,5)'::int4range, 'empty']"]),
    ("inet[]", &["ARRAY['::1'::inet]"]),
    ("aclitem[]", &["'{=r/postgres}'"]),
];

/// Values that wal2json before 2.6 cannot tell from NULL, and NULLs that it cannot tell from them.
const SPECIAL_NUMBERS: &[(&str, &[&str])] = &[
    ("float4", &["'NaN'", "'Infinity'", "'-Infinity'", "NULL"]),
    ("float8", &["'NaN'", "'Infinity'", "'-Infinity'", "NULL"]),
    ("numeric", &["'NaN'", "'Infinity'", "'-Infinity'", "NULL"]),
];

pub fn is_number(kind: &str) -> bool {
    ["float4", "float8", "numeric", "numeric(10,2)"].contains(&kind)
}

/// For each type a table with a key, and one without that is found by its whole image.
pub fn tables(types: &[(&str, &[&str])]) -> String {
    let mut sql = String::new();
    for (at, (kind, _)) in types.iter().enumerate() {
        write!(
            sql,
            "CREATE TABLE k{at} (id int PRIMARY KEY, v {kind}, n int); \
             CREATE TABLE l{at} (v {kind}, n int); ALTER TABLE l{at} REPLICA IDENTITY FULL;"
        )
        .expect("a String takes all");
    }
    sql
}

/// Inserts one by one and as a set, updates and deletes.
pub async fn change(flow: &Flow, at: usize, kind: &str, values: &[&str]) {
    let rows = |first: usize| {
        let row = |(n, value): (usize, &&str)| format!("({}, ({value})::{kind}, 0)", first + n);
        values.iter().enumerate().map(row).collect::<Vec<_>>()
    };
    for row in rows(1) {
        flow.run(&format!("INSERT INTO k{at} VALUES {row}")).await;
    }
    for first in [100, 200, 300] {
        let rows = rows(first).join(", ");
        flow.run(&format!(
            "INSERT INTO k{at} VALUES {rows}, ({}, NULL, 1)",
            first + 50
        ))
        .await;
    }
    let copies = format!("INSERT INTO l{at} SELECT v, n FROM k{at}, generate_series(1, 2)");
    flow.run(&copies).await;
    let last = values.last().expect("a value");
    for sql in [
        format!("UPDATE k{at} SET n = n + 1 WHERE id < 200"),
        format!("UPDATE k{at} SET v = ({last})::{kind} WHERE id >= 300"),
        format!(
            "UPDATE l{at} SET n = 7 WHERE ctid IN (SELECT min(ctid) FROM l{at} GROUP BY v::text)"
        ),
        format!("DELETE FROM l{at} WHERE ctid IN (SELECT max(ctid) FROM l{at} GROUP BY v::text)"),
    ] {
        flow.run(&sql).await;
    }
}

#[tokio::test]
async fn every_type_arrives_byte_by_byte() {
    for plugin in PLUGINS {
        let scenario = Scenario::start(plugin, &[TYPES.to_owned(), tables(VALUES)], |_| {}).await;
        for (at, (kind, values)) in VALUES.iter().enumerate() {
            if plugin == "pgoutput" || !is_number(kind) {
                change(&scenario.flow, at, kind, values).await;
            }
        }
        scenario.equal().await;
        scenario.stop().await;
    }
}

/// Of some types the binary input of COPY refuses what its output has sent.
#[tokio::test]
async fn every_type_is_copied_as_it_is() {
    let flow = Flow::bare().await;
    flow.run(TYPES).await;
    // A value of `regclass` needs it before its own table is copied.
    execute(
        &flow.target,
        "CREATE TABLE public.marker (n int PRIMARY KEY)",
    )
    .await;
    flow.run("CREATE TABLE public.marker (n int PRIMARY KEY)")
        .await;
    let kinds = [VALUES, SPECIAL_NUMBERS].concat();
    flow.run(&tables(&kinds)).await;
    for (at, (kind, values)) in kinds.iter().enumerate() {
        for value in *values {
            flow.run(&format!("INSERT INTO l{at} VALUES (({value})::{kind})"))
                .await;
        }
        flow.run(&format!("INSERT INTO l{at} VALUES (NULL)")).await;
    }

    let mut copy = Engine::snapshot(flow.pipeline.clone());

    let outcome = copy.join().await;
    assert!(matches!(outcome, Outcome::Stopped), "{outcome:?}");
    flow.equal().await;
}

#[tokio::test]
async fn special_numbers_arrive_with_the_plugin_that_sends_them() {
    let scenario = Scenario::start("pgoutput", &[tables(SPECIAL_NUMBERS)], |_| {}).await;
    for (at, (kind, values)) in SPECIAL_NUMBERS.iter().enumerate() {
        change(&scenario.flow, at, kind, values).await;
    }
    scenario.equal().await;
    scenario.stop().await;
}

/// Any text that PostgreSQL can hold: no NUL byte.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("$$".to_owned()),
        Just("E'".to_owned()),
        Just(";--".to_owned()),
        Just("\\'".to_owned()),
        Just("?".to_owned()),
        "[a-zA-Z .\\n\\té日]{1,4}",
        any::<char>()
            .prop_filter("no NUL", |c| *c != '\0')
            .prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

#[tokio::test]
async fn quoted_names_and_literals_come_back_from_a_server_as_they_were() {
    let cluster = crate::support::cluster("quoting");
    let client = crate::support::connect(&cluster.url("postgres")).await;
    let mut runner = TestRunner::deterministic();
    for conforming in ["on", "off"] {
        let set = format!(
            "SET standard_conforming_strings = {conforming}; \
                           SET escape_string_warning = off; SET backslash_quote = on"
        );
        execute(&client, &set).await;
        for _ in 0..100 {
            let text = any_text().new_tree(&mut runner).expect("a text").current();
            let name: String = format!("n{text}").chars().take(15).collect();
            let literal = client
                .simple_query(&format!("SELECT {}", quote_literal(&text)))
                .await;
            let named = client
                .simple_query(&format!("SELECT 1 AS {}", quote_ident(&name)))
                .await;

            let literal = literal.unwrap_or_else(|error| panic!("{text:?}: {error:?}"));
            let named = named.unwrap_or_else(|error| panic!("{name:?}: {error:?}"));
            assert_eq!(first_row(&literal).get(0), Some(&*text));
            assert_eq!(first_row(&named).columns()[0].name(), name);
        }
    }
}

fn first_row(messages: &[SimpleQueryMessage]) -> &SimpleQueryRow {
    let mut rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    rows.next().expect("a row")
}

/// Types of extensions that come with the server.
#[tokio::test]
async fn types_of_extensions_arrive_wherever_they_are_installed() {
    let schema = "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; \
                  CREATE EXTENSION hstore SCHEMA ext; CREATE EXTENSION ltree SCHEMA ext; \
                  CREATE TABLE k (c ext.citext PRIMARY KEY, h ext.hstore, l ext.ltree, a ext.hstore[]); \
                  CREATE TABLE f (c ext.citext, h ext.hstore); ALTER TABLE f REPLICA IDENTITY FULL"
        .to_owned();
    for plugin in PLUGINS {
        let scenario = Scenario::start(plugin, std::slice::from_ref(&schema), |_| {}).await;
        for sql in [
            "INSERT INTO k SELECT 'Key' || i, ext.hstore('a \"b\"', 'c=>' || i), ('top.l' || i)::ext.ltree, \
             ARRAY[ext.hstore('x', NULL)] FROM generate_series(1, 40) AS i",
            "UPDATE k SET h = NULL WHERE c IN ('key1', 'KEY2'); UPDATE k SET c = 'key3' WHERE c = 'KEY3'",
            "DELETE FROM k WHERE c IN ('key4', 'Key5')",
            "INSERT INTO f SELECT c, h FROM k; INSERT INTO f SELECT c, h FROM k LIMIT 5",
            "UPDATE f SET c = upper(c::text) WHERE c = 'key6'; DELETE FROM f WHERE c = 'key7'",
        ] {
            scenario.flow.run(sql).await;
        }
        scenario.equal().await;
        scenario.stop().await;
    }
}

#[tokio::test]
async fn large_and_strange_texts_arrive() {
    let schema = "CREATE TABLE t (id int PRIMARY KEY, v text, b bytea); \
                  CREATE TABLE f (v text, b bytea); ALTER TABLE f REPLICA IDENTITY FULL"
        .to_owned();
    for plugin in PLUGINS {
        let scenario = Scenario::start(plugin, std::slice::from_ref(&schema), |_| {}).await;
        for sql in [
            // Every character up to 0x2ff, each in a row and all in one.
            "INSERT INTO t SELECT i, chr(i) || 'x' || chr(i), convert_to(chr(i), 'UTF8') \
             FROM generate_series(1, 767) AS i",
            "INSERT INTO f SELECT string_agg(v, '' ORDER BY id), string_agg(b, '' ORDER BY id) FROM t",
            "UPDATE t SET v = v || v WHERE id < 40",
            "INSERT INTO t VALUES (1000, repeat('\"\\', 10000000), \
             decode(repeat('00ff5c', 3000000), 'hex'))",
            "INSERT INTO t SELECT 1000 + i, repeat('big ', 500000), NULL FROM generate_series(1, 9) AS i",
            "UPDATE t SET id = -id WHERE id >= 1000",
            "INSERT INTO f SELECT v, NULL FROM t WHERE id = -1001; DELETE FROM f WHERE b IS NULL",
            "UPDATE f SET v = v || '!'",
        ] {
            scenario.flow.run(sql).await;
        }
        scenario.settle().await;
        for table in ["t", "f"] {
            let look =
                format!("SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} AS t");
            let expected = query_text(&scenario.flow.source, &look).await;
            assert_eq!(
                query_text(&scenario.flow.target, &look).await,
                expected,
                "{plugin}: {table}"
            );
        }
        scenario.stop().await;
    }
}
