//! The three readers, and what makes their backlogs and their targets equal.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{bail, ensure};
use pgstream::runtime::clock;
use tokio::process::Command;
use tokio::time::interval;
use tokio_postgres::Client;

use crate::ours::Ours;
use crate::report::Run;
use crate::servers::Servers;
use crate::workload::{TABLES, Workload};

/// Who drains a backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// `pg_recvlogical` into nothing.
    Nothing,
    /// PostgreSQL's own subscription.
    Subscription,
    /// We.
    Ours,
}

/// All of them, in the order of the table.
pub(crate) const READERS: [Reader; 3] = [Reader::Nothing, Reader::Subscription, Reader::Ours];

/// A target that has not got the last row after this long never will.
const DEADLINE: Duration = Duration::from_secs(1_200);
/// How often the target is asked for the last row.
const LOOK_EVERY: Duration = Duration::from_millis(2);

pub(crate) const OUR_SLOT: &str = "bench_ours";
const PUBLICATION: &str = "bench_ours_publication";
const RECEIVER_SLOT: &str = "bench_receiver";

/// A backlog that waits in the slots.
pub(crate) struct Load {
    row_count: u64,
    /// The last transaction begins after this position.
    last_lsn: String,
}

/// Makes equal tables everywhere, then a slot for each reader: what follows is the backlog.
pub(crate) async fn prepare(
    servers: &Servers,
    workload: &Workload,
    row_count: u64,
) -> anyhow::Result<()> {
    clear(servers).await?;
    for session in servers.sessions() {
        for (table, columns) in TABLES {
            let sql = format!("DROP TABLE IF EXISTS {table}; CREATE TABLE {table} ({columns})");
            session.batch_execute(&sql).await?;
        }
        session.batch_execute(&(workload.fill)(row_count)).await?;
        session.batch_execute("VACUUM (ANALYZE)").await?;
    }
    make_slots(servers).await
}

/// Makes the slots of all readers; they start here.
pub(crate) async fn make_slots(servers: &Servers) -> anyhow::Result<()> {
    let slot =
        |name: &str| format!("SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')");
    let source = &servers.source;
    source
        .batch_execute(&format!("CREATE PUBLICATION {PUBLICATION} FOR ALL TABLES"))
        .await?;
    source.batch_execute(&slot(RECEIVER_SLOT)).await?;
    source.batch_execute(&slot(OUR_SLOT)).await?;
    let subscribe = format!(
        "CREATE SUBSCRIPTION bench CONNECTION '{}' PUBLICATION {PUBLICATION} \
         WITH (enabled = false, create_slot = true, copy_data = false)",
        servers.source_url()
    );
    Ok(servers.subscribed.batch_execute(&subscribe).await?)
}

/// Writes the backlog.
pub(crate) async fn load(
    servers: &Servers,
    workload: &Workload,
    row_count: u64,
) -> anyhow::Result<Load> {
    let source = &servers.source;
    source.batch_execute(&(workload.load)(row_count)).await?;
    let lsn = source
        .query_one("SELECT pg_current_wal_insert_lsn()::text", &[])
        .await?
        .get(0);
    source
        .batch_execute("INSERT INTO finished VALUES (1)")
        .await?;
    Ok(Load {
        row_count: (workload.rows)(row_count),
        last_lsn: lsn,
    })
}

/// Lets one reader drain the backlog; its time is from its start to the last row.
pub(crate) async fn drain(servers: &Servers, reader: Reader, load: &Load) -> anyhow::Result<Run> {
    let started = clock::now();
    let mut run = Run {
        reader,
        row_count: load.row_count,
        took: Duration::ZERO,
        process: None,
    };
    match reader {
        Reader::Nothing => {
            receive(servers, load).await?;
            run.took = started.elapsed();
        }
        Reader::Subscription => {
            servers
                .subscribed
                .batch_execute("ALTER SUBSCRIPTION bench ENABLE")
                .await?;
            run.took = until_finished(&servers.subscribed, started).await?;
            servers
                .subscribed
                .batch_execute("ALTER SUBSCRIPTION bench DISABLE")
                .await?;
        }
        Reader::Ours => {
            let mut ours = Ours::start(servers)?;
            run.took = tokio::select! {
                took = until_finished(&servers.ours, started) => took?,
                ended = ours.ended() => bail!("our process ended early: {ended:?}"),
            };
            run.process = ours.usage();
            ours.stop().await?;
        }
    }
    Ok(run)
}

async fn receive(servers: &Servers, load: &Load) -> anyhow::Result<()> {
    let publication = format!("publication_names={PUBLICATION}");
    let status = Command::new(servers.program("pg_recvlogical"))
        .args([
            "--start",
            "--no-loop",
            "-f",
            "/dev/null",
            "-F",
            "0",
            "-S",
            RECEIVER_SLOT,
        ])
        .args([
            "-o",
            "proto_version=1",
            "-o",
            &publication,
            "-E",
            &load.last_lsn,
        ])
        .args(["-d", &servers.source_url()])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await?;
    ensure!(status.success(), "pg_recvlogical: {status}");
    Ok(())
}

/// Waits until a target has the last row of the backlog.
pub(crate) async fn until_finished(
    target: &Client,
    started: tokio::time::Instant,
) -> anyhow::Result<Duration> {
    let look = target.prepare("SELECT FROM finished").await?;
    let mut looks = interval(LOOK_EVERY);
    while target.query_opt(&look, &[]).await?.is_none() {
        ensure!(
            started.elapsed() < DEADLINE,
            "the last row has not come within {DEADLINE:?}"
        );
        looks.tick().await;
    }
    Ok(started.elapsed())
}

/// Compares both targets with the source, table by table.
pub(crate) async fn differences(
    servers: &Servers,
    workload: &Workload,
) -> anyhow::Result<Vec<String>> {
    let mut differing = Vec::new();
    for (table, _) in TABLES {
        let wanted = sum(&servers.source, table).await?;
        for (name, copy) in [
            ("subscription", &servers.subscribed),
            ("ours", &servers.ours),
        ] {
            let found = sum(copy, table).await?;
            if found != wanted {
                let load = workload.name;
                differing.push(format!(
                    "{load}, {name}, {table}: {found} instead of {wanted}"
                ));
            }
        }
    }
    Ok(differing)
}

/// The number of rows and the sum of their hashes.
async fn sum(session: &Client, table: &str) -> anyhow::Result<String> {
    let sql = format!(
        "SELECT format('%s rows, sum %s', count(*), sum(hashtextextended(t::text, 0)::numeric)) \
         FROM {table} AS t"
    );
    Ok(session.query_one(&sql, &[]).await?.get(0))
}

/// Removes slots, publication, subscription and our checkpoint, where they are.
pub(crate) async fn clear(servers: &Servers) -> anyhow::Result<()> {
    servers
        .subscribed
        .batch_execute("DROP SUBSCRIPTION IF EXISTS bench")
        .await?;
    servers
        .ours
        .batch_execute("DROP SCHEMA IF EXISTS pgstream CASCADE")
        .await?;
    let source = &servers.source;
    let inactive = "SELECT FROM pg_replication_slots WHERE active";
    let mut looks = interval(LOOK_EVERY);
    while !source.query(inactive, &[]).await?.is_empty() {
        looks.tick().await;
    }
    let slots = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots";
    source.batch_execute(slots).await?;
    let publication = format!("DROP PUBLICATION IF EXISTS {PUBLICATION}");
    Ok(source.batch_execute(&publication).await?)
}
