//! The initial snapshot: what is copied, and how the stream takes it over.

use pgstream::config::Plugin;
use pgstream::engine::status::{CopyState, Phase, Status};

use super::support::execute;
use super::support::flow::{Flow, stop, wait_for};

/// A bit of everything that a table can be.
const SCHEMA: &str = "
CREATE SCHEMA shop;
CREATE TYPE shop.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE shop.customer (id serial PRIMARY KEY, name text NOT NULL, mood shop.mood DEFAULT 'ok');
CREATE TABLE shop.\"Order items\" (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer int NOT NULL REFERENCES shop.customer,
  price numeric(10, 2) CHECK (price >= 0),
  twice numeric GENERATED ALWAYS AS (price * 2) STORED,
  note text);
CREATE INDEX items_note ON shop.\"Order items\" (lower(note)) WHERE note IS NOT NULL;
CREATE TABLE ledger (at timestamptz DEFAULT now(), amount int);
INSERT INTO shop.customer (name, mood) SELECT 'c' || i, 'happy' FROM generate_series(1, 100) AS i;
INSERT INTO shop.\"Order items\" (customer, price, note)
SELECT 1 + i % 100, i / 7.0, CASE WHEN i % 3 = 0 THEN 'Note ' || i END FROM generate_series(1, 2000) AS i;
INSERT INTO ledger (amount) SELECT i % 10 FROM generate_series(1, 500) AS i;
";

fn all_ready(status: &Status) -> bool {
    let snapshot = status.snapshot.as_ref();
    snapshot.is_some_and(|snapshot| {
        !snapshot.tables.is_empty()
            && snapshot
                .tables
                .iter()
                .all(|table| table.state == CopyState::Ready)
    })
}

async fn copies_and_streams(plugin: Plugin) {
    let mut flow = Flow::schema(plugin).await;
    execute(&flow.source, SCHEMA).await;
    flow.pipeline.snapshot.enabled = true;
    flow.pipeline.snapshot.worker_count = 2;

    let engine = flow.start();
    wait_for(&engine, "all tables are ready", all_ready).await;
    wait_for(&engine, "it streams", |status| {
        matches!(status.phase, Phase::Streaming { .. })
    })
    .await;
    flow.run("INSERT INTO shop.customer (name) VALUES ('late')")
        .await;
    flow.run(
        "ALTER TABLE ledger ADD COLUMN who text DEFAULT 'me'; DELETE FROM ledger WHERE amount = 3",
    )
    .await;

    flow.equal().await;
    stop(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn existing_tables_are_copied_and_then_streamed() {
    copies_and_streams(Plugin::Pgoutput).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_with_wal2json() {
    copies_and_streams(Plugin::Wal2json).await;
}
