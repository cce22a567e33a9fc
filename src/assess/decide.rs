//! Second pass: who needs each key, and what is not known about that (design 6.2). One function
//! for each rule.

mod histories;
mod jobs;
mod unnamed;
mod whole;

use std::collections::{BTreeMap, BTreeSet};

use histories::History;
use jobs::Jobs;
use unnamed::Unnamed;

use super::encryption::{self, Encryption};
use super::estate::{Certainty, Estate, FamilyNo, NameNo, Project};
use super::needs::Needs;
use super::restore::{self, Judged};
use super::snapshot;
use super::tally::Tally;
use crate::model::key_id::{Match, Provider};
use crate::model::reading::Schedule;
use crate::model::verdict::{Assumption, Code, Dependant, Doubt, Level, Restorability, Summary};
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
    /// The strictest of its projects.
    pub level: Option<Level>,
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
    jobs: Jobs<'e>,
    jobs_met: BTreeSet<(usize, &'e str, &'e str)>,
    forgotten: BTreeSet<&'e str>,
    /// Queued or running snapshots without an id.
    unnamed: Vec<Unnamed>,
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
            .map(|p| histories::of(&estate, p))
            .collect();
        let jobs = jobs::by_snapshot(&estate);
        let assumptions = estate.assumptions.clone();
        Self {
            forgotten: estate
                .evidence
                .forgotten
                .iter()
                .map(|f| f.id.as_str())
                .collect(),
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
            self.lose(encryption, named);
        }
        let place = format!("{}/{}", row.project.id, row.cluster);
        let keys = restore::key_texts(&self.out.estate, encryption);
        let subject = if keys.is_empty() {
            place.clone()
        } else {
            keys.join(" ")
        };
        let level = self.out.estate.policy.gate.level_in(code, &row.project.id);
        let group = self.out.groups.entry((code, subject)).or_default();
        group.level = Some(group.level.map_or(level, |strictest| strictest.min(level)));
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

    /// A snapshot was lost with those of its keys that are.
    fn lose(&mut self, encryption: &Encryption, named: &[(FamilyNo, Certainty)]) {
        let Encryption::Keys(names) = encryption else {
            return;
        };
        let estate = &self.out.estate;
        for (family, _) in named {
            let is_of_family = |no: &&NameNo| {
                let name = estate.names.get(**no);
                name.is_some_and(|name| name.names.iter().any(|(of, _)| of == family))
            };
            let mut names = names.iter().filter(is_of_family);
            if names.any(|no| restore::is_lost_under(estate, *no))
                && let Some(tally) = self.out.tallies.get_mut(*family)
            {
                tally.lost += 1;
            }
        }
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

/// A key id for a sentence: long ones are cut.
pub(super) fn shown(text: &str) -> String {
    if text.chars().count() <= 200 {
        return text.to_owned();
    }
    text.chars().take(200).chain("…".chars()).collect()
}
