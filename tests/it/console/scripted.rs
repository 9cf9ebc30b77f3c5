//! The console over the scripted engine.

use std::cell::RefCell;
use std::env;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pgstream::console::scripted::{SampleState, launch};
use pgstream::console::{self, ConsoleOptions, Launch};
use pgstream::runtime::clock;
use portable_pty::CommandBuilder;

use super::pty::Terminal;

/// Which sample the child shows, and what goes wrong in it.
const SAMPLE: &str = "CONSOLE_SCENE";

/// The program in the terminal: this test, started again with [`SAMPLE`] set. Without it there is
/// nothing to do.
#[test]
fn child() {
    let Ok(sample) = env::var(SAMPLE) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let hub = console::LogHub::new(&["apply"]);
    let feed = hub.follow(tracing::level_filters::LevelFilter::TRACE);
    let registry =
        tracing_subscriber::layer::SubscriberExt::with(tracing_subscriber::registry(), hub.layer());
    tracing::subscriber::set_global_default(registry).unwrap();
    let options = ConsoleOptions {
        logs: Some(feed),
        level: tracing::Level::TRACE,
        ..ConsoleOptions::of_environment("orders_prod")
    };
    let ended = runtime.block_on(console::run(options, engine(&sample)));
    println!("ended: {ended:?}");
}

fn engine(sample: &str) -> Launch {
    match sample {
        "streaming" => launch(SampleState::Streaming),
        "held" => launch(SampleState::Held),
        "unreachable" => launch(SampleState::Unreachable),
        "crashed" => launch(SampleState::Crashed),
        // The engine cannot be started a second time: a fault on the console's own thread.
        "console panics" => {
            let mut first = launch(SampleState::Crashed);
            let mut count = 0;
            Box::new(move || {
                count += 1;
                assert!(count == 1, "a fault of the console");
                first()
            })
        }
        "flood" => {
            let mut first = launch(SampleState::Streaming);
            Box::new(move || {
                let mut link = first();
                link.keep(pgstream::runtime::spawn("flood", flood()));
                link
            })
        }
        "task panics" => {
            let mut first = launch(SampleState::Streaming);
            Box::new(move || {
                let task =
                    pgstream::runtime::spawn("doomed", async { panic!("a fault of a task") });
                let mut link = first();
                link.keep(task);
                link
            })
        }
        other => panic!("no sample {other}"),
    }
}

/// Lines of the flood: more than are kept.
const FLOOD: u64 = 12_000;

/// Five thousand lines a second, numbered; a machine that is slower has fewer a second.
async fn flood() {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for n in 0..FLOOD {
        if n % 50 == 0 {
            ticks.tick().await;
        }
        tracing::debug!(target: "apply", n, at = clock::unix_ms(), "flood");
    }
    // Details leave room for it, however many they are.
    tracing::info!(target: "apply", "that was all");
}

/// Returns number and time of the newest line that is seen.
fn newest(screen: &vt100::Screen) -> Option<(u64, i64)> {
    let text = screen.contents();
    let row = text.lines().rfind(|row| row.contains("flood n="))?;
    let number = |name: &str| row.split(name).nth(1)?.split(' ').next();
    Some((number(" n=")?.parse().ok()?, number(" at=")?.parse().ok()?))
}

#[test]
fn a_log_of_thousands_of_lines_a_second_is_whole_or_says_where_it_is_not() {
    let mut terminal = open("flood", (120, 40), &[]);
    terminal.wait_for("● STREAMING");
    terminal.keys("4z");
    let (late, seen) = (RefCell::new(Vec::new()), RefCell::new(None));
    terminal.wait_until("that was all", |screen| {
        let now = newest(screen);
        if let Some((_, at_ms)) = now.filter(|_| now != *seen.borrow()) {
            late.borrow_mut().push(clock::unix_ms() - at_ms);
        }
        *seen.borrow_mut() = now;
        screen.contents().contains("that was all")
    });
    terminal.keys("g");
    terminal.wait_for("older lines are not kept");

    let text = terminal.text();
    let mut rows = text.lines().skip_while(|row| !row.contains("older lines"));
    let words = rows.next().unwrap().split("… ").nth(1).unwrap();
    let missing: u64 = words
        .split(' ')
        .next()
        .unwrap()
        .replace(',', "")
        .parse()
        .unwrap();
    let first = rows.next().unwrap().split(" n=").nth(1).unwrap();
    let first: u64 = first.split(' ').next().unwrap().parse().unwrap();
    // Each line has a place, seen or not.
    assert_eq!(first, missing, "{text}");
    let mut late = late.into_inner();
    late.sort_unstable();
    println!("milliseconds from a line to its picture: {late:?}");
    terminal.keys("\x03\x03");
    assert_eq!(terminal.end(), 0);
}

/// Starts the console in a terminal.
fn open(sample: &str, size: (u16, u16), environment: &[(&str, &str)]) -> Terminal {
    let mut command = CommandBuilder::new(env::current_exe().unwrap());
    command.args(["console::scripted::child", "--exact", "--nocapture"]);
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    command.env_remove("LC_ALL");
    command.env_remove("NO_COLOR");
    command.env_remove("TMUX");
    command.env("RUST_BACKTRACE", "0");
    command.env(SAMPLE, sample);
    for (name, value) in environment {
        command.env(name, value);
    }
    Terminal::start(command, size)
}

#[test]
fn quitting_asks_and_gives_the_terminal_back() {
    let mut terminal = open("streaming", (80, 24), &[]);
    terminal.wait_for("● STREAMING");
    terminal.wait_for("orders_slot");

    terminal.keys("q");
    terminal.wait_for("Stop and quit?");
    terminal.keys("\x1b[C\r");

    assert_eq!(terminal.end(), 0);
    terminal.wait_for("ended: Ok(");
    terminal.assert_given_back();
}

#[test]
fn the_screen_follows_the_window() {
    let mut terminal = open("streaming", (80, 24), &[]);
    terminal.wait_for("orders_slot");
    for (columns, rows, seen) in [
        (120, 40, "┌ Lag "),
        (30, 8, "needs 40×10"),
        (48, 12, "[1 Slots]"),
        (200, 60, "· Targets"),
        // Only the one-line figures of this size say it so.
        (80, 24, "tx/s   batch p95"),
    ] {
        terminal.resize(columns, rows);
        terminal.wait_for(seen);
    }
    terminal.keys("\x03\x03");
    assert_eq!(terminal.end(), 0);
    terminal.assert_given_back();
}

#[test]
fn keys_that_come_together_with_a_resize_are_read_at_once() {
    let mut terminal = open("streaming", (80, 24), &[]);
    terminal.wait_for("orders_slot");
    for round in 0..20 {
        let (size, key, pane) = match round % 2 {
            0 => ((120, 40), "2", "┏ 2 Schema log"),
            _ => ((80, 24), "1", "┏ 1 Slots"),
        };
        // The program finds both when it wakes up.
        let pid = Pid::from_raw(terminal.pid());
        kill(pid, Signal::SIGSTOP).unwrap();
        terminal.resize(size.0, size.1);
        terminal.keys(key);
        kill(pid, Signal::SIGCONT).unwrap();
        terminal.wait_for(pane);
    }
    terminal.keys("\x03\x03");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn the_engine_is_paused_retried_and_started_again_by_keys() {
    let mut terminal = open("streaming", (80, 24), &[]);
    terminal.wait_for("● STREAMING");
    terminal.keys("P");
    terminal.wait_for("‖ PAUSED");
    terminal.keys("P");
    terminal.wait_for("● STREAMING");
    terminal.keys("E\x1b[C\r");
    terminal.wait_for("○ STOPPED");
    terminal.keys("R");
    terminal.wait_for("● STREAMING");
    terminal.keys("E\x1b[C\r");
    terminal.wait_for("○ STOPPED");
    terminal.keys("q");
    assert_eq!(terminal.end(), 0, "nothing streams: no question");

    let mut terminal = open("held", (80, 24), &[]);
    terminal.wait_for("the target refused");
    terminal.keys("Xskip 88123\r");
    terminal.wait_for("● STREAMING");
}

#[test]
fn signals_end_it_in_order() {
    for signal in [
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
    ] {
        let mut terminal = open("streaming", (80, 24), &[]);
        terminal.wait_for("● STREAMING");
        kill(Pid::from_raw(terminal.pid()), signal).unwrap();
        assert_eq!(terminal.end(), 0, "{signal}");
        terminal.wait_for("ended: Ok(");
        terminal.assert_given_back();
    }
}

#[test]
fn a_panic_of_a_task_is_logged_and_the_console_stays_usable() {
    let mut terminal = open("task panics", (80, 24), &[]);
    terminal.wait_for("a task panicked");
    terminal.keys("?");
    terminal.wait_for("Help");
    terminal.keys("\x1b");
    terminal.wait_until("help is closed", |screen| {
        !screen.contents().contains("Help")
    });
    terminal.keys("\x03\x03");
    assert_eq!(terminal.end(), 0);
    terminal.assert_given_back();
}

#[test]
fn a_panic_of_the_console_gives_the_terminal_back_first() {
    let mut terminal = open("console panics", (80, 24), &[]);
    terminal.wait_for("✗ CRASHED");
    terminal.keys("R");
    terminal.wait_for("ended: Err(Crashed)");
    terminal.wait_for("a fault of the console");
    terminal.assert_given_back();
}

#[test]
fn no_color_means_no_colour() {
    let mut terminal = open("held", (80, 24), &[("NO_COLOR", "1")]);
    terminal.wait_for("! HELD");
    terminal.keys("2\x1b[B");
    terminal.wait_for("┏ 2 Schema log");
    terminal.wait_until("a reversed selection and no colour", |screen| {
        let (rows, columns) = screen.size();
        let cells = (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |at| (row, at)));
        let cells: Vec<_> = cells.filter_map(|(row, at)| screen.cell(row, at)).collect();
        let plain = cells.iter().all(|cell| {
            (cell.fgcolor(), cell.bgcolor()) == (vt100::Color::Default, vt100::Color::Default)
        });
        plain && cells.iter().any(|cell| cell.inverse()) && cells.iter().any(|cell| cell.bold())
    });
}
