//! Throw-away clusters with the settings of tests.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use pgstream::cluster::{Cluster, ClusterOptions, Server};

/// More servers for the tests that run on every one.
const EXTRA_SERVERS: &str = "PGSTREAM_TEST_PG_BIN_DIRS";

/// A cluster that prints the end of its log when the test fails.
#[derive(Debug)]
pub struct TestCluster {
    name: String,
    cluster: Cluster,
}

/// Starts a cluster.
pub fn cluster(name: &str) -> TestCluster {
    cluster_with(ClusterOptions::new(name))
}

/// Starts a cluster with options; the settings of tests come first, so the caller's win.
pub fn cluster_with(mut options: ClusterOptions) -> TestCluster {
    options
        .template_store
        .get_or_insert_with(|| target_dir().join("templates"));
    let settings = [
        ("fsync", "off"),
        ("wal_sender_timeout", "5s"),
        ("log_statement", "ddl"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    options.settings.splice(..0, settings);
    let name = options.name.clone();
    let cluster = Cluster::start(options).unwrap_or_else(|error| panic!("{}", chain(&error)));
    TestCluster { name, cluster }
}

/// Starts a source and a target at the same time.
pub fn pair() -> (TestCluster, TestCluster) {
    std::thread::scope(|scope| {
        let source = scope.spawn(|| cluster("source"));
        let target = cluster("target");
        (source.join().expect("the source starts"), target)
    })
}

/// Starts a primary on a server, and a standby that follows it.
pub fn primary_and_standby(server: &Server) -> (TestCluster, TestCluster) {
    let options = |name| {
        ClusterOptions::new(name)
            .on(server)
            .hba("local replication all trust")
            .hba("host replication all 127.0.0.1/32 trust")
            .setting("hot_standby_feedback", "on")
    };
    let mut primary = cluster_with(options("primary"));
    primary
        .stop_fast()
        .unwrap_or_else(|error| panic!("{}", chain(&error)));
    let follow = format!("host=127.0.0.1 port={} user=postgres", primary.port());
    let mut standby = options("standby").setting("primary_conninfo", &follow);
    standby.standby_of = Some(primary.data_dir());
    let standby = cluster_with(standby);
    primary
        .restart()
        .unwrap_or_else(|error| panic!("{}", chain(&error)));
    (primary, standby)
}

/// Returns every server that can be tested: those found on this machine, and those whose
/// directories `PGSTREAM_TEST_PG_BIN_DIRS` lists, separated by colons.
pub fn every_server() -> Vec<Server> {
    let listed = std::env::var_os(EXTRA_SERVERS).unwrap_or_default();
    let extra = std::env::split_paths(&listed).filter(|dir| !dir.as_os_str().is_empty());
    let extra =
        extra.map(|dir| Server::at(&dir).unwrap_or_else(|error| panic!("{}", chain(&error))));
    let servers: Vec<Server> = Server::find_all().into_iter().chain(extra).collect();
    assert!(
        !servers.is_empty(),
        "no PostgreSQL server; install one: make deps"
    );
    servers
}

/// Returns the directory for files of tests below `target/`.
pub fn target_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).to_path_buf()
}

/// Returns an error with all that caused it, in one line each.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        format!("{text}\ncaused by: {cause}")
    })
}

impl Deref for TestCluster {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl DerefMut for TestCluster {
    fn deref_mut(&mut self) -> &mut Cluster {
        &mut self.cluster
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.cluster.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(60)..].join("\n");
            eprintln!("--- log of cluster {} ends with:\n{tail}", self.name);
        }
    }
}
