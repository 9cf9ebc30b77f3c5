//! Subjects of other tools' test suites that no other file here plays, told anew; the table of `docs/testing.md`
//! says where each of their scenarios is.

use pgstream::config::{Plugin, TableFilter};
use pgstream::engine::Handle;
use pgstream::postgres;
use pgstream::schema::install;
use pgstream::status::CopyState;

use crate::support::flow::{Flow, stop, wait_for};
use crate::support::{connect, execute, query_text, wait_until};

/// What a first copy finds.
const COPIED: &str = r#"
CREATE SCHEMA """abc""";
CREATE TYPE """abc""".state AS ENUM ('planned', 'begun');
CREATE TABLE """abc""".job (id bigint NOT NULL, state """abc""".state DEFAULT 'planned' NOT NULL);
CREATE INDEX "by ""state""" ON """abc""".job (state) WHERE state = 'planned';
INSERT INTO """abc""".job VALUES (1), (2);
CREATE TABLE "a name

of three lines" ("""aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa""" int PRIMARY KEY, "with	tab" text);
INSERT INTO "a name

of three lines" VALUES (1, E'one\r\ntwo'), (2, E'back\\slash');
CREATE TABLE events (id int PRIMARY KEY, name text NOT NULL);
DO $$ BEGIN EXECUTE format('CREATE INDEX of_some ON events (id) WHERE name IN (%s)',
  (SELECT string_agg(quote_literal('some rather long name of an event, number ' || i), ', ') FROM generate_series(1, 60) AS i)); END $$;
CREATE TABLE rooms (id int PRIMARY KEY, room int4range NOT NULL, during tsrange NOT NULL,
  EXCLUDE USING gist (room WITH &&, during WITH &&));
INSERT INTO rooms VALUES (1, '[1,2)', '[2026-01-01,2026-02-01)'), (2, '[1,2)', '[2026-02-01,2026-03-01)');
CREATE TABLE employees (name varchar NOT NULL);
INSERT INTO employees VALUES ('abc');
ALTER TABLE employees ADD CHECK (name !~ 'abc') NOT VALID;
CREATE TABLE parent (id int PRIMARY KEY, a int NOT NULL);
CREATE TABLE child (c jsonb NOT NULL, PRIMARY KEY (id)) INHERITS (parent);
INSERT INTO child SELECT 10000 + i, 1, '[1, 2]' FROM generate_series(1, 100) AS i;
CREATE TABLE only_identity (id int GENERATED ALWAYS AS IDENTITY);
INSERT INTO only_identity DEFAULT VALUES; INSERT INTO only_identity DEFAULT VALUES;
CREATE SEQUENCE small AS smallint; SELECT setval('small', 670);
CREATE SEQUENCE later MINVALUE 671;
CREATE VIEW letters AS SELECT 'foo' COLLATE "C" AS a; CREATE VIEW letters_again AS SELECT * FROM letters;
CREATE TABLE base (id int PRIMARY KEY, name text NOT NULL);
INSERT INTO base VALUES (1, 'a'), (2, 'b');
CREATE FUNCTION atomic() RETURNS bigint STABLE BEGIN ATOMIC
  SELECT count(*) FROM (SELECT b.id, b.name FROM base AS b GROUP BY b.id) AS grouped; END;
CREATE VIEW ring AS SELECT b.id, b.name COLLATE "C" AS name FROM base AS b GROUP BY b.id;
CREATE FUNCTION of_ring() RETURNS SETOF ring LANGUAGE sql STABLE AS 'SELECT id, name FROM public.base';
CREATE OR REPLACE VIEW ring WITH (security_barrier) AS
  SELECT b.id, b.name COLLATE "C" AS name FROM base AS b WHERE b.id IN (SELECT id FROM of_ring()) GROUP BY b.id;
COMMENT ON VIEW ring IS 'needs a function that returns its rows'; COMMENT ON COLUMN ring.name IS 'of one';
ALTER VIEW ring ALTER name SET DEFAULT 'none'; CREATE VIEW on_ring AS SELECT * FROM ring;
CREATE FUNCTION plpgsql_call_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql';
CREATE TABLE documents (id int PRIMARY KEY, body text, words tsvector);
CREATE TRIGGER words BEFORE INSERT OR UPDATE ON documents FOR EACH ROW
  EXECUTE FUNCTION tsvector_update_trigger(words, 'pg_catalog.english', body);
INSERT INTO documents VALUES (1, 'many words in a document');
"#;

/// What then happens, each in a transaction of its own.
const STREAMED: &[&str] = &[
    // A schema gets the name of another in one transaction that writes to both.
    "CREATE SCHEMA one; CREATE TABLE one.t (c int)",
    "INSERT INTO one.t VALUES (1); ALTER SCHEMA one RENAME TO two; CREATE SCHEMA one; CREATE TABLE one.t (c int); \
     INSERT INTO one.t VALUES (2); INSERT INTO two.t VALUES (3)",
    // Another index identifies the rows from now on.
    "CREATE TABLE ident (a int NOT NULL, b int NOT NULL); CREATE UNIQUE INDEX ident_a ON ident (a); \
     CREATE UNIQUE INDEX ident_b ON ident (b); ALTER TABLE ident REPLICA IDENTITY USING INDEX ident_a",
    "INSERT INTO ident VALUES (1, 1), (2, 2); UPDATE ident SET b = 3 WHERE a = 2",
    "ALTER TABLE ident REPLICA IDENTITY USING INDEX ident_b; UPDATE ident SET a = -a WHERE a = 1; DELETE FROM ident WHERE a = 2",
    // Whole rows that are older than one of their columns, and than a column that went.
    "CREATE TABLE older (a int, gone int); ALTER TABLE older REPLICA IDENTITY FULL; INSERT INTO older VALUES (1, 1)",
    "ALTER TABLE older ADD b bool DEFAULT false NOT NULL; INSERT INTO older VALUES (2, 2, true)",
    "UPDATE older SET a = a + 1",
    "ALTER TABLE older DROP gone, ADD c text DEFAULT 'x'",
    "DELETE FROM older WHERE a = 2; UPDATE older SET c = NULL",
    // Names of columns that differ in their case, their quotes and their blanks only; they come and go.
    "CREATE TABLE letters_of (id int PRIMARY KEY, a int, \"A\" int, \" a \" int, \"\"\"a\"\"\" int); \
     INSERT INTO letters_of VALUES (1, 2, 3, 4, 5)",
    "ALTER TABLE letters_of ADD \"a\tb\" text DEFAULT 'tab', ADD \"ä'\" int; UPDATE letters_of SET \"A\" = 7, \" a \" = 8",
    "ALTER TABLE letters_of DROP a, DROP \" a \"; INSERT INTO letters_of VALUES (2, 3, 4, 'x', 5)",
    "ALTER TABLE letters_of RENAME \"A\" TO a; UPDATE letters_of SET \"\"\"a\"\"\" = a; DELETE FROM letters_of WHERE id = 1",
    // One column after the other, and one of the same name with another type, between rows of one transaction.
    "CREATE TABLE columns (id int PRIMARY KEY, b int, c int, d int); INSERT INTO columns VALUES (1, 1, 1, 1)",
    "ALTER TABLE columns DROP b; ALTER TABLE columns DROP c; INSERT INTO columns VALUES (2, 2); \
     ALTER TABLE columns ADD c text; INSERT INTO columns VALUES (3, 3, 'three'); ALTER TABLE columns DROP d; \
     UPDATE columns SET c = 'one' WHERE id = 1",
    // The columns of a key in another order than the table's.
    "CREATE TABLE keys (a int, b int, c int, PRIMARY KEY (c, a)); INSERT INTO keys VALUES (1, 2, 3), (2, 3, 4), (3, 4, 5)",
    "UPDATE keys SET b = 9 WHERE c = 3; ALTER TABLE keys DROP CONSTRAINT keys_pkey, ADD PRIMARY KEY (b, a)",
    "UPDATE keys SET c = 0 WHERE b = 3; DELETE FROM keys WHERE b = 4; UPDATE keys SET b = 1, a = 7 WHERE b = 9",
    // The hour that is there twice, years before the calendar, and the end of a day.
    "CREATE TABLE times (id int PRIMARY KEY, t timestamptz, l timestamp, z timetz, d date); SET TimeZone = 'Europe/Berlin'; \
     INSERT INTO times SELECT i, '2026-10-25 01:30+02'::timestamptz + i * interval '30 min', '2026-03-29 02:30', '24:00:00+14', \
     'infinity' FROM generate_series(0, 4) AS i; RESET TimeZone",
    "INSERT INTO times VALUES (10, '1582-10-10 12:00+00', '0044-03-15 12:00 BC', '00:00-15:59', '4713-01-01 BC')",
    "UPDATE times SET l = t AT TIME ZONE 'America/New_York' WHERE id < 3; DELETE FROM times WHERE id = 10",
    // Rows that one record of the log holds together, and a unique index that not every row is in.
    "CREATE TABLE poured (a int PRIMARY KEY, b int DEFAULT 2); CREATE UNIQUE INDEX ON poured (b) WHERE b > 2; \
     COPY poured (a) FROM PROGRAM 'seq 1 2000'",
    "UPDATE poured SET b = a WHERE a % 7 = 3; DELETE FROM poured WHERE a > 1900; INSERT INTO poured VALUES (2001), (2002)",
    // A default calls a function.
    "CREATE FUNCTION next_of(n int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT n + 1'; \
     CREATE TABLE called (a int PRIMARY KEY, b int DEFAULT next_of(20), c timestamptz DEFAULT clock_timestamp())",
    "INSERT INTO called VALUES (1), (2); INSERT INTO called VALUES (3, 4)",
    // A view and a function that need each other.
    "CREATE VIEW grouped AS SELECT b.id, b.name FROM base AS b GROUP BY b.id; \
     CREATE FUNCTION of_view() RETURNS SETOF grouped LANGUAGE sql STABLE AS 'SELECT id, name FROM public.base'",
    "CREATE OR REPLACE VIEW grouped AS SELECT b.id, b.name FROM base AS b WHERE b.id IN (SELECT id FROM of_view()) GROUP BY b.id",
    // A trigger of the source writes a column.
    "UPDATE documents SET body = 'other words'; INSERT INTO documents VALUES (2, 'words again')",
    // What was copied goes on.
    "UPDATE \"\"\"abc\"\"\".job SET state = 'begun' WHERE id = 1; DELETE FROM \"\"\"abc\"\"\".job WHERE id = 2",
    "UPDATE \"a name\n\nof three lines\" SET \"with\ttab\" = E'tab\\t' WHERE \"with\ttab\" ~ 'back'",
    "UPDATE rooms SET during = '[2027-01-01,2027-02-01)' WHERE id = 1; INSERT INTO rooms VALUES (3, '[1,2)', '[2026-01-01,2026-02-01)')",
    "INSERT INTO only_identity DEFAULT VALUES; DELETE FROM only_identity WHERE id = 1",
    "DELETE FROM employees; UPDATE child SET a = id; DELETE FROM parent WHERE id > 10050; INSERT INTO base VALUES (3, 'c')",
];

async fn copied(engine: &Handle) {
    wait_for(engine, "every table is copied", |status| {
        status.snapshot.as_ref().is_some_and(|copies| {
            let mut tables = copies.tables.iter();
            !copies.tables.is_empty() && tables.all(|table| table.state == CopyState::Ready)
        })
    })
    .await;
}

async fn copied_and_streamed(plugin: Plugin) {
    let mut flow = Flow::bare().await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.pipeline.snapshot.enabled = true;
    flow.run(COPIED).await;
    flow.init(plugin).await;
    let engine = flow.start();
    copied(&engine).await;

    for sql in STREAMED {
        flow.run(sql).await;
    }

    flow.equal().await;
    flow.acknowledged().await;
    for look in [
        "SELECT pg_get_viewdef('grouped'::regclass), (SELECT string_agg(name, '' ORDER BY id) FROM grouped), atomic()",
        "SELECT pg_get_viewdef('ring'::regclass), c.reloptions, obj_description(c.oid), (SELECT count(*) FROM on_ring), \
           col_description(c.oid, 2), (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = c.oid) \
         FROM pg_class AS c WHERE c.relname = 'ring'",
        "SELECT id, t, l, z, d FROM times ORDER BY id",
        "SELECT id, words FROM documents ORDER BY id",
        "SELECT last_value FROM small",
    ] {
        let expected = query_text(&flow.source, look).await;
        assert_eq!(query_text(&flow.target, look).await, expected, "{look}");
    }
    stop(engine).await;
}

#[tokio::test]
async fn what_other_suites_copy_and_stream_is_equal() {
    copied_and_streamed(Plugin::Pgoutput).await;
}

#[tokio::test]
async fn what_other_suites_copy_and_stream_is_equal_with_wal2json() {
    copied_and_streamed(Plugin::Wal2json).await;
}

/// What inherits from it is another table.
#[tokio::test]
async fn a_parent_alone_comes_without_the_rows_of_its_children() {
    let mut flow = Flow::bare().await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.pipeline.filter = TableFilter::parse("parent", "").expect("a filter");
    flow.pipeline.snapshot.enabled = true;
    flow.run(
        "CREATE TABLE parent (id int PRIMARY KEY, v text); CREATE TABLE child () INHERITS (parent); \
         INSERT INTO parent VALUES (1, 'parent'); INSERT INTO child VALUES (2, 'child')",
    )
    .await;
    flow.init(Plugin::Pgoutput).await;
    let engine = flow.start();
    copied(&engine).await;

    flow.run("UPDATE parent SET v = v || '!'; INSERT INTO child VALUES (3, 'child'); INSERT INTO parent VALUES (4, 'last')")
        .await;

    flow.shows(
        "SELECT id, v FROM parent ORDER BY id",
        &["1|parent!", "4|last"],
    )
    .await;
    flow.shows("SELECT to_regclass('child')", &["∅"]).await;
    stop(engine).await;
}

/// Each of these is one transaction that many tables have part in.
#[tokio::test]
async fn a_transaction_over_many_tables_arrives_whole() {
    let all = |sql: &str| {
        format!(
            "DO $do$ BEGIN FOR i IN 1..60 LOOP {sql} END LOOP; END $do$",
            sql = sql
                .split("; ")
                .map(|sql| format!("EXECUTE format($${sql}$$, i);"))
                .collect::<String>()
        )
    };
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let flow = Flow::schema(plugin).await;
        let engine = flow.start();
        flow.run(&all(
            "CREATE TABLE many_%1$s (id int PRIMARY KEY, v int); INSERT INTO many_%1$s VALUES (1, %1$s), (2, 2)",
        ))
        .await;
        flow.run(&all(
            "UPDATE many_%1$s SET v = -v; DELETE FROM many_%1$s WHERE id = 2",
        ))
        .await;
        flow.equal().await;
        flow.run(&all("DROP TABLE many_%1$s")).await;
        flow.shows(
            "SELECT count(*) FROM pg_tables WHERE tablename ~ '^many_'",
            &["0"],
        )
        .await;
        stop(engine).await;
    }
}

#[tokio::test]
async fn a_slot_may_be_called_by_a_number() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let mut flow = Flow::bare().await;
        flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
        let slot: pgstream::config::SlotName = "12345".parse().expect("a slot name");
        flow.pipeline.slot = Some(slot.clone());
        let source = postgres::connect(&flow.pipeline.source, "test").await;
        let source = source.expect("a session on the source");
        let done = install::init(&source, &slot, plugin).await;
        done.expect("initialised");
        let engine = flow.start();
        flow.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
            .await;
        flow.equal().await;
        stop(engine).await;
    }
}

/// The server ends our transaction to resolve a deadlock; it comes again.
#[tokio::test]
async fn a_deadlock_with_a_user_of_the_target_is_got_over() {
    let schema = "CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY, v int); \
                  CREATE TABLE c (id int PRIMARY KEY, v int); INSERT INTO a VALUES (1, 0); INSERT INTO b VALUES (1, 0); \
                  INSERT INTO c VALUES (1, 0)";
    let flow = Flow::rows("pgoutput", schema).await;
    let url = flow.target_cluster.url("postgres");
    let (between, other) = (connect(&url).await, connect(&url).await);
    execute(&between, "BEGIN; UPDATE b SET v = 5").await;
    // Only ours looks for deadlocks.
    execute(
        &other,
        "SET deadlock_timeout = '1h'; BEGIN; UPDATE c SET v = 5",
    )
    .await;
    let engine = flow.start();
    flow.run("BEGIN; UPDATE a SET v = 1; UPDATE b SET v = 1; UPDATE c SET v = 1; COMMIT")
        .await;
    waits(&flow, "%UPDATE ONLY%\"b\"%").await;
    let crossing = execute(&other, "UPDATE a SET v = 5");
    let released = async {
        waits(&flow, "UPDATE a SET v = 5").await;
        execute(&between, "ROLLBACK").await;
    };
    // It goes on as ours is ended.
    tokio::join!(crossing, released);
    execute(&other, "ROLLBACK").await;
    flow.equal().await;
    flow.shows(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'",
        &["1"],
    )
    .await;
    stop(engine).await;
}

/// Waits until a statement like this waits for a lock on the target.
async fn waits(flow: &Flow, statement: &str) {
    let look = format!(
        "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '{statement}'"
    );
    wait_until("somebody waits", || async {
        match query_text(&flow.target, &look).await.is_empty() {
            true => Err(query_text(
                &flow.target,
                "SELECT query, wait_event FROM pg_stat_activity",
            )
            .await
            .join("; ")),
            false => Ok(()),
        }
    })
    .await;
}
