//! The estate as the rules see it before the first verdict: every spelling resolved, every
//! project's coverage judged, every key's family known. Built in two steps: `Gathering` takes
//! each snapshot row once, `Estate` is what comes of it.

mod gathering;
mod listing;
mod settings;

pub(super) use gathering::Gathering;
pub(super) use listing::counts_as_root;

use std::cell::{Cell, OnceCell};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use super::coverage::{Clusters, Coverage};
use super::history::{EventCover, Uses};
use super::identity::Resolved;
use super::observed::Observed;
use super::restore;
use super::select::Wanted;
use crate::model::evidence::Condition;
use crate::model::key_id::{Match, Provider, units_named_by};
use crate::model::policy::ProjectStatement;
use crate::model::reading::{Declared, KeySettings, RestoreJob};
use crate::model::verdict::{Assumption, KeyState};
use crate::model::{Evidence, KeyId, Policy, ProjectRef, Reading, Spelling, Timestamp, Unit};

/// Index of a spelling of one project (or of none: holds, the command line).
pub(super) type NameNo = usize;
/// Index of a family.
pub(super) type FamilyNo = usize;

/// A spelling in its project, resolved as far as it goes.
#[derive(Clone, Debug)]
pub struct Name {
    pub text: String,
    pub project: Option<usize>,
    pub resolved: Resolved,
    /// Families that the spelling names for certain, or agrees with in everything stated.
    pub names: Vec<(FamilyNo, Certainty)>,
    /// Families that it may possibly name.
    pub may_be: Vec<FamilyNo>,
    /// Something present spells it so: a snapshot, a setting, a job, a hold.
    pub in_use: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    Same,
    Agrees,
}

/// Keys that stand or fall together: one deletion unit, or the siblings of an AWS multi-Region
/// key (a dependant of one holds the others too).
#[derive(Clone, Debug, Default)]
pub struct Family {
    pub units: Vec<Unit>,
    pub keys: Vec<KeyId>,
}

impl Family {
    pub fn provider(&self) -> Option<Provider> {
        self.units.first().map(Unit::provider)
    }
}

/// One project.
#[derive(Debug)]
pub struct Project<'e> {
    pub id: &'e ProjectRef,
    pub name: Option<&'e str>,
    pub readings: &'e [Reading],
    pub clusters: Clusters<'e>,
    pub coverage: Coverage,
    /// The newest project lists of its service name it, or there is no such list.
    pub listed: bool,
    /// It is out of the estate: no list names it, and it answers 404 to a credential that could
    /// read it before.
    pub left: bool,
    /// A statement in force about it.
    pub statement: Option<&'e ProjectStatement>,
    /// Providers that any reading ever showed in it.
    pub shown: Vec<Provider>,
    /// The same, and what events that were never read whole might have shown.
    pub may_show: Vec<Provider>,
    pub uses: Uses,
    pub events: Vec<EventCover>,
    /// Encryption-at-rest blocks that are enabled now.
    pub current: Vec<Current<'e>>,
    /// Lines of snapkey's own form that stand now.
    pub declared: Vec<(&'e Declared, Vec<NameNo>)>,
    /// Its encryption-at-rest settings were ever read whole, or no service was asked.
    pub settings_read: bool,
    /// A cluster list with deleted clusters was ever read whole.
    pub clusters_read: bool,
    /// The newest state of every restore job ever read, by cluster and id.
    pub jobs: BTreeMap<(&'e str, &'e str), &'e RestoreJob>,
}

/// A key that a project uses now.
#[derive(Clone, Debug)]
pub struct Current<'e> {
    pub settings: &'e KeySettings,
    /// `None`: the block is on, but names no key.
    pub name: Option<NameNo>,
    pub at: Timestamp,
}

/// Finds spellings by project and text, without keeping the texts, which the names have.
#[derive(Debug, Default)]
struct Lookup {
    hasher: RandomState,
    /// By hash; one that is taken by another spelling gives way to the next.
    of_hash: HashMap<u64, NameNo>,
}

impl Lookup {
    /// The number of a spelling, or else the hash under which it would be found.
    fn find(&self, names: &[Name], text: &str, project: Option<usize>) -> Result<NameNo, u64> {
        let mut hash = self.hasher.hash_one((project, text));
        while let Some(no) = self.of_hash.get(&hash) {
            let is_it = |name: &&Name| name.project == project && name.text == text;
            if names.get(*no).filter(is_it).is_some() {
                return Ok(*no);
            }
            hash = hash.wrapping_add(1);
        }
        Err(hash)
    }

    /// Adds the spelling that [`Self::find`] did not find, under the hash that it told.
    fn add(&mut self, no: NameNo, hash: u64) {
        self.of_hash.insert(hash, no);
    }
}

/// Families of Google keys, by how their names give the project.
#[derive(Debug, Default)]
struct GoogleFamilies {
    by_number: Vec<FamilyNo>,
    by_id: Vec<FamilyNo>,
}

/// Everything that the verdicts are made of.
pub struct Estate<'e> {
    pub evidence: &'e Evidence,
    pub policy: &'e Policy,
    pub as_of: Timestamp,
    pub observed: &'e Observed,
    project_no: HashMap<&'e ProjectRef, usize>,
    pub projects: Vec<Project<'e>>,
    pub names: Vec<Name>,
    /// The only keys that were looked into; `None`: all.
    pub wanted: Option<Wanted>,
    lookup: Lookup,
    pub families: Vec<Family>,
    /// Every key of the families in order, as family and place in it: ten thousand keys are not
    /// kept twice.
    keys_in_order: Vec<(FamilyNo, usize)>,
    /// The same of their units.
    units_in_order: Vec<(FamilyNo, usize)>,
    google: GoogleFamilies,
    pub assumptions: BTreeSet<Assumption>,
    /// The holds of the policy, in their order.
    pub holds: Vec<NameNo>,
    /// Keys asked about on the command line.
    pub arguments: Vec<NameNo>,
    /// Projects that a list or a snapshot names, and of which there is no evidence at all.
    pub strays: BTreeSet<String>,
    /// What each of `names` means for the snapshots under it.
    pub(super) judged: Vec<OnceCell<restore::OfName>>,
    last_project: Cell<usize>,
    last_name: Cell<NameNo>,
}

impl<'e> Estate<'e> {
    /// Rows come project by project, so mostly it is the one asked for last.
    pub fn project_of(&self, id: &ProjectRef) -> Option<(usize, &Project<'e>)> {
        let last = self.last_project.get();
        if let Some(project) = self.projects.get(last).filter(|p| p.id == id) {
            return Some((last, project));
        }
        let no = *self.project_no.get(id)?;
        self.last_project.set(no);
        Some((no, self.projects.get(no)?))
    }

    pub fn name_of(&self, text: &str, project: usize) -> Option<&Name> {
        let no = self.lookup.find(&self.names, text, Some(project)).ok()?;
        self.names.get(no)
    }

    /// Neighbors are mostly under one key, so mostly it is the one asked for last.
    pub fn name_no(&self, text: &str, project: usize) -> Option<NameNo> {
        let last = self.last_name.get();
        let is_it = |name: &&Name| name.project == Some(project) && name.text == text;
        if self.names.get(last).filter(is_it).is_some() {
            return Some(last);
        }
        let no = self.lookup.find(&self.names, text, Some(project)).ok()?;
        self.last_name.set(no);
        Some(no)
    }

    pub fn family_of(&self, key: &KeyId) -> Option<FamilyNo> {
        self.family_at(&self.keys_in_order, |family, place| {
            Some(family.keys.get(place)?.cmp(key))
        })
    }

    pub fn family_of_unit(&self, unit: &Unit) -> Option<FamilyNo> {
        self.family_at(&self.units_in_order, |family, place| {
            Some(family.units.get(place)?.cmp(unit))
        })
    }

    fn family_at(
        &self,
        in_order: &[(FamilyNo, usize)],
        compare: impl Fn(&Family, usize) -> Option<Ordering>,
    ) -> Option<FamilyNo> {
        let found = in_order.binary_search_by(|(no, place)| {
            let family = self.families.get(*no);
            family
                .and_then(|family| compare(family, *place))
                .unwrap_or(Ordering::Less)
        });
        in_order.get(found.ok()?).map(|(no, _)| *no)
    }

    /// What is known of a key's state, with what two answers imply. Of a multi-Region key every
    /// known sibling must be destroyed: one that nobody asked about may still unwrap.
    pub fn state(&self, key: &KeyId) -> KeyState {
        let Some(derived) = self.observed.derived(key) else {
            return self.observed.state(key);
        };
        let siblings = self
            .family_of(key)
            .and_then(|no| self.families.get(no))
            .map_or(&[][..], |family| family.keys.as_slice());
        let destroyed = |sibling: &KeyId| {
            self.observed.derived(sibling).is_some()
                || matches!(
                    self.observed.state(sibling).condition,
                    Some(Condition::Destroyed { .. })
                )
        };
        if siblings.iter().all(destroyed) {
            derived.clone()
        } else {
            self.observed.state(key)
        }
    }

    /// Groups every key that is named, configured or was ever observed into families, then ties
    /// each spelling to the families that it names or may name.
    fn group(&mut self) {
        let mut units: BTreeSet<Unit> = BTreeSet::new();
        let mut keys: BTreeSet<KeyId> = BTreeSet::new();
        let wanted = self.wanted.as_ref();
        let is_wanted = |unit: &Unit| wanted.is_none_or(|wanted| wanted.has_in_family(unit));
        let mut add = |key: &KeyId| {
            if wanted.is_none_or(|wanted| wanted.has_key_in_family(key)) {
                keys.insert(key.clone());
            }
        };
        self.observed.keys().for_each(&mut add);
        for name in &self.names {
            match &name.resolved {
                Resolved::Keys(found) => found.iter().for_each(&mut add),
                Resolved::Unresolved(spelling) => {
                    units.extend(units_named_by(spelling).filter(&is_wanted));
                }
            }
        }
        units.extend(keys.iter().map(KeyId::unit));
        for unit in units {
            let sibling = match &unit {
                Unit::Aws(aws) if aws.is_multi_region() => self
                    .families
                    .iter()
                    .position(|f| f.units.first().is_some_and(|first| first.is_related(&unit))),
                Unit::Aws(_) | Unit::Azure(_) | Unit::Gcp(_) | Unit::Kmip(_) => None,
            };
            let no = sibling.unwrap_or_else(|| {
                self.families.push(Family::default());
                self.families.len() - 1
            });
            if let Some(family) = self.families.get_mut(no) {
                self.units_in_order.push((no, family.units.len()));
                // Most families are of one unit and one key: no room for more.
                family.units.reserve_exact(1);
                family.units.push(unit);
            }
        }
        for key in keys {
            if let Some(no) = self.family_of_unit(&key.unit())
                && let Some(family) = self.families.get_mut(no)
            {
                self.keys_in_order.push((no, family.keys.len()));
                family.keys.reserve_exact(1);
                family.keys.push(key);
            }
        }
        for (no, family) in self.families.iter().enumerate() {
            match family.units.first() {
                Some(Unit::Gcp(version)) if version.key().has_project_number() => {
                    self.google.by_number.push(no);
                }
                Some(Unit::Gcp(_)) => self.google.by_id.push(no),
                Some(Unit::Aws(_) | Unit::Azure(_) | Unit::Kmip(_)) | None => {}
            }
        }
        for no in 0..self.names.len() {
            self.tie(no);
        }
    }

    /// Families of Google keys that may be this one by another name: nothing connects a project's
    /// number with its id.
    fn aliases_of(&self, key: &KeyId) -> Vec<FamilyNo> {
        let KeyId::Gcp(version) = key else {
            return Vec::new();
        };
        let numbered = version.key().has_project_number();
        let others = if numbered {
            &self.google.by_id
        } else {
            &self.google.by_number
        };
        let spelling = Spelling::Complete(key.clone());
        let may_be = |no: &&FamilyNo| {
            let units = self.families.get(**no).map(|family| &family.units);
            let mut units = units.into_iter().flatten();
            units.any(|unit| unit.compare(&spelling, &[]) == Match::Possible)
        };
        others.iter().filter(may_be).copied().collect()
    }

    fn tie(&mut self, no: NameNo) {
        let Some(name) = self.names.get(no) else {
            return;
        };
        let mut names: BTreeMap<FamilyNo, Certainty> = BTreeMap::new();
        let mut may_be = BTreeSet::new();
        match &name.resolved {
            Resolved::Keys(keys) => {
                names.extend(
                    keys.iter()
                        .filter_map(|k| Some((self.family_of(k)?, Certainty::Same))),
                );
                may_be.extend(keys.iter().flat_map(|key| self.aliases_of(key)));
            }
            Resolved::Unresolved(spelling) => {
                let shown = name
                    .project
                    .and_then(|project| self.projects.get(project))
                    .map_or(&[][..], |project| project.may_show.as_slice());
                for (family_no, family) in self.families.iter().enumerate() {
                    let completed = family.keys.iter().any(|key| spelling.completed_by(key));
                    let best = family
                        .units
                        .iter()
                        .map(|unit| unit.compare(spelling, shown))
                        .min();
                    match best {
                        Some(Match::Same) => {
                            names.insert(family_no, Certainty::Same);
                        }
                        Some(Match::Agrees) => {
                            names.insert(family_no, Certainty::Agrees);
                        }
                        Some(Match::Possible) if completed => {
                            names.insert(family_no, Certainty::Agrees);
                        }
                        Some(Match::Possible) => {
                            may_be.insert(family_no);
                        }
                        Some(Match::Different) | None => {}
                    }
                }
            }
        }
        if let Some(name) = self.names.get_mut(no) {
            name.names = names.into_iter().collect();
            name.may_be = may_be.into_iter().collect();
        }
    }
}
