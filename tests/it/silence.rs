//! Servers that fall silent or die while nobody writes, poolers in their place, and what a stop leaves
//! behind for whoever comes later.

use pgstream::cluster::ClusterOptions;
use pgstream::config::{ConnectionSettings, Plugin};
use pgstream::engine::{Engine, EngineOptions};
use pgstream::runtime::clock;
use pgstream::status::{Command, CommandAnswer, Phase};

use crate::chaos::run;
use crate::cli_check::between;
use crate::support::flow::{Flow, SLOT, stop, wait_for};
use crate::support::pooler::Pooler;
use crate::support::process::Outcome;
use crate::support::{Call, Proxy, cluster, cluster_with, execute, query_text};

const SOURCE: &str = "PGSTREAM_POSTGRES_LISTENER_URL";
const TARGET: &str = "PGSTREAM_POSTGRES_WRITER_TARGET_URL";
const SLOT_NAME: &str = "PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME";
const RETRY: &str = "PGSTREAM_RETRY_TIMEOUT";
const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY)";

async fn initialised() -> Flow {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run(TABLE).await;
    flow
}

fn command(flow: &Flow, command: &str) -> Call {
    between(command, &flow.source_cluster, &flow.target_cluster).env(SLOT_NAME, SLOT)
}

/// The address of one side through a proxy, with a short timeout.
fn hasty(proxy: &Proxy, url: &str, port: u16) -> String {
    let url = proxy.through(url, port);
    format!("{url}&tcp_user_timeout=1000&connect_timeout=2")
}

fn check(outcome: &Outcome, code: i32, message: &str) {
    let all = format!("{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.code, Some(code), "{all}");
    assert!(all.contains(message), "not reported: {message}\n{all}");
}

#[tokio::test]
async fn commands_end_at_a_server_that_falls_silent_after_the_login() {
    const SAID: &str = "has not answered for 1 s although its connection stands";
    let flow = initialised().await;
    let (source, target) = (&flow.source_cluster, &flow.target_cluster);
    let proxies = [Proxy::start(source.port()), Proxy::start(target.port())];
    let source_url = hasty(&proxies[0], &source.url("postgres"), source.port());
    let target_url = hasty(&proxies[1], &target.url("postgres"), target.port());
    proxies.iter().for_each(Proxy::stall_after_login);

    for (key, url) in [(SOURCE, &source_url), (TARGET, &target_url)] {
        let by_way = |words| command(&flow, words).env(key, url);
        check(&by_way("status").run().await, 75, SAID);
        check(&by_way("check").run().await, 78, SAID);
    }
    let init = command(&flow, "init").env(SOURCE, &source_url);
    check(&init.run().await, 75, SAID);
    let tear_down = command(&flow, "tear-down").env(TARGET, &target_url);
    check(&tear_down.run().await, 75, SAID);
    let gone = query_text(&flow.source, "SELECT count(*) FROM pg_replication_slots").await;
    assert_eq!(gone, ["0"], "the side that answers is cleaned");
}

#[tokio::test]
async fn a_start_obeys_its_retry_limit_however_silent_a_server_is() {
    let flow = initialised().await;
    let target = &flow.target_cluster;
    let proxy = Proxy::start(target.port());
    proxy.stall_after_login();

    let url = proxy.through(&target.url("postgres"), target.port());
    let outcome = run(&flow).env(TARGET, &url).env(RETRY, "1s").run().await;

    check(&outcome, 75, "did not get ready within 10 s");
}

#[tokio::test]
async fn a_target_that_dies_is_noticed_while_nothing_is_to_be_written() {
    let mut flow = Flow::rows("pgoutput", TABLE).await;
    let engine = flow.start();
    wait_for(&engine, "a stream", |status| {
        matches!(status.phase, Phase::Streaming { .. })
    })
    .await;

    flow.target_cluster.stop_immediate().unwrap();
    let began = clock::now();
    wait_for(&engine, "another try", |status| {
        matches!(status.phase, Phase::Retrying { .. })
    })
    .await;
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());

    flow.target_cluster.restart().unwrap();
    flow.reconnect().await;
    flow.run("INSERT INTO t VALUES (1)").await;
    flow.equal().await;
    stop(engine).await;
}

#[tokio::test]
async fn a_target_that_falls_silent_is_reported_while_nothing_is_to_be_written() {
    let mut flow = Flow::rows("pgoutput", TABLE).await;
    let target = &flow.target_cluster;
    let proxy = Proxy::start(target.port());
    let url = proxy.through(&target.url("postgres"), target.port());
    flow.pipeline.target = ConnectionSettings::parse(&url).unwrap();
    let running = run(&flow).env(TARGET, &url).spawn();
    running.logged("streaming started").await;
    proxy.stall();
    running.logged("has not answered for").await;
    proxy.resume();
    running.logged("answers again").await;
    assert_eq!(running.terminate().await.code, Some(0));

    let engine = flow.start();
    let seen = |seen: Option<i64>| seen.map_or(i64::MAX, |seen| clock::unix_ms() - seen);
    wait_for(&engine, "both sides are seen", |status| {
        seen(status.seen.source_ms).max(seen(status.seen.target_ms)) < 10_000
    })
    .await;
    proxy.stall();
    wait_for(
        &engine,
        "how old the last look at the target is",
        |status| seen(status.seen.target_ms) > 10_000 && seen(status.seen.source_ms) < 10_000,
    )
    .await;
    proxy.resume();
    stop(engine).await;
}

#[tokio::test]
async fn a_target_that_falls_silent_at_a_commit_is_given_up_while_the_source_has_nothing_to_say() {
    let mut flow = Flow::rows("pgoutput", TABLE).await;
    let target = &flow.target_cluster;
    let proxy = Proxy::start(target.port());
    let url = hasty(&proxy, &target.url("postgres"), target.port());
    flow.pipeline.target = ConnectionSettings::parse(&url).unwrap();
    let engine = flow.start();
    wait_for(&engine, "a stream", |status| {
        matches!(status.phase, Phase::Streaming { .. })
    })
    .await;

    proxy.stall();
    flow.run("INSERT INTO t VALUES (1)").await;
    wait_for(&engine, "another try", |status| {
        matches!(status.phase, Phase::Retrying { .. })
    })
    .await;

    proxy.resume();
    flow.equal().await;
    stop(engine).await;
}

#[tokio::test]
async fn a_pooler_in_transaction_mode_is_recognised() {
    const SAID: &str = "is reached through a pooler in transaction mode";
    let trusting = |name| ClusterOptions::new(name).hba("host all all 127.0.0.1/32 trust");
    let target = cluster_with(trusting("target"));
    let pooler = Pooler::start(target.port());
    let flow = Flow::between((cluster("source"), target)).await;
    flow.init(Plugin::Pgoutput).await;
    let target = &flow.target_cluster;
    let url = pooler.through(&target.url("postgres"), target.port());

    let checked = command(&flow, "check").env(TARGET, &url).run().await;
    check(&checked, 78, SAID);
    assert!(
        checked.stdout.contains("or a pool in session mode"),
        "{}",
        checked.stdout
    );
    let refused = run(&flow).env(TARGET, &url).run().await;
    check(&refused, 78, SAID);
    let there = query_text(&flow.target, "SELECT to_regnamespace('pgstream')").await;
    assert_eq!(there, ["∅"]);
}

#[tokio::test]
async fn the_last_stop_is_reported_until_it_is_overcome() {
    let flow = initialised().await;
    let running = run(&flow).spawn();
    flow.run("INSERT INTO t VALUES (1)").await;
    flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
    check(&command(&flow, "status").run().await, 0, "checkpoint");

    execute(&flow.target, "INSERT INTO t VALUES (2)").await;
    flow.run("INSERT INTO t VALUES (2)").await;
    assert_eq!(run(&flow).run().await.code, Some(65));
    let reported = command(&flow, "status").run().await;
    check(&reported, 65, "the target refuses a change of public.t");
    check(&reported, 65, "--skip-transaction 0/");
    let json = command(&flow, "status --json").run().await;
    let seen: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(seen["last_stop"]["class"], "data", "{seen}");
    assert_eq!(seen["last_stop"]["sqlstate"], "23505", "{seen}");
    assert!(
        seen["last_stop"]["transaction"]["commit_lsn"].is_string(),
        "{seen}"
    );
    check(&command(&flow, "check").run().await, 0, "has stopped at");

    execute(&flow.target, "DELETE FROM t WHERE id = 2").await;
    let running = run(&flow).spawn();
    running.logged("stopped last: ").await;
    flow.equal().await;
    check(&command(&flow, "status").run().await, 0, "checkpoint");
    assert_eq!(running.terminate().await.code, Some(0));

    flow.run("ALTER EVENT TRIGGER pgstream_sql_drop DISABLE")
        .await;
    assert_eq!(run(&flow).run().await.code, Some(78));
    check(
        &command(&flow, "status").run().await,
        78,
        "event trigger pgstream_sql_drop",
    );
    flow.run("ALTER EVENT TRIGGER pgstream_sql_drop ENABLE ALWAYS")
        .await;
    let running = run(&flow).spawn();
    running.logged("streaming started").await;
    flow.shows("SELECT count(*) FROM pgstream.last_stop", &["0"])
        .await;
    assert_eq!(running.terminate().await.code, Some(0));
    check(&command(&flow, "status").run().await, 0, "checkpoint");
}

#[tokio::test]
async fn a_stop_that_the_operator_overcomes_within_the_run_is_forgotten_too() {
    const STOPS: &str = "SELECT failure ->> 'class' FROM pgstream.last_stop";
    const OFF: &str = "ALTER EVENT TRIGGER pgstream_sql_drop DISABLE";
    const ON: &str = "ALTER EVENT TRIGGER pgstream_sql_drop ENABLE ALWAYS";
    let flow = initialised().await;
    let running = run(&flow).spawn();
    running.logged("streaming started").await;
    assert_eq!(running.terminate().await.code, Some(0));
    flow.run(OFF).await;
    let options = EngineOptions {
        hold_on_failure: true,
        ..EngineOptions::default()
    };
    let engine = Engine::start(flow.pipeline.clone(), options);
    wait_for(&engine, "that it stands", |status| {
        status.phase == Phase::Held
    })
    .await;
    flow.shows(STOPS, &["operator"]).await;

    flow.run(ON).await;
    assert_eq!(
        engine.command(Command::Retry).await,
        CommandAnswer::Accepted
    );

    flow.shows(STOPS, &[]).await;
    stop(engine).await;
}

#[tokio::test]
async fn a_second_engine_that_finds_the_slot_in_use_leaves_no_stop() {
    let flow = initialised().await;
    let first = run(&flow).spawn();
    first.logged("streaming started").await;

    let second = run(&flow).run().await;

    check(&second, 78, "is in use by process");
    check(&command(&flow, "status").run().await, 0, "checkpoint");
    assert_eq!(first.terminate().await.code, Some(0));
}
