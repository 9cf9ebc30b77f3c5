//! Several sessions at once: what one of them changes in the catalogs while others write.
//!
//! The subjects are those of PostgreSQL's own isolation tests of logical decoding, told anew. The source spills
//! and streams early (`logical_decoding_work_mem = '64kB'`), and all of it plays over one pair of servers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use pgstream::config::Plugin;
use tokio_postgres::Client;

use crate::support::flow::{Flow, stop};
use crate::support::{connect, execute};

/// What the sessions do, one after the other.
struct Play {
    /// Name of its schema.
    name: &'static str,
    /// Before anybody begins.
    schema: &'static str,
    /// Each with the session that runs it; `RESTART` is the engine, stopped and started again.
    steps: &'static [(char, &'static str)],
}

const RESTART: (char, &str) = ('!', "");
/// Logs the running transactions: from here a slot may begin when it is read again.
const CHECKPOINT: (char, &str) = ('0', "CHECKPOINT");

const CHANGES_ELSEWHERE: &[Play] = &[
    Play {
        name: "a_type_changes",
        schema: "CREATE TABLE one (v1 int, v2 int); CREATE TABLE two (v1 int PRIMARY KEY, v2 int)",
        steps: &[
            ('a', "BEGIN; INSERT INTO one VALUES (1, 1)"),
            ('b', "ALTER TABLE two ALTER v2 TYPE varchar USING 'v' || v2"),
            ('a', "INSERT INTO two VALUES (1, '1')"),
            ('b', "INSERT INTO one VALUES (2, 2)"),
            ('a', "COMMIT"),
        ],
    },
    Play {
        name: "columns_come_and_go",
        schema: "CREATE TABLE one (v1 int, v2 int); CREATE TABLE two (v1 int PRIMARY KEY, v2 int); \
                 INSERT INTO two SELECT i, i FROM generate_series(1, 9) AS i",
        steps: &[
            ('a', "BEGIN; INSERT INTO one VALUES (1, 1)"),
            ('b', "ALTER TABLE two ADD v3 int DEFAULT 7"),
            (
                'a',
                "INSERT INTO two VALUES (11, 1, 1); UPDATE two SET v2 = 5 WHERE v1 = 1",
            ),
            ('c', "BEGIN; INSERT INTO one VALUES (3, 3)"),
            ('a', "COMMIT"),
            ('b', "ALTER TABLE two DROP COLUMN v2"),
            (
                'c',
                "INSERT INTO two VALUES (12, 2); DELETE FROM two WHERE v1 = 11",
            ),
            ('b', "INSERT INTO one VALUES (4, 4)"),
            ('c', "COMMIT"),
        ],
    },
    Play {
        name: "several_changes_within_one",
        schema: "CREATE TABLE one (v1 int, v2 int); CREATE TABLE two (v1 int, v2 int)",
        steps: &[
            ('a', "BEGIN; INSERT INTO one VALUES (1, 1)"),
            (
                'b',
                "BEGIN; ALTER TABLE two ADD v3 varchar; ALTER TABLE two ALTER v2 TYPE text USING v2::text",
            ),
            (
                'b',
                "INSERT INTO two VALUES (1, '1', '1'); ALTER TABLE two DROP COLUMN v2; INSERT INTO two VALUES (2, '2')",
            ),
            ('a', "INSERT INTO one VALUES (2, 2)"),
            (
                'b',
                "ALTER TABLE two ADD v2 bool; INSERT INTO two VALUES (3, '3', true); COMMIT",
            ),
            (
                'a',
                "INSERT INTO two VALUES (4, '4', false); UPDATE two SET v3 = 'x'; COMMIT",
            ),
        ],
    },
    Play {
        name: "tables_and_keys_come_and_go",
        schema: "CREATE TABLE one (v1 int, v2 int); CREATE TABLE two (v1 int NOT NULL, v2 int NOT NULL)",
        steps: &[
            ('a', "BEGIN; INSERT INTO one VALUES (1, 1)"),
            (
                'b',
                "ALTER TABLE two ADD PRIMARY KEY (v1); CREATE TABLE three (LIKE two INCLUDING ALL)",
            ),
            (
                'a',
                "INSERT INTO two VALUES (1, 1), (2, 2); INSERT INTO three VALUES (1, 1); UPDATE two SET v1 = 9 WHERE v1 = 1",
            ),
            ('a', "COMMIT; BEGIN; INSERT INTO one VALUES (2, 2)"),
            (
                'b',
                "ALTER TABLE two DROP CONSTRAINT two_pkey; ALTER TABLE two ADD PRIMARY KEY (v2); DROP TABLE three",
            ),
            (
                'a',
                "UPDATE two SET v1 = 8 WHERE v2 = 2; DELETE FROM two WHERE v1 = 9; COMMIT",
            ),
        ],
    },
    Play {
        name: "a_table_is_rewritten_and_swapped",
        schema: "CREATE TABLE one (v1 int); CREATE TABLE two (v1 int PRIMARY KEY, v2 text); \
                 INSERT INTO two SELECT i, 'v' || i FROM generate_series(1, 200) AS i",
        steps: &[
            ('a', "BEGIN; INSERT INTO one VALUES (1)"),
            ('b', "ALTER TABLE two ALTER v1 TYPE bigint USING v1 + 1000"),
            ('a', "UPDATE two SET v2 = 'w' WHERE v1 < 1100"),
            ('c', "BEGIN; INSERT INTO one VALUES (2)"),
            ('a', "COMMIT"),
            (
                'b',
                "BEGIN; ALTER TABLE two RENAME TO old; CREATE TABLE two (LIKE old INCLUDING ALL); \
                   INSERT INTO two SELECT * FROM old WHERE v1 % 2 = 0; COMMIT; VACUUM FULL two; CLUSTER old USING two_pkey",
            ),
            (
                'c',
                "DELETE FROM two WHERE v1 % 3 = 0; INSERT INTO old VALUES (1, 'x'); COMMIT",
            ),
        ],
    },
];

const SUBTRANSACTIONS: &[Play] = &[
    Play {
        name: "some_are_taken_back",
        schema: "CREATE TABLE t (a int PRIMARY KEY, b text)",
        steps: &[
            (
                'a',
                "BEGIN; INSERT INTO t SELECT i, repeat('a', 90) FROM generate_series(1, 900) AS i; SAVEPOINT s1",
            ),
            (
                'a',
                "ALTER TABLE t ADD c int; INSERT INTO t SELECT i, 'b', i FROM generate_series(901, 1800) AS i; SAVEPOINT s2",
            ),
            (
                'b',
                "CREATE TABLE elsewhere (v int); INSERT INTO elsewhere VALUES (1)",
            ),
            (
                'a',
                "ALTER TABLE t ADD d text; INSERT INTO t SELECT i, 'c', i, 'd' FROM generate_series(1801, 2700) AS i; ROLLBACK TO s2",
            ),
            (
                'a',
                "UPDATE t SET b = 'x' WHERE a % 2 = 0; ALTER TABLE t DROP COLUMN b; ROLLBACK TO s1",
            ),
            (
                'a',
                "INSERT INTO t SELECT i, repeat('e', 90) FROM generate_series(901, 1800) AS i; SAVEPOINT s3",
            ),
            (
                'a',
                "ALTER TABLE t ADD e int; UPDATE t SET e = a WHERE a % 5 = 0; RELEASE s3; COMMIT",
            ),
            (
                'a',
                "BEGIN; SAVEPOINT s; ALTER TABLE t ADD f int; INSERT INTO t SELECT i, 'f', i FROM generate_series(5000, 9000) AS i; ROLLBACK",
            ),
            ('a', "INSERT INTO t VALUES (-1, 'last', 1)"),
        ],
    },
    Play {
        name: "one_is_older_than_its_first_row",
        schema: "CREATE TABLE one (v int); CREATE TABLE two (v int)",
        steps: &[
            ('a', "BEGIN; SAVEPOINT s; INSERT INTO one VALUES (1)"),
            CHECKPOINT,
            ('b', "ALTER TABLE two ADD w int"),
            RESTART,
            (
                'a',
                "INSERT INTO two VALUES (1, 1); RELEASE s; SAVEPOINT r; INSERT INTO one VALUES (2); ROLLBACK TO r",
            ),
            CHECKPOINT,
            ('b', "INSERT INTO two VALUES (2, 2)"),
            RESTART,
            ('a', "SAVEPOINT r; INSERT INTO one VALUES (3); COMMIT"),
        ],
    },
    Play {
        name: "many_and_deep",
        schema: "CREATE TABLE t (a int PRIMARY KEY, b text); CREATE TABLE other (a int)",
        steps: &[
            (
                'a',
                "BEGIN; DO $$ BEGIN FOR i IN 1..300 LOOP BEGIN INSERT INTO t VALUES (i, repeat('x', 400)); \
                   IF i % 3 = 0 THEN RAISE EXCEPTION 'x'; END IF; EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$",
            ),
            ('b', "ALTER TABLE other ADD b int DEFAULT 3"),
            ('b', "INSERT INTO other VALUES (1)"),
            (
                'a',
                "UPDATE t SET b = 'y' WHERE a % 2 = 0; INSERT INTO other VALUES (2); COMMIT",
            ),
        ],
    },
];

const CATALOGS: &[Play] = &[
    Play {
        name: "several_lock_a_row_of_the_catalogs",
        schema: "CREATE TABLE t (v int)",
        steps: &[
            (
                'a',
                "BEGIN; SELECT count(*) FROM (SELECT FROM pg_class WHERE relname = 't' FOR KEY SHARE) AS s",
            ),
            (
                'b',
                "BEGIN; SELECT count(*) FROM (SELECT FROM pg_class WHERE relname = 't' FOR KEY SHARE) AS s",
            ),
            (
                'c',
                "INSERT INTO t VALUES (1); ANALYZE t; CREATE TABLE u (v int PRIMARY KEY); INSERT INTO u VALUES (1)",
            ),
            ('a', "INSERT INTO t VALUES (2); COMMIT"),
            ('c', "ALTER TABLE t ADD w int; INSERT INTO t VALUES (3, 3)"),
            ('b', "INSERT INTO u VALUES (2); COMMIT"),
        ],
    },
    Play {
        name: "the_catalogs_are_vacuumed",
        schema: "CREATE TABLE t (v int PRIMARY KEY, w int); CREATE TABLE other (v int)",
        steps: &[
            ('a', "BEGIN; INSERT INTO other VALUES (1)"),
            ('b', "BEGIN; INSERT INTO t VALUES (1, 1); DELETE FROM t"),
            ('a', "INSERT INTO t VALUES (2, 2)"),
            ('b', "COMMIT"),
            CHECKPOINT,
            RESTART,
            ('c', "CREATE TABLE new (v int); DROP TABLE new"),
            ('c', "VACUUM pg_attribute"),
            ('c', "VACUUM FULL pg_class"),
            ('c', "REINDEX TABLE pg_attribute"),
            ('a', "UPDATE t SET w = 3; COMMIT"),
        ],
    },
    Play {
        name: "a_change_began_before_the_stream",
        schema: "CREATE TABLE t (v int PRIMARY KEY); CREATE TABLE u (v int)",
        steps: &[
            (
                'a',
                "BEGIN; ALTER TABLE t ADD w int; TRUNCATE u; SAVEPOINT s; ALTER TABLE t ADD x int",
            ),
            CHECKPOINT,
            RESTART,
            ('b', "CREATE TABLE amid (v int)"),
            CHECKPOINT,
            (
                'a',
                "INSERT INTO t VALUES (1, 1, 1); ROLLBACK TO s; INSERT INTO t VALUES (2, 2)",
            ),
            ('b', "INSERT INTO amid VALUES (1)"),
            CHECKPOINT,
            RESTART,
            ('a', "COMMIT"),
            ('b', "INSERT INTO t VALUES (3, 3); INSERT INTO u VALUES (3)"),
        ],
    },
    Play {
        name: "prepared_transactions_last",
        schema: "CREATE TABLE t (v int PRIMARY KEY); CREATE TABLE u (v int)",
        steps: &[
            (
                'a',
                "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'rows'",
            ),
            (
                'b',
                "BEGIN; ALTER TABLE u ADD w int; INSERT INTO u VALUES (1, 1); PREPARE TRANSACTION 'change'",
            ),
            CHECKPOINT,
            RESTART,
            ('a', "INSERT INTO t VALUES (2)"),
            ('b', "COMMIT PREPARED 'change'"),
            ('a', "INSERT INTO u VALUES (2, 2)"),
            RESTART,
            ('a', "COMMIT PREPARED 'rows'"),
            (
                'a',
                "BEGIN; INSERT INTO t SELECT generate_series(10, 9000); SAVEPOINT s; DELETE FROM t; ROLLBACK TO s; PREPARE TRANSACTION 'large'",
            ),
            ('b', "ALTER TABLE u ADD x int"),
            RESTART,
            ('a', "COMMIT PREPARED 'large'"),
        ],
    },
];

/// One session of each name, which lives as long as its play.
async fn session<'a>(
    sessions: &'a mut HashMap<char, Client>,
    (flow, play): (&Flow, &Play),
    name: char,
) -> &'a Client {
    match sessions.entry(name) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => {
            let client = connect(&flow.source_cluster.url("postgres")).await;
            execute(&client, &format!("SET search_path = {}", play.name)).await;
            new.insert(client)
        }
    }
}

async fn play(plays: &[Play]) {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let flow = Flow::schema(plugin).await;
        flow.run("ALTER SYSTEM SET logical_decoding_work_mem = '64kB'")
            .await;
        flow.run("SELECT pg_reload_conf()").await;
        let mut handle = flow.start();
        for play in plays {
            let Play { name, schema, .. } = play;
            let schema = format!("CREATE SCHEMA {name}; SET search_path = {name}; {schema}");
            flow.run(&schema).await;
            let mut sessions = HashMap::new();
            for step in play.steps {
                if *step == RESTART {
                    stop(handle).await;
                    handle = flow.start();
                    continue;
                }
                let (name, sql) = step;
                let client = session(&mut sessions, (&flow, play), *name).await;
                for part in whole_or_apart(sql) {
                    execute(client, part).await;
                }
            }
        }
        flow.equal().await;
        stop(handle).await;
    }
}

/// What may be in no transaction is not sent together with others.
fn whole_or_apart(sql: &str) -> Vec<&str> {
    let apart = ["PREPARE", "VACUUM", "CLUSTER", "COMMIT;"];
    match apart.iter().any(|word| sql.contains(word)) {
        true => sql.split("; ").collect(),
        false => vec![sql],
    }
}

#[tokio::test]
async fn rows_follow_what_others_change_meanwhile_elsewhere() {
    play(CHANGES_ELSEWHERE).await;
}

#[tokio::test]
async fn subtransactions_and_their_changes_come_whole_or_not_at_all() {
    play(SUBTRANSACTIONS).await;
}

#[tokio::test]
async fn a_stream_that_begins_again_between_changes_reads_each_row_right() {
    play(CATALOGS).await;
}
