//! `pgstream check` and `pgstream status` against real servers.

use insta::{Settings, assert_snapshot};
use pgstream::cluster::{Cluster, ClusterOptions, OUTPUT_PLUGIN_LIBRARIES, Server};

use crate::cli_config::seen;
use crate::support::{
    Call, cluster, cluster_with, connect, every_server, execute, pair, query_text, wait_until,
};

/// Runs `assertion` with what differs between two runs replaced.
pub fn with_filters(assertion: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    for (pattern, replacement) in [
        (r"(localhost|127\.0\.0\.1):\d+", "$1:[port]"),
        (r"PostgreSQL \d+\.\d+", "PostgreSQL [version]"),
        (r"\b[0-9A-F]+/[0-9A-F]+\b", "[lsn]"),
        (r"\d+\.\d [KMG]iB|\b\d+ B\b", "[bytes]"),
        (r"transaction: \d+", "transaction: [xid]"),
        (r"process \d+", "process [pid]"),
        (r"127\.0\.0\.1 port \d+", "[client]"),
        (r"terminate_backend\(\d+\)", "terminate_backend([pid])"),
        (r"\d{4}-\d\d-\d\d[T ][0-9:.]+(Z|\+00:00)?", "[time]"),
        (r"\d+\.\d s", "[seconds]"),
    ] {
        settings.add_filter(pattern, replacement);
    }
    settings.bind(assertion);
}

/// A command with both databases and the slot of the tutorial in its environment.
pub fn between(command: &str, source: &Cluster, target: &Cluster) -> Call {
    with_both(Call::line(command), source, target)
}

fn with_both(call: Call, source: &Cluster, target: &Cluster) -> Call {
    call.env("PGSTREAM_POSTGRES_LISTENER_URL", &source.url("postgres"))
        .env(
            "PGSTREAM_POSTGRES_WRITER_TARGET_URL",
            &target.url("postgres"),
        )
        .env(
            "PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL",
            &source.url("postgres"),
        )
        .env(
            "PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME",
            "pgstream_tutorial_slot",
        )
}

/// An address nobody listens at: the port of a server that has ended.
fn dead_url() -> String {
    let gone = cluster("gone");
    gone.url("postgres")
}

#[tokio::test]
async fn before_init_check_says_to_run_init() {
    let (source, target) = pair();
    let outcome = between("check", &source, &target).run().await;
    with_filters(|| {
        assert_snapshot!(seen(&outcome), @r#"
    exit code 78
    --- stdout
    source  localhost:[port]/postgres
    target  localhost:[port]/postgres
    slot    pgstream_tutorial_slot

    ✗ source  schema pgstream: is not there: pgstream has not been initialised in this database
              hint: pgstream init --pgurl "postgresql://postgres@localhost:[port]/postgres?sslmode=disable" --replication-slot pgstream_tutorial_slot
    ! target  role postgres: is a superuser: a check, default, index or generated column that a user of the source defines runs with its rights here
              hint: CREATE ROLE pgstream LOGIN PASSWORD '…'; GRANT CREATE, TEMPORARY ON DATABASE "postgres" TO pgstream; GRANT USAGE, CREATE ON SCHEMA "public" TO pgstream; SELECT format('ALTER TABLE %I.%I OWNER TO pgstream', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'pgstream') \gexec -- then name it in PGSTREAM_POSTGRES_WRITER_TARGET_URL
    ✗ 1 of 2 findings must be fixed before pgstream can run
    "#);
    });
}

#[tokio::test]
async fn a_source_without_logical_wal_is_reported() {
    let source = cluster_with(ClusterOptions::new("source").setting("wal_level", "replica"));
    let target = cluster("target");
    let outcome = between("check", &source, &target).run().await;
    assert_eq!(outcome.code, Some(78));
    let expected = "ALTER SYSTEM SET wal_level = 'logical'";
    assert!(outcome.stdout.contains(expected), "{}", outcome.stdout);
}

#[tokio::test]
async fn a_role_without_rights_gets_every_grant() {
    let (source, target) = pair();
    for (side, role) in [(&source, "reader"), (&target, "writer")] {
        let client = connect(&side.url("postgres")).await;
        let create =
            format!("CREATE ROLE {role} LOGIN PASSWORD 'postgres'; CREATE TABLE test (id int)");
        execute(&client, &create).await;
    }
    let as_role = |side: &Cluster, role: &str| {
        side.url("postgres")
            .replace("postgres://postgres:", &format!("postgres://{role}:"))
    };
    let outcome = between("check", &source, &target)
        .env(
            "PGSTREAM_POSTGRES_LISTENER_URL",
            &as_role(&source, "reader"),
        )
        .env(
            "PGSTREAM_POSTGRES_WRITER_TARGET_URL",
            &as_role(&target, "writer"),
        )
        .env("PGSTREAM_POSTGRES_WRITER_DISABLE_TRIGGERS", "true")
        .run()
        .await;
    with_filters(|| {
        assert_snapshot!(seen(&outcome), @r#"
    exit code 78
    --- stdout
    source  localhost:[port]/postgres
    target  localhost:[port]/postgres
    slot    pgstream_tutorial_slot

    ✗ source  role reader: permission denied to replicate: it has no REPLICATION right
              hint: ALTER ROLE "reader" REPLICATION;
    ✗ source  schema pgstream: is not there, and role reader cannot make it: event triggers and a publication for all tables need a superuser
              hint: pgstream init --pgurl "postgresql://<superuser>@localhost:[port]/postgres?sslmode=disable" --replication-slot pgstream_tutorial_slot
    ✗ target  database postgres: permission denied: role writer cannot create schemas in it
              hint: GRANT CREATE ON DATABASE "postgres" TO "writer";
    ✗ target  session_replication_role: permission denied: role writer cannot set it, and PGSTREAM_POSTGRES_WRITER_DISABLE_TRIGGERS asks for that
              hint: GRANT SET ON PARAMETER session_replication_role TO "writer";
    ✗ target  public.test: permission denied for role writer: it lacks SELECT, INSERT, UPDATE, DELETE, TRUNCATE
              hint: GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON TABLE "public"."test" TO "writer";
    ! source  public.test: has no replica identity: init gives it REPLICA IDENTITY FULL
              hint: ALTER TABLE "public"."test" REPLICA IDENTITY FULL;
    ! target  public.test: belongs to postgres: a schema change of it would be refused to role writer
              hint: ALTER TABLE "public"."test" OWNER TO "writer";
    ! target  schema public: permission denied: role writer cannot create anything in it, and a CREATE TABLE there would be refused
              hint: GRANT USAGE, CREATE ON SCHEMA "public" TO "writer";
    ✗ 5 of 8 findings must be fixed before pgstream can run
    "#);
    });
}

/// Each statement is carried out as it was reported, until nothing is left to say.
#[tokio::test]
async fn a_role_that_was_given_what_check_says_sees_everything() {
    let (source, target) = pair();
    let (on_source, on_target) = (
        connect(&source.url("postgres")).await,
        connect(&target.url("postgres")).await,
    );
    for client in [&on_source, &on_target] {
        let role = "CREATE ROLE \"The reader\" LOGIN PASSWORD 'postgres'; \
                    CREATE TABLE test (id int PRIMARY KEY); \
                    REVOKE CONNECT ON DATABASE postgres FROM PUBLIC";
        execute(client, role).await;
    }
    let done = between("init", &source, &target).run().await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let url = |side: &Cluster| {
        side.url("postgres")
            .replace("//postgres:", "//The%20reader:")
    };
    let by_role = |command: &str| {
        between(command, &source, &target)
            .env("PGSTREAM_POSTGRES_LISTENER_URL", &url(&source))
            .env("PGSTREAM_POSTGRES_WRITER_TARGET_URL", &url(&target))
            .env(
                "PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL",
                &url(&source),
            )
    };
    execute(
        &on_source,
        "GRANT CONNECT ON DATABASE postgres TO \"The reader\"",
    )
    .await;
    let barred = by_role("status").run().await;
    let grant = "GRANT SELECT ON pgstream.installation, pgstream.pipeline, pgstream.schema_log TO \"The reader\";";
    assert!(barred.stdout.contains(grant), "{}", barred.stdout);
    execute(
        &on_source,
        "REVOKE CONNECT ON DATABASE postgres FROM \"The reader\"",
    )
    .await;

    let mut rounds = 0;
    loop {
        let outcome = by_role("check --json").run().await;
        let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().clone();
        if findings.is_empty() {
            break;
        }
        rounds += 1;
        assert!(rounds <= 2, "{findings:#?}");
        for finding in findings {
            let client = match finding["side"].as_str() {
                Some("source") => &on_source,
                _ => &on_target,
            };
            execute(client, finding["hint"].as_str().unwrap()).await;
        }
    }
    let status = by_role("status").run().await;
    assert!(
        status.stdout.contains("init        done"),
        "{}",
        status.stdout
    );
}

#[tokio::test]
async fn one_server_under_two_names_is_seen() {
    let source = cluster("source");
    let outcome = between("check", &source, &source)
        .env(
            "PGSTREAM_POSTGRES_WRITER_TARGET_URL",
            &source.url("postgres").replace("localhost", "127.0.0.1"),
        )
        .run()
        .await;
    assert_eq!(outcome.code, Some(78));
    assert!(
        outcome.stdout.contains("is the source itself"),
        "{}",
        outcome.stdout
    );
}

#[tokio::test]
async fn what_the_target_lacks_is_reported_with_its_statement() {
    let (source, target) = pair();
    let client = connect(&source.url("postgres")).await;
    let schema = "CREATE TYPE mood AS ENUM ('sad', 'it''s ok'); \
                  CREATE COLLATION german (provider = icu, locale = 'de'); \
                  CREATE TABLE feeling (id int PRIMARY KEY, mood mood[], name text COLLATE german); \
                  CREATE TABLE \"Order items\" (id int)";
    execute(&client, schema).await;
    let there = connect(&target.url("postgres")).await;
    execute(&there, "CREATE TABLE feeling (id int PRIMARY KEY)").await;
    let outcome = between("check", &source, &target).run().await;
    with_filters(|| {
        assert_snapshot!(seen(&outcome), @r#"
    exit code 78
    --- stdout
    source  localhost:[port]/postgres
    target  localhost:[port]/postgres
    slot    pgstream_tutorial_slot

    ✗ source  schema pgstream: is not there: pgstream has not been initialised in this database
              hint: pgstream init --pgurl "postgresql://postgres@localhost:[port]/postgres?sslmode=disable" --replication-slot pgstream_tutorial_slot
    ! source  public."Order items": has no replica identity: init gives it REPLICA IDENTITY FULL
              hint: ALTER TABLE "public"."Order items" REPLICA IDENTITY FULL;
    ! target  role postgres: is a superuser: a check, default, index or generated column that a user of the source defines runs with its rights here
              hint: CREATE ROLE pgstream LOGIN PASSWORD '…'; GRANT CREATE, TEMPORARY ON DATABASE "postgres" TO pgstream; GRANT USAGE, CREATE ON SCHEMA "public" TO pgstream; SELECT format('ALTER TABLE %I.%I OWNER TO pgstream', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'pgstream') \gexec -- then name it in PGSTREAM_POSTGRES_WRITER_TARGET_URL
    ! target  type public.mood: is not here, and public.feeling uses it
              hint: CREATE TYPE "public"."mood" AS ENUM ('sad', 'it''s ok');
    ! target  collation public.german: is not here, and public.feeling uses it
              hint: CREATE COLLATION "public"."german" (provider = icu, locale = 'de');
    ! target  public."Order items": is on the source and not here: a change of one of its rows would stop the stream, unless the stream brings the table first
              hint: PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED=true PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES='public."Order items"' pgstream run # or leave it out: PGSTREAM_FILTER_EXCLUDE_TABLES='public."Order items"' pgstream run
    ! target  public.feeling: has not all columns of the source's: mood, name
              hint: ALTER TABLE "public"."feeling" ADD COLUMN "mood" public.mood[], ADD COLUMN "name" text COLLATE public.german;
    ! target  collation: 1 is on the source and not on the target: public.german
              hint: take their statements out of: pg_dump --schema-only postgresql://postgres@localhost:[port]/postgres?sslmode=disable
    ✗ 1 of 8 findings must be fixed before pgstream can run
    "#);
    });
    for hint in outcome
        .stdout
        .lines()
        .filter_map(|line| line.trim().strip_prefix("hint: "))
    {
        if hint.starts_with("CREATE TYPE")
            || hint.starts_with("CREATE COLLATION")
            || hint.starts_with("ALTER TABLE \"public\".\"feeling\"")
        {
            execute(&there, hint).await;
        }
    }
    let again = between("check", &source, &target).run().await;
    assert!(
        !again.stdout.contains("mood") && !again.stdout.contains("german"),
        "{}",
        again.stdout
    );
}

#[tokio::test]
async fn check_as_json_has_the_documented_fields() {
    let (source, target) = pair();
    let outcome = between("check --json", &source, &target).run().await;
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let finding = report["findings"][0].as_object().unwrap();
    let fields: Vec<&String> = finding.keys().collect();
    assert_eq!(fields, ["blocking", "hint", "object", "problem", "side"]);
    assert_eq!(report["slot_name"], "pgstream_tutorial_slot");
    assert_eq!(outcome.code, Some(78));
}

#[tokio::test]
async fn a_plugin_that_the_server_refuses_is_fixed_by_the_statement_of_check() {
    let mut servers = every_server();
    servers.retain(|server| server.knows_setting(OUTPUT_PLUGIN_LIBRARIES));
    for server in servers {
        a_refused_plugin_is_fixed(&server).await;
    }
}

async fn a_refused_plugin_is_fixed(server: &Server) {
    let options = ClusterOptions::new("source").on(server);
    let source = cluster_with(options.setting(OUTPUT_PLUGIN_LIBRARIES, "other"));
    let target = cluster("target");
    let call =
        between("check", &source, &target).env("PGSTREAM_POSTGRES_REPLICATION_PLUGIN", "wal2json");
    let refused = call.run().await;
    let mut lines = refused
        .stdout
        .lines()
        .skip_while(|line| !line.contains("output_plugin"));
    let hint = lines.nth(1).unwrap().trim().strip_prefix("hint: ").unwrap();
    let client = connect(&source.url("postgres")).await;
    for statement in hint.split_inclusive(';') {
        execute(&client, statement).await;
    }
    wait_until("the setting is in effect", || async {
        let outcome = call.run().await;
        if outcome.stdout.contains("output_plugin") {
            Err(outcome.stdout)
        } else {
            Ok(())
        }
    })
    .await;
}

#[tokio::test]
async fn an_older_wal2json_is_warned_of_and_the_question_leaves_nothing() {
    let (source, target) = pair();
    let call = between("check", &source, &target);
    let call = call.env("PGSTREAM_POSTGRES_REPLICATION_PLUGIN", "wal2json");
    let init = between("init", &source, &target);
    let init = init.env("PGSTREAM_POSTGRES_REPLICATION_PLUGIN", "wal2json");
    assert_eq!(init.run().await.code, Some(0));
    let client = connect(&source.url("postgres")).await;
    let slots = "SELECT slot_name FROM pg_replication_slots";
    let before = query_text(&client, slots).await;
    let knows = "SELECT FROM pg_logical_slot_peek_changes('pgstream_tutorial_slot', '0/1', NULL, \
                 'format-version', '2', 'numeric-data-types-as-string', 'true')";
    let is_old = client.simple_query(knows).await.is_err();

    let outcome = call.run().await;

    let warned = outcome.stdout.contains("wal2json: is older than 2.6");
    assert_eq!(warned, is_old, "{}", outcome.stdout);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stdout);
    wait_until("the session's end has taken its slot along", || async {
        let left = query_text(&client, slots).await;
        if left == before {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    })
    .await;
}

#[tokio::test]
async fn every_version_answers_the_same_questions() {
    for server in every_server() {
        let start = |name: &str| cluster_with(ClusterOptions::new(name).on(&server));
        let (source, target) = (start("source"), start("target"));
        for (command, code) in [
            ("check", 78),
            ("status --json", 0),
            ("init", 0),
            ("check", 0),
        ] {
            let outcome = between(command, &source, &target).run().await;
            let message = format!("{} {command}: {}", server.version(), seen(&outcome));
            assert_eq!(outcome.code, Some(code), "{message}");
            assert!(!outcome.stdout.contains("SQLSTATE"), "{message}");
        }
    }
}

#[tokio::test]
async fn status_before_init_says_what_is_missing() {
    let (source, target) = pair();
    let outcome = between("status", &source, &target).run().await;
    with_filters(|| {
        assert_snapshot!(seen(&outcome), @r#"
    exit code 0
    --- stdout
    source      localhost:[port]/postgres  PostgreSQL [version]
    target      localhost:[port]/postgres  PostgreSQL [version]
    init        not done: pgstream init --pgurl "postgresql://postgres@localhost:[port]/postgres?sslmode=disable" --replication-slot pgstream_tutorial_slot
    slot        pgstream_tutorial_slot  not found
    lag         not known
    checkpoint  none yet: run has not streamed to this target
    "#);
    });
}

#[tokio::test]
async fn status_shows_names_as_sql_takes_them_and_json_as_they_are() {
    let (source, target) = pair();
    let done = between("init", &source, &target).run().await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let client = connect(&source.url("postgres")).await;
    execute(&client, "CREATE SCHEMA \"A.b\"").await;
    execute(&client, "CREATE TABLE \"A.b\".\"Order items\" (id int)").await;

    let text = between("status", &source, &target).run().await.stdout;
    let json = between("status --json", &source, &target)
        .run()
        .await
        .stdout;

    assert!(text.contains("table \"A.b\".\"Order items\""), "{text}");
    let seen: serde_json::Value = serde_json::from_str(&json).unwrap();
    let newest = seen["schema_changes"][0].as_object().unwrap();
    assert_eq!(newest["objects"][0], "table A.b.Order items");
    assert!(!newest.contains_key("quoted_objects"), "{json}");
}

#[tokio::test]
async fn status_and_check_work_while_the_target_is_away() {
    let source = cluster("source");
    let away = dead_url();
    let call = |command| {
        between(command, &source, &source).env("PGSTREAM_POSTGRES_WRITER_TARGET_URL", &away)
    };
    let status = call("status").run().await;
    with_filters(|| {
        assert_snapshot!(seen(&status), @r#"
    exit code 75
    --- stdout
    source      localhost:[port]/postgres  PostgreSQL [version]
    target      localhost:[port]/postgres  not reachable: cannot connect to localhost:[port]/postgres: Connection refused (os error 111)
    init        not done: pgstream init --pgurl "postgresql://postgres@localhost:[port]/postgres?sslmode=disable" --replication-slot pgstream_tutorial_slot
    slot        pgstream_tutorial_slot  not found
    lag         not known
    checkpoint  not known
    --- stderr
    error: cannot connect to localhost:[port]/postgres
    caused by: Connection refused (os error 111)
    hint: is PostgreSQL running there? test it with: psql "postgresql://postgres@localhost:[port]/postgres?sslmode=disable"; then check PGSTREAM_POSTGRES_WRITER_TARGET_URL in the environment
    "#);
    });
    let check = call("check").run().await;
    assert_eq!(check.code, Some(78));
    assert!(check.stdout.contains("refused"), "{}", check.stdout);
}

#[tokio::test]
async fn what_is_in_the_way_of_the_first_copy_is_reported_beforehand() {
    let (source, target) = pair();
    for (side, rows) in [(&source, 2), (&target, 1)] {
        let client = connect(&side.url("postgres")).await;
        let table = format!(
            "CREATE TABLE test (id int PRIMARY KEY); \
             INSERT INTO test SELECT generate_series(1, {rows})"
        );
        execute(&client, &table).await;
    }
    let copying = || {
        between("check", &source, &target).env(
            "PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED",
            "true",
        )
    };
    let reported = copying().run().await.stdout;
    let expected =
        "✗ target  table public.test: is in the way of the initial snapshot: it has rows";
    assert!(reported.contains(expected), "{reported}");

    let misspelt = copying()
        .env("PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES", "tset")
        .run()
        .await;
    assert!(
        misspelt.stdout.contains("did you mean public.test?"),
        "{}",
        misspelt.stdout
    );
}

/// What `run` would refuse, or stop at, is reported beforehand, by its object.
#[tokio::test]
async fn check_sees_the_rights_that_a_run_would_miss() {
    let (source, target) = pair();
    let (on_source, on_target) = (
        connect(&source.url("postgres")).await,
        connect(&target.url("postgres")).await,
    );
    let schema = "CREATE SEQUENCE drawn; CREATE TYPE mood AS ENUM ('fine'); \
                  CREATE TABLE test (id int PRIMARY KEY DEFAULT nextval('drawn'), m mood); \
                  CREATE ROLE weak LOGIN REPLICATION PASSWORD 'postgres'; \
                  GRANT ALL ON TABLE test TO weak";
    execute(&on_source, schema).await;
    execute(&on_source, "CREATE SEQUENCE alone").await;
    execute(&on_target, schema).await;
    let done = between("init", &source, &target).run().await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let weak = |side: &Cluster| side.url("postgres").replace("//postgres:", "//weak:");
    let wrong = source.url("postgres").replace(":postgres@", ":wrong@");
    let outcome = between("check", &source, &target)
        .env("PGSTREAM_POSTGRES_LISTENER_URL", &weak(&source))
        .env("PGSTREAM_POSTGRES_WRITER_TARGET_URL", &weak(&target))
        .env("PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL", &wrong)
        .env(
            "PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED",
            "true",
        )
        .run()
        .await;
    for hint in [
        "GRANT SELECT ON SEQUENCE \"public\".\"alone\" TO \"weak\";",
        "GRANT SELECT ON SEQUENCE \"public\".\"drawn\" TO \"weak\";",
        "GRANT SELECT, UPDATE ON SEQUENCE \"public\".\"drawn\" TO \"weak\";",
        "ALTER TYPE \"public\".\"mood\" OWNER TO \"weak\";",
        "PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL: localhost",
    ] {
        assert!(outcome.stdout.contains(hint), "{hint}\n{}", outcome.stdout);
    }

    let outcome = between("check", &source, &target)
        .env(
            "PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL",
            &weak(&source),
        )
        .run()
        .await;
    let hint = "GRANT SELECT, UPDATE ON pgstream.schema_log TO \"weak\";";
    assert!(outcome.stdout.contains(hint), "{}", outcome.stdout);
}

#[tokio::test]
async fn a_result_that_found_no_room_is_no_success() {
    let (source, target) = pair();
    for command in [
        "--help",
        "--version",
        "init --plan",
        "init",
        "status",
        "status --json",
        "check",
        "check --json",
        "snapshot --plan",
        "snapshot",
        "tear-down --plan",
        "tear-down",
    ] {
        let script = format!(
            "exec {} {command} > /dev/full",
            env!("CARGO_BIN_EXE_pgstream")
        );
        let call = Call::program("sh", vec!["-c".to_owned(), script]);
        let outcome = with_both(call, &source, &target).run().await;
        assert_eq!(outcome.code, Some(78), "{command}: {}", outcome.stderr);
        let message = "cannot write the result to the standard output";
        assert!(
            outcome.stderr.contains(message),
            "{command}: {}",
            outcome.stderr
        );
    }
}
