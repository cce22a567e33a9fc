//! What the project lists of all roots say: which projects are in the estate, and which have left it.

use std::collections::{BTreeSet, HashMap};

use crate::assess::coverage;
use crate::model::reading::{Content, Outcome};
use crate::model::{Evidence, ProjectRef, Reading, Source, Timestamp};

/// What the project lists of all roots say.
pub(super) struct Listing<'e> {
    /// Per base URL: projects of each root's newest whole list and of any cut list since.
    named: HashMap<&'e str, BTreeSet<&'e str>>,
    /// The same of roots that are a service, not files.
    by_service: HashMap<&'e str, BTreeSet<&'e str>>,
    names: HashMap<(&'e str, &'e str), &'e str>,
    last: HashMap<(&'e str, &'e str), Timestamp>,
}

impl<'e> Listing<'e> {
    pub(super) fn of(evidence: &'e Evidence) -> Self {
        let mut listing = Self {
            named: HashMap::new(),
            by_service: HashMap::new(),
            names: HashMap::new(),
            last: HashMap::new(),
        };
        for root in &evidence.roots {
            let base_url = root.id.base_url.as_str();
            let newest_whole = root.lists.iter().rfind(|list| coverage::is_whole(list));
            let since = newest_whole.map(|list| list.at);
            for list in &root.lists {
                let Content::Projects(projects) = &list.content else {
                    continue;
                };
                for project in projects {
                    let key = (base_url, project.id.as_str());
                    let last = listing.last.entry(key).or_insert(list.at);
                    *last = (*last).max(list.at);
                    if let Some(name) = &project.name {
                        listing.names.insert(key, name);
                    }
                    if Some(list.at) >= since {
                        listing
                            .named
                            .entry(base_url)
                            .or_default()
                            .insert(project.id.as_str());
                        if root.id.source != Source::Files {
                            let listed = listing.by_service.entry(base_url).or_default();
                            listed.insert(project.id.as_str());
                        }
                    }
                }
            }
        }
        listing
    }

    pub(super) fn names(&self, id: &ProjectRef) -> bool {
        self.named
            .get(id.base_url.as_str())
            .is_some_and(|named| named.contains(id.id.as_str()))
    }

    pub(super) fn by_service(&self, id: &ProjectRef) -> bool {
        self.by_service
            .get(id.base_url.as_str())
            .is_some_and(|named| named.contains(id.id.as_str()))
    }

    pub(super) fn name_of(&self, id: &'e ProjectRef) -> Option<&'e str> {
        self.names
            .get(&(id.base_url.as_str(), id.id.as_str()))
            .copied()
    }

    pub(super) fn last_listed(&self, id: &'e ProjectRef) -> Option<Timestamp> {
        self.last
            .get(&(id.base_url.as_str(), id.id.as_str()))
            .copied()
    }
}

/// Projects that a root's list names and that are not among the projects.
pub(super) fn listed_only(evidence: &Evidence) -> BTreeSet<String> {
    let mut strays = BTreeSet::new();
    for root in &evidence.roots {
        for list in &root.lists {
            let Content::Projects(projects) = &list.content else {
                continue;
            };
            for project in projects {
                let id = ProjectRef {
                    id: project.id.clone(),
                    base_url: root.id.base_url.clone(),
                };
                if !evidence.projects.contains_key(&id) {
                    strays.insert(id.id);
                }
            }
        }
    }
    strays
}

/// 404 GROUP_NOT_FOUND to a credential that could read the project before, after every list that
/// named it.
pub(super) fn has_left(readings: &[Reading], last_listed: Option<Timestamp>) -> bool {
    readings.iter().any(|gone| {
        coverage::refused_with(&gone.outcome, 404, &["GROUP_NOT_FOUND"])
            && last_listed.is_none_or(|listed| gone.at > listed)
            && gone.identity.is_some()
            && readings
                .iter()
                .all(|r| matches!(r.outcome, Outcome::Refused { .. }) || r.at < gone.at)
            && readings
                .iter()
                .any(|r| coverage::is_whole(r) && r.identity == gone.identity)
    })
}

/// Whether a root's list counts towards the estate: loose files beside a live root of the same
/// service only add sightings.
pub(in crate::assess) fn counts_as_root(evidence: &Evidence, no: usize) -> bool {
    evidence.roots.get(no).is_some_and(|root| {
        root.id.source != Source::Files
            || !root.lists.is_empty()
            || !evidence.roots.iter().any(|other| {
                other.id.source != Source::Files && other.id.base_url == root.id.base_url
            })
    })
}
