//! Targets that an operator made in another shape than the source, and rows that are hard to find there.
//!
//! The subjects are those of PostgreSQL's tests of subscriptions and of the Go pgstream's integration tests, told
//! anew, and all of them play over one pair of servers.

use crate::cli_check::between;
use crate::support::scenario::{PLUGINS, Scenario};
use crate::support::sql::major_version;
use crate::support::{connect, execute, pair, query_text};

/// A table that the sides have in different shapes.
struct Shape {
    source: &'static str,
    target: &'static str,
    changes: &'static [&'static str],
    /// What must be the same on both sides.
    looks: &'static [&'static str],
}

const SHAPES: &[Shape] = &[
    // A partition that the target divides further, and one whose columns have another order.
    Shape {
        source: "CREATE TABLE m (a int PRIMARY KEY, b text) PARTITION BY LIST (a); \
                 CREATE TABLE m_1 (b text, a int NOT NULL); ALTER TABLE m ATTACH PARTITION m_1 FOR VALUES IN (1, 2, 3); \
                 CREATE TABLE m_2 PARTITION OF m FOR VALUES IN (4, 5, 6); CREATE TABLE m_d PARTITION OF m DEFAULT",
        target: "CREATE TABLE m (c text DEFAULT 'own', a int PRIMARY KEY, b text) PARTITION BY LIST (a); \
                 CREATE TABLE m_1 (b text, c text DEFAULT 'own', a int NOT NULL); \
                 ALTER TABLE m ATTACH PARTITION m_1 FOR VALUES IN (1, 2, 3); \
                 CREATE TABLE m_2 PARTITION OF m (c DEFAULT 'own') FOR VALUES IN (4, 5, 6) PARTITION BY LIST (a); \
                 CREATE TABLE m_2_1 (c text, b text, a int NOT NULL); ALTER TABLE m_2 ATTACH PARTITION m_2_1 FOR VALUES IN (5); \
                 CREATE TABLE m_2_2 PARTITION OF m_2 FOR VALUES IN (4, 6); \
                 CREATE TABLE m_d PARTITION OF m DEFAULT",
        changes: &[
            "INSERT INTO m VALUES (1, 'x'), (3, 'x'), (5, 'x'), (0, 'x')",
            "UPDATE m SET a = 2 WHERE a = 1; UPDATE m SET a = 6 WHERE a = 5",
            "UPDATE m SET a = 4 WHERE a = 6; UPDATE m SET b = 'y' WHERE a = 4",
            "UPDATE m SET a = 1 WHERE a = 0; UPDATE m SET a = 5 WHERE a = 1; INSERT INTO m VALUES (77, 'z')",
            "DELETE FROM m WHERE a IN (2, 4); DELETE FROM m_1; INSERT INTO m VALUES (6, 'z')",
        ],
        looks: &[
            "SELECT a, b FROM m ORDER BY a",
            "SELECT a FROM m_2 ORDER BY a",
        ],
    },
    // Partitions that are tables of their own on the target.
    Shape {
        source: "CREATE TABLE p (a int PRIMARY KEY, b text) PARTITION BY RANGE (a); \
                 CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (100); \
                 CREATE TABLE p_2 PARTITION OF p FOR VALUES FROM (100) TO (200)",
        target: "CREATE TABLE p (a int PRIMARY KEY, b text); CREATE TABLE p_1 (c int DEFAULT 1, a int PRIMARY KEY, b text); \
                 CREATE TABLE p_2 (a int PRIMARY KEY, b text, c int DEFAULT 2)",
        changes: &[
            "INSERT INTO p SELECT i, 'x' FROM generate_series(95, 105) AS i",
            "UPDATE p SET a = a - 3; DELETE FROM p WHERE a % 4 = 0; TRUNCATE p_2",
            "INSERT INTO p VALUES (150, 'y')",
        ],
        looks: &[
            "SELECT a, b FROM p_1 ORDER BY a",
            "SELECT a, b FROM p_2 ORDER BY a",
        ],
    },
    // Rows without a key, and indexes that must not mislead.
    Shape {
        source: "CREATE TABLE people (x int, firstname text, lastname text); ALTER TABLE people REPLICA IDENTITY FULL",
        target: "CREATE TABLE people (x int, firstname text, lastname text, own int); \
                 CREATE INDEX ON people ((firstname || ' ' || lastname)); CREATE INDEX ON people (x, own); \
                 CREATE INDEX ON people (firstname) WHERE firstname = 'n1'; CREATE INDEX ON people USING hash (lastname); \
                 CREATE INDEX ON people USING brin (x)",
        changes: &[
            "INSERT INTO people SELECT nullif(i % 10, 3), 'n' || i, nullif('l' || i % 5, 'l0') FROM generate_series(1, 200) AS i",
            "UPDATE people SET firstname = 'none' WHERE firstname = 'n1'; UPDATE people SET x = x + 1 WHERE x = 4",
            "DELETE FROM people WHERE firstname IN ('n2', 'n10'); UPDATE people SET lastname = NULL WHERE x IS NULL",
            "DELETE FROM people WHERE lastname IS NULL AND x = 0; UPDATE people SET x = NULL, lastname = 'l' WHERE x = 9",
        ],
        looks: &["SELECT x, firstname, lastname FROM people ORDER BY 2, 1, 3"],
    },
    // Of two unique indexes the better one is on the target alone, and NULL is no value of a key.
    Shape {
        source: "CREATE TABLE u (x int, y int, z text); ALTER TABLE u REPLICA IDENTITY FULL",
        target: "CREATE TABLE u (z text, y int, x int); CREATE UNIQUE INDEX ON u (y); CREATE UNIQUE INDEX ON u (x, y)",
        changes: &[
            "INSERT INTO u SELECT 1, i, 'z' || i FROM generate_series(1, 40) AS i; INSERT INTO u VALUES (1, NULL, 'n'), (1, NULL, 'm')",
            "UPDATE u SET y = -y WHERE y % 3 = 0; UPDATE u SET z = 'k' WHERE z = 'n'; DELETE FROM u WHERE z = 'm'",
            "UPDATE u SET y = 99 WHERE z = 'k'; DELETE FROM u WHERE y > 30 AND y < 90",
        ],
        looks: &["SELECT x, y, z FROM u ORDER BY z, y"],
    },
    // Dropped and generated columns beside whole rows, and an identity by another index than the key.
    Shape {
        source: "CREATE TABLE d (gone int, a int, more int, b text, c int GENERATED ALWAYS AS (a * 2) STORED); \
                 ALTER TABLE d DROP gone, DROP more; ALTER TABLE d REPLICA IDENTITY FULL; ALTER TABLE d ADD e int DEFAULT 4; \
                 CREATE TABLE i (id int PRIMARY KEY, other int NOT NULL, v text); CREATE UNIQUE INDEX i_other ON i (other); \
                 ALTER TABLE i REPLICA IDENTITY USING INDEX i_other",
        target: "CREATE TABLE d (b text, e int, c int GENERATED ALWAYS AS (a + 1) STORED, a int); \
                 CREATE TABLE i (id int PRIMARY KEY, other int NOT NULL, v text)",
        changes: &[
            "INSERT INTO d VALUES (1, 'x'), (2, 'y'), (NULL, 'z'); INSERT INTO i SELECT i, -i, 'v' FROM generate_series(1, 30) AS i",
            "UPDATE d SET b = 'w' WHERE a = 1; DELETE FROM d WHERE a = 2; UPDATE d SET a = 5 WHERE a IS NULL",
            "UPDATE i SET id = id + 100 WHERE id % 2 = 0; UPDATE i SET other = other - 100 WHERE id % 3 = 0; DELETE FROM i WHERE other = -7",
        ],
        looks: &[
            "SELECT a, b, e FROM d ORDER BY a",
            "SELECT * FROM i ORDER BY id",
        ],
    },
    // Predicates and expressions that call functions of the target.
    Shape {
        source: "CREATE TABLE f (a int PRIMARY KEY, b int)",
        target: "CREATE TABLE f (a int PRIMARY KEY, b int); \
                 CREATE FUNCTION double(x int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT x * 2'; \
                 CREATE INDEX ON f (b) WHERE a > double(1); CREATE INDEX ON f (double(b))",
        changes: &[
            "INSERT INTO f SELECT i, i FROM generate_series(1, 20) AS i",
            "UPDATE f SET b = -b WHERE a > 5; DELETE FROM f WHERE a > 15",
        ],
        looks: &["SELECT * FROM f ORDER BY a"],
    },
    // Numbers beyond what a double holds, and the NULLs of JSON.
    Shape {
        source: "CREATE TABLE n (id bigint PRIMARY KEY, big numeric, j jsonb, k json)",
        target: "CREATE TABLE n (id bigint PRIMARY KEY, big numeric, j jsonb, k json)",
        changes: &[
            "INSERT INTO n SELECT 9007199254740992 + i, 12345678901234567890.123456789 + i, \
             jsonb_build_object('n', 9007199254740993 + i, 'null', NULL), '{\"a\" : 9007199254740993}' FROM generate_series(1, 20) AS i",
            "INSERT INTO n VALUES (1, 7, 'null', 'null'), (2, 0, NULL, NULL), (3, 1e-20, '\"null\"', '[null]')",
            "UPDATE n SET id = id + 1 WHERE id = 9007199254741012; UPDATE n SET j = jsonb_set(j, '{n}', '9223372036854775807') WHERE id % 5 = 0",
            "UPDATE n SET j = NULL WHERE id = 1; UPDATE n SET j = 'null' WHERE id = 2; DELETE FROM n WHERE id = 9007199254740993",
        ],
        looks: &["SELECT id, big, j::text, k::text, j IS NULL, k IS NULL FROM n ORDER BY id"],
    },
    // A key whose collation takes unequal texts for equal.
    Shape {
        source: "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
                 CREATE TABLE c (k text COLLATE nocase PRIMARY KEY, v int); \
                 CREATE TABLE cf (k text COLLATE nocase, v int); ALTER TABLE cf REPLICA IDENTITY FULL",
        target: "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
                 CREATE TABLE c (k text COLLATE nocase PRIMARY KEY, v int); CREATE TABLE cf (k text COLLATE nocase, v int)",
        changes: &[
            "INSERT INTO c VALUES ('One', 1), ('two', 2), ('THREE', 3); INSERT INTO cf VALUES ('a', 1), ('A', 1), ('b', 2)",
            "UPDATE c SET k = 'ONE' WHERE k = 'one'; UPDATE c SET v = 20 WHERE k = 'TWO'; DELETE FROM c WHERE k = 'three'",
            "DELETE FROM cf WHERE k COLLATE \"C\" = 'A'; UPDATE cf SET v = 7 WHERE k COLLATE \"C\" = 'a'; UPDATE cf SET k = 'B' WHERE v = 2",
        ],
        looks: &[
            "SELECT k COLLATE \"C\", v FROM c ORDER BY 1",
            "SELECT k COLLATE \"C\", v FROM cf ORDER BY 1",
        ],
    },
];

#[tokio::test]
async fn rows_arrive_in_tables_of_another_shape() {
    let joined = |of: fn(&Shape) -> &'static str| {
        let all: Vec<_> = SHAPES.iter().map(of).collect();
        all.join("; ")
    };
    for plugin in PLUGINS {
        let (source, target) = (joined(|shape| shape.source), joined(|shape| shape.target));
        let scenario = Scenario::start_apart(plugin, &source, &target, |_| {}).await;
        for change in SHAPES.iter().flat_map(|shape| shape.changes) {
            scenario.flow.run(change).await;
        }
        scenario.settle().await;
        for look in SHAPES.iter().flat_map(|shape| shape.looks) {
            let expected = query_text(&scenario.flow.source, look).await;
            let found = query_text(&scenario.flow.target, look).await;
            assert_eq!(found, expected, "{plugin}: {look}");
        }
        scenario.stop().await;
    }
}

/// Neither leaves a trace in the stream, nor needs an identity.
#[tokio::test]
async fn temporary_and_unlogged_tables_may_be_changed_without_a_key() {
    for plugin in PLUGINS {
        let schema = "CREATE UNLOGGED TABLE u (a int); CREATE TABLE t (id int PRIMARY KEY)";
        let scenario = Scenario::start_apart(plugin, schema, schema, |_| {}).await;
        scenario
            .flow
            .run(
                "CREATE TEMP TABLE x (a int); INSERT INTO x VALUES (1); UPDATE x SET a = 2; \
                 INSERT INTO u VALUES (1); UPDATE u SET a = 2; DELETE FROM u; TRUNCATE u; INSERT INTO t VALUES (1)",
            )
            .await;
        scenario.settle().await;
        scenario.flow.shows("SELECT id FROM t", &["1"]).await;
        scenario.stop().await;
    }
}

const OTHERWISE: &str = "\
CREATE TABLE h (id int PRIMARY KEY) PARTITION BY HASH (id); \
CREATE TABLE h_0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
CREATE TABLE h_1 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 1); \
CREATE TABLE c (id int PRIMARY KEY, g int CONSTRAINT acting REFERENCES g ON DELETE CASCADE); \
CREATE EXTENSION hstore; CREATE TABLE kept (v int); INSERT INTO kept VALUES (1), (2); ALTER EXTENSION hstore ADD TABLE kept; \
UPDATE pg_extension SET extconfig = ARRAY['kept'::regclass::oid], extcondition = ARRAY['WHERE v > 1'] WHERE extname = 'hstore'";

/// What would stop the stream later, or differ without a word, is said before.
#[tokio::test]
async fn check_names_tables_that_take_rows_otherwise_and_how_that_ends() {
    let (source, target) = pair();
    let there = connect(&target.url("postgres")).await;
    // Stored ones are sent from 18 on.
    let kind = match major_version(&there).await {
        18.. => "VIRTUAL",
        _ => "STORED",
    };
    let computed =
        format!("CREATE TABLE g (a int PRIMARY KEY, b int GENERATED ALWAYS AS (a * 2) {kind})");
    for side in [&connect(&source.url("postgres")).await, &there] {
        execute(side, &format!("{computed}; {OTHERWISE}")).await;
    }
    execute(
        &there,
        "ALTER TABLE g DROP COLUMN b, ADD COLUMN b int; ALTER TABLE h DETACH PARTITION h_0; ALTER TABLE h DETACH PARTITION h_1; \
         ALTER TABLE h ATTACH PARTITION h_0 FOR VALUES WITH (MODULUS 2, REMAINDER 1); \
         ALTER TABLE h ATTACH PARTITION h_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
         CREATE ROLE writer LOGIN PASSWORD 'postgres'; GRANT pg_read_all_data TO writer",
    )
    .await;
    let writer = target
        .url("postgres")
        .replace("postgres:postgres@", "writer:postgres@");
    let check = || async {
        let call = between("check", &source, &target);
        let call = call.env("PGSTREAM_POSTGRES_WRITER_TARGET_URL", &writer);
        call.run().await.stdout
    };

    let reported = check().await;

    for words in [
        "column b is computed on the source",
        "FOR VALUES WITH (modulus 2, remainder 1) here",
        "constraint acting on public.c: acts by itself",
        "COPY (SELECT * FROM \"public\".\"kept\" WHERE v > 1) TO STDOUT",
    ] {
        assert!(reported.contains(words), "{words}: {reported}");
    }
    let statements = reported
        .lines()
        .filter_map(|line| line.find("ALTER TABLE").map(|at| &line[at..]));
    let (computed, parts): (Vec<_>, Vec<_>) = statements
        .filter(|sql| sql.contains("GENERATED") || sql.contains("ATTACH PARTITION"))
        .partition(|sql| sql.contains("GENERATED"));
    execute(&there, computed[0]).await;
    let apart = |sql: &&str| sql.split(" -- ").next().unwrap_or_default().to_owned();
    let together = |sql: &&str| sql.split(", then ").nth(1).unwrap_or_default().to_owned();
    for sql in parts.iter().map(apart).chain(parts.iter().map(together)) {
        execute(&there, &sql).await;
    }
    let (_, right) = reported.split_once("acts by itself").expect("a finding");
    let (_, right) = right.split_once("hint: ").expect("a hint");
    execute(&there, right.lines().next().unwrap_or_default()).await;
    let reported = check().await;
    for words in ["is computed", "remainder", "acts by itself"] {
        assert!(!reported.contains(words), "{words}: {reported}");
    }
}
