//! Rows arrive as they are: every kind of change, every kind of table, both plugins.

use crate::support::flow::{Flow, stop};

const PLUGINS: [&str; 2] = ["pgoutput", "wal2json"];

/// Runs `changes` on the source, one transaction a line, and compares both sides.
async fn check(schema: &str, changes: &[&str]) {
    for plugin in PLUGINS {
        let flow = Flow::rows(plugin, schema).await;
        let handle = flow.start();
        for change in changes {
            flow.run(change).await;
        }
        flow.equal().await;
        stop(handle).await;
    }
}

#[tokio::test]
async fn keyed_rows_follow_inserts_updates_key_changes_and_deletes() {
    check(
        "CREATE TABLE t (id int PRIMARY KEY, a text, b bigint)",
        &[
            "INSERT INTO t SELECT i, 'row ' || i, i * 15 FROM generate_series(1, 500) AS i",
            "UPDATE t SET a = a || '!' WHERE id % 3 = 0",
            "UPDATE t SET id = id + 1000 WHERE id % 7 = 0",
            "DELETE FROM t WHERE id % 5 = 0",
            "BEGIN; INSERT INTO t VALUES (9001, 'x'); UPDATE t SET a = 'y' WHERE id = 9001; \
             DELETE FROM t WHERE id = 9001; INSERT INTO t VALUES (9001, 'z', -1); COMMIT",
            "BEGIN; DELETE FROM t WHERE id = 9001; INSERT INTO t VALUES (9001, NULL); COMMIT",
        ],
    )
    .await;
}

#[tokio::test]
async fn keyless_rows_with_equal_copies_keep_their_number() {
    check(
        "CREATE TABLE t (a int, b text); ALTER TABLE t REPLICA IDENTITY FULL",
        &[
            "INSERT INTO t SELECT i % 5, NULL FROM generate_series(1, 50) AS i",
            "DELETE FROM t WHERE ctid IN (SELECT ctid FROM t WHERE a = 1 LIMIT 3)",
            "UPDATE t SET b = 'changed' WHERE ctid IN (SELECT ctid FROM t WHERE a = 2 LIMIT 4)",
            "UPDATE t SET a = a + 1",
            "BEGIN; INSERT INTO t VALUES (7, 'n'), (7, 'n'); DELETE FROM t WHERE a = 7; COMMIT",
        ],
    )
    .await;
}

#[tokio::test]
async fn values_that_are_not_sent_stay_as_they_are() {
    let big = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 3000) AS i)";
    check(
        "CREATE TABLE k (id int PRIMARY KEY, big text, n int); \
         ALTER TABLE k ALTER COLUMN big SET STORAGE EXTERNAL; \
         CREATE TABLE f (LIKE k INCLUDING ALL); ALTER TABLE f DROP CONSTRAINT f_pkey; \
         ALTER TABLE f REPLICA IDENTITY FULL",
        &[
            &format!("INSERT INTO k VALUES (1, {big}, 1), (2, {big}, 2)"),
            "INSERT INTO f SELECT * FROM k",
            "UPDATE k SET n = n + 10; UPDATE f SET n = n + 10",
            "BEGIN; UPDATE k SET n = 5 WHERE id = 1; UPDATE k SET id = 3 WHERE id = 1; COMMIT",
            "BEGIN; INSERT INTO k SELECT 9, big, 0 FROM k WHERE id = 2; \
             UPDATE k SET n = 77 WHERE id = 9; COMMIT",
        ],
    )
    .await;
}
