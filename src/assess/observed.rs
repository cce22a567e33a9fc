//! What the key services said: the newest answer about each key, and whether it may still be
//! relied on (design section 4, "Observations").

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::model::evidence::{Condition, UnknownReason};
use crate::model::verdict::KeyState;
use crate::model::{KeyId, Observation, Policy, Timestamp, Unit};

/// Every key that was ever asked about, or that an answer called related.
#[derive(Debug, Default)]
pub struct Observed {
    keys: BTreeMap<KeyId, Asked>,
    /// What answers about a whole unit say of a key of it that nobody asked about.
    units: BTreeMap<Unit, Asked>,
}

#[derive(Clone, Debug, Default)]
struct Asked {
    state: KeyState,
    /// It was asked about itself, not only called related.
    itself: bool,
    /// Some answer ever settled the key's condition.
    definite: bool,
    /// Some answer showed that the provider knows the key.
    known: bool,
    /// A destroyed key gave a definite answer later: when.
    came_back: Option<Timestamp>,
    /// AWS: destroyed, as two answers imply. Of few keys.
    derived: Option<Box<KeyState>>,
}

impl Observed {
    /// Folds all observations at or before `as_of`.
    pub fn new(observations: &[Observation], policy: &Policy, as_of: Timestamp) -> Self {
        let mut by_key: BTreeMap<&KeyId, Vec<&Observation>> = BTreeMap::new();
        let mut by_unit: BTreeMap<Unit, Vec<&Observation>> = BTreeMap::new();
        let mut observed = Self::default();
        for observation in observations {
            let of_key = by_key.entry(&observation.key).or_default();
            of_key.push(observation);
            // Only a Key Vault key has several keys (its versions) in one unit.
            if matches!(observation.key, KeyId::Azure(_)) && speaks_of_unit(&observation.condition)
            {
                let of_unit = by_unit.entry(observation.key.unit()).or_default();
                of_unit.push(observation);
            }
            for related in &observation.related {
                observed.keys.entry(related.clone()).or_default();
            }
        }
        for (key, mut answers) in by_key {
            if matches!(key, KeyId::Azure(_)) {
                let of_unit = by_unit.get(&key.unit()).into_iter().flatten();
                answers.extend(of_unit.copied().filter(|o| o.key != *key));
            }
            answers.sort_by(|a, b| order(a).cmp(&order(b)));
            let mut asked = fold(&answers, policy, as_of);
            asked.itself = true;
            observed.keys.insert(key.clone(), asked);
        }
        // Built in one go a map is full; built key by key it is half empty.
        observed.keys = std::mem::take(&mut observed.keys).into_iter().collect();
        for (unit, mut answers) in by_unit {
            answers.sort_by(|a, b| order(a).cmp(&order(b)));
            observed.units.insert(unit, fold(&answers, policy, as_of));
        }
        observed
    }

    /// The newest counted answer about a key; the default if it was never asked. What two answers
    /// imply is not in it: see [`Observed::derived`].
    pub fn state(&self, key: &KeyId) -> KeyState {
        self.asked(key)
            .map(|asked| asked.state.clone())
            .unwrap_or_default()
    }

    /// The state of an AWS key that two answers of its own imply to be destroyed. For a
    /// multi-Region key it holds only if all siblings are destroyed.
    pub fn derived(&self, key: &KeyId) -> Option<&KeyState> {
        self.asked(key)?.derived.as_deref()
    }

    /// Whether any answer ever settled the key's condition.
    pub fn ever_definite(&self, key: &KeyId) -> bool {
        self.asked(key).is_some_and(|asked| asked.definite)
    }

    /// When a key that was destroyed gave a definite answer again.
    pub fn came_back(&self, key: &KeyId) -> Option<Timestamp> {
        self.asked(key)?.came_back
    }

    /// Every key that was asked about or called related, in order.
    pub fn keys(&self) -> impl Iterator<Item = &KeyId> {
        self.keys.keys()
    }

    /// Whether the key was asked about itself, not only called related.
    pub fn was_asked(&self, key: &KeyId) -> bool {
        self.keys.get(key).is_some_and(|asked| asked.itself)
    }

    /// Whether the provider ever answered in a way that shows that it knows the key.
    pub fn is_known(&self, key: &KeyId) -> bool {
        self.keys.get(key).is_some_and(|asked| asked.known)
    }

    fn asked(&self, key: &KeyId) -> Option<&Asked> {
        match self.keys.get(key) {
            Some(asked) if asked.itself => Some(asked),
            related => self.units.get(&key.unit()).or(related),
        }
    }
}

/// What the provider would say of every key of the unit (design section 4, "Observations"). A
/// non-answer of any kind counts among it: it stands where such an answer may have been.
pub(super) fn speaks_of_unit(condition: &Condition) -> bool {
    match condition {
        Condition::SoftDeleted { .. }
        | Condition::Destroyed { .. }
        | Condition::PendingDeletion { .. }
        | Condition::Transient
        | Condition::Unknown { .. } => true,
        Condition::Enabled { .. }
        | Condition::UnwrapOnly { .. }
        | Condition::Disabled
        | Condition::MaterialMissing
        | Condition::Unavailable { .. } => false,
    }
}

/// Newest last; at the same second the worse observation counts, so it sorts last. What is equally
/// bad is put in some order that does not depend on the order of the evidence.
fn order(o: &Observation) -> impl Ord + '_ {
    let dates = [o.stale_at, o.condition.date()].into_iter().flatten();
    (
        o.at,
        badness(&o.condition),
        // The earlier date is the worse; no date at all is the best.
        Reverse(dates.min().unwrap_or(Timestamp::MAX)),
        (o.condition.word(), o.condition.reason()),
        (&o.endpoint, &o.identity, &o.native),
    )
}

/// Worse answers sort higher: lost, unknown, blocked, conditional, restorable (design 6.1).
fn badness(condition: &Condition) -> u8 {
    match condition {
        Condition::Enabled { .. } => 0,
        Condition::UnwrapOnly { .. } => 1,
        Condition::Disabled
        | Condition::PendingDeletion { .. }
        | Condition::SoftDeleted { .. }
        | Condition::MaterialMissing
        | Condition::Unavailable { .. } => 2,
        Condition::Transient | Condition::Unknown { .. } => 3,
        Condition::Destroyed { .. } => 4,
    }
}

/// With `[probe] identity` set, a non-answer of another identity is shown, not counted. One
/// without a known identity may be ours: it counts. So does an answer that names a state, even one
/// that settles nothing.
fn counts(observation: &Observation, policy: &Policy) -> bool {
    let (Some(ours), Some(theirs)) = (&policy.probe_identity, &observation.identity) else {
        return true;
    };
    ours == theirs || shows_key(&observation.condition)
}

/// Whether an answer shows that the provider has the key and told of its state.
fn shows_key(condition: &Condition) -> bool {
    match condition {
        Condition::Unknown { reason, detail: _ } => match reason {
            UnknownReason::UnrecognisedState | UnknownReason::BackingKeyUnverified => true,
            UnknownReason::NotFound
            | UnknownReason::AccessDenied
            | UnknownReason::Credentials
            | UnknownReason::Throttled
            | UnknownReason::Unreachable
            | UnknownReason::WrongScope
            | UnknownReason::Malformed
            | UnknownReason::Unsupported => false,
        },
        Condition::Enabled { .. }
        | Condition::UnwrapOnly { .. }
        | Condition::Disabled
        | Condition::PendingDeletion { .. }
        | Condition::SoftDeleted { .. }
        | Condition::MaterialMissing
        | Condition::Unavailable { .. }
        | Condition::Transient
        | Condition::Destroyed { .. } => true,
    }
}

fn fold(answers: &[&Observation], policy: &Policy, as_of: Timestamp) -> Asked {
    let newest_definite = answers.iter().rfind(|o| o.condition.is_definite());
    let state = match newest_definite {
        // A destroyed key never ages, and later non-answers do not undo it.
        Some(o) if matches!(o.condition, Condition::Destroyed { .. }) => KeyState {
            condition: Some(o.condition.clone()),
            native: o.native.clone(),
            observed_at: Some(o.at),
            fresh: true,
        },
        Some(_) | None => {
            answers
                .iter()
                .rfind(|o| counts(o, policy))
                .map_or_else(KeyState::default, |o| KeyState {
                    condition: Some(o.condition.clone()),
                    native: o.native.clone(),
                    observed_at: Some(o.at),
                    fresh: is_fresh(o, policy, as_of),
                })
        }
    };
    let end = Destruction::of(answers);
    Asked {
        state,
        itself: false,
        definite: newest_definite.is_some(),
        known: answers.iter().any(|o| shows_key(&o.condition)),
        came_back: end.came_back,
        derived: end.derived.map(Box::new),
    }
}

fn is_fresh(observation: &Observation, policy: &Policy, as_of: Timestamp) -> bool {
    let young = as_of.since(observation.at) <= policy.max_probe_age;
    let passed = |date: Timestamp| date > observation.at && date <= as_of;
    let turned = observation.stale_at.is_some_and(passed)
        || observation.condition.date().is_some_and(passed);
    // Unlike a deadline, an expiry that had passed when it was told contradicts its condition.
    let expired = matches!(&observation.condition,
        Condition::Enabled { expires: Some(date) } if *date <= as_of);
    young && !turned && !expired
}

/// How a key ended, and whether it came back.
///
/// AWS keeps no tombstone. That a key was destroyed follows from two answers to one account:
/// pending deletion with a date, and after that date "not found" in the key's own region, with no
/// sign of life in between (key-states 0.3; AWS KMS `ScheduleKeyDeletion`).
#[derive(Default)]
struct Destruction<'o> {
    /// Under way: the date, and who was told.
    pending: Option<(Timestamp, &'o str)>,
    destroyed: bool,
    derived: Option<KeyState>,
    came_back: Option<Timestamp>,
}

impl<'o> Destruction<'o> {
    fn of(answers: &[&'o Observation]) -> Self {
        let mut end = Self::default();
        for o in answers {
            match &o.condition {
                Condition::Destroyed { .. } => {
                    end.destroyed = true;
                    end.pending = None;
                }
                Condition::Unknown {
                    reason: UnknownReason::NotFound,
                    detail: _,
                } => end.not_found(o),
                Condition::Unknown { .. } | Condition::Transient => {
                    if shows_key(&o.condition) {
                        end.pending = None;
                    }
                }
                Condition::PendingDeletion {
                    deadline: Some(deadline),
                } => {
                    end.alive(o);
                    let identity = o.identity.as_deref();
                    end.pending = identity.map(|identity| (*deadline, identity));
                }
                Condition::PendingDeletion { deadline: None }
                | Condition::Enabled { .. }
                | Condition::UnwrapOnly { .. }
                | Condition::Disabled
                | Condition::SoftDeleted { .. }
                | Condition::MaterialMissing
                | Condition::Unavailable { .. } => end.alive(o),
            }
        }
        end
    }

    fn alive(&mut self, o: &Observation) {
        // What holds only with all siblings was no destruction yet.
        let multi_region = o.key.aws().is_some_and(|aws| aws.is_multi_region());
        let was_gone = self.destroyed || (self.derived.is_some() && !multi_region);
        if was_gone && self.came_back.is_none() {
            self.came_back = Some(o.at);
        }
        self.pending = None;
        self.destroyed = false;
        self.derived = None;
    }

    fn not_found(&mut self, o: &Observation) {
        let Some((deadline, identity)) = self.pending else {
            return;
        };
        let own = o.key.aws().is_some_and(|key| key.may_answer(&o.endpoint))
            && o.identity.as_deref() == Some(identity);
        if own && o.at > deadline && self.derived.is_none() {
            let proof = format!(
                "was pending deletion until {deadline}, not found by the same account at {}",
                o.at
            );
            self.derived = Some(KeyState {
                condition: Some(Condition::Destroyed { proof }),
                native: o.native.clone(),
                observed_at: Some(o.at),
                fresh: true,
            });
        }
    }
}
