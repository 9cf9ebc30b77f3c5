//! What both servers say of a pipeline to somebody who looks, whether an engine runs or not: slots,
//! positions, and the schema log with what was run on the target for it, page by page.
//!
//! Sessions of its own, which only read and stay open from one look to the next. A side that does not
//! answer leaves its part out and says why.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::timeout;

use crate::config::{ConnectionSettings, Pipeline, SlotName};
use crate::diagnose::Verified;
use crate::diagnose::stops;
use crate::model::Lsn;
use crate::postgres::{
    self, INVALID_SCHEMA_NAME, PgError, Session, UNDEFINED_TABLE, document, slot_or_default,
};
use crate::schema::{Change, Entry};
use crate::status::{Failure, Lag, SchemaChange, SchemaState, Slot};

use super::monitor::{self, WalMemory};

const HISTORY: &str = include_str!("../../assets/sql/source/schema_history.sql");
const RAN: &str = include_str!("../../assets/sql/target/schema_history.sql");

/// What `application_name` says of us on both servers.
const APPLICATION_NAME: &str = "pgstream console";

/// A server that takes longer does not answer: the next look goes through a new session.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// So many schema changes are read at once: several screens of them.
pub(crate) const PAGE: i64 = 200;

/// Looks at both sides of a pipeline.
#[derive(Debug)]
pub struct Observer {
    pipeline: Pipeline,
    source: Option<Session>,
    target: Option<Session>,
    slot_name: Option<SlotName>,
    memory: WalMemory,
}

/// What one look has seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Servers {
    /// The source, without a password.
    pub source: String,
    /// The target, without a password.
    pub target: String,
    /// The slot of the pipeline.
    pub slot_name: String,
    /// The logical slots of the source, ours first; none: it does not answer.
    pub slots: Option<Vec<Slot>>,
    /// How far the target is behind.
    pub lag: Lag,
    /// End of the last transaction on the target; none: nothing was written there, or it does not
    /// answer.
    pub end_lsn: Option<Lsn>,
    /// Transactions that were skipped on record.
    pub skipped: Option<u64>,
    /// Why the last run ended or stands, until that is overcome.
    pub last_stop: Option<Failure>,
    /// Why the source does not answer.
    pub source_trouble: Option<String>,
    /// Why the target does not answer.
    pub target_trouble: Option<String>,
}

/// A page of the schema log.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// So many entries the log has.
    pub total: u64,
    /// Transactions that were skipped on record; none: the target does not tell.
    pub skipped: Option<u64>,
    /// Some of them, newest first.
    pub changes: Vec<SchemaChange>,
    /// Whether no older entry follows.
    pub is_last: bool,
}

#[derive(Debug, Deserialize)]
struct HistoryDocument {
    total: u64,
    entries: Vec<Logged>,
}

#[derive(Debug, Deserialize)]
struct Logged {
    id: String,
    version: i64,
    created_at: String,
    acked: bool,
    change: serde_json::Value,
}

/// What the target remembers.
#[derive(Debug, Default, Deserialize)]
struct RanDocument {
    skipped: Option<u64>,
    ran: Vec<Ran>,
}

/// What the target remembers of a schema change.
#[derive(Debug, Deserialize)]
struct Ran {
    id: String,
    statements: Vec<String>,
    not_applied: Vec<String>,
    duration_ms: f64,
}

#[derive(Debug, Default, Deserialize)]
struct Progress {
    checkpoint: Option<CheckpointRow>,
    skipped_transaction_count: u64,
    #[serde(skip)]
    last_stop: Option<Failure>,
}

#[derive(Debug, Deserialize)]
struct CheckpointRow {
    end_lsn: Lsn,
}

impl Observer {
    /// Returns one that has not looked yet.
    #[must_use]
    pub fn new(pipeline: Pipeline) -> Self {
        Self {
            pipeline,
            source: None,
            target: None,
            slot_name: None,
            memory: WalMemory::default(),
        }
    }

    /// Looks at both sides once.
    pub async fn servers(&mut self) -> Servers {
        let source = answered(self.look_at_source()).await;
        let target = answered(self.look_at_target()).await;
        self.source = self.source.take().filter(|_| source.is_ok());
        self.target = self.target.take().filter(|_| target.is_ok());
        let progress = target.as_ref().ok().and_then(Option::as_ref);
        let end_lsn = progress.and_then(|one| Some(one.checkpoint.as_ref()?.end_lsn));
        let mut seen = Servers {
            source: self.pipeline.source.endpoint(),
            target: self.pipeline.target.endpoint(),
            slot_name: self
                .slot_name
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            end_lsn,
            skipped: progress.map(|one| one.skipped_transaction_count),
            last_stop: progress.and_then(|one| one.last_stop.clone()),
            target_trouble: target.as_ref().err().cloned(),
            ..Servers::default()
        };
        match source {
            Ok(look) => {
                let (slots, lag) = self.memory.take_in(look, end_lsn.unwrap_or_default());
                (seen.slots, seen.lag) = (Some(slots), lag);
            }
            Err(trouble) => seen.source_trouble = Some(trouble),
        }
        seen
    }

    /// Returns the entries of the schema log that were made before the one with this id; none: the
    /// latest.
    ///
    /// # Errors
    /// Why the source does not answer, for people.
    pub async fn history(&mut self, before: Option<&str>) -> Result<Page, String> {
        let logged = answered(self.logged(before)).await;
        self.source = self.source.take().filter(|_| logged.is_ok());
        let logged = logged?;
        let ids: Vec<String> = logged.entries.iter().map(|one| one.id.clone()).collect();
        // The log itself is worth seeing when the target is away.
        let ran = answered(self.ran(&ids)).await;
        self.target = self.target.take().filter(|_| ran.is_ok());
        let RanDocument { skipped, ran } = ran.unwrap_or_default();
        let by_id = ran.into_iter().map(|one| (one.id.clone(), one));
        let mut ran: HashMap<String, Ran> = by_id.collect();
        let is_last = i64::try_from(logged.entries.len()).unwrap_or(PAGE) < PAGE;
        let changes = logged.entries.into_iter().map(|one| {
            let ran = ran.remove(&one.id);
            change(one, ran)
        });
        Ok(Page {
            total: logged.total,
            skipped,
            changes: changes.collect(),
            is_last,
        })
    }

    /// Returns the last proof on record.
    ///
    /// # Errors
    /// Why the target does not answer, for people.
    pub async fn proof(&mut self) -> Result<Verified, String> {
        let found = answered(self.verified()).await;
        self.target = self.target.take().filter(|_| found.is_ok());
        found
    }

    async fn verified(&mut self) -> Result<Verified, PgError> {
        let slot_name = self.slot_name().await?;
        let session = opened(&self.pipeline.target, &mut self.target).await?;
        let sql = include_str!("../../assets/sql/target/verified.sql");
        let found = document(session, sql, &[&slot_name.as_str()]).await;
        Ok(unless_missing(found)?.unwrap_or_default())
    }

    /// Returns the slot's name, for which the source is asked once.
    async fn slot_name(&mut self) -> Result<SlotName, PgError> {
        if let Some(name) = &self.slot_name {
            return Ok(name.clone());
        }
        let session = opened(&self.pipeline.source, &mut self.source).await?;
        let name = slot_or_default(session, self.pipeline.slot.as_ref()).await?;
        Ok(self.slot_name.insert(name).clone())
    }

    async fn look_at_source(&mut self) -> Result<monitor::Look, PgError> {
        let slot_name = self.slot_name().await?;
        let session = opened(&self.pipeline.source, &mut self.source).await?;
        document(session, monitor::SLOTS, &[&slot_name.as_str()]).await
    }

    async fn look_at_target(&mut self) -> Result<Option<Progress>, PgError> {
        let Some(slot_name) = &self.slot_name else {
            return Ok(None);
        };
        let session = opened(&self.pipeline.target, &mut self.target).await?;
        let sql = include_str!("../../assets/sql/target/progress.sql");
        let found = document(session, sql, &[&slot_name.as_str()]).await;
        let Some(progress) = unless_missing::<Progress>(found)? else {
            return Ok(None);
        };
        // An earlier build has not made its table.
        let last_stop = unless_missing(stops::last(session, slot_name.as_str()).await)?.flatten();
        Ok(Some(Progress {
            last_stop,
            ..progress
        }))
    }

    async fn logged(&mut self, before: Option<&str>) -> Result<HistoryDocument, PgError> {
        let session = opened(&self.pipeline.source, &mut self.source).await?;
        let found = document(session, HISTORY, &[&before, &PAGE]).await;
        Ok(unless_missing(found)?.unwrap_or(HistoryDocument {
            total: 0,
            entries: Vec::new(),
        }))
    }

    async fn ran(&mut self, ids: &[String]) -> Result<RanDocument, PgError> {
        let slot_name = self.slot_name().await?;
        let session = opened(&self.pipeline.target, &mut self.target).await?;
        let found = document(session, RAN, &[&slot_name.as_str(), &ids]).await;
        Ok(unless_missing(found)?.unwrap_or_default())
    }
}

async fn opened<'a>(
    settings: &ConnectionSettings,
    session: &'a mut Option<Session>,
) -> Result<&'a Session, PgError> {
    Ok(match session {
        Some(session) => session,
        None => session.insert(postgres::connect(settings, APPLICATION_NAME).await?),
    })
}

/// A source without the schema log, or a target that nothing was written to, has nothing to tell.
fn unless_missing<T>(found: Result<T, PgError>) -> Result<Option<T>, PgError> {
    match found {
        Err(error) if matches!(error.code(), Some(UNDEFINED_TABLE | INVALID_SCHEMA_NAME)) => {
            Ok(None)
        }
        found => found.map(Some),
    }
}

async fn answered<T>(asked: impl Future<Output = Result<T, PgError>>) -> Result<T, String> {
    match timeout(ANSWER_MAX, asked).await {
        Ok(found) => found.map_err(|error| match std::error::Error::source(&error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        }),
        Err(_) => Err(format!("no answer within {} s", ANSWER_MAX.as_secs())),
    }
}

fn change(logged: Logged, ran: Option<Ran>) -> SchemaChange {
    let state = match &ran {
        Some(ran) if !ran.statements.is_empty() => SchemaState::Applied,
        Some(ran) if !ran.not_applied.is_empty() => SchemaState::NotApplied,
        Some(_) => SchemaState::Skipped,
        // What the target remembers of it is forgotten after a time.
        None if logged.acked => SchemaState::Applied,
        None => SchemaState::Pending,
    };
    let (sql, not_applied, duration_ms) = ran.map_or_else(Default::default, |ran| {
        (ran.statements, ran.not_applied, Some(ran.duration_ms))
    });
    let known = SchemaChange {
        id: logged.id.clone(),
        version: logged.version,
        created_at: logged.created_at.clone(),
        tag: logged.change["tag"].as_str().unwrap_or_default().to_owned(),
        objects: Vec::new(),
        statement: String::new(),
        sql,
        not_applied,
        state,
        before_after: String::new(),
        duration_ms,
        error: None,
        end_lsn: None,
    };
    // An entry of another layout is reported as far as it can be read.
    let Ok(change) = serde_json::from_value::<Change>(logged.change) else {
        return known;
    };
    let entry = Entry {
        id: logged.id,
        version: logged.version,
        schema_name: String::new(),
        created_at: logged.created_at,
        tag: change.tag.clone(),
        statement: change.statement.clone().unwrap_or_default(),
        change,
    };
    SchemaChange {
        objects: entry.object_names(),
        before_after: entry.before_after(),
        statement: entry.statement,
        ..known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(acked: bool) -> Logged {
        Logged {
            id: "1j1e1cegs2058d41402a".to_owned(),
            version: 7,
            created_at: "2026-11-29 20:43:36".to_owned(),
            acked,
            change: serde_json::json!({"format": 1, "tag": "COMMENT", "statement": "COMMENT …"}),
        }
    }

    fn ran(statements: &[&str], not_applied: &[&str]) -> Option<Ran> {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Some(Ran {
            id: "1j1e1cegs2058d41402a".to_owned(),
            statements: texts(statements),
            not_applied: texts(not_applied),
            duration_ms: 4.0,
        })
    }

    #[test]
    fn what_became_of_a_change_follows_from_both_sides() {
        for (acked, ran, expected) in [
            (false, ran(&["ALTER"], &["GRANT"]), SchemaState::Applied),
            (true, ran(&[], &["GRANT"]), SchemaState::NotApplied),
            (false, ran(&[], &[]), SchemaState::Skipped),
            (true, None, SchemaState::Applied),
            (false, None, SchemaState::Pending),
        ] {
            let found = change(logged(acked), ran);
            assert_eq!(found.state, expected);
            assert_eq!(found.statement, "COMMENT …");
        }
        let mut other = logged(true);
        other.change = serde_json::json!({"tag": "ALTER TABLE", "layout": "of the Go tool"});
        assert_eq!(change(other, None).tag, "ALTER TABLE");
    }
}
