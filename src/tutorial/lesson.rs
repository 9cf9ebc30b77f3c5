//! The tutorial as data: what is reported, done and looked at, one lesson after the other.
//!
//! The text is a Markdown file that people can read as it is; its head says how. Parsing is
//! pure. Who plays the lessons, headless or in the console, only sees [`Lesson`]s.

use std::fmt;

/// The tutorial itself.
pub const POSTGRES_TO_POSTGRES: &str =
    include_str!("../../assets/tutorial/postgres_to_postgres.md");

/// The ports that the text uses in place of the real ones.
const SOURCE_PORT: &str = "5432";
const TARGET_PORT: &str = "7654";
const SOURCE_MARK: &str = "{source port}";
const PLUGIN: &str = "{plugin}";
/// Ends a cell that stands for everything that begins like it.
const ELLIPSIS: char = '…';
/// What a lesson shows for NULL.
pub const NULL: &str = "<null>";

/// One of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where changes are made.
    Source,
    /// Where they arrive.
    Target,
}

/// Something that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A command line, as typed in a shell.
    Shell(String),
    /// A file in the working directory.
    File {
        name: String,
        /// What is in it.
        content: String,
    },
    /// A statement.
    Sql {
        /// Where it runs.
        side: Side,
        statement: String,
    },
    /// A look, and what must be seen.
    Expect(Expectation),
}

/// What must be seen, sooner or later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// Where to look.
    pub side: Side,
    /// What to ask: SQL, or `\d+ <table>`.
    pub query: String,
    /// The rows; a cell may end with an ellipsis.
    pub rows: Vec<Vec<String>>,
}

/// One lesson.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// A few words.
    pub title: String,
    /// What is reported before anything happens; lines as in the file.
    pub text: String,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// What is true of one performance and therefore not in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// The source's port.
    pub source_port: u16,
    /// The target's port.
    pub target_port: u16,
    /// The output plugin's name.
    pub plugin: String,
}

/// A fault in the text of a tutorial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tutorial line {line}: {rule}")]
pub struct LessonError {
    /// The line, from 1.
    pub line: usize,
    /// What is expected there.
    pub rule: &'static str,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

impl Expectation {
    /// Returns whether these rows are the ones to be seen, in this order.
    #[must_use]
    pub fn is_met(&self, rows: &[Vec<String>]) -> bool {
        let cells_match = |expected: &Vec<String>, seen: &Vec<String>| {
            expected.len() == seen.len()
                && expected
                    .iter()
                    .zip(seen)
                    .all(|(expected, seen)| cell_matches(expected, seen))
        };
        self.rows.len() == rows.len()
            && self
                .rows
                .iter()
                .zip(rows)
                .all(|(expected, seen)| cells_match(expected, seen))
    }
}

fn cell_matches(expected: &str, seen: &str) -> bool {
    match expected.strip_suffix(ELLIPSIS) {
        Some(beginning) => seen.starts_with(beginning),
        None => expected == seen,
    }
}

/// Returns the statement of a step, by the numbers of its lesson and of itself, and how often the
/// tutorial has run it by then; none when the step is none of the source's.
#[must_use]
pub fn run_by(lessons: &[Lesson], (lesson, step): (usize, usize)) -> Option<(&str, usize)> {
    let statement = lessons.get(lesson)?.statement_of(step)?;
    let earlier = lessons[..lesson].iter().flat_map(|lesson| &lesson.steps);
    let so_far = earlier.chain(&lessons[lesson].steps[..=step]);
    let same = so_far.filter(|step| {
        matches!(step, Step::Sql { side: Side::Source, statement: other }
            if is_same_statement(other, statement))
    });
    Some((statement, same.count()))
}

/// Returns whether two texts are the same statement to whoever typed them: blanks, the case of
/// letters and the semicolon make no difference.
#[must_use]
pub fn is_same_statement(one: &str, other: &str) -> bool {
    let words = |text: &str| -> String {
        let text = text.trim().trim_end_matches(';').to_lowercase();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    words(one) == words(other)
}

impl Lesson {
    fn statement_of(&self, step: usize) -> Option<&str> {
        match self.steps.get(step)? {
            Step::Sql {
                side: Side::Source,
                statement,
            } => Some(statement),
            Step::Sql { .. } | Step::Shell(_) | Step::File { .. } | Step::Expect(_) => None,
        }
    }

    /// Returns what tells on the source that the statement of this step has been run, by whomever:
    /// the look that follows it, on the source. It is true only afterwards.
    #[must_use]
    pub fn mark_of(&self, step: usize) -> Option<&Expectation> {
        self.statement_of(step)?;
        match self.steps.get(step + 1)? {
            Step::Expect(expectation) => Some(expectation),
            Step::Sql { .. } | Step::Shell(_) | Step::File { .. } => None,
        }
    }

    /// Returns this lesson with the real ports and plugin in all that is done and seen.
    #[must_use]
    pub fn staged(&self, scenario: &Scenario) -> Self {
        let mut lesson = self.clone();
        lesson.text = scenario.fill(&lesson.text);
        for step in &mut lesson.steps {
            match step {
                Step::Shell(text) | Step::File { content: text, .. } => {
                    *text = scenario.fill(text);
                }
                Step::Sql { statement, .. } => *statement = scenario.fill(statement),
                Step::Expect(expectation) => {
                    for cell in expectation.rows.iter_mut().flatten() {
                        *cell = scenario.fill(cell);
                    }
                }
            }
        }
        lesson
    }
}

impl Scenario {
    fn fill(&self, text: &str) -> String {
        // Through a mark, as a real port may be the other one's number in the text.
        text.replace(SOURCE_PORT, SOURCE_MARK)
            .replace(TARGET_PORT, &self.target_port.to_string())
            .replace(SOURCE_MARK, &self.source_port.to_string())
            .replace(PLUGIN, &self.plugin)
    }
}

/// Reads the lessons of a tutorial.
///
/// # Errors
/// [`LessonError`]: the first line that does not follow the format.
pub fn parse(text: &str) -> Result<Vec<Lesson>, LessonError> {
    let mut lessons: Vec<Lesson> = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let fault = |rule| LessonError { line: number, rule };
        if let Some(title) = line.strip_prefix("## ") {
            lessons.push(Lesson {
                title: title.to_owned(),
                text: String::new(),
                steps: Vec::new(),
            });
            continue;
        }
        // What stands before the first lesson is for the reader of the file.
        let Some(lesson) = lessons.last_mut() else {
            continue;
        };
        if let Some(kind) = line.strip_prefix("```") {
            let body: Vec<&str> = lines
                .by_ref()
                .map(|(line, _)| line)
                .take_while(|line| *line != "```")
                .collect();
            lesson.steps.push(parse_step(kind, &body).map_err(fault)?);
        } else if lesson.steps.is_empty() {
            lesson.text.push_str(line);
            lesson.text.push('\n');
        } else if !line.is_empty() {
            return Err(fault("text belongs before the first step of a lesson"));
        }
    }
    for lesson in &mut lessons {
        lesson.text = lesson.text.trim().to_owned();
    }
    Ok(lessons)
}

fn parse_step(kind: &str, body: &[&str]) -> Result<Step, &'static str> {
    let text = body.join("\n");
    match kind.split_once(' ').unwrap_or((kind, "")) {
        ("shell", "") => Ok(Step::Shell(text)),
        ("file", name) if !name.is_empty() => Ok(Step::File {
            name: name.to_owned(),
            content: text + "\n",
        }),
        ("sql", side) => Ok(Step::Sql {
            side: parse_side(side)?,
            statement: text,
        }),
        ("expect", side) => Ok(Step::Expect(parse_expectation(parse_side(side)?, body)?)),
        _ => Err("a fence is `shell`, `file <name>`, `sql <side>` or `expect <side>`"),
    }
}

fn parse_side(word: &str) -> Result<Side, &'static str> {
    match word {
        "source" => Ok(Side::Source),
        "target" => Ok(Side::Target),
        _ => Err("a side is `source` or `target`"),
    }
}

fn parse_expectation(side: Side, body: &[&str]) -> Result<Expectation, &'static str> {
    let divider = body.iter().position(|line| *line == "---");
    let divider = divider.ok_or("an expectation has a line `---` between query and rows")?;
    let (query, rows) = (&body[..divider], &body[divider + 1..]);
    let rows = rows
        .iter()
        .map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect());
    Ok(Expectation {
        side,
        query: query.join("\n"),
        rows: rows.collect(),
    })
}

#[cfg(test)]
mod tests;
