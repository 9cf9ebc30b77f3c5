//! Compares two descriptions of objects: what the target has with what a copy needs, and what a schema
//! change changed. Pure.

mod before_after;
mod divergence;
mod explain;
pub(crate) mod reconcile;

pub(crate) use before_after::differences;
pub(crate) use divergence::divergence;
pub use reconcile::Conflict;
pub(crate) use reconcile::{
    Reconciled, domain_checks_in_the_way, in_the_way, is_alike, reconcile, so_far,
};
