//! The clusters of a project, put together from every list that showed one: which are live, which
//! are deleted, and which have vanished with all their snapshots (design section 4, "Coverage" and
//! "Gone").

use std::collections::BTreeMap;

use super::{is_whole_cluster_list, names, newest, refused_with};
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
    /// Several clusters bore the name: it proves no absence.
    pub shares_name: bool,
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
    pub(in crate::assess) fn is_sharded(&self) -> bool {
        self.rows.sharded
            || self.current.iter().any(|state| state.sharded.is_none())
            || self
                .states
                .iter()
                .any(|(_, state)| state.sharded == Some(true))
    }

    /// Cluster ids that ever bore the name.
    fn ids(&self) -> impl Iterator<Item = &str> {
        self.states
            .iter()
            .filter_map(|(_, state)| state.id.as_deref())
    }
}

/// The clusters of a project, by name. A map of few has room for eleven: boxes keep that small.
pub(in crate::assess) type Clusters<'e> = BTreeMap<String, Box<Cluster<'e>>>;

/// Puts together what is known of a project's clusters.
pub(in crate::assess) fn clusters<'e>(
    readings: &'e [Reading],
    rows: BTreeMap<String, ClusterRows>,
) -> Clusters<'e> {
    let mut clusters: Clusters<'e> = rows
        .into_iter()
        .map(|(name, rows)| {
            (
                name,
                Box::new(Cluster {
                    rows,
                    ..Cluster::default()
                }),
            )
        })
        .collect();
    for reading in readings {
        let shown = match (&*reading.content, &reading.outcome) {
            (
                Content::Clusters { clusters, .. } | Content::SharedClusters(clusters),
                Outcome::Whole | Outcome::Partial(_),
            ) => clusters,
            _ => continue,
        };
        for state in shown {
            let cluster = clusters.entry(state.name.clone()).or_default();
            cluster.states.push((reading.at, state));
        }
    }
    for reading in readings {
        let (Content::Schedule(schedule), Outcome::Whole | Outcome::Partial(_), Some(name)) =
            (&*reading.content, &reading.outcome, &reading.cluster)
        else {
            continue;
        };
        let cluster = clusters.entry(name.to_string()).or_default();
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
            &*r.content,
            Content::Clusters {
                deleted_included: false,
                ..
            }
        );
        is_without && with_deleted.is_some_and(|list| r.run == list.run)
    });
    for (name, cluster) in &mut clusters {
        let first = cluster.ids().next();
        let shares_name = cluster.ids().any(|other| Some(other) != first);
        cluster.shares_name = shares_name;
        let since = with_deleted.map(|list| list.at);
        let is_recent = |at: Timestamp| Some(at) >= since;
        // A cut list that is newer than the whole one may show a new cluster: it counts.
        cluster.listed = cluster.states.iter().any(|(at, _)| is_recent(*at));
        let listed = cluster.listed;
        // The last state of each id.
        let states = cluster.states.iter().rev();
        for (_, state) in states.filter(|(at, _)| !listed || is_recent(*at)) {
            let place = cluster
                .current
                .binary_search_by_key(&&state.id, |one| &one.id);
            if let Err(place) = place {
                cluster.current.insert(place, state);
            }
        }
        let is_deleted = |state: &ClusterState| {
            state.state.as_deref() == Some("DELETING")
                || (with_deleted.is_some_and(|list| names(list, state))
                    && without.is_some_and(|list| !names(list, state)))
        };
        let deleted = cluster.current.iter().filter(|c| is_deleted(c)).count();
        cluster.live = cluster.listed && deleted < cluster.current.len();
        cluster.deleted = deleted > 0 || cluster.shares_name || !cluster.listed;
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
    if cluster.ids().next().is_none() {
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
            let Content::Clusters { clusters, .. } = &*r.content else {
                return false;
            };
            clusters.iter().all(|c| {
                c.id.as_deref()
                    .is_some_and(|id| cluster.ids().all(|known| known != id))
            })
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
                && matches!(*r.content, Content::Snapshots)
                && refused_with(&r.outcome, 404, &["CLUSTER_NOT_FOUND"])
        })
}
