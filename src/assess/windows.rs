//! Keys that a project no longer uses but point-in-time restore or a rotation under way may still
//! need (design 6.2: `pit-window`, `pit-successor-unseen`, `history-too-short`,
//! `rotation-under-way`).

use super::coverage::{self, Cluster, Told};
use super::decide::schedules;
use super::estate::{Certainty, Estate, FamilyNo, Project};
use super::history::EventCover;
use super::{identity, retention};
use crate::model::key_id::Provider;
use crate::model::policy::{DAY, HOUR};
use crate::model::reading::{ClusterEncryption, Content};
use crate::model::verdict::{Dependant, DependantKind, Doubt, DoubtKind, Until};
use crate::model::{Reading, Timestamp};

/// One cluster whose oplog may need a key.
#[derive(Clone, Debug)]
struct PitCluster<'p> {
    name: &'p str,
    window: Window,
}

#[derive(Clone, Copy, Debug)]
enum Window {
    /// `told`: whether a list tells that the cluster, which has snapshots, is not deleted.
    Days { days: u32, told: Told },
    /// The schedule was never read, or does not say.
    Unknown,
    /// A deleted cluster with snapshots left: its oplog stays until they are gone.
    Deleted,
}

/// The point-in-time windows of a project.
#[derive(Clone, Debug, Default)]
pub(super) struct Windows<'p> {
    clusters: Vec<PitCluster<'p>>,
}

impl Windows<'_> {
    /// Clusters taken for running on trust: no list tells whether they are deleted.
    pub(super) fn untold(&self) -> impl Iterator<Item = &str> {
        self.clusters
            .iter()
            .filter(|cluster| {
                matches!(
                    cluster.window,
                    Window::Days {
                        told: Told::NotAsked,
                        ..
                    }
                )
            })
            .map(|cluster| cluster.name)
    }
}

/// Reads them off.
pub(super) fn of<'p>(project: &'p Project<'_>) -> Windows<'p> {
    let compliance = compliance_window(project.readings);
    let mut clusters = Vec::new();
    for (name, cluster) in &project.clusters {
        // It has a snapshot that is not gone.
        let has_present = cluster
            .rows
            .latest
            .is_some_and(|at| !coverage::is_gone(&project.coverage, Some(cluster), at));
        let mut add = |window| {
            clusters.push(PitCluster { name, window });
        };
        if cluster.deleted && cluster.ever_had_pit() && has_present {
            add(Window::Deleted);
        } else if cluster.is_live() && cluster.has_pit() {
            add(match scheduled_window(project, name) {
                Some(days) => Window::Days {
                    days: days.max(compliance),
                    told: if has_present { cluster.told } else { Told::Yes },
                },
                None => Window::Unknown,
            });
        }
    }
    Windows { clusters }
}

/// The window of the newest backup compliance policy, and of any cut reading since.
fn compliance_window(readings: &[Reading]) -> u32 {
    let is_policy = |r: &Reading| matches!(*r.content, Content::CompliancePolicy(_));
    let since = readings
        .iter()
        .rfind(|r| is_policy(r) && coverage::is_whole(r))
        .map(|r| r.at);
    readings
        .iter()
        .filter(|r| Some(r.at) >= since)
        .filter_map(|r| {
            let Content::CompliancePolicy(policy) = &*r.content else {
                return None;
            };
            policy.restore_window_days
        })
        .max()
        .unwrap_or(0)
}

/// The window of the newest schedule; of several of one second the longest.
fn scheduled_window(project: &Project<'_>, cluster: &str) -> Option<u32> {
    let schedules = schedules(project, cluster);
    let newest = schedules.iter().map(|(at, _)| *at).max()?;
    let of_newest = schedules.iter().filter(|(at, _)| *at == newest);
    let days: Option<Vec<u32>> = of_newest.map(|(_, s)| s.restore_window_days).collect();
    days?.into_iter().max()
}

/// Doubt `history-too-short`: point-in-time is on, and which keys of a provider the project had
/// in the longest window is not known without a gap.
pub(super) fn rules(
    estate: &Estate<'_>,
    project: &Project<'_>,
    windows: &Windows<'_>,
    inventory_age: i64,
) -> Vec<(Provider, Doubt)> {
    if windows.clusters.is_empty() {
        return Vec::new();
    }
    let mut longest = Some(0);
    for cluster in &windows.clusters {
        longest = match (longest, cluster.window) {
            (Some(known), Window::Days { days, told: _ }) => Some(known.max(days)),
            (Some(known), Window::Deleted) => {
                Some(known.max(deleted_window(project, cluster.name)))
            }
            (Some(_), Window::Unknown) | (None, _) => None,
        };
    }
    [Provider::Aws, Provider::Azure, Provider::Gcp]
        .into_iter()
        .filter(|provider| {
            let Some(days) = longest else { return true };
            let start = estate.as_of.saturating_add(-i64::from(days).saturating_mul(DAY));
            // An older reading does not know of the events since, so it cannot outvote the newest.
            let newest = project.events.iter().map(EventCover::read_at).max();
            !newest.is_some_and(|newest| {
                let mut of_newest = project
                    .events
                    .iter()
                    .filter(|events| events.read_at() == newest);
                estate.as_of.since(newest) <= inventory_age
                    && of_newest.all(|events| events.covers(*provider, start))
            })
        })
        .map(|provider| {
            let doubt = Doubt {
                kind: DoubtKind::HistoryTooShort,
                project: Some(project.id.id.clone()),
                detail: format!(
                    "point-in-time restore is on, and the project's {} keys are not known for the whole window",
                    provider.word()
                ),
            };
            (provider, doubt)
        })
        .collect()
}

/// The last window read of a deleted cluster; its oplog is held by its snapshots anyway.
fn deleted_window(project: &Project<'_>, cluster: &str) -> u32 {
    schedules(project, cluster)
        .iter()
        .filter_map(|(_, s)| s.restore_window_days)
        .max()
        .unwrap_or(0)
}

/// A key with evidence of being the project's.
pub(super) struct Former<'a, 'e> {
    pub estate: &'a Estate<'e>,
    pub project: &'a Project<'e>,
    pub family: FamilyNo,
    pub is_current: bool,
    /// How surely some spelling names the key; `None` = one only may.
    pub certainty: Option<Certainty>,
    /// First evidence of its successor.
    pub successor: Option<Timestamp>,
}

impl Former<'_, '_> {
    /// Who needs it, and what is not known about that.
    pub(super) fn judge(&self, windows: &Windows<'_>) -> (Vec<Dependant>, Vec<Doubt>) {
        let mut dependants = Vec::new();
        let mut doubts = Vec::new();
        for cluster in &windows.clusters {
            let until = match (cluster.window, self.successor) {
                (Window::Deleted, _) | (Window::Unknown, Some(_)) => Some(Until::Indefinite),
                (Window::Unknown | Window::Days { .. }, None) if self.is_current => {
                    Some(Until::Indefinite)
                }
                (Window::Unknown | Window::Days { .. }, None) => {
                    doubts.push(self.doubt(
                        DoubtKind::PitSuccessorUnseen,
                        format!(
                            "cluster `{}` has point-in-time restore, and which key came after this one was never seen",
                            cluster.name
                        ),
                    ));
                    None
                }
                (Window::Days { days, told }, Some(successor)) => {
                    let until = retention::add_days(successor, days);
                    let holds = until > self.estate.as_of;
                    if !holds && told == Told::NotAnswered {
                        doubts.push(self.doubt(
                            DoubtKind::ProjectIncomplete,
                            format!(
                                "the list that tells whether cluster `{}`, which has point-in-time restore, is deleted was not read whole",
                                cluster.name
                            ),
                        ));
                    }
                    holds.then_some(Until::At(until))
                }
            };
            let Some(until) = until else { continue };
            if let Some(certainty) = self.certainty {
                dependants.push(Dependant {
                    kind: DependantKind::PitWindow,
                    project: Some(self.project.id.id.clone()),
                    cluster: Some(cluster.name.to_owned()),
                    id: None,
                    until,
                    certain: certainty == Certainty::Same,
                });
            } else {
                doubts.push(self.doubt(
                    DoubtKind::MaybeMatch,
                    format!(
                        "point-in-time restore of cluster `{}` may need it: an id that may be this key was the project's",
                        cluster.name
                    ),
                ));
            }
        }
        if !self.is_current {
            doubts.extend(self.rotation_under_way());
        }
        (dependants, doubts)
    }

    /// Atlas rotates a project's clusters one by one; until a cluster shows another key, it may
    /// still run on the former one (Atlas documentation, "Rotate your customer-managed key").
    fn rotation_under_way(&self) -> Vec<Doubt> {
        let Some(provider) = self
            .estate
            .families
            .get(self.family)
            .and_then(|f| f.provider())
        else {
            return Vec::new();
        };
        self.project
            .clusters
            .iter()
            .filter(|(_, cluster)| cluster.is_live() && cluster.is_dedicated())
            .filter(|(_, cluster)| runs_under(cluster, provider))
            .filter(|(name, cluster)| !self.has_moved_on(name, cluster))
            .map(|(name, _)| {
                self.doubt(
                    DoubtKind::RotationUnderWay,
                    format!("cluster `{name}` has not shown the key that came after this one"),
                )
            })
            .collect()
    }

    fn has_moved_on(&self, name: &str, cluster: &Cluster<'_>) -> bool {
        let Some(successor) = self.successor else {
            return false;
        };
        let under_another = self
            .project
            .uses
            .in_cluster(name)
            .filter(|(_, created)| *created >= successor)
            .filter_map(|(no, _)| self.estate.names.get(no))
            .any(|other| {
                identity::provider_of(&other.resolved).is_some()
                    && !other.names.iter().any(|(family, _)| *family == self.family)
                    && !other.may_be.contains(&self.family)
            });
        let no_backups = cluster.backup_is_off();
        let settled = cluster.states.iter().any(|(at, state)| {
            at.since(successor) >= HOUR
                && state.state.as_deref() == Some("IDLE")
                && state.paused == Some(false)
        });
        under_another || (no_backups && settled)
    }

    fn doubt(&self, kind: DoubtKind, detail: String) -> Doubt {
        Doubt {
            kind,
            project: Some(self.project.id.id.clone()),
            detail,
        }
    }
}

/// The cluster was last read under this provider. Not said, or a word nobody knows, may be it.
fn runs_under(cluster: &Cluster<'_>, provider: Provider) -> bool {
    cluster.current.iter().any(|state| match &state.encryption {
        Some(ClusterEncryption::Provider(read)) => *read == provider,
        Some(ClusterEncryption::None) => false,
        Some(ClusterEncryption::Unrecognised(_)) | None => true,
    })
}
