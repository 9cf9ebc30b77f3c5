//! Each stop of the stream whose hint names a setting or a statement: what the hint says is done, to the letter,
//! and the stream goes on. (What `check`, starts and publications say is done in their own tests.)

use std::path::Path;

use pgstream::config::{Plugin, TableFilter};
use pgstream::engine::{Engine, EngineOptions, Handle};
use pgstream::model::Lsn;
use pgstream::status::Failure;

use crate::chaos::run;
use crate::cli_check::between;
use crate::support::execute;
use crate::support::flow::{Flow, SLOT, failure, stop};
use crate::support::sql::major_version;

/// What an operator does of what a hint says.
enum Follow {
    /// The table that it names is copied.
    Copy,
    /// The table that it names is left out.
    LeaveOut,
    /// These statements run on the target; the first part is in the hint to the letter.
    OnTarget(&'static str, &'static str),
    /// Triggers of the target stay silent.
    DisableTriggers,
    /// This is done on the target by hand, and the transaction is left out.
    Skip(&'static str),
}

/// A difference between both sides, and a change that cannot pass for that.
struct Stop {
    name: &'static str,
    /// On the source before anything of ours is there, besides what both sides have.
    source: &'static str,
    /// On the target.
    target: &'static str,
    change: &'static str,
    hint: &'static str,
    follow: Follow,
    /// What then shows on the target.
    shows: (&'static str, &'static str),
}

/// Two ways lead out of it.
const KEY_OF_THE_TARGET: Stop = Stop {
    name: "a key of the target",
    source: "",
    target: "CREATE TABLE own (id int PRIMARY KEY); ALTER TABLE b ADD FOREIGN KEY (v) REFERENCES own",
    change: "INSERT INTO b VALUES (1, 4)",
    hint: "Else put the missing row back. Then run pgstream again",
    follow: Follow::OnTarget("", "INSERT INTO own VALUES (4)"),
    shows: ("SELECT v FROM b", "4"),
};

const BOTH: &str =
    "CREATE TABLE seen (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, v int)";
const ONLY_SOURCE: &str = "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)";
const LIST: &str = "CREATE TABLE h (id int PRIMARY KEY) PARTITION BY LIST (id)";

/// Three ways out of a table that only the source has.
const fn missing(
    change: &'static str,
    follow: Follow,
    shows: (&'static str, &'static str),
) -> Stop {
    Stop {
        name: "a table that the target lacks",
        source: ONLY_SOURCE,
        target: "",
        change,
        hint: "have it copied, which goes on exactly here: set PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED=true, \
               add 'public.t' to PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES, and run pgstream again; or leave it out: \
               add 'public.t' to PGSTREAM_FILTER_EXCLUDE_TABLES; or skip this transaction",
        follow,
        shows,
    }
}

const ROW: &str = "INSERT INTO t VALUES (2, 2)";
const COLUMN: &str = "ALTER TABLE t ADD COLUMN more int DEFAULT 7";
const ABSENT: (&str, &str) = ("SELECT to_regclass('t')", "∅");

const STOPS: [Stop; 14] = [
    missing(ROW, Follow::Copy, ("SELECT sum(v) FROM t", "3")),
    missing(ROW, Follow::LeaveOut, ABSENT),
    missing(ROW, Follow::Skip(""), ABSENT),
    missing(COLUMN, Follow::Copy, ("SELECT more FROM t", "7")),
    missing(COLUMN, Follow::LeaveOut, ABSENT),
    missing(COLUMN, Follow::Skip(""), ABSENT),
    Stop {
        name: "a column that is there",
        source: "",
        target: "ALTER TABLE b ADD COLUMN more text",
        change: "ALTER TABLE b ADD COLUMN more int; INSERT INTO b VALUES (1, 1, 5)",
        hint: "make the change possible on the target and run pgstream again: it goes on here",
        follow: Follow::OnTarget("", "ALTER TABLE b DROP COLUMN more"),
        shows: ("SELECT more + 0 FROM b", "5"),
    },
    Stop {
        name: "a column that is there",
        source: "",
        target: "ALTER TABLE b ADD COLUMN more text",
        change: "ALTER TABLE b ADD COLUMN more int",
        hint: "or make it there yourself and leave its transaction out",
        follow: Follow::Skip("ALTER TABLE b ALTER COLUMN more TYPE int USING more::int"),
        shows: ("SELECT sum(more) FROM b", "∅"),
    },
    Stop {
        name: "a type that the target lacks",
        source: "CREATE TYPE mood AS ENUM ('calm')",
        target: "",
        change: "ALTER TABLE b ADD COLUMN m mood; INSERT INTO b VALUES (1, 1, 'calm')",
        hint: "make the change possible on the target and run pgstream again: it goes on here",
        follow: Follow::OnTarget("", "CREATE TYPE mood AS ENUM ('calm')"),
        shows: ("SELECT m FROM b", "calm"),
    },
    Stop {
        name: "a schema that the target lacks",
        source: "CREATE SCHEMA app",
        target: "",
        change: "CREATE TABLE app.t (id int PRIMARY KEY); INSERT INTO app.t VALUES (1)",
        hint: "make the schema on the target first (CREATE SCHEMA, the message names it)",
        follow: Follow::OnTarget("CREATE SCHEMA", " app"),
        shows: ("SELECT id FROM app.t", "1"),
    },
    Stop {
        name: "a column that the target lacks",
        source: "",
        target: "ALTER TABLE b DROP COLUMN v",
        change: "INSERT INTO b VALUES (1, 4)",
        hint: "add the column on the target",
        follow: Follow::OnTarget("ALTER TABLE \"public\".\"b\" ADD COLUMN \"v\"", " int"),
        shows: ("SELECT v FROM b", "4"),
    },
    Stop {
        hint: "PGSTREAM_POSTGRES_WRITER_DISABLE_TRIGGERS=true, and none is checked here. Else put the missing row back",
        follow: Follow::DisableTriggers,
        ..KEY_OF_THE_TARGET
    },
    KEY_OF_THE_TARGET,
    Stop {
        name: "a partition with other bounds",
        source: "CREATE TABLE h_1 PARTITION OF h FOR VALUES IN (1, 2)",
        target: "CREATE TABLE h_1 PARTITION OF h FOR VALUES IN (1)",
        change: "INSERT INTO h VALUES (2)",
        hint: "Attach it with those of the source, then run pgstream again",
        follow: Follow::OnTarget(
            "",
            "ALTER TABLE h DETACH PARTITION h_1; ALTER TABLE h ATTACH PARTITION h_1 FOR VALUES IN (1, 2)",
        ),
        shows: ("SELECT id FROM h", "2"),
    },
];

/// The name that a hint has in quotes behind «add».
fn named(hint: &str) -> String {
    let (_, rest) = hint.split_once("add '").expect("a table");
    rest.split('\'').next().unwrap_or_default().to_owned()
}

async fn follow(flow: &mut Flow, stop: &Stop, failure: &Failure) -> Option<Lsn> {
    let hint = failure.hint.as_deref().unwrap_or_default();
    match &stop.follow {
        Follow::Copy => {
            flow.pipeline.snapshot.enabled = true;
            flow.pipeline.snapshot.tables = TableFilter::parse(&named(hint), "").expect("a list");
            None
        }
        Follow::LeaveOut => {
            flow.pipeline.filter = TableFilter::parse("", &named(hint)).expect("a list");
            None
        }
        Follow::OnTarget(said, rest) => {
            assert!(hint.contains(said), "{}: {hint}", stop.name);
            execute(&flow.target, &format!("{said}{rest}")).await;
            None
        }
        Follow::DisableTriggers => {
            flow.pipeline.disable_triggers = true;
            None
        }
        Follow::Skip(by_hand) => {
            execute(&flow.target, by_hand).await;
            let lsn = failure.transaction.as_ref()?.commit_lsn;
            assert!(
                hint.contains(&format!("--skip-transaction {lsn}")),
                "{}: {hint}",
                stop.name
            );
            Some(lsn)
        }
    }
}

async fn play(plugin: Plugin, case: &Stop) {
    let mut flow = Flow::bare().await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    for (client, own) in [(&flow.source, case.source), (&flow.target, case.target)] {
        execute(client, &format!("{BOTH}; {LIST}; {own}")).await;
    }
    flow.init(plugin).await;
    flow.run("INSERT INTO seen VALUES (1)").await;
    flow.run(case.change).await;
    flow.run("INSERT INTO seen VALUES (2)").await;

    let stopped = failure(&mut flow.start()).await;

    let hint = stopped.hint.clone().unwrap_or_default();
    assert!(hint.contains(case.hint), "{}: {stopped:#?}", case.name);
    flow.shows("SELECT id FROM seen ORDER BY id", &["1"]).await;
    let skip = follow(&mut flow, case, &stopped).await;
    let options = EngineOptions {
        skip,
        ..EngineOptions::default()
    };
    let engine = Engine::start(flow.pipeline.clone(), options);
    flow.shows("SELECT id FROM seen ORDER BY id", &["1", "2"])
        .await;
    flow.shows(case.shows.0, &[case.shows.1]).await;
    stop(engine).await;
}

#[tokio::test]
async fn the_stream_goes_on_when_what_its_hint_says_is_done() {
    for case in &STOPS {
        play(Plugin::Pgoutput, case).await;
    }
}

#[tokio::test]
async fn the_stream_goes_on_when_what_its_hint_says_is_done_with_wal2json() {
    for case in &STOPS {
        play(Plugin::Wal2json, case).await;
    }
}

/// A role of the target that is no superuser, and may make what is ours.
const WRITER: &str =
    "CREATE ROLE writer LOGIN PASSWORD 'postgres'; GRANT CREATE ON DATABASE postgres TO writer";

/// Goes on behind the transaction that ended an engine.
fn without(flow: &Flow, stopped: &Failure) -> Handle {
    let hint = stopped.hint.as_deref().unwrap_or_default();
    let lsn = stopped
        .transaction
        .as_ref()
        .expect("its transaction")
        .commit_lsn;
    assert!(
        hint.contains(&format!("--skip-transaction {lsn}")),
        "{hint}"
    );
    let options = EngineOptions {
        skip: Some(lsn),
        ..EngineOptions::default()
    };
    Engine::start(flow.pipeline.clone(), options)
}

/// What foreign keys do on the target is done twice, until our role may keep them from it.
#[tokio::test]
async fn rows_that_foreign_keys_changed_first_are_found_when_our_role_may_silence_them() {
    let schema = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE list (a int REFERENCES p ON UPDATE CASCADE); \
                  ALTER TABLE list REPLICA IDENTITY FULL; INSERT INTO p SELECT i FROM generate_series(20, 1, -1) AS i; \
                  INSERT INTO list SELECT id FROM p";
    let mut flow = Flow::rows("pgoutput", schema).await;
    let owner = "ALTER TABLE p OWNER TO writer; ALTER TABLE list OWNER TO writer";
    execute(&flow.target, &format!("{WRITER}; {owner}")).await;
    flow.pipeline.target.user = "writer".to_owned();
    flow.run("UPDATE p SET id = id + 1").await;

    let stopped = failure(&mut flow.start()).await;

    let hint = stopped.hint.unwrap_or_default();
    let (right, to) = match major_version(&flow.target).await {
        15.. => (
            "GRANT SET ON PARAMETER session_replication_role",
            " TO writer",
        ),
        _ => ("ALTER ROLE … SUPERUSER", ""),
    };
    assert!(hint.contains(right), "{hint}");
    let right = right.replace('…', "writer");
    execute(&flow.target, &format!("{right}{to}")).await;
    let engine = flow.start();
    flow.equal().await;
    stop(engine).await;
}

/// The error leads to `check`, and that to the statement.
#[tokio::test]
async fn a_schema_change_that_our_role_may_not_make_goes_on_with_what_check_says() {
    let mut flow = Flow::bare().await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.run("CREATE SCHEMA app").await;
    execute(&flow.target, &format!("CREATE SCHEMA app; {WRITER}")).await;
    flow.pipeline.target.user = "writer".to_owned();
    flow.init(Plugin::Pgoutput).await;
    flow.run("CREATE TABLE app.t (id int PRIMARY KEY); INSERT INTO app.t VALUES (1)")
        .await;

    let stopped = failure(&mut flow.start()).await;

    let hint = stopped.hint.unwrap_or_default();
    assert!(
        hint.contains("pgstream check tells what is missing"),
        "{hint}"
    );
    let writer = flow.target_cluster.url("postgres");
    let writer = writer.replace("postgres:postgres@", "writer:postgres@");
    let check = between("check", &flow.source_cluster, &flow.target_cluster)
        .env("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", SLOT)
        .env("PGSTREAM_POSTGRES_WRITER_TARGET_URL", &writer);
    let reported = check.run().await.stdout;
    let mut lines = reported.lines();
    let grant = lines.find_map(|line| Some(&line[line.find("GRANT USAGE, CREATE ON SCHEMA")?..]));
    execute(&flow.target, grant.unwrap_or_else(|| panic!("{reported}"))).await;
    let engine = flow.start();
    flow.shows("SELECT id FROM app.t", &["1"]).await;
    stop(engine).await;
}

/// A key that is computed is sent from 18 on. Before, the source is told to send whole rows.
#[tokio::test]
async fn a_row_whose_computed_key_is_not_sent_is_found_by_its_whole_identity() {
    let schema = "CREATE TABLE g (a int, b int GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY); \
                  INSERT INTO g VALUES (1)";
    let flow = Flow::rows("pgoutput", schema).await;
    flow.run("UPDATE g SET a = 2").await;
    let mut engine = flow.start();
    if major_version(&flow.source).await < 18 {
        let stopped = failure(&mut engine).await;
        let hint = stopped.hint.as_deref().unwrap_or_default();
        let identity = "ALTER TABLE \"public\".\"g\" REPLICA IDENTITY FULL";
        assert!(
            hint.contains(&format!("on the source: {identity}")),
            "{hint}"
        );
        flow.run(identity).await;
        execute(&flow.target, "UPDATE g SET a = 2").await;
        engine = without(&flow, &stopped);
    }
    flow.run("UPDATE g SET a = 3").await;
    flow.shows("SELECT a, b FROM g", &["3|6"]).await;
    stop(engine).await;
}

/// Row level security hides a row from our role until it may see all of them.
#[tokio::test]
async fn a_hidden_row_is_found_when_our_role_may_see_it() {
    let mut flow = Flow::rows(
        "pgoutput",
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)",
    )
    .await;
    let few = "ALTER TABLE t OWNER TO writer; ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; \
               CREATE POLICY few ON t USING (id > 1)";
    execute(&flow.target, &format!("{WRITER}; {few}")).await;
    flow.pipeline.target.user = "writer".to_owned();
    flow.run("UPDATE t SET v = 2").await;

    let stopped = failure(&mut flow.start()).await;

    let hint = stopped.hint.unwrap_or_default();
    assert!(hint.contains("ALTER ROLE … BYPASSRLS"), "{hint}");
    execute(&flow.target, "ALTER ROLE writer BYPASSRLS").await;
    let engine = flow.start();
    flow.equal().await;
    stop(engine).await;
}

/// A row that the source wrote under another definition of its type is brought by hand.
#[tokio::test]
async fn a_row_of_an_older_type_is_passed_over_when_it_is_there() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let mut engine = flow.start();
    flow.run("CREATE TYPE pair AS (n int, t text); CREATE TABLE v (id int PRIMARY KEY, p pair)")
        .await;
    flow.acknowledged().await;
    let late = crate::support::connect(&flow.source_cluster.url("postgres")).await;
    execute(&late, "BEGIN; INSERT INTO v VALUES (1, (1, 'x'))").await;
    flow.run("ALTER TYPE pair DROP ATTRIBUTE t, ADD ATTRIBUTE u text")
        .await;
    execute(&late, "COMMIT").await;

    let stopped = failure(&mut engine).await;

    let hint = stopped.hint.as_deref().unwrap_or_default();
    assert!(
        hint.contains("rows of public.v on the target as the source shows them"),
        "{hint}"
    );
    execute(&flow.target, "INSERT INTO v VALUES (1, (1, NULL))").await;
    let engine = without(&flow, &stopped);
    flow.run("INSERT INTO v VALUES (2, (2, 'y'))").await;
    flow.equal().await;
    stop(engine).await;
}

/// Rows that come before their table are kept in a file when they are many.
#[tokio::test]
async fn rows_that_wait_for_their_table_are_kept_where_tmpdir_says() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let made =
        "CREATE TABLE made AS SELECT i, repeat('x', 1000) AS v FROM generate_series(1, 10000) AS i";
    flow.run(made).await;
    let rooms = tempfile::tempdir().expect("a directory");
    let missing = rooms.path().join("missing");
    let call = |room: &Path| run(&flow).env("TMPDIR", &room.to_string_lossy());

    let stopped = call(&missing).run().await;

    assert_eq!(stopped.code, Some(78), "{}", stopped.stderr);
    let place = format!("in a temporary file in {}", missing.display());
    for said in [&*place, "name another directory in TMPDIR"] {
        assert!(stopped.stderr.contains(said), "{said}: {}", stopped.stderr);
    }
    let running = call(rooms.path()).spawn();
    flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
}
