//! The throw-away clusters themselves.

use std::path::Path;

use pgstream::cluster::{ClusterOptions, OUTPUT_PLUGIN_LIBRARIES, Server};

use crate::support::{cluster, cluster_with, connect, every_server, execute, pair, query_text};

#[tokio::test]
async fn accepts_connections_over_tcp_and_socket_with_the_password() {
    let cluster = cluster("source");

    let sockets = format!(
        "host={} port={} user=postgres password=postgres",
        cluster.socket_dir().display(),
        cluster.port()
    );
    for address in [cluster.url("postgres"), sockets] {
        let client = connect(&address).await;
        let seen = query_text(&client, "SHOW wal_level").await;
        assert_eq!(seen, ["logical"], "{address}");
    }
}

#[tokio::test]
async fn every_server_on_this_machine_starts_and_has_its_plugins() {
    for server in every_server() {
        let options = ClusterOptions::new("major").on(&server);
        let cluster = cluster_with(options);
        let client = connect(&cluster.url("postgres")).await;
        for (plugin, expected) in [("pgoutput", true), ("wal2json", server.has_wal2json())] {
            let sql = format!(
                "SELECT slot_name FROM pg_create_logical_replication_slot('{plugin}', '{plugin}')"
            );
            let made = client.simple_query(&sql).await;
            assert_eq!(
                made.is_ok(),
                expected,
                "{} {plugin} {made:?}",
                server.version()
            );
        }
        assert!(server.knows_setting("wal_level"));
        let known = server.knows_setting(OUTPUT_PLUGIN_LIBRARIES);
        let shown = query_text(
            &client,
            "SELECT name FROM pg_settings WHERE name = 'output_plugin_libraries'",
        );
        assert_eq!(
            shown.await.len(),
            usize::from(known),
            "{}",
            server.version()
        );
    }
}

#[tokio::test]
async fn comes_back_with_its_rows_on_the_same_port_after_every_kind_of_stop() {
    let mut cluster = cluster("source");
    let port = cluster.port();
    execute(
        &connect(&cluster.url("postgres")).await,
        "CREATE TABLE kept AS SELECT 7 AS n",
    )
    .await;

    for stop in [0, 1, 2] {
        match stop {
            0 => cluster.stop_fast(),
            1 => cluster.stop_immediate(),
            _ => cluster.kill(),
        }
        .unwrap();
        assert_eq!(cluster.pid(), None);
        cluster.restart().unwrap();

        let client = connect(&cluster.url("postgres")).await;
        assert_eq!(query_text(&client, "SELECT n FROM kept").await, ["7"]);
        assert_eq!(cluster.port(), port);
    }
}

#[test]
fn leaves_neither_process_nor_file_when_dropped() {
    let (source, target) = pair();
    let traces = [&source, &target].map(|cluster| {
        let process = Path::new("/proc").join(cluster.pid().unwrap().to_string());
        (process, cluster.socket_dir().to_path_buf())
    });

    drop((source, target));

    for (process, directory) in traces {
        assert!(
            !process.exists() && !directory.exists(),
            "{}",
            directory.display()
        );
    }
}

#[test]
fn a_setting_that_the_server_refuses_is_reported_with_the_servers_own_words() {
    let options = ClusterOptions::new("broken").setting("no_such_setting", "on");

    let error = pgstream::cluster::Cluster::start(options).unwrap_err();

    assert!(error.to_string().contains("no_such_setting"), "{error}");
}

#[test]
fn a_directory_without_a_server_is_an_error_that_names_the_way_to_install_one() {
    use pgstream::model::Classify as _;

    let error = Server::at(Path::new("/nonexistent")).unwrap_err();

    assert_eq!(
        error.to_string(),
        "no PostgreSQL server found, searched /nonexistent"
    );
    assert!(error.hint().unwrap().contains("make deps"));
}
