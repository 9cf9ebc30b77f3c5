//! `init` and `tear-down` as functions: everything of ours comes, comes again without a change, and
//! goes without a trace.

use pgstream::cluster::ClusterOptions;
use pgstream::config::{Plugin, SlotName};
use pgstream::model::{Classify as _, ErrorClass};
use pgstream::postgres::Session;
use pgstream::schema::install::{init, state, tear_down};
use pgstream::schema::{InstallError, VERSION, plan_init, plan_tear_down};

use crate::schema_mirror::{dump, session};
use crate::support::clusters::TestCluster;
use crate::support::flow::{Flow, stop};
use crate::support::{cluster, cluster_with, execute, psql, query_text};

const SCHEMA: &str = "\
CREATE TABLE keyed (id serial PRIMARY KEY, a text); CREATE TABLE keyless (a int);
CREATE TABLE nothing (a int); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
CREATE TABLE by_index (a int NOT NULL UNIQUE);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_a_key;
CREATE TABLE parted (a int) PARTITION BY LIST (a);
CREATE TABLE part PARTITION OF parted FOR VALUES IN (1);
CREATE VIEW v AS SELECT * FROM keyed";

fn slot() -> SlotName {
    "install_slot".parse().unwrap()
}

async fn source(cluster: &TestCluster) -> Session {
    let source = session(cluster, "postgres").await;
    source.run("SET search_path = public").await.unwrap();
    source.run(SCHEMA).await.unwrap();
    source
}

fn dumped(cluster: &TestCluster) -> Vec<String> {
    let program = cluster.server().program("pg_dump");
    dump(&program, &cluster.url("postgres"), &[])
        .into_iter()
        .collect()
}

#[tokio::test]
async fn nothing_remains_after_tear_down() {
    let cluster = cluster("install");
    let source = source(&cluster).await;
    let before = dumped(&cluster);

    init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
    source
        .run("CREATE TABLE later (a int); DROP TABLE later")
        .await
        .unwrap();
    assert_ne!(dumped(&cluster), before);
    tear_down(Some(&source), Some(&source), &slot())
        .await
        .unwrap();

    assert_eq!(dumped(&cluster), before);
    let left = "SELECT slot_name::text FROM pg_replication_slots UNION ALL \
                SELECT evtname::text FROM pg_event_trigger UNION ALL \
                SELECT pubname::text FROM pg_publication";
    assert!(query_text(&source, left).await.is_empty());
    let again = tear_down(Some(&source), Some(&source), &slot())
        .await
        .unwrap();
    assert!(again.done.is_empty());
}

#[tokio::test]
async fn what_pipelines_share_goes_with_the_last_one() {
    let cluster = cluster("install");
    let source = source(&cluster).await;
    let before = dumped(&cluster);
    let other: SlotName = "other_slot".parse().unwrap();
    init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
    init(&source, &other, Plugin::Pgoutput).await.unwrap();

    let typed_wrong: SlotName = "no_slot".parse().unwrap();
    let nothing = tear_down(Some(&source), None, &typed_wrong).await.unwrap();
    assert!(nothing.done.is_empty(), "{:?}", nothing.done);
    let first = tear_down(Some(&source), None, &slot()).await.unwrap();

    let last = first.done.last().unwrap();
    assert!(
        last.starts_with("keep schema pgstream") && last.ends_with("slot other_slot"),
        "{last}"
    );
    let left = state(&source, &other).await.unwrap();
    assert!(left.current && left.triggers && left.slot.is_some() && left.publication.is_some());
    assert!(left.keyless_tables.is_empty());
    source
        .run("UPDATE keyless SET a = 1; CREATE TABLE later (a int); DELETE FROM later")
        .await
        .unwrap();
    source.run("DROP TABLE later").await.unwrap();
    let again = tear_down(Some(&source), None, &slot()).await.unwrap();
    assert!(again.done.is_empty(), "{:?}", again.done);
    tear_down(Some(&source), None, &other).await.unwrap();
    assert_eq!(dumped(&cluster), before);
}

#[tokio::test]
async fn a_pipeline_that_somebody_removed_by_hand_holds_nothing_back() {
    let cluster = cluster("install");
    let source = source(&cluster).await;
    let before = dumped(&cluster);
    let other: SlotName = "other_slot".parse().unwrap();
    init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
    init(&source, &other, Plugin::Pgoutput).await.unwrap();
    source
        .run("SELECT pg_drop_replication_slot('other_slot'); DROP PUBLICATION other_slot_publication")
        .await
        .unwrap();

    tear_down(Some(&source), None, &slot()).await.unwrap();

    assert_eq!(dumped(&cluster), before);
}

#[tokio::test]
async fn a_second_init_changes_nothing() {
    let cluster = cluster("install");
    let source = source(&cluster).await;

    let first = init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
    let log = "SELECT count(*) FROM pgstream.schema_log";
    let objects = "SELECT * FROM pgstream.object ORDER BY 1, 2";
    let described = query_text(&source, objects).await;
    let second = init(&source, &slot(), Plugin::Pgoutput).await.unwrap();

    assert!(first.done.len() > 5, "{:?}", first.done);
    assert!(second.done.is_empty(), "{:?}", second.done);
    assert!(
        plan_init(&source, &slot(), Plugin::Pgoutput)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(query_text(&source, log).await, ["0"]);
    assert_eq!(query_text(&source, objects).await, described);
}

#[tokio::test]
async fn the_schema_log_is_as_the_tutorial_shows_it() {
    let cluster = cluster("install");
    let source = source(&cluster).await;
    init(&source, &slot(), Plugin::Pgoutput).await.unwrap();

    let shown = psql(&cluster, "\\d+ pgstream.schema_log");
    let words: Vec<String> = shown
        .lines()
        .map(|line| {
            line.split('|')
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    for expected in [
        "id pgstream.xid not null pgstream.xid() extended",
        "version bigint not null plain",
        "schema_name text not null extended",
        "schema jsonb not null extended",
        "created_at timestamp without time zone not null now() plain",
        "acked boolean not null false plain",
        "\"schema_log_pkey\" PRIMARY KEY, btree (id)",
        "\"schema_log_name_acked\" btree (schema_name, acked, id)",
        "\"schema_log_version_uniq\" UNIQUE, btree (schema_name, version)",
    ] {
        assert!(
            words.iter().any(|line| line == expected),
            "{expected}\n{shown}"
        );
    }
    let ids = "SELECT bool_and(length(id) = 20), count(DISTINCT id), \
               bool_and(id > previous) FROM (SELECT id, lag(id) OVER (ORDER BY at) AS previous \
               FROM (SELECT pgstream.xid()::text AS id, clock_timestamp() AS at, pg_sleep(0.0001) \
               FROM generate_series(1, 100)) AS made) AS compared";
    assert_eq!(query_text(&source, ids).await, ["t|100|t"]);
}

#[tokio::test]
async fn status_sees_what_is_there() {
    let cluster = cluster("install");
    let source = source(&cluster).await;

    let before = state(&source, &slot()).await.unwrap();
    assert!(!before.installed && before.slot.is_none() && before.publication.is_none());
    assert_eq!(
        before.keyless_tables,
        ["public.keyless", "public.nothing", "public.part"]
    );

    init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
    let after = state(&source, &slot()).await.unwrap();
    assert!(after.installed && after.current && after.triggers && after.of_this_database);
    assert_eq!(after.version, Some(VERSION));
    assert_eq!(after.slot.unwrap().plugin.as_deref(), Some("pgoutput"));
    assert!(after.publication.unwrap().all_tables && after.keyless_tables.is_empty());
}

#[tokio::test]
async fn a_failure_half_way_is_taken_back() {
    let cluster = cluster("install");
    let source = source(&cluster).await;
    let before = dumped(&cluster);
    let blocker = session(&cluster, "postgres").await;
    blocker
        .run("BEGIN; LOCK TABLE public.nothing IN ACCESS SHARE MODE")
        .await
        .unwrap();

    let error = init(&source, &slot(), Plugin::Pgoutput).await.unwrap_err();

    assert!(
        matches!(&error, InstallError::Step { left, .. } if left.is_empty()),
        "{error}"
    );
    assert_eq!(error.class(), ErrorClass::Transient);
    blocker.run("ROLLBACK").await.unwrap();
    assert_eq!(dumped(&cluster), before);
    init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
}

#[tokio::test]
async fn the_plan_is_what_runs() {
    let cluster = cluster("install");
    let source = source(&cluster).await;

    let planned = plan_init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
    assert!(!state(&source, &slot()).await.unwrap().installed);
    let done = init(&source, &slot(), Plugin::Pgoutput).await.unwrap().done;
    let names: Vec<_> = planned.into_iter().map(|step| step.what).collect();
    assert_eq!(names, done);

    let planned = plan_tear_down(Some(&source), None, &slot()).await.unwrap();
    assert!(planned.refusal.is_none());
    let planned = planned.steps;
    assert!(state(&source, &slot()).await.unwrap().installed);
    let done = tear_down(Some(&source), None, &slot()).await.unwrap().done;
    let names: Vec<_> = planned.into_iter().map(|step| step.what).collect();
    assert_eq!(names, done);
}

#[tokio::test]
async fn wal2json_is_refused_with_the_statement_that_allows_it() {
    let cluster = cluster_with(ClusterOptions::new("install"));
    let source = source(&cluster).await;
    let known = "SELECT count(*) FROM pg_settings WHERE name = 'output_plugin_libraries'";
    if query_text(&source, known).await == ["0"] {
        init(&source, &slot(), Plugin::Wal2json).await.unwrap();
        return;
    }
    source
        .run("SET output_plugin_libraries = pgoutput, test_decoding")
        .await
        .unwrap();

    let error = init(&source, &slot(), Plugin::Wal2json).await.unwrap_err();

    assert_eq!(error.class(), ErrorClass::Operator);
    let hint = error.hint().unwrap();
    assert_eq!(
        hint,
        "ALTER SYSTEM SET output_plugin_libraries = 'pgoutput', 'test_decoding', 'wal2json'; \
         SELECT pg_reload_conf();"
    );
    assert!(!state(&source, &slot()).await.unwrap().installed);
    source
        .run("SET output_plugin_libraries = pgoutput, wal2json")
        .await
        .unwrap();
    init(&source, &slot(), Plugin::Wal2json).await.unwrap();
    assert!(state(&source, &slot()).await.unwrap().publication.is_none());
}

#[tokio::test]
async fn what_an_operator_must_change_is_reported_before_anything_is_done() {
    let replica = cluster_with(ClusterOptions::new("install").setting("wal_level", "replica"));
    let error = init(&source(&replica).await, &slot(), Plugin::Pgoutput)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "wal_level of the source is replica, not logical"
    );

    let full = cluster_with(ClusterOptions::new("install").setting("max_replication_slots", "1"));
    let admin = source(&full).await;
    admin
        .run("SELECT pg_create_physical_replication_slot('taken')")
        .await
        .unwrap();
    let error = init(&admin, &slot(), Plugin::Pgoutput).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "all 1 replication slots of the source are taken"
    );

    admin
        .run("CREATE ROLE plain; SET ROLE plain")
        .await
        .unwrap();
    let error = init(&admin, &slot(), Plugin::Pgoutput).await.unwrap_err();
    let hint = error.hint().unwrap_or_else(|| panic!("{error:?}"));
    assert!(hint.contains("ALTER ROLE \"plain\" SUPERUSER"));
    admin
        .run("RESET ROLE; SELECT pg_drop_replication_slot('taken')")
        .await
        .unwrap();

    admin
        .run("SELECT pg_create_logical_replication_slot('install_slot', 'test_decoding')")
        .await
        .unwrap();
    let error = init(&admin, &slot(), Plugin::Pgoutput).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "slot install_slot exists with plugin test_decoding, not pgoutput"
    );
}

#[tokio::test]
async fn a_slot_in_use_is_not_torn_down() {
    let cluster = cluster("install");
    let source = source(&cluster).await;
    init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
    let settings = pgstream::config::ConnectionSettings::parse(&cluster.url("postgres")).unwrap();
    let connection = pgstream::postgres::ReplicationConnection::connect(&settings)
        .await
        .unwrap();
    let options = [
        ("proto_version", "1".to_owned()),
        ("publication_names", "install_slot_publication".to_owned()),
    ];
    let streaming = connection
        .start("install_slot", pgstream::model::Lsn::ZERO, &options)
        .await
        .unwrap();

    let error = tear_down(Some(&source), None, &slot()).await.unwrap_err();

    let pid = "SELECT active_pid FROM pg_replication_slots";
    let expected = format!(
        "slot install_slot is active for process {} (application pgstream)",
        query_text(&source, pid).await[0]
    );
    assert_eq!(error.to_string(), expected);
    assert!(state(&source, &slot()).await.unwrap().installed);
    drop(streaming);
}

#[tokio::test]
async fn an_older_or_foreign_installation_is_brought_up_to_date() {
    let cluster = cluster("install");
    let source = source(&cluster).await;
    init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
    let quiet = "SET pgstream.busy = 'on'; DROP FUNCTION pgstream.others(jsonb, jsonb, text); \
                 DROP EVENT TRIGGER pgstream_sql_drop; UPDATE pgstream.installation SET digest = 'old'";
    source.run(quiet).await.unwrap();
    assert!(!state(&source, &slot()).await.unwrap().triggers);

    init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
    assert!(state(&source, &slot()).await.unwrap().triggers);

    let foreign = "UPDATE pgstream.object SET oid = oid::bigint + 100000; \
                   UPDATE pgstream.installation SET system_identifier = 'another'";
    source.run(foreign).await.unwrap();
    init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
    let strangers = "SELECT count(*) FROM pgstream.object AS o WHERE o.kind = 'table' \
                     AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = o.oid)";
    assert_eq!(query_text(&source, strangers).await, ["0"]);
}

#[tokio::test]
async fn what_was_changed_while_a_trigger_was_off_is_reported() {
    let cluster = cluster("install");
    let source = source(&cluster).await;
    init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
    let off = "ALTER EVENT TRIGGER pgstream_ddl_command_end DISABLE";
    source.run(off).await.unwrap();
    let untouched = init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
    assert_eq!(untouched.notes, <[&str; 0]>::default());

    source.run(off).await.unwrap();
    let changes = "CREATE TABLE public.\"Seen late\" (a int); CREATE INDEX late ON public.\"Seen late\" (a); \
                   CREATE TYPE public.mood AS ENUM ('fine')";
    source.run(changes).await.unwrap();
    let report = init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
    let message = "not reach the target: table public.\"Seen late\", index public.late, type public.mood; make";
    assert!(
        report.notes.concat().contains(message),
        "{:?}",
        report.notes
    );

    source.run(off).await.unwrap();
    source.run("DROP TYPE public.mood").await.unwrap();
    let report = init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
    let message = "not reach the target: type public.mood (dropped); make";
    assert!(
        report.notes.concat().contains(message),
        "{:?}",
        report.notes
    );
}

#[tokio::test]
async fn transactions_that_were_running_are_waited_for_and_described() {
    let cluster = cluster("install");
    let source = source(&cluster).await;
    let older = session(&cluster, "postgres").await;
    older
        .run("BEGIN; CREATE TABLE public.unseen (a int)")
        .await
        .unwrap();

    let slot = slot();
    let installing = init(&source, &slot, Plugin::Pgoutput);
    let ending = async {
        let waits = "SELECT 1 FROM pg_event_trigger WHERE evtname = 'pgstream_sql_drop'";
        let watcher = session(&cluster, "postgres").await;
        while query_text(&watcher, waits).await.is_empty() {}
        older.run("COMMIT").await.unwrap();
    };
    let (installed, ()) = tokio::join!(installing, ending);
    installed.unwrap();

    let known = "SELECT c.relreplident, o.description ->> 'replica_identity' FROM pgstream.object AS o \
                 JOIN pg_class AS c ON c.oid = o.oid WHERE c.relname = 'unseen'";
    assert_eq!(query_text(&source, known).await, ["f|f"]);
}

#[tokio::test]
async fn slots_that_no_init_made_are_left_alone() {
    let cluster = cluster("install");
    let source = session(&cluster, "postgres").await;
    source
        .run(
            "SELECT pg_create_physical_replication_slot('physical'); \
             SELECT pg_create_logical_replication_slot('tested', 'test_decoding'); \
             SELECT pg_create_logical_replication_slot('subscribed', 'pgoutput')",
        )
        .await
        .unwrap();

    for (name, reason) in [
        ("physical", "it is a physical slot"),
        ("tested", "it has the output plugin test_decoding"),
        ("subscribed", "no init of pgstream has recorded it"),
    ] {
        let name = name.parse().unwrap();
        let refused = tear_down(Some(&source), None, &name).await.unwrap_err();
        assert!(matches!(refused, InstallError::Blocked { .. }));
        assert!(refused.to_string().contains(reason), "{refused}");
    }

    let left = source
        .text_rows("SELECT count(*) FROM pg_replication_slots")
        .await
        .unwrap();
    assert_eq!(left, [[Some("3".to_owned())]]);
}

#[tokio::test]
async fn tear_down_gives_both_sides_their_replica_identities_back() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let handle = flow.start();
    flow.run(
        "CREATE TABLE keyless (v int); CREATE TABLE published (v int); \
         CREATE TABLE own (v int PRIMARY KEY); ALTER TABLE own REPLICA IDENTITY FULL",
    )
    .await;
    flow.acknowledged().await;
    flow.equal().await;
    stop(handle).await;
    let identities = "SELECT relname, relreplident FROM pg_class \
                      WHERE relname IN ('keyless', 'own', 'published') ORDER BY relname";
    let both = async || {
        (
            query_text(&flow.source, identities).await,
            query_text(&flow.target, identities).await,
        )
    };
    let full = ["keyless|f", "own|f", "published|f"].map(str::to_owned);
    assert_eq!(both().await, (full.to_vec(), full.to_vec()));
    // Whoever else publishes the table needs what it has.
    let publish = "CREATE PUBLICATION others FOR TABLE published";
    execute(&flow.target, publish).await;

    let source = session(&flow.source_cluster, "postgres").await;
    let target = session(&flow.target_cluster, "postgres").await;
    let slot = flow.pipeline.slot.clone().unwrap();
    tear_down(Some(&source), Some(&target), &slot)
        .await
        .unwrap();

    let former = ["keyless|d", "own|f", "published|d"].map(str::to_owned);
    let kept = ["keyless|d", "own|f", "published|f"].map(str::to_owned);
    assert_eq!(both().await, (former.to_vec(), kept.to_vec()));
}

/// The server's print of a view locks what the view names until the transaction ends.
#[tokio::test]
async fn more_views_and_functions_than_the_lock_table_holds_are_described() {
    let small = [
        ("max_connections", "12"),
        ("max_wal_senders", "2"),
        ("max_worker_processes", "2"),
        ("max_locks_per_transaction", "10"),
    ];
    let options = small
        .iter()
        .fold(ClusterOptions::new("locks"), |options, (name, value)| {
            options.setting(name, value)
        });
    let cluster = cluster_with(options);
    let source = session(&cluster, "postgres").await;
    for part in 0..30 {
        let sql = format!(
            "SET search_path = public;
             DO $$ BEGIN FOR n IN 1..30 LOOP
               EXECUTE format('CREATE VIEW v_{part}_%s AS SELECT 1 AS one', n);
               EXECUTE format('CREATE FUNCTION f_{part}_%s() RETURNS int
                               RETURN (SELECT one FROM v_{part}_%s)', n, n);
               EXECUTE format('CREATE TABLE t_{part}_%s (a int)', n);
               EXECUTE format('CREATE RULE r AS ON INSERT TO t_{part}_%s
                               DO INSTEAD SELECT * FROM v_{part}_%s', n, n);
             END LOOP; END $$"
        );
        source.run(&sql).await.unwrap();
    }

    init(&source, &slot(), Plugin::Pgoutput).await.unwrap();
    let kinds = "SELECT format('%s %s', description ->> 'type', count(*)) FROM pgstream.object
                 WHERE kind = 'object' GROUP BY description ->> 'type' ORDER BY 1";
    let described = query_text(&source, kinds).await;
    assert_eq!(described, ["function 900", "rule 900", "view 900"]);
}
