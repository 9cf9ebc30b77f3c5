//! What fixes a server's refusal to let us in. By its code alone nobody can say more than «the
//! password» or «the right»; here the database, the role and the place of the password are known, so
//! that the fix can be done as it stands. A password itself is never told.

use crate::model::quote_ident;

use super::dial::Place;
use super::error::PgError;
use super::handshake::Service;
use super::server_error::ServerError;
use super::sqlstate;

impl Place<'_> {
    /// Adds to a failure of the handshake what fixes it.
    pub(super) fn explained(&self, error: PgError, service: Service) -> PgError {
        match error.server().and_then(|answer| self.hint(answer, service)) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// Returns the failure to agree with the server on how to prove who we are.
    pub(super) fn unproven(&self, reason: impl Into<String>) -> PgError {
        PgError::Authentication {
            object: self.object(),
            user: self.settings.user.clone(),
            reason: reason.into(),
            hint: self.password_hint(),
        }
    }

    fn hint(&self, answer: &ServerError, service: Service) -> Option<String> {
        let settings = self.settings;
        let (database, role) = (quote_ident(&settings.dbname), quote_ident(&settings.user));
        Some(match (&*answer.code, service) {
            (sqlstate::INVALID_PASSWORD, _) => self.password_hint(),
            (sqlstate::INSUFFICIENT_PRIVILEGE, Service::Sql) => {
                format!("GRANT CONNECT ON DATABASE {database} TO {role};")
            }
            // A walsender asks for this right before it looks at the database.
            (sqlstate::INSUFFICIENT_PRIVILEGE, Service::Replication) => {
                format!("ALTER ROLE {role} REPLICATION;")
            }
            (sqlstate::INVALID_CATALOG_NAME, _) => format!(
                "create the database: CREATE DATABASE {database}; or name another one after the last / \
                 of {}",
                settings.origin_name()
            ),
            _ => return None,
        })
    }

    fn password_hint(&self) -> String {
        let settings = self.settings;
        let user = &settings.user;
        match settings.password_origin(self.host) {
            Some(origin) => format!("check the password of role {user}, from {origin}"),
            None => {
                let file = settings.passfile.as_ref();
                let file = file.map(|path| format!(", or in {}", path.display()));
                format!(
                    "there is no password for role {user}: give one in {}, in PGPASSWORD{}",
                    settings.origin_name(),
                    file.unwrap_or_default()
                )
            }
        }
    }
}
