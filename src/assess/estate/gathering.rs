//! First pass: takes every snapshot row once and keeps only what grows with clusters and keys.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::listing::{Listing, has_left, listed_only};
use super::{Current, Estate, Name, NameNo, Project, provider_of_event};
use crate::assess::coverage::{self, ClusterRows};
use crate::assess::history::{EventCover, Uses};
use crate::assess::identity::{self, Resolver};
use crate::assess::observed::Observed;
use crate::assess::restore;
use crate::assess::snapshot;
use crate::model::evidence::{SnapshotShape, SnapshotStatus};
use crate::model::key_id::Provider;
use crate::model::policy::ProjectStatement;
use crate::model::reading::{ClusterEncryption, Content, Declared, Delivery, Outcome, RestoreJob};
use crate::model::verdict::Assumption;
use crate::model::{Evidence, Policy, ProjectRef, Reading, Snapshot, Source, Timestamp};

/// First pass: takes every snapshot row once, keeps only what grows with clusters and keys.
pub(in crate::assess) struct Gathering<'e> {
    evidence: &'e Evidence,
    policy: &'e Policy,
    as_of: Timestamp,
    observed: &'e Observed,
    resolver: Resolver<'e>,
    projects: Vec<&'e ProjectRef>,
    project_no: HashMap<&'e ProjectRef, usize>,
    names: Vec<Name>,
    lookup: HashMap<usize, HashMap<String, NameNo>>,
    assumptions: BTreeSet<Assumption>,
    rows: Vec<BTreeMap<String, ClusterRows>>,
    uses: Vec<Uses>,
    events: Vec<Vec<EventCover>>,
    last_project: usize,
    last_name: NameNo,
    strays: BTreeSet<String>,
}

/// The name table's slot for spellings that belong to no project.
const NO_PROJECT: usize = usize::MAX;

impl<'e> Gathering<'e> {
    pub(in crate::assess) fn new(
        evidence: &'e Evidence,
        policy: &'e Policy,
        observed: &'e Observed,
        as_of: Timestamp,
    ) -> Self {
        let projects: Vec<&ProjectRef> = evidence.projects.keys().collect();
        let events = evidence
            .projects
            .values()
            .map(|r| EventCover::all_of(r))
            .collect();
        Self {
            evidence,
            policy,
            as_of,
            observed,
            resolver: Resolver::new(evidence, policy, observed),
            project_no: projects
                .iter()
                .enumerate()
                .map(|(no, id)| (*id, no))
                .collect(),
            rows: projects.iter().map(|_| BTreeMap::new()).collect(),
            uses: projects.iter().map(|_| Uses::default()).collect(),
            projects,
            last_project: 0,
            last_name: 0,
            names: Vec::new(),
            lookup: HashMap::new(),
            assumptions: BTreeSet::new(),
            events,
            strays: listed_only(evidence),
        }
    }

    /// Takes one snapshot.
    pub(in crate::assess) fn take(&mut self, row: &Snapshot) {
        let Some(project) = self.number_of(&row.project) else {
            self.strays.insert(row.project.id.clone());
            return;
        };
        let Some(newest) = snapshot::newest(row) else {
            return;
        };
        let latest = snapshot::latest(row);
        if let Some(rows) = self.rows.get_mut(project) {
            if !rows.contains_key(row.cluster.as_str()) {
                rows.insert(row.cluster.clone(), ClusterRows::default());
            }
            if let Some(rows) = rows.get_mut(row.cluster.as_str()) {
                rows.latest = rows.latest.max(Some(latest));
                rows.sharded |= row
                    .sightings
                    .iter()
                    .any(|s| s.shape == SnapshotShape::Sharded);
            }
        }
        let completed = newest.status == SnapshotStatus::Completed;
        let created = newest.created_at.unwrap_or(newest.first_at);
        for text in snapshot::key_texts(row) {
            let name = self.name(text, Some(project));
            if completed {
                let provider = self
                    .names
                    .get(name)
                    .and_then(|name| identity::provider_of(&name.resolved));
                if let Some(uses) = self.uses.get_mut(project) {
                    uses.note_snapshot(&row.cluster, name, created);
                }
                if let (Some(provider), Some(events)) = (provider, self.events.get_mut(project)) {
                    for cover in events {
                        cover.note_evidence(provider, created, None);
                    }
                }
            }
        }
    }

    /// Rows come project by project, so mostly it is the one asked for last.
    fn number_of(&mut self, id: &ProjectRef) -> Option<usize> {
        if self.projects.get(self.last_project) != Some(&id) {
            self.last_project = *self.project_no.get(id)?;
        }
        Some(self.last_project)
    }

    /// The number of a spelling, resolved on first sight.
    fn name(&mut self, text: &str, project: Option<usize>) -> NameNo {
        let last = self.names.get(self.last_name);
        if last.is_some_and(|name| name.project == project && name.text == text) {
            return self.last_name;
        }
        self.last_name = self.look_up(text, project);
        self.last_name
    }

    fn look_up(&mut self, text: &str, project: Option<usize>) -> NameNo {
        let slot = self
            .lookup
            .entry(project.unwrap_or(NO_PROJECT))
            .or_default();
        if let Some(&known) = slot.get(text) {
            return known;
        }
        let no = self.names.len();
        slot.insert(text.to_owned(), no);
        let id = project.and_then(|no| self.projects.get(no).copied());
        let (resolved, assumption) = self.resolver.resolve(text, id);
        self.assumptions.extend(assumption);
        self.names.push(Name {
            text: text.to_owned(),
            project,
            resolved,
            names: Vec::new(),
            may_be: Vec::new(),
            in_use: false,
        });
        no
    }

    /// All rows are in: judges coverage, groups keys into families.
    pub(in crate::assess) fn finish(self, arguments: &[String]) -> Estate<'e> {
        let mut estate = self.settle(arguments);
        estate.group();
        estate.judged = restore::of_names(&estate);
        estate
    }

    /// The same without the keys: all that the verdicts on projects need.
    pub(in crate::assess) fn settle(mut self, arguments: &[String]) -> Estate<'e> {
        let mut projects = Vec::new();
        let rows = std::mem::take(&mut self.rows);
        let uses = std::mem::take(&mut self.uses);
        let events = std::mem::take(&mut self.events);
        let listing = Listing::of(self.evidence);
        for (no, ((id, readings), ((rows, mut uses), mut events))) in self
            .evidence
            .projects
            .iter()
            .zip(rows.into_iter().zip(uses).zip(events))
            .enumerate()
        {
            self.note_settings(no, readings, &mut uses, &mut events);
            let current = self.current_keys(no, readings);
            let declared = self.declared(no, readings);
            let clusters = coverage::clusters(readings, rows);
            let coverage = coverage::judge(readings, &clusters, listing.by_service(id));
            let listed = listing.names(id);
            projects.push(Project {
                id,
                name: listing.name_of(id),
                readings,
                coverage,
                listed,
                left: !listed && has_left(readings, listing.last_listed(id)),
                statement: self.statement(id, readings),
                shown: Vec::new(),
                may_show: Vec::new(),
                uses,
                events,
                current,
                declared,
                jobs: jobs(readings),
                settings_read: readings.iter().all(|r| r.root.source == Source::Files)
                    || readings.iter().any(|r| {
                        matches!(r.content, Content::Settings(_)) && coverage::is_whole(r)
                    }),
                clusters_read: readings
                    .iter()
                    .any(|r| coverage::is_whole_cluster_list(r, true)),
                clusters,
            });
        }
        let holds: Vec<NameNo> = self
            .policy
            .holds
            .iter()
            .map(|hold| self.name(&hold.key, None))
            .collect();
        let arguments: Vec<NameNo> = arguments.iter().map(|key| self.name(key, None)).collect();
        for project in &mut projects {
            project.shown = shown_providers(project, &self.names);
            project.may_show = if events_were_cut(project.readings) {
                Provider::ALL.to_vec()
            } else {
                project.shown.clone()
            };
        }
        self.names.shrink_to_fit();
        Estate {
            evidence: self.evidence,
            policy: self.policy,
            as_of: self.as_of,
            observed: self.observed,
            project_no: self.project_no,
            projects,
            names: self.names,
            lookup: self.lookup,
            families: Vec::new(),
            keys_in_order: Vec::new(),
            units_in_order: Vec::new(),
            assumptions: self.assumptions,
            holds,
            arguments,
            askable: self.resolver.askable_ids(),
            strays: self.strays,
            judged: Vec::new(),
            last_project: Cell::new(0),
            last_name: Cell::new(0),
        }
    }

    /// Settings name keys, and say when a provider was off.
    fn note_settings(
        &mut self,
        no: usize,
        readings: &'e [Reading],
        uses: &mut Uses,
        events: &mut [EventCover],
    ) {
        for reading in readings {
            let Content::Settings(blocks) = &reading.content else {
                continue;
            };
            let whole = match reading.outcome {
                Outcome::Whole => true,
                Outcome::Partial(_) => false,
                Outcome::Refused { .. } => continue,
            };
            for block in blocks.iter().filter(|block| block.enabled) {
                if let Some(key) = &block.key {
                    let name = self.name(key, Some(no));
                    uses.note_settings(name, reading.at);
                }
                for cover in &mut *events {
                    cover.note_evidence(block.provider, reading.at, Some(&reading.run));
                }
            }
            if whole {
                for provider in Provider::ALL {
                    if !blocks
                        .iter()
                        .any(|block| block.provider == provider && block.enabled)
                    {
                        uses.note_off(provider, reading.at);
                        for cover in &mut *events {
                            cover.note_evidence(provider, reading.at, Some(&reading.run));
                        }
                    }
                }
            }
        }
    }

    /// The blocks that are on in the newest whole settings, and in anything read since.
    fn current_keys(&mut self, no: usize, readings: &'e [Reading]) -> Vec<Current<'e>> {
        let is_settings = |r: &Reading| matches!(r.content, Content::Settings(_));
        let newest_whole = readings
            .iter()
            .rfind(|r| is_settings(r) && coverage::is_whole(r))
            .map(|r| r.at);
        let mut current = Vec::new();
        for reading in readings.iter().filter(|r| Some(r.at) >= newest_whole) {
            let (Content::Settings(blocks), Outcome::Whole | Outcome::Partial(_)) =
                (&reading.content, &reading.outcome)
            else {
                continue;
            };
            for settings in blocks.iter().filter(|block| block.enabled) {
                let name = settings.key.as_ref().map(|key| self.name(key, Some(no)));
                current.push(Current {
                    settings,
                    name,
                    at: reading.at,
                });
            }
        }
        current
    }

    /// The newest whole inventory of snapkey's own form, and anything shown since.
    fn declared(&mut self, no: usize, readings: &'e [Reading]) -> Vec<(&'e Declared, Vec<NameNo>)> {
        let is_own = |r: &Reading| matches!(r.content, Content::Inventory(_));
        let since = readings
            .iter()
            .rfind(|r| is_own(r) && coverage::is_whole(r))
            .map(|r| r.at);
        let mut declared = Vec::new();
        for reading in readings.iter().filter(|r| Some(r.at) >= since) {
            let Content::Inventory(lines) = &reading.content else {
                continue;
            };
            for line in lines {
                let names = line
                    .keys
                    .iter()
                    .map(|key| self.name(key, Some(no)))
                    .collect();
                declared.push((line, names));
            }
        }
        declared
    }

    /// A statement about a project, unless it aged out or its time has not come.
    fn statement(&self, id: &ProjectRef, _readings: &[Reading]) -> Option<&'e ProjectStatement> {
        self.policy.projects.iter().find(|s| {
            s.id == id.id
                && s.stated <= self.as_of
                && self.as_of.since(s.stated) <= self.policy.max_statement_age
        })
    }
}

/// The newest state of every restore job ever read; at the same second the one that needs more.
fn jobs(readings: &[Reading]) -> BTreeMap<(&str, &str), &RestoreJob> {
    let mut jobs: BTreeMap<(&str, &str), (Timestamp, &RestoreJob)> = BTreeMap::new();
    for reading in readings {
        let (Content::RestoreJobs(list), Some(cluster)) = (&reading.content, &reading.cluster)
        else {
            continue;
        };
        for job in list {
            let key = (cluster.as_str(), job.id.as_str());
            let ended = |job: &RestoreJob| {
                let over = job.failed || job.cancelled || job.expired;
                over || (job.finished_at.is_some() && job.delivery != Delivery::Download)
            };
            match jobs.get(&key) {
                Some((at, known))
                    if *at == reading.at && (ended(known), *known) < (ended(job), job) => {}
                Some(_) | None => {
                    jobs.insert(key, (reading.at, job));
                }
            }
        }
    }
    jobs.into_iter().map(|(key, (_, job))| (key, job)).collect()
}

/// Providers that settings, clusters, events or ids ever showed in a project.
fn shown_providers(project: &Project<'_>, names: &[Name]) -> Vec<Provider> {
    let mut shown = BTreeSet::new();
    for reading in project.readings {
        match &reading.content {
            Content::Settings(blocks) => {
                shown.extend(
                    blocks
                        .iter()
                        .filter(|b| b.enabled || b.key.is_some())
                        .map(|b| b.provider),
                );
            }
            Content::Clusters { clusters, .. } => {
                for cluster in clusters {
                    match &cluster.encryption {
                        Some(ClusterEncryption::Provider(provider)) => {
                            shown.insert(*provider);
                        }
                        Some(ClusterEncryption::Unrecognised(_)) => shown.extend(Provider::ALL),
                        Some(ClusterEncryption::None) | None => {}
                    }
                }
            }
            Content::Events { events, .. } => {
                shown.extend(events.iter().filter_map(|e| provider_of_event(&e.kind)));
            }
            Content::Projects(_)
            | Content::Project
            | Content::SharedClusters(_)
            | Content::Snapshots
            | Content::ShardedSnapshots
            | Content::SharedSnapshots
            | Content::Schedule(_)
            | Content::RestoreJobs(_)
            | Content::CompliancePolicy(_)
            | Content::Inventory(_) => {}
        }
    }
    let named = project
        .uses
        .names()
        .chain(project.current.iter().filter_map(|c| c.name));
    shown.extend(
        named
            .filter_map(|no| names.get(no))
            .filter_map(|name| identity::provider_of(&name.resolved)),
    );
    shown.into_iter().collect()
}

/// Events were read in part, and never whole.
fn events_were_cut(readings: &[Reading]) -> bool {
    let events = || {
        readings
            .iter()
            .filter(|r| matches!(r.content, Content::Events { .. }))
    };
    events().any(|r| matches!(r.outcome, Outcome::Partial(_))) && !events().any(coverage::is_whole)
}
