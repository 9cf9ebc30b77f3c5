//! Reads the JSON of what the source sends.

use serde::de::DeserializeOwned;

use super::error::SchemaError;

pub(super) fn json<T: DeserializeOwned>(content: &str) -> Result<T, SchemaError> {
    serde_json::from_str(content).map_err(|source| SchemaError::ReadLetter { source })
}
