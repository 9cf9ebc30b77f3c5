//! Rows are copied exactly while users change them, and again later while others stream.

use std::sync::Arc;

use pgstream::config::{ByteSize, Plugin};
use pgstream::engine::Handle;
use pgstream::model::RelationId;
use pgstream::status::{Command, CommandAnswer, CopyCommand, CopyState, TableCopy};

use crate::chaos::dice::{Dice, seed};
use crate::support::flow::{Flow, stop, wait_for};

use super::families::{FAMILIES, Families};
use super::{enable, existing, ready};

fn table(engine: &Handle, name: &str) -> TableCopy {
    let status = Arc::clone(&engine.status().borrow());
    let snapshot = Arc::clone(status.snapshot.as_ref().expect("copies"));
    let found = snapshot.tables.iter().find(|table| table.name == name);
    found.expect("a table of that name").clone()
}

async fn again(engine: &Handle, name: &str) -> RelationId {
    let relation = table(engine, name).relation;
    let command = Command::Copy(CopyCommand::Table { relation });
    assert_eq!(engine.command(command).await, CommandAnswer::Accepted);
    relation
}

async fn command(engine: &Handle, command: CopyCommand) {
    let answer = engine.command(Command::Copy(command)).await;
    assert_eq!(answer, CommandAnswer::Accepted);
}

async fn exact_under_load(plugin: Plugin) {
    let mut flow = existing(plugin, FAMILIES).await;
    enable(&mut flow, 4);
    flow.pipeline.snapshot.part_size = ByteSize(2 << 20);
    let url = flow.source_cluster.url("postgres");
    let families = Families::start(&url, Dice::new(seed()), false);

    let engine = flow.start();
    ready(&engine).await;
    for name in ["public.keyless", "public.parent", "public.big"] {
        let before = table(&engine, name).attempt;
        let relation = again(&engine, name).await;
        wait_for(&engine, "it is ready again", |status| {
            let snapshot = status.snapshot.as_ref();
            snapshot.is_some_and(|snapshot| {
                snapshot.tables.iter().any(|table| {
                    table.relation == relation
                        && table.state == CopyState::Ready
                        && table.attempt > before
                })
            })
        })
        .await;
    }

    families.stop().await;
    flow.equal().await;
    stop(engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_copied_exactly_while_they_change_and_again_later() {
    exact_under_load(Plugin::Pgoutput).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_with_wal2json() {
    exact_under_load(Plugin::Wal2json).await;
}

#[tokio::test]
async fn while_a_table_waits_for_another_copy_the_others_flow() {
    let mut flow = Flow::schema(Plugin::Pgoutput).await;
    let two = "CREATE TABLE one (id int PRIMARY KEY); CREATE TABLE two (id int PRIMARY KEY); \
               INSERT INTO one VALUES (1); INSERT INTO two VALUES (1)";
    flow.run(two).await;
    enable(&mut flow, 1);
    let engine = flow.start();
    ready(&engine).await;

    command(&engine, CopyCommand::Pause).await;
    again(&engine, "public.one").await;
    super::made(&flow, &["public.one"]).await;
    flow.run("INSERT INTO one VALUES (2); INSERT INTO two VALUES (2)")
        .await;
    flow.shows("SELECT id FROM two ORDER BY 1", &["1", "2"])
        .await;
    flow.shows("SELECT count(*) FROM one", &["0"]).await;

    command(&engine, CopyCommand::Workers { count: 3 }).await;
    command(&engine, CopyCommand::Resume).await;
    ready(&engine).await;
    flow.equal().await;
    let status = Arc::clone(&engine.status().borrow());
    assert_eq!(status.snapshot.as_ref().unwrap().worker_count, 3);
    let unknown = Command::Copy(CopyCommand::Table {
        relation: RelationId(1),
    });
    let answer = engine.command(unknown).await;
    assert!(matches!(answer, CommandAnswer::Refused(_)), "{answer:?}");
    stop(engine).await;
}
