//! The end of the second pass: rules that look at projects and the estate as a whole, after every
//! snapshot row was taken (design 6.2).

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Decided, Decider, History, shown};
use crate::assess::estate::{Certainty, FamilyNo, Name, NameNo};
use crate::assess::{estate_doubts, identity, windows};
use crate::model::key_id::Provider;
use crate::model::reading::DeclaredKind;
use crate::model::verdict::{Assumption, Dependant, DependantKind, Doubt, DoubtKind, Until};

impl<'e> Decider<'e> {
    /// All rows are in: the rules that look at projects and the estate as a whole.
    pub(in crate::assess) fn finish(mut self) -> Decided<'e> {
        self.unnamed_snapshots();
        self.unmet_jobs();
        for no in 0..self.out.estate.projects.len() {
            self.declared(no);
            if !self.is_left(no) {
                self.current_keys(no);
                self.history(no);
            }
        }
        self.holds();
        self.names_in_use();
        self.kmip_never_named();
        estate_doubts::note(&mut self.out, self.inventory_age);
        self.out
    }

    /// A dependant of a key that some spelling names, or the doubt in its place if one only may.
    pub(super) fn need(
        &mut self,
        family: FamilyNo,
        certainty: Option<Certainty>,
        dependant: Dependant,
        project: &str,
    ) {
        match certainty {
            Some(certainty) => {
                let certain = certainty == Certainty::Same;
                self.depend(
                    family,
                    Dependant {
                        certain,
                        ..dependant
                    },
                );
            }
            None => self.doubt(
                family,
                Doubt {
                    kind: DoubtKind::MaybeMatch,
                    project: Some(project.to_owned()),
                    detail: format!(
                        "a {} needs a key of its project, and an id that may be this key was one",
                        dependant.kind.word()
                    ),
                },
            ),
        }
    }

    /// Dependant `current-key`: an enabled encryption-at-rest block.
    fn current_keys(&mut self, no: usize) {
        let Some(project) = self.out.estate.projects.get(no) else {
            return;
        };
        let project_id = project.id.id.clone();
        let mut met = BTreeSet::new();
        for current in project.current.clone() {
            let Some(name) = current.name else {
                let provider = current.settings.provider;
                self.out.of_provider.entry(provider).or_default().insert(Doubt {
                    kind: DoubtKind::MaybeMatch,
                    project: Some(project_id.clone()),
                    detail: format!(
                        "the project's {} encryption at rest is on, and its settings name no key",
                        provider.word()
                    ),
                });
                continue;
            };
            self.use_name(name);
            if !met.insert(name) {
                continue;
            }
            for (family, certainty) in self.named(name) {
                self.depend(
                    family,
                    Dependant {
                        kind: DependantKind::CurrentKey,
                        project: Some(project_id.clone()),
                        cluster: None,
                        id: None,
                        until: Until::Indefinite,
                        certain: certainty == Certainty::Same,
                    },
                );
            }
        }
    }

    fn named(&self, no: NameNo) -> Vec<(FamilyNo, Certainty)> {
        self.out
            .estate
            .names
            .get(no)
            .map(|name| name.names.clone())
            .unwrap_or_default()
    }

    /// Dependants of snapkey's own form.
    fn declared(&mut self, no: usize) {
        let Some(project) = self.out.estate.projects.get(no) else {
            return;
        };
        let project_id = project.id.id.clone();
        let left = project.left;
        for (line, names) in project.declared.clone() {
            let kind = match line.kind {
                DeclaredKind::CurrentKey => DependantKind::CurrentKey,
                DeclaredKind::PitWindow => DependantKind::PitWindow,
                DeclaredKind::Download => DependantKind::Download,
                DeclaredKind::RestoreJob => DependantKind::RestoreJob,
            };
            let passed = line
                .until
                .is_some_and(|until| until <= self.out.estate.as_of);
            let id = line.id.as_deref();
            let forgotten = id.is_some_and(|id| self.forgotten.contains(id));
            // A download outlives its project.
            let download = kind == DependantKind::Download;
            if passed || (download && forgotten) || (left && !download) {
                continue;
            }
            if names.is_empty() {
                self.out.of_all.insert(Doubt {
                    kind: DoubtKind::UnrecordedKey,
                    project: Some(project_id.clone()),
                    detail: format!("a {} does not say which key it needs", kind.word()),
                });
            }
            for name in names {
                self.use_name(name);
                for (family, certainty) in self.named(name) {
                    self.depend(
                        family,
                        Dependant {
                            kind,
                            project: Some(project_id.clone()),
                            cluster: line.cluster.clone(),
                            id: line.id.clone(),
                            until: line.until.map_or(Until::Indefinite, Until::At),
                            certain: certainty == Certainty::Same,
                        },
                    );
                }
            }
        }
    }

    /// The rules about keys that were a project's: `pit-window`, `pit-successor-unseen`,
    /// `history-too-short`, `rotation-under-way`.
    fn history(&mut self, no: usize) {
        let families: Vec<(FamilyNo, History)> = self
            .histories
            .get(no)
            .map(|h| h.keys().copied().collect::<Vec<_>>())
            .unwrap_or_default()
            .into_iter()
            .filter_map(|family| Some((family, self.history_of(no, family)?)))
            .collect();
        let Some(project) = self.out.estate.projects.get(no) else {
            return;
        };
        let windows = windows::of(project);
        for cluster in windows.untold() {
            self.out.assumptions.insert(Assumption {
                kind: "cluster-not-deleted",
                subject: project.id.id.clone(),
                stated: None,
                reason: Cow::Owned(format!(
                    "no list without deleted clusters tells whether `{cluster}`, which has point-in-time restore, is deleted"
                )),
            });
        }
        let found = windows::rules(&self.out.estate, project, &windows, self.inventory_age);
        for (provider, doubt) in found {
            self.out
                .of_provider
                .entry(provider)
                .or_default()
                .insert(doubt);
        }
        let mut dependants = Vec::new();
        let mut doubts = Vec::new();
        for (family, history) in families {
            let is_current = project
                .current
                .iter()
                .filter_map(|c| self.out.estate.names.get(c.name?))
                .any(|name| name.names.iter().any(|(f, _)| *f == family));
            let of = windows::Former {
                estate: &self.out.estate,
                project,
                family,
                is_current,
                certainty: history.certainty,
                successor: history.successor,
            };
            let (needs, unsure) = of.judge(&windows);
            dependants.extend(needs.into_iter().map(|d| (family, d)));
            doubts.extend(unsure.into_iter().map(|d| (family, d)));
        }
        for (family, dependant) in dependants {
            self.depend(family, dependant);
        }
        for (family, doubt) in doubts {
            self.doubt(family, doubt);
        }
    }

    /// Dependant `hold`.
    fn holds(&mut self) {
        for no in 0..self.out.estate.holds.len() {
            let (Some(hold), Some(name)) = (
                self.out.estate.policy.holds.get(no),
                self.out.estate.holds.get(no).copied(),
            ) else {
                continue;
            };
            if hold
                .until
                .is_some_and(|until| until <= self.out.estate.as_of)
            {
                continue;
            }
            self.use_name(name);
            for (family, certainty) in self.named(name) {
                self.depend(
                    family,
                    Dependant {
                        kind: DependantKind::Hold,
                        project: None,
                        cluster: None,
                        id: Some(hold.key.clone()),
                        until: hold.until.map_or(Until::Indefinite, Until::At),
                        certain: certainty == Certainty::Same,
                    },
                );
            }
        }
    }

    /// Doubts `maybe-match` and `unresolved-key`: spellings in use that may be a key.
    fn names_in_use(&mut self) {
        for no in 0..self.out.estate.names.len() {
            let names = &self.out.estate.names;
            let is_sure = |name: &&Name| {
                name.may_be.is_empty() && matches!(name.resolved, identity::Resolved::Keys(_))
            };
            let Some(name) = names.get(no).filter(|n| n.in_use && !is_sure(n)) else {
                continue;
            };
            let project = name
                .project
                .and_then(|no| self.out.estate.projects.get(no))
                .map(|project| project.id.id.clone());
            let unresolved = matches!(name.resolved, identity::Resolved::Unresolved(_));
            let doubt = |kind, what: &str| Doubt {
                kind,
                project: project.clone(),
                detail: format!("`{}` {what}", shown(&name.text)),
            };
            let maybe = doubt(DoubtKind::MaybeMatch, "is in use and may be this key");
            let incomplete = doubt(
                DoubtKind::UnresolvedKey,
                "is in use and does not say which key it is",
            );
            let agrees: Vec<FamilyNo> = name
                .names
                .iter()
                .filter(|(_, certainty)| *certainty == Certainty::Agrees)
                .map(|(family, _)| *family)
                .collect();
            let may_be = name.may_be.clone();
            for family in may_be {
                self.doubt(family, maybe.clone());
                if unresolved {
                    self.doubt(family, incomplete.clone());
                }
            }
            if unresolved {
                for family in agrees {
                    self.doubt(family, incomplete.clone());
                }
            }
        }
    }

    /// Doubt `kmip-never-named`: no Ops Manager part names a key here yet, so a running `mongod`
    /// may use any KMIP key.
    fn kmip_never_named(&mut self) {
        self.out.of_provider.entry(Provider::Kmip).or_default().insert(Doubt {
            kind: DoubtKind::KmipNeverNamed,
            project: None,
            detail: String::from(
                "no snapshot part ever named this key, and a running mongod may use it without Ops Manager saying so",
            ),
        });
    }
}
