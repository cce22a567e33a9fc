//! Snapshots without a key id: those under way depend on all keys that were their project's, and of
//! the others it may not be known which key they are under (design 3, 6.2: `unrecorded-key`).

use std::collections::BTreeSet;

use super::Decider;
use crate::assess::encryption::{self, Encryption};
use crate::assess::estate::FamilyNo;
use crate::assess::snapshot;
use crate::model::evidence::SnapshotShape;
use crate::model::key_id::Provider;
use crate::model::verdict::{Dependant, Doubt, DoubtKind};
use crate::model::{Snapshot, Timestamp};

/// A snapshot that depends on every key that was its project's since some time.
#[derive(Clone, Debug)]
pub(super) struct Unnamed {
    pub(super) project: usize,
    pub(super) since: Option<Timestamp>,
    pub(super) needs: Vec<Dependant>,
    pub(super) doubts: Vec<Doubt>,
}

impl Decider<'_> {
    /// Times at which it may change what a missing key id of a cluster's snapshots means.
    pub(in crate::assess) fn turns_without_key(
        &self,
        project_no: usize,
        cluster: &str,
    ) -> BTreeSet<Timestamp> {
        let project = self.out.estate.projects.get(project_no);
        project.map_or_else(BTreeSet::new, |project| encryption::turns(project, cluster))
    }

    /// Whether no other snapshot of its cluster without an id, made between the same turns, can
    /// add to what this one told of keys that were never its project's. Not of snapkey's own form
    /// nor of a shared cluster, which are told apart otherwise.
    pub(in crate::assess) fn stands_for_its_like(&self, row: &Snapshot) -> bool {
        let Some((project_no, project)) = self.out.estate.project_of(&row.project) else {
            return false;
        };
        match encryption::of(&self.out.estate, project_no, project, row) {
            Encryption::Keys(_) => false,
            Encryption::NotEnabled(None) => !snapshot::is_stated_unencrypted(row),
            Encryption::NotEnabled(Some(assumption)) => self.out.assumptions.contains(&assumption),
            // By a statement it means the same for all; one under way is not like the others.
            Encryption::ProjectKeys(_) => !snapshot::is_under_way(row),
            Encryption::Unrecorded => {
                let noted = self.out.of_provider.get(&Provider::Azure);
                noted.is_some_and(|doubts| doubts.contains(&is_unrecorded(row)))
            }
        }
    }

    /// Doubt `unrecorded-key`: which providers' keys it touches depends on what the source
    /// promises (the Atlas API names AWS keys only).
    pub(super) fn unrecorded(&mut self, row: &Snapshot) {
        let doubt = is_unrecorded(row);
        let own = row.sightings.iter().any(|s| s.shape == SnapshotShape::Own);
        if own {
            self.out.of_all.insert(doubt);
            return;
        }
        for provider in [Provider::Azure, Provider::Gcp] {
            self.out
                .of_provider
                .entry(provider)
                .or_default()
                .insert(doubt.clone());
        }
    }

    /// A queued or running snapshot without an id depends on every key that was its project's
    /// since the last list that did not show it.
    pub(super) fn unnamed_snapshots(&mut self) {
        for unnamed in std::mem::take(&mut self.unnamed) {
            let Some(project) = self.out.estate.projects.get(unnamed.project) else {
                continue;
            };
            let project_id = project.id.id.clone();
            let ended = |family: FamilyNo| self.history_of(unnamed.project, family)?.successor;
            let families =
                encryption::project_families(&self.out.estate, project, unnamed.since, ended);
            for (family, certainty) in families {
                for dependant in unnamed.needs.iter().cloned() {
                    self.need(family, certainty, dependant, &project_id);
                }
                for doubt in &unnamed.doubts {
                    self.doubt(family, doubt.clone());
                }
            }
        }
    }
}

fn is_unrecorded(row: &Snapshot) -> Doubt {
    Doubt {
        kind: DoubtKind::UnrecordedKey,
        project: Some(row.project.id.clone()),
        detail: format!(
            "snapshots of cluster `{}` do not say which key they are under",
            row.cluster
        ),
    }
}
