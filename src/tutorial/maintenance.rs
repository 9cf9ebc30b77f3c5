//! `init` and `tear-down` as the tutorial plays them: what the commands do, on sessions of our own.

use crate::config::{ConnectionSettings, Maintenance, SlotName};
use crate::postgres::{Session, connect};
use crate::schema::install;

use super::error::TutorialError;

/// Shows up in `pg_stat_activity`.
const APPLICATION_NAME: &str = "pgstream tutorial";

/// Prepares the source and returns what `pgstream init` prints.
pub(super) async fn init(maintenance: &Maintenance) -> Result<String, TutorialError> {
    let source = join(&maintenance.source).await?;
    let slot = slot(maintenance);
    install::init(&source, &slot, maintenance.plugin.unwrap_or_default())
        .await
        .map_err(TutorialError::Install)?;
    Ok("SUCCESS  pgstream initialisation complete".to_owned())
}

/// Removes what is ours, on the target too where one is configured, and returns what
/// `pgstream tear-down` prints.
pub(super) async fn tear_down(maintenance: &Maintenance) -> Result<String, TutorialError> {
    let source = join(&maintenance.source).await?;
    let target = match &maintenance.target {
        Some(settings) => Some(join(settings).await?),
        None => None,
    };
    install::tear_down(Some(&source), target.as_ref(), &slot(maintenance))
        .await
        .map_err(TutorialError::Install)?;
    Ok("SUCCESS  pgstream tear down complete".to_owned())
}

async fn join(settings: &ConnectionSettings) -> Result<Session, TutorialError> {
    connect(settings, APPLICATION_NAME)
        .await
        .map_err(TutorialError::Connect)
}

fn slot(maintenance: &Maintenance) -> SlotName {
    let named = maintenance.slot.clone();
    named.unwrap_or_else(|| SlotName::for_database(maintenance.source.database()))
}
