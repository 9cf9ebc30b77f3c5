//! COPY to COPY between two sessions: every transport and format, what is refused on either side,
//! what is broken off, and the memory that a giant row takes.

use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use pgstream::cluster::ClusterOptions;
use pgstream::config::ConnectionSettings;
use pgstream::model::{Classify as _, ErrorClass};
use pgstream::postgres::{
    Copied, CopyError, CopySession, ReplicationConnection, copy_through, sqlstate,
};
use tokio::sync::Notify;

use crate::support::clusters::TestCluster;
use crate::support::tls::Authority;
use crate::support::{cluster, cluster_with, every_server};

/// One server with both ends on it: a session that reads `s` and one that writes `t`.
struct Ends {
    source: CopySession,
    target: CopySession,
    cluster: TestCluster,
}

impl Ends {
    async fn start(setup: &str) -> Self {
        let cluster = cluster("copy");
        let url = cluster.url("postgres");
        Self::over(cluster, &url, setup).await
    }

    async fn over(cluster: TestCluster, url: &str, setup: &str) -> Self {
        let mut source = session(url).await;
        source.query(setup).await.expect("the set-up");
        Self {
            source,
            target: session(url).await,
            cluster,
        }
    }

    /// Copies what this query gives into `t`.
    async fn copy(&mut self, query: &str, format: &str) -> Result<Copied, CopyError> {
        self.copy_and_tell(query, format, &|_, _| {}).await
    }

    async fn copy_and_tell(
        &mut self,
        query: &str,
        format: &str,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Copied, CopyError> {
        let copy_to = format!("COPY ({query}) TO STDOUT (FORMAT {format})");
        let copy_from = format!("COPY public.t FROM STDIN (FORMAT {format})");
        let (source, target) = (&mut self.source, &mut self.target);
        copy_through(source, &copy_to, target, &copy_from, progress).await
    }

    /// Both sessions answer, and `t` has so many rows.
    async fn assert_usable(&mut self, row_count: u64) {
        for session in [&mut self.source, &mut self.target] {
            let rows = session.query("SELECT count(*) FROM public.t").await;
            assert_eq!(rows.expect("an answer"), [[Some(row_count.to_string())]]);
        }
    }
}

async fn session(url: &str) -> CopySession {
    let settings = ConnectionSettings::parse(url).expect("a valid URL");
    let session = CopySession::connect(&settings, "pgstream test").await;
    session.expect("a session")
}

/// More rows than any test waits for.
const ENDLESS: &str =
    "SELECT pg_catalog.generate_series(1, 1000000000000) AS a, repeat('x', 100) AS b";

/// Rows of every width, so that they are cut everywhere.
const VARIED: &str = "CREATE TABLE public.s (id int8, v text, j jsonb, n numeric, z bytea); \
     CREATE TABLE public.t (LIKE public.s); \
     INSERT INTO public.s SELECT i, repeat(chr(945 + i % 25), i % 700), jsonb_build_object('a', i), \
     nullif(i % 7, 3) / 3.0, decode(md5(i::text), 'hex') FROM generate_series(1, 20000) AS i; \
     INSERT INTO public.s VALUES (0, repeat('long', 300000)), (NULL, E'\\\\.\\n\\t\\\\N')";

#[tokio::test]
async fn rows_pass_unchanged_over_every_transport_in_every_format() {
    let mut options = ClusterOptions::new("copy");
    options.tls = Some(Authority::new("root").server(&["localhost"]));
    let cluster = cluster_with(options);
    let encrypted = format!("{}&sslmode=require", cluster.url("postgres"));
    let urls = [
        cluster.url("postgres"),
        cluster.socket_url("postgres"),
        encrypted,
    ];
    session(&urls[0])
        .await
        .query(VARIED)
        .await
        .expect("the set-up");
    for url in &urls {
        let (mut source, mut target) = (session(url).await, session(url).await);
        for format in ["text", "binary", "csv"] {
            target
                .query("TRUNCATE public.t")
                .await
                .expect("an empty table");
            let reported = Mutex::new((0, 0));
            let progress = |rows, bytes| {
                let mut reported = reported.lock().unwrap();
                *reported = (reported.0 + rows, reported.1 + bytes);
            };

            let copied = copy_through(
                &mut source,
                &format!("COPY public.s TO STDOUT (FORMAT {format})"),
                &mut target,
                &format!("COPY public.t FROM STDIN (FORMAT {format})"),
                &progress,
            )
            .await
            .expect("a copy");

            assert_eq!((copied.row_count, copied.taken_row_count), (20_002, 20_002));
            assert_eq!(
                *reported.lock().unwrap(),
                (20_002, copied.byte_count),
                "{format}"
            );
            let differing = "(TABLE public.s EXCEPT ALL TABLE public.t) UNION ALL \
                             (TABLE public.t EXCEPT ALL TABLE public.s)";
            let rows = target.query(differing).await.expect("rows");
            assert!(rows.is_empty(), "{url} {format}: {rows:?}");
        }
    }
}

#[tokio::test]
async fn an_empty_table_is_a_copy_of_no_rows() {
    let mut ends =
        Ends::start("CREATE TABLE public.s (a int); CREATE TABLE public.t (a int)").await;
    for format in ["text", "binary"] {
        let rows = AtomicU64::new(0);
        let progress = |count, _| {
            rows.fetch_add(count, Ordering::Relaxed);
        };

        let copied = ends
            .copy_and_tell("SELECT * FROM public.s", format, &progress)
            .await;

        assert_eq!(copied.expect("a copy").row_count, 0);
        assert_eq!(rows.into_inner(), 0, "{format}");
        ends.assert_usable(0).await;
    }
}

/// What the target refuses: its table, the rows, the format, and how the error ends.
#[rustfmt::skip]
const REFUSALS: [[&str; 4]; 6] = [
    ["a int", "VALUES ('7'), ('se\"cret 47')", "text", "22P02) at row 2, column \"a\""],
    ["a varchar(3)", "VALUES ('7'), ('1'), ('secret')", "binary", "22001) at row 3, column \"a\""],
    ["a int, b text NOT NULL", "VALUES (1, 'secret'), (2, NULL)", "text", "23502) at row 2, column \"b\""],
    ["a text PRIMARY KEY", "VALUES ('secret'), ('secret')", "text", "23505) at row 2"],
    ["a int, b int", "VALUES ('secret')", "text", "22P02) at row 1, column \"a\""],
    ["a jsonb", "VALUES ('{\"a\": secret}')", "text", "22P02) at row 1, column \"a\""],
];

#[tokio::test]
async fn a_refused_row_is_reported_by_number_and_column_and_never_by_value() {
    let mut ends = Ends::start("CREATE TABLE public.t ()").await;
    for [columns, query, format, end] in REFUSALS {
        let table = format!("DROP TABLE public.t; CREATE TABLE public.t ({columns})");
        ends.target.query(&table).await.expect("a table");

        let error = ends.copy(query, format).await.expect_err("a refusal");

        let CopyError::Target(cause) = &error else {
            panic!("{columns}: {error:?}")
        };
        let answer = cause.server().expect("an answer");
        assert_eq!(error.class(), ErrorClass::Data, "{columns}");
        assert!(answer.to_string().ends_with(end), "{columns}: {answer}");
        let fields = format!("{error:?} {answer} {} {:?}", answer.message, answer.detail);
        assert!(
            !fields.contains("secret") && answer.context.is_none(),
            "{fields}"
        );
        assert!(answer.statement.as_deref().unwrap().contains("FROM STDIN"));
        ends.assert_usable(0).await;
    }
}

#[tokio::test]
async fn a_refusal_is_noticed_while_rows_are_on_their_way() {
    let setup = "CREATE TABLE public.t (a int8 CHECK (a < 100000), b text)";
    let mut ends = Ends::start(setup).await;

    let error = ends.copy(ENDLESS, "text").await.expect_err("a refusal");

    assert_eq!(error.cause().code(), Some("23514"), "{error:?}");
    ends.assert_usable(0).await;
    let moved = ends.copy("SELECT 1, 'x'", "text").await.expect("a copy");
    assert_eq!(moved.row_count, 1);
}

#[tokio::test]
async fn a_refusal_at_the_start_leaves_both_sides_usable() {
    let mut ends = Ends::start("CREATE TABLE public.t (a int, b text)").await;

    let no_target = copy_through(
        &mut ends.source,
        &format!("COPY ({ENDLESS}) TO STDOUT"),
        &mut ends.target,
        "COPY public.none FROM STDIN",
        &|_, _| {},
    )
    .await
    .expect_err("no such table");
    assert!(matches!(no_target, CopyError::Target(_)), "{no_target:?}");
    assert_eq!(no_target.cause().code(), Some(sqlstate::UNDEFINED_TABLE));
    ends.assert_usable(0).await;

    let no_source = ends.copy("SELECT * FROM public.none", "text").await;
    let no_source = no_source.expect_err("no such table");
    assert!(matches!(no_source, CopyError::Source(_)), "{no_source:?}");
    ends.assert_usable(0).await;
}

#[tokio::test]
async fn an_error_of_the_source_midway_leaves_nothing_on_the_target() {
    let mut ends = Ends::start("CREATE TABLE public.t (a int, b text)").await;
    for format in ["text", "binary"] {
        let query = "SELECT 1 / (i - 5000), repeat('x', 1000) FROM generate_series(1, 9000) AS i";

        let error = ends
            .copy(query, format)
            .await
            .expect_err("a division by zero");

        assert!(matches!(error, CopyError::Source(_)), "{error:?}");
        assert_eq!(error.cause().code(), Some("22012"));
        ends.assert_usable(0).await;
    }
}

#[tokio::test]
async fn a_copy_under_way_can_be_cancelled_on_either_side() {
    let mut ends = Ends::start("CREATE TABLE public.t (a int8, b text)").await;
    for cancels_source in [true, false] {
        let side = if cancels_source {
            &ends.source
        } else {
            &ends.target
        };
        let canceller = side.canceller();
        let moving = Notify::new();
        let progress = |_, _| moving.notify_one();

        let cancel = async {
            moving.notified().await;
            canceller.cancel().await
        };
        let copy = ends.copy_and_tell(ENDLESS, "binary", &progress);
        let (copied, cancelled) = tokio::join!(copy, cancel);

        cancelled.expect("the request is sent");
        let error = copied.expect_err("a cancelled copy");
        assert_eq!(error.cause().code(), Some(sqlstate::QUERY_CANCELED));
        assert_eq!(matches!(error, CopyError::Source(_)), cancels_source);
        ends.assert_usable(0).await;
    }
}

#[tokio::test]
async fn a_side_that_goes_away_leaves_the_other_usable() {
    for source_goes in [true, false] {
        let mut ends = Ends::start("CREATE TABLE public.t (a int8, b text)").await;
        let mut other = session(&ends.cluster.url("postgres")).await;
        let side = if source_goes {
            &ends.source
        } else {
            &ends.target
        };
        let end = format!("SELECT pg_terminate_backend({})", side.process_id());
        let moving = Notify::new();
        let progress = |_, _| moving.notify_one();

        let terminate = async {
            moving.notified().await;
            other.query(&end).await
        };
        let (copied, ended) =
            tokio::join!(ends.copy_and_tell(ENDLESS, "text", &progress), terminate);

        ended.expect("an answer");
        let error = copied.expect_err("a lost side");
        assert_eq!(error.class(), ErrorClass::Transient, "{error:?}");
        assert_eq!(
            matches!(error, CopyError::Source(_)),
            source_goes,
            "{error:?}"
        );
        let left = if source_goes {
            &mut ends.target
        } else {
            &mut ends.source
        };
        left.query("TABLE public.t")
            .await
            .expect("a usable session");
        let gone = if source_goes {
            &mut ends.source
        } else {
            &mut ends.target
        };
        gone.query("SELECT 1").await.expect_err("a lost session");
    }
}

#[tokio::test]
async fn sessions_of_a_copy_dropped_midway_refuse_to_go_on() {
    let mut ends = Ends::start("CREATE TABLE public.t (a int8, b text)").await;
    let moving = Notify::new();
    let progress = |_, _| moving.notify_one();

    tokio::select! {
        copied = ends.copy_and_tell(ENDLESS, "text", &progress) => panic!("{copied:?}"),
        () = moving.notified() => {}
    }

    for session in [&mut ends.source, &mut ends.target] {
        let error = session.query("SELECT 1").await.expect_err("a refusal");
        assert_eq!(error.class(), ErrorClass::Bug, "{error}");
    }
    drop(ends);
}

/// More notices than any buffer between us and the servers holds.
const TALKATIVE: &str = "CREATE TABLE public.t (a int);
    CREATE FUNCTION public.talk(a int) RETURNS int LANGUAGE plpgsql AS $$
        BEGIN RAISE NOTICE '%', repeat('word ', 200); RETURN a; END $$;
    CREATE FUNCTION public.thin() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM public.talk(1); IF new.a % 2 = 0 THEN RETURN NULL; END IF; RETURN new; END $$;
    CREATE TRIGGER thin BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.thin()";

#[tokio::test]
async fn notices_hold_up_nothing_and_rows_that_a_trigger_leaves_out_are_counted() {
    let cluster = cluster("copy");
    let url = cluster.socket_url("postgres");
    let mut ends = Ends::over(cluster, &url, TALKATIVE).await;
    for session in [&mut ends.source, &mut ends.target] {
        session
            .query("SET client_min_messages = notice")
            .await
            .expect("a setting");
    }

    let query = "SELECT public.talk(i) FROM generate_series(1, 10000) AS i";
    let copied = ends.copy(query, "text").await.expect("a copy");

    assert_eq!((copied.row_count, copied.taken_row_count), (10_000, 5_000));
    ends.assert_usable(5_000).await;

    let query = "SELECT public.talk(1 / (9000 - i)) FROM generate_series(1, 10000) AS i";
    let error = ends
        .copy(query, "text")
        .await
        .expect_err("a division by zero");
    assert!(matches!(error, CopyError::Source(_)), "{error:?}");
    ends.assert_usable(5_000).await;
}

#[tokio::test]
async fn rows_that_our_role_may_not_see_are_an_error_and_not_left_out() {
    let setup = "CREATE TABLE public.s (a int); CREATE TABLE public.t (a int); \
                 INSERT INTO public.s VALUES (1), (2); ALTER TABLE public.s ENABLE ROW LEVEL SECURITY; \
                 CREATE POLICY few ON public.s USING (a = 1); \
                 CREATE ROLE carol; GRANT SELECT ON public.s TO carol";
    let mut ends = Ends::start(setup).await;
    ends.source.query("SET ROLE carol").await.expect("a role");

    let error = ends.copy("SELECT * FROM public.s", "text").await;

    let error = error.expect_err("a refusal");
    assert_eq!(error.class(), ErrorClass::Operator, "{error:?}");
    ends.target
        .query("SELECT 1")
        .await
        .expect("a usable session");
}

const GIANT_BYTES: u64 = 100 << 20;
/// Two pieces, and what the allocator and the rest of the process do meanwhile.
const GROWTH_KIB_MAX: u64 = 4 << 10;
/// Set in the process that does nothing but copy the giant.
const ALONE: &str = "PGSTREAM_TEST_ALONE";

#[tokio::test]
async fn a_row_of_a_hundred_megabytes_passes_in_a_few() {
    if std::env::var_os(ALONE).is_none() {
        let own = std::env::current_exe().expect("this binary");
        let name = "copy::a_row_of_a_hundred_megabytes_passes_in_a_few";
        let status = Command::new(own)
            .args([name, "--exact", "--nocapture"])
            .env(ALONE, "1")
            .status();
        assert!(status.expect("it runs").success());
        return;
    }
    let mut ends = Ends::start("CREATE TABLE public.t (a text)").await;
    let query = format!("SELECT repeat('0123456789abcdef', {})", GIANT_BYTES / 16);
    for format in ["text", "binary"] {
        let before = peak_kib();

        let copied = ends.copy(&query, format).await.expect("a copy");

        assert!(copied.byte_count > GIANT_BYTES);
        let growth = peak_kib() - before;
        assert!(growth < GROWTH_KIB_MAX, "{format}: {growth} KiB");
    }
    // A giant that the target refuses is not put together either.
    let limit = "ALTER TABLE public.t ADD CHECK (length(a) < 10) NOT VALID";
    ends.target.query(limit).await.expect("a constraint");
    let query = format!(
        "SELECT CASE WHEN i > 1 THEN repeat('x', {GIANT_BYTES}) ELSE 'too long already' END \
                         FROM generate_series(1, 3) AS i"
    );
    let before = peak_kib();
    ends.copy(&query, "text").await.expect_err("a refusal");
    ends.assert_usable(2).await;
    let growth = peak_kib() - before;
    assert!(growth < GROWTH_KIB_MAX, "refused: {growth} KiB");
}

/// The most memory that this process has had at a time.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number.expect("a peak").parse().expect("a number")
}

#[tokio::test]
async fn a_temporary_slots_snapshot_shows_what_was_committed_before_its_consistent_point() {
    for server in every_server() {
        let mut options = ClusterOptions::new("snapshot");
        options.server = Some(server);
        let cluster = cluster_with(options);
        let url = cluster.url("postgres");
        let settings = ConnectionSettings::parse(&url).expect("a valid URL");
        let mut ordinary = session(&url).await;
        let table = "CREATE TABLE public.s (a int); INSERT INTO public.s VALUES (1)";
        ordinary.query(table).await.expect("a table");

        let mut walsender = ReplicationConnection::connect(&settings)
            .await
            .expect("a session");
        let made = walsender.create_temporary_slot("odd_1", "pgoutput").await;
        let (consistent_point, snapshot) = made.expect("a slot");
        ordinary
            .query("INSERT INTO public.s VALUES (2)")
            .await
            .expect("a row");

        let import = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '{snapshot}'"
        );
        ordinary.query(&import).await.expect("the snapshot");
        let rows = ordinary
            .query("SELECT a FROM public.s")
            .await
            .expect("rows");
        assert_eq!(rows, [[Some("1".to_owned())]]);
        let lsn = format!("SELECT '{consistent_point}' <= pg_current_wal_lsn()");
        let rows = ordinary.query(&lsn).await.expect("an answer");
        assert_eq!(rows, [[Some("t".to_owned())]]);
        ordinary.query("COMMIT").await.expect("an end");
        drop(walsender);
    }
}
