//! `pgstream init` and `pgstream tear-down`, in both spellings of the tutorial.

use insta::assert_snapshot;
use pgstream::cluster::{Cluster, ClusterOptions, OUTPUT_PLUGIN_LIBRARIES, Server};

use crate::cli_check::{between, with_filters};
use crate::cli_config::seen;
use crate::support::{Call, cluster, cluster_with, connect, execute, pair, psql, query_text};

const SUCCESS: &str = "SUCCESS  pgstream initialisation complete\n";
const GONE: &str = "SUCCESS  pgstream tear down complete\n";
const SLOT: &str = "pgstream_tutorial_slot";

/// The tutorial's address: no database name, so the user's.
fn tutorial_url(cluster: &Cluster) -> String {
    let port = cluster.port();
    format!("postgres://postgres:postgres@localhost:{port}?sslmode=disable")
}

fn with_flags(command: &str, cluster: &Cluster) -> Call {
    let url = tutorial_url(cluster);
    Call::line(&format!(
        "{command} --pgurl \"{url}\" --replication-slot {SLOT}"
    ))
}

async fn slots(cluster: &Cluster) -> Vec<String> {
    let sql = "SELECT slot_name, plugin, slot_type, database FROM pg_replication_slots";
    query_text(&connect(&cluster.url("postgres")).await, sql).await
}

#[tokio::test]
async fn init_and_tear_down_with_flags_as_in_the_tutorial() {
    let source = cluster("source");
    let init = with_flags("init", &source).run().await;
    assert_eq!(
        (init.code, init.stdout.as_str()),
        (Some(0), SUCCESS),
        "{}",
        init.stderr
    );
    assert_eq!(
        slots(&source).await,
        [format!("{SLOT}|pgoutput|logical|postgres")]
    );
    let table = psql(&source, "\\d+ pgstream.schema_log");
    for expected in [
        "pgstream.xid",
        "\"schema_log_pkey\" PRIMARY KEY, btree (id)",
        "\"schema_log_version_uniq\" UNIQUE, btree (schema_name, version)",
        "\"schema_log_name_acked\" btree (schema_name, acked, id)",
    ] {
        assert!(table.contains(expected), "{expected}: {table}");
    }

    let gone = with_flags("tear-down", &source).run().await;
    assert_eq!(
        (gone.code, gone.stdout.as_str()),
        (Some(0), GONE),
        "{}",
        gone.stderr
    );
    assert_eq!(slots(&source).await, Vec::<String>::new());
}

#[tokio::test]
async fn init_with_variables_as_in_the_tutorial_and_twice() {
    let source = cluster("source");
    let call = Call::line("init")
        .env("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", SLOT)
        .env("PGSTREAM_POSTGRES_LISTENER_URL", &tutorial_url(&source));
    assert_eq!(call.run().await.stdout, SUCCESS);
    let again = call.run().await;
    with_filters(|| {
        assert_snapshot!(seen(&again), @"
    exit code 0
    --- stdout
    SUCCESS  pgstream initialisation complete
    --- stderr
    localhost:[port]/postgres was initialised before, with slot pgstream_tutorial_slot: nothing was changed
    ");
    });
}

#[tokio::test]
async fn the_default_slot_is_named_after_the_database() {
    let source = cluster("source");
    let url = tutorial_url(&source);
    let init = Call::line(&format!("init --pgurl \"{url}\"")).run().await;
    assert_eq!(init.code, Some(0), "{}", init.stderr);
    assert_eq!(
        slots(&source).await,
        ["pgstream_postgres_slot|pgoutput|logical|postgres"]
    );
}

#[tokio::test]
async fn a_plan_prints_sql_and_runs_nothing() {
    let source = cluster("source");
    let plan = with_flags("init --plan", &source).run().await;
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    assert!(
        plan.stdout
            .starts_with("-- source: install schema pgstream"),
        "{}",
        plan.stdout
    );
    for expected in [
        "CREATE PUBLICATION",
        "pg_create_logical_replication_slot",
        "schema_log",
    ] {
        assert!(
            plan.stdout.contains(expected),
            "{expected}: {}",
            plan.stdout
        );
    }
    assert!(!plan.stdout.contains("SUCCESS"), "{}", plan.stdout);
    assert_eq!(slots(&source).await, Vec::<String>::new());
    let nothing = with_flags("tear-down --plan", &source).run().await;
    assert_eq!(nothing.stdout, "-- nothing to do\n");
}

#[tokio::test]
async fn tear_down_twice_is_a_success_that_says_so() {
    let source = cluster("source");
    let nothing = with_flags("tear-down", &source).run().await;
    with_filters(|| {
        assert_snapshot!(seen(&nothing), @"
    exit code 0
    --- stdout
    SUCCESS  pgstream tear down complete
    --- stderr
    nothing of pgstream was there for slot pgstream_tutorial_slot: nothing was changed
    ");
    });
}

#[tokio::test]
async fn tear_down_refuses_while_the_slot_is_in_use() {
    let (source, target) = pair();
    assert_eq!(with_flags("init", &source).run().await.stdout, SUCCESS);
    let running = between("run", &source, &target).spawn();
    running.logged("streaming").await;
    let plan = with_flags("tear-down --plan", &source).run().await;
    let refused = with_flags("tear-down", &source).run().await;
    assert_eq!(running.terminate().await.code, Some(0));
    with_filters(|| {
        assert_snapshot!(seen(&refused), @"
    exit code 78
    --- stderr
    error: slot pgstream_tutorial_slot is active for process [pid] (application pgstream)
    hint: stop the pgstream run that uses it ([client]), which would only connect again; where its process is gone, end the session on the source: SELECT pg_terminate_backend([pid])
    ");
    });
    with_filters(|| {
        assert_snapshot!(plan.stdout.lines().take(3).collect::<Vec<_>>().join("\n"), @r"
    -- note: slot pgstream_tutorial_slot is active for process [pid] (application pgstream), and tear-down refuses until that ends: stop the pgstream run that uses it ([client]), which would only connect again; where its process is gone, end the session on the source: SELECT pg_terminate_backend([pid])
    -- source: drop replication slot pgstream_tutorial_slot
    SELECT pg_catalog.pg_drop_replication_slot('pgstream_tutorial_slot');
    ");
    });
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    let removed = between("tear-down", &source, &target).run().await;
    assert_eq!(
        (removed.code, removed.stdout.as_str()),
        (Some(0), GONE),
        "{}",
        removed.stderr
    );
    for side in [&source, &target] {
        let client = connect(&side.url("postgres")).await;
        let left = query_text(&client, "SELECT to_regnamespace('pgstream')").await;
        assert_eq!(left, ["∅"]);
    }
}

#[tokio::test]
async fn a_source_in_another_encoding_is_initialised() {
    let source = cluster("source");
    let latin = "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'";
    execute(&connect(&source.url("postgres")).await, latin).await;
    let url = source.url("latin");
    let init = Call::line(&format!("init --pgurl \"{url}\" --replication-slot latin"));
    let init = init.run().await;
    assert_eq!(init.code, Some(0), "{}", init.stderr);
}

#[tokio::test]
async fn tear_down_cleans_one_side_while_the_other_is_away() {
    let source = cluster("source");
    assert_eq!(with_flags("init", &source).run().await.stdout, SUCCESS);
    let away = cluster("gone").url("postgres");
    let half = with_flags("tear-down", &source)
        .env("PGSTREAM_POSTGRES_WRITER_TARGET_URL", &away)
        .run()
        .await;
    assert_eq!(slots(&source).await, Vec::<String>::new());
    with_filters(|| {
        assert_snapshot!(seen(&half), @r#"
    exit code 75
    --- stderr
    [time]  INFO schema: drop replication slot pgstream_tutorial_slot
    [time]  INFO schema: drop publication pgstream_tutorial_slot_publication
    [time]  INFO schema: remove event triggers, functions and tables of schema pgstream
    on the target remains what was made there: the checkpoint of slot pgstream_tutorial_slot in schema pgstream; tear-down again when it answers
    error: cannot remove what is on the target
    caused by: cannot connect to localhost:[port]/postgres
    caused by: Connection refused (os error 111)
    hint: is PostgreSQL running there? test it with: psql "postgresql://postgres@localhost:[port]/postgres?sslmode=disable"; then check PGSTREAM_POSTGRES_WRITER_TARGET_URL in the environment
    "#);
    });
}

/// Current minor releases refuse plugins that a setting does not list; older ones do not know it.
#[tokio::test]
async fn a_refused_output_plugin_is_fixed_by_the_statement_of_the_hint() {
    let server = Server::find().unwrap();
    let knows = server.knows_setting(OUTPUT_PLUGIN_LIBRARIES);
    let options = ClusterOptions::new("source").on(&server);
    let source = cluster_with(match knows {
        true => options.setting(OUTPUT_PLUGIN_LIBRARIES, ""),
        false => options,
    });
    let init = with_flags("init --plugin wal2json", &source);
    let first = init.run().await;
    if knows {
        assert_eq!((first.code, first.stdout.as_str()), (Some(78), ""));
        let hint = first.stderr.split("hint: ").nth(1).unwrap();
        let client = connect(&source.url("postgres")).await;
        for statement in hint.trim().split_inclusive(';') {
            execute(&client, statement).await;
        }
        assert_eq!(init.run().await.stdout, SUCCESS);
    } else {
        assert_eq!(first.stdout, SUCCESS, "{}", first.stderr);
    }
    assert_eq!(
        slots(&source).await,
        [format!("{SLOT}|wal2json|logical|postgres")]
    );
}

#[tokio::test]
async fn init_without_the_rights_says_which_ones() {
    let source = cluster("source");
    let client = connect(&source.url("postgres")).await;
    execute(&client, "CREATE ROLE reader LOGIN PASSWORD 'postgres'").await;
    let url = source.url("postgres").replace("//postgres:", "//reader:");
    let refused = Call::line(&format!("init --pgurl {url}")).run().await;
    with_filters(|| {
        assert_snapshot!(seen(&refused), @r#"
    exit code 78
    --- stderr
    error: role reader may not create event triggers and publications of all tables
    hint: ALTER ROLE "reader" SUPERUSER; or run init as a superuser
    "#);
    });
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_password_of_the_command_line_is_not_in_the_list_of_processes() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgres://me:hidden@127.0.0.1:{port}/shop");
    let running = Call::line(&format!("init --pgurl \"{url}\"")).spawn();
    let _client = silent.accept().await.unwrap();

    let shown = std::fs::read(format!("/proc/{}/cmdline", running.pid())).unwrap();

    let shown = String::from_utf8_lossy(&shown).replace('\0', " ");
    let expected = format!("init --pgurl postgres://me:***@127.0.0.1:{port}/shop ");
    assert!(shown.ends_with(&expected), "{shown}");
}

#[tokio::test]
async fn init_goes_on_with_the_plugin_of_the_slot_that_is_there() {
    let source = cluster("source");
    for command in ["init --plugin wal2json", "init"] {
        let outcome = with_flags(command, &source).run().await;
        assert_eq!(outcome.code, Some(0), "{command}: {}", outcome.stderr);
    }
    let outcome = with_flags("init --plugin pgoutput", &source).run().await;
    let hint = "hint: go on with its plugin: --plugin wal2json; or choose another name";
    assert!(outcome.stderr.contains(hint), "{}", outcome.stderr);
}
