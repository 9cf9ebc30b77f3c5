//! Large tables, compared range by range.

use pgstream::config::{ByteSize, Plugin};
use pgstream::verify::Verdict;

use crate::support::execute;
use crate::support::flow::{Flow, stop};

use super::{compare, table};

#[cfg(feature = "failpoints")]
const PART_SIZE: &str = "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_PART_SIZE";

/// A table of some megabytes, and ranges of a quarter of one.
pub(super) async fn ranged() -> Flow {
    let mut flow = Flow::schema(Plugin::Pgoutput).await;
    flow.pipeline.snapshot.part_size = ByteSize(256 << 10);
    flow.run("CREATE TABLE public.t (id int PRIMARY KEY, v text)")
        .await;
    flow.run(
        "INSERT INTO public.t SELECT id, repeat('v', 100) FROM generate_series(1, 20000) AS id; \
         ANALYZE public.t",
    )
    .await;
    flow
}

#[cfg(feature = "failpoints")]
pub(super) fn verify<const N: usize>(flow: &Flow, arguments: [&str; N]) -> crate::support::Call {
    crate::chaos::call(flow, arguments).env(PART_SIZE, "256KiB")
}

/// Every row is in one range, those at the borders, too.
#[tokio::test]
async fn ranges_of_keys_hold_every_row_once() {
    let flow = ranged().await;
    let engine = flow.start();
    flow.run("INSERT INTO public.t VALUES (-2147483648, ''), (2147483647, '')")
        .await;
    flow.equal().await;

    let report = compare(&flow).await;
    assert_eq!(report.verdict(), Verdict::Equal, "{report:?}");
    assert_eq!(table(&report, "public.t").source_rows, 20_002);

    // One in seven: some of them are the first and the last of a range.
    let breaks = "DELETE FROM public.t WHERE id % 7 = 0; UPDATE public.t SET v = '' WHERE id % 7 = 1; \
                  INSERT INTO public.t SELECT -id, 'x' FROM generate_series(1, 100) AS id";
    execute(&flow.target, breaks).await;
    let report = compare(&flow).await;
    let found = table(&report, "public.t");
    let counts = (found.missing, found.differing, found.extra);
    assert_eq!(counts, (2_857, 2_858, 100), "{found:?}");
    assert!(found.counted);
    stop(engine).await;
}
