//! Rows arrive as they are: every kind of change, every kind of table, both plugins.

use crate::support::query_text;
use crate::support::scenario::{Case, PLUGINS, Scenario, play, play_with};

/// Tables by what identifies a row.
const IDENTITIES: &[Case] = &[
    Case {
        name: "keyed",
        schema: "CREATE TABLE t (id int PRIMARY KEY, a text, b bigint)",
        changes: &[
            "INSERT INTO t SELECT i, 'row ' || i, i * 15 FROM generate_series(1, 500) AS i",
            "UPDATE t SET a = a || '!' WHERE id % 3 = 0",
            "UPDATE t SET id = id + 1000 WHERE id % 7 = 0",
            "DELETE FROM t WHERE id % 5 = 0",
            "BEGIN; INSERT INTO t VALUES (9001, 'x'); UPDATE t SET a = 'y' WHERE id = 9001; \
             DELETE FROM t WHERE id = 9001; INSERT INTO t VALUES (9001, 'z', -1); COMMIT",
            "BEGIN; DELETE FROM t WHERE id = 9001; INSERT INTO t VALUES (9001, NULL); COMMIT",
            "UPDATE t SET id = id + 1 WHERE id = 9001; UPDATE t SET a = 'moved' WHERE id = 9002; \
             UPDATE t SET id = 9001 WHERE id = 9002; DELETE FROM t WHERE id = 9001",
        ],
    },
    Case {
        name: "composite",
        schema: "CREATE TABLE t (x text COLLATE \"C\", n numeric, day date, v int, \
                 PRIMARY KEY (day, n, x))",
        changes: &[
            "INSERT INTO t SELECT 'k' || i, i / 4.0, date '2020-01-01' + i % 3, i \
             FROM generate_series(1, 90) AS i",
            "UPDATE t SET v = -v WHERE v % 4 = 0",
            "UPDATE t SET n = n + 100 WHERE v % 5 = 0",
            "UPDATE t SET n = n::numeric(20, 6) WHERE v % 7 = 0",
            "DELETE FROM t WHERE day = '2020-01-02' AND v % 2 = 0",
        ],
    },
    Case {
        name: "by_index",
        schema: "CREATE TABLE t (a int NOT NULL, b text NOT NULL, c text, UNIQUE (b, a)); \
                 ALTER TABLE t REPLICA IDENTITY USING INDEX t_b_a_key; \
                 CREATE TABLE k (id int PRIMARY KEY, code text NOT NULL UNIQUE, v int); \
                 ALTER TABLE k REPLICA IDENTITY USING INDEX k_code_key",
        changes: &[
            "INSERT INTO t SELECT i, 'b' || i % 7, 'c' FROM generate_series(1, 60) AS i",
            "UPDATE t SET c = b || a WHERE a % 3 = 0; UPDATE t SET b = 'z' WHERE a % 10 = 0",
            "DELETE FROM t WHERE a % 4 = 0",
            "INSERT INTO k SELECT i, 'code ' || i, i FROM generate_series(1, 60) AS i",
            "UPDATE k SET id = id + 100 WHERE v % 2 = 0; UPDATE k SET code = code || '!' WHERE v < 9",
            "DELETE FROM k WHERE v % 5 = 0",
        ],
    },
    Case {
        name: "full_keyed",
        schema: "CREATE TABLE t (id int PRIMARY KEY, a text, b float8); \
                 ALTER TABLE t REPLICA IDENTITY FULL; \
                 CREATE TABLE d (id int PRIMARY KEY DEFERRABLE, a text); \
                 ALTER TABLE d REPLICA IDENTITY FULL",
        changes: &[
            "INSERT INTO t SELECT i, 'r' || i, i / 3.0 FROM generate_series(1, 200) AS i",
            "UPDATE t SET a = NULL WHERE id % 3 = 0; UPDATE t SET id = -id WHERE id % 7 = 0",
            "DELETE FROM t WHERE id % 5 = 0",
            "INSERT INTO d SELECT i, 'r' FROM generate_series(1, 20) AS i",
            "UPDATE d SET id = id + 1",
            "UPDATE d SET a = 'x' WHERE id < 9; DELETE FROM d WHERE id = 5",
        ],
    },
    Case {
        name: "keyless",
        schema: "CREATE TABLE t (a int, b text); ALTER TABLE t REPLICA IDENTITY FULL; \
                 CREATE TABLE odd (n numeric, j json, x xml, p point, f float8); \
                 ALTER TABLE odd REPLICA IDENTITY FULL",
        changes: &[
            "INSERT INTO t SELECT i % 5, NULL FROM generate_series(1, 50) AS i",
            "DELETE FROM t WHERE ctid IN (SELECT ctid FROM t WHERE a = 1 LIMIT 3)",
            "UPDATE t SET b = 'changed' WHERE ctid IN (SELECT ctid FROM t WHERE a = 2 LIMIT 4)",
            "UPDATE t SET a = a + 1",
            "BEGIN; INSERT INTO t VALUES (7, 'n'), (7, 'n'); DELETE FROM t WHERE a = 7; COMMIT",
            "INSERT INTO t VALUES (NULL, NULL), (NULL, NULL), (NULL, ''), (1, 'NULL')",
            "DELETE FROM t WHERE ctid = (SELECT ctid FROM t WHERE a IS NULL AND b IS NULL LIMIT 1)",
            "INSERT INTO odd SELECT n, '{\"a\" : 1}', '<a/>', '(1,2)', 0.1 \
             FROM unnest('{1.0, 1.00, 1, 1.0}'::numeric[]) AS n",
            "DELETE FROM odd WHERE ctid = (SELECT ctid FROM odd WHERE n::text = '1.00')",
            "UPDATE odd SET j = '{\"a\":1}' WHERE ctid = \
             (SELECT ctid FROM odd WHERE n::text = '1.0' LIMIT 1)",
            "DELETE FROM odd WHERE ctid = (SELECT ctid FROM odd WHERE j::text = '{\"a\":1}')",
        ],
    },
];

/// Keys whose declared type has no operator of its own, or whose index has another one.
const KEY_TYPES: &[Case] = &[
    Case {
        name: "domains",
        schema: "CREATE TYPE ak AS ENUM ('a', 'b', 'c', 'd'); CREATE DOMAIN akd AS ak; CREATE DOMAIN akdd AS akd; \
                 CREATE DOMAIN code AS varchar(5); CREATE DOMAIN list AS int[]; CREATE DOMAIN small AS int; \
                 CREATE TABLE ed (kind akd PRIMARY KEY, v int); \
                 CREATE TABLE edd (kind akdd, c code, l list, s small, v int, PRIMARY KEY (kind, c, l, s)); \
                 CREATE TABLE enums (kind ak PRIMARY KEY, kinds ak[] NOT NULL, v int); \
                 CREATE TABLE arrays (l small[] PRIMARY KEY, v int); \
                 CREATE TABLE fed (LIKE edd, ss small[]); ALTER TABLE fed REPLICA IDENTITY FULL",
        changes: &[
            "INSERT INTO ed VALUES ('a', 1), ('b', 2), ('c', 3)",
            "INSERT INTO edd SELECT 'a', 'c' || i, ARRAY[i], i, i FROM generate_series(1, 50) AS i; \
             INSERT INTO enums VALUES ('a', '{a,b}', 1), ('b', '{}', 2), ('d', '{d}', 3); \
             INSERT INTO arrays SELECT ARRAY[i], i FROM generate_series(1, 5) AS i",
            "INSERT INTO fed SELECT *, l FROM edd",
            "UPDATE ed SET v = 5 WHERE v = 1; DELETE FROM ed WHERE v = 2; UPDATE ed SET kind = 'd' WHERE v = 3",
            "UPDATE edd SET v = -v WHERE v % 3 = 0; DELETE FROM edd WHERE v % 4 = 0; UPDATE edd SET s = s + 100",
            "UPDATE enums SET v = -v; UPDATE enums SET kind = 'c' WHERE v = -2; DELETE FROM enums WHERE v = -1",
            "UPDATE arrays SET v = 9 WHERE v < 3; UPDATE arrays SET l = l || 7; DELETE FROM arrays WHERE v = 9",
            "UPDATE fed SET ss = ss || 1 WHERE v % 2 = 0; DELETE FROM fed WHERE v % 5 = 0",
        ],
    },
    Case {
        name: "other_equalities",
        schema: "CREATE TYPE pair AS (n numeric, j json); CREATE TYPE plain AS (n numeric, t text); \
                 CREATE TABLE image (p pair NOT NULL, v int); \
                 CREATE UNIQUE INDEX image_p ON image (p record_image_ops); \
                 ALTER TABLE image REPLICA IDENTITY USING INDEX image_p; \
                 CREATE TABLE pattern (t text NOT NULL, b bpchar NOT NULL, v int); \
                 CREATE UNIQUE INDEX pattern_t ON pattern (t text_pattern_ops, b bpchar_pattern_ops); \
                 ALTER TABLE pattern REPLICA IDENTITY USING INDEX pattern_t; \
                 CREATE TABLE composite (p plain PRIMARY KEY, r int4range UNIQUE, v int); \
                 CREATE TABLE multi (m int4multirange PRIMARY KEY, v varchar(9))",
        changes: &[
            "INSERT INTO image VALUES ((1.0, '{\"a\" : 1}'), 1), ((1.00, '{\"a\" : 1}'), 2), ((2, NULL), 3)",
            "INSERT INTO pattern SELECT 'x' || i, 'y ', i FROM generate_series(1, 40) AS i",
            "INSERT INTO composite SELECT ROW(i, 'x')::plain, int4range(i, i + 1), i FROM generate_series(1, 9) AS i; \
             INSERT INTO multi SELECT int4multirange(int4range(i, i + 2)), i FROM generate_series(1, 9) AS i",
            "UPDATE image SET v = 10 WHERE v = 2; DELETE FROM image WHERE v = 1; UPDATE image SET p.n = 3 WHERE v = 3",
            "UPDATE pattern SET v = -v WHERE v % 2 = 0; UPDATE pattern SET t = t || '!' WHERE v > 30; \
             DELETE FROM pattern WHERE v % 5 = 0",
            "UPDATE composite SET v = 0 WHERE v < 4; DELETE FROM composite WHERE v = 0; \
             UPDATE multi SET v = 'x' WHERE v < '4'; DELETE FROM multi WHERE v = '7'",
        ],
    },
];

#[tokio::test]
async fn rows_are_found_by_keys_whose_type_has_no_operator_of_its_own() {
    play(KEY_TYPES, |_| {}).await;
}

/// Row by row, the statements are others.
#[tokio::test]
async fn single_rows_are_found_by_keys_whose_type_has_no_operator_of_its_own() {
    play_with("pgoutput", KEY_TYPES, |pipeline| {
        pipeline.batch.size = 1;
        pipeline.batch.size_is_set = true;
        pipeline.on_conflict = pgstream::config::OnConflict::Nothing;
    })
    .await;
}

/// The source tells which partitions are emptied, and the target knows of more.
#[tokio::test]
async fn a_partitioned_table_is_emptied_whatever_its_namesake_is() {
    let key = "CREATE TABLE key (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY); ";
    let tree = "CREATE TABLE t (id int REFERENCES key, k int) PARTITION BY LIST (k); \
                CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1); \
                CREATE TABLE t_2 PARTITION OF t FOR VALUES IN (2) PARTITION BY LIST (id); \
                CREATE TABLE t_2d PARTITION OF t_2 DEFAULT; \
                CREATE TABLE e (id int REFERENCES key) PARTITION BY LIST (id); \
                CREATE TABLE above (id int REFERENCES key) PARTITION BY LIST (id); \
                CREATE TABLE above_1 PARTITION OF above FOR VALUES IN (1); \
                ALTER TABLE t_1 REPLICA IDENTITY FULL; ALTER TABLE t_2d REPLICA IDENTITY FULL; \
                ALTER TABLE above_1 REPLICA IDENTITY FULL";
    let plain = "CREATE TABLE t (id int, k int); CREATE TABLE t_1 (LIKE t); CREATE TABLE t_2d (LIKE t); \
                 CREATE TABLE e (id int); CREATE TABLE above (id int); CREATE TABLE above_1 (id int); \
                 INSERT INTO t VALUES (77, 1)";
    for plugin in PLUGINS {
        for target in [tree, plain] {
            let (source, target) = (format!("{key}{tree}"), format!("{key}{target}"));
            let scenario = Scenario::start_apart(plugin, &source, &target, |_| {}).await;
            for change in [
                "INSERT INTO key VALUES (1), (2); INSERT INTO t VALUES (1, 1), (2, 2); INSERT INTO above VALUES (1)",
                "TRUNCATE t_1",
                "INSERT INTO t VALUES (1, 1); INSERT INTO other VALUES (1)",
                "TRUNCATE key CASCADE",
                "INSERT INTO key VALUES (3); INSERT INTO t VALUES (3, 1)",
            ] {
                scenario.flow.run(change).await;
            }
            scenario.settle().await;
            let look = "SELECT (SELECT string_agg(id::text, ',') FROM key), \
                        (SELECT count(*) FROM t WHERE id = 77), (SELECT count(*) FROM t_1), \
                        (SELECT count(*) FROM t_2d), (SELECT count(*) FROM above_1), (SELECT count(*) FROM other)";
            let found = query_text(&scenario.flow.target, look).await;
            assert_eq!(found, ["3|0|1|0|0|1"], "{plugin}");
            scenario.stop().await;
        }
    }
}

/// Tables by what PostgreSQL does to their columns and rows by itself.
const KINDS: &[Case] = &[
    Case {
        name: "partitioned",
        schema: "CREATE TABLE t (id int, k text, v int, PRIMARY KEY (id, k)) PARTITION BY LIST (k); \
                 CREATE TABLE t_a PARTITION OF t FOR VALUES IN ('a'); \
                 CREATE TABLE t_b (v int, k text NOT NULL, id int NOT NULL); \
                 ALTER TABLE t ATTACH PARTITION t_b FOR VALUES IN ('b'); \
                 CREATE TABLE t_c PARTITION OF t DEFAULT PARTITION BY RANGE (id); \
                 CREATE TABLE t_c1 PARTITION OF t_c FOR VALUES FROM (0) TO (50); \
                 CREATE TABLE t_c2 PARTITION OF t_c FOR VALUES FROM (50) TO (1000)",
        changes: &[
            "INSERT INTO t SELECT i, substr('abc', i % 3 + 1, 1), i FROM generate_series(1, 99) AS i",
            "UPDATE t SET k = 'b' WHERE v % 4 = 0",
            "UPDATE t SET id = id + 50 WHERE v < 50 AND k = 'c'",
            "UPDATE t SET k = 'd', v = -v, id = v + 500 WHERE v % 5 = 0; DELETE FROM t WHERE v % 7 = 0",
            "BEGIN; UPDATE t SET k = 'a' WHERE k = 'b'; UPDATE t SET k = 'b' WHERE k = 'a'; COMMIT",
        ],
    },
    Case {
        name: "inherited",
        schema: "CREATE TABLE parent (id int PRIMARY KEY, a text); \
                 CREATE TABLE child (b int, PRIMARY KEY (id)) INHERITS (parent)",
        changes: &[
            "INSERT INTO parent VALUES (1, 'p'), (2, 'p'); INSERT INTO child VALUES (1, 'c', 1), (3, 'c', 2)",
            "UPDATE parent SET a = a || '!'",
            "UPDATE ONLY parent SET a = 'only' WHERE id = 1; DELETE FROM parent WHERE id = 2",
            "DELETE FROM parent WHERE id = 3",
        ],
    },
    Case {
        name: "generated",
        schema: "CREATE TABLE t (id int PRIMARY KEY, double int GENERATED ALWAYS AS (id * 2) STORED, \
                 a text, upper text GENERATED ALWAYS AS (upper(a)) STORED); \
                 CREATE TABLE f (a int, b int GENERATED ALWAYS AS (a + 1) STORED); \
                 ALTER TABLE f REPLICA IDENTITY FULL",
        changes: &[
            "INSERT INTO t (id, a) SELECT i, 'a' || i FROM generate_series(1, 50) AS i",
            "UPDATE t SET a = 'other' WHERE id % 2 = 0; UPDATE t SET id = id + 100 WHERE id < 9",
            "INSERT INTO f SELECT i % 3 FROM generate_series(1, 10) AS i",
            "UPDATE f SET a = a + 10 WHERE a = 1",
            "DELETE FROM f WHERE ctid = (SELECT ctid FROM f WHERE a = 2 LIMIT 1)",
        ],
    },
    Case {
        name: "identities",
        schema: "CREATE TABLE a (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text); \
                 CREATE TABLE d (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, v text); \
                 CREATE TABLE n (k text PRIMARY KEY, id int GENERATED ALWAYS AS IDENTITY, v text); \
                 CREATE TABLE s (id serial PRIMARY KEY, other smallserial, v text); \
                 CREATE TABLE f (id int GENERATED ALWAYS AS IDENTITY, v text); \
                 ALTER TABLE f REPLICA IDENTITY FULL",
        changes: &[
            "INSERT INTO a (v) SELECT 'v' FROM generate_series(1, 40)",
            "INSERT INTO a OVERRIDING SYSTEM VALUE VALUES (900, 'given')",
            "UPDATE a SET v = 'w' WHERE id % 2 = 0; UPDATE a SET id = DEFAULT WHERE id = 900",
            "INSERT INTO d (v) SELECT 'v' FROM generate_series(1, 40)",
            "UPDATE d SET id = id + 100 WHERE id % 9 = 0; INSERT INTO d VALUES (7000, 'given')",
            "INSERT INTO n SELECT 'k' || i FROM generate_series(1, 40) AS i",
            "UPDATE n SET k = k || '!' WHERE id % 3 = 0; UPDATE n SET v = 'x' WHERE id > 30",
            "UPDATE n SET id = DEFAULT WHERE k IN ('k5', 'k7')",
            "INSERT INTO s (v) SELECT 'v' FROM generate_series(1, 40)",
            "UPDATE s SET v = NULL WHERE id % 3 = 0; DELETE FROM s WHERE id % 4 = 0",
            "INSERT INTO f (v) VALUES ('a'), ('b'), ('c')",
            "UPDATE f SET v = 'z' WHERE v = 'a'; DELETE FROM f WHERE v = 'b'",
        ],
    },
    Case {
        name: "dropped",
        schema: "CREATE TABLE t (gone1 int, id int PRIMARY KEY, gone2 text, a text, gone3 int); \
                 ALTER TABLE t DROP gone1, DROP gone2, DROP gone3; ALTER TABLE t ADD b int DEFAULT 5",
        changes: &[
            "INSERT INTO t SELECT i, 'a' FROM generate_series(1, 40) AS i",
            "UPDATE t SET a = 'b', id = -id WHERE id % 3 = 0; DELETE FROM t WHERE id = 1",
        ],
    },
    Case {
        name: "toast",
        schema: "CREATE TABLE k (id int PRIMARY KEY, big text, n int); \
                 ALTER TABLE k ALTER COLUMN big SET STORAGE EXTERNAL; \
                 CREATE TABLE f (LIKE k INCLUDING ALL); ALTER TABLE f REPLICA IDENTITY FULL; \
                 CREATE TABLE l (LIKE k INCLUDING STORAGE); ALTER TABLE l REPLICA IDENTITY FULL; \
                 CREATE TABLE bigkey (k text PRIMARY KEY, n int); \
                 ALTER TABLE bigkey ALTER COLUMN k SET STORAGE EXTERNAL",
        changes: &[
            "INSERT INTO k SELECT n, (SELECT string_agg(md5(i::text), '') \
             FROM generate_series(n, 3000 + n) AS i), n FROM generate_series(1, 4) AS n",
            "INSERT INTO f SELECT * FROM k; INSERT INTO l SELECT * FROM k",
            "UPDATE k SET n = n + 10; UPDATE f SET n = n + 10; UPDATE l SET n = n + 10",
            "BEGIN; UPDATE k SET n = 5 WHERE id = 1; UPDATE k SET id = 30 WHERE id = 1; COMMIT",
            "BEGIN; INSERT INTO k SELECT 9, big, 0 FROM k WHERE id = 2; \
             UPDATE k SET n = 77 WHERE id = 9; COMMIT",
            "UPDATE f SET id = id + 10; DELETE FROM f WHERE id = 12; DELETE FROM l WHERE id = 2",
            "BEGIN; INSERT INTO l SELECT * FROM l WHERE id = 3; UPDATE l SET n = 1 WHERE id = 3; \
             UPDATE l SET big = 'small' WHERE id = 4; COMMIT",
            "INSERT INTO bigkey SELECT string_agg(md5(i::text), ''), 1 FROM generate_series(1, 75) AS i",
            "UPDATE bigkey SET n = 2; UPDATE bigkey SET k = k || 'x'; UPDATE bigkey SET n = 3",
            "DELETE FROM bigkey WHERE n = 3",
        ],
    },
    Case {
        name: "empty",
        schema: "CREATE TABLE none (); ALTER TABLE none REPLICA IDENTITY FULL",
        changes: &[
            "INSERT INTO none DEFAULT VALUES",
            "INSERT INTO none SELECT FROM generate_series(1, 50)",
            "DELETE FROM none WHERE ctid IN (SELECT ctid FROM none LIMIT 3)",
        ],
    },
];

#[tokio::test]
async fn rows_follow_whatever_identifies_them() {
    play(IDENTITIES, |_| {}).await;
}

#[tokio::test]
async fn rows_follow_in_every_kind_of_table() {
    let (without_columns, others) = KINDS.split_last().expect("cases");
    play(others, |_| {}).await;
    // wal2json says nothing of rows without columns.
    play_with("pgoutput", std::slice::from_ref(without_columns), |_| {}).await;
}

#[tokio::test]
async fn rows_follow_in_every_kind_of_table_with_triggers_disabled() {
    play_with("pgoutput", &KINDS[..5], |pipeline| {
        pipeline.disable_triggers = true;
    })
    .await;
}

/// Names that break naive quoting: upper case, dots, quotes, blanks, letters beyond ASCII, the
/// longest there is, keywords.
const NAMES: [&str; 9] = [
    "Upper",
    "with.dot",
    "quo\"te",
    "a b",
    "größe_日本",
    "it's",
    "select",
    "back\\slash",
    "a23456789_123456789_123456789_123456789_123456789_123456789_123",
];

#[tokio::test]
async fn names_are_taken_as_they_are() {
    let quote = |name: &&str| format!("\"{}\"", name.replace('"', "\"\""));
    let names: Vec<String> = NAMES.iter().map(quote).collect();
    let columns = names
        .iter()
        .map(|name| format!("{name} text"))
        .collect::<Vec<_>>()
        .join(", ");
    let schema: Vec<String> = names
        .iter()
        .map(|name| {
            format!(
                "CREATE SCHEMA {name}; CREATE TABLE {name}.{name} (id int, {columns}, \
                     PRIMARY KEY (id, {name}))"
            )
        })
        .collect();
    for plugin in PLUGINS {
        let scenario = Scenario::start(plugin, &schema, |_| {}).await;
        for name in &names {
            let table = format!("{name}.{name}");
            let values = vec!["i"; names.len() + 1].join(", ");
            for change in [
                format!("INSERT INTO {table} SELECT {values} FROM generate_series(1, 40) AS i"),
                format!("INSERT INTO {table} SELECT {values} FROM generate_series(41, 43) AS i"),
                format!("UPDATE {table} SET \"it's\" = 'x' WHERE id % 2 = 0"),
                format!("UPDATE {table} SET {name} = 'y' WHERE id = 3"),
                format!("DELETE FROM {table} WHERE id > 30"),
            ] {
                scenario.flow.run(&change).await;
            }
        }
        scenario.equal().await;
        scenario.stop().await;
    }
}

#[tokio::test]
async fn five_hundred_columns_are_not_too_many() {
    let columns: Vec<String> = (1..500).map(|at| format!("c{at} int")).collect();
    let schema = [format!(
        "CREATE TABLE wide (id int PRIMARY KEY, {columns}); \
         CREATE TABLE wide_full (id int, {columns}); ALTER TABLE wide_full REPLICA IDENTITY FULL",
        columns = columns.join(", ")
    )];
    for plugin in PLUGINS {
        let scenario = Scenario::start(plugin, &schema, |_| {}).await;
        for table in ["wide", "wide_full"] {
            for change in [
                format!(
                    "INSERT INTO {table} (id, c1, c499) SELECT i, i, -i FROM generate_series(1, 50) AS i"
                ),
                format!("INSERT INTO {table} (id, c9) VALUES (51, 1), (52, 2)"),
                format!("UPDATE {table} SET c300 = id, c5 = 7 WHERE id % 2 = 0"),
                format!("UPDATE {table} SET id = id + 100, c2 = 0 WHERE id % 5 = 0"),
                format!("DELETE FROM {table} WHERE id IN (2, 7, 9)"),
            ] {
                scenario.flow.run(&change).await;
            }
        }
        scenario.equal().await;
        scenario.stop().await;
    }
}

#[tokio::test]
async fn a_target_may_have_more_columns_another_order_and_wider_types() {
    let source = "CREATE TABLE t (id int PRIMARY KEY, a varchar(10), n int, at timestamp, f real); \
                  CREATE TABLE l (a int, b varchar(5)); ALTER TABLE l REPLICA IDENTITY FULL";
    let target = "CREATE TABLE t (extra int DEFAULT 7, f float8, at timestamptz, n numeric, \
                  note text GENERATED ALWAYS AS ('<' || a || '>') STORED, a text, id bigint PRIMARY KEY); \
                  CREATE TABLE l (b text, extra serial, a bigint)";
    let looks = [
        "SELECT id, a, n, at::timestamp, f::real FROM t ORDER BY id",
        "SELECT a, b FROM l ORDER BY a, b",
    ];
    for plugin in PLUGINS {
        let scenario = Scenario::start_apart(plugin, source, target, |_| {}).await;
        for change in [
            "INSERT INTO t SELECT i, 'a' || i, i, timestamp '2020-02-02 02:02:02' + i * interval '1h', i / 7.0 \
             FROM generate_series(1, 50) AS i",
            "UPDATE t SET a = 'z', n = NULL WHERE id % 3 = 0; UPDATE t SET id = id + 100 WHERE id < 9",
            "DELETE FROM t WHERE id % 4 = 0",
            "INSERT INTO l SELECT i % 4, 'b' FROM generate_series(1, 40) AS i",
            "DELETE FROM l WHERE ctid IN (SELECT ctid FROM l WHERE a = 1 LIMIT 4)",
            "UPDATE l SET b = NULL WHERE ctid IN (SELECT ctid FROM l WHERE a = 2 LIMIT 4)",
        ] {
            scenario.flow.run(change).await;
        }
        scenario.settle().await;
        for look in looks {
            let expected = query_text(&scenario.flow.source, look).await;
            assert_eq!(
                query_text(&scenario.flow.target, look).await,
                expected,
                "{plugin}: {look}"
            );
        }
        let extra = query_text(&scenario.flow.target, "SELECT DISTINCT extra FROM t").await;
        assert_eq!(extra, ["7"]);
        scenario.stop().await;
    }
}
