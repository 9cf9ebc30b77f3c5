//! Sequences follow, whatever draws from them, and go back only where the stream brings that.

use pgstream::config::{Plugin, TableFilter};
use pgstream::verify::{Options, verify};

use crate::cli_check::between;
use crate::support::flow::{Flow, SLOT, stop, wait_for};
use crate::support::{Call, connect, execute, query_text, wait_until};

/// Every sequence with where it is.
async fn positions(client: &tokio_postgres::Client) -> Vec<String> {
    let names = "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n \
                 ON n.oid = c.relnamespace WHERE c.relkind = 'S' AND n.nspname <> 'pgstream' ORDER BY 1";
    let names = query_text(client, names).await;
    let questions: Vec<String> = names
        .iter()
        .map(|name| format!("SELECT '{name}', last_value, is_called FROM {name}"))
        .collect();
    if questions.is_empty() {
        return names;
    }
    query_text(client, &(questions.join(" UNION ALL ") + " ORDER BY 1")).await
}

/// Waits until every sequence gives the same next on both sides.
async fn follow(flow: &Flow) {
    wait_until("the sequences are where the source's are", || async {
        let (source, target) = (positions(&flow.source).await, positions(&flow.target).await);
        match source == target {
            true => Ok(()),
            false => Err(format!("{source:?}, {target:?}")),
        }
    })
    .await;
}

fn command(flow: &Flow, line: &str) -> Call {
    between(line, &flow.source_cluster, &flow.target_cluster)
        .env("PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME", SLOT)
}

const DRAWN: &str = "\
CREATE SEQUENCE numbers; CREATE SEQUENCE padded; CREATE SEQUENCE \"Odd one\" START 7; \
CREATE SEQUENCE down INCREMENT -5; CREATE SEQUENCE round MAXVALUE 10 CYCLE; CREATE SEQUENCE untouched; \
CREATE TABLE invoice (id int PRIMARY KEY, n text DEFAULT 'INV-' || nextval('numbers'), \
  p text DEFAULT lpad(nextval('padded')::text, 8, '0'), c bigint DEFAULT coalesce(nextval('\"Odd one\"'), 0)); \
CREATE TABLE owned (id bigint PRIMARY KEY, v int); CREATE SEQUENCE keys OWNED BY owned.id; \
CREATE TABLE serials (id serial PRIMARY KEY, b bigint GENERATED ALWAYS AS IDENTITY)";

async fn sequences_follow(plugin: Plugin) {
    let flow = Flow::schema(plugin).await;
    let engine = flow.start();
    flow.run(DRAWN).await;
    flow.run("INSERT INTO invoice (id) SELECT generate_series(1, 9)")
        .await;
    flow.run("INSERT INTO owned SELECT nextval('keys'), 1 FROM generate_series(1, 40)")
        .await;
    flow.run("INSERT INTO serials DEFAULT VALUES; SELECT nextval('serials_id_seq')")
        .await;
    flow.run("SELECT nextval('down') FROM generate_series(1, 4)")
        .await;
    flow.run("SELECT nextval('round') FROM generate_series(1, 8)")
        .await;
    flow.run("SELECT setval('untouched', 100, false)").await;
    flow.equal().await;
    follow(&flow).await;

    flow.run("SELECT nextval('round') FROM generate_series(1, 4)")
        .await;
    flow.run("SELECT setval('numbers', 5000); ALTER SEQUENCE padded RENAME TO renamed")
        .await;
    flow.run("SELECT nextval('renamed')").await;
    flow.acknowledged().await;
    follow(&flow).await;

    let status = engine.status().borrow().clone();
    let seen = status.sequences.as_ref().expect("a look");
    assert_eq!((seen.count, seen.unfollowed_count), (9, 0), "{seen:?}");
    stop(engine).await;
}

#[tokio::test]
async fn sequences_follow_whatever_draws_from_them() {
    sequences_follow(Plugin::Pgoutput).await;
}

#[tokio::test]
async fn sequences_follow_whatever_draws_from_them_with_wal2json() {
    sequences_follow(Plugin::Wal2json).await;
}

#[tokio::test]
async fn a_sequence_goes_back_only_where_the_stream_brings_that() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let engine = flow.start();
    flow.run(
        "CREATE TABLE t (id serial PRIMARY KEY); INSERT INTO t SELECT FROM generate_series(1, 50); \
              CREATE SEQUENCE s; SELECT setval('s', 70)",
    )
    .await;
    follow(&flow).await;

    flow.run("SELECT setval('s', 3)").await;
    let look = command(&flow, "sequences").run().await;
    assert_eq!(look.code, Some(0), "{}", look.stderr);
    flow.shows("SELECT last_value FROM s", &["70"]).await;
    flow.run("TRUNCATE t RESTART IDENTITY; ALTER SEQUENCE s RESTART 5")
        .await;
    flow.shows("SELECT last_value, is_called FROM t_id_seq", &["1|f"])
        .await;
    follow(&flow).await;
    let look = command(&flow, "sequences").run().await;
    assert_eq!(look.code, Some(0), "{}", look.stderr);
    assert_eq!(positions(&flow.target).await, ["s|5|f", "t_id_seq|1|f"]);
    let noted =
        "SELECT l.changed_at <= c.end_lsn FROM pgstream.sequence_look l, pgstream.checkpoint c";
    assert_eq!(query_text(&flow.target, noted).await, ["t"]);

    // A look from before that counts for nothing: all are from before the end of WAL.
    flow.run("SELECT setval('s', 900)").await;
    follow(&flow).await;
    let ahead = "UPDATE pgstream.sequence_look SET changed_at = 'FFFFFFFF/0'";
    execute(&flow.target, ahead).await;
    flow.run("SELECT setval('s', 1000)").await;
    let outcome = command(&flow, "sequences").run().await;
    assert_eq!(outcome.code, Some(78), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("changes sequences all the time"),
        "{}",
        outcome.stderr
    );
    assert_eq!(positions(&flow.target).await[0], "s|900|t");
    stop(engine).await;
}

/// What prints definitions prints them otherwise there.
#[tokio::test]
async fn a_target_that_quotes_every_name_keeps_its_sequences_in_step() {
    let schema = "CREATE TABLE t (id serial PRIMARY KEY, v int); CREATE SEQUENCE n; \
                  CREATE TABLE u (id int PRIMARY KEY, v smallint DEFAULT nextval('n'), w text DEFAULT nextval('n'))";
    let flow = Flow::rows("pgoutput", schema).await;
    execute(
        &flow.target,
        "ALTER DATABASE postgres SET quote_all_identifiers = on",
    )
    .await;
    let engine = flow.start();

    flow.run("INSERT INTO t (v) SELECT generate_series(1, 5); INSERT INTO u (id) VALUES (1), (2)")
        .await;

    flow.shows("SELECT count(*) FROM u", &["2"]).await;
    // With the rows, not with the next look.
    let seen = query_text(&flow.target, "SELECT nextval('t_id_seq'), nextval('n')").await;
    assert_eq!(seen, ["6|5"]);
    stop(engine).await;
}

#[tokio::test]
async fn the_end_of_the_stream_brings_sequences_forward() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let engine = flow.start();
    flow.run("CREATE SEQUENCE s; CREATE TABLE t (id int PRIMARY KEY)")
        .await;
    flow.acknowledged().await;

    flow.run("SELECT setval('s', 77)").await;
    stop(engine).await;

    assert_eq!(positions(&flow.target).await, ["s|77|t"]);
}

#[tokio::test]
async fn sequences_are_brought_forward_on_demand_and_by_verify() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let early = command(&flow, "sequences").run().await;
    assert_eq!(early.code, Some(78), "{}", early.stderr);
    assert!(
        early.stderr.contains("nothing was streamed into"),
        "{}",
        early.stderr
    );
    assert!(
        early.stderr.contains("hint: pgstream run"),
        "{}",
        early.stderr
    );
    let engine = flow.start();
    flow.run("CREATE SEQUENCE s; CREATE SEQUENCE u; CREATE TABLE t (id int PRIMARY KEY)")
        .await;
    flow.acknowledged().await;
    stop(engine).await;

    flow.run("SELECT setval('s', 77)").await;
    let outcome = command(&flow, "sequences").run().await;
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(
        outcome.stdout.trim(),
        "2 sequences of the source looked at, 1 of the target's moved forward"
    );
    assert_eq!(positions(&flow.target).await, ["s|77|t", "u|1|f"]);

    flow.run("SELECT setval('s', 80)").await;
    let options = Options {
        tables: TableFilter::default(),
        worker_count: 1,
        rows_max: 1,
        repair: false,
        show_values: false,
        sample: None,
        bytes_per_s: None,
        resume: false,
    };
    Box::pin(verify(&flow.pipeline, &options, |_| ()))
        .await
        .expect("a verdict");
    assert_eq!(positions(&flow.target).await, ["s|80|t", "u|1|f"]);
}

#[tokio::test]
async fn who_alters_a_sequence_is_not_waited_for_and_holds_up_no_other() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let engine = flow.start();
    flow.run("CREATE SEQUENCE a; CREATE SEQUENCE b; CREATE SEQUENCE c")
        .await;
    flow.acknowledged().await;
    let other = connect(&flow.source_cluster.url("postgres")).await;
    execute(
        &other,
        "SELECT setval('b', 10); BEGIN; ALTER SEQUENCE b CACHE 5",
    )
    .await;

    flow.run("SELECT setval('a', 20), setval('c', 30)").await;

    flow.shows(
        "SELECT last_value FROM a UNION ALL SELECT last_value FROM c",
        &["20", "30"],
    )
    .await;
    execute(&other, "COMMIT").await;
    follow(&flow).await;
    stop(engine).await;
}

#[tokio::test]
async fn what_does_not_follow_is_named_by_status_and_check() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let engine = flow.start();
    flow.run("CREATE SEQUENCE here; CREATE SEQUENCE small; CREATE SEQUENCE gone; CREATE TABLE t (id int PRIMARY KEY)")
        .await;
    flow.acknowledged().await;
    execute(
        &flow.target,
        "DROP SEQUENCE gone; ALTER SEQUENCE small AS smallint",
    )
    .await;

    flow.run("SELECT setval('here', 5), setval('small', 100000), setval('gone', 7)")
        .await;
    flow.shows("SELECT last_value FROM here", &["5"]).await;
    wait_for(&engine, "two do not follow", |status| {
        status
            .sequences
            .as_ref()
            .is_some_and(|seen| seen.unfollowed_count == 2)
    })
    .await;
    stop(engine).await;

    let status = command(&flow, "status").run().await;
    for expected in [
        "sequences   3, looked at ",
        "public.gone: it is not on the target",
        "public.small: its value is beyond the bounds that it has on the target",
    ] {
        assert!(status.stdout.contains(expected), "{}", status.stdout);
    }
    let check = command(&flow, "check").run().await;
    let expected =
        "! target  sequences: 2 do not follow the source's: public.gone: it is not on the target";
    assert!(check.stdout.contains(expected), "{}", check.stdout);
    let old = "UPDATE pgstream.sequence_look SET looked_at = now() - interval '3 hours', unfollowed = '{}'";
    execute(&flow.target, old).await;
    let check = command(&flow, "check").run().await;
    let expected = "! target  sequences: were last brought forward 3 h ago\n          hint: pgstream sequences";
    assert!(check.stdout.contains(expected), "{}", check.stdout);
}

/// The target's own: the filter leaves out the table that owns it.
#[tokio::test]
async fn a_sequence_of_a_table_left_out_is_moved_only_where_no_table_owns_it() {
    let mut flow = Flow::bare().await;
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.pipeline.filter = TableFilter::parse("", "own lent").expect("a filter");
    flow.run(
        "CREATE TABLE own (id serial PRIMARY KEY); CREATE TABLE lent (id serial PRIMARY KEY); \
              CREATE TABLE t (id serial PRIMARY KEY)",
    )
    .await;
    execute(
        &flow.target,
        "CREATE TABLE own (id serial PRIMARY KEY); CREATE SEQUENCE lent_id_seq; \
         CREATE TABLE t (id bigint GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME another) PRIMARY KEY)",
    )
    .await;
    flow.init(Plugin::Pgoutput).await;
    let engine = flow.start();

    flow.run("SELECT setval('own_id_seq', 50), setval('lent_id_seq', 60), setval('t_id_seq', 70)")
        .await;

    flow.shows("SELECT last_value FROM lent_id_seq", &["60"])
        .await;
    flow.shows("SELECT last_value FROM another", &["70"]).await;
    flow.shows("SELECT last_value FROM own_id_seq", &["1"])
        .await;
    stop(engine).await;
}
