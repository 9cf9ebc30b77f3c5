//! Schemas.

use crate::model::quote_ident;
use crate::schema::description::Schema;
use crate::schema::entry::Images;

use super::sql::comment;
use super::steps::{Phase, Steps};

pub(super) fn plan(images: &Images<Schema>, steps: &mut Steps) {
    let Some(after) = &images.after else {
        return;
    };
    let object = format!("schema {}", after.name);
    let name = quote_ident(&after.name);
    match &images.before {
        None => steps.add(Phase::Schema, &object, format!("CREATE SCHEMA {name}")),
        Some(before) if before.name != after.name => {
            let old = quote_ident(&before.name);
            let sql = format!("ALTER SCHEMA {old} RENAME TO {name}");
            steps.add(Phase::Schema, &object, sql);
        }
        Some(_) => {}
    }
    let old_comment = images.before.as_ref().and_then(|s| s.comment.as_ref());
    let target = format!("SCHEMA {name}");
    comment(steps, &object, &target, old_comment, after.comment.as_ref());
}
