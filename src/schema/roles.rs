//! Which roles of the source the target has, and what ours is to them.

use std::collections::{BTreeSet, HashMap};

use crate::postgres::{PgError, Session};

use super::entry::ObjectChange;
use super::privilege::PrivilegeChange;

/// What our role is to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// Nothing.
    Stranger,
    /// Nothing, and the other is a superuser.
    Superuser,
    /// It can become that role.
    Member,
    /// It has the rights of that role, too.
    Inheriting,
}

/// Roles of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// The one that applies.
    pub ours: String,
    known: HashMap<String, Membership>,
}

const ROLES: &str = "\
SELECT CURRENT_USER::pg_catalog.text, r.rolname::pg_catalog.text,
       pg_catalog.pg_has_role(r.oid, 'USAGE'), pg_catalog.pg_has_role(r.oid, 'MEMBER'), r.rolsuper
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = ANY ($1) OR r.rolname = CURRENT_USER";

impl Roles {
    /// Returns roles that are known, for who asks no server.
    #[must_use]
    pub fn new(ours: &str, known: impl IntoIterator<Item = (String, Membership)>) -> Self {
        Self {
            ours: ours.to_owned(),
            known: known.into_iter().collect(),
        }
    }

    /// Asks a server for the roles that own objects there, or have privileges.
    ///
    /// # Errors
    /// By SQLSTATE; Transient when the connection is lost.
    pub async fn read(
        session: &Session,
        objects: &[ObjectChange],
        privileges: &[PrivilegeChange],
    ) -> Result<Self, PgError> {
        let owners = objects.iter().filter_map(owner);
        let names = owners.chain(privileges.iter().flat_map(PrivilegeChange::roles));
        let names: Vec<&str> = names.collect::<BTreeSet<_>>().into_iter().collect();
        let rows = session.rows(ROLES, &[&names]).await?;
        let ours: String = rows.first().map_or_else(String::new, |row| row.get(0));
        let known = rows.iter().map(|row| {
            let membership = match (row.get(2), row.get(3), row.get(4)) {
                (true, _, _) => Membership::Inheriting,
                (false, true, _) => Membership::Member,
                (false, false, true) => Membership::Superuser,
                (false, false, false) => Membership::Stranger,
            };
            (row.get(1), membership)
        });
        Ok(Self::new(&ours, known))
    }

    /// Returns what ours is to a role; none: the target has no such role.
    #[must_use]
    pub fn membership(&self, role: &str) -> Option<Membership> {
        self.known.get(role).copied()
    }
}

fn owner(object: &ObjectChange) -> Option<&str> {
    match object {
        ObjectChange::Schema(images) => images.after.as_ref().map(|schema| &*schema.owner),
        ObjectChange::Table(images) => images.after.as_ref().map(|table| &*table.owner),
        ObjectChange::Sequence(images) => images.after.as_ref().map(|sequence| &*sequence.owner),
        ObjectChange::Type(images) => images.after.as_ref().map(|of| &*of.owner),
        ObjectChange::Index(_) | ObjectChange::Constraint(_) | ObjectChange::Object(_) => None,
    }
}
