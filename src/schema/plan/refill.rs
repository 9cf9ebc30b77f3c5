//! Tables whose rows follow as messages are emptied first: then a column gets its new type without
//! any conversion, and a new column its NOT NULL without any value.

use super::scene::Scene;
use super::steps::{Phase, Steps, label};
use crate::model::quote_literal;

pub(super) fn plan(scene: &Scene<'_>, steps: &mut Steps) {
    for oid in &scene.change.sends_rows {
        let images = scene.tables.get(oid);
        let Some(before) = images.and_then(|images| images.before.as_ref()) else {
            continue;
        };
        let name = before.qualified_name();
        if scene.selects(*oid, &name) {
            steps.add(Phase::Empty, &label("table", &name), empty(&name.quoted()));
        }
    }
}

/// The rows do not go away, they only change: no trigger may fire for them and no foreign key act.
/// The setting needs a privilege, so it is touched only where there is a trigger to keep quiet.
fn empty(quoted: &str) -> String {
    let literal = quote_literal(quoted);
    let literal = literal.trim_start();
    format!(
        "DO $do$ DECLARE role text := pg_catalog.current_setting('session_replication_role'); BEGIN \
         IF EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = {literal}::pg_catalog.regclass) \
         THEN SET LOCAL session_replication_role = replica; END IF; \
         DELETE FROM ONLY {quoted}; \
         PERFORM pg_catalog.set_config('session_replication_role', role, true) \
         WHERE role <> pg_catalog.current_setting('session_replication_role'); END $do$"
    )
}
