//! Which object of a copy cannot be made without which other, and how cycles are broken.
//!
//! A view may select from a function that returns its rows. Such a view is made twice, as `pg_dump` does it: first
//! with its columns and nothing behind them, and as it is when the function is there.

use std::collections::{HashMap, HashSet};

use crate::schema::description::Object;
use crate::schema::entry::{Images, ObjectChange};

/// What needs what, where functions, views and other kinds than tables and types are concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectNeeds {
    /// By OIDs, what needs the other first.
    pub pairs: Vec<(u32, u32)>,
    /// Views that are part of a cycle: the statement that makes each with nothing behind its columns.
    pub empty_views: HashMap<u32, String>,
}

impl ObjectNeeds {
    /// Breaks the cycles at their views, and returns those.
    pub fn break_cycles(&mut self, objects: &[ObjectChange]) -> Vec<u32> {
        let views = objects.iter().filter(|object| is_view(object));
        let views: HashSet<u32> = views.map(ObjectChange::oid).collect();
        let mut needed: HashMap<u32, Vec<u32>> = HashMap::new();
        for (one, other) in &self.pairs {
            needed.entry(*one).or_default().push(*other);
        }
        let mut cycles = HashSet::new();
        self.pairs.retain(|(one, other)| {
            let broken = views.contains(other) && reaches(&needed, *other, *one);
            if broken {
                cycles.insert(*other);
            }
            !broken
        });
        cycles.into_iter().collect()
    }

    /// Returns what a new view of a cycle is at first: its columns alone.
    pub(super) fn first_form(&self, images: &Images<Object>) -> Option<Object> {
        let after = images.after.as_ref().filter(|_| images.before.is_none())?;
        let mut first = after.clone();
        first
            .definition
            .clone_from(self.empty_views.get(&images.oid)?);
        first.hash.clear();
        first.options.clear();
        first.comment = None;
        for column in &mut first.columns {
            (column.default, column.comment) = (None, None);
        }
        Some(first)
    }
}

fn is_view(object: &ObjectChange) -> bool {
    matches!(object, ObjectChange::Object(images) if images.known().is_some_and(|known| known.kind == "view"))
}

fn reaches(needed: &HashMap<u32, Vec<u32>>, from: u32, to: u32) -> bool {
    let mut seen = HashSet::from([from]);
    let mut open = vec![from];
    while let Some(oid) = open.pop() {
        if oid == to {
            return true;
        }
        let next = needed.get(&oid).into_iter().flatten();
        open.extend(next.filter(|next| seen.insert(**next)));
    }
    false
}
