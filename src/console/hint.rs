//! What is wrong and what fixes it, as the console says it: with its own keys in place of the
//! shell's flags, and whole, in as many lines as that takes.

use crate::model::hint::{
    EDIT_FLAG, INIT_COMMAND, RUN_AGAIN, SKIP_FLAG, VALUES_AT_TRACE, without_beginning_anew,
    without_command, without_flag, without_repair,
};
use crate::status::Failure;

use super::action::{Action, Pane};
use super::layout::{self, Class, Layout, Wanted};
use super::model::Model;
use super::theme::Role;
use super::{status_glyph, view};

/// Returns a failure's hint with the keys that do what it speaks of; `again` tries again.
pub(crate) fn in_keys(model: &Model, failure: &Failure, again: Action) -> Option<String> {
    let key = |action| model.keymap.label(action);
    let hint = failure.hint.as_ref()?;
    let repair = format!(
        "{}, then {}",
        key(Action::Verify),
        key(Action::VerifyRepair)
    );
    let anew = format!(
        "{} stops the engine, {} removes the slot, {} sets the pipeline up again; then {repair} brings what \
         differs, without a new copy",
        key(Action::Stop),
        key(Action::TearDown),
        key(Action::Init)
    );
    let hint = hint.replace(VALUES_AT_TRACE, "");
    let hint = &without_beginning_anew(&hint, &anew);
    let hint = &without_repair(hint, &repair);
    let hint = without_flag(hint, SKIP_FLAG, &key(Action::SkipTransaction));
    let edit = format!("{} in the schema log", key(Action::SchemaEdit));
    let hint = without_flag(&hint, EDIT_FLAG, &edit);
    let init = format!("{}, then {}", key(Action::Stop), key(Action::Init));
    let hint = without_command(&hint, INIT_COMMAND, &init);
    Some(hint.replace(RUN_AGAIN, &format!("press {}", key(again))))
}

/// Most lines that the banner takes in a low window, and in any other: the panes need room, too.
const LINES_MAX_COMPACT: usize = 4;
const LINES_MAX: usize = 6;
/// Where the words of a cause or a hint begin.
const WORDS_AT: usize = 12;

/// Returns the lines of the banner above its keys: what failed, why, the hint.
pub(crate) fn banner(model: &Model, width: u16) -> Vec<(String, Role)> {
    let Some(failure) = &model.status().last_error else {
        return Vec::new();
    };
    let compact = layout::class(model.size) == Class::Compact;
    let width = usize::from(width).saturating_sub(2);
    let glyph = status_glyph::of_phase(&model.status().phase).glyph;
    let is_in_a_cause = |code: &&String| failure.causes.iter().any(|cause| cause.contains(*code));
    let code = failure
        .sqlstate
        .as_ref()
        .filter(|code| !is_in_a_cause(code));
    let code = code.map_or(String::new(), |code| format!(" ({code})"));
    let mut lines = Vec::new();
    let mut add = |head: &str, text: &str, role: Role, at: usize| {
        let parts = view::wrap(text, width.saturating_sub(at));
        let heads = std::iter::once(head).chain(std::iter::repeat(""));
        let whole = parts.into_iter().zip(heads);
        lines.extend(whole.map(|(part, head)| (format!("{head:at$}{part}"), role)));
    };
    let what = format!("{}{code}", failure.headline());
    add(&format!(" {glyph}"), &what, Role::Bad, 3);
    let hint = in_keys(model, failure, Action::RetryNow);
    if let Some(cause) = failure.causes.last().filter(|_| !compact || hint.is_none()) {
        add("   because", cause, Role::Text, WORDS_AT);
    }
    if let Some(hint) = &hint {
        add("   hint", hint, Role::Text, WORDS_AT);
    }
    let most = if compact {
        LINES_MAX_COMPACT
    } else {
        LINES_MAX
    };
    if lines.len() > most {
        lines.truncate(most);
        if let Some((last, _)) = lines.last_mut() {
            last.push_str(" …");
        }
    }
    lines
}

impl Model {
    /// Returns where everything stands now.
    pub(crate) fn layout(&self) -> Layout {
        let compact = layout::class(self.size) == Class::Compact;
        let wanted = Wanted {
            focus: self.focus,
            shared: self.shared,
            zoom: self.zoom
                || self.focus == Pane::Snapshot && self.status().snapshot.is_none()
                || self.focus == Pane::Verify && self.proof.compared.is_empty(),
            banner_rows: match self.has_trouble() {
                false => 0,
                true => u16::try_from(banner(self, self.size.width).len() + 1).unwrap_or(1),
            },
            copy_rows: u16::from(!compact && self.has_unready_tables()),
            lesson_rows: self.lesson_rows(),
        };
        layout::dashboard(self.size, wanted)
    }

    /// Returns how many rows the lesson takes: as many as its text, within its part of the window.
    fn lesson_rows(&self) -> u16 {
        let Some(tutorial) = &self.tutorial else {
            return 0;
        };
        let most = match tutorial.focused {
            true => (self.size.height / 2).clamp(6, 18),
            false => (self.size.height / 4).clamp(3, 12),
        };
        view::lesson_rows(self, tutorial).min(most).max(3)
    }
}
