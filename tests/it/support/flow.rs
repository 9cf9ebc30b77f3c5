//! A source, a target and the real engine between them.

use std::time::Duration;

use pgstream::config::{
    Batch, ByteSize, ConnectionSettings, LeftOut, NullNumbers, OnConflict, Pipeline, Plugin,
    Snapshot, TableFilter, publication_name,
};
use pgstream::engine::{Engine, EngineOptions, Handle};
use pgstream::postgres::{self, create_publication_sql};
use pgstream::schema::install;
use pgstream::status::{Failure, Outcome, Status};
use tokio_postgres::Client;

use super::clusters::{TestCluster, chain};
use super::sql::{major_version, try_query_text};
use super::{assert_equal, connect, execute, pair, query_text, wait_until};

/// The slot of every test.
pub const SLOT: &str = "flow_slot";

/// Two databases and a pipeline between them; the engine runs when started.
pub struct Flow {
    /// The source's server.
    pub source_cluster: TestCluster,
    /// The target's server.
    pub target_cluster: TestCluster,
    /// A session on the source.
    pub source: Client,
    /// A session on the target.
    pub target: Client,
    /// What the engine is started with.
    pub pipeline: Pipeline,
}

impl Flow {
    /// Starts both servers, runs `schema` on both sides, and makes slot and publication. Rows
    /// only: the schema log is not installed.
    pub async fn rows(plugin: &str, schema: &str) -> Self {
        Self::rows_between(pair(), plugin, schema).await
    }

    /// As [`Flow::rows`], between these servers.
    pub async fn rows_between(
        servers: (TestCluster, TestCluster),
        plugin: &str,
        schema: &str,
    ) -> Self {
        let flow = Self::between(servers).await;
        for client in [&flow.source, &flow.target] {
            execute(client, schema).await;
        }
        let major = major_version(&flow.source).await;
        let publication = create_publication_sql(&publication_name(SLOT), major);
        execute(&flow.source, &publication).await;
        let slot = format!("SELECT pg_create_logical_replication_slot('{SLOT}', '{plugin}')");
        execute(&flow.source, &slot).await;
        flow
    }

    /// Starts both servers and installs everything on the source, as `pgstream init` does: rows
    /// and schema changes.
    pub async fn schema(plugin: Plugin) -> Self {
        let mut flow = Self::bare().await;
        flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
        flow.init(plugin).await;
        flow
    }

    /// Installs everything on the source, as `pgstream init` does.
    pub async fn init(&self, plugin: Plugin) {
        let source = postgres::connect(&self.pipeline.source, "test").await;
        let source = source.expect("a session on the source");
        let slot = SLOT.parse().expect("a slot name");
        let done = install::init(&source, &slot, plugin).await;
        done.unwrap_or_else(|error| panic!("{}", chain(&error)));
    }

    /// Starts both servers and nothing else.
    pub async fn bare() -> Self {
        Self::between(pair()).await
    }

    /// Takes these servers as they are.
    pub async fn between((source_cluster, target_cluster): (TestCluster, TestCluster)) -> Self {
        let source = connect(&source_cluster.url("postgres")).await;
        let target = connect(&target_cluster.url("postgres")).await;
        let pipeline = pipeline(
            &source_cluster.url("postgres"),
            &target_cluster.url("postgres"),
        );
        Self {
            source_cluster,
            target_cluster,
            source,
            target,
            pipeline,
        }
    }

    /// Starts the engine.
    pub fn start(&self) -> Handle {
        Engine::start(self.pipeline.clone(), EngineOptions::default())
    }

    /// Runs statements on the source.
    pub async fn run(&self, sql: &str) {
        execute(&self.source, sql).await;
    }

    /// Waits until the target has all that the source has.
    pub async fn equal(&self) {
        assert_equal(&self.source, &self.target).await;
    }

    /// Waits until a query on the target gives these rows.
    pub async fn shows(&self, sql: &str, rows: &[&str]) {
        wait_until(&format!("{sql} gives {rows:?}"), || async move {
            let found = try_query_text(&self.target, sql).await?;
            if found == rows {
                Ok(())
            } else {
                Err(format!("{found:?}"))
            }
        })
        .await;
    }

    /// Waits until every entry of the schema log is acknowledged.
    pub async fn acknowledged(&self) {
        wait_until("every schema change is acknowledged", || async move {
            let sql = "SELECT version, schema ->> 'tag' FROM pgstream.schema_log WHERE NOT acked";
            let open = query_text(&self.source, sql).await;
            if open.is_empty() {
                Ok(())
            } else {
                Err(format!("{open:?}"))
            }
        })
        .await;
    }

    /// Connects both sessions anew, after a server was restarted.
    pub async fn reconnect(&mut self) {
        self.source = connect(&self.source_cluster.url("postgres")).await;
        self.target = connect(&self.target_cluster.url("postgres")).await;
    }
}

/// A pipeline with the built-in defaults.
pub fn pipeline(source: &str, target: &str) -> Pipeline {
    let settings = |url: &str| ConnectionSettings::parse(url).expect("the cluster's own address");
    Pipeline {
        source: settings(source),
        target: settings(target),
        slot: Some(SLOT.parse().expect("a slot name")),
        plugin: Plugin::default(),
        batch: Batch {
            size: 100,
            size_is_set: false,
            timeout: Duration::from_secs(5),
        },
        disable_triggers: false,
        run_as_owner: false,
        left_out: LeftOut::default(),
        on_conflict: OnConflict::Error,
        null_numbers: NullNumbers::default(),
        schema_log: None,
        schema_log_retention: Duration::from_secs(86_400),
        filter: TableFilter::default(),
        snapshot: Snapshot {
            enabled: false,
            source: settings(source),
            tables: TableFilter::default(),
            worker_count: 1,
            part_size: ByteSize(128 << 20),
        },
        retry_timeout: Duration::from_secs(60),
    }
}

/// Waits until the engine's status is as wanted.
pub async fn wait_for(handle: &Handle, what: &str, mut wanted: impl FnMut(&Status) -> bool) {
    let mut status = handle.status();
    let waiting = status.wait_for(|status| wanted(status));
    let found = tokio::time::timeout(super::wait::DEADLINE, waiting).await;
    let shown = || format!("{what}: {:?}", handle.status().borrow());
    found
        .unwrap_or_else(|_| panic!("{}", shown()))
        .expect("the engine lives");
}

/// Waits for the failure that ends the engine.
pub async fn failure(handle: &mut Handle) -> Failure {
    match tokio::time::timeout(super::wait::DEADLINE, handle.join()).await {
        Ok(Outcome::Failed(failure)) => failure,
        Ok(Outcome::Stopped) => panic!("the engine stopped without a failure"),
        Err(_) => panic!("the engine goes on: {:?}", handle.status().borrow()),
    }
}

/// Stops the engine in order.
pub async fn stop(mut handle: Handle) {
    handle.command(pgstream::status::Command::Stop).await;
    match tokio::time::timeout(super::wait::DEADLINE, handle.join()).await {
        Ok(Outcome::Stopped) => {}
        other => panic!("the engine does not stop in order: {other:?}"),
    }
}
