//! Tables for people: what needs action first, worst first, no more than a screen or two. Long ids
//! are shortened here and nowhere else, and never so that two of them look alike.

mod audit;
mod brief;
mod check;
mod collect;
mod explain;
mod gate;
mod lists;
mod page;

pub(super) use audit::{Audit, audit};
pub(super) use check::{check, rotation};
pub(super) use collect::collect;
pub(super) use explain::explain;
pub(super) use gate::gate;
pub(super) use lists::{Snapshots, downloads, ingest, keys, probe, projects, snapshots};
