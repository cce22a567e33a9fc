//! A whole estate in memory, complete and fresh until a test changes it, to be asked about.

use super::*;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use super::{Facts, Found, Purpose, RotationInput};
use crate::assess::FoundTarget;
use crate::model::evidence::Root;
use crate::model::reading::{
    ClusterState, CompliancePolicy, Content, KeySettings, ListedProject, Outcome, Reading, RootId,
    Schedule,
};
use crate::model::verdict::{
    Assessment, Code, Intent, KeyCheck, RotationCheck, SnapshotVerdict, UnitVerdict,
};
use crate::model::{Evidence, Observation, Policy, Snapshot, Timestamp};

/// When the lists of `World::new` were read, in minutes after `as_of`.
pub(crate) const PROJECTS_AT: i64 = -42;
pub(crate) const SETTINGS_AT: i64 = -40;
pub(crate) const CLUSTERS_AT: i64 = -39;
pub(crate) const SNAPSHOTS_AT: i64 = -38;
pub(crate) const SCHEDULE_AT: i64 = -37;
pub(crate) const EVENTS_AT: i64 = -36;

/// An estate in memory, to be asked about.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub evidence: Evidence,
    pub policy: Policy,
    pub rows: Vec<Snapshot>,
    pub as_of: Timestamp,
}

/// What an audit says.
pub(crate) struct Audit {
    pub all: Assessment,
    pub snapshots: Vec<SnapshotVerdict>,
}

impl World {
    /// One root, one project `p1` with one cluster `c1`, everything read whole within the hour;
    /// no key, no snapshot.
    pub(crate) fn new() -> Self {
        let mut world = Self {
            evidence: Evidence::default(),
            policy: Policy::default(),
            rows: Vec::new(),
            as_of: as_of(),
        };
        world.add_root(root());
        world.add_project("p1");
        world
    }

    pub(crate) fn add_root(&mut self, id: RootId) {
        let mut list = reading("2026-11-20T11:18:00Z", None, Content::Projects(Vec::new()));
        list.root = Arc::new(id.clone());
        list.project = None;
        let lists = vec![list];
        self.evidence.roots.push(Root { id, lists });
    }

    /// Lists a project at the first root, with a complete inventory of one cluster `c1`.
    pub(crate) fn add_project(&mut self, id: &str) {
        let Content::Projects(listed) = Arc::make_mut(&mut self.evidence.roots[0].lists[0].content)
        else {
            panic!("a project list");
        };
        listed.push(ListedProject {
            id: id.to_owned(),
            name: None,
        });
        let c1 = [cluster("c1")];
        let time = |m: i64| minutes(m).to_string();
        let all = [
            reading(&time(SETTINGS_AT), None, Content::Settings(Vec::new())),
            reading(&time(CLUSTERS_AT), None, clusters(true, &c1)),
            reading(&time(CLUSTERS_AT), None, clusters(false, &c1)),
            reading(&time(SNAPSHOTS_AT), Some("c1"), Content::Snapshots),
            reading(
                &time(SCHEDULE_AT),
                Some("c1"),
                Content::Schedule(schedule()),
            ),
            events_reading(&time(EVENTS_AT), None, &[]),
            reading(
                &time(EVENTS_AT),
                Some("c1"),
                Content::RestoreJobs(Vec::new()),
            ),
            reading(
                &time(EVENTS_AT),
                None,
                Content::CompliancePolicy(CompliancePolicy::default()),
            ),
        ];
        let readings = all.map(|mut reading| {
            reading.project = Some(Arc::from(id));
            reading
        });
        self.evidence
            .projects
            .insert(project_ref(id), readings.to_vec());
    }

    /// The readings of `p1`.
    pub(crate) fn readings(&mut self) -> &mut Vec<Reading> {
        self.evidence.projects.get_mut(&project()).unwrap()
    }

    /// One more reading of `p1`.
    pub(crate) fn read(&mut self, at: Timestamp, cluster: Option<&str>, content: Content) {
        let reading = reading(&at.to_string(), cluster, content);
        self.push(reading);
    }

    pub(crate) fn push(&mut self, reading: Reading) {
        let readings = self.readings();
        readings.push(reading);
        readings.sort_by_key(|r| r.at);
    }

    /// Leaves out a kind of reading of `p1`.
    pub(crate) fn without(mut self, word: &str) -> Self {
        let before = self.readings().len();
        self.readings().retain(|r| r.content.word() != word);
        assert!(self.readings().len() < before, "no {word}");
        self
    }

    /// Changes every reading of a kind of `p1`.
    pub(crate) fn change(mut self, word: &str, change: impl Fn(&mut Reading)) -> Self {
        let mut met = false;
        for reading in self.readings() {
            if reading.content.word() == word {
                change(reading);
                met = true;
            }
        }
        assert!(met, "no {word}");
        self.readings().sort_by_key(|r| r.at);
        self
    }

    /// Gives all readings of a kind of `p1` another outcome.
    pub(crate) fn outcome(self, word: &str, outcome: &Outcome) -> Self {
        self.change(word, |reading| reading.outcome = outcome.clone())
    }

    /// Changes `c1` in all cluster lists of `p1`.
    pub(crate) fn cluster(mut self, change: impl Fn(&mut ClusterState)) -> Self {
        for reading in self.readings() {
            if let Content::Clusters { clusters, .. } = Arc::make_mut(&mut reading.content) {
                clusters.iter_mut().for_each(&change);
            }
        }
        self
    }

    /// Replaces the schedule of `c1`.
    pub(crate) fn schedule(self, schedule: &Schedule) -> Self {
        self.change("schedule", |reading| {
            reading.content = Arc::new(Content::Schedule(schedule.clone()));
        })
    }

    /// The enabled blocks of the settings of `p1`.
    pub(crate) fn settings(self, blocks: &[KeySettings]) -> Self {
        self.change("settings", |reading| {
            reading.content = Arc::new(Content::Settings(blocks.to_vec()));
        })
    }

    pub(crate) fn row(mut self, row: Snapshot) -> Self {
        self.rows.push(row);
        self
    }

    pub(crate) fn observe(mut self, observation: Observation) -> Self {
        self.evidence.observations.push(observation);
        self
    }

    /// The keys were asked about half an hour ago, and are enabled.
    pub(crate) fn enabled(mut self, keys: &[&str]) -> Self {
        for key in keys {
            self = self.observe(observed(key, minutes(-30), ENABLED));
        }
        self
    }

    pub(crate) fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        change(&mut self.policy);
        self
    }

    /// Any other change.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(crate) fn stream(&self, take: &mut dyn FnMut(&Snapshot)) -> Result<(), Infallible> {
        self.rows.iter().for_each(take);
        Ok(())
    }

    pub(crate) fn audit(&self) -> Audit {
        let facts = Facts::new(&self.evidence, &self.policy, self.as_of);
        let decided = facts
            .decide(&Purpose::Audit, |take| self.stream(take))
            .unwrap();
        Audit {
            all: decided.assessment(),
            snapshots: self
                .rows
                .iter()
                .filter_map(|row| decided.snapshot(row))
                .collect(),
        }
    }

    /// `check KEY --for delete` of a key or unit that is complete.
    pub(crate) fn check(&self, key: &str) -> UnitVerdict {
        self.check_for(Intent::Delete, key).verdict
    }

    pub(crate) fn check_for(&self, intent: Intent, key: &str) -> KeyCheck {
        let facts = Facts::new(&self.evidence, &self.policy, self.as_of);
        let purpose = Purpose::Check {
            keys: vec![key.to_owned()],
            intent,
            limit: 200,
        };
        let decided = facts.decide(&purpose, |take| self.stream(take)).unwrap();
        match decided.argument(0).unwrap() {
            Found::One { unit, key } => decided.check(intent, &unit, key.as_ref()),
            Found::Unresolved(spelling) => decided.check_unresolved(intent, &spelling),
            Found::Several(_) | Found::Alias(_) => panic!("{key} is no one key"),
        }
    }

    /// What keeps the first snapshot from a cluster: the kinds, `?` behind what cannot be told.
    pub(crate) fn obstacles(&self, target: &str, versions: &[&str]) -> String {
        let facts = Facts::new(&self.evidence, &self.policy, self.as_of);
        let decided = facts
            .decide(&Purpose::Audit, |take| self.stream(take))
            .unwrap();
        let target = match decided.target(target) {
            FoundTarget::One(target) => target,
            FoundTarget::Unknown(known) => return format!("unknown: {}", known.join(" ")),
            FoundTarget::Several(urls) => return format!("several: {}", urls.join(" ")),
        };
        let versions: Vec<String> = versions.iter().map(|v| (*v).to_owned()).collect();
        let found = decided.obstacles(&target, &self.rows[0], &versions);
        assert!(found.iter().all(|obstacle| !obstacle.detail.is_empty()));
        let words = found.iter().map(|obstacle| {
            let doubt = if obstacle.known { "" } else { "?" };
            format!("{}{doubt}", obstacle.kind.word())
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// The verdict on each key, for deletion; what needs it is only counted.
    pub(crate) fn units(&self, keys: &[&'static str]) -> BTreeMap<&'static str, UnitVerdict> {
        let facts = Facts::new(&self.evidence, &self.policy, self.as_of);
        let purpose = Purpose::Check {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            intent: Intent::Delete,
            limit: 0,
        };
        let decided = facts.decide(&purpose, |take| self.stream(take)).unwrap();
        let unit = |text: &&'static str| (*text, decided.unit(&key(text).unit()));
        keys.iter().map(unit).collect()
    }

    /// `check OLD --for rotate [--to NEW]`.
    pub(crate) fn rotate(&self, old: &str, new: Option<&str>) -> RotationCheck {
        let facts = Facts::new(&self.evidence, &self.policy, self.as_of);
        let keys: Vec<String> = [Some(old), new]
            .into_iter()
            .flatten()
            .map(ToOwned::to_owned)
            .collect();
        let purpose = Purpose::Check {
            keys,
            intent: Intent::Rotate,
            limit: 200,
        };
        let decided = facts.decide(&purpose, |take| self.stream(take)).unwrap();
        let Some(Found::One { unit, key }) = decided.argument(0) else {
            panic!("{old} is no one key");
        };
        decided.rotation(&RotationInput {
            old: unit,
            old_key: key,
            new: new.and_then(|_| decided.argument(1)),
            new_text: new.map(ToOwned::to_owned),
        })
    }
}

impl Audit {
    /// Verdict, reasons, actions and deadline of the only snapshot; `gone` if it has none.
    pub(crate) fn only(&self) -> String {
        let [verdict] = self.snapshots.as_slice() else {
            assert!(self.snapshots.is_empty());
            return String::from("gone");
        };
        let mut line = verdict.verdict.word().to_owned();
        if !verdict.reasons.is_empty() {
            line += &format!(" [{}]", verdict.reasons.join(" "));
        }
        if !verdict.actions.is_empty() {
            line += &format!(" -> {}", verdict.actions.join(", "));
        }
        if let Some(at) = verdict.deadline {
            line += &format!(" before {at}");
        }
        line
    }

    /// `CODE SUBJECT` of every finding, sorted.
    pub(crate) fn findings(&self) -> Vec<String> {
        let mut findings: Vec<String> = self
            .all
            .findings
            .iter()
            .map(|f| format!("{} {}", f.code, f.subject))
            .collect();
        findings.sort();
        findings
    }

    pub(crate) fn has(&self, code: Code) -> bool {
        self.all.findings.iter().any(|f| f.code == code)
    }

    /// `KIND SUBJECT` of every assumption, sorted.
    pub(crate) fn assumptions(&self) -> Vec<String> {
        let all = self.all.assumptions.iter();
        all.map(|a| format!("{} {}", a.kind, a.subject)).collect()
    }
}
