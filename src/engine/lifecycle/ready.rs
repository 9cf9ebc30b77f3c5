//! What must hold on both sides before anything is streamed, though nothing would fail without it: changes
//! would be left out in silence, or go in a circle. `check` says the same, in the same words.

use crate::config::{ConnectionSettings, Pipeline, publication_name};
use crate::diagnose::{Unmet, requirements};
use crate::engine::EngineError;
use crate::model::hint::{begin_anew, init_command, take_over};
use crate::postgres::{DatabaseIdentity, Session, find_publication};
use crate::schema::install;

use super::slot::was_applied;
use super::source_errors::SourceErrors;

/// What is tried where a side is asked who it is.
pub(super) const IDENTIFY: &str = "identify the database";

/// `pgoutput` looks for its publication only at the first change; by then the error is a riddle.
pub(super) async fn require_publication(
    source: &Session,
    (slot_name, plugin): (&str, &str),
    errors: &SourceErrors<'_>,
) -> Result<(), EngineError> {
    if plugin != "pgoutput" {
        return Ok(());
    }
    let name = publication_name(slot_name);
    let found = find_publication(source, &name).await;
    let found = found.map_err(|error| errors.failed("look for the publication", error))?;
    let argument = errors.0.as_argument();
    let Some(found) = found else {
        let anew = match was_applied(source, slot_name, errors).await? {
            true => take_over(&argument),
            false => begin_anew(&argument, slot_name),
        };
        return Err(EngineError::SlotUnusable {
            slot_name: slot_name.to_owned(),
            reason: format!("its publication {name} does not exist"),
            hint: format!("what was changed since it went cannot be decoded: {anew}"),
        });
    };
    let unmet = requirements::publication(&name, found, &init_command(&argument, slot_name));
    unmet.map_or(Ok(()), |unmet| Err(unfit("source", errors.0, unmet)))
}

/// What an earlier version installed is upgraded before anything is streamed.
pub(super) async fn require_safe_functions(
    source: &Session,
    slot_name: &str,
    errors: &SourceErrors<'_>,
) -> Result<(), EngineError> {
    let found = install::open_functions(source).await;
    let found = found.map_err(|error| errors.failed("look at the installed functions", error))?;
    let init = init_command(&errors.0.as_argument(), slot_name);
    let unmet = requirements::open_functions(&found, &init);
    unmet.map_or(Ok(()), |unmet| Err(unfit("source", errors.0, unmet)))
}

/// Where schema changes are followed, each has to be recorded.
pub(super) async fn require_event_triggers(
    source: &Session,
    slot_name: &str,
    errors: &SourceErrors<'_>,
) -> Result<(), EngineError> {
    let found = install::event_triggers(source).await;
    let found = found.map_err(|error| errors.failed("look for the event triggers", error))?;
    let init = init_command(&errors.0.as_argument(), slot_name);
    let unmet = requirements::event_triggers(&found, &init);
    unmet.map_or(Ok(()), |unmet| Err(unfit("source", errors.0, unmet)))
}

pub(super) async fn identify_target(
    session: &Session,
    settings: &ConnectionSettings,
) -> Result<DatabaseIdentity, EngineError> {
    let identity = session.identity().await;
    identity.map_err(|source| EngineError::Target {
        operation: IDENTIFY,
        endpoint: settings.endpoint(),
        source,
    })
}

pub(super) fn require_another_database(
    pipeline: &Pipeline,
    source: &DatabaseIdentity,
    target: &DatabaseIdentity,
) -> Result<(), EngineError> {
    let unmet = || requirements::same_database(pipeline.target.database());
    match source == target {
        true => Err(unfit("target", &pipeline.target, unmet())),
        false => Ok(()),
    }
}

pub(super) fn unfit(
    side: &'static str,
    settings: &ConnectionSettings,
    unmet: Unmet,
) -> EngineError {
    EngineError::Unfit {
        side,
        endpoint: settings.endpoint(),
        object: unmet.object,
        problem: unmet.problem,
        hint: unmet.hint,
    }
}
