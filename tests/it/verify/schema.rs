//! `verify` of definitions and sequences.

use pgstream::config::{Plugin, TableFilter};
use pgstream::verify::{Options, Report, Verdict, verify};

use crate::support::flow::{Flow, stop};
use crate::support::{execute, query_text};

use super::{compare, options};

const SCHEMA: &str = "\
CREATE TYPE public.mood AS ENUM ('sad', 'ok');
CREATE DOMAIN public.count AS int CHECK (VALUE >= 0);
CREATE SEQUENCE public.free;
CREATE TABLE public.owner (id int PRIMARY KEY);
CREATE TABLE public.thing (id serial PRIMARY KEY, owner int REFERENCES public.owner, name text DEFAULT 'x',
  mood public.mood, n public.count, CONSTRAINT thing_name CHECK (name <> ''));
CREATE INDEX thing_owner ON public.thing (owner);
COMMENT ON COLUMN public.thing.name IS 'what it is called';
CREATE TABLE public.parted (id int, v int) PARTITION BY RANGE (id);
CREATE TABLE public.parted_low PARTITION OF public.parted FOR VALUES FROM (0) TO (10);
CREATE TABLE public.lost (id int PRIMARY KEY, v int UNIQUE);";

const DIVERGENCES: &str = "\
ALTER TYPE public.mood ADD VALUE 'happy';
ALTER DOMAIN public.count DROP CONSTRAINT count_check;
ALTER TABLE public.thing DROP CONSTRAINT thing_owner_fkey, DROP CONSTRAINT thing_name,
  ADD CONSTRAINT thing_name CHECK (name <> 'y'), ALTER name DROP DEFAULT;
COMMENT ON COLUMN public.thing.name IS NULL;
DROP INDEX public.thing_owner;
CREATE INDEX thing_mine ON public.thing (mood);
ALTER TABLE public.parted DETACH PARTITION public.parted_low;
DROP TABLE public.lost;
DROP SEQUENCE public.free;";

fn objects(report: &Report) -> Vec<String> {
    let objects = report.objects.iter();
    objects
        .map(|found| format!("{}: {}", found.object, found.reason))
        .collect()
}

#[tokio::test]
async fn every_difference_of_the_schema_is_found_and_nothing_else() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let engine = flow.start();
    flow.run(SCHEMA).await;
    flow.equal().await;

    let before = compare(&flow).await;
    assert_eq!(before.verdict(), Verdict::Equal, "{before:?}");
    assert!(before.object_count > Some(12), "{before:?}");
    assert_eq!(before.notes, Vec::<String>::new());

    for statement in DIVERGENCES.split(";\n") {
        execute(&flow.target, statement).await;
    }
    let after = compare(&flow).await;
    assert_eq!(after.verdict(), Verdict::Different);
    assert_eq!(
        objects(&after),
        [
            "constraint thing_name on public.thing: it is CHECK ((name <> ''::text)) on the source \
             and CHECK ((name <> 'y'::text)) on the target",
            "constraint thing_owner_fkey on public.thing: it is not on the target",
            "index public.thing_owner: it is not on the target",
            "sequence public.free: it is not on the target",
            "table public.lost: it is not on the target",
            "table public.parted_low: its parent is public.parted on the source and none on the \
             target; it is a partition FOR VALUES FROM (0) TO (10) on the source and no partition \
             on the target",
            "table public.thing: column name is text DEFAULT 'x'::text on the source and text on the \
             target; the comment of column name is «what it is called» on the source and none on the \
             target",
            "type public.count: its constraint count_check is «CHECK ((VALUE >= 0))» on the source \
             and none on the target",
            "type public.mood: it is ENUM ('sad', 'ok') on the source and ENUM ('sad', 'ok', 'happy') \
             on the target",
        ]
    );
    assert_eq!(
        after.notes,
        ["index public.thing_mine is only on the target"]
    );
    stop(engine).await;
}

#[tokio::test]
async fn only_what_belongs_to_the_wanted_tables_is_compared() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let engine = flow.start();
    flow.run(SCHEMA).await;
    flow.equal().await;
    execute(&flow.target, "DROP INDEX public.thing_owner").await;
    execute(&flow.target, "DROP SEQUENCE public.free").await;

    let found = |pattern: &'static str| {
        let options = Options {
            tables: TableFilter::parse(pattern, "").expect("a pattern"),
            ..options()
        };
        let flow = &flow;
        async move {
            let report = Box::pin(verify(&flow.pipeline, &options, |_| ())).await;
            objects(&report.expect("a verdict"))
        }
    };

    assert_eq!(found("public.owner").await, Vec::<String>::new());
    let expected = ["index public.thing_owner: it is not on the target"];
    assert_eq!(found("public.t*").await, expected);
    stop(engine).await;
}

#[tokio::test]
async fn sequences_are_at_or_beyond_the_source_s_when_both_sides_are_equal() {
    let flow = Flow::schema(Plugin::Pgoutput).await;
    let engine = flow.start();
    flow.run(SCHEMA).await;
    flow.run("INSERT INTO public.thing (name) SELECT 'n' FROM generate_series(1, 10)")
        .await;
    flow.equal().await;
    let behind = |report: &Report| -> Vec<String> {
        let sequences = report.sequences.iter();
        sequences
            .map(|found| format!("{}: {}", found.sequence, found.reason))
            .collect()
    };

    for value in [20, 5] {
        let set = format!("SELECT setval('public.thing_id_seq', {value})");
        execute(&flow.target, &set).await;
        let report = compare(&flow).await;
        assert_eq!(behind(&report), Vec::<String>::new());
        assert_eq!(report.sequence_count, 2);
        assert_eq!(report.verdict(), Verdict::Equal, "{report:?}");
    }
    let next = query_text(&flow.target, "SELECT nextval('public.thing_id_seq')").await;
    assert_eq!(next, ["11"]);
    stop(engine).await;
}
