//! How soon a single commit is visible on the target while nothing else happens.
//!
//! The same client does the same for both readers: it commits a row on the source, and from the
//! moment COMMIT has returned it asks the target for that row again and again, without a pause.

use std::fmt;
use std::time::Duration;

use anyhow::ensure;
use pgstream::runtime::clock;
use tokio::time::{MissedTickBehavior, interval};
use tokio_postgres::Client;

use crate::drain::{self, Reader};
use crate::ours::Ours;
use crate::report::percentile;
use crate::servers::Servers;
use crate::workload;

/// Commits before the first that counts: connections, caches and plans warm up.
const WARM_UP: usize = 30;
/// Between two commits: a light load.
const PAUSE: Duration = Duration::from_millis(5);
const DEADLINE: Duration = Duration::from_secs(30);

/// The samples of both readers, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    subscription: Vec<f64>,
    ours: Vec<f64>,
}

/// Takes `samples` of each reader in each round.
pub(crate) async fn measure(
    servers: &Servers,
    samples: usize,
    rounds: usize,
) -> anyhow::Result<Latency> {
    let mut latency = Latency::default();
    drain::prepare(servers, &workload::all()[0], 0).await?;
    servers
        .source
        .batch_execute("SET synchronous_commit = on")
        .await?;
    let mut next = 1;
    for round in 0..rounds {
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                let ours = Ours::start(servers)?;
                latency
                    .ours
                    .extend(take(servers, Reader::Ours, samples, &mut next).await?);
                ours.stop().await?;
            } else {
                let subscription = &servers.subscribed;
                subscription
                    .batch_execute("ALTER SUBSCRIPTION bench ENABLE")
                    .await?;
                let taken = take(servers, Reader::Subscription, samples, &mut next).await?;
                latency.subscription.extend(taken);
                subscription
                    .batch_execute("ALTER SUBSCRIPTION bench DISABLE")
                    .await?;
            }
        }
    }
    servers
        .source
        .batch_execute("SET synchronous_commit = off")
        .await?;
    drain::clear(servers).await?;
    Ok(latency)
}

async fn take(
    servers: &Servers,
    reader: Reader,
    samples: usize,
    next: &mut i64,
) -> anyhow::Result<Vec<f64>> {
    let target = match reader {
        Reader::Ours => &servers.ours,
        Reader::Subscription | Reader::Nothing => &servers.subscribed,
    };
    let commit = servers
        .source
        .prepare("INSERT INTO finished VALUES ($1)")
        .await?;
    let look = target.prepare("SELECT FROM finished WHERE id = $1").await?;
    let mut taken = Vec::new();
    let mut pauses = interval(PAUSE);
    pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for sample in 0..WARM_UP + samples {
        servers.source.execute(&commit, &[next]).await?;
        let took = until_visible(target, &look, *next).await?;
        if sample >= WARM_UP {
            taken.push(took.as_secs_f64() * 1e3);
        }
        *next += 1;
        pauses.tick().await;
    }
    Ok(taken)
}

async fn until_visible(
    target: &Client,
    look: &tokio_postgres::Statement,
    id: i64,
) -> anyhow::Result<Duration> {
    let committed = clock::now();
    while target.query_opt(look, &[&id]).await?.is_none() {
        ensure!(
            committed.elapsed() < DEADLINE,
            "row {id} has not come within {DEADLINE:?}"
        );
    }
    Ok(committed.elapsed())
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\ncommit to visible, ms      p50      p95      p99")?;
        for (name, taken) in [("subscription", &self.subscription), ("ours", &self.ours)] {
            let at = |percent| percentile(taken.clone(), percent);
            writeln!(
                f,
                "{name:<20} {:>9.2} {:>8.2} {:>8.2}",
                at(50),
                at(95),
                at(99)
            )?;
        }
        Ok(())
    }
}
