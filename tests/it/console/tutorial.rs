//! The whole tutorial by keyboard, on real servers.

use portable_pty::CommandBuilder;

use crate::support::{connect, execute};

use super::pty::Terminal;

fn open(size: (u16, u16)) -> Terminal {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_pgstream"));
    command.arg("tutorial");
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    for name in ["LC_ALL", "NO_COLOR", "TMUX"] {
        command.env_remove(name);
    }
    Terminal::start(command, size)
}

#[test]
fn every_lesson_is_played_with_one_key() {
    let mut terminal = open((120, 40));
    terminal.wait_for("Lesson 1 of ");
    let text = terminal.text();
    let count = text.split("Lesson 1 of ").nth(1).unwrap();
    let count: usize = count.split(' ').next().unwrap().parse().unwrap();
    assert!(count > 8, "all the tutorial's lessons");

    for number in 1..=count {
        let first = reach(&mut terminal, |(lesson, step)| {
            *lesson == number && step.is_some()
        });
        let mut in_hand = first.1;
        while in_hand.is_some() {
            terminal.keys("\r");
            in_hand = reach(&mut terminal, |(_, step)| *step != in_hand).1;
        }
        if number == 4 {
            terminal.wait_for("● STREAMING");
        }
        if number < count {
            terminal.keys("\r");
        }
    }

    terminal.keys("\r");
    terminal.wait_for("Esc back");
    terminal.keys("SELECT 'forty-' || 'two' AS answer\r");
    terminal.wait_for("forty-two");
    terminal.keys("\t");
    terminal.wait_until("the other side", |screen| {
        let text = screen.contents();
        text.contains("target>") && !text.contains("source>")
    });
    terminal.keys("\x1b");
    terminal.wait_for("try your own SQL");
    terminal.keys("q");
    assert_eq!(terminal.end(), 0);
    terminal.assert_given_back();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lesson_notices_what_was_typed_in_psql() {
    let mut terminal = open((120, 40));
    let mut at = reach(&mut terminal, |_| true);
    while !terminal.text().contains("or by hand:") {
        terminal.keys("\r");
        at = reach(&mut terminal, |now| *now != at);
    }
    let text = terminal.text();
    let address = text.split("psql ").nth(1).unwrap();
    let address = address.split_whitespace().next().unwrap();
    let source = connect(address).await;

    execute(
        &source,
        "create table test (id serial primary key, \"name\" text)",
    )
    .await;
    terminal.wait_for("seen: it was done by hand");
    terminal.wait_for("✓ done");
    terminal.wait_for("target");
    execute(&source, "ALTER TABLE test RENAME TO tutorial_test").await;
    terminal.keys("\r");
    terminal.wait_for("Rename the table");
    terminal.wait_for("✓ done");
    terminal.keys("q\t\r");
    assert_eq!(terminal.end(), 0);
}

/// The lesson that is shown, and its step that Enter does; none when it is done.
type Standing = (usize, Option<String>);

/// Waits until the lesson stands as wanted; returns how it stands.
fn reach(terminal: &mut Terminal, wanted: impl Fn(&Standing) -> bool) -> Standing {
    terminal.wait_until("a step of a lesson", |screen| {
        standing(&screen.contents()).is_some_and(|now| wanted(&now))
    });
    standing(&terminal.text()).unwrap()
}

/// Reads it from the screen. The panes beside it change all the time. The hint is on the last row, which
/// is drawn last: before that, more of the picture may be missing.
fn standing(text: &str) -> Option<Standing> {
    let lesson = text.split("Lesson ").nth(1)?;
    let number = lesson.split(' ').next()?.parse().ok()?;
    let in_hand = text.split("┃ ▶ ").nth(1);
    let step = in_hand.and_then(|rest| rest.lines().next().map(str::to_owned));
    let done = text.contains("✓ done") && !text.contains("Enter do it");
    let to_do = step.is_some() && text.contains("Enter do it");
    (done != to_do).then_some((number, step))
}
