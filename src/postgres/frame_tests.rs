//! The frame parser against hand-made streams, cut anywhere.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails"
)]

use bytes::BufMut as _;
use proptest::prelude::*;

use super::*;

fn copy_data(body: &[u8]) -> Vec<u8> {
    let mut message = vec![b'd'];
    message.put_u32(u32::try_from(body.len() + 4).unwrap());
    message.extend_from_slice(body);
    message
}

fn encode(frame: &Frame) -> Vec<u8> {
    let mut body = Vec::new();
    match frame {
        Frame::XLogData {
            wal_start,
            wal_end,
            data,
        } => {
            body.put_u8(b'w');
            body.put_u64(wal_start.0);
            body.put_u64(wal_end.0);
            body.put_u64(7);
            body.extend_from_slice(data);
        }
        Frame::Keepalive {
            wal_end,
            reply_requested,
        } => {
            body.put_u8(b'k');
            body.put_u64(wal_end.0);
            body.put_u64(7);
            body.put_u8(u8::from(*reply_requested));
        }
    }
    copy_data(&body)
}

fn drain(buffer: &mut FrameBuffer, frames: &mut Vec<Frame>) {
    while let Some(step) = buffer.step().unwrap() {
        match step {
            Step::Frame(frame) => frames.push(frame),
            Step::Ended | Step::Refused(_) | Step::Noticed(_) => {
                panic!("the stream has only frames")
            }
        }
    }
}

fn any_frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        (
            any::<u64>(),
            any::<u64>(),
            prop::collection::vec(any::<u8>(), 0..400)
        )
            .prop_map(|(start, end, data)| Frame::XLogData {
                wal_start: Lsn(start),
                wal_end: Lsn(end),
                data: data.into(),
            }),
        (any::<u64>(), any::<bool>()).prop_map(|(end, reply_requested)| Frame::Keepalive {
            wal_end: Lsn(end),
            reply_requested,
        }),
    ]
}

crate::property::properties! {
    #[test]
    fn any_chunking_gives_the_same_frames(
        frames in prop::collection::vec(any_frame(), 0..20),
        pieces in prop::collection::vec((1usize..200, any::<bool>()), 1..50),
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(encode).collect();
        let mut buffer = FrameBuffer::default();
        let mut parsed = Vec::new();
        let mut rest = bytes.as_slice();
        for (size, taken) in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            buffer.put(chunk);
            if *taken {
                drain(&mut buffer, &mut parsed);
            }
            rest = after;
        }
        drain(&mut buffer, &mut parsed);
        prop_assert_eq!(parsed, frames);
        prop_assert_eq!(buffer.byte_count(), 0);
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut buffer = FrameBuffer::default();
        buffer.put(&bytes);
        while let Ok(Some(_)) = buffer.step() {}
    }
}

#[test]
fn a_giant_frame_has_a_buffer_of_its_own_size() {
    let data = vec![b'x'; 3 * READ_BYTES];
    let giant = Frame::XLogData {
        wal_start: Lsn(1),
        wal_end: Lsn(2),
        data: data.into(),
    };
    let small = Frame::Keepalive {
        wal_end: Lsn(3),
        reply_requested: true,
    };
    let stream = [encode(&small), encode(&giant), encode(&small)].concat();
    let mut buffer = FrameBuffer::default();
    let mut frames = Vec::new();

    for chunk in stream.chunks(READ_BYTES) {
        buffer.put(chunk);
        drain(&mut buffer, &mut frames);
        assert!(buffer.bytes.capacity() <= giant_bytes(&giant));
    }

    assert_eq!(frames, [small.clone(), giant, small]);
    assert!(buffer.bytes.capacity() <= READ_BYTES);
}

#[test]
fn what_is_received_ahead_waits_in_pieces() {
    let frame = Frame::XLogData {
        wal_start: Lsn(1),
        wal_end: Lsn(2),
        data: vec![b'x'; READ_BYTES / 3].into(),
    };
    let stream = encode(&frame).repeat(10);
    let mut buffer = FrameBuffer::default();
    let mut frames = Vec::new();

    stream
        .chunks(READ_BYTES)
        .for_each(|chunk| buffer.put(chunk));

    assert_eq!(buffer.byte_count(), stream.len());
    drain(&mut buffer, &mut frames);
    assert_eq!(frames, vec![frame; 10]);
    assert_eq!(buffer.byte_count(), 0);
}

fn giant_bytes(frame: &Frame) -> usize {
    encode(frame).len()
}

#[test]
fn fuzz_the_frames_of_a_stream() {
    let frames = [
        Frame::XLogData {
            wal_start: Lsn(1),
            wal_end: Lsn(2),
            data: Bytes::from_static(b"a row"),
        },
        Frame::Keepalive {
            wal_end: Lsn(3),
            reply_requested: true,
        },
    ];
    let mut stream: Vec<u8> = frames.iter().flat_map(encode).collect();
    stream.extend(b"N\0\0\0\x12SNOTICE\0C00000\0\0E\0\0\0\x0bC57P01\0\0Z\0\0\0\x05I");

    crate::fuzz::fuzz(&[&stream], |input| {
        let mut buffer = FrameBuffer::default();
        for chunk in input.chunks(7) {
            buffer.put(chunk);
            while let Ok(Some(_)) = buffer.step() {}
        }
    });
}

#[test]
fn the_content_of_a_large_logical_message_is_dropped_while_it_arrives() {
    let message = |prefix: &[u8], content: usize| {
        let mut data = vec![b'M', 1];
        data.put_u64(7);
        data.extend_from_slice(prefix);
        data.put_u8(0);
        data.put_u32(u32::try_from(content).unwrap());
        let head = data.clone();
        data.resize(head.len() + content, b'x');
        (head, data)
    };
    let sent = |data: &[u8]| Frame::XLogData {
        wal_start: Lsn(1),
        wal_end: Lsn(2),
        data: Bytes::copy_from_slice(data),
    };
    let row = sent(b"I a row");
    let large = message(b"any", 40 * READ_BYTES).1;
    let endless = message(&vec![b'p'; 3 * READ_BYTES], 1).1;
    let small = message(b"any", 10).1;
    let frames = [
        sent(&large),
        row.clone(),
        sent(&endless),
        sent(&small),
        row.clone(),
    ];
    let stream: Vec<u8> = frames.iter().flat_map(encode).collect();

    for chunk_bytes in [17, 5_000, READ_BYTES] {
        let mut buffer = FrameBuffer::default();
        let mut received = Vec::new();
        for chunk in stream.chunks(chunk_bytes) {
            buffer.put(chunk);
            drain(&mut buffer, &mut received);
            assert!(buffer.bytes.capacity() <= 3 * READ_BYTES, "{chunk_bytes}");
        }

        let nothing = message(b"any", 0).1;
        let cut = message(&vec![b'p'; PREFIX_BYTES_MAX], 0).1;
        let expected = [
            sent(&nothing),
            row.clone(),
            sent(&cut),
            sent(&small),
            row.clone(),
        ];
        assert_eq!(received, expected, "{chunk_bytes}");
        assert_eq!(buffer.byte_count(), 0);
    }
}
