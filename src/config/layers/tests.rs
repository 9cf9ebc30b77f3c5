use crate::config::key;

use super::*;

/// Inputs without anything of the process that runs the test.
pub(in crate::config) fn inputs(
    flags: &[(&'static str, &'static str, &str)],
    environment: &[(&str, &str)],
) -> Inputs {
    let flag = |(key, flag, value): &(&'static str, &'static str, &str)| FlagValue {
        key,
        flag,
        value: (*value).to_owned(),
    };
    Inputs {
        flags: flags.iter().map(flag).collect(),
        environment: environment
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        file: None,
        connection_defaults: Environment {
            defaults: Vec::new(),
            user: Some("me".to_owned()),
            password: None,
            passfile: None,
            home: None,
            socket_directory: "/tmp".into(),
        },
    }
}

/// A configuration of a file's text and an environment.
pub(in crate::config) fn configuration(file: &str, environment: &[(&str, &str)]) -> Configuration {
    let file = Some((PathBuf::from("x.env"), file.to_owned()));
    Configuration::from_parts(inputs(&[], environment), file)
}

fn in_line(line: usize) -> Origin {
    Origin::File {
        path: PathBuf::from("x.env"),
        line,
    }
}

#[test]
fn the_strongest_source_counts_and_is_named() {
    let file =
        "PGSTREAM_LOG_LEVEL=warn\n\nPGSTREAM_LOG_FORMAT=json\nPGSTREAM_RETRY_TIMEOUT=1m\nOTHER=1";
    let environment = [
        ("PGSTREAM_LOG_LEVEL", "debug"),
        ("PGSTREAM_LOG_FORMAT", "text"),
    ];
    let flags = [(key::LOG_LEVEL, "--log-level", "trace")];
    let file = Some((PathBuf::from("x.env"), file.to_owned()));
    let configuration = Configuration::from_parts(inputs(&flags, &environment), file);

    let check = |key, value: &str, origin| {
        let setting = configuration.setting(key).unwrap();
        assert_eq!((setting.value.as_str(), &setting.origin), (value, &origin));
    };
    check(key::LOG_LEVEL, "trace", Origin::Flag("--log-level"));
    check(key::LOG_FORMAT, "text", Origin::Environment);
    check(key::RETRY_TIMEOUT, "1m", in_line(4));
    assert_eq!(configuration.origin_of(key::TARGET_URL), Origin::Default);
    assert_eq!(configuration.problems, []);
}

#[test]
fn an_empty_value_hides_a_weaker_source() {
    let configuration = configuration("PGSTREAM_LOG_LEVEL=warn", &[("PGSTREAM_LOG_LEVEL", "")]);
    assert_eq!(configuration.setting(key::LOG_LEVEL), None);
}

#[test]
fn unknown_names_are_errors_in_a_file_and_warnings_in_the_environment() {
    let name = "PGSTREAM_POSTGRES_WRITER_BATCHSIZE";
    let configuration = configuration(
        &format!("{name}=1"),
        &[
            (name, "1"),
            ("PGSTREAM_PG_BIN_DIR", "/"),
            ("PGSTREAM_X", "1"),
        ],
    );
    let file: Vec<String> = configuration
        .problems
        .iter()
        .map(ToString::to_string)
        .collect();
    let environment: Vec<String> = configuration
        .unknown
        .iter()
        .map(ToString::to_string)
        .collect();
    let meant = "there is no such variable (did you mean PGSTREAM_POSTGRES_WRITER_BATCH_SIZE?)";
    assert_eq!(file, [format!("x.env:1: {name}: {meant}")]);
    assert_eq!(
        environment,
        [
            format!("environment: {name}: {meant}"),
            "environment: PGSTREAM_X: there is no such variable".to_owned(),
        ]
    );
}

#[test]
fn synonyms_set_the_same_variable_and_may_not_contradict_it() {
    let (old, new) = (key::SNAPSHOT_WORKERS, "PGSTREAM_POSTGRES_SNAPSHOT_WORKERS");
    let configured = configuration(&format!("{new}=3"), &[]);
    assert_eq!(
        configured.setting(key::SNAPSHOT_WORKERS).unwrap().value,
        "3"
    );
    assert_eq!(
        configuration(&format!("{old}=3\n{new}=3"), &[]).problems,
        []
    );
    assert_eq!(
        configuration(&format!("{old}=3"), &[(new, "4")]).problems,
        []
    );

    let problems = configuration(&format!("{old}=3\n{new}=4"), &[]).problems;
    assert_eq!(problems[0].origin, Some(in_line(2)));
    assert!(problems[0].rule.contains(old), "{}", problems[0]);
}

#[test]
fn screens_see_every_variable_without_secrets() {
    let configuration = configuration(
        "PGSTREAM_POSTGRES_LISTENER_URL=postgres://u:secret@h/d",
        &[],
    );
    let resolved = configuration.resolved();
    assert_eq!(resolved.len(), VARIABLES.len());
    assert_eq!(resolved[0].value.as_deref(), Some("postgres://u:***@h/d"));
}

#[test]
fn variables_of_the_go_pgstream_are_known_and_answered() {
    let reported = |name: &str| {
        let configured = configuration(&format!("{name}=x"), &[]);
        configured.problems[0].to_string()
    };
    for (name, instead) in [
        (
            "PGSTREAM_POSTGRES_WRITER_STRICT_MODE",
            "run --skip-transaction",
        ),
        (
            "PGSTREAM_POSTGRES_SNAPSHOT_SCHEMA_ONLY_TABLES",
            "pg_dump --schema-only",
        ),
        ("PGSTREAM_POSTGRES_SNAPSHOT_ROLE", "pg_dumpall --roles-only"),
        (
            "PGSTREAM_INJECTOR_STORE_POSTGRES_URL",
            "PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL",
        ),
        ("PGSTREAM_KAFKA_TOPIC_NAME", "the target here is PostgreSQL"),
    ] {
        let reported = reported(name);
        let rule = "is a variable of the Go pgstream that this program does not have";
        assert!(
            reported.starts_with(&format!("x.env:1: {name}: {rule} (")),
            "{reported}"
        );
        assert!(reported.contains(instead), "{reported}");
    }
    let ours = VARIABLES
        .iter()
        .flat_map(|variable| variable.synonyms.iter().chain([&variable.key]));
    let lost: Vec<_> = ours.filter(|name| go::instead_of(name).is_some()).collect();
    assert!(lost.is_empty(), "{lost:?}");
}
