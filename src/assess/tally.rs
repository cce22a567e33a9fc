//! What is counted for one family of keys: dependants, the last date, doubts. Constant in
//! snapshots unless somebody asked for the list.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::verdict::{Dependant, DependantCounts, DependantKind, Doubt, DoubtKind, Until};

/// Counters of one family.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub counts: DependantCounts,
    /// The latest `until` of all dependants.
    pub until: Option<Until>,
    /// The latest of snapshots and their copies alone.
    pub snapshots_until: Option<Until>,
    /// The first doubt of each kind; all of them when listing.
    doubts: BTreeMap<DoubtKind, BTreeSet<Doubt>>,
    listed: Option<Listed>,
    /// Snapshots that were lost with the family's keys.
    pub lost: u64,
}

#[derive(Clone, Debug)]
struct Listed {
    limit: usize,
    first: BTreeSet<Dependant>,
}

impl Tally {
    /// From now on keeps the first `limit` dependants and every doubt.
    pub fn list(&mut self, limit: usize) {
        self.listed = Some(Listed {
            limit,
            first: BTreeSet::new(),
        });
    }

    pub fn depend(&mut self, dependant: Dependant) {
        self.count(dependant.kind, dependant.until, || dependant);
    }

    /// The same of a dependant that is made only if it is to be listed.
    pub fn count(&mut self, kind: DependantKind, until: Until, make: impl FnOnce() -> Dependant) {
        self.counts.add(kind);
        self.until = self.until.max(Some(until));
        if matches!(kind, DependantKind::Snapshot | DependantKind::SnapshotCopy) {
            self.snapshots_until = self.snapshots_until.max(Some(until));
        }
        if let Some(listed) = &mut self.listed {
            listed.first.insert(make());
            if listed.first.len() > listed.limit {
                listed.first.pop_last();
            }
        }
    }

    pub fn doubt(&mut self, doubt: Doubt) {
        let of_kind = self.doubts.entry(doubt.kind).or_default();
        of_kind.insert(doubt);
        if self.listed.is_none() && of_kind.len() > 1 {
            of_kind.pop_last();
        }
    }

    /// The dependants kept, in contract order (kind, project, cluster, id).
    pub fn dependants(&self) -> Vec<Dependant> {
        self.listed
            .iter()
            .flat_map(|listed| listed.first.iter().cloned())
            .collect()
    }

    /// Every doubt kept: all of them when listing, else one of each kind.
    pub fn doubts(&self) -> impl Iterator<Item = &Doubt> {
        self.doubts.values().flatten()
    }

    pub fn is_listing(&self) -> bool {
        self.listed.is_some()
    }
}
