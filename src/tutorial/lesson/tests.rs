use super::{
    Expectation, Lesson, POSTGRES_TO_POSTGRES, Scenario, Side, Step, is_same_statement, parse,
    run_by,
};

const SMALL: &str = "\
# For the reader

## First

One line,
and another.

```shell
pgstream init --pgurl \"postgres://localhost:5432\"
```

```expect target
SELECT 1, 2
---
1 | {plugin}
```

## Second

```sql source
SELECT 1;
```
";

#[test]
fn lessons_have_their_text_and_steps_in_order() {
    let lessons = parse(SMALL).unwrap();

    let [first, second] = lessons.as_slice() else {
        panic!("{lessons:?}")
    };
    assert_eq!(
        (first.title.as_str(), first.text.as_str()),
        ("First", "One line,\nand another.")
    );
    assert!(matches!(
        first.steps.as_slice(),
        [Step::Shell(_), Step::Expect(_)]
    ));
    let statement = Step::Sql {
        side: Side::Source,
        statement: "SELECT 1;".to_owned(),
    };
    assert_eq!(second.steps, [statement]);
}

#[test]
fn a_scene_fills_in_ports_and_plugin() {
    let scenario = Scenario {
        source_port: 111,
        target_port: 222,
        plugin: "wal2json".to_owned(),
    };

    let first = parse(SMALL).unwrap()[0].staged(&scenario);

    let shell = "pgstream init --pgurl \"postgres://localhost:111\"".to_owned();
    assert_eq!(first.steps[0], Step::Shell(shell));
    let Step::Expect(expectation) = &first.steps[1] else {
        panic!("{first:?}")
    };
    assert_eq!(expectation.rows, [["1", "wal2json"]]);
}

#[test]
fn faults_name_their_line() {
    let cases = [
        (
            "## A\n```sql nowhere\n```\n",
            "tutorial line 2: a side is `source` or `target`",
        ),
        (
            "## A\n\n```expect target\nSELECT 1\n```\n",
            "tutorial line 3: an expectation has a line `---` between query and rows",
        ),
        (
            "## A\n```python\n```",
            "tutorial line 2: a fence is `shell`, `file <name>`, `sql <side>` or `expect <side>`",
        ),
        (
            "## A\n```shell\nls\n```\nafter\n",
            "tutorial line 5: text belongs before the first step of a lesson",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn an_ellipsis_stands_for_any_rest_of_a_cell() {
    let rows = |rows: &[&[&str]]| -> Vec<Vec<String>> {
        rows.iter()
            .map(|row| row.iter().map(|cell| (*cell).to_owned()).collect())
            .collect()
    };
    let expected = rows(&[&["1", "not null…"], &["2", "…"]]);
    let expectation = Expectation {
        side: Side::Target,
        query: String::new(),
        rows: expected,
    };

    let cases: [(&[&[&str]], bool); 5] = [
        (&[&["1", "not null default 0"], &["2", ""]], true),
        (&[&["1", "not null"], &["2", "x"]], true),
        (&[&["1", "null"], &["2", "x"]], false),
        (&[&["1", "not null"]], false),
        (&[&["1", "not null", "more"], &["2", "x"]], false),
    ];
    for (seen, met) in cases {
        assert_eq!(expectation.is_met(&rows(seen)), met, "{seen:?}");
    }
}

/// The statements that a reader of the tutorial types, to the letter and in their order.
#[test]
fn the_tutorial_has_every_statement_of_the_tutorial() {
    let lessons = parse(POSTGRES_TO_POSTGRES).unwrap();
    let statements: Vec<&str> = lessons.iter().flat_map(statements_of).collect();

    let expected = [
        "CREATE TABLE test(id SERIAL PRIMARY KEY, name TEXT);",
        "ALTER TABLE test RENAME TO tutorial_test;",
        "ALTER TABLE tutorial_test ADD COLUMN age INT DEFAULT 0;",
        "ALTER TABLE tutorial_test ALTER COLUMN age TYPE bigint;",
        "ALTER TABLE tutorial_test RENAME COLUMN age TO new_age;",
        "ALTER TABLE tutorial_test DROP COLUMN new_age;",
        "DROP TABLE tutorial_test;",
        "CREATE TABLE test(id SERIAL PRIMARY KEY, name TEXT);",
        "INSERT INTO test(name) VALUES('alice'),('bob'),('charlie');",
    ];
    assert_eq!(statements, expected);
}

#[test]
fn a_statement_that_comes_twice_is_told_apart() {
    let lessons = parse(POSTGRES_TO_POSTGRES).unwrap();
    let times = |title: &str| {
        let lesson = lessons.iter().position(|one| one.title == title).unwrap();
        run_by(&lessons, (lesson, 0)).map(|(_, times)| times)
    };
    assert_eq!(times("Create a table"), Some(1));
    assert_eq!(times("Insert rows"), Some(2), "the same table once more");
    assert_eq!(times("Start replication"), None);
    assert!(is_same_statement(
        "alter  table test\nRENAME to t2",
        "ALTER TABLE test RENAME TO t2;"
    ));
    assert!(!is_same_statement("DROP TABLE t", "DROP TABLE t2"));
}

fn statements_of(lesson: &Lesson) -> Vec<&str> {
    let sql = lesson.steps.iter().filter_map(|step| match step {
        Step::Sql { statement, .. } => Some(statement.as_str()),
        Step::Shell(_) | Step::File { .. } | Step::Expect(_) => None,
    });
    sql.collect()
}
