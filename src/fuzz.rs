//! Damaged input for everything that reads what others write: decoders, frames, connection strings, the
//! configuration file. Good input is changed again and again, and whoever reads it must answer or refuse,
//! never panic.
//!
//! A fuzzer that watches which code is reached needs a nightly compiler; this one needs nothing, and so
//! runs wherever the tests do. Without `FUZZ_SECS` each target takes a moment; with it so many seconds.
//! `FUZZ_SEED` repeats a run.
#![expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that goes wrong fails"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::time::Instant;

/// Inputs of one target when no time is asked for.
const INPUTS: usize = 2_000;

/// Changes that one input takes at most.
const CHANGES_MAX: u64 = 6;

/// Inputs grow no further.
const BYTES_MAX: usize = 4_096;

/// What breaks programs: ends of ranges, signs, and what closes or escapes something.
const BYTES: &[u8] = b"\x00\x01\x7f\x80\xff'\"\\{}[],:;=%@/?#$ \n";
const WORDS: [u32; 7] = [0, 1, 3, 0x7fff_ffff, 0x8000_0000, 0x4000_0000, 0xffff_ffff];

/// Feeds inputs made of `good` ones to `read`, for as long as is asked for.
pub(crate) fn fuzz(good: &[&[u8]], mut read: impl FnMut(&[u8])) {
    let number = |name: &str| {
        let text = std::env::var(name).ok();
        text.map(|text| text.parse::<u64>().expect("a number"))
    };
    let seed = number("FUZZ_SEED").unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    let until = number("FUZZ_SECS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut random = Random(seed);
    let mut count = 0_usize;
    while until.map_or(count < INPUTS, |until| Instant::now() < until) {
        let input = random.changed(good);
        let outcome = catch_unwind(AssertUnwindSafe(|| read(&input)));
        assert!(
            outcome.is_ok(),
            "FUZZ_SEED={seed}, input {count}: {}",
            input.escape_ascii()
        );
        count += 1;
    }
}

/// Splits an input into the messages of a stream: each begins with its length in two bytes.
pub(crate) fn messages(mut input: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some((length, rest)) = input.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (message, rest) = rest.split_at(length);
        found.push(message);
        input = rest;
    }
    found
}

/// Joins messages so that [`messages`] splits them again.
pub(crate) fn stream<M: AsRef<[u8]>>(messages: impl IntoIterator<Item = M>) -> Vec<u8> {
    let mut joined = Vec::new();
    for message in messages {
        let message = message.as_ref();
        let length = u16::try_from(message.len()).expect("a short message");
        joined.extend(length.to_be_bytes());
        joined.extend(message);
    }
    joined
}

/// Numbers of no quality, which a seed repeats (xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).expect("a length");
        usize::try_from(self.next() % bound).expect("below a length")
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// One of the good inputs, changed a few times.
    fn changed(&mut self, good: &[&[u8]]) -> Vec<u8> {
        let mut input = self.pick(good).to_vec();
        for _ in 0..1 + self.next() % CHANGES_MAX {
            self.change(&mut input, good);
        }
        input.truncate(BYTES_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, good: &[&[u8]]) {
        let (at, other) = (self.below(input.len() + 1), self.below(input.len() + 1));
        let (from, to) = (at.min(other), at.max(other));
        match self.next() % 8 {
            0 => input.truncate(at),
            1 => drop(input.drain(from..to)),
            2 => input.insert(at, *self.pick(BYTES)),
            3 => {
                let part = input[from..to].to_vec();
                drop(input.splice(at..at, part));
            }
            4 => {
                let word = self.pick(&WORDS).to_be_bytes();
                let end = (at + word.len()).min(input.len());
                drop(input.splice(at..end, word));
            }
            5 => {
                let tail = self.pick(good);
                let from = self.below(tail.len() + 1);
                input.truncate(at);
                input.extend(&tail[from..]);
            }
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = match self.next() % 2 {
                        0 => *byte ^ 1 << self.below(8),
                        _ => *self.pick(BYTES),
                    };
                }
            }
        }
    }
}

#[test]
fn a_reader_that_panics_is_found() {
    let hits = |input: &[u8]| assert!(!input.contains(&0xff), "found");
    let found = catch_unwind(|| fuzz(&[b"abc"], hits));

    assert!(found.is_err());
    let one: [&[u8]; 3] = [b"a", b"", b"bc"];
    assert_eq!(messages(&stream(one)), one);
}
