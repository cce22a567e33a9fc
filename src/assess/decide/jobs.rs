//! Restore jobs and downloads: what they need, and of which snapshot (design 6.2: `download`,
//! `restore-job`).

use std::collections::{BTreeSet, HashMap};

use super::Decider;
use crate::assess::encryption;
use crate::assess::estate::Estate;
use crate::assess::needs::{Need, Needs};
use crate::model::Snapshot;
use crate::model::reading::{Delivery, RestoreJob};
use crate::model::verdict::{Dependant, DependantKind, Doubt, DoubtKind, Until};

#[derive(Clone, Copy, Debug)]
pub(super) struct Job<'e> {
    cluster: &'e str,
    job: &'e RestoreJob,
}

/// Jobs by project and by the snapshot that they name.
pub(super) type Jobs<'e> = HashMap<(usize, &'e str), Vec<Job<'e>>>;

pub(super) fn by_snapshot<'e>(estate: &Estate<'e>) -> Jobs<'e> {
    let mut jobs: Jobs<'_> = HashMap::new();
    for (no, project) in estate.projects.iter().enumerate() {
        for ((cluster, _), job) in &project.jobs {
            if let Some(snapshot) = job.snapshot.as_deref() {
                jobs.entry((no, snapshot))
                    .or_default()
                    .push(Job { cluster, job });
            }
        }
    }
    jobs
}

impl<'e> Decider<'e> {
    /// The snapshots that restore jobs of a project name.
    pub(in crate::assess) fn snapshots_of_jobs(&self, project_no: usize) -> Vec<&'e str> {
        let project = self.out.estate.projects.get(project_no);
        let jobs = project
            .into_iter()
            .flat_map(|project| project.jobs.values());
        jobs.filter_map(|job| job.snapshot.as_deref()).collect()
    }

    /// Dependants `download` and `restore-job` of jobs that name this snapshot. Point-in-time
    /// jobs need any key that was the project's, and are taken with those.
    pub(super) fn jobs_of(&mut self, project_no: usize, row: &Snapshot, needs: &mut Needs) {
        let left = self.is_left(project_no);
        let Some(jobs) = self.jobs.get(&(project_no, row.id.as_str())).cloned() else {
            return;
        };
        for Job { cluster, job } in jobs {
            if job.delivery == Delivery::PointInTime {
                continue;
            }
            self.jobs_met.insert((project_no, cluster, job.id.as_str()));
            if let Some(kind) = job_kind(job, &self.forgotten, left) {
                needs.needs.push(Need {
                    kind,
                    until: Until::Indefinite,
                    job: Some((cluster.to_owned(), job.id.clone())),
                });
            }
        }
    }

    /// Jobs whose snapshot no list ever showed, and point-in-time restores: they may need any key
    /// that was the project's.
    pub(super) fn unmet_jobs(&mut self) {
        for no in 0..self.out.estate.projects.len() {
            let Some(project) = self.out.estate.projects.get(no) else {
                continue;
            };
            let project_id = project.id.id.clone();
            let mut open = Vec::new();
            for ((cluster, id), job) in &project.jobs {
                let met = self.jobs_met.contains(&(no, *cluster, *id));
                if !met && let Some(kind) = job_kind(job, &self.forgotten, project.left) {
                    let dependant = Dependant {
                        kind,
                        project: Some(project_id.clone()),
                        cluster: Some((*cluster).to_owned()),
                        id: Some((*id).to_owned()),
                        until: Until::Indefinite,
                        certain: true,
                    };
                    open.push((dependant, job.delivery == Delivery::PointInTime));
                }
            }
            if open.is_empty() {
                continue;
            }
            let families = encryption::project_families(&self.out.estate, project, None, |_| None);
            for (dependant, point_in_time) in open {
                for (family, certainty) in &families {
                    if point_in_time {
                        self.need(*family, *certainty, dependant.clone(), &project_id);
                    } else {
                        self.doubt(*family, unmet(&dependant));
                    }
                }
            }
        }
    }
}

/// What a job means for a key: a finished download is a copy somebody may keep, even of a project
/// that is no more; a job under way needs the key until it ends.
fn job_kind(job: &RestoreJob, forgotten: &BTreeSet<&str>, left: bool) -> Option<DependantKind> {
    if job.failed || job.cancelled {
        return None;
    }
    let finished = job.finished_at.is_some();
    match (&job.delivery, finished) {
        (Delivery::Download, true) => {
            (!forgotten.contains(job.id.as_str())).then_some(DependantKind::Download)
        }
        (Delivery::Automated | Delivery::PointInTime | Delivery::Unrecognised(_), true) => None,
        (
            Delivery::Download
            | Delivery::Automated
            | Delivery::PointInTime
            | Delivery::Unrecognised(_),
            false,
        ) => (!job.expired && !left).then_some(DependantKind::RestoreJob),
    }
}

fn unmet(job: &Dependant) -> Doubt {
    Doubt {
        kind: DoubtKind::MaybeMatch,
        project: job.project.clone(),
        detail: format!(
            "{} `{}` of cluster `{}` is of a snapshot that no list ever showed",
            job.kind.word(),
            job.id.as_deref().unwrap_or_default(),
            job.cluster.as_deref().unwrap_or_default(),
        ),
    }
}
