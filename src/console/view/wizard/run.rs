//! The run: each step with what became of it and how long it took, while it happens.

use std::time::Duration;

use ratatui::text::Line;

use crate::console::format;
use crate::console::theme::Role;
use crate::console::wizard::{Loaded, Wizard};
use crate::schema::{StepProgress, StepState};

use super::paint;
use super::sheet::{Content, Sheet};

/// Returns the screen, with the cursor on the step that is at work.
pub(super) fn run(sheet: &Sheet<'_>, wizard: &Wizard) -> Content {
    let steps = &wizard.progress.steps;
    let mut lines: Vec<Line<'static>> = steps
        .iter()
        .enumerate()
        .map(|(index, step)| line(sheet, wizard, index, step))
        .collect();
    let at_work = steps
        .iter()
        .rposition(|one| one.state != StepState::Waiting);
    let cursor = at_work.map(|row| (row, 0));
    if steps.is_empty() || matches!(wizard.ran, Loaded::Failed(_)) {
        if !steps.is_empty() {
            lines.push(Line::default());
        }
        lines.extend(sheet.missing(&wizard.ran, "asking the servers what is there"));
    }
    if let Loaded::Done(done) = &wizard.ran {
        let words = match done.is_empty() {
            true => " ✓ everything was there already; nothing was changed".to_owned(),
            false if steps.is_empty() => " ✓ done".to_owned(),
            false => format!(" ✓ done in {}", seconds(total(steps))),
        };
        lines.push(sheet.line(words, Role::Good));
    }
    // The end is what one wants to read when it is over.
    match wizard.ran {
        Loaded::Done(_) | Loaded::Failed(_) => {
            let last = lines.len().saturating_sub(1);
            (lines, Some((last, 0)))
        }
        Loaded::Not | Loaded::Waiting => (lines, cursor),
    }
}

fn line(sheet: &Sheet<'_>, wizard: &Wizard, index: usize, step: &StepProgress) -> Line<'static> {
    let since = || {
        let ms = (sheet.model.now_ms - wizard.step_since_ms).max(0);
        seconds(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
    };
    let (sign, role, words) = match step.state {
        StepState::Waiting => ("○", Role::Quiet, String::new()),
        StepState::Running => ("…", Role::Accent, since()),
        StepState::Done(took) => ("✓", Role::Good, seconds(took)),
        StepState::Failed(took) => ("✗", Role::Bad, format!("failed after {}", seconds(took))),
        StepState::TakingBack => ("…", Role::Accent, "being taken back".to_owned()),
        StepState::TakenBack => ("-", Role::Quiet, "taken back".to_owned()),
        StepState::Left => ("!", Role::Warn, "still there".to_owned()),
    };
    let room = sheet.width.saturating_sub(words.chars().count() + 2);
    let head = format!(
        " {sign} {:>2}  {:<7} {}",
        index + 1,
        step.side.to_string(),
        step.what
    );
    sheet.line(format!("{} {words}", paint::fit(&head, room, false)), role)
}

fn total(steps: &[StepProgress]) -> Duration {
    let times = steps.iter().map(|step| match step.state {
        StepState::Done(took) | StepState::Failed(took) => took,
        StepState::Waiting
        | StepState::Running
        | StepState::TakingBack
        | StepState::TakenBack
        | StepState::Left => Duration::ZERO,
    });
    times.sum()
}

fn seconds(took: Duration) -> String {
    match took.as_millis() {
        0..1000 => format::millis(took.as_secs_f64() * 1000.0),
        _ => format::seconds(took.as_secs_f64()),
    }
}

/// Returns what was removed, and whether it is gone.
pub(super) fn verify(sheet: &Sheet<'_>, wizard: &Wizard) -> Vec<Line<'static>> {
    let (mut lines, _) = run(sheet, wizard);
    lines.push(Line::default());
    lines.extend(sheet.missing(&wizard.verified, "looking whether everything is gone"));
    if let Loaded::Done(remains) = &wizard.verified {
        if remains.is_empty() {
            lines.push(sheet.line(" ✓ verified: nothing of pgstream is left", Role::Good));
        }
        for what in remains {
            lines.extend(sheet.wrapped(1, what, Role::Bad));
        }
    }
    lines
}
