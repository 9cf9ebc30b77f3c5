//! `pgstream snapshot`: copies once what its settings select, and leaves nothing of ours on either
//! side.

use pgstream::cluster::Cluster;
use pgstream::schema::install;
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
    super::on_both(["snapshot"], source, target)
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

    let plan = super::on_both(
        ["snapshot", "--plan"],
        &flow.source_cluster,
        &flow.target_cluster,
    );
    let plan = plan.run().await;
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
        pgstream::fault::SNAPSHOT_AFTER_TABLE,
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

/// Worked at by one worker, whom the end meets behind the largest table.
#[cfg(feature = "failpoints")]
#[tokio::test]
async fn a_table_that_somebody_else_makes_under_a_name_that_we_planned_is_not_emptied() {
    let flow = shop().await;
    let prepared = snapshot(&flow.source_cluster, &flow.target_cluster)
        .env("PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_WORKERS", "1");
    let point = pgstream::fault::SNAPSHOT_AFTER_TABLE;
    let armed = prepared
        .clone()
        .env("FAILPOINTS", &format!("{point}=return"));
    assert_eq!(armed.run().await.code, None);
    let tables = "SELECT oid::regclass FROM pg_class WHERE relnamespace IN \
                  ('shop'::regnamespace, 'public'::regnamespace) AND relkind = 'r'";
    assert_eq!(query_text(&flow.target, tables).await, ["shop.item"]);
    let theirs = "CREATE TABLE ledger (a int, b text); INSERT INTO ledger VALUES (1, 'theirs')";
    execute(&flow.target, theirs).await;

    let refused = prepared.run().await;

    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    let reason = "table public.ledger: it has rows on the target already";
    assert!(refused.stderr.contains(reason), "{}", refused.stderr);
    let rows = "SELECT * FROM ledger";
    assert_eq!(query_text(&flow.target, rows).await, ["1|theirs"]);
    execute(&flow.target, "TRUNCATE ledger").await;
    let outcome = prepared.run().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    flow.equal().await;
}

/// Empty and equal, but for one row that it does not take.
const REFUSES_ONE: &str = "\
CREATE SCHEMA shop;
CREATE TABLE shop.customer (id serial PRIMARY KEY, name text NOT NULL);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN IF NEW.id = 50 THEN RAISE check_violation USING MESSAGE = 'no 50'; END IF; RETURN NEW; END$$;
CREATE TRIGGER refuse BEFORE INSERT ON shop.customer FOR EACH ROW EXECUTE FUNCTION refuse();";

const ACCEPTS_ALL: &str = "DROP TRIGGER refuse ON shop.customer; DROP FUNCTION refuse()";

fn of(flow: &Flow, tables: &str) -> Call {
    snapshot(&flow.source_cluster, &flow.target_cluster)
        .env("PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES", tables)
}

/// A shop of which one table could not be copied; a row of another one on the target is marked.
async fn half_copied() -> Flow {
    let flow = shop().await;
    execute(&flow.target, REFUSES_ONE).await;
    let failed = of(&flow, "*.*").run().await;
    assert_eq!(failed.code, Some(65), "{}", failed.stderr);
    assert!(failed.stderr.contains("shop.customer"), "{}", failed.stderr);
    execute(
        &flow.target,
        "UPDATE shop.item SET note = 'kept' WHERE id = 7",
    )
    .await;
    execute(&flow.target, ACCEPTS_ALL).await;
    flow
}

async fn kept(flow: &Flow) -> Vec<String> {
    query_text(&flow.target, "SELECT note FROM shop.item WHERE id = 7").await
}

#[tokio::test]
async fn a_refused_one_leaves_no_records_and_decides_nothing_for_the_next() {
    let flow = shop().await;
    execute(
        &flow.target,
        "CREATE TABLE ledger (a int, b text); INSERT INTO ledger VALUES (1, 'mine')",
    )
    .await;
    let refused = of(&flow, "*.*").run().await;
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    assert!(!has_schema(&flow.target).await);

    execute(&flow.target, "TRUNCATE ledger").await;
    let outcome = of(&flow, "shop.customer").run().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let tables = "SELECT relid::regclass::text FROM pg_stat_user_tables ORDER BY 1";
    assert_eq!(
        query_text(&flow.target, tables).await,
        ["ledger", "shop.customer"]
    );
    let rows = query_text(&flow.target, "SELECT count(*) FROM ledger").await;
    assert_eq!(rows, ["0"]);
}

#[tokio::test]
async fn after_a_failure_only_what_is_missing_is_copied() {
    let flow = half_copied().await;
    let plan = super::on_both(
        ["snapshot", "--plan"],
        &flow.source_cluster,
        &flow.target_cluster,
    );
    let plan = plan.run().await;
    assert_eq!(plan.code, Some(0), "{}", plan.stderr);
    assert!(plan.stdout.contains("COPY \"shop\".\"customer\""));
    assert!(!plan.stdout.contains("COPY \"shop\".\"item\""));

    let outcome = of(&flow, "*.*").run().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(kept(&flow).await, ["kept"]);
    let count = "SELECT count(*) FROM shop.customer";
    assert_eq!(query_text(&flow.target, count).await, ["100"]);
    assert_same_dump(&flow.source_cluster, &flow.target_cluster);
    assert!(!has_schema(&flow.target).await);
}

#[tokio::test]
async fn what_is_no_longer_selected_is_left_alone_and_forgotten() {
    let flow = half_copied().await;
    let outcome = of(&flow, "ledger").run().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(kept(&flow).await, ["kept"]);
    assert!(!has_schema(&flow.target).await);

    let refused = of(&flow, "*.*").run().await;
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    assert_eq!(kept(&flow).await, ["kept"]);
}

#[tokio::test]
async fn tables_that_another_pipeline_has_copied_since_are_not_emptied() {
    let flow = half_copied().await;
    // What the first copy of a pipeline leaves.
    let theirs = "INSERT INTO pgstream.snapshot_table \
        (slot_name, relation, schema_name, table_name, state, attempt) \
        SELECT 'theirs', relation, schema_name, table_name, 'ready', 1 FROM pgstream.snapshot_table; \
        INSERT INTO shop.customer VALUES (1, 'theirs')";
    execute(&flow.target, theirs).await;
    let refused = of(&flow, "*.*").run().await;
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    let name = query_text(&flow.target, "SELECT name FROM shop.customer").await;
    assert_eq!(name, ["theirs"]);
}

#[tokio::test]
async fn the_removal_of_any_slot_takes_its_records_along() {
    let flow = half_copied().await;
    assert!(has_schema(&flow.target).await);
    // The server notices a moment after the process has ended; until then a copy may be running.
    let copying = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^pgstream copy'";
    flow.shows(copying, &["0"]).await;
    execute(&flow.target, &install::forget_on_target("any_slot", true)).await;
    assert!(!has_schema(&flow.target).await);
}
