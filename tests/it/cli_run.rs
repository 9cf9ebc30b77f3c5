//! `pgstream run` without a terminal: its end by signals, and the troubles of the tutorial.

use insta::assert_snapshot;
use nix::sys::signal::Signal;
use pgstream::cluster::Cluster;

use crate::cli_check::{between, with_filters};
use crate::cli_config::seen;
use crate::support::process::Outcome;
use crate::support::{Call, cluster, connect, execute, pair, query_text, wait_until};

async fn init(source: &Cluster, target: &Cluster) {
    let outcome = between("init", source, target).run().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

/// The error without the log lines around it.
fn error_of(outcome: &Outcome) -> String {
    let lines = outcome.stderr.lines();
    let error: Vec<&str> = lines
        .skip_while(|line| !line.starts_with("error:"))
        .collect();
    let error = Outcome {
        stderr: error.join("\n"),
        ..outcome.clone()
    };
    seen(&error)
}

async fn shows(cluster: &Cluster, sql: &str, expected: &str) {
    let client = connect(&cluster.url("postgres")).await;
    wait_until(&format!("{sql} gives {expected}"), || async {
        let found = query_text(&client, sql).await;
        if found == [expected] {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
}

#[tokio::test]
async fn run_streams_until_it_is_asked_to_end() {
    let (source, target) = pair();
    init(&source, &target).await;
    let running = between("run", &source, &target).spawn();
    running.logged("streaming").await;
    let client = connect(&source.url("postgres")).await;
    execute(
        &client,
        "CREATE TABLE test(id SERIAL PRIMARY KEY, name TEXT)",
    )
    .await;
    execute(
        &client,
        "INSERT INTO test(name) VALUES('alice'),('bob'),('charlie')",
    )
    .await;
    wait_for_rows(&target).await;

    let status = between("status --json", &source, &target).run().await;
    let seen: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(seen["slot"]["active"], true, "{seen}");
    assert_eq!(seen["schema_changes"][0]["tag"], "CREATE TABLE", "{seen}");
    assert!(seen["checkpoint"]["end_lsn"].is_string(), "{seen}");
    let check = between("check", &source, &target).run().await;
    assert_eq!(check.code, Some(0), "{}", check.stdout);

    let ended = running.terminate().await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), ""),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("SIGTERM"), "{}", ended.stderr);
}

async fn wait_for_rows(target: &Cluster) {
    let client = connect(&target.url("postgres")).await;
    wait_until("three rows on the target", || async {
        match client.simple_query("SELECT name FROM test").await {
            Ok(rows) if rows.len() >= 4 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

#[tokio::test]
async fn run_with_init_prepares_the_source_first() {
    let (source, target) = pair();
    let running = between("run --init", &source, &target).spawn();
    running.logged("streaming").await;
    running.signal(Signal::SIGINT);
    assert_eq!(running.outcome().await.code, Some(0));
    shows(
        &source,
        "SELECT plugin FROM pg_replication_slots",
        "pgoutput",
    )
    .await;
}

#[tokio::test]
async fn without_a_schema_log_only_rows_replicate_and_that_is_reported() {
    let (source, target) = pair();
    init(&source, &target).await;
    let running = between("run", &source, &target)
        .env("PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL", "")
        .spawn();
    running.logged("rows only").await;
    running.logged("streaming").await;
    assert_eq!(running.terminate().await.code, Some(0));
}

#[tokio::test]
async fn json_logs_are_one_object_a_line() {
    let (source, target) = pair();
    init(&source, &target).await;
    let running = between("run --log-format json --log-level debug", &source, &target).spawn();
    running.logged("streaming").await;
    let ended = running.terminate().await;
    for line in ended.stderr.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            event["target"].is_string() && event["level"].is_string(),
            "{line}"
        );
    }
    assert!(
        !ended.stderr.contains('\u{1b}'),
        "colours without a terminal"
    );
}

#[tokio::test]
async fn trouble_1_connection_refused() {
    let target = cluster("target");
    let away = cluster("gone").url("postgres");
    let outcome = between("run", &target, &target)
        .env("PGSTREAM_POSTGRES_LISTENER_URL", &away)
        .env("PGSTREAM_RETRY_TIMEOUT", "1ms")
        .run()
        .await;
    with_filters(|| {
        assert_snapshot!(error_of(&outcome), @r#"
    exit code 75
    --- stderr
    error: cannot open a session on the source localhost:[port]/postgres
    caused by: cannot connect to localhost:[port]/postgres
    caused by: Connection refused (os error 111)
    hint: is PostgreSQL running there? test it with: psql "postgresql://postgres@localhost:[port]/postgres?sslmode=disable"; then check PGSTREAM_POSTGRES_LISTENER_URL in the environment
    "#);
    });
}

#[tokio::test]
async fn trouble_2_replication_slot_not_found() {
    let (source, target) = pair();
    let outcome = between("run", &source, &target).run().await;
    with_filters(|| {
        assert_snapshot!(error_of(&outcome), @r#"
    exit code 78
    --- stderr
    error: replication slot not found: there is no slot pgstream_tutorial_slot on localhost:[port]/postgres
    hint: pgstream init --pgurl "postgresql://postgres@localhost:[port]/postgres?sslmode=disable" --replication-slot pgstream_tutorial_slot
          (schema pgstream: is not there: pgstream has not been initialised in this database)
    "#);
    });
}

#[tokio::test]
async fn trouble_3_a_table_that_the_target_does_not_have() {
    let (source, target) = pair();
    let client = connect(&source.url("postgres")).await;
    execute(
        &client,
        "CREATE TABLE test(id SERIAL PRIMARY KEY, name TEXT)",
    )
    .await;
    init(&source, &target).await;
    execute(&client, "INSERT INTO test(name) VALUES('alice')").await;
    let outcome = between("run", &source, &target).run().await;
    with_filters(|| {
        assert_snapshot!(error_of(&outcome), @"
    exit code 65
    --- stderr
    error: cannot write to the target localhost:[port]/postgres
    caused by: table public.test is not on the target
    transaction: [xid] of the source, committed at [lsn]
    hint: have it copied, which goes on exactly here: set PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED=true, add 'public.test' to PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES, and run pgstream again; or leave it out: add 'public.test' to PGSTREAM_FILTER_EXCLUDE_TABLES; or skip this transaction with --skip-transaction [lsn]
    ");
    });
}

#[tokio::test]
async fn a_refused_transaction_is_skipped_on_record_by_the_position_that_its_error_names() {
    let (source, target) = pair();
    let client = connect(&source.url("postgres")).await;
    execute(
        &client,
        "CREATE TABLE test(id SERIAL PRIMARY KEY, name TEXT)",
    )
    .await;
    init(&source, &target).await;
    execute(&client, "INSERT INTO test(name) VALUES('alice')").await;
    let refused = between("run", &source, &target).run().await;
    let position = refused.stderr.split("committed at ").nth(1).unwrap();
    let position = position.split_whitespace().next().unwrap();

    let line = format!("run --skip-transaction {position}");
    let running = between(&line, &source, &target).spawn();
    execute(&client, "CREATE TABLE next(id int PRIMARY KEY)").await;
    shows(
        &target,
        "SELECT count(*) FROM pgstream.skipped_transaction",
        "1",
    )
    .await;
    shows(&target, "SELECT to_regclass('public.next')", "next").await;
    assert_eq!(running.terminate().await.code, Some(0));
    let status = between("status", &source, &target).run().await;
    assert!(
        status.stdout.contains("skipped on record"),
        "{}",
        status.stdout
    );
}

#[tokio::test]
async fn a_refused_schema_change_is_replaced_by_a_file_whose_id_its_error_names() {
    let (source, target) = pair();
    init(&source, &target).await;
    let client = connect(&source.url("postgres")).await;
    let there = connect(&target.url("postgres")).await;
    execute(&there, "CREATE TABLE test(id int PRIMARY KEY)").await;
    execute(
        &client,
        "BEGIN; CREATE TABLE test(id int PRIMARY KEY, v text); INSERT INTO test VALUES (1, 'a'); COMMIT",
    )
    .await;
    let refused = between("run", &source, &target).run().await;
    assert_eq!(refused.code, Some(65), "{}", refused.stderr);
    let id = refused.stderr.split("--edit-change ").nth(1).unwrap();
    let id = id.split('=').next().unwrap();

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fix.sql");
    std::fs::write(&file, "ALTER TABLE test ADD COLUMN v text").unwrap();
    let line = format!("run --edit-change {id}={}", file.display());
    let running = between(&line, &source, &target).spawn();
    shows(&target, "SELECT count(*) FROM test", "1").await;
    shows(&target, "SELECT v FROM test", "a").await;
    assert_eq!(running.terminate().await.code, Some(0));

    let line = format!("run --edit-change {id}=nowhere.sql");
    let missing = between(&line, &source, &target).run().await;
    assert_eq!(missing.code, Some(64), "{}", missing.stderr);
}

#[tokio::test]
async fn a_position_that_no_transaction_has_is_reported() {
    let (source, target) = pair();
    init(&source, &target).await;
    let client = connect(&source.url("postgres")).await;
    let reported = async |position: &str, table: &str| {
        let line = format!("run --skip-transaction {position}");
        let running = between(&line, &source, &target).spawn();
        execute(
            &client,
            &format!("CREATE TABLE {table}(id int PRIMARY KEY)"),
        )
        .await;
        shows(
            &target,
            &format!("SELECT to_regclass('public.{table}')"),
            table,
        )
        .await;
        running.terminate().await.stderr
    };

    let passed = reported("0/1", "first").await;
    assert!(
        passed.contains("nothing was skipped: no transaction"),
        "{passed}"
    );
    let ahead = reported("FFFF/0", "second").await;
    assert!(ahead.contains("has not come yet"), "{ahead}");
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let (source, target) = pair();
    init(&source, &target).await;
    let client = connect(&source.url("postgres")).await;
    let table = "CREATE TABLE test(id SERIAL PRIMARY KEY, name TEXT)";
    execute(&client, table).await;
    let running = between("run --log-level debug", &source, &target).spawn();
    shows(&target, "SELECT to_regclass('public.test')", "test").await;
    let blocker = connect(&target.url("postgres")).await;
    execute(&blocker, "BEGIN; LOCK TABLE test").await;
    execute(&client, "INSERT INTO test(name) VALUES('alice')").await;
    let waiting = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted";
    shows(&target, waiting, "t").await;

    running.signal(Signal::SIGINT);
    running.logged("SIGINT").await;
    running.signal(Signal::SIGTERM);
    let ended = running.outcome().await;
    assert_eq!(ended.code, Some(75), "{}", ended.stderr);

    execute(&blocker, "ROLLBACK").await;
    let again = between("run", &source, &target).spawn();
    shows(&target, "SELECT name FROM test", "alice").await;
    assert_eq!(again.terminate().await.code, Some(0));
}

#[tokio::test]
async fn trouble_4_permission_denied() {
    let (source, target) = pair();
    init(&source, &target).await;
    let client = connect(&target.url("postgres")).await;
    execute(&client, "CREATE ROLE writer LOGIN PASSWORD 'postgres'").await;
    let writer = target.url("postgres").replace("//postgres:", "//writer:");
    let outcome = between("run", &source, &target)
        .env("PGSTREAM_POSTGRES_WRITER_TARGET_URL", &writer)
        .run()
        .await;
    with_filters(|| {
        assert_snapshot!(error_of(&outcome), @r#"
    exit code 78
    --- stderr
    error: cannot write to the target localhost:[port]/postgres
    caused by: the target refuses our records
    caused by: localhost:[port]/postgres: permission denied for database postgres (SQLSTATE 42501)
    hint: on the target: GRANT CREATE ON DATABASE "postgres" TO "writer";
          (database postgres: permission denied: role writer cannot create schemas in it)
    "#);
    });
    let check = between("check", &source, &target)
        .env("PGSTREAM_POSTGRES_WRITER_TARGET_URL", &writer)
        .run()
        .await;
    let hint = "GRANT CREATE ON DATABASE \"postgres\" TO \"writer\"";
    assert!(check.stdout.contains(hint), "{}", check.stdout);
}

#[tokio::test]
async fn trouble_5_invalid_configuration() {
    let outcome = Call::line("run")
        .env("PGSTREAM_POSTGRES_LISTENER_URL", "localhost:5432")
        .run()
        .await;
    assert_snapshot!(seen(&outcome), @r#"
    exit code 64
    --- stderr
    error: invalid configuration, 2 problems:
      environment: PGSTREAM_POSTGRES_LISTENER_URL: a connection string is a URI such as postgres://user@host:5432/db, or key=value words
      PGSTREAM_POSTGRES_WRITER_TARGET_URL: is required and not set (in the file given with -c: PGSTREAM_POSTGRES_WRITER_TARGET_URL="postgres://postgres:postgres@localhost:7654?sslmode=disable", or --target-url)
    hint: docs/configuration.md lists every variable with its meaning and default
    "#);
}

#[tokio::test]
async fn a_wrong_password_is_reported_without_it() {
    let (source, target) = pair();
    let wrong = source
        .url("postgres")
        .replace("postgres:postgres@", "postgres:wrong-secret@");
    let outcome = between("run", &source, &target)
        .env("PGSTREAM_POSTGRES_LISTENER_URL", &wrong)
        .run()
        .await;
    with_filters(|| {
        assert_snapshot!(error_of(&outcome), @r#"
    exit code 78
    --- stderr
    error: cannot open a session on the source localhost:[port]/postgres
    caused by: localhost:[port]/postgres: password authentication failed for user "postgres" (SQLSTATE 28P01)
    hint: check the password of role postgres, from PGSTREAM_POSTGRES_LISTENER_URL in the environment
    "#);
    });
    assert!(
        !outcome.stderr.contains("wrong-secret"),
        "{}",
        outcome.stderr
    );
}

/// What would leave changes out without an error: `run` says the same as `check`.
#[tokio::test]
async fn run_refuses_to_leave_changes_out_in_silence() {
    let (source, target) = pair();
    init(&source, &target).await;
    let client = connect(&source.url("postgres")).await;
    let publication = "ALTER PUBLICATION pgstream_tutorial_slot_publication";
    for (fault, says, hint, fixed) in [
        (
            format!("{publication} SET (publish = 'insert')"),
            "publication pgstream_tutorial_slot_publication on the source",
            "ALTER PUBLICATION \"pgstream_tutorial_slot_publication\" SET (publish = 'insert, update",
            format!("{publication} SET (publish = 'insert, update, delete, truncate')"),
        ),
        (
            "ALTER EVENT TRIGGER pgstream_sql_drop DISABLE".to_owned(),
            "event trigger pgstream_sql_drop on the source",
            "pgstream init --pgurl",
            "ALTER EVENT TRIGGER pgstream_sql_drop ENABLE ALWAYS".to_owned(),
        ),
        (
            "DROP EVENT TRIGGER pgstream_table_rewrite".to_owned(),
            "event trigger pgstream_table_rewrite on the source",
            "pgstream init --pgurl",
            "SELECT".to_owned(),
        ),
    ] {
        execute(&client, &fault).await;
        for command in ["run", "check"] {
            let outcome = between(command, &source, &target).run().await;
            let message = format!("{}{}", outcome.stdout, outcome.stderr);
            assert_eq!(outcome.code, Some(78), "{fault}: {message}");
            assert!(message.contains(hint), "{fault}: {message}");
            assert!(
                command == "check" || message.contains(says),
                "{fault}: {message}"
            );
        }
        execute(&client, &fixed).await;
    }
}

#[tokio::test]
async fn run_refuses_to_stream_a_database_into_itself() {
    let (source, target) = pair();
    init(&source, &target).await;
    let by_number = source.url("postgres").replace("@localhost:", "@127.0.0.1:");
    let outcome = between("run", &source, &target)
        .env("PGSTREAM_POSTGRES_WRITER_TARGET_URL", &by_number)
        .run()
        .await;
    with_filters(|| {
        assert_snapshot!(error_of(&outcome), @"
    exit code 78
    --- stderr
    error: database postgres on the target 127.0.0.1:[port]/postgres: is the source itself: every change would be written back to where it came from
    hint: name another database in PGSTREAM_POSTGRES_WRITER_TARGET_URL
    ");
    });
}
