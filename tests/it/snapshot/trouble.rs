//! Servers, connections and the process itself go away while tables are copied and users write.

use std::time::Duration;

use pgstream::config::{ConnectionSettings, Plugin};
use pgstream::engine::Handle;
use pgstream::status::{CopyState, Phase};

use crate::chaos::dice::{Dice, seed};
use crate::support::Proxy;
use crate::support::flow::{Flow, stop, wait_for};

use super::families::{FAMILIES, Families};
use super::{call, enable, existing, ready};

/// Rows enough that trouble finds them under way.
const MANY: &str = "\
CREATE TABLE many (id bigint PRIMARY KEY, body text);
INSERT INTO many SELECT i, md5(i::text) FROM generate_series(1, 150000) AS i;";

/// So often the process is killed.
const KILLS: u64 = 8;

/// It lives up to this long: long enough to be anywhere in the copy, or through with it.
const LIFE_MS_MAX: u64 = 1_500;

async fn killed_at_random_moments(plugin: Plugin) {
    let mut flow = existing(plugin, FAMILIES).await;
    enable(&mut flow, 2);
    let mut dice = Dice::new(seed());
    let url = flow.source_cluster.url("postgres");
    let families = Families::start(&url, dice.clone(), true);

    for kill in 0..KILLS {
        let mut running = call(&flow).spawn();
        let life = Duration::from_millis(dice.below(LIFE_MS_MAX));
        let early = tokio::time::timeout(life, running.ended_by_itself()).await;
        assert!(early.is_err(), "it ended by itself:\n{}", running.stderr());
        drop(running.kill().await);
        if kill > KILLS / 2 {
            super::wait_again(&flow, &["parent", "keyless"]).await;
        }
    }

    families.stop().await;
    let running = call(&flow).spawn();
    flow.equal().await;
    assert_eq!(running.terminate().await.code, Some(0));
}

#[tokio::test]
async fn killed_at_random_moments_of_a_copy_it_loses_and_doubles_nothing() {
    killed_at_random_moments(Plugin::Pgoutput).await;
}

#[tokio::test]
async fn the_same_with_wal2json() {
    killed_at_random_moments(Plugin::Wal2json).await;
}

async fn many(plugin: Plugin) -> Flow {
    let mut flow = existing(plugin, &format!("{FAMILIES} {MANY}")).await;
    enable(&mut flow, 2);
    flow
}

/// Copies under load, lets `trouble` happen while rows move, and compares both sides.
async fn check(mut flow: Flow, trouble: impl AsyncFnOnce(&mut Flow, &Handle)) {
    let engine = flow.start();
    let url = flow.source_cluster.url("postgres");
    let families = Families::start(&url, Dice::new(seed()), false);
    wait_for(&engine, "copies have begun", |status| {
        let snapshot = status.snapshot.as_ref();
        snapshot.is_some_and(|snapshot| {
            let mut tables = snapshot.tables.iter();
            tables.any(|table| table.state != CopyState::Waiting)
        })
    })
    .await;

    trouble(&mut flow, &engine).await;

    ready(&engine).await;
    families.stop().await;
    flow.reconnect().await;
    flow.equal().await;
    stop(engine).await;
}

async fn retries(engine: &Handle) {
    wait_for(engine, "the engine says that it tries again", |status| {
        matches!(status.phase, Phase::Retrying { .. }) && status.last_error.is_some()
    })
    .await;
}

#[tokio::test]
async fn goes_on_when_the_source_was_stopped_at_once() {
    check(many(Plugin::Pgoutput).await, async |flow, engine| {
        flow.source_cluster.stop_immediate().unwrap();
        retries(engine).await;
        flow.source_cluster.restart().unwrap();
    })
    .await;
}

#[tokio::test]
async fn goes_on_when_the_target_was_stopped_at_once() {
    check(many(Plugin::Wal2json).await, async |flow, _| {
        flow.target_cluster.stop_immediate().unwrap();
        flow.target_cluster.restart().unwrap();
    })
    .await;
}

#[tokio::test]
async fn goes_on_after_cut_connections_to_either_side() {
    let mut flow = many(Plugin::Pgoutput).await;
    let behind = |url: &str, port| {
        let proxy = Proxy::start(port);
        let settings = ConnectionSettings::parse(&proxy.through(url, port));
        (settings.expect("an address"), proxy)
    };
    let (source, target) = (&flow.source_cluster, &flow.target_cluster);
    let (source_settings, source) = behind(&source.url("postgres"), source.port());
    let (target_settings, target) = behind(&target.url("postgres"), target.port());
    flow.pipeline.source = source_settings.clone();
    flow.pipeline.snapshot.source = source_settings;
    flow.pipeline.target = target_settings;
    check(flow, async |_, engine| {
        for side in [&source, &target] {
            side.cut();
            retries(engine).await;
            side.resume();
        }
    })
    .await;
}
