//! Whatever happens to the three processes, both sides end equal: nothing lost, nothing doubled.
//!
//! The real binary runs under a mixed load and is killed at every named place and at random
//! moments. A run can be repeated with the seed that it has printed (`CHAOS_SEED`); `CHAOS_SECS`
//! is how long it kills at random moments.

pub mod dice;
#[cfg(feature = "failpoints")]
mod failpoints;
pub mod load;
mod moments;

use std::time::Duration;

use pgstream::config::Plugin;
use tokio_postgres::Client;

use crate::support::flow::{Flow, SLOT};
use crate::support::{Call, wait_until};

/// Returns how long the chaos goes on: so many seconds, unless `CHAOS_SECS` says otherwise.
pub fn budget(secs: u64) -> Duration {
    let given = std::env::var("CHAOS_SECS").ok();
    let given = given.and_then(|text| text.parse().ok());
    Duration::from_secs(given.unwrap_or(secs))
}

/// Starts both servers with the tables of the load, rows and schema changes.
pub async fn flow(plugin: Plugin) -> Flow {
    let flow = Flow::schema(plugin).await;
    flow.run(load::SCHEMA).await;
    flow
}

/// Returns how `pgstream run` is called for the two databases of `flow`.
pub fn run(flow: &Flow) -> Call {
    call(flow, ["run", "--headless"])
}

/// Returns how `pgstream` is called for the two databases of `flow`.
pub fn call<const N: usize>(flow: &Flow, arguments: [&str; N]) -> Call {
    let source = flow.source_cluster.url("postgres");
    let target = flow.target_cluster.url("postgres");
    let call = Call::new(arguments)
        .env("PGSTREAM_POSTGRES_LISTENER_URL", &source)
        .env("PGSTREAM_POSTGRES_WRITER_TARGET_URL", &target)
        .env("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", SLOT);
    match &flow.pipeline.schema_log {
        Some(_) => call.env("PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL", &source),
        None => call,
    }
}

/// Waits until the target has the last transaction of the load, as long as it comes nearer, then
/// compares both sides. Comparing all rows again and again would take the time that catching up
/// needs.
pub async fn assert_settled(flow: &Flow) {
    assert_arrived(flow).await;
    flow.equal().await;
}

/// Waits until the target has the last transaction of the load, as long as it comes nearer.
pub async fn assert_arrived(flow: &Flow) {
    let expected = ledger(&flow.source).await;
    let mut last = None;
    while last != Some(expected) {
        last = wait_until(
            &format!("more of {expected} transactions arrive"),
            async || {
                let found = Some(ledger(&flow.target).await);
                if found == last {
                    Err(format!("{found:?}"))
                } else {
                    Ok(found)
                }
            },
        )
        .await;
    }
}

/// Returns how many transactions of the load a side has; none before it has the table.
pub async fn ledger(client: &Client) -> i64 {
    let found = client.query_one("SELECT count(*) FROM ledger", &[]).await;
    found.map_or(0, |row| row.get(0))
}
