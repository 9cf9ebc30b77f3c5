//! Transactions arrive whole, in order, once; TRUNCATE, sequences, batches, filters and conflicts
//! do what the documentation says.

use std::time::Duration;

use pgstream::config::{OnConflict, Pipeline, TableFilter};
use pgstream::status::Command;

use crate::support::scenario::{Case, PLUGINS, Scenario, play};
use crate::support::{connect, execute, query_text, wait_until};

const TRANSACTIONS: &[Case] = &[
    Case {
        name: "savepoints",
        schema: "CREATE TABLE t (id int PRIMARY KEY, v text); \
                 CREATE TABLE l (v int); ALTER TABLE l REPLICA IDENTITY FULL",
        changes: &[
            "BEGIN; INSERT INTO t VALUES (1, 'a'); SAVEPOINT s; INSERT INTO t VALUES (2, 'b'); \
             UPDATE t SET v = 'gone'; ROLLBACK TO s; INSERT INTO t VALUES (2, 'c'); SAVEPOINT r; \
             INSERT INTO l VALUES (1), (1); RELEASE r; DELETE FROM t WHERE id = 1; COMMIT",
            "BEGIN; INSERT INTO t VALUES (3, 'never'); ROLLBACK",
            "DO $$ BEGIN FOR i IN 1..80 LOOP BEGIN INSERT INTO t VALUES (i, 'loop'); \
             EXCEPTION WHEN unique_violation THEN INSERT INTO l VALUES (i); END; END LOOP; END $$",
            "BEGIN; COMMIT",
            "BEGIN; CREATE TEMP TABLE x (a int); INSERT INTO x VALUES (1); COMMIT",
            "DO $$ BEGIN FOR i IN 1..5 LOOP INSERT INTO l VALUES (i); COMMIT; END LOOP; END $$",
        ],
    },
    Case {
        name: "prepared",
        schema: "CREATE TABLE t (id int PRIMARY KEY, v text)",
        changes: &[
            "BEGIN; INSERT INTO t VALUES (1, 'a'); PREPARE TRANSACTION 'first'",
            "BEGIN; INSERT INTO t VALUES (2, 'b'); PREPARE TRANSACTION 'second'",
            "INSERT INTO t VALUES (3, 'between')",
            "COMMIT PREPARED 'second'",
            "UPDATE t SET v = 'after' WHERE id = 2",
            "ROLLBACK PREPARED 'first'",
        ],
    },
    Case {
        name: "large",
        schema: "CREATE TABLE t (id int PRIMARY KEY, v text); \
                 CREATE TABLE l (v int, w text); ALTER TABLE l REPLICA IDENTITY FULL",
        changes: &[
            "BEGIN; INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 60000) AS i; \
             UPDATE t SET v = 'w' WHERE id % 2 = 0; DELETE FROM t WHERE id % 7 = 0; \
             INSERT INTO l SELECT i % 3, 'x' FROM generate_series(1, 10000) AS i; COMMIT",
            "UPDATE t SET id = -id WHERE id % 500 = 0",
            "BEGIN; INSERT INTO t VALUES (-1, 'x'); ROLLBACK",
        ],
    },
];

#[tokio::test]
async fn transactions_of_every_kind_arrive_whole() {
    play(TRANSACTIONS, |_| {}).await;
}

const TRUNCATES: &[Case] = &[
    Case {
        name: "truncated",
        schema: "CREATE TABLE a (id serial PRIMARY KEY, v int); CREATE TABLE b (LIKE a INCLUDING ALL); \
                 CREATE TABLE p (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY); \
                 CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p); \
                 CREATE TABLE l (v int); ALTER TABLE l REPLICA IDENTITY FULL; \
                 CREATE TABLE never (id int)",
        changes: &[
            "INSERT INTO a (v) SELECT 1 FROM generate_series(1, 9); INSERT INTO b SELECT * FROM a; \
             INSERT INTO p DEFAULT VALUES; INSERT INTO p DEFAULT VALUES; INSERT INTO c VALUES (1, 1); \
             INSERT INTO l VALUES (1), (1)",
            "TRUNCATE a, b, l",
            "BEGIN; INSERT INTO a (v) VALUES (7); TRUNCATE a; INSERT INTO a (v) VALUES (8), (9); \
             UPDATE a SET v = 10 WHERE v = 8; COMMIT",
            "TRUNCATE p CASCADE",
            "INSERT INTO p DEFAULT VALUES; INSERT INTO c SELECT 2, id FROM p",
            "TRUNCATE a, never RESTART IDENTITY",
            "BEGIN; INSERT INTO l VALUES (5); INSERT INTO a (v) VALUES (1); SAVEPOINT s; TRUNCATE l, a; \
             ROLLBACK TO s; COMMIT",
            "TRUNCATE p RESTART IDENTITY CASCADE; INSERT INTO p DEFAULT VALUES",
        ],
    },
    Case {
        name: "branches",
        schema: "CREATE TABLE t (id int, k int) PARTITION BY LIST (k); \
                 CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); \
                 CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2); \
                 CREATE TABLE up (id int PRIMARY KEY); CREATE TABLE down () INHERITS (up); \
                 ALTER TABLE down ADD PRIMARY KEY (id)",
        changes: &[
            "INSERT INTO t SELECT i, 1 + i % 2 FROM generate_series(1, 20) AS i",
            "TRUNCATE t1",
            "INSERT INTO up VALUES (1); INSERT INTO down VALUES (2)",
            "TRUNCATE ONLY up",
            "BEGIN; TRUNCATE t; INSERT INTO t VALUES (1, 1); COMMIT",
            "INSERT INTO up VALUES (1)",
            "TRUNCATE up",
        ],
    },
];

#[tokio::test]
async fn truncate_empties_what_it_emptied_on_the_source() {
    play(TRUNCATES, |_| {}).await;
    play(TRUNCATES, |pipeline| pipeline.disable_triggers = true).await;
}

const SEQUENCES: &str = "\
CREATE TABLE s (id serial PRIMARY KEY, v int); \
CREATE TABLE b (id bigint GENERATED BY DEFAULT AS IDENTITY (START 5000000000 CACHE 20) PRIMARY KEY); \
CREATE TABLE d (id int GENERATED ALWAYS AS IDENTITY (INCREMENT -3 MINVALUE -900 MAXVALUE 100 START 100) \
  PRIMARY KEY); \
CREATE TABLE n (k int PRIMARY KEY, n serial); \
CREATE TABLE l (n serial, v text); ALTER TABLE l REPLICA IDENTITY FULL; \
CREATE TABLE p (id serial, k int, PRIMARY KEY (id)) PARTITION BY RANGE (id); \
CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (0) TO (1000); \
CREATE TABLE q (id int GENERATED ALWAYS AS IDENTITY, k int, PRIMARY KEY (id)) PARTITION BY RANGE (id); \
CREATE TABLE q_1 PARTITION OF q FOR VALUES FROM (0) TO (1000) PARTITION BY RANGE (id); \
CREATE TABLE q_1_1 PARTITION OF q_1 FOR VALUES FROM (0) TO (500); \
CREATE TABLE i (x text) INHERITS (s); ALTER TABLE i ADD PRIMARY KEY (id); \
CREATE SEQUENCE shared; \
CREATE TABLE z (id int PRIMARY KEY DEFAULT nextval('shared'), far int DEFAULT nextval('shared') * 100)";

#[tokio::test]
async fn sequences_follow_and_never_go_back() {
    for plugin in PLUGINS {
        let mut scenario = Scenario::start(plugin, &[SEQUENCES.to_owned()], |_| {}).await;
        for sql in [
            "INSERT INTO s (v) SELECT 1 FROM generate_series(1, 50); DELETE FROM s WHERE id > 40",
            "INSERT INTO b SELECT FROM generate_series(1, 40)",
            "INSERT INTO d SELECT FROM generate_series(1, 30); DELETE FROM d",
            "INSERT INTO n (k) SELECT generate_series(1, 5)",
            "UPDATE n SET n = nextval('n_n_seq') WHERE k = 2",
            "UPDATE s SET id = nextval('s_id_seq') WHERE id = 1",
            "INSERT INTO l (v) SELECT 'x' FROM generate_series(1, 20); DELETE FROM l WHERE n > 10",
            "INSERT INTO p (k) SELECT generate_series(1, 5); INSERT INTO q (k) SELECT generate_series(1, 7)",
            "INSERT INTO i (v) VALUES (1), (2)",
            "INSERT INTO z (far) VALUES (0), (0)",
        ] {
            scenario.flow.run(sql).await;
        }
        scenario.equal().await;
        execute(
            &scenario.flow.target,
            "SELECT setval('s_id_seq', 5000); SELECT setval('n_n_seq', 1)",
        )
        .await;

        scenario.restart().await;
        scenario
            .flow
            .run("INSERT INTO s (v) VALUES (1); INSERT INTO n (k) VALUES (9)")
            .await;
        scenario.equal().await;

        let ahead = query_text(&scenario.flow.target, "SELECT last_value FROM s_id_seq").await;
        assert_eq!(ahead, ["5000"]);
        let shared = query_text(&scenario.flow.target, "SELECT last_value FROM shared").await;
        assert_eq!(shared, ["2"], "a default that reckons says nothing");
        scenario.stop().await;
    }
}

#[tokio::test]
async fn a_reader_sees_a_transaction_whole_or_not_at_all() {
    let schema = "CREATE TABLE account (id int PRIMARY KEY, amount int); \
                  CREATE TABLE entry (transfer int, amount int); ALTER TABLE entry REPLICA IDENTITY FULL";
    for plugin in PLUGINS {
        let scenario = Scenario::start(plugin, &[schema.to_owned()], |_| {}).await;
        let accounts = "INSERT INTO account SELECT i, 100 FROM generate_series(1, 100) AS i";
        scenario.flow.run(accounts).await;
        scenario.settle().await;
        let mover = connect(&scenario.flow.source_cluster.url("postgres")).await;
        let moving = async {
            for n in 1..=150 {
                let (from, to) = (n % 100 + 1, n * 7 % 100 + 1);
                execute(
                    &mover,
                    &format!(
                        "BEGIN; UPDATE account SET amount = amount - {n} WHERE id = {from}; \
                     INSERT INTO entry VALUES ({n}, -{n}); \
                     UPDATE account SET amount = amount + {n} WHERE id = {to}; \
                     INSERT INTO entry VALUES ({n}, {n}); COMMIT"
                    ),
                )
                .await;
            }
        };
        let reading = async {
            let sums = "SELECT (SELECT sum(amount) FROM account), (SELECT coalesce(sum(amount), 0) FROM entry), \
                        (SELECT count(*) % 2 FROM entry), \
                        (SELECT coalesce(max(transfer), 0) - count(DISTINCT transfer) FROM entry)";
            wait_until("all transfers are there", || async {
                assert_eq!(
                    query_text(&scenario.flow.target, sums).await,
                    ["10000|0|0|0"]
                );
                let count = query_text(&scenario.flow.target, "SELECT count(*) FROM entry").await;
                if count == ["300"] {
                    Ok(())
                } else {
                    Err(format!("{count:?}"))
                }
            })
            .await;
        };
        tokio::join!(moving, reading);
        scenario.equal().await;
        scenario.stop().await;
    }
}

/// Commits 60 transactions of two rows each on the source while the target stands still; returns
/// the rows of each transaction in which the target then took them.
async fn batches_of_a_backlog(adjust: impl Fn(&mut Pipeline)) -> Vec<usize> {
    let schema = "CREATE TABLE t (id int PRIMARY KEY, v int)".to_owned();
    let scenario = Scenario::start("pgoutput", &[schema], adjust).await;
    scenario.settle().await;
    let blocker = connect(&scenario.flow.target_cluster.url("postgres")).await;
    execute(&blocker, "BEGIN; LOCK TABLE t").await;
    for n in 0..60 {
        let (a, b) = (2 * n, 2 * n + 1);
        scenario
            .flow
            .run(&format!("INSERT INTO t VALUES ({a}, 0), ({b}, 0)"))
            .await;
    }
    everything_is_sent(&scenario).await;
    execute(&blocker, "COMMIT").await;
    scenario.equal().await;
    let look = "SELECT count(*) FROM t GROUP BY xmin::text ORDER BY 1";
    let counts = query_text(&scenario.flow.target, look).await;
    scenario.stop().await;
    counts.iter().map(|count| count.parse().unwrap()).collect()
}

/// Waits until the source has sent all that it has.
async fn everything_is_sent(scenario: &Scenario) {
    let sent = "SELECT sent_lsn >= pg_current_wal_lsn() FROM pg_stat_replication \
                WHERE application_name ~ 'pgstream'";
    wait_until("the source has sent everything", || async {
        let found = query_text(&scenario.flow.source, sent).await;
        if found == ["t"] {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
}

#[tokio::test]
async fn a_batch_size_that_is_set_bounds_target_transactions() {
    let size = |size, is_set| {
        move |pipeline: &mut Pipeline| {
            pipeline.batch.size = size;
            pipeline.batch.size_is_set = is_set;
        }
    };

    let bounded = batches_of_a_backlog(size(10, true)).await;
    assert!(
        bounded.iter().all(|rows| *rows <= 10) && bounded.contains(&10),
        "{bounded:?}"
    );

    let never_split = batches_of_a_backlog(size(1, true)).await;
    assert_eq!(never_split, [2; 60]);

    let merged = batches_of_a_backlog(size(10, false)).await;
    assert!(merged.iter().any(|rows| *rows > 10), "{merged:?}");
}

#[tokio::test]
async fn light_load_goes_out_at_once_and_an_idle_source_is_confirmed() {
    for plugin in PLUGINS {
        let patient = |pipeline: &mut Pipeline| pipeline.batch.timeout = Duration::from_secs(600);
        let scenario = Scenario::start(plugin, &[], patient).await;
        scenario.settle().await;

        let lsn = query_text(&scenario.flow.source, "SELECT pg_current_wal_lsn()").await;
        scenario
            .flow
            .run("CREATE TEMP TABLE nobody_sees (a int); DROP TABLE nobody_sees")
            .await;
        scenario
            .flow
            .run("SELECT pg_logical_emit_message(false, 'other', 'x')")
            .await;
        let confirmed = format!(
            "SELECT confirmed_flush_lsn > '{}' FROM pg_replication_slots",
            lsn.join("")
        );
        wait_until("the slot moves without rows", || async {
            let found = query_text(&scenario.flow.source, &confirmed).await;
            if found == ["t"] {
                Ok(())
            } else {
                Err(format!("{found:?}"))
            }
        })
        .await;
        scenario.stop().await;
    }
}

#[tokio::test]
async fn tables_outside_of_the_filter_are_never_touched() {
    let schema = "CREATE SCHEMA app; CREATE SCHEMA other; CREATE SCHEMA \"My Schema\"; \
                  CREATE TABLE app.yes (id int PRIMARY KEY); CREATE TABLE app.no_log (id int PRIMARY KEY); \
                  CREATE TABLE other.no (id int PRIMARY KEY); \
                  CREATE TABLE \"My Schema\".\"Yes.It is\" (id int PRIMARY KEY)";
    let tables = [
        "app.yes",
        "app.no_log",
        "other.no",
        "\"My Schema\".\"Yes.It is\"",
    ];
    for plugin in PLUGINS {
        let scenario = Scenario::start(plugin, &[schema.to_owned()], |pipeline| {
            let patterns = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
            pipeline.filter = TableFilter::new(
                patterns(&["app.*", "marker", "\"My Schema\".\"Yes.It is\""]),
                patterns(&["*.no_*"]),
            );
        })
        .await;
        for table in tables {
            execute(
                &scenario.flow.target,
                &format!("INSERT INTO {table} VALUES (-1)"),
            )
            .await;
            scenario
                .flow
                .run(&format!("INSERT INTO {table} SELECT generate_series(1, 5)"))
                .await;
            scenario
                .flow
                .run(&format!("UPDATE {table} SET id = id + 10 WHERE id < 3"))
                .await;
            scenario
                .flow
                .run(&format!("DELETE FROM {table} WHERE id = 4"))
                .await;
        }
        scenario.settle().await;
        let counts = |expected: [&'static str; 4]| {
            let scenario = &scenario;
            async move {
                for (table, expected) in tables.iter().zip(expected) {
                    let look = format!("SELECT count(*) FROM {table}");
                    assert_eq!(
                        query_text(&scenario.flow.target, &look).await,
                        [expected],
                        "{table}"
                    );
                }
            }
        };
        counts(["5", "1", "1", "5"]).await;

        scenario
            .flow
            .run(&format!("TRUNCATE {}", tables.join(", ")))
            .await;
        scenario.settle().await;
        counts(["0", "1", "1", "0"]).await;
        scenario.stop().await;
    }
}

/// What the target shows after an INSERT met rows of its own, by action.
async fn after_conflicts(plugin: &str, action: OnConflict) -> (Vec<String>, Vec<String>) {
    let schema = "CREATE TABLE k (id int PRIMARY KEY, v text); \
                  CREATE TABLE l (v int UNIQUE, w text); ALTER TABLE l REPLICA IDENTITY FULL";
    let scenario = Scenario::start(plugin, &[schema.to_owned()], |pipeline| {
        pipeline.on_conflict = action;
    })
    .await;
    execute(
        &scenario.flow.target,
        "INSERT INTO k VALUES (1, 'target'), (2, 'target')",
    )
    .await;
    for sql in [
        "INSERT INTO k SELECT i, 'source' FROM generate_series(1, 45) AS i",
        "UPDATE k SET v = 'changed' WHERE id = 2",
        "BEGIN; DELETE FROM k WHERE id = 45; INSERT INTO k VALUES (45, 'again'); COMMIT",
        "INSERT INTO l SELECT i, 'source' FROM generate_series(1, 3) AS i",
    ] {
        scenario.flow.run(sql).await;
    }
    scenario.settle().await;
    let rows = |sql: &'static str| query_text(&scenario.flow.target, sql);
    let keyed = rows("SELECT id, v FROM k WHERE id IN (1, 2, 3, 45) ORDER BY id").await;
    let keyless = rows("SELECT v, w FROM l ORDER BY v").await;
    scenario.stop().await;
    (keyed, keyless)
}

#[tokio::test]
async fn conflicts_end_as_configured() {
    for plugin in PLUGINS {
        let (keyed, keyless) = after_conflicts(plugin, OnConflict::Update).await;
        assert_eq!(keyed, ["1|source", "2|changed", "3|source", "45|again"]);
        assert_eq!(keyless.len(), 3);

        let (keyed, keyless) = after_conflicts(plugin, OnConflict::Nothing).await;
        assert_eq!(keyed, ["1|target", "2|changed", "3|source", "45|again"]);
        assert_eq!(keyless.len(), 3);
    }
}

#[tokio::test]
async fn rows_that_a_keyless_table_already_has_are_left_alone_by_nothing() {
    let schema = "CREATE TABLE l (v int UNIQUE, w text); ALTER TABLE l REPLICA IDENTITY FULL";
    let scenario = Scenario::start("pgoutput", &[schema.to_owned()], |pipeline| {
        pipeline.on_conflict = OnConflict::Nothing;
    })
    .await;
    execute(&scenario.flow.target, "INSERT INTO l VALUES (2, 'target')").await;
    scenario
        .flow
        .run("INSERT INTO l SELECT i, 'source' FROM generate_series(1, 45) AS i")
        .await;
    scenario.settle().await;
    let look = "SELECT w, count(*) FROM l GROUP BY w ORDER BY w";
    assert_eq!(
        query_text(&scenario.flow.target, look).await,
        ["source|44", "target|1"]
    );
    scenario.stop().await;
}

#[tokio::test]
async fn a_paused_engine_applies_nothing_until_it_resumes() {
    let schema = "CREATE TABLE t (id int PRIMARY KEY)".to_owned();
    let scenario = Scenario::start("pgoutput", &[schema], |_| {}).await;
    scenario.flow.run("INSERT INTO t VALUES (1)").await;
    scenario.settle().await;
    scenario.pause().await;

    scenario.flow.run("INSERT INTO t VALUES (2)").await;
    everything_is_sent(&scenario).await;
    assert_eq!(
        query_text(&scenario.flow.target, "SELECT id FROM t").await,
        ["1"]
    );

    scenario.command(Command::Resume).await;
    scenario.equal().await;
    scenario.stop().await;
}
