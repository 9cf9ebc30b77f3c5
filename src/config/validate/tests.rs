use std::time::Duration;

use proptest::prelude::*;

use crate::config::layers::tests::configuration;
use crate::config::{Batch, Kind, OnConflict, Origin, Plugin, VARIABLES};
use crate::model::QualifiedName;

use super::*;

const TUTORIAL: &str = include_str!("../../../assets/examples/pg2pg_tutorial.env");
const FILTERED: &str = include_str!("../../../assets/examples/pg2pg_filtered.env");
const BOTH: &str = "PGSTREAM_POSTGRES_LISTENER_URL=postgres://a:5432/x\n\
                    PGSTREAM_POSTGRES_WRITER_TARGET_URL=postgres://b:5432/x\n";

fn pipeline(file: &str) -> Pipeline {
    configuration(file, &[]).pipeline().unwrap()
}

fn problems(file: &str) -> Vec<String> {
    let error = configuration(file, &[]).pipeline().unwrap_err();
    error.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn the_file_of_the_tutorial_is_accepted() {
    let pipeline = pipeline(TUTORIAL);
    assert_eq!(pipeline.source.endpoint(), "localhost:5432/postgres");
    assert_eq!(pipeline.target.endpoint(), "localhost:7654/postgres");
    assert_eq!(pipeline.slot.unwrap().as_str(), "pgstream_tutorial_slot");
    let batch = Batch {
        size: 25,
        size_is_set: true,
        timeout: Duration::from_secs(5),
    };
    assert_eq!(pipeline.batch, batch);
    assert_eq!(
        pipeline.schema_log.unwrap().endpoint(),
        "localhost:5432/postgres"
    );
    assert_eq!(configuration(TUTORIAL, &[]).warnings(false), []);
}

#[test]
fn the_example_with_a_filter_selects_what_it_says() {
    let configured = configuration(FILTERED, &[]);
    assert_eq!(configured.warnings(false), []);
    let filter = configured.pipeline().unwrap().filter;
    let selects = |schema: &str, name: &str| filter.selects(&QualifiedName::new(schema, name));
    assert!(selects("public", "orders") && selects("Sales 2026", "orders"));
    assert!(!selects("public", "audit_log") && !selects("other", "orders"));
}

#[test]
fn what_is_not_set_has_the_default_of_the_documentation() {
    let pipeline = pipeline(BOTH);
    assert_eq!(pipeline.slot, None);
    assert_eq!(pipeline.plugin, Plugin::Pgoutput);
    assert_eq!(
        (pipeline.batch.size, pipeline.batch.size_is_set),
        (100, false)
    );
    assert_eq!(pipeline.batch.timeout, Duration::from_secs(5));
    assert_eq!(pipeline.on_conflict, OnConflict::Error);
    assert_eq!(pipeline.retry_timeout, Duration::from_secs(3600));
    assert!(!pipeline.disable_triggers && !pipeline.snapshot.enabled);
    assert!(pipeline.schema_log.is_none() && pipeline.filter.selects_everything());
    assert!((1..=8).contains(&pipeline.snapshot.worker_count));
    assert_eq!(pipeline.snapshot.source.endpoint(), "a:5432/x");
}

#[test]
fn every_example_of_the_table_is_valid() {
    for variable in VARIABLES {
        let line = format!("{}={}", variable.key, variable.example);
        configuration(&line, &[]).validate().unwrap();
        if let Kind::Choice(words) = variable.kind {
            for word in words {
                configuration(&format!("{}={word}", variable.key), &[])
                    .validate()
                    .unwrap();
            }
        }
    }
}

#[test]
fn all_faults_come_at_once_with_origin_rule_and_suggestion() {
    let file = "\
PGSTREAM_POSTGRES_LISTENER_URL=postgres://u:secret@h:port/d
PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME=My-Slot
PGSTREAM_POSTGRES_WRITER_BATCH_SIZE=0
PGSTREAM_POSTGRES_WRITER_BATCH_TIMEOUT=5
PGSTREAM_POSTGRES_WRITER_DISABLE_TRIGGERS=maybe
PGSTREAM_POSTGRES_WRITER_ON_CONFLICT_ACTION=updaet
PGSTREAM_FILTER_INCLUDE_TABLES=a.b.c
PGSTREAM_LOG_LEVL=info
PGSTREAM_LOG_FORMAT=xml
";
    let error = configuration(file, &[]).pipeline().unwrap_err();
    insta::assert_snapshot!(error, @r#"
    invalid configuration, 10 problems:
      x.env:1: PGSTREAM_POSTGRES_LISTENER_URL: connection string: the port is not a number from 1 to 65535 (in a URI write these characters of a user or password as %XX: @ is %40, : is %3A, / is %2F, ? is %3F, # is %23, % is %25)
      x.env:2: PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME: must be the name of a slot: 1 to 63 lower-case letters, digits and underscores
      x.env:3: PGSTREAM_POSTGRES_WRITER_BATCH_SIZE: must be a whole number from 1 to 1000000
      x.env:4: PGSTREAM_POSTGRES_WRITER_BATCH_TIMEOUT: must be a duration with its unit, such as 250ms, 5s, 1m30s or 1h (write s behind it for seconds, ms for milliseconds)
      x.env:5: PGSTREAM_POSTGRES_WRITER_DISABLE_TRIGGERS: must be true or false
      x.env:6: PGSTREAM_POSTGRES_WRITER_ON_CONFLICT_ACTION: must be error or update or nothing (did you mean update?)
      x.env:7: PGSTREAM_FILTER_INCLUDE_TABLES: item 1 is not a table: write schema.table, schema.*, *.* or a bare table of schema public
      x.env:8: PGSTREAM_LOG_LEVL: there is no such variable (did you mean PGSTREAM_LOG_LEVEL?)
      x.env:9: PGSTREAM_LOG_FORMAT: must be text or json
      PGSTREAM_POSTGRES_WRITER_TARGET_URL: is required and not set (in the file given with -c: PGSTREAM_POSTGRES_WRITER_TARGET_URL="postgres://postgres:postgres@localhost:7654?sslmode=disable", or --target-url)
    "#);
}

#[test]
fn one_database_on_both_sides_is_a_contradiction() {
    let source = "PGSTREAM_POSTGRES_LISTENER_URL=postgres://a:1@h:5432/x\n";
    let check = |target: &str, one: bool| {
        let file = format!("{source}PGSTREAM_POSTGRES_WRITER_TARGET_URL=postgres://{target}");
        assert_eq!(
            configuration(&file, &[]).pipeline().is_err(),
            one,
            "{target}"
        );
    };
    check("b:2@h/x", true);
    check("b:2@other,h:5432/x", true);
    check("b:2@h/y", false);
    check("b:2@h:5433/x", false);
    let file = format!("{source}PGSTREAM_POSTGRES_WRITER_TARGET_URL=postgres://h/x");
    assert_eq!(
        problems(&file),
        [
            "x.env:2: PGSTREAM_POSTGRES_WRITER_TARGET_URL: names the same database as \
          PGSTREAM_POSTGRES_LISTENER_URL (x.env:1): h:5432/x"
        ]
    );
}

#[test]
fn a_filter_that_lets_nothing_through_is_a_contradiction() {
    let file =
        format!("{BOTH}PGSTREAM_FILTER_INCLUDE_TABLES=a\nPGSTREAM_FILTER_EXCLUDE_TABLES=public.a");
    assert!(problems(&file)[0].contains("no table would replicate"));
    let file = format!("{BOTH}PGSTREAM_FILTER_INCLUDE_TABLES='\"A b\", c.*'");
    let filter = pipeline(&file).filter;
    assert!(filter.selects(&QualifiedName::new("public", "A b")));
    assert!(filter.selects(&QualifiedName::new("c", "d")));
    assert!(!filter.selects(&QualifiedName::new("public", "a")));
}

#[test]
fn init_needs_only_the_source_but_tells_every_fault() {
    let source = "PGSTREAM_POSTGRES_LISTENER_URL=postgres://h/x\n";
    let maintenance = configuration(source, &[]).maintenance().unwrap();
    assert!(maintenance.target.is_none());
    let faulty = format!("{source}PGSTREAM_POSTGRES_WRITER_BATCH_SIZE=x");
    assert!(configuration(&faulty, &[]).maintenance().is_err());
    let error = configuration("", &[])
        .maintenance()
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("is required") && error.contains("--pgurl"),
        "{error}"
    );
}

#[test]
fn odd_settings_are_warned_about() {
    let file = format!(
        "{BOTH}PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_TABLES=a\n\
         PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL=postgres://b:5432/other"
    );
    let warnings = configuration(&file, &[]).warnings(false);
    let keys: Vec<_> = warnings
        .iter()
        .filter_map(|warning| warning.key.as_deref())
        .collect();
    assert_eq!(keys, [key::SNAPSHOT_TABLES, key::SCHEMA_LOG_URL]);
}

#[test]
fn a_variable_is_reported_by_the_name_that_it_was_set_by() {
    let file = format!(
        "{BOTH}PGSTREAM_POSTGRES_SNAPSHOT_TABLES=a\nPGSTREAM_POSTGRES_INITIAL_SNAPSHOT_WORKERS=2"
    );
    let warnings = configuration(&file, &[]).warnings(false);
    let reported: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let idle =
        "has no effect while PGSTREAM_POSTGRES_LISTENER_INITIAL_SNAPSHOT_ENABLED is not true";
    let expected = [
        format!("x.env:3: PGSTREAM_POSTGRES_SNAPSHOT_TABLES: {idle}"),
        format!("x.env:4: PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_WORKERS: {idle}"),
    ];
    assert_eq!(reported, expected);

    let faulty = format!("{BOTH}PGSTREAM_POSTGRES_SNAPSHOT_WORKERS=many");
    let reported = problems(&faulty).join("");
    assert!(
        reported.starts_with("x.env:3: PGSTREAM_POSTGRES_SNAPSHOT_WORKERS: must be"),
        "{reported}"
    );
}

#[test]
fn a_slip_in_a_word_is_answered_with_the_word() {
    for (line, expected) in [
        (
            "PGSTREAM_POSTGRES_WRITER_DISABLE_TRIGGERS=tru",
            "must be true or false (did you mean true?)",
        ),
        (
            "PGSTREAM_CONSOLE_MOUSE=Flase",
            "must be true or false (did you mean false?)",
        ),
        (
            "PGSTREAM_CONSOLE_MOUSE=perhaps",
            "PGSTREAM_CONSOLE_MOUSE: must be true or false",
        ),
        (
            "PGSTREAM_LOG_LEVEL=trac",
            "must be trace or debug or info or warn or error (did you mean trace?)",
        ),
        (
            "PGSTREAM_POSTGRES_WRITER_ON_CONFLICT_ACTION=updat",
            "(did you mean update?)",
        ),
        (
            "PGSTREAM_POSTGRES_REPLICATION_PLUGIN=pgouput",
            "must be pgoutput or wal2json (did you mean pgoutput?)",
        ),
        (
            "PGSTREAM_POSTGRES_WRITER_TARGET_URL=postgres://b/x?sslmode=requir",
            "(did you mean require?)",
        ),
    ] {
        let error = configuration(line, &[]).validate().unwrap_err();
        let reported = error.problems()[0].to_string();
        assert!(reported.ends_with(expected), "{reported}");
    }
}

#[test]
fn invalid_logging_falls_back_and_is_reported_with_the_rest() {
    let configured = configuration(
        "PGSTREAM_LOG_LEVEL=loud",
        &[("PGSTREAM_LOG_FORMAT", "json")],
    );
    assert_eq!(configured.logging().level, LogLevel::Info);
    assert_eq!(configured.logging().format, LogFormat::Json);
    assert!(configured.validate().is_err());
    assert_eq!(configured.origin_of(key::LOG_FORMAT), Origin::Environment);
}

#[test]
fn the_console_looks_as_configured_and_faults_are_reported_with_the_rest() {
    let file = "PGSTREAM_CONSOLE_KEYS=\"pause = ctrl-s\"\nPGSTREAM_CONSOLE_THEME=bright\n\
                PGSTREAM_CONSOLE_MOUSE=off";
    let configured = configuration(file, &[("PGSTREAM_CONSOLE_ASCII", "true")]);
    let expected = Screen {
        keys: Some("pause = ctrl-s".to_owned()),
        ascii: Some(true),
        mouse: Some(false),
        ..Screen::default()
    };
    assert_eq!(configured.screen(), expected);
    let error = configured.validate().unwrap_err().to_string();
    assert!(error.contains("x.env:2: PGSTREAM_CONSOLE_THEME"), "{error}");
}

crate::property::properties! {
    #[test]
    fn any_value_of_any_variable_is_answered_without_its_secret(
        index in 0..VARIABLES.len(),
        value in "\\PC{0,40}",
    ) {
        let configured = configuration("", &[(VARIABLES[index].key, &value)]);
        drop(configured.pipeline());
        drop(configured.warnings(false));
        drop(configured.resolved());
    }

    #[test]
    fn no_password_reaches_an_error(
        index in 0..VARIABLES.len(),
        before in proptest::sample::select(vec![
            "postgres://me:", "me:", "postgres://me@host/db?pasword=", "host=h pasword=", "password=x ", "",
        ]),
        password in "[a-zA-Z@:/?#%=, ]{0,12}",
        after in proptest::sample::select(vec!["@host:54x2/db", "@host/db", "=1", ""]),
    ) {
        let value = format!("{before}\u{2600}{password}\u{2601}{after}");
        let configured = configuration("", &[(VARIABLES[index].key, &value)]);
        // What does not parse must not be repeated; what does is what it was meant to be.
        if let Err(error) = configured.validate() {
            let error = error.to_string();
            prop_assert!(!error.contains('\u{2600}') && !error.contains('\u{2601}'), "{}", error);
        }
    }
}
