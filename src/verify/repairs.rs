//! Repairs what a comparison has found, and compares it again, until both sides are equal or nothing more
//! can be done.

use std::collections::{BTreeMap, HashSet};

use tokio::time::sleep;
use tracing::debug;

use crate::model::QualifiedName;
use crate::postgres::Session;
use crate::status::Verdict;
use crate::status::failure::with_causes;

use super::VerifyError;
use super::repair::{Part, Range, RangeEnd, Repair};
use super::report::{Event, Repaired};
use super::run::{BETWEEN_PAIRS, Found, PAIRS_MAX, Run};
use super::table::{Candidate, Differing};

/// A pass brings what the one before has found. Tables without an end of differences are somebody's who
/// writes on the target.
const PASSES_MAX: usize = 1_000;

impl Run<'_> {
    /// Brings rows of tables that differ, and compares those again.
    pub(super) async fn repair(
        &self,
        found: &mut Found,
        records: &Session,
    ) -> Result<(), VerifyError> {
        for _ in 0..PASSES_MAX {
            let differing = std::mem::take(&mut found.differing);
            if differing.is_empty() {
                break;
            }
            let mut refusals = BTreeMap::new();
            let mut is_further = false;
            for one in &differing {
                let repaired = self.repair_table(one, &mut refusals).await?;
                is_further |= repaired.is_something();
                self.settings.proved.forget(&one.table);
                let name = &one.table.name;
                found
                    .repaired
                    .entry(name.clone())
                    .or_default()
                    .add(repaired);
                if repaired.is_something() {
                    (self.watch)(Event::Repaired(name, repaired));
                }
            }
            let names: HashSet<&QualifiedName> =
                differing.iter().map(|one| &one.table.name).collect();
            found
                .report
                .tables
                .retain(|table| !names.contains(&table.table));
            let again = names.into_iter().map(|name| (name.clone(), String::new()));
            found.again = Some(again.collect());
            self.compare(found, records).await?;
            if !is_further {
                note_refusals(found, &refusals);
                break;
            }
        }
        Ok(())
    }

    async fn repair_table(
        &self,
        differing: &Differing,
        refusals: &mut BTreeMap<QualifiedName, String>,
    ) -> Result<Repaired, VerifyError> {
        let table = &differing.table;
        let mut repaired = Repaired::default();
        if table.key.is_empty() {
            return self.bring((table, None), refusals).await;
        }
        for keys in differing.keys.chunks(differing.range_rows()) {
            repaired.add(self.bring((table, Some(keys)), refusals).await?);
        }
        Ok(repaired)
    }

    /// Brings a range. What is refused as a whole, because of rows of other tables, may go in parts.
    async fn bring(
        &self,
        (table, keys): (&Candidate, Option<&[Vec<String>]>),
        refusals: &mut BTreeMap<QualifiedName, String>,
    ) -> Result<Repaired, VerifyError> {
        let mut repaired = Repaired::default();
        for part in [Part::All, Part::Arrivals, Part::Departures] {
            match self.bring_part(&Range { table, keys, part }).await? {
                Ok(brought) => {
                    repaired.add(brought);
                    if part == Part::All {
                        break;
                    }
                }
                Err(refusal) => drop(refusals.insert(table.name.clone(), refusal)),
            }
        }
        Ok(repaired)
    }

    async fn bring_part(&self, range: &Range<'_>) -> Result<Result<Repaired, String>, VerifyError> {
        let repair = Repair {
            pipeline: self.pipeline,
            source: &self.source,
            slot_name: &self.slot_name,
            adoption: self.adoption.as_ref(),
        };
        let mut reason = String::new();
        for _ in 0..PAIRS_MAX {
            match Box::pin(repair.range(range)).await? {
                RangeEnd::Done(repaired) => return Ok(Ok(repaired)),
                RangeEnd::Refused(error) => return Ok(Err(with_causes(&error))),
                RangeEnd::Again(again) => {
                    debug!(target: "apply", "a range is not brought yet: {again}");
                    reason = again;
                }
            }
            sleep(BETWEEN_PAIRS).await;
        }
        Ok(Err(reason))
    }
}

/// Notes why tables still differ.
fn note_refusals(found: &mut Found, refusals: &BTreeMap<QualifiedName, String>) {
    let tables = found.report.tables.iter();
    let different = tables.filter(|table| table.verdict == Verdict::Different);
    let notes = different.filter_map(|table| {
        let refusal = refusals.get(&table.table)?;
        Some(format!("{} could not be repaired: {refusal}", table.table))
    });
    let notes: Vec<String> = notes.collect();
    found.report.notes.extend(notes);
}
