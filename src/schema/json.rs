//! Reads the JSON of what the source sends.

use super::error::SchemaError;
use serde::de::DeserializeOwned;

pub(super) fn json<T: DeserializeOwned>(content: &str) -> Result<T, SchemaError> {
    serde_json::from_str(content).map_err(|source| SchemaError::ReadLetter { source })
}
