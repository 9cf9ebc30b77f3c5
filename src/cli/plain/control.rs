//! An engine under the eyes of somebody who types: Enter shows how it stands and what can be asked
//! of it, by number. The log goes on meanwhile.

use std::process::ExitCode;

use crate::attach::Server;
use crate::attach::log::LogHub;
use crate::cli::signals::Signals;
use crate::cli::{Failure, edit};
use crate::config::Pipeline;
use crate::engine::{Engine, EngineOptions, Handle, Remote};
use crate::format;
use crate::model::Lsn;
use crate::status::{
    Command, CommandAnswer, FailedTransaction, Lag, Outcome, Phase, SchemaChange, SchemaEdit,
    SchemaState, Status,
};

use super::copies;
use super::talk::Talk;

/// Streams until it is stopped, by a choice or by a signal.
pub(super) async fn control(
    mut talk: Talk,
    pipeline: Pipeline,
    options: EngineOptions,
    hub: LogHub,
) -> Result<ExitCode, Failure> {
    let mut signals = Signals::listen()?;
    let mut engine = Engine::start(pipeline.clone(), options);
    let _server = Server::start(&pipeline, engine.remote(), hub);
    let mut reported = None;
    let mut listening = true;
    talk.print_line("Streaming. Enter shows how it stands and what can be done; Ctrl-C stops.");
    loop {
        let mut status = engine.status();
        tokio::select! {
            biased;
            outcome = engine.join() => return ended(outcome),
            _ = signals.next() => return stop(engine).await,
            line = talk.line(), if listening => match line {
                Some(_) => {
                    // A signal ends it at every prompt, and so does the engine's own end.
                    let remote = engine.remote();
                    let left = tokio::select! {
                        biased;
                        outcome = engine.join() => return ended(outcome),
                        _ = signals.next() => true,
                        left = menu(&mut talk, &remote) => left,
                    };
                    if left {
                        return stop(engine).await;
                    }
                }
                None => listening = false,
            },
            changed = status.changed() => {
                if changed.is_ok() {
                    report_phase(&talk, &status.borrow_and_update(), &mut reported);
                }
            }
        }
    }
}

fn ended(outcome: Outcome) -> Result<ExitCode, Failure> {
    match outcome {
        Outcome::Stopped => Ok(ExitCode::SUCCESS),
        Outcome::Failed(failure) => Err(Failure::of_engine(failure)),
    }
}

async fn stop(mut engine: Handle) -> Result<ExitCode, Failure> {
    drop(engine.command(Command::Stop).await);
    ended(engine.join().await)
}

/// Says when the engine has come into another phase.
fn report_phase(talk: &Talk, status: &Status, reported: &mut Option<Phase>) {
    if reported.as_ref() == Some(&status.phase) {
        return;
    }
    *reported = Some(status.phase.clone());
    talk.print_line(format!("state: {}", words(&status.phase)));
    if let (Phase::Held, Some(failure)) = (&status.phase, &status.last_error) {
        talk.print_lines([failure.headline()]);
        talk.print_lines(&failure.causes);
        talk.print_lines(failure.hint.iter().map(|hint| format!("hint: {hint}")));
        talk.print_line("Enter shows what can be done.");
    }
}

fn words(phase: &Phase) -> String {
    match phase {
        Phase::Starting => "starting".to_owned(),
        Phase::Copying => "copying the rows that exist".to_owned(),
        Phase::Streaming { behind: false } => "streaming".to_owned(),
        Phase::Streaming { behind: true } => "catching up".to_owned(),
        Phase::Paused => "paused; the source keeps WAL".to_owned(),
        Phase::Retrying { attempt, .. } => format!("trying again, attempt {attempt}"),
        Phase::Held => "held at a failure".to_owned(),
        Phase::Stopping => "stopping".to_owned(),
        Phase::Stopped => "stopped".to_owned(),
        Phase::Crashed => "crashed".to_owned(),
    }
}

fn lag_words(lag: &Lag) -> String {
    match (lag.seconds, lag.bytes) {
        (Some(seconds), Some(bytes)) => {
            format!("{}, {} of WAL", format::lag(seconds), format::bytes(bytes))
        }
        (None, Some(bytes)) => format!("{} of WAL", format::bytes(bytes)),
        (_, None) => "not known yet".to_owned(),
    }
}

/// Shows how it stands and lets something be asked of the engine; returns whether to stop.
async fn menu(talk: &mut Talk, engine: &Remote) -> bool {
    let status = engine.status().borrow().as_ref().clone();
    talk.print_lines([
        format!("state     {}", words(&status.phase)),
        format!("lag       {}", lag_words(&status.lag)),
        format!(
            "applied   {} rows in {} transactions, {} schema changes",
            status.totals.rows, status.totals.transactions, status.totals.schema_changes
        ),
        match status.checkpoint.end_lsn {
            Lsn::ZERO => "on target not known yet".to_owned(),
            end_lsn => format!("on target up to {end_lsn}"),
        },
    ]);
    let offered = offered(&status);
    let words: Vec<&str> = offered.iter().map(|choice| choice.words()).collect();
    let chosen = talk.choose("What now?", &words, Some(0)).await;
    let command = match chosen.map_or(Choice::GoOn, |index| offered[index]) {
        Choice::GoOn => None,
        Choice::Pause => Some(Command::Pause),
        Choice::Resume => Some(Command::Resume),
        Choice::Retry => Some(Command::Retry),
        Choice::Skip => skip(talk, &status).await,
        Choice::Edit => edited(talk, &status).await,
        Choice::Copies => copies::choose(talk, &status).await,
        Choice::Stop => return true,
    };
    let Some(command) = command else {
        return false;
    };
    talk.print_line(match engine.command(command).await {
        CommandAnswer::Accepted | CommandAnswer::Seen(_) => "accepted".to_owned(),
        CommandAnswer::Refused(reason) => format!("refused: {reason}"),
    });
    false
}

/// What can be asked of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    GoOn,
    Pause,
    Resume,
    Retry,
    Skip,
    Edit,
    Copies,
    Stop,
}

impl Choice {
    const fn words(self) -> &'static str {
        match self {
            Self::GoOn => "Go on",
            Self::Pause => "Pause",
            Self::Resume => "Resume",
            Self::Retry => "Try again now",
            Self::Skip => "Skip the refused transaction, on record (asks)",
            Self::Edit => "Run a file in place of the refused schema change (asks)",
            Self::Copies => "Copies of tables",
            Self::Stop => "Stop and leave",
        }
    }
}

/// Returns what can be done now, and nothing else.
fn offered(status: &Status) -> Vec<Choice> {
    let mut offered = vec![Choice::GoOn];
    match status.phase {
        Phase::Copying | Phase::Streaming { .. } => offered.push(Choice::Pause),
        Phase::Paused => offered.push(Choice::Resume),
        Phase::Retrying { .. } => offered.push(Choice::Retry),
        Phase::Held => {
            offered.push(Choice::Retry);
            offered.extend(refused(status).map(|_| Choice::Skip));
            offered.extend(failed_change(status).map(|_| Choice::Edit));
        }
        Phase::Starting | Phase::Stopping | Phase::Stopped | Phase::Crashed => {}
    }
    offered.extend(status.snapshot.as_ref().map(|_| Choice::Copies));
    offered.push(Choice::Stop);
    offered
}

/// Returns the transaction that the engine is held at.
fn refused(status: &Status) -> Option<FailedTransaction> {
    let failure = status.last_error.as_ref()?;
    failure.transaction.filter(|_| status.phase == Phase::Held)
}

/// Returns the schema change that the target refused.
fn failed_change(status: &Status) -> Option<&SchemaChange> {
    let mut changes = status.schema_changes.iter();
    let failed = changes.find(|change| change.state == SchemaState::Failed);
    failed.filter(|_| status.phase == Phase::Held)
}

/// The plan of a refused schema change is reported, and may be replaced by what stands in a file.
async fn edited(talk: &mut Talk, status: &Status) -> Option<Command> {
    let change = failed_change(status)?;
    talk.print_line(format!("{} was to run on the target:", change.tag));
    talk.print_lines(change.sql.iter().map(|sql| format!("{sql};")));
    talk.print_line("A file runs in its place, in one transaction with the rows of the source's.");
    let path = talk.ask("File (empty: none): ").await?;
    if path.is_empty() {
        return None;
    }
    match edit::statements(path.as_ref()) {
        Ok(sql) => {
            let id = change.id.clone();
            Some(Command::Edit(SchemaEdit { id, sql }))
        }
        Err(error) => {
            talk.print_line(format!("refused: {error}"));
            None
        }
    }
}

/// What is skipped differs on the target for ever, so its name must be typed.
async fn skip(talk: &mut Talk, status: &Status) -> Option<Command> {
    let transaction = refused(status)?;
    let expected = format!("skip {}", transaction.xid);
    talk.print_line("All its changes are left out; the target will differ from the source there.");
    talk.print_line("It is written down in pgstream.skipped_transaction on the target.");
    let typed = talk.ask(&format!("Type  {expected}  to do it: ")).await?;
    if typed != expected {
        talk.print_line("nothing was skipped");
        return None;
    }
    Some(Command::Skip {
        commit_lsn: transaction.commit_lsn,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_done_is_offered() {
        let mut status = Status {
            phase: Phase::Streaming { behind: false },
            ..Status::default()
        };
        assert_eq!(
            offered(&status),
            [Choice::GoOn, Choice::Pause, Choice::Stop]
        );
        status.phase = Phase::Held;
        assert_eq!(
            offered(&status),
            [Choice::GoOn, Choice::Retry, Choice::Stop],
            "no transaction was refused"
        );
        status.phase = Phase::Stopping;
        assert_eq!(offered(&status), [Choice::GoOn, Choice::Stop]);
    }
}
