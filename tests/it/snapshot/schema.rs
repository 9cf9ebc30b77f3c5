//! Users change the schema before, while and after their tables are copied, and never wait for us.

use std::time::Duration;

use pgstream::config::Plugin;
use pgstream::engine::Handle;
use pgstream::engine::clock;
use pgstream::engine::status::{Command, CopyCommand, CopyState};

use super::{enable, ready};
use crate::schema_mirror::assert_same_dump;
use crate::support::execute;
use crate::support::flow::{Flow, stop, wait_for};

const BEFORE: &str = "\
CREATE SCHEMA a; CREATE SCHEMA b;
CREATE TYPE a.mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE a.pair AS (x int, y text);
CREATE TABLE a.plain (id int PRIMARY KEY, n int);
CREATE TABLE a.retyped (id int PRIMARY KEY, n int);
CREATE TABLE a.emptied (id int PRIMARY KEY);
CREATE TABLE a.dropped (id int PRIMARY KEY);
CREATE TABLE a.old_name (id serial PRIMARY KEY, t text);
CREATE TABLE a.columns (id int PRIMARY KEY, x text, y text, z text);
CREATE TABLE a.swap_a (id int PRIMARY KEY, a text);
CREATE TABLE a.swap_b (id int PRIMARY KEY, b int);
CREATE TABLE a.parts (id int PRIMARY KEY, t text) PARTITION BY RANGE (id);
CREATE TABLE a.part_1 PARTITION OF a.parts FOR VALUES FROM (0) TO (100);
CREATE TABLE a.part_2 PARTITION OF a.parts FOR VALUES FROM (100) TO (200);
CREATE INDEX parts_t ON a.parts (t);
CREATE TABLE a.parent (id int PRIMARY KEY);
CREATE TABLE a.child (id int PRIMARY KEY, parent int REFERENCES a.parent);
CREATE TABLE a.child_2 (id int PRIMARY KEY, parent int);
CREATE TABLE a.feeling (id int PRIMARY KEY, m a.mood, p a.pair, ms a.mood[]);
CREATE TABLE b.moved (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t text);
INSERT INTO a.plain SELECT i, i FROM generate_series(1, 50) AS i;
INSERT INTO a.retyped SELECT i, i FROM generate_series(1, 50) AS i;
INSERT INTO a.emptied SELECT i FROM generate_series(1, 50) AS i;
INSERT INTO a.dropped SELECT i FROM generate_series(1, 50) AS i;
INSERT INTO a.old_name (t) SELECT i FROM generate_series(1, 50) AS i;
INSERT INTO a.columns SELECT i, i, i, i FROM generate_series(1, 50) AS i;
INSERT INTO a.swap_a SELECT i, 'a' FROM generate_series(1, 50) AS i;
INSERT INTO a.swap_b SELECT i, i FROM generate_series(51, 100) AS i;
INSERT INTO a.parts SELECT i, i FROM generate_series(0, 199) AS i;
INSERT INTO a.parent SELECT i FROM generate_series(1, 50) AS i;
INSERT INTO a.child SELECT i, i FROM generate_series(1, 50) AS i;
INSERT INTO a.child_2 SELECT i, i FROM generate_series(1, 50) AS i;
INSERT INTO a.feeling SELECT i, 'ok', ROW(i, 'y'::text)::a.pair, '{ok,sad}' FROM generate_series(1, 50) AS i;
INSERT INTO b.moved (t) SELECT i FROM generate_series(1, 50) AS i;";

/// Each statement is a transaction of its own.
const CHANGES: &[&str] = &[
    "INSERT INTO a.plain VALUES (101, 1)",
    "ALTER TABLE a.plain ADD COLUMN v double precision DEFAULT random()",
    "INSERT INTO a.plain VALUES (102, 2), (103, 3)",
    "ALTER TABLE a.retyped ALTER COLUMN n TYPE bigint USING n * 2",
    "UPDATE a.retyped SET n = 10000000000 WHERE id = 7",
    "TRUNCATE a.emptied",
    "INSERT INTO a.emptied VALUES (7)",
    "DELETE FROM a.dropped WHERE id < 5",
    "DROP TABLE a.dropped",
    "INSERT INTO a.old_name (t) VALUES ('before')",
    "ALTER TABLE a.old_name RENAME TO new_name",
    "INSERT INTO a.new_name (t) VALUES ('after')",
    "ALTER TABLE a.columns RENAME COLUMN x TO renamed",
    "ALTER TABLE a.columns DROP COLUMN y, ADD COLUMN w int NOT NULL DEFAULT 5",
    "UPDATE a.columns SET renamed = z || w WHERE id % 2 = 0",
    "UPDATE a.swap_a SET a = 'first' WHERE id = 1",
    "ALTER TABLE a.swap_a RENAME TO swap_tmp",
    "ALTER TABLE a.swap_b RENAME TO swap_a",
    "ALTER TABLE a.swap_tmp RENAME TO swap_b",
    "INSERT INTO a.swap_a VALUES (200, 200)",
    "INSERT INTO a.swap_b VALUES (201, 'b')",
    "CREATE TABLE a.fresh (id int PRIMARY KEY, m a.mood)",
    "INSERT INTO a.fresh VALUES (1, 'happy')",
    "CREATE TABLE a.part_3 PARTITION OF a.parts FOR VALUES FROM (200) TO (300)",
    "INSERT INTO a.parts VALUES (250, 'new')",
    "TRUNCATE a.part_1",
    "INSERT INTO a.parts VALUES (50, 'again')",
    "ALTER TABLE a.child DROP CONSTRAINT child_parent_fkey",
    "INSERT INTO a.child VALUES (1000, 1000)",
    "ALTER TABLE a.child_2 ADD FOREIGN KEY (parent) REFERENCES a.parent ON DELETE CASCADE",
    "DELETE FROM a.parent WHERE id = 3",
    "CREATE INDEX plain_n ON a.plain (n)",
    "ALTER TYPE a.mood ADD VALUE 'great' BEFORE 'happy'",
    "INSERT INTO a.feeling VALUES (100, 'great', ROW(1, 'x'), '{great}')",
    "ALTER TYPE a.mood RENAME VALUE 'ok' TO 'fine'",
    "INSERT INTO a.feeling VALUES (101, 'fine', ROW(1, 'x'), '{fine,sad}')",
    "ALTER TYPE a.pair ADD ATTRIBUTE z int",
    "UPDATE a.feeling SET p = ROW(1, 'y', 3) WHERE id = 2",
    "INSERT INTO b.moved (t) VALUES ('before')",
    "ALTER SCHEMA b RENAME TO c",
    "INSERT INTO c.moved (t) VALUES ('after')",
];

/// A user's statement may take so long on a machine that does many things at once.
const MOMENT: Duration = Duration::from_secs(3);

async fn change(flow: &Flow) {
    for sql in CHANGES {
        let started = clock::now();
        flow.run(sql).await;
        let took = started.elapsed();
        assert!(took < MOMENT, "{sql} took {took:?}");
    }
}

async fn check(plugin: Plugin, play: impl AsyncFnOnce(&Flow) -> Handle) {
    let mut flow = Flow::schema(plugin).await;
    flow.run(BEFORE).await;
    enable(&mut flow, 2);

    let engine = play(&flow).await;

    ready(&engine).await;
    flow.run("CREATE TABLE public.last (id int PRIMARY KEY); INSERT INTO public.last VALUES (1)")
        .await;
    flow.equal().await;
    flow.acknowledged().await;
    assert_same_dump(&flow.source_cluster, &flow.target_cluster);
    stop(engine).await;
}

async fn before_it_starts(flow: &Flow) -> Handle {
    change(flow).await;
    flow.start()
}

/// All tables are made as of their moment, and no row has moved.
async fn while_it_is_paused(flow: &Flow) -> Handle {
    let engine = flow.start();
    let pause = Command::Copy(CopyCommand::Pause);
    engine.command(pause).await;
    wait_for(&engine, "the tables are made", |status| {
        super::all_are(status, CopyState::Copying)
    })
    .await;
    change(flow).await;
    engine.command(Command::Copy(CopyCommand::Resume)).await;
    engine
}

async fn when_it_is_through(flow: &Flow) -> Handle {
    let engine = flow.start();
    ready(&engine).await;
    change(flow).await;
    engine
}

#[tokio::test]
async fn what_changed_between_init_and_the_copy_is_copied_as_it_is() {
    check(Plugin::Pgoutput, before_it_starts).await;
}

#[tokio::test]
async fn what_changed_between_init_and_the_copy_with_wal2json() {
    check(Plugin::Wal2json, before_it_starts).await;
}

#[tokio::test]
async fn what_changes_while_tables_are_copied_is_copied_again_or_followed() {
    check(Plugin::Pgoutput, while_it_is_paused).await;
}

#[tokio::test]
async fn what_changes_while_tables_are_copied_with_wal2json() {
    check(Plugin::Wal2json, while_it_is_paused).await;
}

#[tokio::test]
async fn what_changes_behind_the_copy_is_followed() {
    check(Plugin::Pgoutput, when_it_is_through).await;
}

/// A copy that waits for the target holds a lock on the source, until a user needs the table.
#[tokio::test]
async fn a_statement_that_needs_a_table_goes_before_its_copy() {
    let mut flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
        .await;
    enable(&mut flow, 1);
    let engine = flow.start();
    engine.command(Command::Copy(CopyCommand::Pause)).await;
    wait_for(&engine, "the table is made", |status| {
        super::all_are(status, CopyState::Copying)
    })
    .await;
    execute(&flow.target, "BEGIN; LOCK TABLE t IN SHARE MODE").await;
    engine.command(Command::Copy(CopyCommand::Resume)).await;
    let locks = "SELECT count(*) FROM pg_locks WHERE relation = 't'::regclass \
                 AND pid <> pg_backend_pid()";
    crate::support::wait_until(
        "the copy has its lock",
        async || match crate::support::query_text(&flow.source, locks)
            .await
            .join("")
            .as_str()
        {
            "0" => Err("no lock".to_owned()),
            _ => Ok(()),
        },
    )
    .await;

    for sql in [
        "ALTER TABLE t ADD COLUMN a text DEFAULT 'a'",
        "ALTER TABLE t ALTER COLUMN id TYPE bigint",
        "TRUNCATE t",
        "INSERT INTO t VALUES (3)",
    ] {
        let started = clock::now();
        flow.run(sql).await;
        assert!(started.elapsed() < MOMENT, "{sql}: {:?}", started.elapsed());
    }

    execute(&flow.target, "COMMIT").await;
    ready(&engine).await;
    flow.equal().await;
    stop(engine).await;
}
