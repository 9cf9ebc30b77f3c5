//! Messages as the plugin wrote them on real servers, and text that it never wrote.

use proptest::prelude::*;

use super::*;

const BEGIN: &str = r#"{"action":"B","xid":7,"timestamp":"2024-01-01 00:00:00.000001+00","lsn":"0/20","nextlsn":"0/30"}"#;
const COMMIT: &str = r#"{"action":"C","xid":7,"timestamp":"2024-01-01 00:00:00.000001+00","lsn":"0/20","nextlsn":"0/30"}"#;
const INSERT: &str = r#"{"action":"I","schema":"public","table":"t","columns":[{"name":"id","typeoid":23,"value":1},{"name":"n","typeoid":1700,"value":-0.10},{"name":"b","typeoid":16,"value":true},{"name":"y","typeoid":17,"value":"00ff"},{"name":"x","typeoid":25,"value":"a\"\u00e9"},{"name":"j","typeoid":114,"value":"null"},{"name":"z","typeoid":-5,"value":null}],"pk":[{"name":"id","typeoid":23}]}"#;
const UPDATE: &str = r#"{"action":"U","schema":"public","table":"t","columns":[{"name":"id","typeoid":23,"value":2},{"name":"b","typeoid":16,"value":false}],"identity":[{"name":"id","typeoid":23,"value":1}],"pk":[{"name":"id","typeoid":23}]}"#;
const DELETE: &str = r#"{"action":"D","schema":"public","table":"t","identity":[{"name":"id","typeoid":23,"value":2}],"pk":[{"name":"id","typeoid":23}]}"#;
const DELETE_WITHOUT_ROW: &str = r#"{"action":"D","schema":"public","table":"t"}"#;
const TRUNCATE: &str = r#"{"action":"T","schema":"public","table":"t"}"#;
const TRUNCATE_OTHER: &str = r#"{"action":"T","schema":"public","table":"o"}"#;

fn decode_all(messages: &[(&str, u64)]) -> Result<Vec<Event>, DecodeError> {
    let mut decoder = Wal2json::default();
    let mut events = Vec::new();
    for (message, lsn) in messages {
        let data = Bytes::copy_from_slice(message.as_bytes());
        decoder.decode(&data, Lsn(*lsn), &mut events)?;
    }
    Ok(events)
}

fn changes(messages: &[(&str, u64)]) -> Vec<Change> {
    let whole: Vec<_> = std::iter::once(&(BEGIN, 1))
        .chain(messages)
        .chain([&(COMMIT, 9)])
        .copied()
        .collect();
    let events = decode_all(&whole).unwrap();
    let changes = events.into_iter().filter_map(|event| match event {
        Event::Change(change) => Some(change),
        Event::Begin(_) | Event::Commit(_) => None,
    });
    changes.collect()
}

fn text(text: &'static str) -> Value {
    Value::Text(Bytes::from_static(text.as_bytes()))
}

#[test]
fn positions_and_times_come_from_the_stream() {
    let commit_time_us = 757_382_400_000_001;

    assert_eq!(
        decode_all(&[(BEGIN, 1), (COMMIT, 2)]).unwrap(),
        [
            Event::Begin(TransactionBegin {
                xid: 7,
                commit_lsn: Lsn(0x20),
                commit_time_us
            }),
            Event::Commit(TransactionCommit {
                commit_lsn: Lsn(0x20),
                end_lsn: Lsn(0x30),
                commit_time_us
            }),
        ]
    );
}

#[test]
fn values_become_the_types_own_text() {
    match changes(&[(INSERT, 2)]).as_slice() {
        [Change::Insert { new, .. }] => assert_eq!(
            *new.values,
            [
                text("1"),
                text("-0.10"),
                text("t"),
                text("\\x00ff"),
                text("a\"é"),
                text("null"),
                Value::Null,
            ]
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn columns_that_are_left_out_are_unchanged_and_the_row_has_its_old_shape() {
    match changes(&[(INSERT, 2), (UPDATE, 3), (DELETE, 4)]).as_slice() {
        [
            Change::Insert { relation, .. },
            Change::Update {
                relation: of_update,
                old: Some(OldTuple::Key(old)),
                new,
            },
            Change::Delete {
                relation: of_delete,
                old: OldTuple::Key(gone),
            },
        ] => {
            assert!(Arc::ptr_eq(relation, of_update) && Arc::ptr_eq(relation, of_delete));
            assert_eq!(new.values.first(), Some(&text("2")));
            assert_eq!(new.values.get(1), Some(&Value::Unchanged));
            assert_eq!(old.values.first(), Some(&text("1")));
            assert_eq!(gone.values.get(1), Some(&Value::Null));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn tables_of_one_statement_are_truncated_together() {
    let names: Vec<Vec<String>> = changes(&[
        (TRUNCATE, 5),
        (TRUNCATE_OTHER, 5),
        (TRUNCATE, 6),
        (INSERT, 7),
    ])
    .iter()
    .filter_map(|change| match change {
        Change::Truncate { relations, .. } => Some(
            relations
                .iter()
                .map(|relation| relation.name.to_string())
                .collect(),
        ),
        _ => None,
    })
    .collect();

    assert_eq!(names, [vec!["public.t", "public.o"], vec!["public.t"]]);
}

#[test]
fn a_null_that_may_be_nan_is_refused_unless_the_plugin_prints_nan() {
    let message = INSERT.replace("-0.10", "null");
    let data = Bytes::from(message);
    let mut decoder = Wal2json {
        open: Some(Lsn(1)),
        ..Wal2json::default()
    };
    let mut events = Vec::new();

    let refusal = decoder.decode(&data, Lsn(2), &mut events).unwrap_err();
    assert!(matches!(refusal, DecodeError::AmbiguousNull { column, .. } if &*column == "n"));

    decoder.started_with(0);
    assert_eq!(decoder.decode(&data, Lsn(2), &mut events), Ok(()));
}

#[test]
fn messages_that_anybody_may_write_are_only_named() {
    let broken = b"{\"action\":\"M\",\"transactional\":true,\"prefix\":\"pgstream.rows\",\"content\":\"\xff\"\"}";
    let mut decoder = Wal2json::default();
    let mut events = Vec::new();
    for message in [&broken[..], BEGIN.as_bytes(), broken, COMMIT.as_bytes()] {
        let data = Bytes::copy_from_slice(message);
        decoder.decode(&data, Lsn(1), &mut events).unwrap();
    }

    let prefix = "pgstream.rows".into();
    let expected = Event::Change(Change::ForeignMessage { prefix });
    assert_eq!(events.len(), 3);
    assert_eq!(events.get(1), Some(&expected));
}

#[test]
fn what_does_not_fit_is_an_error() {
    for message in [
        "",
        "{}",
        "[]",
        r#"{"action":"X"}"#,
        r#"{"action":"I"}"#,
        r#"{"action":"U","schema":"s","table":"t","columns":[]}"#,
        DELETE_WITHOUT_ROW,
    ] {
        let mut events = Vec::new();
        let mut decoder = Wal2json {
            open: Some(Lsn(1)),
            ..Wal2json::default()
        };
        let data = Bytes::copy_from_slice(message.as_bytes());
        let outcome = decoder.decode(&data, Lsn(2), &mut events);
        assert!(outcome.is_err(), "{message} {events:?}");
    }
    assert_eq!(
        decode_all(&[(INSERT, 1)]),
        Err(DecodeError::Misplaced { what: "a row" })
    );
}

fn any_message() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        BEGIN,
        COMMIT,
        INSERT,
        UPDATE,
        DELETE,
        TRUNCATE,
        TRUNCATE_OTHER,
    ])
}

crate::property::properties! {
    #[test]
    fn damaged_messages_do_not_panic(
        messages in prop::collection::vec(any_message(), 1..8),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 0..3),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut decoder = Wal2json::default();
        let mut events = Vec::new();
        for message in messages {
            let mut bytes = message.as_bytes().to_vec();
            for (at, bit) in &flips {
                if let Some(byte) = bytes.get_mut(at.index(message.len())) {
                    *byte ^= 1 << bit;
                }
            }
            let whole = Bytes::from(bytes.clone());
            bytes.truncate(cut.index(message.len()));
            drop(decoder.decode(&whole, Lsn(1), &mut events));
            drop(decoder.decode(&bytes.into(), Lsn(1), &mut events));
            drop(decoder.decode(&Bytes::from_static(message.as_bytes()), Lsn(2), &mut events));
        }
    }
}

#[test]
fn fuzz_a_stream_of_wal2json() {
    let messages = [
        BEGIN,
        INSERT,
        UPDATE,
        DELETE,
        DELETE_WITHOUT_ROW,
        TRUNCATE,
        TRUNCATE_OTHER,
        COMMIT,
    ];
    let stream = crate::fuzz::stream(messages);

    crate::fuzz::fuzz(&[&stream], |input| {
        let (mut decoder, mut events) = (Wal2json::default(), Vec::new());
        for message in crate::fuzz::messages(input) {
            let data = Bytes::copy_from_slice(message);
            drop(decoder.decode(&data, Lsn(1), &mut events));
        }
    });
}
