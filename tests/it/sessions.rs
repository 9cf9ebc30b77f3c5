//! The way into a server, for both kinds of session: encryption, authentication, pinned formats,
//! several hosts, and what is said when it fails.

use pgstream::cluster::{ClusterOptions, ServerTls};
use pgstream::config::ConnectionSettings;
use pgstream::model::{Classify as _, ErrorClass, Lsn};
use pgstream::postgres::{self, PgError, ReplicationConnection, TextRow};

use crate::support::clusters::TestCluster;
use crate::support::tls::{Authority, Identity, self_signed_server};
use crate::support::{Proxy, cluster, cluster_with, connect, execute};

const USER: &str = "postgres://postgres:postgres@";

fn settings(url: &str) -> ConnectionSettings {
    ConnectionSettings::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// Runs a query on a session of each kind and returns the one answer.
async fn ask(url: &str, sql: &str) -> Result<Vec<TextRow>, PgError> {
    let settings = settings(url);
    let ordinary = match postgres::connect(&settings, "pgstream test").await {
        Ok(session) => session.text_rows(sql).await,
        Err(error) => Err(error),
    };
    let replication = match ReplicationConnection::connect(&settings).await {
        Ok(mut connection) => connection.query(sql).await,
        Err(error) => Err(error),
    };
    match (ordinary, replication) {
        (Ok(rows), Ok(same)) => {
            assert_eq!(rows, same, "{url}");
            Ok(rows)
        }
        (Err(error), Err(same)) => {
            assert_eq!(error.class(), same.class(), "{url}: {error} {same}");
            Err(error)
        }
        (one, other) => panic!("{url}: {one:?}, replication: {other:?}"),
    }
}

/// Returns `encrypted`, `plain`, or the class of the failure.
async fn encryption(url: &str) -> String {
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    match ask(url, sql).await {
        Ok(rows) if rows == [[Some("t".to_owned())]] => "encrypted".to_owned(),
        Ok(_) => "plain".to_owned(),
        Err(error) => format!("{:?}", error.class()),
    }
}

fn tls_cluster(tls: ServerTls, hba: &[&str]) -> TestCluster {
    let mut options = ClusterOptions::new("tls");
    options.tls = Some(tls);
    options.hba = hba.iter().map(|line| (*line).to_owned()).collect();
    cluster_with(options)
}

/// Keeps PEM texts in files for the length of a test.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn put(&self, name: &str, text: &str) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("a file");
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, private).expect("permissions");
        path.display().to_string()
    }
}

/// What a server without certificate does with each mode.
const WITHOUT_TLS: &[(&str, &str)] = &[
    ("sslmode=disable", "plain"),
    ("sslmode=allow", "plain"),
    ("sslmode=prefer", "plain"),
    ("sslmode=require", "Operator"),
];

/// What a server with a certificate does; `ROOT` is the file of its authority, `OTHER` of another.
const WITH_TLS: &[(&str, &str)] = &[
    ("sslmode=disable", "plain"),
    ("sslmode=allow", "plain"),
    ("sslmode=prefer", "encrypted"),
    ("sslmode=require", "encrypted"),
    ("sslmode=require&channel_binding=require", "encrypted"),
    ("sslmode=disable&channel_binding=require", "Operator"),
    ("sslmode=verify-ca", "Operator"),
    ("sslmode=verify-ca&sslrootcert=ROOT", "encrypted"),
    ("sslmode=verify-full&sslrootcert=ROOT", "encrypted"),
    ("sslmode=verify-ca&sslrootcert=OTHER", "Operator"),
    ("sslmode=require&sslrootcert=OTHER", "Operator"),
    ("sslmode=prefer&sslrootcert=OTHER", "plain"),
    ("sslrootcert=system", "Operator"),
];

#[tokio::test]
async fn every_sslmode_does_what_libpq_does() {
    let files = Files::new();
    let authority = Authority::new("root");
    let root = files.put("root.crt", &authority.certificate());
    let other = files.put("other.crt", &Authority::new("other").certificate());
    let with_tls = tls_cluster(authority.server(&["db.example.com"]), &[]);
    let without_tls = cluster("plain");
    for (cluster, cases) in [(&without_tls, WITHOUT_TLS), (&with_tls, WITH_TLS)] {
        for (words, expected) in cases {
            let words = words.replace("ROOT", &root).replace("OTHER", &other);
            let host = format!("db.example.com:{}", cluster.port());
            let url = format!("{USER}{host}/postgres?hostaddr=127.0.0.1&{words}");
            assert_eq!(encryption(&url).await, *expected, "{words}");
        }
    }
    for (mode, expected) in [("verify-ca", "encrypted"), ("verify-full", "Operator")] {
        let host = format!("127.0.0.1:{}", with_tls.port());
        let url = format!("{USER}{host}/postgres?sslmode={mode}&sslrootcert={root}");
        assert_eq!(encryption(&url).await, expected, "{mode} by address");
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_its_own_root() {
    let files = Files::new();
    let tls = self_signed_server("db.example.com");
    let root = files.put("root.crt", &tls.certificate);
    let cluster = tls_cluster(tls, &[]);
    for (host, mode, expected) in [
        ("db.example.com", "verify-full", "encrypted"),
        ("other.example.com", "verify-full", "Operator"),
        ("other.example.com", "verify-ca", "encrypted"),
    ] {
        let url = format!(
            "{USER}{host}:{}/postgres?hostaddr=127.0.0.1&sslmode={mode}&sslrootcert={root}",
            cluster.port()
        );
        assert_eq!(encryption(&url).await, expected, "{host} {mode}");
    }
}

/// libpq refuses what it lists, and we do not look into it; going on without encryption would be worse.
#[tokio::test]
async fn a_list_of_revoked_certificates_is_not_passed_over() {
    let files = Files::new();
    let authority = Authority::new("root");
    let root = files.put("root.crt", &authority.certificate());
    let list = files.put("root.crl", "any");
    let cluster = tls_cluster(authority.server(&["localhost"]), &[]);
    for mode in ["prefer", "require", "verify-full"] {
        let port = cluster.port();
        let url = format!("{USER}localhost:{port}/postgres?sslmode={mode}&sslrootcert={root}");
        let mut settings = settings(&url);
        settings.tls.home = Some(files.0.path().to_owned());

        let refused = postgres::connect(&settings, "pgstream test").await;

        let refused = refused.expect_err("a refusal");
        assert_eq!(refused.class(), ErrorClass::Operator, "{mode}");
        assert!(refused.hint().unwrap_or_default().contains(&list), "{mode}");
    }
}

#[tokio::test]
async fn a_certificate_made_by_the_manuals_recipe_is_good_enough() {
    let files = Files::new();
    let authority = Authority::new("root");
    let root = files.put("root.crt", &authority.certificate());
    let other = files.put("other.crt", &Authority::new("root").certificate());
    let cluster = tls_cluster(authority.server_of_version_1("db.example.com"), &[]);
    for (host, words, expected) in [
        ("db.example.com", "sslmode=require".to_owned(), "encrypted"),
        (
            "db.example.com",
            format!("sslmode=verify-full&sslrootcert={root}"),
            "encrypted",
        ),
        (
            "other.example.com",
            format!("sslmode=verify-ca&sslrootcert={root}"),
            "encrypted",
        ),
        (
            "other.example.com",
            format!("sslmode=verify-full&sslrootcert={root}"),
            "Operator",
        ),
        (
            "db.example.com",
            format!("sslmode=verify-ca&sslrootcert={other}"),
            "Operator",
        ),
    ] {
        let host = format!("{host}:{}", cluster.port());
        let url = format!("{USER}{host}/postgres?hostaddr=127.0.0.1&{words}");
        assert_eq!(encryption(&url).await, expected, "{host} {words}");
    }
}

#[tokio::test]
async fn the_other_encryption_is_tried_when_pg_hba_has_no_line_for_the_first() {
    let tls = || Authority::new("root").server(&["localhost"]);
    let only_encrypted = tls_cluster(
        tls(),
        &[
            "hostnossl all all all reject",
            "hostnossl replication all all reject",
        ],
    );
    let only_plain = tls_cluster(
        tls(),
        &[
            "hostssl all all all reject",
            "hostssl replication all all reject",
        ],
    );
    let cases = [
        (&only_encrypted, "allow", "encrypted"),
        (&only_encrypted, "prefer", "encrypted"),
        (&only_encrypted, "disable", "Operator"),
        (&only_plain, "prefer", "plain"),
        (&only_plain, "allow", "plain"),
        (&only_plain, "require", "Operator"),
    ];
    for (cluster, mode, expected) in cases {
        let url = format!("{USER}127.0.0.1:{}/postgres?sslmode={mode}", cluster.port());
        assert_eq!(encryption(&url).await, expected, "{mode}");
    }
}

#[tokio::test]
async fn a_client_certificate_is_enough_where_the_server_says_so() {
    let files = Files::new();
    let authority = Authority::new("root");
    let Identity { certificate, key } = authority.client("postgres");
    let (certificate, key) = (files.put("my.crt", &certificate), files.put("my.key", &key));
    let cluster = tls_cluster(
        authority.server(&["localhost"]),
        &[
            "hostssl all all all cert",
            "hostssl replication all all cert",
        ],
    );
    let url = format!(
        "postgres://postgres@127.0.0.1:{}/postgres?sslmode=require",
        cluster.port()
    );

    let with = format!("{url}&sslcert={certificate}&sslkey={key}");
    assert_eq!(encryption(&with).await, "encrypted");
    assert_eq!(encryption(&url).await, "Operator");
    let refused = postgres::connect(&settings(&url), "pgstream test").await;
    let hint = refused.expect_err("no certificate").hint();
    assert!(hint.unwrap_or_default().contains("sslcert=FILE"));

    let Identity { certificate, key } = authority.client_of_version_1("postgres");
    let (certificate, key) = (files.put("v1.crt", &certificate), files.put("v1.key", &key));
    let of_version_1 = format!("{url}&sslcert={certificate}&sslkey={key}");
    assert_eq!(encryption(&of_version_1).await, "encrypted");
}

#[tokio::test]
async fn every_password_method_is_answered() {
    for (method, stored_as) in [
        ("scram-sha-256", "scram-sha-256"),
        ("md5", "md5"),
        ("password", "md5"),
        ("trust", "md5"),
    ] {
        let cluster = cluster_with(
            ClusterOptions::new("methods")
                .setting("password_encryption", stored_as)
                .hba("local all all trust")
                .hba(&format!("host all carol all {method}")),
        );
        let administrator = settings(&cluster.socket_url("postgres"));
        let session = postgres::connect(&administrator, "pgstream test")
            .await
            .expect("a session");
        let role = "CREATE ROLE carol LOGIN REPLICATION PASSWORD 'p@ss$word#1\\x'";
        session.run(role).await.expect("a role");

        let url = |password: &str| {
            format!(
                "postgres://carol:{password}@127.0.0.1:{}/postgres",
                cluster.port()
            )
        };
        assert_eq!(
            encryption(&url("p%40ss%24word%231%5Cx")).await,
            "plain",
            "{method}"
        );
        let expected = if method == "trust" {
            "plain"
        } else {
            "Operator"
        };
        assert_eq!(encryption(&url("wrong")).await, expected, "{method}");
    }
}

#[tokio::test]
async fn a_unix_socket_needs_no_encryption_whatever_the_mode() {
    let cluster = cluster("socket");
    for mode in ["disable", "prefer", "require", "verify-full"] {
        let directory = cluster.socket_dir().display().to_string();
        let (directory, port) = (directory.replace('/', "%2F"), cluster.port());
        let url = format!("{USER}{directory}:{port}/postgres?sslmode={mode}");
        assert_eq!(encryption(&url).await, "plain", "{mode}");
    }
}

#[tokio::test]
async fn formats_are_pinned_against_the_users_own_options() {
    let cluster = cluster("pins");
    let url = format!(
        "{}&options=-c%20DateStyle%3DGerman%20-c%20statement_timeout%3D5s%20-c%20search_path%3Dpublic%20\
         -c%20bytea_output%3Descape%20-c%20extra_float_digits%3D0",
        cluster.url("postgres")
    );
    let sql = "SELECT current_setting('DateStyle') LIKE 'ISO%', current_setting('search_path'),
        current_setting('statement_timeout'), '\\x00'::bytea, 0.1::float8 + 0.2::float8,
        current_setting('TimeZone'), '-1.5'::numeric::money, current_setting('client_encoding')";

    let rows = ask(&url, sql).await.expect("an answer");

    let expected = [
        "t",
        "",
        "0",
        "\\x00",
        "0.30000000000000004",
        "UTC",
        "-$1.50",
        "UTF8",
    ];
    assert_eq!(rows, [expected.map(|text| Some(text.to_owned()))]);
}

#[tokio::test]
async fn failures_name_the_server_and_the_hint() {
    let cluster = cluster("failures");
    let port = cluster.port();
    let cases = [
        (
            format!("{USER}127.0.0.1:{port}/none"),
            ErrorClass::Operator,
            "CREATE DATABASE \"none\"; or",
        ),
        (
            format!("postgres://postgres:wrong@127.0.0.1:{port}"),
            ErrorClass::Operator,
            "check the password of role postgres, from the connection string",
        ),
        (
            "postgres://postgres:wrong@127.0.0.1:1/db?sslmode=disable".to_owned(),
            ErrorClass::Transient,
            "psql \"postgresql://postgres@127.0.0.1:1/db",
        ),
        (
            format!("{USER}%2Fnowhere/postgres"),
            ErrorClass::Transient,
            "psql",
        ),
    ];
    for (url, class, hint) in cases {
        let error = ask(&url, "SELECT 1").await.expect_err("a failure");

        assert_eq!(error.class(), class, "{error}");
        assert!(
            error.hint().unwrap_or_default().contains(hint),
            "{:?}",
            error.hint()
        );
        assert!(
            error.to_string().contains(&settings(&url).endpoint()),
            "{error}"
        );
        assert!(!format!("{error:?} {:?}", error.hint()).contains("wrong"));
    }
}

/// Each fix is carried out as it was reported.
#[tokio::test]
async fn a_missing_right_to_enter_is_fixed_by_the_statement_reported() {
    let cluster = cluster("rights");
    let admin = connect(&cluster.url("postgres")).await;
    for statement in [
        "CREATE ROLE \"The reader\" LOGIN PASSWORD 'sesame'",
        "CREATE DATABASE \"My shop\"",
        "REVOKE CONNECT ON DATABASE \"My shop\" FROM PUBLIC",
    ] {
        execute(&admin, statement).await;
    }
    let port = cluster.port();
    let url = format!("postgres://The%20reader:sesame@127.0.0.1:{port}/My%20shop?sslmode=disable");
    let settings = settings(&url);

    let ordinary = || postgres::connect(&settings, "pgstream test");
    let closed = ordinary().await.expect_err("no CONNECT");
    let hint = "GRANT CONNECT ON DATABASE \"My shop\" TO \"The reader\";";
    assert_eq!(closed.hint().as_deref(), Some(hint), "{closed}");
    execute(&admin, hint).await;
    ordinary().await.expect("a session");

    let replication = || ReplicationConnection::connect(&settings);
    let closed = replication().await.expect_err("no REPLICATION");
    let hint = "ALTER ROLE \"The reader\" REPLICATION;";
    assert_eq!(closed.hint().as_deref(), Some(hint), "{closed}");
    execute(&admin, hint).await;
    replication().await.expect("a session");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let cluster = cluster("silent");
    let proxy = Proxy::start(cluster.port());
    proxy.stall();
    let url = format!(
        "{}&connect_timeout=2",
        proxy.through(&cluster.url("postgres"), cluster.port())
    );

    let error = ask(&url, "SELECT 1").await.expect_err("a failure");

    assert!(matches!(error, PgError::ConnectTimeout { .. }), "{error}");
    assert_eq!(error.class(), ErrorClass::Transient);
}

#[tokio::test]
async fn the_next_host_is_tried_and_the_right_one_is_kept() {
    let cluster = cluster("hosts");
    let port = cluster.port();
    let hosts = |attributes: &str| {
        format!("{USER}127.0.0.1:1,127.0.0.1:{port}/postgres?target_session_attrs={attributes}")
    };
    for attributes in ["any", "read-write", "primary", "prefer-standby"] {
        assert!(
            ask(&hosts(attributes), "SELECT 1").await.is_ok(),
            "{attributes}"
        );
    }
    for attributes in ["read-only", "standby"] {
        let error = ask(&hosts(attributes), "SELECT 1")
            .await
            .expect_err("no such server");
        assert!(matches!(error, PgError::WrongServer { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_running_statement_can_be_cancelled_and_the_end_is_noticed() {
    let mut cluster = cluster("cancel");
    let session = postgres::connect(&settings(&cluster.url("postgres")), "pgstream test").await;
    let session = session.expect("a session");

    let cancel = async {
        let watcher = postgres::connect(&settings(&cluster.url("postgres")), "watcher").await;
        let watcher = watcher.expect("a session");
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'";
        while watcher.text_rows(sql).await.expect("rows") != [[Some("1".to_owned())]] {}
        session.cancel().await
    };
    let (slept, cancelled) = tokio::join!(session.run("SELECT pg_sleep(60)"), cancel);
    cancelled.expect("the request is sent");
    let error = slept.expect_err("a cancelled statement");
    assert_eq!(error.code(), Some(postgres::sqlstate::QUERY_CANCELED));
    assert_eq!(error.statement(), Some("SELECT pg_sleep(60)"));

    cluster.stop_fast().expect("a stop");
    let why = session.closed().await.expect("a reason");
    assert_eq!(why.class(), ErrorClass::Transient);
}

#[tokio::test]
async fn replication_commands_report_what_the_server_says() {
    let cluster = cluster("commands");
    let connection = ReplicationConnection::connect(&settings(&cluster.url("postgres"))).await;
    let mut connection = connection.expect("a session");

    let refusal = connection
        .query("SELECT 1 / 0")
        .await
        .expect_err("a refusal");
    assert_eq!(refusal.code(), Some("22012"));
    let identity = connection.identify_system().await.expect("an identity");
    assert_eq!(identity.database.as_deref(), Some("postgres"));
    assert!(identity.wal_end > Lsn::ZERO);
    let missing = connection
        .start("none", Lsn::ZERO, &[])
        .await
        .expect_err("no such slot");
    assert_eq!(missing.class(), ErrorClass::Operator);
}
