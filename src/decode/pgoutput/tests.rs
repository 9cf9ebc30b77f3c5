//! Round trips through the plugin's side, and bytes that no plugin wrote.
#![expect(clippy::indexing_slicing, reason = "a test that indexes wrongly fails")]

use proptest::prelude::*;

use super::*;

fn relation() -> Arc<Relation> {
    let column = |name: &str, key| Column {
        name: name.into(),
        key,
    };
    Arc::new(Relation {
        id: RelationId(42),
        name: QualifiedName::new("pub\"lic", "Order items"),
        identity: ReplicaIdentity::Default,
        columns: [column("id", true), column("note", false)].into(),
    })
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(Value::Unchanged),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Value::Text(bytes.into())),
    ]
}

fn any_tuple() -> impl Strategy<Value = Tuple> {
    prop::collection::vec(any_value(), 2).prop_map(|values| Tuple {
        values: values.into(),
    })
}

fn any_old() -> impl Strategy<Value = OldTuple> {
    prop_oneof![
        any_tuple().prop_map(OldTuple::Key),
        any_tuple().prop_map(OldTuple::Full)
    ]
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        any_tuple().prop_map(|new| Change::Insert {
            relation: relation(),
            new
        }),
        (prop::option::of(any_old()), any_tuple()).prop_map(|(old, new)| Change::Update {
            relation: relation(),
            old,
            new
        }),
        any_old().prop_map(|old| Change::Delete {
            relation: relation(),
            old
        }),
        (0usize..4, any::<bool>(), any::<bool>()).prop_map(|(count, cascade, restart_identity)| {
            Change::Truncate {
                relations: vec![relation(); count],
                cascade,
                restart_identity,
            }
        }),
        "[a-zé.]{0,12}".prop_map(|prefix| Change::ForeignMessage {
            prefix: format!("pgstream.{prefix}").into(),
        }),
    ]
}

/// A transaction's events.
fn any_transaction() -> impl Strategy<Value = Vec<Event>> {
    let changes = prop::collection::vec(any_change(), 0..8);
    (
        any::<u32>(),
        any::<u64>(),
        any::<u64>(),
        any::<i64>(),
        changes,
    )
        .prop_map(|(xid, commit, end, commit_time_us, changes)| {
            let commit_lsn = Lsn(commit);
            let begin = Event::Begin(TransactionBegin {
                xid,
                commit_lsn,
                commit_time_us,
            });
            let end = Event::Commit(TransactionCommit {
                commit_lsn,
                end_lsn: Lsn(end),
                commit_time_us,
            });
            let changes = changes.into_iter().map(Event::Change);
            std::iter::once(begin).chain(changes).chain([end]).collect()
        })
}

fn ready() -> Pgoutput {
    let mut decoder = Pgoutput::default();
    assert_eq!(decoder.decode(encode::relation(&relation())), Ok(None));
    decoder
}

fn begun() -> Pgoutput {
    Pgoutput {
        open: Some(Lsn(1)),
        ..ready()
    }
}

crate::property::properties! {
    #[test]
    fn decoding_undoes_encoding(events in any_transaction()) {
        let mut decoder = ready();
        for event in events {
            prop_assert_eq!(decoder.decode(encode::event(&event)), Ok(Some(event)));
        }
    }

    #[test]
    fn damaged_messages_do_not_panic(
        events in any_transaction(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut decoder = ready();
        let description = encode::relation(&relation());
        for message in events.iter().map(encode::event).chain([description]) {
            let mut bytes = message.to_vec();
            for (at, bit) in &flips {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            let whole = bytes.clone();
            bytes.truncate(cut.index(bytes.len()));
            drop((decoder.decode(bytes.into()), decoder.decode(whole.into())));
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        drop(begun().decode(bytes.into()));
    }
}

fn row_of(id: u32) -> Bytes {
    let mut other = (*relation()).clone();
    other.id = RelationId(id);
    encode::event(&Event::Change(Change::Insert {
        relation: Arc::new(other),
        new: Tuple {
            values: [Value::Null, Value::Null].into(),
        },
    }))
}

#[test]
fn what_does_not_fit_is_an_error() {
    let mut extra = row_of(42).to_vec();
    extra.push(0);
    let binary: &[u8] = b"I\0\0\0\x2aN\0\x02b\0\0\0\0n";
    let narrow: &[u8] = b"I\0\0\0\x2aN\0\x01n";
    let name = relation().name.clone();
    let cases = [
        (
            row_of(7),
            DecodeError::UnknownRelation { id: RelationId(7) },
        ),
        (extra.into(), DecodeError::Trailing { count: 1 }),
        (
            binary.into(),
            DecodeError::Binary {
                relation: name.clone(),
            },
        ),
        (
            narrow.into(),
            DecodeError::ColumnCount {
                relation: name,
                expected: 2,
                found: 1,
            },
        ),
        (Bytes::from_static(b"S"), unknown("message", b'S')),
    ];
    for (message, error) in cases {
        assert_eq!(begun().decode(message), Err(error));
    }
    assert_eq!(
        ready().decode(row_of(42)),
        Err(DecodeError::Misplaced { what: "a row" })
    );
}

#[test]
fn fuzz_a_stream_of_pgoutput() {
    let (old, new) = (
        Tuple {
            values: [Value::Text(Bytes::from_static(b"1")), Value::Null].into(),
        },
        Tuple {
            values: [Value::Text(Bytes::from_static(b"2")), Value::Unchanged].into(),
        },
    );
    let begin = Event::Begin(TransactionBegin {
        xid: 1,
        commit_lsn: Lsn(1),
        commit_time_us: 0,
    });
    let commit = Event::Commit(TransactionCommit {
        commit_lsn: Lsn(1),
        end_lsn: Lsn(2),
        commit_time_us: 0,
    });
    let changes = [
        Change::Insert {
            relation: relation(),
            new: new.clone(),
        },
        Change::Update {
            relation: relation(),
            old: Some(OldTuple::Full(old.clone())),
            new,
        },
        Change::Delete {
            relation: relation(),
            old: OldTuple::Key(old),
        },
        Change::Truncate {
            relations: vec![relation()],
            cascade: true,
            restart_identity: false,
        },
    ];
    let changes = changes.into_iter().map(Event::Change);
    let events = std::iter::once(begin).chain(changes).chain([commit]);
    let messages = std::iter::once(encode::relation(&relation()));
    let stream = crate::fuzz::stream(messages.chain(events.map(|event| encode::event(&event))));

    crate::fuzz::fuzz(&[&stream], |input| {
        let mut decoder = Pgoutput::default();
        for message in crate::fuzz::messages(input) {
            drop(decoder.decode(Bytes::copy_from_slice(message)));
        }
    });
}
