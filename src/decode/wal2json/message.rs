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
    #[serde(rename = "M")]
    Message,
}

/// One message. Which fields are there depends on the action.
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    pub(super) action: Action,
    #[serde(default)]
    xid: Option<u32>,
    #[serde(borrow, default)]
    timestamp: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    lsn: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    nextlsn: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    schema: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    table: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    columns: Option<Vec<Field<'a>>>,
    #[serde(borrow, default)]
    identity: Option<Vec<Field<'a>>>,
    #[serde(borrow, default)]
    pk: Vec<KeyField<'a>>,
    #[serde(default)]
    pub(super) transactional: Option<bool>,
    #[serde(borrow, default)]
    prefix: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Option<Cow<'a, str>>,
}

/// A column with its value; none = null.
#[derive(Debug, Deserialize)]
pub(super) struct Field<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    /// Printed as a signed number.
    pub(super) typeoid: i64,
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
        serde_json::from_slice(data).map_err(|error| DecodeError::Json {
            column: error.column(),
        })
    }

    pub(super) fn xid(&self) -> Result<u32, DecodeError> {
        self.xid.ok_or(missing("xid"))
    }

    pub(super) fn lsn(&self) -> Result<Lsn, DecodeError> {
        position(self.lsn.as_deref(), "lsn")
    }

    pub(super) fn next_lsn(&self) -> Result<Lsn, DecodeError> {
        position(self.nextlsn.as_deref(), "nextlsn")
    }

    /// Returns the commit time, microseconds since 2000-01-01 UTC.
    pub(super) fn time_us(&self) -> Result<i64, DecodeError> {
        let text = self.timestamp.as_deref().ok_or(missing("timestamp"))?;
        match text.parse::<Timestamp>() {
            Ok(time) => Ok(time.as_microsecond().saturating_sub(EPOCH_US)),
            Err(_not_a_time) => Err(missing("timestamp")),
        }
    }

    pub(super) fn schema(&self) -> Result<&str, DecodeError> {
        self.schema.as_deref().ok_or(missing("schema"))
    }

    pub(super) fn table(&self) -> Result<&str, DecodeError> {
        self.table.as_deref().ok_or(missing("table"))
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

    pub(super) fn prefix(&self) -> Result<&str, DecodeError> {
        self.prefix.as_deref().ok_or(missing("prefix"))
    }

    pub(super) fn content(&self) -> Result<&str, DecodeError> {
        self.content.as_deref().ok_or(missing("content"))
    }
}

fn position(text: Option<&str>, field: &'static str) -> Result<Lsn, DecodeError> {
    text.and_then(|text| text.parse().ok())
        .ok_or(missing(field))
}

const fn missing(field: &'static str) -> DecodeError {
    DecodeError::MissingField { field }
}
