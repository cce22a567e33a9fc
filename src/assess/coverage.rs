//! How complete a project's inventory is, when it was so, and which snapshots that proves gone
//! (design section 4, "Coverage" and "Gone").

use std::collections::{BTreeMap, BTreeSet};

use crate::model::policy::HOUR;
use crate::model::reading::{ClusterState, Content, Outcome, Schedule};
use crate::model::{Reading, Timestamp};

/// What the snapshot rows of one cluster say about it, gathered before anything is judged.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClusterRows {
    /// The latest time at which any snapshot of it was shown or created.
    pub latest: Option<Timestamp>,
    /// Some row is a sharded one.
    pub sharded: bool,
}

/// Whether a list without deleted clusters, of the run of the newest one with them, tells which
/// clusters are deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Told {
    #[default]
    Yes,
    /// Nobody asked for one: completeness needs none.
    NotAsked,
    /// It was cut, or answered with an error.
    NotAnswered,
}

/// One cluster of a project as its readings and rows show it. A name may have been borne by several
/// clusters: the snapshots of a deleted one stay when another takes its name.
#[derive(Clone, Debug, Default)]
pub struct Cluster<'e> {
    pub rows: ClusterRows,
    /// Every state that a list showed, oldest first.
    pub states: Vec<(Timestamp, &'e ClusterState)>,
    /// What was last shown of each cluster of the name that the newest lists show.
    pub current: Vec<&'e ClusterState>,
    /// Distinct cluster ids that ever bore the name.
    pub ids: BTreeSet<&'e str>,
    /// The newest whole cluster list with deleted clusters names it.
    pub listed: bool,
    /// One of the name is not deleted, as far as the newest cluster list tells.
    pub live: bool,
    /// One of the name is deleted: `DELETING`, or only the list with deleted clusters of the same
    /// run names it, or no list does any more.
    pub deleted: bool,
    /// Whether a list without deleted clusters tells that one of the name is live.
    pub told: Told,
    /// Two whole cluster lists lack it and its own list says 404: nothing of it is left.
    pub vanished: bool,
    /// Every different schedule ever read, with when it was last.
    pub schedules: Vec<(Timestamp, &'e Schedule)>,
}

impl Cluster<'_> {
    /// Anything but "every region is shared" counts as dedicated.
    pub fn is_dedicated(&self) -> bool {
        self.current.is_empty() || self.current.iter().any(|state| state.dedicated)
    }

    /// No reading ever showed it as anything but a shared tier, flex or serverless.
    pub fn was_always_shared(&self) -> bool {
        !self.states.is_empty() && self.states.iter().all(|(_, state)| !state.dedicated)
    }

    /// Still running, as far as the newest cluster list tells.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Its backups are off, as last read.
    pub fn backup_is_off(&self) -> bool {
        !self.current.is_empty()
            && self
                .current
                .iter()
                .all(|state| state.backup_enabled == Some(false))
    }

    /// Whether point-in-time restore is on, as last read. Not said counts as on.
    pub fn has_pit(&self) -> bool {
        self.current
            .iter()
            .any(|state| state.dedicated && state.pit_enabled != Some(false))
    }

    /// Whether point-in-time restore may ever have been on.
    pub fn ever_had_pit(&self) -> bool {
        self.states
            .iter()
            .any(|(_, state)| state.dedicated && state.pit_enabled != Some(false))
    }

    /// A cluster of which no list says that it has one shard has a sharded list too.
    pub(super) fn is_sharded(&self) -> bool {
        self.rows.sharded
            || self.current.iter().any(|state| state.sharded.is_none())
            || self
                .states
                .iter()
                .any(|(_, state)| state.sharded == Some(true))
    }

    /// A name that two clusters shared proves no absence.
    fn shares_name(&self) -> bool {
        self.ids.len() > 1
    }
}

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

/// The clusters of a project, by name.
pub(super) type Clusters<'e> = BTreeMap<String, Cluster<'e>>;

/// Puts together what is known of a project's clusters.
pub(super) fn clusters<'e>(
    readings: &'e [Reading],
    rows: BTreeMap<String, ClusterRows>,
) -> Clusters<'e> {
    let mut clusters: Clusters<'e> = rows
        .into_iter()
        .map(|(name, rows)| {
            (
                name,
                Cluster {
                    rows,
                    ..Cluster::default()
                },
            )
        })
        .collect();
    for reading in readings {
        let shown = match (&reading.content, &reading.outcome) {
            (
                Content::Clusters { clusters, .. } | Content::SharedClusters(clusters),
                Outcome::Whole | Outcome::Partial(_),
            ) => clusters,
            _ => continue,
        };
        for state in shown {
            let cluster = clusters.entry(state.name.clone()).or_default();
            cluster.states.push((reading.at, state));
            cluster.ids.extend(state.id.as_deref());
        }
    }
    for reading in readings {
        let (Content::Schedule(schedule), Outcome::Whole | Outcome::Partial(_), Some(name)) =
            (&reading.content, &reading.outcome, &reading.cluster)
        else {
            continue;
        };
        let cluster = clusters.entry(name.clone()).or_default();
        match cluster.schedules.iter_mut().find(|(_, s)| *s == schedule) {
            Some((at, _)) => *at = reading.at.max(*at),
            None => cluster.schedules.push((reading.at, schedule)),
        }
    }
    let with_deleted = newest(readings, |r| is_whole_cluster_list(r, true));
    let without = with_deleted.and_then(|list| {
        readings
            .iter()
            .rfind(|r| r.run == list.run && is_whole_cluster_list(r, false))
    });
    let asked = readings.iter().any(|r| {
        let is_without = matches!(
            &r.content,
            Content::Clusters {
                deleted_included: false,
                ..
            }
        );
        is_without && with_deleted.is_some_and(|list| r.run == list.run)
    });
    for (name, cluster) in &mut clusters {
        let since = with_deleted.map(|list| list.at);
        let shown: Vec<&ClusterState> = cluster
            .states
            .iter()
            .filter(|(at, _)| Some(*at) >= since)
            .map(|(_, state)| *state)
            .collect();
        // A cut list that is newer than the whole one may show a new cluster: it counts.
        cluster.listed = !shown.is_empty();
        let shown = match shown.as_slice() {
            [] => cluster.states.iter().map(|(_, state)| *state).collect(),
            [_, ..] => shown,
        };
        // The last state of each id.
        let newest: BTreeMap<Option<&str>, &ClusterState> = shown
            .into_iter()
            .map(|state| (state.id.as_deref(), state))
            .collect();
        cluster.current = newest.into_values().collect();
        let is_deleted = |state: &ClusterState| {
            state.state.as_deref() == Some("DELETING")
                || (with_deleted.is_some_and(|list| names(list, state))
                    && without.is_some_and(|list| !names(list, state)))
        };
        let deleted = cluster.current.iter().filter(|c| is_deleted(c)).count();
        cluster.live = cluster.listed && deleted < cluster.current.len();
        cluster.deleted = deleted > 0 || cluster.shares_name() || !cluster.listed;
        cluster.told = if without.is_some() || !cluster.live {
            Told::Yes
        } else if asked {
            Told::NotAnswered
        } else {
            Told::NotAsked
        };
        cluster.vanished = has_vanished(name, cluster, readings);
    }
    clusters
}

/// All snapshots of a cluster are gone when two whole cluster lists (deleted included), an hour
/// or more apart, lack its id and its own list answers 404 CLUSTER_NOT_FOUND after the first.
fn has_vanished(name: &str, cluster: &Cluster<'_>, readings: &[Reading]) -> bool {
    if cluster.ids.is_empty() {
        return false;
    }
    let shown_last = cluster
        .states
        .iter()
        .map(|(at, _)| *at)
        .chain(cluster.rows.latest)
        .max();
    let lacking: Vec<Timestamp> = readings
        .iter()
        .filter(|r| is_whole_cluster_list(r, true))
        .filter(|r| shown_last.is_none_or(|shown| r.at > shown))
        .filter(|r| {
            let Content::Clusters { clusters, .. } = &r.content else {
                return false;
            };
            clusters
                .iter()
                .all(|c| c.id.as_deref().is_some_and(|id| !cluster.ids.contains(id)))
        })
        .map(|r| r.at)
        .collect();
    let (Some(first), Some(last)) = (lacking.first().copied(), lacking.last().copied()) else {
        return false;
    };
    last.since(first) >= HOUR
        && readings.iter().any(|r| {
            r.at > first
                && r.cluster.as_deref() == Some(name)
                && matches!(r.content, Content::Snapshots)
                && refused_with(&r.outcome, 404, &["CLUSTER_NOT_FOUND"])
        })
}

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
                    cluster.shares_name() || cluster.rows.latest >= Some(complete_at)
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
            && matches!(r.content, Content::Settings(_))
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
    let (vanished, shared_name) = cluster.map_or((false, false), |c| (c.vanished, c.shares_name()));
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
            Outcome::Refused { confirmed, .. } => {
                no_backups && *confirmed && says_no_snapshots(&r.outcome)
            }
        })
        .map(|r| r.at)
        .max()
}

/// The answers that mean "this cluster has no snapshots", an open list kept in this one place
/// (Atlas Administration API, error codes).
fn says_no_snapshots(outcome: &Outcome) -> bool {
    let codes = ["CLUSTER_NOT_FOUND", "BACKUP_NOT_ENABLED"];
    refused_with(outcome, 404, &codes) || refused_with(outcome, 400, &codes)
}

/// A deleted cluster's schedule that answers 404 counts as read: its last reading stands.
fn schedule_of(readings: &[Reading], name: &str, cluster: &Cluster<'_>) -> Option<Timestamp> {
    readings
        .iter()
        .filter(|r| r.cluster.as_deref() == Some(name) && matches!(r.content, Content::Schedule(_)))
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
        && matches!(&reading.content, Content::Clusters { deleted_included, .. }
            if *deleted_included == with_deleted)
}

/// Whether the list has the cluster, by its id if it has one.
pub(super) fn names(list: &Reading, cluster: &ClusterState) -> bool {
    let Content::Clusters { clusters, .. } = &list.content else {
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
