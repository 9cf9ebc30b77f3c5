//! The wizards: the steps at the left, the screen of the step, its keys below.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout as Split, Position, Rect};
use ratatui::text::Line;

use crate::console::model::Model;
use crate::console::theme::Role;
use crate::console::wizard::{Kind, Loaded, Name, Step, Wizard};

use super::paint::{self, Frame};

use sheet::{Content, Sheet, name, show};

mod plan;
mod run;
mod sheet;
mod tables;

/// Draws a wizard over the whole screen; returns the cursor of the field being typed in.
pub(super) fn wizard(model: &Model, wizard: &Wizard, buffer: &mut Buffer) -> Option<Position> {
    let theme = model.display.theme;
    let [head, body, _] = Split::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(buffer.area);
    let title = Line::styled(
        format!(" {}", wizard.kind.title()),
        theme.style(Role::Title),
    );
    paint::text(&title, 0, head, buffer);
    let count = wizard.kind.steps().len();
    let place = Line::styled(
        format!("step {} of {count} ", wizard.at + 1),
        theme.style(Role::Quiet),
    );
    paint::text_right(&place, 0, head, buffer);
    let wide = body.width >= 80;
    let [left, main] = Split::horizontal([
        Constraint::Length(if wide { 18 } else { 0 }),
        Constraint::Fill(1),
    ])
    .areas(body);
    if wide {
        stepper(model, wizard, left, buffer);
    }
    let main = beside_why(model, wizard, main, buffer);
    if wizard.step() == Step::Plan {
        return plan::plan(model, wizard, main, buffer);
    }
    let summary = match wizard.step() {
        Step::Preflight => sheet::found(model, wizard),
        _ => Line::default(),
    };
    let titles = (name(wizard.step()), summary);
    let inner = paint::frame(theme, Frame::Focus, titles, main, buffer);
    let cursor = show(content(model, wizard, inner), inner, buffer);
    cursor.filter(|_| wizard.focused().is_some() || wizard.step() == Step::Tables)
}

/// The column of reasons, and below what width of the screen's own it stands under it instead.
const WHY_WIDTH: u16 = 34;
const BESIDE_FROM: u16 = 90;
/// Below this many rows the screen itself needs them all; a plan has its SQL there.
const UNDER_FROM: u16 = 20;

/// Says why the screen or its field is there, beside it or under it; returns the room that is left.
fn beside_why(model: &Model, wizard: &Wizard, main: Rect, buffer: &mut Buffer) -> Rect {
    let theme = model.display.theme;
    if wizard.why().is_empty() {
        return main;
    }
    let width = if main.width >= BESIDE_FROM {
        WHY_WIDTH
    } else {
        main.width
    };
    let parts = paint::wrap(wizard.why(), usize::from(width).saturating_sub(4));
    let rows = u16::try_from(parts.len() + 2).unwrap_or(u16::MAX);
    let [main, why] = if main.width >= BESIDE_FROM {
        Split::horizontal([Constraint::Fill(1), Constraint::Length(width)]).areas(main)
    } else if main.height >= UNDER_FROM && wizard.step() != Step::Plan {
        Split::vertical([Constraint::Fill(1), Constraint::Length(rows)]).areas(main)
    } else {
        return main;
    };
    let inner = paint::frame(theme, Frame::Pane, ("Why", Line::default()), why, buffer);
    for (row, part) in (0..inner.height).zip(parts) {
        let line = Line::styled(format!(" {part}"), theme.style(Role::Text));
        paint::text(&line, row, inner, buffer);
    }
    main
}

fn stepper(model: &Model, wizard: &Wizard, place: Rect, buffer: &mut Buffer) {
    let theme = model.display.theme;
    let titles = (wizard.kind.title(), Line::default());
    let inner = paint::frame(theme, Frame::Pane, titles, place, buffer);
    for (row, (index, step)) in (0..inner.height).zip(wizard.kind.steps().iter().enumerate()) {
        let (sign, role) = match index.cmp(&wizard.at) {
            std::cmp::Ordering::Less => ("✓", Role::Good),
            std::cmp::Ordering::Equal => ("▶", Role::Title),
            std::cmp::Ordering::Greater => (" ", Role::Quiet),
        };
        let words = name(*step).split([' ', '·']);
        let short = match step {
            Step::FirstCopy => name(Step::FirstCopy),
            _ => words.into_iter().next().unwrap_or_default(),
        };
        let line = Line::styled(format!(" {sign} {} {short}", index + 1), theme.style(role));
        paint::text(&line, row, inner, buffer);
    }
}

/// What the keys do on this screen, the most needed first.
pub(super) fn keys(wizard: &Wizard) -> Vec<(&'static str, &'static str)> {
    let go_on = ("Enter", "go on");
    let (leave, back) = (("Esc", "leave"), ("Bksp", "back"));
    match wizard.step() {
        Step::Source | Step::Target | Step::Servers => {
            vec![go_on, ("Tab", "field"), leave, ("F2", "show password")]
        }
        Step::Preflight if wizard.blocking() > 0 => {
            let waits = ("Enter", "waits for what blocks");
            vec![("r", "recheck"), ("y", "copy fix"), leave, back, waits]
        }
        Step::Preflight => vec![go_on, ("r", "recheck"), ("y", "copy fix"), leave, back],
        Step::Tables if wizard.focused().is_some() => {
            vec![go_on, ("Tab", "to the list"), leave]
        }
        Step::Tables => vec![
            ("Space", "in or out"),
            go_on,
            leave,
            ("a", "all"),
            ("S-Tab", "patterns"),
            back,
            ("r", "again"),
        ],
        Step::FirstCopy => vec![go_on, ("Tab", "field"), leave, ("Space", "yes or no")],
        Step::Plan if wizard.sql_scroll.is_some() => vec![
            ("↑↓", "scroll"),
            ("y", "copy plan"),
            ("w", "write it to a file"),
            ("Esc", "back to the plan"),
        ],
        Step::Plan if matches!(wizard.plan, Loaded::Failed(_)) => {
            vec![("r", "ask again"), leave, back]
        }
        Step::Plan => vec![
            match wizard.kind {
                Kind::TearDown => go_on,
                Kind::Init => ("Enter", "run it"),
            },
            ("↑↓", "step"),
            ("v", "SQL"),
            leave,
            ("y", "copy"),
            ("w", "write file"),
            back,
            ("r", "again"),
        ],
        Step::Confirm if wizard.value(Name::Confirm) == wizard.slot_to_type() => {
            vec![("Enter", "tear down"), ("Esc", "keep")]
        }
        Step::Confirm => vec![("Enter", "waits for the name"), ("Esc", "keep")],
        Step::Run => match wizard.ran {
            Loaded::Done(_) => vec![go_on, leave],
            Loaded::Failed(_) => vec![("r", "try again"), back, leave],
            Loaded::Not | Loaded::Waiting => vec![("Esc", "leave it running")],
        },
        Step::Start => {
            let then = ("Space", "start it or not");
            vec![("Enter", "save"), ("Tab", "field"), leave, then]
        }
        Step::Verify => vec![("Enter", "leave"), ("r", "look again")],
    }
}

fn content(model: &Model, wizard: &Wizard, inner: Rect) -> Content {
    let sheet = Sheet {
        model,
        width: usize::from(inner.width),
    };
    match wizard.step() {
        step @ (Step::Source | Step::Target | Step::Servers | Step::FirstCopy) => {
            sheet.form(wizard, step)
        }
        Step::Preflight => sheet.preflight(wizard),
        Step::Tables => tables::tables(&sheet, wizard),
        Step::Plan => (Vec::new(), None),
        Step::Confirm => sheet.confirm(wizard),
        Step::Run => run::run(&sheet, wizard),
        Step::Start => sheet.start(wizard),
        Step::Verify => (run::verify(&sheet, wizard), None),
    }
}
