//! What we apply on a target is ordinary history for whoever streams from it, and never comes back to where
//! it came from.

use pgstream::config::{ConnectionSettings, Pipeline, Plugin, TableFilter};
use pgstream::engine::{Engine, EngineOptions, Handle};
use pgstream::postgres;
use pgstream::schema::install;
use tokio_postgres::Client;

use crate::support::clusters::TestCluster;
use crate::support::flow::{Flow, stop};
use crate::support::{assert_equal, cluster, connect, execute, query_text, wait_until};

const NEXT_SLOT: &str = "next_slot";

fn settings(cluster: &TestCluster) -> ConnectionSettings {
    ConnectionSettings::parse(&cluster.url("postgres")).expect("a valid URL")
}

/// Makes the target of `flow` the source of another pipeline.
async fn next(flow: &Flow, target: &TestCluster, plugin: Plugin) -> Pipeline {
    let source = settings(&flow.target_cluster);
    let session = postgres::connect(&source, "test").await.expect("a session");
    let slot = NEXT_SLOT.parse().expect("a slot name");
    install::init(&session, &slot, plugin).await.expect("init");
    let mut next = flow.pipeline.clone();
    next.slot = Some(slot);
    next.schema_log = Some(source.clone());
    next.snapshot.source = source.clone();
    next.source = source;
    next.target = settings(target);
    next
}

fn start(pipeline: &Pipeline) -> Handle {
    Engine::start(pipeline.clone(), EngineOptions::default())
}

async fn acknowledged(client: &Client) {
    wait_until("every schema change is acknowledged", || async move {
        let sql = "SELECT schema ->> 'tag' FROM pgstream.schema_log WHERE NOT acked";
        let open = query_text(client, sql).await;
        if open.is_empty() {
            Ok(())
        } else {
            Err(format!("{open:?}"))
        }
    })
    .await;
}

#[tokio::test]
async fn schema_changes_go_through_a_chain_of_three() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let mut flow = Flow::schema(plugin).await;
        // As tables that are copied, too.
        flow.run("CREATE TABLE copied (id int PRIMARY KEY, v text, u text UNIQUE); INSERT INTO copied VALUES (1, 'a', 'b')").await;
        flow.pipeline.snapshot.enabled = true;
        let last = cluster("last");
        let next = next(&flow, &last, plugin).await;
        let third = connect(&last.url("postgres")).await;
        let handles = [flow.start(), start(&next)];
        flow.equal().await;
        assert_equal(&flow.target, &third).await;

        flow.run(
            "CREATE TABLE t (id serial PRIMARY KEY, v text); INSERT INTO t (v) VALUES ('a'); \
                  CREATE TABLE u (id int PRIMARY KEY, w int); CREATE TABLE keyless (a int)",
        )
        .await;
        flow.run("ALTER TABLE t ADD n int DEFAULT 5; ALTER TABLE t ALTER v TYPE varchar(80) USING v || random()").await;
        flow.run("BEGIN; ALTER TABLE t RENAME TO x; ALTER TABLE u RENAME TO t; ALTER TABLE x RENAME TO u; COMMIT").await;
        flow.run("ALTER TABLE t DROP w; ALTER TABLE copied DROP u")
            .await;
        flow.run("CREATE INDEX CONCURRENTLY i ON u (n)").await;
        flow.run("INSERT INTO keyless VALUES (1); UPDATE keyless SET a = 2; CREATE TYPE mood AS ENUM ('a'); \
                  ALTER TABLE copied ADD m mood DEFAULT 'a'").await;
        flow.run("ALTER TYPE mood ADD VALUE 'b'").await;
        flow.run("UPDATE copied SET m = 'b'; INSERT INTO u (v, n) VALUES ('later', 1)")
            .await;

        flow.equal().await;
        acknowledged(&flow.source).await;
        acknowledged(&flow.target).await;
        assert_equal(&flow.target, &third).await;
        for handle in handles {
            stop(handle).await;
        }
    }
}

/// Two databases stream to each other, each its own tables; types and schemas are of no table.
#[tokio::test]
async fn in_a_ring_nothing_comes_back_to_where_it_came_from() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let mut flow = Flow::schema(plugin).await;
        flow.pipeline.filter = TableFilter::parse("here.*", "").unwrap();
        let mut back = next(&flow, &flow.source_cluster, plugin).await;
        back.filter = TableFilter::parse("there.*", "").unwrap();
        let handles = [flow.start(), start(&back)];

        flow.run("CREATE SCHEMA here; CREATE TYPE here.mood AS ENUM ('a'); \
                  CREATE TABLE here.t (id int PRIMARY KEY, m here.mood); INSERT INTO here.t VALUES (1, 'a')").await;
        execute(&flow.target, "CREATE SCHEMA there; CREATE TYPE there.mood AS ENUM ('b'); \
                  CREATE TABLE there.t (id int PRIMARY KEY, m there.mood); INSERT INTO there.t VALUES (1, 'b')").await;
        flow.shows("SELECT m FROM here.t", &["a"]).await;
        flow.run("ALTER TYPE here.mood RENAME TO temper; ALTER SCHEMA here RENAME TO here_now; ALTER SCHEMA here_now RENAME TO here").await;
        execute(&flow.target, "ALTER TYPE there.mood RENAME TO temper").await;

        acknowledged(&flow.source).await;
        acknowledged(&flow.target).await;
        flow.equal().await;
        for handle in handles {
            stop(handle).await;
        }
    }
}
