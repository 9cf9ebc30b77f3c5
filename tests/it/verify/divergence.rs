//! Divergences of every kind, seeded by hand: each is found, and nothing else is reported.

use pgstream::cluster::{ClusterOptions, Server};
use pgstream::config::Plugin;
use pgstream::engine::Handle;
use pgstream::verify::{Report, RowKind, TableReport, Verdict};

use crate::support::flow::{Flow, pipeline, stop};
use crate::support::{cluster_with, connect, every_server, execute, query_text};

use super::{compare, table};

pub(super) const KINDS: &str = "\
CREATE TABLE public.value (id int PRIMARY KEY, v text);
CREATE TABLE public.missing (id int PRIMARY KEY);
CREATE TABLE public.extra (id int PRIMARY KEY);
CREATE TABLE public.keyless (v int); ALTER TABLE public.keyless REPLICA IDENTITY FULL;
CREATE TABLE public.twins (v int); ALTER TABLE public.twins REPLICA IDENTITY FULL;
CREATE TABLE public.zeros (id int PRIMARY KEY, v numeric);
CREATE TABLE public.minus (id int PRIMARY KEY, v float8);
CREATE TABLE public.nan (id int PRIMARY KEY, v float8);
CREATE TABLE public.words (v text PRIMARY KEY, n int);
CREATE TABLE public.nothing (id int PRIMARY KEY, v text);
CREATE TABLE public.large (id int PRIMARY KEY, v text);
CREATE TABLE public.made (id int PRIMARY KEY, v int, w int GENERATED ALWAYS AS (v * 2) STORED);
CREATE TABLE public.same (id int PRIMARY KEY, v text);
CREATE TABLE public.parted (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
CREATE TABLE public.parted_low PARTITION OF public.parted FOR VALUES FROM (0) TO (10);
CREATE TABLE public.parted_high PARTITION OF public.parted FOR VALUES FROM (10) TO (20);";

pub(super) const ROWS: &str = "\
INSERT INTO public.value SELECT id, 'v' || id FROM generate_series(1, 5000) AS id;
INSERT INTO public.missing SELECT generate_series(1, 5000);
INSERT INTO public.extra SELECT generate_series(1, 10);
INSERT INTO public.keyless VALUES (1), (1), (2);
INSERT INTO public.twins VALUES (1), (2);
INSERT INTO public.zeros VALUES (1, 1.10);
INSERT INTO public.minus VALUES (1, 0);
INSERT INTO public.nan VALUES (1, 0);
INSERT INTO public.words SELECT v || i, i FROM unnest('{a,B,_b,Ä,ä,z,Z}'::text[]) AS v, generate_series(1, 100) AS i;
INSERT INTO public.nothing VALUES (1, '');
INSERT INTO public.large SELECT id, repeat(md5(id::text), 10000) FROM generate_series(1, 5) AS id;
INSERT INTO public.made VALUES (1, 1);
INSERT INTO public.same SELECT id, 'é\t\\n' || id FROM generate_series(1, 100) AS id;
INSERT INTO public.parted SELECT id, id FROM generate_series(0, 19) AS id;";

/// As somebody would who does not know what he does. Of `twins`, both sums by XOR are the same.
pub(super) const DIVERGENCES: &str = "\
UPDATE public.value SET v = 'V77' WHERE id = 77;
DELETE FROM public.missing WHERE id IN (1, 2500, 5000);
INSERT INTO public.extra VALUES (11), (12);
INSERT INTO public.keyless VALUES (2);
INSERT INTO public.twins VALUES (3), (3);
UPDATE public.zeros SET v = 1.1;
UPDATE public.minus SET v = '-0';
UPDATE public.nan SET v = 'NaN';
DELETE FROM public.words WHERE v IN ('B7', 'Ä50'); INSERT INTO public.words VALUES ('b7', 7);
UPDATE public.nothing SET v = NULL;
UPDATE public.large SET v = overlay(v placing 'X' from 200000) WHERE id = 3;
UPDATE public.made SET v = 2;
UPDATE public.parted SET v = 100 WHERE id = 19;";

/// Missing, extra and differing rows of every table that is not equal.
pub(super) const FOUND: [&str; 13] = [
    "public.extra -0 +2 ~0",
    "public.keyless -0 +1 ~0",
    "public.large -0 +0 ~1",
    "public.made -0 +0 ~1",
    "public.minus -0 +0 ~1",
    "public.missing -3 +0 ~0",
    "public.nan -0 +0 ~1",
    "public.nothing -0 +0 ~1",
    "public.parted_high -0 +0 ~1",
    "public.twins -0 +2 ~0",
    "public.value -0 +0 ~1",
    "public.words -2 +1 ~0",
    "public.zeros -0 +0 ~1",
];

pub(super) fn found(report: &Report) -> Vec<String> {
    let tables = report.tables.iter();
    let different = tables.filter(|table| table.verdict == Verdict::Different);
    let line = |table: &TableReport| {
        let TableReport {
            table,
            missing,
            extra,
            differing,
            ..
        } = table;
        format!("{table} -{missing} +{extra} ~{differing}")
    };
    different.map(line).collect()
}

/// Returns a stream of two sides that differ in every kind of way.
pub(super) async fn diverged() -> (Flow, Handle) {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let engine = flow.start();
    flow.run(KINDS).await;
    flow.run(ROWS).await;
    flow.equal().await;
    execute(&flow.target, DIVERGENCES).await;
    (flow, engine)
}

#[tokio::test]
async fn every_kind_of_divergence_is_found_and_nothing_else() {
    let (flow, engine) = diverged().await;

    let report = compare(&flow).await;

    assert_eq!(report.verdict(), Verdict::Different);
    assert_eq!(found(&report), FOUND);
    let value = &table(&report, "public.value").rows;
    assert_eq!(value.len(), 1);
    assert_eq!(value[0].kind, RowKind::Different);
    assert_eq!(value[0].key, Some(vec!["77".to_owned()]));
    assert_eq!(value[0].columns, ["v"]);
    assert_eq!(table(&report, "public.made").rows[0].columns, ["v", "w"]);
    let kept = "SELECT verdict, count(*) FROM pgstream.verified_table GROUP BY 1 ORDER BY 1";
    assert_eq!(
        query_text(&flow.target, kept).await,
        ["different|13", "equal|2"]
    );
    stop(engine).await;
}

/// Both sides sort text differently.
#[tokio::test]
async fn every_kind_is_found_across_collations() {
    let mut flow = Flow::bare().await;
    let sql = "SELECT current_setting('server_version_num')::int >= 150000 \
               AND EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i')";
    let other = match query_text(&flow.target, sql).await.join("").as_str() {
        "t" => "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'",
        _ => "LOCALE 'C.UTF-8'",
    };
    for (session, locale) in [(&flow.source, "LOCALE 'C'"), (&flow.target, other)] {
        let create = format!("CREATE DATABASE odd ENCODING 'UTF8' TEMPLATE template0 {locale}");
        execute(session, &create).await;
    }
    let (source, target) = (
        flow.source_cluster.url("odd"),
        flow.target_cluster.url("odd"),
    );
    flow.source = connect(&source).await;
    flow.target = connect(&target).await;
    flow.pipeline = pipeline(&source, &target);
    flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
    flow.init(Plugin::Pgoutput).await;
    is_found(flow).await;
}

async fn is_found(flow: Flow) {
    let engine = flow.start();
    flow.run(KINDS).await;
    flow.run(ROWS).await;
    flow.equal().await;
    assert_eq!(compare(&flow).await.verdict(), Verdict::Equal);
    execute(&flow.target, DIVERGENCES).await;

    let report = compare(&flow).await;

    assert_eq!(found(&report), FOUND, "{report:#?}");
    stop(engine).await;
}

/// The oldest server and the newest, each as the source of the other.
#[tokio::test]
async fn every_kind_is_found_across_versions() {
    let mut servers = every_server();
    servers.sort_by_key(Server::major);
    let (oldest, newest) = (servers.first().unwrap(), servers.last().unwrap());
    for (source, target) in [(oldest, newest), (newest, oldest)] {
        let on = |name, server| cluster_with(ClusterOptions::new(name).on(server));
        let mut flow = Flow::between((on("source", source), on("target", target))).await;
        flow.pipeline.schema_log = Some(flow.pipeline.source.clone());
        flow.init(Plugin::Pgoutput).await;
        is_found(flow).await;
        if oldest.major() == newest.major() {
            break;
        }
    }
}
