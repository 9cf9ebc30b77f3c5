//! Every screen and state, as text, at four sizes.

use std::time::Duration;

use crate::config::key;
use crate::console::lesson::{Lesson, LessonStep, TutorialState};
use crate::console::settings::Settings;
use crate::console::start::Start;
use crate::console::wizard::{Loaded, Name, Planned};
use crate::diagnose::Finding;
use crate::model::QualifiedName;
use crate::schema::{PlannedStep, Progress, Side, SourceTable, StepProgress, StepState};

use crate::console::scripted;
use crate::status::{Command, CommandAnswer};

use super::*;

/// Looks at a screen at all four sizes.
pub(super) fn look(name: &str, sample: SampleState, prepare: impl Fn(&mut Model)) {
    let mut screens = String::new();
    for (width, height) in SIZES {
        let mut model = console(sample);
        prepare(&mut model);
        screens += &format!("{width}x{height}\n");
        let buffer = drawn(&mut model, (width, height));
        pictures::look_at(name, &buffer);
        screens += &text(&buffer);
    }
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(name, screens);
    });
}

/// Presses keys, and lets the engine answer what is asked of it.
fn looked_at(model: &mut Model, keys: &str) {
    for effect in press(model, keys) {
        let Effect::Command(command @ Command::Look { .. }) = effect else {
            continue;
        };
        let Command::Look { table, values } = &command else {
            continue;
        };
        let look = scripted::look(&model.latest, table, *values);
        let answer = Some(CommandAnswer::Seen(Box::new(look)));
        update(model, Message::Answered(command, answer));
    }
}

fn keys(keys: &'static str) -> impl Fn(&mut Model) {
    move |model| {
        press(model, keys);
    }
}

#[test]
fn every_phase_of_the_engine() {
    let nothing = |_: &mut Model| {};
    look("opening", SampleState::Opening, nothing);
    look("unreachable", SampleState::Unreachable, nothing);
    look("streaming", SampleState::Streaming, nothing);
    look("behind", SampleState::Behind, nothing);
    look("paused", SampleState::Paused, nothing);
    look("retrying", SampleState::Retrying, nothing);
    look("held", SampleState::Held, nothing);
    look("crashed", SampleState::Crashed, nothing);
    look("stopped", SampleState::Stopped, nothing);
}

#[test]
fn every_pane() {
    look("schema", SampleState::Held, keys("2"));
    look("throughput", SampleState::Streaming, keys("3 u ="));
    look("logs", SampleState::Streaming, keys("4 k k"));
    look("tables", SampleState::Streaming, keys("5 j"));
    look("zoomed", SampleState::Streaming, keys("4 w z"));
    look("only_trouble", SampleState::Streaming, keys("2 f"));
}

#[test]
fn the_copy_of_existing_tables() {
    look("snapshot_none", SampleState::Streaming, keys("S"));
    look("snapshot_waiting", SampleState::CopyWaiting, keys("S"));
    look("snapshot_copying", SampleState::Copying, keys("S j"));
    look("snapshot_indexing", SampleState::Indexing, keys("S j"));
    look("snapshot_paused", SampleState::CopyPaused, keys("S G"));
    look("snapshot_failed", SampleState::CopyFailed, keys("S f"));
    look("snapshot_ready", SampleState::Copied, keys("S o"));
    look("snapshot_detail", SampleState::Copying, keys("S enter"));
    look("snapshot_again", SampleState::Copied, keys("S r"));
    look("snapshot_help", SampleState::Copying, keys("S ?"));
    look(
        "snapshot_found",
        SampleState::Copying,
        keys("S / o r d e r enter"),
    );
}

#[test]
fn copies_seen_from_the_dashboard() {
    look("copying", SampleState::Copying, keys("5"));
    look("copy_failed", SampleState::CopyFailed, keys("1"));
    look("copied", SampleState::Copied, keys("1"));
}

#[test]
fn every_overlay() {
    look("help", SampleState::Held, keys("2 ?"));
    look("palette", SampleState::Streaming, |model| {
        press(model, ":");
        type_text(model, "sort");
    });
    look("slot_detail", SampleState::Streaming, keys("enter"));
    look("schema_detail", SampleState::Held, keys("2 enter"));
    look("throughput_detail", SampleState::Streaming, keys("3 enter"));
    look("log_detail", SampleState::Streaming, keys("4 enter"));
    look("levels", SampleState::Streaming, keys("4 t down right"));
    look("quit", SampleState::Streaming, keys("q"));
    look("read_only", SampleState::Held, |model| {
        model.display.read_only = true;
    });
    look("stop", SampleState::Streaming, keys("E right"));
    look("schema_edit", SampleState::Held, keys("2 e down end"));
    look("schema_edit_wide", SampleState::Held, |model| {
        press(model, "2 e ctrl-u");
        type_text(model, &"表 ".repeat(60));
    });
    look(
        "schema_edit_asked",
        SampleState::Held,
        keys("2 e tab right"),
    );
    look("row_refused", SampleState::RowRefused, keys("5"));
    look("table_detail", SampleState::Streaming, |model| {
        looked_at(model, "5 enter");
    });
    look("refused_detail", SampleState::RowRefused, |model| {
        looked_at(model, "5 enter");
    });
    look("refused_values", SampleState::RowRefused, |model| {
        looked_at(model, "5 enter v");
    });
    look("skip", SampleState::Held, |model| {
        press(model, "X");
        type_text(model, "skip 881");
    });
}

#[test]
fn find_freeze_and_toasts() {
    look("finding", SampleState::Streaming, |model| {
        press(model, "4 /");
        type_text(model, "COMMIT");
    });
    look("found", SampleState::Streaming, |model| {
        press(model, "4 /");
        type_text(model, "ddl");
        press(model, "enter n x");
    });
    look("frozen", SampleState::Streaming, |model| {
        press(model, "space");
        update(model, Message::Now(NOW_MS + 4000));
    });
}

fn planned() -> Planned {
    let step = |side, what: &str, sql: &str, undo: Option<&str>| PlannedStep {
        side,
        what: what.into(),
        sql: sql.into(),
        undo: undo.map(str::to_owned),
    };
    Planned {
        steps: vec![
            step(
                Side::Source,
                "create publication orders_slot_publication",
                "CREATE PUBLICATION orders_slot_publication FOR ALL TABLES;",
                Some("DROP PUBLICATION orders_slot_publication;"),
            ),
            step(
                Side::Source,
                "create replication slot orders_slot",
                "SELECT pg_create_logical_replication_slot('orders_slot', 'pgoutput');",
                Some("SELECT pg_drop_replication_slot('orders_slot');"),
            ),
        ],
        notes: vec!["if a step fails, those before it are taken back".into()],
        slot: "orders_slot".into(),
    }
}

fn progress(states: [StepState; 3]) -> Progress {
    let words = [
        "install schema pgstream, its tables, functions and event triggers",
        "wait for the transactions that began before the triggers were there",
        "create replication slot orders_slot",
    ];
    let step = |(state, what): (StepState, &str)| StepProgress {
        side: Side::Source,
        what: what.into(),
        state,
    };
    Progress {
        steps: states.into_iter().zip(words).map(step).collect(),
    }
}

fn source_tables() -> Vec<SourceTable> {
    let table = |name: &str, row_count, bytes| SourceTable {
        name: QualifiedName::new("public", name),
        partitioned: false,
        partition_of: None,
        keyless: false,
        row_count,
        bytes,
    };
    vec![
        table("audit_log", Some(41_000_000), 9 << 30),
        SourceTable {
            keyless: true,
            ..table("notes", None, 0)
        },
        SourceTable {
            partitioned: true,
            ..table("orders", None, 0)
        },
        SourceTable {
            partition_of: Some("public.orders".into()),
            ..table("orders_2026", Some(1_204_998), 180 << 20)
        },
    ]
}

fn finding(object: &str, problem: &str, hint: &str) -> Finding {
    Finding {
        side: crate::diagnose::Side::Source,
        object: object.into(),
        problem: problem.into(),
        hint: hint.into(),
        blocking: true,
    }
}

/// Opens a wizard on one of its screens.
fn wizard(kind: Kind, at: usize, prepare: impl Fn(&mut Wizard)) -> impl Fn(&mut Model) {
    move |model| {
        let mut wizard = Wizard::new(
            kind,
            &WizardValues {
                source: "postgres://shop:secret@db1:5432/shop".into(),
                target: "postgres://shop:secret@db2:5432/shop".into(),
                slot: "orders_slot".into(),
                ..WizardValues::default()
            },
        );
        wizard.at = at;
        prepare(&mut wizard);
        model.open_wizard(wizard);
    }
}

#[test]
fn the_wizards() {
    look(
        "init_source",
        SampleState::Stopped,
        wizard(Kind::Init, 0, |wizard| {
            wizard.source = Loaded::Done("PostgreSQL 16.4, 12 ms".into());
            wizard.field = 1;
            wizard.get_mut(Name::Slot).unwrap().problem =
                Some("a slot's name has no capitals".into());
        }),
    );
    look(
        "init_typing",
        SampleState::Stopped,
        wizard(Kind::Init, 0, |wizard| {
            wizard.source = Loaded::Failed(vec!["host db1 is not known".into()]);
            wizard.get_mut(Name::Source).unwrap().left = false;
        }),
    );
    look(
        "init_tables",
        SampleState::Stopped,
        wizard(Kind::Init, 3, |wizard| {
            wizard.tables = Loaded::Done(source_tables());
            wizard.get_mut(Name::Exclude).unwrap().input = "public.audit_log".into();
            (wizard.field, wizard.selected) = (2, 1);
        }),
    );
    look(
        "init_first_copy",
        SampleState::Stopped,
        wizard(Kind::Init, 4, |wizard| {
            wizard.get_mut(Name::Copy).unwrap().input = "yes".into();
            wizard.get_mut(Name::CopyWorkers).unwrap().input = "99".into();
            wizard.get_mut(Name::CopyWorkers).unwrap().problem =
                Some("must be a number from 1 to 64".into());
            wizard.field = 2;
        }),
    );
}

#[test]
fn the_plan_and_its_run() {
    look(
        "init_preflight",
        SampleState::Stopped,
        wizard(Kind::Init, 2, |wizard| {
            wizard.findings = Loaded::Done(vec![
                finding(
                    "wal_level",
                    "is replica, must be logical",
                    "ALTER SYSTEM SET wal_level = logical; -- then restart the source",
                ),
                finding(
                    "slot orders_slot",
                    "does not exist",
                    "pgstream init --replication-slot orders_slot",
                ),
            ]);
        }),
    );
    look(
        "init_plan",
        SampleState::Stopped,
        wizard(Kind::Init, 5, |wizard| {
            wizard.plan = Loaded::Done(planned());
            wizard.selected = 1;
        }),
    );
    look(
        "init_plan_sql",
        SampleState::Stopped,
        wizard(Kind::Init, 5, |wizard| {
            wizard.plan = Loaded::Done(planned());
            wizard.sql_scroll = Some(0);
        }),
    );
    look(
        "init_failed",
        SampleState::Stopped,
        wizard(Kind::Init, 6, |wizard| {
            let lines = [
                "cannot create replication slot orders_slot",
                "because  all replication slots are in use",
                "hint     raise max_replication_slots",
            ];
            let failed = StepState::Failed(Duration::from_millis(3));
            wizard.progress = progress([StepState::TakenBack, StepState::Left, failed]);
            wizard.ran = Loaded::Failed(lines.map(str::to_owned).to_vec());
        }),
    );
    look(
        "init_running",
        SampleState::Stopped,
        wizard(Kind::Init, 6, |wizard| {
            let done = StepState::Done(Duration::from_millis(120));
            wizard.progress = progress([done, StepState::Running, StepState::Waiting]);
            wizard.step_since_ms = NOW_MS - 4000;
            wizard.ran = Loaded::Waiting;
        }),
    );
}

#[test]
fn the_pages_between() {
    look(
        "init_start",
        SampleState::Stopped,
        wizard(Kind::Init, 7, |_| {}),
    );
    look(
        "init_target",
        SampleState::Stopped,
        wizard(Kind::Init, 1, |wizard| wizard.target = Loaded::Waiting),
    );
    look(
        "init_checked",
        SampleState::Stopped,
        wizard(Kind::Init, 2, |wizard| {
            wizard.findings = Loaded::Done(Vec::new());
        }),
    );
    look(
        "init_ran",
        SampleState::Stopped,
        wizard(Kind::Init, 6, |wizard| {
            let done = StepState::Done(Duration::from_millis(120));
            wizard.progress = progress([done; 3]);
            wizard.ran = Loaded::Done(vec!["pgstream initialisation complete".into()]);
        }),
    );
}

/// What a tear-down says when the source does not answer.
fn planned_without_the_source() -> Planned {
    Planned {
        steps: vec![PlannedStep {
            side: Side::Target,
            what: "drop schema pgstream".into(),
            sql: "DROP SCHEMA pgstream CASCADE;".into(),
            undo: None,
        }],
        notes: vec!["! the source does not answer, there remains the slot orders_slot".into()],
        slot: "orders_slot".into(),
    }
}

#[test]
fn a_tear_down() {
    look(
        "tear_down_servers",
        SampleState::Stopped,
        wizard(Kind::TearDown, 0, |_| {}),
    );
    look(
        "tear_down_plan",
        SampleState::Stopped,
        wizard(Kind::TearDown, 1, |wizard| {
            wizard.plan = Loaded::Done(planned_without_the_source());
        }),
    );
    look(
        "tear_down_unreachable",
        SampleState::Stopped,
        wizard(Kind::TearDown, 1, |wizard| {
            let trouble = [
                "cannot connect to the source db1:5432",
                "is the server running?",
            ];
            wizard.plan = Loaded::Failed(trouble.map(str::to_owned).to_vec());
        }),
    );
    look(
        "tear_down_left",
        SampleState::Stopped,
        wizard(Kind::TearDown, 4, |wizard| {
            wizard.ran = Loaded::Done(vec!["drop schema pgstream".into()]);
            let left = "✗ still to do: drop replication slot orders_slot";
            wizard.verified = Loaded::Done(vec![left.into()]);
        }),
    );
    look(
        "tear_down_confirm",
        SampleState::Stopped,
        wizard(Kind::TearDown, 2, |wizard| {
            wizard.plan = Loaded::Done(planned());
            wizard.get_mut(Name::Confirm).unwrap().input = "orders_sl".into();
        }),
    );
    look(
        "tear_down_verified",
        SampleState::Stopped,
        wizard(Kind::TearDown, 4, |wizard| {
            wizard.ran = Loaded::Done(vec!["drop replication slot orders_slot".into()]);
            wizard.verified = Loaded::Done(Vec::new());
        }),
    );
}

fn start(files: &'static [&'static str], notice: &'static str) -> impl Fn(&mut Model) {
    move |model| {
        let notice = Some(notice).filter(|text| !text.is_empty());
        let files: Vec<_> = files.iter().map(Into::into).collect();
        let notice = notice.map(str::to_owned).into_iter().collect();
        model.begin_at(Start::new(notice, &files));
    }
}

#[test]
fn the_start_screen() {
    let files: &[&str] = &["pg2pg_tutorial.env", "shop.env"];
    look("start", SampleState::Stopped, start(files, ""));
    look("start_refused", SampleState::Stopped, |model| {
        start(&[], "shop.env names no pipeline that could start")(model);
        let path = Some("shop.env".into());
        model.settings = Some(Settings::new(Vec::new(), path));
        press(model, "down down");
    });
    look("start_file", SampleState::Stopped, |model| {
        start(files, "")(model);
        press(model, "O down");
    });
    look("start_waiting", SampleState::Stopped, |model| {
        start(files, "")(model);
        press(model, "enter");
    });
    look("start_help", SampleState::Stopped, |model| {
        start(files, "")(model);
        press(model, "?");
    });
}

#[test]
fn the_configuration() {
    let open = |model: &mut Model| {
        let inputs = crate::config::Inputs {
            environment: Vec::new(),
            ..crate::config::Inputs::of_process(Vec::new(), None)
        };
        let mut rows = crate::config::Configuration::load(inputs)
            .unwrap()
            .resolved();
        let shown = [
            key::SOURCE_URL,
            key::PLUGIN,
            key::TARGET_URL,
            key::BATCH_TIMEOUT,
        ];
        rows.retain(|row| shown.contains(&row.variable.key));
        model.settings = Some(Settings::new(rows, Some("shop.env".into())));
        press(model, "C j");
    };
    look("config", SampleState::Streaming, open);
    look("config_editing", SampleState::Streaming, |model| {
        open(model);
        press(model, "j enter x enter");
    });
    look("config_saving", SampleState::Streaming, |model| {
        open(model);
        press(model, "enter w a l 2 j s o n enter w");
    });
    look("config_changed", SampleState::Streaming, |model| {
        open(model);
        press(model, "enter w a l 2 j s o n enter");
        let settings = model.settings.as_mut().unwrap();
        settings.rows[1].origin = crate::config::Origin::Environment;
    });
    look("config_read_only", SampleState::Streaming, |model| {
        open(model);
        model.display.read_only = true;
        press(model, "enter");
    });
}

#[test]
fn a_lesson_beside_the_panes() {
    let step = |words: &str, looks| LessonStep {
        words: words.into(),
        looks,
        by_hand: (!looks).then(|| "psql postgres://localhost:5432/shop".into()),
    };
    let lesson = Lesson {
        title: "A schema change travels".into(),
        text: "The event trigger writes the change into the schema log\nin the same transaction."
            .into(),
        steps: vec![
            step("source> ALTER TABLE orders ADD COLUMN note text;", false),
            step("target> SELECT note FROM orders;", true),
            step("source> SELECT 1;", false),
        ],
    };
    let tutorial = move || {
        let mut tutorial = TutorialState::new(
            vec![lesson.clone(), lesson.clone()],
            vec!["source  psql postgres://localhost:5432/shop".into()],
        );
        tutorial.shown = vec![
            Vec::new(),
            vec!["source   target".into(), "note     note".into()],
        ];
        tutorial
    };
    look("lesson", SampleState::Streaming, |model| {
        model.tutorial = Some(tutorial());
    });
    look("lesson_running", SampleState::Streaming, |model| {
        model.tutorial = Some(tutorial());
        press(model, "enter");
    });
    look("lesson_failed", SampleState::Streaming, |model| {
        let mut tutorial = tutorial();
        tutorial.failure = Some("error: relation \"orders\" does not exist\nhint: make it".into());
        model.tutorial = Some(tutorial);
    });
    look("lesson_done", SampleState::Streaming, |model| {
        let mut tutorial = tutorial();
        (tutorial.lesson, tutorial.shown) = (1, vec![Vec::new(); 3]);
        model.tutorial = Some(tutorial);
    });
    look("lesson_read_only", SampleState::Streaming, |model| {
        model.tutorial = Some(tutorial());
        model.display.read_only = true;
        press(model, "enter");
    });
    look("sql_prompt", SampleState::Streaming, |model| {
        model.tutorial = Some(tutorial());
        press(model, "p tab");
        type_text(model, "SELECT count(*) FROM orders");
        let prompt = model.tutorial.as_mut().unwrap().prompt.as_mut().unwrap();
        prompt.shown = ["count", "-----", "3"].map(str::to_owned).to_vec();
    });
    look("lesson_left", SampleState::Streaming, |model| {
        model.tutorial = Some(tutorial());
        press(model, "tab 2");
    });
}
