//! The tutorial in the console: the console shows lessons and asks, the stage performs them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use tokio::sync::Mutex;

use crate::config::{Configuration, FlagValue, Inputs, LogLevel, Pipeline, Plugin, Resolved, key};
use crate::console::{
    self, ByHand, ConsoleOptions, EngineLink, Lesson, LessonStep, Performed, Request, Seen,
    Tutorial,
};
use crate::tutorial::lesson::{self, Side, Step};
use crate::tutorial::stage::{Shown, Stage};
use crate::tutorial::table::draw;

use super::Failure;
use super::args::{GlobalArguments, TutorialArguments};
use super::runtime::block_on;

/// Both sides stand next to each other up to this width; a window of 80 columns holds it.
const BESIDE_WIDTH_MAX: usize = 72;

/// Plays the tutorial on the terminal; its servers end with it, unless they shall stay.
pub(super) fn run(
    configuration: &Configuration,
    arguments: &TutorialArguments,
    global: &GlobalArguments,
) -> Result<ExitCode, Failure> {
    super::output::print_note(&"Starting two throw-away PostgreSQL clusters …");
    let looks = super::screen::looks("tutorial".to_owned(), configuration, global);
    block_on(play(arguments, looks))??;
    Ok(ExitCode::SUCCESS)
}

async fn play(arguments: &TutorialArguments, mut options: ConsoleOptions) -> Result<(), Failure> {
    let stage = Rc::new(Mutex::new(Stage::set_up(arguments.plugin).await?));
    // The lessons speak of each single change.
    options.logs = Some(super::logging::start_on_screen(LogLevel::Trace));
    options.level = tracing::Level::TRACE;
    let tutorial = tutorial(&stage).await?;
    options.observed = Some(tutorial.observed.clone());
    options.tutorial = Some(tutorial);
    let ended = Box::pin(console::run(options, Box::new(EngineLink::none))).await;
    if !arguments.keep {
        drop(stage);
        super::output::print_note(&"The clusters are removed.");
    } else if let Some(stage) = Rc::into_inner(stage) {
        for kept in stage.into_inner().keep()? {
            super::output::print_note(&format!(
                "psql \"{}\"   remove it with: {}",
                kept.url, kept.stop_command
            ));
        }
    }
    // The servers end with it: there is nothing to go on with.
    ended?;
    Ok(())
}

/// Sets the stage up for the start screen of a console; it ends with the console.
pub(super) async fn staged(plugin: Plugin) -> Result<Tutorial, Vec<String>> {
    let staging = async {
        let stage = Rc::new(Mutex::new(Stage::set_up(plugin).await?));
        tutorial(&stage).await
    };
    let staged: Result<Tutorial, Failure> = staging.await;
    staged.map_err(|failure| {
        let reported = failure.to_string();
        reported.lines().map(str::to_owned).collect()
    })
}

/// The tutorial as the console sees it.
async fn tutorial(stage: &Rc<Mutex<Stage>>) -> Result<Tutorial, Failure> {
    let ready = stage.lock().await;
    let lessons = ready.lessons()?;
    let [source, target] = [Side::Source, Side::Target].map(|side| ready.url(side));
    let by_hand = format!("psql {}", address(&source));
    Ok(Tutorial {
        lessons: lessons
            .iter()
            .map(|lesson| to_console(lesson, &by_hand))
            .collect(),
        addresses: vec![
            format!("source  {by_hand}"),
            format!("target  psql {}", address(&target)),
        ],
        perform: performer(Rc::clone(stage), lessons),
        observed: between(&source, &target)?,
    })
}

/// The pipeline between both servers before a file says so: its slot is that of the lessons.
fn between(source: &str, target: &str) -> Result<Pipeline, Failure> {
    let flag = |key, value: &str| FlagValue {
        key,
        flag: "tutorial",
        value: value.to_owned(),
    };
    let flags = vec![flag(key::SOURCE_URL, source), flag(key::TARGET_URL, target)];
    let inputs = Inputs {
        environment: Vec::new(),
        ..Inputs::of_process(flags, None)
    };
    Ok(Configuration::load(inputs)?.pipeline()?)
}

/// Returns an address as short as psql understands it: a line of a narrow window holds it.
fn address(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

fn to_console(lesson: &lesson::Lesson, by_hand: &str) -> Lesson {
    let step = |(number, step): (usize, &Step)| LessonStep {
        words: words(step),
        looks: matches!(step, Step::Expect(_)),
        by_hand: lesson.mark_of(number).map(|_| by_hand.to_owned()),
    };
    Lesson {
        title: lesson.title.clone(),
        text: lesson.text.clone(),
        steps: lesson.steps.iter().enumerate().map(step).collect(),
    }
}

/// What is done, as it would be typed.
fn words(step: &Step) -> String {
    match step {
        Step::Shell(line) => format!("$ {line}"),
        Step::File { name, .. } => format!("write {name}"),
        Step::Sql { side, statement } => format!("{side}> {statement}"),
        Step::Expect(expectation) => format!("{}> {}", expectation.side, expectation.query),
    }
}

fn performer(stage: Rc<Mutex<Stage>>, lessons: Vec<lesson::Lesson>) -> console::Performer {
    let lessons = Rc::new(lessons);
    Box::new(move |request| {
        let (stage, lessons) = (Rc::clone(&stage), Rc::clone(&lessons));
        Box::pin(async move {
            let mut stage = stage.lock().await;
            let ran_before = stage.engine().is_some();
            let mut written = None;
            let seen = match request {
                Request::Step { lesson, step } => {
                    let step = lessons
                        .get(lesson)
                        .and_then(|lesson| lesson.steps.get(step));
                    let shown = match step {
                        Some(step) => perform(&mut stage, step).await,
                        None => Ok(Vec::new()),
                    };
                    written = step.and_then(|step| written_by(&stage, step));
                    Seen::Shown(shown)
                }
                Request::DisplayOptions { lesson, step } => {
                    Seen::ByHand(look(&stage, &lessons, (lesson, step)).await)
                }
                Request::Statement { on_target, text } => {
                    let side = if on_target {
                        Side::Target
                    } else {
                        Side::Source
                    };
                    let statement = text;
                    Seen::Shown(perform(&mut stage, &Step::Sql { side, statement }).await)
                }
            };
            let engine = stage
                .engine()
                .filter(|_| !ran_before)
                .map(EngineLink::watching);
            let (settings, pipeline) = written.unzip();
            Performed {
                seen,
                engine,
                settings,
                pipeline: pipeline.flatten(),
            }
        })
    })
}

/// The settings of a configuration file with their origins, the file, and its pipeline.
type Written = ((Vec<Resolved>, PathBuf), Option<Pipeline>);

/// Returns what the file says that a step has written, when it has.
fn written_by(stage: &Stage, step: &Step) -> Option<Written> {
    let Step::File { name, .. } = step else {
        return None;
    };
    let path = stage.directory().join(name);
    let inputs = Inputs {
        environment: Vec::new(),
        ..Inputs::of_process(Vec::new(), Some(path.clone()))
    };
    let configuration = Configuration::load(inputs).ok()?;
    let pipeline = configuration.pipeline().ok();
    Some(((configuration.resolved(), path), pipeline))
}

/// Looks whether a step has been done by hand. The log is asked between two looks, so that a
/// statement which is run meanwhile is not taken for one that others have followed.
async fn look(stage: &Stage, lessons: &[lesson::Lesson], at: (usize, usize)) -> ByHand {
    let mark = lessons.get(at.0).and_then(|lesson| lesson.mark_of(at.1));
    let (Some(mark), Some(run)) = (mark, lesson::run_by(lessons, at)) else {
        return ByHand::NotYet;
    };
    if stage.sees(mark).await {
        return ByHand::Done;
    }
    match stage.has_logged(run).await {
        false => ByHand::NotYet,
        true if stage.sees(mark).await => ByHand::Done,
        true => ByHand::Overtaken,
    }
}

/// Performs a step. What is seen on the target is shown beside what the source has.
async fn perform(stage: &mut Stage, step: &Step) -> Result<Vec<String>, String> {
    let shown = stage.perform(step).await;
    let shown = shown.map_err(|error| Failure::from(error).to_string())?;
    let lines = lines_of(&shown);
    if let Step::File { name, content } = step {
        let path = stage.directory().join(name);
        let lines = content.lines().map(str::to_owned);
        return Ok(std::iter::once(format!("{}:", path.display()))
            .chain(lines)
            .collect());
    }
    let Step::Expect(expectation) = step else {
        return Ok(lines);
    };
    if expectation.side == Side::Source || lines.is_empty() {
        return Ok(lines);
    }
    let statement = expectation.query.clone();
    let side = Side::Source;
    let same = stage.perform(&Step::Sql { side, statement }).await;
    let source = same.map(|shown| lines_of(&shown)).unwrap_or_default();
    Ok(beside(&source, &lines))
}

fn lines_of(shown: &Shown) -> Vec<String> {
    let text = match shown {
        Shown::Nothing => return Vec::new(),
        Shown::Text(text) => text.clone(),
        Shown::Table(answer) if answer.columns.is_empty() => return Vec::new(),
        Shown::Table(answer) => draw(answer, 0),
    };
    text.lines().map(str::to_owned).collect()
}

/// Puts two tables next to each other, or says in a line that they are the same.
fn beside(source: &[String], target: &[String]) -> Vec<String> {
    let width_of = |lines: &[String]| {
        let widths = lines.iter().map(|line| line.chars().count());
        widths.max().unwrap_or(0).max("source".len())
    };
    let width = width_of(source);
    if width + width_of(target) > BESIDE_WIDTH_MAX {
        let head = match source == target {
            true => "both sides show:",
            false => "target:",
        };
        let mut lines = vec![head.to_owned()];
        lines.extend_from_slice(target);
        return lines;
    }
    let mut lines = vec![format!("{:<width$}   target", "source")];
    for row in 0..source.len().max(target.len()) {
        let cell = |lines: &[String]| lines.get(row).cloned().unwrap_or_default();
        lines.push(format!("{:<width$}   {}", cell(source), cell(target)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_stand_next_to_each_other() {
        let lines = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            beside(&lines(&["a | b", "1 | 2"]), &lines(&["a | b"])),
            ["source   target", "a | b    a | b", "1 | 2    "]
        );
    }
}
