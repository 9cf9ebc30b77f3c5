//! The command line and the configuration through the real binary: no server is needed.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use tempfile::TempDir;

use crate::support::Call;
use crate::support::process::Outcome;

/// What a user would see: exit code, stdout, stderr.
pub fn seen(outcome: &Outcome) -> String {
    let Outcome {
        code,
        stdout,
        stderr,
    } = outcome;
    let code = code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
    let part = |name: &str, text: &str| match text.trim_end() {
        "" => String::new(),
        text => format!("--- {name}\n{text}\n"),
    };
    format!(
        "exit code {code}\n{}{}",
        part("stdout", stdout),
        part("stderr", stderr)
    )
}

fn in_directory_with(file: &str) -> TempDir {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("pg2pg.env"), file).unwrap();
    directory
}

async fn run_in(directory: &Path, line: &str) -> String {
    seen(&Call::line(line).directory(directory).run().await)
}

#[tokio::test]
async fn help_names_every_command_and_exit_code() {
    let help = Call::line("").run().await;
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    for word in [
        "init",
        "tear-down",
        "run",
        "status",
        "check",
        "-c, --config",
        "78",
    ] {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
    let version = Call::line("--version").run().await;
    assert_eq!(
        version.stdout,
        format!("pgstream {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test]
async fn a_wrong_command_line_is_a_usage_error_without_its_secrets() {
    let unknown = Call::line("init postgres://me:secret@host/db").run().await;
    assert_eq!(unknown.code, Some(64));
    assert!(
        unknown.stderr.contains("postgres://me:***@host/db"),
        "{}",
        unknown.stderr
    );
    assert!(!unknown.stderr.contains("secret"), "{}", unknown.stderr);
    assert_eq!(Call::line("frobnicate").run().await.code, Some(64));
}

#[tokio::test]
async fn a_word_that_is_no_command_is_answered_with_the_nearest() {
    for (typed, meant) in [
        ("rnu", "run"),
        ("teardown", "tear-down"),
        ("stauts", "status"),
    ] {
        let outcome = Call::line(typed).run().await;
        assert_eq!(outcome.code, Some(64));
        assert!(outcome.stderr.contains(meant), "{}", outcome.stderr);
    }
    let help = Call::line("help status").run().await;
    assert_eq!(help.code, Some(0), "{}", help.stderr);
    assert!(help.stdout.contains("--json"), "{}", help.stdout);
}

#[tokio::test]
async fn only_commands_with_a_console_tell_of_its_options() {
    for (command, reported) in [
        ("", true),
        ("run", true),
        ("init", true),
        ("tutorial", true),
        ("status", false),
        ("check", false),
        ("snapshot", false),
        ("verify", false),
    ] {
        let help = Call::line(&format!("{command} --help")).run().await;
        assert_eq!(help.stdout.contains("--no-motion"), reported, "{command}");
        assert!(help.stdout.contains("--log-level"), "{command}");
    }
}

#[tokio::test]
async fn what_does_not_parse_is_never_repeated() {
    let places = [
        "--pgurl u:hunter2@h/d",
        "--pgurl pasword=hunter2",
        "--pgurl postgres://h/d?pasword=hunter2",
        "--replication-slot postgres://u:hunter2@h/d",
        "--plugin postgres://u:hunter2@h/d",
    ];
    for arguments in places {
        let outcome = Call::line(&format!("init {arguments}")).run().await;
        assert_eq!(outcome.code, Some(64), "{arguments}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
    }
    for line in [
        "u:hunter2@h/d",
        "run u:hunter2@h/d",
        "run --skip-transaction u:hunter2@h/d",
    ] {
        let outcome = Call::line(line).run().await;
        assert_eq!(outcome.code, Some(64), "{line}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
    }
    for name in [
        "PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME",
        "PGSTREAM_FILTER_INCLUDE_TABLES",
        "PGSTREAM_POSTGRES_WRITER_BATCH_SIZE",
        "PGSTREAM_POSTGRES_WRITER_BATCH_TIMEOUT",
        "PGSTREAM_LOG_LEVEL",
        "PGSTREAM_POSTGRES_INITIAL_SNAPSHOT_PART_SIZE",
    ] {
        let outcome = Call::line("status --pgurl postgres://h/d");
        let outcome = outcome.env(name, "postgres://u:hunter2@h/d").run().await;
        assert_eq!(outcome.code, Some(64), "{name}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let missing = run_in(Path::new("/"), "run -c nowhere.env").await;
    assert_snapshot!(missing, @"
    exit code 64
    --- stderr
    error: cannot read the configuration file nowhere.env
    caused by: No such file or directory (os error 2)
    hint: give the file's path with -c, as seen from here: ls -l nowhere.env
    ");
}

#[tokio::test]
async fn an_invalid_configuration_is_reported_whole() {
    let file = "\
PGSTREAM_POSTGRES_LISTENER_URL=\"postgres://me:secret@localhost:5432/a\"
PGSTREAM_POSTGRES_WRITER_TARGET_URL=\"postgres://me:secret@localhost:5432/a\"
PGSTREAM_POSTGRES_WRITER_BATCHSIZE=25
PGSTREAM_POSTGRES_WRITER_BATCH_TIMEOUT=5
PGSTREAM_POSTGRES_WRITER_ON_CONFLICT_ACTION=upsert
";
    let directory = in_directory_with(file);
    assert_snapshot!(run_in(directory.path(), "run -c pg2pg.env").await, @r#"
    exit code 64
    --- stderr
    error: invalid configuration, 4 problems:
      pg2pg.env:2: PGSTREAM_POSTGRES_WRITER_TARGET_URL: names the same database as PGSTREAM_POSTGRES_LISTENER_URL (pg2pg.env:1): localhost:5432/a
      pg2pg.env:3: PGSTREAM_POSTGRES_WRITER_BATCHSIZE: there is no such variable (did you mean PGSTREAM_POSTGRES_WRITER_BATCH_SIZE?)
      pg2pg.env:4: PGSTREAM_POSTGRES_WRITER_BATCH_TIMEOUT: must be a duration with its unit, such as 250ms, 5s, 1m30s or 1h (write s behind it for seconds, ms for milliseconds)
      pg2pg.env:5: PGSTREAM_POSTGRES_WRITER_ON_CONFLICT_ACTION: must be error or update or nothing
    hint: docs/configuration.md lists every variable with its meaning and default
    "#);
}

#[tokio::test]
async fn a_password_that_the_file_format_would_change_is_reported() {
    let file = "PGSTREAM_POSTGRES_LISTENER_URL=postgres://me:p@ss$word#1\\x@localhost/a\n";
    let directory = in_directory_with(file);
    assert_snapshot!(run_in(directory.path(), "init -c pg2pg.env").await, @"
    exit code 64
    --- stderr
    error: invalid configuration, 1 problem:
      pg2pg.env:1: PGSTREAM_POSTGRES_LISTENER_URL: has a «$», which the file format would take for a variable (write the whole value in single quotes: 'value')
    hint: docs/configuration.md lists every variable with its meaning and default
    ");
}

#[tokio::test]
async fn flags_beat_the_environment_and_the_environment_beats_the_file() {
    let directory = in_directory_with("PGSTREAM_LOG_FORMAT=a\nPGSTREAM_RETRY_TIMEOUT=a\n");
    let outcome = Call::line("run -c pg2pg.env --log-format c")
        .env("PGSTREAM_LOG_FORMAT", "b")
        .env("PGSTREAM_RETRY_TIMEOUT", "b")
        .env("PGSTREAM_UNHEARD_OF", "1")
        .directory(directory.path())
        .run()
        .await;
    assert_eq!(outcome.code, Some(64));
    for expected in [
        "--log-format: PGSTREAM_LOG_FORMAT: must be",
        "environment: PGSTREAM_RETRY_TIMEOUT: must be",
        "environment: PGSTREAM_UNHEARD_OF: there is no such variable",
    ] {
        assert!(
            outcome.stderr.contains(expected),
            "{expected}: {}",
            outcome.stderr
        );
    }
}
