//! Row values as PostgreSQL reads them: COPY lines and array literals. Pure; the value bytes are
//! copied once and only the separators are escaped.

use std::ops::Range;

use bytes::{BufMut as _, BytesMut};

use crate::model::{Tuple, Value};

const COPY_ESCAPES: [(u8, u8); 4] = [(b'\\', b'\\'), (b'\n', b'n'), (b'\r', b'r'), (b'\t', b't')];
const ARRAY_ESCAPES: [(u8, u8); 2] = [(b'\\', b'\\'), (b'"', b'"')];

/// Appends one line of COPY's text format (manual, `COPY`, «Text Format»).
///
/// [`Value::Unchanged`] cannot be copied; callers only give rows that are whole, and a row that is
/// not would become NULL silently, so it is refused in debug builds.
pub(super) fn copy_line(out: &mut BytesMut, columns: &[usize], row: &Tuple) {
    for (position, &column) in columns.iter().enumerate() {
        if position > 0 {
            out.put_u8(b'\t');
        }
        match &row.values[column] {
            Value::Text(bytes) => escape(out, bytes, COPY_ESCAPES),
            value => {
                debug_assert_eq!(*value, Value::Null, "only whole rows are copied");
                out.put_slice(b"\\N");
            }
        }
    }
    out.put_u8(b'\n');
}

/// Returns an array literal of one column of the rows (manual, section 8.15.2 «Array Value
/// Input»). Every element is quoted: it means the same and needs no look at its content.
pub(super) fn array_literal<'a>(values: impl Iterator<Item = &'a Value>) -> BytesMut {
    let mut out = BytesMut::from(&b"{"[..]);
    for (position, value) in values.enumerate() {
        if position > 0 {
            out.put_u8(b',');
        }
        match value {
            Value::Text(bytes) => {
                out.put_u8(b'"');
                escape(&mut out, bytes, ARRAY_ESCAPES);
                out.put_u8(b'"');
            }
            Value::Null | Value::Unchanged => out.put_slice(b"NULL"),
        }
    }
    out.put_u8(b'}');
    out
}

/// So many bytes are looked at in one go: nearly all of a value is plain, and compilers make vector code of
/// a look that does not stop half-way.
const BLOCK: usize = 32;

/// Copies `bytes`, a backslash and the replacement in place of each byte that has one.
fn escape<const N: usize>(out: &mut BytesMut, bytes: &[u8], escapes: [(u8, u8); N]) {
    out.reserve(bytes.len() + 2);
    let mut copied = 0;
    let mut put = |places: Range<usize>| {
        for at in places {
            let found = escapes.iter().find(|(special, _)| *special == bytes[at]);
            if let Some((_, replacement)) = found {
                out.put_slice(&bytes[copied..at]);
                out.put_slice(&[b'\\', *replacement]);
                copied = at + 1;
            }
        }
    };
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for (number, block) in blocks.iter().enumerate() {
        if has_special(block, escapes) {
            put(number * BLOCK..(number + 1) * BLOCK);
        }
    }
    if has_special(rest, escapes) {
        put(blocks.len() * BLOCK..bytes.len());
    }
    out.put_slice(&bytes[copied..]);
}

/// Inlined so that the length of a whole block is known where it counts.
#[inline(always)]
fn has_special<const N: usize>(block: &[u8], escapes: [(u8, u8); N]) -> bool {
    let mut found = false;
    for byte in block {
        for (special, _) in escapes {
            found |= *byte == special;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Value {
        Value::Text(bytes::Bytes::copy_from_slice(value.as_bytes()))
    }

    #[test]
    fn copy_lines_escape_what_separates() {
        let row = Tuple {
            values: [text("a\tb\\c\nd\re"), Value::Null, text("")].into(),
        };
        let mut out = BytesMut::new();

        copy_line(&mut out, &[0, 1, 2], &row);

        assert_eq!(out, &b"a\\tb\\\\c\\nd\\re\t\\N\t\n"[..]);
    }

    #[test]
    fn what_separates_is_escaped_wherever_it_stands() {
        for at in 0..3 * BLOCK {
            let mut value = "x".repeat(3 * BLOCK);
            value.replace_range(at..=at, "\t");
            let row = Tuple {
                values: [text(&value)].into(),
            };
            let mut out = BytesMut::new();

            copy_line(&mut out, &[0], &row);

            assert_eq!(out, value.replace('\t', "\\t") + "\n");
        }
    }

    #[test]
    fn array_literals_quote_every_element() {
        let values = [text("a\"b\\c"), Value::Null, text("NULL"), text("")];

        assert_eq!(
            array_literal(values.iter()),
            &br#"{"a\"b\\c",NULL,"NULL",""}"#[..]
        );
        assert_eq!(array_literal([].iter()), &b"{}"[..]);
    }
}
