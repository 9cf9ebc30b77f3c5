//! A standby in the place of the source, or of the tables that are copied: streamed from version 16 on,
//! refused before anything is made on older ones.

use pgstream::cluster::Server;

use crate::cli_check::between;
use crate::support::clusters::{TestCluster, primary_and_standby};
use crate::support::process::Outcome;
use crate::support::sql::try_query_text;
use crate::support::{
    Call, assert_equal, cluster, connect, every_server, execute, query_text, wait_until,
};

const SOURCE: &str = "PGSTREAM_POSTGRES_LISTENER_URL";
const STORE: &str = "PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL";
const COPY: &str = "PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED";
const COPY_FROM: &str = "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_STORE_URL";
const TABLE: &str =
    "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100)";

/// The first version that decodes on standbys.
const DECODES: u32 = 16;

struct Trio {
    primary: TestCluster,
    standby: TestCluster,
    target: TestCluster,
}

impl Trio {
    async fn start(server: &Server) -> Self {
        let (primary, standby) = primary_and_standby(server);
        let target = cluster("target");
        execute(&connect(&primary.url("postgres")).await, TABLE).await;
        let trio = Self {
            primary,
            standby,
            target,
        };
        trio.follows("SELECT count(*) FROM t", "100").await;
        trio
    }

    /// Waits until the standby has what the primary has.
    async fn follows(&self, sql: &str, expected: &str) {
        let standby = connect(&self.standby.url("postgres")).await;
        wait_until("the standby follows", async || {
            let found = try_query_text(&standby, sql).await?.join("");
            match found == expected {
                true => Ok(()),
                false => Err(found),
            }
        })
        .await;
    }

    /// A command with the standby as source, and the primary as the place of the schema log.
    fn call(&self, words: &str) -> Call {
        between(words, &self.primary, &self.target).env(SOURCE, &self.standby.url("postgres"))
    }
}

fn check(outcome: &Outcome, code: i32, message: &str) {
    let all = format!("{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.code, Some(code), "{all}");
    assert!(all.contains(message), "not reported: {message}\n{all}");
}

#[tokio::test]
async fn a_standby_is_streamed_where_postgresql_decodes_on_it_and_refused_elsewhere() {
    for server in every_server() {
        let trio = Trio::start(&server).await;
        match server.major() >= DECODES {
            true => is_streamed(&trio).await,
            false => is_refused(&trio).await,
        }
    }
}

async fn is_streamed(trio: &Trio) {
    let planned = trio.call("init --plan").run().await;
    check(
        &planned,
        0,
        "-- standby of the source: create replication slot",
    );
    check(&trio.call("init").run().await, 0, "SUCCESS");
    check(&trio.call("init").run().await, 0, "nothing was changed");
    check(&trio.call("check").run().await, 0, "");
    let running = trio.call("run --headless").env(COPY, "true").spawn();
    running.logged("streaming started").await;
    let source = connect(&trio.primary.url("postgres")).await;
    let target = connect(&trio.target.url("postgres")).await;

    execute(
        &source,
        "ALTER TABLE t ADD note text; INSERT INTO t VALUES (101, 'new')",
    )
    .await;
    assert_equal(&source, &target).await;
    wait_until("every schema change is acknowledged", async || {
        let open = "SELECT count(*) FROM pgstream.schema_log WHERE NOT acked";
        match query_text(&source, open).await.join("").as_str() {
            "0" => Ok(()),
            open => Err(open.to_owned()),
        }
    })
    .await;
    let noted = "SELECT target IS NOT NULL, on_standby FROM pgstream.pipeline";
    assert_eq!(query_text(&source, noted).await, ["t|t"]);

    let outcome = running.terminate().await;
    check(&outcome, 0, "");
    let warned = outcome.stderr.lines().filter(|line| line.contains("WARN"));
    let warned: Vec<&str> = warned
        .filter(|line| !line.contains("right only where that is its standby"))
        .collect();
    assert!(warned.is_empty(), "{warned:?}");
    let on_standby = trio.call("check").env(STORE, &trio.standby.url("postgres"));
    check(
        &on_standby.run().await,
        78,
        "names a standby, where applied schema changes cannot be marked",
    );
    check(&trio.call("tear-down").run().await, 0, "SUCCESS");
    let standby = connect(&trio.standby.url("postgres")).await;
    let left = query_text(&standby, "SELECT count(*) FROM pg_replication_slots").await;
    assert_eq!(left, ["0"]);
    let left = query_text(&source, "SELECT to_regnamespace('pgstream')").await;
    assert_eq!(left, ["∅"]);
}

async fn is_refused(trio: &Trio) {
    const SAID: &str = "is a standby, where PostgreSQL decodes nothing before version 16";
    check(&trio.call("init").run().await, 78, SAID);
    check(&trio.call("check").run().await, 78, SAID);
    let alone = trio.call("init").env(STORE, &trio.standby.url("postgres"));
    check(
        &alone.run().await,
        78,
        "the source is a standby, where nothing can be installed",
    );

    let init = between("init", &trio.primary, &trio.target).run().await;
    check(&init, 0, "SUCCESS");
    let copied = between("run --headless", &trio.primary, &trio.target)
        .env(COPY, "true")
        .env(COPY_FROM, &trio.standby.url("postgres"))
        .run()
        .await;
    check(
        &copied,
        78,
        "no position of the stream can be had before PostgreSQL 16",
    );
    let target = connect(&trio.target.url("postgres")).await;
    assert_eq!(query_text(&target, "SELECT to_regclass('t')").await, ["∅"]);
}

/// The descriptions of the primary's installation are there; without them a standby takes none.
#[tokio::test]
async fn snapshot_copies_from_a_standby_that_has_descriptions_and_says_what_is_missing() {
    let trio = Trio::start(&Server::find().unwrap()).await;
    let snapshot = || trio.call("snapshot");
    let target = connect(&trio.target.url("postgres")).await;
    let source = connect(&trio.primary.url("postgres")).await;

    check(&snapshot().run().await, 78, "a standby takes no writes");
    assert_eq!(query_text(&target, "SELECT to_regclass('t')").await, ["∅"]);
    let init = between("init", &trio.primary, &trio.target).run().await;
    check(&init, 0, "SUCCESS");
    trio.follows("SELECT count(*) FROM pgstream.pipeline", "1")
        .await;
    check(&snapshot().run().await, 0, "SUCCESS");
    assert_equal(&source, &target).await;
}
