//! Extensions: one statement makes all that comes with one. What their scripts make is not described.
//!
//! The target may have another version of the files than the source: then its own is made, and that is
//! reported.

use crate::model::{do_block, quote_ident, quote_literal};
use crate::schema::description::Object;
use crate::schema::entry::ObjectChange;

use super::command_objects::CommandObjects;
use super::steps::{Phase, Steps};

/// Returns the statement that makes an extension, in the source's version where the target has its files.
pub(super) fn create(after: &Object) -> String {
    let Some(version) = after.extension_version() else {
        return after.definition.clone();
    };
    let (name, version) = (quote_literal(&after.name), quote_literal(version));
    let any = without_version(&after.definition);
    do_block(&format!(
        "BEGIN \
           IF EXISTS (SELECT FROM pg_catalog.pg_available_extension_versions AS v \
                      WHERE v.name OPERATOR(pg_catalog.=) {name} AND v.version OPERATOR(pg_catalog.=) {version}) THEN \
             {exact}; \
           ELSE \
             {any}; \
           END IF; \
         END",
        exact = after.definition,
    ))
}

/// What was taken out of an extension is not to go with it one day.
pub(super) fn release(command: &CommandObjects<'_>, steps: &mut Steps) {
    let mut others = command.change.others.iter();
    let altered = others.find(|other| other.tag == "ALTER EXTENSION");
    let Some(extension) = altered.and_then(|other| other.identity.as_ref()) else {
        return;
    };
    steps.may_fail(true);
    for member in &command.change.released {
        let sql = format!("ALTER EXTENSION {extension} DROP {member}");
        steps.add(Phase::DropObject, &format!("extension {extension}"), sql);
    }
    steps.may_fail(false);
}

/// Reports an extension that was made in another version: a statement that the target then refuses.
pub(super) fn compare_versions(command: &CommandObjects<'_>, steps: &mut Steps) {
    steps.may_fail(true);
    for object in command.objects {
        let ObjectChange::Object(images) = object else {
            continue;
        };
        let made = images.after.as_ref().filter(|_| images.before.is_none());
        if let Some((made, version)) = made.and_then(|made| Some((made, made.extension_version()?)))
        {
            let object = format!("version of extension {}", made.name);
            steps.add(Phase::Comment, &object, require(&made.name, version));
        }
    }
    steps.may_fail(false);
}

fn require(name: &str, version: &str) -> String {
    let update = format!(
        "ALTER EXTENSION {} UPDATE TO {}",
        quote_ident(name),
        quote_literal(version).trim_start()
    );
    let (name, version) = (quote_literal(name), quote_literal(version));
    do_block(&format!(
        "DECLARE \
           here pg_catalog.text := (SELECT e.extversion FROM pg_catalog.pg_extension AS e \
                                    WHERE e.extname OPERATOR(pg_catalog.=) {name}); \
         BEGIN \
           IF here OPERATOR(pg_catalog.<>) {version} THEN \
             RAISE EXCEPTION 'it is version % here and % on the source', here, {version} \
               USING HINT = {hint}, ERRCODE = 'feature_not_supported'; \
           END IF; \
         END",
        hint = quote_literal(&format!(
            "install the files of that version on the target, then: {update}"
        )),
    ))
}

fn without_version(definition: &str) -> &str {
    definition
        .rsplit_once(" VERSION ")
        .map_or(definition, |(rest, _)| rest)
}
