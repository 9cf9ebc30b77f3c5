//! A session with a walsender: replication commands, then the stream
//! (manual, section 55.4 «Streaming Replication Protocol»).

use std::collections::HashMap;
use std::sync::Arc;

use postgres_protocol::message::backend::{Header, Message};
use tracing::debug;

use crate::config::ConnectionSettings;
use crate::model::{Lsn, quote_ident, quote_literal};

use super::connect::NOTICE_OUR_END;
use super::dial::{Place, dial};
use super::error::PgError;
use super::handshake::{Greeting, Service};
use super::inlet::COPY_BOTH_TAG;
use super::link::Link;
use super::pins::CARRY_BYTES;
use super::sqlstate::INVALID_PARAMETER_VALUE;
use super::stream::{FeedbackWriter, WalReader};
use super::wire::{TextRow, Wire, lost};

const APPLICATION_NAME: &str = "pgstream";

/// The answer to `IDENTIFY_SYSTEM`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemIdentity {
    /// Made by initdb, the same on every copy of the cluster.
    pub system_identifier: String,
    /// Current timeline: it changes at each promotion.
    pub timeline: i32,
    /// How far the WAL is flushed.
    pub wal_end: Lsn,
    /// The database that this session is in.
    pub database: Option<String>,
}

/// A session of type `replication=database`, before its stream starts.
#[derive(Debug)]
pub struct ReplicationConnection {
    wire: Wire,
    parameters: HashMap<String, String>,
    process_id: i32,
}

impl ReplicationConnection {
    /// Opens a session with pinned settings.
    ///
    /// # Errors
    /// Transient when no server answers; Operator when it refuses us (the role needs REPLICATION,
    /// `pg_hba.conf` a line) or the encryption fails.
    pub async fn connect(settings: &ConnectionSettings) -> Result<Self, PgError> {
        dial(settings, enter).await
    }

    /// Returns `host:port/database`.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.wire.object
    }

    /// Returns the process on the server.
    #[must_use]
    pub const fn process_id(&self) -> i32 {
        self.process_id
    }

    /// Returns a parameter that the server reported at the start, such as `server_version`.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// Runs a replication command, or SQL, and returns all rows.
    ///
    /// # Errors
    /// By SQLSTATE; Transient when the connection is lost. The session stays usable after an
    /// answer with an SQLSTATE.
    pub async fn query(&mut self, sql: &str) -> Result<Vec<TextRow>, PgError> {
        self.wire.query(sql).await
    }

    /// Asks the server who it is.
    ///
    /// # Errors
    /// As [`ReplicationConnection::query`].
    pub async fn identify_system(&mut self) -> Result<SystemIdentity, PgError> {
        let rows = self.query("IDENTIFY_SYSTEM").await?;
        rows.first()
            .and_then(|row| identity(row))
            .ok_or_else(|| self.wire.broken("no answer to IDENTIFY_SYSTEM"))
    }

    /// Makes a logical slot that is gone with this session, and exports the snapshot that shows
    /// exactly what was committed before its consistent point. Returns that point and the
    /// snapshot's name, for `SET TRANSACTION SNAPSHOT` in other sessions: good until the next
    /// command here.
    ///
    /// # Errors
    /// By SQLSTATE: Operator when `wal_level` is too low, slots have run out or the plugin is not
    /// there.
    pub async fn create_temporary_slot(
        &mut self,
        name: &str,
        plugin: &str,
    ) -> Result<(Lsn, String), PgError> {
        if let Err(error) = self.query(NOTICE_OUR_END).await {
            debug!(
                server = self.object(),
                "a slot may be waited for when we are gone: {error}"
            );
        }
        let rows = self.query(&create_temporary_command(name, plugin)).await?;
        rows.first()
            .and_then(|row| exported(row))
            .ok_or_else(|| self.wire.broken("no answer to CREATE_REPLICATION_SLOT"))
    }

    /// Starts streaming from a logical slot, at `from` or at the slot's own position if that is
    /// further ([`Lsn::ZERO`] = the slot's own).
    ///
    /// # Errors
    /// By SQLSTATE: Operator when the slot is missing or lost or the plugin is refused, Transient
    /// while another process holds it.
    pub async fn start(
        mut self,
        slot: &str,
        from: Lsn,
        options: &[(&str, String)],
    ) -> Result<(WalReader, FeedbackWriter), PgError> {
        self.request_start(slot, from, options).await?;
        self.into_stream()
    }

    /// As [`ReplicationConnection::start`] with the first of several sets of options that the
    /// output plugin knows. Returns also which.
    ///
    /// # Errors
    /// As [`ReplicationConnection::start`]; the last refusal when none is known.
    pub async fn start_with_first(
        mut self,
        slot: &str,
        from: Lsn,
        choices: &[Vec<(&str, String)>],
    ) -> Result<(usize, WalReader, FeedbackWriter), PgError> {
        let mut refusal = self.wire.broken("no options to start with");
        for (choice, options) in choices.iter().enumerate() {
            match self.request_start(slot, from, options).await {
                Ok(()) => {
                    let (reader, writer) = self.into_stream()?;
                    return Ok((choice, reader, writer));
                }
                Err(error) if error.code() == Some(INVALID_PARAMETER_VALUE) => refusal = error,
                Err(error) => return Err(error),
            }
        }
        Err(refusal)
    }

    fn into_stream(self) -> Result<(WalReader, FeedbackWriter), PgError> {
        let object: Arc<str> = self.wire.object.into();
        let link = self.wire.link;
        let halves = link.gather().and_then(|gather| Ok((gather, link.split()?)));
        let (gather, (reader, writer)) = halves.map_err(|source| lost(&object, source))?;
        Ok((
            WalReader::new(Arc::clone(&object), reader, gather, self.wire.received),
            FeedbackWriter::new(object, writer),
        ))
    }

    async fn request_start(
        &mut self,
        slot: &str,
        from: Lsn,
        options: &[(&str, String)],
    ) -> Result<(), PgError> {
        let sql = start_command(slot, from, options);
        self.wire.submit(&sql).await?;
        loop {
            // CopyBothResponse must be met before the parser, which refuses it.
            match Header::parse(&self.wire.received) {
                Ok(Some(header)) if header.tag() == COPY_BOTH_TAG => {
                    let total = usize::try_from(header.len()).unwrap_or_default() + 1;
                    while self.wire.received.len() < total {
                        self.wire.receive().await?;
                    }
                    drop(self.wire.received.split_to(total));
                    return Ok(());
                }
                Ok(Some(_)) => match self.wire.message().await? {
                    Message::ErrorResponse(body) => {
                        let refusal = self.wire.refused(&body).with_statement(&sql);
                        self.wire.drain().await?;
                        return Err(refusal);
                    }
                    Message::ParameterStatus(_) => {}
                    _ => return Err(self.wire.broken("unexpected answer to START_REPLICATION")),
                },
                Ok(None) => self.wire.receive().await?,
                Err(error) => return Err(self.wire.broken(error.to_string())),
            }
        }
    }
}

async fn enter(link: Link, place: Place<'_>) -> Result<ReplicationConnection, PgError> {
    let entered = Wire::enter(link, &place, Service::Replication, APPLICATION_NAME).await;
    let (mut wire, greeting) = entered?;
    wire.query(CARRY_BYTES).await?;
    let Greeting {
        parameters,
        process_id,
        ..
    } = greeting;
    Ok(ReplicationConnection {
        wire,
        parameters,
        process_id,
    })
}

fn identity(row: &[Option<String>]) -> Option<SystemIdentity> {
    let [system_identifier, timeline, wal_end, database] = row else {
        return None;
    };
    Some(SystemIdentity {
        system_identifier: system_identifier.clone()?,
        timeline: timeline.as_ref()?.parse().ok()?,
        wal_end: wal_end.as_ref()?.parse().ok()?,
        database: database.clone(),
    })
}

/// `EXPORT_SNAPSHOT` as a word of its own is the grammar of version 14, which later ones keep.
fn create_temporary_command(slot: &str, plugin: &str) -> String {
    format!(
        "CREATE_REPLICATION_SLOT {} TEMPORARY LOGICAL {} EXPORT_SNAPSHOT",
        quote_ident(slot),
        quote_ident(plugin)
    )
}

fn exported(row: &[Option<String>]) -> Option<(Lsn, String)> {
    let [_, consistent_point, snapshot, _] = row else {
        return None;
    };
    Some((consistent_point.as_ref()?.parse().ok()?, snapshot.clone()?))
}

fn start_command(slot: &str, from: Lsn, options: &[(&str, String)]) -> String {
    let options: Vec<String> = options
        .iter()
        .map(|(name, value)| format!("{} {}", quote_ident(name), quote_option(value)))
        .collect();
    let list = if options.is_empty() {
        String::new()
    } else {
        format!(" ({})", options.join(", "))
    };
    format!(
        "START_REPLICATION SLOT {} LOGICAL {from}{list}",
        quote_ident(slot)
    )
}

/// The replication grammar knows plain `'…'` literals only: no `E''`, a backslash is itself.
fn quote_option(value: &str) -> String {
    if value.contains('\\') {
        format!("'{}'", value.replace('\'', "''"))
    } else {
        quote_literal(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_options_are_quoted_for_the_replication_grammar() {
        let options = [
            ("proto_version", "1".to_owned()),
            ("publication_names", "\"it's\\odd\"".to_owned()),
        ];

        assert_eq!(
            start_command("a\"b", Lsn(0x10), &options),
            "START_REPLICATION SLOT \"a\"\"b\" LOGICAL 0/10 \
             (\"proto_version\" '1', \"publication_names\" '\"it''s\\odd\"')"
        );
        assert_eq!(
            start_command("s", Lsn::ZERO, &[]),
            "START_REPLICATION SLOT \"s\" LOGICAL 0/0"
        );
    }
}
