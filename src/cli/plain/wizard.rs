//! The wizards as questions: the same fields, the same checks, the same plan and run as on the
//! screen, one line after the other.

use tokio::sync::watch;

use crate::config::{Pipeline, redact};
use crate::console::wizard::{
    Answer, Job, Kind, Name, Planned, Step, Wizard, WizardValues, blocks, perform, problem, save,
};
use crate::diagnose::Finding;
use crate::schema::{Progress, StepProgress, StepState, render_plan};

use super::talk::Talk;

/// How the questions ended.
pub(super) enum Ended {
    /// A pipeline was set up and shall start.
    Start(Box<Pipeline>),
    /// Everything was done.
    Done,
    /// Somebody left on the way.
    Left,
}

/// Asks one question after the other and does what they are for.
pub(super) async fn go_through(talk: &mut Talk, kind: Kind, wizard_values: &WizardValues) -> Ended {
    let wizard = Wizard::new(kind, wizard_values);
    talk.print_line(format!(
        "{}. An empty answer takes what stands in brackets, a single - empties it; Ctrl-D leaves.",
        kind.title()
    ));
    talk.print_line(
        "What is typed is seen: a password may stand in PGPASSWORD or ~/.pgpass instead.",
    );
    let mut asking = Asking { talk, wizard };
    asking.all().await.unwrap_or(Ended::Left)
}

/// Somebody who leaves ends every question with none.
struct Asking<'a> {
    talk: &'a mut Talk,
    wizard: Wizard,
}

impl Asking<'_> {
    async fn all(&mut self) -> Option<Ended> {
        let steps = self.wizard.kind.steps();
        for (number, step) in (1..).zip(steps) {
            self.talk
                .print_line(format!("\nStep {number} of {}", steps.len()));
            match step {
                Step::Source | Step::Target | Step::Servers => self.fields(*step).await?,
                Step::FirstCopy => self.first_copy().await?,
                Step::Preflight => self.preflight().await?,
                Step::Tables => self.tables().await?,
                Step::Plan => self.plan().await?,
                Step::Confirm => self.confirm().await?,
                Step::Run => self.run().await?,
                Step::Verify => self.verify().await,
                Step::Start => return self.start().await,
            }
        }
        Some(Ended::Done)
    }

    async fn perform(&self, job: Job) -> Answer {
        perform(job, watch::Sender::new(Progress::default())).await
    }

    /// Asks for the fields of a screen; addresses are tried.
    async fn fields(&mut self, step: Step) -> Option<()> {
        for name in self.wizard.names(step) {
            loop {
                self.field(*name).await?;
                if !name.is_address() || self.tried(*name).await? {
                    break;
                }
            }
        }
        Some(())
    }

    /// Asks for one field until its answer can be taken.
    async fn field(&mut self, name: Name) -> Option<()> {
        let (label, help, choices) = self
            .wizard
            .get(name)
            .map(|field| (field.label, field.help, field.choices))?;
        let value = self.wizard.value(name);
        if !choices.is_empty() {
            let preset = choices.iter().position(|choice| *choice == value);
            let title = format!("{label}: {help}");
            let chosen = self.talk.choose(&title, choices, preset).await?;
            self.wizard.fill(name, choices[chosen].to_owned());
            return Some(());
        }
        loop {
            let before = self.wizard.value(name);
            let shown = match before.is_empty() {
                true => String::new(),
                false => format!(" [{}]", redact(&before)),
            };
            let question = format!("{label} ({help}){shown}: ");
            let value = match self.talk.ask(&question).await?.as_str() {
                "" => before,
                "-" => String::new(),
                typed => typed.to_owned(),
            };
            match problem(self.wizard.kind, name, &value) {
                None => {
                    self.wizard.fill(name, value);
                    return Some(());
                }
                Some(rule) => self.talk.print_line(format!("  not taken: {rule}")),
            }
        }
    }

    /// Tries an address; returns whether to go on with it.
    async fn tried(&mut self, name: Name) -> Option<bool> {
        let address = self.wizard.value(name);
        if address.is_empty() {
            return Some(true);
        }
        self.talk.print_line("  trying to connect");
        let Answer::Probed(_, _, probed) = self.perform(Job::Probe(name, address)).await else {
            return Some(true);
        };
        match probed {
            Ok(words) => {
                self.talk.print_line(format!("  connected: {words}"));
                Some(true)
            }
            Err(trouble) => {
                self.talk.print_lines(trouble);
                let choices = ["Type it again", "Go on all the same"];
                let chosen = self.talk.choose("It cannot be reached.", &choices, Some(0));
                Some(chosen.await? == 1)
            }
        }
    }

    async fn first_copy(&mut self) -> Option<()> {
        self.field(Name::Copy).await?;
        if self.wizard.wizard_values().copy {
            self.field(Name::CopyTables).await?;
            self.field(Name::CopyWorkers).await?;
        }
        Some(())
    }

    async fn preflight(&mut self) -> Option<()> {
        loop {
            self.talk.print_line("Checking both servers");
            let answer = self.perform(Job::Check(self.wizard.wizard_values())).await;
            let Answer::Checked(checked) = answer else {
                return None;
            };
            let blocked = match checked {
                Ok(findings) => {
                    self.findings(&findings);
                    findings.iter().any(blocks)
                }
                Err(trouble) => {
                    self.talk.print_lines(trouble);
                    true
                }
            };
            if !blocked {
                return Some(());
            }
            let choices = ["Check again", "Leave"];
            let chosen = self
                .talk
                .choose("Something is in the way.", &choices, Some(0));
            if chosen.await? == 1 {
                return None;
            }
        }
    }

    fn findings(&self, findings: &[Finding]) {
        let by_init = |finding: &Finding| finding.hint.starts_with("pgstream init");
        for finding in findings.iter().filter(|finding| !by_init(finding)) {
            let weight = if blocks(finding) {
                "in the way"
            } else {
                "warning"
            };
            self.talk.print_line(format!(
                "  {weight}: {} {}",
                finding.object, finding.problem
            ));
            self.talk.print_line(format!("    fix: {}", finding.hint));
        }
        if !findings.iter().any(blocks) {
            self.talk.print_line("  nothing is in the way");
        }
    }

    async fn tables(&mut self) -> Option<()> {
        let Answer::Listed(listed) = self.perform(Job::Tables(self.wizard.wizard_values())).await
        else {
            return None;
        };
        match listed {
            Ok(tables) => self.wizard.list(tables),
            Err(trouble) => self.talk.print_lines(trouble),
        }
        loop {
            self.show_tables();
            let question = "Numbers to let in or out, p to type patterns, empty to go on: ";
            let answer = self.talk.ask(question).await?;
            match answer.as_str() {
                "" => match self.wizard.lets_nothing_through() {
                    false => return Some(()),
                    true => self.talk.print_line("no table would replicate"),
                },
                "p" => {
                    self.field(Name::Include).await?;
                    self.field(Name::Exclude).await?;
                }
                numbers => self.toggle(numbers),
            }
        }
    }

    fn show_tables(&self) {
        let filter = self.wizard.filter();
        self.talk
            .print_line("Tables of the source, and whether they replicate");
        for (number, table) in (1..).zip(self.wizard.source_tables()) {
            let chosen = filter.as_ref().is_some_and(|one| one.selects(&table.name));
            let word = if chosen { "yes" } else { "no " };
            let note = if table.keyless { "  (no key)" } else { "" };
            self.talk
                .print_line(format!("  {number:>3} {word} {}{note}", table.name));
        }
        let wizard_values = self.wizard.wizard_values();
        self.talk.print_line(format!(
            "  include: {}   exclude: {}",
            if wizard_values.include.is_empty() {
                "all"
            } else {
                &wizard_values.include
            },
            if wizard_values.exclude.is_empty() {
                "none"
            } else {
                &wizard_values.exclude
            },
        ));
    }

    fn toggle(&mut self, numbers: &str) {
        for text in numbers.split([' ', ',']).filter(|text| !text.is_empty()) {
            let number: Option<usize> = text.parse().ok();
            let toggled = match number.and_then(|number| number.checked_sub(1)) {
                Some(index) => self.wizard.toggle(index),
                None => Err(format!("{text} is no number")),
            };
            if let Err(reason) = toggled {
                self.talk.print_line(reason);
            }
        }
    }

    async fn plan(&mut self) -> Option<()> {
        let job = Job::Plan(self.wizard.kind, self.wizard.wizard_values());
        let planned = match self.perform(job).await {
            Answer::Planned(Ok(planned)) => planned,
            Answer::Planned(Err(trouble)) => {
                self.talk.print_lines(trouble);
                return None;
            }
            _ => return None,
        };
        self.show_plan(&planned);
        let text = render_plan(&planned.steps);
        self.wizard.planned(planned);
        loop {
            let choices = ["Go on", "Show the SQL", "Write the SQL to a file", "Leave"];
            match self
                .talk
                .choose("Nothing has run yet.", &choices, None)
                .await?
            {
                0 => return Some(()),
                1 => self.talk.print_line(&text),
                2 => {
                    let name = self.wizard.kind.plan_file();
                    self.talk
                        .print_line(match save::write(name.as_ref(), &text) {
                            Ok(()) => format!("  written to {name}"),
                            Err(error) => format!("  cannot write {name}: {error}"),
                        });
                }
                _ => return None,
            }
        }
    }

    fn show_plan(&self, planned: &Planned) {
        self.talk.print_line("The plan");
        for (number, step) in (1..).zip(&planned.steps) {
            let undo = match step.undo {
                Some(_) => "can be taken back",
                None => "is not taken back",
            };
            self.talk.print_line(format!(
                "  {number:>3} {}  {}  ({undo})",
                step.side, step.what
            ));
        }
        self.talk.print_lines(&planned.notes);
    }

    async fn confirm(&mut self) -> Option<()> {
        let slot = self.wizard.slot_to_type().to_owned();
        self.talk
            .print_line("What the plan lists is removed. It cannot be undone.");
        let question = format!("Type the name of the slot, {slot}, to go on: ");
        while self.talk.ask(&question).await? != slot {
            self.talk.print_line("  that is not its name");
        }
        Some(())
    }

    async fn run(&mut self) -> Option<()> {
        loop {
            let watcher = watch::Sender::new(Progress::default());
            let mut progress = watcher.subscribe();
            let job = Job::Run(self.wizard.kind, self.wizard.wizard_values());
            let mut running = std::pin::pin!(perform(job, watcher));
            let mut reported = Progress::default();
            let answer = loop {
                tokio::select! {
                    biased;
                    Ok(()) = progress.changed() => {
                        let now = progress.borrow_and_update().clone();
                        self.report_progress(&reported, &now);
                        reported = now;
                    }
                    answer = &mut running => break answer,
                }
            };
            // The last step's end comes together with the answer.
            self.report_progress(&reported, &progress.borrow());
            match answer {
                Answer::Ran(Ok(done)) if done.is_empty() => {
                    self.talk
                        .print_line("  everything was there already; nothing was changed");
                    return Some(());
                }
                Answer::Ran(Err(trouble)) => self.talk.print_lines(trouble),
                _ => return Some(()),
            }
            let choices = ["Try again", "Leave"];
            if self.talk.choose("It failed.", &choices, Some(0)).await? == 1 {
                return None;
            }
        }
    }

    fn report_progress(&self, reported: &Progress, now: &Progress) {
        for (index, step) in now.steps.iter().enumerate() {
            let before = reported.steps.get(index).map(|step| step.state);
            if before == Some(step.state) {
                continue;
            }
            if let Some(words) = state(step) {
                self.talk.print_line(format!(
                    "  {:>3} {}  {}: {words}",
                    index + 1,
                    step.side,
                    step.what
                ));
            }
        }
    }

    async fn verify(&mut self) {
        let Answer::Verified(verified) =
            self.perform(Job::Verify(self.wizard.wizard_values())).await
        else {
            return;
        };
        match verified {
            Ok(remains) if remains.is_empty() => {
                self.talk
                    .print_line("  verified: nothing of pgstream is left");
            }
            Ok(remains) => self.talk.print_lines(remains),
            Err(trouble) => self.talk.print_lines(trouble),
        }
    }

    async fn start(&mut self) -> Option<Ended> {
        self.field(Name::File).await?;
        let (wizard_values, file) = (self.wizard.wizard_values(), self.wizard.value(Name::File));
        let starts = false;
        let job = Job::Start {
            wizard_values,
            file,
            starts,
        };
        let Answer::Started(started) = self.perform(job).await else {
            return None;
        };
        let started = match started {
            Ok(started) => started,
            Err(trouble) => {
                self.talk.print_lines(trouble);
                return Some(Ended::Done);
            }
        };
        self.talk.print_line(format!(
            "  saved; pgstream run -c {} starts it at any time",
            started.settings.1.display()
        ));
        let choices = ["Start now", "Leave"];
        match self
            .talk
            .choose("Start the pipeline?", &choices, Some(0))
            .await
        {
            Some(0) => Some(Ended::Start(Box::new(started.pipeline))),
            _ => Some(Ended::Done),
        }
    }
}

/// What is told of a step; nothing before its turn.
fn state(step: &StepProgress) -> Option<String> {
    Some(match step.state {
        StepState::Waiting => return None,
        StepState::Running => "running".to_owned(),
        StepState::Done(took) => format!("done, {} ms", took.as_millis()),
        StepState::Failed(took) => format!("failed after {} ms", took.as_millis()),
        StepState::TakingBack => "being taken back".to_owned(),
        StepState::TakenBack => "taken back".to_owned(),
        StepState::Left => "still there: it could not be taken back".to_owned(),
    })
}
