//! Schema changes travel at their place among the rows, with the real engine.

use std::time::Duration;

use pgstream::config::{Plugin, TableFilter};
use pgstream::engine::{Engine, EngineOptions, Handle};
use pgstream::status::{Command, CommandAnswer, Phase, SchemaEdit, SchemaState};
use pgstream::{postgres, schema};

use crate::support::flow::{Flow, failure, stop, wait_for};
use crate::support::{connect, execute, query_text, wait_until};

/// Runs each line on the source and compares both sides after each, with both plugins.
async fn check(lines: &[&str]) {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let flow = Flow::schema(plugin).await;
        let handle = flow.start();
        for line in lines {
            flow.run(line).await;
            flow.equal().await;
        }
        flow.acknowledged().await;
        stop(handle).await;
    }
}

#[tokio::test]
async fn the_statements_of_the_tutorial_travel_one_by_one() {
    check(&[
        "CREATE TABLE test(id SERIAL PRIMARY KEY, name TEXT)",
        "INSERT INTO test(name) VALUES('alice'),('bob'),('charlie')",
        "ALTER TABLE test RENAME TO tutorial_test",
        "ALTER TABLE tutorial_test ADD COLUMN age INT DEFAULT 0",
        "ALTER TABLE tutorial_test ALTER COLUMN age TYPE bigint",
        "ALTER TABLE tutorial_test RENAME COLUMN age TO new_age",
        "ALTER TABLE tutorial_test DROP COLUMN new_age",
        "DROP TABLE tutorial_test",
    ])
    .await;
}

/// `wal2json` shows what fills a materialized view, and has no key for what is deleted there.
#[tokio::test]
async fn materialized_views_are_filled_and_refreshed_without_harm() {
    check(&[
        "CREATE TABLE t (id int PRIMARY KEY)",
        "CREATE MATERIALIZED VIEW m AS SELECT g AS a FROM generate_series(1, 3) AS g; \
         INSERT INTO t VALUES (1)",
        "CREATE FUNCTION f() RETURNS SETOF int LANGUAGE sql AS 'SELECT (random() * 1000)::int'; \
         CREATE MATERIALIZED VIEW \"M 2, of.all\" AS SELECT f() AS a WITH NO DATA; \
         CREATE UNIQUE INDEX ON \"M 2, of.all\" (a); REFRESH MATERIALIZED VIEW \"M 2, of.all\"",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY \"M 2, of.all\"; INSERT INTO t VALUES (2)",
        "DROP FUNCTION f() CASCADE; DROP MATERIALIZED VIEW m",
    ])
    .await;
}

/// Their rows are its rows, also of partitions that come later.
#[tokio::test]
async fn a_filter_that_names_a_partitioned_table_means_its_partitions() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let mut flow = Flow::schema(plugin).await;
        flow.pipeline.filter = TableFilter::parse("o*", "out").unwrap();
        let handle = flow.start();
        flow.run(
            "CREATE TABLE orders (id int, d date, PRIMARY KEY (id, d)) PARTITION BY RANGE (d)",
        )
        .await;
        flow.run("CREATE TABLE of_2024 PARTITION OF orders FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')")
            .await;
        flow.run("CREATE TABLE y2025 PARTITION OF orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')")
            .await;
        flow.run("CREATE TABLE out (id int PRIMARY KEY) PARTITION BY RANGE (id)")
            .await;
        flow.run("CREATE TABLE o_1 PARTITION OF out DEFAULT").await;
        flow.run("INSERT INTO orders VALUES (1, '2024-05-05'), (2, '2025-05-05'); INSERT INTO out VALUES (1)")
            .await;
        flow.shows("SELECT id FROM orders ORDER BY id", &["1", "2"])
            .await;
        stop(handle).await;

        let handle = flow.start();
        flow.run("ALTER TABLE y2025 RENAME TO z2025; UPDATE orders SET id = 3 WHERE id = 2")
            .await;
        flow.shows("SELECT id FROM z2025", &["3"]).await;
        flow.shows("SELECT to_regclass('out'), to_regclass('o_1')", &["∅|∅"])
            .await;
        stop(handle).await;
    }
}

#[tokio::test]
async fn the_rows_of_a_rewritten_table_arrive_with_their_exact_values() {
    check(&[
        "CREATE TABLE t (id int PRIMARY KEY, name text); \
         INSERT INTO t SELECT i, 'name ' || i FROM generate_series(1, 300) AS i",
        "ALTER TABLE t ADD COLUMN r float8 DEFAULT random()",
        "ALTER TABLE t ADD COLUMN u uuid DEFAULT gen_random_uuid() NOT NULL UNIQUE",
        "ALTER TABLE t ADD COLUMN at timestamptz DEFAULT clock_timestamp()",
        "ALTER TABLE t ADD COLUMN fixed timestamptz DEFAULT now()",
        "ALTER TABLE t ADD COLUMN n bigserial",
        "ALTER TABLE t ALTER COLUMN name TYPE int USING length(name)",
        "BEGIN; UPDATE t SET name = 7 WHERE id < 9; ALTER TABLE t ALTER COLUMN name TYPE text \
         USING name || '!'; UPDATE t SET name = name || '?' WHERE id > 290; COMMIT",
        "CREATE TABLE keyless AS SELECT i % 3 AS a FROM generate_series(1, 30) AS i",
        "ALTER TABLE keyless ADD COLUMN id serial PRIMARY KEY",
    ])
    .await;
}

#[tokio::test]
async fn rows_and_schema_changes_of_one_transaction_keep_their_order() {
    check(&[
        "BEGIN; CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1); \
         ALTER TABLE a ADD COLUMN b text; INSERT INTO a VALUES (2, 'b'); \
         ALTER TABLE a RENAME TO z; INSERT INTO z VALUES (3, 'c'); COMMIT",
        "CREATE TABLE x (id int PRIMARY KEY, v text); CREATE TABLE y (LIKE x INCLUDING ALL); \
         INSERT INTO x VALUES (1, 'x'); INSERT INTO y VALUES (1, 'y')",
        "BEGIN; ALTER TABLE x RENAME TO t; ALTER TABLE y RENAME TO x; ALTER TABLE t RENAME TO y; \
         INSERT INTO x VALUES (2, 'into the former y'); UPDATE y SET v = 'former x'; COMMIT",
        "BEGIN; DROP TABLE x; CREATE TABLE x (k text PRIMARY KEY); INSERT INTO x VALUES ('k'); COMMIT",
        "BEGIN; SAVEPOINT s; CREATE TABLE gone (i int); INSERT INTO gone VALUES (1); \
         ROLLBACK TO s; CREATE TABLE stays (i int PRIMARY KEY); COMMIT",
        "CREATE TABLE made AS SELECT i, md5(i::text) AS h FROM generate_series(1, 5000) AS i",
        "SELECT i AS n INTO chosen FROM generate_series(1, 10) AS i",
        "DO $$ BEGIN CREATE TABLE d (i int PRIMARY KEY); INSERT INTO d VALUES (1); \
         ALTER TABLE d ADD COLUMN j int DEFAULT 5; END $$",
        "CREATE SCHEMA s1; CREATE TABLE s1.m (id int PRIMARY KEY); INSERT INTO s1.m VALUES (1)",
        "BEGIN; INSERT INTO s1.m VALUES (2); ALTER SCHEMA s1 RENAME TO s2; \
         INSERT INTO s2.m VALUES (3); COMMIT; INSERT INTO s2.m VALUES (4); \
         CREATE SCHEMA s1; CREATE TABLE s1.m (id int PRIMARY KEY); INSERT INTO s1.m VALUES (9)",
        "CREATE TYPE mood AS ENUM ('sad'); CREATE TABLE e (id int PRIMARY KEY, m mood)",
        "ALTER TYPE mood ADD VALUE 'happy' BEFORE 'sad'",
        "INSERT INTO e VALUES (1, 'happy')",
    ])
    .await;
}

#[tokio::test]
async fn an_index_is_built_concurrently_outside_of_the_stream_of_transactions() {
    check(&[
        "CREATE TABLE t (id int PRIMARY KEY, v text); \
         INSERT INTO t SELECT i, i FROM generate_series(1, 1000) AS i",
        "CREATE INDEX CONCURRENTLY t_v ON t (v)",
        "INSERT INTO t VALUES (2000, 'x')",
        "DROP INDEX CONCURRENTLY t_v",
    ])
    .await;
}

#[tokio::test]
async fn what_is_not_applied_is_carried_in_the_log_and_harms_nothing() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let handle = flow.start();

    flow.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    flow.run("CREATE TYPE c").await;
    flow.run("GRANT SELECT ON t TO PUBLIC").await;
    flow.run("INSERT INTO t VALUES (1)").await;

    flow.shows("SELECT id FROM t", &["1"]).await;
    flow.acknowledged().await;
    let states = handle
        .status()
        .borrow()
        .schema_changes
        .iter()
        .map(|change| change.state)
        .collect::<Vec<_>>();
    assert!(states.contains(&SchemaState::NotApplied), "{states:?}");
    let there = "SELECT count(*) FROM pg_type WHERE typname = 'c'";
    assert_eq!(query_text(&flow.target, there).await, ["0"]);
    stop(handle).await;
}

/// Neither what is young, nor what a pipeline has yet to confirm, nor what nobody acknowledged.
#[tokio::test]
async fn the_schema_log_is_pruned_of_what_nobody_needs() {
    let mut flow = Flow::schema(Plugin::Pgoutput).await;
    flow.pipeline.schema_log_retention = Duration::from_secs(24);
    flow.run("INSERT INTO pgstream.pipeline (slot_name) VALUES ('behind')")
        .await;
    flow.run("SELECT pg_create_logical_replication_slot('behind', 'pgoutput')")
        .await;
    let handle = flow.start();
    flow.run("CREATE TABLE old (id int PRIMARY KEY)").await;
    flow.acknowledged().await;
    flow.run("UPDATE pgstream.schema_log SET created_at = created_at - interval '1 hour'")
        .await;
    let aged = "UPDATE pgstream.schema_change SET applied_at = applied_at - interval '1 hour'";
    execute(&flow.target, aged).await;
    flow.run("CREATE TABLE young (id int PRIMARY KEY)").await;
    flow.acknowledged().await;

    let session = postgres::connect(&flow.pipeline.source, "test")
        .await
        .unwrap();
    let keep = Duration::from_secs(60);
    assert_eq!(schema::prune(&session, keep).await.unwrap(), 0);
    flow.run("SELECT pg_drop_replication_slot('behind')").await;

    let tags = "SELECT schema -> 'objects' -> 0 -> 'after' ->> 'name' FROM pgstream.schema_log";
    wait_until("the old entry is gone", || async {
        // What a slot may forget, the source tells it with each checkpoint.
        flow.run("CHECKPOINT; INSERT INTO young SELECT count(*) FROM young")
            .await;
        let left = query_text(&flow.source, tags).await;
        let recorded = query_text(&flow.target, "SELECT tag FROM pgstream.schema_change").await;
        if left == ["young"] && recorded.len() == 1 {
            Ok(())
        } else {
            Err(format!("{left:?}, {recorded:?}"))
        }
    })
    .await;
    flow.equal().await;
    stop(handle).await;
}

/// Such a session reads the catalogs as they were before the other's command, and PostgreSQL has no
/// way for it to read them as they are.
#[tokio::test]
async fn a_change_that_an_old_snapshot_hides_stops_the_stream_with_its_hint() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let mut handle = flow.start();
    flow.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    flow.equal().await;
    let late = connect(&flow.source_cluster.url("postgres")).await;
    execute(
        &late,
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_catalog.pg_class",
    )
    .await;
    flow.run("ALTER TABLE t ADD COLUMN early int").await;
    execute(&late, "ALTER TABLE t ADD COLUMN late int; COMMIT").await;

    let failed = failure(&mut handle).await;
    let reported = failed.causes.join(": ");
    assert!(reported.contains("description failed"), "{failed:?}");
    let lsn = failed.transaction.expect("a transaction").commit_lsn;
    let hint = failed.hint.unwrap_or_default();
    assert!(
        hint.contains(&format!("--skip-transaction {lsn}")),
        "{hint}"
    );

    execute(&flow.target, "ALTER TABLE t ADD COLUMN late int").await;
    flow.run("SELECT pgstream.describe_all()").await;
    let options = EngineOptions {
        skip: Some(lsn),
        ..EngineOptions::default()
    };
    let handle = Engine::start(flow.pipeline.clone(), options);
    flow.run("ALTER TABLE t RENAME COLUMN late TO later").await;
    flow.run("INSERT INTO t VALUES (1, 2, 3)").await;
    flow.equal().await;
    stop(handle).await;
}

/// What is refused, and the id of its schema change.
async fn refused(handle: &Handle, sqlstate: &str) -> String {
    wait_for(handle, "the engine stands at the change", |status| {
        let failure = status.last_error.as_ref();
        let code = failure.and_then(|failure| failure.sqlstate.as_deref());
        status.phase == Phase::Held && code == Some(sqlstate)
    })
    .await;
    let status = handle.status().borrow().clone();
    let mut changes = status.schema_changes.iter();
    let failed = changes.find(|change| change.state == SchemaState::Failed);
    failed.expect("a failed change").id.clone()
}

#[tokio::test]
async fn what_an_operator_writes_runs_in_place_of_a_refused_change_with_its_rows() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    execute(&flow.target, "CREATE TABLE t (id int PRIMARY KEY)").await;
    flow.run(
        "BEGIN; CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'); COMMIT",
    )
    .await;
    let options = EngineOptions {
        hold_on_failure: true,
        ..EngineOptions::default()
    };
    let handle = Engine::start(flow.pipeline.clone(), options);
    let id = refused(&handle, "42P07").await;
    let edit = |id: &str, sql: &str| {
        handle.command(Command::Edit(SchemaEdit {
            id: id.to_owned(),
            sql: sql.to_owned(),
        }))
    };

    let other = edit("of another change", "SELECT 1").await;
    assert!(matches!(other, CommandAnswer::Refused(_)));
    edit(&id, "ALTER TABLE t ADD COLUMN v text; COMMIT").await;
    assert_eq!(refused(&handle, "0A000").await, id);
    flow.shows("SELECT count(*) FROM t", &["0"]).await;
    let fixed = "ALTER TABLE t ADD COLUMN v text;\nCOMMENT ON TABLE t IS 'it''s \\ ours'";
    assert_eq!(edit(&id, fixed).await, CommandAnswer::Accepted);

    flow.shows("SELECT id, v FROM t", &["1|a"]).await;
    let recorded = query_text(
        &flow.target,
        "SELECT statements[1] FROM pgstream.schema_change",
    );
    assert_eq!(recorded.await, [fixed]);
    flow.acknowledged().await;
    stop(handle).await;
}

/// A rename changes the texts of all that use the renamed; that is nobody's lock before the commit.
#[tokio::test]
async fn who_alters_a_table_does_not_wait_for_who_renames_its_type() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run(
        "CREATE TYPE mood AS ENUM ('fine'); CREATE SEQUENCE numbers; \
              CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('numbers'), m mood)",
    )
    .await;
    let handle = flow.start();
    let renaming = connect(&flow.source_cluster.url("postgres")).await;
    execute(
        &renaming,
        "BEGIN; ALTER TYPE mood RENAME TO temper; ALTER SEQUENCE numbers RENAME TO counts",
    )
    .await;

    flow.run("SET lock_timeout = '5s'; ALTER TABLE t ADD COLUMN more int")
        .await;

    execute(&renaming, "COMMIT").await;
    let stated = "SELECT (description -> 'columns' -> 0 ->> 'default') || ' ' \
                  || (description -> 'columns' -> 1 ->> 'type') \
                  FROM pgstream.object WHERE oid = 't'::regclass";
    let reported = query_text(&flow.source, stated).await;
    assert!(
        reported[0].contains("counts") && reported[0].ends_with("temper"),
        "{reported:?}"
    );
    let left = "SELECT count(*) FROM pgstream.renaming";
    assert_eq!(query_text(&flow.source, left).await, ["0"]);
    flow.equal().await;
    stop(handle).await;
}

/// Nothing of the table's description says that its rows are others.
#[tokio::test]
async fn rows_that_an_expression_rewrites_under_their_old_type_arrive() {
    check(&[
        "CREATE TABLE k (id int PRIMARY KEY, v text); INSERT INTO k VALUES (1, 'a'), (2, 'b'); \
         CREATE TABLE l (id int, v text); INSERT INTO l VALUES (1, 'a'), (1, 'a'); \
         CREATE TABLE p (id int PRIMARY KEY, v text); CREATE TABLE c (more int) INHERITS (p); \
         INSERT INTO p VALUES (1, 'p'); INSERT INTO c VALUES (2, 'c', 3)",
        "ALTER TABLE k ALTER v TYPE text USING upper(v) || '!'",
        "ALTER TABLE l ALTER id TYPE int USING id + 10",
        "DO $$ BEGIN ALTER TABLE k ALTER v TYPE text USING v || '?'; END $$",
        "ALTER TABLE p ALTER v TYPE text USING v || 'z'; INSERT INTO p VALUES (3, 'after')",
        "BEGIN; UPDATE k SET v = 'before'; ALTER TABLE k ALTER v TYPE text USING v || '.'; \
         UPDATE k SET v = v || 'after' WHERE id = 1; COMMIT",
    ])
    .await;
}

/// The key goes with the old type, and rows must be there before it comes again.
#[tokio::test]
async fn a_column_that_others_refer_to_gets_new_values() {
    check(&[
        "CREATE TABLE g (id int PRIMARY KEY, v text, up int REFERENCES g); \
         CREATE TABLE c (p int REFERENCES g ON DELETE CASCADE DEFERRABLE); \
         CREATE TABLE parts (id int, p int REFERENCES g) PARTITION BY LIST (id); \
         CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1); \
         COMMENT ON CONSTRAINT c_p_fkey ON c IS 'to its parent'; \
         INSERT INTO g VALUES (1, 'a', NULL), (2, 'b', 1); INSERT INTO c VALUES (1), (2), (2); \
         INSERT INTO parts VALUES (1, 2)",
        "ALTER TABLE g ALTER id TYPE bigint USING id + 0",
        "BEGIN; INSERT INTO c VALUES (1); ALTER TABLE g ALTER id TYPE int, ADD r float8 DEFAULT random(); \
         INSERT INTO g (id) VALUES (3); INSERT INTO c VALUES (3); ALTER TABLE c RENAME CONSTRAINT c_p_fkey TO key; \
         ALTER TABLE g ALTER id TYPE bigint USING id::text::bigint; ALTER TABLE c DROP CONSTRAINT key; \
         UPDATE g SET v = 'after'; COMMIT",
        "DO $$ BEGIN ALTER TABLE g ALTER id TYPE numeric USING id; DELETE FROM parts; END $$",
    ])
    .await;
}

/// Before version 18 the source sends no generated column, so that the whole row must identify it.
#[tokio::test]
async fn rows_are_found_whose_key_is_computed() {
    check(&[
        "CREATE TABLE g (a int, b int GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY, v text); \
         INSERT INTO g (a, v) SELECT i, 'v' FROM generate_series(1, 50) AS i",
        "UPDATE g SET v = 'w' WHERE a % 3 = 0; UPDATE g SET a = a + 100 WHERE a % 7 = 0; DELETE FROM g WHERE a = 5",
        "CREATE TABLE h (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c int); INSERT INTO h VALUES (1)",
        "ALTER TABLE h ADD PRIMARY KEY (b)",
        "UPDATE h SET c = 7; UPDATE h SET a = 2",
        "ALTER TABLE h DROP CONSTRAINT h_pkey, ADD PRIMARY KEY (a)",
        "UPDATE h SET c = 8; UPDATE h SET a = 3; DELETE FROM h",
    ])
    .await;
}

#[tokio::test]
async fn a_lost_session_keeps_no_change_from_being_acknowledged() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let handle = flow.start();
    flow.run("CREATE TABLE a (id int)").await;
    flow.acknowledged().await;
    flow.run(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity \
         WHERE application_name = 'pgstream acknowledge'",
    )
    .await;

    flow.run("CREATE TABLE b (id int)").await;

    flow.acknowledged().await;
    stop(handle).await;
}

/// Where a sequence stands on each side, after the source's is where the log says.
async fn stands(flow: &Flow, sequence: &str) {
    let look = format!("SELECT last_value, is_called FROM {sequence}");
    let expected = query_text(&flow.source, &look).await;
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    flow.shows(&look, &expected).await;
}

/// Its bounds may leave out where the target's stands; RESTART goes back, too.
#[tokio::test]
async fn a_sequence_that_is_altered_stands_where_the_source_leaves_it() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let flow = Flow::schema(plugin).await;
        let handle = flow.start();
        for (sql, sequence) in [
            (
                "CREATE SEQUENCE q; ALTER SEQUENCE q MINVALUE 1000 START 1000 RESTART",
                "q",
            ),
            (
                "SELECT nextval('q'); ALTER SEQUENCE q MAXVALUE 2000 CACHE 3",
                "q",
            ),
            ("ALTER SEQUENCE q RESTART WITH 1500", "q"),
            ("ALTER SEQUENCE q RESTART", "q"),
            (
                "ALTER SEQUENCE q INCREMENT -1 MINVALUE -36 MAXVALUE -5 START -7 RESTART",
                "q",
            ),
            (
                "ALTER SEQUENCE q AS smallint NO MINVALUE MAXVALUE 100 START 3 RESTART WITH 30",
                "q",
            ),
            (
                "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY (MAXVALUE 10) PRIMARY KEY, s serial); \
                 INSERT INTO t DEFAULT VALUES; ALTER TABLE t ALTER id SET START 100 SET MAXVALUE 200 SET MINVALUE 100 RESTART",
                "t_id_seq",
            ),
            (
                "INSERT INTO t DEFAULT VALUES; ALTER SEQUENCE t_s_seq AS smallint RESTART 2",
                "t_s_seq",
            ),
            (
                "CREATE SEQUENCE c MAXVALUE 5 CYCLE; CREATE TABLE w (n int DEFAULT nextval('c'), id serial PRIMARY KEY); \
                 INSERT INTO w DEFAULT VALUES; INSERT INTO w (id) SELECT generate_series(2, 4); \
                 INSERT INTO w (id) VALUES (5), (6), (7)",
                "c",
            ),
        ] {
            flow.run(sql).await;
            stands(&flow, sequence).await;
        }
        flow.equal().await;
        stop(handle).await;
    }
}

const SWAP: &str = "BEGIN; ALTER TYPE en RENAME VALUE 'a' TO 'x'; ALTER TYPE en RENAME VALUE 'b' TO 'a'; \
                    ALTER TYPE en RENAME VALUE 'x' TO 'b'; COMMIT";

/// The source sends the label as it was called when the row was written.
#[tokio::test]
async fn a_row_that_is_older_than_the_labels_of_its_type_arrives_as_the_source_shows_it() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let flow = Flow::schema(plugin).await;
        let handle = flow.start();
        flow.run(
            "CREATE TYPE en AS ENUM ('a', 'b'); CREATE DOMAIN dn AS en; \
             CREATE TABLE v (id int PRIMARY KEY, e en, d dn); CREATE TABLE l (e en); \
             INSERT INTO v VALUES (7, 'a', 'b'); INSERT INTO l VALUES ('a'), ('b')",
        )
        .await;
        flow.equal().await;
        let late = connect(&flow.source_cluster.url("postgres")).await;
        let later = connect(&flow.source_cluster.url("postgres")).await;
        execute(&late, "BEGIN; INSERT INTO v VALUES (1, 'a', 'b'), (2, NULL, 'a'); UPDATE l SET e = 'a' WHERE e = 'b'").await;
        execute(
            &later,
            "BEGIN; INSERT INTO v VALUES (3, 'b', 'b'); DELETE FROM v WHERE id = 7",
        )
        .await;
        flow.run(SWAP).await;
        execute(&late, "INSERT INTO v VALUES (4, 'a', 'a'); COMMIT").await;
        flow.equal().await;
        stop(handle).await;

        let handle = flow.start();
        flow.run(SWAP).await;
        execute(&later, "COMMIT").await;
        flow.equal().await;
        stop(handle).await;
    }
}

#[tokio::test]
async fn a_row_that_is_older_than_the_parts_of_its_type_stops_the_stream() {
    for (change, column) in [
        (
            "ALTER TYPE pair DROP ATTRIBUTE t, ADD ATTRIBUTE u text",
            "p",
        ),
        ("ALTER TYPE en RENAME VALUE 'a' TO 'x'", "es"),
    ] {
        let flow = Flow::schema(Plugin::Pgoutput).await;
        let mut handle = flow.start();
        flow.run(
            "CREATE TYPE en AS ENUM ('a', 'b'); CREATE TYPE pair AS (n int, t text); \
             CREATE TABLE v (id int PRIMARY KEY, p pair, es en[])",
        )
        .await;
        flow.acknowledged().await;
        let late = connect(&flow.source_cluster.url("postgres")).await;
        execute(
            &late,
            "BEGIN; INSERT INTO v VALUES (1, NULL, '{b}'), (2, (1, 'x'), '{b,a}')",
        )
        .await;
        flow.run(change).await;
        execute(&late, "COMMIT").await;

        let failed = failure(&mut handle).await;

        let reported = failed.causes.join(": ");
        assert!(
            reported.contains(&format!("the type of its column {column}")),
            "{reported}"
        );
        flow.shows("SELECT count(*) FROM v", &["0"]).await;
    }
}

/// Rows and definition of a table that was ours stay ours, whatever extension it is put into.
#[tokio::test]
async fn a_table_that_is_put_into_an_extension_or_taken_out_is_neither_dropped_nor_made() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let flow = Flow::schema(plugin).await;
        let handle = flow.start();
        for line in [
            "CREATE EXTENSION hstore",
            "CREATE TABLE u (id serial PRIMARY KEY, v text UNIQUE); INSERT INTO u (v) VALUES ('a'), ('b'); \
             CREATE TYPE kind AS ENUM ('k')",
            "ALTER EXTENSION hstore ADD TABLE u; ALTER EXTENSION hstore ADD TYPE kind",
            "ALTER TABLE u ADD w int DEFAULT 5; INSERT INTO u (v) VALUES ('c')",
            "CREATE INDEX ON u (w); ALTER TYPE kind ADD VALUE 'l'; ALTER TABLE u ADD k kind",
            "ALTER EXTENSION hstore DROP TABLE u; ALTER TABLE u ADD x int; UPDATE u SET x = 1",
            "ALTER EXTENSION hstore DROP TYPE kind; ALTER TABLE u DROP COLUMN w; DELETE FROM u WHERE v = 'a'",
        ] {
            flow.run(line).await;
            flow.equal().await;
        }
        stop(handle).await;
    }
}

/// Those are written by the extension's script, here and there.
#[tokio::test]
async fn rows_of_tables_that_came_with_an_extension_do_not_travel() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let mut flow = Flow::bare().await;
        flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
        let came = "CREATE EXTENSION hstore; CREATE TABLE came (id int PRIMARY KEY, v text); \
                    INSERT INTO came VALUES (1, 'shipped'); ALTER EXTENSION hstore ADD TABLE came";
        for client in [&flow.source, &flow.target] {
            execute(client, came).await;
        }
        flow.init(plugin).await;
        let handle = flow.start();

        flow.run("INSERT INTO came VALUES (2, 'user'); UPDATE came SET v = 'other' WHERE id = 1")
            .await;
        flow.run("ALTER TABLE came ADD w int; TRUNCATE came").await;
        flow.run("CREATE TABLE own (id int PRIMARY KEY); INSERT INTO own VALUES (1)")
            .await;
        flow.shows("SELECT id FROM own", &["1"]).await;
        flow.shows("SELECT id, v FROM came", &["1|shipped"]).await;

        execute(&flow.target, "ALTER TABLE came ADD w int").await;
        flow.run("ALTER EXTENSION hstore DROP TABLE came").await;
        flow.run("ALTER TABLE came ADD x int; INSERT INTO came VALUES (3, 'ours', 4, 5)")
            .await;
        flow.shows(
            "SELECT * FROM came ORDER BY id",
            &["1|shipped|∅|∅", "3|ours|4|5"],
        )
        .await;
        stop(handle).await;
    }
}

/// A check of a domain looks only at values that are written, and on the source an old one stays.
#[tokio::test]
async fn values_that_are_older_than_a_check_of_their_domain_are_found_and_stay() {
    check(&[
        "CREATE DOMAIN things AS int; CREATE TABLE l (a int, stuff things); \
         CREATE TABLE k (id int PRIMARY KEY, stuff things, list things[], v int); \
         CREATE TABLE by (stuff things PRIMARY KEY, v int); \
         INSERT INTO l VALUES (1, 55), (2, 55), (3, 5), (4, NULL); \
         INSERT INTO k SELECT i, 50 + i, ARRAY[5], i FROM generate_series(1, 40) AS i; \
         INSERT INTO by VALUES (55, 1), (56, 2), (57, 3), (6, 4)",
        "ALTER DOMAIN things ADD CONSTRAINT meow CHECK (VALUE < 11) NOT VALID",
        "UPDATE l SET stuff = 10 WHERE a = 1; UPDATE l SET a = 22 WHERE a = 2; DELETE FROM l WHERE a = 22",
        "UPDATE k SET v = -v",
        "UPDATE k SET stuff = 1 WHERE id = 7; UPDATE k SET v = 0 WHERE id = 8",
        "UPDATE k SET id = id + 100 WHERE id < 5; UPDATE k SET stuff = NULL WHERE id > 30",
        "UPDATE by SET v = 9 WHERE stuff = 55; DELETE FROM by WHERE stuff = 56; \
         UPDATE by SET stuff = 7 WHERE stuff = 57",
        "DELETE FROM by WHERE v = 9; UPDATE k SET stuff = 3; UPDATE l SET stuff = 3; \
         ALTER TABLE k DROP COLUMN list; ALTER DOMAIN things VALIDATE CONSTRAINT meow",
    ])
    .await;
}

/// A table that was there before the log is one to be copied, not one to be begun with its newest rows.
#[tokio::test]
async fn a_table_that_is_missing_on_the_target_is_not_made_for_its_rows() {
    let mut flow = Flow::bare().await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
        .await;
    flow.init(Plugin::Pgoutput).await;
    let mut handle = flow.start();
    flow.run("INSERT INTO t VALUES (2)").await;

    let failed = failure(&mut handle).await;

    let reported = failed.causes.join(": ");
    assert!(
        reported.contains("table public.t is not on the target"),
        "{reported}"
    );
}

/// EXPLAIN runs the statement inside, and raises no event for it.
#[tokio::test]
async fn a_table_that_no_event_announces_is_made() {
    check(&[
        "EXPLAIN (ANALYZE, COSTS OFF) CREATE TABLE made AS SELECT i, 'x'::varchar(5) AS v FROM generate_series(1, 50) AS i",
        "INSERT INTO made VALUES (51, 'y')",
        "ALTER TABLE made ADD b int DEFAULT 7; ALTER TABLE made RENAME TO named",
        "EXPLAIN ANALYZE CREATE TABLE again AS SELECT 1 AS a; ALTER TABLE again ADD b text; INSERT INTO again VALUES (2, 'b')",
        "EXPLAIN ANALYZE CREATE TABLE gone AS SELECT 1 AS a; DROP TABLE gone",
        "CREATE TABLE last (id int PRIMARY KEY)",
    ])
    .await;
}
