//! Tables are copied from the database that is streamed, and from no other; its own schema log is the one
//! that is acknowledged.

use pgstream::config::Plugin;
use pgstream::model::ErrorClass;

use super::support::flow::{Flow, failure};
use super::support::query_text;

#[tokio::test]
async fn another_database_is_refused_before_anything_is_touched() {
    let mut flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run("CREATE TABLE here (id int PRIMARY KEY)").await;
    flow.pipeline.snapshot.enabled = true;
    flow.run("CREATE DATABASE elsewhere").await;
    let url = flow.source_cluster.url("elsewhere");
    let elsewhere = super::support::connect(&url).await;
    super::support::execute(&elsewhere, "CREATE TABLE there (id int PRIMARY KEY)").await;
    flow.pipeline.snapshot.source = pgstream::config::ConnectionSettings::parse(&url).unwrap();

    let mut engine = flow.start();
    let failure = failure(&mut engine).await;

    assert_eq!(failure.class, ErrorClass::Usage);
    assert!(
        failure.message.contains("it is not the source"),
        "{failure:?}"
    );
    assert!(failure.hint.unwrap().contains("INITIAL_SNAPSHOT_STORE_URL"));
    let there = "SELECT to_regclass('public.there') IS NULL";
    assert_eq!(query_text(&flow.target, there).await, ["t"]);
}

#[tokio::test]
async fn the_schema_log_of_another_database_is_refused() {
    let mut flow = Flow::schema(Plugin::Pgoutput).await;
    flow.run("CREATE DATABASE elsewhere").await;
    let url = flow.source_cluster.url("elsewhere");
    flow.pipeline.schema_log = Some(pgstream::config::ConnectionSettings::parse(&url).unwrap());

    let failure = failure(&mut flow.start()).await;

    assert_eq!(failure.class, ErrorClass::Usage, "{failure:?}");
    assert!(
        failure.message.contains("/elsewhere: it is not the source"),
        "{failure:?}"
    );
    assert!(
        failure
            .hint
            .unwrap()
            .contains("SCHEMALOG_STORE_URL must name")
    );
}
