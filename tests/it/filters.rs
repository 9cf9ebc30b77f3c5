//! What a filter means when names, schemas, owners and attachments change.

use pgstream::config::{LeftOut, Plugin, TableFilter};
use pgstream::engine::Handle;
use pgstream::status::{CopyState, Failure, Status};

use crate::support::flow::{Flow, stop, wait_for};
use crate::support::oracle::assert_equal_tables;
use crate::support::{execute, query_text};

mod model;

/// A stream between two servers that both have this already, through a filter.
async fn filtered(plugin: Plugin, (include, exclude): (&str, &str), source: &str) -> Flow {
    let mut flow = Flow::bare().await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.pipeline.filter = TableFilter::parse(include, exclude).expect("a filter");
    execute(&flow.source, source).await;
    flow.init(plugin).await;
    flow
}

/// Waits until nothing is to be copied any more.
async fn copied(engine: &Handle) {
    wait_for(engine, "every table is copied", |status| {
        status.snapshot.as_ref().is_some_and(|copies| {
            let mut tables = copies.tables.iter();
            tables.all(|table| table.state == CopyState::Ready)
        })
    })
    .await;
}

/// Waits until a table cannot be copied, and returns why.
async fn not_copied(engine: &Handle) -> Failure {
    wait_for(engine, "a table fails", |status| {
        failed_copy(status).is_some()
    })
    .await;
    let status = engine.status().borrow().clone();
    failed_copy(&status).expect("it failed")
}

fn failed_copy(status: &Status) -> Option<Failure> {
    let mut tables = status
        .snapshot
        .iter()
        .flat_map(|copies| copies.tables.iter());
    let failed = tables.find(|table| table.state == CopyState::Failed)?;
    failed.failure.clone()
}

const KEYS: &str = "\
SELECT conname, condeferrable, convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY 1";

#[tokio::test]
async fn a_key_to_a_table_left_out_may_change_as_it_likes() {
    let flow = filtered(Plugin::Pgoutput, ("", "staff"), "").await;
    let engine = flow.start();
    flow.run(
        "CREATE TABLE staff (id int PRIMARY KEY); \
         CREATE TABLE pay (id int PRIMARY KEY, staff int CONSTRAINT k REFERENCES staff)",
    )
    .await;
    flow.run("ALTER TABLE pay RENAME CONSTRAINT k TO k2").await;
    flow.run("ALTER TABLE pay ALTER CONSTRAINT k2 DEFERRABLE INITIALLY DEFERRED")
        .await;
    flow.run("COMMENT ON CONSTRAINT k2 ON pay IS 'who'").await;
    flow.run("ALTER TABLE pay ADD CONSTRAINT k3 FOREIGN KEY (id) REFERENCES staff NOT VALID")
        .await;
    flow.run("ALTER TABLE pay VALIDATE CONSTRAINT k3").await;
    flow.run("ALTER TABLE pay DROP CONSTRAINT k3, DROP CONSTRAINT k2")
        .await;
    flow.run("INSERT INTO staff VALUES (1); INSERT INTO pay VALUES (1, 1)")
        .await;

    assert_equal_tables(&flow.source, &flow.target, &["public.pay"]).await;
    flow.shows(KEYS, &[]).await;
    flow.shows("SELECT to_regclass('staff')", &["∅"]).await;
    stop(engine).await;
}

/// A key needs every row of the table that it points to: without a partition it is not made, and goes where the
/// filter comes to leave one out.
#[tokio::test]
async fn a_key_to_a_table_of_which_a_part_is_left_out_stays_on_the_source() {
    let flow = filtered(Plugin::Pgoutput, ("", "x*"), "").await;
    let engine = flow.start();
    flow.run(
        "CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY LIST (id); \
         CREATE TABLE low PARTITION OF whole FOR VALUES IN (1); \
         CREATE TABLE pay (id int PRIMARY KEY, w int CONSTRAINT k REFERENCES whole)",
    )
    .await;
    flow.run("INSERT INTO whole VALUES (1); INSERT INTO pay VALUES (1, 1)")
        .await;
    flow.shows(KEYS_OF_TABLES, &["k"]).await;
    flow.run("ALTER TABLE pay RENAME CONSTRAINT k TO k2").await;
    flow.shows(KEYS_OF_TABLES, &["k2"]).await;

    flow.run("CREATE TABLE x PARTITION OF whole FOR VALUES IN (2)")
        .await;
    flow.run("INSERT INTO whole VALUES (2); INSERT INTO pay VALUES (2, 2)")
        .await;
    flow.run("ALTER TABLE pay RENAME CONSTRAINT k2 TO k3").await;
    flow.run("ALTER TABLE pay ADD CONSTRAINT another FOREIGN KEY (id) REFERENCES whole")
        .await;
    flow.run("ALTER TABLE pay DROP CONSTRAINT another; UPDATE pay SET w = NULL WHERE id = 2")
        .await;
    flow.run("ALTER TABLE whole DETACH PARTITION x; ALTER TABLE pay DROP CONSTRAINT k3")
        .await;
    flow.run("INSERT INTO pay VALUES (3, 3)").await;

    assert_equal_tables(&flow.source, &flow.target, &["public.pay", "public.low"]).await;
    flow.shows(KEYS_OF_TABLES, &[]).await;
    let said = "SELECT not_applied::text FROM pgstream.schema_change WHERE not_applied::text ~ 'constraint' ORDER BY commit_lsn";
    let said = query_text(&flow.target, said).await.join("\n");
    assert!(
        said.contains("leaves out a part of the table that it refers to"),
        "{said}"
    );
    assert!(
        said.contains("it refers to public.x, which the filter leaves out"),
        "{said}"
    );
    stop(engine).await;
}

/// What stayed on the source meanwhile comes as the source has it by then.
#[tokio::test]
async fn keys_come_when_no_part_is_left_out_any_more() {
    let flow = filtered(Plugin::Pgoutput, ("", "x*"), "").await;
    let engine = flow.start();
    flow.run(
        "CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY LIST (id); \
         CREATE TABLE low PARTITION OF whole FOR VALUES IN (1); \
         CREATE TABLE high PARTITION OF whole FOR VALUES IN (2); \
         CREATE TABLE pay (id int PRIMARY KEY, w int CONSTRAINT k REFERENCES whole)",
    )
    .await;
    flow.run("INSERT INTO whole VALUES (1), (2); INSERT INTO pay VALUES (1, 1), (2, 2)")
        .await;
    flow.run("ALTER TABLE high RENAME TO x").await;
    flow.shows(KEYS_OF_TABLES, &[]).await;
    flow.run("ALTER TABLE pay RENAME CONSTRAINT k TO k1").await;
    flow.run("ALTER TABLE x RENAME TO high").await;
    flow.shows(KEYS_OF_TABLES, &["k1"]).await;
    flow.run("ALTER TABLE pay DROP CONSTRAINT k1").await;

    flow.run("CREATE TABLE x PARTITION OF whole FOR VALUES IN (3)")
        .await;
    flow.run(
        "ALTER TABLE pay ADD CONSTRAINT k2 FOREIGN KEY (w) REFERENCES whole ON DELETE CASCADE",
    )
    .await;
    flow.shows(KEYS_OF_TABLES, &[]).await;
    flow.run("ALTER TABLE whole DETACH PARTITION x").await;
    flow.shows(KEYS_OF_TABLES, &["k2"]).await;
    flow.run("DELETE FROM whole WHERE id = 2").await;
    flow.shows("SELECT id, w FROM pay", &["1|1"]).await;
    stop(engine).await;
}

/// They are asked for in the transaction that leaves nothing out any more, and remembered until they stand.
#[cfg(feature = "failpoints")]
#[tokio::test]
async fn keys_come_though_the_process_dies_on_the_way() {
    let flow = filtered(Plugin::Pgoutput, ("", "x*"), "").await;
    let engine = flow.start();
    flow.run(
        "CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY LIST (id); \
         CREATE TABLE x PARTITION OF whole FOR VALUES IN (1); \
         CREATE TABLE pay (id int PRIMARY KEY, w int CONSTRAINT k REFERENCES whole)",
    )
    .await;
    flow.acknowledged().await;
    stop(engine).await;
    execute(&flow.source, "ALTER TABLE whole DETACH PARTITION x").await;

    let run = || crate::chaos::run(&flow).env("PGSTREAM_FILTER_EXCLUDE_TABLES", "x*");
    for point in [
        pgstream::fault::SNAPSHOT_BEFORE_TABLES,
        pgstream::fault::SNAPSHOT_AFTER_TABLES,
    ] {
        let armed = run().env("FAILPOINTS", &format!("{point}=return"));
        let died = armed.spawn().outcome().await;
        assert_eq!(died.code, None, "{point}: it did not die:\n{}", died.stderr);
        flow.shows(KEYS_OF_TABLES, &[]).await;
    }
    let running = run().spawn();
    flow.shows(KEYS_OF_TABLES, &["k"]).await;
    flow.shows("SELECT object FROM pgstream.snapshot_step", &[])
        .await;
    assert_eq!(running.terminate().await.code, Some(0));
}

const KEYS_OF_TABLES: &str =
    "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 ORDER BY 1";

async fn renamed_and_back(plugin: Plugin) {
    let start = "CREATE SCHEMA attic; CREATE TABLE hidden (id serial PRIMARY KEY, v text); \
                 INSERT INTO hidden (v) VALUES ('before')";
    let flow = filtered(plugin, ("", "hidden attic.*"), start).await;
    execute(&flow.target, "CREATE SCHEMA attic").await;
    let engine = flow.start();
    flow.run("CREATE TABLE pay (id int PRIMARY KEY, h int)")
        .await;
    flow.run("INSERT INTO pay VALUES (1, 1)").await;

    flow.run("ALTER TABLE hidden RENAME TO shown").await;
    flow.run("INSERT INTO shown (v) VALUES ('shown')").await;
    assert_equal_tables(&flow.source, &flow.target, &["public.shown", "public.pay"]).await;
    copied(&engine).await;
    execute(&flow.target, "CREATE VIEW of_target AS SELECT v FROM shown").await;
    flow.run("ALTER TABLE pay ADD CONSTRAINT k FOREIGN KEY (h) REFERENCES shown")
        .await;
    assert_equal_tables(&flow.source, &flow.target, &["public.shown", "public.pay"]).await;

    flow.run("ALTER TABLE shown SET SCHEMA attic").await;
    flow.run("INSERT INTO attic.shown (v) VALUES ('attic'); INSERT INTO pay VALUES (2, 3)")
        .await;
    flow.shows("SELECT id FROM pay ORDER BY 1", &["1", "2"])
        .await;
    flow.shows("SELECT v FROM attic.shown ORDER BY 1", &["before", "shown"])
        .await;
    flow.shows(KEYS, &[]).await;
    let said = "SELECT count(*) FROM pgstream.schema_change WHERE array_to_string(not_applied, ' ') ~ \
                'rows of attic.shown: the filter leaves it out'";
    flow.shows(said, &["1"]).await;

    flow.run("ALTER TABLE attic.shown SET SCHEMA public").await;
    flow.run("INSERT INTO shown (v) VALUES ('again'); INSERT INTO pay VALUES (3, 4)")
        .await;
    assert_equal_tables(&flow.source, &flow.target, &["public.shown", "public.pay"]).await;
    flow.shows(KEYS, &["k|f|t"]).await;
    flow.shows(
        "SELECT v FROM of_target ORDER BY 1",
        &["again", "attic", "before", "shown"],
    )
    .await;
    flow.run(
        "BEGIN; ALTER TABLE shown RENAME TO hidden; INSERT INTO hidden (v) VALUES ('x'); \
              ALTER TABLE hidden RENAME TO shown; COMMIT",
    )
    .await;
    flow.run("UPDATE shown SET v = v || '!'").await;
    assert_equal_tables(&flow.source, &flow.target, &["public.shown", "public.pay"]).await;
    stop(engine).await;
}

#[tokio::test]
async fn a_table_that_enters_is_copied_and_one_that_leaves_is_left_alone() {
    renamed_and_back(Plugin::Pgoutput).await;
}

#[tokio::test]
async fn a_table_that_enters_is_copied_and_one_that_leaves_is_left_alone_with_wal2json() {
    renamed_and_back(Plugin::Wal2json).await;
}

/// A key that was never made here, since the table that it refers to was left out, comes with that table.
#[tokio::test]
async fn a_key_comes_with_the_table_that_it_refers_to() {
    let start = "CREATE TABLE staff (id int PRIMARY KEY); INSERT INTO staff VALUES (1)";
    let flow = filtered(Plugin::Pgoutput, ("", "staff"), start).await;
    let engine = flow.start();
    flow.run("CREATE TABLE pay (id int PRIMARY KEY, s int CONSTRAINT k REFERENCES staff); INSERT INTO pay VALUES (1, 1)")
        .await;
    flow.run("ALTER TABLE pay RENAME CONSTRAINT k TO k2").await;
    flow.shows("SELECT id FROM pay", &["1"]).await;
    flow.shows(KEYS, &[]).await;

    flow.run("ALTER TABLE staff RENAME TO crowd").await;
    flow.run("INSERT INTO crowd VALUES (2); INSERT INTO pay VALUES (2, 2)")
        .await;

    flow.shows(KEYS, &["k2|f|t"]).await;
    assert_equal_tables(&flow.source, &flow.target, &["public.crowd", "public.pay"]).await;
    stop(engine).await;
}

/// A table that left, and to which somebody wrote since, is not emptied when it comes back.
#[tokio::test]
async fn rows_of_others_in_a_table_that_comes_back_stay() {
    let start = "CREATE SCHEMA attic; CREATE TABLE t (id int PRIMARY KEY, v text)";
    let flow = filtered(Plugin::Pgoutput, ("", "attic.*"), start).await;
    execute(&flow.target, start).await;
    let engine = flow.start();
    flow.run("INSERT INTO t VALUES (1, 'ours'); ALTER TABLE t SET SCHEMA attic")
        .await;
    flow.shows("SELECT v FROM attic.t", &["ours"]).await;
    execute(&flow.target, "INSERT INTO attic.t VALUES (2, 'theirs')").await;
    flow.run("ALTER TABLE attic.t SET SCHEMA public; CREATE TABLE other (id int PRIMARY KEY)")
        .await;
    flow.run("INSERT INTO t VALUES (3, 'new'); INSERT INTO other VALUES (1)")
        .await;

    let failure = not_copied(&engine).await;

    let expected = "rows were written to it on the target since the filter left it out";
    assert!(failure.message.contains(expected), "{failure:?}");
    assert!(
        failure
            .hint
            .is_some_and(|hint| hint.contains("empty or drop those tables on the target"))
    );
    flow.shows("SELECT id FROM other", &["1"]).await;
    flow.shows("SELECT v FROM t ORDER BY id", &["ours", "theirs"])
        .await;
    stop(engine).await;

    execute(&flow.target, "TRUNCATE t").await;
    let engine = flow.start();
    assert_equal_tables(&flow.source, &flow.target, &["public.t", "public.other"]).await;
    copied(&engine).await;
    stop(engine).await;
}

/// What has the name of a table that enters, and was never of the stream, is not touched.
#[tokio::test]
async fn a_table_of_the_target_with_the_name_of_one_that_enters_stays() {
    let flow = filtered(
        Plugin::Pgoutput,
        ("", "hidden"),
        "CREATE TABLE hidden (id int)",
    )
    .await;
    execute(
        &flow.target,
        "CREATE TABLE shown (id int); INSERT INTO shown VALUES (7)",
    )
    .await;
    let engine = flow.start();
    flow.run("ALTER TABLE hidden RENAME TO shown; INSERT INTO shown VALUES (1)")
        .await;

    let failure = not_copied(&engine).await;

    assert!(
        failure
            .message
            .contains("it has rows on the target already"),
        "{failure:?}"
    );
    flow.shows("SELECT id FROM shown", &["7"]).await;
    stop(engine).await;
    execute(&flow.target, "DROP TABLE shown").await;
    let engine = flow.start();
    assert_equal_tables(&flow.source, &flow.target, &["public.shown"]).await;
    stop(engine).await;
}

/// The definition of what was left is out of date: it is made anew, with its keys and indexes.
#[tokio::test]
async fn a_table_that_was_altered_while_it_was_left_out_is_made_anew() {
    let start =
        "CREATE TABLE t (id serial PRIMARY KEY, a text UNIQUE, b int); CREATE INDEX i ON t (b)";
    let flow = filtered(Plugin::Wal2json, ("", "gone"), start).await;
    execute(&flow.target, start).await;
    let engine = flow.start();
    flow.run("INSERT INTO t (a, b) VALUES ('x', 1); ALTER TABLE t RENAME TO gone")
        .await;
    flow.run(
        "ALTER TABLE gone DROP CONSTRAINT t_a_key; DROP INDEX i; ALTER TABLE gone RENAME TO t",
    )
    .await;
    flow.run("INSERT INTO t (a, b) VALUES ('x', 2)").await;
    assert_equal_tables(&flow.source, &flow.target, &["public.t"]).await;
    flow.run("ALTER TABLE t RENAME TO gone").await;
    flow.run("ALTER TABLE gone RENAME COLUMN a TO c; ALTER TABLE gone ADD d int DEFAULT 4, ADD UNIQUE (d, id)")
        .await;
    flow.run("ALTER TABLE gone RENAME TO t; INSERT INTO t (c, b) VALUES ('y', 3)")
        .await;
    assert_equal_tables(&flow.source, &flow.target, &["public.t"]).await;
    copied(&engine).await;
    stop(engine).await;
}

#[tokio::test]
async fn what_is_attached_enters_and_what_is_detached_leaves() {
    let start = "CREATE TABLE loose (id int PRIMARY KEY, v text); INSERT INTO loose VALUES (15, 'loose'); \
                 CREATE TABLE whole (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); \
                 CREATE TABLE low PARTITION OF whole FOR VALUES FROM (0) TO (10)";
    let flow = filtered(Plugin::Pgoutput, ("whole", ""), start).await;
    execute(
        &flow.target,
        "CREATE TABLE whole (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); \
         CREATE TABLE low PARTITION OF whole FOR VALUES FROM (0) TO (10)",
    )
    .await;
    let engine = flow.start();
    flow.run("INSERT INTO whole VALUES (1, 'a')").await;
    flow.shows("SELECT id FROM whole ORDER BY 1", &["1"]).await;

    flow.run("ALTER TABLE whole ATTACH PARTITION loose FOR VALUES FROM (10) TO (20)")
        .await;
    flow.run("INSERT INTO whole VALUES (16, 'b')").await;
    flow.shows("SELECT id FROM whole ORDER BY 1", &["1", "15", "16"])
        .await;
    assert_equal_tables(
        &flow.source,
        &flow.target,
        &["public.whole", "public.low", "public.loose"],
    )
    .await;

    flow.run("ALTER TABLE whole DETACH PARTITION low; INSERT INTO low VALUES (2, 'c')")
        .await;
    flow.run("INSERT INTO whole VALUES (17, 'd')").await;
    flow.shows("SELECT id FROM whole ORDER BY 1", &["15", "16", "17"])
        .await;
    flow.shows("SELECT id FROM low ORDER BY 1", &["1"]).await;
    flow.run("ALTER TABLE whole ATTACH PARTITION low FOR VALUES FROM (0) TO (10)")
        .await;
    flow.shows(
        "SELECT id FROM whole ORDER BY 1",
        &["1", "2", "15", "16", "17"],
    )
    .await;
    stop(engine).await;
}

#[tokio::test]
async fn a_sequence_may_change_to_an_owner_on_the_other_side_of_the_filter() {
    let start =
        "CREATE TABLE foo (id bigserial PRIMARY KEY, n int); CREATE SEQUENCE of_foo OWNED BY foo.n";
    let flow = filtered(Plugin::Pgoutput, ("", "foo"), start).await;
    let engine = flow.start();
    flow.run("CREATE TABLE cp (LIKE foo INCLUDING ALL); INSERT INTO cp DEFAULT VALUES")
        .await;
    flow.run("CREATE TABLE t (id int PRIMARY KEY, n int); CREATE SEQUENCE own OWNED BY t.n")
        .await;
    flow.run("SELECT nextval('of_foo'); ALTER SEQUENCE of_foo OWNED BY t.id")
        .await;
    flow.run("ALTER SEQUENCE of_foo RENAME TO of_t").await;
    flow.run("ALTER SEQUENCE own OWNED BY foo.n").await;
    flow.run("ALTER SEQUENCE own RENAME TO lent; ALTER SEQUENCE lent INCREMENT 3")
        .await;
    flow.run("ALTER SEQUENCE lent OWNED BY NONE; ALTER SEQUENCE lent RENAME TO free")
        .await;
    flow.run("ALTER SEQUENCE of_t OWNED BY NONE; INSERT INTO t VALUES (1); SELECT nextval('free')")
        .await;

    assert_equal_tables(&flow.source, &flow.target, &["public.t", "public.cp"]).await;
    let sequences = "SELECT c.relname, s.seqincrement, (SELECT d.refobjid::regclass FROM pg_depend d WHERE \
                     d.objid = c.oid AND d.deptype = 'a' AND d.refobjsubid > 0) \
                     FROM pg_class c JOIN pg_sequence s ON s.seqrelid = c.oid \
                     WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1";
    flow.shows(sequences, &["foo_id_seq|1|∅", "free|3|∅", "of_t|1|∅"])
        .await;
    flow.shows(
        "SELECT last_value FROM free UNION ALL SELECT last_value FROM of_t",
        &["1", "1"],
    )
    .await;
    flow.run("DROP TABLE foo CASCADE").await;
    flow.run("INSERT INTO t VALUES (2)").await;
    assert_equal_tables(&flow.source, &flow.target, &["public.t"]).await;
    stop(engine).await;
}

/// What was renamed while nothing ran is as it was when the stream gets to it.
#[tokio::test]
async fn tables_cross_the_filter_while_no_engine_runs() {
    let flow = filtered(
        Plugin::Pgoutput,
        ("", "hidden"),
        "CREATE TABLE hidden (id int PRIMARY KEY)",
    )
    .await;
    let engine = flow.start();
    flow.run("CREATE TABLE t (id int PRIMARY KEY)").await;
    flow.acknowledged().await;
    stop(engine).await;
    flow.run("INSERT INTO hidden VALUES (1); ALTER TABLE hidden RENAME TO shown")
        .await;
    flow.run("INSERT INTO shown VALUES (2); ALTER TABLE shown RENAME TO hidden")
        .await;
    flow.run("ALTER TABLE hidden RENAME TO shown; INSERT INTO shown VALUES (3)")
        .await;

    let engine = flow.start();

    assert_equal_tables(&flow.source, &flow.target, &["public.shown", "public.t"]).await;
    copied(&engine).await;
    let left = query_text(&flow.target, "SELECT to_regclass('hidden')").await;
    assert_eq!(left, ["∅"]);
    stop(engine).await;
}

const APP: &str = "\
CREATE SCHEMA app; CREATE SEQUENCE app.inv START 1000; CREATE TYPE app.unused AS ENUM ('a', 'b'); \
CREATE DOMAIN app.code AS text; CREATE TYPE app.pair AS (n int, t text); \
CREATE TABLE app.t (id int PRIMARY KEY, v text)";

/// What the schema has that no table needs, the stream alters and tables begin to need.
const APP_CHANGES: [&str; 8] = [
    "ALTER SEQUENCE app.inv INCREMENT 5 MAXVALUE 5000",
    "ALTER TYPE app.unused ADD VALUE 'c'",
    "ALTER DOMAIN app.code ADD CONSTRAINT short CHECK (length(VALUE) < 9)",
    "ALTER TYPE app.pair ADD ATTRIBUTE u int",
    "ALTER TABLE app.t ALTER id SET DEFAULT nextval('app.inv')",
    "ALTER TABLE app.t ADD x app.unused, ADD y app.code, ADD z app.pair",
    "INSERT INTO app.t (v, x, y, z) VALUES ('new', 'c', 'code', (1, 'x', 2))",
    "ALTER SEQUENCE app.inv RENAME TO invoice; COMMENT ON SEQUENCE app.invoice IS 'free'",
];

async fn play_app(flow: &Flow) {
    let engine = flow.start();
    for change in APP_CHANGES {
        flow.run(change).await;
    }
    assert_equal_tables(&flow.source, &flow.target, &["app.t"]).await;
    let types = "SELECT typname, string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_type t \
                 LEFT JOIN pg_enum e ON e.enumtypid = t.oid \
                 WHERE typnamespace = 'app'::regnamespace AND typname ~ '^(unused|code|pair)$' GROUP BY 1 ORDER BY 1";
    assert_eq!(
        query_text(&flow.source, types).await,
        query_text(&flow.target, types).await
    );
    flow.shows(
        "SELECT seqincrement, seqmax FROM pg_sequence WHERE seqrelid = 'app.invoice'::regclass",
        &["5|5000"],
    )
    .await;
    flow.shows("SELECT last_value FROM app.invoice", &["1000"])
        .await;
    stop(engine).await;
}

/// A whole schema is brought with its free sequences and unused types, and goes on with them.
#[tokio::test]
async fn a_whole_schema_goes_on_with_what_no_table_needed() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let mut flow = filtered(plugin, ("app.*", ""), APP).await;
        flow.pipeline.snapshot.enabled = true;
        flow.pipeline.snapshot.tables = TableFilter::parse("app.*", "").expect("a list");
        play_app(&flow).await;
    }
}

/// As well where the target was prepared by hand, with the tables alone.
#[tokio::test]
async fn a_whole_schema_goes_on_where_the_target_has_its_tables_alone() {
    let flow = filtered(Plugin::Pgoutput, ("app.*", ""), APP).await;
    execute(
        &flow.target,
        "CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY, v text)",
    )
    .await;
    play_app(&flow).await;
}

/// What a table of a name has around it.
fn of_every_kind(name: &str) -> String {
    format!(
        "CREATE TABLE {name} (id int PRIMARY KEY, v int); INSERT INTO {name} VALUES (1, 1);
         CREATE FUNCTION told_{name}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER tells_{name} BEFORE INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION told_{name}();
         CREATE VIEW seen_{name} AS SELECT v FROM {name};
         CREATE MATERIALIZED VIEW kept_{name} AS SELECT v FROM {name};
         CREATE STATISTICS both_{name} ON id, v FROM {name};
         GRANT SELECT ON {name} TO PUBLIC"
    )
}

/// With the copy, and from the stream.
#[tokio::test]
async fn kinds_that_are_left_out_stay_on_the_source() {
    let mut flow = filtered(Plugin::Pgoutput, ("", ""), &of_every_kind("a")).await;
    let kinds = "function, view, trigger, statistics object, privilege";
    flow.pipeline.left_out = LeftOut::parse(kinds).expect("kinds");
    flow.pipeline.snapshot.enabled = true;
    let engine = flow.start();
    copied(&engine).await;
    flow.run(&of_every_kind("b")).await;
    flow.run("CREATE OR REPLACE FUNCTION told_a() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
              ALTER VIEW seen_b RENAME TO shown; DROP TRIGGER tells_a ON a; DROP VIEW seen_a").await;
    flow.acknowledged().await;

    let there = "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'v', 'm') AND relnamespace = 'public'::regnamespace
                 UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
                 UNION ALL SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal
                 UNION ALL SELECT stxname::text FROM pg_statistic_ext
                 UNION ALL SELECT 'granted' FROM pg_class WHERE relname IN ('a', 'b') AND relacl::text LIKE '%=r/%'
                 ORDER BY 1";
    let found = query_text(&flow.target, there).await;
    assert_eq!(found, ["a", "b", "kept_a", "kept_b"]);
    let rows = query_text(&flow.target, "SELECT * FROM a UNION ALL SELECT * FROM b").await;
    assert_eq!(rows, ["1|1", "1|1"]);
    stop(engine).await;
}
