//! What was changed while an event trigger was off. No record of it will ever come, and `init` describes
//! everything afresh: this is the last moment to say which objects differ from what was known of them.

use std::fmt::Write as _;

use crate::postgres::{PgError, Session};

use super::facts::Installation;

/// More names than this say no more than a number does.
const NAMES_MAX: usize = 20;

/// As the triggers describe: texts of types and defaults depend on these.
const BEGIN: &str = "\
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL quote_all_identifiers = off";

/// By the functions that wrote what is stored, whatever version they are of.
const DIFFERENT: &str = "\
SELECT pg_catalog.concat_ws(' ', CASE WHEN x.kind = 'object' THEN x.image ->> 'type' ELSE x.kind END,
         pg_catalog.concat_ws('.', pg_catalog.quote_ident(COALESCE(x.image ->> 'schema',
                                                  x.image -> 'table' ->> 'schema')),
                              pg_catalog.quote_ident(x.image ->> 'name')),
         CASE WHEN x.gone THEN '(dropped)' END)
FROM (
  SELECT COALESCE(d.kind, o.kind) AS kind, d.oid IS NULL AS gone,
         pgstream.with_names(COALESCE(d.description, o.description)) AS image
  FROM pgstream.describe(
         ARRAY(SELECT c.oid FROM pg_class AS c
               WHERE c.relkind IN ('r', 'p', 'i', 'I', 'S') AND c.oid >= 16384),
         ARRAY(SELECT k.oid FROM pg_constraint AS k WHERE k.conrelid >= 16384),
         ARRAY(SELECT t.oid FROM pg_type AS t WHERE t.oid >= 16384),
         ARRAY(SELECT n.oid FROM pg_namespace AS n), pgstream.all_objects()) AS d
  FULL JOIN pgstream.object AS o ON o.class = d.class AND o.oid = d.oid
  WHERE o.description IS DISTINCT FROM d.description) AS x
ORDER BY x.kind <> 'table', 1";

/// Returns what is to be said of an installation whose triggers do not all fire; none where nothing has
/// changed meanwhile.
pub(super) async fn unrecorded(
    source: &Session,
    installed: Option<&Installation>,
) -> Result<Option<String>, PgError> {
    if installed.is_none_or(|found| found.triggers || !found.of_this_database) {
        return Ok(None);
    }
    // Earlier builds described fewer kinds.
    let fewer = DIFFERENT.replace(", pgstream.all_objects()", "");
    let rows = match different(source, DIFFERENT).await? {
        Err(_older) => different(source, &fewer).await?,
        rows => rows,
    };
    let unknown = || vec!["nobody can tell which objects".to_owned()];
    let names = rows.map_or_else(
        |_older| unknown(),
        |rows| rows.iter().map(|row| row.get(0)).collect(),
    );
    Ok((!names.is_empty()).then(|| note(&names)))
}

async fn different(
    source: &Session,
    sql: &str,
) -> Result<Result<Vec<tokio_postgres::Row>, PgError>, PgError> {
    source.run(BEGIN).await?;
    let rows = source.rows(sql, &[]).await;
    source.run("ROLLBACK").await?;
    Ok(rows)
}

fn note(names: &[String]) -> String {
    let mut message = names[..names.len().min(NAMES_MAX)].join(", ");
    if names.len() > NAMES_MAX {
        write!(message, " and {} more", names.len() - NAMES_MAX).unwrap_or_default();
    }
    format!(
        "not all event triggers have fired of late, so what was changed meanwhile is not recorded and will \
         not reach the target: {message}; make these changes on the target, too, or have those tables copied again"
    )
}
