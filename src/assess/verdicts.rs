//! Verdicts on keys, projects and the estate, put together from what was decided.

use std::collections::{BTreeMap, BTreeSet};

use super::coverage;
use super::decide::{Decided, shown};
use super::estate::{self, FamilyNo, Project};
use super::estate_doubts;
use super::findings;
use super::identity::{Resolved, askable_ids, provider_of};
use super::restore;
use crate::model::evidence::Condition;
use crate::model::key_id::{Match, Provider};
use crate::model::reading::Scope;
use crate::model::verdict::{
    Assessment, Deletability, Doubt, DoubtKind, KeyRow, ProjectVerdict, ResolvedKey, RootVerdict,
    SafeAfter, SnapshotVerdict, UnitVerdict, Until,
};
use crate::model::{KeyId, Snapshot, Spelling, Timestamp, Unit};

impl Decided<'_> {
    /// The verdict on a snapshot; `None` if it is gone.
    pub fn snapshot(&self, row: &Snapshot) -> Option<SnapshotVerdict> {
        restore::judge(&self.estate, row)
    }

    /// Everything but the snapshot rows.
    pub fn assessment(&self) -> Assessment {
        let keys = self.key_rows();
        let mut summary = self.summary;
        for row in &keys {
            summary.count_key(match row {
                KeyRow::Resolved(row) => row.verdict.verdict,
                KeyRow::Unresolved { .. } => Deletability::Unknown,
            });
        }
        Assessment {
            as_of: self.estate.as_of,
            historical: self.estate.evidence.later_exists,
            roots: self.roots(),
            assumptions: self.assumptions.iter().cloned().collect(),
            summary,
            findings: findings::of(self, &keys),
            projects: self.estate.project_verdicts(),
            keys,
            covered_at: self.covered_at(),
        }
    }

    /// The verdict on a deletion unit (design 6.2).
    pub fn unit(&self, unit: &Unit) -> UnitVerdict {
        let family = self.estate.family_of_unit(unit);
        let tally = family.and_then(|no| self.tallies.get(no));
        let counts = tally.map(|t| t.counts).unwrap_or_default();
        let doubts = self.doubts(unit, family);
        let verdict = if self.is_destroyed(unit, family) {
            Deletability::Gone
        } else if counts.total() > 0 {
            Deletability::Held
        } else if doubts.is_empty() {
            Deletability::Safe
        } else {
            Deletability::Unknown
        };
        let safe_after = match (verdict, tally.and_then(|t| t.until)) {
            (Deletability::Held, Some(Until::At(at))) if doubts.is_empty() => SafeAfter::Date(at),
            (Deletability::Held, Some(Until::At(at))) => SafeAfter::NotBefore(Some(at)),
            (Deletability::Held, Some(Until::Indefinite)) => SafeAfter::Indefinite,
            (Deletability::Held, None)
            | (Deletability::Unknown | Deletability::Gone | Deletability::Safe, _) => {
                SafeAfter::None
            }
        };
        UnitVerdict {
            verdict,
            safe_after,
            dependants: tally
                .map(super::tally::Tally::dependants)
                .unwrap_or_default(),
            counts,
            doubts,
            // A multi-Region key whose sibling lives takes nothing with it.
            lost: verdict == Deletability::Gone
                && counts.total() > 0
                && self.is_family_destroyed(family),
            lost_snapshots: match verdict {
                Deletability::Gone => tally.map_or(0, |t| t.lost),
                Deletability::Held | Deletability::Unknown | Deletability::Safe => 0,
            },
        }
    }

    /// All doubts about a unit when its dependants are listed, else one of each kind.
    fn doubts(&self, unit: &Unit, family: Option<FamilyNo>) -> Vec<Doubt> {
        let tally = family.and_then(|no| self.tallies.get(no));
        let all = tally.is_some_and(super::tally::Tally::is_listing);
        let never_seen = (!self.was_ever_seen(unit, family)).then(|| Doubt {
            kind: DoubtKind::KeyNeverSeen,
            project: None,
            detail: String::from(
                "no inventory ever named it and no key service ever gave a definite answer about it",
            ),
        });
        let wanted = self.estate.wanted.as_ref();
        let passed_over = wanted.is_some_and(|w| !w.has(unit)).then(|| Doubt {
            kind: DoubtKind::EstateIncomplete,
            project: None,
            detail: String::from("this run looked into other keys only"),
        });
        let found: BTreeSet<&Doubt> = tally
            .into_iter()
            .flat_map(super::tally::Tally::doubts)
            .chain(self.of_provider.get(&unit.provider()).into_iter().flatten())
            .chain(&self.of_all)
            .chain(&never_seen)
            .chain(&passed_over)
            .collect();
        let mut doubts: Vec<Doubt> = Vec::new();
        for doubt in found {
            if all || doubts.last().is_none_or(|last| last.kind != doubt.kind) {
                doubts.push(doubt.clone());
            }
        }
        doubts
    }

    fn was_ever_seen(&self, unit: &Unit, family: Option<FamilyNo>) -> bool {
        let definite = family
            .and_then(|no| self.estate.families.get(no))
            .is_some_and(|family| {
                family
                    .keys
                    .iter()
                    .any(|key| unit.contains(key) && self.estate.observed.ever_definite(key))
            });
        definite
            || self
                .estate
                .names
                .iter()
                .filter(|name| name.project.is_some())
                .any(|name| match &name.resolved {
                    Resolved::Keys(keys) => keys.iter().any(|key| unit.contains(key)),
                    Resolved::Unresolved(spelling) => {
                        matches!(unit.compare(spelling, &[]), Match::Same | Match::Agrees)
                    }
                })
    }

    /// Every known key of the family is destroyed.
    fn is_family_destroyed(&self, family: Option<FamilyNo>) -> bool {
        let Some(family) = family.and_then(|no| self.estate.families.get(no)) else {
            return false;
        };
        family.keys.iter().all(|key| {
            matches!(
                self.estate.state(key).condition,
                Some(Condition::Destroyed { .. })
            )
        })
    }

    /// Every known key of the unit is destroyed.
    fn is_destroyed(&self, unit: &Unit, family: Option<FamilyNo>) -> bool {
        let Some(family) = family.and_then(|no| self.estate.families.get(no)) else {
            return false;
        };
        let mut keys = family
            .keys
            .iter()
            .filter(|key| unit.contains(key))
            .peekable();
        keys.peek().is_some()
            && keys.all(|key| {
                matches!(
                    self.estate.state(key).condition,
                    Some(Condition::Destroyed { .. })
                )
            })
    }

    /// Every key that a snapshot or a project names, complete.
    pub fn named_keys(&self) -> BTreeSet<KeyId> {
        self.estate
            .names
            .iter()
            .filter(|name| name.project.is_some())
            .flat_map(|name| match &name.resolved {
                Resolved::Keys(keys) => keys.clone(),
                Resolved::Unresolved(_) => Vec::new(),
            })
            .collect()
    }

    /// Whether a snapshot or a project names the key.
    pub fn is_named(&self, key: &KeyId) -> bool {
        self.estate
            .names
            .iter()
            .filter(|name| name.project.is_some())
            .any(|name| match &name.resolved {
                Resolved::Keys(keys) => keys.contains(key),
                Resolved::Unresolved(_) => false,
            })
    }

    /// Bare AWS ids that are in use, unresolved, and whose region settings name.
    pub fn askable_ids(&self) -> Vec<(String, String)> {
        askable_ids(self.estate.evidence).into_iter().collect()
    }

    fn key_rows(&self) -> Vec<KeyRow> {
        let mut keys = self.named_keys();
        keys.extend(
            self.estate
                .observed
                .keys()
                .filter(|key| self.estate.observed.was_asked(key))
                .cloned(),
        );
        // Keys of one unit follow each other.
        let mut last: Option<(Unit, UnitVerdict)> = None;
        let mut rows: Vec<KeyRow> = keys
            .into_iter()
            .map(|key| {
                let unit = key.unit();
                let verdict = match last.take() {
                    Some((of, verdict)) if of == unit => verdict,
                    Some(_) | None => self.unit(&unit),
                };
                last = Some((unit, verdict.clone()));
                KeyRow::Resolved(Box::new(ResolvedKey {
                    state: self.estate.state(&key),
                    verdict,
                    key,
                }))
            })
            .collect();
        rows.extend(self.unresolved_rows());
        rows
    }

    /// Everything that stands for a key in the evidence or in a statement, resolved as far as it
    /// goes, and every key that was ever asked about.
    pub fn spellings(&self) -> BTreeSet<Spelling> {
        let named = self
            .estate
            .names
            .iter()
            .flat_map(|name| match &name.resolved {
                Resolved::Keys(keys) => keys.iter().cloned().map(Spelling::Complete).collect(),
                Resolved::Unresolved(spelling) => vec![spelling.clone()],
            });
        let observed = self.estate.observed.keys().cloned();
        named.chain(observed.map(Spelling::Complete)).collect()
    }

    fn unresolved_rows(&self) -> Vec<KeyRow> {
        let mut spellings: BTreeMap<(Option<Provider>, &str), ()> = BTreeMap::new();
        for name in self
            .estate
            .names
            .iter()
            .filter(|name| name.project.is_some())
        {
            if matches!(name.resolved, Resolved::Unresolved(_)) {
                spellings.insert((provider_of(&name.resolved), name.text.as_str()), ());
            }
        }
        let doubt = |text: &str| Doubt {
            kind: DoubtKind::UnresolvedKey,
            project: None,
            detail: format!("`{}` does not say which key it is", shown(text)),
        };
        spellings
            .into_keys()
            .map(|(provider, text)| KeyRow::Unresolved {
                provider,
                spelling: text.to_owned(),
                doubts: vec![doubt(text)],
            })
            .collect()
    }

    /// Up to when a statement in force stands for a project's coverage.
    fn stated_at(&self, project: &Project<'_>) -> Option<Timestamp> {
        estate_doubts::covered_families(&self.estate, project)?;
        project.statement.map(|statement| statement.stated)
    }

    /// Roots whose project list counts.
    pub fn roots(&self) -> Vec<RootVerdict> {
        let evidence = self.estate.evidence;
        let mut roots: Vec<RootVerdict> = evidence
            .roots
            .iter()
            .enumerate()
            .filter(|(no, _)| estate::counts_as_root(evidence, *no))
            .map(|(_, root)| RootVerdict {
                source: root.id.source.word(),
                base_url: root.id.base_url.clone(),
                scope: scope_text(&root.id.scope),
                covered_at: coverage::newest(&root.lists, coverage::is_whole).map(|list| list.at),
            })
            .collect();
        roots.sort_by(|a, b| {
            (a.source, &a.base_url, &a.scope).cmp(&(b.source, &b.base_url, &b.scope))
        });
        roots
    }

    /// The oldest T of the estate, if every root and project has one.
    pub fn covered_at(&self) -> Option<Timestamp> {
        let roots = self.roots();
        if roots.is_empty() || self.estate.projects.is_empty() || !self.estate.strays.is_empty() {
            return None;
        }
        let of_roots = roots.iter().map(|root| root.covered_at);
        let of_projects = self
            .estate
            .projects
            .iter()
            .filter(|p| !p.left)
            .map(|p| p.coverage.complete_at.or(self.stated_at(p)));
        of_roots
            .chain(of_projects)
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .min()
    }
}

impl estate::Estate<'_> {
    /// Projects of the estate, by id.
    pub(super) fn project_verdicts(&self) -> Vec<ProjectVerdict> {
        self.projects
            .iter()
            .filter(|project| !project.left)
            .map(|project| ProjectVerdict {
                project: project.id.clone(),
                name: project.name.map(ToOwned::to_owned),
                complete: project.coverage.complete_at.is_some(),
                covered_at: project.coverage.complete_at,
                gaps: gaps(project),
            })
            .collect()
    }
}

/// Sentences, sorted.
fn gaps(project: &Project<'_>) -> Vec<String> {
    let mut gaps = project.coverage.gaps.clone();
    if !project.listed {
        gaps.push(String::from("no project list names it any more"));
    }
    gaps.sort();
    gaps
}

fn scope_text(scope: &Scope) -> String {
    match scope {
        Scope::AllVisible => String::from("all-visible"),
        Scope::Org(id) => format!("org:{id}"),
        Scope::Projects(ids) => format!("projects:{}", ids.join(",")),
    }
}
