//! `pgstream verify` as users call it.

use insta::assert_snapshot;
use serde_json::Value;

use crate::cli_check::{between, with_filters};
use crate::cli_config::seen;
use crate::support::clusters::TestCluster;
use crate::support::process::Outcome;
use crate::support::{connect, execute, pair};

struct Both {
    source: TestCluster,
    target: TestCluster,
}

const ROWS: &str = "\
CREATE TABLE public.account (id int PRIMARY KEY, owner text, balance int);
CREATE TABLE public.entry (id int PRIMARY KEY, note text);
CREATE TABLE public.other (id int PRIMARY KEY);
INSERT INTO public.account SELECT id, 'o' || id, id FROM generate_series(1, 1000) AS id;
INSERT INTO public.entry SELECT id, repeat('n', 100) FROM generate_series(1, 1000) AS id;
INSERT INTO public.other SELECT generate_series(1, 10);";

impl Both {
    /// Equal, with nobody streaming.
    async fn new() -> Self {
        let (source, target) = pair();
        let both = Self { source, target };
        let done = both.call("init").await;
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let source = connect(&both.source.url("postgres")).await;
        execute(&source, ROWS).await;
        // The largest tables come first.
        execute(&source, "ANALYZE").await;
        both
    }

    async fn call(&self, command: &str) -> Outcome {
        between(command, &self.source, &self.target).run().await
    }

    async fn on_target(&self, sql: &str) {
        execute(&connect(&self.target.url("postgres")).await, sql).await;
    }

    async fn json(&self, command: &str) -> Value {
        let outcome = self.call(command).await;
        let parsed = serde_json::from_str(&outcome.stdout);
        parsed.unwrap_or_else(|error| panic!("{error}: {}", seen(&outcome)))
    }
}

#[tokio::test]
async fn a_verdict_is_reported_in_lines_and_by_the_exit_code() {
    let both = Both::new().await;

    let equal = both.call("verify --jobs 1").await;
    with_filters(|| {
        assert_snapshot!(lines(&equal), @r"
        ✓ equal      public.entry: 1,000 rows in [seconds]
        ✓ equal      public.account: 1,000 rows in [seconds]
        ✓ equal      public.other: 10 rows in [seconds]
        equal at [lsn]: 3 tables, 10 objects, 2,010 rows in [seconds]
        ");
    });
    assert_eq!(equal.code, Some(0));

    both.on_target(
        "UPDATE public.account SET balance = 0, owner = E'x\\ty' WHERE id = 7; \
         DELETE FROM public.entry WHERE id > 998; INSERT INTO public.other VALUES (11); \
         CREATE INDEX account_owner ON public.account (owner); \
         ALTER TABLE public.other ALTER id TYPE bigint",
    )
    .await;
    let different = both.call("verify --jobs 1").await;
    with_filters(|| {
        assert_snapshot!(lines(&different), @r"
        ✗ different  table public.other: column id is integer NOT NULL on the source and bigint NOT NULL on the target
        · note       index public.account_owner is only on the target
        ✗ different  public.entry: 2 missing, 0 extra, 0 with other values; 1,000 rows on the source, 998 on the target
            missing on the target: key 1000
            missing on the target: key 999
        ✗ different  public.account: 0 missing, 0 extra, 1 with other values; 1,000 rows on the source, 1,000 on the target
            different: key 7 in owner, balance
        ✗ different  public.other: 0 missing, 1 extra, 0 with other values; 10 rows on the source, 11 on the target
            only on the target: key 11
        different at [lsn]: 3 of 3 tables, 1 of 10 objects, 2,010 rows in [seconds]
        ");
    });
    assert_eq!(different.code, Some(65));

    let values = both
        .call("verify --show-values --table account --jobs 1")
        .await;
    with_filters(|| {
        assert_snapshot!(lines(&values), @r"
        · note       index public.account_owner is only on the target
        ✗ different  public.account: 0 missing, 0 extra, 1 with other values; 1,000 rows on the source, 1,000 on the target
            different: key 7 in owner, balance
                owner: source 'o7', target 'x\ty'
                balance: source '7', target '0'
        different at [lsn]: 1 of 1 tables, 1,000 rows in [seconds]
        ");
    });
}

/// What was printed, but for how long the stream stood.
fn lines(outcome: &Outcome) -> String {
    let (lines, _) = outcome
        .stdout
        .split_once("; the stream stood still for")
        .unwrap_or_else(|| panic!("{}", seen(outcome)));
    lines.to_owned()
}

/// The verdict that stays is that on everything, and that on each table.
#[tokio::test]
async fn status_has_the_last_verdict_and_its_age() {
    let both = Both::new().await;
    let status = both.json("status --json").await;
    assert_eq!(status["verified"], Value::Null);

    assert_eq!(both.call("verify").await.code, Some(0));
    let status = both.json("status --json").await;
    let last = &status["verified"]["last"];
    assert_eq!(
        (&last["verdict"], &last["table_count"]),
        (&"equal".into(), &3.into())
    );
    assert!(
        last["age_s"]
            .as_f64()
            .is_some_and(|age| (0.0..60.0).contains(&age)),
        "{last}"
    );
    let text = both.call("status").await.stdout;
    assert!(text.contains("verified    equal at 0/"), "{text}");
    assert!(
        text.contains(" ago): 3 tables, 10 objects, 0 sequences"),
        "{text}"
    );

    both.on_target("DELETE FROM public.entry WHERE id > 998")
        .await;
    assert_eq!(both.call("verify --table entry").await.code, Some(65));
    let status = both.json("status --json").await;
    assert_eq!(status["verified"]["last"]["verdict"], "equal");
    assert_eq!(
        status["verified"]["different_tables"][0]["table"],
        "public.entry"
    );
    let text = both.call("status").await.stdout;
    assert!(
        text.contains("✗ public.entry  2 missing, 0 extra, 0 with other values"),
        "{text}"
    );

    assert_eq!(both.call("verify").await.code, Some(65));
    let status = both.json("status --json").await;
    assert_eq!(status["verified"]["last"]["verdict"], "different");
    assert_eq!(status["verified"]["last"]["open_count"], 1);
}

#[tokio::test]
async fn tables_are_chosen_by_patterns() {
    let both = Both::new().await;
    let tables = |report: &Value| -> Vec<String> {
        let tables = report["tables"].as_array().expect("tables").iter();
        tables
            .map(|table| table["table"]["name"].as_str().expect("a name").to_owned())
            .collect()
    };

    let report = both
        .json("verify --json --table public.*t* --table other")
        .await;
    assert_eq!(tables(&report), ["account", "entry", "other"]);
    let report = both.json("verify --json --table entry").await;
    assert_eq!(tables(&report), ["entry"]);
    let none = both.call("verify --table nothing.*").await;
    assert_eq!(none.code, Some(64), "{}", none.stderr);
    assert!(
        none.stderr
            .contains("no table that replicates is covered by nothing.*")
    );
}

#[tokio::test]
async fn json_has_what_the_lines_have() {
    let both = Both::new().await;
    let equal = both.json("verify --json").await;
    assert_eq!(equal["tables"].as_array().map(Vec::len), Some(3));
    assert_eq!(equal["objects"], Value::Array(Vec::new()));
    both.on_target("UPDATE public.account SET balance = 0 WHERE id = 7")
        .await;

    let report = both
        .json("verify --json --show-values --table account")
        .await;

    let table = &report["tables"][0];
    assert_eq!(table["verdict"], "different");
    assert_eq!(table["differing"], 1);
    let row = &table["rows"][0];
    assert_eq!(row["key"][0], "7");
    let shown = serde_json::json!([{"column": "balance", "source": "7", "target": "0"}]);
    assert_eq!(row["values"], shown);
    let without = both.json("verify --json --table account").await;
    assert_eq!(without["tables"][0]["rows"][0]["values"], Value::Null);
}

#[tokio::test]
async fn a_sample_takes_the_same_rows_on_both_sides() {
    let both = Both::new().await;

    let report = both.json("verify --json --sample 20%").await;

    assert_eq!(report["sample"], 20.0);
    let rows = report["tables"][0]["source_rows"]
        .as_u64()
        .expect("a count");
    assert!((100..300).contains(&rows), "{rows} of 1000");
    assert!(
        report["tables"]
            .as_array()
            .expect("tables")
            .iter()
            .all(|t| t["verdict"] == "equal")
    );
    for refused in ["0", "101", "many"] {
        let outcome = both.call(&format!("verify --sample {refused}")).await;
        assert_eq!(outcome.code, Some(64), "{refused}: {}", outcome.stderr);
    }
}

#[tokio::test]
async fn reading_is_no_faster_than_allowed() {
    let both = Both::new().await;
    drop(both.call("verify").await);

    let report = both
        .json("verify --json --table entry --rate-limit 100KiB")
        .await;

    // Both sides send about 104 kB each.
    let seconds = report["seconds"].as_f64().expect("a time");
    assert!(seconds > 1.5, "{seconds} s");
}
