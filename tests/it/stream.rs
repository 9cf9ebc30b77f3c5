//! The replication stream itself: large rows, cancelled waits, confirmed positions, and its end.

use std::time::Duration;

use futures_util::FutureExt as _;
use pgstream::cluster::ClusterOptions;
use pgstream::config::ConnectionSettings;
use pgstream::decode::Decoder;
use pgstream::model::{Change, Classify as _, ErrorClass, Event, Lsn, Value};
use pgstream::postgres::{
    self, FeedbackWriter, Frame, PgError, ReplicationConnection, Session, StandbyStatus, WalReader,
};

use crate::support::clusters::TestCluster;
use crate::support::tls::Authority;
use crate::support::{cluster, cluster_with};

const SLOT: &str = "slot";

/// A server with a slot, and an open stream from it.
struct Streaming {
    session: Session,
    decoder: Decoder,
    reader: WalReader,
    feedback: FeedbackWriter,
    cluster: TestCluster,
}

impl Streaming {
    async fn start(cluster: TestCluster, url: &str, plugin: &str, setup: &str) -> Self {
        let settings = ConnectionSettings::parse(url).expect("a valid URL");
        let session = postgres::connect(&settings, "pgstream test")
            .await
            .expect("a session");
        session.run(setup).await.expect("the set-up");
        session
            .run("CREATE PUBLICATION p FOR ALL TABLES")
            .await
            .expect("a publication");
        let slot = format!("SELECT pg_create_logical_replication_slot('{SLOT}', '{plugin}')");
        session.run(&slot).await.expect("a slot");
        let mut decoder = Decoder::for_plugin(plugin).expect("a plugin of ours");
        let connection = ReplicationConnection::connect(&settings)
            .await
            .expect("a session");
        let choices = decoder.option_choices("p", &[]);
        let started = connection.start_with_first(SLOT, Lsn::ZERO, &choices).await;
        let (choice, reader, feedback) = started.expect("a stream");
        decoder.started_with(choice);
        Self {
            session,
            decoder,
            reader,
            feedback,
            cluster,
        }
    }

    async fn plain(plugin: &str, setup: &str) -> Self {
        let cluster = cluster("stream");
        let url = cluster.url("postgres");
        Self::start(cluster, &url, plugin, setup).await
    }

    /// Returns the events up to the end of the next transaction that has changes.
    async fn transaction(&mut self) -> Result<Vec<Event>, PgError> {
        let mut events = Vec::new();
        loop {
            if let Frame::XLogData {
                wal_start, data, ..
            } = self.reader.next().await?
            {
                let decoded = self.decoder.decode(data, wal_start, &mut events);
                decoded.expect("a message of the plugin");
            }
            match events.last() {
                Some(Event::Commit(_)) if events.len() > 2 => return Ok(events),
                Some(Event::Commit(_)) => events.clear(),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_row_of_many_megabytes_arrives_whole_over_tcp_and_tls() {
    const LENGTH: usize = 48 << 20;
    let mut options = ClusterOptions::new("stream");
    options.tls = Some(Authority::new("root").server(&["localhost"]));
    let encrypted = cluster_with(options);
    let encrypted_url = format!(
        "postgres://postgres:postgres@127.0.0.1:{}/postgres?sslmode=require",
        encrypted.port()
    );
    let plain = cluster("stream");
    let plain_url = plain.url("postgres");
    for (cluster, url) in [(plain, plain_url), (encrypted, encrypted_url)] {
        let setup = "CREATE TABLE public.t (id int PRIMARY KEY, v text)";
        let mut streaming = Streaming::start(cluster, &url, "pgoutput", setup).await;
        let insert =
            format!("INSERT INTO public.t VALUES (1, repeat('x', {LENGTH})), (2, 'small')");
        streaming.session.run(&insert).await.expect("rows");

        let events = streaming.transaction().await.expect("a transaction");

        let lengths: Vec<usize> = events
            .iter()
            .filter_map(|event| match event {
                Event::Change(Change::Insert { new, .. }) => match new.values.last() {
                    Some(Value::Text(text)) => Some(text.len()),
                    other => panic!("{other:?}"),
                },
                _ => None,
            })
            .collect();
        assert_eq!(lengths, [LENGTH, 5], "{url}");
    }
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_nothing() {
    const ROWS: usize = 5000;
    let mut streaming =
        Streaming::plain("pgoutput", "CREATE TABLE public.t (id int PRIMARY KEY)").await;
    let insert = format!("INSERT INTO public.t SELECT generate_series(1, {ROWS})");
    streaming.session.run(&insert).await.expect("rows");

    let mut events = Vec::new();
    let mut next_is_buffered = false;
    while !matches!(events.last(), Some(Event::Commit(_))) {
        next_is_buffered = !next_is_buffered;
        let frame = if next_is_buffered {
            streaming.reader.next_buffered()
        } else {
            streaming.reader.next().now_or_never()
        };
        match frame.transpose().expect("no error") {
            Some(Frame::XLogData {
                wal_start, data, ..
            }) => {
                let decoded = streaming.decoder.decode(data, wal_start, &mut events);
                decoded.expect("a message of the plugin");
            }
            Some(Frame::Keepalive { .. }) => {}
            None => tokio::task::yield_now().await,
        }
    }

    assert_eq!(events.len(), ROWS + 2);
}

#[tokio::test]
async fn the_slot_follows_what_is_confirmed_and_no_further() {
    let mut streaming =
        Streaming::plain("pgoutput", "CREATE TABLE public.t (id int PRIMARY KEY)").await;
    for id in 0..2 {
        let insert = format!("INSERT INTO public.t VALUES ({id})");
        streaming.session.run(&insert).await.expect("a row");
    }
    let first = match streaming.transaction().await.expect("a transaction").last() {
        Some(Event::Commit(commit)) => commit.end_lsn,
        other => panic!("{other:?}"),
    };

    let sql = "SELECT confirmed_flush_lsn FROM pg_replication_slots";
    let before = streaming
        .session
        .text_rows(sql)
        .await
        .expect("rows")
        .remove(0);
    let status = StandbyStatus {
        written: first,
        flushed: first,
        applied: first,
        reply_requested: true,
        sent_at_us: 0,
    };
    streaming
        .feedback
        .send(&status)
        .await
        .expect("a status update");
    // A keepalive may have been on its way before the update came; then there is another one.
    let mut rows = Vec::new();
    while rows.first().is_none_or(|row: &Vec<_>| *row == before) {
        let frame = streaming.reader.next().await.expect("a frame");
        if matches!(frame, Frame::Keepalive { .. }) {
            rows = streaming.session.text_rows(sql).await.expect("rows");
        }
    }
    assert_eq!(rows, [[Some(first.to_string())]]);
}

#[tokio::test]
async fn the_stream_ends_in_order_from_either_side() {
    let streaming = Streaming::plain("pgoutput", "").await;
    let (mut reader, feedback) = (streaming.reader, streaming.feedback);
    feedback.finish().await.expect("an orderly end");
    assert!(matches!(
        last_error(&mut reader).await,
        PgError::StreamEnded { .. }
    ));

    let streaming = Streaming::plain("pgoutput", "").await;
    let (mut reader, mut cluster) = (streaming.reader, streaming.cluster);
    let feedback = tokio::task::spawn_blocking(move || {
        cluster.stop_immediate().expect("a stop");
        streaming.feedback
    });
    let error = last_error(&mut reader).await;
    assert_eq!(error.class(), ErrorClass::Transient, "{error}");
    drop(feedback.await.expect("the stop"));
}

async fn last_error(reader: &mut WalReader) -> PgError {
    let deadline = Duration::from_secs(30);
    let drained = async {
        loop {
            if let Err(error) = reader.next().await {
                return error;
            }
        }
    };
    tokio::time::timeout(deadline, drained)
        .await
        .expect("an end")
}

#[tokio::test]
async fn a_change_that_wal2json_leaves_out_stops_the_stream() {
    let setup = "CREATE TABLE public.keyless (a int); INSERT INTO public.keyless VALUES (1)";
    let mut streaming = Streaming::plain("wal2json", setup).await;
    let update = "DROP PUBLICATION p; UPDATE public.keyless SET a = 2";
    streaming.session.run(update).await.expect("an update");

    let error = streaming
        .transaction()
        .await
        .expect_err("a change is missing");

    assert!(matches!(error, PgError::StreamWarning(_)), "{error}");
    assert_eq!(error.class(), ErrorClass::Operator);
    assert!(error.to_string().contains("keyless"), "{error}");
}
