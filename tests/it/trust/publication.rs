//! A publication of ours that is altered while we stream leaves changes out, and nobody would ever know.

use pgstream::config::Plugin;
use pgstream::engine::{Engine, EngineOptions};
use pgstream::model::ErrorClass;
use pgstream::status::{Failure, Phase};

use crate::chaos;
use crate::support::flow::{Flow, failure, stop, wait_for};
use crate::support::{Call, execute};

const PUBLICATION: &str = "flow_slot_publication";

/// What somebody does, what is wrong then, and what the statement is that fixes it.
const ALTERED: &[(&str, &str, &str)] = &[
    (
        "ALTER PUBLICATION flow_slot_publication SET (publish = 'insert')",
        "leaves out some of insert, update, delete, truncate",
        "ALTER PUBLICATION \"flow_slot_publication\" SET (publish = 'insert, update, delete, truncate');",
    ),
    (
        "ALTER PUBLICATION flow_slot_publication SET (publish = 'update, delete')",
        "leaves out some of insert, update, delete, truncate",
        "ALTER PUBLICATION \"flow_slot_publication\" SET (publish = 'insert, update, delete, truncate');",
    ),
    (
        "ALTER PUBLICATION flow_slot_publication SET (publish = '')",
        "leaves out some of insert, update, delete, truncate",
        "ALTER PUBLICATION \"flow_slot_publication\" SET (publish = 'insert, update, delete, truncate');",
    ),
    (
        "ALTER PUBLICATION flow_slot_publication SET (publish_via_partition_root = true)",
        "leaves out TRUNCATE of a partition",
        "ALTER PUBLICATION \"flow_slot_publication\" SET (publish_via_partition_root = false);",
    ),
];

async fn flow(plugin: Plugin) -> Flow {
    let flow = Flow::schema(plugin).await;
    flow.run("CREATE TABLE k (a int PRIMARY KEY); INSERT INTO k VALUES (1)")
        .await;
    flow
}

fn check(failure: &Failure, problem: &str, fix: &str) {
    let shown = format!("{failure:#?}");
    assert_eq!(failure.class, ErrorClass::Operator, "{shown}");
    assert!(
        failure.message.contains(PUBLICATION) && failure.message.contains(problem),
        "{shown}"
    );
    assert!(
        failure.hint.as_ref().is_some_and(|hint| hint.contains(fix)),
        "{shown}"
    );
}

#[tokio::test]
async fn an_altered_publication_stops_the_stream_where_it_was_altered() {
    let flow = flow(Plugin::Pgoutput).await;
    for (place, (alter, problem, fix)) in (10..).zip(ALTERED) {
        let mut handle = flow.start();
        flow.equal().await;
        wait_for(&handle, "it streams", |status| {
            matches!(status.phase, Phase::Streaming { .. })
        })
        .await;
        flow.run(alter).await;
        flow.run(&format!("INSERT INTO k VALUES ({place})")).await;

        let stopped = failure(&mut handle).await;
        check(&stopped, problem, fix);
        let lsn = stopped.transaction.expect("its transaction").commit_lsn;
        // Each start looks at it, too; so does check.
        check(&failure(&mut flow.start()).await, problem, fix);
        let checked = call(&flow, "check").run().await;
        assert_eq!(checked.code, Some(78), "{}", checked.stdout);
        assert!(
            checked.stdout.contains(fix) && checked.stdout.contains(problem),
            "{}",
            checked.stdout
        );
        let status = call(&flow, "status").run().await;
        assert!(
            status.stdout.contains(fix) && status.stdout.contains(problem),
            "{}",
            status.stdout
        );

        flow.run(fix).await;
        let again = failure(&mut flow.start()).await;
        assert_eq!(again.transaction.map(|found| found.commit_lsn), Some(lsn));
        let options = EngineOptions {
            skip: Some(lsn),
            ..EngineOptions::default()
        };
        let handle = Engine::start(flow.pipeline.clone(), options);
        let behind = place + 100;
        flow.run(&format!("INSERT INTO k VALUES ({behind})")).await;
        flow.shows(
            &format!("SELECT a FROM k WHERE a = {behind}"),
            &[&behind.to_string()],
        )
        .await;
        stop(handle).await;
        // What was not published is not in the stream; the operator has said that he knows.
        execute(
            &flow.target,
            &format!("INSERT INTO k VALUES ({place}) ON CONFLICT DO NOTHING"),
        )
        .await;
    }
}

#[tokio::test]
async fn a_publication_that_is_gone_or_called_otherwise_stops_the_stream_by_its_name() {
    for gone in [
        "DROP PUBLICATION flow_slot_publication",
        "ALTER PUBLICATION flow_slot_publication RENAME TO other",
        "DROP OWNED BY CURRENT_USER",
    ] {
        let flow = flow(Plugin::Pgoutput).await;
        if gone.starts_with("DROP OWNED") {
            flow.run("CREATE ROLE owner SUPERUSER; ALTER PUBLICATION flow_slot_publication OWNER TO owner").await;
        }
        let mut handle = flow.start();
        flow.equal().await;
        let gone = gone.replace("CURRENT_USER", "owner");
        flow.run(&gone).await;

        let stopped = failure(&mut handle).await;
        let shown = format!("{gone}: {stopped:#?}");
        assert_eq!(stopped.class, ErrorClass::Operator, "{shown}");
        let message = format!("{} {:?}", stopped.message, stopped.causes);
        assert!(message.contains(PUBLICATION), "{shown}");
        assert!(
            stopped.hint.unwrap_or_default().contains("tear-down"),
            "{shown}"
        );
    }
}

/// Commands on other publications, and those of init, are nothing to stop at; wal2json needs none.
#[tokio::test]
async fn publications_of_others_are_theirs() {
    for plugin in [Plugin::Pgoutput, Plugin::Wal2json] {
        let flow = flow(plugin).await;
        let handle = flow.start();
        flow.run("CREATE PUBLICATION other FOR TABLE k; ALTER PUBLICATION other SET (publish = 'insert'); \
                  ALTER PUBLICATION other RENAME TO another; DROP PUBLICATION another; \
                  CREATE PUBLICATION whole FOR ALL TABLES; ALTER PUBLICATION whole SET (publish = '')").await;
        flow.run("INSERT INTO k VALUES (2); DELETE FROM k WHERE a = 1")
            .await;
        flow.equal().await;
        flow.acknowledged().await;
        stop(handle).await;
    }
}

fn call(flow: &Flow, command: &str) -> Call {
    chaos::call(flow, [command])
}
