//! What is asked of the servers themselves, beside the engine: how both sides stand while no engine
//! runs, and the schema log as it stands on record, page by page.

use crate::diagnose::Verified;
use crate::engine::{Page, Servers as Seen};
use crate::status::SchemaChange;

/// Both sides are looked at this often while no engine does it.
const LOOK_EVERY_MS: i64 = 1000;
/// The latest page is read again this long after a change that has not been seen on record, and this
/// often while no engine runs.
const LATEST_AFTER_MS: i64 = 3000;

/// What is to be asked of the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Query {
    /// How do both sides stand?
    Servers,
    /// The latest schema changes on record.
    Latest,
    /// Those that were made before the one with this id.
    Older(String),
    /// The last proof on record.
    Proof,
}

/// What came of a [`Query`].
#[derive(Debug)]
pub(crate) enum Looked {
    Servers(Box<Seen>),
    Latest(Result<Page, String>),
    Older(Result<Page, String>),
    Proof(Result<Verified, String>),
}

/// The schema log as it stands on record.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Newest first, without a gap.
    pub(crate) changes: Vec<SchemaChange>,
    /// So many there are; none: nobody has answered yet.
    pub(crate) total: Option<u64>,
    /// Transactions that were skipped on record, as far as is known.
    pub(crate) skipped: Option<u64>,
    /// Whether the oldest one is among them.
    pub(crate) is_whole: bool,
    /// Why it could not be read.
    pub(crate) trouble: Option<String>,
    /// When the latest page is to be read.
    latest_at_ms: Option<i64>,
    /// Whether an older page is wanted.
    older: bool,
    /// The newest change of the session when it was last compared.
    newest: Option<String>,
}

/// What is known from the servers themselves.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    /// Whether there is a pipeline to look at.
    known: bool,
    busy: bool,
    look_at_ms: i64,
    /// Whether the last proof on record is wanted.
    proof: bool,
    /// What the latest look has seen.
    pub(crate) seen: Option<Seen>,
    pub(crate) history: History,
}

impl Servers {
    /// Begins with another pipeline.
    pub(crate) fn begin(&mut self) {
        *self = Self {
            known: true,
            ..Self::default()
        };
        self.history.latest_at_ms = Some(0);
    }

    /// Returns what is to be asked now. While an engine runs, it looks at both sides itself.
    pub(crate) fn due(&mut self, now_ms: i64, engine_runs: bool) -> Option<Query> {
        if !self.known || self.busy {
            return None;
        }
        let look = if std::mem::take(&mut self.history.older) {
            Query::Older(self.history.changes.last()?.id.clone())
        } else if self
            .history
            .latest_at_ms
            .is_some_and(|at_ms| at_ms <= now_ms)
        {
            self.history.latest_at_ms = None;
            Query::Latest
        } else if std::mem::take(&mut self.proof) {
            Query::Proof
        } else if !engine_runs && self.look_at_ms <= now_ms {
            self.look_at_ms = now_ms + LOOK_EVERY_MS;
            // No engine says what is made meanwhile.
            self.history
                .latest_at_ms
                .get_or_insert(now_ms + LATEST_AFTER_MS);
            Query::Servers
        } else {
            return None;
        };
        self.busy = true;
        Some(look)
    }

    /// Takes in what was seen; returns how both sides stand, if that was asked.
    pub(crate) fn looked(&mut self, looked: Looked) -> Option<&Seen> {
        self.busy = false;
        match looked {
            Looked::Servers(seen) => return Some(self.seen.insert(*seen)),
            Looked::Latest(page) => self.history.take_latest(page),
            Looked::Older(page) => self.history.take_older(page),
            Looked::Proof(_) => {}
        }
        None
    }

    /// Asks for the last proof on record.
    pub(crate) const fn want_proof(&mut self) {
        self.proof = true;
    }

    /// Returns whether the source has answered the latest look.
    pub(crate) fn source_answers(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.slots.is_some())
    }
}

impl History {
    /// Takes in which change is the newest of the session: the record has it, too, before long.
    pub(crate) fn compare(&mut self, newest: Option<&SchemaChange>, now_ms: i64) {
        let id = newest.map(|change| change.id.as_str());
        if id.is_some() && id != self.newest.as_deref() {
            self.newest = id.map(str::to_owned);
            self.latest_at_ms.get_or_insert(now_ms + LATEST_AFTER_MS);
        }
    }

    /// Asks for older changes, when there are any.
    pub(crate) fn want_older(&mut self) {
        self.older = !self.is_whole && !self.changes.is_empty();
    }

    fn take_latest(&mut self, page: Result<Page, String>) {
        let page = match page {
            Ok(page) => page,
            Err(trouble) => return self.trouble = Some(trouble),
        };
        let oldest = page.changes.last().map(|change| change.id.as_str());
        let joins = self
            .changes
            .iter()
            .any(|known| Some(known.id.as_str()) == oldest);
        let older = match joins {
            true => self.changes.split_off(self.joint(oldest)),
            false => Vec::new(),
        };
        self.is_whole = page.is_last || joins && self.is_whole;
        self.total = Some(page.total);
        self.skipped = page.skipped;
        self.trouble = None;
        self.changes = page.changes;
        self.changes.extend(older);
    }

    /// How many of the known changes are not older than this one.
    fn joint(&self, oldest: Option<&str>) -> usize {
        let newer = self.changes.iter();
        newer
            .take_while(|known| Some(known.id.as_str()) >= oldest)
            .count()
    }

    fn take_older(&mut self, page: Result<Page, String>) {
        match page {
            Ok(page) => {
                self.total = Some(page.total);
                self.is_whole = page.is_last;
                self.changes.extend(page.changes);
            }
            Err(trouble) => self.trouble = Some(trouble),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::scripted::sample_changes;

    fn page(numbers: std::ops::RangeInclusive<usize>, is_last: bool) -> Result<Page, String> {
        Ok(Page {
            total: 9,
            skipped: Some(1),
            changes: sample_changes(numbers),
            is_last,
        })
    }

    fn ids(history: &History) -> Vec<&str> {
        history.changes.iter().map(|one| one.id.as_str()).collect()
    }

    #[test]
    fn pages_join_without_a_gap() {
        let mut history = History::default();
        history.take_latest(page(5..=6, false));
        history.take_older(page(3..=4, false));
        assert_eq!(ids(&history), ["c6", "c5", "c4", "c3"]);

        history.take_latest(page(6..=7, false));
        assert_eq!(ids(&history), ["c7", "c6", "c5", "c4", "c3"]);
        history.take_older(page(1..=2, true));
        history.take_latest(page(7..=8, false));
        assert!(history.is_whole);

        history.take_latest(page(9..=9, false));
        assert_eq!(ids(&history), ["c9"], "what lies between is not known");
        assert!(!history.is_whole);
        history.take_latest(Err("no answer".to_owned()));
        assert_eq!((history.total, ids(&history).len()), (Some(9), 1));
    }

    #[test]
    fn one_thing_at_a_time_is_asked_and_only_of_a_known_pipeline() {
        let mut servers = Servers::default();
        assert_eq!(servers.due(0, false), None);
        servers.begin();
        assert_eq!(servers.due(0, false), Some(Query::Latest));
        assert_eq!(servers.due(0, false), None, "an answer is still out");
        servers.looked(Looked::Latest(page(5..=6, false)));
        assert_eq!(servers.due(0, true), None, "an engine looks itself");
        assert_eq!(servers.due(0, false), Some(Query::Servers));
        servers.looked(Looked::Servers(Box::default()));
        assert_eq!(servers.due(999, false), None);

        servers.history.want_older();
        assert_eq!(servers.due(999, false), Some(Query::Older("c5".to_owned())));
        servers.looked(Looked::Older(page(1..=4, true)));
        servers.history.want_older();
        assert_eq!(servers.due(999, true), None, "there are no older ones");

        let newest = sample_changes(7..=7).remove(0);
        servers.history.compare(Some(&newest), 1000);
        servers.history.compare(Some(&newest), 3000);
        assert_eq!(servers.due(2999, true), None);
        assert_eq!(servers.due(3000, true), Some(Query::Latest));
    }
}
