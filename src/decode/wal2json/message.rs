//! The JSON of one message, borrowed from its bytes.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::decode::DecodeError;
use crate::model::Lsn;

/// PostgreSQL's epoch, 2000-01-01 UTC, on the Unix clock.
const EPOCH_US: i64 = 946_684_800_000_000;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Action {
    #[serde(rename = "B")]
    Begin,
    #[serde(rename = "C")]
    Commit,
    #[serde(rename = "I")]
    Insert,
    #[serde(rename = "U")]
    Update,
    #[serde(rename = "D")]
    Delete,
    #[serde(rename = "T")]
    Truncate,
}

/// One message. Which fields are there depends on the action; text that is not there is empty.
/// (serde borrows a `Cow` only where it stands by itself, not inside an `Option`.)
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    pub(super) action: Action,
    #[serde(default)]
    xid: Option<u32>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    lsn: Cow<'a, str>,
    #[serde(borrow, default)]
    nextlsn: Cow<'a, str>,
    #[serde(borrow, default)]
    schema: Cow<'a, str>,
    #[serde(borrow, default)]
    table: Cow<'a, str>,
    #[serde(borrow, default)]
    columns: Option<Vec<Field<'a>>>,
    #[serde(borrow, default)]
    identity: Option<Vec<Field<'a>>>,
    #[serde(borrow, default)]
    pk: Vec<KeyField<'a>>,
}

/// A column with its value; none = null.
#[derive(Debug, Deserialize)]
pub(super) struct Field<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    /// Printed as a signed number; releases before 2.5 do not print it.
    #[serde(default)]
    pub(super) typeoid: Option<i64>,
    #[serde(borrow, default)]
    pub(super) value: Option<&'a RawValue>,
}

/// A column of the primary key.
#[derive(Debug, Deserialize)]
pub(super) struct KeyField<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
}

impl<'a> Message<'a> {
    /// Parses one message. The error says where, never what: the text holds values.
    pub(super) fn parse(data: &'a [u8]) -> Result<Self, DecodeError> {
        // Once for the whole is much faster than once for each string.
        let text = std::str::from_utf8(data).map_err(|_not_utf8| DecodeError::OtherEncoding)?;
        serde_json::from_str(text).map_err(|error| malformed(&error))
    }

    pub(super) fn xid(&self) -> Result<u32, DecodeError> {
        self.xid.ok_or(missing("xid"))
    }

    pub(super) fn lsn(&self) -> Result<Lsn, DecodeError> {
        position(&self.lsn, "lsn")
    }

    pub(super) fn next_lsn(&self) -> Result<Lsn, DecodeError> {
        position(&self.nextlsn, "nextlsn")
    }

    /// Returns the commit time, microseconds since 2000-01-01 UTC.
    pub(super) fn time_us(&self) -> Result<i64, DecodeError> {
        let raw = self.timestamp.ok_or(missing("timestamp"))?.get();
        match raw.trim_matches('"').parse::<Timestamp>() {
            Ok(time) => Ok(time.as_microsecond().saturating_sub(EPOCH_US)),
            Err(_not_a_time) => Err(missing("timestamp")),
        }
    }

    pub(super) fn schema(&self) -> Result<&str, DecodeError> {
        present(&self.schema, "schema")
    }

    pub(super) fn table(&self) -> Result<&str, DecodeError> {
        present(&self.table, "table")
    }

    pub(super) fn columns(&self) -> Result<&[Field<'a>], DecodeError> {
        self.columns.as_deref().ok_or(missing("columns"))
    }

    pub(super) fn identity(&self) -> Result<&[Field<'a>], DecodeError> {
        self.identity.as_deref().ok_or(missing("identity"))
    }

    pub(super) fn primary_key(&self) -> &[KeyField<'a>] {
        &self.pk
    }
}

fn position(text: &str, field: &'static str) -> Result<Lsn, DecodeError> {
    text.parse().map_err(|_not_a_position| missing(field))
}

fn present<'a>(text: &'a str, field: &'static str) -> Result<&'a str, DecodeError> {
    match text {
        "" => Err(missing(field)),
        text => Ok(text),
    }
}

fn malformed(error: &serde_json::Error) -> DecodeError {
    DecodeError::Json {
        column: error.column(),
    }
}

const fn missing(field: &'static str) -> DecodeError {
    DecodeError::MissingField { field }
}
