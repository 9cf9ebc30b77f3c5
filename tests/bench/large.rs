//! Memory: one transaction of five million rows, and one value of 100 MB.

use anyhow::ensure;

use crate::drain::{self, Reader};
use crate::servers::Servers;
use crate::workload::{self, Workload};

const ROWS: u64 = 5_000_000;
const VALUE_BYTES: u64 = 100 << 20;
/// What our process may take for any number of rows.
const PEAK_MIB_MAX: f64 = 256.0;

/// Fails when our process takes more than it may for a large transaction. A large value is only
/// measured: it has to be in memory whole.
pub(crate) async fn check(servers: &Servers) -> anyhow::Result<()> {
    let rows = run(servers, &large_transaction(), ROWS).await?;
    println!("one transaction of {ROWS} rows: {rows}");
    let value = run(servers, &large_value(), VALUE_BYTES).await?;
    println!("one value of {VALUE_BYTES} bytes: {value}");
    let peak_mib = rows.process.map_or(0.0, |usage| usage.peak_mib);
    ensure!(
        peak_mib < PEAK_MIB_MAX,
        "{peak_mib:.0} MiB are more than {PEAK_MIB_MAX} MiB"
    );
    Ok(())
}

async fn run(
    servers: &Servers,
    workload: &Workload,
    size: u64,
) -> anyhow::Result<crate::report::Run> {
    drain::prepare(servers, workload, size).await?;
    let load = drain::load(servers, workload, size).await?;
    let run = drain::drain(servers, Reader::Ours, &load).await?;
    let differing = drain::differences(servers, workload).await?;
    let ours = differing.iter().find(|line| line.contains(", ours, "));
    ensure!(
        ours.is_none(),
        "the target is not equal to the source: {ours:?}"
    );
    drain::clear(servers).await?;
    Ok(run)
}

fn large_transaction() -> Workload {
    let [.., huge, _] = workload::all();
    huge
}

fn large_value() -> Workload {
    Workload {
        name: "large value",
        fill: |_| String::new(),
        load: |byte_count| {
            format!(
                "INSERT INTO account VALUES (1, 'large', NULL, 0, true, 0, '2026-01-01', \
                 repeat('0123456789abcdef', ({byte_count} / 16)::integer))"
            )
        },
        rows: |_| 1,
    }
}
