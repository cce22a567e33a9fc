//! Second pass: who needs each key, and what is not known about that (design 6.2). One function
//! for each rule.

mod whole;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::encryption::{self, Encryption};
use super::estate::{Certainty, Estate, FamilyNo, NameNo, Project};
use super::identity;
use super::needs::{Need, Needs};
use super::restore::{self, Judged};
use super::snapshot;
use super::tally::Tally;
use crate::model::evidence::{SnapshotShape, SnapshotStatus};
use crate::model::key_id::{Match, Provider};
use crate::model::reading::{Delivery, RestoreJob, Schedule};
use crate::model::verdict::{
    Assumption, Code, Dependant, DependantKind, Doubt, DoubtKind, Restorability, Summary, Until,
};
use crate::model::{Snapshot, Spelling, Timestamp};

/// What the second pass found out.
pub struct Decided<'e> {
    pub estate: Estate<'e>,
    pub tallies: Vec<Tally>,
    /// Doubts about every key of a provider.
    pub of_provider: BTreeMap<Provider, BTreeSet<Doubt>>,
    /// Doubts about every key.
    pub of_all: BTreeSet<Doubt>,
    pub summary: Summary,
    pub groups: BTreeMap<(Code, String), Group>,
    pub assumptions: BTreeSet<Assumption>,
    /// Per project and cluster: snapshots whose readings name different keys.
    pub conflicts: BTreeMap<(String, String), Group>,
}

/// Snapshots that share a finding.
#[derive(Clone, Debug, Default)]
pub struct Group {
    pub count: u64,
    /// The first few, sorted.
    pub examples: BTreeSet<String>,
    pub reasons: BTreeSet<String>,
    pub deadline: Option<Timestamp>,
}

impl Group {
    fn add(&mut self, example: String) {
        self.count += 1;
        self.examples.insert(example);
        if self.examples.len() > EXAMPLES {
            self.examples.pop_last();
        }
    }

    /// More snapshots than the examples name.
    pub(super) fn is_cut(&self) -> bool {
        u64::try_from(self.examples.len()).is_ok_and(|named| named < self.count)
    }
}

/// Takes every snapshot row once, after `Gathering` did.
pub(super) struct Decider<'e> {
    out: Decided<'e>,
    inventory_age: i64,
    /// Per project: the latest evidence of each family, whether it is certain, and the first
    /// evidence of its successor.
    histories: Vec<BTreeMap<FamilyNo, History>>,
    jobs: HashMap<(usize, &'e str), Vec<Job<'e>>>,
    jobs_met: BTreeSet<(usize, &'e str, &'e str)>,
    forgotten: BTreeSet<&'e str>,
    /// Queued or running snapshots without an id.
    unnamed: Vec<Unnamed>,
    /// Clusters with a snapshot that is not gone.
    with_present: Vec<BTreeSet<String>>,
}

#[derive(Clone, Copy, Debug)]
struct History {
    last: Timestamp,
    /// `None`: no spelling names the family, some only may.
    certainty: Option<Certainty>,
    successor: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct Job<'e> {
    cluster: &'e str,
    job: &'e RestoreJob,
}

/// A snapshot that depends on every key that was its project's since some time.
#[derive(Clone, Debug)]
struct Unnamed {
    project: usize,
    since: Option<Timestamp>,
    needs: Vec<Dependant>,
    doubts: Vec<Doubt>,
}

/// The few snapshots that a grouped finding names.
const EXAMPLES: usize = 3;

impl<'e> Decider<'e> {
    /// `inventory_age`: how old coverage may be, in seconds. `focus`: the family whose dependants
    /// are to be listed, and how many.
    pub(super) fn new(
        estate: Estate<'e>,
        inventory_age: i64,
        focus: Option<(FamilyNo, usize)>,
    ) -> Self {
        let mut tallies: Vec<Tally> = estate.families.iter().map(|_| Tally::default()).collect();
        if let Some((family, limit)) = focus
            && let Some(tally) = tallies.get_mut(family)
        {
            tally.list(limit);
        }
        let histories = estate
            .projects
            .iter()
            .map(|p| histories(&estate, p))
            .collect();
        let mut jobs: HashMap<(usize, &str), Vec<Job<'_>>> = HashMap::new();
        for (no, project) in estate.projects.iter().enumerate() {
            for ((cluster, _), job) in &project.jobs {
                if let Some(snapshot) = job.snapshot.as_deref() {
                    jobs.entry((no, snapshot))
                        .or_default()
                        .push(Job { cluster, job });
                }
            }
        }
        let assumptions = estate.assumptions.clone();
        Self {
            forgotten: estate
                .evidence
                .forgotten
                .iter()
                .map(|f| f.id.as_str())
                .collect(),
            with_present: estate.projects.iter().map(|_| BTreeSet::new()).collect(),
            out: Decided {
                estate,
                tallies,
                of_provider: BTreeMap::new(),
                of_all: BTreeSet::new(),
                summary: Summary::default(),
                groups: BTreeMap::new(),
                assumptions,
                conflicts: BTreeMap::new(),
            },
            inventory_age,
            histories,
            jobs,
            jobs_met: BTreeSet::new(),
            unnamed: Vec::new(),
        }
    }

    /// Takes one snapshot.
    pub(super) fn take(&mut self, row: &Snapshot) {
        let Some((project_no, _)) = self.out.estate.project_of(&row.project) else {
            return;
        };
        self.note_successors(project_no, row);
        let estate = &self.out.estate;
        let Some(project) = estate.projects.get(project_no) else {
            return;
        };
        let encryption = encryption::of(estate, project_no, project, row);
        let gone = project.left || restore::is_gone(project, row);
        let mut needs = Needs::default();
        if !gone {
            if let Some(present) = self.with_present.get_mut(project_no)
                && !present.contains(row.cluster.as_str())
            {
                present.insert(row.cluster.clone());
            }
            if let Encryption::NotEnabled(Some(assumption)) = &encryption
                && !self.out.assumptions.contains(assumption)
            {
                self.out.assumptions.insert(assumption.clone());
            }
            if !snapshot::has_failed(row) {
                needs.snapshot(estate, project, row);
            }
        }
        if !project.left && !snapshot::has_failed(row) {
            needs.copies(estate, project, row);
        }
        self.jobs_of(project_no, row, &mut needs);
        let named = self.families_of(&encryption);
        if !gone {
            if let Encryption::Keys(names) = &encryption {
                self.conflict(row, names);
            }
            if let Some(judged) = self.judge(project_no, row, &encryption) {
                self.note_verdict(row, &encryption, &judged, &named);
            }
        }
        self.attach(project_no, row, encryption, &named, needs);
    }

    /// Ties what needs a snapshot's keys to the keys.
    fn attach(
        &mut self,
        project_no: usize,
        row: &Snapshot,
        encryption: Encryption,
        named: &[(FamilyNo, Certainty)],
        needs: Needs,
    ) {
        if needs.is_empty() {
            return;
        }
        match encryption {
            Encryption::NotEnabled(_) => {}
            Encryption::Keys(names) => {
                for name in names {
                    self.use_name(name);
                }
                for (family, certainty) in named {
                    let certain = *certainty == Certainty::Same;
                    if let Some(tally) = self.out.tallies.get_mut(*family) {
                        for need in &needs.needs {
                            tally.count(need.kind, need.until, || need.dependant(row, certain));
                        }
                    }
                    for doubt in &needs.doubts {
                        self.doubt(*family, doubt.clone());
                    }
                }
            }
            Encryption::ProjectKeys(since) => self.unnamed.push(Unnamed {
                project: project_no,
                since,
                needs: needs.needs.iter().map(|n| n.dependant(row, true)).collect(),
                doubts: needs.doubts,
            }),
            Encryption::Unrecorded => self.unrecorded(row),
        }
    }

    /// Families that a snapshot's ids name, for certain or by everything stated.
    fn families_of(&self, encryption: &Encryption) -> Vec<(FamilyNo, Certainty)> {
        let mut families: Vec<(FamilyNo, Certainty)> = Vec::new();
        if let Encryption::Keys(names) = encryption {
            for name in names.iter().filter_map(|no| self.out.estate.names.get(*no)) {
                for (family, certainty) in &name.names {
                    match families.iter_mut().find(|(known, _)| known == family) {
                        Some((_, known)) => *known = (*known).min(*certainty),
                        None => families.push((*family, *certainty)),
                    }
                }
            }
        }
        families
    }

    /// A completed snapshot under another key of the same provider is evidence that a family's
    /// successor was there.
    fn note_successors(&mut self, project_no: usize, row: &Snapshot) {
        let Some(newest) = snapshot::newest(row) else {
            return;
        };
        if newest.status != SnapshotStatus::Completed {
            return;
        }
        let created = newest.created_at.unwrap_or(newest.first_at);
        let Some(histories) = self.histories.get_mut(project_no) else {
            return;
        };
        if histories.values().all(|h| h.last >= created) {
            return;
        }
        for text in snapshot::key_texts(row) {
            let Some(no) = self.out.estate.name_no(text, project_no) else {
                continue;
            };
            for (family, history) in histories.iter_mut() {
                if history.last < created && is_another_key(&self.out.estate, no, *family) {
                    history.successor = Some(
                        history
                            .successor
                            .map_or(created, |known| known.min(created)),
                    );
                }
            }
        }
    }

    /// Doubt `unrecorded-key`: which providers' keys it touches depends on what the source
    /// promises (the Atlas API names AWS keys only).
    fn unrecorded(&mut self, row: &Snapshot) {
        let doubt = Doubt {
            kind: DoubtKind::UnrecordedKey,
            project: Some(row.project.id.clone()),
            detail: format!(
                "snapshots of cluster `{}` do not say which key they are under",
                row.cluster
            ),
        };
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

    /// Dependants `download` and `restore-job` of jobs that name this snapshot. Point-in-time
    /// jobs need any key that was the project's, and are taken with those.
    fn jobs_of(&mut self, project_no: usize, row: &Snapshot, needs: &mut Needs) {
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

    fn is_left(&self, project_no: usize) -> bool {
        let project = self.out.estate.projects.get(project_no);
        project.is_some_and(|project| project.left)
    }

    fn judge(&self, project_no: usize, row: &Snapshot, encryption: &Encryption) -> Option<Judged> {
        let estate = &self.out.estate;
        restore::judge_present(estate, estate.projects.get(project_no)?, row, encryption)
    }

    /// Counts a verdict and groups what is to be found fault with.
    fn note_verdict(
        &mut self,
        row: &Snapshot,
        encryption: &Encryption,
        judged: &Judged,
        named: &[(FamilyNo, Certainty)],
    ) {
        self.out.summary.count_snapshot(judged.verdict);
        let code = match judged.verdict {
            Restorability::Lost => Code::SnapshotLost,
            Restorability::Blocked => Code::SnapshotBlocked,
            Restorability::Conditional => Code::SnapshotConditional,
            Restorability::Unknown => Code::SnapshotUnknown,
            Restorability::Unusable | Restorability::Expired | Restorability::Restorable => return,
        };
        if code == Code::SnapshotLost {
            for (family, _) in named {
                if let Some(tally) = self.out.tallies.get_mut(*family) {
                    tally.lost += 1;
                }
            }
        }
        let place = format!("{}/{}", row.project.id, row.cluster);
        let keys = restore::key_texts(&self.out.estate, encryption);
        let subject = if keys.is_empty() {
            place.clone()
        } else {
            keys.join(" ")
        };
        let group = self.out.groups.entry((code, subject)).or_default();
        group.add(format!("{place}/{}", row.id));
        for reason in &judged.reasons {
            if !group.reasons.contains(*reason) {
                group.reasons.insert((*reason).to_owned());
            }
        }
        group.deadline = match (group.deadline, judged.deadline) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    /// Two different ids for one snapshot: Atlas never re-encrypts, so one reading is wrong.
    fn conflict(&mut self, row: &Snapshot, names: &[NameNo]) {
        if names.len() < 2 {
            return;
        }
        let spellings: Vec<Spelling> = names
            .iter()
            .filter_map(|no| self.out.estate.names.get(*no))
            .map(|name| Spelling::read(&name.text))
            .collect();
        let differ = spellings.iter().enumerate().any(|(no, one)| {
            spellings
                .iter()
                .skip(no + 1)
                .any(|o| one.compare(o) == Match::Different)
        });
        if differ {
            let place = (row.project.id.clone(), row.cluster.clone());
            let group = self.out.conflicts.entry(place).or_default();
            group.add(row.id.clone());
        }
    }

    fn depend(&mut self, family: FamilyNo, dependant: Dependant) {
        if let Some(tally) = self.out.tallies.get_mut(family) {
            tally.depend(dependant);
        }
    }

    fn doubt(&mut self, family: FamilyNo, doubt: Doubt) {
        if let Some(tally) = self.out.tallies.get_mut(family) {
            tally.doubt(doubt);
        }
    }

    fn use_name(&mut self, no: NameNo) {
        if let Some(name) = self.out.estate.names.get_mut(no) {
            name.in_use = true;
        }
    }
}

/// Whether a spelling is certainly a key of the family's provider and certainly not of the family.
fn is_another_key(estate: &Estate<'_>, no: NameNo, family: FamilyNo) -> bool {
    let (Some(name), Some(of)) = (estate.names.get(no), estate.families.get(family)) else {
        return false;
    };
    let same_provider =
        of.provider().is_some() && identity::provider_of(&name.resolved) == of.provider();
    same_provider && !name.names.iter().any(|(f, _)| *f == family) && !name.may_be.contains(&family)
}

/// The latest evidence of each family in a project. What may only possibly be a key of the
/// family extends its time too: a successor must be later than all of it.
fn histories(estate: &Estate<'_>, project: &Project<'_>) -> BTreeMap<FamilyNo, History> {
    let mut histories: BTreeMap<FamilyNo, History> = BTreeMap::new();
    for no in project.uses.names() {
        let (Some(name), Some(last)) = (estate.names.get(no), project.uses.last(no)) else {
            continue;
        };
        let sure = name
            .names
            .iter()
            .map(|(family, sure)| (*family, Some(*sure)));
        let unsure = name.may_be.iter().map(|family| (*family, None));
        for (family, certainty) in sure.chain(unsure) {
            let history = histories.entry(family).or_insert(History {
                last,
                certainty,
                successor: None,
            });
            history.last = history.last.max(last);
            history.certainty = match (history.certainty, certainty) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
    }
    histories
}

/// Every different schedule ever read of a cluster, with when it was last.
pub(super) fn schedules<'p>(
    project: &'p Project<'_>,
    cluster: &str,
) -> &'p [(Timestamp, &'p Schedule)] {
    project
        .clusters
        .get(cluster)
        .map_or(&[][..], |cluster| cluster.schedules.as_slice())
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

/// A key id for a sentence: long ones are cut.
pub(super) fn shown(text: &str) -> String {
    if text.chars().count() <= 200 {
        return text.to_owned();
    }
    text.chars().take(200).chain("…".chars()).collect()
}
