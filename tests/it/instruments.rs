//! The instruments of the tests do what they say.

use std::time::Duration;

use pgstream::cluster::ClusterOptions;
use tokio::time::timeout;

use crate::support::tls::{Authority, self_signed_server};
use crate::support::{Call, Proxy, cluster, cluster_with, connect, psql, query_text, wait_until};

/// Long enough for an answer from this machine, short enough to wait for one that must not come.
const SILENCE: Duration = Duration::from_millis(200);

#[tokio::test]
async fn the_proxy_passes_holds_and_cuts() {
    let server = cluster("source");
    let proxy = Proxy::start(server.port());
    let url = proxy.through(&server.url("postgres"), server.port());
    let client = connect(&url).await;
    assert_eq!(query_text(&client, "SELECT 1").await, ["1"]);

    proxy.stall();
    let asked = async { client.simple_query("SELECT 2").await };
    let mut asked = std::pin::pin!(asked);
    assert!(
        timeout(SILENCE, &mut asked).await.is_err(),
        "nothing passes while stalled"
    );
    proxy.resume();
    assert!(asked.await.is_ok(), "the answer comes after all");

    proxy.cut();
    wait_until("the connection is closed", async || {
        if client.is_closed() {
            Ok(())
        } else {
            Err("open".to_owned())
        }
    })
    .await;
    assert!(
        tokio_postgres::connect(&url, tokio_postgres::NoTls)
            .await
            .is_err()
    );
    proxy.resume();
    assert_eq!(query_text(&connect(&url).await, "SELECT 3").await, ["3"]);
}

#[test]
fn a_cluster_with_certificates_offers_tls_and_knows_its_clients() {
    let authority = Authority::new("test authority");
    let options = ClusterOptions {
        tls: Some(authority.server(&["localhost", "127.0.0.1"])),
        ..ClusterOptions::new("tls").hba("hostnossl all all 127.0.0.1/32 reject")
    };
    let cluster = cluster_with(options);
    let files = tempfile::TempDir::new().unwrap();
    let root = files.path().join("root.crt");
    std::fs::write(&root, authority.certificate()).unwrap();

    let url = format!(
        "host=localhost port={} user=postgres password=postgres sslmode=verify-full sslrootcert={}",
        cluster.port(),
        root.display()
    );
    let output = std::process::Command::new("psql")
        .args([
            "-XAtc",
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            &url,
        ])
        .output()
        .unwrap();

    assert_eq!(String::from_utf8_lossy(&output.stdout), "t\n", "{output:?}");
    assert!(
        authority
            .client("postgres")
            .certificate
            .contains("BEGIN CERTIFICATE")
    );
}

#[test]
fn a_self_signed_server_starts() {
    let tls = Some(self_signed_server("localhost"));
    let cluster = cluster_with(ClusterOptions {
        tls,
        ..ClusterOptions::new("tls")
    });

    assert!(psql(&cluster, "SHOW ssl").contains("on"));
}

#[test]
fn a_command_line_is_split_as_a_shell_does() {
    let call = Call::line(r#"init --pgurl "postgres://a b" --plan"#);

    assert!(format!("{call:?}").contains(r#"["init", "--pgurl", "postgres://a b", "--plan"]"#));
}

#[tokio::test]
async fn the_guard_sees_output_and_the_kind_of_end() {
    let script = "trap 'echo bye; exit 7' TERM; echo up >&2; while :; do read x; done";
    let shell = Call::program("/bin/sh", vec!["-c".to_owned(), script.to_owned()]);
    let [ends, dies] = [shell.clone().env("A", "b").spawn(), shell.spawn()];
    ends.logged("up").await;
    dies.logged("up").await;

    let ended = ends.terminate().await;
    let died = dies.kill().await;

    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (Some(7), "bye\n", "up\n")
    );
    assert_eq!(died.code, None);
}

#[tokio::test]
async fn a_call_runs_in_its_directory_to_its_end() {
    let call = Call::program("/bin/pwd", Vec::new()).directory(std::path::Path::new("/usr"));

    let outcome = call.run().await;

    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "/usr\n"));
}
