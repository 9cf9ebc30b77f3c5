//! A large table with a whole number as its key goes on where a crash cut its copy off, while the
//! source is being written to.

use pgstream::config::Plugin;
use pgstream::fault;

use super::support::flow::{Flow, SLOT};
use super::support::{Call, execute, query_text};

const SCHEMA: &str = "
CREATE TABLE big (id bigint PRIMARY KEY, payload text NOT NULL, changed int NOT NULL DEFAULT 0);
CREATE TABLE ledger (at int, amount int);
INSERT INTO big SELECT i, repeat(md5(i::text), 4) FROM generate_series(1, 60000) AS i;
INSERT INTO ledger SELECT i % 100, i FROM generate_series(1, 1000) AS i;
ANALYZE big";

/// Rows change, come and go in every range, and move between ranges.
const CHANGES: [&str; 4] = [
    "UPDATE big SET changed = changed + 1 WHERE id % 97 = 3; INSERT INTO ledger VALUES (1, 1)",
    "DELETE FROM big WHERE id % 101 = 5; INSERT INTO big SELECT -i, 'new' FROM generate_series(1, 50) AS i",
    "UPDATE big SET id = id + 1000000 WHERE id % 503 = 7; UPDATE ledger SET amount = 0 WHERE at = 7",
    "UPDATE big SET id = id - 2000000 WHERE id % 1009 = 11 AND id > 30000; DELETE FROM ledger WHERE at = 9",
];

const THERE: &str = "SELECT count(*) FROM pgstream.snapshot_part WHERE lsn IS NOT NULL";

fn call(flow: &Flow) -> Call {
    let (source, target) = (
        flow.source_cluster.url("postgres"),
        flow.target_cluster.url("postgres"),
    );
    Call::new(["run", "--headless"])
        .env("PGSTREAM_POSTGRES_LISTENER_URL", &source)
        .env("PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL", &source)
        .env("PGSTREAM_POSTGRES_WRITER_TARGET_URL", &target)
        .env("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", SLOT)
        .env(
            "PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED",
            "true",
        )
        .env("PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_PART_SIZE", "1MiB")
        .env("PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_WORKERS", "1")
}

async fn goes_on_within_a_table(plugin: Plugin) {
    let flow = Flow::schema(plugin).await;
    execute(&flow.source, SCHEMA).await;

    let points = [
        (fault::SNAPSHOT_AFTER_COMMIT, 2),
        (fault::SNAPSHOT_BEFORE_COMMIT, 3),
        (fault::SNAPSHOT_AFTER_COMMIT, 1),
    ];
    let mut there = 0;
    for (changes, (point, visit)) in CHANGES.iter().zip(points) {
        let died = call(&flow)
            .env("FAILPOINTS", &format!("{point}={visit}*off->return"))
            .spawn()
            .outcome()
            .await;
        assert_eq!(died.code, None, "{point}: it did not die:\n{}", died.stderr);
        let now = query_text(&flow.target, THERE)
            .await
            .join("")
            .parse()
            .unwrap();
        assert!(now > there, "{point}: {now} ranges after {there}");
        there = now;
        flow.run(changes).await;
    }
    let kept = "SELECT count(*) FROM big WHERE xmin::text::bigint < (SELECT max(xmin::text::bigint) FROM pgstream.snapshot_table)";
    let kept: i64 = query_text(&flow.target, kept)
        .await
        .join("")
        .parse()
        .unwrap();

    let running = call(&flow).spawn();
    flow.run(CHANGES[3]).await;
    flow.equal().await;

    let states = "SELECT state, attempt > 3 FROM pgstream.snapshot_table WHERE table_name = 'big'";
    flow.shows(states, &["ready|t"]).await;
    flow.shows("SELECT count(*) FROM pgstream.snapshot_part", &["0"])
        .await;
    assert!(kept > 1_000, "{kept} rows were there before the last start");
    assert_eq!(running.terminate().await.code, Some(0));
}

#[tokio::test]
async fn a_copy_goes_on_within_a_table() {
    goes_on_within_a_table(Plugin::Pgoutput).await;
}

#[tokio::test]
async fn a_copy_goes_on_within_a_table_with_wal2json() {
    goes_on_within_a_table(Plugin::Wal2json).await;
}
