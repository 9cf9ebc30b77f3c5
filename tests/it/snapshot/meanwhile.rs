//! Names change hands, partitions come and types change while their tables are being copied.

use std::time::Duration;

use pgstream::config::{ByteSize, Plugin};
use pgstream::engine::Handle;
use pgstream::runtime::spawn;
use pgstream::status::{Command, CommandAnswer, CopyCommand, CopyState};
use tokio::time::interval;

use crate::schema_mirror::assert_same_dump;
use crate::support::flow::{Flow, stop, wait_for};
use crate::support::{connect, execute, query_text};

use super::{enable, existing, made, ready};

/// A partitioned table, and one that becomes a partition.
const FAMILY: &str = "\
CREATE TABLE parts (id int PRIMARY KEY, t text) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE loose (id int NOT NULL, t text);
CREATE INDEX parts_t ON parts (t);
INSERT INTO parts SELECT i, i FROM generate_series(0, 99) AS i;
INSERT INTO loose SELECT i, i FROM generate_series(200, 250) AS i;";

/// What becomes of it.
const GROWTH: &[&str] = &[
    "CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (100) TO (200)",
    "INSERT INTO parts VALUES (100, 'new')",
    "TRUNCATE loose",
    "INSERT INTO loose VALUES (201, 'again')",
    "ALTER TABLE parts ATTACH PARTITION loose FOR VALUES FROM (200) TO (300)",
    "INSERT INTO parts VALUES (202, 'attached')",
];

const PAIR: &str = "\
CREATE TABLE a (id int PRIMARY KEY, a text);
CREATE TABLE b (id int PRIMARY KEY, b int);
INSERT INTO a SELECT i, 'a' FROM generate_series(1, 50) AS i;
INSERT INTO b SELECT i, i FROM generate_series(51, 100) AS i;";

const SWAP: &[&str] = &[
    "ALTER TABLE a RENAME TO t",
    "ALTER TABLE b RENAME TO a",
    "ALTER TABLE t RENAME TO b",
    "INSERT INTO a VALUES (1000, 7)",
    "INSERT INTO b VALUES (1000, 'seven')",
];

const NUMBERED: &str = "\
CREATE TABLE numbered (id serial PRIMARY KEY, t text);
CREATE TABLE other (id int PRIMARY KEY);
INSERT INTO numbered (t) SELECT i FROM generate_series(1, 50) AS i;";

async fn command(engine: &Handle, command: CopyCommand) {
    let answer = engine.command(Command::Copy(command)).await;
    assert_eq!(answer, CommandAnswer::Accepted);
}

async fn again(engine: &Handle, name: &str) {
    let relation = {
        let status = engine.status();
        let status = status.borrow();
        let tables = &status.snapshot.as_ref().expect("copies").tables;
        let found = tables.iter().find(|table| table.name == name);
        found.expect("a table of that name").relation
    };
    command(engine, CopyCommand::Table { relation }).await;
}

async fn run(flow: &Flow, changes: &[&str]) {
    for sql in changes {
        flow.run(sql).await;
    }
}

async fn resumed(flow: &Flow, engine: Handle) {
    command(&engine, CopyCommand::Resume).await;
    flow.run("CREATE TABLE last (id int PRIMARY KEY); INSERT INTO last VALUES (1)")
        .await;
    flow.equal().await;
    ready(&engine).await;
    flow.equal().await;
    flow.acknowledged().await;
    assert_same_dump(&flow.source_cluster, &flow.target_cluster);
    stop(engine).await;
}

/// All tables are made as of the first snapshot, and no row has moved.
async fn in_the_first_copy(plugin: Plugin, before: &str, tables: &[&str], changes: &[&str]) {
    let mut flow = Flow::schema(plugin).await;
    flow.run(before).await;
    enable(&mut flow, 2);
    let engine = flow.start();
    command(&engine, CopyCommand::Pause).await;
    made(&flow, tables).await;
    run(&flow, changes).await;
    resumed(&flow, engine).await;
}

/// The others stream while this table is copied again.
async fn in_another_copy(plugin: Plugin, before: &str, table: &str, changes: &[&str]) {
    let mut flow = Flow::schema(plugin).await;
    flow.run(before).await;
    enable(&mut flow, 2);
    let engine = flow.start();
    ready(&engine).await;
    command(&engine, CopyCommand::Pause).await;
    again(&engine, table).await;
    made(&flow, &[table]).await;
    run(&flow, changes).await;
    resumed(&flow, engine).await;
}

#[tokio::test]
async fn partitions_that_come_while_their_table_is_copied_first() {
    in_the_first_copy(
        Plugin::Pgoutput,
        FAMILY,
        &["public.parts", "public.loose"],
        GROWTH,
    )
    .await;
}

#[tokio::test]
async fn partitions_that_come_while_their_table_is_copied_again() {
    in_another_copy(Plugin::Pgoutput, FAMILY, "public.parts", GROWTH).await;
}

#[tokio::test]
async fn a_table_that_becomes_a_partition_while_it_is_copied_again() {
    in_another_copy(Plugin::Wal2json, FAMILY, "public.loose", GROWTH).await;
}

#[tokio::test]
async fn tables_that_swap_their_names_while_they_are_copied_first() {
    in_the_first_copy(Plugin::Pgoutput, PAIR, &["public.a", "public.b"], SWAP).await;
}

#[tokio::test]
async fn a_table_that_swaps_its_name_with_one_that_is_copied_again() {
    in_another_copy(Plugin::Pgoutput, PAIR, "public.b", SWAP).await;
}

#[tokio::test]
async fn a_table_that_swaps_its_name_while_it_is_copied_again_with_wal2json() {
    in_another_copy(Plugin::Wal2json, PAIR, "public.a", SWAP).await;
}

#[tokio::test]
async fn a_table_that_is_dropped_and_created_anew_while_it_is_copied() {
    let changes = [
        "DROP TABLE numbered",
        "CREATE TABLE numbered (t text, id serial PRIMARY KEY)",
        "INSERT INTO numbered (t) VALUES ('anew')",
    ];
    in_the_first_copy(Plugin::Pgoutput, NUMBERED, &["public.numbered"], &changes).await;
    in_another_copy(Plugin::Pgoutput, NUMBERED, "public.numbered", &changes).await;
}

#[tokio::test]
async fn a_sequence_belongs_to_its_table_that_was_renamed_and_copied_again() {
    let changes = [
        "COMMENT ON TABLE numbered IS 'said'",
        "ALTER TABLE numbered RENAME TO renamed",
        "INSERT INTO renamed (t) VALUES ('after')",
    ];
    in_the_first_copy(Plugin::Pgoutput, NUMBERED, &["public.numbered"], &changes).await;
    in_another_copy(Plugin::Pgoutput, NUMBERED, "public.numbered", &changes).await;
}

/// A table that uses one type, and one whose copy has nothing to do with it.
const TYPED: &str = "\
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE size AS ENUM ('small', 'large');
CREATE TABLE typed (id int PRIMARY KEY, moods mood[]);
CREATE TABLE sized (id int PRIMARY KEY, s size);
CREATE TABLE still (id int PRIMARY KEY);
INSERT INTO typed SELECT i, '{ok,sad}' FROM generate_series(1, 1000) AS i;
INSERT INTO sized SELECT i, 'large' FROM generate_series(1, 1000) AS i;";

fn attempts(engine: &Handle, name: &str) -> u32 {
    let status = engine.status();
    let status = status.borrow();
    let tables = &status.snapshot.as_ref().expect("copies").tables;
    let found = tables.iter().find(|table| table.name == name);
    found.expect("a table of that name").attempt
}

/// Both are copied again; returns how often each was begun.
async fn begun_again(plugin: Plugin, changes: &[&str]) -> (u32, u32) {
    let mut flow = Flow::schema(plugin).await;
    flow.run(TYPED).await;
    enable(&mut flow, 2);
    let engine = flow.start();
    ready(&engine).await;
    stop(engine).await;
    super::wait_again(&flow, &["typed", "sized"]).await;
    let engine = flow.start();
    command(&engine, CopyCommand::Pause).await;
    made(&flow, &["public.typed", "public.sized"]).await;
    run(&flow, changes).await;
    command(&engine, CopyCommand::Resume).await;
    flow.run("CREATE TABLE last (id int PRIMARY KEY); INSERT INTO last VALUES (1)")
        .await;
    ready(&engine).await;
    flow.equal().await;
    let begun = (
        attempts(&engine, "public.typed"),
        attempts(&engine, "public.sized"),
    );
    assert_same_dump(&flow.source_cluster, &flow.target_cluster);
    stop(engine).await;
    begun
}

#[tokio::test]
async fn a_type_that_is_altered_lets_only_tables_be_copied_again_that_use_it() {
    let changes = [
        "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'",
        "ALTER TYPE mood ADD VALUE 'great'",
        "INSERT INTO typed VALUES (2000, '{great,fine}')",
    ];
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let (typed, sized) = begun_again(plugin, &changes).await;
        assert!(typed > 2 && sized == 2, "{typed} {sized}");
    }
}

#[tokio::test]
async fn a_column_that_is_added_does_not_disturb_the_copy_of_its_table() {
    let changes = [
        "ALTER TABLE sized ADD COLUMN n int NOT NULL DEFAULT 7",
        "UPDATE sized SET n = id WHERE id % 2 = 0",
        "ALTER TABLE sized ADD COLUMN m mood DEFAULT 'ok'",
        "INSERT INTO sized VALUES (2000, 'small', 3)",
    ];
    assert_eq!(begun_again(Plugin::Pgoutput, &changes).await, (2, 2));
}

#[tokio::test]
async fn a_type_that_a_table_gets_while_it_is_copied_is_one_of_its_own() {
    let changes = [
        "ALTER TABLE sized ADD COLUMN m mood DEFAULT 'ok'",
        "ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'",
        "INSERT INTO sized VALUES (2000, 'small')",
    ];
    let (_, sized) = begun_again(Plugin::Pgoutput, &changes).await;
    assert!(sized > 2, "{sized}");
}

/// Something of the schema changes this often, elsewhere.
const RESTLESS: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_ends_while_the_schema_changes_steadily_elsewhere() {
    let mut flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run(TYPED).await;
    flow.run("INSERT INTO sized SELECT i, 'small' FROM generate_series(1001, 300000) AS i")
        .await;
    enable(&mut flow, 1);
    flow.pipeline.snapshot.part_size = ByteSize(1 << 20);
    let engine = flow.start();
    ready(&engine).await;
    let other = connect(&flow.source_cluster.url("postgres")).await;
    let (stop_changes, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let mut changes = spawn("changes", async move {
        let (mut count, mut pace) = (0, interval(RESTLESS));
        while stopped.try_recv().is_err() {
            pace.tick().await;
            count += 1;
            for sql in [
                format!("ALTER TYPE mood ADD VALUE 'm{count}'"),
                format!("CREATE TABLE t_{count} (id int PRIMARY KEY, m mood)"),
                format!("ALTER TABLE typed ADD COLUMN c_{count} int DEFAULT {count}"),
            ] {
                execute(&other, &sql).await;
            }
        }
        count
    });

    again(&engine, "public.sized").await;
    wait_for(&engine, "it is ready again", |status| {
        status.snapshot.as_ref().is_some_and(|snapshot| {
            let mut tables = snapshot.tables.iter();
            let sized = tables.find(|table| table.name == "public.sized");
            sized.is_some_and(|table| table.state == CopyState::Ready && table.attempt > 1)
        })
    })
    .await;

    stop_changes.send(()).expect("the changes go on");
    assert!(changes.join().await.expect("the changes") > 3);
    ready(&engine).await;
    flow.equal().await;
    stop(engine).await;
}

#[tokio::test]
async fn a_row_that_the_target_refuses_fails_its_table_though_types_change_elsewhere() {
    let mut flow = existing(
        Plugin::Pgoutput,
        "CREATE TYPE mine AS ENUM ('a'); CREATE TYPE theirs AS ENUM ('a'); \
         CREATE TABLE t (id int PRIMARY KEY, m mine); INSERT INTO t VALUES (10, 'a')",
    )
    .await;
    let refuses = "CREATE TYPE mine AS ENUM ('a'); \
                   CREATE TABLE t (id int PRIMARY KEY, m mine, CHECK (id < 10))";
    execute(&flow.target, refuses).await;
    enable(&mut flow, 1);
    let engine = flow.start();
    command(&engine, CopyCommand::Pause).await;
    made(&flow, &["public.t"]).await;
    flow.run("ALTER TYPE theirs ADD VALUE 'b'").await;

    command(&engine, CopyCommand::Resume).await;
    wait_for(&engine, "its table fails", |status| {
        super::all_are(status, CopyState::Failed)
    })
    .await;
    let attempts = "SELECT attempt FROM pgstream.snapshot_table";
    assert_eq!(query_text(&flow.target, attempts).await, ["1"]);
    stop(engine).await;
}

const SLICED: &str = "\
CREATE TABLE begun (id int PRIMARY KEY, t text);
CREATE TABLE later (id int PRIMARY KEY, t text);
CREATE TABLE last_of_all (id int, t text);
INSERT INTO begun SELECT i, md5(i::text) FROM generate_series(1, 3000) AS i;
INSERT INTO later SELECT i, md5(i::text) FROM generate_series(1, 50) AS i;
INSERT INTO last_of_all SELECT i, md5(i::text) FROM generate_series(1, 50) AS i;";

#[tokio::test]
async fn an_index_that_is_built_concurrently_waits_for_what_is_begun_and_no_longer() {
    let mut flow = existing(Plugin::Pgoutput, SLICED).await;
    enable(&mut flow, 1);
    let engine = flow.start();
    command(&engine, CopyCommand::Pause).await;
    made(&flow, &[]).await;

    // Nothing is begun: it waits for nothing but another snapshot.
    flow.run("CREATE INDEX CONCURRENTLY later_t ON later (t)")
        .await;
    made(&flow, &[]).await;
    execute(&flow.target, "BEGIN; LOCK TABLE begun IN SHARE MODE").await;
    command(&engine, CopyCommand::Resume).await;
    wait_for(&engine, "the first one is begun", |status| {
        let snapshot = status.snapshot.as_ref().expect("copies");
        let states = snapshot
            .tables
            .iter()
            .map(|table| (&*table.name, table.state));
        let copying: Vec<_> = states
            .filter(|(_, state)| *state == CopyState::Copying)
            .collect();
        copying == [("public.begun", CopyState::Copying)]
    })
    .await;
    let source = connect(&flow.source_cluster.url("postgres")).await;
    let index = "CREATE INDEX CONCURRENTLY last_t ON last_of_all (t)";
    let mut built = spawn("index", async move { execute(&source, index).await });
    wait_for(&engine, "the others wait for another snapshot", |status| {
        let snapshot = status.snapshot.as_ref().expect("copies");
        snapshot.count(CopyState::Waiting) == 2
    })
    .await;
    execute(&flow.target, "COMMIT").await;

    built.join().await.unwrap();
    ready(&engine).await;
    flow.equal().await;
    flow.acknowledged().await;
    assert_same_dump(&flow.source_cluster, &flow.target_cluster);
    stop(engine).await;
}

const INDEXED: &str = "\
CREATE TABLE a (id int PRIMARY KEY, a text, UNIQUE (a)); CREATE INDEX a_x ON a (a);
CREATE TABLE b (id int PRIMARY KEY, b int);
INSERT INTO a SELECT i, i FROM generate_series(1, 50) AS i;";

/// The others stream on while this table is copied again, and get the names of its indexes.
#[tokio::test]
async fn names_of_indexes_go_to_a_table_that_streams_while_theirs_is_copied_again() {
    let mut flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run(INDEXED).await;
    enable(&mut flow, 2);
    let engine = flow.start();
    ready(&engine).await;
    command(&engine, CopyCommand::Pause).await;
    again(&engine, "public.a").await;
    made(&flow, &["public.a"]).await;
    let changes = [
        "ALTER INDEX a_x RENAME TO a_y",
        "CREATE INDEX a_x ON b (b)",
        "ALTER TABLE a DROP CONSTRAINT a_a_key",
        "ALTER TABLE b ADD CONSTRAINT a_a_key UNIQUE (b)",
        "INSERT INTO b VALUES (1, 1)",
    ];
    run(&flow, &changes).await;
    flow.shows("SELECT count(*) FROM b", &["1"]).await;
    resumed(&flow, engine).await;
}
