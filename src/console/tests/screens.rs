//! Every screen and state, as text, at four sizes.

use super::*;

/// Looks at a screen at all four sizes.
fn look(name: &str, scene: Scene, prepare: impl Fn(&mut Model)) {
    let mut screens = String::new();
    for (width, height) in SIZES {
        let mut model = console(scene);
        prepare(&mut model);
        screens += &format!("{width}x{height}\n");
        screens += &text(&drawn(&mut model, (width, height)));
    }
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(name, screens);
    });
}

fn keys(keys: &'static str) -> impl Fn(&mut Model) {
    move |model| {
        press(model, keys);
    }
}

#[test]
fn every_phase_of_the_engine() {
    let nothing = |_: &mut Model| {};
    look("opening", Scene::Opening, nothing);
    look("unreachable", Scene::Unreachable, nothing);
    look("streaming", Scene::Streaming, nothing);
    look("behind", Scene::Behind, nothing);
    look("paused", Scene::Paused, nothing);
    look("retrying", Scene::Retrying, nothing);
    look("held", Scene::Held, nothing);
    look("crashed", Scene::Crashed, nothing);
    look("stopped", Scene::Stopped, nothing);
}

#[test]
fn every_pane() {
    look("schema", Scene::Held, keys("2"));
    look("throughput", Scene::Streaming, keys("3 u ="));
    look("logs", Scene::Streaming, keys("4 k k"));
    look("tables", Scene::Streaming, keys("5 j"));
    look("zoomed", Scene::Streaming, keys("4 w z"));
    look("only_trouble", Scene::Streaming, keys("2 f"));
}

#[test]
fn every_overlay() {
    look("help", Scene::Held, keys("2 ?"));
    look("palette", Scene::Streaming, |model| {
        press(model, ":");
        type_text(model, "sort");
    });
    look("slot_detail", Scene::Streaming, keys("enter"));
    look("schema_detail", Scene::Held, keys("2 enter"));
    look("throughput_detail", Scene::Streaming, keys("3 enter"));
    look("log_detail", Scene::Streaming, keys("4 enter"));
    look("levels", Scene::Streaming, keys("4 t down right"));
    look("quit", Scene::Streaming, keys("q"));
    look("skip", Scene::Held, |model| {
        press(model, "X");
        type_text(model, "skip 881");
    });
}

#[test]
fn find_freeze_and_toasts() {
    look("finding", Scene::Streaming, |model| {
        press(model, "4 /");
        type_text(model, "COMMIT");
    });
    look("found", Scene::Streaming, |model| {
        press(model, "4 /");
        type_text(model, "ddl");
        press(model, "enter n x");
    });
    look("frozen", Scene::Streaming, |model| {
        press(model, "space");
        update(model, Message::Now(NOW_MS + 4000));
    });
}
