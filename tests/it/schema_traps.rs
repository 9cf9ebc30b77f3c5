//! The traps of schema changes, each as it was seen on a real server.

use pgstream::decode::Decoder;
use pgstream::model::{Change, Event, Lsn};
use pgstream::postgres::Session;
use pgstream::schema::{Letter, Plan, RewrittenRows};

use crate::schema_mirror::Mirror;
use crate::support::query_text;

fn all_steps(plans: &[Plan]) -> String {
    let steps = plans.iter().flat_map(|plan| &plan.steps);
    steps.map(|step| format!("{}\n", step.sql)).collect()
}

/// What a slot would deliver of rewritten tables, from all committed transactions.
async fn rewritten(session: &Session) -> Vec<RewrittenRows> {
    let rows = session
        .rows(
            "SELECT data FROM pg_logical_slot_get_binary_changes('mirror_slot', NULL, NULL, \
             'proto_version', '1', 'publication_names', 'mirror_slot_publication', 'messages', 'true')",
            &[],
        )
        .await
        .expect("changes");
    let mut decoder = Decoder::for_plugin("pgoutput").expect("a plugin of ours");
    let mut events = Vec::new();
    for row in rows {
        let data: Vec<u8> = row.get(0);
        let decoded = decoder.decode(data.into(), Lsn::ZERO, &mut events);
        decoded.expect("a message of the plugin");
    }
    let letters = events.iter().filter_map(|event| match event {
        Event::Change(Change::Insert { relation, new })
            if &*relation.name.name == Letter::TABLE =>
        {
            Some(Letter::from_tuple(relation, new).expect("a letter"))
        }
        _ => None,
    });
    let rows = letters.filter_map(|letter| match letter {
        Letter::RewrittenRows(rows) => Some(rows),
        Letter::PublicationCommand | Letter::Publications(_) => None,
    });
    rows.collect()
}

#[tokio::test]
async fn batches_blocks_functions_and_their_rows_are_not_replayed() {
    let mut mirror = Mirror::start().await;
    let commands = [
        "CREATE TABLE a (x int); INSERT INTO a VALUES (1); ALTER TABLE a ADD COLUMN y int DEFAULT 2",
        "DO $$ BEGIN CREATE TABLE b (x int); INSERT INTO b VALUES (1); \
         EXECUTE 'ALTER TABLE b ALTER COLUMN x TYPE text'; END $$",
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS \
         $$ BEGIN CREATE TABLE c (x serial PRIMARY KEY); DROP TABLE a; END $$",
        "SELECT f()",
        "BEGIN; CREATE TABLE kept (x int); SAVEPOINT s; CREATE TABLE lost (x int); \
         ROLLBACK TO s; ALTER TABLE kept ADD COLUMN y int; COMMIT",
        "BEGIN; CREATE TABLE never (x int); ROLLBACK",
    ];
    for sql in commands {
        mirror.run(sql).await;
    }
    mirror.run("DROP FUNCTION f()").await;
    let functions = mirror.run("SELECT 1").await;

    assert!(functions.is_empty());
    mirror
        .assert_equal("batches, blocks, functions, savepoints")
        .await;
}

#[tokio::test]
async fn the_log_tells_the_statement_inside_of_a_block() {
    let mut mirror = Mirror::start().await;

    mirror
        .source
        .run("DO $$ BEGIN CREATE TABLE b (x int); END $$")
        .await
        .unwrap();
    let entries = mirror.entries().await;

    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].statement, "CREATE TABLE b (x int)");
    assert!(entries[0].change.nested);
    assert_eq!(entries[0].object_names(), ["table public.b"]);
}

#[tokio::test]
async fn two_sessions_change_one_schema_at_once_without_waiting() {
    let mut mirror = Mirror::prepared("CREATE TABLE shared (a int, b int)").await;
    let (one, two) = (mirror.another().await, mirror.another().await);

    one.run("BEGIN; CREATE TABLE first (a int PRIMARY KEY)")
        .await
        .unwrap();
    two.run("SET lock_timeout = '5s'; BEGIN; CREATE TABLE second (a int)")
        .await
        .unwrap();
    one.run("CREATE INDEX on_a ON shared (a)").await.unwrap();
    two.run("CREATE INDEX on_b ON shared (b)").await.unwrap();
    two.run("COMMIT").await.unwrap();
    one.run("CREATE TABLE third (a int); COMMIT").await.unwrap();
    mirror.follow("two sessions").await;

    mirror.assert_equal("two sessions").await;
}

#[tokio::test]
async fn serializable_and_repeatable_read_transactions_may_change_the_schema() {
    let mut mirror = Mirror::start().await;
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let sql = format!(
            "BEGIN ISOLATION LEVEL {level}; CREATE TABLE t (a int); ALTER TABLE t ADD COLUMN b text; \
             ALTER TABLE t RENAME TO \"{level}\"; COMMIT"
        );
        mirror.run(&sql).await;
    }
    mirror.assert_equal("isolation levels").await;
}

#[tokio::test]
async fn a_user_without_any_privilege_of_ours_changes_the_schema() {
    let mut mirror = Mirror::start().await;
    mirror
        .run("CREATE ROLE app LOGIN; CREATE SCHEMA app AUTHORIZATION app")
        .await;

    mirror
        .run(
            "SET ROLE app; CREATE TABLE app.t (a serial PRIMARY KEY, b text); \
             ALTER TABLE app.t ADD COLUMN c timestamptz DEFAULT clock_timestamp(); \
             DROP TABLE app.t; CREATE TABLE app.keyless (a int); RESET ROLE",
        )
        .await;

    let identity = "SELECT relreplident FROM pg_class WHERE relname = 'keyless'";
    assert_eq!(query_text(&mirror.source, identity).await, ["f"]);
    mirror.assert_equal("a plain user").await;
}

#[tokio::test]
async fn an_error_of_ours_does_not_reach_the_user_and_stops_the_engine() {
    let mut mirror = Mirror::start().await;
    mirror
        .source
        .run(
            "SET pgstream.busy = 'on'; DROP FUNCTION pgstream.others(jsonb, jsonb, text); \
              RESET pgstream.busy",
        )
        .await
        .unwrap();

    mirror.source.run("CREATE TABLE t (a int)").await.unwrap();
    let entries = mirror.entries().await;
    let refused = pgstream::schema::plan(&entries[0], &|_| true).unwrap_err();

    let message = refused.to_string();
    assert!(
        message.contains("description failed: function pgstream.others"),
        "{message}"
    );
    assert_eq!(
        query_text(&mirror.source, "SELECT count(*) FROM t").await,
        ["0"]
    );
}

#[tokio::test]
async fn what_is_applied_for_us_is_history_that_knows_where_it_came_from() {
    let mut mirror = Mirror::start().await;
    let origins = async |mirror: &mut Mirror, role: &str, sql: &str| {
        let sql = format!("SET ROLE {role}; SET pgstream.applying = '7/a_slot'; {sql}; RESET ROLE");
        mirror.source.run(&sql).await.unwrap();
        mirror.entries().await.remove(0).change.origins
    };

    assert!(
        origins(&mut mirror, "postgres", "CREATE TABLE a (a int)")
            .await
            .is_empty()
    );
    let records = pgstream::apply::install_records(&mirror.source).await;
    records.unwrap();
    let own = origins(&mut mirror, "postgres", "CREATE TABLE b (a int)").await;
    assert_eq!(own, ["7/a_slot"]);

    mirror
        .source
        .run("RESET pgstream.applying; SET session_replication_role = replica; CREATE TABLE c (a int)")
        .await
        .unwrap();
    assert!(mirror.entries().await.remove(0).change.origins.is_empty());
}

#[tokio::test]
async fn nothing_ours_temporary_or_without_effect_is_logged() {
    let mut mirror = Mirror::prepared("CREATE TABLE t (a int)").await;

    let silent = "CREATE TEMP TABLE x (a serial PRIMARY KEY); ALTER TABLE x ADD COLUMN b int; \
                  CREATE INDEX ON x (b); DROP TABLE x; CREATE TABLE IF NOT EXISTS t (a int); \
                  ALTER TABLE t ADD COLUMN IF NOT EXISTS a int; DROP TABLE IF EXISTS nothing; \
                  CREATE TEMP TABLE y (a int); CREATE DOMAIN of_y AS y[]; CREATE TYPE with_y AS (v y)";
    mirror.source.run(silent).await.unwrap();

    let entries = mirror.entries().await;
    let tags: Vec<_> = entries
        .iter()
        .map(|entry| entry.statement.clone())
        .collect();
    assert!(tags.is_empty(), "{tags:?}");
}

#[tokio::test]
async fn one_stored_default_reaches_the_target_as_this_value() {
    let mut mirror = Mirror::prepared("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;

    for sql in [
        "ALTER TABLE t ADD COLUMN at timestamptz DEFAULT now()",
        "ALTER TABLE t ADD COLUMN who text DEFAULT session_user || ', \"quoted\" {x}'",
        "ALTER TABLE t ADD COLUMN list int[] DEFAULT ARRAY[txid_current()::int % 1]",
        "ALTER TABLE t ADD COLUMN area box DEFAULT box(point(1, now()::date - now()::date), point(2, 3))",
        "ALTER TABLE t ADD COLUMN n int DEFAULT 5",
    ] {
        mirror.run(sql).await;
    }
    let rows = "SELECT * FROM t";

    mirror.assert_equal("defaults").await;
    let source = query_text(&mirror.source, rows).await;
    assert_eq!(source, query_text(&mirror.target, rows).await);
}

#[tokio::test]
async fn rewritten_rows_follow_only_where_the_target_cannot_compute_them() {
    let mut mirror =
        Mirror::prepared("CREATE TABLE t (a int, b text, c int); INSERT INTO t VALUES (1, '5', 3)")
            .await;

    for (sql, sends) in [
        ("ALTER TABLE t ALTER COLUMN a TYPE bigint", false),
        (
            "ALTER TABLE t ALTER COLUMN b TYPE int USING b::int + 1",
            true,
        ),
        ("ALTER TABLE t ADD COLUMN r float8 DEFAULT random()", true),
        ("ALTER TABLE t ADD COLUMN s serial", true),
        (
            "ALTER TABLE t ADD COLUMN i int GENERATED ALWAYS AS IDENTITY",
            true,
        ),
        (
            "ALTER TABLE t ADD COLUMN g int GENERATED ALWAYS AS (c * 2) STORED",
            false,
        ),
        ("ALTER TABLE t SET UNLOGGED", false),
        ("ALTER TABLE t SET LOGGED", true),
        ("ALTER TABLE t ADD COLUMN n int NOT NULL DEFAULT 4", false),
    ] {
        let plans = mirror.run(sql).await;
        let sent = rewritten(&mirror.source).await;

        assert_eq!(!sent.is_empty(), sends, "{sql}\n{}", all_steps(&plans));
        if let Some(message) = sent.first() {
            assert!(
                message.first && message.last && message.rows.len() == 1,
                "{message:?}"
            );
            assert!(
                message
                    .relation
                    .columns
                    .iter()
                    .all(|column| &*column.name != "g")
            );
        }
    }
    mirror.assert_equal("rewrites").await;
}

#[tokio::test]
async fn rewritten_rows_come_in_bounded_parts_or_not_at_all() {
    let mut mirror = Mirror::prepared(
        "CREATE TABLE t (id int PRIMARY KEY, a text); \
         INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 3000) AS i; \
         CREATE TABLE empty (a int)",
    )
    .await;

    mirror.run("ALTER TABLE t ALTER COLUMN a TYPE text USING a || '!', ADD COLUMN r float8 DEFAULT random()").await;
    let sent = rewritten(&mirror.source).await;
    let rows: usize = sent.iter().map(|message| message.rows.len()).sum();
    assert_eq!((sent.len(), rows), (3, 3000));
    assert!(sent[0].first && !sent[0].last && sent[2].last && !sent[2].first);

    mirror
        .run("ALTER TABLE empty ADD COLUMN b uuid DEFAULT gen_random_uuid()")
        .await;
    let sent = rewritten(&mirror.source).await;
    assert!(sent.len() == 1 && sent[0].first && sent[0].last && sent[0].rows.is_empty());

    mirror
        .source
        .run("SET pgstream.rewrite_bytes_max = '100kB'")
        .await
        .unwrap();
    mirror
        .run("ALTER TABLE t ADD COLUMN u uuid DEFAULT gen_random_uuid()")
        .await;
    let sent = rewritten(&mirror.source).await;
    assert!(sent.len() == 1 && sent[0].too_large);
}

#[tokio::test]
async fn partitioned_tables_are_rewritten_partition_by_partition() {
    let mut mirror = Mirror::prepared(
        "CREATE TABLE p (a int, b text) PARTITION BY LIST (a); \
         CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); \
         CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); \
         INSERT INTO p VALUES (1, '1'), (2, '2')",
    )
    .await;

    mirror
        .run("ALTER TABLE p ALTER COLUMN b TYPE int USING length(b)")
        .await;
    let names: Vec<_> = rewritten(&mirror.source)
        .await
        .iter()
        .map(|m| m.relation.name.to_string())
        .collect();

    assert_eq!(names, ["public.p1", "public.p2"]);
    mirror.assert_equal("a rewrite of partitions").await;
    mirror
        .run("ALTER TABLE p ADD COLUMN at timestamptz DEFAULT now()")
        .await;
    mirror.assert_equal("a stored default of partitions").await;
}

#[tokio::test]
async fn names_change_hands() {
    let mut mirror = Mirror::prepared(
        "CREATE TABLE a (id int PRIMARY KEY, one int, two text); CREATE TABLE b (id int)",
    )
    .await;

    for sql in [
        "BEGIN; ALTER TABLE a RENAME TO tmp; ALTER TABLE b RENAME TO a; ALTER TABLE tmp RENAME TO b; COMMIT",
        "BEGIN; DROP TABLE a; CREATE TABLE a (other text); COMMIT",
        "ALTER TABLE b RENAME COLUMN one TO tmp; ALTER TABLE b RENAME COLUMN two TO one; \
         ALTER TABLE b RENAME COLUMN tmp TO two",
        "ALTER TABLE b DROP COLUMN one, ADD COLUMN one bigint",
    ] {
        mirror.run(sql).await;
    }
    mirror.assert_equal("swapped names").await;

    // Nobody saw these: the next command that touches the table brings them along.
    mirror
        .source
        .run(
            "SET pgstream.busy = 'on'; ALTER TABLE b RENAME COLUMN one TO x; \
        ALTER TABLE b RENAME COLUMN two TO one; ALTER TABLE b RENAME COLUMN x TO two; \
        RESET pgstream.busy",
        )
        .await
        .unwrap();
    mirror.run("COMMENT ON TABLE b IS 'touched'").await;
    mirror.assert_equal("missed changes").await;
}

#[tokio::test]
async fn renames_elsewhere_do_not_look_like_changes() {
    let mut mirror = Mirror::prepared(
        "CREATE SCHEMA s; CREATE TYPE s.kind AS ENUM ('a'); CREATE SEQUENCE s.q; \
         CREATE TABLE s.parent (id int PRIMARY KEY); \
         CREATE TABLE t (k s.kind DEFAULT 'a', n int DEFAULT nextval('s.q'), \
           p int REFERENCES s.parent, CHECK (k <> 'a'::s.kind OR n > 0)); \
         CREATE INDEX ti ON t ((k = 'a'::s.kind))",
    )
    .await;

    mirror.run("ALTER SCHEMA s RENAME TO renamed").await;
    mirror.run("ALTER TYPE renamed.kind RENAME TO sort").await;
    mirror
        .run("ALTER TABLE renamed.parent RENAME COLUMN id TO key")
        .await;
    let plans = mirror.run("ALTER TABLE t ADD COLUMN x int").await;

    assert_eq!(
        all_steps(&plans),
        "ALTER TABLE \"public\".\"t\" ADD COLUMN \"x\" integer\n"
    );
    mirror.assert_equal("renames elsewhere").await;
}

#[tokio::test]
async fn a_renamed_schema_names_its_tables() {
    let mut mirror = Mirror::prepared("CREATE SCHEMA s; CREATE TABLE s.t (a int)").await;

    let plans = mirror.run("ALTER SCHEMA s RENAME TO z").await;

    let touch = &plans[0].relations[0];
    let names = [&touch.before, &touch.after].map(|name| name.as_ref().unwrap().to_string());
    assert_eq!(names, ["s.t", "z.t"]);
}

#[tokio::test]
async fn new_enum_labels_end_the_targets_transaction() {
    let mut mirror = Mirror::prepared("CREATE TYPE e AS ENUM ('a')").await;

    assert!(mirror.run("ALTER TYPE e ADD VALUE 'b'").await[0].commit_after);
    assert!(!mirror.run("ALTER TYPE e RENAME VALUE 'a' TO 'c'").await[0].commit_after);
}

#[tokio::test]
async fn concurrent_indexes_run_outside_and_again() {
    let mut mirror = Mirror::prepared("CREATE TABLE t (a int); INSERT INTO t VALUES (1)").await;

    let plans = mirror.run("CREATE INDEX CONCURRENTLY i ON t (a)").await;
    assert!(plans[0].outside);
    for step in &plans[0].steps {
        mirror.target.run(&step.sql).await.unwrap();
    }
    mirror.assert_equal("a concurrent index, twice").await;
    let invalid = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.i'::regclass";
    mirror.target.run(invalid).await.unwrap();
    for step in &plans[0].steps {
        mirror.target.run(&step.sql).await.unwrap();
    }
    mirror.assert_equal("an invalid leftover").await;
    assert!(mirror.run("DROP INDEX CONCURRENTLY i").await[0].outside);
    mirror.assert_equal("a concurrent drop").await;
}

#[tokio::test]
async fn a_failed_concurrent_index_on_the_source_stays_there() {
    let mut mirror =
        Mirror::prepared("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)").await;

    let failed = mirror
        .source
        .run("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)")
        .await;
    assert!(failed.is_err());
    mirror.run("DROP INDEX i").await;
    mirror.run("ALTER TABLE t ADD COLUMN b int").await;
    mirror.assert_equal("a failed concurrent index").await;
}

/// It makes the indexes above it invalid, too, which the target then has without it.
#[tokio::test]
async fn a_failed_concurrent_index_of_a_partition_is_in_nobodys_way() {
    let mut mirror = Mirror::prepared(
        "CREATE TABLE p (a int, b int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); \
         CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2); INSERT INTO p VALUES (1, 0)",
    )
    .await;

    let failed = mirror
        .source
        .run("CREATE INDEX CONCURRENTLY i_1 ON p1 ((a / b))")
        .await;
    assert!(failed.is_err());
    for sql in [
        "CREATE INDEX i ON p ((a / b))",
        "ALTER INDEX i_1 RENAME TO i_0; COMMENT ON INDEX i_0 IS 'invalid'; ALTER INDEX i_0 SET (fillfactor = 70)",
        "DROP INDEX i",
    ] {
        mirror.run(sql).await;
    }
    mirror
        .assert_equal("a failed concurrent index of a partition")
        .await;
}

#[tokio::test]
async fn drops_are_never_cascaded() {
    let mut mirror = Mirror::prepared(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int REFERENCES a); \
         CREATE TYPE e AS ENUM ('x'); CREATE TABLE c (x int, y e)",
    )
    .await;

    let plans = mirror
        .run("DROP TABLE a CASCADE; DROP TYPE e CASCADE")
        .await;
    assert!(!all_steps(&plans).to_uppercase().contains("CASCADE"));
    mirror.assert_equal("cascaded drops").await;

    mirror
        .target
        .run("CREATE VIEW public.v AS SELECT * FROM public.c")
        .await
        .unwrap();
    mirror.source.run("DROP TABLE c").await.unwrap();
    let entries = mirror.entries().await;
    let plan = pgstream::schema::plan(&entries[0], &|_| true).unwrap();
    let refused = mirror.target.run(&plan.steps[0].sql).await.unwrap_err();
    assert_eq!(refused.code(), Some("2BP01"));
}

#[tokio::test]
async fn keyless_tables_have_an_identity_as_long_as_they_need_it() {
    let mut mirror = Mirror::start().await;
    let identity = async |mirror: &Mirror| {
        let sql = "SELECT relreplident FROM pg_class WHERE relname = 't'";
        query_text(&mirror.source, sql).await.concat()
    };

    for (sql, expected) in [
        ("CREATE TABLE t (a int NOT NULL)", "f"),
        ("ALTER TABLE t ADD PRIMARY KEY (a)", "d"),
        ("ALTER TABLE t DROP CONSTRAINT t_pkey", "f"),
        ("ALTER TABLE t REPLICA IDENTITY NOTHING", "f"),
        ("ALTER TABLE t REPLICA IDENTITY DEFAULT", "f"),
        ("ALTER TABLE t ADD PRIMARY KEY (a) DEFERRABLE", "f"),
        ("CREATE UNIQUE INDEX u ON t (a)", "f"),
        ("ALTER TABLE t REPLICA IDENTITY USING INDEX u", "i"),
        ("ALTER TABLE t DROP CONSTRAINT t_pkey", "i"),
        ("DROP INDEX u", "f"),
        ("ALTER TABLE t SET UNLOGGED", "f"),
    ] {
        mirror.run(sql).await;
        assert_eq!(identity(&mirror).await, expected, "{sql}");
        mirror.assert_equal(sql).await;
    }
    mirror.run("UPDATE t SET a = 2; DELETE FROM t").await;
}

#[tokio::test]
async fn other_kinds_are_reported_and_harm_nothing() {
    let mut mirror = Mirror::prepared("CREATE TABLE t (a int PRIMARY KEY)").await;

    for sql in [
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        "CREATE PUBLICATION other FOR TABLE t",
        "CREATE TYPE shell",
        "DROP PUBLICATION other",
    ] {
        let plans = mirror.run(sql).await;
        let steps = all_steps(&plans);
        assert!(steps.is_empty(), "{sql}\n{steps}");
        let message: usize = plans.iter().map(|plan| plan.not_applied.len()).sum();
        assert_eq!(message, 1, "{sql} {plans:?}");
    }
    mirror.run("ALTER TABLE t ADD COLUMN b int").await;
}

#[tokio::test]
async fn tables_that_the_filter_leaves_out_are_never_touched() {
    let mut mirror = Mirror::prepared("CREATE TABLE t (a int PRIMARY KEY)").await;
    mirror.exclude("public.secret");

    let plans = mirror
        .run(
            "CREATE TABLE secret (id serial PRIMARY KEY, v text CHECK (v <> '')); \
             CREATE INDEX ON secret (v); COMMENT ON COLUMN secret.v IS 'hidden'; \
             ALTER TABLE secret ADD COLUMN r float8 DEFAULT random(); \
             ALTER TABLE t ADD COLUMN s int REFERENCES secret; ALTER TABLE t ADD COLUMN u int; \
             DROP TABLE secret CASCADE",
        )
        .await;

    let steps = all_steps(&plans);
    assert!(!steps.contains("secret"), "{steps}");
    assert!(plans.iter().all(|plan| {
        plan.relations
            .iter()
            .all(|r| !format!("{r:?}").contains("secret"))
    }));
    mirror.assert_equal("a table that was left out").await;
}

#[tokio::test]
async fn passwords_stay_out_of_the_log() {
    let mut mirror = Mirror::start().await;

    mirror
        .source
        .run(
            "CREATE EXTENSION postgres_fdw; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw; \
        CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (user 'u', password 'hunter2')",
        )
        .await
        .unwrap();

    let log = query_text(
        &mirror.source,
        "SELECT schema::text FROM pgstream.schema_log",
    )
    .await;
    assert!(!log.concat().contains("hunter2"), "{log:?}");
    assert!(!mirror.entries().await.is_empty());
}

#[tokio::test]
async fn nobody_makes_us_send_or_drop_what_is_not_theirs() {
    let mut mirror =
        Mirror::prepared("CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let oid = query_text(&mirror.source, "SELECT 't'::regclass::oid")
        .await
        .concat();
    mirror
        .run("CREATE ROLE intruder; CREATE SCHEMA i AUTHORIZATION intruder")
        .await;

    let forged = format!(
        "SET ROLE intruder; BEGIN; SET LOCAL pgstream.rewritten = '{{\"{oid}\": 4}}'; \
         SET LOCAL pgstream.dropped = '[{{\"class\": 1259, \"oid\": {oid}, \"column\": 0, \
           \"original\": true, \"type\": \"table\", \"schema\": \"public\", \"name\": \"t\"}}]'; \
         CREATE TABLE i.x (a int PRIMARY KEY); COMMIT; RESET ROLE"
    );
    let plans = mirror.run(&forged).await;

    assert!(!all_steps(&plans).contains("DROP"), "{}", all_steps(&plans));
    assert!(rewritten(&mirror.source).await.is_empty());
    mirror.assert_equal("a forged setting").await;
}

/// What is recorded otherwise than it would be described now.
const STALE: &str = "\
SELECT o.kind, o.description, d.description
FROM pgstream.object AS o
JOIN pgstream.describe(
  ARRAY(SELECT oid FROM pgstream.object), ARRAY(SELECT oid FROM pgstream.object),
  ARRAY(SELECT oid FROM pgstream.object), '{}', ARRAY(SELECT oid FROM pgstream.object)) AS d USING (class, oid)
WHERE o.description <> d.description";

/// Defaults, definitions and bounds name other objects, whose renames say nothing of them.
#[tokio::test]
async fn what_is_recorded_names_other_objects_as_they_are_called_now() {
    let mirror = Mirror::prepared(
        "CREATE SCHEMA s; CREATE TYPE s.mood AS ENUM ('sad', 'ok'); CREATE SEQUENCE s.numbers; \
         CREATE DOMAIN s.small AS int CHECK (value < 10); CREATE TYPE s.pair AS (m s.mood, n s.small); \
         CREATE FUNCTION s.f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; \
         CREATE TABLE s.t (id int PRIMARY KEY DEFAULT nextval('s.numbers'), m s.mood DEFAULT 'ok', \
           ms s.mood[], p s.pair, n s.small, g int GENERATED ALWAYS AS (s.f(3)) STORED, CHECK (s.f(id) > 0)); \
         CREATE INDEX t_m ON s.t (s.f(id)) WHERE m = 'ok'; \
         CREATE TABLE public.other (id int REFERENCES s.t, m s.mood); \
         CREATE TABLE s.parts (m s.mood) PARTITION BY LIST (m); \
         CREATE TABLE s.part PARTITION OF s.parts FOR VALUES IN ('ok'); \
         CREATE VIEW s.v AS SELECT s.f(id) AS a, m FROM s.t; CREATE FUNCTION s.g(s.t, s.mood) RETURNS s.mood LANGUAGE sql AS 'SELECT $2'; \
         CREATE POLICY p ON s.t USING (s.f(id) > 1 AND m = 'ok'); CREATE STATISTICS s.st ON (s.f(id)) FROM s.t; \
         CREATE RULE r AS ON DELETE TO s.t DO ALSO SELECT s.f(OLD.id)",
    )
    .await;
    let path = "SET search_path = pg_catalog";
    mirror.source.run(path).await.expect("a path");
    for sql in [
        "ALTER SCHEMA s RENAME TO s2",
        "ALTER SEQUENCE s2.numbers RENAME TO counted",
        "ALTER TYPE s2.mood RENAME VALUE 'ok' TO 'fine'",
        "ALTER TYPE s2.mood RENAME TO feeling",
        "ALTER DOMAIN s2.small RENAME TO little",
        "ALTER TYPE s2.pair RENAME ATTRIBUTE n TO k",
        "ALTER FUNCTION s2.f(int) RENAME TO g",
        "ALTER FUNCTION s2.g(int) SET SCHEMA public",
        "ALTER TABLE s2.t RENAME COLUMN id TO number",
        "ALTER TABLE s2.t RENAME TO u",
        "ALTER TABLE s2.u SET SCHEMA public",
        "ALTER TYPE s2.feeling SET SCHEMA public",
    ] {
        mirror.source.run(sql).await.expect(sql);
        let stale = query_text(&mirror.source, STALE).await;
        assert_eq!(stale, Vec::<String>::new(), "{sql}");
    }
}
