//! The initial snapshot: what is copied, and how the stream takes it over.

mod again;
mod coming;
#[cfg(feature = "failpoints")]
mod deaths;
mod existing;
mod families;
mod kinds;
mod meanwhile;
mod objects;
mod rights;
mod schema;
mod screen;
mod settings;
mod silent;
mod standalone;
mod trouble;
mod under_load;
mod waiting;

use pgstream::cluster::Cluster;
use pgstream::config::Plugin;
use pgstream::engine::Handle;
use pgstream::status::{CopyState, Status};

use crate::chaos;
use crate::support::execute;
use crate::support::flow::{Flow, wait_for};
use crate::support::process::Call;
use crate::support::sql::try_query_text;

/// Starts both servers with a schema and rows on the source before it is initialised.
async fn existing(plugin: Plugin, schema: &str) -> Flow {
    let mut flow = Flow::bare().await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.run(schema).await;
    flow.init(plugin).await;
    flow
}

/// On the target: no collation can be made.
const REFUSES_COLLATIONS: &str = "\
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
  RAISE EXCEPTION 'no collations here' USING ERRCODE = 'insufficient_privilege'; END $$; \
CREATE EVENT TRIGGER refuses ON ddl_command_start WHEN TAG IN ('CREATE COLLATION') EXECUTE FUNCTION refuse()";

fn enable(flow: &mut Flow, worker_count: usize) {
    flow.pipeline.snapshot.enabled = true;
    flow.pipeline.snapshot.worker_count = worker_count;
}

/// Returns a command with both addresses in its environment, and nothing else.
fn on_both<const N: usize>(arguments: [&str; N], source: &Cluster, target: &Cluster) -> Call {
    Call::new(arguments)
        .env("PGSTREAM_POSTGRES_LISTENER_URL", &source.url("postgres"))
        .env(
            "PGSTREAM_POSTGRES_WRITER_TARGET_URL",
            &target.url("postgres"),
        )
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

/// Waits until the target's records say that these tables are made, or all that are to be copied. While
/// workers are paused that is all there is to see: a table shows as copying when its rows move.
async fn made(flow: &Flow, tables: &[&str]) {
    let wanted = match tables {
        [] => "true".to_owned(),
        tables => format!(
            "concat(schema_name, '.', table_name) IN ('{}')",
            tables.join("', '")
        ),
    };
    let sql = format!(
        "SELECT count(*) FILTER (WHERE state <> 'waiting' AND objects @> '[{{\"kind\": \"table\"}}]'), count(*) FROM pgstream.snapshot_table WHERE {wanted}"
    );
    crate::support::wait_until("the tables are made", async || {
        let found = try_query_text(&flow.target, &sql).await?.join("");
        let (made, all) = found.split_once('|').unwrap_or_default();
        let expected = if tables.is_empty() {
            all.to_owned()
        } else {
            tables.len().to_string()
        };
        match made == expected && made != "0" {
            true => Ok(()),
            false => Err(found),
        }
    })
    .await;
}

async fn ready(engine: &Handle) {
    wait_for(engine, "all tables are ready", |status| {
        all_are(status, CopyState::Ready)
    })
    .await;
}
