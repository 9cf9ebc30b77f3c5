//! What messages do to the state and what they ask for, without any I/O.

use tracing::level_filters::LevelFilter;

use crate::console::action::Pane;
use crate::console::items::items;
use crate::console::lesson::{ByHand, Lesson, LessonStep, Request, Seen, TutorialState};
use crate::console::model::SlotOrder;
use crate::console::model::mode::{Home, Mode};
use crate::console::model::overlay::Filtered;
use crate::console::model::servers::Query;
use crate::console::scripted::{NOW_MS, SampleState, log_lines, look, sample_changes, status};
use crate::console::start::{Found, Start};
use crate::console::tests::{console, drawn, press, text, type_text};
use crate::console::wizard::{Answer, Kind, Loaded, Step, Wizard, WizardValues};
use crate::engine::{Page, Servers as Sides};
use crate::model::hint::begin_anew;
use crate::model::{Lsn, RelationId};
use crate::status::{FailedTransaction, Refusal, SchemaChange};

use super::toast::{STOP_MS, TOAST_MS};
use super::*;

fn last_toast(model: &Model) -> &str {
    &model.toasts.last().unwrap().text
}

fn logged() -> Message {
    let line = log_lines().remove(0);
    Message::Log { lost: 0, line }
}

#[test]
fn keys_ask_the_engine_for_what_makes_sense_and_explain_what_does_not() {
    let skip = Command::Skip {
        commit_lsn: Lsn(0x4A3_9C00),
    };
    let check = |sample, keys: &str, expected: &[Effect], toast: Option<&str>| {
        let mut model = console(sample);
        assert_eq!(press(&mut model, keys), expected, "{sample:?} {keys}");
        assert_eq!(
            model.toasts.last().map(|one| one.text.as_str()),
            toast,
            "{sample:?} {keys}"
        );
    };
    let command = |command| vec![Effect::Command(command)];
    check(SampleState::Streaming, "P", &command(Command::Pause), None);
    check(SampleState::Paused, "P", &command(Command::Resume), None);
    check(
        SampleState::Held,
        "P",
        &[],
        Some("the engine is held at a refused transaction"),
    );
    check(SampleState::Retrying, "R", &command(Command::Retry), None);
    check(SampleState::Held, "2 r", &command(Command::Retry), None);
    check(SampleState::Crashed, "R", &[Effect::StartEngine], None);
    check(SampleState::Streaming, "R", &[], Some("nothing has failed"));
    check(
        SampleState::Streaming,
        "X",
        &[],
        Some("the engine is held at no refused transaction"),
    );
    check(SampleState::Held, "X enter esc", &[], None);
    check(SampleState::Streaming, "E enter", &[], None);
    let finishing = "finishing the transaction in hand";
    check(
        SampleState::Streaming,
        "E right enter",
        &command(Command::Stop),
        Some(finishing),
    );

    let mut model = console(SampleState::Held);
    press(&mut model, "X");
    type_text(&mut model, "skip 88123");
    assert_eq!(press(&mut model, "enter"), command(skip));
}

#[test]
fn quitting_asks_only_while_changes_travel_and_waits_for_the_engine() {
    let mut model = console(SampleState::Streaming);
    assert_eq!(press(&mut model, "q enter"), []);
    assert_eq!(
        model.leaving,
        Leaving::No,
        "the question starts on the safe answer"
    );

    assert_eq!(
        press(&mut model, "q tab enter"),
        [Effect::Command(Command::Stop)]
    );
    assert!(matches!(model.leaving, Leaving::When { .. }));
    update(
        &mut model,
        Message::Status(Arc::new(status(SampleState::Stopped))),
    );
    assert_eq!(model.leaving, Leaving::Now);

    let mut model = console(SampleState::Stopped);
    press(&mut model, "q");
    assert_eq!(model.leaving, Leaving::Now);
}

#[test]
fn an_engine_that_does_not_stop_cannot_hold_the_console() {
    let mut model = console(SampleState::Streaming);
    update(&mut model, Message::Terminate);
    update(&mut model, Message::Now(NOW_MS + STOP_MS - 1));
    assert!(matches!(model.leaving, Leaving::When { .. }));
    update(&mut model, Message::Now(NOW_MS + STOP_MS));
    assert_eq!(model.leaving, Leaving::Now);

    let mut model = console(SampleState::Streaming);
    assert_eq!(
        press(&mut model, "ctrl-c ctrl-c"),
        [Effect::Command(Command::Stop)]
    );
    press(&mut model, "ctrl-c");
    assert_eq!(model.leaving, Leaving::Now);

    let mut model = console(SampleState::Streaming);
    update(&mut model, Message::Terminate);
    update(&mut model, Message::Answered(Command::Stop, None));
    assert_eq!(model.leaving, Leaving::Now, "there is no engine any more");
}

#[test]
fn a_frozen_display_stands_still_while_everything_goes_on() {
    let mut model = console(SampleState::Streaming);
    press(&mut model, "space");
    let end = model.logs.shown_end();

    update(
        &mut model,
        Message::Status(Arc::new(status(SampleState::Held))),
    );
    model.dirty = false;
    update(&mut model, logged());

    assert!(matches!(model.status().phase, Phase::Streaming { .. }));
    assert_eq!((model.logs.shown_end(), model.dirty), (end, false));
    press(&mut model, "esc");
    assert_eq!(model.status().phase, Phase::Held);
    assert_eq!(model.logs.shown_end(), end + 1);
}

#[test]
fn reading_the_log_is_not_disturbed_by_new_lines() {
    let mut model = console(SampleState::Streaming);
    press(&mut model, "4 k");
    let reading = model.logs.selected;
    assert!(reading.is_some());

    update(&mut model, logged());
    assert_eq!(model.logs.selected, reading);
    press(&mut model, "G");
    assert_eq!(model.logs.selected, None, "the end follows again");
    press(&mut model, "f");
    assert!(model.logs.selected.is_some());
}

#[test]
fn lost_lines_are_marked_where_they_are_missing() {
    let mut model = console(SampleState::Streaming);
    press(&mut model, "4");
    let Message::Log { line, .. } = logged() else {
        unreachable!("it is a line");
    };
    update(&mut model, Message::Log { lost: 713, line });

    let screen = text(&drawn(&mut model, (80, 24)));
    assert!(screen.contains("… 713 lines are missing here"), "{screen}");
    assert!(screen.contains("713 lines lost"), "{screen}");
    assert!(!screen.lines().next().unwrap().contains("lost"), "{screen}");
}

#[test]
fn searching_goes_round_and_esc_clears() {
    let mut model = console(SampleState::Streaming);
    press(&mut model, "4 /");
    type_text(&mut model, "DDL");
    press(&mut model, "enter");
    let first = model.logs.selected;
    press(&mut model, "n");
    assert_ne!(model.logs.selected, first);
    press(&mut model, "n");
    assert_eq!(model.logs.selected, first);
    press(&mut model, "N N");
    assert_eq!(model.logs.selected, first);
    press(&mut model, "esc n");
    assert_eq!(last_toast(&model), "nothing is searched for");
}

#[test]
fn tab_and_numbers_lead_through_the_panes() {
    let mut model = console(SampleState::Streaming);
    for expected in [
        Pane::Schema,
        Pane::Throughput,
        Pane::Logs,
        Pane::Tables,
        Pane::Slots,
    ] {
        press(&mut model, "tab");
        assert_eq!(model.focus, expected);
    }
    press(&mut model, "shift-tab");
    assert_eq!((model.focus, model.shared), (Pane::Tables, Pane::Tables));
    press(&mut model, "3");
    assert_eq!(
        (model.focus, model.shared),
        (Pane::Throughput, Pane::Throughput)
    );
}

#[test]
fn the_mouse_gives_the_keys_to_what_is_clicked() {
    let mut model = console(SampleState::Streaming);
    update(
        &mut model,
        Message::Click {
            column: 10,
            row: 11,
        },
    );
    assert_eq!(model.focus, Pane::Schema);
    let rows = items(&model, Pane::Schema);
    let keys: Vec<String> = rows.iter().map(|row| row.key().into_owned()).collect();
    assert_eq!(model.schema.index(&keys), Some(2));
    update(
        &mut model,
        Message::Wheel {
            column: 10,
            row: 11,
            rows: 3,
        },
    );
    assert_eq!(
        model.schema.index(&keys),
        Some(2),
        "the wheel moves the view"
    );
    assert_eq!(model.schema.top(&keys, 4), 3);
}

#[test]
fn copying_takes_what_is_shown() {
    let text = |keys: &str| {
        let effects = press(&mut console(SampleState::Streaming), keys);
        match effects.as_slice() {
            [Effect::Yank { text, .. }] => text.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        text("2 y"),
        "ALTER TABLE public.orders ADD COLUMN note text;"
    );
    assert!(text("y").starts_with("orders_slot  ● active  48 MB"));
    assert_eq!(text("5 Y").lines().count(), 6, "with a line of headings");
    assert!(text("4 c").contains("\"rows\":\"1204\""));
    let copied = text("4 y");
    assert!(
        copied.starts_with("2026-11-22T12:04:33.000+00:00 INFO  apply"),
        "{copied}"
    );
    assert!(
        text("4 Y")
            .lines()
            .all(|line| line.starts_with("2026-11-22T12:04:"))
    );
    assert!(text("3 y").contains("rows             1,622"));
}

#[test]
fn events_become_toasts_that_go_away() {
    let mut model = console(SampleState::Streaming);
    let skipped = FailedTransaction {
        xid: 7,
        commit_lsn: Lsn(1),
    };
    update(&mut model, Message::Event(EngineEvent::Skipped(skipped)));
    assert!(last_toast(&model).starts_with("- transaction 7 skipped"));
    for number in 0..9 {
        update(&mut model, Message::Told(Ok(number.to_string())));
    }
    press(&mut model, "R");
    update(&mut model, Message::Told(Err("no room".into())));
    let texts: Vec<&str> = model.toasts.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(
        texts,
        ["8", "nothing has failed", "no room"],
        "the newest of a kind"
    );

    model.dirty = false;
    update(&mut model, Message::Now(NOW_MS + TOAST_MS));
    assert!(model.toasts.is_empty() && model.dirty);
}

#[test]
fn nothing_is_drawn_unless_something_changed() {
    let mut model = console(SampleState::Streaming);
    model.dirty = false;
    update(&mut model, Message::Now(NOW_MS + 33));
    assert!(!model.dirty);
    update(&mut model, Message::Now(NOW_MS + 1000));
    assert!(model.dirty, "the running time shows seconds");

    model.display.motion = false;
    model.dirty = false;
    update(&mut model, Message::Now(NOW_MS + 2000));
    assert!(!model.dirty);
}

#[test]
fn help_and_palette_run_what_they_show() {
    let mut model = console(SampleState::Streaming);
    press(&mut model, "?");
    type_text(&mut model, "freeze");
    press(&mut model, "enter");
    assert!(model.frozen.is_some() && model.overlay.is_none());

    let mut model = console(SampleState::Streaming);
    press(&mut model, ":");
    update(&mut model, Message::Paste("pause\n".into()));
    assert_eq!(
        press(&mut model, "enter"),
        [Effect::Command(Command::Pause)]
    );
}

fn starting() -> Model {
    let mut model = console(SampleState::Stopped);
    model.begin_at(Start::new(Vec::new(), &["shop.env".into()]));
    model
}

#[test]
fn the_start_screen_leads_to_all_that_it_offers() {
    let mut model = starting();
    assert_eq!(press(&mut model, "up enter"), [Effect::Stage]);
    assert_eq!(
        press(&mut model, "L"),
        [],
        "its servers are starting already"
    );

    let mut model = starting();
    press(&mut model, "enter");
    assert_eq!(
        press(&mut model, "enter"),
        [Effect::Open("shop.env".into())]
    );
    press(&mut model, "ctrl-u");
    update(&mut model, Message::Paste("other.env\n".into()));
    assert_eq!(
        press(&mut model, "enter"),
        [Effect::Open("other.env".into())]
    );
    press(&mut model, "esc I");
    assert_eq!(model.wizard().map(|one| one.kind), Some(Kind::Init));
    press(&mut model, "esc down down enter");
    assert_eq!(model.wizard().map(|one| one.kind), Some(Kind::TearDown));
    press(&mut model, "esc P");
    assert_eq!(last_toast(&model), "there is no pipeline yet");
    press(&mut model, "esc");
    assert_eq!(model.leaving, Leaving::No);
    press(&mut model, "end enter");
    assert_eq!(model.leaving, Leaving::Now);
}

#[test]
fn a_file_that_names_no_pipeline_says_why_and_can_be_fixed() {
    let found = |trouble: &[&str]| Found {
        pipeline: "shop".into(),
        settings: (Vec::new(), "shop.env".into()),
        wizard_values: WizardValues {
            source: "postgres://db1/shop".into(),
            ..WizardValues::default()
        },
        level: tracing::Level::DEBUG,
        trouble: trouble.iter().map(|line| (*line).to_owned()).collect(),
    };
    let mut model = starting();
    let refused = found(&["the target is missing"]);
    update(&mut model, Message::Opened(Ok(refused)));
    assert!(model.is_starting());
    press(&mut model, "C");
    assert!(matches!(model.mode, Mode::Settings(Home::Start)));
    press(&mut model, "esc I");
    let wizard = model.wizard().unwrap();
    assert_eq!(wizard.wizard_values().source, "postgres://db1/shop");
    press(&mut model, "esc");

    update(&mut model, Message::Opened(Ok(found(&[]))));
    assert!(!model.is_starting());
    assert_eq!(model.pipeline, "shop");
}

#[test]
fn a_refused_schema_change_is_edited_and_applied_when_confirmed() {
    let mut model = console(SampleState::Held);
    press(&mut model, "2 e");
    let editor = model.editor.as_ref().unwrap();
    let (id, planned) = (editor.id.clone(), editor.text());
    assert!(planned.ends_with(';'), "{planned}");

    press(&mut model, "ctrl-u enter up");
    type_text(&mut model, "CREATE TYPE money2 AS (v int);");
    press(&mut model, "esc");
    assert!(model.overlay.is_none());
    press(&mut model, "e tab");
    assert_eq!(
        press(&mut model, "enter"),
        [],
        "it starts on the safe answer"
    );
    assert!(model.overlay.is_none());

    press(&mut model, "e tab right");
    let effects = press(&mut model, "enter");
    let [Effect::Command(Command::Edit(edit))] = &effects[..] else {
        panic!("{effects:?}");
    };
    assert_eq!(edit.id, id);
    assert!(edit.sql.starts_with("CREATE TYPE money2"), "{}", edit.sql);
}

#[test]
fn the_palette_shows_first_what_can_be_done_now() {
    let mut model = console(SampleState::Stopped);
    model.begin_at(Start::new(Vec::new(), &[]));
    let lines = crate::console::palette::lines(&model, &Filtered::default(), false);
    let open = lines
        .iter()
        .position(|line| line.refusal.is_some())
        .unwrap();
    assert!(open > 5 && lines[open..].iter().all(|line| line.refusal.is_some()));
}

#[test]
fn a_read_only_console_shows_and_asks_for_nothing() {
    for (sample, keys) in [
        (SampleState::Streaming, "P"),
        (SampleState::Streaming, "E"),
        (SampleState::Held, "R"),
        (SampleState::Held, "X"),
        (SampleState::Held, "2 e"),
        (SampleState::Copied, "S r"),
    ] {
        let mut model = console(sample);
        model.display.read_only = true;
        assert_eq!(press(&mut model, keys), [], "{keys}");
        assert!(model.overlay.is_none(), "{keys}");
        assert_eq!(model.toasts[0].text, "this console is read-only", "{keys}");
    }

    let mut model = console(SampleState::Stopped);
    model.display.read_only = true;
    let mut wizard = Wizard::new(Kind::Init, &WizardValues::default());
    wizard.at = steps_before(Step::Run);
    model.open_wizard(wizard);
    assert_eq!(press(&mut model, "enter"), []);
    let wizard = model.wizard().unwrap();
    assert_eq!(wizard.step(), Step::Plan, "nothing runs");

    let mut model = console(SampleState::Streaming);
    model.display.read_only = true;
    press(&mut model, "q");
    assert!(model.overlay.is_some(), "leaving asks as ever");
}

fn steps_before(wanted: Step) -> usize {
    let steps = Kind::Init.steps();
    steps.iter().position(|step| *step == wanted).unwrap() - 1
}

#[test]
fn only_a_change_that_failed_can_be_edited() {
    let mut model = console(SampleState::Streaming);
    press(&mut model, "2 e");
    assert!(model.editor.is_none());
    assert_eq!(model.toasts[0].text, "no schema change has failed");

    let mut model = console(SampleState::Held);
    press(&mut model, "2 G e");
    assert_eq!(model.toasts[0].text, "select the change that failed");
}

fn learning(by_hand: bool) -> Model {
    let step = |words: &str, looks: bool| LessonStep {
        words: words.into(),
        looks,
        by_hand: (by_hand && !looks).then(|| "psql".into()),
    };
    let lesson = Lesson {
        title: "A table".into(),
        text: String::new(),
        steps: vec![step("source> CREATE", false), step("target> SELECT", true)],
    };
    let mut model = console(SampleState::Streaming);
    model.tutorial = Some(TutorialState::new(vec![lesson.clone(), lesson], Vec::new()));
    model
}

#[test]
fn a_lesson_notices_what_was_done_by_hand() {
    let look = Request::DisplayOptions { lesson: 0, step: 0 };
    let mut model = learning(true);
    let looking = [Effect::Perform(look.clone())];
    assert_eq!(update(&mut model, Message::Now(NOW_MS)), looking);
    assert_eq!(update(&mut model, Message::Now(NOW_MS + 5000)), []);

    let not_yet = Message::Performed(look.clone(), Seen::ByHand(ByHand::NotYet));
    assert_eq!(update(&mut model, not_yet), []);
    assert_eq!(update(&mut model, Message::Now(NOW_MS + 6000)), looking);
    let done = Message::Performed(look, Seen::ByHand(ByHand::Done));
    let follows = Effect::Perform(Request::Step { lesson: 0, step: 1 });
    assert_eq!(update(&mut model, done), [follows]);
    assert_eq!(model.tutorial.as_ref().unwrap().shown.len(), 1);

    assert_eq!(
        update(&mut learning(false), Message::Now(NOW_MS)),
        [],
        "nothing tells of this step"
    );
}

#[test]
fn a_lesson_notices_what_was_done_by_hand_and_overtaken() {
    let mut model = learning(true);
    update(&mut model, Message::Now(NOW_MS));
    let look = Request::DisplayOptions { lesson: 0, step: 0 };

    let overtaken = Message::Performed(look, Seen::ByHand(ByHand::Overtaken));
    assert_eq!(update(&mut model, overtaken), [], "nothing is waited for");
    let tutorial = model.tutorial.as_ref().unwrap();
    assert!(tutorial.is_done() && !tutorial.running);

    press(&mut model, "enter");
    let look = Request::DisplayOptions { lesson: 1, step: 0 };
    let due = Message::Now(NOW_MS + 5000);
    assert_eq!(update(&mut model, due), [Effect::Perform(look)]);
}

#[test]
fn a_statement_of_ones_own_can_be_pasted() {
    let mut model = learning(false);
    press(&mut model, "p");
    update(&mut model, Message::Paste("SELECT 1;\n".into()));

    let prompt = model.tutorial.as_ref().unwrap().prompt.as_ref().unwrap();
    assert_eq!(prompt.input.value(), "SELECT 1;");
}

#[test]
fn a_field_takes_one_line_of_pasted_text_and_says_so() {
    let mut model = console(SampleState::Stopped);
    press(&mut model, "I");
    let pasted = "postgres://db1/shop\nsecond line\n";
    update(&mut model, Message::Paste(pasted.into()));
    let wizard = model.wizard().unwrap();
    assert_eq!(wizard.wizard_values().source, "postgres://db1/shop");
    assert_eq!(
        last_toast(&model),
        "one line taken: a field has no room for more"
    );

    let mut model = console(SampleState::Held);
    press(&mut model, "2 e ctrl-u");
    update(&mut model, Message::Paste("-- why\nSELECT 1;".into()));
    let text = model.editor.as_ref().unwrap().text();
    assert!(text.starts_with("-- why\nSELECT 1;"), "{text}");
    assert!(model.toasts.is_empty(), "{:?}", model.toasts);
}

#[test]
fn a_look_that_comes_too_late_changes_nothing() {
    let look = Request::DisplayOptions { lesson: 0, step: 0 };
    let mut model = learning(true);
    update(&mut model, Message::Now(NOW_MS));
    press(&mut model, "enter");
    let late = Message::Performed(look, Seen::ByHand(ByHand::Done));
    assert_eq!(update(&mut model, late), []);
    assert!(model.tutorial.as_ref().unwrap().shown.is_empty());

    let step = Request::Step { lesson: 0, step: 0 };
    let failed = Seen::Shown(Err("it is there already".into()));
    update(&mut model, Message::Performed(step.clone(), failed));
    assert!(model.tutorial.as_ref().unwrap().failure.is_some());
    let look = Request::DisplayOptions { lesson: 0, step: 0 };
    update(
        &mut model,
        Message::Performed(look, Seen::ByHand(ByHand::Done)),
    );
    let tutorial = model.tutorial.as_ref().unwrap();
    assert_eq!((tutorial.shown.len(), &tutorial.failure), (1, &None));
}

#[test]
fn answers_reach_the_wizard_that_asked() {
    let mut model = console(SampleState::Stopped);
    press(&mut model, "I esc T");
    let ran = Answer::Ran(Ok(Vec::new()));
    update(&mut model, Message::Wizard(Kind::Init, ran));
    let open = model.wizard().unwrap();
    assert_eq!((open.kind, &open.ran), (Kind::TearDown, &Loaded::Not));
    assert_eq!(model.parked[0].ran, Loaded::Done(Vec::new()));
}

#[test]
fn the_snapshot_screen_opens_over_the_panes_and_leads_back() {
    let mut model = console(SampleState::Copying);
    press(&mut model, "3 S");
    assert_eq!(model.focus, Pane::Snapshot);
    press(&mut model, "esc");
    assert_eq!(model.focus, Pane::Throughput);
    press(&mut model, "S S");
    assert_eq!(model.focus, Pane::Throughput);
    press(&mut model, "S tab");
    assert_eq!(model.focus, Pane::Snapshot, "Tab has nowhere to go");
    press(&mut model, "4");
    assert_eq!(model.focus, Pane::Logs);
}

#[test]
fn copies_are_paused_resumed_and_made_more_and_fewer() {
    let check = |sample, key: &str, expected| {
        let mut model = console(sample);
        let effects = press(&mut model, &format!("S {key}"));
        assert_eq!(effects, [Effect::Command(Command::Copy(expected))], "{key}");
    };
    check(SampleState::Copying, "P", CopyCommand::Pause);
    check(SampleState::CopyPaused, "P", CopyCommand::Resume);
    check(SampleState::Copying, "+", CopyCommand::Workers { count: 5 });
    check(SampleState::Copying, "-", CopyCommand::Workers { count: 3 });

    let mut model = console(SampleState::Copying);
    press(&mut model, "S +");
    let more = CopyCommand::Workers { count: 6 };
    assert_eq!(
        press(&mut model, "+"),
        [Effect::Command(Command::Copy(more))],
        "the status has not followed yet"
    );
    assert_eq!(press(&mut model, "esc"), []);
    assert_eq!(
        press(&mut model, "P"),
        [Effect::Command(Command::Pause)],
        "on the dashboard the same key pauses the stream"
    );
}

#[test]
fn a_failed_table_is_copied_at_once_and_a_good_one_after_a_question() {
    let refunds = CopyCommand::Table {
        relation: RelationId(16_388),
    };
    let mut model = console(SampleState::CopyFailed);
    let effects = press(&mut model, "S r");
    assert_eq!(effects, [Effect::Command(Command::Copy(refunds))]);

    let orders = CopyCommand::Table {
        relation: RelationId(16_385),
    };
    let mut model = console(SampleState::Copied);
    assert_eq!(press(&mut model, "S / . o r d e r s enter r enter"), []);
    assert!(model.overlay.is_none(), "Enter keeps the rows at first");
    let effects = press(&mut model, "r right enter");
    assert_eq!(effects, [Effect::Command(Command::Copy(orders))]);

    let mut model = console(SampleState::CopyWaiting);
    assert_eq!(press(&mut model, "S r"), []);
    assert_eq!(model.toasts[0].text, "it waits for its turn already");
}

#[test]
fn without_copies_the_screen_refuses_with_a_reason() {
    for key in ["r", "P", "+", "-"] {
        let mut model = console(SampleState::Streaming);
        assert_eq!(press(&mut model, &format!("S {key}")), [], "{key}");
        assert_eq!(model.toasts[0].text, "no table is copied here", "{key}");
    }
}

#[test]
fn leaving_while_tables_are_copied_is_asked_about() {
    let mut model = console(SampleState::Copying);
    assert_eq!(press(&mut model, "q"), []);
    let Some(Overlay::Question(question)) = &model.overlay else {
        panic!("no question");
    };
    assert!(question.lines[1].starts_with("Copies that run (3) begin anew"));
}

#[test]
fn a_read_only_tutorial_only_looks() {
    let mut model = learning(true);
    model.display.read_only = true;
    assert_eq!(press(&mut model, "enter"), []);
    assert_eq!(model.toasts.len(), 1, "and says why");
    assert_eq!(press(&mut model, "p 1 enter"), []);

    model.display.read_only = false;
    assert_eq!(press(&mut model, "enter").len(), 1);
}

#[test]
fn suspending_asks_because_the_engine_stands_still_with_the_console() {
    let mut model = console(SampleState::Streaming);
    assert_eq!(
        press(&mut model, "ctrl-z enter"),
        [],
        "the safe answer first"
    );
    assert_eq!(press(&mut model, "ctrl-z tab enter"), [Effect::Suspend]);

    let mut model = console(SampleState::Stopped);
    assert_eq!(press(&mut model, "ctrl-z"), [Effect::Suspend]);
}

#[test]
fn a_refused_row_is_named_before_its_reason() {
    let mut model = console(SampleState::Held);
    let mut held = status(SampleState::Held);
    held.last_error = held.last_error.map(|failure| Failure {
        message: "cannot write to the target db2:5432/shop".into(),
        refusal: Some(Box::new(Refusal {
            what: "the target refuses a change of public.refunds".into(),
            table: Some("public.refunds".into()),
        })),
        causes: vec![
            "the target refuses a change of public.refunds".into(),
            "db2:5432/shop: value too long (SQLSTATE 22001)".into(),
        ],
        sqlstate: Some("22001".into()),
        ..failure
    });
    update(&mut model, Message::Status(Arc::new(held)));

    let screen = text(&drawn(&mut model, (100, 30)));
    assert!(
        screen.contains(" ! the target refuses a change of public.refunds\n"),
        "{screen}"
    );
    assert_eq!(
        screen.matches("db2:5432/shop").count(),
        2,
        "header and cause: {screen}"
    );
    press(&mut model, "X");
    let screen = text(&drawn(&mut model, (100, 30)));
    assert!(
        screen.contains("║ the target refuses a change of public.refunds"),
        "{screen}"
    );
}

#[test]
fn a_lost_slot_has_no_room_left_and_its_hint_is_in_keys() {
    let mut lost = status(SampleState::Held);
    let slot = lost.slots.iter_mut().find(|slot| slot.ours).unwrap();
    slot.wal_status = Some("lost".into());
    slot.safe_wal_bytes = None;
    slot.lost_in_s = None;
    lost.last_error = lost.last_error.map(|failure| Failure {
        hint: Some(begin_anew("-c shop.env", "orders_slot")),
        ..failure
    });
    let mut model = console(SampleState::Held);
    update(&mut model, Message::Status(Arc::new(lost)));

    for size in [(80, 24), (120, 40)] {
        let screen = text(&drawn(&mut model, size));
        assert!(!screen.contains("no limit"), "{screen}");
        assert!(!screen.contains("pgstream run"), "{screen}");
        assert!(
            screen.contains("E stops the engine, T removes the slot"),
            "{screen}"
        );
    }
    press(&mut model, "q");
    let screen = text(&drawn(&mut model, (120, 40)));
    assert!(screen.contains("The slot is lost already"), "{screen}");
    assert!(!screen.contains("an hour"), "{screen}");
}

#[test]
fn a_level_that_is_chosen_for_a_target_is_what_is_captured() {
    let mut model = console(SampleState::Streaming);
    let captured = |effects: Vec<Effect>| match effects.as_slice() {
        [Effect::Capture(levels)] => levels.iter().find(|one| one.0 == "ddl").unwrap().1,
        other => panic!("{other:?}"),
    };
    assert_eq!(press(&mut model, "4 t down"), []);
    assert_eq!(captured(press(&mut model, "right")), LevelFilter::TRACE);
    assert_eq!(
        press(&mut model, "left left"),
        [],
        "less is shown of the same"
    );
    assert_eq!(captured(press(&mut model, "-")), LevelFilter::DEBUG);

    press(&mut model, "f");
    let screen = text(&drawn(&mut model, (120, 40)));
    assert!(
        screen.contains("statement applied") && !screen.contains("keepalive"),
        "{screen}"
    );
    press(&mut model, "esc 1");
    assert!(!model.logs.selector.keys);
}

fn page(changes: Vec<SchemaChange>) -> Page {
    Page {
        total: 10_037,
        skipped: Some(1),
        changes,
        is_last: false,
    }
}

#[test]
fn the_schema_log_goes_on_into_what_is_on_record() {
    let mut model = console(SampleState::Streaming);
    model.servers.begin();
    let look = |look| [Effect::DisplayOptions(look)];
    assert_eq!(
        update(&mut model, Message::Now(NOW_MS)),
        look(Query::Latest)
    );
    let latest = Looked::Latest(Ok(page(sample_changes(1..=9))));
    update(&mut model, Message::Looked(latest));

    let screen = text(&drawn(&mut model, (120, 40)));
    assert!(screen.contains("9 of 10,037"), "{screen}");
    assert!(screen.contains("1 skipped tx"), "{screen}");
    assert!(
        screen.contains("10,035 ✓"),
        "all but two on record: {screen}"
    );
    press(&mut model, "2 G");
    let older = look(Query::Older("c1".into()));
    assert_eq!(update(&mut model, Message::Now(NOW_MS)), older);
    let ended = Page {
        is_last: true,
        ..page(sample_changes(0..=0))
    };
    update(&mut model, Message::Looked(Looked::Older(Ok(ended))));
    press(&mut model, "G");
    assert_eq!(items(&model, Pane::Schema).len(), 10);
    assert_eq!(update(&mut model, Message::Now(NOW_MS)), []);
}

#[test]
fn without_an_engine_both_sides_are_shown_as_they_are() {
    let mut model = console(SampleState::Opening);
    let none = Status {
        phase: Phase::Stopped,
        ..Status::default()
    };
    update(&mut model, Message::Status(Arc::new(none)));
    model.servers.begin();
    let seen = Sides {
        source: "db1:5432/shop".into(),
        target: "db2:5432/shop".into(),
        slot_name: "orders_slot".into(),
        slots: Some(status(SampleState::Streaming).slots),
        ..Sides::default()
    };
    let answer = |seen: &Sides| Message::Looked(Looked::Servers(Box::new(seen.clone())));
    update(&mut model, answer(&seen));

    let screen = text(&drawn(&mut model, (120, 40)));
    assert!(
        screen.contains("2 slots ") && screen.contains("audit_slot"),
        "{screen}"
    );
    assert!(screen.contains("db1:5432/shop → db2:5432/shop"), "{screen}");
    assert!(!screen.contains("as last seen"), "{screen}");

    let away = Sides {
        slots: None,
        source_trouble: Some("connection refused".into()),
        ..seen
    };
    update(&mut model, answer(&away));
    let screen = text(&drawn(&mut model, (120, 40)));
    assert!(
        screen.contains("SOURCE AWAY") && screen.contains("as last seen"),
        "{screen}"
    );
}

#[test]
fn a_stop_of_an_engine_that_ran_elsewhere_is_shown_until_it_is_overcome() {
    let mut model = console(SampleState::Held);
    let last_stop = model.latest.last_error.clone();
    let reported = last_stop.as_ref().unwrap().message.clone();
    model.latest = Arc::new(Status {
        phase: Phase::Stopped,
        ..Status::default()
    });
    let mut look = |last_stop| {
        let seen = Sides {
            last_stop,
            ..Sides::default()
        };
        let looked = Looked::Servers(Box::new(seen));
        update(&mut model, Message::Looked(looked));
        text(&drawn(&mut model, (120, 40))).contains(&reported)
    };

    assert!(look(last_stop));
    assert!(!look(None));
}

#[test]
fn a_side_that_says_nothing_while_the_engine_works_is_named_with_how_long() {
    let mut model = console(SampleState::Streaming);
    let mut status = Status::clone(&model.latest);
    status.seen.source_ms = Some(model.now_ms - 9_000);
    status.seen.target_ms = Some(model.now_ms - 12_500);
    model.latest = Arc::new(status);

    let screen = text(&drawn(&mut model, (120, 40)));

    assert!(screen.contains("TARGET SILENT FOR 12 s"), "{screen}");
    assert!(!screen.contains("SOURCE SILENT"), "{screen}");
}

#[test]
fn a_search_leaves_what_matches_and_says_which_of_how_many_is_selected() {
    for (pane, typed, left) in [
        ("1", "audit", "1/2"),
        ("5", "order", "2/5"),
        ("2", "users", "2/8"),
    ] {
        let mut model = console(SampleState::Streaming);
        press(&mut model, pane);
        press(&mut model, "/");
        type_text(&mut model, typed);
        press(&mut model, "enter");
        let screen = text(&drawn(&mut model, (120, 40)));
        assert!(screen.contains(left), "{screen}");
        assert!(screen.lines().last().unwrap().contains("1 of "), "{screen}");
        press(&mut model, "n");
        let screen = text(&drawn(&mut model, (120, 40)));
        let which = if left.starts_with('1') {
            "1 of 1"
        } else {
            "2 of 2"
        };
        assert!(screen.lines().last().unwrap().contains(which), "{screen}");
    }
    let mut model = console(SampleState::Streaming);
    press(&mut model, "1 /");
    type_text(&mut model, "nobody");
    press(&mut model, "enter");
    let screen = text(&drawn(&mut model, (80, 24)));
    assert!(screen.contains("nothing matches"), "{screen}");
}

fn click(model: &mut Model, column: u16, row: u16) -> Vec<Effect> {
    update(model, Message::Click { column, row })
}

/// Clicks on what stands on the screen.
fn click_on(model: &mut Model, size: (u16, u16), words: &str) -> Vec<Effect> {
    let screen = text(&drawn(model, size));
    let found = screen.lines().enumerate().find_map(|(row, line)| {
        let at = line.find(words)?;
        Some((line[..at].chars().count(), row))
    });
    let (column, row) = found.unwrap_or_else(|| panic!("no {words} on\n{screen}"));
    click(
        model,
        u16::try_from(column).unwrap(),
        u16::try_from(row).unwrap(),
    )
}

#[test]
fn what_can_be_seen_can_be_clicked() {
    let mut model = console(SampleState::Streaming);
    click_on(&mut model, (120, 40), "SLOT ");
    assert_eq!(model.sorting.slots, SlotOrder::TimeLeft, "a heading sorts");
    click_on(&mut model, (120, 40), "audit_slot");
    assert!(model.overlay.is_none());
    click_on(&mut model, (120, 40), "audit_slot");
    assert!(
        matches!(model.overlay, Some(Overlay::Detail { .. })),
        "twice opens"
    );
    click_on(&mut model, (120, 40), "Esc close");
    assert!(model.overlay.is_none(), "a hint is its key");
    update(&mut model, Message::Now(NOW_MS + 1000));
    click_on(&mut model, (120, 40), "audit_slot");
    assert!(model.overlay.is_none(), "once more, later");

    click_on(&mut model, (48, 12), "5 Tables");
    assert_eq!(model.focus, Pane::Tables, "a tab");

    let mut model = console(SampleState::Streaming);
    click_on(&mut model, (120, 40), "q quit");
    click_on(&mut model, (120, 40), "stop and quit ");
    assert_eq!(model.leaving, Leaving::No, "the first click chooses");
    let stop = [Effect::Command(Command::Stop)];
    assert_eq!(click_on(&mut model, (120, 40), "stop and quit "), stop);
}

#[test]
fn the_windows_title_says_the_state_and_the_bell_calls_for_what_matters() {
    let mut model = console(SampleState::Streaming);
    let mut title = |sample| {
        let effects = update(&mut model, Message::Status(Arc::new(status(sample))));
        effects.into_iter().find_map(|effect| match effect {
            Effect::Title { text, bell } => Some((text, bell)),
            _ => None,
        })
    };
    let expected = |text: &str, bell| Some((text.to_owned(), bell));
    assert_eq!(title(SampleState::Streaming), None, "nothing has changed");
    assert_eq!(
        title(SampleState::Held),
        expected("! HELD orders_prod", true)
    );
    assert_eq!(
        title(SampleState::Streaming),
        expected("● STREAMING orders_prod", false)
    );
    assert_eq!(
        title(SampleState::Behind),
        expected("» CATCHING UP orders_prod", false)
    );
    assert_eq!(
        title(SampleState::Streaming),
        expected("● STREAMING orders_prod", true)
    );
}

#[test]
fn whoever_leaves_is_told_where_it_stands_and_how_to_go_on() {
    let model = console(SampleState::Stopped);
    let farewell = ask::farewell(&model).unwrap();
    assert!(
        farewell.starts_with("orders_prod stopped at 0/"),
        "{farewell}"
    );
    assert!(
        farewell.contains("pgstream run goes on there"),
        "{farewell}"
    );
    assert_eq!(ask::farewell(&console(SampleState::Opening)), None);

    let mut model = console(SampleState::Streaming);
    model.attached = true;
    press(&mut model, "q");
    assert_eq!(
        model.leaving,
        Leaving::Now,
        "nothing ends, so nothing is asked"
    );
    let farewell = ask::farewell(&model).unwrap();
    assert!(farewell.contains("goes on; pgstream console"), "{farewell}");
}

#[test]
fn a_table_that_is_looked_at_is_asked_for_and_its_values_only_when_wanted() {
    let mut model = console(SampleState::RowRefused);
    let asked = |values: bool| {
        let table = "public.orders".to_owned();
        vec![Effect::Command(Command::Look { table, values })]
    };
    assert_eq!(press(&mut model, "5 enter"), asked(false));
    let soon = model.now_ms + 900;
    assert_eq!(update(&mut model, Message::Now(soon)), []);
    assert_eq!(update(&mut model, Message::Now(soon + 100)), asked(false));

    assert_eq!(press(&mut model, "v"), asked(true));
    let answer = |values: bool| {
        let table = "public.orders".to_owned();
        let look = look(&status(SampleState::RowRefused), &table, values);
        let seen = CommandAnswer::Seen(Box::new(look));
        Message::Answered(Command::Look { table, values }, Some(seen))
    };
    update(&mut model, answer(false));
    assert!(
        model.rows.look.is_none(),
        "the answer to what was asked before"
    );
    update(&mut model, answer(true));
    let refused = model
        .rows
        .look
        .as_ref()
        .and_then(|look| look.refused.as_ref());
    assert!(refused.is_some_and(|row| row.cells.len() == 4));

    press(&mut model, "esc");
    assert!(model.rows.look.is_none(), "nobody looks any more");
    assert_eq!(update(&mut model, Message::Now(soon + 5_000)), []);
    press(&mut model, "j v");
    assert_eq!(
        last_toast(&model),
        "the target refuses no row of this table"
    );
}

#[test]
fn nothing_replicates_now_once_the_engine_has_ended() {
    for (sample, now) in [
        (SampleState::Streaming, "now 1.6k"),
        (SampleState::Stopped, "now 0 "),
    ] {
        let screen = text(&drawn(&mut console(sample), (80, 24)));
        assert!(screen.contains(now), "{screen}");
    }
}
