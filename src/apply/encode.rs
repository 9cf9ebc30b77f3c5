//! Row values as PostgreSQL reads them: COPY lines and array literals. Pure; the value bytes are
//! copied once and only the separators are escaped.

use bytes::{BufMut as _, BytesMut};

use crate::model::{Tuple, Value};

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
            Value::Text(bytes) => escape(out, bytes, copy_escape),
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
                escape(&mut out, bytes, array_escape);
                out.put_u8(b'"');
            }
            Value::Null | Value::Unchanged => out.put_slice(b"NULL"),
        }
    }
    out.put_u8(b'}');
    out
}

const fn copy_escape(byte: u8) -> Option<u8> {
    match byte {
        b'\\' => Some(b'\\'),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        b'\t' => Some(b't'),
        _ => None,
    }
}

const fn array_escape(byte: u8) -> Option<u8> {
    match byte {
        b'\\' | b'"' => Some(byte),
        _ => None,
    }
}

/// Copies `bytes`, a backslash and the replacement in place of each byte that has one.
fn escape(out: &mut BytesMut, bytes: &[u8], replacement: impl Fn(u8) -> Option<u8>) {
    out.reserve(bytes.len() + 2);
    let mut start = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if let Some(replacement) = replacement(byte) {
            out.put_slice(&bytes[start..at]);
            out.put_slice(&[b'\\', replacement]);
            start = at + 1;
        }
    }
    out.put_slice(&bytes[start..]);
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
    fn array_literals_quote_every_element() {
        let values = [text("a\"b\\c"), Value::Null, text("NULL"), text("")];

        assert_eq!(
            array_literal(values.iter()),
            &br#"{"a\"b\\c",NULL,"NULL",""}"#[..]
        );
        assert_eq!(array_literal([].iter()), &b"{}"[..]);
    }
}
