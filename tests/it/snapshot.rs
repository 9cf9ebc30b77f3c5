//! The initial snapshot: what is copied, and how the stream takes it over.

mod alone;
#[cfg(feature = "failpoints")]
mod deaths;
mod families;
mod kinds;
mod meanwhile;
mod rights;
mod schema;
mod settings;
mod trouble;
mod under_load;

use pgstream::config::Plugin;
use pgstream::engine::Handle;
use pgstream::engine::status::{CopyState, Status};

use crate::chaos;
use crate::support::execute;
use crate::support::flow::{Flow, wait_for};
use crate::support::process::Call;

/// Starts both servers with a schema and rows on the source before it is initialised.
async fn existing(plugin: Plugin, schema: &str) -> Flow {
    let mut flow = Flow::bare().await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.run(schema).await;
    flow.init(plugin).await;
    flow
}

fn enable(flow: &mut Flow, worker_count: usize) {
    flow.pipeline.snapshot.enabled = true;
    flow.pipeline.snapshot.worker_count = worker_count;
}

/// Returns how `pgstream run` is called for the two databases of `flow`, with a copy.
fn call(flow: &Flow) -> Call {
    let workers = flow.pipeline.snapshot.worker_count.to_string();
    chaos::run(flow)
        .env(
            "PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED",
            "true",
        )
        .env("PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_WORKERS", &workers)
}

/// What the command to copy tables again leaves when the process ends at once.
async fn wait_again(flow: &Flow, tables: &[&str]) {
    let sql = format!(
        "UPDATE pgstream.snapshot_table SET state = 'waiting', lsn = NULL WHERE table_name IN ('{}')",
        tables.join("', '")
    );
    execute(&flow.target, &sql).await;
}

fn all_are(status: &Status, state: CopyState) -> bool {
    let snapshot = status.snapshot.as_ref();
    snapshot.is_some_and(|snapshot| {
        let mut tables = snapshot.tables.iter();
        !snapshot.tables.is_empty() && tables.all(|table| table.state == state)
    })
}

async fn ready(engine: &Handle) {
    wait_for(engine, "all tables are ready", |status| {
        all_are(status, CopyState::Ready)
    })
    .await;
}
