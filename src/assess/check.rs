//! One key under the glass: `check KEY --for delete|disable|rotate`.

use super::decide::Decided;
use super::estate::{Estate, FamilyNo};
use super::identity::Resolved;
use super::observed::speaks_of_unit;
use crate::model::evidence::Condition;
use crate::model::key_id::{Match, units_named_by};
use crate::model::verdict::{
    CheckedKey, Deletability, DependantCounts, Doubt, DoubtKind, Intent, KeyCheck, KeyState,
    RotationCheck, RotationVerdict, SafeAfter, UnitVerdict,
};
use crate::model::{KeyId, Spelling, Unit};

/// What a key on the command line turned out to be.
#[derive(Clone, Debug)]
pub enum Found {
    /// One deletion unit; the key itself where it was given or is the only one known.
    One { unit: Unit, key: Option<KeyId> },
    /// It may be any of these: the caller asks for a complete id.
    Several(Vec<String>),
    /// Incomplete, and nothing in the store agrees with it.
    Unresolved(Spelling),
    /// A movable pointer: only a probe of this run may resolve it.
    Alias(String),
}

/// The keys of a rotation.
#[derive(Clone, Debug)]
pub struct RotationInput {
    pub old: Unit,
    pub old_key: Option<KeyId>,
    /// `None`: no new key was given.
    pub new: Option<Found>,
    pub new_text: Option<String>,
}

/// The family whose dependants are to be listed: the first key asked about.
pub(super) fn focus(estate: &Estate<'_>) -> Option<FamilyNo> {
    let name = estate.names.get(*estate.arguments.first()?)?;
    match &name.resolved {
        Resolved::Keys(keys) => estate.family_of(keys.first()?),
        Resolved::Unresolved(spelling) => match units_named_by(spelling) {
            Some(unit) => estate.family_of_unit(&unit),
            None => match name.names.as_slice() {
                [(only, _)] => Some(*only),
                [] | [_, _, ..] => None,
            },
        },
    }
}

impl Decided<'_> {
    /// Resolves the `no`-th key asked about like an Encryption Key ID, then against the store.
    pub fn argument(&self, no: usize) -> Option<Found> {
        let name = self.estate.names.get(*self.estate.arguments.get(no)?)?;
        let spelling = match &name.resolved {
            Resolved::Keys(keys) => {
                let key = keys.first()?;
                return Some(Found::One {
                    unit: key.unit(),
                    key: Some(key.clone()),
                });
            }
            Resolved::Unresolved(spelling) => spelling,
        };
        if let Spelling::AwsAlias(alias) = spelling {
            return Some(Found::Alias(alias.clone()));
        }
        if let Some(unit) = units_named_by(spelling) {
            return Some(Found::One {
                key: self.only_key(&unit),
                unit,
            });
        }
        let mut units: Vec<&Unit> = name
            .names
            .iter()
            .filter_map(|(family, _)| self.estate.families.get(*family))
            .flat_map(|family| {
                family.units.iter().filter(|unit| {
                    matches!(unit.compare(spelling, &[]), Match::Same | Match::Agrees)
                        || family
                            .keys
                            .iter()
                            .any(|key| unit.contains(key) && spelling.completed_by(key))
                })
            })
            .collect();
        units.sort_unstable();
        units.dedup();
        Some(match units.as_slice() {
            [] => Found::Unresolved(spelling.clone()),
            [unit] => Found::One {
                unit: (*unit).clone(),
                key: self.only_key(unit),
            },
            [_, _, ..] => Found::Several(units.iter().map(ToString::to_string).collect()),
        })
    }

    fn only_key(&self, unit: &Unit) -> Option<KeyId> {
        let family = self
            .estate
            .families
            .get(self.estate.family_of_unit(unit)?)?;
        let keys: Vec<&KeyId> = family
            .keys
            .iter()
            .filter(|key| unit.contains(key))
            .collect();
        match keys.as_slice() {
            [only] => Some((*only).clone()),
            [] | [_, _, ..] => None,
        }
    }

    /// The key object of a check.
    pub fn checked_key(&self, unit: &Unit, key: Option<&KeyId>) -> CheckedKey {
        CheckedKey {
            provider: Some(unit.provider()),
            id: key.map_or_else(|| unit.to_string(), ToString::to_string),
            unit: unit.to_string(),
            state: match key {
                Some(key) => self.estate.state(key),
                None => self.state_of_unit(unit),
            },
        }
    }

    /// What is known of a unit that no single key stands for: an answer about the unit that is the
    /// newest about each of its known keys. A state that a version has on its own is not the unit's.
    fn state_of_unit(&self, unit: &Unit) -> KeyState {
        let family = self
            .estate
            .family_of_unit(unit)
            .and_then(|no| self.estate.families.get(no));
        let keys = family.into_iter().flat_map(|family| &family.keys);
        keys.filter(|key| unit.contains(key))
            .map(|key| self.estate.state(key))
            .reduce(|one, other| {
                if one.condition == other.condition {
                    KeyState {
                        condition: one.condition,
                        native: one
                            .native
                            .filter(|word| other.native.as_ref() == Some(word)),
                        observed_at: one.observed_at.min(other.observed_at),
                        fresh: one.fresh && other.fresh,
                    }
                } else {
                    KeyState::default()
                }
            })
            .filter(|state| state.condition.as_ref().is_some_and(speaks_of_unit))
            .unwrap_or_default()
    }

    /// `check KEY --for delete|disable` of a resolved key.
    pub fn check(&self, intent: Intent, unit: &Unit, key: Option<&KeyId>) -> KeyCheck {
        self.key_check(intent, self.checked_key(unit, key), self.unit(unit))
    }

    /// The same of a key that stays unresolved: unknown, whatever else is known.
    pub fn check_unresolved(&self, intent: Intent, spelling: &Spelling) -> KeyCheck {
        let text = spelling.to_string();
        let key = CheckedKey {
            provider: spelling.provider(),
            id: text.clone(),
            unit: text.clone(),
            state: KeyState::default(),
        };
        let mut doubts = vec![unresolved(&text)];
        doubts.extend(self.of_all.iter().cloned());
        doubts.sort();
        let verdict = UnitVerdict {
            verdict: Deletability::Unknown,
            safe_after: SafeAfter::None,
            dependants: Vec::new(),
            counts: DependantCounts::default(),
            doubts,
            lost_snapshots: 0,
            lost: false,
        };
        self.key_check(intent, key, verdict)
    }

    fn key_check(&self, intent: Intent, key: CheckedKey, verdict: UnitVerdict) -> KeyCheck {
        KeyCheck {
            as_of: self.estate.as_of,
            historical: self.estate.evidence.later_exists,
            covered_at: self.covered_at(),
            intent,
            key,
            verdict,
            assumptions: self.assumptions.iter().cloned().collect(),
            roots: self.roots(),
        }
    }

    /// `check OLD --for rotate` of an OLD that stays unresolved: unknown.
    pub fn rotation_unresolved(&self, old: &str, new: Option<&str>) -> RotationCheck {
        let bare = |text: &str| CheckedKey {
            provider: Spelling::read(text).provider(),
            id: text.to_owned(),
            unit: text.to_owned(),
            state: KeyState::default(),
        };
        RotationCheck {
            as_of: self.estate.as_of,
            historical: self.estate.evidence.later_exists,
            covered_at: self.covered_at(),
            verdict: RotationVerdict::Unknown,
            reasons: vec![String::from("the old key is not resolved")],
            key: bare(old),
            to: new.map(bare),
            keep_until: SafeAfter::None,
            old: UnitVerdict {
                verdict: Deletability::Unknown,
                safe_after: SafeAfter::None,
                dependants: Vec::new(),
                counts: DependantCounts::default(),
                doubts: vec![unresolved(old)],
                lost_snapshots: 0,
                lost: false,
            },
            assumptions: self.assumptions.iter().cloned().collect(),
            roots: self.roots(),
        }
    }

    /// `check OLD --for rotate [--to NEW]`: looks at OLD and NEW only.
    pub fn rotation(&self, input: &RotationInput) -> RotationCheck {
        let old = self.unit(&input.old);
        let key = self.checked_key(&input.old, input.old_key.as_ref());
        let mut judged = Judged::default();
        judged.judge_old(&key.state, &old);
        let to = input.new.as_ref().map(|found| match found {
            Found::One { unit, key: new_key } => {
                let new = self.checked_key(unit, new_key.as_ref());
                let versions = (input.old_key.as_ref(), new_key.as_ref());
                match versions {
                    _ if unit.is_related(&input.old) => judged.fail(SAME),
                    // A new version of a Key Vault key is another key of the same unit.
                    (Some(old), Some(new_key)) if old == new_key => judged.fail(SAME),
                    (Some(_), Some(_)) => judged.judge_new(&new.state),
                    (None, _) | (_, None) if *unit == input.old => {
                        judged.unknown("whether the new key is another version is not known");
                    }
                    (None, _) | (_, None) => judged.judge_new(&new.state),
                }
                new
            }
            Found::Several(_) | Found::Unresolved(_) | Found::Alias(_) => {
                judged.unknown("the new key is not resolved");
                let text = input.new_text.clone().unwrap_or_default();
                CheckedKey {
                    provider: None,
                    id: text.clone(),
                    unit: text,
                    state: KeyState::default(),
                }
            }
        });
        RotationCheck {
            as_of: self.estate.as_of,
            historical: self.estate.evidence.later_exists,
            covered_at: self.covered_at(),
            verdict: judged.verdict(),
            reasons: judged.reasons,
            key,
            to,
            keep_until: old.safe_after,
            old,
            assumptions: self.assumptions.iter().cloned().collect(),
            roots: self.roots(),
        }
    }
}

const SAME: &str = "the new key is the old one";

/// Reasons against a rotation, and how bad the worst is.
#[derive(Default)]
struct Judged {
    failed: bool,
    unknown: bool,
    reasons: Vec<String>,
}

impl Judged {
    fn fail(&mut self, reason: &str) {
        self.failed = true;
        self.reasons.push(reason.to_owned());
    }

    fn unknown(&mut self, reason: &str) {
        self.unknown = true;
        self.reasons.push(reason.to_owned());
    }

    fn verdict(&self) -> RotationVerdict {
        match (self.failed, self.unknown) {
            (true, _) => RotationVerdict::Fail,
            (false, true) => RotationVerdict::Unknown,
            (false, false) => RotationVerdict::Pass,
        }
    }

    /// OLD is usable or nothing needs it, it is not on its way out, and the evidence is fresh.
    fn judge_old(&mut self, state: &KeyState, verdict: &UnitVerdict) {
        let needed = verdict.counts.total() > 0;
        let Some(condition) = &state.condition else {
            return self.unknown("the old key was never asked about");
        };
        match condition {
            Condition::PendingDeletion { .. } | Condition::SoftDeleted { .. } => {
                self.fail("the old key is on its way to destruction");
            }
            Condition::Destroyed { .. } => self.fail("the old key is destroyed"),
            Condition::Enabled { .. } if state.fresh => {}
            Condition::Unknown { reason, detail: _ } => {
                self.unknown(&format!(
                    "the old key's state is unknown: {}",
                    reason.word()
                ));
            }
            Condition::Transient => self.unknown("the old key is in transition: ask again"),
            Condition::Enabled { .. } => self.unknown("the old key was asked about too long ago"),
            Condition::UnwrapOnly { .. }
            | Condition::Disabled
            | Condition::MaterialMissing
            | Condition::Unavailable { .. } => {
                if needed {
                    self.fail(&format!(
                        "the old key is {}, and something still needs it",
                        condition.word()
                    ));
                } else if !state.fresh {
                    self.unknown("the old key was asked about too long ago");
                } else if !verdict.doubts.is_empty() {
                    self.unknown("whether anything still needs the old key is not known");
                }
            }
        }
    }

    /// NEW is another key, freshly probed and enabled.
    fn judge_new(&mut self, state: &KeyState) {
        match &state.condition {
            None => self.unknown("the new key was never asked about"),
            Some(Condition::Enabled { .. }) if state.fresh => {}
            Some(Condition::Enabled { .. }) => {
                self.unknown("the new key was asked about too long ago");
            }
            Some(Condition::Unknown { reason, detail: _ }) => {
                self.unknown(&format!(
                    "the new key's state is unknown: {}",
                    reason.word()
                ));
            }
            Some(Condition::Transient) => self.unknown("the new key is in transition: ask again"),
            Some(
                other @ (Condition::UnwrapOnly { .. }
                | Condition::Disabled
                | Condition::PendingDeletion { .. }
                | Condition::SoftDeleted { .. }
                | Condition::MaterialMissing
                | Condition::Unavailable { .. }
                | Condition::Destroyed { .. }),
            ) => self.fail(&format!("the new key is {}", other.word())),
        }
    }
}

fn unresolved(text: &str) -> Doubt {
    Doubt {
        kind: DoubtKind::UnresolvedKey,
        project: None,
        detail: format!(
            "`{}` does not say which key it is",
            super::decide::shown(text)
        ),
    }
}
