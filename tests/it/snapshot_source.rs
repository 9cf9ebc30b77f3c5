//! Tables are copied from the database that is streamed, and from no other.

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
