//! What the loop begins and does not wait for: steps, questions to servers, files to open.

use std::io;
use std::path::Path;

use futures_util::future::abortable;
use tokio::sync::watch;

use crate::console::clipboard;
use crate::console::lesson::{Performed, Request};
use crate::console::message::Message;
use crate::console::model::servers::{Looked, Query};
use crate::console::start::Opened;
use crate::console::wizard::{Job, Kind, job};
use crate::schema::Progress;

use super::Shell;
use super::done::Done;

impl Shell {
    pub(super) fn perform_step(&mut self, request: Request) {
        let Some(perform) = &mut self.outside.perform else {
            return;
        };
        let performing = perform(request.clone());
        self.jobs.push(Box::pin(async move {
            let done = performing.await;
            let Performed {
                seen,
                engine,
                settings,
                pipeline,
            } = done;
            Done {
                engine,
                configured: settings,
                observed: pipeline,
                ..Message::Performed(request, seen).into()
            }
        }));
    }

    /// Asks what a wizard wants to know. A newer try of an address ends the one before: nobody
    /// waits for it any more, and typing must not pile up sessions.
    pub(super) fn ask_servers(&mut self, kind: Kind, job: Job) {
        let watcher = watch::Sender::new(Progress::default());
        if let Job::Run(..) = job {
            self.progress = Some((kind, watcher.subscribe()));
        }
        let Job::Probe(name, _) = job else {
            self.jobs.push(Box::pin(async move {
                Message::Wizard(kind, job::perform(job, watcher).await).into()
            }));
            return;
        };
        let (asking, handle) = abortable(job::perform(job, watcher));
        if let Some(index) = self.tries.iter().position(|(other, _)| *other == name) {
            self.tries.swap_remove(index).1.abort();
        }
        self.tries.push((name, handle));
        self.jobs.push(Box::pin(async move {
            let answer = asking.await.ok();
            Done {
                message: answer.map(|answer| Message::Wizard(kind, answer)),
                ..Done::nothing()
            }
        }));
    }

    /// Opens a configuration file and starts its engine, if it names a pipeline.
    pub(super) fn open_file(&mut self, path: &Path) -> io::Result<()> {
        let Some(starts) = &mut self.outside.starts else {
            return Ok(());
        };
        let found = match (starts.open)(path) {
            Ok(Opened {
                found,
                launch,
                observed,
            }) => {
                if let Some(observed) = observed {
                    self.observe(observed);
                }
                if let Some(launch) = launch {
                    self.outside.launch = launch;
                    self.start_engine();
                }
                Ok(found)
            }
            Err(trouble) => Err(trouble),
        };
        self.take(Message::Opened(found))
    }

    /// Asks the servers themselves.
    pub(super) fn look(&mut self, query: Query) {
        let Some(observer) = self.observer.clone() else {
            return;
        };
        self.jobs.push(Box::pin(async move {
            let mut asked = observer.lock().await;
            let looked = match query {
                Query::Servers => Looked::Servers(Box::new(asked.servers().await)),
                Query::Latest => Looked::Latest(asked.history(None).await),
                Query::Older(id) => Looked::Older(asked.history(Some(&id)).await),
                Query::Proof => Looked::Proof(asked.proof().await),
            };
            drop(asked);
            Done {
                observer: Some(observer),
                ..Message::Looked(looked).into()
            }
        }));
    }

    pub(super) fn stage(&mut self) {
        let Some(starts) = &mut self.outside.starts else {
            return;
        };
        let staging = (starts.stage)();
        self.jobs.push(Box::pin(async move {
            match staging.await {
                Ok(tutorial) => Done {
                    perform: Some(tutorial.perform),
                    observed: Some(tutorial.observed),
                    ..Message::Staged(Ok((tutorial.lessons, tutorial.addresses))).into()
                },
                Err(trouble) => Message::Staged(Err(trouble)).into(),
            }
        }));
    }

    pub(super) fn yank(&mut self, what: String, text: String) {
        let file = self.clipboard.write_file(&text);
        self.jobs.push(Box::pin(async move {
            let offered = clipboard::offer(&text).await;
            let copied = match file {
                Ok(path) => Ok(format!("{what} copied {offered}to {}", path.display())),
                Err(_) if !offered.is_empty() => Ok(format!("{what} copied")),
                Err(error) => Err(format!("{what} could not be copied: {error}")),
            };
            Message::Told(copied).into()
        }));
    }
}
