//! What each action does.

use tui_input::Input;

use crate::console::action::{Action, Pane};
use crate::console::availability::{STOP_FIRST, refusal};
use crate::console::items::items;
use crate::console::items::selected_change;
use crate::console::message::Effect;
use crate::console::model::cursor::Step;
use crate::console::model::editor::Editor;
use crate::console::model::overlay::{Filtered, Overlay};
use crate::console::model::{Find, Leaving, Model, SlotOrder, TableOrder, Unit, Window};
use crate::console::wizard::Kind;
use crate::console::yank;
use crate::status::{Command, Phase};

use super::toast::refuse;
use super::toast::{leave, toast};
use super::{ask, copies, motion, proof, rows, start, wizard};

/// Does an action, or says why it cannot be done.
pub(crate) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    if let Some(reason) = refusal(model, action) {
        let key = match reason {
            STOP_FIRST => format!(", with {}", model.keymap.label(Action::Stop)),
            _ => String::new(),
        };
        refuse(model, format!("{reason}{key}"));
        return Vec::new();
    }
    match action {
        Action::Quit => return ask::quit(model),
        Action::Interrupt => return interrupt(model),
        Action::Pause => return vec![Effect::Command(pause_or_resume(model))],
        Action::RetryNow | Action::SchemaRetry => return retry(model),
        Action::SkipTransaction | Action::SchemaSkip => ask::skip(model),
        Action::SchemaEdit => edit_change(model),
        Action::Stop => ask::stop(model),
        Action::YankRow | Action::YankPane | Action::YankJson => return copied(model, action),
        Action::Mouse => return mouse(model),
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return ask::suspend(model),
        Action::Help => model.overlay = Some(Overlay::Help(Filtered::default())),
        Action::Palette => model.overlay = Some(Overlay::Palette(Filtered::default())),
        Action::Open => open(model),
        Action::Find => model.find = Some(new_find()),
        Action::FindNext => found(model, true),
        Action::FindPrevious => found(model, false),
        Action::Freeze => model.freeze(model.frozen.is_none()),
        Action::Back => back(model),
        Action::Zoom => model.zoom = !model.zoom,
        Action::OpenFile => start::choose_file(model),
        Action::Lessons if model.tutorial.is_none() => return start::stage(model),
        Action::Lessons => {
            if let Some(tutorial) = &mut model.tutorial {
                tutorial.focused = !tutorial.focused;
            }
        }
        Action::Snapshot if model.focus == Pane::Snapshot => go(model, model.left),
        Action::Snapshot => go(model, Pane::Snapshot),
        Action::Verify if model.focus == Pane::Verify => go(model, model.left),
        Action::Verify => go(model, Pane::Verify),
        Action::VerifyStart => return proof::start(model),
        Action::VerifyStop => return vec![Effect::StopComparing],
        Action::VerifyRepair => return proof::repair(model),
        Action::VerifyValues => return proof::values(model),
        Action::RowValues => rows::show_values(model),
        Action::SnapshotCopy => return copies::again(model),
        Action::SnapshotPause => return copies::pause_or_resume(model),
        Action::SnapshotMore => return copies::workers(model, 1),
        Action::SnapshotFewer => return copies::workers(model, -1),
        Action::Init => wizard::open(model, Kind::Init),
        Action::TearDown => wizard::open(model, Kind::TearDown),
        Action::Config => model.open_settings(),
        _ => move_or_set(model, action),
    }
    Vec::new()
}

/// The actions that only move within the dashboard or change how a pane shows itself.
fn move_or_set(model: &mut Model, action: Action) {
    let page = page_rows(model);
    let focus = model.focus;
    match action {
        Action::NextPane => cycle(model, 1),
        Action::PreviousPane => cycle(model, Pane::ALL.len() - 1),
        Action::GoSlots => go(model, Pane::Slots),
        Action::GoSchema => go(model, Pane::Schema),
        Action::GoThroughput => go(model, Pane::Throughput),
        Action::GoLogs => go(model, Pane::Logs),
        Action::GoTables => go(model, Pane::Tables),
        Action::Up => motion::step(model, focus, Step::By(-1)),
        Action::Down => motion::step(model, focus, Step::By(1)),
        Action::PageUp => motion::step(model, focus, Step::By(-page)),
        Action::PageDown => motion::step(model, focus, Step::By(page)),
        Action::First => motion::step(model, focus, Step::First),
        Action::Last => motion::step(model, focus, Step::Last),
        Action::Left => sideways(model, false),
        Action::Right => sideways(model, true),
        Action::WindowShorter => model.window = model.window.next(false),
        Action::WindowLonger => model.window = model.window.next(true),
        Action::Unit => model.unit = next_unit(model.unit),
        Action::Follow => follow(model),
        Action::Targets => {
            model.zoom = true;
            model.logs.selector.keys = true;
        }
        Action::Wrap => model.logs.wrap = !model.logs.wrap,
        Action::SlotsSort => sort_slots(model),
        Action::TablesSort => sort_tables(model),
        Action::SnapshotSort => copies::sort(model),
        Action::SnapshotFailed => model.only.failed_copies = !model.only.failed_copies,
        Action::VerifyTrouble => model.proof.only_trouble = !model.proof.only_trouble,
        Action::SchemaTrouble => model.only.schema_trouble = !model.only.schema_trouble,
        _ => {}
    }
}

/// Gives the keys to a pane.
pub(super) fn go(model: &mut Model, pane: Pane) {
    if matches!(pane, Pane::Throughput | Pane::Tables) {
        model.shared = pane;
    }
    if model.focus != pane {
        model.find = None;
        model.zoom &= !pane.is_screen() && !model.focus.is_screen();
    }
    if pane.is_screen() && !model.focus.is_screen() {
        model.left = model.focus;
    }
    if pane == Pane::Verify {
        model.servers.want_proof();
    }
    model.focus = pane;
    model.logs.selector.keys &= pane == Pane::Logs;
}

fn cycle(model: &mut Model, by: usize) {
    let all = Pane::ALL;
    let index = all
        .iter()
        .position(|pane| *pane == model.focus)
        .unwrap_or(0);
    go(model, all[(index + by) % all.len()]);
}

fn page_rows(model: &Model) -> isize {
    isize::try_from(model.view_rows(model.focus).max(1)).unwrap_or(10)
}

fn sideways(model: &mut Model, right: bool) {
    match model.focus {
        Pane::Throughput => model.window = Window::next(model.window, right),
        Pane::Logs if right => model.logs.scroll_x = (model.logs.scroll_x + 16).min(4096),
        Pane::Logs => model.logs.scroll_x = model.logs.scroll_x.saturating_sub(16),
        Pane::Slots | Pane::Schema | Pane::Tables | Pane::Snapshot | Pane::Verify => {}
    }
}

const fn next_unit(unit: Unit) -> Unit {
    match unit {
        Unit::Rows => Unit::Transactions,
        Unit::Transactions => Unit::Bytes,
        Unit::Bytes => Unit::Rows,
    }
}

fn sort_slots(model: &mut Model) {
    model.sorting.slots = match model.sorting.slots {
        SlotOrder::Kept => SlotOrder::TimeLeft,
        SlotOrder::TimeLeft => SlotOrder::Name,
        SlotOrder::Name => SlotOrder::Kept,
    };
}

fn sort_tables(model: &mut Model) {
    model.sorting.tables = match model.sorting.tables {
        TableOrder::Changes => TableOrder::Latest,
        TableOrder::Latest => TableOrder::Name,
        TableOrder::Name => TableOrder::Changes,
    };
}

fn follow(model: &mut Model) {
    match model.logs.selected {
        Some(_) => model.logs.selected = None,
        None => motion::read_log(model),
    }
}

fn new_find() -> Find {
    Find {
        input: Input::default(),
        editing: true,
    }
}

fn found(model: &mut Model, forward: bool) {
    if !motion::find(model, forward) {
        refuse(model, "not found");
    }
}

/// Esc undoes the latest of: a search, a zoom, a frozen display, a screen of its own, a position in
/// the log.
fn back(model: &mut Model) {
    if model.find.take().is_some() {
    } else if model.zoom {
        model.zoom = false;
    } else if model.frozen.is_some() {
        model.freeze(false);
        toast(model, "the display is live again");
    } else if model.focus.is_screen() {
        go(model, model.left);
    } else {
        model.logs.selected = None;
    }
}

fn open(model: &mut Model) {
    let pane = model.focus;
    let empty = match pane {
        Pane::Throughput => false,
        Pane::Logs => model.logs.visible().is_empty(),
        _ => items(model, pane).is_empty(),
    };
    if empty {
        return refuse(model, "there is nothing to open yet");
    }
    if matches!(pane, Pane::Slots | Pane::Tables) {
        model.servers.want_proof();
    }
    model.overlay = Some(Overlay::Detail { pane, scroll: 0 });
}

/// Opens what would run, to be edited; what was typed for the same change before is still there.
fn edit_change(model: &mut Model) {
    let Some(change) = selected_change(model) else {
        return;
    };
    if model
        .editor
        .as_ref()
        .is_none_or(|open| open.id != change.id)
    {
        let text = yank::sql(change);
        let editor = Editor::new(change.id.clone(), change.tag.clone(), &text);
        model.editor = Some(editor);
    }
    model.overlay = Some(Overlay::Editor);
}

fn pause_or_resume(model: &Model) -> Command {
    match model.latest.phase {
        Phase::Paused => Command::Resume,
        _ => Command::Pause,
    }
}

fn retry(model: &mut Model) -> Vec<Effect> {
    model.overlay = None;
    match model.latest.phase {
        Phase::Stopped | Phase::Crashed => vec![Effect::StartEngine],
        _ => vec![Effect::Command(Command::Retry)],
    }
}

/// The first asks as `q` does; while that question stands, or while the engine is stopping
/// already, the next one goes on without asking.
fn interrupt(model: &mut Model) -> Vec<Effect> {
    let asked = matches!(&model.overlay, Some(Overlay::Question(_)));
    if asked || model.leaving != Leaving::No {
        return leave(model);
    }
    ask::quit(model)
}

fn mouse(model: &mut Model) -> Vec<Effect> {
    model.display.mouse = !model.display.mouse;
    toast(
        model,
        match model.display.mouse {
            true => "mouse on; Shift-drag selects text",
            false => "mouse off; the terminal selects text",
        },
    );
    vec![Effect::Mouse(model.display.mouse)]
}

fn copied(model: &mut Model, action: Action) -> Vec<Effect> {
    let copied = match action {
        Action::YankPane => yank::pane(model),
        Action::YankJson => yank::log_line_json(model),
        _ => yank::row(model),
    };
    match copied {
        Some((what, text)) => vec![Effect::Yank { what, text }],
        None => {
            refuse(model, "there is nothing to copy");
            Vec::new()
        }
    }
}
