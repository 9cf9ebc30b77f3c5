//! Starts the engine and speaks with it.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::config::Pipeline;
use crate::model::ErrorClass;
use crate::runtime::{Task, TaskEnd, clock, supervise};
use crate::snapshot::{Control, Copies, Standalone};
use crate::status::{
    Command, CommandAnswer, CopyCommand, EngineEvent, Failure, Outcome, Phase, Request, Status,
    StatusPublisher,
};

use super::lifecycle::Lifecycle;
use super::options::EngineOptions;

/// Commands that may wait; a person types slower.
const COMMANDS_MAX: usize = 16;

/// The engine itself: only its [`Handle`] is to be had.
#[derive(Debug)]
pub struct Engine;

/// A running engine. Dropping it ends the engine where it stands, which is always safe.
#[derive(Debug)]
pub struct Handle {
    publisher: StatusPublisher,
    commands: mpsc::Sender<Request>,
    control: Arc<watch::Sender<Control>>,
    task: Task<Outcome>,
}

/// Reads from and commands a running engine; as many as wanted.
#[derive(Debug, Clone)]
pub struct Remote {
    publisher: StatusPublisher,
    commands: mpsc::Sender<Request>,
    control: Arc<watch::Sender<Control>>,
}

impl Engine {
    /// Starts the engine and returns at once; it connects in the background.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn start(pipeline: Pipeline, options: EngineOptions) -> Handle {
        let publisher = StatusPublisher::new(Status {
            source: pipeline.source.endpoint(),
            target: pipeline.target.endpoint(),
            schema_log: pipeline.schema_log.is_some(),
            started_at_s: clock::unix_ms() / 1_000,
            ..Status::default()
        });
        let (commands, requests) = mpsc::channel(COMMANDS_MAX);
        let (control, copies) = control(&pipeline);
        let copies = Copies::new(copies);
        let lifecycle = Lifecycle::new(pipeline, options, publisher.clone(), requests, copies);
        let task = supervise::spawn("engine", lifecycle.run());
        Handle {
            publisher,
            commands,
            control,
            task,
        }
    }

    /// Starts to copy the tables once, with nobody streaming, and returns at once.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn snapshot(pipeline: Pipeline) -> Handle {
        let publisher = StatusPublisher::new(Status {
            source: pipeline.snapshot.source.endpoint(),
            target: pipeline.target.endpoint(),
            started_at_s: clock::unix_ms() / 1_000,
            ..Status::default()
        });
        let (commands, requests) = mpsc::channel(COMMANDS_MAX);
        let (control, copies) = control(&pipeline);
        let standalone = crate::snapshot::copy_standalone(Standalone {
            pipeline,
            publisher: publisher.clone(),
            requests,
            control: copies,
        });
        let task = supervise::spawn("snapshot", standalone);
        Handle {
            publisher,
            commands,
            control,
            task,
        }
    }
}

impl Handle {
    /// Returns the latest status, and a way to wait for the next.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.publisher.status()
    }

    /// Returns what happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<EngineEvent> {
        self.publisher.subscribe()
    }

    /// Returns a way to read and command the engine that does not own it.
    #[must_use]
    pub fn remote(&self) -> Remote {
        Remote {
            publisher: self.publisher.clone(),
            commands: self.commands.clone(),
            control: Arc::clone(&self.control),
        }
    }

    /// Asks the engine for something.
    pub async fn command(&self, command: Command) -> CommandAnswer {
        self.remote().command(command).await
    }

    /// Waits for the engine's end. A panic in it becomes a failure of class Bug. Cancel safe.
    pub async fn join(&mut self) -> Outcome {
        match self.task.join().await {
            Ok(outcome) => outcome,
            Err(ended) => {
                let failure = crashed(&ended);
                self.publisher.failed(&failure);
                self.publisher.phase(&Phase::Crashed);
                Outcome::Failed(failure)
            }
        }
    }
}

impl Remote {
    /// Returns the latest status, and a way to wait for the next.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.publisher.status()
    }

    /// Returns what happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<EngineEvent> {
        self.publisher.subscribe()
    }

    /// Asks the engine for something; it answers when it has seen the command.
    pub async fn command(&self, command: Command) -> CommandAnswer {
        if let Some(answer) = self.control(&command) {
            return answer;
        }
        let ended = || CommandAnswer::Refused("the engine has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        if self
            .commands
            .send(Request { command, answer })
            .await
            .is_err()
        {
            return ended();
        }
        answered.await.unwrap_or_else(|_| ended())
    }
}

impl Remote {
    /// What is about how fast tables are copied, or only looks, is heard whatever the engine is doing.
    fn control(&self, command: &Command) -> Option<CommandAnswer> {
        if let Command::Look { table, values } = command {
            let look = self.publisher.look(table, *values);
            return Some(CommandAnswer::Seen(Box::new(look)));
        }
        let Command::Copy(command) = *command else {
            return None;
        };
        match command {
            CopyCommand::Table { .. } => return None,
            CopyCommand::Pause => self.control.send_modify(|control| control.paused = true),
            CopyCommand::Resume => self.control.send_modify(|control| control.paused = false),
            CopyCommand::Workers { count } => {
                self.control
                    .send_modify(|control| control.worker_count = count.max(1));
            }
        }
        Some(CommandAnswer::Accepted)
    }
}

fn control(pipeline: &Pipeline) -> (Arc<watch::Sender<Control>>, watch::Receiver<Control>) {
    let (control, copies) = watch::channel(Control {
        worker_count: pipeline.snapshot.worker_count,
        paused: false,
    });
    (Arc::new(control), copies)
}

fn crashed(ended: &TaskEnd) -> Failure {
    Failure {
        class: ErrorClass::Bug,
        message: "the engine crashed".to_owned(),
        refusal: None,
        causes: vec![ended.to_string()],
        sqlstate: None,
        statement: None,
        hint: Some("this is a bug of pgstream: please report it with the log".to_owned()),
        transaction: None,
        at_ms: clock::unix_ms(),
    }
}
