//! A source and a target with three databases between them: what is replicated, the subscription's
//! copy, and ours.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context as _;
use pgstream::cluster::{Cluster, ClusterOptions};
use tokio::process::Command;
use tokio_postgres::{Client, NoTls};

use crate::options::{Options, Transport};
use crate::usage::server_cpu_seconds;

/// The source's database.
const SOURCE: &str = "bench";
/// The target's database that the subscription fills.
const SUBSCRIBED: &str = "subscribed";
/// The target's database that we fill.
const OURS: &str = "ours";

/// As a small server would be set, with what comes by the clock (checkpoints, autovacuum) left
/// out: it would hit one reader and spare the other. `fsync` stays on.
const SETTINGS: [(&str, &str); 10] = [
    ("shared_buffers", "256MB"),
    ("max_wal_size", "16GB"),
    ("checkpoint_timeout", "1h"),
    ("autovacuum", "off"),
    ("wal_sender_timeout", "60s"),
    // A subscription that is enabled starts at once.
    ("wal_retrieve_retry_interval", "10ms"),
    // Room for as many copies at a time as anybody asks for.
    ("max_worker_processes", "40"),
    ("max_logical_replication_workers", "20"),
    ("max_replication_slots", "40"),
    ("max_wal_senders", "40"),
];

/// Both clusters, and a session with each database.
pub(crate) struct Servers {
    source_cluster: Cluster,
    target_cluster: Cluster,
    transport: Transport,
    /// The `pgstream` that is measured.
    pub(crate) pgstream: PathBuf,
    /// A session on the source.
    pub(crate) source: Client,
    /// A session on the subscription's copy.
    pub(crate) subscribed: Client,
    /// A session on our copy.
    pub(crate) ours: Client,
}

impl Servers {
    /// Starts both.
    pub(crate) async fn start(options: &Options) -> anyhow::Result<Self> {
        let transport = options.transport;
        let source_cluster = cluster("source")?;
        let target_cluster = cluster("target")?;
        for (cluster, databases) in [
            (&source_cluster, &[SOURCE][..]),
            (&target_cluster, &[SUBSCRIBED, OURS]),
        ] {
            let session = connect(&url(cluster, transport, "postgres")).await?;
            for database in databases {
                session
                    .batch_execute(&format!("CREATE DATABASE {database}"))
                    .await?;
            }
        }
        let source = connect(&url(&source_cluster, transport, SOURCE)).await?;
        source.batch_execute("SET synchronous_commit = off").await?;
        Ok(Self {
            source,
            subscribed: connect(&url(&target_cluster, transport, SUBSCRIBED)).await?,
            ours: connect(&url(&target_cluster, transport, OURS)).await?,
            source_cluster,
            target_cluster,
            transport,
            pgstream: options.program.clone(),
        })
    }

    /// Returns the source's address.
    pub(crate) fn source_url(&self) -> String {
        url(&self.source_cluster, self.transport, SOURCE)
    }

    /// Returns the address of our copy.
    pub(crate) fn ours_url(&self) -> String {
        url(&self.target_cluster, self.transport, OURS)
    }

    /// Returns the address of a database on the source's server.
    pub(crate) fn source_url_of(&self, database: &str) -> String {
        url(&self.source_cluster, self.transport, database)
    }

    /// Returns the address of a database on the target's server.
    pub(crate) fn target_url_of(&self, database: &str) -> String {
        url(&self.target_cluster, self.transport, database)
    }

    /// Returns `pgstream`, free of our own environment.
    pub(crate) fn pgstream(&self) -> Command {
        let mut command = Command::new(&self.pgstream);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PGSTREAM_")) {
            command.env_remove(name);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Returns the path of one of PostgreSQL's programs.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.source_cluster.server().program(name)
    }

    /// Returns the processor time that the source's server has taken so far, seconds.
    pub(crate) fn source_cpu_seconds(&self) -> anyhow::Result<f64> {
        let pid = self.source_cluster.pid().context("the source runs")?;
        server_cpu_seconds(pid).context("the system tells of its processes")
    }

    /// Returns the server's version.
    pub(crate) async fn version(&self) -> anyhow::Result<String> {
        Ok(self
            .source
            .query_one("SHOW server_version", &[])
            .await?
            .get(0))
    }

    /// Returns a session on each database.
    pub(crate) fn sessions(&self) -> [&Client; 3] {
        [&self.source, &self.subscribed, &self.ours]
    }

    /// Writes out what earlier work left in memory, so that nobody pays for it later.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        self.source.batch_execute("CHECKPOINT").await?;
        Ok(self.ours.batch_execute("CHECKPOINT").await?)
    }
}

fn cluster(name: &str) -> anyhow::Result<Cluster> {
    let options = SETTINGS
        .iter()
        .fold(ClusterOptions::new(name), |options, (name, value)| {
            options.setting(name, value)
        });
    Cluster::start(options).with_context(|| format!("cluster {name}"))
}

fn url(cluster: &Cluster, transport: Transport, database: &str) -> String {
    match transport {
        Transport::Tcp => cluster.url(database),
        Transport::Unix => cluster.socket_url(database),
    }
}

/// Opens a session.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the bench's own connection has no supervisor"
    )]
    drop(tokio::spawn(connection));
    Ok(client)
}
