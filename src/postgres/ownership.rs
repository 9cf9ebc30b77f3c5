//! Refuses a database in which somebody else could make us run something: what is in schema `pgstream`
//! is read, and partly run, with our rights, on either side. Every session asks before anything else,
//! or is opened beside one that has asked, so no look at a record of ours comes before the answer.

use std::sync::LazyLock;

use crate::model::do_block;

use super::TextRow;
use super::error::PgError;
use super::owner::IS_OURS;

/// Gives one row for each thing in our schema that belongs to somebody whom we do not trust.
pub(super) static STRANGERS: LazyLock<String> =
    LazyLock::new(|| include_str!("../../assets/sql/strangers.sql").replace("$as_owner", &IS_OURS));

/// Requires that nothing was found.
pub(super) fn require(object: &str, found: &[TextRow]) -> Result<(), PgError> {
    if found.is_empty() {
        return Ok(());
    }
    let column = |at: usize| {
        let texts = found.iter().filter_map(|row| row.get(at)?.as_deref());
        texts.collect::<Vec<&str>>().join("; ")
    };
    Err(PgError::Strangers {
        object: object.to_owned(),
        what: column(0),
        fix: column(1),
    })
}

/// Returns the statement that requires the same inside a transaction that installs something: the schema
/// may have been made since the session asked.
#[must_use]
pub fn require_ownership_sql() -> String {
    let block = format!(
        "
DECLARE
  what pg_catalog.text;
  fix pg_catalog.text;
BEGIN
  SELECT pg_catalog.string_agg(s.what, '; '), pg_catalog.string_agg(s.fix, '; ') INTO what, fix FROM (
{}) AS s;
  IF what IS NOT NULL THEN
    RAISE insufficient_privilege USING MESSAGE = what, HINT = fix;
  END IF;
END
",
        &*STRANGERS
    );
    format!("{};\n", do_block(&block))
}
