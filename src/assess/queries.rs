//! Questions that lists and probes ask of what was decided; no rule is here.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::Decided;
use super::identity::Resolved;
use super::{Facts, restore, snapshot};
use crate::model::reading::{Content, DeclaredKind, Delivery};
use crate::model::{Evidence, KeyId, ProjectRef, Snapshot, Timestamp, Unit};

impl Decided<'_> {
    /// Every known key of a unit, and of its multi-Region siblings.
    pub fn keys_of(&self, unit: &Unit) -> Vec<KeyId> {
        self.estate
            .family_of_unit(unit)
            .and_then(|no| self.estate.families.get(no))
            .map(|family| family.keys.clone())
            .unwrap_or_default()
    }

    /// Ids in use that do not say which key they are: nobody can be asked about them.
    pub fn unresolved_spellings(&self) -> Vec<String> {
        let texts: BTreeSet<&str> = self
            .estate
            .names
            .iter()
            .filter(|name| name.in_use && matches!(name.resolved, Resolved::Unresolved(_)))
            .map(|name| name.text.as_str())
            .collect();
        texts.into_iter().map(ToOwned::to_owned).collect()
    }

    /// Whether a snapshot is under the `no`-th key asked about, or may be.
    pub fn is_under(&self, row: &Snapshot, no: usize) -> bool {
        let Some(argument) = self
            .estate
            .arguments
            .get(no)
            .and_then(|no| self.estate.names.get(*no))
        else {
            return false;
        };
        let Some((project_no, _)) = self.estate.project_of(&row.project) else {
            return false;
        };
        snapshot::key_texts(row).into_iter().any(|text| {
            text == argument.text
                || self.estate.name_of(text, project_no).is_some_and(|name| {
                    name.names
                        .iter()
                        .any(|(family, _)| argument.names.iter().any(|(f, _)| f == family))
                })
        })
    }

    /// Keys (canonical, or as spelled) that these projects name, and these clusters' completed
    /// snapshots; an empty list does not filter.
    pub fn keys_named_in(&self, projects: &[String], clusters: &[String]) -> BTreeSet<String> {
        let mut texts = BTreeSet::new();
        for project in &self.estate.projects {
            if !projects.is_empty() && !projects.contains(&project.id.id) {
                continue;
            }
            let current = project.current.iter().filter_map(|c| c.name);
            let names: BTreeSet<usize> = if clusters.is_empty() {
                project.uses.names().chain(current).collect()
            } else {
                clusters
                    .iter()
                    .flat_map(|c| project.uses.in_cluster(c))
                    .map(|(no, _)| no)
                    .collect()
            };
            for name in names.into_iter().filter_map(|no| self.estate.names.get(no)) {
                match &name.resolved {
                    Resolved::Keys(keys) => texts.extend(keys.iter().map(ToString::to_string)),
                    Resolved::Unresolved(_) => {
                        texts.insert(name.text.clone());
                    }
                }
            }
        }
        texts
    }
}

/// A copy that somebody downloaded, as `download list` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    pub id: String,
    pub project: ProjectRef,
    pub cluster: Option<String>,
    pub snapshot: Option<String>,
    /// As spelled.
    pub keys: Vec<String>,
    pub finished_at: Option<Timestamp>,
    /// When and why a person said that it is gone.
    pub forgotten: Option<(Timestamp, String)>,
}

/// What a new inventory must ask for even when no list names it any more (design section 4,
/// "Coverage"): the clusters of each project that has not left the estate.
pub type Present = BTreeMap<ProjectRef, BTreeMap<String, PresentCluster>>;

/// What the snapshots of a cluster say of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PresentCluster {
    /// One of them is not known to be gone.
    pub has_snapshots: bool,
    /// It may have a sharded list: a list or a snapshot, gone or not, showed it so.
    pub sharded: bool,
}

impl Facts<'_> {
    /// # Errors
    /// Whatever `rows` fails with.
    pub fn present_clusters<E>(
        &self,
        rows: impl Fn(&mut dyn FnMut(&Snapshot)) -> Result<(), E>,
    ) -> Result<Present, E> {
        let mut gathering = self.gathering(&[]);
        rows(&mut |row| {
            gathering.take(row);
        })?;
        let estate = gathering.settle();
        let mut present: Present = estate
            .projects
            .iter()
            .filter(|project| !project.left)
            .map(|project| {
                let clusters = project.clusters.iter().map(|(name, cluster)| {
                    let known = PresentCluster {
                        has_snapshots: false,
                        sharded: cluster.is_sharded(),
                    };
                    (name.to_string(), known)
                });
                (project.id.clone(), clusters.collect())
            })
            .collect();
        rows(&mut |row| {
            let project = estate
                .project_of(&row.project)
                .and_then(|(no, _)| estate.projects.get(no));
            let (Some(project), Some(clusters)) = (project, present.get_mut(&row.project)) else {
                return;
            };
            if !restore::is_gone(project, row) {
                let cluster = clusters.entry(row.cluster.clone()).or_default();
                cluster.has_snapshots = true;
            }
        })?;
        Ok(present)
    }
}

/// Every finished download job ever read, and every download of snapkey's own form, by id.
///
/// # Errors
/// Whatever `rows` fails with.
pub fn downloads<E>(
    evidence: &Evidence,
    rows: impl Fn(&mut dyn FnMut(&Snapshot)) -> Result<(), E>,
) -> Result<Vec<Download>, E> {
    let mut found: BTreeMap<(String, ProjectRef), Download> = BTreeMap::new();
    for (project, readings) in &evidence.projects {
        for reading in readings {
            match &*reading.content {
                Content::RestoreJobs(jobs) => {
                    for job in jobs.iter().filter(|job| {
                        job.delivery == Delivery::Download
                            && job.finished_at.is_some()
                            && !job.failed
                            && !job.cancelled
                    }) {
                        found.insert(
                            (job.id.clone(), project.clone()),
                            Download {
                                id: job.id.clone(),
                                project: project.clone(),
                                cluster: reading.cluster.as_deref().map(str::to_owned),
                                snapshot: job.snapshot.clone(),
                                keys: Vec::new(),
                                finished_at: job.finished_at,
                                forgotten: None,
                            },
                        );
                    }
                }
                Content::Inventory(lines) => {
                    for line in lines.iter().filter(|l| l.kind == DeclaredKind::Download) {
                        let Some(id) = &line.id else { continue };
                        found.insert(
                            (id.clone(), project.clone()),
                            Download {
                                id: id.clone(),
                                project: project.clone(),
                                cluster: line.cluster.clone(),
                                snapshot: None,
                                keys: line.keys.clone(),
                                finished_at: None,
                                forgotten: None,
                            },
                        );
                    }
                }
                Content::Projects(_)
                | Content::Project
                | Content::Clusters { .. }
                | Content::SharedClusters(_)
                | Content::Snapshots
                | Content::ShardedSnapshots
                | Content::SharedSnapshots
                | Content::Schedule(_)
                | Content::Settings(_)
                | Content::Events { .. }
                | Content::CompliancePolicy(_) => {}
            }
        }
    }
    if found.values().any(|download| download.snapshot.is_some()) {
        rows(&mut |row| {
            for download in found.values_mut() {
                if download.snapshot.as_deref() == Some(row.id.as_str())
                    && download.project == row.project
                {
                    download.keys = snapshot::key_texts(row)
                        .into_iter()
                        .map(ToOwned::to_owned)
                        .collect();
                }
            }
        })?;
    }
    for forgotten in &evidence.forgotten {
        for download in found.values_mut().filter(|d| d.id == forgotten.id) {
            download.forgotten = Some((forgotten.at, forgotten.reason.clone()));
        }
    }
    Ok(found.into_values().collect())
}
