//! How complete a project's inventory is, when it was so, and which snapshots that proves gone
//! (design section 4, "Coverage" and "Gone").

mod clusters;

pub(super) use clusters::{Cluster, ClusterRows, Clusters, Told, clusters};

use std::collections::BTreeSet;

use crate::model::reading::{ClusterState, Content, Outcome, says_no_snapshots};
use crate::model::{Reading, Timestamp};

/// Coverage of one project.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// T: the oldest of what completeness needs; `None` while there is a gap.
    pub complete_at: Option<Timestamp>,
    /// Sentences, sorted.
    pub gaps: Vec<String>,
}

/// Picks a kind of reading.
type IsIt = fn(&Content) -> bool;

/// Judges a project's coverage from its readings.
///
/// `of_service`: a service lists it, so that snapkey's own form cannot stand for its lists.
pub(super) fn judge(readings: &[Reading], clusters: &Clusters<'_>, of_service: bool) -> Coverage {
    let vendor = of_service || readings.iter().any(|r| is_vendor_list(&r.content));
    if !vendor {
        return own_inventory(readings);
    }
    // Which snapshots are gone depends on T, and T on the lists of clusters that still have
    // snapshots. Requiring every cluster that ever had any, then only those that T leaves, moves
    // T forward until nothing changes.
    let mut present: BTreeSet<&str> = clusters
        .iter()
        .filter(|(_, cluster)| cluster.rows.latest.is_some() && !cluster.vanished)
        .map(|(name, _)| name.as_str())
        .collect();
    loop {
        let coverage = judge_with(readings, clusters, &present);
        let Some(complete_at) = coverage.complete_at else {
            return coverage;
        };
        let still: BTreeSet<&str> = present
            .iter()
            .filter(|name| {
                clusters.get(**name).is_some_and(|cluster| {
                    cluster.shares_name || cluster.rows.latest >= Some(complete_at)
                })
            })
            .copied()
            .collect();
        if still == present {
            return coverage;
        }
        present = still;
    }
}

fn judge_with(readings: &[Reading], clusters: &Clusters<'_>, present: &BTreeSet<&str>) -> Coverage {
    let mut gaps = Vec::new();
    let mut oldest: Option<Timestamp> = None;
    let mut lists = |at: Timestamp| oldest = Some(oldest.map_or(at, |old| old.min(at)));
    match newest(readings, |r| is_whole_cluster_list(r, true)) {
        Some(list) => lists(list.at),
        None => gaps.push(format!(
            "no whole cluster list with deleted clusters{}",
            why(
                readings,
                |c| matches!(
                    c,
                    Content::Clusters {
                        deleted_included: true,
                        ..
                    }
                ),
                None
            )
        )),
    }
    let mut schedules = Vec::new();
    for (name, cluster) in clusters {
        let has_present = present.contains(name.as_str());
        let required = has_present || (cluster.listed && cluster.is_dedicated());
        if !required || (cluster.vanished && !has_present) {
            continue;
        }
        let shared = !cluster.is_dedicated();
        let mut needed: Vec<(&str, IsIt)> = Vec::new();
        if shared {
            needed.push(("snapshot list", |c| {
                matches!(c, Content::SharedSnapshots | Content::Snapshots)
            }));
        } else {
            needed.push(("snapshot list", |c| matches!(c, Content::Snapshots)));
            if cluster.is_sharded() {
                needed.push(("sharded snapshot list", |c| {
                    matches!(c, Content::ShardedSnapshots)
                }));
            }
        }
        for (what, is_it) in needed {
            match list_of(
                readings,
                name,
                is_it,
                !has_present && cluster.backup_is_off(),
            ) {
                Some(at) => lists(at),
                None => gaps.push(format!(
                    "no whole {what} of cluster `{name}`{}",
                    why(readings, is_it, Some(name))
                )),
            }
        }
        let has_backups = has_present || !cluster.backup_is_off();
        if has_backups && !shared {
            match schedule_of(readings, name, cluster) {
                Some(at) => schedules.push(at),
                None => gaps.push(format!(
                    "no backup schedule of cluster `{name}`{}",
                    why(readings, |c| matches!(c, Content::Schedule(_)), Some(name))
                )),
            }
        }
    }
    let settings = readings.iter().rfind(|r| {
        is_whole(r)
            && matches!(*r.content, Content::Settings(_))
            && oldest.is_none_or(|list| r.at <= list)
    });
    match settings {
        Some(settings) => schedules.push(settings.at),
        None => gaps.push(format!(
            "no whole encryption-at-rest settings read at or before the lists{}",
            why(readings, |c| matches!(c, Content::Settings(_)), None)
        )),
    }
    gaps.sort();
    gaps.dedup();
    let complete_at = match (gaps.is_empty(), oldest) {
        (true, Some(list)) => schedules.into_iter().chain([list]).min(),
        (true, None) | (false, _) => None,
    };
    Coverage { complete_at, gaps }
}

/// snapkey's own inventory form is all lists in one.
fn own_inventory(readings: &[Reading]) -> Coverage {
    let is_inventory = |c: &Content| matches!(c, Content::Inventory(_));
    match newest(readings, |r| is_whole(r) && is_inventory(&r.content)) {
        Some(reading) => Coverage {
            complete_at: Some(reading.at),
            gaps: Vec::new(),
        },
        None => Coverage {
            complete_at: None,
            gaps: vec![format!(
                "no whole inventory{}",
                why(readings, is_inventory, None)
            )],
        },
    }
}

/// A snapshot last shown (or created) at `latest` is gone when its project was complete later
/// than that. A name that two cluster ids shared proves no absence by name.
pub(super) fn is_gone(
    coverage: &Coverage,
    cluster: Option<&Cluster<'_>>,
    latest: Timestamp,
) -> bool {
    let (vanished, shared_name) = cluster.map_or((false, false), |c| (c.vanished, c.shares_name));
    vanished
        || (!shared_name
            && coverage
                .complete_at
                .is_some_and(|complete| complete > latest))
}

/// The time of a cluster's newest list that proves absence. `no_backups`: its backup is off and
/// no snapshot of it is known, so that the service's "no such cluster" or "backup not enabled",
/// said twice, counts as an empty list.
fn list_of(
    readings: &[Reading],
    cluster: &str,
    is_it: IsIt,
    no_backups: bool,
) -> Option<Timestamp> {
    readings
        .iter()
        .filter(|r| r.cluster.as_deref() == Some(cluster) && is_it(&r.content))
        .filter(|r| match &r.outcome {
            Outcome::Whole => true,
            Outcome::Partial(_) => false,
            Outcome::Refused {
                status,
                code,
                confirmed,
            } => no_backups && *confirmed && says_no_snapshots(*status, code.as_deref()),
        })
        .map(|r| r.at)
        .max()
}

/// A deleted cluster's schedule that answers 404 counts as read: its last reading stands.
fn schedule_of(readings: &[Reading], name: &str, cluster: &Cluster<'_>) -> Option<Timestamp> {
    readings
        .iter()
        .filter(|r| {
            r.cluster.as_deref() == Some(name) && matches!(*r.content, Content::Schedule(_))
        })
        .filter(|r| match &r.outcome {
            Outcome::Whole => true,
            Outcome::Partial(_) => false,
            Outcome::Refused { status, .. } => *status == 404 && !cluster.is_live(),
        })
        .map(|r| r.at)
        .max()
}

fn is_vendor_list(content: &Content) -> bool {
    match content {
        Content::Inventory(_) | Content::Projects(_) | Content::Project => false,
        Content::Clusters { .. }
        | Content::SharedClusters(_)
        | Content::Snapshots
        | Content::ShardedSnapshots
        | Content::SharedSnapshots
        | Content::Schedule(_)
        | Content::Settings(_)
        | Content::Events { .. }
        | Content::RestoreJobs(_)
        | Content::CompliancePolicy(_) => true,
    }
}

pub(super) fn is_whole(reading: &Reading) -> bool {
    matches!(reading.outcome, Outcome::Whole)
}

pub(super) fn is_whole_cluster_list(reading: &Reading, with_deleted: bool) -> bool {
    is_whole(reading)
        && matches!(&*reading.content, Content::Clusters { deleted_included, .. }
            if *deleted_included == with_deleted)
}

/// Whether the list has the cluster, by its id if it has one.
pub(super) fn names(list: &Reading, cluster: &ClusterState) -> bool {
    let Content::Clusters { clusters, .. } = &*list.content else {
        return false;
    };
    clusters.iter().any(|c| {
        c.name == cluster.name && (c.id.is_none() || cluster.id.is_none() || c.id == cluster.id)
    })
}

/// The newest reading that fits; readings are in time order.
pub(super) fn newest(readings: &[Reading], fits: impl Fn(&Reading) -> bool) -> Option<&Reading> {
    readings.iter().rfind(|r| fits(r))
}

pub(super) fn refused_with(outcome: &Outcome, expected: u16, codes: &[&str]) -> bool {
    match outcome {
        Outcome::Refused { status, code, .. } => {
            *status == expected && code.as_deref().is_some_and(|code| codes.contains(&code))
        }
        Outcome::Whole | Outcome::Partial(_) => false,
    }
}

/// Why the newest try at a list did not do, for a gap's sentence.
fn why(readings: &[Reading], is_it: IsIt, cluster: Option<&str>) -> String {
    let tried = readings.iter().rfind(|r| {
        is_it(&r.content) && cluster.is_none_or(|name| r.cluster.as_deref() == Some(name))
    });
    match tried.map(|r| (&r.outcome, r.at)) {
        None => String::from(": never read"),
        Some((Outcome::Whole, at)) => format!(": the one of {at} is too late"),
        Some((Outcome::Partial(gap), at)) => format!(": the one of {at} is cut ({})", gap.word()),
        Some((Outcome::Refused { status, code, .. }, at)) => {
            let code = code.as_deref().unwrap_or("no error code");
            format!(": answered {status} {code} at {at}")
        }
    }
}
