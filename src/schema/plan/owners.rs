//! What has an owner gets the one that it has on the source, where the target has that role and ours may act
//! for it. Functions, views and so on get theirs as they are made ([`super::object`]).
//!
//! Ours must keep the rights of the owner: it has to alter the table, and write to it, afterwards. Where rows are
//! written as the owner of their table, it is enough that ours can become that role.

use crate::model::{QualifiedName, do_block, quote_ident, quote_literal};
use crate::schema::entry::{Images, ObjectChange};
use crate::schema::roles::{Membership, Roles};

use super::copy::{CopyPlan, Stage, StagedStep};
use super::planned::NotApplied;
use super::steps::Step;

/// An object, and the owner that it had and has on the source.
struct Owned {
    oid: u32,
    is_table: bool,
    keyword: &'static str,
    name: QualifiedName,
    before: Option<String>,
    after: String,
}

impl Owned {
    fn of(object: &ObjectChange) -> Option<Self> {
        fn owned<T>(
            images: &Images<T>,
            keyword: &'static str,
            named: impl Fn(&T) -> (QualifiedName, &String),
        ) -> Option<Owned> {
            let (name, after) = named(images.after.as_ref()?);
            let before = images.before.as_ref().map(|before| named(before).1.clone());
            (!after.is_empty()).then(|| Owned {
                oid: images.oid,
                is_table: keyword == "TABLE",
                keyword,
                name,
                before,
                after: after.clone(),
            })
        }
        match object {
            ObjectChange::Table(i) => owned(i, "TABLE", |t| (t.qualified_name(), &t.owner)),
            ObjectChange::Type(i) => owned(i, "TYPE", |t| (t.qualified_name(), &t.owner)),
            ObjectChange::Schema(i) => owned(i, "SCHEMA", |s| {
                (QualifiedName::new("", s.name.as_str()), &s.owner)
            }),
            // One that a table owns has the table's owner.
            ObjectChange::Sequence(i) if i.known().is_some_and(|s| s.table_oid.is_none()) => {
                owned(i, "SEQUENCE", |s| (s.qualified_name(), &s.owner))
            }
            ObjectChange::Sequence(_)
            | ObjectChange::Index(_)
            | ObjectChange::Constraint(_)
            | ObjectChange::Object(_) => None,
        }
    }

    fn label(&self) -> String {
        let kind = self.keyword.to_lowercase();
        match self.name.schema.is_empty() {
            true => format!("owner of {kind} {}", self.name.name),
            false => format!("owner of {kind} {}", self.name),
        }
    }

    fn quoted(&self) -> String {
        match self.name.schema.is_empty() {
            true => quote_ident(&self.name.name),
            false => self.name.quoted(),
        }
    }

    fn alter(&self) -> String {
        let owner = quote_ident(&self.after);
        format!("ALTER {} {} OWNER TO {owner}", self.keyword, self.quoted())
    }

    /// Returns the step, or why there is none; of a new object neither: what our role makes is its own.
    fn step(&self, roles: &Roles, as_owner: bool) -> Option<Result<Step, NotApplied>> {
        let made = self.before.is_none();
        if self.before.as_ref() == Some(&self.after) || made && self.after == roles.ours {
            return None;
        }
        let (role, ours) = (quote_ident(&self.after), quote_ident(&roles.ours));
        let reason = match roles.membership(&self.after) {
            Some(Membership::Inheriting) => None,
            Some(Membership::Member) if as_owner && self.is_table => None,
            Some(Membership::Superuser) => Some(format!(
                "role {} is a superuser here and ours is not: a superuser can run {}",
                self.after,
                self.alter()
            )),
            Some(Membership::Member | Membership::Stranger) => Some(format!(
                "our role does not have the rights of role {}: GRANT {role} TO {ours}; {}",
                self.after,
                self.alter()
            )),
            None => Some(format!(
                "the target has no role {}: CREATE ROLE {role}; GRANT {role} TO {ours}; {}",
                self.after,
                self.alter()
            )),
        };
        match reason {
            Some(_) if made => None,
            Some(reason) => {
                let object = self.label();
                Some(Err(NotApplied { object, reason }))
            }
            None => Some(Ok(Step {
                optional: true,
                of_access: true,
                ..Step::new(self.label(), self.give(as_owner))
            })),
        }
    }

    /// A new owner must be allowed to make objects in the schema, but only for this statement; who writes rows
    /// as the owner of a table must find it there.
    fn give(&self, as_owner: bool) -> String {
        if self.name.schema.is_empty() {
            return self.alter();
        }
        let (schema, role) = (quote_ident(&self.name.schema), quote_ident(&self.after));
        let (schema_name, role_name) = (quote_literal(&schema), quote_literal(&self.after));
        let usage = match as_owner && self.is_table {
            true => format!(
                "IF NOT pg_catalog.has_schema_privilege({role_name}, schema, 'USAGE') THEN \
                   GRANT USAGE ON SCHEMA {schema} TO {role}; \
                 END IF; "
            ),
            false => String::new(),
        };
        do_block(&format!(
            "DECLARE \
               schema pg_catalog.oid := {schema_name}::pg_catalog.regnamespace; \
               may_make pg_catalog.bool := pg_catalog.has_schema_privilege({role_name}, schema, 'CREATE'); \
             BEGIN \
               {usage}IF NOT may_make THEN GRANT CREATE ON SCHEMA {schema} TO {role}; END IF; \
               {}; \
               IF NOT may_make THEN REVOKE CREATE ON SCHEMA {schema} FROM {role}; END IF; \
             END",
            self.alter()
        ))
    }
}

/// Returns the statements for what is made or changes its owner, each with its OID on the source, and what
/// keeps an owner. `as_owner`: rows are written as the owner of their table.
pub(super) fn plan(
    objects: &[ObjectChange],
    roles: &Roles,
    as_owner: bool,
) -> (Vec<(u32, Step)>, Vec<NotApplied>) {
    let (mut steps, mut kept) = (Vec::new(), Vec::new());
    for owned in objects.iter().filter_map(Owned::of) {
        match owned.step(roles, as_owner) {
            Some(Ok(step)) => steps.push((owned.oid, step)),
            Some(Err(left)) => kept.push(left),
            None => {}
        }
    }
    (steps, kept)
}

/// Returns the same for a copy. Where rows are written as the owner, a table has it before its rows.
pub(super) fn staged(
    plan: &CopyPlan,
    steps: Vec<(u32, Step)>,
    (objects, as_owner): (&[ObjectChange], bool),
) -> Vec<StagedStep> {
    let is_table = |oid| {
        let is =
            |object: &ObjectChange| matches!(object, ObjectChange::Table(_)) && object.oid() == oid;
        objects.iter().any(is)
    };
    let stage = |table| {
        let apart = |step: &StagedStep| step.stage == Stage::Table && step.relation == Some(table);
        match (as_owner, plan.steps.iter().any(apart)) {
            (true, true) => Stage::Table,
            (true, false) => Stage::Before,
            (false, _) => Stage::Last,
        }
    };
    let staged = steps.into_iter().map(|(oid, step)| {
        let relation = Some(oid).filter(|oid| is_table(*oid));
        StagedStep {
            stage: relation.map_or(Stage::Last, stage),
            relation,
            referenced: None,
            step,
        }
    });
    staged.collect()
}
