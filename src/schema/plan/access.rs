//! Owners and privileges: what the roles of the target allow of them.

use std::collections::BTreeMap;

use crate::model::{QualifiedName, quote_ident};
use crate::schema::entry::{Change, ObjectChange};
use crate::schema::privilege::PrivilegeChange;
use crate::schema::roles::Roles;

use super::copy::{CopyPlan, Stage, StagedStep};
use super::planned::{NotApplied, Plan};
use super::steps::Step;
use super::{owners, privileges};

/// What decides on owners and privileges.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    /// The roles of the target that are named.
    roles: &'a Roles,
    /// Rows are written as the owner of their table.
    as_owner: bool,
    /// Which tables replicate.
    selects: &'a dyn Fn(&QualifiedName) -> bool,
}

impl<'a> Access<'a> {
    /// Returns what decides.
    #[must_use]
    pub const fn new(
        roles: &'a Roles,
        as_owner: bool,
        selects: &'a dyn Fn(&QualifiedName) -> bool,
    ) -> Self {
        Self {
            roles,
            as_owner,
            selects,
        }
    }

    /// Adds the statements that give objects their owners, and roles their privileges.
    pub fn add_to(&self, plan: &mut Plan, change: &Change) {
        if plan.outside {
            return;
        }
        let selected = change
            .objects
            .iter()
            .filter(|object| self.is_selected(object));
        let selected: Vec<ObjectChange> = selected.cloned().collect();
        let (steps, kept) = owners::plan(&selected, self.roles, self.as_owner);
        plan.steps.extend(steps.into_iter().map(|(_, step)| step));
        plan.not_applied.extend(kept);
        for privileges in self.privileges(&change.privileges) {
            let (step, left) = privileges::plan(privileges, self.roles);
            plan.not_applied
                .extend(left.into_iter().map(|(_, left)| left));
            let Some(step) = step else { continue };
            match made_here(&change.objects, privileges) {
                // What the target refuses to make has a namesake there that is nobody's business.
                Some(label) => append(plan.steps.iter_mut(), &label, &step.sql),
                None => plan.steps.push(step),
            }
        }
    }

    /// Adds the same to a copy, where all of it comes behind the rows.
    pub fn add_to_copy(
        &self,
        plan: &mut CopyPlan,
        objects: &[ObjectChange],
        privileges: &[PrivilegeChange],
    ) {
        let (steps, kept) = owners::plan(objects, self.roles, self.as_owner);
        let staged = owners::staged(plan, steps, (objects, self.as_owner));
        plan.steps.extend(staged);
        plan.not_applied.extend(kept);
        let mut lacking: BTreeMap<String, usize> = BTreeMap::new();
        for privileges in self.privileges(privileges) {
            let (step, left) = privileges::plan(privileges, self.roles);
            for (role, left) in left {
                match role {
                    Some(role) => *lacking.entry(role).or_default() += 1,
                    None => plan.not_applied.push(left),
                }
            }
            let Some(step) = step else { continue };
            match made_here(objects, privileges) {
                Some(label) => {
                    let steps = plan.steps.iter_mut().map(|staged| &mut staged.step);
                    append(steps, &label, &step.sql);
                }
                None => plan.steps.push(StagedStep {
                    stage: Stage::Last,
                    relation: privileges.table_oid,
                    referenced: None,
                    step,
                }),
            }
        }
        plan.not_applied.extend(lacking.into_iter().map(no_role));
    }

    fn privileges<'c>(
        &self,
        changes: &'c [PrivilegeChange],
    ) -> impl Iterator<Item = &'c PrivilegeChange> {
        let selected = changes.iter().filter(|change| {
            let table = change.table.as_ref();
            !change.is_protected() && table.is_none_or(|table| (self.selects)(table))
        });
        selected.collect::<Vec<_>>().into_iter()
    }

    /// Types, schemas, and sequences that no table owns are no table's.
    fn is_selected(&self, object: &ObjectChange) -> bool {
        match object {
            ObjectChange::Table(images) => images
                .known()
                .is_some_and(|table| (self.selects)(&table.qualified_name())),
            _ => true,
        }
    }
}

/// A note a role, of however many objects.
fn no_role((role, count): (String, usize)) -> NotApplied {
    let quoted = quote_ident(&role);
    let has = match count {
        1 => "what it may do with 1 object is".to_owned(),
        count => format!("what it may do with {count} objects is"),
    };
    NotApplied {
        object: format!("privileges of role {role}"),
        reason: format!(
            "the target has no such role, and {has} left out: CREATE ROLE {quoted} there, then run there the GRANT \
             statements that pg_dump --schema-only prints of the source with TO {quoted}"
        ),
    }
}

/// Returns how a function, a view and so on is called that is made along with its privileges.
fn made_here(objects: &[ObjectChange], privileges: &PrivilegeChange) -> Option<String> {
    let is_of_relation = privileges.class == "pg_class";
    let made = objects.iter().find(|object| match object {
        ObjectChange::Object(images) => {
            let known = images.known();
            images.oid == privileges.oid
                && images.before.is_none()
                && known.is_some_and(|object| object.is_view() == is_of_relation)
        }
        _ => false,
    });
    made.map(ObjectChange::label)
}

/// Adds statements to the one that makes an object, if there is one.
fn append<'s>(mut steps: impl Iterator<Item = &'s mut Step>, label: &str, sql: &str) {
    let made = steps
        .find(|step| step.optional && step.object == label && !step.sql.starts_with("REFRESH "));
    if let Some(step) = made {
        step.sql.push_str(";\n");
        step.sql.push_str(sql);
    }
}
