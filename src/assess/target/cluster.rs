//! The target's side of a restore: which cluster is meant by the name, whether there is one, and
//! what its newest lists say of it. What a list does not say, or said too long ago, is a sentence
//! on why it cannot be told.

use std::collections::{BTreeMap, BTreeSet};

use super::{cannot_tell, known};
use crate::assess::coverage;
use crate::assess::estate::{Estate, Project};
use crate::model::key_id::Provider;
use crate::model::reading::{ClusterEncryption, ClusterState, Content, Outcome};
use crate::model::verdict::{Obstacle, ObstacleKind};
use crate::model::{KeyId, Reading, Source, Spelling, Timestamp};

/// What was read, or a sentence on why it cannot be told.
pub(super) type Told<T> = Result<T, String>;

/// A cluster that snapshots may be restored to, as its newest lists show it.
#[derive(Clone, Debug)]
pub struct Target {
    pub(super) project_no: usize,
    /// Some reading of its project is of Ops Manager or Cloud Manager.
    pub(super) of_ops_manager: bool,
    /// `Some`: it is deleted, or that cannot be told.
    pub(super) deleted: Option<Obstacle>,
    /// `Some`: smaller than M10, and what it is.
    pub(super) too_small: Told<Option<String>>,
    /// `None`: it is under no customer key.
    pub(super) encryption: Told<Option<Provider>>,
    pub(super) version: Told<String>,
    /// Where its project's AWS key is.
    pub(super) key_region: Told<String>,
}

impl Target {
    pub(super) fn of(
        estate: &Estate<'_>,
        project_no: usize,
        project: &Project<'_>,
        cluster: &str,
    ) -> Self {
        let (bearer, deleted) = bearer(estate, project, cluster);
        let state = bearer.and_then(|bearer| {
            let age = estate.as_of.since(bearer.shown_at);
            if age > estate.policy.max_inventory_age {
                return Err(format!(
                    "the newest cluster list that shows the target is of {}, too long ago",
                    bearer.shown_at
                ));
            }
            Ok(bearer.state)
        });
        let of = |read: fn(&ClusterState) -> Option<&String>, what: &str| {
            let state = state.as_ref().map_err(Clone::clone)?;
            let text = read(state).cloned();
            text.ok_or_else(|| format!("the target's cluster list does not say its {what}"))
        };
        Self {
            project_no,
            of_ops_manager: project
                .readings
                .iter()
                .any(|r| r.root.source == Source::OpsManager),
            deleted,
            too_small: match &state {
                Ok(state) if !state.dedicated => {
                    Ok(Some(String::from("a shared, Flex or serverless cluster")))
                }
                Ok(_) | Err(_) => {
                    of(|state| state.instance_size.as_ref(), "instance size").and_then(too_small)
                }
            },
            encryption: state
                .as_ref()
                .map_err(Clone::clone)
                .and_then(|s| encryption_of(s)),
            version: of(|state| state.version.as_ref(), "MongoDB version"),
            key_region: key_region_of(estate, project),
        }
    }
}

/// Sizes are a letter for the class and a number, some with a suffix: `M0`, `M10`, `R40`,
/// `M40_NVME`.
fn too_small(size: String) -> Told<Option<String>> {
    let number = size.strip_prefix(['M', 'R']).and_then(|rest| {
        let digits = rest.split('_').next()?;
        digits.parse::<u32>().ok()
    });
    match number {
        None => Err(format!("the target's instance size `{size}` is not known")),
        Some(number) => Ok((number < 10).then_some(size)),
    }
}

fn encryption_of(state: &ClusterState) -> Told<Option<Provider>> {
    match &state.encryption {
        // Flex, serverless, free and shared tiers cannot carry customer keys.
        _ if !state.dedicated => Ok(None),
        Some(ClusterEncryption::None) => Ok(None),
        Some(ClusterEncryption::Provider(provider)) => Ok(Some(*provider)),
        Some(ClusterEncryption::Unrecognised(word)) => Err(format!(
            "the target's encryption provider `{word}` is not known"
        )),
        None => Err(String::from(
            "the target's cluster list does not say its encryption provider",
        )),
    }
}

/// Where the AWS key is that a project's newest settings name.
fn key_region_of(estate: &Estate<'_>, project: &Project<'_>) -> Told<String> {
    let mut regions: BTreeSet<String> = BTreeSet::new();
    let mut oldest: Option<Timestamp> = None;
    let current = project.current.iter();
    for current in current.filter(|c| c.settings.provider == Provider::Aws) {
        oldest = Some(oldest.map_or(current.at, |old| old.min(current.at)));
        regions.extend(current.settings.region.clone());
        let key = Spelling::read(current.settings.key.as_deref().unwrap_or_default());
        let arn = key.complete().and_then(KeyId::aws);
        regions.extend(arn.map(|arn| arn.region().to_owned()));
    }
    let Some(oldest) = oldest else {
        return Err(String::from(
            "no settings of the target's project show an AWS key",
        ));
    };
    if estate.as_of.since(oldest) > estate.policy.max_inventory_age {
        return Err(format!(
            "the settings of the target's project are of {oldest}, too long ago"
        ));
    }
    match Vec::from_iter(regions).as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(String::from(
            "the settings of the target's project do not say where its AWS key is",
        )),
        [_, _, ..] => Err(String::from(
            "the settings of the target's project name several regions",
        )),
    }
}

/// One cluster that bears the target's name.
#[derive(Clone, Copy, Debug)]
struct Bearer<'e> {
    /// As shown last.
    state: &'e ClusterState,
    shown_at: Timestamp,
    /// When a list without deleted clusters last showed it.
    live_at: Option<Timestamp>,
    /// It stands on lists of Flex clusters or serverless instances, which no other list repeats.
    is_shared: bool,
}

enum Life {
    Live,
    Deleted,
    Unclear(String),
}

/// The cluster that is meant by the name, and whether there is one: deleted clusters with
/// retained backups keep their names, and another may take them.
fn bearer<'e>(
    estate: &Estate<'_>,
    project: &Project<'e>,
    name: &str,
) -> (Told<Bearer<'e>>, Option<Obstacle>) {
    let kind = ObstacleKind::TargetDeleted;
    let bearers = bearers(project.readings, name);
    let (mut live, mut unclear, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
    for bearer in bearers {
        match life(estate, project, &bearer) {
            Life::Live => live.push(bearer),
            Life::Unclear(why) => unclear.push((bearer, why)),
            Life::Deleted => deleted.push(bearer),
        }
    }
    let several = || Err(String::from("several clusters bear the target's name"));
    let was_deleted = || known(kind, "the target is deleted");
    let vanished = project.clusters.get(name).is_some_and(|c| c.vanished);
    let newest_deleted = deleted.into_iter().max_by_key(|bearer| bearer.shown_at);
    match (live.as_slice(), unclear.as_slice()) {
        _ if project.left || vanished => {
            let none = || String::from("no list shows the target any more");
            (newest_deleted.ok_or_else(none), was_deleted())
        }
        ([only], _) if !project.listed => {
            let why = "no project list names the target's project any more";
            (Ok(*only), cannot_tell(kind, why))
        }
        ([only], _) => (Ok(*only), None),
        ([_, _, ..], _) => (several(), None),
        ([], [(only, why)]) => (Ok(*only), cannot_tell(kind, why)),
        ([], [_, _, ..]) => (
            several(),
            cannot_tell(kind, "several clusters bear its name"),
        ),
        ([], []) => match newest_deleted {
            Some(last) => (Ok(last), was_deleted()),
            None => {
                let why = "no cluster list shows the target";
                (Err(why.to_owned()), cannot_tell(kind, why))
            }
        },
    }
}

/// Every cluster that bore the name, each as it was shown last.
fn bearers<'e>(readings: &'e [Reading], name: &str) -> Vec<Bearer<'e>> {
    let mut bearers: BTreeMap<Option<&str>, Bearer<'e>> = BTreeMap::new();
    for reading in readings {
        let (clusters, without_deleted, is_shared) = match (&*reading.content, &reading.outcome) {
            (_, Outcome::Refused { .. }) => continue,
            (
                Content::Clusters {
                    deleted_included,
                    clusters,
                },
                Outcome::Whole | Outcome::Partial(_),
            ) => (clusters, !deleted_included, false),
            (Content::SharedClusters(clusters), Outcome::Whole | Outcome::Partial(_)) => {
                (clusters, true, true)
            }
            _ => continue,
        };
        for state in clusters.iter().filter(|state| state.name == name) {
            let before = bearers.get(&state.id.as_deref()).and_then(|b| b.live_at);
            bearers.insert(
                state.id.as_deref(),
                Bearer {
                    state,
                    shown_at: reading.at,
                    live_at: if without_deleted {
                        Some(reading.at)
                    } else {
                        before
                    },
                    is_shared,
                },
            );
        }
    }
    bearers.into_values().collect()
}

/// Deleted as the contract has it: the state says so, or the list with deleted clusters names it
/// and the one without, of the same run, does not.
fn life(estate: &Estate<'_>, project: &Project<'_>, bearer: &Bearer<'_>) -> Life {
    let state = bearer.state;
    if state.state.as_deref() == Some("DELETING") {
        return Life::Deleted;
    }
    let readings = project.readings;
    let with = coverage::newest(readings, |r| coverage::is_whole_cluster_list(r, true));
    if let Some(with) = with
        && bearer.live_at.is_none_or(|live| live <= with.at)
        && coverage::names(with, state)
        && readings.iter().any(|r| {
            r.run == with.run
                && coverage::is_whole_cluster_list(r, false)
                && !coverage::names(r, state)
        })
    {
        return Life::Deleted;
    }
    let Some(live_at) = bearer.live_at else {
        return Life::Unclear(String::from(
            "no list without deleted clusters shows the target",
        ));
    };
    if estate.as_of.since(live_at) > estate.policy.max_inventory_age {
        return Life::Unclear(format!(
            "the newest list without deleted clusters that shows the target is of {live_at}, too \
             long ago"
        ));
    }
    let lacking = readings.iter().rfind(|r| {
        r.at > live_at
            && (coverage::is_whole_cluster_list(r, true)
                || coverage::is_whole_cluster_list(r, false))
            && !coverage::names(r, state)
    });
    match lacking {
        Some(list) if !bearer.is_shared => Life::Unclear(format!(
            "the cluster list of {} does not show the target",
            list.at
        )),
        Some(_) | None => Life::Live,
    }
}
