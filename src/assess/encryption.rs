//! What a snapshot is encrypted under: not a customer key, keys, or not recorded (design
//! section 3).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::estate::{Certainty, Estate, FamilyNo, NameNo, Project};
use super::history::EventCover;
use super::snapshot;
use crate::model::evidence::SnapshotShape;
use crate::model::key_id::Provider;
use crate::model::policy::AbsentKey;
use crate::model::reading::{ClusterEncryption, Content};
use crate::model::verdict::Assumption;
use crate::model::{Snapshot, Timestamp};

/// A snapshot's encryption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// Not under a customer key; sometimes on trust.
    NotEnabled(Option<Assumption>),
    /// Every id that any reading gave it.
    Keys(Vec<NameNo>),
    /// No id yet, or by statement: any key that was the project's since this time (`None`: ever).
    ProjectKeys(Option<Timestamp>),
    /// There should be an id and there is none, or that cannot be told.
    Unrecorded,
}

/// Decides which.
pub(super) fn of(
    estate: &Estate<'_>,
    project_no: usize,
    project: &Project<'_>,
    row: &Snapshot,
) -> Encryption {
    let names: Vec<NameNo> = snapshot::key_texts(row)
        .into_iter()
        .filter_map(|text| estate.name_no(text, project_no))
        .collect();
    if !names.is_empty() {
        return Encryption::Keys(names);
    }
    if snapshot::is_stated_unencrypted(row) {
        return Encryption::NotEnabled(None);
    }
    let Some(newest) = snapshot::newest(row) else {
        return Encryption::Unrecorded;
    };
    if snapshot::is_shared(row) {
        return Encryption::NotEnabled(None);
    }
    match newest.shape {
        SnapshotShape::Own => return Encryption::Unrecorded,
        SnapshotShape::ReplicaSet | SnapshotShape::Sharded | SnapshotShape::Shared => {}
    }
    if snapshot::is_under_way(row) {
        return Encryption::ProjectKeys(list_without(project, row));
    }
    let cluster = project.clusters.get(row.cluster.as_str());
    // Flex, serverless, free and shared tiers cannot carry customer keys (Atlas documentation,
    // "Encryption at Rest using Customer Key Management": M10 and up).
    // A cut list may have left out a dedicated cluster that bore the name before.
    if project.clusters_read && cluster.is_some_and(|c| c.was_always_shared()) {
        return Encryption::NotEnabled(None);
    }
    // What was read before or after a creation says nothing if that time is not known.
    let Some(created) = snapshot::created(row) else {
        return Encryption::Unrecorded;
    };
    if let Some(statement) = project.statement
        && created <= statement.stated
        && let Some(absent) = statement.absent_key
    {
        return match absent {
            AbsentKey::NotEnabled => Encryption::NotEnabled(Some(Assumption {
                kind: "absent-id-not-encrypted",
                subject: project.id.id.clone(),
                stated: Some(statement.stated),
                reason: Cow::Owned(statement.reason.clone()),
            })),
            AbsentKey::ProjectKey => Encryption::ProjectKeys(None),
        };
    }
    let other_provider = project
        .shown
        .iter()
        .any(|p| matches!(p, Provider::Azure | Provider::Gcp));
    if other_provider {
        // The API promises the id for AWS keys only. Here only the cluster's provider, read as
        // NONE on either side of the snapshot, says that there was no key.
        return if provider_was_off(project, &row.cluster, created) {
            Encryption::NotEnabled(None)
        } else {
            Encryption::Unrecorded
        };
    }
    let events_span = project
        .events
        .iter()
        .any(|events: &EventCover| events.spans(created));
    if project.coverage.complete_at.is_some() && events_span {
        return Encryption::NotEnabled(Some(Assumption {
            kind: "absent-id-not-encrypted",
            subject: project.id.id.clone(),
            stated: None,
            reason: Cow::Borrowed(
                "completed snapshots without a key id in a project that never showed an Azure or Google key",
            ),
        }));
    }
    Encryption::Unrecorded
}

/// The times with which [`of`] compares when a snapshot without an id was made: between two of
/// them (and at each) all snapshots of the cluster are alike, but for their shape and those that are
/// under way.
pub(super) fn turns(project: &Project<'_>, cluster: &str) -> BTreeSet<Timestamp> {
    let stated = project.statement.map(|statement| statement.stated);
    let states = project.clusters.get(cluster).map(|c| c.states.as_slice());
    let states = states.into_iter().flatten().map(|(at, _)| *at);
    let events = project.events.iter().flat_map(EventCover::ends);
    stated.into_iter().chain(states).chain(events).collect()
}

/// The newest whole list of the cluster's snapshots before the first that showed this one.
fn list_without(project: &Project<'_>, row: &Snapshot) -> Option<Timestamp> {
    let first = snapshot::first_shown(row)?;
    project
        .readings
        .iter()
        .filter(|r| {
            // Each kind of list shows its own kind of snapshot.
            let would_show = row.sightings.iter().all(|s| match s.shape {
                SnapshotShape::ReplicaSet => matches!(*r.content, Content::Snapshots),
                SnapshotShape::Sharded => matches!(*r.content, Content::ShardedSnapshots),
                SnapshotShape::Shared | SnapshotShape::Own => false,
            });
            r.cluster.as_deref() == Some(row.cluster.as_str())
                && would_show
                && super::coverage::is_whole(r)
        })
        .flat_map(|r| r.before.iter().chain([&r.at]))
        .filter(|at| **at < first)
        .max()
        .copied()
}

/// The cluster's provider was read as NONE at the last reading before and the first after.
fn provider_was_off(project: &Project<'_>, cluster: &str, created: Timestamp) -> bool {
    let Some(cluster) = project.clusters.get(cluster) else {
        return false;
    };
    let is_off = |state: Option<&(Timestamp, &crate::model::reading::ClusterState)>| {
        state.is_some_and(|(_, s)| s.encryption == Some(ClusterEncryption::None))
    };
    is_off(cluster.states.iter().rfind(|(at, _)| *at < created))
        && is_off(cluster.states.iter().find(|(at, _)| *at > created))
}

/// The families of every key that was the project's at some time since `since`, by the evidence
/// alone: settings and completed snapshots. `None`: a spelling only may be of the family. `ended`
/// tells when a family's successor showed up.
pub(super) fn project_families(
    estate: &Estate<'_>,
    project: &Project<'_>,
    since: Option<Timestamp>,
    ended: impl Fn(FamilyNo) -> Option<Timestamp>,
) -> BTreeMap<FamilyNo, Option<Certainty>> {
    let named = project
        .uses
        .names()
        .chain(project.current.iter().filter_map(|c| c.name));
    let mut families = BTreeMap::new();
    for name in named.filter_map(|no| estate.names.get(no)) {
        for family in &name.may_be {
            families.entry(*family).or_insert(None);
        }
        for (family, certainty) in &name.names {
            let known = families.entry(*family).or_insert(Some(*certainty));
            *known = Some(known.map_or(*certainty, |known| known.min(*certainty)));
        }
    }
    families.retain(|family, _| match (since, ended(*family)) {
        (Some(since), Some(end)) => end >= since,
        (None, _) | (Some(_), None) => true,
    });
    families
}
