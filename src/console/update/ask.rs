//! The questions, and what follows from their answers.

use tui_input::Input;

use crate::console::availability::refused;
use crate::console::format;
use crate::console::message::Effect;
use crate::console::model::Model;
use crate::console::model::editor::Editor;
use crate::console::model::overlay::{Answer, Overlay, Purpose, Question};
use crate::console::model::proof::Comparison;
use crate::model::Lsn;
use crate::status::{Command, CopyCommand, CopyState, Phase, SchemaEdit, Slot, Status, TableCopy};

use super::toast::refuse;
use super::toast::{leave, toast};

/// Returns where the pipeline stands and how to go on, in one line; none when no engine has run.
pub(crate) fn farewell(model: &Model) -> Option<String> {
    let status = &model.latest;
    let end_lsn = status.checkpoint.end_lsn;
    let file = model.settings.as_ref().and_then(|one| one.path.as_ref());
    let file = file.map_or_else(String::new, |path| format!(" -c {}", path.display()));
    if model.attached && !model.is_at_rest() {
        let name = &model.pipeline;
        return Some(format!(
            "the engine of {name} goes on; pgstream console{file} shows it again"
        ));
    }
    if status.started_at_s == 0 || end_lsn == Lsn::default() {
        return None;
    }
    let how = match status.phase {
        Phase::Stopped => "stopped",
        _ => "was left",
    };
    let again = format!("pgstream run{file}");
    let per_hour = format::whole(status.lag.wal_bytes_per_s * 3600.0);
    let cost = match per_hour {
        0 => String::new(),
        bytes => format!(
            "; the source keeps about {} of WAL an hour",
            format::bytes(bytes)
        ),
    };
    Some(format!(
        "{} {how} at {end_lsn}, nothing is lost; {again} goes on there{cost}",
        model.pipeline
    ))
}

/// Asks before leaving a running stream, or leaves.
pub(super) fn quit(model: &mut Model) -> Vec<Effect> {
    if model.attached || !model.is_streaming() {
        return leave(model);
    }
    let (what, keep) = match model.latest.phase {
        Phase::Held | Phase::Retrying { .. } | Phase::Paused => ("Nothing replicates", "stay"),
        _ => ("Changes stop replicating", "keep streaming"),
    };
    let mut lines = vec![format!("{what} until pgstream runs again.")];
    lines.extend(cost_of_absence(&model.latest));
    model.overlay = Some(Overlay::Question(Question {
        title: "Stop and quit?".into(),
        lines,
        purpose: Purpose::Quit,
        go: "stop and quit".into(),
        keep: keep.into(),
        answer: Answer::Choice { go: false },
    }));
    Vec::new()
}

/// Asks before the process stands still, and the engine with it.
pub(super) fn suspend(model: &mut Model) -> Vec<Effect> {
    if model.attached || !model.is_streaming() {
        return vec![Effect::Suspend];
    }
    let mut lines = vec!["The engine stands still with pgstream until fg brings both back.".into()];
    lines.extend(cost_of_absence(&model.latest));
    model.overlay = Some(Overlay::Question(Question {
        title: "Back to the shell?".into(),
        lines,
        purpose: Purpose::Suspend,
        go: "suspend".into(),
        keep: "keep streaming".into(),
        answer: Answer::Choice { go: false },
    }));
    Vec::new()
}

/// Offers to start an engine where none runs.
pub(crate) fn offer(model: &mut Model) {
    if model.display.read_only {
        return toast(model, "no engine runs; it is shown here when one does");
    }
    model.overlay = Some(Overlay::Question(Question {
        title: "No engine runs. Start one?".into(),
        lines: vec![
            format!("Nothing of {} replicates at present.", model.pipeline),
            "An engine that is started here ends with this console.".into(),
            "One that is started elsewhere is shown here as soon as it runs.".into(),
        ],
        purpose: Purpose::Start,
        go: "start it here".into(),
        keep: "only look".into(),
        answer: Answer::Choice { go: false },
    }));
}

/// Takes the offer back: an engine runs by now.
pub(super) fn withdraw_offer(model: &mut Model) {
    let offered = matches!(
        &model.overlay,
        Some(Overlay::Question(question)) if question.purpose == Purpose::Start
    );
    if offered && !model.is_at_rest() {
        model.overlay = None;
    }
}

/// Asks before the engine is ended.
pub(super) fn stop(model: &mut Model) {
    let mut lines = vec!["The engine finishes the transaction in hand and ends.".into()];
    lines.extend(cost_of_absence(&model.latest));
    model.overlay = Some(Overlay::Question(Question {
        title: "Stop the engine?".into(),
        lines,
        purpose: Purpose::Stop,
        go: "stop the engine".into(),
        keep: "keep it running".into(),
        answer: Answer::Choice { go: false },
    }));
}

/// Asks before a table whose rows are good is copied again.
pub(super) fn copy_again(model: &mut Model, table: &TableCopy) {
    let lines = vec![
        format!(
            "Its {} rows on the target are replaced by those of the source.",
            format::count(table.row_count)
        ),
        "Until it is ready again, whoever reads it there finds it empty or in part.".into(),
        "The stream goes on for the other tables.".into(),
    ];
    model.overlay = Some(Overlay::Question(Question {
        title: format!("Copy {} again?", table.name),
        lines,
        purpose: Purpose::Copy(table.relation),
        go: "copy it again".into(),
        keep: "keep its rows".into(),
        answer: Answer::Choice { go: false },
    }));
}

/// Asks before rows of the target are changed.
pub(super) fn repair(model: &mut Model) {
    let mut lines = vec![
        "Everything is compared, and rows that differ are brought from the source: missing ones are \
         inserted, others changed, and those that only the target has are deleted."
            .into(),
        "The stream stands still for a moment with each range of rows. Definitions stay as they are."
            .into(),
        "What was changed is written down in pgstream.repair on the target.".into(),
    ];
    if model.is_at_rest() || model.latest.phase == Phase::Held {
        lines.push(
            "Nothing streams: where the stream cannot go on from the target, a lost slot is made anew, the \
             target is brought to a position of the source, and the stream goes on from there."
                .into(),
        );
    }
    model.overlay = Some(Overlay::Question(Question {
        title: "Repair the target?".into(),
        lines,
        purpose: Purpose::Repair,
        go: "repair it".into(),
        keep: "leave it as it is".into(),
        answer: Answer::Typed {
            expected: "repair".into(),
            input: Input::default(),
        },
    }));
}

/// Asks before the refused transaction is skipped; what must be typed names it.
pub(super) fn skip(model: &mut Model) {
    let Some(failure) = refused(model) else {
        return;
    };
    let Some(transaction) = failure.transaction else {
        return;
    };
    let lines = vec![
        format!(
            "Transaction {}, commit {}",
            transaction.xid, transaction.commit_lsn
        ),
        failure.headline().to_owned(),
        String::new(),
        "All its changes are left out; the target will differ from the source there.".into(),
        "It is written down in pgstream.skipped_transaction on the target.".into(),
        "It cannot be undone. To apply it instead, fix the cause and retry.".into(),
    ];
    model.overlay = Some(Overlay::Question(Question {
        title: "Skip this transaction?".into(),
        lines,
        purpose: Purpose::Skip(transaction.commit_lsn),
        go: "skip it".into(),
        keep: "keep".into(),
        answer: Answer::Typed {
            expected: format!("skip {}", transaction.xid),
            input: Input::default(),
        },
    }));
}

/// Asks before the edited text runs.
pub(super) fn edit(model: &mut Model) {
    let Some(text) = model.editor.as_ref().map(Editor::text) else {
        return;
    };
    if text.is_empty() {
        return refuse(model, "there is nothing to run");
    }
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.extend([
        String::new(),
        "It runs on the target in place of what was planned, in one transaction with the rows \
         of the source's, and is written down there."
            .into(),
        "If the target then differs from the source, rows may be refused.".into(),
    ]);
    model.overlay = Some(Overlay::Question(Question {
        title: "Apply this on the target?".into(),
        lines,
        purpose: Purpose::Edit,
        go: "apply it".into(),
        keep: "not yet".into(),
        answer: Answer::Choice { go: false },
    }));
}

/// Asks before the configuration file is changed: shows the lines.
pub(super) fn save(model: &mut Model, lines: Vec<String>) {
    model.overlay = Some(Overlay::Question(Question {
        title: "Save these changes?".into(),
        lines,
        purpose: Purpose::Save,
        go: "save".into(),
        keep: "not yet".into(),
        answer: Answer::Choice { go: false },
    }));
}

/// Does what a question was about.
pub(super) fn confirmed(model: &mut Model, purpose: Purpose) -> Vec<Effect> {
    model.overlay = None;
    match purpose {
        Purpose::Quit => leave(model),
        Purpose::Suspend => vec![Effect::Suspend],
        Purpose::Start => vec![Effect::StartEngine],
        Purpose::Stop => {
            toast(model, "finishing the transaction in hand");
            vec![Effect::Command(Command::Stop)]
        }
        Purpose::Save => {
            let settings = model.settings.as_ref();
            let path = settings
                .and_then(|settings| Some((settings.path.clone()?, settings.changes.clone())));
            path.map(|(path, changes)| Effect::Save { path, changes })
                .into_iter()
                .collect()
        }
        Purpose::Edit => {
            let editor = model.editor.as_ref();
            let edit = editor.map(|editor| SchemaEdit {
                id: editor.id.clone(),
                sql: editor.text(),
            });
            edit.map(|edit| Effect::Command(Command::Edit(edit)))
                .into_iter()
                .collect()
        }
        Purpose::Copy(relation) => {
            vec![Effect::Command(Command::Copy(CopyCommand::Table {
                relation,
            }))]
        }
        Purpose::Repair => {
            let comparison = Comparison {
                repair: true,
                ..Comparison::default()
            };
            model.proof.begin(comparison.clone(), model.now_ms);
            vec![Effect::Compare(comparison)]
        }
        Purpose::Skip(commit_lsn) => vec![Effect::Command(Command::Skip { commit_lsn })],
    }
}

/// Says which copies begin anew.
fn copies_lost(status: &Status) -> Option<String> {
    let snapshot = status.snapshot.as_ref()?;
    let copying = snapshot.count(CopyState::Copying) + snapshot.count(CopyState::Indexing);
    (copying > 0).then(|| {
        format!("Copies that run ({copying}) begin anew at the next start; finished ones stay.")
    })
}

/// Says what the source pays while nobody reads the slot.
pub(crate) fn cost_of_absence(status: &Status) -> Vec<String> {
    let per_hour = format::whole(status.lag.wal_bytes_per_s * 3600.0);
    let mut lines: Vec<String> = copies_lost(status).into_iter().collect();
    let slot = status.slots.iter().find(|slot| slot.ours);
    if slot.is_some_and(Slot::is_lost) {
        lines.push("The slot is lost already: the source keeps nothing for it.".into());
        return lines;
    }
    lines.push(match per_hour {
        0 => "The source keeps all WAL it writes meanwhile; at present it writes none.".into(),
        _ => format!(
            "The source keeps about {} of WAL an hour meanwhile.",
            format::bytes(per_hour)
        ),
    });
    lines.push(
        match slot.map(|slot| (slot.lost_in_s, slot.safe_wal_bytes)) {
            Some((Some(seconds), _)) => {
                format!(
                    "At that rate the slot is lost in {}.",
                    format::whole_seconds(seconds)
                )
            }
            Some((None, Some(safe))) => {
                format!(
                    "The slot is safe for another {}.",
                    format::maybe_bytes(Some(safe))
                )
            }
            Some((None, None)) => {
                "No limit is set: the slot lasts as long as the disk does.".into()
            }
            None => "The slot has not been seen yet.".into(),
        },
    );
    lines
}
