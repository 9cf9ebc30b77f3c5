//! The real psql, for what only psql can do: `\d+`, and being what the tutorial's reader types.

use std::path::PathBuf;
use std::process::Command;

use pgstream::cluster::Cluster;

/// Runs one command against the cluster's database `postgres` and returns what psql prints.
pub fn psql(cluster: &Cluster, command: &str) -> String {
    let url = format!(
        "postgresql://postgres:postgres@localhost:{}/postgres",
        cluster.port()
    );
    let own = cluster.server().program("psql");
    let program = if own.is_file() {
        own
    } else {
        PathBuf::from("psql")
    };
    let mut call = Command::new(program);
    call.args([
        "--no-psqlrc",
        "-v",
        "ON_ERROR_STOP=1",
        "--pset=pager=off",
        "-c",
        command,
        &url,
    ]);
    let output = call.output().expect("psql runs");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "psql {command}: {message}");
    String::from_utf8(output.stdout).expect("UTF-8")
}
