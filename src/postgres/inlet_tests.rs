#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

use proptest::prelude::*;

use super::*;

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + LENGTH_BYTES).unwrap();
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

/// Receives in chunks of these sizes, in turn.
fn receive(inlet: &mut Inlet, sent: &[u8], chunks: &[usize]) -> Vec<u8> {
    let (mut passed, mut left) = (Vec::new(), sent);
    for size in chunks.iter().cycle() {
        let (chunk, rest) = left.split_at((*size).min(left.len()));
        let mut chunk = chunk.to_vec();
        let kept = inlet.sift(&mut chunk).unwrap();
        passed.extend(&chunk[..kept]);
        left = rest;
        if left.is_empty() {
            break;
        }
    }
    passed
}

crate::property::properties! {
    #[test]
    fn notices_are_taken_out_wherever_they_stand(
        messages in proptest::collection::vec(
            (proptest::sample::select(b"SNCDZ".to_vec()), proptest::collection::vec(any::<u8>(), 0..40)),
            0..20,
        ),
        chunks in proptest::collection::vec(1..50_usize, 1..20),
    ) {
        let sent: Vec<u8> = messages.iter().flat_map(|(tag, body)| message(*tag, body)).collect();
        let others = messages.iter().filter(|(tag, _)| *tag != b'N');
        let others: Vec<u8> = others.flat_map(|(tag, body)| message(*tag, body)).collect();
        let notices = messages.iter().filter(|(tag, _)| *tag == b'N');
        let notices: Vec<Vec<u8>> = notices.map(|(_, body)| body.clone()).collect();
        let mut inlet = Inlet::default();

        prop_assert_eq!(receive(&mut inlet, &sent, &chunks), others);
        prop_assert_eq!(inlet.noticed(), notices);
    }
}

#[test]
fn a_large_notice_costs_no_memory() {
    let mut inlet = Inlet::default();
    let sent = [message(b'N', &[b'x'; 100_000]), message(b'Z', b"I")].concat();

    assert_eq!(receive(&mut inlet, &sent, &[7_000]), message(b'Z', b"I"));
    assert_eq!(inlet.noticed(), [[b'x'; NOTICE_BYTES_KEPT]]);
}

#[test]
fn behind_copy_both_everything_passes() {
    let mut inlet = Inlet::default();
    let opened = [message(b'N', b"gone"), message(b'W', &[0; 3])].concat();
    let stream = [message(b'N', b"stays"), vec![b'd', 0xff, 0xff, 0xff, 0xff]].concat();

    receive(&mut inlet, &opened, &[3]);

    assert_eq!(receive(&mut inlet, &stream, &[3]), stream);
}

#[test]
fn lengths_are_bounded_as_in_libpq() {
    let cases: [(u8, u32, bool, bool); 14] = [
        (b'R', 2_000, false, true),
        (b'R', 2_001, false, false),
        (b'E', 30_000, false, true),
        (b'E', 30_001, false, false),
        (b'D', 30_001, false, false),
        (b'S', 30_001, false, false),
        (b'N', 1 << 30, false, true),
        (b'D', 1 << 30, true, true),
        (b'd', 1 << 30, true, true),
        (b'E', 1 << 30, true, true),
        (b'D', (1 << 30) + 1, true, false),
        (b'C', 30_001, true, false),
        (b'Z', 3, true, false),
        (b'N', u32::MAX, false, false),
    ];
    for (tag, length, has_entered, expected) in cases {
        let [a, b, c, d] = length.to_be_bytes();
        let found = body_length([tag, a, b, c, d], has_entered);
        assert_eq!(found.is_ok(), expected, "{} {length}", char::from(tag));
    }
}

#[test]
fn fuzz_the_messages_of_a_server() {
    let good = [
        message(b'R', &[0; 4]),
        message(b'S', b"server_version\x0015\0"),
        message(b'N', b"SNOTICE\0C00000\0Mtext\0\0"),
        message(b'Z', b"I"),
        message(b'D', &[0; 60]),
        message(b'W', &[0; 3]),
    ]
    .concat();

    crate::fuzz::fuzz(&[&good], |input| {
        let mut inlet = Inlet::default();
        for chunk in input.chunks(11) {
            let mut chunk = chunk.to_vec();
            match inlet.sift(&mut chunk) {
                Ok(kept) => assert!(kept <= chunk.len()),
                Err(_) => break,
            }
        }
    });
}
