//! What each form of connection string comes to, and how each mistake is reported.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::Classify as _;

use super::*;

fn environment() -> Environment {
    Environment {
        defaults: Vec::new(),
        user: Some("alice".to_owned()),
        password: None,
        passfile: None,
        home: Some(PathBuf::from("/home/alice")),
        socket_directory: PathBuf::from("/run/pg"),
    }
}

fn parse(text: &str) -> ConnectionSettings {
    ConnectionSettings::parse_in(text, &environment())
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> String {
    match ConnectionSettings::parse_in(text, &environment()) {
        Ok(settings) => panic!("{text} was accepted as {settings}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_tutorial_url_names_the_database_after_the_user() {
    let settings = parse("postgres://postgres:postgres@localhost:5432?sslmode=disable");

    assert_eq!(settings.endpoint(), "localhost:5432/postgres");
    assert_eq!(settings.user(), "postgres");
    assert_eq!(settings.tls.mode, SslMode::Disable);
    assert_eq!(settings.password.as_ref().unwrap().expose(), "postgres");
}

#[test]
fn every_form_comes_to_its_endpoint() {
    let cases = [
        ("postgres://", "/run/pg:5432/alice"),
        ("postgresql:///db", "/run/pg:5432/db"),
        ("postgres://bob@", "/run/pg:5432/bob"),
        ("postgres://h", "h:5432/alice"),
        ("postgres://h:1/db", "h:1/db"),
        ("postgres://h:1,i:2,j/db", "h:1,i:2,j:5432/db"),
        ("postgres://[::1]:7/db", "[::1]:7/db"),
        ("postgres://%2Ftmp%2Fpg:5433/db", "/tmp/pg:5433/db"),
        ("postgres:///db?host=/tmp/pg&port=9", "/tmp/pg:9/db"),
        ("postgres://u:p%40ss@h/a%20b", "h:5432/a b"),
        ("postgres://u:p@ss@h/db", "h:5432/db"),
        ("host=h", "h:5432/alice"),
        ("host = h port=6 dbname = 'a b' user=bob", "h:6/a b"),
        ("host=h dbname='it\\'s'", "h:5432/it's"),
        ("host=a,b port=9", "a:9,b:9/alice"),
        ("hostaddr=10.0.0.1 port=5", "10.0.0.1:5/alice"),
        ("dbname=", "/run/pg:5432/alice"),
    ];
    for (text, endpoint) in cases {
        assert_eq!(parse(text).endpoint(), endpoint, "{text}");
    }
}

#[test]
fn mistakes_are_named_with_their_hint() {
    let cases = [
        (
            "",
            "a connection string is a URI such as postgres://user@host:5432/db, or key=value words",
        ),
        (
            "localhost",
            "a connection string is a URI such as postgres://user@host:5432/db, or key=value words",
        ),
        (
            "postgres://h?sslmod=disable",
            "connection string: one of its parameters does not exist, did you mean sslmode?",
        ),
        (
            "postgres://h?zzzzzzzzzz=1",
            "connection string: one of its parameters does not exist",
        ),
        (
            "host=h service=x",
            "connection parameter service is not supported: write the parameters of the service into the string",
        ),
        (
            "postgres://h?sslmode=on",
            "connection parameter sslmode is not one of disable, allow, prefer, require, verify-ca, verify-full",
        ),
        (
            "postgres://h:99999/db",
            "connection string: the port is not a number from 1 to 65535",
        ),
        (
            "postgres://h:0/db",
            "connection string: the port is not a number from 1 to 65535",
        ),
        (
            "host=a,b port=1,2,3",
            "connection string: 3 ports for 2 hosts",
        ),
        (
            "postgres://h?sslrootcert=system&sslmode=require",
            "connection parameter sslmode is not strong enough for sslrootcert=system (use verify-full)",
        ),
        (
            "host=h password='x",
            "connection string: a quoted value lacks its closing quote",
        ),
        (
            "postgres://h?connect_timeout=soon",
            "connection parameter connect_timeout is not a whole number",
        ),
        (
            "postgres://h/a%ZZ",
            "connection string: the database name holds a \"%\" that two hexadecimal digits do not follow",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(refusal(text), message, "{text}");
    }
}

#[test]
fn a_badly_escaped_password_is_not_repeated() {
    for text in [
        "postgres://u:hunter/2@h/db",
        "postgres://u:hunter?2@h/db",
        "postgres://u:hunter%2@h/db",
        "postgres://u:%00hunter@h/db",
        "host=h password='hunter",
        "postgres://u:p?hunter=2@h/db",
        "host=h password=p hunter=2",
        "host=h sslmode=hunter",
    ] {
        let error = ConnectionSettings::parse_in(text, &environment()).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter"), "{shown}");
        assert_eq!(error.class(), crate::model::ErrorClass::Usage);
    }
}

#[test]
fn what_a_string_leaves_out_comes_from_libpqs_variables() {
    let parse = |defaults: &[(&'static str, &str)], text: &str| {
        let defaults = defaults.iter();
        let environment = Environment {
            defaults: defaults
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            ..environment()
        };
        ConnectionSettings::parse_in(text, &environment).map_err(|error| error.to_string())
    };
    let place = [
        ("host", "there"),
        ("port", "7"),
        ("dbname", "shop"),
        ("sslmode", "require"),
    ];
    for (text, endpoint) in [
        ("postgres://", "there:7/shop"),
        ("postgres://bob@", "there:7/shop"),
        ("postgres://h", "h:7/shop"),
        ("postgres://h:5/db", "h:5/db"),
        ("dbname=db", "there:7/db"),
    ] {
        let settings = parse(&place, text).unwrap();
        assert_eq!(settings.endpoint(), endpoint, "{text}");
        assert_eq!(settings.tls.mode, SslMode::Require);
    }
    let own = parse(&place, "postgres://h/db?sslmode=disable").unwrap();
    assert_eq!(own.tls.mode, SslMode::Disable);
    for (default, message) in [
        (
            ("sslmode", "requir"),
            "connection parameter PGSSLMODE is not one of disable, allow, prefer, require, verify-ca, verify-full",
        ),
        (
            ("service", "x"),
            "connection parameter PGSERVICE is not supported: write the parameters of the service into the string",
        ),
    ] {
        assert_eq!(parse(&[default], "host=h").unwrap_err(), message);
    }
}

#[test]
fn printing_hides_the_password_and_parses_again() {
    let text = "postgres://u:hunter2@h:1,[::1]:2/a%2Fb?sslmode=verify-ca&sslrootcert=/r.crt\
                &connect_timeout=5&application_name=x%20y&options=-c%20a%3Db&target_session_attrs=primary";
    let settings = parse(text);

    let shown = settings.to_string();

    assert!(!format!("{settings:?} {shown}").contains("hunter2"));
    let mut without_password = settings.clone();
    without_password.password = None;
    assert_eq!(parse(&shown), without_password);
    assert_eq!(settings.connect_timeout, Some(Duration::from_secs(5)));
}

#[test]
fn the_password_file_follows_libpq() {
    let text = "# comment\nother:*:*:*:no\nh:5432:db:u\\:v:p\\:a\\\\ss\n*:*:*:*:last:ignored\nlocalhost:1:*:*:local\n";
    let place = |host: Host, port| HostPort {
        host,
        address: None,
        port,
    };
    let find = |place: &HostPort, user: &str| {
        let found = passfile::find(text, place, "db", user);
        found.map(|(line, secret)| (line, secret.expose().to_owned()))
    };

    assert_eq!(
        find(&place(Host::Name("h".into()), 5432), "u:v"),
        Some((3, "p:a\\ss".to_owned()))
    );
    assert_eq!(
        find(&place(Host::Name("x".into()), 1), "u"),
        Some((4, "last".to_owned()))
    );
    assert_eq!(
        passfile::find(
            "localhost:1:*:*:local",
            &place(Host::Directory("/tmp".into()), 1),
            "db",
            "u"
        )
        .unwrap()
        .1
        .expose(),
        "local"
    );
}

#[test]
fn a_password_file_that_others_can_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pgpass");
    std::fs::write(&path, "*:*:*:*:hunter2\n").unwrap();
    let settings = parse(&format!("host=h passfile='{}'", path.display()));
    let password = |mode| {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        settings.password_for(&settings.hosts[0])
    };

    assert_eq!(password(0o644), None);
    assert_eq!(password(0o600).unwrap().expose(), "hunter2");
}

#[test]
fn a_password_is_reported_by_where_it_came_from() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pgpass");
    std::fs::write(&path, "# comment\n*:*:*:*:hunter2\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let origin = |text: &str, password: Option<&str>| {
        let environment = Environment {
            password: password.map(Secret::new),
            ..environment()
        };
        let settings = ConnectionSettings::parse_in(text, &environment).unwrap();
        let settings = settings.with_origin("A_URL", Origin::Environment);
        settings.password_origin(&settings.hosts[0])
    };
    let filed = format!("host=h passfile='{}'", path.display());

    assert_eq!(
        origin("postgres://u:hunter2@h/db", Some("hunter3")).as_deref(),
        Some("A_URL in the environment")
    );
    assert_eq!(
        origin(&filed, Some("hunter3")).as_deref(),
        Some("PGPASSWORD in the environment")
    );
    assert_eq!(origin(&filed, None), Some(format!("{}:2", path.display())));
    assert_eq!(origin("host=h passfile=/nowhere", None), None);
}

#[test]
fn a_command_line_names_the_file_that_holds_the_address() {
    let settings = parse("postgres://u:hunter2@h/db");
    let by = |origin| settings.clone().with_origin("A_URL", origin).as_argument();
    let address = "--pgurl \"postgresql://u@h:5432/db\"";

    assert_eq!(settings.as_argument(), address);
    assert_eq!(by(Origin::Flag("--pgurl")), address);
    let file = |path: &str| Origin::File {
        path: path.into(),
        line: 2,
    };
    assert_eq!(by(file("a.env")), "-c a.env");
    assert_eq!(by(file("my files/a.env")), "-c 'my files/a.env'");
}

#[test]
fn a_host_is_a_name_or_an_address() {
    for good in [
        "db_1.example-a.com",
        "::1",
        "fe80::1%eth0",
        "10.0.0.1",
        "münchen.de",
    ] {
        let text = format!("host={good} user=u dbname=d");
        let settings = ConnectionSettings::parse_in(&text, &environment()).expect(good);
        assert_eq!(settings, parse(&settings.to_string()), "{good}");
    }
    for bad in [
        "h:5432",
        "h?a=b",
        "h#",
        "a%20b",
        "a;b",
        "h&i",
        "fe80::1%a?b",
        "::g",
    ] {
        let text = format!("host='{bad}' user=u dbname=d");
        let error = ConnectionSettings::parse_in(&text, &environment()).expect_err(bad);
        assert!(error.to_string().contains("neither a host name"), "{error}");
    }
}

#[test]
fn fuzz_connection_strings() {
    let good: [&[u8]; 5] = [
        b"postgres://me:p%40ss@h:1,[::1]:2/a%2Fb?sslmode=verify-full&connect_timeout=5&options=-c%20a%3Db",
        b"host=h,i hostaddr=10.0.0.1 port=5432 dbname='it\\'s' user=me password='a b'",
        b"postgresql:///db?host=/tmp&target_session_attrs=any&keepalives=0&channel_binding=require",
        b"postgres://me@h/db",
        b"postgres://me@[fe80::1%25eth0]/db",
    ];

    crate::fuzz::fuzz(&good, |input| {
        let text = String::from_utf8_lossy(input);
        if let Ok(settings) = ConnectionSettings::parse_in(&text, &environment()) {
            let shown = settings.to_string();
            let again = ConnectionSettings::parse_in(&shown, &environment());
            assert!(again.is_ok(), "{shown}");
        }
    });
}
