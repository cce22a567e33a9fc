//! Which snapshots an answer needs, where the store can look them up: all that the rules would tell
//! apart, and few others. What a snapshot means is decided where it is taken, as ever; choosing too
//! many costs time, choosing one too few is the worst that can happen here. So whatever is
//! chosen must fold to the same as all snapshots do: `run::judge::tests` compares the two.
//!
//! Totals of the store stand for what snapshots say of their cluster. Beyond those,
//!
//! - an audit's first pass needs the first and the last evidence of each key in each cluster, and
//!   evidence in each interval that key events leave open;
//! - a check needs the snapshots under spellings that are or may be the key, and those without one;
//!   of the other keys, only what shows which of them came after it, in the projects that ever had
//!   it, and what every project says about all keys of the provider.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use super::decide::Decider;
use super::estate::{Gathering, Name, NameNo};
use super::identity::{Resolved, provider_of};
use super::snapshot;
use crate::model::evidence::SnapshotShape;
use crate::model::key_id::{Match, Provider, units_named_by};
use crate::model::outline::{ClusterOutline, Column, End, Pile, Shelves, Span};
use crate::model::reading::Content;
use crate::model::{Evidence, KeyId, Snapshot, Spelling, Timestamp, Unit};

/// The keys that a check is about.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What the arguments name, certainly or by everything stated.
    units: Vec<Unit>,
    /// Some rule weighs all keys against each other.
    needs_all: bool,
}

impl Wanted {
    /// Resolves the keys asked about against all that the store names.
    pub(super) fn of(gathering: &Gathering<'_>) -> Self {
        let mut units = BTreeSet::new();
        for argument in gathering.arguments() {
            match &argument.resolved {
                Resolved::Keys(keys) => units.extend(keys.iter().map(KeyId::unit)),
                Resolved::Unresolved(spelling) => {
                    units.extend(units_named_by(spelling));
                    let named = gathering.names().iter().flat_map(|name| {
                        let keys: &[KeyId] = match &name.resolved {
                            Resolved::Keys(keys) => keys,
                            Resolved::Unresolved(_) => &[],
                        };
                        keys
                    });
                    let agrees = |key: &KeyId| {
                        let how = key.unit().compare(spelling, &Provider::ALL);
                        spelling.completed_by(key) || matches!(how, Match::Same | Match::Agrees)
                    };
                    let known = named.chain(gathering.observed().keys());
                    units.extend(known.filter(|key| agrees(key)).map(KeyId::unit));
                    for name in gathering.names() {
                        if let Resolved::Unresolved(other) = &name.resolved {
                            let unit = units_named_by(other);
                            let agrees = |unit: &Unit| {
                                let how = unit.compare(spelling, &Provider::ALL);
                                matches!(how, Match::Same | Match::Agrees)
                            };
                            units.extend(unit.filter(agrees));
                        }
                    }
                }
            }
        }
        Self {
            units: units.into_iter().collect(),
            needs_all: gathering.has_stated_keys(),
        }
    }

    /// Whether verdicts on this unit can be asked for.
    pub(super) fn has(&self, unit: &Unit) -> bool {
        self.units
            .iter()
            .any(|wanted| wanted == unit || wanted.is_related(unit))
    }

    /// Whether a unit must be in a family of the estate.
    pub(super) fn has_in_family(&self, unit: &Unit) -> bool {
        self.needs_all || self.has(unit)
    }

    /// The same of a key's unit.
    pub(super) fn has_key_in_family(&self, key: &KeyId) -> bool {
        self.needs_all || self.units.iter().any(|wanted| is_of(wanted, key))
    }

    /// Whether a text is or may be a wanted key, wherever it stands.
    fn concerns_text(&self, text: &str) -> bool {
        let spelling = Spelling::read(text);
        match spelling.complete() {
            // Mostly so, and quickly told.
            Some(key) if key.provider() != Provider::Gcp => {
                self.units.iter().any(|wanted| is_of(wanted, key))
            }
            Some(_) | None => self.may_be(&spelling),
        }
    }

    fn may_be(&self, spelling: &Spelling) -> bool {
        self.units
            .iter()
            .any(|unit| unit.compare(spelling, &Provider::ALL) != Match::Different)
    }

    /// Whether a spelling is or may be a wanted key, whatever its project ever showed.
    fn concerns(&self, name: &Name) -> bool {
        match &name.resolved {
            Resolved::Keys(keys) => keys.iter().any(|key| {
                let is_it = self.units.iter().any(|wanted| is_of(wanted, key));
                let may_be = || self.may_be(&Spelling::Complete(key.clone()));
                is_it || (key.provider() == Provider::Gcp && may_be())
            }),
            Resolved::Unresolved(spelling) => self.may_be(spelling),
        }
    }

    fn providers(&self) -> BTreeSet<Provider> {
        self.units.iter().map(Unit::provider).collect()
    }
}

fn is_of(unit: &Unit, key: &KeyId) -> bool {
    unit.contains(key)
        || (key.aws().is_some_and(|aws| aws.is_multi_region()) && unit.is_related(&key.unit()))
}

/// Which answers of key services bear on a check.
pub struct Answers {
    /// `None`: an argument is incomplete, and any key may turn out to be it.
    keys: Option<Vec<KeyId>>,
    /// Bare AWS ids that settings name: an answer may complete them, and so tell them from others.
    ids: BTreeSet<String>,
    /// What tells the text of most other keys from theirs; `None`: nothing does.
    marks: Option<Vec<Mark>>,
}

/// What a canonical text begins or ends with.
enum Mark {
    Start(String),
    End(String),
}

impl Answers {
    pub fn about(arguments: &[String], evidence: &Evidence) -> Self {
        let mut ids = BTreeSet::new();
        for reading in evidence.projects.values().flatten() {
            let Content::Settings(blocks) = &*reading.content else {
                continue;
            };
            for key in blocks.iter().filter_map(|block| block.key.as_ref()) {
                if let Spelling::AwsId { id, .. } = Spelling::read(key) {
                    ids.insert(id.to_ascii_lowercase());
                }
            }
        }
        let complete = |text: &String| Spelling::read(text).complete().cloned();
        let keys: Option<Vec<KeyId>> = arguments.iter().map(complete).collect();
        let mark = |key: &KeyId| match key.aws() {
            Some(aws) => Mark::End(aws.id().to_owned()),
            None => Mark::Start(key.unit().to_string()),
        };
        let marks = keys.as_ref().filter(|_| ids.is_empty());
        Self {
            marks: marks.map(|keys| keys.iter().map(mark).collect()),
            keys,
            ids,
        }
    }

    /// Whether an answer about this key, given in canonical text, may matter.
    pub fn bear_on(&self, canonical: &str) -> bool {
        let Some(keys) = &self.keys else {
            return true;
        };
        let is_marked = |mark: &Mark| match mark {
            Mark::Start(text) => canonical.starts_with(text.as_str()),
            Mark::End(text) => canonical.ends_with(text.as_str()),
        };
        let marks = self.marks.as_ref();
        if marks.is_some_and(|marks| !marks.iter().any(is_marked)) {
            return false;
        }
        let Ok(key) = canonical.parse::<KeyId>() else {
            return true;
        };
        let same_id = |other: &KeyId| match (other.aws(), key.aws()) {
            (Some(other), Some(key)) => other.id() == key.id(),
            (Some(_) | None, _) => other.unit() == key.unit(),
        };
        keys.iter().any(same_id) || key.aws().is_some_and(|aws| self.ids.contains(aws.id()))
    }
}

/// The snapshots of a store, and what is known of where they are.
pub(super) struct Selection<'s, E> {
    shelves: &'s dyn Shelves<Error = E>,
    clusters: Vec<Known<'s>>,
    /// The clusters of each project.
    of_project: HashMap<usize, Vec<usize>>,
    /// Oldest key events that may still be relied on.
    events_since: Timestamp,
    /// For a check: whether each spelling concerns it, and each project.
    concerned: Vec<bool>,
    of_interest: Vec<bool>,
}

struct Known<'s> {
    cluster: &'s ClusterOutline,
    project: usize,
    /// `None`: nobody needed to know.
    piles: Option<Vec<Named>>,
}

/// A pile, and the spellings in it.
struct Named {
    pile: Pile,
    names: Vec<NameNo>,
}

impl<'s, E> Selection<'s, E> {
    /// Takes in the totals of all clusters.
    pub(super) fn new(
        shelves: &'s dyn Shelves<Error = E>,
        gathering: &mut Gathering<'_>,
        events_since: Timestamp,
    ) -> Self {
        let mut of_project: HashMap<usize, Vec<usize>> = HashMap::new();
        let clusters = shelves.outline().clusters.iter().enumerate();
        let clusters = clusters.map(|(place, cluster)| {
            let project = gathering.take_totals(cluster);
            of_project.entry(project).or_default().push(place);
            Known {
                cluster,
                project,
                piles: None,
            }
        });
        Self {
            clusters: clusters.collect(),
            of_project,
            shelves,
            events_since,
            concerned: Vec::new(),
            of_interest: Vec::new(),
        }
    }

    /// Learns which spellings a cluster's snapshots have.
    fn learn(&mut self, gathering: &mut Gathering<'_>, place: usize) -> Result<(), E> {
        let Some(known) = self.clusters.get_mut(place).filter(|k| k.piles.is_none()) else {
            return Ok(());
        };
        let texts = &self.shelves.outline().spellings;
        let piles = self.shelves.piles(known.cluster)?.into_iter().map(|pile| {
            let spellings = match &pile.column {
                Column::Named(spellings) => spellings.as_slice(),
                Column::Absent | Column::NotEncrypted => &[],
            };
            let texts = spellings.iter().filter_map(|no| texts.get(*no));
            let names = texts.map(|text| gathering.name(text, Some(known.project)));
            Named {
                names: names.collect(),
                pile,
            }
        });
        known.piles = Some(piles.collect());
        Ok(())
    }

    fn learn_project(&mut self, gathering: &mut Gathering<'_>, project: usize) -> Result<(), E> {
        let places = self.of_project.get(&project).cloned().unwrap_or_default();
        let mut places = places.into_iter();
        places.try_for_each(|place| self.learn(gathering, place))
    }

    fn learn_all(&mut self, gathering: &mut Gathering<'_>) -> Result<(), E> {
        (0..self.clusters.len()).try_for_each(|place| self.learn(gathering, place))
    }

    /// Clusters whose piles are known.
    fn known(&self) -> impl Iterator<Item = (&'s ClusterOutline, usize, &[Named])> {
        let known = self.clusters.iter();
        known.filter_map(|k| Some((k.cluster, k.project, k.piles.as_deref()?)))
    }

    /// First pass of an audit.
    pub(super) fn gather_all(&mut self, gathering: &mut Gathering<'_>) -> Result<(), E> {
        self.learn_all(gathering)?;
        for (cluster, _, piles) in self.known() {
            for named in piles.iter().filter(|named| !named.names.is_empty()) {
                self.an_end(gathering, cluster, &named.pile, End::Oldest)?;
                self.an_end(gathering, cluster, &named.pile, End::Newest)?;
            }
        }
        self.open_spans(gathering, &Provider::ALL.into())
    }

    /// First pass of a check: what it is about turns out here.
    pub(super) fn gather(&mut self, gathering: &mut Gathering<'_>) -> Result<Wanted, E> {
        // Where one key may be told from another only by all that the store names, or what any
        // spelling rests on is to be printed, all of them are looked at.
        let incomplete = |name: &Name| matches!(name.resolved, Resolved::Unresolved(_));
        if gathering.arguments().any(incomplete)
            || gathering.has_stated_keys()
            || !gathering.policy().kmip_servers.is_empty()
        {
            self.learn_all(gathering)?;
        }
        let wanted = Wanted::of(gathering);
        self.learn_needed(gathering, &wanted)?;
        self.pick_concerned(gathering)?;
        self.open_spans(gathering, &wanted.providers())?;
        Ok(wanted)
    }

    /// Looks at the clusters that a check is about, or that say something about all keys.
    fn learn_needed(&mut self, gathering: &mut Gathering<'_>, wanted: &Wanted) -> Result<(), E> {
        let mapped = &gathering.policy().keys;
        let texts = self.shelves.outline().spellings.iter().enumerate();
        for (no, text) in texts {
            if wanted.concerns_text(text) || mapped.iter().any(|statement| statement.id == *text) {
                for place in self.shelves.clusters_under(no)? {
                    self.learn(gathering, place)?;
                }
            }
        }
        let projects = gathering.count_of_projects();
        self.of_interest = vec![false; projects];
        for name in gathering
            .names()
            .iter()
            .filter(|name| wanted.concerns(name))
        {
            if let Some(project) = name.project
                && let Some(interest) = self.of_interest.get_mut(project)
            {
                *interest = true;
            }
        }
        for place in self.shelves.clusters_without_key()? {
            if let Some(known) = self.clusters.get(place) {
                self.learn_project(gathering, known.project)?;
            }
        }
        for project in 0..projects {
            let has_open_span = |provider: &Provider| {
                let spans = gathering.open_spans(project, *provider, self.events_since);
                !spans.is_empty()
            };
            if self.is_of_interest(project)
                || (gathering.may_have_pit(project) && wanted.providers().iter().any(has_open_span))
            {
                self.learn_project(gathering, project)?;
            }
        }
        let names = gathering.names().iter();
        self.concerned = names.map(|name| wanted.concerns(name)).collect();
        Ok(())
    }

    fn pick_concerned(&self, gathering: &mut Gathering<'_>) -> Result<(), E> {
        for (cluster, project, piles) in self.known() {
            let concerned: Vec<&Pile> = piles
                .iter()
                .filter(|named| self.concern(&named.names))
                .map(|named| &named.pile)
                .collect();
            self.shelves.pick(cluster, &concerned, &[], &mut |row| {
                gathering.take(row);
            })?;
            for Named { pile, names } in piles {
                // Which providers a project ever showed decides what a missing id may mean.
                let shows_more = names.iter().any(|no| {
                    let name = gathering.names().get(*no);
                    let provider = name.and_then(|name| provider_of(&name.resolved));
                    provider.is_some_and(|of| !gathering.shows(project, of))
                });
                let may_follow = !names.is_empty() && self.is_of_interest(project);
                if (shows_more || may_follow) && !self.concern(names) {
                    self.an_end(gathering, cluster, pile, End::Newest)?;
                }
            }
        }
        Ok(())
    }

    /// The first or the last evidence of the keys of a pile.
    fn an_end(
        &self,
        gathering: &mut Gathering<'_>,
        cluster: &ClusterOutline,
        pile: &Pile,
        first: End,
    ) -> Result<(), E> {
        let take = &mut |row: &Snapshot| stop_if(gathering.take(row));
        self.shelves.walk(cluster, pile, Span::ALL, first, take)
    }

    /// Evidence in the intervals that key events leave open, where point-in-time restore asks for
    /// it.
    fn open_spans(
        &self,
        gathering: &mut Gathering<'_>,
        providers: &BTreeSet<Provider>,
    ) -> Result<(), E> {
        for (cluster, project, piles) in self.known() {
            if !gathering.may_have_pit(project) {
                continue;
            }
            for Named { pile, names } in piles {
                let of_pile: BTreeSet<Provider> = names
                    .iter()
                    .filter_map(|no| provider_of(&gathering.names().get(*no)?.resolved))
                    .collect();
                for provider in of_pile.intersection(providers) {
                    for span in gathering.open_spans(project, *provider, self.events_since) {
                        let take = &mut |row: &Snapshot| stop_if(gathering.take(row));
                        self.shelves.walk(cluster, pile, span, End::Newest, take)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Second pass of a check.
    pub(super) fn decide(&self, decider: &mut Decider<'_>) -> Result<(), E> {
        for (cluster, project, piles) in self.known() {
            if self.is_of_interest(project) {
                let needed = |named: &&Named| named.names.is_empty() || self.concern(&named.names);
                let needed: Vec<&Pile> = piles
                    .iter()
                    .filter(needed)
                    .map(|named| &named.pile)
                    .collect();
                let ids = decider.snapshots_of_jobs(project);
                self.shelves
                    .pick(cluster, &needed, &ids, &mut |row| decider.take(row))?;
                self.successors(decider, cluster, project, piles)?;
            } else {
                self.without_key(decider, cluster, project, piles)?;
            }
        }
        Ok(())
    }

    /// What came after a key in a project that had it: the first evidence later than all of its own.
    fn successors(
        &self,
        decider: &mut Decider<'_>,
        cluster: &ClusterOutline,
        project: usize,
        piles: &[Named],
    ) -> Result<(), E> {
        for last in decider.last_evidence(project) {
            let after = Span {
                from: last.saturating_add(1),
                to: Timestamp::MAX,
            };
            for Named { pile, names } in piles {
                if !names.is_empty() && !self.concern(names) {
                    let take = &mut |row: &Snapshot| stop_if(decider.note_successors(project, row));
                    self.shelves.walk(cluster, pile, after, End::Oldest, take)?;
                }
            }
        }
        Ok(())
    }

    /// Snapshots without an id, in a project that never had the key: they can only cast the doubt,
    /// or rest on the assumption, of all that are like them.
    fn without_key(
        &self,
        decider: &mut Decider<'_>,
        cluster: &ClusterOutline,
        project: usize,
        piles: &[Named],
    ) -> Result<(), E> {
        let absent = |named: &&Named| named.pile.column == Column::Absent;
        let Some(Named { pile, .. }) = piles.iter().find(absent) else {
            return Ok(());
        };
        if pile.shapes.has(SnapshotShape::Shared) || pile.shapes.has(SnapshotShape::Own) {
            return self
                .shelves
                .pick(cluster, &[pile], &[], &mut |row| decider.take(row));
        }
        let turns = decider.turns_without_key(project, &cluster.name);
        let mut left = Some(Span::ALL);
        while let Some(span) = left.take() {
            self.shelves
                .walk(cluster, pile, span, End::Newest, &mut |row| {
                    decider.take(row);
                    let created = snapshot::created(row);
                    let created = created.filter(|at| (span.from..=span.to).contains(at));
                    if let Some(created) = created
                        && decider.stands_for_its_like(row)
                    {
                        left = before(&turns, created);
                        return ControlFlow::Break(());
                    }
                    ControlFlow::Continue(())
                })?;
        }
        Ok(())
    }

    fn is_of_interest(&self, project: usize) -> bool {
        self.of_interest.get(project) != Some(&false)
    }

    fn concern(&self, names: &[NameNo]) -> bool {
        names
            .iter()
            .any(|no| self.concerned.get(*no) != Some(&false))
    }
}

fn stop_if(enough: bool) -> ControlFlow<()> {
    if enough {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// What lies before the stretch between two turns (or the turn itself) that `at` is in.
fn before(turns: &BTreeSet<Timestamp>, at: Timestamp) -> Option<Span> {
    let to = if turns.contains(&at) {
        at.saturating_add(-1)
    } else {
        *turns.range(..at).next_back()?
    };
    (to < at).then_some(Span {
        from: Timestamp::EPOCH,
        to,
    })
}
