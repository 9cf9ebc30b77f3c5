//! Follows what the source tells beside the schema log.

use tracing::warn;

use crate::engine::EngineError;
use crate::model::{Lsn, Relation, Tuple};
use crate::postgres::{Publication, UnfitPublication};
use crate::schema::{Letter, NamedPublication};

use super::Applier;

/// The publication that the stream is decoded with.
#[derive(Debug, Clone)]
pub(in crate::engine) struct StreamPublication {
    pub(in crate::engine) name: String,
    /// What to do when it has not published everything.
    pub(in crate::engine) anew: String,
}

impl Applier {
    /// Any role may write such a message, so it says nothing.
    pub(super) fn pass_over_message(&mut self, lsn: Lsn, prefix: &str) {
        if !std::mem::replace(&mut self.message_reported, true) {
            warn!(target: "apply", %lsn, prefix, "passing over a logical message: any role may write one, \
                and pgstream writes none; others of this session are not reported");
        }
    }

    /// Takes one row of the outbox.
    pub(super) async fn letter(
        &mut self,
        commit_lsn: Lsn,
        relation: &Relation,
        tuple: &Tuple,
    ) -> Result<(), EngineError> {
        let letter = Letter::from_tuple(relation, tuple);
        match letter.map_err(|source| EngineError::Schema { source })? {
            Letter::RewrittenRows(part) => self.rewritten_rows(commit_lsn, part).await,
            Letter::PublicationCommand => {
                self.publications_untold = true;
                Ok(())
            }
            Letter::Publications(publications) => {
                self.publications_untold = false;
                self.require_fit(&publications)
            }
        }
    }

    /// What a publication leaves out never reaches us, and nothing tells that it is missing.
    fn require_fit(&self, publications: &[NamedPublication]) -> Result<(), EngineError> {
        let Some(ours) = &self.publication else {
            return Ok(());
        };
        let mut publications = publications.iter();
        match publications.find(|found| found.name == ours.name) {
            None => Err(altered(ours, "was dropped or renamed", None)),
            Some(found) => match found.publication.unfit(&ours.name) {
                None => Ok(()),
                Some(UnfitPublication { problem, fix }) => Err(altered(ours, problem, fix)),
            },
        }
    }

    /// At the end of a transaction: the publication let the first letter through, and not the second.
    pub(super) fn require_publications_reported(&mut self) -> Result<(), EngineError> {
        let untold = std::mem::take(&mut self.publications_untold);
        let Some(ours) = self.publication.as_ref().filter(|_| untold) else {
            return Ok(());
        };
        let without_inserts = Publication {
            all_tables: true,
            all_changes: false,
            via_root: false,
            generated: true,
        };
        let unfit = without_inserts.unfit(&ours.name);
        unfit.map_or(Ok(()), |UnfitPublication { problem, fix }| {
            Err(altered(ours, problem, fix))
        })
    }
}

fn altered(ours: &StreamPublication, problem: &'static str, fix: Option<String>) -> EngineError {
    EngineError::PublicationAltered {
        publication: ours.name.clone(),
        problem,
        fix,
        anew: ours.anew.clone(),
    }
}
