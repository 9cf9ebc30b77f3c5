//! What the wizards do on the servers. Each job opens its own sessions and closes them.

use std::path::Path;

use tokio::sync::watch;

use crate::config::{
    ConfigError, Configuration, ConnectionSettings, FlagValue, Inputs, Pipeline, Plugin, SlotName,
    SlotNameError, key,
};
use crate::diagnose::check;
use crate::failure::Failure;
use crate::model::ErrorClass;
use crate::postgres::{Session, connect, slot_or_default};
use crate::runtime::clock;
use crate::schema::{self, Progress, SourceTable, install};

use super::values::{Kind, WizardValues};
use super::{Answer, Job, Planned, Started, in_one_line, save};

/// What `application_name` says of us on the servers.
const APPLICATION_NAME: &str = "pgstream console";

/// Who is told how a run goes on.
pub(crate) type Watcher = watch::Sender<Progress>;

/// Does a job; a run tells the watcher how it goes on.
pub(crate) async fn perform(job: Job, watcher: Watcher) -> Answer {
    match job {
        Job::Probe(name, address) => {
            let probed = reported(probe(&address).await);
            Answer::Probed(name, address, probed)
        }
        Job::Check(wizard_values) => Answer::Checked(reported(findings(&wizard_values).await)),
        Job::Tables(wizard_values) => Answer::Listed(reported(tables(&wizard_values).await)),
        Job::Plan(Kind::Init, wizard_values) => {
            Answer::Planned(reported(plan_init(&wizard_values).await))
        }
        Job::Plan(Kind::TearDown, wizard_values) => {
            Answer::Planned(reported(plan_tear_down(&wizard_values).await))
        }
        Job::Run(Kind::Init, wizard_values) => {
            Answer::Ran(reported(init(&wizard_values, &watcher).await))
        }
        Job::Run(Kind::TearDown, wizard_values) => {
            Answer::Ran(reported(tear_down(&wizard_values, &watcher).await))
        }
        Job::Verify(wizard_values) => Answer::Verified(reported(verify(&wizard_values).await)),
        Job::Start {
            wizard_values,
            file,
            starts,
        } => Answer::Started(reported(start(wizard_values, &file, starts))),
    }
}

/// What went wrong, line by line.
fn reported<T>(result: Result<T, Failure>) -> Result<T, Vec<String>> {
    result.map_err(|failure| failure.lines())
}

async fn enter(address: &str) -> Result<Session, Failure> {
    let settings = ConnectionSettings::parse(address)?;
    Ok(connect(&settings, APPLICATION_NAME).await?)
}

async fn text(session: &Session, sql: &'static str) -> Result<String, Failure> {
    let row = session.row(sql, &[]).await?;
    Ok(row.map_or_else(String::new, |row| row.get(0)))
}

async fn probe(address: &str) -> Result<String, Failure> {
    let began = clock::now();
    let session = enter(address).await?;
    let sql = "SELECT pg_catalog.current_setting('server_version')";
    let version = text(&session, sql).await?;
    let took_ms = (clock::now() - began).as_millis();
    // Who built it stands behind the number.
    let number = version.split(' ').next().unwrap_or_default();
    Ok(format!("PostgreSQL {number}, {took_ms} ms"))
}

async fn slot(session: &Session, wizard_values: &WizardValues) -> Result<SlotName, Failure> {
    if wizard_values.slot.is_empty() {
        return Ok(slot_or_default(session, None).await?);
    }
    let name = wizard_values.slot.parse();
    name.map_err(|error: SlotNameError| Failure::of(ErrorClass::Usage, error))
}

/// Reads what was typed as a configuration file would be read, with the same rules.
fn configuration(wizard_values: &WizardValues) -> Result<Configuration, Failure> {
    let typed = save::sections(wizard_values)
        .into_iter()
        .flat_map(|(_, values)| values);
    let flags = typed.map(|(key, value)| FlagValue {
        key,
        flag: match key {
            key::SOURCE_URL | key::TARGET_URL => "the address in the wizard",
            _ => "the wizard",
        },
        value,
    });
    Ok(Configuration::load(Inputs::of_process(
        flags.collect(),
        None,
    ))?)
}

fn pipeline(wizard_values: &WizardValues) -> Result<Pipeline, Failure> {
    Ok(configuration(wizard_values)?.pipeline()?)
}

fn plugin(wizard_values: &WizardValues) -> Plugin {
    wizard_values.plugin.parse().unwrap_or_default()
}

async fn findings(wizard_values: &WizardValues) -> Result<Vec<crate::diagnose::Finding>, Failure> {
    Ok(check(&pipeline(wizard_values)?).await.findings)
}

async fn tables(wizard_values: &WizardValues) -> Result<Vec<SourceTable>, Failure> {
    let source = enter(&wizard_values.source).await?;
    Ok(schema::source_tables(&source).await?)
}

async fn plan_init(wizard_values: &WizardValues) -> Result<Planned, Failure> {
    let source = enter(&wizard_values.source).await?;
    let slot = slot(&source, wizard_values).await?;
    let steps = install::plan_init(&source, &slot, plugin(wizard_values)).await?;
    let notes = match steps.is_empty() {
        true => vec!["everything is there already".to_owned()],
        false => vec!["if a step fails, those before it are taken back".to_owned()],
    };
    let slot = slot.to_string();
    Ok(Planned { steps, notes, slot })
}

async fn init(wizard_values: &WizardValues, watcher: &Watcher) -> Result<Vec<String>, Failure> {
    let source = enter(&wizard_values.source).await?;
    let slot = slot(&source, wizard_values).await?;
    let report = install::init_watched(&source, &slot, plugin(wizard_values), watcher).await?;
    let notes = report.notes.iter().map(|note| format!("! {note}"));
    Ok(report.done.iter().cloned().chain(notes).collect())
}

/// The sides that answer, and what to say of one that does not.
struct Sides {
    source: Option<Session>,
    target: Option<Session>,
    notes: Vec<String>,
}

async fn sides(wizard_values: &WizardValues) -> Sides {
    let mut notes = Vec::new();
    let mut note = |side: &str, remains: &str, failure: &Failure| {
        let why = in_one_line(std::iter::once(&failure.message()).chain(&failure.causes()));
        notes.push(format!(
            "! the {side} does not answer, there remains {remains}: {why}"
        ));
    };
    let source = enter(&wizard_values.source).await;
    let source =
        source.inspect_err(|why| note("source", "slot, publication, schema pgstream", why));
    let target = match wizard_values.target.is_empty() {
        true => None,
        false => {
            let target = enter(&wizard_values.target).await;
            target
                .inspect_err(|why| note("target", "the checkpoint in schema pgstream", why))
                .ok()
        }
    };
    Sides {
        source: source.ok(),
        target,
        notes,
    }
}

async fn slot_of(sides: &Sides, wizard_values: &WizardValues) -> Result<SlotName, Failure> {
    match sides.source.as_ref().or(sides.target.as_ref()) {
        Some(session) => slot(session, wizard_values).await,
        None => Err(Failure::of(
            ErrorClass::Transient,
            anyhow::Error::msg(sides.notes.join("\n")),
        )),
    }
}

async fn plan_tear_down(wizard_values: &WizardValues) -> Result<Planned, Failure> {
    let sides = sides(wizard_values).await;
    let slot = slot_of(&sides, wizard_values).await?;
    let (source, target) = (sides.source.as_ref(), sides.target.as_ref());
    let plan = install::plan_tear_down(source, target, &slot).await?;
    let refusal = plan.refusal.as_ref();
    let mut notes = sides.notes;
    notes.extend(refusal.map(|refusal| format!("! {}", install::until_then(refusal))));
    notes.push("kept: all tables and rows, on both sides".to_owned());
    notes.push("freed: the WAL that the source keeps for the slot".to_owned());
    notes.push(
        "cannot be undone: a new init starts from an empty target or a fresh copy".to_owned(),
    );
    Ok(Planned {
        steps: plan.steps,
        notes,
        slot: slot.to_string(),
    })
}

async fn tear_down(
    wizard_values: &WizardValues,
    watcher: &Watcher,
) -> Result<Vec<String>, Failure> {
    let sides = sides(wizard_values).await;
    let slot = slot_of(&sides, wizard_values).await?;
    let (source, target) = (sides.source.as_ref(), sides.target.as_ref());
    let report = install::tear_down_watched(source, target, &slot, watcher).await?;
    Ok(report.done)
}

/// Returns what is still there, asked anew.
async fn verify(wizard_values: &WizardValues) -> Result<Vec<String>, Failure> {
    let sides = sides(wizard_values).await;
    let slot = slot_of(&sides, wizard_values).await?;
    let (source, target) = (sides.source.as_ref(), sides.target.as_ref());
    let plan = install::plan_tear_down(source, target, &slot).await?;
    let mut remains = sides.notes;
    remains.extend(
        plan.steps
            .into_iter()
            .map(|step| format!("✗ still to do: {}", step.what)),
    );
    Ok(remains)
}

/// Saves first: whoever must change something before the start has the file to change it in.
fn start(wizard_values: WizardValues, file: &str, starts: bool) -> Result<Box<Started>, Failure> {
    configuration(&wizard_values)?.pipeline()?;
    let path = Path::new(file);
    save::write(path, &save::text(&wizard_values)).map_err(|error| {
        Failure::of(ErrorClass::Operator, error).context(format!("cannot write {file}"))
    })?;
    let not_started = |error: ConfigError| {
        Failure::from(error).context(format!("{file} is saved, but it cannot be started"))
    };
    let inputs = Inputs::of_process(Vec::new(), Some(path.to_owned()));
    let saved = Configuration::load(inputs).map_err(not_started)?;
    let stem = path.file_stem();
    Ok(Box::new(Started {
        starts,
        name: stem.map_or_else(
            || file.to_owned(),
            |stem| stem.to_string_lossy().into_owned(),
        ),
        pipeline: saved.pipeline().map_err(not_started)?,
        settings: (saved.resolved(), path.to_owned()),
        wizard_values,
    }))
}
