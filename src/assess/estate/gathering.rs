//! First pass: takes every snapshot row once and keeps only what grows with clusters and keys.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::listing::{Listed, Listing, has_left, listed_only};
use super::settings::{events_were_cut, longest_window, may_have_pit, shown_by, with_named};
use super::{Current, Estate, Lookup, Name, NameNo, Project};
use crate::assess::coverage::{self, ClusterRows};
use crate::assess::history::{EventCover, Uses};
use crate::assess::identity::{self, Resolver};
use crate::assess::observed::Observed;
use crate::assess::restore;
use crate::assess::select::Wanted;
use crate::assess::snapshot;
use crate::model::evidence::{SnapshotShape, SnapshotStatus};
use crate::model::key_id::Provider;
use crate::model::outline::{ClusterOutline, Span};
use crate::model::policy::{DAY, ProjectStatement};
use crate::model::reading::{Content, Declared, Delivery, RestoreJob};
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
    lookup: Lookup,
    assumptions: BTreeSet<Assumption>,
    /// What is known of each project, in order.
    known: Vec<Known<'e>>,
    holds: Vec<NameNo>,
    arguments: Vec<NameNo>,
    last_project: usize,
    last_name: NameNo,
    strays: BTreeSet<String>,
}

/// What is known of one project so far.
#[derive(Default)]
pub(super) struct Known<'e> {
    rows: BTreeMap<String, ClusterRows>,
    pub(super) uses: Uses,
    pub(super) events: Vec<EventCover>,
    current: Vec<Current<'e>>,
    declared: Vec<(&'e Declared, Vec<NameNo>)>,
    /// Providers that anything but a snapshot ever showed.
    shown: BTreeSet<Provider>,
    /// Some cluster may ever have had point-in-time restore.
    pit: bool,
    /// In days: no window of a cluster is longer.
    longest_window: u32,
}

/// The name table's slot for spellings that belong to no project.
const NO_PROJECT: usize = usize::MAX;

impl<'e> Gathering<'e> {
    pub(in crate::assess) fn new(
        evidence: &'e Evidence,
        policy: &'e Policy,
        observed: &'e Observed,
        as_of: Timestamp,
        arguments: &[String],
    ) -> Self {
        let projects: Vec<&ProjectRef> = evidence.projects.keys().collect();
        let mut gathering = Self {
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
            known: Vec::with_capacity(projects.len()),
            projects,
            holds: Vec::new(),
            arguments: Vec::new(),
            last_project: 0,
            last_name: 0,
            names: Vec::new(),
            lookup: Lookup::default(),
            assumptions: BTreeSet::new(),
            strays: listed_only(evidence),
        };
        for (no, readings) in evidence.projects.values().enumerate() {
            let mut known = Known {
                events: EventCover::all_of(readings),
                current: gathering.current_keys(no, readings),
                declared: gathering.declared(no, readings),
                shown: shown_by(readings),
                pit: may_have_pit(readings),
                longest_window: longest_window(readings),
                ..Known::default()
            };
            gathering.note_settings(no, readings, &mut known);
            gathering.known.push(known);
        }
        let unplaced = |key: &String| gathering.name(key, None);
        gathering.arguments = arguments.iter().map(unplaced).collect();
        let holds = policy.holds.iter();
        gathering.holds = holds.map(|hold| gathering.name(&hold.key, None)).collect();
        gathering
    }

    /// Takes the totals of a cluster's snapshots instead of them; tells the number of its project.
    pub(in crate::assess) fn take_totals(&mut self, cluster: &ClusterOutline) -> usize {
        let Some(project) = self.number_of(&cluster.project) else {
            self.strays.insert(cluster.project.id.clone());
            return NO_PROJECT;
        };
        let rows = ClusterRows {
            latest: Some(cluster.latest),
            sharded: cluster.sharded,
        };
        if let Some(known) = self.known.get_mut(project) {
            known.rows.insert(cluster.name.clone(), rows);
        }
        project
    }

    /// Takes one snapshot; it may come again. Tells whether it is evidence of keys.
    pub(in crate::assess) fn take(&mut self, row: &Snapshot) -> bool {
        let Some(project) = self.number_of(&row.project) else {
            self.strays.insert(row.project.id.clone());
            return false;
        };
        let (Some(newest), Some(known)) = (snapshot::newest(row), self.known.get_mut(project))
        else {
            return false;
        };
        let latest = snapshot::latest(row);
        if !known.rows.contains_key(row.cluster.as_str()) {
            let none = ClusterRows::default();
            known.rows.insert(row.cluster.clone(), none);
        }
        if let Some(rows) = known.rows.get_mut(row.cluster.as_str()) {
            rows.latest = rows.latest.max(Some(latest));
            rows.sharded |= row
                .sightings
                .iter()
                .any(|s| s.shape == SnapshotShape::Sharded);
        }
        let completed = newest.status == SnapshotStatus::Completed;
        let created = newest.created_at.unwrap_or(newest.first_at);
        for text in snapshot::key_texts(row) {
            let name = self.name(text, Some(project));
            if completed {
                let of = self.names.get(name);
                let provider = of.and_then(|name| identity::provider_of(&name.resolved));
                if let Some(known) = self.known.get_mut(project) {
                    known.uses.note_snapshot(&row.cluster, name, created);
                    if let Some(provider) = provider {
                        for cover in &mut known.events {
                            cover.note_evidence(provider, created, None);
                        }
                    }
                }
            }
        }
        completed
    }

    /// Rows come project by project, so mostly it is the one asked for last.
    fn number_of(&mut self, id: &ProjectRef) -> Option<usize> {
        if self.projects.get(self.last_project) != Some(&id) {
            self.last_project = *self.project_no.get(id)?;
        }
        Some(self.last_project)
    }

    /// The number of a spelling, resolved on first sight.
    pub(in crate::assess) fn name(&mut self, text: &str, project: Option<usize>) -> NameNo {
        let last = self.names.get(self.last_name);
        if last.is_some_and(|name| name.project == project && name.text == text) {
            return self.last_name;
        }
        self.last_name = self.look_up(text, project);
        self.last_name
    }

    fn look_up(&mut self, text: &str, project: Option<usize>) -> NameNo {
        let hash = match self.lookup.find(&self.names, text, project) {
            Ok(known) => return known,
            Err(hash) => hash,
        };
        let no = self.names.len();
        self.lookup.add(no, hash);
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

    /// Every spelling so far.
    pub(in crate::assess) fn names(&self) -> &[Name] {
        &self.names
    }

    /// The spellings asked about.
    pub(in crate::assess) fn arguments(&self) -> impl Iterator<Item = &Name> {
        self.arguments.iter().filter_map(|no| self.names.get(*no))
    }

    pub(in crate::assess) fn observed(&self) -> &'e Observed {
        self.observed
    }

    pub(in crate::assess) fn policy(&self) -> &'e Policy {
        self.policy
    }

    /// A statement in force says which keys some project has: it is weighed against all of them.
    pub(in crate::assess) fn has_stated_keys(&self) -> bool {
        let mut ids = self.projects.iter();
        ids.any(|id| {
            self.statement(id)
                .is_some_and(|s| s.customer_keys.is_some())
        })
    }

    pub(in crate::assess) fn count_of_projects(&self) -> usize {
        self.projects.len()
    }

    /// Whether anything but a snapshot ever showed a provider in a project.
    pub(in crate::assess) fn shows(&self, project: usize, provider: Provider) -> bool {
        let known = self.known.get(project);
        known.is_some_and(|known| known.shown.contains(&provider))
    }

    /// Some cluster of the project may ever have had point-in-time restore.
    pub(in crate::assess) fn may_have_pit(&self, project: usize) -> bool {
        self.known.get(project).is_some_and(|known| known.pit)
    }

    /// Times for which the key events of a project, read at or after `since`, leave open which key
    /// of a provider it had in the longest window.
    pub(in crate::assess) fn open_spans(
        &self,
        project: usize,
        provider: Provider,
        since: Timestamp,
    ) -> BTreeSet<Span> {
        let Some(known) = self.known.get(project) else {
            return BTreeSet::new();
        };
        let window = i64::from(known.longest_window).saturating_mul(DAY);
        let start = self.as_of.saturating_add(window.saturating_neg());
        let events = known.events.iter();
        events
            .filter(|events| events.read_at() >= since)
            .flat_map(|events| events.open_spans(provider, start))
            .collect()
    }

    /// All rows are in: judges coverage, groups keys into families. `wanted`: the keys that verdicts
    /// are wanted of, if not all.
    pub(in crate::assess) fn finish(self, wanted: Option<Wanted>) -> Estate<'e> {
        let mut estate = self.settle();
        estate.wanted = wanted;
        estate.group();
        estate.judged = restore::unjudged(&estate);
        estate
    }

    /// The same without the keys: all that the verdicts on projects need.
    pub(in crate::assess) fn settle(mut self) -> Estate<'e> {
        let mut projects = Vec::with_capacity(self.projects.len());
        let all_known = std::mem::take(&mut self.known);
        let listing = Listing::of(self.evidence);
        for ((id, readings), known) in self.evidence.projects.iter().zip(all_known) {
            let Known {
                rows,
                uses,
                events,
                current,
                declared,
                shown,
                pit: _,
                longest_window: _,
            } = known;
            let clusters = coverage::clusters(readings, rows);
            let Listed {
                name,
                last,
                now: listed,
                by_service,
            } = listing.get(id);
            let coverage = coverage::judge(readings, &clusters, by_service);
            projects.push(Project {
                id,
                name,
                readings,
                coverage,
                listed,
                left: !listed && has_left(readings, last),
                statement: self.statement(id),
                shown: shown.into_iter().collect(),
                may_show: Vec::new(),
                uses,
                events,
                current,
                declared,
                jobs: jobs(readings),
                settings_read: readings.iter().all(|r| r.root.source == Source::Files)
                    || readings.iter().any(|r| {
                        matches!(*r.content, Content::Settings(_)) && coverage::is_whole(r)
                    }),
                clusters_read: readings
                    .iter()
                    .any(|r| coverage::is_whole_cluster_list(r, true)),
                clusters,
            });
        }
        for project in &mut projects {
            project.shown = with_named(project, &self.names);
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
            wanted: None,
            families: Vec::new(),
            keys_in_order: Vec::new(),
            units_in_order: Vec::new(),
            google: super::GoogleFamilies::default(),
            assumptions: self.assumptions,
            holds: self.holds,
            arguments: self.arguments,
            strays: self.strays,
            judged: Vec::new(),
            last_project: Cell::new(0),
            last_name: Cell::new(0),
        }
    }

    /// A statement about a project, unless it aged out or its time has not come.
    fn statement(&self, id: &ProjectRef) -> Option<&'e ProjectStatement> {
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
        let (Content::RestoreJobs(list), Some(cluster)) = (&*reading.content, &reading.cluster)
        else {
            continue;
        };
        for job in list {
            let key = (&**cluster, job.id.as_str());
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
