//! What the target refuses stops the stream exactly there; nothing is skipped unless an operator
//! says so, on record.

use std::io;
use std::sync::{Arc, Mutex};

use pgstream::config::{OnConflict, Plugin};
use pgstream::engine::{Engine, EngineOptions, Handle};
use pgstream::model::ErrorClass;
use pgstream::status::{Command, CommandAnswer, Failure, Phase};
use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::flow::{Flow, failure, stop, wait_for};
use crate::support::scenario::PLUGINS;
use crate::support::{execute, query_text};

/// A change that the target refuses, and what fixes it there.
struct Refusal {
    name: &'static str,
    /// What makes the target differ from the source.
    differs: &'static str,
    /// The transaction; 47114711 is a value in it.
    change: &'static str,
    sqlstate: Option<&'static str>,
    /// Part of the statement.
    statement: Option<&'static str>,
    /// Part of the hint.
    hint: &'static str,
    fix: &'static str,
}

const SCHEMA: &str = "CREATE TABLE before (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, \
                      v text, u int); INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2); \
                      CREATE TABLE l (v int); ALTER TABLE l REPLICA IDENTITY FULL; \
                      INSERT INTO l VALUES (1), (2); \
                      CREATE TABLE h (id int PRIMARY KEY) PARTITION BY HASH (id); \
                      CREATE TABLE h_0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
                      CREATE TABLE h_1 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 1)";

const REFUSALS: &[Refusal] = &[
    Refusal {
        name: "a key that is there",
        differs: "INSERT INTO t VALUES (47114711, 'target', 0)",
        change: "INSERT INTO t VALUES (50, 'x', 0), (47114711, 'secret 47114711', 0)",
        sqlstate: Some("23505"),
        statement: Some("INSERT INTO \"public\".\"t\""),
        hint: "--skip-transaction",
        fix: "DELETE FROM t WHERE id = 47114711",
    },
    Refusal {
        name: "a set with a key that is there",
        differs: "INSERT INTO t VALUES (47114711, 'target', 0)",
        change: "INSERT INTO t SELECT i, 'secret ' || i, 0 FROM generate_series(47114700, 47114790) AS i",
        sqlstate: Some("23505"),
        statement: Some("INSERT INTO \"public\".\"t\""),
        hint: "--skip-transaction",
        fix: "DELETE FROM t WHERE id = 47114711",
    },
    Refusal {
        name: "a check",
        differs: "ALTER TABLE t ADD CHECK (u < 47114711)",
        change: "UPDATE t SET u = 47114711, v = 'secret 47114711' WHERE id = 1",
        sqlstate: Some("23514"),
        statement: Some("UPDATE ONLY \"public\".\"t\""),
        hint: "--skip-transaction",
        fix: "ALTER TABLE t DROP CONSTRAINT t_u_check",
    },
    Refusal {
        name: "a NOT NULL",
        differs: "ALTER TABLE t ALTER u SET NOT NULL",
        change: "INSERT INTO t VALUES (47114711, 'secret 47114711', NULL)",
        sqlstate: Some("23502"),
        statement: Some("INSERT INTO \"public\".\"t\""),
        hint: "--skip-transaction",
        fix: "ALTER TABLE t ALTER u DROP NOT NULL",
    },
    Refusal {
        name: "a type that is too narrow",
        differs: "ALTER TABLE t ALTER v TYPE varchar(5)",
        change: "UPDATE t SET v = 'secret 47114711' WHERE id = 2",
        sqlstate: Some("22001"),
        statement: Some("UPDATE ONLY \"public\".\"t\""),
        hint: "--skip-transaction",
        fix: "ALTER TABLE t ALTER v TYPE text",
    },
    Refusal {
        name: "another type",
        differs: "ALTER TABLE t ALTER v TYPE int USING NULL",
        change: "INSERT INTO t VALUES (47114711, 'secret 47114711', 0)",
        sqlstate: Some("22P02"),
        statement: Some("INSERT INTO \"public\".\"t\""),
        hint: "--skip-transaction",
        fix: "ALTER TABLE t ALTER v TYPE text USING id::text; UPDATE t SET v = 'two' WHERE id = 2; \
               UPDATE t SET v = 'one' WHERE id = 1",
    },
    Refusal {
        name: "a trigger that raises",
        differs: "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not here'; \
                  END $$; CREATE TRIGGER no BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION no()",
        change: "DELETE FROM t WHERE id = 2",
        sqlstate: Some("P0001"),
        statement: Some("DELETE FROM ONLY \"public\".\"t\""),
        hint: "--skip-transaction",
        fix: "DROP TRIGGER no ON t; DROP FUNCTION no()",
    },
    Refusal {
        name: "an UPDATE of a row that is not there",
        differs: "DELETE FROM t WHERE id = 2",
        change: "UPDATE t SET v = 'secret 47114711' WHERE id IN (1, 2)",
        sqlstate: None,
        statement: Some("UPDATE ONLY \"public\".\"t\""),
        hint: "put the missing rows back",
        fix: "INSERT INTO t VALUES (2, 'two', 2)",
    },
    Refusal {
        name: "a DELETE of a row that is not there",
        differs: "DELETE FROM t WHERE id = 2",
        change: "DELETE FROM t WHERE id IN (1, 2)",
        sqlstate: None,
        statement: Some("DELETE FROM ONLY \"public\".\"t\""),
        hint: "put the missing rows back",
        fix: "INSERT INTO t VALUES (2, 'two', 2)",
    },
    Refusal {
        name: "a DELETE of a keyless row that is not there",
        differs: "DELETE FROM l WHERE v = 2",
        change: "DELETE FROM l WHERE v IN (1, 2)",
        sqlstate: None,
        statement: Some("DELETE FROM ONLY \"public\".\"l\""),
        hint: "put the missing rows back",
        fix: "INSERT INTO l VALUES (2)",
    },
    Refusal {
        name: "a table that is not there",
        differs: "ALTER TABLE t RENAME TO elsewhere",
        change: "INSERT INTO t VALUES (47114711, 'secret 47114711', 0)",
        sqlstate: None,
        statement: None,
        hint: "add 'public.t' to PGSTREAM_FILTER_EXCLUDE_TABLES; or skip this transaction with --skip-transaction ",
        fix: "ALTER TABLE elsewhere RENAME TO t",
    },
    Refusal {
        name: "a column that is not there",
        differs: "ALTER TABLE t RENAME u TO other",
        change: "UPDATE t SET v = 'secret 47114711' WHERE id = 1",
        sqlstate: None,
        statement: None,
        hint: "ALTER TABLE \"public\".\"t\" ADD COLUMN \"u\"",
        fix: "ALTER TABLE t RENAME other TO u",
    },
    Refusal {
        name: "a trigger that quotes the row",
        differs: "CREATE FUNCTION quoting() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                  RAISE 'bad %', new.v USING DETAIL = new.v, HINT = new.v; END $$; \
                  CREATE TRIGGER quoting BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION quoting()",
        change: "INSERT INTO t VALUES (47114711, 'secret 47114711', 0)",
        sqlstate: Some("P0001"),
        statement: Some("INSERT INTO"),
        hint: "--skip-transaction",
        fix: "DROP FUNCTION quoting() CASCADE",
    },
    Refusal {
        name: "a text that is no query",
        differs: "CREATE TABLE kept AS SELECT id, v FROM t; \
                  ALTER TABLE t ALTER v TYPE tsquery USING ''",
        change: "INSERT INTO t VALUES (9, '47114711 & & 47114711', 0)",
        sqlstate: Some("42601"),
        statement: Some("INSERT INTO"),
        hint: "--skip-transaction",
        fix: "ALTER TABLE t ALTER v TYPE text USING ''; \
               UPDATE t SET v = k.v FROM kept AS k WHERE k.id = t.id; DROP TABLE kept",
    },
    Refusal {
        name: "a row without a parent",
        differs: "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2); \
                  ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (u) REFERENCES p",
        change: "SET session_replication_role = replica; INSERT INTO t VALUES (9, 'secret 47114711', 47114711); \
                 RESET session_replication_role",
        sqlstate: Some("23503"),
        statement: Some("INSERT INTO"),
        hint: "PGSTREAM_POSTGRES_WRITER_DISABLE_TRIGGERS=true",
        fix: "ALTER TABLE t DROP CONSTRAINT f; DROP TABLE p",
    },
    Refusal {
        name: "a partition with other bounds",
        differs: "ALTER TABLE h DETACH PARTITION h_0; ALTER TABLE h DETACH PARTITION h_1; \
                  ALTER TABLE h ATTACH PARTITION h_0 FOR VALUES WITH (MODULUS 2, REMAINDER 1); \
                  ALTER TABLE h ATTACH PARTITION h_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
        change: "INSERT INTO h VALUES (47114711)",
        sqlstate: Some("23514"),
        statement: Some("INSERT INTO"),
        hint: "its bounds are others than on the source",
        fix: "ALTER TABLE h DETACH PARTITION h_0; ALTER TABLE h DETACH PARTITION h_1; \
               ALTER TABLE h ATTACH PARTITION h_0 FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
               ALTER TABLE h ATTACH PARTITION h_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    },
    Refusal {
        name: "a deferred constraint at the commit",
        differs: "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2); \
                  ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (u) REFERENCES p DEFERRABLE",
        change: "INSERT INTO t VALUES (9, 'secret 47114711', 47114711)",
        sqlstate: Some("23503"),
        statement: Some("COMMIT"),
        hint: "--skip-transaction",
        fix: "ALTER TABLE t DROP CONSTRAINT f; DROP TABLE p",
    },
];

/// Both sides with [`SCHEMA`], and the target as the refusal wants it.
async fn scenario(plugin: &str, refusal: &Refusal) -> Flow {
    let flow = Flow::rows(plugin, SCHEMA).await;
    execute(&flow.target, refusal.differs).await;
    flow
}

/// Commits something before, the change, and something behind it.
async fn commit(flow: &Flow, refusal: &Refusal) {
    flow.run("INSERT INTO before VALUES (1)").await;
    flow.run(refusal.change).await;
    flow.run("INSERT INTO before VALUES (2)").await;
    flow.run("INSERT INTO before SELECT generate_series(100, 200)")
        .await;
}

fn check(refusal: &Refusal, failure: &Failure) {
    let Refusal {
        name,
        sqlstate,
        statement,
        hint,
        ..
    } = refusal;
    let shown = format!("{name}: {failure:#?}");
    assert_eq!(failure.class, ErrorClass::Data, "{shown}");
    assert_eq!(failure.sqlstate.as_deref(), *sqlstate, "{shown}");
    let part_of = |part: &&str| {
        failure
            .statement
            .as_ref()
            .is_some_and(|all| all.contains(*part))
    };
    assert!(statement.as_ref().is_none_or(part_of), "{shown}");
    assert!(
        failure.hint.as_ref().is_some_and(|all| all.contains(hint)),
        "{shown}"
    );
    assert!(failure.transaction.is_some(), "{shown}");
    assert!(!shown.contains("47114711"), "a row's value: {shown}");
}

/// Brings the source back to the rows of [`SCHEMA`].
const RESET: &str = "DELETE FROM before; DELETE FROM t; DELETE FROM l; DELETE FROM h; \
                     INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2); INSERT INTO l VALUES (1), (2)";

/// Plays one refusal until the engine stands, then fixes the target and starts the engine again.
async fn play(flow: &Flow, refusal: &Refusal) {
    execute(&flow.target, refusal.differs).await;
    commit(flow, refusal).await;

    let failed = failure(&mut flow.start()).await;
    check(refusal, &failed);
    let there = query_text(&flow.target, "SELECT id FROM before ORDER BY id").await;
    assert_eq!(there, ["1"], "{}", refusal.name);

    execute(&flow.target, refusal.fix).await;
    let handle = flow.start();
    flow.shows("SELECT count(*) FROM before", &["103"]).await;
    flow.equal().await;
    flow.run(RESET).await;
    flow.equal().await;
    stop(handle).await;
}

#[tokio::test]
async fn a_refusal_stops_the_stream_there_and_a_fixed_target_goes_on() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::DEBUG)
        .with_writer(log.clone())
        .finish();
    let _capture = tracing::subscriber::set_default(subscriber);
    for plugin in PLUGINS {
        let flow = Flow::rows(plugin, SCHEMA).await;
        for refusal in REFUSALS {
            play(&flow, refusal).await;
        }
    }
    let log = log.text();
    assert!(log.contains("cannot write to the target"), "{log}");
    assert!(!log.contains("47114711"), "a row's value: {log}");
}

/// Everything that is logged while it is captured.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("nobody panicked")).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("nobody panicked")
            .extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What the target's administrator must change names its transaction, as refused data does.
#[tokio::test]
async fn what_an_operator_must_change_names_its_transaction() {
    let raises = |code: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE 'not here' USING ERRCODE = '{code}'; END $$; \
             CREATE TRIGGER no BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION no()"
        )
    };
    let privileges = "GRANT CREATE ON DATABASE postgres TO writer; \
                      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO writer; \
                      REVOKE INSERT ON t FROM writer";
    let cases = [
        (
            "42501",
            privileges.to_owned(),
            "GRANT INSERT ON t TO writer",
        ),
        ("42501", raises("42501"), "DROP TRIGGER no ON t"),
        ("0A000", raises("0A000"), "DROP TRIGGER no ON t"),
    ];
    let mut flow = Flow::rows("pgoutput", SCHEMA).await;
    let password = "SELECT rolpassword FROM pg_authid WHERE rolname = CURRENT_USER";
    let password = query_text(&flow.target, password).await;
    let role = format!("CREATE ROLE writer LOGIN PASSWORD '{}'", password[0]);
    execute(&flow.target, &role).await;
    flow.pipeline.target.user = "writer".to_owned();
    for (place, (code, differs, fix)) in (10..).zip(cases) {
        execute(&flow.target, &differs).await;
        flow.run(&format!("INSERT INTO before VALUES ({place})"))
            .await;
        flow.run(&format!("INSERT INTO t VALUES ({place}, 'x', 0)"))
            .await;
        let xid = query_text(
            &flow.source,
            &format!("SELECT xmin FROM t WHERE id = {place}"),
        )
        .await;
        flow.run(&format!("INSERT INTO before VALUES ({place}0)"))
            .await;

        let failed = failure(&mut flow.start()).await;
        assert_eq!(failed.class, ErrorClass::Operator, "{failed:?}");
        assert_eq!(failed.sqlstate.as_deref(), Some(code), "{failed:?}");
        let transaction = failed.transaction.expect("a transaction");
        assert_eq!(transaction.xid.to_string(), xid[0]);
        let there = format!("SELECT count(*) FROM before WHERE id IN ({place}, {place}0)");
        assert_eq!(query_text(&flow.target, &there).await, ["1"]);

        execute(&flow.target, fix).await;
        let handle = flow.start();
        flow.equal().await;
        stop(handle).await;
    }
}

#[tokio::test]
async fn what_the_target_never_had_is_dropped_in_peace_and_altered_with_advice() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let mut handle = flow.start();
    flow.run("CREATE TABLE stray (id int); CREATE TABLE lost (id int)")
        .await;
    flow.equal().await;
    execute(&flow.target, "DROP TABLE stray, lost").await;
    flow.run("DROP TABLE stray; CREATE TABLE behind (id int)")
        .await;
    flow.shows("SELECT count(*) FROM behind", &["0"]).await;

    flow.run("ALTER TABLE lost ADD COLUMN more int").await;

    let failed = failure(&mut handle).await;
    assert_eq!(failed.sqlstate.as_deref(), Some("42P01"), "{failed:?}");
    let hint = failed.hint.unwrap_or_default();
    assert!(
        hint.contains("add 'public.lost' to PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES"),
        "{hint}"
    );
    assert!(hint.contains("--skip-transaction "), "{hint}");
}

#[tokio::test]
async fn a_function_of_the_target_that_raises_is_named() {
    let flow = Flow::rows("pgoutput", SCHEMA).await;
    execute(
        &flow.target,
        "CREATE FUNCTION \"Look at\"(text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'secret %', $1; END $$; \
         CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         PERFORM public.\"Look at\"(NEW.v); RETURN NEW; END $$; \
         CREATE TRIGGER touch BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION touch()",
    )
    .await;
    let mut handle = flow.start();
    flow.run("INSERT INTO t VALUES (7, 'secret', 0)").await;

    let failed = failure(&mut handle).await;

    let message = format!("{failed:?}");
    assert!(
        message.contains("function public.\\\"Look at\\\"(text) there raised"),
        "{message}"
    );
    assert!(!message.contains("secret"), "{message}");
}

#[tokio::test]
async fn a_truncate_reaches_no_table_of_the_targets_own() {
    let flow = Flow::rows("pgoutput", SCHEMA).await;
    execute(
        &flow.target,
        "CREATE TABLE own (t int REFERENCES t); INSERT INTO own VALUES (1)",
    )
    .await;
    flow.run("TRUNCATE t").await;

    let failed = failure(&mut flow.start()).await;
    assert_eq!(failed.sqlstate.as_deref(), Some("0A000"));
    flow.shows("SELECT count(*) FROM own", &["1"]).await;

    execute(&flow.target, "DROP TABLE own").await;
    let handle = flow.start();
    flow.equal().await;
    stop(handle).await;
}

fn holding(flow: &Flow) -> Handle {
    let options = EngineOptions {
        hold_on_failure: true,
        ..EngineOptions::default()
    };
    Engine::start(flow.pipeline.clone(), options)
}

/// Starts an engine that stands at the refusal instead of ending.
async fn held(plugin: &str, refusal: &Refusal) -> (Flow, Handle, Failure) {
    let flow = scenario(plugin, refusal).await;
    commit(&flow, refusal).await;
    let handle = holding(&flow);
    wait_for(&handle, "the engine stands", |status| {
        status.phase == Phase::Held
    })
    .await;
    let failed = handle
        .status()
        .borrow()
        .last_error
        .clone()
        .expect("a failure");
    (flow, handle, failed)
}

#[tokio::test]
async fn an_engine_that_stands_tries_again_when_asked() {
    let (flow, handle, _) = held("pgoutput", &REFUSALS[0]).await;

    handle.command(Command::Retry).await;
    wait_for(&handle, "another try", |status| status.phase != Phase::Held).await;
    wait_for(&handle, "the engine stands again", |status| {
        status.phase == Phase::Held
    })
    .await;
    execute(&flow.target, REFUSALS[0].fix).await;
    assert_eq!(
        handle.command(Command::Retry).await,
        CommandAnswer::Accepted
    );

    flow.equal().await;
    wait_for(&handle, "no error is left", |status| {
        status.last_error.is_none()
    })
    .await;
    stop(handle).await;
}

/// What is on record after a skip.
const RECORD: &str = "SELECT commit_lsn, xid > 0, reason <> '' FROM pgstream.skipped_transaction";

#[tokio::test]
async fn exactly_the_named_transaction_is_skipped_and_recorded() {
    for plugin in PLUGINS {
        let (flow, handle, failed) = held(plugin, &REFUSALS[1]).await;
        let commit_lsn = failed.transaction.expect("a transaction").commit_lsn;

        let other = Command::Skip {
            commit_lsn: pgstream::model::Lsn(commit_lsn.0 + 8),
        };
        assert!(matches!(
            handle.command(other).await,
            CommandAnswer::Refused(_)
        ));
        let skip = Command::Skip { commit_lsn };
        assert_eq!(handle.command(skip).await, CommandAnswer::Accepted);

        flow.shows("SELECT count(*) FROM before", &["103"]).await;
        flow.shows("SELECT count(*) FROM t WHERE id >= 47114700", &["1"])
            .await;
        flow.shows(RECORD, &[&format!("{commit_lsn}|t|t")]).await;
        wait_for(&handle, "it is counted", |status| {
            status.totals.skipped == 1
        })
        .await;
        stop(handle).await;
    }
}

#[tokio::test]
async fn a_start_can_skip_the_transaction_that_ended_the_last_one() {
    let flow = scenario("pgoutput", &REFUSALS[8]).await;
    commit(&flow, &REFUSALS[8]).await;
    let failed = failure(&mut flow.start()).await;
    let commit_lsn = failed.transaction.expect("a transaction").commit_lsn;
    assert!(
        failed
            .hint
            .unwrap_or_default()
            .contains(&commit_lsn.to_string())
    );

    let options = EngineOptions {
        skip: Some(commit_lsn),
        ..EngineOptions::default()
    };
    let handle = Engine::start(flow.pipeline.clone(), options);
    flow.shows("SELECT count(*) FROM before", &["103"]).await;
    flow.shows("SELECT id FROM t ORDER BY id", &["1"]).await;
    flow.shows(RECORD, &[&format!("{commit_lsn}|t|t")]).await;
    stop(handle).await;
}

#[tokio::test]
async fn a_large_transaction_leaves_nothing_when_its_last_row_is_refused() {
    let mut flow = Flow::rows("pgoutput", "CREATE TABLE t (id int PRIMARY KEY, v text)").await;
    flow.pipeline.on_conflict = OnConflict::Error;
    execute(&flow.target, "INSERT INTO t VALUES (30000, 'target')").await;
    flow.run("INSERT INTO t SELECT i, 'v' FROM generate_series(1, 30000) AS i")
        .await;

    let failed = failure(&mut flow.start()).await;
    assert_eq!(failed.sqlstate.as_deref(), Some("23505"));
    flow.shows("SELECT count(*) FROM t", &["1"]).await;

    execute(&flow.target, "TRUNCATE t").await;
    let handle = flow.start();
    flow.equal().await;
    stop(handle).await;
}

/// A bit is a character in print; 2^30 of them are too many.
#[tokio::test]
async fn a_row_that_postgresql_cannot_send_is_reported_as_the_servers_limit() {
    let schema = "CREATE TABLE t (id int PRIMARY KEY, v varbit)";
    let flow = Flow::rows("pgoutput", schema).await;
    let mut handle = flow.start();
    flow.run(
        "DO $$ DECLARE v varbit := repeat('0', 1024)::varbit; \
         BEGIN FOR i IN 1..20 LOOP v := v || v; END LOOP; INSERT INTO t VALUES (1, v); END $$",
    )
    .await;

    let failure = failure(&mut handle).await;

    assert_eq!(failure.class, ErrorClass::Operator, "{failure:?}");
    let hint = failure.hint.unwrap_or_default();
    assert!(hint.contains("above 1 GB"), "{hint}");
}
