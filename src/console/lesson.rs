//! The tutorial beside the live panes. The console knows lessons as texts and steps; who performs
//! them, and on which servers, comes from outside as a [`Performer`].

use std::fmt;
use std::path::PathBuf;

use futures_util::future::LocalBoxFuture;
use tui_input::Input;

use crate::config::{Pipeline, Resolved};

use super::link::EngineLink;

/// One lesson.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// A few words.
    pub title: String,
    /// What is reported before anything happens.
    pub text: String,
    /// What happens, in order.
    pub steps: Vec<LessonStep>,
}

/// One step of a lesson.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LessonStep {
    /// What is done or looked at, as it would be typed: `source> INSERT …`.
    pub words: String,
    /// Whether it only looks: it then follows by itself on the step before it.
    pub looks: bool,
    /// Where it can be done by hand instead, such as a psql command; the lesson then notices.
    pub by_hand: Option<String>,
}

/// What the console wants done on the tutorial's servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A step of a lesson, by their numbers from 0.
    Step { lesson: usize, step: usize },
    /// A look whether somebody has done a step by hand.
    DisplayOptions { lesson: usize, step: usize },
    /// A statement of the user's own.
    Statement {
        /// On the target; else on the source.
        on_target: bool,
        text: String,
    },
}

/// What came of a [`Request`].
#[derive(Debug)]
pub struct Performed {
    /// What there is to see.
    pub seen: Seen,
    /// The engine, when the request has started one.
    pub engine: Option<EngineLink>,
    /// The settings with their origins, and the file, when the request has written one.
    pub settings: Option<(Vec<Resolved>, PathBuf)>,
    /// The pipeline of that file.
    pub pipeline: Option<Pipeline>,
}

/// What there is to see after a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Lines, or why it failed.
    Shown(Result<Vec<String>, String>),
    /// Whether the step has been done by hand.
    ByHand(ByHand),
}

/// What a look at a step finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByHand {
    /// Nobody has done it.
    NotYet,
    /// Somebody has; what comes of it can be looked at.
    Done,
    /// Somebody has, and went on: what came of it cannot be seen any more.
    Overtaken,
}

/// Does what is requested, on the thread of the console.
pub type Performer = Box<dyn FnMut(Request) -> LocalBoxFuture<'static, Performed>>;

/// A tutorial ready to be played.
pub struct Tutorial {
    /// Its lessons.
    pub lessons: Vec<Lesson>,
    /// How to join in with psql: one line for each server.
    pub addresses: Vec<String>,
    /// Who performs the steps.
    pub perform: Performer,
    /// The servers to look at, whether an engine runs or not.
    pub observed: Pipeline,
}

impl fmt::Debug for Tutorial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tutorial")
            .field("lessons", &self.lessons)
            .finish_non_exhaustive()
    }
}

/// Where the learner stands.
#[derive(Debug)]
pub(crate) struct TutorialState {
    pub(crate) lessons: Vec<Lesson>,
    pub(crate) addresses: Vec<String>,
    /// The lesson that is shown.
    pub(crate) lesson: usize,
    /// What the steps of this lesson have shown so far.
    pub(crate) shown: Vec<Vec<String>>,
    /// Why the step in hand failed.
    pub(crate) failure: Option<String>,
    /// Whether a step is being performed.
    pub(crate) running: bool,
    /// Whether keys go to the lesson.
    pub(crate) focused: bool,
    /// Lines scrolled up from the step in hand.
    pub(crate) scroll: usize,
    /// The prompt for statements of the user's own, when it is open.
    pub(crate) prompt: Option<Prompt>,
    /// When to look next whether the step in hand has been done by hand; none while looking.
    pub(crate) look_at_ms: Option<i64>,
}

/// How often to look: soon enough to seem at once, rare enough to be no load.
const LOOK_EVERY_MS: i64 = 1000;

/// A small SQL prompt.
#[derive(Debug, Default)]
pub(crate) struct Prompt {
    pub(crate) on_target: bool,
    pub(crate) input: Input,
    pub(crate) shown: Vec<String>,
    /// Lines of the answer that are scrolled away.
    pub(crate) scroll: usize,
}

impl TutorialState {
    /// Returns the beginning of a tutorial.
    pub(crate) const fn new(lessons: Vec<Lesson>, addresses: Vec<String>) -> Self {
        Self {
            lessons,
            addresses,
            lesson: 0,
            shown: Vec::new(),
            failure: None,
            running: false,
            focused: true,
            scroll: 0,
            prompt: None,
            look_at_ms: Some(0),
        }
    }

    /// Returns the step in hand.
    pub(crate) fn step_in_hand(&self) -> Option<&LessonStep> {
        self.current()?.steps.get(self.shown.len())
    }

    /// Returns whether Enter does something: a console that only shows leaves the servers alone.
    pub(crate) fn may_go_on(&self, read_only: bool) -> bool {
        !read_only || self.step_in_hand().is_none_or(|step| step.looks)
    }

    /// Returns the look that is due, whether somebody has done the step in hand by hand.
    pub(crate) fn look(&mut self, now_ms: i64) -> Option<Request> {
        let due = self.look_at_ms.is_some_and(|at_ms| at_ms <= now_ms);
        let can_be_seen = self.step_in_hand()?.by_hand.is_some();
        if !due || !can_be_seen || self.running {
            return None;
        }
        self.look_at_ms = None;
        Some(Request::DisplayOptions {
            lesson: self.lesson,
            step: self.shown.len(),
        })
    }

    /// Takes in whether a step has been done by hand; returns what follows by itself.
    pub(crate) fn looked(
        &mut self,
        at: (usize, usize),
        found: ByHand,
        now_ms: i64,
    ) -> Option<Request> {
        self.look_at_ms = Some(now_ms + LOOK_EVERY_MS);
        if found == ByHand::NotYet || self.running || at != (self.lesson, self.shown.len()) {
            return None;
        }
        self.failure = None;
        let seen = vec!["seen: it was done by hand".to_owned()];
        if found == ByHand::Done {
            return self.stepped(seen);
        }
        self.scroll = 0;
        self.shown.push(seen);
        while self.step_in_hand().is_some_and(|step| step.looks) {
            let gone = "it was there; a later statement has changed it already";
            self.shown.push(vec![gone.to_owned()]);
        }
        None
    }

    /// Returns the lesson that is shown.
    pub(crate) fn current(&self) -> Option<&Lesson> {
        self.lessons.get(self.lesson)
    }

    /// Returns whether everything of this lesson has been done and seen.
    pub(crate) fn is_done(&self) -> bool {
        self.current()
            .is_none_or(|lesson| self.shown.len() >= lesson.steps.len())
    }

    /// Returns whether this is the last lesson.
    pub(crate) const fn is_last(&self) -> bool {
        self.lesson + 1 >= self.lessons.len()
    }

    /// Returns the request for the step in hand, if there is one.
    pub(crate) fn next_request(&self) -> Option<Request> {
        (!self.is_done()).then_some(Request::Step {
            lesson: self.lesson,
            step: self.shown.len(),
        })
    }

    /// Takes in what a step has shown; returns what follows by itself.
    pub(crate) fn performed(&mut self, shown: Result<Vec<String>, String>) -> Option<Request> {
        self.running = false;
        match shown {
            Ok(lines) => self.stepped(lines),
            Err(problem) => {
                self.scroll = 0;
                self.failure = Some(problem);
                None
            }
        }
    }

    /// Takes in what a statement of the user's own has shown.
    pub(crate) fn answered(&mut self, shown: Result<Vec<String>, String>) {
        self.running = false;
        if let Some(prompt) = &mut self.prompt {
            prompt.scroll = 0;
            prompt.shown = shown.unwrap_or_else(|problem| {
                let lines = problem.lines().enumerate();
                let sign = |number| if number == 0 { "✗ " } else { "  " };
                lines
                    .map(|(number, line)| format!("{}{line}", sign(number)))
                    .collect()
            });
        }
    }

    fn stepped(&mut self, lines: Vec<String>) -> Option<Request> {
        self.scroll = 0;
        self.shown.push(lines);
        let looks = self.step_in_hand()?.looks;
        let follows = looks.then(|| self.next_request()).flatten();
        self.running = follows.is_some();
        follows
    }

    /// Goes on to the next lesson, when this one is done.
    pub(crate) fn advance(&mut self) {
        if self.is_done() && !self.is_last() {
            self.lesson += 1;
            self.shown.clear();
            self.failure = None;
            self.scroll = 0;
        }
    }
}
