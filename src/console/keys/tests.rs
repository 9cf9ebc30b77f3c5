use std::collections::BTreeSet;

use super::*;

#[test]
fn a_pane_gives_its_own_meaning_to_a_key() {
    let keymap = Keymap::new("").unwrap();
    let check = |key: &str, pane, expected| {
        assert_eq!(keymap.action(key.parse().unwrap(), pane), expected, "{key}");
    };
    check("f", Pane::Logs, Some(Action::Follow));
    check("f", Pane::Schema, Some(Action::SchemaTrouble));
    check("f", Pane::Slots, None);
    check("P", Pane::Slots, Some(Action::Pause));
    check("ctrl-p", Pane::Slots, Some(Action::Palette));
}

#[test]
fn the_configuration_may_move_keys_but_not_onto_each_other() {
    let keymap = Keymap::new("pause = ctrl-s x, quit = Q").unwrap();
    assert_eq!(keymap.labels(Action::Pause), ["^S", "x"]);
    assert_eq!(keymap.action("P".parse().unwrap(), Pane::Slots), None);

    let check = |text: &str, expected: &str| {
        let error = Keymap::new(text).unwrap_err().to_string();
        assert_eq!(error, expected);
    };
    check("pause = q", "q is asked for twice: quit and pause");
    check(
        "slots-sort = z",
        "z is asked for twice: zoom and slots-sort",
    );
    check(
        "paws = q",
        "entry 1 names no action; docs/keys.md lists them",
    );
    check("quit = Q, pause", "entry 2 is not of the form action = key");
    check("pause =", "pause: no key is given");
    check(
        "pause = hyper-x",
        "pause: is not a key such as p, P, ctrl-p, space, enter or f1",
    );
}

#[test]
fn names_and_actions_are_unique_and_capitals_belong_to_the_engine() {
    let names: BTreeSet<_> = BINDINGS.iter().map(|binding| binding.name).collect();
    let actions: BTreeSet<_> = BINDINGS.iter().map(|binding| binding.action).collect();
    assert_eq!(
        (names.len(), actions.len()),
        (BINDINGS.len(), BINDINGS.len())
    );
    for binding in BINDINGS.iter().filter(|one| one.scope == Scope::Engine) {
        let key = binding.keys[0];
        assert_eq!(key.to_uppercase(), key, "{}", binding.name);
    }
}

#[test]
fn the_page_of_keys_says_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/keys.md");
    if std::env::var_os("UPDATE_SCREENS").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        page(),
        "run with UPDATE_SCREENS=1"
    );
}

/// Renders `docs/keys.md`.
fn page() -> String {
    let mut text = include_str!("preamble.md").to_owned();
    let mut heading = None;
    for binding in BINDINGS {
        if heading.replace(binding.scope) != Some(binding.scope) {
            text += &format!(
                "\n## {}\n\n| key | name | what it does |\n",
                binding.scope.title()
            );
            text += "| --- | --- | --- |\n";
        }
        let keys: Vec<String> = binding.keys.iter().map(|key| format!("`{key}`")).collect();
        text += &format!(
            "| {} | `{}` | {} |\n",
            keys.join(" "),
            binding.name,
            binding.words
        );
    }
    let mut place = "";
    for key in FIXED {
        if place != key.place {
            place = key.place;
            text += &format!("\n## {place}\n\n| key | what it does |\n| --- | --- |\n");
        }
        text += &format!("| {} | {} |\n", key.keys, key.words);
    }
    text
}
