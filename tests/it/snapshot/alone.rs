//! `pgstream snapshot`: copies once, and leaves nothing of ours on either side.

use pgstream::tutorial::cluster::Cluster;
use tokio_postgres::Client;

use crate::schema_mirror::assert_same_dump;
use crate::support::flow::Flow;
use crate::support::{Call, execute, query_text};

const SHOP: &str = "\
CREATE SCHEMA shop;
CREATE TABLE shop.customer (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE shop.item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer int NOT NULL REFERENCES shop.customer, note text);
CREATE INDEX item_note ON shop.item (note);
CREATE TABLE ledger (a int, b text);
INSERT INTO shop.customer (name) SELECT 'c' || i FROM generate_series(1, 100) AS i;
INSERT INTO shop.item (customer, note) SELECT 1 + i % 100, md5(i::text) FROM generate_series(1, 20000) AS i;
INSERT INTO ledger SELECT i % 10, 'same' FROM generate_series(1, 1000) AS i;";

/// Everything that could be left behind.
const CATALOGS: &str = "\
SELECT 'slot ' || slot_name FROM pg_replication_slots
UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname !~ '^pg_(temp|toast_temp)'
UNION ALL SELECT 'publication ' || pubname FROM pg_publication
UNION ALL SELECT 'event trigger ' || evtname FROM pg_event_trigger
UNION ALL SELECT 'function ' || oid::regprocedure FROM pg_proc WHERE oid >= 16384
UNION ALL SELECT 'identity ' || oid::regclass || ' ' || relreplident::text FROM pg_class WHERE oid >= 16384 AND relnamespace::regnamespace::text !~ '^pg_'
ORDER BY 1";

fn snapshot(source: &Cluster, target: &Cluster) -> Call {
    Call::new(["snapshot"])
        .env("PGSTREAM_POSTGRES_LISTENER_URL", &source.url("postgres"))
        .env(
            "PGSTREAM_POSTGRES_WRITER_TARGET_URL",
            &target.url("postgres"),
        )
}

async fn shop() -> Flow {
    let flow = Flow::bare().await;
    execute(&flow.source, SHOP).await;
    flow
}

async fn has_schema(client: &Client) -> bool {
    let found = query_text(client, "SELECT to_regnamespace('pgstream')").await;
    found != ["∅"]
}

#[tokio::test]
async fn it_copies_once_and_leaves_nothing_behind() {
    let flow = shop().await;
    let before = query_text(&flow.source, CATALOGS).await;

    let plan = Call::new(["snapshot", "--plan"])
        .env(
            "PGSTREAM_POSTGRES_LISTENER_URL",
            &flow.source_cluster.url("postgres"),
        )
        .env(
            "PGSTREAM_POSTGRES_WRITER_TARGET_URL",
            &flow.target_cluster.url("postgres"),
        )
        .run()
        .await;
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    for part in [
        "CREATE TABLE \"shop\".\"item\"",
        "COPY \"shop\".\"item\"",
        "FOREIGN KEY",
        "item_note",
    ] {
        assert!(plan.stdout.contains(part), "{part}: {}", plan.stdout);
    }
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname IN ('shop', 'public')";
    assert_eq!(query_text(&flow.target, tables).await, ["0"]);

    let outcome = snapshot(&flow.source_cluster, &flow.target_cluster)
        .run()
        .await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("SUCCESS"), "{}", outcome.stdout);
    flow.equal().await;
    assert_same_dump(&flow.source_cluster, &flow.target_cluster);
    assert_eq!(query_text(&flow.source, CATALOGS).await, before);
    assert!(!has_schema(&flow.target).await);

    // The tables are there now, with rows: the next one says so, and touches nothing.
    let again = snapshot(&flow.source_cluster, &flow.target_cluster)
        .run()
        .await;
    assert_eq!(again.code, Some(78), "{}", again.stderr);
    flow.equal().await;
}

#[cfg(feature = "failpoints")]
#[tokio::test]
async fn after_a_crash_it_begins_anew_and_ends_equal() {
    let flow = shop().await;
    let before = query_text(&flow.source, CATALOGS).await;
    let prepared = snapshot(&flow.source_cluster, &flow.target_cluster);
    for point in [
        pgstream::fault::SNAPSHOT_AFTER_COMMIT,
        pgstream::fault::SNAPSHOT_AFTER_STEP,
    ] {
        let armed = prepared
            .clone()
            .env("FAILPOINTS", &format!("{point}=return"));
        assert_eq!(armed.run().await.code, None, "{point}");
    }

    let outcome = prepared.run().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    flow.equal().await;
    assert_eq!(query_text(&flow.source, CATALOGS).await, before);
}
