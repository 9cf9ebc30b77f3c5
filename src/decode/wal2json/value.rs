//! From wal2json's printing of a value back to the type's own text.

use bytes::Bytes;

use crate::config::NullNumbers;
use crate::decode::DecodeError;
use crate::model::{QualifiedName, Value};

use super::message::Field;

/// `bytea`: the leading `\x` is cut off.
const BYTEA_OID: i64 = 17;
/// `real`, `double precision`, `numeric`: the types that know `NaN` and infinities. A domain over
/// one of them is printed as a string, exactly.
const SPECIAL_NUMBER_OIDS: [i64; 3] = [700, 701, 1700];

/// How values are to be read in this session.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reading {
    pub(super) null_numbers: NullNumbers,
    /// The plugin prints numbers as strings, special ones included.
    pub(super) numbers_are_exact: bool,
}

impl Reading {
    /// Returns the value of a field. Text without escapes is a slice of `data`.
    pub(super) fn value(
        self,
        data: &Bytes,
        relation: &QualifiedName,
        field: &Field<'_>,
    ) -> Result<Value, DecodeError> {
        let Some(typeoid) = field.typeoid else {
            return Err(DecodeError::PluginTooOld);
        };
        let Some(raw) = field.value else {
            return self.null(relation, field, typeoid);
        };
        let raw = raw.get();
        match raw {
            "true" => Ok(Value::Text(Bytes::from_static(b"t"))),
            "false" => Ok(Value::Text(Bytes::from_static(b"f"))),
            _ => match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
                Some(inner) if typeoid == BYTEA_OID => bytea(inner),
                Some(inner) if !inner.contains('\\') => {
                    Ok(Value::Text(data.slice_ref(inner.as_bytes())))
                }
                Some(_) => escaped(raw),
                None => Ok(Value::Text(data.slice_ref(raw.as_bytes()))),
            },
        }
    }

    fn null(
        self,
        relation: &QualifiedName,
        field: &Field<'_>,
        typeoid: i64,
    ) -> Result<Value, DecodeError> {
        let certain = self.numbers_are_exact
            || self.null_numbers == NullNumbers::Null
            || !SPECIAL_NUMBER_OIDS.contains(&typeoid);
        if certain {
            return Ok(Value::Null);
        }
        Err(DecodeError::AmbiguousNull {
            relation: relation.clone(),
            column: field.name.as_ref().into(),
        })
    }
}

fn bytea(hexadecimal: &str) -> Result<Value, DecodeError> {
    if hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(Value::Text(format!("\\x{hexadecimal}").into()))
    } else {
        // bytea_output is not hex, although we pinned it.
        Err(DecodeError::MissingField { field: "value" })
    }
}

fn escaped(raw: &str) -> Result<Value, DecodeError> {
    match serde_json::from_str::<String>(raw) {
        Ok(text) => Ok(Value::Text(text.into())),
        Err(error) => Err(DecodeError::Json {
            column: error.column(),
        }),
    }
}
