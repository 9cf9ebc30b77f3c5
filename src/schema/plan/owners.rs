//! Tables get the owner that they have on the source, where rows are written as the owner of their table
//! and our role is a member of that role on the target.

use crate::model::{do_block, quote_ident, quote_literal};

use super::super::entry::ObjectChange;
use super::Step;
use super::copy::{CopyPlan, Stage, StagedStep};

/// Returns the statement for each table that is made or changes its owner, with its OID on the source.
#[must_use]
pub fn owner_steps(objects: &[ObjectChange]) -> Vec<(u32, Step)> {
    let steps = objects.iter().filter_map(|object| {
        let ObjectChange::Table(images) = object else {
            return None;
        };
        let table = images.after.as_ref()?;
        let before = images.before.as_ref();
        if before.is_some_and(|before| before.owner == table.owner) {
            return None;
        }
        let name = table.qualified_name();
        let sql = give(&name.quoted(), &name.schema, &table.owner);
        Some((images.oid, Step::new(format!("table {name}"), sql)))
    });
    steps.collect()
}

/// Returns the same for a copy: each where its table is made.
#[must_use]
pub fn staged_owner_steps(plan: &CopyPlan, objects: &[ObjectChange]) -> Vec<StagedStep> {
    let stage = |table| {
        let apart = |step: &&StagedStep| step.stage == Stage::Table && step.relation == Some(table);
        match plan.steps.iter().any(|step| apart(&step)) {
            true => Stage::Table,
            false => Stage::Before,
        }
    };
    let steps = owner_steps(objects).into_iter();
    let staged = steps.map(|(table, step)| StagedStep {
        stage: stage(table),
        relation: Some(table),
        referenced: None,
        step,
    });
    staged.collect()
}

/// A new owner must be allowed to make objects in the schema, but only for this statement.
fn give(table: &str, schema: &str, owner: &str) -> String {
    let (schema, role) = (quote_ident(schema), quote_ident(owner));
    let (schema_name, role_name) = (quote_literal(&schema), quote_literal(owner));
    do_block(&format!(
        "DECLARE \
           schema pg_catalog.oid := {schema_name}::pg_catalog.regnamespace; \
           may_make pg_catalog.bool; \
         BEGIN \
           IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r \
                          WHERE r.rolname OPERATOR(pg_catalog.=) {role_name} \
                            AND pg_catalog.pg_has_role(r.oid, 'MEMBER')) THEN \
             RETURN; \
           END IF; \
           may_make := pg_catalog.has_schema_privilege({role_name}, schema, 'CREATE'); \
           IF NOT pg_catalog.has_schema_privilege({role_name}, schema, 'USAGE') THEN \
             GRANT USAGE ON SCHEMA {schema} TO {role}; \
           END IF; \
           IF NOT may_make THEN GRANT CREATE ON SCHEMA {schema} TO {role}; END IF; \
           ALTER TABLE {table} OWNER TO {role}; \
           IF NOT may_make THEN REVOKE CREATE ON SCHEMA {schema} FROM {role}; END IF; \
         END"
    ))
}
