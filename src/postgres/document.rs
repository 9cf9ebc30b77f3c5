//! Questions that a server answers with one JSON document: one round trip, one point in time, and no
//! column lists that differ between versions.

use serde::de::DeserializeOwned;
use tokio_postgres::types::ToSql;

use super::{PgError, Session};

/// Runs a statement whose only row and column is a JSON document as text.
///
/// # Errors
/// By SQLSTATE; Bug when the answer is not the document asked for.
pub(crate) async fn document<T: DeserializeOwned>(
    session: &Session,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<T, PgError> {
    let row = session.row(sql, parameters).await?;
    let text: String = row.map_or_else(String::new, |row| row.get(0));
    serde_json::from_str(&text).map_err(|error| PgError::Protocol {
        object: session.object().to_owned(),
        what: format!("an answer that is not the document asked for ({error})"),
    })
}
